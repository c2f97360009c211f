"""What the study starts from: a scored pool and a held-out set, given or made out of records."""
import json
import random
from dataclasses import dataclass
from pathlib import Path

from . import StudyError
from .air import run_air
from .arms import WEIGHTS, chosen_arms
from .files import read_lines, write_lines


@dataclass(frozen=True)
class Inputs:
    """Files that exist."""

    scored: Path
    without_copies: Path | None    # no arm asks for it: None
    test: Path
    heads: str                     # as `air score --heads` takes it


def _split(config, say):
    """pool.jsonl and test.jsonl: a shuffle by seed 0, the test set first; no prompt is in both."""
    pool, test = config.work_folder / "pool.jsonl", config.work_folder / "test.jsonl"
    if pool.exists() and test.exists():
        return pool, test
    say(f"splitting {config.records}")
    lines = read_lines(Path(config.records).expanduser())
    random.Random(0).shuffle(lines)
    held_out = lines[:config.test_records]
    prompts = {prompt_of(line) for line in held_out}
    rest = [line for line in lines[config.test_records:] if prompt_of(line) not in prompts]
    if len(rest) < config.pool_records:
        raise StudyError(f"{config.records}: {len(lines)} records are too few for "
                         f"{config.test_records} held out and a pool of {config.pool_records}")
    write_lines(test, held_out)
    write_lines(pool, rest[:config.pool_records])
    return pool, test


def prompt_of(line):
    """What tells that two records ask the same: the record without its answer."""
    record = json.loads(line)
    names = ("prompt", "question", "problem", "instruction", "input")
    found = [record[name] for name in names if name in record]
    return json.dumps(found or record.get("messages", record.get("conversations", record)))


def score_arguments(config, heads):
    """The flags that every scoring of the study has in common."""
    return ["score", "-q", "--model", config.model_folder, "--heads", heads,
            *config.record_flags, *config.score_flags]


def make_inputs(config, say):
    """Makes what is not given and not there yet. `say` takes lines of progress."""
    arms = chosen_arms(config)
    copies = any(arm.without_copies for arm in arms)
    work = config.work_folder
    work.mkdir(parents=True, exist_ok=True)
    heads = config.heads or str(work / "heads.json")
    weighs = any(arm.family == WEIGHTS for arm in arms)
    needs_heads = weighs or not config.scored or copies and not config.scored_without_copies
    if needs_heads and not config.heads and not Path(heads).exists():
        say("finding the retrieval heads")
        run_air("find-heads", "-q", "--model", config.model_folder, *config.find_heads_flags,
                "-o", heads)
    if config.scored:
        pool, test = Path(config.scored).expanduser(), Path(config.test).expanduser()
        scored = pool
    else:
        pool, test = _split(config, say)
        scored = work / "scored.jsonl"
        _score(config, heads, pool, scored, ["--controls", config.controls], say)
    without_copies = None
    if copies and config.scored_without_copies:
        without_copies = Path(config.scored_without_copies).expanduser()
    elif copies:
        without_copies = work / "scored_without_copies.jsonl"
        _score(config, heads, pool, without_copies,
               ["--exclude-copies", config.exclude_copies, *overwrite(config)], say)
    for path in filter(None, (scored, without_copies, test)):
        if not path.exists():
            raise StudyError(f"{path}: there is no such file")
    return Inputs(scored, without_copies, test, heads)


def overwrite(config):
    """A pool that was given has scores already."""
    return ["--overwrite"] if config.scored else []


def _score(config, heads, pool, output, flags, say):
    if output.exists():
        return
    say(f"scoring {pool} to {output}")
    resume = ["--resume"] if output.with_name(output.name + ".partial").exists() else []
    run_air(*score_arguments(config, heads), *flags, *resume, pool, "-o", output)
