"""The study's statistics: ranks, intervals, tests. Pure functions on numpy arrays."""
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats


def spearman(a, b):
    """Rank correlation, ties at their mean rank; NaN when one of them is constant."""
    ranks = [stats.rankdata(values) for values in (a, b)]
    if min(np.ptp(r) for r in ranks) == 0:
        return float("nan")
    return float(np.corrcoef(ranks)[0, 1])


def auc(scores, labels):
    """Probability that a positive has the higher score than a negative; a tie is half."""
    ranks, positive = stats.rankdata(scores), np.asarray(labels, bool)
    n, m = positive.sum(), (~positive).sum()
    if n == 0 or m == 0:
        raise ValueError("auc needs positives and negatives")
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m))


def spearman_brown(r):
    """Reliability of the whole out of the correlation of its halves."""
    return 2 * r / (1 + r)


def holm(p_values):
    """P values corrected for their number by Holm's step-down method."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    steps = (len(p) - np.arange(len(p))) * p[order]
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1, np.maximum.accumulate(steps))
    return corrected


@dataclass(frozen=True)
class Contrast:
    """An arm against its baseline, over seeds."""

    difference: float   # mean over seeds
    low: float          # interval of 1 − alpha, uncorrected
    high: float
    p: float            # two-sided, uncorrected


@dataclass(frozen=True)
class Blocks:
    """Contrasts of a randomized block design: seeds are blocks, arms and draws treatments."""

    contrasts: list[Contrast]
    spread: float       # residual standard deviation of a run within its seed
    freedom: int        # its degrees of freedom


def residual_spread(table):
    """Standard deviation, and degrees of freedom, of what neither row nor column explains."""
    seeds, arms = table.shape
    freedom = (seeds - 1) * (arms - 1)
    if freedom < 1:
        return float("nan"), 0
    residual = (table - table.mean(0, keepdims=True) - table.mean(1, keepdims=True) + table.mean())
    return float(np.sqrt((residual**2).sum() / freedom)), freedom


def block_contrasts(baseline, arms, alpha):
    """`baseline` [seeds, draws] and `arms` [seeds, arms]: each arm against the mean of the draws.

    One spread for all, out of the residuals of the two-way layout: with few seeds an arm's own
    spread says next to nothing.
    """
    seeds, draws = baseline.shape
    spread, freedom = residual_spread(np.concatenate([baseline, arms], 1))
    error = spread * np.sqrt((1 + 1 / draws) / seeds)
    half = stats.t.ppf(1 - alpha / 2, freedom) * error if freedom else float("nan")
    contrasts = []
    for difference in (arms - baseline.mean(1, keepdims=True)).mean(0):
        p = 2 * stats.t.sf(abs(difference) / error, freedom) if freedom and error > 0 else float("nan")
        contrasts.append(Contrast(float(difference), float(difference - half),
                                  float(difference + half), float(p)))
    return Blocks(contrasts, spread, freedom)


def detectable_difference(spread, seeds, draws, arms, alpha, power):
    """The difference that a study finds with this power, at the strictest step of Holm's method."""
    freedom = (seeds - 1) * (arms + draws - 1)
    if freedom < 1 or not spread > 0:
        return float("nan")
    critical = stats.t.ppf(1 - alpha / arms / 2, freedom)

    def shortfall(noncentrality):
        return stats.nct.sf(critical, freedom, noncentrality) - power
    upper = 2 * critical + 20
    noncentrality = optimize.brentq(shortfall, 0, upper)
    return float(noncentrality * spread * np.sqrt((1 + 1 / draws) / seeds))


def bootstrap_interval(differences, weights, alpha, draws, seed=0):
    """Interval of the weighted mean of `differences` [seeds, items], seeds and items drawn anew.

    `weights` [items]: the tokens of an item, or ones. An item is the same in all seeds.
    """
    differences, weights = np.asarray(differences, float), np.asarray(weights, float)
    generator = np.random.default_rng(seed)
    seeds, items = differences.shape
    means = np.empty(draws)
    for draw in range(draws):
        rows = generator.integers(seeds, size=seeds)
        columns = generator.integers(items, size=items)
        w = weights[columns]
        means[draw] = (differences[np.ix_(rows, columns)].mean(0) * w).sum() / w.sum()
    return tuple(float(q) for q in np.quantile(means, [alpha / 2, 1 - alpha / 2]))
