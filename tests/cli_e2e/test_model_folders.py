"""What people name as a model and is none yet, or is one in another place: each with the way on."""
import json
import shutil

import numpy as np
import pytest
from air_runner import fail, records, succeed
from safetensors.numpy import load_file, save_file

MODEL = 4    # exit code
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 538090408\n"


@pytest.fixture
def folder(model, tmp_path):
    """A copy of the model, to be broken."""
    shutil.copytree(model, tmp_path / "model")
    return tmp_path / "model"


def refuse(source, traces, **options):
    """The message of all verbs that load a model; score's and inspect's must not differ in what they say."""
    score = fail(MODEL, "score", "--model", source, "--heads", "none", traces, "-o", "-", **options)
    inspect = fail(MODEL, "inspect", "--model", source, **options)
    assert score.splitlines()[-1] == inspect.splitlines()[-1]
    return score


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "config.json"])
def test_a_git_lfs_pointer_is_named(file, folder, traces):
    (folder / file).write_text(POINTER)
    message = fail(MODEL, "score", "--model", folder, "--heads", "none", traces, "-o", "-")
    assert file in message and "Git LFS pointer" in message and "git lfs pull" in message


def test_a_name_on_the_hub_that_was_not_downloaded(traces, tmp_path):
    message = refuse("Qwen/Qwen2.5-0.5B", traces, env={"HF_HOME": str(tmp_path)})
    assert "hf download Qwen/Qwen2.5-0.5B;" in message


def hub_cache(model, home, name="owner/planted", commit="0" * 40, main=True):
    """The layout of huggingface_hub: blobs, and snapshots of links to them."""
    cache = home / "hub" / ("models--" + name.replace("/", "--"))
    snapshot = cache / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (cache / "blobs").mkdir(exist_ok=True)
    for file in model.iterdir():
        shutil.copy(file, cache / "blobs" / file.name)
        (snapshot / file.name).symlink_to(f"../../blobs/{file.name}")
    if main:
        (cache / "refs").mkdir()
        (cache / "refs" / "main").write_text(commit)
    return cache


@pytest.mark.parametrize("main", [True, False])
def test_a_name_on_the_hub_is_found_in_its_cache(main, model, traces, tmp_path):
    hub_cache(model, tmp_path / "home", main=main)
    score = ["score", "--heads", "1-5", traces, "-o", "-", "--model"]
    assert succeed(*score, "owner/planted", env={"HF_HOME": str(tmp_path / "home")}) == succeed(*score, model)
    assert succeed(*score, "owner/planted", env={"HF_HUB_CACHE": str(tmp_path / "home" / "hub")}) == succeed(*score, model)


def test_of_several_snapshots_main_counts(model, traces, tmp_path):
    cache = hub_cache(model, tmp_path, main=False)
    hub_cache(model, tmp_path, commit="1" * 40, main=False)
    environment = {"HF_HOME": str(tmp_path)}
    assert "2 snapshots" in refuse("owner/planted", traces, env=environment)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("1" * 40)
    assert succeed("inspect", "--model", "owner/planted", env=environment)


def test_a_folder_of_the_cache_names_its_snapshot(model, traces, tmp_path):
    cache = hub_cache(model, tmp_path)
    assert f"--model {cache / 'snapshots' / ('0' * 40)}" in refuse(cache, traces)


def test_a_link_that_leads_nowhere(model, traces, tmp_path):
    cache = hub_cache(model, tmp_path)
    (cache / "blobs" / "model.safetensors").unlink()
    message = refuse(cache / "snapshots" / ("0" * 40), traces)
    assert "model.safetensors" in message and "hf download" in message and "cp -rL" in message


def test_a_gguf_file(traces, tmp_path):
    (tmp_path / "model-Q4_K_M.gguf").write_bytes(b"GGUF\x03\0\0\0")
    message = refuse(tmp_path / "model-Q4_K_M.gguf", traces)
    assert "GGUF" in message and "hf download OWNER/NAME" in message


def test_a_folder_of_gguf_files(folder, traces):
    (folder / "model.safetensors").rename(folder / "model-Q8_0.gguf")
    assert "only GGUF" in refuse(folder, traces)


def test_the_weights_in_place_of_their_folder(folder, traces):
    assert f"--model {folder}\n" in refuse(folder / "model.safetensors", traces)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "consolidated.00.pth", "model.pt"])
def test_weights_as_a_pickle_only(name, folder, traces):
    (folder / "model.safetensors").rename(folder / name)
    message = refuse(folder, traces)
    assert "no safetensors weights" in message and ".save_pretrained(" in message


def adapter_on(model, folder, scale=1):
    """A LoRA folder for the model as peft saves one, with random numbers."""
    folder.mkdir()
    rng = np.random.default_rng(5)
    tensors = {}
    for name, weight in load_file(model / "model.safetensors").items():
        if not name.endswith("q_proj.weight"):
            continue
        module = "base_model.model." + name.removesuffix(".weight")
        tensors[module + ".lora_A.weight"] = rng.normal(size=(2, weight.shape[1])).astype(np.float32)
        tensors[module + ".lora_B.weight"] = (scale * rng.normal(size=(weight.shape[0], 2))).astype(np.float32)
    assert tensors
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({
        "peft_type": "LORA", "r": 2, "lora_alpha": 2, "target_modules": ["q_proj"], "base_model_name_or_path": str(model)}))
    return folder


def test_the_manifest_says_what_was_added_and_what_was_passed_over(model, folder, traces, out, tmp_path):
    adapter = adapter_on(model, tmp_path / "adapter")
    config = json.loads((folder / "config.json").read_text()) | {"house_note": 7}
    (folder / "config.json").write_text(json.dumps(config))
    succeed("score", "--model", folder, "--adapter", adapter, "--ignore-config-keys", "house_note", "--heads", "1-5", traces,
            "-o", out / "scored.jsonl")
    manifest = json.loads((out / "scored.jsonl.manifest.json").read_text())
    assert manifest["adapter"] == str(adapter) and manifest["ignored_config_keys"] == ["house_note"]


def test_an_adapter_is_part_of_the_models_fingerprint(model, traces, out, tmp_path):
    score = ["score", "--model", model, "--heads", "1-5", traces, "-o", out / "scored.jsonl", "--adapter"]
    adapters = [adapter_on(model, tmp_path / f"adapter{scale}", scale) for scale in (1, 2)]
    found = []
    for adapter in adapters:
        succeed(*score, adapter)
        found.append(json.loads((out / "scored.jsonl.manifest.json").read_text())["fingerprint"])
    assert found[0] != found[1]


def test_an_adapters_base_is_found_by_its_name_on_the_hub(model, traces, tmp_path):
    hub_cache(model, tmp_path / "home")
    adapter = adapter_on(model, tmp_path / "adapter")
    config = json.loads((adapter / "adapter_config.json").read_text()) | {"base_model_name_or_path": "owner/planted"}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    score = ["score", "--heads", "1-5", traces, "-o", "-"]
    environment = {"HF_HOME": str(tmp_path / "home")}
    found = records(succeed(*score, "--model", adapter, env=environment))
    assert found == records(succeed(*score, "--model", model, "--adapter", adapter))
    message = fail(MODEL, *score, "--model", adapter, env={"HF_HOME": str(tmp_path / "empty")})
    assert "hf download owner/planted" in message and f"--model BASE --adapter {adapter}" in message
