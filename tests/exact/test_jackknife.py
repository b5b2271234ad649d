"""The jackknife against textbook formulas, and its errors against the spread of repetitions."""

import math

import numpy as np
import pytest

from tfgans import metrics
from tfgans.metrics import jackknife


def sample(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("n", [2, 10, 57])
def test_of_a_mean_leaving_out_rows_it_is_the_textbook_error(n):
    rows = sample(n, 1)
    wanted = rows.std(ddof=1) / math.sqrt(n)
    np.testing.assert_allclose(jackknife(np.mean, rows, groups=n), wanted, rtol=1e-12)


def test_of_a_mean_leaving_out_groups_it_is_the_error_of_the_mean_of_their_means():
    rows = sample(100, 1)
    wanted = rows.reshape(10, 10).mean(1).std(ddof=1) / math.sqrt(10)
    np.testing.assert_allclose(jackknife(np.mean, rows), wanted, rtol=1e-12)


def test_of_a_difference_of_means_both_sets_count():
    """The i-th groups go together, so it is the error of the paired differences."""
    real, fake = sample(30, 1), sample(30, 1, seed=1)
    measured = jackknife(lambda a, b: a.mean() - b.mean(), real, fake, groups=30)
    np.testing.assert_allclose(measured, (real - fake).std(ddof=1) / math.sqrt(30), rtol=1e-12)


@pytest.mark.parametrize("sizes", [(23,), (10, 37), (11, 11, 29)])
def test_every_row_is_left_out_once_and_groups_are_even(sizes):
    calls = []
    jackknife(lambda *sets: calls.append(sets) or 0.0, *map(np.arange, sizes), groups=10)
    assert len(calls) == 10
    for size, kept in zip(sizes, zip(*calls, strict=True), strict=True):
        counts = np.bincount(np.concatenate(kept), minlength=size)
        np.testing.assert_array_equal(counts, 9)
        assert {size - len(rows) for rows in kept} <= {size // 10, -(-size // 10)}
        assert all((np.diff(rows) > 0).all() for rows in kept)


def test_of_a_constant_it_is_zero_and_plain_lists_will_do():
    assert jackknife(lambda rows: 3.0, sample(20)) == 0.0
    assert jackknife(np.mean, [1.0, 3.0], groups=2) == 1.0


@pytest.mark.parametrize("groups", [-1, 0, 1, 9])
def test_groups_must_fit_the_smallest_set(groups):
    with pytest.raises(ValueError, match=f"groups={groups} must lie between 2 and the 8 rows"):
        jackknife(lambda a, b: 0.0, sample(20), sample(8), groups=groups)


METRICS = {
    "fid": metrics.fid,
    "one_nn": lambda real, fake: metrics.one_nn_accuracy(real, fake).accuracy,
    "mmd": lambda real, fake: metrics.mmd(real, fake).value,
    "kid": lambda real, fake: metrics.kid(real, fake).value,
    "precision": lambda real, fake: metrics.precision_recall(real, fake).precision,
    "coverage": lambda real, fake: metrics.density_coverage(real, fake).coverage,
}

# Of 200 + 200 rows of 4 features: root mean square of the jackknife's errors over the standard
# deviation of 60 repetitions, as measured. A smooth metric between sets that differ is known
# well. Between sets that are alike FID, MMD and KID have no first-order term, and the jackknife
# takes the root of 2 too much. Those of nearest neighbours are not smooth: leaving rows out makes
# new neighbours, which doubles their variance and more, the more so near a figure of 1.
RATIOS = {
    ("fid", 0.5): 0.90,
    ("fid", 0.0): 1.55,
    ("mmd", 0.5): 0.87,
    ("mmd", 0.0): 1.44,
    ("kid", 0.5): 0.95,
    ("kid", 0.0): 1.65,
    ("one_nn", 0.5): 1.48,
    ("one_nn", 0.0): 1.50,
    ("precision", 0.5): 1.71,
    ("precision", 0.0): 1.65,
    ("coverage", 0.5): 1.48,
    ("coverage", 0.0): 2.13,
}


@pytest.mark.parametrize(("name", "shift"), RATIOS)
def test_errors_are_those_of_repetitions_or_too_large_by_what_was_measured(name, shift):
    """Within 35 %: 60 repetitions know the spread to 9 %, 20 jackknives the error to about 8 %."""
    pairs = []
    for seed in range(60):
        generator = np.random.default_rng(seed)
        real, fake = generator.normal(size=(200, 4)), generator.normal(size=(200, 4))
        pairs.append((real, fake + shift))
    spread = np.std([METRICS[name](*pair) for pair in pairs], ddof=1)
    errors = [jackknife(METRICS[name], *pair) for pair in pairs[:20]]
    ratio = math.sqrt(np.square(errors).mean()) / spread
    assert 1 / 1.35 < ratio / RATIOS[name, shift] < 1.35
    assert 0.75 < ratio < 2.5


def test_a_bootstrap_would_move_one_nn_accuracy_by_its_copies():
    """Which is why groups are left out instead."""
    real, fake = sample(200, 4), sample(200, 4, seed=1)
    generator = np.random.default_rng(2)
    again = [rows[generator.integers(0, 200, 200)] for rows in (real, fake)]
    assert metrics.one_nn_accuracy(real, fake).accuracy < 0.6
    assert metrics.one_nn_accuracy(*again).accuracy > 0.7
