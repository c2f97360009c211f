"""How reproducible step weights are, by the way short steps are shrunk: the figures of docs/decisions/0008.

    air score --model DIR --heads LIST --token-losses traces.jsonl -o scored.jsonl
    python3 scripts/weight_shrinkage.py scored.jsonl [more.jsonl …]

Standardised step scores (docs/method.md, section 3) are made twice, out of the odd and out of the even tokens of every step, and
correlated over the steps: what a step owes to chance differs between the halves. Beside it: which share of the greatest 5 %
of the weights belongs to steps of at most 10 tokens, and the spread of those steps' weights. Needs numpy.
"""
import json
import sys

import numpy as np

FLOOR, SHORT = 0.05, 10


def mean(values, n):
    return (values * n).sum() / n.sum()


def no_shrinkage(d, b, n, k):
    return d / np.maximum(b, FLOOR)


def minimum_tokens(d, b, n, k):
    """A step of fewer than k tokens takes the mean score."""
    score = no_shrinkage(d, b, n, k)
    return np.where(n < k, mean(score, n), score)


def shrunk_ratio(d, b, n, k):
    """The ratio shrinks towards the trace's mean ratio by n / (n + k)."""
    score = no_shrinkage(d, b, n, k)
    return mean(score, n) + (score - mean(score, n)) * n / (n + k)


def shrunk_losses(d, b, n, k):
    """k tokens of the trace's average losses join the step: what `air score --weight-shrinkage k` does."""
    return no_shrinkage((n * d + k * mean(d, n)) / (n + k), (n * b + k * mean(b, n)) / (n + k), n, k)


def standardised(score, n):
    deviation = score - mean(score, n)
    spread = np.sqrt(mean(deviation**2, n))
    return np.clip(deviation / spread, -2, 2) if spread > 1e-12 else np.zeros_like(score)


def read_traces(names):
    """(divergence, base loss) of the tokens of each step, for traces of three and more steps of two and more tokens."""
    for name in names:
        with open(name, encoding="utf-8") as file:
            for line in file:
                air = json.loads(line)["air"]
                base, ref = (np.array(air["tokens"][key]) for key in ("base_nll", "ref_nll"))
                ends = np.cumsum([step["num_tokens"] for step in air["steps"]])[:-1]
                steps = list(zip(np.split(ref - base, ends), np.split(base, ends)))
                if len(steps) >= 3 and min(len(d) for d, _ in steps) >= 2:
                    yield steps


def step_scores(steps, rule, k, part=slice(None)):
    """(standardised scores, tokens) out of a part of every step's tokens."""
    d, b, n = (np.array(values) for values in zip(*((d[part].mean(), b[part].mean(), len(d[part])) for d, b in steps)))
    return standardised(rule(d, b, n, k), n), n


def main():
    traces = list(read_traces(sys.argv[1:]))
    print(f"{len(traces)} traces, {sum(map(len, traces))} steps")
    rules = [(no_shrinkage, 0)] + [(rule, k) for rule, ks in ((minimum_tokens, (5, 12, 20)), (shrunk_ratio, (8, 32, 128)),
                                                              (shrunk_losses, (4, 8, 16, 32, 64, 128))) for k in ks]
    for rule, k in rules:
        halves, weights, sizes = [], [], []
        for steps in traces:
            # half of the tokens, and half of those that join them: the same shrinkage
            halves.append(np.array([step_scores(steps, rule, k / 2, slice(p, None, 2))[0] for p in (0, 1)]))
            z, n = step_scores(steps, rule, k)
            weights.append(np.exp(z) / mean(np.exp(z), n))
            sizes.append(n)
        weights, sizes = np.concatenate(weights), np.concatenate(sizes)
        greatest, short = weights >= np.quantile(weights, 0.95), sizes <= SHORT
        print(f"{rule.__name__:15s} k={k:<4d} correlation of halves {np.corrcoef(np.concatenate(halves, 1))[0, 1]:.2f}   "
              f"short among the greatest 5 %: {short[greatest].mean():3.0%} (of all: {short.mean():.0%})   "
              f"spread of short steps' weights {weights[short].std():.2f}, of all {weights.std():.2f}")


if __name__ == "__main__":
    main()
