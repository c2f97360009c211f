"""Traces longer than --max-length: refused by name, or scored in part and marked as such by every verb."""
import resource
import subprocess

import pytest
from air_runner import air_binary, clean_environment, fail, records, succeed, write_records

INPUT = 3
RESPONSE = "Qqq vvv xxx.\n\nZzzz vv 4.\n\nQq vv xx."  # steps of 14, 12 and 9 bytes; no word of the planted model's: a token is a byte
PROMPT_TOKENS = 15
FLAGS = ["--max-length", "40"]


@pytest.fixture
def long_trace(tmp_path):
    return write_records(tmp_path / "long.jsonl", [{"id": "t1", "prompt": "Zzzz vv 2 + 2?", "response": RESPONSE},
                                                   {"id": "t2", "prompt": "1?", "response": "One."}])


@pytest.fixture
def score(model, long_trace):
    return ["score", "--model", model, "--heads", "1-5", "--order", "input", long_trace, *FLAGS]


def test_a_longer_trace_is_refused_by_name(score):
    message = fail(INPUT, *score)
    assert "long.jsonl:1" in message and "50 tokens" in message and "--max-length 40" in message and "--overlong truncate" in message


def test_skipping_goes_on_without_it(score):
    assert [record["id"] for record in records(succeed(*score, "--on-error", "skip"))] == ["t2"]


def test_truncation_scores_the_first_tokens(model, score, long_trace):
    cut, short = [record["air"] for record in records(succeed(*score, "--overlong", "truncate", "--token-losses"))]
    assert cut["truncated"] is True and "truncated" not in short
    assert cut["num_prompt_tokens"] == PROMPT_TOKENS and cut["num_tokens"] == 40 - PROMPT_TOKENS
    assert [(step["begin"], step["end"], step["num_tokens"]) for step in cut["steps"]] == [(0, 14, 14), (14, 26, 11)]
    assert cut["num_steps"] == 2
    # A token's loss does not look ahead: the kept tokens lose what they lose in the whole trace.
    whole = records(succeed("score", "--model", model, "--heads", "1-5", "--order", "input", long_trace, "--token-losses"))[0]["air"]
    for key in ["base_nll", "ref_nll", "entropy"]:
        assert cut["tokens"][key] == pytest.approx(whole["tokens"][key][:25], abs=2e-4), key
    assert cut["base_nll"] == pytest.approx(sum(cut["tokens"]["base_nll"]) / 25, abs=1e-6)


def test_inspect_shows_the_same(model, long_trace, score):
    inspect = ["inspect", "--model", model, long_trace, *FLAGS]
    assert "long.jsonl:1" in fail(INPUT, *inspect)
    cut, short = records(succeed(*inspect, "--overlong", "truncate"))
    scored = records(succeed(*score, "--overlong", "truncate"))[0]["air"]
    assert cut["truncated"] is True and "truncated" not in short and len(cut["ids"]) == len(cut["begin"]) == 40
    assert cut["steps"] == [{key: step[key] for key in ["begin", "end", "num_tokens"]} for step in scored["steps"]]


def test_a_prompt_that_fills_the_length_leaves_nothing_to_score(model, long_trace):
    message = fail(INPUT, "score", "--model", model, "--heads", "1-5", long_trace, "--max-length", "15", "--overlong", "truncate")
    assert "long.jsonl:1" in message and "prompt of 15 tokens" in message


def test_select_and_report_know_truncated_traces(score, out):
    succeed(*score, "--overlong", "truncate", "-o", out / "scored.jsonl")
    kept = records(succeed("select", out / "scored.jsonl", "--exclude-truncated"))
    assert [record["id"] for record in kept] == ["t2"]
    whole = records(succeed("select", out / "scored.jsonl", "--top-k", "2", "--format", "openai"))
    assert RESPONSE in [record["messages"][-1]["content"] for record in whole]
    for name in ["axolotl", "ms-swift", "trl-stepwise"]:  # steps beyond the cut have no weight to write
        message = fail(INPUT, "select", out / "scored.jsonl", "--top-k", "2", "--format", name)
        assert "--exclude-truncated" in message and "truncated" in message
    succeed("report", out / "scored.jsonl", "-o", out / "report.html")
    page = (out / "report.html").read_text()
    assert "scored up to" in page and "more bytes are not shown" not in page



def test_an_unknown_way_is_a_usage_error(score):
    assert "--overlong" in fail(2, *score, "--overlong", "cut")


@pytest.mark.parametrize("mebibytes", [640, 760])
def test_batches_that_do_not_fit_the_memory_are_scored_in_parts(model, tmp_path, mebibytes):
    """Under a limit of the address space: by parts, or exit 5 for a trace that does not fit alone; never a signal."""
    traces = write_records(tmp_path / "many.jsonl", [{"id": str(i), "prompt": "Zzzz vv 2 + 2?", "response": "Qq vv xx. " * 150} for i in range(6)])
    size = mebibytes << 20
    run = subprocess.run([air_binary(), "score", "--model", model, "--heads", "1-5", "--threads", "1", "--max-batch-tokens", "65536", traces],
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size)), capture_output=True, env=clean_environment(), timeout=120)
    assert run.returncode in (0, 5), run.stderr
    assert len(run.stdout.splitlines()) == (6 if run.returncode == 0 else 0)
    assert run.returncode == 0 or b"not enough memory for a trace" in run.stderr
