"""Scored lines, journals and outputs made to harm, one case of each kind that once ended in a
crash, a hang, exit 1 or, at exit 0, in something wrong or destroyed. The readers one by one:
tests/scored, tests/base, tests/find_heads, tests/fuzz."""
import json
import os
import re
import resource
import shutil
import subprocess
from pathlib import Path

import pytest
from air_runner import air_binary, clean_environment, succeed, write_records

USAGE, INPUT, MODEL, RESOURCE = 2, 3, 4, 5
SECONDS = 30  # what takes longer hangs
FLAGS = ["--threads", "1", "--max-batch-tokens", "200"]


def limited():
    """A hang that also takes memory must not take all of it."""
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


def ended(*arguments, **options):
    options = {"stdin": subprocess.DEVNULL, "timeout": SECONDS, "env": clean_environment()} | options
    return subprocess.run([*map(str, arguments)], capture_output=True, preexec_fn=limited, **options)


def refused(exit_code, *arguments, says):
    result = ended(air_binary(), *arguments)
    message = result.stderr.decode()
    assert result.returncode == exit_code, (result.returncode, message)
    assert message.count("air: error: ") == 1 and says in message, message
    assert "please report" not in message, message


@pytest.fixture(scope="module")
def rows(model, tmp_path_factory):
    """(the record as air wrote it, but for its last brace; what stands in `air`), each"""
    records = [{"id": i, "prompt": f"Say {i}.", "response": f"It is {i}.\n\nSo: é{i}."}
               for i in range(4)]
    traces = write_records(tmp_path_factory.mktemp("traces") / "t.jsonl", records)
    scored = succeed("score", "--model", model, "--heads", "1-5", traces, *FLAGS).decode()
    return [(line[:line.rindex(',"air":')], json.loads(line)["air"]) for line in scored.splitlines()]


@pytest.fixture
def scored(rows, tmp_path):
    """Writes the rows, the first with `changes` of its scores or with another body: the file."""
    def write(body=None, **changes):
        path = tmp_path / "scored.jsonl"
        compact = lambda air: json.dumps(air, separators=(",", ":"))
        lines = [f'{record},"air":{compact(air)}}}\n' for record, air in rows]
        lines[0] = f'{body or rows[0][0]},"air":{compact(rows[0][1] | changes)}}}\n'
        path.write_text("".join(lines))
        return path
    return write


# Scored lines

@pytest.mark.parametrize("key, value", [
    ("rank", "1"), ("line", [1]), ("num_tokens", "12"), ("num_tokens", 2**63 - 1),
    ("num_tokens", 1.5), ("influence", 1e308), ("influence", "high"), ("base_nll", -1e300)])
@pytest.mark.parametrize("arguments", [
    ["report"], ["select", "--top-k", "2"], ["select", "--top-k", "4", "--format", "openweights"]])
def test_numbers_that_are_none_or_have_no_bounds(scored, arguments, key, value):
    verb, *flags = arguments
    path = scored(**{key: value})
    refused(INPUT, verb, path, *flags, says=f'scored.jsonl:1: the score "{key}" is ')


def test_values_that_differ_by_rounding_alone(rows, tmp_path):
    """The ticks of an axis were without end."""
    lines = [json.loads(record + "}") | {"air": air | {"influence": value, "base_nll": value}}
             for (record, air), value in zip(rows, [1.0, 1.0000000000000002] * 2)]
    path = write_records(tmp_path / "s.jsonl", lines)
    result = ended(air_binary(), "report", path, "-o", tmp_path / "r.html")
    assert result.returncode == 0, result.stderr


def test_a_step_that_ends_inside_a_character(rows, scored):
    """The exports cut the text there."""
    record, air = rows[0]
    first, second = air["steps"]
    middle = json.loads(record + "}")["response"].encode().index("é".encode()) + 1
    path = scored(steps=[first | {"end": middle}, second | {"begin": middle}])
    refused(INPUT, "select", path, "--top-k", "4", "--format", "openweights", says="scored.jsonl:1")


@pytest.mark.parametrize("old, new", [
    ('"id": 0', '"id": 00'), ('"id": 0', "id: 0"), ('"id": 0', '"id": [}'),
    ('"id": 0,', '"id": 0,,'), ("Say 0", "Say \x01"), ("Say 0", "Say \\q")])
def test_a_row_that_is_kept_is_json(rows, scored, old, new):
    body = rows[0][0]
    assert old in body
    path = scored(body.replace(old, new, 1))
    refused(INPUT, "select", path, "--top-k", "4", says="scored.jsonl:1")


def test_air_may_come_first_in_a_compact_row(rows, tmp_path):
    """Another program's: a brace of a later value was taken for the end of `air`."""
    path = tmp_path / "scored.jsonl"
    items = [{"air": air, "note": "a}", "response": "It is."} for _, air in rows]
    path.write_text("".join(json.dumps(item, separators=(",", ":")) + "\n" for item in items))
    assert len(succeed("select", path, "--top-k", "4").splitlines()) == 4


def zstd_of(content):
    """As pzstd writes it: a skippable frame that says how long the next frame is, and that frame,
    here of one block that is not compressed."""
    assert len(content) < 128 << 10
    frame = b"\x28\xb5\x2f\xfd\x00\x58" + (len(content) << 3 | 1).to_bytes(3, "little") + content
    return b"\x50\x2a\x4d\x18\x04\x00\x00\x00" + len(frame).to_bytes(4, "little") + frame


def test_a_skippable_frame_comes_first(scored, tmp_path):
    path = scored()
    packed = tmp_path / "scored.jsonl.zst"
    packed.write_bytes(zstd_of(path.read_bytes()) * 2)
    assert len(succeed("select", packed, "--top-k", "8").splitlines()) == 8


@pytest.mark.parametrize("key", ["chat_template", "chat_format"])
@pytest.mark.parametrize("verb", ["select", "report"])
def test_a_manifest_names_no_file_to_open(scored, tmp_path, verb, key):
    """Whoever wants a template of his own gives its flag."""
    path, fifo = scored(), tmp_path / "t.jinja"
    os.mkfifo(fifo)  # whoever opens it waits
    flags = {"select": ["--top-k", "4", "--format", "openweights"],
             "report": ["-o", tmp_path / "r.html"]}
    for value in (str(fifo), {"source": str(fifo)}):
        manifest = {"schema": "air.manifest/1", key: value}
        Path(f"{path}.manifest.json").write_text(json.dumps(manifest))
        result = ended(air_binary(), verb, path, *flags[verb])
        assert result.returncode == 0, result.stderr


# Models

@pytest.fixture
def folder(model, tmp_path):
    """A copy of the model whose weights are a link."""
    folder = tmp_path / "model"
    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.safetensors").symlink_to(model / "model.safetensors")
    return folder


def change(path, **keys):
    path.write_text(json.dumps(json.loads(path.read_text()) | keys))


@pytest.mark.parametrize("key", [
    "num_attention_heads", "head_dim", "num_key_value_heads", "hidden_size", "vocab_size"])
def test_sizes_near_the_end_of_the_integers(folder, traces, key):
    change(folder / "config.json", **{key: 2**62})
    refused(MODEL, "score", "--model", folder, "--heads", "1-5", traces, *FLAGS,
            says=f'config.json: "{key}" is ')


@pytest.mark.parametrize("rule", ["normalizers that double", "a verb", "no replacement"])
def test_rules_of_a_tokenizer_that_do_not_end(folder, tmp_path, rule):
    double = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    verb = {"type": "Split", "pattern": {"Regex": "(*NO_JIT)(a+)+$"}, "behavior": "Isolated",
            "invert": False}
    metaspace = {"type": "Metaspace", "replacement": "", "prepend_scheme": "always", "split": True}
    doubling = {"type": "Sequence", "normalizers": [double] * 40}
    rules = {"normalizers that double": {"normalizer": doubling},
             "a verb": {"pre_tokenizer": verb}, "no replacement": {"pre_tokenizer": metaspace}}
    change(folder / "tokenizer.json", **rules[rule])
    text = write_records(tmp_path / "a.jsonl", [{"prompt": "a a", "response": "a" * 60 + "b a"}])
    refused(MODEL, "score", "--model", folder, "--heads", "1-5", text, *FLAGS, says="tokenizer.json")


@pytest.mark.parametrize("name", [3, None])
def test_a_template_whose_name_is_none(folder, traces, name):
    template = {"name": name, "template": "{{ messages }}"}
    change(folder / "tokenizer_config.json", chat_template=[template])
    refused(MODEL, "score", "--model", folder, "--heads", "1-5", traces, *FLAGS,
            says="tokenizer_config.json")


# Journals of find-heads

@pytest.fixture(scope="module")
def found(model, tmp_path_factory):
    """(flags, the heads file of a whole run, lines that one kept whose disk was full)"""
    folder = tmp_path_factory.mktemp("found")
    flags = ["find-heads", "--model", str(model), "--lengths", "128", "--num-probes", "30",
             "--threads", "1"]
    succeed(*flags, "-o", folder / "whole.json")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
    full = subprocess.run([air_binary(), *flags, "-o", str(folder / "cut.json")],
                          stderr=subprocess.PIPE, env=clean_environment(), preexec_fn=limit)
    kept = (folder / "cut.json.partial").read_bytes()
    assert full.returncode == RESOURCE and kept.count(b"\n") > 8, full.stderr
    return flags, (folder / "whole.json").read_bytes(), kept[:kept.rindex(b"\n") + 1]


@pytest.mark.parametrize("damage", ["a digit", "scores of other heads", "deep arrays"])
def test_results_that_were_damaged_are_computed_again(found, out, damage):
    flags, whole, kept = found
    kept = bytearray(kept)
    if damage == "a digit":
        scores = kept.index(b'"scores":', len(kept) // 2)
        kept[re.compile(rb"[^0-9]0\.[0-9]").search(kept, scores).end() - 1] ^= 1
    else:
        begin = kept.index(b'"scores":', len(kept) // 2) + 9
        end = kept.index(b"]]", begin) + 2
        row = b"[" + b",".join([b"1.0"] * 100) + b"]"
        others = b"[" + b",".join([row] * 100) + b"]"
        deep = b"[" * 100_000 + b"]" * 100_000
        kept[begin:end] = others if damage == "scores of other heads" else deep
    (out / "heads.json.partial").write_bytes(kept)
    result = ended(air_binary(), *flags, "-o", out / "heads.json", "--resume", timeout=60)
    assert result.returncode == 0, result.stderr
    assert (out / "heads.json").read_bytes() == whole and os.listdir(out) == ["heads.json"]
    assert b"computed again" in result.stderr


@pytest.mark.parametrize("schema", [7, None, ["air.probe_results/1"]])
def test_a_journal_of_another_kind_stays(found, out, schema):
    flags, _, _ = found
    partial = out / "heads.json.partial"
    partial.write_text(json.dumps({"schema": schema, "run": {}}) + "\n")
    before = partial.read_bytes()
    refused(USAGE, *flags, "-o", out / "heads.json", "--resume", says="heads.json.partial")
    assert partial.read_bytes() == before


# Outputs

@pytest.mark.parametrize("verb", ["select", "report"])
def test_a_link_in_the_place_of_a_work_file_is_not_followed(scored, tmp_path, out, verb):
    """A process's number can be guessed, and two containers may share a folder and a number."""
    precious = tmp_path / "precious"
    precious.write_text("mine")
    script = ('for name in o.tmp.$$ air-report-$$.tmp.$$ air-report-$$; do'
              ' ln -s "$0" "$1/$name"; done; shift; exec "$@"')
    flags = ["--top-k", "2"] if verb == "select" else []
    with scored().open("rb") as rows:  # a report of standard input keeps it in a file
        result = ended("sh", "-c", script, precious, out, air_binary(), verb, "-", *flags,
                       "-o", out / "o", stdin=rows, env=clean_environment(TMPDIR=str(out)))
    assert result.returncode == 0, result.stderr
    assert precious.read_text() == "mine" and not (out / "o").is_symlink()


def test_an_output_keeps_its_permissions(scored, out):
    (out / "o.jsonl").write_text("")
    (out / "o.jsonl").chmod(0o600)
    succeed("select", scored(), "--top-k", "2", "-o", out / "o.jsonl")
    assert (out / "o.jsonl").stat().st_mode & 0o777 == 0o600


# Calls that fail (all of them: scripts/check_faults.py)

@pytest.mark.parametrize("call, error, code, says", [
    ("flock", "ENOLCK", 0, "can't be locked"), ("flock", "EINTR:when=1", 0, ""),
    ("unlink", "EIO", 0, "o.jsonl.partial: can't be removed"), ("clone3", "EAGAIN", RESOURCE, ""),
    ("fsync", "EINTR:when=1", 0, ""), ("fdatasync", "EINTR:when=1", 0, "")])
def test_a_call_that_fails(model, traces, out, call, error, code, says):
    if shutil.which("strace") is None or subprocess.run(["strace", "-f", "true"],
                                                        capture_output=True).returncode != 0:
        pytest.skip("no strace, or no leave to trace")
    trace = out.parent / "trace"
    result = ended("strace", "-f", "-o", trace, "-e", f"trace={call}",
                   "-e", f"inject={call}:error={error}", air_binary(),
                   "score", "--model", model, "--heads", "1-5", traces,
                   "--max-batch-tokens", "20", "--threads", "2", "-o", out / "o.jsonl", timeout=60)
    message = result.stderr.decode()
    assert "(INJECTED)" in trace.read_text(errors="replace")
    assert result.returncode == code and says in message, (result.returncode, message)
    assert "please report" not in message, message
