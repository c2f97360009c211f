"""Sharing the input out: --shard, a Slurm array job's tasks, and what keeps shards from overwriting each other."""
import json

import pytest
from air_runner import fail, records, run, succeed, write_records

USAGE = 2


def array(task, count, first=0, step=1, last=None):
    """The variables that Slurm gives a task of an array job."""
    last = first + (count - 1) * step if last is None else last
    values = {"ID": task, "COUNT": count, "MIN": first, "MAX": last, "STEP": step}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


@pytest.fixture
def score(model, tmp_path):
    path = write_records(tmp_path / "traces.jsonl", [{"prompt": f"Say {i}.", "response": f"{i}.\n\nSo: {i}."} for i in range(22)])
    return ["score", "--model", model, "--heads", "1-5", "--order", "input", "--threads", "1", path]


def lines_of(output):
    return [record["air"]["line"] for record in records(output)]


def test_shards_are_the_input_dealt_out_by_line(score):
    whole = lines_of(succeed(*score))
    shards = [lines_of(succeed(*score, "--shard", f"{i}/3")) for i in range(3)]
    assert all({line % 3 for line in lines} == {i + 1 if i < 2 else 0} for i, lines in enumerate(shards))
    assert sorted(sum(shards, [])) == whole and len(whole) == 22


@pytest.mark.parametrize("first, step", [(0, 1), (1, 1), (0, 4), (1, 2)])
def test_a_task_of_an_array_job_takes_its_share(score, first, step):
    for index in range(3):
        result = run(*score, env=array(first + index * step, 3, first, step))
        assert result.returncode == 0 and f"--shard {index}/3".encode() in result.stderr
        assert lines_of(result.stdout) == lines_of(succeed(*score, "--shard", f"{index}/3"))


def test_an_array_of_one_task_scores_all_and_warns(score):
    result = run(*score, env=array(0, 1))
    assert result.returncode == 0 and b"warning: an array of one task scores all lines" in result.stderr
    assert len(lines_of(result.stdout)) == 22


def test_a_flag_a_variable_and_a_config_file_come_before_the_array_job(score, tmp_path):
    config = tmp_path / "air.toml"
    config.write_text('shard = "3/5"\n')
    wanted = succeed(*score, "--shard", "3/5")
    assert succeed(*score, "--shard", "3/5", env=array(1, 3)) == wanted
    assert succeed(*score, env=array(1, 3) | {"AIR_SHARD": "3/5"}) == wanted
    assert succeed(*score, "--config", config, env=array(1, 3)) == wanted


def test_the_manifest_says_which_shard(score, out):
    succeed(*score, "-o", out / "a.jsonl", env=array(1, 3))
    succeed(*score, "-o", out / "b.jsonl")
    assert json.loads((out / "a.jsonl.manifest.json").read_text())["shard"] == "1/3"
    assert json.loads((out / "b.jsonl.manifest.json").read_text())["shard"] == "0/1"


@pytest.mark.parametrize("variables", [
    array(3, 1, first=3),           # one task run again: --array=3
    array(5, 2, first=5),           # two of them: --array=5-6
    array(0, 3, last=7),            # --array=0,3,7
    array(2, 2, first=0, step=4),   # no task of --array=0,4
    array(1, 3) | {"SLURM_ARRAY_TASK_COUNT": "many"},
])
def test_an_array_that_does_not_say_its_shares_is_refused(score, variables):
    assert "--shard" in fail(USAGE, *score, env=variables)
    assert lines_of(succeed(*score, "--shard", "3/5", env=variables)) == lines_of(succeed(*score, "--shard", "3/5"))


def test_a_shard_does_not_overwrite_the_scores_of_another(score, out):
    path = out / "scored.jsonl"
    succeed(*score, "--shard", "0/3", "-o", path)
    first = path.read_bytes()
    for another in [{"env": array(1, 3)}, {}]:
        flags = [] if another else ["--shard", "1/3"]
        message = fail(USAGE, *score, *flags, "-o", path, **another)
        assert "scored.jsonl" in message and "0/3" in message and "1/3" in message
    assert path.read_bytes() == first
    succeed(*score, "--shard", "0/3", "-o", path)  # the same again
    assert path.read_bytes() == first


@pytest.mark.parametrize("text", ["3/3", "-1/3", "1", "1/0", "a/b", "1/3x"])
def test_a_shard_that_is_none(score, text):
    assert "--shard" in fail(USAGE, *score, f"--shard={text}")


@pytest.fixture
def uneven(model, tmp_path):
    """A long record in every fourth line: by lines the first of four shards has nearly all the work."""
    path = write_records(tmp_path / "uneven.jsonl", [{"prompt": f"Say {i}.", "response": f"{i}. " * (60 if i % 4 == 0 else 1)} for i in range(24)])
    return ["score", "--model", model, "--heads", "1-5", "--threads", "1", "--max-batch-tokens", "1", path]


def test_shards_by_size_are_even_and_join_to_one_run(uneven, out):
    lines = uneven[-1].read_bytes().splitlines()
    whole = succeed(*uneven)
    files, sizes, seen = [], [], []
    for i in range(4):
        files.append(out / f"s{i}.jsonl")
        succeed(*uneven, "--shard-by", "size", "--shard", f"{i}/4", "-o", files[-1])
        mine = lines_of(files[-1].read_bytes())
        sizes.append(sum(len(lines[line - 1]) for line in mine))
        seen += mine
        assert json.loads((out / f"s{i}.jsonl.manifest.json").read_text())["shard_by"] == "size"
    assert sorted(seen) == list(range(1, 25))
    assert max(sizes) - min(sizes) <= max(map(len, lines))  # what the rule promises
    assert max(sizes) < 1.4 * min(sizes)
    assert succeed("select", *files) == whole
    # Blank lines count as they do for everybody who reads the file.
    uneven[-1].write_bytes(b"\n\n".join(lines))
    assert sorted(sum((lines_of(succeed(*uneven, "--shard-by", "size", "--shard", f"{i}/4")) for i in range(4)), [])) == list(range(1, 49, 2))


def test_shards_by_size_are_not_shared_out_again(uneven, out):
    assert "--shard-by" in fail(USAGE, *uneven, "--shard-by", "size", "--shard", "0/2", "--device", "cpu,cpu", "-o", out / "x.jsonl")
    succeed(*uneven, "--shard-by", "size", "--device", "cpu,cpu", "-o", out / "x.jsonl")
    assert (out / "x.jsonl").read_bytes() == succeed(*uneven)


def plan(output):
    """Rows of a plan: shard -> (lines, tokens, seconds)."""
    rows = [line.split("\t") for line in output.decode().splitlines()]
    assert rows[0] == ["shard", "lines", "tokens", "seconds"]
    return {row[0]: (int(row[1]), int(row[2]), float(row[3])) for row in rows[1:]}


def test_a_plan_tells_the_tokens_of_each_shard(uneven, out):
    succeed(*uneven, "-o", out / "s.jsonl")
    manifest = json.loads((out / "s.jsonl.manifest.json").read_text())
    by_lines, by_size = plan(succeed(*uneven, "--plan", "4")), plan(succeed(*uneven, "--plan", "4", "--shard-by", "size"))
    assert list(by_lines) == ["0/4", "1/4", "2/4", "3/4", "all"]
    for rows in (by_lines, by_size):
        lines, tokens, seconds = rows["all"]
        assert lines == 24 and seconds > 0
        assert tokens == manifest["num_tokens"]  # every record is in the sample
        assert sum(row[0] for name, row in rows.items() if name != "all") == 24
        assert abs(sum(row[1] for name, row in rows.items() if name != "all") - tokens) <= 4
    # By lines the first shard has six long records; by size the work is shared.
    assert by_lines["0/4"][1] > 4 * by_lines["1/4"][1]
    assert max(by_size[f"{i}/4"][1] for i in range(4)) < 1.4 * min(by_size[f"{i}/4"][1] for i in range(4))


@pytest.mark.parametrize("more, named", [(["--resume"], "--resume"), (["--shard", "0/2"], "--shard"), (["--stream"], "--stream"),
                                         (["--device", "cpu,cpu"], "--device cpu,cpu"), (["-"], "--plan")])
def test_a_plan_refuses_what_it_has_no_use_for(uneven, more, named):
    arguments = uneven if more != ["-"] else uneven[:-1]
    assert f"{named}: " in fail(USAGE, *arguments, "--plan", "2", *more, stdin=b"{}")


def test_a_plan_of_no_traces_is_an_error(uneven):
    uneven[-1].write_text("\n")
    assert "nothing to plan" in fail(3, *uneven, "--plan", "2")
