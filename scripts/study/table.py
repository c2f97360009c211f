"""The study's result: every arm against random, as numbers, as a table and as a plot."""
import json
from dataclasses import asdict, dataclass

import numpy as np

from . import StudyError
from .arms import CONTROL, RANDOM, WEIGHTS, chosen_arms
from .plan import loss_of, pilot_spread
from .runs import UNTRAINED, result_path
from .stats import block_contrasts, bootstrap_interval, detectable_difference, holm


@dataclass(frozen=True)
class Row:
    """An arm, by one measure."""

    arm: str
    what: str
    records: float         # of a pick, mean over seeds
    base_loss: float       # likewise, mean of the records' base_nll
    repetition: float
    value: float           # the measure, mean over seeds
    difference: float      # to the arm's baseline
    low: float             # interval over seeds
    high: float
    bootstrap_low: float   # seeds and test items drawn anew
    bootstrap_high: float
    p: float
    p_holm: float          # NaN: not tested


def whole_seeds(config, arms):
    """Results [seed][arm] of the seeds whose runs are all done."""
    found = {}
    for seed in config.seeds:
        paths = [result_path(config, arm.name, seed) for arm in arms]
        if all(path.exists() for path in paths):
            found[seed] = {arm.name: json.loads(path.read_text(encoding="utf-8"))
                           for arm, path in zip(arms, paths)}
            for path, result in zip(paths, found[seed].values()):
                if result["settings"] != config.fingerprint():
                    raise StudyError(f"{path} was made with other settings")
    return found


def item_losses(result):
    """Mean loss of each test item."""
    return np.array(result["losses"]) / np.array(result["tokens"])


MEASURES = {
    "loss": (loss_of, item_losses, lambda result: np.array(result["tokens"], float)),
    "accuracy": (lambda result: float(np.mean(result["right"])),
                 lambda result: np.array(result["right"], float),
                 lambda result: np.ones(len(result["right"]))),
}


def measure_rows(config, arms, results, measure):
    """The rows of one measure, and the spread of a run: (rows, spread, degrees of freedom)."""
    value_of, items_of, weights_of = MEASURES[measure]
    seeds = list(results.values())
    draws = [arm.name for arm in arms if arm.family == RANDOM]
    weights = weights_of(seeds[0][draws[0]])

    def values(names):
        return np.array([[value_of(seed[name]) for name in names] for seed in seeds])

    def row(arm, baseline, contrast, tested):
        differences = [items_of(seed[arm.name]) - np.mean([items_of(seed[b]) for b in baseline], 0)
                       for seed in seeds]
        interval = bootstrap_interval(differences, weights, config.alpha, config.bootstrap_draws)
        picks = [seed[arm.name]["pick"] for seed in seeds]
        means = {name: float(np.mean([pick[name] for pick in picks]))
                 for name in ("records", "mean_base_nll", "mean_repetition")}
        return Row(arm.name, arm.what, *means.values(), float(values([arm.name]).mean()),
                   contrast.difference, contrast.low, contrast.high, *interval, contrast.p,
                   contrast.p if tested else float("nan"))

    rows, blocks = [], {}
    for families, baseline in ((("choice",), draws), ((WEIGHTS,), draws[:1]), ((CONTROL,), draws)):
        chosen = [arm for arm in arms if arm.family in families]
        if chosen:
            found = block_contrasts(values(baseline), values([a.name for a in chosen]), config.alpha)
            blocks[families[0]] = found
            rows += [row(arm, baseline, contrast, families[0] != CONTROL)
                     for arm, contrast in zip(chosen, found.contrasts)]
    tested = [i for i, r in enumerate(rows) if not np.isnan(r.p_holm)]
    for index, p in zip(tested, holm([rows[i].p_holm for i in tested])):
        rows[index] = Row(**asdict(rows[index]) | {"p_holm": float(p)})
    first = blocks.get("choice") or next(iter(blocks.values()), None)
    return rows, first


def summarize(config):
    """All that the study found, as one JSON object."""
    arms = chosen_arms(config)
    results = whole_seeds(config, arms)
    if not results:
        raise StudyError("no seed is finished yet")
    untrained = json.loads(result_path(config, UNTRAINED).read_text(encoding="utf-8"))
    first = next(iter(results.values()))[arms[0].name]
    measures = [name for name in MEASURES if name == "loss" or first["right"]]
    tested = sum(arm.family not in (RANDOM, CONTROL) for arm in arms)
    pilot = pilot_spread(config)
    summary = {"config": asdict(config), "seeds": list(results), "tested_arms": tested,
               "test_items": len(first["losses"]), "test_tokens": sum(first["tokens"]),
               "seconds_a_run": float(np.mean([r["seconds_train"] + r["seconds_measure"]
                                               for seed in results.values()
                                               for r in seed.values()])),
               "pilot": pilot and {"spread": pilot[0], "freedom": pilot[1], "detectable":
                                   detectable_difference(pilot[0], len(results), config.random_draws,
                                                         max(1, tested), config.alpha,
                                                         config.power)},
               "measures": {}}
    for measure in measures:
        rows, blocks = measure_rows(config, arms, results, measure)
        value_of = MEASURES[measure][0]
        random = [value_of(seed[arm.name]) for seed in results.values() for arm in arms
                  if arm.family == RANDOM]
        spread = blocks.spread if blocks else float("nan")
        summary["measures"][measure] = {
            "untrained": value_of(untrained), "random": float(np.mean(random)), "spread": spread,
            "freedom": blocks.freedom if blocks else 0,
            "detectable": detectable_difference(spread, len(results), config.random_draws,
                                                max(1, tested), config.alpha, config.power),
            "rows": [asdict(row) for row in rows]}
    return summary


def verdict(row, measure, alpha):
    """In words: better, worse, or no difference seen."""
    if np.isnan(row["p_holm"]):
        return "not tested"
    if row["p_holm"] >= alpha:
        return "no difference seen"
    return "better" if (row["difference"] < 0) == (measure == "loss") else "worse"


def table_lines(summary):
    """Markdown."""
    config, lines = summary["config"], []
    for measure, found in summary["measures"].items():
        unit = "nats per response token" if measure == "loss" else "share of right answers"
        lines += [f"Held-out {measure}, {unit}: {found['untrained']:.4f} before training, "
                  f"{found['random']:.4f} after a random pick. {len(summary['seeds'])} seeds, "
                  f"{config['random_draws']} random picks each, {summary['test_items']} test records; "
                  f"a run's spread within its seed is {found['spread']:.4f} "
                  f"({found['freedom']} degrees of freedom), so that {found['detectable']:.4f} is "
                  f"found with a chance of {config['power']:.0%}.", "",
                  "| arm | records | their base loss | their repetition | " + measure +
                  " | to random | over seeds | over seeds and items | p | p, Holm | |",
                  "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
        for row in found["rows"]:
            lines.append(
                f"| {row['arm']} | {row['records']:.0f} | {row['base_loss']:.2f} | "
                f"{row['repetition']:.2f} | {row['value']:.4f} | {row['difference']:+.4f} | "
                f"{row['low']:+.4f} … {row['high']:+.4f} | {row['bootstrap_low']:+.4f} … "
                f"{row['bootstrap_high']:+.4f} | {row['p']:.3f} | {row['p_holm']:.3f} | "
                f"{verdict(row, measure, config['alpha'])} |".replace("nan", "–"))
        lines.append("")
    return lines


def draw(summary, path):
    """Differences to random with their intervals, a panel for each measure."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
    measures = summary["measures"]
    rows = max(len(found["rows"]) for found in measures.values())
    figure, panels = pyplot.subplots(1, len(measures), squeeze=False, sharey=True,
                                     figsize=(1.5 + 5 * len(measures), 1.6 + 0.28 * rows))
    for panel, (measure, found) in zip(panels[0], measures.items()):
        for place, row in enumerate(reversed(found["rows"])):
            said = verdict(row, measure, summary["config"]["alpha"])
            colour = {"better": "tab:green", "worse": "tab:red"}.get(said, "0.35")
            panel.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=1.5)
            panel.plot([row["bootstrap_low"], row["bootstrap_high"]], [place, place],
                       color=colour, linewidth=5, alpha=0.25, solid_capstyle="butt")
            panel.plot(row["difference"], place, "o", color=colour, markersize=5)
        panel.axvline(0, color="0.6", linewidth=1)
        panel.set_yticks(range(len(found["rows"])), [r["arm"] for r in reversed(found["rows"])])
        panel.set_xlabel(f"held-out {measure}, difference to a random pick")
        panel.set_title(f"{'lower' if measure == 'loss' else 'higher'} is better", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
