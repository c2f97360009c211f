"""Issue 17: no file of the user's is overwritten by accident, and what can be read only once is read once."""
import os
import subprocess
import tempfile
import threading

import pytest
from air_runner import air_binary, clean_environment, fail, records, run, succeed, write_records

USAGE, INPUT = 2, 3


@pytest.fixture(scope="module")
def scored_bytes(model, tmp_path_factory):
    traces = write_records(tmp_path_factory.mktemp("traces") / "t.jsonl",
                           [{"id": i, "prompt": f"Say {i}.", "response": f"It is {i}.\n\nSo: {i}."} for i in range(4)])
    return succeed("score", "--model", model, "--heads", "1-5", traces)


@pytest.fixture
def scored(scored_bytes, tmp_path):
    path = tmp_path / "scored.jsonl"
    path.write_bytes(scored_bytes)
    return path


def other_name(path, how):
    """Another name of the same file."""
    if how == "path":
        return path.parent / "." / ".." / path.parent.name / path.name
    other = path.with_name("other.jsonl")
    (os.symlink if how == "symlink" else os.link)(path, other)
    return other


@pytest.mark.parametrize("how", ["same", "path", "symlink", "hardlink"])
@pytest.mark.parametrize("flag", ["-o", "--rejects", "--manifest"])
def test_score_never_overwrites_its_input(model, traces, out, how, flag):
    before = traces.read_bytes()
    target = traces if how == "same" else other_name(traces, how)
    flags = [flag, target] + ([] if flag == "-o" else ["-o", out / "scored.jsonl"])
    message = fail(USAGE, "score", "--model", model, "--heads", "1-5", "--on-error", "skip", traces, *flags)
    assert "overwrite" in message and "hint: " in message
    assert traces.read_bytes() == before and os.listdir(out) == []


def test_the_input_may_be_the_standard_one(model, traces):
    before = traces.read_bytes()
    with open(traces, "rb") as stdin:
        result = subprocess.run([air_binary(), "score", "--model", model, "--heads", "1-5", "-", "-o", traces], stdin=stdin,
                                capture_output=True, env=clean_environment())
    assert result.returncode == USAGE and traces.read_bytes() == before


def test_score_does_not_overwrite_its_heads_its_model_or_what_it_would_keep_unfinished(model, traces, tmp_path, out):
    heads = tmp_path / "heads.txt"
    heads.write_text("1-5\n")
    fail(USAGE, "score", "--model", model, "--heads", heads, traces, "-o", heads)
    fail(USAGE, "score", "--model", model, "--heads", "1-5", traces, "-o", model / "config.json")
    partial = out / "a.jsonl.partial"
    partial.write_bytes(traces.read_bytes())
    fail(USAGE, "score", "--model", model, "--heads", "1-5", partial, "-o", out / "a.jsonl")
    assert heads.read_text() == "1-5\n" and partial.read_bytes() == traces.read_bytes()


@pytest.mark.parametrize("flags", [("--rejects", "OUT", "--on-error", "skip"), ("--manifest", "OUT"),
                                   ("--manifest", "REJECTS", "--rejects", "REJECTS", "--on-error", "skip")])
def test_two_outputs_are_two_files(model, traces, out, flags):
    names = {"OUT": out / "s.jsonl", "REJECTS": out / "r.jsonl"}
    message = fail(USAGE, "score", "--model", model, "--heads", "1-5", traces, "-o", out / "s.jsonl",
                   *[names.get(flag, flag) for flag in flags])
    assert "is the file of" in message and os.listdir(out) == []


def test_find_heads_does_not_overwrite_what_it_reads(model, out):
    probes, heads = out / "probes.jsonl", out / "heads.json"
    succeed("find-heads", "--model", model, "--lengths", "128", "--num-probes", "1", "--dump-probes", probes, "-o", heads)
    before = probes.read_bytes()
    for flags in (["-o", probes], ["-o", heads, "--svg", probes], ["-o", heads, "--dump-probes", probes], ["-o", out / "h", "--svg", out / "h"]):
        fail(USAGE, "find-heads", "--model", model, "--probes-file", probes, *flags)
    assert probes.read_bytes() == before


@pytest.mark.parametrize("verb, flags", [("select", ["--top-k", "2"]), ("report", []), ("inspect", [])])
def test_no_other_verb_overwrites_its_input(model, scored, verb, flags):
    before = scored.read_bytes()
    model_flag = ["--model", model] if verb == "inspect" else []
    fail(USAGE, verb, *model_flag, scored, *flags, "-o", other_name(scored, "hardlink"))
    assert scored.read_bytes() == before


def test_select_in_place_takes_force(scored):
    lines = scored.read_bytes().splitlines(keepends=True)
    assert b"" == succeed("select", scored, "--top-k", "2", "-o", scored, "--force")
    assert scored.read_bytes() == b"".join(lines[:2])


def test_a_link_that_is_an_output_stays_one(scored, tmp_path):
    target, link = tmp_path / "target.jsonl", tmp_path / "link.jsonl"
    target.write_text("older\n")
    link.symlink_to(target)
    succeed("select", scored, "--top-k", "1", "-o", link)
    assert link.is_symlink() and target.read_bytes() == scored.read_bytes().splitlines(keepends=True)[0]


@pytest.mark.parametrize("content", ["", "\n \n", '{"prompt": "a"}\n{"x": 1}\n'])
def test_a_run_that_scores_nothing_keeps_the_older_output(model, tmp_path, out, content):
    path, older = tmp_path / "nothing.jsonl", out / "scored.jsonl"
    path.write_text(content)
    older.write_text("older\n")
    flags = ["score", "--model", model, "--heads", "1-5", path, "--on-error", "skip"]
    assert "no traces" in fail(INPUT, *flags, "-o", older)
    assert older.read_text() == "older\n" and os.listdir(out) == ["scored.jsonl"]
    fail(INPUT, *flags)
    fail(INPUT, *flags, "-o", out / "new.jsonl")
    assert os.listdir(out) == ["scored.jsonl"]


def test_the_rejects_of_a_run_that_scores_nothing_are_written(model, tmp_path, out):
    path = write_records(tmp_path / "bad.jsonl", [{"prompt": "a"}, {"x": 1}])
    fail(INPUT, "score", "--model", model, "--heads", "1-5", path, "--on-error", "skip", "--rejects", out / "r", "-o", out / "s")
    assert os.listdir(out) == ["r"] and len(records((out / "r").read_bytes())) == 2


@pytest.mark.parametrize("arguments", [["score", "--heads", "1-5"], ["select", "--top-k", "1"], ["report"], ["inspect"]])
def test_a_pipe_whose_left_side_fails_keeps_the_older_output(model, out, arguments):
    older = out / "older"
    older.write_text("older\n")
    model_flag = ["--model", model] if arguments[0] in ("score", "inspect") else []
    fail(INPUT, *arguments, *model_flag, "-", "-o", older, stdin=b"")
    assert older.read_text() == "older\n" and os.listdir(out) == ["older"]


def test_a_selection_of_nothing_keeps_the_older_output(scored, out):
    older = out / "older"
    older.write_text("older\n")
    fail(INPUT, "select", scored, "--min-score", "1e9", "-o", older)
    assert older.read_text() == "older\n"


def test_a_shard_without_lines_is_an_empty_file(model, traces, out):
    flags = ["score", "--model", model, "--heads", "1-5", traces, "-o", out / "s.jsonl", "--shard"]
    succeed(*flags, "7/9")
    assert (out / "s.jsonl").read_bytes() == b""


def test_process_substitution_is_read_like_standard_input(model, traces):
    flags = f'score --model "{model}" --heads 1-5 -q'
    script = f'"{air_binary()}" {flags} <(head -n 2 "{traces}") <(tail -n 1 "{traces}")'
    result = subprocess.run(["bash", "-c", script], capture_output=True, env=clean_environment())
    assert result.returncode == 0, result.stderr
    assert result.stdout == succeed(*flags.replace('"', "").split(), traces)


@pytest.mark.parametrize("name", ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"])
def test_names_of_standard_input(model, traces, scored, name):
    flags = ["score", "--model", model, "--heads", "1-5", "--order", "input"]
    assert succeed(*flags, name, stdin=traces.read_bytes()) == succeed(*flags, traces)
    assert succeed("select", name, "--top-k", "2", stdin=scored.read_bytes()) == succeed("select", scored, "--top-k", "2")
    assert "only once" in fail(USAGE, *flags, "-", name, stdin=traces.read_bytes())
    assert "can't be read again" in fail(USAGE, *flags, name, "--resume", "-o", scored.with_name("x"), stdin=b"")


def test_what_was_read_of_standard_input_before_is_not_read_again(model, traces):
    """/dev/stdin goes on where the shell left the file, as - does."""
    script = f'{{ read -r line; "{air_binary()}" inspect --model "{model}" /dev/stdin; }} < "{traces}"'
    result = subprocess.run(["bash", "-c", script], capture_output=True, env=clean_environment())
    assert [record["id"] for record in records(result.stdout)] == ["t2", "t3"]


@pytest.mark.parametrize("verb", ["inspect", "select", "report"])
def test_every_verb_reads_a_named_pipe_once(model, traces, scored, tmp_path, verb):
    pipe, source = tmp_path / "pipe", traces if verb == "inspect" else scored
    os.mkfifo(pipe)
    flags = {"inspect": ["--model", model], "select": ["--top-k", "3"], "report": ["--title", "t"]}[verb]
    writer = threading.Thread(target=lambda: pipe.write_bytes(source.read_bytes()))
    writer.start()
    from_pipe = succeed(verb, *flags, pipe)
    writer.join(timeout=60)
    from_file = succeed(verb, *flags, source)
    assert (len(from_pipe) > 1000) if verb == "report" else (from_pipe == from_file)


def test_an_output_named_dev_stdout_is_standard_output(scored, tmp_path):
    for name in ("/dev/stdout", "/dev/fd/1"):
        path = tmp_path / "all"
        path.write_text("first\n")
        with open(path, "ab") as stdout:
            subprocess.run([air_binary(), "select", scored, "--top-k", "1", "-o", name], stdout=stdout, check=True, env=clean_environment())
        assert path.read_bytes() == b"first\n" + scored.read_bytes().splitlines(keepends=True)[0]
    assert os.path.islink("/dev/stdout")


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no /dev/shm")
def test_a_file_in_shared_memory_is_a_file(scored):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        succeed("select", scored, "--top-k", "1", "-o", f"{folder}/out.jsonl")
        with open(f"{folder}/out.jsonl", "rb") as file:
            assert file.read() == scored.read_bytes().splitlines(keepends=True)[0]
