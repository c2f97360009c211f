"""Every family against transformers on tiny random models: logits and token losses, base and with heads masked.

With AIR_WRITE_DOCS=1 the rows of docs/families.md's table are written for the families of this run.
"""
import json
import math
import os
import re
import shutil
from collections import defaultdict

import numpy as np
import pytest
import tiny_models
import torch
from air_runner import REPOSITORY, records, succeed, write_records
from family_models import FAMILIES, LONG, SHORT, VOCAB_SIZE, cases, make_model
from logits import Window
from reference import ModelReference, Plan, TextReference, exact_logits, forward_logits, parse_heads
from safetensors.torch import load_file, save_file

TOLERANCE = 1e-4
FURTHER = 1.3     # how much further from float32 than transformers' bfloat16: what chance makes of roundings of so few tokens
DRAWS_OF_MIXTURES = 9
DOCUMENT = REPOSITORY / "docs" / "families.md"

torch.set_num_threads(1)     # the models are too small for more
_random = np.random.default_rng(0)
SEQUENCES = [_random.integers(2, VOCAB_SIZE - 4, length).tolist() for length in (LONG, SHORT)]


@pytest.fixture(scope="module")
def window():
    window = Window()
    yield window
    window.close()


@pytest.fixture(scope="module")
def bfloat16_errors():
    """family: the error of air's losses in bfloat16 over that of transformers'."""
    return {}


@pytest.fixture(scope="module")
def table():
    """family: rows of the documentation, filled by the tests."""
    rows = defaultdict(dict)
    yield rows
    if os.environ.get("AIR_WRITE_DOCS") == "1":
        write_table(rows)


def masks(layers, heads):
    """Base, 5 % of the heads (rounded up, at least two), all heads of a layer. layers: those that have heads."""
    count = max(2, math.ceil(0.05 * len(layers) * heads))
    chosen = np.random.default_rng(1).choice(len(layers) * heads, count, replace=False)
    return [[], [(layers[head // heads], int(head % heads)) for head in chosen],
            [(layers[min(1, len(layers) - 1)], head) for head in range(heads)]]


def nll_of(logits, sequences):
    """Losses of the tokens that follow; the last row of a sequence predicts nothing."""
    rows, begin = [], 0
    for ids in sequences:
        log_p = torch.tensor(logits[begin:begin + len(ids) - 1]).double().log_softmax(-1)
        rows.append(-log_p.gather(1, torch.tensor(ids[1:]).unsqueeze(1))[:, 0].numpy())
        begin += len(ids)
    return np.concatenate(rows)


def losses_of(nll, sequences):
    """Rows of air's losses that predict a token of the same sequence."""
    keep, begin = [], 0
    for ids in sequences:
        keep += range(begin, begin + len(ids) - 1)
        begin += len(ids)
    return nll[keep]


def logits_of_texts(forward, model, sequences, prefix, *how):
    """Logits of each sequence by itself, after the one that prefix says (-1: none)."""
    whole = [(sequences[before] if before >= 0 else []) + ids for ids, before in zip(sequences, prefix, strict=True)]
    return np.concatenate([forward(model, text, *how)[-len(ids):] for text, ids in zip(whole, sequences, strict=True)])


def compare(window, folder, mode="uniform", sequences=SEQUENCES, masked=None, prefix=None, check_scale=False, **more):
    """Largest differences (logits base, logits masked, losses) between air, packed, and transformers in float32, one by one.

    masked: heads in place of those of masks(). prefix: for each sequence the one before it that it continues, or -1. check_scale:
    transformers' own roundings must be half of TOLERANCE or less."""
    reference = ModelReference(folder)
    variants = [[], masked] if masked else masks(reference.attention_layers, reference.num_heads)
    found = window.run(folder, sequences, variants, mode, **more | ({"prefix": prefix} if prefix else {}))
    prefix = prefix or [-1] * len(sequences)
    plans = [Plan(frozenset(variant), mode) for variant in variants]
    expected = [logits_of_texts(forward_logits, reference.model, sequences, prefix, plan, None if plan.masked else "eager")
                for plan in plans]
    expected_nll = [nll_of(logits, sequences) for logits in expected]
    for nll in expected_nll[1:]:
        assert np.abs(nll - expected_nll[0]).max() > 20 * TOLERANCE, "masking changes nothing: the comparison says nothing"
    if check_scale:
        exact = ModelReference(folder, exact=True).model
        for plan, logits, nll in zip(plans, expected, expected_nll, strict=True):
            truth = logits_of_texts(exact_logits, exact, sequences, prefix, plan)
            rounding = max(np.abs(logits - truth).max(), np.abs(nll - nll_of(truth, sequences)).max())
            assert rounding <= TOLERANCE / 2, (f"{reference.model.config.model_type}: transformers in float32 is {rounding:.1e} from "
                                               f"float64; such a model holds no float32 to {TOLERANCE}: draw a gentler one")
    logits = [np.abs(ours - theirs).max() for ours, theirs in zip(found["logits"], expected, strict=True)]
    losses = [np.abs(losses_of(ours, sequences) - theirs).max() for ours, theirs in zip(found["nll"], expected_nll, strict=True)]
    return logits[0], max(logits[1:]), max(losses)


@pytest.mark.parametrize("family,name", cases())
def test_logits_and_losses(family, name, window, table, tmp_path):
    make_model(tmp_path / "model", family, name)
    differences = compare(window, tmp_path / "model", check_scale=True)
    table[family][name] = differences
    assert max(differences) < TOLERANCE


def test_a_model_that_amplifies_roundings_is_refused(window, tmp_path):
    model = make_model(tmp_path / "model", "llama", "gqa")
    with torch.no_grad():
        for layer in model.model.layers:
            layer.self_attn.q_proj.weight *= 30
    model.save_pretrained(tmp_path / "model")
    with pytest.raises(AssertionError, match="llama: transformers in float32 is .* from float64"):
        compare(window, tmp_path / "model", check_scale=True)


def test_a_percent_of_any_weight_is_seen(tmp_path):
    """The model with the most kinds of parts: it is gentle, and yet each of them shows in the logits far above TOLERANCE."""
    make_model(tmp_path / "model", "gemma4", "E2B")
    model = ModelReference(tmp_path / "model").model
    run = lambda: forward_logits(model, SEQUENCES[0], Plan())
    base, generator = run(), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.model.language_model.named_parameters():
            kept = weight.clone()
            weight *= 1 + 0.01 * torch.randn(weight.shape, generator=generator)
            assert np.abs(run() - base).max() > 50 * TOLERANCE, name
            weight.copy_(kept)


@pytest.mark.parametrize("family", ["gemma2", "gpt_oss", "mistral", "cohere2"])
def test_mask_mode_zero(family, window, tmp_path):
    make_model(tmp_path / "model", family, next(iter(FAMILIES[family])))
    assert max(compare(window, tmp_path / "model", "zero")) < TOLERANCE


def errors_in_bfloat16(window, folder, model, **more):
    """Mean errors of losses in bfloat16, of air and of transformers (on the CPU), against transformers in float32."""
    def reference_losses(model):
        return nll_of(np.concatenate([forward_logits(model, ids, Plan(), "eager") for ids in SEQUENCES]), SEQUENCES)

    found = losses_of(window.run(folder, SEQUENCES, [[]], dtype="bfloat16", **more)["nll"][0], SEQUENCES)
    exact, expected = reference_losses(ModelReference(folder).model), reference_losses(model.to(torch.bfloat16))
    return np.abs(found - exact).mean(), np.abs(expected - exact).mean()


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16(family, window, table, bfloat16_errors, tmp_path):
    """bfloat16 weights: computed in float32 they are exact; computed in bfloat16 they are no further from float32 than
    transformers' bfloat16 is. Where experts are chosen, a rounding can choose another one, in both: a few tokens then decide the mean
    of a model, and many models are drawn."""
    errors = []
    for seed in range(DRAWS_OF_MIXTURES):
        folder = tmp_path / f"model{seed}"
        model = make_model(folder, family, next(iter(FAMILIES[family])), seed=seed, dtype=torch.bfloat16)
        if seed == 0:
            assert max(compare(window, folder)) < TOLERANCE
        errors.append(errors_in_bfloat16(window, folder, model))
        if not any("experts" in name for name, _ in model.named_parameters()):
            break
    own_error, error = np.median(errors, axis=0)
    table[family]["bfloat16"] = (own_error, error)
    bfloat16_errors[family] = own_error / error
    assert own_error < FURTHER * error


def test_bfloat16_of_all_families(bfloat16_errors):
    """States and logits in float32 make it closer to float32 than transformers' bfloat16 is."""
    ratios = [bfloat16_errors[family] for family in FAMILIES if family in bfloat16_errors]
    if len(ratios) < len(FAMILIES):
        pytest.skip("not all families ran")
    assert np.exp(np.mean(np.log(ratios))) < 0.85


@pytest.mark.parametrize("family,name", [("gemma2", "caps-windows"), ("gpt_oss", "sinks-windows"), ("mistral", "window"),
                                         ("smollm3", "nope"), ("glm4", "partial"), ("llama", "yarn"), ("gemma4_text", "31B"),
                                         ("deepseek_v3", "groups")])
def test_attention_rows(family, name, window, tmp_path):
    make_model(tmp_path / "model", family, name)
    reference = ModelReference(tmp_path / "model")
    rows = range(20, LONG)
    plan = Plan(rows=rows)
    forward_logits(reference.model, SEQUENCES[0], plan)
    found = window.run(tmp_path / "model", SEQUENCES[:1], [[]], attention_rows=list(rows))["attention"]
    np.testing.assert_allclose(found, np.stack([layer.numpy() for layer in plan.attention]), atol=1e-5)


@pytest.mark.parametrize("family,name", [("gemma3_text", "windows"), ("gpt_oss", "sinks-windows"), ("qwen3_moe", "normalised")])
def test_air_score(family, name, tmp_path):
    """The way that users go: text in, losses out."""
    folder = tmp_path / "model"
    make_model(folder, family, name, config={"vocab_size": tiny_models.VOCAB_SIZE})
    tiny_models.make_tokenizer(folder, add_bos=False)
    traces = [{"prompt": "How many clips?", "response": "She sold 48/2 = 24 clips in May.\n\nThe answer is 72."},
              {"prompt": "Count.", "response": " ".join(str(i * i) for i in range(25))}]
    output = succeed("score", "--model", folder, "--heads", "1-0,1-3,2-2", "--order", "input", "--token-losses",
                     write_records(tmp_path / "traces.jsonl", traces))
    reference = ModelReference(folder)
    for trace, record in zip(traces, records(output), strict=True):
        encoded = TextReference(folder).encode(**trace)
        for key, heads in {"base_nll": [], "ref_nll": parse_heads("1-0,1-3,2-2")}.items():
            expected, _ = reference.token_losses(encoded.ids, encoded.response_begin, heads)
            np.testing.assert_allclose(record["air"]["tokens"][key], expected, atol=TOLERANCE)


# Recurrent layers work in chunks of 64 tokens.

HYBRIDS = [("qwen3_5_text", "grouped"), ("qwen3_next", "grouped"), ("olmo_hybrid", "grouped"), ("lfm2", "bias-untied"),
           ("nemotron_h", "latent-biases"), ("falcon_h1", "norm-before-gate-tied"), ("granitemoehybrid", "mamba-dense-rope")]


@pytest.mark.parametrize("family,name", HYBRIDS)
def test_chunk_borders(family, name, window, tmp_path):
    make_model(tmp_path / "model", family, name, config={"max_position_embeddings": 512})
    random = np.random.default_rng(1)
    sequences = [random.integers(2, VOCAB_SIZE - 4, length).tolist() for length in (63, 1, 64, 130, 65, 2, 127)]
    assert max(compare(window, tmp_path / "model", sequences=sequences, check_scale=True)) < TOLERANCE


@pytest.mark.parametrize("family,name", [*HYBRIDS, ("gemma4_text", "E2B"), ("deepseek_v3", "yarn-whole-queries")])
def test_a_shared_prompt(family, name, window, tmp_path):
    """Answers continue one prompt's state, in both variants, as if each text were whole. Prompts shorter than a convolution and
    longer than a chunk."""
    make_model(tmp_path / "model", family, name, config={"max_position_embeddings": 512})
    random = np.random.default_rng(2)
    sequences, prefix = [], []
    for prompt, lengths in zip([2, 64, 70], [[1, 30], [65, 3], [64, 100, 1]], strict=True):
        first = len(sequences)
        sequences += [random.integers(2, VOCAB_SIZE - 4, length).tolist() for length in [prompt, *lengths]]
        prefix += [-1] + [first] * len(lengths)
    assert max(compare(window, tmp_path / "model", sequences=sequences, prefix=prefix, check_scale=True)) < TOLERANCE


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_that_nothing_reads(family, window, tmp_path):
    """The last layer leaves them out, in both variants, and the others stay as they are."""
    folder = tmp_path / "model"
    make_model(folder, family, next(iter(FAMILIES[family])))
    model = ModelReference(folder)
    variants = masks(model.attention_layers, model.num_heads)[:2]
    rows = [0, 3, LONG - 1, LONG + SHORT - 1]
    full = window.run(folder, SEQUENCES, variants)
    some = window.run(folder, SEQUENCES, variants, output_rows=rows)
    for key in ("logits", "nll"):
        np.testing.assert_allclose(some[key], full[key][:, rows], atol=TOLERANCE / 2)


def test_keys_from_below_the_first_masked_layer(window, tmp_path):
    """Layers 3 to 5 read the keys and values of 1 and 2: masked above those, both models read the same ones."""
    make_model(tmp_path / "model", "gemma4_text", "E2B")
    assert max(compare(window, tmp_path / "model", masked=[(3, 1), (4, 0), (5, 2)])) < TOLERANCE


# Names and packagings of the same weights.

def test_sharded_half_precision(window, tmp_path):
    for dtype in (torch.bfloat16, torch.float16):
        folder = tmp_path / str(dtype)
        make_model(folder, "qwen2", "gqa", dtype=dtype, max_shard_size="40KB")
        assert len(list(folder.glob("*.safetensors"))) > 2
        assert max(compare(window, folder)) < TOLERANCE


def renamed(folder, out, rename):
    """A copy of the folder with its tensors under other names; rename(name) gives the new one, or None to leave it out."""
    out.mkdir()
    (out / "config.json").write_bytes((folder / "config.json").read_bytes())
    tensors = load_file(folder / "model.safetensors")
    save_file({rename(name): tensor for name, tensor in tensors.items() if rename(name)}, out / "model.safetensors")
    return out


def same_logits(window, folder, other):
    a, b = (window.run(each, SEQUENCES, [[]])["logits"] for each in (folder, other))
    return np.array_equal(a, b)


def test_the_prefixes_of_a_multimodal_gemma3_folder(window, tmp_path):
    make_model(tmp_path / "model", "gemma3", "text-part")
    names = load_file(tmp_path / "model" / "model.safetensors").keys()
    (prefix,) = {re.match(r"(.*)embed_tokens.weight", name)[1] for name in names if "embed_tokens" in name}
    assert any("vision_tower" in name for name in names)
    for i, other in enumerate({"model.language_model.", "language_model.model."} - {prefix}):
        out = renamed(tmp_path / "model", tmp_path / str(i), lambda name: name.replace(prefix, other))
        assert same_logits(window, tmp_path / "model", out)


@pytest.mark.parametrize("family", ["qwen3_5", "qwen3_5_moe"])
def test_the_prefixes_of_a_multimodal_qwen_folder(family, window, tmp_path):
    """The hub's names; those of a text model; those that transformers before 5.5.2 and 5.5.3 wrote; beside them the parts that
    predict several tokens at once."""
    folder = tmp_path / "model"
    make_model(folder, family, "text-part")
    tensors = load_file(folder / "model.safetensors")
    assert any(name.startswith("model.visual.") for name in tensors)
    hub = "model.language_model."
    assert hub + "embed_tokens.weight" in tensors
    for i, prefix in enumerate(["model.", 3 * "language_model.", "model." + 3 * "language_model.", ""]):
        def rename(name):
            return name.replace("model.visual.", hub + "visual.") if "visual" in name else name.replace(hub, prefix)
        out = renamed(folder, tmp_path / str(i), rename)
        if prefix == 3 * "language_model.":
            assert "no embedding" in window.error(out)
            continue
        extra = load_file(out / "model.safetensors") | {"mtp.fc.weight": torch.zeros(3, 3)}
        save_file(extra, out / "model.safetensors")
        assert same_logits(window, folder, out)
    text = json.loads((folder / "config.json").read_text())["text_config"] | {"tie_word_embeddings": False}
    out = renamed(folder, tmp_path / "text", lambda name: None if "visual" in name else name)
    (out / "config.json").write_text(json.dumps(text))
    assert same_logits(window, folder, out)


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
def test_what_a_recurrence_is_sensitive_to_stays_in_float32(stored, window, tmp_path):
    """Published folders keep these in float32 beside bfloat16; a bfloat16 save rounds them. Both are read as they are."""
    folder, out = tmp_path / "model", tmp_path / "other"
    make_model(folder, "qwen3_5_text", "grouped", dtype=torch.bfloat16)
    sensitive = lambda name: name.endswith(("A_log", "dt_bias", "linear_attn.norm.weight"))
    tensors = load_file(folder / "model.safetensors")
    change = {name: tensor.float() + 0.001 for name, tensor in tensors.items() if sensitive(name)}
    assert len(change) == 3 * 2
    out.mkdir()
    (out / "config.json").write_bytes((folder / "config.json").read_bytes())
    save_file(tensors | {name: tensor.to(stored) for name, tensor in change.items()}, out / "model.safetensors")
    a, b = (window.run(each, SEQUENCES, [[]], dtype="bfloat16")["logits"] for each in (folder, out))
    changed = stored == torch.float32 or any((tensors[name] != tensor.to(stored)).any() for name, tensor in change.items())
    assert np.array_equal(a, b) != changed


def test_convolutions_of_their_own_size(window, tmp_path):
    """olmo_hybrid as published: a convolution each for queries, keys and values, where transformers saves thirds of the whole."""
    folder, out = tmp_path / "model", tmp_path / "published"
    make_model(folder, "olmo_hybrid", "grouped")
    tensors = load_file(folder / "model.safetensors")
    for name in [name for name in tensors if "q_conv1d" in name]:
        names = [name.replace("q_conv1d", f"{part}_conv1d") for part in "qkv"]
        whole = torch.cat([tensors[part] for part in names])
        parts = whole.split([32, 32, 96])
        assert [part.shape[0] for part in parts] != [tensors[part].shape[0] for part in names]
        tensors |= {part: values.contiguous() for part, values in zip(names, parts, strict=True)}
    out.mkdir()
    (out / "config.json").write_bytes((folder / "config.json").read_bytes())
    save_file(tensors, out / "model.safetensors")
    assert same_logits(window, folder, out)


def test_a_checkpoint_of_the_bare_decoder(window, tmp_path):
    make_model(tmp_path / "model", "smollm3", "nope")
    out = renamed(tmp_path / "model", tmp_path / "bare", lambda name: name.removeprefix("model."))
    assert same_logits(window, tmp_path / "model", out)


@pytest.mark.parametrize("family,name", [("qwen3_moe", "normalised"), ("qwen3_5_moe_text", "grouped"), ("glm4_moe", "groups-bias-norms"),
                                         ("nemotron_h", "experts"), ("nemotron_h", "latent-biases")])
def test_experts_in_one_tensor(family, name, window, tmp_path):
    """transformers 5 can also save the experts of a layer stacked, as it holds them."""
    folder, stacked = tmp_path / "model", tmp_path / "stacked"
    make_model(folder, family, name)
    make_model(stacked, family, name, save_original_format=False)
    assert {tensor.dim() for key, tensor in load_file(stacked / "model.safetensors").items() if ".experts." in key} == {3}
    assert not any(key.endswith(("experts.up_proj", "experts.gate_up_proj")) for key in load_file(folder / "model.safetensors"))
    assert max(compare(window, stacked)) < TOLERANCE
    assert same_logits(window, folder, stacked)


def test_experts_of_mixtral_in_one_tensor(window, tmp_path):
    """Under the names of its checkpoints."""
    folder, out = tmp_path / "model", tmp_path / "stacked"
    make_model(folder, "mixtral", "gqa")
    tensors = load_file(folder / "model.safetensors")
    stacked = {name: tensor for name, tensor in tensors.items() if ".experts." not in name}
    count = len({name.split(".experts.")[1].split(".")[0] for name in tensors if ".experts." in name})
    for layer in sorted({name.split(".")[2] for name in tensors if ".experts." in name}):
        prefix = f"model.layers.{layer}.block_sparse_moe.experts."
        part = lambda name: torch.stack([tensors[f"{prefix}{i}.{name}.weight"] for i in range(count)])
        stacked[prefix + "gate_up_proj"] = torch.cat([part("w1"), part("w3")], 1)
        stacked[prefix + "down_proj"] = part("w2")
    out.mkdir()
    (out / "config.json").write_bytes((folder / "config.json").read_bytes())
    save_file(stacked, out / "model.safetensors")
    assert same_logits(window, folder, out)


def test_what_layers_do_not_need_is_passed_over(window, tmp_path):
    """Keys and values of layers that read those of others, as Gemma 4's hub files hold them."""
    make_model(tmp_path / "model", "gemma4_text", "E2B")
    for copy in ("more", "unknown"):
        shutil.copytree(tmp_path / "model", tmp_path / copy)
    tensors = load_file(tmp_path / "model" / "model.safetensors")
    assert "model.layers.4.self_attn.k_proj.weight" not in tensors
    extra = {f"model.layers.4.self_attn.{part}.weight": torch.ones(3) for part in ("k_proj", "v_proj", "k_norm")}
    save_file(tensors | extra, tmp_path / "more" / "model.safetensors")
    assert same_logits(window, tmp_path / "model", tmp_path / "more")
    save_file(tensors | {"model.layers.4.self_attn.k_scale": torch.ones(3)}, tmp_path / "unknown" / "model.safetensors")
    assert "k_scale" in window.error(tmp_path / "unknown")


def test_layers_that_predict_more_tokens_are_passed_over(window, tmp_path):
    """They lie after the last layer; a layer after those is an error."""
    make_model(tmp_path / "model", "deepseek_v3", "groups")
    tensors = load_file(tmp_path / "model" / "model.safetensors")
    for copy, layer in {"more": 3, "unknown": 4}.items():
        shutil.copytree(tmp_path / "model", tmp_path / copy)
        save_file(tensors | {f"model.layers.{layer}.eh_proj.weight": torch.ones(3)}, tmp_path / copy / "model.safetensors")
    assert same_logits(window, tmp_path / "model", tmp_path / "more")
    assert "model.layers.4.eh_proj.weight" in window.error(tmp_path / "unknown")


def test_mxfp4_is_unpacked(window, tmp_path):
    """gpt_oss as published: random blocks and scales, unpacked by transformers on one side and by air on the other."""
    from transformers.integrations.mxfp4 import convert_moe_packed_tensors
    folder, packed = tmp_path / "model", tmp_path / "packed"
    make_model(folder, "gpt_oss", "sinks-windows")
    tensors = load_file(folder / "model.safetensors")
    generator = torch.Generator().manual_seed(2)
    quantised = {}
    for name in [name for name in tensors if name.endswith("experts.gate_up_proj") or name.endswith("experts.down_proj")]:
        experts, inputs, outputs = tensors[name].shape
        blocks = torch.randint(0, 256, (experts, outputs, inputs // 32, 16), dtype=torch.uint8, generator=generator)
        scales = torch.randint(120, 126, (experts, outputs, inputs // 32), dtype=torch.uint8, generator=generator)
        tensors[name] = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
        quantised |= {name + "_blocks": blocks, name + "_scales": scales}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    packed.mkdir()
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]}
    (packed / "config.json").write_text(json.dumps(config))
    kept = {name: tensor for name, tensor in tensors.items() if name + "_blocks" not in quantised}
    save_file(kept | quantised, packed / "model.safetensors")
    assert max(compare(window, folder)) < TOLERANCE
    assert same_logits(window, folder, packed)


def test_a_stored_head_counts_where_the_config_ties(window, tmp_path):
    """transformers keeps the stored lm_head, and warns."""
    tied, untied = tmp_path / "tied", tmp_path / "untied"
    make_model(tied, "llama", "mha-tied-biases")
    shutil.copytree(tied, untied)
    tensors = load_file(tied / "model.safetensors")
    head = torch.randn(tensors["model.embed_tokens.weight"].shape, generator=torch.Generator().manual_seed(1)) * 0.2
    save_file(tensors | {"lm_head.weight": head}, untied / "model.safetensors", metadata={"format": "pt"})
    assert max(compare(window, untied)) < TOLERANCE
    difference = window.run(untied, SEQUENCES, [[]])["nll"][0] - window.run(tied, SEQUENCES, [[]])["nll"][0]
    assert np.abs(difference).max() > 0.05


# The documentation.

def bound(value):
    """2.3e-6 -> "3e-6": an upper bound of one digit, so that the table does not change with every run."""
    exponent = math.floor(math.log10(max(value, 1e-9)))
    digit = math.ceil(value / 10.0**exponent)
    return f"{digit}e{exponent}" if digit < 10 else f"1e{exponent + 1}"


def write_table(rows):
    lines = ["| model_type | configurations | logits, base | logits, masked | losses (nats) | bfloat16 (nats) | transformers' bfloat16 |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    text = DOCUMENT.read_text(encoding="utf-8")
    written = {line.split(" | ")[0]: line for line in text.splitlines()}
    for family in FAMILIES:
        results = dict(rows[family])
        if not results and f"| {family}" in written:        # -k left it out: its row stays
            lines.append(written[f"| {family}"])
            continue
        half = results.pop("bfloat16", None)
        assert set(results) == set(FAMILIES[family]), f"run all tests of {family} to write the table"
        worst = [bound(max(column)) for column in zip(*results.values())]
        lines.append(f"| {family} | {', '.join(results)} | {' | '.join(worst)} | {half[0]:.3f} | {half[1]:.3f} |")
    begin, end = "<!-- table: written by tests/golden/test_families.py -->\n", "<!-- end of table -->"
    assert begin in text and end in text
    before, after = text[:text.index(begin) + len(begin)], text[text.index(end):]
    DOCUMENT.write_text(before + "\n".join(lines) + "\n" + after, encoding="utf-8")
