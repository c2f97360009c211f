"""Folders and files made to harm: each is an error that names the file, never a crash, a hang or "please report"."""
import gzip
import json
import os
import re
import shutil
import subprocess
import time

import pytest
from air_runner import air_binary, clean_environment, succeed, write_records

USAGE, INPUT, MODEL, RESOURCE = 2, 3, 4, 5
SECONDS = 10  # what takes longer hangs
FLAGS = ["--threads", "1", "--max-batch-tokens", "200"]


def refused(exit_code, *arguments, says="", stdin=None):
    """Stderr of a run that must end in time, with this exit code and one error."""
    result = subprocess.run([air_binary(), *map(str, arguments)], input=stdin or b"", capture_output=True,
                            env=clean_environment(), timeout=SECONDS)
    message = result.stderr.decode()
    assert result.returncode == exit_code, f"exit code {result.returncode}, not {exit_code}\n{message}"
    assert message.count("air: error: ") == 1 and "please report" not in message, message
    assert says in message, message
    return message


def nested(depth, inner="1", open_="[", close="]"):
    return open_ * depth + inner + close * depth


@pytest.fixture
def folder(model, tmp_path):
    """A copy of the model; its weights are a link, to be replaced and never written into."""
    folder = tmp_path / "model"
    shutil.copytree(model, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.safetensors").symlink_to(model / "model.safetensors")
    return folder


@pytest.fixture
def score(traces):
    return lambda folder, heads="1-5": ["score", "--model", folder, "--heads", heads, traces, *FLAGS]


def replace(path, content):
    path.unlink(missing_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


# Nesting (the readers one by one: tests/base/json_test.cpp, tests/text, tests/scored)

@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.json",
                                  "model.safetensors.index.json"])
def test_json_of_a_model_that_is_nested_deep(score, folder, name):
    if name == "model.safetensors.index.json":
        (folder / "model.safetensors").unlink()
    replace(folder / name, nested(100_000, open_='{"a":', close="}"))
    refused(MODEL, *score(folder), says=name)


def test_a_safetensors_shape_that_is_nested_deep(score, folder):
    header = b'{"a":{"dtype":"F32","shape":%s,"data_offsets":[0,4]}}' % nested(1_000_000).encode()
    replace(folder / "model.safetensors", len(header).to_bytes(8, "little") + header + bytes(4))
    refused(MODEL, *score(folder), says="model.safetensors")


@pytest.mark.parametrize("text", [nested(100_000), '{"0-1":' + nested(100_000) + "}"])
def test_heads_that_are_nested_deep(score, model, tmp_path, text):
    replace(tmp_path / "heads.json", text)
    refused(MODEL, *score(model, tmp_path / "heads.json"), says="heads.json")


def test_other_json_that_is_nested_deep(score, model, tmp_path):
    deep = nested(20_000, open_='{"a":', close="}")
    refused(USAGE, *score(model), "--chat-template-kwargs", deep, says="--chat-template-kwargs")
    replace(tmp_path / "probes.jsonl", '{"ids":' + nested(100_000) + "}\n")
    refused(INPUT, "find-heads", "--model", model, "--probes-file", tmp_path / "probes.jsonl", "-o", tmp_path / "heads.json",
            says="probes.jsonl:1")
    replace(tmp_path / "out.jsonl.partial", '{"schema":"air.partial/2","run":' + deep + "}\n")
    refused(USAGE, *score(model), "-o", tmp_path / "out.jsonl", "--resume", says="out.jsonl.partial")


def many_tensors(path, count=60_000):
    """Tensors without elements. Returns their names."""
    entry = '"t%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    header = ("{" + ",".join(entry % i for i in range(count)) + "}").encode()
    replace(path, len(header).to_bytes(8, "little") + header)
    return [f"t{i}" for i in range(count)]


@pytest.mark.parametrize("sharded", [False, True])
def test_many_tensors_take_no_time_that_grows_with_their_square(folder, sharded):
    names = many_tensors(folder / "model.safetensors")
    if sharded:
        (folder / "model.safetensors").rename(folder / "a.safetensors")
        index = {"weight_map": dict.fromkeys(names, "a.safetensors")}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    started = time.monotonic()
    refused(MODEL, "inspect", "--model", folder, says="no embedding")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_objects_of_very_many_keys(score, folder, name):
    replace(folder / name, json.dumps({f"key{i}": 0 for i in range(200_000)}))
    assert "too many keys" in refused(MODEL, *score(folder), says=name)


# Files that are no files

@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors",
                                  "chat_template.jinja", "additional_chat_templates/tool_use.jinja"])
@pytest.mark.parametrize("kind", ["pipe", "loop", "zero"])
def test_a_model_whose_files_are_none(score, folder, name, kind):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path.name if kind == "loop" else "/dev/zero")
    refused(MODEL, *score(folder), says=path.name)


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "gzip", "utf-16", "zeros and more"])
def test_what_lies_in_the_place_of_a_work_file_stays(score, model, tmp_path, kind):
    """Neither waited for, followed, unpacked nor emptied."""
    partial, target = tmp_path / "s.jsonl.partial", tmp_path / "precious"
    target.write_text("")
    if kind == "pipe":
        os.mkfifo(partial)
    elif kind == "folder":
        partial.mkdir()
    elif kind == "link":
        partial.symlink_to(target)
    else:
        partial.write_bytes({"gzip": gzip.compress(b'{"schema":"air.partial/2","run":{}}\n'), "utf-16": "{}\n".encode("utf-16-le"),
                             "zeros and more": bytes(5000) + b"mine"}[kind])
    before = partial.read_bytes() if partial.is_file() else None
    refused(RESOURCE if kind == "folder" else USAGE, *score(model), "-o", tmp_path / "s.jsonl", "--resume", says="s.jsonl.partial")
    assert partial.exists() and (partial.read_bytes() if partial.is_file() else None) == before


# Flags

@pytest.mark.parametrize("flag, value", [
    ("--loss-floor", "nan"), ("--loss-floor", "3e-308"), ("--loss-floor", "inf"), ("--weight-temperature", "1e-320"),
    ("--weight-temperature", "nan"), ("--weight-shrinkage", "1e308"), ("--weight-high", "1e308"), ("--weight-low", "1e-320"),
])
def test_numbers_that_no_computation_survives(score, model, flag, value):
    refused(USAGE, *score(model), flag, value, says=flag)


def test_a_config_file_that_can_not_be_read(score, model, tmp_path):
    refused(USAGE, *score(model), "--config", tmp_path, says=str(tmp_path))
    refused(USAGE, *score(model), "--config", tmp_path / "none.toml", says="none.toml")


# Texts

def test_a_pattern_that_backtracks_without_end_costs_a_record(folder, tmp_path, traces, score):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    split = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    tokenizer["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, level]}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    bad = write_records(tmp_path / "bad.jsonl", [{"prompt": "q", "response": "a" * 100 + "b"}, {"prompt": "q", "response": "so"}])
    refused(INPUT, "score", "--model", folder, "--heads", "1-5", bad, *FLAGS, says="bad.jsonl:1")
    assert succeed("score", "--model", folder, "--heads", "1-5", bad, "--on-error", "skip", *FLAGS).count(b"\n") == 1


@pytest.mark.parametrize("name", ["a\x1b[31mred\x1b[0m.jsonl", "a\x07\x08\r.jsonl", "a\u009b31m.jsonl", "a\x7f.jsonl"])
def test_no_control_character_of_a_name_reaches_the_terminal(name, tmp_path):
    (tmp_path / name).write_text("no json\n")
    message = refused(INPUT, "report", tmp_path / name, says="\\x")
    assert not any(ord(c) < 32 and c != "\n" or 0x7f <= ord(c) < 0xa0 for c in message), message


def test_a_name_that_is_not_utf8(score, model, traces, out):
    """In the identity of the run, which is JSON."""
    name = os.fsencode(out) + b"/t\xff.jsonl"
    shutil.copy(traces, name)
    result = subprocess.run([air_binary(), "score", "--model", model, "--heads", "1-5", name, "-o", out / "s.jsonl", *FLAGS],
                            capture_output=True, env=clean_environment(), timeout=SECONDS)
    assert result.returncode == USAGE and b"\\xff" in result.stderr, result.stderr


def test_a_weight_that_float32_does_not_hold(model, traces, tmp_path):
    line = json.loads(succeed("score", "--model", model, "--heads", "1-5", traces, *FLAGS).splitlines()[0])
    line["air"]["steps"][0]["weight"] = 1e300
    path = write_records(tmp_path / "scored.jsonl", [line])
    refused(INPUT, "select", path, "--format", "openweights", "--top-k", "1", says="scored.jsonl:1")


# Names that lead out of the folder

@pytest.fixture
def outside(tmp_path, model):
    """What no file of the model's folder may make air open."""
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.copy(model / "model.safetensors", outside / "a.safetensors")
    for name in ("t.jinja", "modeling.py", "tokenizer.json", "config.json", "spm.model", "image.png"):
        (outside / name).write_text("{}")
    return outside


def names_everything(folder, outside):
    """Every key that other programs take for a path, in files of the model's folder."""
    def add(name, **keys):
        path = folder / name
        before = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(before | keys))

    add("config.json", _name_or_path=str(outside), auto_map={"AutoModelForCausalLM": "../outside/modeling.py--Model"})
    add("tokenizer_config.json", name_or_path=str(outside), tokenizer_file="../outside/tokenizer.json", vocab_file="../outside/spm.model",
        auto_map={"AutoTokenizer": ["../outside/modeling.py", None]}, chat_template=[
            {"name": "../outside/t.jinja", "template": "{{ x }}"}, {"name": "default", "template": "{% include '../outside/t.jinja' %}"}])
    (folder / "modeling.py").write_text("raise SystemExit")
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02cos\nsystem\n")


def opened_files(tmp_path, *arguments):
    """(result, the paths that were opened, links resolved)"""
    trace = tmp_path / "trace"
    result = subprocess.run(["strace", "-f", "-y", "-e", "trace=open,openat", "-o", trace, air_binary(), *map(str, arguments)],
                            stdin=subprocess.DEVNULL, capture_output=True, env=clean_environment(), timeout=60)
    return result, set(re.findall(r"= \d+<(.*?)>$", trace.read_text(errors="replace"), re.MULTILINE))


@pytest.mark.parametrize("how", ["names", "index", "template", "adapter", "record"])
def test_no_name_leads_out_of_the_folder(folder, outside, traces, tmp_path, model, how):
    if shutil.which("strace") is None or subprocess.run(["strace", "-f", "true"], capture_output=True).returncode != 0:
        pytest.skip("no strace, or no leave to trace")
    flags = ["--chat-template", "none"]
    if how == "names":
        names_everything(folder, outside)
    elif how == "template":
        names_everything(folder, outside)
        flags = []
    elif how == "index":
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"t": "../outside/a.safetensors"}}))
    elif how == "adapter":  # its base is the model that it lies beside
        (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": str(outside), "r": 1}))
    else:
        traces.write_text(json.dumps({"prompt": f"{{% include '{outside}/t.jinja' %}} file://{outside}/image.png", "response": "a",
                                      "images": [f"{outside}/image.png"], "path": f"../{outside.name}/t.jinja"}) + "\n")
    result, opened = opened_files(tmp_path, "score", "--model", folder, "--heads", "1-5", traces, *flags, *FLAGS)
    assert result.returncode == (0 if how in ("names", "record") else MODEL), result.stderr.decode()
    assert {str(folder / "config.json"), str(folder / "tokenizer_config.json")} & opened, "the folder was looked at"
    assert not [path for path in opened if path.startswith(str(outside))]
    assert not {str(folder / "modeling.py"), str(folder / "pytorch_model.bin")} & opened
