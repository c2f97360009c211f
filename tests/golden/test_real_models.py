"""Published models: losses, retrieval scores of both kinds of probes, time and memory of a load. A model that is not there is skipped
by name: scripts/make_published_model.py makes it. test_smollm2.py holds the losses of the demo model, on 50 records.
"""
import json
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from air_runner import GSM8K, published_model, records, succeed, write_records
from found_heads import check_against_reference, find_heads
from logits import Window
from reference import ModelReference, TextReference, losses_as_it_comes

TRACES = [json.loads(line) for line in GSM8K.read_text(encoding="utf-8").splitlines()[:10]]
# Seconds of a load in float32 once the file is cached, on an idle machine; a busy one is given four times as much.
LOAD_SECONDS = {"smollm2": 1.0, "gemma-3-270m": 2.0, "qwen2.5-coder-0.5b-instruct": 4.0}


@pytest.fixture(scope="module", params=["smollm2", "gemma-3-270m", pytest.param("qwen2.5-coder-0.5b-instruct", marks=pytest.mark.slow)])
def model(request):
    if request.param == "smollm2":
        return request.param, request.getfixturevalue("demo_model")
    return request.param, published_model(request.param)


@pytest.fixture(scope="module")
def reference(model):
    return ModelReference(model[1])


def all_tokens(folder, encoded, heads, exact=False):
    """[base losses, losses with heads masked, entropies] of transformers, of all responses."""
    model = ModelReference(folder, exact=exact)
    base, entropy = zip(*(model.token_losses(each.ids, each.response_begin) for each in encoded), strict=True)
    masked = [model.token_losses(each.ids, each.response_begin, heads)[0] for each in encoded]
    return np.stack([np.concatenate(part) for part in (base, masked, entropy)])


def bfloat16_losses(folder, encoded):
    model = ModelReference(folder).model.to(torch.bfloat16)
    return np.concatenate([losses_as_it_comes(model, each) for each in encoded])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gemma-3-270m", "qwen2.5-coder-0.5b-instruct", "qwen2.5-coder-1.5b-instruct"])
def test_air_score(name, tmp_path):
    """As users go, with text and the model's chat template, against transformers in float64."""
    folder = published_model(name)
    text = TextReference(folder)
    encoded = [text.encode(trace["prompt"], trace["response"]) for trace in TRACES]
    config = json.loads((folder / "config.json").read_text())
    chosen = np.random.default_rng(0).choice(config["num_hidden_layers"] * config["num_attention_heads"], 6, replace=False)
    heads = [divmod(int(head), config["num_attention_heads"]) for head in chosen]
    written = write_records(tmp_path / "traces.jsonl", TRACES)

    def ours(dtype):
        found = [record["air"]["tokens"] for record in records(succeed(
            "score", "--model", folder, "--heads", ",".join(f"{layer}-{head}" for layer, head in heads), "--order", "input",
            "--token-losses", "--dtype", dtype, written))]
        assert [each["ids"] for each in found] == [each.ids[each.response_begin:] for each in encoded]
        return np.array([[value for each in found for value in each[key]] for key in ("base_nll", "ref_nll", "entropy")])

    exact = all_tokens(folder, encoded, heads, exact=True)
    assert np.abs(exact[1] - exact[0]).max() > 0.01, "masking changes nothing: the comparison says nothing"
    errors = {"float32": (ours("float32") - exact, all_tokens(folder, encoded, heads) - exact),
              "bfloat16, base losses": (ours("bfloat16")[0] - exact[0], bfloat16_losses(folder, encoded) - exact[0])}
    for what, pair in errors.items():
        own, other = map(np.abs, pair)
        print(f"{name}, {exact.shape[1]} tokens, {what} from float64: air {own.mean():.1e}, at most {own.max():.1e}; "
              f"transformers {other.mean():.1e}, at most {other.max():.1e}")
    assert np.abs(errors["float32"][0]).max() < 1e-4
    own, other = errors["bfloat16, base losses"]
    assert np.abs(own).mean() < np.abs(other).mean()


@pytest.mark.parametrize("kind", ["needle", "kv"])
def test_retrieval_scores_of_a_few_probes(model, reference, tmp_path, kind):
    heads, probes = find_heads(model[1], tmp_path, "--probes", kind, "--lengths", "384,512", "--num-probes", "4")
    assert [probe["kind"] for probe in probes] == [kind] * 4
    print(model[0], kind, check_against_reference(reference, heads, probes))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["needle", "kv"])
def test_retrieval_scores_up_to_2048_tokens(model, reference, tmp_path, kind):
    heads, probes = find_heads(model[1], tmp_path, "--probes", kind, "--num-probes", "12", "--seed", "1")
    assert heads["probes"]["lengths"][-1] == 2048
    print(model[0], kind, check_against_reference(reference, heads, probes))


def memory_of(process, field):
    return int(re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())[1]) * 1024


def test_a_load_is_quick_and_bounded(model):
    """Peak memory: the weights in their final dtype and the largest tensor, beside what the empty program takes."""
    name, folder = model
    seconds = []
    for _ in range(3):
        window = Window(logits=False, threads=0)
        window.config({"model_type": "llama"})
        before = memory_of(window.process, "VmRSS")
        start = time.perf_counter()
        loaded = window.ask(load=str(folder))
        seconds.append(time.perf_counter() - start)
        peak = memory_of(window.process, "VmHWM") - before
        window.close()
    largest = loaded["largest_tensor_bytes"]
    assert peak < loaded["num_bytes"] + largest + 32 * 2**20
    assert min(seconds) < LOAD_SECONDS[name] * (4 if os.getloadavg()[0] > 1 else 1)
