"""air_select from Python: the same results and the same words as the command line's, as values and exceptions."""
import datetime
import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import air_select
import numpy
import pytest
from air_runner import REPOSITORY, fail, records, succeed, write_records
from air_select import process

TRACES = [
    {"id": "t1", "prompt": "What is 2 + 2?", "response": "Two and two.\n\nThat is 4."},
    {"id": "t2", "prompt": "What is 3 * 3?", "response": "Three threes.\n\nThat is 9.\n\nThe answer is 9."},
    {"id": "t3", "prompt": "Copy: abcdefgh ijkl.", "response": "Copy: abcdefgh ijkl."},
]


@pytest.fixture
def traces(tmp_path):
    return write_records(tmp_path / "traces.jsonl", TRACES)


@pytest.fixture
def scored(model):
    return air_select.score(TRACES, model, "1-5")


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Puts a shell script in the program's place."""
    def install(script):
        path = tmp_path / "fake"
        path.write_text("#!/bin/bash\n" + script)
        path.chmod(0o755)
        monkeypatch.setenv("AIR_BINARY", str(path))
    return install


# What comes back

def test_every_way_in_and_out_gives_the_bytes_of_the_command_line(model, traces, tmp_path):
    expected = records(succeed("score", "--model", model, "--heads", "1-5", traces))
    out = tmp_path / "scored.jsonl"
    assert air_select.score(traces, model, "1-5") == expected
    assert air_select.score([str(traces)], model, ["1-5"]) == expected
    assert air_select.score(TRACES, model, "1-5") == expected
    assert air_select.score(iter(TRACES), model=model, heads="1-5") == expected
    assert air_select.score(traces, model, "1-5", out) == str(out)
    assert records(out.read_bytes()) == expected


def test_from_heads_to_the_page(model, traces, tmp_path):
    heads = air_select.find_heads(model, tmp_path / "heads.json", num_probes=4, lengths=[128, 256])
    assert json.loads(Path(heads).read_text())["heads"] == ["1-5", "1-12"]
    assert json.loads(Path(heads).read_text())["probes"]["lengths"] == [128, 256]
    scored = air_select.score(traces, model, heads)
    [best] = air_select.select(scored, top_k=1)
    assert best == scored[0] and best["air"]["rank"] == 1
    page = air_select.report(scored, heads=heads, title="")
    assert page.startswith("<!doctype html>") and "t3" in page
    assert air_select.report(scored, tmp_path / "page.html") == str(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")


def test_the_reference_is_a_folder(model, tmp_path):
    folder = air_select.export_reference(model, ["1-5", "1-12"], tmp_path / "reference", mask="zero")
    assert folder == str(tmp_path / "reference")
    note = json.loads((tmp_path / "reference" / "air_reference.json").read_text())
    assert note["heads"] == ["1-5", "1-12"] and note["mask"] == "zero"
    with pytest.raises(air_select.UsageError, match="not empty"):
        air_select.export_reference(model, "1-5", folder)


def test_the_order_of_records_is_kept_also_of_many(model):
    many = [{"id": number, "prompt": "p", "response": "r"} for number in range(300)]
    answers = air_select.score(many, model, "1-5", order="input")
    assert [answer["id"] for answer in answers] == list(range(300))


def test_values_are_written_as_json_writes_them(model):
    record = TRACES[0] | {"nan": float("nan"), "none": None, "big": 2**70, "text": "ä\u2028😀", "half": "\ud83d", "day": datetime.date(2026, 1, 2),
                          "array": numpy.array([[1, 2]]), "number": numpy.float32(0.5), "flag": numpy.bool_(True)}
    [answer] = air_select.score([record], model, "1-5")
    assert answer.pop("nan") != answer.get("nan")
    answer.pop("air")
    assert answer == TRACES[0] | {"none": None, "big": 2**70, "text": "ä\u2028😀", "half": "\ud83d", "day": "2026-01-02", "array": [[1, 2]],
                                  "number": 0.5, "flag": True}


def test_flags_are_those_of_the_command_line_whatever_their_values(scored, model, tmp_path, monkeypatch):
    assert air_select.select(scored, top_k=2, bottom=True, random=False, seed=None, min_score=-1e9) == scored[:0:-1]
    both = air_select.select(scored, where=["num_steps>1", "num_steps<3"])
    assert [record["id"] for record in both] == [record["id"] for record in scored if record["air"]["num_steps"] == 2]
    assert air_select.select(scored, where="num_steps>2")[0]["id"] == "t2"
    rows = air_select.select(scored, top_percent=100, columns=["rank", "id"]).splitlines()
    assert rows[0] == "rank,id" and rows[1] == f"1,{scored[0]['id']}"
    assert "rank" in air_select.select(scored, top_k=numpy.int64(1), dry_run=True)
    config = air_select.score("-x.jsonl", model, ["1-5", "1-6"], steps="regex:=", id_field="", chat_template_kwargs={"deep": True}, print_config=True)
    for line in ('traces = ["./-x.jsonl"]', 'heads = "1-5,1-6"', 'steps = "regex:="', 'id-field = ""'):
        assert line in config.splitlines()
    assert "deep" in config
    monkeypatch.setenv("AIR_OUTPUT", str(tmp_path / "elsewhere.jsonl"))
    assert len(air_select.select(scored, top_k=3)) == 3


def test_flags_whose_names_are_pythons_own(model, tmp_path):
    out = air_select.find_heads(model, tmp_path / "heads.json", import_=write_list(tmp_path / "list.json", [["1-5", 1.0], ["1-12", 0.5]]), num_heads=1)
    assert json.loads(Path(out).read_text())["heads"] == ["1-5"]


def write_list(path, value):
    path.write_text(json.dumps(value))
    return path


# What goes wrong

@pytest.mark.parametrize("kind, code, flags", [
    (air_select.UsageError, 2, {"max_lenght": 3}),
    (air_select.UsageError, 2, {"max_length": -3}),
    (air_select.InputError, 3, {"prompt_field": "nothing"}),
    (air_select.ModelError, 4, {"model": "nowhere"}),
])
def test_an_error_has_the_words_of_the_command_line(kind, code, flags, model, traces):
    given = {"model": model, "heads": "1-5"} | flags
    said = fail(code, "score", traces, *(f"--{name.replace('_', '-')}={value}" for name, value in given.items()))
    with pytest.raises(kind) as caught:
        air_select.score(traces, **given)
    error = caught.value
    assert isinstance(error, air_select.AirError) and error.exit_code == code
    assert error.hint and said.endswith(f"air: error: {error.message}\nhint: {error.hint}\n")
    assert str(error) == f"{error.message}\nhint: {error.hint}"


def test_a_bad_record_is_named_by_its_number(model):
    with pytest.raises(air_select.InputError, match="<stdin>:2: "):
        air_select.score([TRACES[0], {"prompt": "no response"}], model, "1-5")
    assert len(air_select.score([TRACES[0], {"prompt": "no response"}], model, "1-5", on_error="skip")) == 1


@pytest.mark.parametrize("flags", [{"resume": True}, {"plan": 2}, {"device": ["cpu", "cpu"]}], ids=str)
def test_what_reads_its_input_again_needs_a_path(model, traces, tmp_path, flags):
    with pytest.raises(air_select.UsageError) as caught:
        air_select.score(TRACES, model, "1-5", tmp_path / "out.jsonl", **flags)
    assert caught.value.hint == "name a file"
    assert air_select.score(traces, model, "1-5", tmp_path / "out.jsonl", **flags)


def test_no_records_are_an_error(model):
    with pytest.raises(air_select.InputError):
        air_select.score([], model, "1-5")


def test_what_is_neither_path_nor_records_is_refused_before_the_start(model, fake):
    fake("echo started >&2; exit 9")
    for wrong, words in [(TRACES[0], "one dict where a list of records belongs"), (7, "int is neither"), ([TRACES[0], "x"], "record 2 is a str"),
                         ([{"prompt": b"x"}], "record 1: a value of type bytes"), ([{"prompt": {1, 2}}], "value of type set")]:
        with pytest.raises(TypeError, match=words):
            air_select.score(wrong, model, "1-5")
    with pytest.raises(ValueError, match="leave output out"):
        air_select.select(TRACES, output="-")


def test_a_table_of_pandas_is_refused_with_what_helps(model):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(TRACES)
    with pytest.raises(TypeError, match=r'frame.to_dict\("records"\)'):
        air_select.score(frame, model, "1-5")
    assert len(air_select.score(frame.to_dict("records"), model, "1-5")) == 3


def test_an_iterable_that_fails_ends_before_the_program_starts(model, tmp_path):
    def broken():
        yield TRACES[0]
        raise KeyError("lost")
    with pytest.raises(KeyError):
        air_select.score(broken(), model, "1-5", tmp_path / "out.jsonl")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("script, code, words", [
    ("kill -9 $$", -9, "air was killed by SIGKILL"),
    ("exit 1", 1, "air ended with exit code 1"),
    ("echo 'air: error: interrupted' >&2; exit 130", 130, "interrupted"),
    ("printf 'air: error: a: b\\nsecond line\\nhint: c\\nd' >&2; exit 1", 1, "a: b\nsecond line\nhint: c\nd"),
])
def test_an_end_that_no_subclass_describes(fake, script, code, words):
    fake(script)
    with pytest.raises(air_select.AirError) as caught:
        air_select.select("x")
    assert type(caught.value) is air_select.AirError
    assert (caught.value.exit_code, str(caught.value)) == (code, words)


def test_a_program_that_is_not_there(monkeypatch, tmp_path):
    monkeypatch.setenv("AIR_BINARY", str(tmp_path / "none"))
    with pytest.raises(air_select.ResourceError, match="none: there is no such program"):
        air_select.select("x")
    monkeypatch.delenv("AIR_BINARY")     # a checkout's package has no program
    with pytest.raises(air_select.ResourceError, match="has no program bin/air") as caught:
        air_select.select("x")
    assert "AIR_BINARY" in caught.value.hint


# Messages

def test_messages_are_log_records_and_all_else_is_shown(fake, caplog, capsys):
    fake("""cat >&2 <<'end'
air: info: read 3 records
air: cuda:1: warning: slow
air: \x1b[33mwarning\x1b[0m: top: repeats
air: score  3/9 traces
/usr/lib/x.so: a library's word
end""")
    with caplog.at_level(logging.INFO, "air_select"):
        assert air_select.select("x") == []
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "read 3 records"), ("WARNING", "cuda:1: slow"), ("WARNING", "top: repeats")]
    assert capsys.readouterr().err == "air: score  3/9 traces\n/usr/lib/x.so: a library's word\n"


def test_a_warning_of_air_is_a_warning_of_the_logger(model, traces, tmp_path, caplog):
    found = json.loads(Path(air_select.find_heads(model, tmp_path / "heads.json", num_probes=4, lengths=128)).read_text())
    none = write_list(tmp_path / "none.json", found | {"heads": []})
    air_select.score(traces, model, none)
    warned = [record.getMessage() for record in caplog.records if record.name == "air_select" and record.levelname == "WARNING"]
    assert any("none.json" in message for message in warned), warned


def test_a_slurm_array_job_is_no_reason_to_score_a_share(model, monkeypatch):
    for name, value in {"ID": 1, "MIN": 0, "MAX": 2, "STEP": 1, "COUNT": 3}.items():
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
    assert len(air_select.score(TRACES, model, "1-5")) == 3


def test_messages_may_come_in_any_pieces(capsys, caplog):
    whole = "\r\x1b[K[>  ] 1/2 ä\r\x1b[K[=> ] 2/2\r\x1b[Kair: warning: wörds\nair: error: what\nhint: this\n".encode()
    for size in range(1, len(whole) + 1):
        caplog.clear()
        messages = process.Messages()
        for begin in range(0, len(whole), size):
            messages.add(whole[begin:begin + size])
        messages.finish()
        assert (messages.error, messages.hint) == ("what", "this")
        assert [record.getMessage() for record in caplog.records] == ["wörds"]
        assert capsys.readouterr().err == "\r\x1b[K[>  ] 1/2 ä\r\x1b[K[=> ] 2/2\r\x1b[K"


def test_a_bar_appears_at_once(capsys):
    messages = process.Messages()
    messages.add(b"\r\x1b[K[>  ] 1/2")
    assert capsys.readouterr().err == "\r\x1b[K[>  ] 1/2"


def test_the_program_sees_a_terminal_of_the_same_size_where_there_is_one(fake):
    import fcntl
    import termios

    fake("test -t 2 && stty size <&2 >&2")
    outer, inner = os.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, bytes([30, 0, 77, 0, 0, 0, 0, 0]))
    command = "import air_select; air_select.select('x')"
    done = subprocess.run([sys.executable, "-c", command], stderr=inner, env={**os.environ, "PYTHONPATH": str(REPOSITORY / "python")}, timeout=60)
    os.close(inner)
    with open(outer, "rb", buffering=0) as terminal:
        assert (done.returncode, terminal.read(1000).strip()) == (0, b"30 77")


# Interruptions

def start_python(tmp_path, script):
    """A Python that runs in the foreground of nothing: only what is sent to it reaches it."""
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
                            env={**os.environ, "PYTHONPATH": str(REPOSITORY / "python")}, start_new_session=True)


def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("to_group", [False, True], ids=["to the process", "as a terminal sends it"])
def test_ctrl_c_reaches_the_program_once_and_then_the_caller(fake, tmp_path, to_group):
    fake(f"""trap 'echo caught >> {tmp_path}/caught; [ -e {tmp_path}/enough ] && exit 130' INT
    touch {tmp_path}/started
    while ! [ -e {tmp_path}/caught ]; do sleep 0.05; done
    sleep 0.3; echo 'air: error: interrupted' >&2; echo 'hint: --resume continues' >&2; exit 130""")
    python = start_python(tmp_path, "import air_select\ntry: air_select.select('x')\nexcept KeyboardInterrupt: print('interrupted')")
    wait_for(tmp_path / "started")
    (os.killpg if to_group else os.kill)(python.pid, signal.SIGINT)
    out, err = python.communicate(timeout=60)
    assert (out, err) == ("interrupted\n", "interrupted: --resume continues\n")
    assert (tmp_path / "caught").read_text() == "caught\n"


def test_the_program_ends_with_the_python_that_waits_for_it(fake, tmp_path):
    fake(f"""trap 'touch {tmp_path}/ended; exit 130' TERM
    touch {tmp_path}/started
    for i in {{1..1200}}; do sleep 0.05; done""")
    python = start_python(tmp_path, "import air_select; air_select.select('x')")
    wait_for(tmp_path / "started")
    python.kill()
    wait_for(tmp_path / "ended")
    python.communicate(timeout=60)


# load()

def test_load_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(air_select.ResourceError) as caught:
        air_select.load(tmp_path / "x.jsonl")
    assert caught.value.hint == "pip install datasets"


def test_load_and_score_a_dataset(scored, model, tmp_path):
    datasets = pytest.importorskip("datasets")
    dataset = air_select.load(write_records(tmp_path / "scored.jsonl", [*scored, {"late": 1}]))
    assert isinstance(dataset, datasets.Dataset) and dataset.column_names == ["id", "prompt", "response", "air", "late"]
    assert dataset["late"][:] == [None, None, None, 1] and dataset["id"][:3] == [record["id"] for record in scored]
    assert dataset[0]["air"]["influence"] == scored[0]["air"]["influence"]
    assert air_select.score(datasets.Dataset.from_list(TRACES), model, "1-5") == scored
    assert air_select.score(datasets.Dataset.from_list(TRACES).with_format("numpy"), model, "1-5") == scored
    with pytest.raises(TypeError, match="choose a split"):
        air_select.score(datasets.DatasetDict(train=dataset), model, "1-5")


def test_load_reads_parquet(tmp_path):
    pytest.importorskip("datasets")
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    parquet.write_table(pyarrow.table({"id": [2, 1]}), tmp_path / "x.parquet")
    assert air_select.load(tmp_path / "x.parquet")["id"][:] == [2, 1]


@pytest.mark.parametrize("name, text, words", [
    ("x.jsonl", '{"a":1}\n\n{"a":', "x.jsonl:3: not JSON"),
    ("x.jsonl", "[1]\n", "x.jsonl:1: not a JSON object"),
    ("x.jsonl", '{"a":1}\n{"a":"b"}\n', "column 'a' does not fit one type"),
    ("x.jsonl", None, "x.jsonl: No such file"),
    ("x.parquet", "no parquet", "x.parquet: "),
    ("x.parquet", None, "x.parquet: "),
])
def test_load_names_what_it_cannot_read(tmp_path, name, text, words):
    pytest.importorskip("datasets")
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(air_select.InputError, match=words):
        air_select.load(tmp_path / name)


# The package

def test_the_command_imports_nothing_for_the_functions():
    script = "import os, sys; before = set(sys.modules); import air_select; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": str(REPOSITORY / "python"), "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.stdout.split() == ["air_select"]


def test_all_names_are_there_and_no_others():
    assert all(getattr(air_select, name).__doc__ for name in air_select.__all__)
    assert set(air_select.__all__) <= set(dir(air_select))
    with pytest.raises(AttributeError, match="'scores'"):
        air_select.scores


def test_the_program_of_the_package_is_found_with_its_torch(tmp_path, monkeypatch):
    """As the wheel lays it out; scripts/make_wheel.sh checks the wheel itself."""
    package = tmp_path / "site" / "air_select"
    (package / "bin").mkdir(parents=True)
    for file in (REPOSITORY / "python" / "air_select").glob("*.py"):
        (package / file.name).write_bytes(file.read_bytes())
    (package / "torch_version.txt").write_text("2.13\n")
    program = package / "bin" / "air"
    program.write_text("#!/bin/sh\necho \"{\\\"path\\\":\\\"$LD_LIBRARY_PATH\\\"}\"\n")
    program.chmod(0o755)
    torch = tmp_path / "elsewhere" / "torch"
    torch.mkdir(parents=True)
    (torch / "__init__.py").touch()
    (torch / "version.py").write_text("__version__ = '2.13.1'\n")
    paths = os.pathsep.join([str(tmp_path / "site"), str(torch.parent)])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": paths}
    command = [sys.executable, "-S", "-c", "import air_select; print(air_select.select('x'))"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.stdout == f"{[{'path': str(torch / 'lib')}]}\n", done.stderr
    (torch / "version.py").write_text("__version__ = '2.9.0'\n")
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "ResourceError" in done.stderr and "this air was built against 2.13" in done.stderr
