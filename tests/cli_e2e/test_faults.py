"""What the system may do to a run: streams that are closed, files that change meanwhile, limits, interrupts while it waits."""
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from air_runner import air_binary, clean_environment, fail, succeed, write_records

USAGE, INPUT, MODEL, RESOURCE, INTERRUPTED = 2, 3, 4, 5, 130
FLAGS = ["--max-batch-tokens", "200", "--threads", "1"]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    draw = random.Random(1)
    return write_records(tmp_path_factory.mktemp("many") / "many.jsonl",
                         [{"id": i, "prompt": f"Say {i}.", "response": f"So: {draw.randrange(10 ** 9)}.\n\nIt is {i}."}
                          for i in range(300)])


@pytest.fixture
def copy(model, tmp_path):
    """A model of one's own, to be damaged."""
    return shutil.copytree(model, tmp_path / "model")


def start(*arguments, **options):
    return subprocess.Popen([air_binary(), *map(str, arguments)], **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                            "stderr": subprocess.PIPE, "env": clean_environment()} | options)


def stopped_with_scores(model, many, output):
    """A run that is stopped after some scores were kept."""
    process = start("score", "--model", model, "--heads", "1-5", many, *FLAGS, "-o", output)
    partial = output.with_name(output.name + ".partial")
    deadline = time.monotonic() + 60
    while not partial.exists() or partial.read_bytes().count(b"\n") < 20:
        assert time.monotonic() < deadline and process.poll() is None, "no scores appear"
        time.sleep(0.002)
    process.send_signal(signal.SIGSTOP)
    return process


def ended(process):
    process.send_signal(signal.SIGCONT)
    _, stderr = process.communicate(timeout=60)
    return process.returncode, stderr.decode()


# Files that change under their mapping

@pytest.mark.parametrize("keep", [0, 2**20])
def test_a_model_that_is_cut_while_it_scores(copy, many, out, keep):
    whole = succeed("score", "--model", copy, "--heads", "1-5", many, *FLAGS)
    weights = copy / "model.safetensors"
    before = weights.read_bytes()
    process = stopped_with_scores(copy, many, out / "s.jsonl")
    os.truncate(weights, keep)
    code, message = ended(process)
    assert code == MODEL and "model.safetensors: " in message and message.count("air: error: ") == 1, (code, message)
    assert os.listdir(out) == ["s.jsonl.partial"]
    weights.write_bytes(before)
    succeed("score", "--model", copy, "--heads", "1-5", many, *FLAGS, "-o", out / "s.jsonl", "--resume")
    assert (out / "s.jsonl").read_bytes() == whole


def test_a_model_that_is_written_into_while_it_scores(copy, many, out):
    """Not a byte shorter: the scores would differ in silence."""
    process = stopped_with_scores(copy, many, out / "s.jsonl")
    kept = (out / "s.jsonl.partial").read_bytes()
    with open(copy / "model.safetensors", "r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"\0\0\0\x40")
    code, message = ended(process)
    assert code == MODEL and "model.safetensors: was changed while it was used" in message, message
    assert (out / "s.jsonl.partial").read_bytes() == kept


def test_a_model_that_is_replaced_or_removed_while_it_scores(copy, many, out):
    whole = succeed("score", "--model", copy, "--heads", "1-5", many, *FLAGS)
    process = stopped_with_scores(copy, many, out / "s.jsonl")
    (copy / "model.safetensors").unlink()
    code, message = ended(process)
    assert code == 0, message
    assert (out / "s.jsonl").read_bytes() == whole


def test_a_model_that_is_cut_while_heads_are_found(copy, out):
    process = start("find-heads", "--model", copy, "-o", out / "heads.json", "--lengths", "128", "--num-probes", "200",
                    "--threads", "1")
    deadline = time.monotonic() + 60
    while not (out / "heads.json.partial").exists() or (out / "heads.json.partial").stat().st_size < 4000:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGSTOP)
    os.truncate(copy / "model.safetensors", 0)
    code, message = ended(process)
    assert code == MODEL and "model.safetensors: " in message and "please report" not in message, (code, message)
    assert os.listdir(out) == ["heads.json.partial"]


@pytest.mark.parametrize("keep", ["nothing", "half", "most"])
def test_kept_scores_that_are_cut_while_they_are_used(model, many, out, keep):
    whole = succeed("score", "--model", model, "--heads", "1-5", many, *FLAGS)
    process = stopped_with_scores(model, many, out / "s.jsonl")
    partial = out / "s.jsonl.partial"
    size = partial.stat().st_size
    os.truncate(partial, {"nothing": 0, "half": size // 2, "most": size - 10}[keep])
    code, message = ended(process)
    assert code == RESOURCE and "s.jsonl.partial: was changed" in message, (code, message)
    assert message.count("air: error: ") == 1 and os.listdir(out) == ["s.jsonl.partial"]
    if keep == "nothing":
        partial.unlink()  # without its header it is nobody's
    succeed("score", "--model", model, "--heads", "1-5", many, *FLAGS, "-o", out / "s.jsonl", "--resume")
    assert (out / "s.jsonl").read_bytes() == whole


# Standard streams

@pytest.mark.parametrize("closed", ["2>&-", "0<&- 2>&-", "0<&- 1>&- 2>&-"])
def test_messages_never_get_into_a_file_where_streams_are_closed(model, many, out, closed):
    whole = succeed("score", "--model", model, "--heads", "1-5", many, *FLAGS)
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", air_binary(), "score", "--model", model, "--heads", "1-5", many, *FLAGS,
               "-v", "-o", out / "s.jsonl"]
    assert subprocess.run(command, env=clean_environment(), timeout=60).returncode == 0
    assert (out / "s.jsonl").read_bytes() == whole


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["score", "--help"], ["inspect", "--model", "MODEL", "MANY"], ["score", "--print-config"]])
@pytest.mark.parametrize("where", [">/dev/full", ">&-"])
def test_output_that_can_not_be_written_is_an_error(model, many, arguments, where):
    arguments = [str({"MANY": many, "MODEL": model}.get(a, a)) for a in arguments]
    result = subprocess.run(["sh", "-c", f'exec "$@" {where}', "sh", air_binary(), *arguments], stderr=subprocess.PIPE,
                            env=clean_environment(), timeout=60)
    assert result.returncode == RESOURCE and result.stderr.count(b"air: error: <stdout>: writing failed") == 1, result.stderr


@pytest.mark.parametrize("verb", ["score", "select", "report", "inspect"])
def test_a_closed_standard_input_can_not_be_read(model, verb):
    flags = {"score": ["--model", model, "--heads", "1-5"], "inspect": ["--model", model], "select": ["--top-k", "1"]}.get(verb, [])
    result = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", air_binary(), verb, *map(str, flags), "-"], capture_output=True,
                            env=clean_environment(), timeout=60)
    assert result.returncode == INPUT and result.stderr.count(b"air: error: ") == 1, result.stderr


# Waiting

def test_a_second_interrupt_kills(model, many, out):
    """All records are one batch, which the first one waits for."""
    process = start("score", "--model", model, "--heads", "1-5", many, "--max-batch-tokens", "100000", "--threads", "1",
                    "-o", out / "s.jsonl")
    seen = b""
    while b"memory:" not in seen:
        seen += os.read(process.stderr.fileno(), 4096)
    process.send_signal(signal.SIGINT)
    handled = lambda: int(re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text())[1], 16)
    deadline = time.monotonic() + 30
    while handled() >> (signal.SIGINT - 1) & 1:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT and not (out / "s.jsonl").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_standard_input_waits(model, number):
    process = start("score", "--model", model, "--heads", "1-5", "-", *FLAGS, stdin=subprocess.PIPE)
    os.set_blocking(process.stderr.fileno(), True)
    seen = b""
    while b"memory:" not in seen:  # the model is loaded: it reads
        seen += os.read(process.stderr.fileno(), 4096)
    time.sleep(0.1)
    process.send_signal(number)
    assert process.wait(timeout=5) == INTERRUPTED
    process.stdin.close()


def test_a_failed_run_from_standard_input_leaves_nothing(model, many, out):
    """There is no second time to read it, so what was scored could not be resumed."""
    bad = many.read_bytes() + b'{"prompt": 3}\n'
    assert "no field" in fail(INPUT, "score", "--model", model, "--heads", "1-5", "-", *FLAGS, "-o", out / "s.jsonl", stdin=bad)
    assert list(out.iterdir()) == []


def test_an_output_that_is_a_folder_is_noticed_before_the_model_is_loaded(model, many, out):
    message = fail(RESOURCE, "score", "--model", model / "none", "--heads", "1-5", many, "-o", out)
    assert "can't be written: it is a folder" in message


# Limits

@pytest.mark.parametrize("mebibytes", [200, 400, 430, 440, 450, 460, 500, 600, 800])
def test_a_small_address_space(model, many, out, mebibytes):
    """Also where libtorch's libraries themselves don't fit, which would end the process before its main."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_AS, (mebibytes << 20, mebibytes << 20))
    process = start("score", "--model", model, "--heads", "1-5", many, *FLAGS, "-o", out / "s.jsonl", preexec_fn=limit)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode in (0, RESOURCE), (process.returncode, stderr.decode())
    assert b"please report" not in stderr
    if process.returncode == RESOURCE:
        assert stderr.count(b"air: error: ") == 1, stderr
    if process.returncode == RESOURCE and b"not enough memory for a trace" not in stderr:
        assert b"(ulimit -v) is %d MiB" % mebibytes in stderr, stderr


def test_no_file_descriptor_is_left(model, many, out):
    """At every number of descriptors: done, or an error by name."""
    codes = set()
    for count in range(3, 20, 2):
        limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))
        process = start("inspect", "--model", model, many, preexec_fn=limit)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode in (0, INPUT, MODEL, RESOURCE, 127), (count, process.returncode, stderr.decode())
        assert b"please report" not in stderr
        codes.add(process.returncode)
    assert 0 in codes and len(codes) > 1


def test_work_files_are_private_and_gone_after_a_kill(model, many, out):
    process = stopped_with_scores(model, many, out / "s.jsonl")
    assert (out / "s.jsonl.partial").stat().st_mode & 0o777 == 0o600
    process.kill()
    process.communicate()
    assert os.listdir(out) == ["s.jsonl.partial"]


@pytest.mark.parametrize("older", [False, True])
def test_an_output_is_on_the_disk_before_it_has_its_name_and_its_folder_after(model, many, out, older):
    if shutil.which("strace") is None or subprocess.run(["strace", "-f", "true"], capture_output=True).returncode != 0:
        pytest.skip("no strace, or no leave to trace")
    if older:
        (out / "s.jsonl").write_text("older\n")
    trace = out.parent / "trace"
    subprocess.run(["strace", "-f", "-y", "-e", "trace=fsync,linkat,rename", "-o", trace, air_binary(), "score", "--model", model,
                    "--heads", "1-5", many, "-o", out / "s.jsonl"], check=True, capture_output=True, env=clean_environment())
    calls = [line.split(maxsplit=1)[1] for line in trace.read_text().splitlines() if line.endswith(" = 0")]
    named = next(i for i, call in enumerate(calls) if re.match(r'(linkat|rename)\(.*/s\.jsonl"', call))
    before, after = calls[:named], calls[named + 1:]
    assert any(call.startswith("fsync(") and f"<{out}>" not in call for call in before), calls
    assert after and after[0].startswith("fsync(") and f"<{out}>" in after[0], calls
