"""Real models: losses of 20 records, retrieval scores of both kinds of probes, time and memory of a load. A model that is not there is skipped by name.

The losses of SmolLM2 are held by test_smollm2.py, on 50 records through `air score`. AIR_GEMMA3 names the folder of google/gemma-3-270m; the demo model comes from scripts/make_demo_model.py.
"""
import json
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from air_runner import GSM8K, demo_model_folder
from found_heads import check_against_reference, find_heads
from logits import Window
from reference import ModelReference, Plan, forward_logits
from tokenizers import Tokenizer

TRACES = [json.loads(line) for line in GSM8K.read_text(encoding="utf-8").splitlines()[:20]]
# Seconds of a load in float32 once the file is cached, on an idle machine; a busy one is given four times as much.
LOAD_SECONDS = {"smollm2": 1.0, "gemma3": 2.0}


@pytest.fixture(scope="module", params=["smollm2", "gemma3"])
def model(request):
    folder = demo_model_folder() if request.param == "smollm2" else Path(os.environ.get("AIR_GEMMA3", "no AIR_GEMMA3"))
    if not folder.is_dir():
        pytest.skip(f"{request.param}: no folder {folder}")
    return request.param, folder


def encoded(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [tokenizer.encode(trace["prompt"] + "\n" + trace["response"]).ids for trace in TRACES]


def masked_heads(reference):
    chosen = np.random.default_rng(0).choice(reference.num_layers * reference.num_heads, 6, replace=False)
    return [divmod(int(head), reference.num_heads) for head in chosen]


def test_losses_of_20_records(model, reference):
    name, folder = model
    if name == "smollm2":
        pytest.skip("test_smollm2.py holds its losses")
    heads = masked_heads(reference)
    window = Window(logits=False, threads=0)
    for ids in encoded(folder):
        found = window.run(folder, [ids], [[], heads])
        for nll, masked in zip(found["nll"], ([], heads), strict=True):
            logits = torch.from_numpy(forward_logits(reference.model, ids, Plan(frozenset(masked)))).double()
            expected = -logits[:-1].log_softmax(-1).gather(1, torch.tensor(ids[1:]).unsqueeze(1))[:, 0]
            np.testing.assert_allclose(nll[:-1], expected.numpy(), atol=1e-4)
    window.close()


@pytest.fixture(scope="module")
def reference(model):
    return ModelReference(model[1])


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
