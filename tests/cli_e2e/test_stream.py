"""`air score --stream`: a process that stays up and answers each input line by one output line."""
import fcntl
import json
import os
import select
import signal
import subprocess
import time

import pytest
from air_runner import air_binary, clean_environment, fail, records, run, succeed

USAGE, INPUT, INTERRUPTED = 2, 3, 130
# A trace a batch: then no sum depends on which traces share a batch.
ALONE = ["--max-batch-tokens", "1"]


def lines_of(count, words=5):
    return [json.dumps({"id": i, "prompt": f"Say {i}.", "response": f"{i}!\n\nSo: {i * i}.\n\n" + "Nothing to see. " * (words + i % 7)})
            for i in range(count)]


@pytest.fixture
def flags(model):
    return ["score", "--model", model, "--heads", "1-5", "--threads", "1", *ALONE]


def answers(flags, lines, *more, **options):
    return succeed(*flags, "--stream", *more, stdin="".join(line + "\n" for line in lines).encode(), **options).decode().splitlines()


@pytest.fixture
def start(flags):
    started = []

    def start(batch_tokens=1):
        arguments = [*flags[:-1], batch_tokens, "--stream"]
        process = subprocess.Popen([air_binary(), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, env=clean_environment())
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def read_line(process, seconds=60):
    """A line that must come although nothing more is written."""
    assert select.select([process.stdout], [], [], seconds)[0], "no answer while the input pauses"
    return json.loads(process.stdout.readline())


def test_answers_are_the_lines_of_a_run_without_their_ranks(flags, tmp_path):
    lines = lines_of(12)
    path = tmp_path / "traces.jsonl"
    path.write_text("\n".join(lines) + "\n")
    in_order = succeed(*flags, path, "--order", "input").decode().splitlines()
    without_rank = [line.replace(f'"rank":{json.loads(line)["air"]["rank"]},', "", 1) for line in in_order]
    assert answers(flags, lines) == without_rank
    # The last line may lack its end, a file is read as well, and several inputs follow one another.
    assert succeed(*flags, "--stream", stdin="\n".join(lines).encode()).decode().splitlines() == without_rank
    assert succeed(*flags, "--stream", path, path).decode().splitlines()[:12] == without_rank


def test_select_ranks_the_answers_like_a_run(flags, tmp_path):
    lines = lines_of(12)
    path, stream = tmp_path / "traces.jsonl", tmp_path / "stream.jsonl"
    path.write_text("\n".join(lines) + "\n")
    stream.write_text("\n".join(answers(flags, lines)) + "\n")
    result = run("select", stream, "--top-percent", "100")
    assert result.stdout == succeed(*flags, path)
    assert b"no record has a rank yet" in result.stderr


def test_a_pause_is_enough_for_an_answer(start):
    """Batches are not waited for: here one would take thousands of records."""
    process = start(batch_tokens=1_000_000)
    lines = lines_of(6)
    for part in (lines[:1], lines[1:2], lines[2:]):
        process.stdin.write("".join(line + "\n" for line in part).encode())
        process.stdin.flush()
        for line in part:
            answer = read_line(process)
            assert answer["id"] == json.loads(line)["id"] and answer["air"]["num_tokens"] > 0
    process.stdin.close()
    assert process.wait(60) == 0


def test_long_and_short_records_are_answered_in_the_order_of_the_input(flags):
    """Batches are packed by length, answers are not."""
    lines = [lines_of(20, words=30 if i % 3 == 0 else 1)[i] for i in range(20)]
    out = succeed(*flags[:-1], 300, "--stream", stdin="\n".join(lines).encode())
    assert [record["id"] for record in records(out)] == list(range(20))
    assert [record["air"]["line"] for record in records(out)] == list(range(1, 21))


BAD = [("not JSON", "JSON"), ('{"prompt": "no response"}', "response"), ('{"prompt":"a","response":"b","air":1}', "--overwrite"),
       ('{"prompt":"a","response":"' + "b " * 5000 + '"}', "longer than --max-length 500")]


def test_a_bad_record_is_answered_in_its_place(flags):
    lines = lines_of(12)
    for place, (line, _) in zip((0, 3, 4, 11), BAD, strict=True):
        lines[place] = line
    out = [json.loads(line) for line in answers(flags, lines, "--max-length", "500")]
    assert len(out) == 12
    for place, (line, reason) in zip((0, 3, 4, 11), BAD, strict=True):
        assert list(out[place]) == ["air"]
        error = out[place]["air"]
        assert list(error) == ["schema", "line", "where", "reason", "record"]
        assert error["schema"] == "air.error/1" and error["line"] == place + 1 and error["record"] == line
        assert reason in error["reason"] or reason == "--overwrite" and "already has a key" in error["reason"]
    assert all(out[i]["id"] == i and out[i]["air"]["schema"] == "air.score/1" for i in (1, 2, 5, 6, 7, 8, 9, 10))


def test_bytes_that_are_not_text_are_a_bad_record(flags):
    out = succeed(*flags, "--stream", stdin=b'{"prompt":"a","response":"\xff"}\n' + lines_of(1)[0].encode())
    first, second = records(out)
    assert "UTF-8" in first["air"]["reason"] and "record" not in first["air"] and second["air"]["line"] == 2


def test_on_error_says_what_becomes_of_a_bad_record(flags):
    lines = lines_of(4)
    lines[2] = "{}"
    assert [json.loads(line)["id"] for line in answers(flags, lines, "--on-error", "skip")] == [0, 1, 3]
    result = run(*flags, "--stream", "--on-error", "fail", stdin="\n".join(lines).encode())
    assert result.returncode == INPUT and b"<stdin>:3" in result.stderr
    assert [record["id"] for record in records(result.stdout)] == [0, 1]
    assert "report needs --stream" in fail(USAGE, *flags, "--on-error", "report", stdin=b"{}")


def test_a_record_of_several_traces_is_one_line(flags):
    line = '{"problem":"p","generations":["First. Then.","Second. Then."]}'
    one, = answers(flags, [line])
    each = succeed(*flags, "--order", "input", stdin=line.encode()).decode().splitlines()
    scores = json.loads(one)["air"]
    assert one.startswith(line[:-1] + ',"air":[{') and [score["trace"] for score in scores] == [0, 1]
    for score, line in zip(scores, each, strict=True):
        assert {k: v for k, v in json.loads(line)["air"].items() if k != "rank"} == score


def test_blank_lines_are_passed_over_and_counted(flags):
    out = records(succeed(*flags, "--stream", stdin=("\n \n" + lines_of(1)[0]).encode()))
    assert [record["air"]["line"] for record in out] == [3]
    assert succeed(*flags, "--stream", stdin=b"") == b""


@pytest.mark.parametrize("busy", [False, True])
def test_sigterm_ends_it_after_the_batch(start, busy):
    process = start()
    process.stdin.write((lines_of(1)[0] + "\n").encode())
    process.stdin.flush()
    assert read_line(process)["id"] == 0
    if busy:
        process.stdin.write("".join(line + "\n" for line in lines_of(300)[1:]).encode())
        process.stdin.flush()
        assert read_line(process)["id"] == 1
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    ids = [json.loads(line)["id"] for line in out.splitlines()]  # whole lines, none missing in between
    assert ids == list(range(2, 2 + len(ids))) and len(ids) < 298


def test_what_waits_is_limited(start):
    """A writer that reads no answers is held up: nothing grows."""
    process = start(batch_tokens=100)
    fcntl.fcntl(process.stdin, fcntl.F_SETFL, os.O_NONBLOCK)
    block = ("".join(line + "\n" for line in lines_of(50, words=100))).encode()
    sent, quiet_since = 0, time.monotonic()
    while time.monotonic() - quiet_since < 3:
        try:
            sent += os.write(process.stdin.fileno(), block[sent % len(block):])
            quiet_since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
        assert sent < 4 << 20
    assert sent > 100_000


def test_the_reader_may_go_away(start):
    process = start()
    process.stdout.close()
    process.stdin.write((lines_of(1)[0] + "\n").encode())
    process.stdin.close()
    assert process.wait(60) == 0


def test_a_task_of_an_array_job_answers_every_line(flags):
    env = {"SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "2", "SLURM_ARRAY_TASK_MIN": "0"}
    assert len(answers(flags, lines_of(3), env=env)) == 3


@pytest.mark.parametrize("more, named", [
    (["-o", "OUT"], "--output"), (["--resume"], "--resume"), (["--shard", "0/2"], "--shard"), (["--rejects", "OUT"], "--rejects"),
    (["--order", "rank"], "--order rank"), (["--bench"], "--bench"), (["--device", "cpu,cpu"], "--device cpu,cpu")])
def test_flags_without_a_meaning_are_refused(flags, out, more, named):
    message = fail(USAGE, *flags, "--stream", *[str(out / "x") if part == "OUT" else part for part in more], stdin=b"{}")
    assert f"{named}: can't be used with --stream" in message and not list(out.iterdir())


def test_the_manifest_says_how_the_answers_were_made(flags, out):
    answers(flags, [*lines_of(3), "{}"], "--manifest", out / "m.json")
    manifest = json.loads((out / "m.json").read_text())
    assert [manifest[key] for key in ("num_traces", "num_rejected", "heads", "shard")] == [3, 1, "1-5", "0/1"]
