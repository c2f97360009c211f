"""The demo model on 50 GSM8K traces: ids, losses, entropies, scores, and what they must not depend on."""
import json

import numpy as np
import pytest
import torch
from air_runner import GSM8K, records, succeed, write_records
from found_heads import check_against_reference, find_heads
from reference import ModelReference, TextReference, losses_as_it_comes, parse_heads

HEADS = "18-6,17-3,18-7,23-2,23-7,17-4,22-7,23-1,20-6,21-8,21-5,23-8,21-7,24-4"
FEW = 10
EACH_DAY = range(0, 50, 5)      # traces that every run compares token by token; the slow test has the others
TRACES = [json.loads(line) for line in GSM8K.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def model(demo_model):
    return ModelReference(demo_model)


@pytest.fixture(scope="module")
def encoded(demo_model):
    text = TextReference(demo_model)
    return [text.encode(trace["prompt"], trace["response"]) for trace in TRACES]


@pytest.fixture(scope="module")
def scored(demo_model):
    """The 50 records as `air score --token-losses` writes them, in input order."""
    output = succeed("score", "--model", demo_model, "--heads", HEADS, "--order", "input", "--token-losses", GSM8K)
    return [record["air"] for record in records(output)]


def test_token_ids_equal_those_of_tokenizers(demo_model, encoded):
    found = records(succeed("inspect", "--model", demo_model, GSM8K))
    for record, expected in zip(found, encoded, strict=True):
        assert record["ids"] == expected.ids
        assert record["begin"] == expected.begin            # GSM8K's text is ASCII: no token inside a character
        assert record["response_begin"] == expected.response_begin


@pytest.mark.parametrize("chosen", [
    pytest.param(EACH_DAY, id="fifth"),
    pytest.param(sorted(set(range(50)) - set(EACH_DAY)), id="others", marks=pytest.mark.slow)])
def test_base_and_reference_losses_and_entropies(chosen, model, encoded, scored):
    assert len(scored) == len(encoded) == 50
    for air, expected in ((scored[index], encoded[index]) for index in chosen):
        base, entropy = model.token_losses(expected.ids, expected.response_begin)
        masked, _ = model.token_losses(expected.ids, expected.response_begin, parse_heads(HEADS))
        assert air["tokens"]["ids"] == expected.ids[expected.response_begin:]
        np.testing.assert_allclose(air["tokens"]["base_nll"], base, atol=1e-4)
        np.testing.assert_allclose(air["tokens"]["ref_nll"], masked, atol=1e-4)
        np.testing.assert_allclose(air["tokens"]["entropy"], entropy, atol=1e-4)


def test_bfloat16_is_nearer_to_float32_than_transformers(demo_model, model, encoded, scored):
    """The same float32 losses, and both roundings of them; and the ranking of all traces."""
    rounded = [record["air"] for record in records(succeed(
        "score", "--model", demo_model, "--heads", HEADS, "--order", "input", "--token-losses", "--dtype", "bfloat16", GSM8K))]
    reference = ModelReference(demo_model).model.to(torch.bfloat16)
    own, other = [], []
    for air, expected in list(zip(rounded, encoded, strict=True))[:4]:
        exact, _ = model.token_losses(expected.ids, expected.response_begin)
        losses = losses_as_it_comes(reference, expected)
        own.append(np.array(air["tokens"]["base_nll"]) - exact)
        other.append(losses - exact)
    assert np.abs(np.concatenate(own)).mean() < 0.75 * np.abs(np.concatenate(other)).mean()
    ranks = [np.argsort(np.argsort([air["influence"] for air in airs])) for airs in (scored, rounded)]
    assert np.corrcoef(*ranks)[0, 1] > 0.95


def test_scores_follow_from_the_token_losses(scored):
    """Every sum of method.md, made again from the token losses."""
    def check(span, base, ref):
        assert span["num_tokens"] == len(base)
        np.testing.assert_allclose(span["base_nll"], base.mean(), rtol=1e-9)
        np.testing.assert_allclose(span["ref_nll"], ref.mean(), rtol=1e-9)
        influence = (ref.mean() - base.mean()) / max(base.mean(), 0.05)
        np.testing.assert_allclose(span["influence"], influence, rtol=1e-6, atol=1e-9)

    for air, trace in zip(scored, TRACES, strict=True):
        tokens = {key: np.array(values) for key, values in air["tokens"].items()}
        check(air, tokens["base_nll"], tokens["ref_nll"])
        np.testing.assert_allclose(air["entropy"], tokens["entropy"].mean(), rtol=1e-9)
        np.testing.assert_allclose(air["divergence"], (tokens["ref_nll"] - tokens["base_nll"]).mean(), rtol=1e-6, atol=1e-9)
        assert air["num_steps"] == len(air["steps"])
        end = token = 0
        for step in air["steps"]:
            assert step["begin"] == end < step["end"]
            end = step["end"]
            tokens_of_step = slice(token, token + step["num_tokens"])
            check(step, tokens["base_nll"][tokens_of_step], tokens["ref_nll"][tokens_of_step])
            token = tokens_of_step.stop
        assert end == len(trace["response"].encode()) and token == air["num_tokens"]
        weights = np.repeat([step["weight"] for step in air["steps"]], [step["num_tokens"] for step in air["steps"]])
        np.testing.assert_allclose(weights.mean(), 1, rtol=1e-9)
        assert weights.min() > 0


def test_step_weights_are_the_softmax_of_standardised_influence(scored):
    """Out of the token losses: 32 tokens of the trace's mean losses appear in every step."""
    for air in scored:
        share = np.array([step["num_tokens"] for step in air["steps"]]) / air["num_tokens"]
        ends = np.cumsum([step["num_tokens"] for step in air["steps"]])[:-1]
        base, ref = (np.array([np.concatenate([losses, np.full(32, np.mean(air["tokens"][key]))]).mean()
                               for losses in np.split(np.array(air["tokens"][key]), ends)]) for key in ("base_nll", "ref_nll"))
        influence = (ref - base) / np.maximum(base, 0.05)
        deviation = influence - share @ influence
        spread = np.sqrt(share @ deviation**2)
        z = np.clip(deviation / spread, -2, 2) if spread > 0 else np.zeros_like(deviation)
        expected = np.exp(z) / (share @ np.exp(z))
        np.testing.assert_allclose([step["weight"] for step in air["steps"]], expected, rtol=1e-6)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """A file of the first FEW traces: enough for what does not need a comparison token by token on all 50."""
    return write_records(tmp_path_factory.mktemp("traces") / "few.jsonl", TRACES[:FEW])


def test_ranks_follow_the_influence(demo_model, scored, few):
    ranked = records(succeed("score", "--model", demo_model, "--heads", HEADS, few))
    influences = [record["air"]["influence"] for record in ranked]
    assert influences == sorted(influences, reverse=True)
    assert [record["air"]["rank"] for record in ranked] == list(range(1, FEW + 1))
    by_input = sorted(range(FEW), key=lambda index: (-scored[index]["influence"], index))
    assert [record["id"] for record in ranked] == [TRACES[index]["id"] for index in by_input]


@pytest.mark.parametrize("change", ["order", "batch-512", "batch-8192", "threads-1"])
def test_losses_do_not_depend_on(change, demo_model, scored, tmp_path):
    order = list(range(FEW))
    if change == "order":
        order.reverse()
    traces = write_records(tmp_path / "traces.jsonl", [TRACES[index] for index in order])
    flags = {"batch-512": ["--max-batch-tokens", "512"], "batch-8192": ["--max-batch-tokens", "8192"],
             "threads-1": ["--threads", "1"]}.get(change, [])
    output = records(succeed("score", "--model", demo_model, "--heads", HEADS, "--order", "input", "--token-losses",
                             *flags, traces))
    for index, record in zip(order, output, strict=True):
        for key in ("base_nll", "ref_nll", "entropy"):
            np.testing.assert_allclose(record["air"]["tokens"][key], scored[index]["tokens"][key], atol=1e-4)


def test_no_heads_mean_no_influence(demo_model, few):
    for record in records(succeed("score", "--model", demo_model, "--heads", "none", few)):
        assert record["air"]["influence"] == 0
        assert all(step["influence"] == 0 for step in record["air"]["steps"])


def test_retrieval_scores_of_a_few_probes(demo_model, model, tmp_path):
    heads, probes = find_heads(demo_model, tmp_path, "--lengths", "256,512", "--num-probes", "5")
    check_against_reference(model, heads, probes)


@pytest.mark.slow
def test_retrieval_scores_of_the_default_probes(demo_model, model, tmp_path):
    heads, probes = find_heads(demo_model, tmp_path)
    assert sum(probe["answered"] for probe in probes) >= 0.9 * len(probes)
    assert {min(heads["probes"]["lengths"]), max(heads["probes"]["lengths"])} == {256, 2048}
    check_against_reference(model, heads, probes)
