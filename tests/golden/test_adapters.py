"""LoRA adapters against transformers: the losses of a folder with an adapter are those of the merged weights.

The merge is peft's published formula in a few lines of torch, W + scale · B · A; where peft is installed, its own merged model
too, made from folders that it saved."""
import json
import re

import numpy as np
import pytest
import tiny_models
import torch
from air_runner import fail, records, run, succeed, write_records
from family_models import make_model
from logits import Window
from reference import ModelReference, Plan, TextReference, forward_logits
from safetensors.torch import load_file, save_file
from test_families import SEQUENCES, TOLERANCE, losses_of, nll_of

MODEL = 4      # exit code
RANK, ALPHA = 4, 12
TARGETS = ["q_proj", "v_proj", "down_proj"]


@pytest.fixture(scope="module")
def window():
    window = Window()
    yield window
    window.close()


def modules_of(tensors, targets):
    """Module names, as peft writes them, of the matrices that an adapter changes."""
    return [name.removesuffix(".weight") for name in tensors if re.search(rf"\.({'|'.join(targets)})\.weight$", name)]


def make_adapter(folder, base, targets=TARGETS, ranks=None, replaced=(), rename=lambda module: module, **config):
    """A random LoRA folder as peft saves it. Returns what it adds: {module: (A, B)}, and what it replaces."""
    generator = torch.Generator().manual_seed(3)
    tensors = load_file(base / "model.safetensors")
    folder.mkdir(exist_ok=True)
    pairs, saved = {}, {}
    for module in modules_of(tensors, targets):
        rank = (ranks or {}).get(module.rsplit(".", 1)[-1], RANK)
        out, into = tensors[module + ".weight"].shape
        a, b = torch.randn(rank, into, generator=generator) * 0.2, torch.randn(out, rank, generator=generator) * 0.2
        pairs[module] = (a, b)
        saved |= {f"base_model.model.{rename(module)}.lora_A.weight": a, f"base_model.model.{rename(module)}.lora_B.weight": b}
    whole = {name: torch.randn(tensors[name].shape, generator=generator) * 0.2 for name in replaced}
    saved |= {f"base_model.model.{name}": tensor for name, tensor in whole.items()}
    save_file(saved, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": str(base), "r": RANK,
                "lora_alpha": ALPHA, "bias": "none", "target_modules": targets, "init_lora_weights": True,
                "rank_pattern": ranks or {}} | config
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return pairs, whole


def make_merged(folder, base, pairs, scales, whole=()):
    """The base with the adapter in its weights: the reference."""
    tensors = load_file(base / "model.safetensors")
    for module, (a, b) in pairs.items():
        tensors[module + ".weight"] = (tensors[module + ".weight"].float() + scales(module) * (b.float() @ a.float()))
    for name, tensor in dict(whole).items():
        tensors[name] = tensor
    folder.mkdir()
    (folder / "config.json").write_bytes((base / "config.json").read_bytes())
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors",
              metadata={"format": "pt"})
    return folder


def check_losses(window, folder, merged, **source):
    """Losses of air with the adapter against those of transformers on the merged weights; the base alone is far off."""
    reference = ModelReference(merged)
    expected = nll_of(np.concatenate([forward_logits(reference.model, ids, Plan(), "eager") for ids in SEQUENCES]), SEQUENCES)
    found = losses_of(window.run(folder, SEQUENCES, [[]], **source)["nll"][0], SEQUENCES)
    base = losses_of(window.run(folder, SEQUENCES, [[]], adapter="none")["nll"][0], SEQUENCES) if source else None
    assert np.abs(found - expected).max() < TOLERANCE
    assert base is None or np.abs(base - expected).max() > 0.05, "the adapter changes nothing: the comparison says nothing"


CASES = {
    "plain": ({}, lambda module: ALPHA / RANK),
    "rslora": ({"use_rslora": True}, lambda module: ALPHA / RANK**0.5),
    "patterns": ({"ranks": {"v_proj": 2}, "alpha_pattern": {"layers.1.self_attn.q_proj": 20, "down_proj": 3}},
                 lambda module: {"v_proj": ALPHA / 2, "down_proj": 3 / RANK}.get(
                     module.rsplit(".", 1)[-1], 20 / RANK if "layers.1." in module else ALPHA / RANK)),
}


@pytest.mark.parametrize("name", CASES)
def test_an_adapter_is_added_to_the_weights(name, window, tmp_path):
    keys, scales = CASES[name]
    make_model(tmp_path / "base", "llama", "gqa")
    pairs, _ = make_adapter(tmp_path / "adapter", tmp_path / "base", **keys)
    merged = make_merged(tmp_path / "merged", tmp_path / "base", pairs, scales)
    check_losses(window, tmp_path / "base", merged, adapter=str(tmp_path / "adapter"))


@pytest.mark.parametrize("family,name,targets", [
    ("phi3", "default", ["qkv_proj", "gate_up_proj"]),      # three matrices in one
    ("qwen2", "mha-tied", ["q_proj", "k_proj"]),
    ("qwen3_moe", "normalised", ["o_proj", "gate"]),
])
def test_families(family, name, targets, window, tmp_path):
    make_model(tmp_path / "base", family, name)
    pairs, _ = make_adapter(tmp_path / "adapter", tmp_path / "base", targets)
    merged = make_merged(tmp_path / "merged", tmp_path / "base", pairs, lambda module: ALPHA / RANK)
    check_losses(window, tmp_path / "base", merged, adapter=str(tmp_path / "adapter"))


def test_a_wrapper_has_other_names_in_memory_than_on_disk(window, tmp_path):
    """transformers' module is model.language_model.layers…, the checkpoint says language_model.model.layers…"""
    make_model(tmp_path / "base", "mistral3", "ministral3")
    pairs, _ = make_adapter(tmp_path / "adapter", tmp_path / "base",
                            rename=lambda module: module.replace("language_model.model.", "model.language_model."))
    assert any("language_model.model.layers" in module for module in pairs)
    kept = {module: pair for module, pair in pairs.items() if "language_model" in module}
    merged = make_merged(tmp_path / "merged", tmp_path / "base", kept, lambda module: ALPHA / RANK)
    check_losses(window, tmp_path / "base", merged, adapter=str(tmp_path / "adapter"))


@pytest.mark.parametrize("name,replaced", [
    ("gqa", ["lm_head.weight", "model.embed_tokens.weight"]),
    ("mha-tied-biases", ["lm_head.weight", "model.embed_tokens.weight"]),
    ("mha-tied-biases", ["model.embed_tokens.weight"]),
])
def test_modules_to_save_take_the_place_of_the_models_own(name, replaced, window, tmp_path):
    base = tmp_path / "base"
    make_model(base, "llama", name)
    tensors = load_file(base / "model.safetensors")
    tied = "lm_head.weight" not in tensors
    if tied:    # for the shape of what replaces it
        save_file(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"].clone()}, base / "model.safetensors",
                  metadata={"format": "pt"})
    pairs, whole = make_adapter(tmp_path / "adapter", base, replaced=replaced, modules_to_save=["lm_head", "embed_tokens"])
    merged = make_merged(tmp_path / "merged", base, pairs, lambda module: ALPHA / RANK, whole)
    config = json.loads((merged / "config.json").read_text()) | {"tie_word_embeddings": False}
    (merged / "config.json").write_text(json.dumps(config))
    if tied:
        save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    check_losses(window, base, merged, adapter=str(tmp_path / "adapter"))


def test_an_adapter_folder_leads_to_its_base(window, tmp_path):
    make_model(tmp_path / "base", "llama", "gqa")
    pairs, _ = make_adapter(tmp_path / "adapter", tmp_path / "base")
    merged = make_merged(tmp_path / "merged", tmp_path / "base", pairs, lambda module: ALPHA / RANK)
    check_losses(window, tmp_path / "adapter", merged)


def test_an_adapter_beside_the_weights_is_applied(window, tmp_path):
    """Case M08b: transformers' PEFT integration loads it too."""
    base = tmp_path / "base"
    make_model(base, "llama", "gqa")
    pairs, _ = make_adapter(base, base, base_model_name_or_path="somebody/something")
    merged = make_merged(tmp_path / "merged", base, pairs, lambda module: ALPHA / RANK)
    check_losses(window, base, merged)
    alone = window.run(base, SEQUENCES, [[]], adapter="none")["nll"]
    (base / "adapter_config.json").unlink()
    assert np.array_equal(alone, window.run(base, SEQUENCES, [[]])["nll"])


@pytest.mark.parametrize("change,says", [
    ({"use_dora": True}, "use_dora"), ({"bias": "all"}, "bias"), ({"peft_type": "IA3"}, "IA3"), ({"lora_bias": True}, "lora_bias"),
    ({"fan_in_fan_out": True}, "fan_in_fan_out"), ({"init_lora_weights": "pissa"}, "pissa"), ({"r": 5}, "rank"),
    ({"target_parameters": ["mlp.experts.gate_up_proj"]}, "target_parameters"), ({"secret": 1}, "secret"),
    ({"trainable_token_indices": [3]}, "trainable_token_indices"), ({"alpha_pattern": {"(": 3}}, '"("'),
])
def test_what_is_not_applied_is_refused_by_name(change, says, window, tmp_path):
    make_model(tmp_path / "base", "llama", "gqa")
    make_adapter(tmp_path / "adapter", tmp_path / "base", **change)
    assert says in window.ask(model=str(tmp_path / "base"), adapter=str(tmp_path / "adapter"), sequences=[[1]],
                              variants=[[]])["error"]


@pytest.mark.parametrize("rename,says", [
    (lambda name: name.replace("layers.2", "layers.7"), "model.layers.7."),  # the first by name
    (lambda name: name.replace("v_proj.lora_B", "v_proj.lora_B.other"), "lora_B.other"),
    (lambda name: name.replace("q_proj.lora_A.weight", "q_proj.lora_magnitude_vector"), "lora_magnitude_vector"),
    (lambda name: name.removeprefix("base_model.model."), "model.layers"),
])
def test_tensors_that_fit_nothing_are_named(rename, says, window, tmp_path):
    make_model(tmp_path / "base", "llama", "gqa")
    make_adapter(tmp_path / "adapter", tmp_path / "base")
    path = tmp_path / "adapter" / "adapter_model.safetensors"
    save_file({rename(name): tensor for name, tensor in load_file(path).items()}, path)
    assert says in window.ask(model=str(tmp_path / "base"), adapter=str(tmp_path / "adapter"), sequences=[[1]],
                              variants=[[]])["error"]


@pytest.mark.parametrize("targets", [["embed_tokens", "q_proj"], ["lm_head", "q_proj"]])
def test_an_update_of_a_tied_matrix_is_refused(targets, window, tmp_path):
    base = tmp_path / "base"
    make_model(base, "llama", "gqa")
    make_adapter(tmp_path / "adapter", base, ["q_proj"])
    tensors = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    module = "lm_head" if "lm_head" in targets else "model.embed_tokens"
    tensors |= {f"base_model.model.{module}.lora_A.weight": torch.zeros(RANK, 48),
                f"base_model.model.{module}.lora_B.weight": torch.zeros(96, RANK)}
    save_file(tensors, tmp_path / "adapter" / "adapter_model.safetensors")
    config = json.loads((base / "config.json").read_text()) | {"tie_word_embeddings": True}
    (base / "config.json").write_text(json.dumps(config))
    assert module in window.ask(model=str(base), adapter=str(tmp_path / "adapter"), sequences=[[1]], variants=[[]])["error"]


@pytest.mark.parametrize("settings", [
    {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"},
    {"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "embed_tokens"], "modules_to_save": ["lm_head"]},
    {"r": 4, "lora_alpha": 8, "target_modules": ["k_proj", "up_proj"], "use_rslora": True, "rank_pattern": {"k_proj": 2}},
])
def test_what_peft_saves_and_merges(settings, window, tmp_path):
    peft = pytest.importorskip("peft")
    base = tmp_path / "base"
    model = make_model(base, "llama", "gqa")
    model.config._name_or_path = str(base)
    model = peft.get_peft_model(model, peft.LoraConfig(task_type="CAUSAL_LM", init_lora_weights=False, **settings))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad:
                weight.normal_(0, 0.2)
    model.save_pretrained(tmp_path / "adapter")
    model.merge_and_unload().save_pretrained(tmp_path / "merged")
    check_losses(window, base, tmp_path / "merged", adapter=str(tmp_path / "adapter"))


def test_the_verbs(tmp_path):
    """As users go: --adapter beside --model, an adapter folder with its own tokenizer, fingerprints that differ."""
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    make_model(base, "llama", "gqa", config={"vocab_size": tiny_models.VOCAB_SIZE})
    pairs, _ = make_adapter(adapter, base)
    tiny_models.make_tokenizer(base, add_bos=False)
    merged = make_merged(tmp_path / "merged", base, pairs, lambda module: ALPHA / RANK)
    traces = [{"prompt": "How many clips?", "response": "She sold 48/2 = 24 clips in May.\n\nThe answer is 72."}]
    path = write_records(tmp_path / "traces.jsonl", traces)
    encoded = TextReference(base).encode(**traces[0])
    expected, _ = ModelReference(merged).token_losses(encoded.ids, encoded.response_begin)
    out = tmp_path / "scored.jsonl"
    for source in (["--model", base, "--adapter", adapter], ["--model", adapter]):
        succeed("score", *source, "--heads", "1-0", "--token-losses", path, "-o", out)
        np.testing.assert_allclose(records(out.read_bytes())[0]["air"]["tokens"]["base_nll"], expected, atol=TOLERANCE)
    manifest = json.loads((tmp_path / "scored.jsonl.manifest.json").read_text())
    adapted = json.loads(succeed("inspect", "--model", base, "--adapter", adapter, "--json"))
    plain = json.loads(succeed("inspect", "--model", base, "--json"))
    assert manifest["fingerprint"] == adapted["fingerprint"] != plain["fingerprint"]
    assert adapted["adapter"] == str(adapter) and plain["adapter"] is None
    heads = tmp_path / "heads.json"
    heads.write_text(json.dumps({"schema": "air.heads/1", "heads": ["1-0"], "model": {
        "model_type": "llama", "num_hidden_layers": 3, "num_attention_heads": 4, "fingerprint": plain["fingerprint"]}}))
    message = fail(MODEL, "score", "--model", base, "--adapter", adapter, "--heads", heads, path)
    assert "fingerprint" in message
    assert run("score", "--model", base, "--heads", heads, path).returncode == 0


def test_an_adapter_whose_base_is_not_here(tmp_path):
    make_model(tmp_path / "base", "llama", "gqa")
    make_adapter(tmp_path / "adapter", tmp_path / "base", base_model_name_or_path="somebody/Base-7B")
    message = fail(MODEL, "inspect", "--model", tmp_path / "adapter")
    assert '"somebody/Base-7B" is not a folder' in message and "hf download somebody/Base-7B" in message
    assert f"--model BASE --adapter {tmp_path / 'adapter'}" in message
    assert "adapter_config.json" in fail(MODEL, "inspect", "--model", tmp_path / "base", "--adapter", tmp_path / "base")
