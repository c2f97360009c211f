"""`air select` as a user runs it: what --dry-run promises is what a run keeps, and rules and columns on any number of a record."""
import csv
import io
import json
import random

import numpy as np
import pytest
from air_runner import fail, records, run, succeed


def scored_line(number, rng):
    text = f"Response {number}, of some words."
    base, gain = round(rng.uniform(0.2, 2), 3), round(rng.uniform(-0.1, 0.6), 2)
    tokens = rng.randrange(5, 60)
    losses = {"base_nll": base, "ref_nll": base + gain, "entropy": 0.5}
    air = {"schema": "air.score/1", "rank": number + 1, "line": number + 1, "influence": round(gain / base, 2), "divergence": gain, **losses,
           "num_tokens": tokens, "num_prompt_tokens": 3, "num_steps": 1, "repetition": round(rng.uniform(1, 9), 3),
           "steps": [{"begin": 0, "end": len(text), "num_tokens": tokens, **losses, "influence": gain / base, "weight": 1}]}
    return json.dumps({"id": f"t{number}", "prompt": "a", "response": text, "meta": {"quality": number % 5 / 4}, "note": 'with "quotes", and\na line',
                       "air": air}) + "\n"


@pytest.fixture
def scored(tmp_path):
    rng = random.Random(7)
    path = tmp_path / "scored.jsonl"
    path.write_text("".join(scored_line(number, rng) for number in range(120)))
    return path


def tables(output):
    """The two tables of --dry-run, as lists of cells."""
    kept, _, rest = output.decode().partition("\n\n")
    return [line.split() for line in kept.splitlines()], [line.split() for line in rest.splitlines()[2:]]


def test_a_dry_run_says_what_a_run_keeps(scored):
    rules = ["--top-k", "9", "--by", "divergence", "--min-response-tokens", "10"]
    kept = records(succeed("select", scored, *rules))
    (header, *rows), thresholds = tables(succeed("select", scored, *rules, "--dry-run"))
    assert header == ["rank", "id", "divergence", "tokens"]
    assert [row[1] for row in rows] == [record["id"] for record in kept]
    assert [int(row[0]) for row in rows] == [record["air"]["rank"] for record in kept]
    assert [int(row[3]) for row in rows] == [record["air"]["num_tokens"] for record in kept]
    assert len(thresholds) >= 8
    for value, traces, _, _, tokens, *_ in thresholds:
        of_run = records(succeed("select", scored, "--by", "divergence", f"--min-score={value}"))
        assert len(of_run) == int(traces)
        assert sum(record["air"]["num_tokens"] for record in of_run) == int(tokens)
    assert int(thresholds[-1][1]) == 120


def test_columns_stand_under_their_heads(scored):
    lines = succeed("select", scored, "--top-k", "3", "--dry-run").decode().splitlines()[:4]
    assert len({len(line) for line in lines}) == 1, "the last column ends at one place"


def test_old_names_work_with_a_note(scored):
    new = succeed("select", scored, "--token-budget", "300", "--min-response-tokens", "20")
    old = run("select", scored, "--max-tokens", "300", "--min-tokens", "20")
    assert old.stdout == new and old.returncode == 0
    assert "--max-tokens is now called --token-budget" in old.stderr.decode()
    assert "--min-tokens is now called --min-response-tokens" in old.stderr.decode()
    assert "--max-tokens" not in succeed("select", "--help").decode()
    assert "old name" in fail(2, "select", scored, "--max-tokens", "3", "--token-budget", "3")


def test_lengths_have_two_ends(scored):
    kept = records(succeed("select", scored, "--min-response-tokens", "20", "--max-response-tokens", "30"))
    assert {record["air"]["num_tokens"] for record in kept} <= set(range(20, 31)) and len(kept) > 5
    result = run("select", scored, "--max-response-tokens", "30")
    assert "by --max-response-tokens" in result.stderr.decode()


@pytest.mark.parametrize("condition, holds", [
    ("repetition<4.5", lambda r: r["air"]["repetition"] < 4.5),
    ("repetition >= 4.5", lambda r: r["air"]["repetition"] >= 4.5),
    ("meta.quality>0.25", lambda r: r["meta"]["quality"] > 0.25),
    ("meta.quality<=0.25", lambda r: r["meta"]["quality"] <= 0.25),
    ("meta.quality==1", lambda r: r["meta"]["quality"] == 1),
    ("meta.quality!=1", lambda r: r["meta"]["quality"] != 1),
    ("divergence>-0.05", lambda r: r["air"]["divergence"] > -0.05),
])
def test_a_condition_on_any_number(scored, condition, holds):
    everything = records(succeed("select", scored, "--top-percent", "100"))
    kept = succeed("select", scored, "--where", condition)
    assert records(kept) == [record for record in everything if holds(record)]
    assert 0 < len(records(kept)) < len(everything)


def test_conditions_add_up(scored):
    kept = records(succeed("select", scored, "--where", "repetition<4.5", "--where", "meta.quality>0.5"))
    assert kept and all(record["air"]["repetition"] < 4.5 and record["meta"]["quality"] > 0.5 for record in kept)


@pytest.mark.parametrize("condition, code, words", [
    ("repetition", 2, "is not a condition"),
    ("repetition<many", 2, "is not a condition"),
    ("<3", 2, "is not a condition"),
    ("repetition=<3", 2, "is not a condition"),
    ("quality<3", 3, 'no field "quality"'),
    ("note<3", 3, "is a string, not a number"),
    ("controlled>0", 3, 'no number "controlled"'),
])
def test_a_condition_that_says_nothing_is_an_error(scored, condition, code, words):
    assert words in fail(code, "select", scored, "--where", condition)


def test_columns_as_csv(scored):
    kept = records(succeed("select", scored, "--top-k", "7"))
    output = succeed("select", scored, "--top-k", "7", "--columns", "rank,id,influence,repetition,num_tokens,meta.quality,meta,note").decode()
    header, *rows = csv.reader(io.StringIO(output, newline=""))
    assert header == ["rank", "id", "influence", "repetition", "num_tokens", "meta.quality", "meta", "note"]
    for row, record in zip(rows, kept, strict=True):
        air = record["air"]
        assert [int(row[0]), row[1], float(row[2]), float(row[3]), int(row[4]), float(row[5]), json.loads(row[6]), row[7]] == \
            [air["rank"], record["id"], air["influence"], air["repetition"], air["num_tokens"], record["meta"]["quality"], record["meta"], record["note"]]


def test_a_column_that_no_record_has_is_an_error(scored, tmp_path):
    assert 'no record that is kept has "qualty"' in fail(3, "select", scored, "--top-k", "2", "--columns", "id,qualty", "-o", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
    fail(2, "select", scored, "--top-k", "2", "--columns", "id", "--format", "openai")
    fail(2, "select", scored, "--top-k", "2", "--columns", "id", "--dry-run")


def test_what_repeats_itself_is_seen(scored):
    repeats = run("select", scored, "--by", "repetition", "--top-k", "10").stderr.decode()
    assert "most of what is kept repeats itself: 10 of 10" in repeats and "repetition " in repeats
    assert "most of what is kept" not in run("select", scored, "--where", "repetition<4.5").stderr.decode()


def ranks(values):
    """(rank - 1/2) / n, ties sharing their mean."""
    values = np.asarray(values, float)
    below, equal = (values[:, None] > values).sum(1), (values[:, None] == values).sum(1)
    return (below + equal / 2) / len(values)


@pytest.mark.parametrize("by,score,others", [("residual:base_nll,repetition", "influence", ["base_nll", "repetition"]),
                                             ("residual(divergence):num_tokens", "divergence", ["num_tokens"])])
def test_residuals_are_those_of_numpys_least_squares(by, score, others, scored):
    lines = {record["id"]: record["air"] for record in records(scored.read_bytes())}
    column = lambda name: ranks([air[name] for air in lines.values()])
    design = np.stack([np.ones(len(lines)), *map(column, others)], 1)
    rest = column(score) - design @ np.linalg.lstsq(design, column(score), rcond=None)[0]
    (_, *rows), thresholds = tables(succeed("select", scored, "--by", by, "--top-k", "200", "--dry-run"))
    expected = dict(zip(lines, rest, strict=True))
    assert [row[1] for row in rows] == sorted(lines, key=expected.get, reverse=True) and len(rows) == 120
    np.testing.assert_allclose([float(row[2]) for row in rows], sorted(rest, reverse=True), atol=6e-5)
    kept = records(succeed("select", scored, "--by", by, "--min-score", "0.1"))
    assert {record["id"] for record in kept} == {name for name, value in expected.items() if value >= 0.1}
    # The fit is over all records, whatever the rules leave.
    kept = [record["id"] for record in records(succeed("select", scored, "--by", by, "--where", "num_tokens<30", "--top-k", "9"))]
    assert kept == [name for name in sorted(lines, key=expected.get, reverse=True) if lines[name]["num_tokens"] < 30][:9]


def test_residuals_that_say_nothing_are_errors_by_name(scored, tmp_path):
    assert '"nothing"' in fail(2, "select", scored, "--top-k", "3", "--by", "residual:nothing")
    assert '"base_nll" twice' in fail(2, "select", scored, "--top-k", "3", "--by", "residual:base_nll,base_nll")
    assert '"num_steps" is the same' in fail(3, "select", scored, "--top-k", "3", "--by", "residual:num_steps")
    assert '"ppl" orders' in fail(3, "select", scored, "--top-k", "3", "--by", "residual:base_nll,ppl")
    assert '"controlled"' in fail(3, "select", scored, "--top-k", "3", "--by", "residual:controlled")
    assert "exclude-copies" in fail(3, "select", scored, "--top-k", "3", "--by", "residual:num_excluded")


def test_a_residual_in_a_config_file(scored, tmp_path):
    config = tmp_path / "air.toml"
    config.write_text(succeed("select", scored, "--top-k", "5", "--by", "residual:base_nll,repetition", "--print-config").decode())
    assert succeed("select", "--config", config) == succeed("select", scored, "--top-k", "5", "--by", "residual:base_nll,repetition")
