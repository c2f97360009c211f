"""Issue 17: Parquet in and out. What rows become is held against pandas' to_json, what lines become against pyarrow."""
import datetime
import decimal
import io
import json
import math
import os
import random
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from air_runner import air_binary, clean_environment, fail, records, run, succeed, write_records

USAGE, INPUT, RESOURCE = 2, 3, 5
SCORE = ("--heads", "1-5", "--quiet")
NAN, INFINITY = float("nan"), float("inf")


def chat(i, **more):
    return {"id": f"t{i}", "messages": [{"role": "user", "content": f"What is {i} + 1?"},
                                        {"role": "assistant", "content": f"One more than {i}.\n\nSo it is {i + 1}."}]} | more


def table(rows):
    """The table that pyarrow makes of records: the second implementation of what the columns are."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: pa.array([row.get(name) for row in rows]) for name in names})


def write(path, content, **options):
    pq.write_table(content if isinstance(content, pa.Table) else table(content), path, **options)
    return path


def score(model, *inputs, flags=()):
    """The scored lines, in the input's order."""
    return sorted(records(succeed("score", "--model", model, *SCORE, *inputs, *flags)), key=lambda row: row["air"]["line"])


def same(ours, theirs):
    """Equal values: pandas writes ten digits, and whole numbers beside nulls as reals."""
    if isinstance(theirs, dict):
        return isinstance(ours, dict) and list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, list):
        return isinstance(ours, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, float) and not isinstance(ours, bool):
        return isinstance(ours, (int, float)) and math.isclose(ours, theirs, rel_tol=1e-8)
    return type(ours) is type(theirs) and ours == theirs


MOMENT = datetime.datetime(2024, 1, 2, 3, 4, 5, 678901)
BEFORE_1970 = datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)
COLUMNS = {
    "bool": pa.array([True, None, False]),
    "i8": pa.array([-128, None, 127], pa.int8()),
    "i16": pa.array([-5, 0, 5], pa.int16()),
    "i32": pa.array([-2**31, None, 7], pa.int32()),
    "i64": pa.array([-2**53 + 1, 0, 2**53 - 1]),
    "u8": pa.array([0, 255, None], pa.uint8()),
    "u16": pa.array([0, 65535, None], pa.uint16()),
    "u32": pa.array([0, 2**32 - 1, None], pa.uint32()),
    "u64": pa.array([0, 2**53, 1], pa.uint64()),
    "f16": pa.array([np.float16(0.1), None, np.float16(-2)], pa.float16()),
    "f32": pa.array([0.1, NAN, None], pa.float32()),
    "f64": pa.array([0.123456789, INFINITY, 1.0]),
    "decimal": pa.array([decimal.Decimal("12.3400"), None, decimal.Decimal("-0.0001")], pa.decimal128(10, 4)),
    "decimal256": pa.array([decimal.Decimal("1" * 50), None, decimal.Decimal(0)], pa.decimal256(60, 0)),
    "date": pa.array([datetime.date(2024, 1, 2), datetime.date(1960, 1, 1), None]),
    "date64": pa.array([datetime.date(2024, 1, 2), None, datetime.date(1700, 1, 1)], pa.date64()),
    "seconds": pa.array([MOMENT.replace(microsecond=0), None, datetime.datetime(1960, 1, 1)], pa.timestamp("s")),
    "milliseconds": pa.array([MOMENT.replace(microsecond=678000), None, None], pa.timestamp("ms")),
    "microseconds": pa.array([MOMENT, BEFORE_1970, None], pa.timestamp("us")),
    "nanoseconds": pa.array([MOMENT, BEFORE_1970, None], pa.timestamp("ns", tz="Europe/Berlin")),
    "time32": pa.array([datetime.time(1, 2, 3), datetime.time(23, 59, 59, 500000), None], pa.time32("ms")),
    "time64": pa.array([datetime.time(1, 2, 3, 4), datetime.time(0), None], pa.time64("us")),
    "duration": pa.array([datetime.timedelta(seconds=1, microseconds=1500), None, datetime.timedelta(days=-1)], pa.duration("us")),
    "string": pa.array(["a \"quoted\" \\ word\n\t\x01", None, "é 漢 👩‍👩‍👧 \u2028"]),
    "large_string": pa.array(["a", "", None], pa.large_string()),
    "string_view": pa.array(["a view", None, "a longer view than twelve bytes"], pa.string_view()),
    "binary": pa.array([b"abc\xc3\xa9", None, b""]),
    "large_binary": pa.array([b"abc", None, b""], pa.large_binary()),
    "fixed_binary": pa.array([b"abcd", None, b"efgh"], pa.binary(4)),
    "dictionary": pa.array(["x", None, "y"]).dictionary_encode(),
    "null": pa.nulls(3),
    "list": pa.array([[1, 2], [], None]),
    "list_of_nulls": pa.array([[], [None], None]),
    "large_list": pa.array([["a", None], [], None], pa.large_list(pa.string())),
    "fixed_list": pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2)),
    "lists": pa.array([[[1], []], [None], None]),
    "struct": pa.array([{"a": 1, "b": None}, None, {"a": None, "b": "x"}]),
    "structs": pa.array([[{"role": "user", "content": "h/i"}, None], [], None]),
    "struct_of_times": pa.array([{"t": MOMENT.replace(microsecond=0), "d": datetime.date(2024, 1, 2)}, None, {"t": None, "d": None}]),
    "list_of_dates": pa.array([[datetime.date(2024, 1, 2)], None, []]),
    "map": pa.array([[("a", 1), ("b", 2)], None, []], pa.map_(pa.string(), pa.int64())),
    "dictionaries": pa.array([["x", "y"], None, []], pa.list_(pa.dictionary(pa.int32(), pa.string()))),
}


@pytest.fixture(scope="module")
def scored_columns(model, tmp_path_factory):
    """One table of all types, scored: what travels with the records."""
    columns = {"prompt": ["a?", "b?", "c?"], "response": ["A.", "B.", "C."]} | COLUMNS
    return score(model, write(tmp_path_factory.mktemp("types") / "types.parquet", pa.table(columns)))


@pytest.mark.parametrize("name", COLUMNS)
def test_a_type_is_rendered_as_pandas_does(scored_columns, name):
    file = io.BytesIO()
    pq.write_table(pa.table({name: COLUMNS[name]}), file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas announces another default for dates
        text = pd.read_parquet(file).to_json(orient="records", lines=True, force_ascii=False)
    theirs = [json.loads(line)[name] for line in text.split("\n") if line]
    assert len(theirs) == 3
    for row, value in zip(scored_columns, theirs):
        assert same(row[name], value), (row[name], value)


def test_numbers_keep_the_digits_that_pandas_rounds(model, tmp_path):
    rows = {"prompt": ["a?"] * 2, "response": ["A."] * 2, "i": pa.array([2**53 + 1, None]),
            "u": pa.array([2**64 - 1, None], pa.uint64()), "f": [0.1234567890123456, 1e300], "g": pa.array([0.1, 16777216.0], pa.float32())}
    one, two = score(model, write(tmp_path / "x.parquet", pa.table(rows)))
    assert (one["i"], one["u"], one["f"], one["g"]) == (2**53 + 1, 2**64 - 1, 0.1234567890123456, float(np.float32(0.1)))
    assert (two["i"], two["u"], two["f"]) == (None, None, 1e300) and isinstance(two["g"], float)


@pytest.mark.parametrize("content, says", [
    (lambda good: good[:-1], ["footer"]),
    (lambda good: good[:len(good) // 2], ["footer"]),
    (lambda good: good[:4], ["small"]),
    (lambda good: b"PAR1" + random.Random(0).randbytes(5000) + b"PAR1", ["Parquet"]),
    (lambda good: good[:4] + bytes(200) + good[204:], ["Parquet"]),
    (lambda good: b"PARE" + good[4:-4] + b"PARE", ["encrypted"]),
])
def test_what_is_not_whole_is_an_error_that_names_the_file(model, tmp_path, content, says):
    path = write(tmp_path / "x.parquet", [chat(i) for i in range(50)], write_page_checksum=True, compression="none")
    path.write_bytes(content(path.read_bytes()))
    message = fail(INPUT, "inspect", "--model", model, path)
    assert "x.parquet: " in message and all(word in message for word in says), message


def test_damage_at_any_place_is_an_error_or_nothing(model, tmp_path):
    path = write(tmp_path / "x.parquet", [chat(i) for i in range(20)], compression="zstd")
    good, rng = path.read_bytes(), random.Random(1)
    for _ in range(8):
        bad = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            bad[rng.randrange(4, len(bad))] = rng.randrange(256)
        path.write_bytes(bytes(bad))
        result = run("inspect", "--model", model, path)
        assert result.returncode in (0, INPUT), (result.returncode, result.stderr[-500:])


@pytest.mark.parametrize("columns, says", [
    ({"id": pa.array([], pa.string()), "prompt": pa.array([], pa.string()), "response": pa.array([], pa.string())}, ["no traces"]),
    ({}, ["no traces"]),
    ({"prompt": ["a"], "response": ["b"], "image": [b"\xff\xfe"]}, [":row 1", '"image"', "not text", "drop_columns"]),
    ({"prompt": ["a"], "response": ["b"], "meta": [{"png": [b"\xff"]}]}, [":row 1", '"meta.png"', "not text"]),
    ({"prompt": ["a", "b"], "response": ["b", None]}, [":row 2"]),
])
def test_rows_that_cannot_be_scored_say_why(model, tmp_path, columns, says):
    message = fail(INPUT, "score", "--model", model, *SCORE, write(tmp_path / "x.parquet", pa.table(columns)))
    assert all(word in message for word in says), message


def test_columns_of_one_name_are_refused(model, tmp_path):
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["prompt", "prompt"])
    assert 'two columns are called "prompt"' in fail(INPUT, "inspect", "--model", model, write(tmp_path / "x.parquet", twice))


def test_text_that_is_not_utf8_is_a_bad_record(model, tmp_path):
    broken = pa.Array.from_buffers(pa.string(), 2, [None, pa.py_buffer(np.array([0, 2, 4], np.int32)), pa.py_buffer(b"ok\xff\xfe")])
    path = write(tmp_path / "x.parquet", pa.table({"prompt": ["a", "b"], "response": broken}))
    assert "x.parquet:row 2: " in fail(INPUT, "score", "--model", model, *SCORE, path)
    assert [row["response"] for row in score(model, path, flags=["--on-error", "skip"])] == ["ok"]


def test_a_hundred_levels(model, tmp_path):
    value = "deep"
    for _ in range(50):
        value = [{"a": value}]
    path = write(tmp_path / "x.parquet", [chat(1, deep=value)])
    [row] = score(model, path)
    assert row["deep"] == value
    # Written, all that readers take is a table, and what is deeper a text within it.
    result = run("score", "--model", model, "--heads", "1-5", path, "-o", tmp_path / "s.parquet")
    assert b"JSON texts: deep[].a[].a" in result.stderr
    [inner] = pq.read_table(tmp_path / "s.parquet")["deep"].to_pylist()
    depth = 0
    while not isinstance(inner, str):
        inner, depth, value = inner[0]["a"], depth + 1, value[0]["a"]
    assert depth > 20 and json.loads(inner) == value


@pytest.fixture(scope="module")
def rows():
    """Records whose parts differ, as they do in real sets."""
    out = []
    for i in range(60):
        row = chat(i, n=i, ratio=i / 7 if i % 2 else i, tags=["x"] * (i % 3), nothing=None, flag=i % 2 == 0)
        row["meta"] = {"source": "web", "score": i * 1.5} if i % 3 else {"source": "book", "year": 1900 + i}
        if i % 4 == 0:
            row["messages"].insert(0, {"role": "system", "content": "Be brief.", "name": None})
        if i % 5 == 0:
            row["rare"] = {"a": [{"b": i}]}
        out.append(row)
    return out


def without_air(path):
    """The table of an output as it was before the scores, in the input's order."""
    content = pq.read_table(path)
    order = np.argsort([row["line"] for row in content["air"].to_pylist()])
    return content.take(order).drop_columns("air")


def test_the_table_is_what_pyarrow_makes_of_the_records(model, tmp_path, rows):
    succeed("score", "--model", model, *SCORE, write_records(tmp_path / "in.jsonl", rows), "-o", tmp_path / "s.parquet")
    ours, theirs = without_air(tmp_path / "s.parquet"), table(rows)
    assert ours.schema == theirs.schema and ours == theirs
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob("*tmp*"))
    assert (tmp_path / "s.parquet.manifest.json").exists()


def test_rows_go_round(model, tmp_path, rows):
    """Parquet in, Parquet out, and in again: the same table, the same scores."""
    first = write(tmp_path / "in.parquet", rows, row_group_size=7)
    succeed("score", "--model", model, *SCORE, first, "-o", tmp_path / "s.parquet")
    assert without_air(tmp_path / "s.parquet") == table(rows)
    succeed("score", "--model", model, *SCORE, first, "-o", tmp_path / "s.jsonl")
    lines = records((tmp_path / "s.jsonl").read_bytes())
    assert records(succeed("select", tmp_path / "s.parquet", "--top-percent", "100", "--quiet")) == lines
    succeed("select", tmp_path / "s.parquet", "--top-k", "5", "-o", tmp_path / "top.parquet", "--quiet")
    assert pq.read_table(tmp_path / "top.parquet").to_pylist() == lines[:5]
    assert pq.read_table(tmp_path / "top.parquet").schema.names == pq.read_table(tmp_path / "s.parquet").schema.names
    # The same ids as of lines of JSON.
    plain = write_records(tmp_path / "in.jsonl", rows)
    assert succeed("inspect", "--model", model, first) == succeed("inspect", "--model", model, plain)


def test_values_of_several_kinds_are_json_texts_and_said_so_once(model, tmp_path):
    more = [{"mixed": 1, "meta": {"v": "a"}, "big": 2**63, "huge": 1e300, "empty": {}, "inner": [{"x": 1}]},
            {"mixed": "one", "meta": {"v": [1]}, "big": -1, "huge": 10**400, "empty": {}, "inner": [{"x": {"y": None}}]},
            {"mixed": None, "meta": None, "big": None, "huge": 2, "empty": None, "inner": []}]
    path = write_records(tmp_path / "in.jsonl", [chat(i, **row) for i, row in enumerate(more)])
    result = run("score", "--model", model, "--heads", "1-5", path, "-o", tmp_path / "s.parquet")
    [warning] = [line for line in result.stderr.decode().splitlines() if "warning" in line and "JSON text" in line]
    assert warning.endswith(": mixed, meta.v, big, huge, empty, inner[].x")
    ours = without_air(tmp_path / "s.parquet").to_pylist()
    for column in ("mixed", "big", "huge", "empty"):
        assert [None if row[column] is None else json.loads(row[column]) for row in ours] == [row[column] for row in more]
    assert [row["meta"] for row in ours] == [{"v": '"a"'}, {"v": "[1]"}, None]
    assert [row["inner"] for row in ours] == [[{"x": "1"}], [{"x": '{"y": null}'}], []]


def test_a_key_that_appears_twice_is_refused_by_name(model, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"prompt":"a?","response":"A.","k":1,"k":2}\n')
    message = fail(INPUT, "score", "--model", model, *SCORE, tmp_path / "in.jsonl", "-o", tmp_path / "s.parquet")
    assert '"k"' in message and "-o OUT.jsonl" in message
    # Nothing is lost: the scores are there, for another output.
    assert not (tmp_path / "s.parquet").exists() and (tmp_path / "s.parquet.partial").exists()


def test_files_shards_and_pipes(model, tmp_path, rows):
    one = write(tmp_path / "one.parquet", rows[:30])
    two = write(tmp_path / "two.parquet", rows[30:], compression="zstd", row_group_size=4)
    lines = write_records(tmp_path / "rest.jsonl", rows[:3])
    whole = succeed("score", "--model", model, *SCORE, "--max-batch-tokens", "1", one, two, lines)
    assert [row["id"] for row in sorted(records(whole), key=lambda row: row["air"]["line"])] == [row["id"] for row in rows + rows[:3]]
    for i in range(3):
        succeed("score", "--model", model, *SCORE, "--max-batch-tokens", "1", one, two, lines, "--shard", f"{i}/3", "-o", tmp_path / f"s{i}.parquet")
    joined = records(succeed("select", *[tmp_path / f"s{i}.parquet" for i in (2, 0, 1)], "--quiet"))
    assert [(row["id"], row["air"]) for row in joined] == [(row["id"], row["air"]) for row in records(whole)]
    # A pipe, and packed: read from a copy.
    plain = succeed("inspect", "--model", model, one, "--quiet")
    assert succeed("inspect", "--model", model, "-", "--quiet", stdin=one.read_bytes()) == plain
    subprocess.run(["gzip", "-k", one], check=True)
    assert succeed("inspect", "--model", model, tmp_path / "one.parquet.gz", "--quiet") == plain


def test_a_run_that_ended_at_a_row_resumes(model, tmp_path, rows):
    bad = rows[:50] + [{"id": "bad", "messages": []}] + rows[50:]
    path, output = write(tmp_path / "in.parquet", bad), tmp_path / "s.parquet"
    common = ["score", "--model", model, *SCORE, "--max-batch-tokens", "1", path]
    message = fail(INPUT, *common, "-o", output)
    assert "in.parquet:row 51: " in message and "--resume" in message
    assert not output.exists() and (tmp_path / "s.parquet.partial").exists()
    succeed(*common, "-o", output, "--resume", "--on-error", "skip", "--rejects", tmp_path / "r.jsonl")
    assert not (tmp_path / "s.parquet.partial").exists()
    assert records((tmp_path / "r.jsonl").read_bytes())[0]["line"] == 51
    succeed(*common, "-o", tmp_path / "s.jsonl", "--on-error", "skip")
    # 'rare' and the like are null where the record has none.
    assert records(succeed("select", output, "--top-percent", "100", "--quiet")) == records((tmp_path / "s.jsonl").read_bytes())


def test_a_report_and_an_export_of_a_table(model, tmp_path, rows):
    scored = tmp_path / "s.parquet"
    succeed("score", "--model", model, *SCORE, write(tmp_path / "in.parquet", rows), "-o", scored)
    succeed("report", scored, "-o", tmp_path / "r.html", "--quiet")
    assert b"What is 59 + 1?" in (tmp_path / "r.html").read_bytes()
    succeed("select", scored, "--top-k", "4", "--format", "trl", "-o", tmp_path / "trl.jsonl", "--quiet")
    succeed("select", scored, "--top-k", "4", "--format", "trl", "-o", tmp_path / "trl.parquet", "--quiet")
    ours = pq.read_table(tmp_path / "trl.parquet").to_pylist()
    assert ours == table(records((tmp_path / "trl.jsonl").read_bytes())).to_pylist() and len(ours) == 4
    succeed("inspect", "--model", model, scored, "-o", tmp_path / "ids.parquet", "--quiet")
    assert pq.read_table(tmp_path / "ids.parquet").to_pylist() == records(succeed("inspect", "--model", model, scored, "--quiet"))


def test_an_output_is_a_table_only_where_it_holds_records(model, traces, tmp_path, out):
    for flags in (["score", "--heads", "1-5", traces, "--rejects", out / "r.parquet", "--model", model],
                  ["inspect", "--model", model, traces, "--text", "-o", out / "i.parquet"],
                  ["inspect", "--model", model, "-o", out / "i.parquet"],
                  ["find-heads", "--model", model, "-o", out / "h.parquet"]):
        assert "not written as Parquet" in fail(USAGE, *flags)
    assert os.listdir(out) == []


def test_a_shard_without_lines_is_a_table_without_rows(model, traces, out):
    succeed("score", "--model", model, *SCORE, traces, "--shard", "5/9", "-o", out / "s.parquet")
    content = pq.read_table(out / "s.parquet")
    assert (content.num_rows, content.num_columns) == (0, 0)


def test_an_older_table_is_replaced_by_a_whole_one_only(model, traces, out):
    output = out / "s.parquet"
    succeed("score", "--model", model, *SCORE, traces, "-o", output)
    before = output.read_bytes()
    fail(INPUT, "score", "--model", model, *SCORE, "-", "-o", output)
    assert output.read_bytes() == before
    fail(USAGE, "select", output, "--top-k", "1", "-o", output)
    succeed("select", output, "--top-k", "1", "-o", output, "--force", "--quiet")
    assert pq.read_table(output).num_rows == 1


def test_without_pyarrow_the_error_says_what_to_install(model, traces, tmp_path, out):
    path = write(tmp_path / "x.parquet", [chat(1)])
    elsewhere = {"AIR_PYARROW": str(tmp_path)}
    message = fail(RESOURCE, "inspect", "--model", model, path, env=elsewhere)
    assert "pip install" in message and "pyarrow" in message and str(tmp_path) in message
    # Before any work.
    message = fail(RESOURCE, "score", "--model", model, "--heads", "1-5", traces, "-o", out / "s.parquet", env=elsewhere)
    assert "pip install" in message and os.listdir(out) == []
    # Another version than the one that this air was built for.
    (tmp_path / "libarrow.so.1900").touch()
    assert "is 19.0" in fail(RESOURCE, "inspect", "--model", model, path, env=elsewhere)
    # Lines of JSON need none.
    succeed("inspect", "--model", model, traces, env=elsewhere)


def test_a_build_without_parquet_says_so(model, tmp_path):
    """The programs alone, without the library that lies beside them."""
    alone = tmp_path / "bin" / "air"
    alone.parent.mkdir()
    for name in ("air", "air-torch"):
        shutil.copy(Path(air_binary()).with_name(name), alone.parent)
    result = subprocess.run([alone, "inspect", "--model", model, write(tmp_path / "x.parquet", [chat(1)])], capture_output=True, env=clean_environment())
    assert result.returncode == RESOURCE and b"built without" in result.stderr and b"pandas" in result.stderr


def test_what_does_not_read_parquet_does_not_load_it(model, traces):
    loaded = subprocess.run([air_binary(), "inspect", "--model", model, traces], capture_output=True, env=clean_environment(LD_DEBUG="files"))
    assert loaded.returncode == 0 and b"libtorch" in loaded.stderr and b"libarrow" not in loaded.stderr


def test_no_memory_as_arrow_is_loaded(model, tmp_path):
    """Its jemalloc has a page mapped and used to crash where there was none: each mapping from then on is refused once."""
    if shutil.which("strace") is None or subprocess.run(["strace", "-f", "true"], capture_output=True).returncode != 0:
        pytest.skip("no strace, or no leave to trace")
    scored, trace = tmp_path / "scored.parquet", tmp_path / "trace"
    succeed("score", "--model", model, *SCORE, write(tmp_path / "x.parquet", [chat(0)]), "-o", scored)

    def show(*injected):
        result = subprocess.run(["strace", "-f", "-o", trace, "-e", "trace=mmap,openat", *injected, air_binary(), "show", scored],
                                capture_output=True, env=clean_environment())
        return result, trace.read_text().splitlines()

    whole, lines = show()
    mappings = [" mmap(" in line for line in lines]
    arrow = next(i for i, line in enumerate(lines) if "/libarrow.so." in line and "ENOENT" not in line)
    assert whole.returncode == 0 and sum(mappings[arrow:]) > 10
    for number in range(sum(mappings[:arrow]) + 1, sum(mappings) + 1):
        result, lines = show("-e", f"inject=mmap:error=ENOMEM:when={number}")
        message = result.stderr.decode()
        assert result.returncode in (0, RESOURCE), (number, message)
        assert message.count("air: error: ") == (result.returncode != 0) and "please report" not in message, message
        assert result.returncode != 0 or result.stdout == whole.stdout
