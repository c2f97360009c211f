"""air_datatrove with the real LocalPipelineExecutor: two tasks, one of which dies; the next run does only what is missing."""
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from air_runner import air_binary, clean_environment
from conftest import ALONE, HEADS, NUM_RECORDS, in_order

import air_datatrove

RUN = """
import sys
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter
from air_datatrove import AirScorer

if __name__ == "__main__":
    folder, model, heads, program, *flags = sys.argv[1:]
    LocalPipelineExecutor([
        JsonlReader(folder + "/traces", text_key="response"),
        AirScorer(model, heads, text_key="response", flags=["--threads", "1", *flags], program=program, batch_size=10),
        JsonlWriter(folder + "/scored", output_filename="${rank}.jsonl.gz"),
    ], tasks=2, workers=2, logging_dir=folder + "/logs").run()
"""


@pytest.fixture
def folder(traces, tmp_path):
    """The records in two files: a task takes every second."""
    (tmp_path / "traces").mkdir()
    lines = traces.read_text(encoding="utf-8").splitlines(keepends=True)
    half = NUM_RECORDS // 2
    (tmp_path / "traces" / "a.jsonl").write_text("".join(lines[:half]), encoding="utf-8")
    (tmp_path / "traces" / "b.jsonl").write_text("".join(lines[half:]), encoding="utf-8")
    (tmp_path / "run.py").write_text(RUN)
    return tmp_path


def start(folder, model):
    path = str(Path(air_datatrove.__file__).parent)
    return subprocess.Popen([sys.executable, folder / "run.py", folder, model, HEADS, air_binary(), *ALONE],
                            env=clean_environment(PYTHONPATH=path, HF_HUB_OFFLINE="1"), start_new_session=True,
                            stdout=subprocess.DEVNULL, stderr=(folder / "messages").open("ab"))


def stream_of(process):
    """A process of `air score --stream` in the session of the run, and its parent: the worker."""
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            if int(fields[3]) == process.pid and b"--stream" in (entry / "cmdline").read_bytes().split(b"\0"):
                return int(entry.name), int(fields[1])
        except (OSError, ValueError, IndexError):
            pass
    return None


def wait_until(what, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    return found


def test_a_run_after_a_killed_task_does_only_what_is_missing(demo_model, folder, single):
    completions = folder / "logs" / "completions"
    first = start(folder, demo_model)
    stream, worker = wait_until(lambda: stream_of(first), first)
    os.kill(worker, signal.SIGKILL)     # its air has no reader any more and ends by itself
    wait_until(lambda: completions.is_dir() and len(list(completions.iterdir())) == 1, first)
    done, = completions.iterdir()
    os.killpg(first.pid, signal.SIGKILL)    # datatrove waits for ever for a worker that was killed
    first.wait()
    finished = folder / "scored" / f"{done.name}.jsonl.gz"
    before = finished.stat().st_mtime_ns
    assert len(gzip.open(finished).read().splitlines()) == NUM_RECORDS // 2

    assert start(folder, demo_model).wait(300) == 0, (folder / "messages").read_text()
    assert sorted(path.name for path in completions.iterdir()) == ["00000", "00001"]
    assert finished.stat().st_mtime_ns == before
    messages = (folder / "messages").read_text()
    assert "Skipping 1 already completed tasks" in messages

    found = []
    for rank in range(2):
        for line in gzip.open(folder / "scored" / f"{rank:05d}.jsonl.gz", "rt", encoding="utf-8"):
            document = json.loads(line)
            air = document["metadata"]["air"]
            assert air["line"] == len(found) % (NUM_RECORDS // 2) + 1
            found.append((document["id"], document["text"], {**air, "line": len(found) + 1}))
    assert found == [(record["id"], record["response"], record["air"]) for record in in_order(single)]


def test_the_process_may_be_killed(demo_model, folder, single):
    """Of a killed process of air alone the run hears nothing: what it had not answered is scored again."""
    run = start(folder, demo_model)
    stream, _ = wait_until(lambda: stream_of(run), run)
    time.sleep(1)
    os.kill(stream, signal.SIGKILL)
    assert run.wait(300) == 0
    ids = [json.loads(line)["id"] for rank in range(2) for line in gzip.open(folder / "scored" / f"{rank:05d}.jsonl.gz")]
    assert ids == [record["id"] for record in in_order(single)]
    assert "was killed by signal 9; starting anew" in (folder / "messages").read_text()
