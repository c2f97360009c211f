"""scripts/check_faults.py in short: system calls that fail under every verb."""
import json
import shutil
import subprocess
import sys

import pytest
from air_runner import REPOSITORY

TRIALS = 40


def test_no_failing_call_ends_a_run_in_disorder(model):
    if shutil.which("strace") is None or subprocess.run(["strace", "-f", "true"], capture_output=True).returncode != 0:
        pytest.skip("no strace, or no leave to trace")
    result = subprocess.run([sys.executable, REPOSITORY / "scripts" / "check_faults.py", "--model", model, "--trials", str(TRIALS)],
                            capture_output=True, timeout=280)
    assert result.stdout, result.stderr.decode()
    figures = json.loads(result.stdout)
    assert figures["faults"] == []
    assert sum(figures["trials"].values()) == TRIALS
