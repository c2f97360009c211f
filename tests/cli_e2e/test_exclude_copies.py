"""`air score --exclude-copies N`: all means made again from the token losses, by the definition of docs/method.md."""
import json

import numpy as np
import pytest
from air_runner import fail, records, run, succeed, write_records

USAGE, INPUT = 2, 3
LOOP = "We add 48 and 24.\n\n" * 6
TRACES = [{"id": "loop", "prompt": "Add.", "response": LOOP + "It is 72."}, {"id": "plain", "prompt": "Say it.", "response": "One.\n\nTwo three.\n\nFour."},
          {"id": "same", "prompt": "Again.", "response": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\nb"}]


@pytest.fixture
def traces(tmp_path):
    return write_records(tmp_path / "traces.jsonl", TRACES)


def score(model, traces, *flags):
    return succeed("score", "--model", model, "--heads", "1-5,1-12", "--order", "input", *flags, traces)


def copies(ids, context):
    """Token t is a copy when it and the tokens before it occurred before, side by side."""
    runs = [tuple(ids[end - context:end + 1]) for end in range(context, len(ids))]
    return np.array([False] * min(context, len(ids)) + [run in runs[:i] for i, run in enumerate(runs)])


@pytest.mark.parametrize("context", [1, 8, 1000])
def test_the_means_are_those_of_the_other_tokens(context, model, traces):
    counts = []
    for record in records(score(model, traces, "--exclude-copies", context, "--token-losses", "--controls", "2")):
        air = record["air"]
        tokens = {name: np.array(values) for name, values in air["tokens"].items()}
        excluded = copies(air["tokens"]["ids"], context)
        assert (tokens["excluded"] == excluded).all()
        assert air["num_tokens"] == len(excluded) and air["num_excluded"] == excluded.sum()
        counts.append(int(excluded.sum()))
        for key in ("base_nll", "ref_nll", "entropy"):
            np.testing.assert_allclose(air[key], tokens[key][~excluded].mean(), rtol=1e-9)
        begin = 0
        for step in air["steps"]:
            here = slice(begin, begin + step["num_tokens"])
            begin = here.stop
            left = ~excluded[here]
            assert step["num_excluded"] == step["num_tokens"] - left.sum()
            for key in ("base_nll", "ref_nll", "entropy"):
                np.testing.assert_allclose(step[key], tokens[key][here][left].mean() if left.any() else air[key], rtol=1e-9)
        for span in [air, *air["steps"]]:
            np.testing.assert_allclose(span["divergence"], span["ref_nll"] - span["base_nll"], atol=1e-9)
            np.testing.assert_allclose(span["influence"], span["divergence"] / max(span["base_nll"], 0.05), rtol=1e-6)
            np.testing.assert_allclose(span["controlled"], span["ref_nll"] - span["control_nll"], atol=1e-9)
        sizes = [step["num_tokens"] for step in air["steps"]]
        np.testing.assert_allclose(np.average([step["weight"] for step in air["steps"]], weights=sizes), 1, rtol=1e-9)
    if context == 8:
        # The loop's rounds after the first, but for their first eight tokens.
        assert counts[0] > 60 and counts[1] == 0 and counts[2] > 10
        assert any(step["num_excluded"] == step["num_tokens"] for step in records(score(model, traces, "--exclude-copies", 8))[0]["air"]["steps"])
    if context == 1000:
        assert counts == [0, 0, 0]


def test_a_context_that_nothing_has_changes_no_number(model, traces):
    """And without the flag no key of it is written."""
    plain, far = (records(score(model, traces, *flags)) for flags in ([], ["--exclude-copies", "1000"]))
    assert all("num_excluded" not in span for record in plain for span in [record["air"], *record["air"]["steps"]])
    for record in far:
        for span in [record["air"], *record["air"]["steps"]]:
            assert span.pop("num_excluded") == 0
    assert plain == far
    assert score(model, traces) == score(model, traces, "--exclude-copies", "0")


def test_weights_shrink_a_step_by_the_tokens_that_are_left(model, traces):
    for record in records(score(model, traces, "--exclude-copies", "8")):
        air = record["air"]
        tokens = np.array([step["num_tokens"] for step in air["steps"]])
        left = tokens - [step["num_excluded"] for step in air["steps"]]
        mixed = lambda key: (left * [step[key] for step in air["steps"]] + 32 * air[key]) / (left + 32)
        influence = (mixed("ref_nll") - mixed("base_nll")) / np.maximum(mixed("base_nll"), 0.05)
        share = tokens / tokens.sum()
        deviation = influence - share @ influence
        spread = np.sqrt(share @ deviation**2)
        z = np.clip(deviation / spread, -2, 2) if spread > 1e-12 else np.zeros_like(deviation)
        np.testing.assert_allclose([step["weight"] for step in air["steps"]], np.exp(z) / (share @ np.exp(z)), rtol=1e-6)


def test_ranks_and_select_go_by_what_is_left(model, traces, out):
    succeed("score", "--model", model, "--heads", "1-5,1-12", traces, "--exclude-copies", "8", "-o", out / "s.jsonl")
    ranked = records((out / "s.jsonl").read_bytes())
    influence = [record["air"]["influence"] for record in ranked]
    assert influence == sorted(influence, reverse=True)
    assert json.loads((out / "s.jsonl.manifest.json").read_text())["exclude_copies"] == 8
    kept = records(succeed("select", out / "s.jsonl", "--where", "num_excluded>0", "--top-percent", "100"))
    assert sorted(record["id"] for record in kept) == ["loop", "same"]
    assert b"num_excluded" in succeed("select", out / "s.jsonl", "--top-k", "1", "--columns", "id,num_excluded")
    for verb in (["show", out / "s.jsonl"], ["report", out / "s.jsonl", "-o", out / "page.html"]):
        succeed(*verb)


def test_a_stream_leaves_them_out_too(model, traces):
    ranked = records(score(model, traces, "--exclude-copies", "8", "--max-batch-tokens", "1"))
    streamed = records(succeed("score", "--model", model, "--heads", "1-5,1-12", "--stream", "--exclude-copies", "8", "--max-batch-tokens", "1",
                               stdin=traces.read_bytes()))
    for record in ranked:
        del record["air"]["rank"]
    assert streamed == ranked


def test_another_context_is_another_run(model, tmp_path, out):
    """A record that ends the run leaves what was kept."""
    written = write_records(tmp_path / "t.jsonl", [*TRACES, {"id": "bad"}])
    flags = ["score", "--model", model, "--heads", "1-5", written, "-o", out / "s.jsonl", "--max-batch-tokens", "1"]
    fail(INPUT, *flags, "--exclude-copies", "8")
    assert (out / "s.jsonl.partial").exists()
    message = fail(USAGE, *flags, "--exclude-copies", "9", "--resume")
    assert "exclude_copies" in message, message
    assert run(*flags, "--exclude-copies", "8", "--resume", "--on-error", "skip").returncode == 0


@pytest.mark.parametrize("value", ["-1", "1000001", "eight"])
def test_a_value_that_is_none(value, model, traces):
    message = fail(USAGE, "score", "--model", model, "--heads", "1-5", traces, f"--exclude-copies={value}")
    assert "--exclude-copies: must be from 0 to 1000000" in message
