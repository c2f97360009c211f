"""`air score` on several devices: a process for each, one output. Here on the CPU, which a list may name more than once."""
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from air_runner import air_binary, clean_environment, fail, run, succeed, write_records

USAGE, INPUT, MODEL, RESOURCE, INTERRUPTED = 2, 3, 4, 5, 130
NUM_RECORDS = 60
# A trace a batch: then no sum depends on which traces share a process.
ALONE = ["--threads", "1", "--max-batch-tokens", "1"]
TWO = ["--device", "cpu,cpu"]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    text = lambda i: f"{i}!\n\nSo: {i * i}.\n\n" + "Nothing to see here. " * (5 + i % 7)
    return write_records(tmp_path_factory.mktemp("many") / "many.jsonl",
                         [{"id": i, "prompt": f"Say {i}.", "response": text(i)} for i in range(NUM_RECORDS)])


@pytest.fixture
def score(model, many):
    return ["score", "--model", model, "--heads", "1-5", many, *ALONE]


@pytest.fixture(scope="module")
def whole(model, many, tmp_path_factory):
    """The output of one process."""
    path = tmp_path_factory.mktemp("whole") / "scored.jsonl"
    succeed("score", "--model", model, "--heads", "1-5", many, *ALONE, "-o", path)
    return path.read_bytes()


def start(*arguments):
    # A session of its own: a signal to its group is what Ctrl-C of a terminal is.
    return subprocess.Popen([air_binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=clean_environment(), start_new_session=True)


def worker_files(out):
    return sorted(path.name for path in out.iterdir() if ".partial." in path.name)


def wait_for_scores(process, out, lines=3):
    """Until each of two workers has written some scores."""
    deadline = time.monotonic() + 120
    for i in range(2):
        path = Path(f"{out / 'scored.jsonl'}.partial.{i}of2")
        while not path.exists() or path.read_bytes().count(b"\n") < lines:
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.002)


def children(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


@pytest.mark.parametrize("devices", ["cpu,cpu", "cpu,cpu,cpu"])
def test_the_output_is_that_of_one_process(score, out, whole, devices):
    count = devices.count("cpu")
    result = run(*score, "--device", devices, "-o", out / "scored.jsonl")
    stderr = result.stderr.decode()
    assert result.returncode == 0, stderr
    assert (out / "scored.jsonl").read_bytes() == whole
    assert sorted(os.listdir(out)) == ["scored.jsonl", "scored.jsonl.manifest.json"]
    manifest = json.loads((out / "scored.jsonl.manifest.json").read_text())
    assert [manifest[key] for key in ("num_traces", "num_processes", "shard", "device")] == [NUM_RECORDS, count, "0/1", "cpu"]
    assert manifest["read"][0]["num_records"] == NUM_RECORDS
    # What holds for all is said once.
    assert stderr.count("1 masked") == 1 and stderr.count("read as prompt") == 2 and stderr.count(f"{NUM_RECORDS} traces, ") == 1


def test_options_of_a_run_hold_for_all_processes(score, out, many, tmp_path):
    """The input's order, skipped records in the order of their lines, a shard of the inputs."""
    lines = many.read_text().splitlines()
    for line in (3, 4, 30, 51):
        lines[line] = '{"prompt": "no response"}'
    broken = tmp_path / "broken.jsonl"
    broken.write_bytes("\n".join(lines).encode() + b'\n{"prompt": "\xff"}\n')
    arguments = [broken if part is many else part for part in score] + ["--order", "input", "--on-error", "skip"]
    outputs = []
    for name, flags in [("one", []), ("two", TWO)]:
        for shard in ("0/1", "1/3"):
            file, rejects = out / f"{name}.jsonl", out / f"{name}.rejects"
            succeed(*arguments, *flags, "--shard", shard, "-o", file, "--rejects", rejects)
            outputs.append((file.read_bytes(), rejects.read_bytes()))
            Path(f"{file}.manifest.json").unlink()
    assert outputs[:2] == outputs[2:]
    assert outputs[0][1].count(b"\n") == 5 and outputs[0] != outputs[1]


def test_batches_of_several_traces_differ_in_rounding_only(model, many, out):
    files = [out / "one.jsonl", out / "two.jsonl"]
    for file, flags in zip(files, [[], TWO]):
        succeed("score", "--model", model, "--heads", "1-5", many, *flags, "-o", file)
    numbers = [sorted((r["id"], round(r["air"]["influence"], 4)) for r in map(json.loads, file.read_text().splitlines())) for file in files]
    assert numbers[0] == numbers[1]


def test_more_processes_than_lines(score, many, out, tmp_path):
    short = tmp_path / "short.jsonl"
    short.write_text(many.read_text().splitlines(keepends=True)[0])
    arguments = [short if part is many else part for part in score]
    assert succeed(*arguments) == (succeed(*arguments, "--device", "cpu,cpu,cpu", "-o", out / "a.jsonl"), (out / "a.jsonl").read_bytes())[1]
    short.write_text("")
    assert "no traces: the input is empty" in fail(INPUT, *arguments, *TWO, "-o", out / "b.jsonl")
    short.write_text("{}\n" * 3)
    message = fail(INPUT, *arguments, *TWO, "--on-error", "skip", "-o", out / "b.jsonl")
    assert "every record was skipped (3)" in message
    assert sorted(os.listdir(out)) == ["a.jsonl", "a.jsonl.manifest.json"]


def test_ctrl_c_reaches_all_and_resume_completes(score, out, whole):
    process = start(*score, *TWO, "-o", out / "scored.jsonl")
    wait_for_scores(process, out)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED and "--resume" in stderr, stderr
    assert worker_files(out) == ["scored.jsonl.partial.0of2", "scored.jsonl.partial.1of2"]
    # Other devices share the lines otherwise.
    for flags in [[], ["--device", "cpu,cpu,cpu"]]:
        assert "of another kind" in fail(USAGE, *score, *flags, "--resume", "-o", out / "scored.jsonl")
    assert "--resume continues it" in fail(USAGE, *score, *TWO, "-o", out / "scored.jsonl")
    assert len(worker_files(out)) == 2
    result = run(*score, *TWO, "--resume", "-o", out / "scored.jsonl")
    assert result.returncode == 0 and b" from the run before)" in result.stderr, result.stderr
    assert (out / "scored.jsonl").read_bytes() == whole and worker_files(out) == []


def test_a_killed_process_is_named_and_nothing_is_lost(score, out, whole):
    process = start(*score, *TWO, "-o", out / "scored.jsonl")
    wait_for_scores(process, out)
    os.kill(children(process)[-1], signal.SIGKILL)  # the last one made; the first may have ended
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == RESOURCE
    assert "air: error: cpu, process 2: its process was killed by signal 9 (Killed)" in stderr and "--resume" in stderr, stderr
    assert not (out / "scored.jsonl").exists()
    succeed(*score, *TWO, "--resume", "-o", out / "scored.jsonl")
    assert (out / "scored.jsonl").read_bytes() == whole


def test_a_model_that_is_cut_ends_all_by_its_name(model, many, out, whole, tmp_path):
    """SIGBUS in a process that can only write to standard error: the exit code is that of a model."""
    copy = shutil.copytree(model, tmp_path / "model")
    weights = (copy / "model.safetensors").read_bytes()
    score = ["score", "--model", copy, "--heads", "1-5", many, *ALONE, *TWO, "-o", out / "scored.jsonl"]
    process = start(*score)
    wait_for_scores(process, out)
    os.truncate(copy / "model.safetensors", 0)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == MODEL, stderr
    assert "model.safetensors: became shorter" in stderr or "model.safetensors: was changed" in stderr, stderr
    assert "without a word" not in stderr and "please report" not in stderr, stderr
    (copy / "model.safetensors").write_bytes(weights)
    succeed(*score, "--resume")
    assert (out / "scored.jsonl").read_bytes() == whole


def test_processes_end_with_the_one_that_made_them(score, out, whole):
    process = start(*score, *TWO, "-o", out / "scored.jsonl")
    wait_for_scores(process, out)
    workers = children(process)
    process.kill()
    process.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] for pid in workers):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    succeed(*score, *TWO, "--resume", "-o", out / "scored.jsonl")
    assert (out / "scored.jsonl").read_bytes() == whole


def test_a_bad_record_ends_the_run_and_what_is_finished_stays(score, many, out, whole, tmp_path):
    lines = many.read_text().splitlines(keepends=True)
    bad = tmp_path / "many.jsonl"
    bad.write_text("".join(lines[:-1]) + "{}\n")
    arguments = [bad if part is many else part for part in score] + [*TWO, "-o", out / "scored.jsonl"]
    message = fail(INPUT, *arguments)
    assert f"many.jsonl:{NUM_RECORDS}: " in message
    assert not (out / "scored.jsonl").exists()
    bad.write_text("".join(lines))
    succeed(*arguments, "--resume")
    assert (out / "scored.jsonl").read_bytes() == whole


@pytest.mark.parametrize("device, says", [("cpu,cuda:0", "the CPU beside GPUs"), ("cuda:0,1,0", "cuda:0 is listed twice"),
                                          ("cpu,tpu", '"tpu" can\'t be one of several'), ("cuda:0,", '"" can\'t be'), ("cuda,cuda:1", '"cuda" can\'t')])
def test_a_list_that_makes_no_sense_is_refused(score, out, device, says):
    message = fail(USAGE, *score, "--device", device, "-o", out / "scored.jsonl")
    assert f"--device {device}" in message and says in message
    assert os.listdir(out) == []


def test_pipes_are_refused(score, many, out):
    assert "need an output file" in fail(USAGE, *score, *TWO)
    arguments = ["-" if part is many else part for part in score]
    assert "standard input can be read only once" in fail(USAGE, *arguments, *TWO, "-o", out / "scored.jsonl")


def test_all_gpus_of_none(score, out):
    for device in ("all", "cuda:all"):
        result = run(*score, "--device", device, "-o", out / "scored.jsonl", env={"CUDA_VISIBLE_DEVICES": ""})
        assert result.returncode == RESOURCE and b"--device cuda: no GPU: " in result.stderr
