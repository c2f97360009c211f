"""Shards of a scored file, put together by `air select`: the very bytes of the run that was not cut."""
import json
import random

import pytest
from air_runner import fail, succeed

NUM_SHARDS = 3


def scored_lines(records, key):
    """What `air score` writes: lines in order of rank, ties by line."""
    ordered = sorted(records, key=lambda record: (-record[key], record["line"], record["trace"]))
    losses = {"base_nll": 0.5, "ref_nll": 1.0, "entropy": 0.25}
    lines = []
    for rank, record in enumerate(ordered, 1):
        air = {"schema": "air.score/1", "rank": rank, **record, **losses, "num_tokens": 3, "num_prompt_tokens": 1,
               "num_steps": 1, "steps": [{"begin": 0, "end": 4, "num_tokens": 3, **losses, "influence": 1.0, "weight": 1}]}
        lines.append(json.dumps({"id": f"é{record['line']}", "rank": 1, "problem": "p", "generations": ["abcd", "efgh"], "air": air}, ensure_ascii=False,
                                separators=(",", ":")) + "\n")
    return lines


@pytest.fixture(params=["influence", "divergence"])
def run(request, tmp_path):
    """(lines of one run, files of its shards in a mixed order, what ranks)"""
    rng = random.Random(8)
    records = [{"line": 1 + i // 2, "trace": i % 2, "influence": rng.randrange(40) / 7, "divergence": rng.randrange(40) / 7}
               for i in range(300)]
    files = []
    for shard in (2, 0, 1):
        files.append(tmp_path / f"s{shard}.jsonl")
        files[-1].write_text("".join(scored_lines([r for r in records if (r["line"] - 1) % NUM_SHARDS == shard], request.param)))
    return scored_lines(records, request.param), files, request.param


def test_files_without_a_rule_are_joined(run, tmp_path):
    lines, files, _ = run
    succeed("select", *files, "-o", tmp_path / "all.jsonl")
    assert (tmp_path / "all.jsonl").read_text() == "".join(lines)


def test_shards_are_selected_from_as_one_file(run, tmp_path):
    lines, files, by = run
    (tmp_path / "all.jsonl").write_text("".join(lines))
    for rules in (["--by", by, "--top-k", "50"], ["--by", "num_tokens", "--top-percent", "10"]):  # the second: ties only
        output = succeed("select", *rules, *files)
        assert output == succeed("select", *rules, tmp_path / "all.jsonl")
        assert output.decode().splitlines(keepends=True) == lines[:len(output.splitlines())]
    through_a_pipe = succeed("select", "-", "--by", by, "--top-percent", "100", stdin=b"".join(file.read_bytes() for file in files))
    assert through_a_pipe.decode() == "".join(lines)


def test_parts_of_one_run_keep_their_ranks(run, tmp_path):
    """Ranks that differ already hold over all: no byte changes."""
    lines, _, by = run
    (tmp_path / "a.jsonl").write_text("".join(lines[100:]))
    (tmp_path / "b.jsonl").write_text("".join(lines[10:20]))
    assert succeed("select", tmp_path / "a.jsonl", tmp_path / "b.jsonl").decode() == "".join(lines[10:20] + lines[100:])


def test_one_file_needs_a_rule(run):
    assert "--top-percent 100" in fail(2, "select", run[1][0])


def test_the_report_takes_the_shards_in_order_of_score(run, tmp_path):
    lines, files, _ = run
    (tmp_path / "all.jsonl").write_text("".join(lines))
    pages = []
    for inputs in (files, [tmp_path / "all.jsonl"]):
        page = succeed("report", "--title", "t", *inputs).decode()
        pages.append(page[page.index('<section id="traces"'):page.index('<section id="manifest"')])
    assert pages[0] == pages[1]
