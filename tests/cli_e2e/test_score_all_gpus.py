"""scripts/score_all_gpus.py: a process for each GPU, joined by select. Here on the CPU, and with a GPU that is not there."""
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from air_runner import REPOSITORY, air_binary, clean_environment, succeed, write_records

RESOURCE = 5


@pytest.fixture
def many(tmp_path):
    return write_records(tmp_path / "many.jsonl", [{"id": i, "prompt": f"Say {i}.", "response": f"{i}!\n\nSo: {i * i}."} for i in range(31)])


@pytest.fixture
def score(model, many):
    return ["--model", model, "--heads", "1-5", "--threads", "1", many]


def start(out, *arguments, env=None):
    command = [sys.executable, REPOSITORY / "scripts" / "score_all_gpus.py", "-o", out / "scored.jsonl", "--air", air_binary(), *arguments]
    return subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, env=clean_environment(**(env or {})))


def finish(out, *arguments, env=None):
    process = start(out, *arguments, env=env)
    stdout, stderr = process.communicate(timeout=300)
    return process.returncode, stdout, stderr


def without_rounding(line):
    """Id, rank and rounded influence of a line."""
    record = json.loads(line)
    return record["id"], record["air"]["line"], record["air"]["num_tokens"], round(record["air"]["influence"], 3)


@pytest.mark.parametrize("processes", [1, 3])
def test_processes_share_the_input_and_their_shards_are_joined(score, out, processes):
    code, _, stderr = finish(out, "--processes", processes, "--", *score, "--device", "cpu")
    assert code == 0, stderr
    lines = (out / "scored.jsonl").read_text().splitlines()
    whole = succeed("score", *score).decode().splitlines()
    assert sorted(map(without_rounding, lines)) == sorted(map(without_rounding, whole))
    assert [json.loads(line)["air"]["rank"] for line in lines] == list(range(1, 32))
    assert f"31 traces of {processes} shards" in stderr


def test_the_same_command_again_goes_on_with_what_is_missing(score, out):
    arguments = ["--processes", 2, "--", *score]
    assert finish(out, *arguments)[0] == 0
    first = (out / "scored.jsonl").read_bytes()
    kept = os.stat(out / "scored.shard0of2.jsonl").st_mtime_ns
    for name in ["scored.jsonl", "scored.shard1of2.jsonl", "scored.shard1of2.jsonl.manifest.json"]:
        (out / name).unlink()
    code, _, stderr = finish(out, *arguments)
    assert code == 0 and "shard0of2.jsonl is finished" in stderr
    assert (out / "scored.jsonl").read_bytes() == first and os.stat(out / "scored.shard0of2.jsonl").st_mtime_ns == kept


def test_a_process_that_fails_is_named_and_nothing_is_joined(score, out, many):
    many.write_text(many.read_text() + '{"prompt": "a"}\n')  # line 32: of the second process
    code, _, stderr = finish(out, "--processes", 2, "--", *score)
    assert code == 3 and "shard1of2" in stderr and "many.jsonl:32" in stderr
    assert not (out / "scored.jsonl").exists() and (out / "scored.shard0of2.jsonl").exists()


def test_each_process_sees_its_gpu(score, out):
    code, stdout, _ = finish(out, "--gpus", "2,5", "--dry-run", "--", *score)
    lines = stdout.splitlines()
    assert code == 0 and len(lines) == 3 and os.listdir(out) == []
    for line, gpu, shard in zip(lines, "25", ["0/2", "1/2"]):
        assert line.startswith(f"CUDA_VISIBLE_DEVICES={gpu} ") and f"--shard {shard}" in line and "--device cuda" in line
    assert " select " in lines[2]
    assert finish(out, "--dry-run", "--", *score, env={"CUDA_VISIBLE_DEVICES": "2,5"})[1] == stdout


def test_without_a_gpu_it_says_so(score, out):
    code, _, stderr = finish(out, "--", *score, env={"CUDA_VISIBLE_DEVICES": ""})
    assert code == RESOURCE and "no GPU is seen" in stderr and "--processes" in stderr


def test_flags_that_the_script_sets_are_refused(score, out):
    for flag in ["--shard", "--resume", "-o", "--output=x"]:
        assert finish(out, "--processes", 1, "--", *score, flag)[0] == 2


def test_a_signal_reaches_all_processes(model, out, tmp_path):
    text = "Nothing to see here. " * 40
    path = write_records(tmp_path / "long.jsonl", [{"prompt": f"{i}", "response": text} for i in range(200)])
    arguments = ["--processes", 2, "--", "--model", model, "--heads", "1-5", "--threads", "1", "--max-batch-tokens", "900", path]
    process = start(out, *arguments)
    partial = out / "scored.shard1of2.jsonl.partial"
    while not partial.exists() or partial.read_bytes().count(b"\n") < 4:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130 and "resumes" in stderr
    assert partial.exists() and not (out / "scored.jsonl").exists()
