"""The runs of a study: an arm under a seed, each with a result file; what is there is not done again."""
import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from . import StudyError
from .arms import Arm, chosen_arms
from .files import sha256, write_json
from .measures import answers_right, held_out_losses, read_test_set
from .picks import make_pick, read_examples
from .training import load_model, load_tokenizer, num_trained, padding_id, train

UNTRAINED = "untrained"


@dataclass(frozen=True)
class Run:
    arm: Arm
    seed: int


def planned_runs(config):
    """Seed by seed, so that a study that is cut short has whole seeds."""
    return [Run(arm, seed) for seed in config.seeds for arm in chosen_arms(config)]


def result_path(config, name, seed=None):
    folder = config.work_folder / "results"
    return folder / (f"{name}.json" if seed is None else f"{name}.seed-{seed}.json")


def read_result(path, origin):
    """The result of a run; None when there is none yet. `origin`: what it must have come from."""
    if not path.exists():
        return None
    result = json.loads(path.read_text(encoding="utf-8"))
    for key, value in origin.items():
        if result.get(key) != value:
            raise StudyError(f"{path} was made with other {key}: remove it, or take another work "
                             "folder")
    return result


def _measure(config, model, tokenizer, items):
    begin = time.monotonic()
    sums, counts = held_out_losses(config, model, items, padding_id(tokenizer))
    chosen = [item for item in items if item.answer is not None][:config.answers]
    right = answers_right(config, model, tokenizer, chosen) if chosen else []
    return {"losses": sums, "tokens": counts, "right": right,
            "seconds_measure": time.monotonic() - begin}


def _untrained(config, origin, tokenizer, items):
    path = result_path(config, UNTRAINED)
    if not read_result(path, origin):
        measured = _measure(config, load_model(config), tokenizer, items)
        write_json(path, {"arm": UNTRAINED, **origin, **measured})


def _run(config, run, origin, pick, tokenizer, items):
    examples = read_examples(pick)
    begin = time.monotonic()
    folder = config.work_folder / "checkpoints" / f"{run.arm.name}.seed-{run.seed}"
    model, steps = train(config, examples, run.seed, folder)
    seconds = time.monotonic() - begin
    measured = _measure(config, model, tokenizer, items)
    write_json(result_path(config, run.arm.name, run.seed), {
        "arm": run.arm.name, "seed": run.seed, **origin, "steps": steps,
        "all_tokens": sum(len(example["input_ids"]) for example in examples),
        "trained_tokens": sum(map(num_trained, examples)), "seconds_train": seconds,
        "pick": pick.summary, **measured})


def run_all(config, inputs, say, limit=None):
    """Trains and measures whatever has no result yet; at most `limit` runs. Returns what is left."""
    if config.threads:
        torch.set_num_threads(config.threads)
    items, overlong = read_test_set(config, inputs.test)
    say(f"held out: {len(items)} records, {sum(len(i.ids) - i.response_begin for i in items)} "
        f"response tokens; {overlong} longer than max_tokens left out")
    tokenizer = load_tokenizer(config)
    origin = {"settings": config.fingerprint(), "test_set": sha256(inputs.test)}
    _untrained(config, origin, tokenizer, items)
    runs = planned_runs(config)
    done, left, begin = 0, 0, time.monotonic()
    for number, run in enumerate(runs, 1):
        pick = make_pick(config, inputs, run.arm, run.seed)
        of_run = origin | {"examples": sha256(pick.examples)}
        if read_result(result_path(config, run.arm.name, run.seed), of_run):
            continue
        if limit is not None and done >= limit:
            left += 1
            continue
        _run(config, run, of_run, pick, tokenizer, items)
        done += 1
        seconds = (time.monotonic() - begin) / done
        say(f"{number}/{len(runs)} {run.arm.name}, seed {run.seed}: {pick.summary['records']} "
            f"records, {pick.summary['tokens']} tokens; {seconds:.0f} s a run, about "
            f"{seconds * (len(runs) - number) / 60:.0f} min left")
    return left


def prepare(config, inputs, say):
    """All picks, so that the training needs no `air`: it can go to another machine."""
    for run in planned_runs(config):
        make_pick(config, inputs, run.arm, run.seed)
    read_test_set(config, inputs.test)
    say(f"{len(planned_runs(config))} picks in {config.work_folder}")
