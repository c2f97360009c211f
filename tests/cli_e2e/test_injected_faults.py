"""scripts/check_faults.py in short: under every verb, system calls that fail, kills at calls that write and at random moments, reads
and writes that stop short."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from air_runner import REPOSITORY, air_binary

# {kind: (verbs, trials)}: those of which there is most to go wrong.
TRIALS = {"error": ("start,score,find-heads,select,report,inspect", 24), "kill": ("score,find-heads,select", 10),
          "moment": ("find-heads", 3), "short": ("score,select", 6)}


def needs(kind):
    if kind == "short":
        library = Path(air_binary()).resolve().parent / "tests" / "libshort_io.so"
        return None if library.exists() else f"no {library.name}: a build with sanitizers"
    if shutil.which("strace") is None or subprocess.run(["strace", "-f", "true"], capture_output=True).returncode != 0:
        return "no strace, or no leave to trace"
    return None


@pytest.mark.parametrize("kind", TRIALS)
def test_no_disturbance_ends_a_run_in_disorder(model, kind):
    if (missing := needs(kind)) is not None:
        pytest.skip(missing)
    verbs, trials = TRIALS[kind]
    result = subprocess.run([sys.executable, REPOSITORY / "scripts" / "check_faults.py", "--model", model, "--kinds", kind,
                             "--verbs", verbs, "--trials", str(trials)], capture_output=True, timeout=280)
    assert result.stdout, result.stderr.decode()
    figures = json.loads(result.stdout)
    assert figures["faults"] == []
    assert sum(figures["trials"].values()) == trials
