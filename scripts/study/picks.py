"""What each arm trains on: a seed's share of the pool, of which `air select` takes the budget."""
import csv
import io
import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from . import StudyError
from .air import run_air
from .arms import CONTROL, WEIGHTS, random_arm
from .files import read_lines, read_records, write_json, write_lines
from .inputs import score_arguments

COLUMNS = ("line", "num_tokens", "base_nll", "repetition", "influence")
NOT_TRAINED = -100


@dataclass(frozen=True)
class Pick:
    """An arm's training data under a seed: examples of `air select --format tokens`."""

    examples: Path
    summary: dict


def seed_folder(config, seed):
    return config.work_folder / f"seed-{seed}"


def draw_pool(config, scored, seed, output):
    """A share of the scored lines, the same for all arms of the seed, without overlong traces."""
    lines = read_lines(scored)
    drawn = random.Random(f"pool {seed}").sample(range(len(lines)),
                                                 round(config.pool_share * len(lines)))
    numbers = [json.loads(lines[index])["air"] for index in drawn]
    fits = [air["num_tokens"] + air["num_prompt_tokens"] <= config.max_tokens
            and air["num_tokens"] <= config.batch_tokens for air in numbers]
    kept = [lines[index] for index, fit in zip(drawn, fits) if fit]
    tokens = sum(air["num_tokens"] for air, fit in zip(numbers, fits) if fit)
    if tokens < 2 * config.token_budget:
        raise StudyError(f"seed {seed}: {len(kept)} traces of {tokens} response tokens are left to "
                         f"choose from, less than twice the budget of {config.token_budget}: "
                         "a larger pool, pool_share, max_tokens or batch_tokens, or a smaller "
                         "token_budget")
    write_lines(output, kept)
    manifest = Path(f"{scored}.manifest.json")
    if manifest.exists():
        shutil.copyfile(manifest, f"{output}.manifest.json")
    return {"traces": len(kept), "tokens": tokens, "overlong": len(drawn) - len(kept)}


def _pools(config, inputs, seed):
    """The seed's pools: by the scores, and by those without copies."""
    folder = seed_folder(config, seed)
    pool, other = folder / "pool.jsonl", folder / "pool_without_copies.jsonl"
    if not pool.exists():
        draw_pool(config, inputs.scored, seed, pool)
    if inputs.without_copies and not other.exists():
        _align(config, inputs, seed, pool, other)
    return pool, other


def _align(config, inputs, seed, pool, output):
    """The same traces as the pool's, with the scores of the other file."""
    def key(line):
        air = json.loads(line)["air"]
        return air["line"], air.get("trace", 0)
    others = {key(line): line for line in read_lines(inputs.without_copies)}
    lines = [others.get(key(line)) for line in read_lines(pool)]
    if None in lines:
        raise StudyError(f"{inputs.without_copies} lacks traces of {inputs.scored}")
    write_lines(output, lines)
    manifest = Path(f"{inputs.without_copies}.manifest.json")
    if manifest.exists():
        shutil.copyfile(manifest, f"{output}.manifest.json")


def _select(config, arm, seed, pool, *more):
    flags = list(arm.select)
    if "--random" in flags:
        draw = int(arm.name.rsplit("-", 1)[1])
        flags += ["--seed", 1000 * seed + draw]
    if "--stratify-by" in flags:
        flags += ["--bins", config.bins]
    return run_air("select", "-q", pool, *flags, "--token-budget", config.token_budget, *more)


def _tokens_flags(config):
    return ["--format", "tokens", "--tokenizer", config.model_folder, *config.record_flags]


def _summary(config, arm, seed, pool):
    """Lines and means of what the arm picks."""
    text = _select(config, arm, seed, pool, "--columns", ",".join(COLUMNS))
    rows = list(csv.DictReader(io.StringIO(text)))
    if not rows:
        raise StudyError(f"{arm.name}, seed {seed}: nothing is picked")
    tokens = sum(int(row["num_tokens"]) for row in rows)
    if tokens < 0.9 * config.token_budget:
        raise StudyError(f"{arm.name}, seed {seed}: {tokens} tokens are picked of a budget of "
                         f"{config.token_budget}: arms would differ in size")
    means = {f"mean_{name}": sum(float(row[name]) for row in rows) / len(rows)
             for name in COLUMNS[2:]}
    return {"lines": sorted(int(row["line"]) for row in rows), "records": len(rows),
            "tokens": tokens, **means}


def mismatch(examples):
    """Each prompt with the response of the next example; the last one takes the first's."""
    def cut(example):
        first = next(i for i, label in enumerate(example["labels"]) if label != NOT_TRAINED)
        return ({key: values[:first] for key, values in example.items()},
                {key: values[first:] for key, values in example.items()})
    parts = [cut(example) for example in examples]
    responses = [response for _, response in parts[1:] + parts[:1]]
    return [{key: prompt[key] + response[key] for key in prompt}
            for (prompt, _), response in zip(parts, responses)]


def make_pick(config, inputs, arm, seed):
    """The arm's examples under the seed; made once."""
    folder = seed_folder(config, seed)
    examples, about = folder / f"{arm.name}.tokens.jsonl", folder / f"{arm.name}.pick.json"
    if examples.exists() and about.exists():
        return Pick(examples, json.loads(about.read_text(encoding="utf-8")))
    pool, without_copies = _pools(config, inputs, seed)
    if arm.family in (WEIGHTS, CONTROL):
        base = random_arm(0)
        summary = _summary(config, base, seed, pool)
        if arm.family == CONTROL:
            lines = [json.dumps(e) for e in mismatch(_unweighted_examples(config, base, seed, pool))]
        else:
            lines = _weighted_lines(config, inputs, arm, seed, pool)
    else:
        source = without_copies if arm.without_copies else pool
        summary = _summary(config, arm, seed, source)
        lines = [json.dumps(e) for e in _unweighted_examples(config, arm, seed, source)]
    write_lines(examples, lines)
    write_json(about, summary)
    return Pick(examples, summary)


def _unweighted_examples(config, arm, seed, pool):
    text = _select(config, arm, seed, pool, *_tokens_flags(config), "--no-step-weights")
    return [json.loads(line) for line in text.splitlines()]


def _weighted_lines(config, inputs, arm, seed, pool):
    """The first random draw, scored again for the weights of this kind."""
    folder = seed_folder(config, seed)
    drawn, weighed = folder / f"{arm.name}.drawn.jsonl", folder / f"{arm.name}.weighed.jsonl"
    write_lines(drawn, _select(config, random_arm(0), seed, pool).splitlines())
    run_air(*score_arguments(config, inputs.heads), "--overwrite", "--order", "input",
            "--step-weights", arm.step_weights, drawn, "-o", weighed)
    text = run_air("select", "-q", weighed, "--top-percent", 100, *_tokens_flags(config))
    for path in (drawn, weighed, Path(f"{weighed}.manifest.json")):
        path.unlink(missing_ok=True)
    return text.splitlines()


def read_examples(pick):
    return read_records(pick.examples)
