"""The second implementation itself: what must hold of it before anything is compared with it."""
import numpy as np
import pytest
import torch
from reference import ModelReference, TextReference, critical_heads
from tiny_models import TINY_LLAMAS, make_tiny_llama
from transformers import AutoModelForCausalLM


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_tiny_llama(tmp_path_factory.mktemp("models") / "tiny", **TINY_LLAMAS["gqa-tied-bf16"])


@pytest.fixture(scope="module")
def trace(folder):
    return TextReference(folder).encode("How many clips?", "She sold 24 clips in May.\nThe answer is 72.")


def test_unmasked_losses_are_those_of_transformers_own_attention(folder, trace):
    nll, _ = ModelReference(folder).token_losses(trace.ids, trace.response_begin)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
    with torch.inference_mode():
        log_probs = model(torch.tensor([trace.ids])).logits[0].log_softmax(-1)
    expected = [-log_probs[i - 1, trace.ids[i]].item() for i in range(trace.response_begin, len(trace.ids))]
    np.testing.assert_allclose(nll, expected, atol=1e-4)


def test_uniform_rows_are_what_zero_queries_give(folder, trace):
    masked = [(1, 0), (1, 4), (3, 5)]
    reference = ModelReference(folder)
    nll, _ = reference.token_losses(trace.ids, trace.response_begin, masked)
    size = reference.model.config.head_dim
    with torch.no_grad():
        for layer, head in masked:
            reference.model.model.layers[layer].self_attn.q_proj.weight[head * size:(head + 1) * size] = 0
    expected, _ = reference.token_losses(trace.ids, trace.response_begin)
    np.testing.assert_allclose(nll, expected, atol=1e-4)


def test_zero_mode_is_what_a_zero_output_projection_gives(folder, trace):
    masked = [(0, 1), (2, 3)]
    reference = ModelReference(folder)
    nll, _ = reference.token_losses(trace.ids, trace.response_begin, masked, "zero")
    size = reference.model.config.head_dim
    with torch.no_grad():
        for layer, head in masked:
            reference.model.model.layers[layer].self_attn.o_proj.weight[:, head * size:(head + 1) * size] = 0
    expected, _ = reference.token_losses(trace.ids, trace.response_begin)
    np.testing.assert_allclose(nll, expected, atol=1e-4)


def test_critical_heads_round_up_and_break_ties_by_layer_and_head():
    scores = np.zeros((3, 7))
    scores[2, 1] = scores[1, 6] = 0.5
    assert critical_heads(scores) == [(1, 6), (2, 1)]           # 5 % of 21 is 1.05
    assert len(critical_heads(np.zeros((2, 10)))) == 1          # 5 % of 20 is 1
