"""`air export-reference` as a command: what it copies, what it refuses, what a fault leaves. Its numbers are held in golden."""
import json
import os
import resource
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from air_runner import air_binary, clean_environment, fail, records, succeed
from safetensors.numpy import load_file, save_file

USAGE, MODEL, RESOURCE, INTERRUPTED = 2, 4, 5, 130


def export(model, out, *flags):
    return ["export-reference", "--model", model, "--heads", "1-5,1-12", "-o", out, *flags]


def test_the_losses_of_the_reference_are_those_of_score(model, traces, out):
    succeed(*export(model, out / "reference"))
    score = lambda folder, heads: records(succeed("score", "--model", folder, "--heads", heads, traces, "--order", "input"))
    for own, masked in zip(score(out / "reference", "none"), score(model, "1-5,1-12"), strict=True):
        assert abs(own["air"]["base_nll"] - masked["air"]["ref_nll"]) < 1e-4
        assert abs(masked["air"]["divergence"]) > 1e-3


def test_heads_come_from_a_file_as_in_score(model, tmp_path, out):
    listed = tmp_path / "heads.json"
    listed.write_text(json.dumps(["1-5", "1-12"]))
    succeed(*export(model, out / "a"))
    succeed("export-reference", "--model", model, "--heads", listed, "-o", out / "b")
    assert (out / "a" / "model.safetensors").read_bytes() == (out / "b" / "model.safetensors").read_bytes()
    succeed("export-reference", "--model", model, "--heads", "none", "-o", out / "c")
    assert (out / "c" / "model.safetensors").read_bytes() == (model / "model.safetensors").read_bytes()


def test_what_belongs_to_the_model_is_copied_and_nothing_else(model, tmp_path, out):
    folder = shutil.copytree(model, tmp_path / "model")
    own = {"generation_config.json", "chat_template.jinja", "merges.txt", "tokenizer.model", "LICENSE",
           "additional_chat_templates/rag.jinja"}
    # Other programs would take these for the model: the weights as they were, or an adapter.
    others = {"consolidated.safetensors", "params.json", "pytorch_model.bin", "pytorch_model.bin.index.json", "model.gguf",
              "model.safetensors.index.json", "README.md", "original/consolidated.00.pth"}
    for name in own | others:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("{}")
    (folder / "tokenizer.model").write_bytes((b"x" * 100))
    succeed(*export(folder, out / "reference"))
    written = {str(path.relative_to(out / "reference")) for path in (out / "reference").rglob("*") if path.is_file()}
    assert written == {path.name for path in model.iterdir()} | own | {"air_reference.json"}
    for name in written - {"air_reference.json", "model.safetensors"}:
        assert (out / "reference" / name).read_bytes() == (folder / name).read_bytes()
    note = json.loads((out / "reference" / "air_reference.json").read_text())
    assert note["heads"] == ["1-5", "1-12"] and note["model"] == str(folder) and note["mask"] == "uniform"


def test_only_an_empty_place_is_taken(model, out):
    (out / "empty").mkdir()
    succeed(*export(model, str(out / "empty") + "/"))
    before = sorted(os.listdir(out / "empty"))
    assert "not empty" in fail(USAGE, *export(model, out / "empty")) and sorted(os.listdir(out / "empty")) == before
    (out / "file").write_text("mine")
    assert "not a folder" in fail(USAGE, *export(model, out / "file")) and (out / "file").read_text() == "mine"
    assert "not empty" in fail(USAGE, *export(model, model))
    assert "stream" in fail(USAGE, *export(model, "-"))
    assert "can't be made" in fail(RESOURCE, *export(model, out / "no" / "such"))
    assert sorted(os.listdir(out)) == ["empty", "file"]


def test_a_reference_of_a_reference_is_refused(model, out):
    succeed(*export(model, out / "reference"))
    assert "a reference already" in fail(MODEL, *export(out / "reference", out / "again"))
    assert os.listdir(out) == ["reference"]


@pytest.mark.parametrize("heads", ["9-0", "1-99", "missing.json"])
def test_heads_that_are_not_there(model, heads, out):
    assert heads in fail(MODEL, "export-reference", "--model", model, "--heads", heads, "-o", out / "reference")
    assert os.listdir(out) == []


def test_heads_of_another_model_need_force(model, tmp_path, out):
    heads = tmp_path / "heads.json"
    succeed("find-heads", "--model", model, "--import", "1-5,1-12", "-o", heads)
    text = json.loads(heads.read_text())
    heads.write_text(json.dumps(text | {"model": text["model"] | {"fingerprint": "0" * 16}}))
    arguments = ["export-reference", "--model", model, "--heads", heads, "-o", out / "reference"]
    assert "another model" in fail(MODEL, *arguments)
    succeed(*arguments, "--force")


def large(model, folder):
    """The model with a tensor beside it that is passed over and takes a while to copy."""
    shutil.copytree(model, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["zz.rotary_emb.inv_freq"] = np.zeros(400 << 20, np.uint8)
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("sent,code,left", [(signal.SIGINT, INTERRUPTED, 0), (signal.SIGKILL, -signal.SIGKILL, 1)])
def test_an_end_in_the_middle(sent, code, left, model, tmp_path, out):
    process = subprocess.Popen([air_binary(), *map(str, export(large(model, tmp_path / "model"), out / "reference"))],
                               env=clean_environment(), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not os.listdir(out):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.001)
    process.send_signal(sent)
    assert process.wait(timeout=60) == code
    # What a kill leaves has another name, and no config.json: nothing takes it for a model.
    names = os.listdir(out)
    assert len(names) == left and all(name.startswith("reference.tmp.") for name in names)
    assert not any((out / name / "config.json").exists() for name in names)
    succeed(*export(model, out / "reference"))


def test_a_file_that_grows_too_large(model, out):
    """As a full disk would end it."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
    process = subprocess.run([air_binary(), *map(str, export(model, out / "reference"))], env=clean_environment(),
                             preexec_fn=limit, capture_output=True)
    assert process.returncode == RESOURCE and b"writing failed" in process.stderr and os.listdir(out) == []


def peak_memory(arguments):
    """Bytes of a child's own memory at its peak, mapped files not among them: looked at while it runs."""
    process = subprocess.Popen([air_binary(), *map(str, arguments)], env=clean_environment(), stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    peak = max(peak, int(line.split()[1]) * 1024)
        time.sleep(0.002)
    assert process.returncode == 0
    return peak


def test_memory_does_not_grow_with_the_model(model, tmp_path, out):
    small = peak_memory(export(model, out / "small"))
    assert peak_memory(export(large(model, tmp_path / "model"), out / "large")) < small + (100 << 20)  # the tensor has 400 MiB
