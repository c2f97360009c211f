"""scripts/check_faults.py in short: under every verb, system calls that fail, kills at calls that write and at random moments, reads
and writes that stop short."""
import json
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from air_runner import REPOSITORY, air_binary, clean_environment, write_records

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


def calls_for_code(trace):
    """{call: numbers} of the mappings that code was made in, and of the calls that let it run."""
    numbers, mapped, found = {"mmap": 0, "mprotect": 0}, {}, {"mmap": [], "mprotect": []}
    first = trace.split(maxsplit=1)[0]
    for call, arguments, result in re.findall(rf"^{first} +(mmap|mprotect)\((.*)\) += (\S+)", trace, re.MULTILINE):
        numbers[call] += 1
        if call == "mmap" and arguments.endswith("PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0"):
            mapped[result] = numbers[call]
        place = arguments.split(",")[0]
        if call == "mprotect" and arguments.endswith("PROT_EXEC") and place in mapped:
            found["mmap"].append(mapped[place])
            found["mprotect"].append(numbers[call])
    return found


@pytest.mark.parametrize("call, error", [("mmap", "ENOMEM"), ("mprotect", "EACCES")])
def test_onednn_gets_no_memory_for_code(model, tmp_path, call, error):
    """Where oneDNN makes code for the last of several batches: an error, and what was scored is kept."""
    if (missing := needs("error") or needs("short")) is not None:  # with sanitizers the program does not notice
        pytest.skip(missing)
    records = [{"id": i, "prompt": "Say it.", "response": "It is so.\n\nSo it is. " * (1 + 4 * i)} for i in range(6)]
    traces = write_records(tmp_path / "t.jsonl", records)
    program = Path(air_binary()).resolve().parent / "air-torch"

    def score(name, *flags, under=()):
        command = [*under, program, "score", "--model", model, "--heads", "1-5", traces, "--threads", "1", "--max-batch-tokens", "600",
                   "-o", tmp_path / name, *flags]
        return subprocess.run([*map(str, command)], capture_output=True, env=clean_environment(AIR_DEVICE="cpu"))

    assert score("whole.jsonl", under=["strace", "-f", "-o", tmp_path / "trace", "-e", "trace=mmap,mprotect"]).returncode == 0
    number = calls_for_code((tmp_path / "trace").read_text(errors="replace"))[call][-1]
    failed = score("o.jsonl", under=["strace", "-f", "-o", tmp_path / "trace", "-e", f"trace={call}",
                                     "-e", f"inject={call}:error={error}:when={number}"])
    assert "(INJECTED)" in (tmp_path / "trace").read_text(errors="replace")
    message = failed.stderr.decode()
    assert failed.returncode == 5 and message.count("air: error: ") == 1, (failed.returncode, message)
    assert " oneDNN " in message and "the code of a product" in message
    assert (tmp_path / "o.jsonl.partial").stat().st_size > 0
    assert score("o.jsonl", "--resume").returncode == 0
    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def calls_on_cpu_lists(trace):
    """[(call, number, error, exit code)] for the second time that a list of processors is opened and read, and for a read that is
    only interrupted, which comes last."""
    numbers, found = {"openat": 0, "read": 0}, {}
    first = trace.split(maxsplit=1)[0]
    for call, arguments, result in re.findall(rf"^{first} +(openat|read)\((.*)\) += (.+)$", trace, re.MULTILINE):
        numbers[call] += 1
        if (name := re.search(r"/sys/devices/system/cpu/(possible|present)\b", arguments + result)) is not None:
            found.setdefault((name[1], call), []).append(numbers[call])
    if len(found.get(("present", "openat"), [])) < 2:
        pytest.skip("no list of processors is read here")
    return [("openat", found["possible", "openat"][-1], "EACCES", 5), ("openat", found["present", "openat"][-1], "ENOENT", 5),
            ("read", found["possible", "read"][-1], "EIO", 5), ("read", found["present", "read"][-2], "EIO", 5),
            ("read", found["present", "read"][-1], "EINTR", 0)]


def test_a_list_of_processors_cannot_be_read_again(model, tmp_path):
    """libtorch's cpuinfo reads it twice and does not look the second time: an error, and what was scored is kept."""
    if (missing := needs("error") or needs("short")) is not None:  # with sanitizers the program does not notice
        pytest.skip(missing)
    traces = write_records(tmp_path / "t.jsonl", [{"id": i, "prompt": "Say it.", "response": "It is so.\n\nSo it is."} for i in range(20)])
    program = Path(air_binary()).resolve().parent / "air-torch"

    def score(name, *flags, under=(), **more):
        command = [*under, program, "score", "--model", model, "--heads", "1-5", traces, "--threads", "1", "--max-batch-tokens", "40",
                   "-o", tmp_path / name, *flags]
        return subprocess.run([*map(str, command)], capture_output=True, env=clean_environment(AIR_DEVICE="cpu"), **more)

    full = score("o.jsonl", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8000, 8000)))
    kept = (tmp_path / "o.jsonl.partial").read_bytes()
    assert full.returncode == 5 and kept.count(b"\n") > 3, full.stderr
    (tmp_path / "whole.jsonl.partial").write_bytes(kept)
    trace = tmp_path / "trace"
    assert score("whole.jsonl", "--resume", under=["strace", "-f", "-y", "-o", trace, "-e", "trace=openat,read"]).returncode == 0
    for call, number, error, code in calls_on_cpu_lists(trace.read_text(errors="replace")):
        result = score("o.jsonl", "--resume", under=["strace", "-f", "-y", "-o", trace, "-e", f"trace={call}",
                                                     "-e", f"inject={call}:error={error}:when={number}"])
        message = result.stderr.decode()
        assert re.search(r"/sys/devices/system/cpu/\w+.*\(INJECTED\)", trace.read_text(errors="replace"))
        assert result.returncode == code, (call, error, message)
        if code == 0:
            continue
        assert (tmp_path / "o.jsonl.partial").read_bytes() == kept
        assert message.count("air: error: /sys/devices/system/cpu/") == message.count("air: error: ") == 1, message
    assert (tmp_path / "o.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
