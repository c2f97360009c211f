"""What a study will do, how long it takes and which differences it can see: said before it runs."""
import json
import time

import numpy as np
import torch

from .arms import CONTROL, RANDOM, chosen_arms
from .measures import autocast
from .runs import planned_runs, result_path
from .stats import detectable_difference, residual_spread
from .training import load_model

ROW_TOKENS = 256    # of the rows that the speed is measured with


def finished_runs(config):
    """Results of these settings, whatever the seed."""
    paths = sorted((config.work_folder / "results").glob("*.seed-*.json"))
    results = [json.loads(path.read_text(encoding="utf-8")) for path in paths]
    return [result for result in results if result["settings"] == config.fingerprint()]


def seconds_of_step(config):
    """Forward and backward of one step, measured on random tokens: before any run is done."""
    torch.manual_seed(0)
    model = load_model(config)
    rows = max(1, round(config.batch_tokens / (ROW_TOKENS / 2)))   # half of a row is its prompt
    ids = torch.randint(model.config.vocab_size, (rows, ROW_TOKENS), device=config.device)
    seconds = 0.0
    for _ in range(2):    # the first one warms up
        begin = time.monotonic()
        with autocast(config):
            loss = model(input_ids=ids, labels=ids).loss
        loss.backward()
        loss.item()
        seconds = time.monotonic() - begin
    return seconds


def loss_of(result):
    """Held-out loss, nats per response token."""
    return sum(result["losses"]) / sum(result["tokens"])


def pilot_spread(config):
    """(spread, degrees of freedom) of the pilot's random draws; None before the pilot is done."""
    pilot = config.pilot()
    paths = [[result_path(config, arm.name, seed) for arm in chosen_arms(pilot)]
             for seed in pilot.seeds]
    if not all(path.exists() for row in paths for path in row):
        return None
    losses = [[loss_of(json.loads(path.read_text(encoding="utf-8"))) for path in row]
              for row in paths]
    return residual_spread(np.array(losses))


def power_lines(config, arms):
    """What the design can see, by the pilot's spread."""
    found = pilot_spread(config)
    if found is None:
        return ["power: unknown before the pilot (study pilot CONFIG)"]
    spread, freedom = found
    tested = [arm for arm in arms if arm.family not in (RANDOM, CONTROL)]
    one, all_arms = (detectable_difference(spread, len(config.seeds), config.random_draws, number,
                                           config.alpha, config.power)
                     for number in (1, max(1, len(tested))))
    return [f"power: random picks of a seed differ by {spread:.4f} nats per token (standard "
            f"deviation, {freedom} degrees of freedom). With {len(config.seeds)} seeds the study "
            f"finds {one:.4f} in one arm, {all_arms:.4f} after the correction for "
            f"{len(tested)}, with a chance of {config.power:.0%}"]


def plan_lines(config):
    """The plan as lines of text."""
    arms = chosen_arms(config)
    runs = planned_runs(config)
    left = [run for run in runs if not result_path(config, run.arm.name, run.seed).exists()]
    done = finished_runs(config)
    if done:
        seconds = float(np.mean([r["seconds_train"] + r["seconds_measure"] for r in done]))
        how = f"the mean of {len(done)} runs"
    else:
        steps = config.steps_per_epoch * config.epochs
        seconds = steps * seconds_of_step(config)
        how = f"{steps} steps, as one on random tokens took; without measuring"
    lines = [f"{arm.name:24s} {arm.what}" for arm in arms]
    lines += [f"{len(arms)} arms x {len(config.seeds)} seeds: {len(runs)} runs, {len(left)} to do",
              f"each: {config.token_budget} response tokens, {config.epochs} epoch(s) of "
              f"{config.steps_per_epoch} steps, {config.method}, {config.dtype} on {config.device}",
              f"about {seconds:.0f} s a run ({how}): {len(left) * seconds / 60:.0f} min"]
    return lines + power_lines(config, arms)
