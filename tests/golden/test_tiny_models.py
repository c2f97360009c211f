"""Tiny random Llama models of several shapes: token ids, losses and entropies against the second implementation."""
import json

import numpy as np
import pytest
from air_runner import records, succeed, write_records
from reference import ModelReference, TextReference, parse_heads
from tiny_models import TINY_LLAMAS, make_tiny_llama

TRACES = [
    {"id": "plain", "prompt": "How many clips did Natalia sell?", "response": "She sold 24 clips.\n\nThe answer is 72."},
    {"id": "unicode", "prompt": "Wie viel? — ¿cuánto? 多少？", "response": "Fünf 🐘🐘 und zwei…\n\n答案是 7。\n"},
    {"id": "spaces", "prompt": "  Tabs\tand   spaces ", "response": " \n one\n\n\n  two  \n\n"},
    {"id": "one-token", "prompt": "Say it", "response": "7"},
    {"id": "empty-prompt", "prompt": "", "response": "Nothing was asked."},
    {"id": "long", "prompt": "Count.", "response": "\n\n".join(f"Step {i}: {i} and {i * i}." for i in range(25))},
]
HEADS = "1-0,1-3,3-2"
TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=[*TINY_LLAMAS, "bos"])
def folder(request, tmp_path_factory):
    shape = TINY_LLAMAS.get(request.param) or TINY_LLAMAS["gqa-tied-bf16"] | {"add_bos": True}
    return make_tiny_llama(tmp_path_factory.mktemp("models") / request.param, **shape)


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    return write_records(tmp_path_factory.mktemp("traces") / "traces.jsonl", TRACES)


def expected_traces(folder):
    text = TextReference(folder)
    return [text.encode(trace["prompt"], trace["response"]) for trace in TRACES]


def test_token_ids_and_the_response_begin(folder, traces):
    found = records(succeed("inspect", "--model", folder, traces))
    for record, expected in zip(found, expected_traces(folder), strict=True):
        assert record["ids"] == expected.ids
        assert record["response_begin"] == expected.response_begin


@pytest.mark.parametrize("mode", ["uniform", "zero"])
def test_losses_and_entropies(folder, traces, mode):
    output = succeed("score", "--model", folder, "--heads", HEADS, "--mask", mode, "--order", "input",
                     "--token-losses", traces)
    model, exact = ModelReference(folder), ModelReference(folder, exact=True)
    for record, expected in zip(records(output), expected_traces(folder), strict=True):
        tokens = record["air"]["tokens"]
        assert tokens["ids"] == expected.ids[expected.response_begin:]
        base, entropy = model.token_losses(expected.ids, expected.response_begin)
        masked, _ = model.token_losses(expected.ids, expected.response_begin, parse_heads(HEADS), mode)
        np.testing.assert_allclose(exact.token_losses(expected.ids, expected.response_begin)[0], base, atol=TOLERANCE / 2)
        np.testing.assert_allclose(tokens["base_nll"], base, atol=TOLERANCE)
        np.testing.assert_allclose(tokens["ref_nll"], masked, atol=TOLERANCE)
        np.testing.assert_allclose(tokens["entropy"], entropy, atol=TOLERANCE)
        assert np.abs(masked - base).max() > 1e-2, "masking changes nothing: the comparison says nothing"


def test_no_heads_mean_no_influence(folder, traces):
    for record in records(succeed("score", "--model", folder, "--heads", "none", traces)):
        assert record["air"]["influence"] == 0 and record["air"]["divergence"] == 0
        assert all(step["influence"] == 0 for step in record["air"]["steps"])


def test_a_mask_that_the_other_shapes_of_config_json_describe_alike(folder, traces, tmp_path):
    """rope_theta and torch_dtype at the top level (the hub's style) load like rope_parameters and dtype."""
    hub = tmp_path / "hub"
    hub.mkdir()
    for file in folder.iterdir():
        (hub / file.name).write_bytes(file.read_bytes())
    config = json.loads((hub / "config.json").read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["rope_scaling"] = None
    config["torch_dtype"] = config.pop("dtype")
    (hub / "config.json").write_text(json.dumps(config))
    arguments = ["--heads", HEADS, "--token-losses", traces]
    assert succeed("score", "--model", hub, *arguments) == succeed("score", "--model", folder, *arguments)
