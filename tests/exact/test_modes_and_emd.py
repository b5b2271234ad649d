"""Mode coverage by hand, and the earth mover's distance against all assignments there are."""

import itertools
import math

import hypothesis
import numpy as np
import pytest
import scipy.stats
from hypothesis import strategies

from tfgans import metrics


def test_modes_by_hand():
    measured = metrics.mode_coverage([0, 0, 2, 0], 4)
    assert measured.modes == 2
    assert measured.shares == (0.75, 0.0, 0.25, 0.0)
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    np.testing.assert_allclose(measured.entropy, entropy, rtol=1e-12)
    np.testing.assert_allclose(measured.kl, math.log(4) - entropy, rtol=1e-12)


def test_even_labels_have_no_kl_and_all_entropy():
    measured = metrics.mode_coverage(np.tile(np.arange(10), 3), 10)
    assert measured.modes == 10
    np.testing.assert_allclose(measured.kl, 0.0, atol=1e-12)
    np.testing.assert_allclose(measured.entropy, math.log(10), rtol=1e-12)


def test_one_mode_of_many_has_the_highest_kl():
    measured = metrics.mode_coverage([3] * 20, 8)
    assert measured.modes == 1
    np.testing.assert_allclose(measured.kl, math.log(8), rtol=1e-12)
    np.testing.assert_allclose(measured.entropy, 0.0, atol=1e-12)


@pytest.mark.parametrize("factor", [1.0, 100.0])
def test_kl_is_from_the_expected_shares_which_need_no_scale(factor):
    expected = np.array([0.5, 0.3, 0.2])
    agreeing = metrics.mode_coverage(np.repeat(np.arange(3), [5, 3, 2]), 3, expected=expected)
    np.testing.assert_allclose(agreeing.kl, 0.0, atol=1e-12)
    measured = metrics.mode_coverage([0, 2], 3, expected=factor * expected)
    wanted = 0.5 * math.log(0.5 / 0.5) + 0.5 * math.log(0.5 / 0.2)
    np.testing.assert_allclose(measured.kl, wanted, rtol=1e-12)


@pytest.mark.parametrize(("min_count", "modes"), [(0, 3), (1, 3), (2, 2), (3, 1), (4, 0)])
def test_a_mode_counts_from_so_many_labels(min_count, modes):
    """A mode without a label never counts."""
    assert metrics.mode_coverage([0, 0, 0, 1, 1, 2], 5, min_count=min_count).modes == modes


def test_a_perfect_sampler_of_stacked_digits_has_all_modes_and_a_kl_of_999_over_52000():
    """(modes - 1) / (2 samples) = 0.0192, within 3 % in the mean of 20 draws."""
    generator = np.random.default_rng(0)
    measured = [metrics.mode_coverage(generator.integers(0, 1000, 26000), 1000) for _ in range(20)]
    assert min(one.modes for one in measured) == 1000
    np.testing.assert_allclose(np.mean([one.kl for one in measured]), 999 / 52000, rtol=0.03)


def test_mistakes_of_a_classifier_fill_lost_modes_but_barely_move_kl():
    """100 of 1,000 modes gone, 2 % of labels wrong: 40 seem there, KL is still log(10 / 9)."""
    generator = np.random.default_rng(0)
    labels = generator.integers(100, 1000, 26000)
    wrong = generator.random(26000) < 0.02
    labels[wrong] = generator.integers(0, 1000, wrong.sum())
    measured = metrics.mode_coverage(labels, 1000)
    assert 920 < measured.modes < 1000
    assert metrics.mode_coverage(labels, 1000, min_count=6).modes == 900
    np.testing.assert_allclose(measured.kl, math.log(10 / 9), atol=0.02)


@pytest.mark.parametrize(
    ("labels", "options", "words"),
    [
        ([], {}, "must be whole numbers"),
        ([[0, 1]], {}, r"must be whole numbers \(n,\), got int64 of shape \(1, 2\)"),
        ([0.0, 1.0], {}, "got float64"),
        ([True, False], {}, "got bool"),
        ([0, 3], {}, "labels run from 0 to 3; 3 modes are numbered from 0 to 2"),
        ([-1, 0], {}, "labels run from -1 to 0"),
        ([0, 1], {"expected": [0.5, 0.5]}, "expected must hold 3 shares above 0"),
        ([0, 1], {"expected": [0.5, 0.5, 0.0]}, "expected must hold 3 shares above 0"),
        ([0, 1], {"expected": [0.5, 0.5, np.nan]}, "expected must hold 3 shares above 0"),
        ([0, 1], {"expected": [0.5, 0.5, np.inf]}, "expected must hold 3 shares above 0"),
    ],
)
def test_labels_that_are_none_are_refused(labels, options, words):
    with pytest.raises(ValueError, match=words):
        metrics.mode_coverage(labels, 3, **options)


def two_sets(n=40, d=3, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)), 2.0 * generator.normal(size=(n, d)) + 1.0


@hypothesis.settings(max_examples=30)
@hypothesis.given(
    n=strategies.integers(2, 6),
    d=strategies.integers(1, 4),
    lattice=strategies.booleans(),
    seed=strategies.integers(0, 10**6),
)
def test_emd_is_the_best_of_all_assignments(n, d, lattice, seed):
    real, fake = two_sets(n, d, seed)
    if lattice:
        real, fake = np.round(real), np.round(fake)
    distances = np.linalg.norm(real[:, None] - fake[None], axis=-1)
    best = min(distances[np.arange(n), order].mean() for order in itertools.permutations(range(n)))
    np.testing.assert_allclose(metrics.emd(real, fake), best, rtol=1e-7, atol=1e-7)


def test_emd_on_a_line_is_the_gap_of_the_sorted():
    real, fake = two_sets(200, 1)
    wanted = np.abs(np.sort(real, 0) - np.sort(fake, 0)).mean()
    np.testing.assert_allclose(metrics.emd(real, fake), wanted, rtol=1e-7)
    theirs = scipy.stats.wasserstein_distance(real[:, 0], fake[:, 0])
    np.testing.assert_allclose(metrics.emd(real, fake), theirs, rtol=1e-7)


def test_emd_of_a_translation_is_its_length():
    real, _ = two_sets(60, 5)
    step = np.array([3.0, 0.0, -4.0, 0.0, 0.0])
    np.testing.assert_allclose(metrics.emd(real, (real + step)[::-1]), 5.0, rtol=1e-9)


def test_emd_is_symmetric_zero_between_equals_and_scales():
    real, fake = two_sets()
    wanted = metrics.emd(real, fake)
    np.testing.assert_allclose(metrics.emd(fake, real), wanted, rtol=1e-12)
    np.testing.assert_allclose(metrics.emd(3.0 * real, 3.0 * fake), 3.0 * wanted, rtol=1e-12)
    # The root of what rounding leaves of the squares.
    np.testing.assert_allclose(metrics.emd(real, real[::-1]), 0.0, atol=1e-7)


def test_emd_refuses_sets_of_unequal_size_and_sets_too_large():
    real, fake = two_sets()
    with pytest.raises(ValueError, match="equal size, got 40 and 39 rows"):
        metrics.emd(real, fake[1:])
    large = np.zeros((5001, 1))
    with pytest.raises(ValueError, match="5001 rows are too many for an assignment: 5000 at most"):
        metrics.emd(large, large)
