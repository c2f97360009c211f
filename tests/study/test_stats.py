"""The study's statistics against scipy, numpy and tables of textbooks."""
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats as scipy_stats

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "scripts"))

from study.stats import (auc, block_contrasts, bootstrap_interval, detectable_difference,  # noqa: E402
                         holm, residual_spread, spearman, spearman_brown)

GENERATOR = np.random.default_rng(0)


def test_spearman_is_scipys_with_ties():
    a, b = GENERATOR.integers(0, 5, 40), GENERATOR.integers(0, 5, 40)
    assert spearman(a, b) == pytest.approx(scipy_stats.spearmanr(a, b).statistic)


def test_spearman_with_a_constant_is_not_a_number():
    assert np.isnan(spearman([1, 1, 1], [1, 2, 3]))


def test_auc_counts_pairs_and_halves_ties():
    scores, labels = GENERATOR.integers(0, 6, 30), np.arange(30) % 3 == 0
    pairs = [(a > b) + (a == b) / 2 for a in scores[labels] for b in scores[~labels]]
    assert auc(scores, labels) == pytest.approx(np.mean(pairs))
    assert auc([1, 2, 3, 4], [False, False, True, True]) == 1


def test_auc_needs_both_kinds():
    with pytest.raises(ValueError):
        auc([1, 2], [True, True])


def test_holm_is_the_example_of_the_paper():
    # Holm 1979: sorted p times (m, m - 1, …), never falling, at most 1
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])


def test_spearman_brown_doubles_the_test():
    assert spearman_brown(0.5) == pytest.approx(2 / 3)


def test_block_contrasts_of_two_columns_is_the_paired_t_test():
    table = GENERATOR.normal(size=(6, 2))
    found = block_contrasts(table[:, :1], table[:, 1:], 0.05)
    expected = scipy_stats.ttest_rel(table[:, 1], table[:, 0])
    interval = expected.confidence_interval(0.95)
    contrast = found.contrasts[0]
    assert contrast.p == pytest.approx(expected.pvalue)
    assert (contrast.low, contrast.high) == pytest.approx((interval.low, interval.high))
    assert found.freedom == 5


def test_what_a_seed_shifts_alike_is_not_spread():
    table = GENERATOR.normal(size=(4, 5))
    shifted = table + GENERATOR.normal(size=(4, 1)) * 100 + np.arange(5) * 7
    assert residual_spread(shifted)[0] == pytest.approx(residual_spread(table)[0])


def test_the_detectable_difference_is_found_that_often():
    spread, seeds, draws, arms = 0.7, 4, 2, 3
    difference = detectable_difference(spread, seeds, draws, arms, 0.05, 0.8)
    generator = np.random.default_rng(1)
    found = 0
    for _ in range(2000):
        table = generator.normal(size=(seeds, draws + arms)) * spread
        table[:, draws] += difference
        first = block_contrasts(table[:, :draws], table[:, draws:], 0.05).contrasts[0]
        found += first.p < 0.05 / arms
    assert found / 2000 == pytest.approx(0.8, abs=0.03)


def test_the_bootstrap_covers_the_mean_of_normal_items():
    generator = np.random.default_rng(2)
    differences = np.tile(generator.normal(1, 1, 400), (3, 1))
    low, high = bootstrap_interval(differences, np.ones(400), 0.05, 2000)
    error = differences[0].std() / np.sqrt(400)
    assert low == pytest.approx(differences[0].mean() - 1.96 * error, abs=0.02)
    assert high == pytest.approx(differences[0].mean() + 1.96 * error, abs=0.02)


def test_the_bootstrap_weighs_items_by_their_tokens():
    # the weighted mean is 2, the plain one 3
    low, high = bootstrap_interval([[1.0, 5.0] * 200], [3.0, 1.0] * 200, 0.05, 500)
    assert low < 2 < high < 2.5
