"""What could mislead: what a score is made of, how far runs agree, and how reliable it is."""
import json
import math
from dataclasses import dataclass

import numpy as np

from . import StudyError
from .files import read_records, write_json
from .stats import spearman, spearman_brown

SCORES = ("influence", "divergence", "controlled")
TRAITS = ("repetition", "base_nll", "entropy", "num_tokens", "line")
STEP_TRAITS = ("position", "base_nll", "num_tokens")
SPLITS, TOP_SHARE, FEWEST_STEPS = 100, 0.2, 4


@dataclass(frozen=True)
class Scored:
    """The traces of one scored file, by (line, trace)."""

    name: str
    traces: dict

    def column(self, number, keys):
        return np.array([self.traces[key][number] for key in keys], float)

    def has(self, number):
        return all(trace.get(number) is not None for trace in self.traces.values())

    def scores(self):
        return [score for score in SCORES if self.has(score)]


def read_scored(name, path):
    traces = {(air["line"], air.get("trace", 0)): air
              for air in (record["air"] for record in read_records(path))}
    if len(traces) < 3:
        raise StudyError(f"{path}: {len(traces)} scored traces are too few to correlate")
    return Scored(name, traces)


def trait_correlations(scored):
    """{score: {trait: Spearman over the traces}}."""
    keys = sorted(scored.traces)
    return {score: {trait: spearman(scored.column(score, keys), scored.column(trait, keys))
                    for trait in TRAITS if scored.has(trait)} for score in scored.scores()}


def step_correlations(scored):
    """{score: {trait: mean over traces of the Spearman over its steps}}; position counts steps."""
    found = {}
    for score in ("influence", "divergence"):
        rows = {trait: [] for trait in STEP_TRAITS}
        for trace in scored.traces.values():
            steps = [s for s in trace["steps"] if s.get(score) is not None]
            if len(steps) < FEWEST_STEPS:
                continue
            for trait in STEP_TRAITS:
                values = [i if trait == "position" else s[trait] for i, s in enumerate(steps)]
                rows[trait].append(spearman([s[score] for s in steps], values))
        found[score] = {trait: mean_of(values) for trait, values in rows.items()}
        found[score]["traces"] = len(rows["position"])
    return found


def mean_of(values):
    """Of those that are numbers; NaN without any."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def counted(step):
    """Tokens that the step's means are of: without those that --exclude-copies left out."""
    return step["num_tokens"] - step.get("num_excluded", 0)


def score_of(steps, score, floor):
    """The score of some steps together, by their tokens: that of a trace which they make up."""
    n = np.array([counted(step) for step in steps], float)
    base, ref = (np.dot(n, [step[key] for step in steps]) / n.sum()
                 for key in ("base_nll", "ref_nll"))
    return ref - base if score == "divergence" else (ref - base) / max(base, floor)


def reliability(scored, floor=0.05, seed=0):
    """{score: reliability of a trace's score}.

    The score of one half of a trace's steps against that of the other: Spearman over traces, mean
    over random halves, stepped up by Spearman and Brown.
    """
    generator = np.random.default_rng(seed)
    traces = [[s for s in trace["steps"] if s.get("ref_nll") is not None and counted(s)]
              for _, trace in sorted(scored.traces.items())]
    traces = [steps for steps in traces if len(steps) >= FEWEST_STEPS]
    found = {"traces": len(traces)}
    if len(traces) < 3:
        return found
    halves = {score: [] for score in ("influence", "divergence")}
    for _ in range(SPLITS):
        orders = [generator.permutation(len(steps)) for steps in traces]
        for score, values in halves.items():
            pairs = [[score_of([steps[i] for i in order[start::2]], score, floor)
                      for start in (0, 1)] for steps, order in zip(traces, orders)]
            values.append(spearman(*zip(*pairs)))
    return found | {score: spearman_brown(mean_of(values)) for score, values in halves.items()}


def overlap(a, b, share=TOP_SHARE):
    """How much of the best `share` by the one is among the best by the other."""
    count = max(1, round(share * len(a)))
    best = [set(np.argsort(-np.asarray(values), kind="stable")[:count]) for values in (a, b)]
    return len(best[0] & best[1]) / count


def agreement(a, b):
    """{score: {spearman, overlap}} over the traces that both files have."""
    keys = sorted(set(a.traces) & set(b.traces))
    if len(keys) < 3:
        raise StudyError(f"{a.name} and {b.name} have {len(keys)} traces in common")
    common = [s for s in a.scores() if s in b.scores()] + ["base_nll"]
    found = {}
    for score in common:
        pair = a.column(score, keys), b.column(score, keys)
        found[score] = {"spearman": spearman(*pair), "overlap": overlap(*pair)}
    of_first = {score: {trait: spearman(b.column(score, keys), a.column(trait, keys))
                        for trait in ("repetition", "base_nll")} for score in common[:-1]}
    return {"traces": len(keys), **found, "traits_of_first": of_first}


def analyse(files):
    """All of it: {files: …, agreement: {name: with the first file}}."""
    first = files[0]
    return {
        "files": {f.name: {"traces": len(f.traces), "traits": trait_correlations(f),
                           "steps": step_correlations(f), "reliability": reliability(f)}
                  for f in files},
        "agreement": {f.name: agreement(first, f) for f in files[1:]},
    }


def number(value):
    return "–" if value is None or math.isnan(value) else f"{value:+.2f}"


def lines_of(found):
    """Markdown tables."""
    names = ("repetition", "base_nll", "entropy", "num_tokens", "line")
    lines = ["Rank correlation over traces:", "",
             f"| file | score | {' | '.join(names)} | reliability |",
             "| --- " * (len(names) + 3) + "|"]
    for name, file in found["files"].items():
        for score, traits in file["traits"].items():
            cells = [number(traits.get(trait)) for trait in names]
            reliable = number(file["reliability"].get(score))
            lines.append(f"| {name} | {score} | {' | '.join(cells)} | {reliable} |")
    lines += ["", "Rank correlation over the steps of a trace, mean over traces:", "",
              f"| file | score | {' | '.join(STEP_TRAITS)} | traces |",
              "| --- " * (len(STEP_TRAITS) + 3) + "|"]
    for name, file in found["files"].items():
        for score, traits in file["steps"].items():
            cells = [number(traits[trait]) for trait in STEP_TRAITS]
            lines.append(f"| {name} | {score} | {' | '.join(cells)} | {traits['traces']} |")
    if found["agreement"]:
        first = next(iter(found["files"]))
        lines += ["", f"Agreement with {first}: rank correlation (share of the best fifth in common):",
                  "", "| file | traces | influence | divergence | base_nll | influence with "
                  f"{first}'s repetition, base_nll | divergence with them |",
                  "| --- " * 7 + "|"]
        for name, pairs in found["agreement"].items():
            cells = [f"{number(pairs[s]['spearman'])} ({pairs[s]['overlap']:.0%})"
                     for s in ("influence", "divergence", "base_nll")]
            cells += [", ".join(map(number, pairs["traits_of_first"][s].values()))
                      for s in ("influence", "divergence")]
            lines.append(f"| {name} | {pairs['traces']} | {' | '.join(cells)} |")
    return lines


def command(named_files, output):
    files = []
    for named in named_files:
        name, equals, path = named.partition("=")
        if not equals:
            raise StudyError(f"{named}: write NAME=FILE")
        files.append(read_scored(name, path))
    found = analyse(files)
    print("\n".join(lines_of(found)))
    if output:
        write_json(output, found)
