"""Nothing is lost: kills, Ctrl-C, a full disk, two runs at once, and what --resume refuses to go on with."""
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from air_runner import REPOSITORY, air_binary, clean_environment, fail, run, succeed, write_records

USAGE, RESOURCE, INTERRUPTED = 2, 5, 130
# Small batches: dozens of them in a second or two.
FLAGS = ["--max-batch-tokens", "200", "--threads", "1"]


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    draw = random.Random(1)
    steps = lambda: "\n\n".join(f"So: {draw.randrange(10 ** draw.randrange(1, 9))}." for _ in range(draw.randrange(1, 9)))
    return write_records(tmp_path_factory.mktemp("many") / "many.jsonl",
                         [{"id": i, "prompt": f"Say {i}.", "response": steps()} for i in range(300)])


@pytest.fixture
def score(model, many):
    return ["score", "--model", model, "--heads", "1-5", many, *FLAGS]


@pytest.fixture(scope="module")
def whole(model, many, tmp_path_factory):
    """The output of a run that nothing disturbs."""
    path = tmp_path_factory.mktemp("whole") / "scored.jsonl"
    succeed("score", "--model", model, "--heads", "1-5", many, *FLAGS, "-o", path)
    return path.read_bytes()


def start(arguments, **options):
    return subprocess.Popen([air_binary(), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env=clean_environment(), **options)


def wait_for_scores(output, lines=5):
    """Until OUT.partial holds its header and some scores."""
    partial = Path(f"{output}.partial")
    deadline = time.monotonic() + 120
    while not partial.exists() or partial.read_bytes().count(b"\n") <= lines:
        assert time.monotonic() < deadline, "no scores appear"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def killed(model, many, tmp_path_factory):
    """OUT.partial of a run that was killed."""
    path = tmp_path_factory.mktemp("killed") / "scored.jsonl"
    process = start(["score", "--model", model, "--heads", "1-5", many, *FLAGS, "-o", path])
    wait_for_scores(path)
    process.kill()
    process.communicate()
    assert os.listdir(path.parent) == ["scored.jsonl.partial"]
    return path.with_name("scored.jsonl.partial").read_bytes()


@pytest.fixture
def interrupted(killed, out):
    """What a killed run leaves: OUT.partial with some scores, and no OUT."""
    (out / "scored.jsonl.partial").write_bytes(killed)
    return out / "scored.jsonl"


def finished(path):
    """The output, when nothing but it and its manifest is there."""
    assert sorted(os.listdir(path.parent)) == [path.name, f"{path.name}.manifest.json"]
    return path.read_bytes()


def test_killed_at_random_moments_and_resumed(model, many):
    """scripts/kill_resume.py: byte-identical, no more than a batch lost a kill; shards joined."""
    result = subprocess.run([sys.executable, REPOSITORY / "scripts" / "kill_resume.py", "--model", model, "--heads", "1-5", many,
                             "--kills", "5", "--air", air_binary(), "--", "--device", "cpu", *FLAGS], capture_output=True, timeout=600)
    assert result.returncode == 0, result.stderr.decode()
    figures = json.loads(result.stdout)
    assert figures["kills"] == 5 and figures["rows"] == figures["traces"] == 300


def test_resuming_scores_the_rest_only(score, interrupted, whole):
    kept = interrupted.with_name("scored.jsonl.partial").read_bytes().count(b"\n") - 1
    succeed(*score, "-o", interrupted, "--resume")
    assert finished(interrupted) == whole
    manifest = json.loads(Path(f"{interrupted}.manifest.json").read_text())
    assert manifest["num_resumed"] == kept > 0 and manifest["num_traces"] == 300


@pytest.mark.parametrize("cut", [1, 2, 30, 500])
def test_a_torn_last_line_is_scored_again(score, interrupted, whole, cut):
    partial = interrupted.with_name("scored.jsonl.partial")
    partial.write_bytes(partial.read_bytes()[:-cut])
    succeed(*score, "-o", interrupted, "--resume")
    assert finished(interrupted) == whole


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_finishes_the_batch_and_says_how_to_go_on(score, out, whole, number):
    path = out / "scored.jsonl"
    process = start([*score, "-o", path])
    wait_for_scores(path)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == INTERRUPTED and stdout == b""
    assert b"air: error: interrupted" in stderr and b"--resume" in stderr
    assert os.listdir(out) == ["scored.jsonl.partial"]
    assert (out / "scored.jsonl.partial").read_bytes().endswith(b"\n")
    succeed(*score, "-o", path, "--resume")
    assert finished(path) == whole


def test_ctrl_c_without_an_output_file_writes_nothing(score, model, many):
    process = start([*score, "--verbose"])
    while b"batch of" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == INTERRUPTED and stdout == b"" and b"interrupted" in stderr


def test_unfinished_scores_are_not_thrown_away_unasked(score, interrupted):
    before = interrupted.with_name("scored.jsonl.partial").read_bytes()
    message = fail(USAGE, *score, "-o", interrupted)
    assert "--resume" in message and "scored.jsonl.partial" in message
    assert interrupted.with_name("scored.jsonl.partial").read_bytes() == before


@pytest.mark.parametrize("flags, names", [
    (["--heads", "1-4"], "heads"), (["--mask", "zero"], "mask"), (["--controls", "1"], "controls"), (["--seed", "1"], "seed"),
    (["--steps", "newline"], "steps"), (["--loss-floor", "0.1"], "loss_floor"), (["--token-losses"], "token_losses"),
    (["--max-batch-tokens", "300"], "max_batch_tokens"), (["--max-length", "900"], "max_length"), (["--overlong", "truncate"], "overlong"),
    (["--shard", "0/2"], "shard"), (["--dtype", "bfloat16"], "dtype"), (["--step-weights", "top"], "step_weights"),
    (["--influence", "absolute"], "influence"), (["--min-step-tokens", "3"], "min_step_tokens"), (["--id-field", "id"], "fields"),
])
def test_resume_refuses_another_option_by_name(score, interrupted, flags, names):
    partial = interrupted.with_name("scored.jsonl.partial")
    before = partial.read_bytes()
    arguments = [*score, "-o", interrupted, "--resume"]
    for name in {flags[0]} & set(map(str, arguments)):  # a flag that is given already
        at = arguments.index(name)
        del arguments[at:at + 2]
    message = fail(USAGE, *arguments, *flags)
    assert f"belongs to another run: {names} was " in message
    assert partial.read_bytes() == before


def test_resume_refuses_another_model(score, interrupted, model, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(model, other)
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (other / "model.safetensors").write_bytes(weights)
    arguments = [other if argument == model else argument for argument in score]
    assert "belongs to another run: model was" in fail(USAGE, *arguments, "-o", interrupted, "--resume")
    # The same folder with other weights is another model too.
    moved = tmp_path / "moved"
    shutil.move(model, moved)
    shutil.copytree(other, model)
    try:
        assert "belongs to another run: fingerprint was" in fail(USAGE, *score, "-o", interrupted, "--resume")
    finally:
        shutil.rmtree(model)
        shutil.move(moved, model)


def test_a_record_that_changed_is_scored_again(score, interrupted, many):
    """In the middle of the input, its size unchanged: what was scored of the old record is not taken over."""
    partial = interrupted.with_name("scored.jsonl.partial").read_bytes().splitlines()
    place = json.loads(partial[len(partial) // 2][9:])["air"]["line"] - 1
    before = many.read_bytes()
    lines = before.splitlines(keepends=True)
    changed = lines[place].replace(b'"Say ', b'"Sax ', 1)
    assert changed != lines[place]
    try:
        many.write_bytes(b"".join([*lines[:place], changed, *lines[place + 1:]]))
        assert "scored again: 1 trace\n" in run(*score, "-o", interrupted, "--resume").stderr.decode()
        assert finished(interrupted) == succeed(*score)
    finally:
        many.write_bytes(before)


@pytest.mark.parametrize("damage", ["a flipped bit", "a page of zeros", "a cut in the middle"])
def test_what_was_kept_is_checked(score, interrupted, whole, damage):
    partial = interrupted.with_name("scored.jsonl.partial")
    kept = bytearray(partial.read_bytes())
    middle = len(kept) // 2
    if damage == "a flipped bit":
        at = kept.index(b'"influence":', middle) + 15  # a digit
        kept[at] ^= 1
    elif damage == "a page of zeros":
        kept[middle:middle + 400] = bytes(400)
    else:
        del kept[middle:middle + 50]
    partial.write_bytes(kept)
    message = run(*score, "-o", interrupted, "--resume").stderr.decode()
    assert "damaged: what" in message
    assert finished(interrupted) == whole
    assert json.loads(Path(f"{interrupted}.manifest.json").read_text())["num_resumed"] > 0


def test_a_second_run_on_the_same_output_is_refused(score, out, whole):
    path = out / "scored.jsonl"
    process = start([*score, "-o", path])
    wait_for_scores(path)
    os.kill(process.pid, signal.SIGSTOP)  # so that it is still there
    try:
        for flags in [[], ["--resume"]]:
            message = fail(RESOURCE, *score, "-o", path, *flags)
            assert "another run is writing to this output" in message
    finally:
        os.kill(process.pid, signal.SIGCONT)
    process.communicate(timeout=120)
    assert process.returncode == 0 and finished(path) == whole


def limit_file_size(size):
    """For preexec_fn: files may not grow beyond `size` bytes, as on a disk that fills up."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("share", [0.03, 0.3, 0.7, 1.0])
def test_a_disk_that_fills_up(score, out, whole, share):
    """While scores are kept; and, a byte short of the output's size, when they all are: OUT.partial has no ranks."""
    path = out / "scored.jsonl"
    process = start([*score, "-o", path], preexec_fn=limit_file_size(int(len(whole) * share) - 1))
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == RESOURCE, stderr
    assert b"writing failed" in stderr and stderr.count(b"air: error: ") == 1
    assert os.listdir(out) == ["scored.jsonl.partial"]
    for line in (out / "scored.jsonl.partial").read_bytes().split(b"\n")[1:-1]:
        json.loads(line[9:])  # after its checksum
    succeed(*score, "-o", path, "--resume")
    assert finished(path) == whole


def test_a_small_file_system_that_fills_up(score, out, whole, tmp_path):
    """The same with ENOSPC itself, on a file system of 64 KiB in a mount namespace of its own."""
    kept = tmp_path / "kept.partial"
    script = ('mount -t tmpfs -o size=64k tmpfs "$1" || exit 77; shift; "$@"; code=$?; '
              f'ls -A "{out}" >&2; cp "{out}/scored.jsonl.partial" "{kept}" || exit 78; exit $code')
    namespace = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    if shutil.which("unshare") is None:
        pytest.skip("no unshare")
    path = out / "scored.jsonl"
    result = subprocess.run([*namespace, "sh", "-c", script, "sh", out, air_binary(), *map(str, score), "-o", path],
                            stdin=subprocess.DEVNULL, capture_output=True, env=clean_environment(), timeout=300)
    if result.returncode in (1, 77):
        pytest.skip(f"no mount namespace here: {result.stderr.decode().strip()}")
    assert result.returncode == RESOURCE, result.stderr
    assert b"No space left on device" in result.stderr and result.stderr.endswith(b"scored.jsonl.partial\n")
    shutil.copy(kept, f"{path}.partial")
    succeed(*score, "-o", path, "--resume")
    assert finished(path) == whole


@pytest.mark.parametrize("flags, says", [(["-o", "-"], "-o"), (["-"], "standard input")])
def test_resume_needs_files(model, many, out, flags, says):
    inputs = [] if "-" in flags[:1] else [many]
    output = [] if "-o" in flags else ["-o", out / "scored.jsonl"]
    assert says in fail(USAGE, "score", "--model", model, "--heads", "1-5", *inputs, *flags, *output, "--resume")


def test_resume_without_anything_to_go_on_with_starts_anew(score, out, whole):
    succeed(*score, "-o", out / "scored.jsonl", "--resume")
    assert finished(out / "scored.jsonl") == whole


def test_a_run_killed_between_output_and_manifest_is_gone_on_with(score, out, whole):
    """OUT.partial goes last: until then --resume completes what is missing, without scoring again."""
    path = out / "scored.jsonl"
    succeed(*score, "-o", path)
    # The manifest can't be written: the moment before it is where the run ends.
    path.unlink()
    manifest = Path(f"{path}.manifest.json")
    manifest.unlink()
    result = run(*score, "-o", path, "--manifest", "/dev/full")
    assert result.returncode == RESOURCE and path.read_bytes() == whole and Path(f"{path}.partial").exists()
    succeed(*score, "-o", path, "--resume")
    assert finished(path) == whole
    assert json.loads(manifest.read_text())["num_resumed"] == 300


@pytest.mark.parametrize("flag", ["limit", "sample"])
def test_another_choice_of_records_is_another_run(score, interrupted, flag):
    assert f"{flag} was null, now 7" in fail(USAGE, *score, f"--{flag}", "7", "--resume", "-o", interrupted)


def test_a_choice_of_records_is_resumed(score, out):
    chosen = [*score, "--sample", "250"]
    process = start([*chosen, "-o", out / "scored.jsonl"])
    wait_for_scores(out / "scored.jsonl")
    process.kill()
    process.communicate()
    succeed(*chosen, "--resume", "-o", out / "scored.jsonl")
    assert finished(out / "scored.jsonl") == succeed(*chosen)
