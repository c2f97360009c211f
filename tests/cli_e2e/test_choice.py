"""A part of the records, and what a run would cost: --limit, --sample, --dry-run."""
import json
import re
import shutil
import subprocess

import pytest
from air_runner import GSM8K, air_binary, clean_environment, fail, records, succeed, write_records

USAGE, INPUT = 2, 3
ALONE = ["--threads", "1", "--max-batch-tokens", "2000"]


@pytest.fixture
def many(tmp_path):
    """Sixty records of mixed lengths in two files, with blank lines between them."""
    items = [{"id": f"t{i}", "prompt": f"Say {i}.", "response": f"It is {i}." + " And so on." * (i * 7 % 23)} for i in range(60)]
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text("".join(json.dumps(item) + "\n\n" for item in items[:25]))
    write_records(second, items[25:])
    return [first, second]


def ids(output):
    return [record["id"] for record in records(output)]


def score(model, inputs, *flags):
    return succeed("score", "--model", model, "--heads", "1-5", *inputs, *ALONE, *flags)


def test_limit_takes_the_first_records(model, many):
    assert ids(succeed("inspect", "--model", model, *many, "--limit", 30)) == [f"t{i}" for i in range(30)]
    assert ids(score(model, many, "--limit", 30, "--order", "input")) == [f"t{i}" for i in range(30)]
    assert len(ids(succeed("inspect", "--model", model, *many, "--limit", 1000))) == 60


def test_limit_reads_no_more_of_a_pipe(model, tmp_path):
    """The program that writes is told at once: it does not have to write to its end."""
    script = f'yes \'{{"prompt": "a", "response": "b"}}\' | "{air_binary()}" inspect --model "{model}" --limit 3 -'
    result = subprocess.run(["sh", "-c", script], capture_output=True, env=clean_environment(), timeout=60)
    assert result.returncode == 0 and len(records(result.stdout)) == 3


def test_a_sample_is_drawn_from_all_by_the_seed(model, many):
    def drawn(*flags):
        return [int(name[1:]) for name in ids(succeed("inspect", "--model", model, *many, *flags))]
    first = drawn("--sample", 12)
    assert len(set(first)) == 12 and first == sorted(first) and first == drawn("--sample", 12)
    assert [f"t{i}" for i in first] == ids(score(model, many, "--sample", 12, "--order", "input"))
    assert drawn("--sample", 1000) == list(range(60))
    # No part of the input is preferred: of ten draws of 12 from 60 each record comes in two, give or take.
    counts = [0] * 60
    for seed in range(10):
        for number in drawn("--sample", 12, "--seed", seed):
            counts[number] += 1
    assert sum(counts) == 120 and counts.count(0) < 20 and max(counts) < 9
    assert abs(sum(counts[:30]) - 60) < 30


def test_shards_of_a_choice_share_it(model, many):
    for by, flags in (("lines", ["--limit", 30]), ("size", ["--sample", 21])):
        whole = ids(score(model, many, *flags, "--order", "input"))
        shards = [ids(score(model, many, *flags, "--order", "input", "--shard", f"{i}/2", "--shard-by", by)) for i in range(2)]
        assert sorted(sum(shards, [])) == sorted(whole) and all(shards)


def test_several_devices_share_a_choice(model, many, out):
    score(model, many, "--sample", 21, "--device", "cpu,cpu", "-o", out / "two.jsonl")
    assert sorted(ids((out / "two.jsonl").read_bytes())) == sorted(ids(score(model, many, "--sample", 21)))


def test_the_manifest_says_what_was_chosen(model, many, out):
    for flag, other in (("limit", "sample"), ("sample", "limit")):
        score(model, many, f"--{flag}", 7, "-o", out / "s.jsonl")
        manifest = json.loads((out / "s.jsonl.manifest.json").read_text())
        assert manifest[flag] == 7 and manifest[other] is None


def test_a_choice_that_has_no_meaning_is_refused(model, many):
    base = ["score", "--model", model, "--heads", "1-5"]
    assert "--sample: can't be used with --limit" in fail(USAGE, *base, *many, "--limit", 3, "--sample", 3)
    assert "--sample: standard input can be read only once" in fail(USAGE, *base, "-", "--sample", 3, stdin=b"{}")
    for flag in ("--limit", "--sample"):
        assert f"{flag}: can't be used with --stream: every line is answered" in fail(USAGE, *base, "--stream", flag, 3, stdin=b"{}")
        assert f"{flag}: must be 1 or more" in fail(USAGE, *base, *many, flag, 0)


# --dry-run

def dry_run(output):
    header, *rows = [line.split("\t") for line in output.decode().splitlines()]
    assert header == ["what", "value"]
    return dict(rows)


def test_a_dry_run_counts_what_the_run_scores(model, many, out):
    bad = out.parent / "bad.jsonl"
    bad.write_text('{"prompt": "no response"}\n{"id": "x"}\n')
    flags = ["--max-length", "60", "--overlong", "truncate", "--on-error", "skip", "--sample", "50", "--seed", "3"]
    told = dry_run(score(model, [*many, bad], *flags, "--dry-run", "-o", out / "s.jsonl"))
    assert list(out.iterdir()) == []
    score(model, [*many, bad], *flags, "-o", out / "s.jsonl")
    manifest = json.loads((out / "s.jsonl.manifest.json").read_text())
    scored = records((out / "s.jsonl").read_bytes())
    lengths = [row["air"]["num_tokens"] + row["air"]["num_prompt_tokens"] for row in scored]
    assert int(told["traces"]) == len(scored) == manifest["num_traces"]
    assert int(told["tokens"]) == sum(lengths) == manifest["num_tokens"]
    assert int(told["response tokens"]) == sum(row["air"]["num_tokens"] for row in scored)
    assert int(told["longest trace"]) == max(lengths) == 60
    assert int(told["traces cut by --max-length"]) == sum("truncated" in row["air"] for row in scored) > 0
    assert int(told["records left out"]) == 50 - len(scored) == manifest["num_rejected"] > 0
    assert told["tokens of a batch"] == str(manifest["max_batch_tokens"])
    assert float(told["seconds"]) > 0 and 0.05 < float(told["GiB of memory"]) < 8


def test_a_dry_run_ends_where_the_run_would(model, many, tmp_path):
    bad = write_records(tmp_path / "bad.jsonl", [{"prompt": "no response"}])
    assert f"{bad}:1: " in fail(INPUT, "score", "--model", model, "--heads", "1-5", *many, bad, "--dry-run")
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert "nothing to score" in fail(INPUT, "score", "--model", model, "--heads", "1-5", empty, "--dry-run")


@pytest.mark.parametrize("more, named", [(["--plan", "2"], "--plan"), (["--stream"], "--stream"), (["--resume", "-o", "x"], "--resume"),
                                         (["--device", "cpu,cpu"], "--device cpu,cpu")])
def test_a_dry_run_refuses_what_it_has_no_use_for(model, more, named):
    assert f"{named}: can't be used with --dry-run" in fail(USAGE, "score", "--model", model, "--heads", "1-5", GSM8K, "--dry-run", *more)


def test_a_dry_run_reads_a_pipe(model, many):
    text = many[1].read_bytes()
    assert dry_run(succeed("score", "--model", model, "--heads", "1-5", "-", *ALONE, "--dry-run", stdin=text))["traces"] == "35"


def test_a_long_run_says_how_long(model, tmp_path, out):
    """After some seconds: the tokens of the whole, and the minutes that are left."""
    line = json.dumps({"prompt": "Say it.", "response": "It is so, and so it goes on.\n\n" * 4}) + "\n"
    (tmp_path / "long.jsonl").write_text(line * 300_000)
    base = [air_binary(), "score", "--model", model, "--heads", "1-5", tmp_path / "long.jsonl", "--threads", "1", "--progress", "always"]
    process = subprocess.Popen([*base, "-o", out / "s.jsonl"], stderr=subprocess.PIPE, env=clean_environment())
    told = next((text for text in map(bytes.decode, process.stderr) if "tokens in all" in text), None)
    process.kill()
    process.communicate()
    one = records(succeed("inspect", "--model", model, tmp_path / "long.jsonl", "--limit", 1))
    found = re.search(r"about (\d+) tokens in all; (\d+) min left", told)
    assert int(found[1]) == pytest.approx(300_000 * len(one[0]["ids"]), rel=0.01) and int(found[2]) >= 1


def test_inspect_text_names_a_trace_without_an_id_by_its_line(model, tmp_path):
    """As air show does; lines are counted over all inputs, blank ones too."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text('{"id": "named", "prompt": "a", "response": "b"}\n\n')
    write_records(second, [{"prompt": "a", "response": "b"}])
    text = succeed("inspect", "--model", model, "--text", first, second).decode()
    assert [line.split(":")[0] for line in text.splitlines() if line.startswith("== ")] == ["== named", "== line 3"]


# Totals

def test_inspect_text_ends_with_the_totals(model, many, tmp_path):
    small = tmp_path / "small"
    shutil.copytree(model, small)
    config = json.loads((small / "config.json").read_text())
    (small / "config.json").write_text(json.dumps(config | {"max_position_embeddings": 60}))
    rows = records(succeed("inspect", "--model", small, *many))
    lengths = [len(row["ids"]) for row in rows]
    beyond = sum(length > 60 for length in lengths)
    assert 0 < beyond < 60
    totals = (f"In all: 60 traces, {sum(len(row['steps']) for row in rows)} steps, "
              f"{sum(len(row['ids']) - row['response_begin'] for row in rows)} response tokens; "
              f"the longest has {max(lengths)} tokens with its prompt; "
              f"{beyond} longer than the 60 tokens of the model, the default of air score --max-length")
    assert succeed("inspect", "--model", small, "--text", *many).decode().splitlines()[-1] == totals
    assert "longer than --max-length 60" in fail(INPUT, "score", "--model", small, "--heads", "1-5", *many)
    # Tokenizer files alone: what the model would take is not known.
    (small / "config.json").unlink()
    last = succeed("inspect", "--model", small, "--text", *many, "--limit", 2).decode().splitlines()[-1]
    assert last.startswith("In all: 2 traces") and "of the model" not in last
