"""What a user gets wrong: each is one error that says what, where and what to do, and leaves nothing behind."""
import json
import os
import shutil
import subprocess

import pytest
from air_runner import air_binary, clean_environment, fail, run, succeed, write_records

USAGE, INPUT, MODEL, RESOURCE = 2, 3, 4, 5


@pytest.fixture
def score(model, traces, out):
    """Scores with something wrong; checks the exit code and that no output is left; gives the message."""
    def score(exit_code, *flags, model=model, heads="1-5", inputs=(traces,)):
        message = fail(exit_code, "score", "--model", model, "--heads", heads, *inputs, "-o", out / "scored.jsonl", *flags)
        assert os.listdir(out) == []
        return message
    return score


def test_a_flag_that_does_not_exist(score):
    message = score(USAGE, "--hedas", "1-5")
    assert "--hedas" in message and "did you mean --heads?" in message and "air score --help" in message
    assert "did you mean" not in score(USAGE, "--zzz", "1-5")


def test_a_verb_that_does_not_exist():
    assert "did you mean find-heads?" in fail(USAGE, "find-head")
    message = fail(USAGE, "train")
    assert "did you mean" not in message and "find-heads, score, select, report, show, inspect" in message


def test_no_verb():
    fail(USAGE)


@pytest.mark.parametrize("flag, value", [
    ("--mask", "none"), ("--influence", "both"), ("--order", "random"), ("--dtype", "int8"), ("--device", "tpu"),
    ("--steps", "words"), ("--steps", "regex:("), ("--max-batch-tokens", "many"), ("--loss-floor", "x"),
    ("--step-weights", "hard"), ("--threads", "-3"),
])
def test_a_value_that_a_flag_does_not_take(score, flag, value):
    assert flag in score(USAGE, flag, value)


def test_the_model_is_required(traces):
    assert "--model" in fail(USAGE, "score", "--heads", "none", traces)


def test_the_heads_are_required(model, traces):
    assert "--heads" in fail(USAGE, "score", "--model", model, traces)


def test_a_file_that_does_not_exist(score, tmp_path):
    assert "missing.jsonl" in score(INPUT, inputs=[tmp_path / "missing.jsonl"])


def test_the_second_of_two_files_does_not_exist(score, traces, tmp_path):
    assert "missing.jsonl" in score(INPUT, inputs=[traces, tmp_path / "missing.jsonl"])


@pytest.mark.parametrize("line, says", [
    ('{"prompt": "a", "response": "b"', "JSON"),
    ("not json", "JSON"),
    ('["prompt", "response"]', "object"),
    ('{"prompt": "a", "reply": "b"}', "reply"),
    ('{"prompt": "a", "response": ""}', "response"),
    ('{"prompt": "a", "response": 7}', "response"),
    ('{"prompt": "a", "response": "b", "air": {}}', "air"),
])
def test_a_line_that_is_no_trace(score, tmp_path, line, says):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"prompt": "a", "response": "b"}\n' + line + "\n")
    message = score(INPUT, inputs=[path])
    assert "bad.jsonl:2" in message and says in message


def test_a_record_without_a_response_names_the_fields_and_the_flag(score, tmp_path):
    path = write_records(tmp_path / "bad.jsonl", [{"task": "a", "reply": "b"}])
    message = score(INPUT, inputs=[path])
    assert "hint:" in message and "--response-field" in message and "task" in message and "reply" in message


def test_bytes_that_are_not_utf8(score, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"prompt": "a", "response": "b\xff"}\n')
    assert "UTF-8" in score(INPUT, inputs=[path])


def test_a_folder_that_does_not_exist(score, tmp_path):
    assert "no-such-model" in score(MODEL, model=tmp_path / "no-such-model")


def test_a_folder_that_is_no_model(score, tmp_path):
    message = score(MODEL, model=tmp_path)
    assert str(tmp_path) in message and "Hugging Face" in message


@pytest.fixture
def broken(model, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(model, folder)
    return folder


@pytest.mark.parametrize("keep", [0, 4, 100, -1, -1000])
def test_a_truncated_safetensors_file(score, broken, keep):
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    assert "model.safetensors" in score(MODEL, model=broken)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_model_without_one_of_its_files(score, broken, file):
    (broken / file).unlink()
    assert str(broken) in score(MODEL, model=broken)


@pytest.mark.parametrize("key, value", [
    ("model_type", "mamba"), ("hidden_act", "swish2"), ("rope_scaling", {"rope_type": "spiral", "factor": 2.0}),
    ("num_attention_heads", 7), ("quantization_config", {"quant_method": "awq"}),
])
def test_a_model_that_air_does_not_know(score, broken, key, value):
    config = json.loads((broken / "config.json").read_text())
    config[key] = value
    (broken / "config.json").write_text(json.dumps(config))
    assert "config.json" in score(MODEL, model=broken)


@pytest.mark.parametrize("heads", ["2-0", "0-16", "1_5", "1-5,1-5", "one"])
def test_heads_that_the_model_does_not_have(score, heads):
    assert heads.split(",")[0] in score(MODEL, heads=heads)


@pytest.mark.parametrize("key, value, says", [
    ("fingerprint", "0123456789abcdef", "fingerprint 0123456789abcdef"),
    ("num_hidden_layers", 30, "30 layers × 16 heads; this model has 2 layers × 16 heads"),
])
def test_heads_of_another_model(score, model, tmp_path, key, value, says):
    heads = tmp_path / "heads.json"
    heads.write_text(json.dumps({
        "schema": "air.heads/1", "heads": ["1-5"],
        "model": {"model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 16, key: value}}))
    message = score(MODEL, heads=heads)
    assert "heads.json" in message and "--force" in message and says in message


def test_force_turns_heads_of_another_model_into_a_warning(model, traces, tmp_path):
    heads = tmp_path / "heads.json"
    succeed("find-heads", "--model", model, "--lengths", "128", "--num-probes", "1", "-o", heads)
    content = json.loads(heads.read_text())
    content["model"]["fingerprint"] = "0123456789abcdef"
    heads.write_text(json.dumps(content))
    result = run("score", "--model", model, "--heads", heads, "--force", traces)
    assert result.returncode == 0 and b"warn" in result.stderr


def test_a_heads_file_that_is_none(score, tmp_path):
    path = tmp_path / "heads.json"
    path.write_text('{"heads": [')
    assert "heads.json" in score(MODEL, heads=path)


def test_a_failed_run_leaves_an_older_output_as_it_was(model, out, tmp_path):
    (out / "scored.jsonl").write_text("older\n")
    path = write_records(tmp_path / "bad.jsonl", [{"prompt": "a", "response": "b"}, {"prompt": "a"}])
    fail(INPUT, "score", "--model", model, "--heads", "1-5", path, "-o", out / "scored.jsonl")
    assert os.listdir(out) == ["scored.jsonl"] and (out / "scored.jsonl").read_text() == "older\n"


def test_an_output_folder_that_does_not_exist(model, traces, tmp_path):
    path = tmp_path / "no-such-folder" / "scored.jsonl"
    assert str(path) in fail(RESOURCE, "score", "--model", model, "--heads", "1-5", traces, "-o", path)


@pytest.mark.parametrize("verb", ["score", "find-heads", "inspect", "select"])
def test_a_full_disk(verb, model, traces, out):
    arguments = {"score": ["--model", model, "--heads", "1-5", traces],
                 "find-heads": ["--model", model, "--lengths", "128", "--num-probes", "1"],
                 "inspect": ["--model", model, traces]}
    if verb == "select":
        succeed("score", *arguments["score"], "-o", out / "scored.jsonl")
        arguments["select"] = [out / "scored.jsonl", "--top-k", "1"]
    with open("/dev/full", "wb") as full:
        result = subprocess.run([air_binary(), verb, *map(str, arguments[verb])], stdin=subprocess.DEVNULL, stdout=full,
                                stderr=subprocess.PIPE, env=clean_environment(), timeout=300)
    if verb != "find-heads":  # its -o has no default
        assert result.returncode == RESOURCE, result.stderr
    fail(RESOURCE, verb, *arguments[verb], "-o", "/dev/full")
    assert not [name for name in os.listdir("/dev") if name.startswith("full.")]


@pytest.mark.parametrize("verb", ["score", "inspect"])
def test_a_closed_pipe_ends_quietly(verb, model, tmp_path):
    text = "Nothing to see here. " * 20
    path = write_records(tmp_path / "many.jsonl", [{"prompt": "a", "response": text}] * 60)
    arguments = [verb, "--model", model, path] + (["--heads", "none", "--token-losses"] if verb == "score" else [])
    process = subprocess.Popen([air_binary(), *map(str, arguments), "-q"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
    process.stdout.read(10)
    process.stdout.close()
    errors = process.stderr.read()
    assert process.wait(timeout=300) == 0 and errors == b""


def test_unknown_config_keys_are_ignored_by_name_only(model, traces, tmp_path):
    """Case M15: named and refused, unless the user names them; the flag does not take the inputs that follow it."""
    folder = tmp_path / "extra"
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"my_key": 1, "other_key": [2]}))
    score = ["score", "--model", folder, "--heads", "1-5", "--order", "input"]
    message = fail(MODEL, *score, traces)
    assert '"my_key"' in message and "--ignore-config-keys my_key,other_key" in message
    expected = succeed("score", "--model", model, "--heads", "1-5", "--order", "input", traces)
    assert succeed(*score, "--ignore-config-keys", "my_key,other_key", traces) == expected
    assert '"nonsense"' in fail(MODEL, *score, "--ignore-config-keys", "my_key,other_key,nonsense", traces)
