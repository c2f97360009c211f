"""`air export-reference` against transformers: the exported folder, in eager attention, has the losses that air gives the masked heads.

One configuration of each way in which queries are stored is tried every day; all of them with -m slow.
"""
import json

import numpy as np
import pytest
import tiny_models
import torch
from air_runner import GSM8K, fail, published_model, records, succeed, write_records
from family_models import FAMILIES, cases, make_model
from logits import Window
from reference import ModelReference, Plan, TextReference, forward_logits
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from test_families import SEQUENCES, losses_of, masks, nll_of
from test_fp8 import quantise
from test_smollm2 import HEADS, TRACES

TOLERANCE = 1e-4
MODEL = 4    # exit code

# What differs in how a family keeps its queries: biases, windows, one matrix for q, k and v, output gates, norms of each kind,
# soft caps, sinks, multimodal names, recurrent layers between, partial RoPE, layers without positions.
EVERYDAY = [("llama", "mha-tied-biases"), ("mistral", "window"), ("qwen3", "gqa"), ("qwen3_next", "grouped"), ("qwen3_5", "text-part"),
            ("phi3", "gqa-window-tied"), ("olmo2", "gqa-tied-bias"), ("olmoe", "gqa-clip-normalised"), ("olmo_hybrid", "grouped"),
            ("stablelm", "qk_layernorm-tied"), ("hunyuan_v1_dense", "alpha"), ("gemma2", "caps-windows"), ("gemma3", "text-part"),
            ("gpt_oss", "sinks-windows"), ("smollm3", "nope"), ("glm4", "partial"), ("starcoder2", "gqa"), ("lfm2", "conv"),
            ("deepseek_v3", "groups"), ("deepseek_v2", "greedy"), ("falcon_h1", "norm-before-gate-tied")]
OTHERS = [case for case in cases() if case not in EVERYDAY]
ZERO = [("llama", "mha-tied-biases"), ("gemma2", "caps-windows"), ("qwen3_5_text", "grouped"), ("olmo2", "gqa-tied-bias"),
        ("gpt_oss", "sinks-windows"), ("phi3", "default")]


@pytest.fixture(scope="module")
def window():
    window = Window(logits=False)
    yield window
    window.close()


def names_of(heads):
    return ",".join(f"{layer}-{head}" for layer, head in heads)


def export(folder, heads, out, *flags):
    succeed("export-reference", "--model", folder, "--heads", heads, "-o", out, *flags)
    return out


def eager_losses(folder, sequences=SEQUENCES):
    model = ModelReference(folder).model
    return nll_of(np.concatenate([forward_logits(model, ids, Plan(), "eager") for ids in sequences]), sequences)


def check(family, name, mode, window, tmp_path):
    folder = tmp_path / "model"
    make_model(folder, family, name)
    reference = ModelReference(folder)
    for i, heads in enumerate(masks(reference.attention_layers, reference.num_heads)[1:]):
        out = export(folder, names_of(heads), tmp_path / f"reference{i}", "--mask", mode)
        base, masked = (losses_of(nll, SEQUENCES) for nll in window.run(folder, SEQUENCES, [[], heads], mode)["nll"])
        assert np.abs(masked - base).max() > 10 * TOLERANCE, "masking changes nothing: the comparison says nothing"
        np.testing.assert_allclose(eager_losses(out), masked, atol=TOLERANCE)
        np.testing.assert_allclose(losses_of(window.run(out, SEQUENCES, [[]])["nll"][0], SEQUENCES), masked, atol=TOLERANCE)


@pytest.mark.parametrize("family,name", EVERYDAY)
def test_losses_of_the_exported_folder(family, name, window, tmp_path):
    check(family, name, "uniform", window, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("family,name", OTHERS)
def test_losses_of_every_other_configuration(family, name, window, tmp_path):
    check(family, name, "uniform", window, tmp_path)


@pytest.mark.parametrize("family,name", ZERO)
def test_heads_that_put_out_zero(family, name, window, tmp_path):
    check(family, name, "zero", window, tmp_path)


def test_fp8_stays_fp8(window, tmp_path):
    """Zeros of FP8 are zeros whatever they are scaled by."""
    base, packed = tmp_path / "base", tmp_path / "packed"
    make_model(base, "qwen3", "gqa")
    tensors = load_file(base / "model.safetensors")
    for name in [name for name in tensors if name.endswith("_proj.weight")]:
        tensors[name], tensors[name + "_scale_inv"], _ = quantise(tensors[name].float(), by_block=True)
    packed.mkdir()
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, packed / "model.safetensors")
    config = json.loads((base / "config.json").read_text()) | {"quantization_config": {
        "quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [16, 16]}}
    (packed / "config.json").write_text(json.dumps(config))
    out = export(packed, "1-1,2-0", tmp_path / "out")
    assert load_file(out / "model.safetensors")["model.layers.1.self_attn.q_proj.weight"].dtype == torch.float8_e4m3fn
    masked = window.run(packed, SEQUENCES, [[[1, 1], [2, 0]]])["nll"]
    assert (window.run(out, SEQUENCES, [[]])["nll"] == masked).all()


@pytest.mark.parametrize("family,name,mode", [("llama", "mha-tied-biases", "uniform"), ("qwen3_next", "grouped", "uniform"),
                                              ("olmo2", "mha", "uniform"), ("phi3", "gqa-window-tied", "zero")])
def test_all_other_bytes_are_the_models_own(family, name, mode, tmp_path):
    """Shards, metadata, index and dtype as they were; in the changed tensors only zeros are new, in the rows of the head."""
    folder = tmp_path / "model"
    make_model(folder, family, name, dtype=torch.bfloat16, max_shard_size="40KB")
    layer = ModelReference(folder).attention_layers[-1]
    out = export(folder, f"{layer}-2", tmp_path / "out", "--mask", mode)
    files = sorted(path.name for path in folder.iterdir())
    assert sorted(path.name for path in out.iterdir()) == sorted([*files, "air_reference.json"]) and len(files) > 4
    changed = set()
    for file in files:
        before, after = (folder / file).read_bytes(), (out / file).read_bytes()
        assert len(before) == len(after)
        if not file.endswith(".safetensors"):
            assert before == after
            continue
        differences = np.frombuffer(before, np.uint8) != np.frombuffer(after, np.uint8)
        assert (np.frombuffer(after, np.uint8)[differences] == 0).all()
        with safe_open(folder / file, "pt") as old, safe_open(out / file, "pt") as new:
            assert old.metadata() == new.metadata()
            changed |= {key for key in old.keys() if not torch.equal(old.get_tensor(key), new.get_tensor(key))}
    note = json.loads((out / "air_reference.json").read_text())
    assert set(note["changed_tensors"]) == changed and len(changed) in (1, 2)
    assert note["heads"] == [f"{layer}-2"] and note["mask"] == mode and note["schema"] == "air.reference/1"


def test_the_way_that_users_go(tmp_path):
    """Text in, losses out: ref_nll of `air score` is what transformers gives the exported folder, and air as well."""
    folder = tmp_path / "model"
    make_model(folder, "gemma3_text", "windows", config={"vocab_size": tiny_models.VOCAB_SIZE})
    tiny_models.make_tokenizer(folder, add_bos=False)
    traces = [{"prompt": "How many clips?", "response": "She sold 48/2 = 24 clips in May.\n\nThe answer is 72."},
              {"prompt": "Count.", "response": " ".join(str(i * i) for i in range(25))}]
    written = write_records(tmp_path / "traces.jsonl", traces)
    out = export(folder, "1-0,1-3,2-2", tmp_path / "reference")
    score = lambda model, heads: records(succeed("score", "--model", model, "--heads", heads, "--order", "input", "--token-losses", written))
    model = ModelReference(out).model
    model.set_attn_implementation("eager")
    for trace, masked, own in zip(traces, score(folder, "1-0,1-3,2-2"), score(out, "none"), strict=True):
        np.testing.assert_allclose(own["air"]["tokens"]["base_nll"], masked["air"]["tokens"]["ref_nll"], atol=TOLERANCE)
        encoded = TextReference(out).encode(**trace)
        logits = forward_logits(model, encoded.ids, Plan())[encoded.response_begin - 1:-1]
        expected = -torch.tensor(logits).double().log_softmax(-1).gather(1, torch.tensor(encoded.ids[encoded.response_begin:]).unsqueeze(1))
        np.testing.assert_allclose(masked["air"]["tokens"]["ref_nll"], expected[:, 0].numpy(), atol=TOLERANCE)


@pytest.mark.parametrize("name,count", [("smollm2", 4), pytest.param("smollm2", 50, marks=pytest.mark.slow),
                                        pytest.param("gemma-3-270m", 20, marks=pytest.mark.slow)])
def test_real_models(name, count, tmp_path, request):
    folder = request.getfixturevalue("demo_model") if name == "smollm2" else published_model(name)
    heads = HEADS if name == "smollm2" else "3-0,5-2,11-1"
    written = write_records(tmp_path / "traces.jsonl", TRACES[:count])
    scored = records(succeed("score", "--model", folder, "--heads", heads, "--order", "input", "--token-losses", written))
    out = export(folder, heads, tmp_path / "reference")
    model = ModelReference(out).model
    shown = records(succeed("inspect", "--model", out, written))
    for record, trace in zip(scored, shown, strict=True):
        begin = trace["response_begin"]
        logits = torch.tensor(forward_logits(model, trace["ids"], Plan(), "eager")[begin - 1:-1]).double()
        expected = -logits.log_softmax(-1).gather(1, torch.tensor(trace["ids"][begin:]).unsqueeze(1))[:, 0]
        np.testing.assert_allclose(record["air"]["tokens"]["ref_nll"], expected.numpy(), atol=TOLERANCE)


def test_an_adapter_is_refused(tmp_path):
    """Its update of a query matrix is added after the zeros."""
    folder, adapter = tmp_path / "model", tmp_path / "adapter"
    make_model(folder, "llama", "gqa")
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": str(folder)}))
    message = fail(MODEL, "export-reference", "--model", folder, "--adapter", adapter, "--heads", "1-1", "-o", tmp_path / "out")
    assert str(adapter) in message and "merge" in message and not (tmp_path / "out").exists()


def test_an_adapter_beside_the_weights_is_left_out(tmp_path):
    """transformers would put it on the reference."""
    folder = tmp_path / "model"
    make_model(folder, "llama", "gqa")
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    (folder / "adapter_model.safetensors").write_bytes(b"")
    out = export(folder, "1-1", tmp_path / "out", "--adapter", "none")
    assert not list(out.glob("adapter*"))
