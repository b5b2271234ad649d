"""KID against the double sum, TF-GAN's estimate and what unbiased means."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfgans import compat, metrics


def two_sets(n=40, m=30, d=6, shift=0.5, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)), generator.normal(size=(m, d)) + shift


def naive_kid(real, fake):
    """Binkowski's Equation 4, term by term."""

    def kernel(first, second):
        return (sum(a * b for a, b in zip(first, second, strict=True)) / len(first) + 1.0) ** 3

    n, m = len(real), len(fake)
    value = -2 * sum(kernel(a, b) for a in real for b in fake) / (n * m)
    for rows in (real, fake):
        size = len(rows)
        pairs = [(i, j) for i in range(size) for j in range(size) if i != j]
        value += sum(kernel(rows[i], rows[j]) for i, j in pairs) / len(pairs)
    return value


@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
def test_kid_is_the_double_sum_without_its_diagonal(shift):
    real, fake = two_sets(15, 12, 4, shift)
    measured = metrics.kid(real, fake).value
    np.testing.assert_allclose(measured, naive_kid(real, fake), rtol=1e-10, atol=1e-12)


def test_kid_by_hand():
    """Points 0, 1 against 1, 2: k = (ab + 1)^3 is 1 and 27 within, 1, 1, 8, 27 across."""
    measured = metrics.kid([[0.0], [1.0]], [[1.0], [2.0]])
    np.testing.assert_allclose(measured.value, 1 + 27 - 2 * 37 / 4, rtol=1e-12)


@pytest.mark.parametrize(("n", "m", "d"), [(40, 40, 6), (100, 70, 64)])
def test_kid_is_that_of_tfgan_in_one_block(n, m, d):
    evaluate = compat.import_tensorflow_gan().eval
    real, fake = two_sets(n, m, d)
    theirs, _ = evaluate.kernel_classifier_distance_and_std_from_activations(
        *map(tf.constant, (real, fake)), max_block_size=100
    )
    np.testing.assert_allclose(metrics.kid(real, fake).value, theirs, rtol=1e-6)


def test_standard_error_of_kid_leaves_out_one_block_after_the_other():
    real, fake = two_sets(23, 31)
    parts = []
    for block in range(4):
        rows = [slice(n * block // 4, n * (block + 1) // 4) for n in (23, 31)]
        parts.append(naive_kid(np.delete(real, rows[0], 0), np.delete(fake, rows[1], 0)))
    wanted = math.sqrt(3 * np.var(parts))
    np.testing.assert_allclose(metrics.kid(real, fake, num_blocks=4).stderr, wanted, rtol=1e-9)


def test_kid_is_zero_on_average_and_below_as_often_as_it_happens():
    """Of 400 pairs of equal distributions, within five standard errors; never clipped."""
    values = np.array([metrics.kid(*two_sets(12, 12, 3, 0.0, seed)).value for seed in range(400)])
    assert abs(values.mean()) < 5 * values.std() / math.sqrt(400)
    assert np.mean(values < 0.0) > 0.3


def test_mean_of_kid_does_not_depend_on_the_number_of_rows():
    """Of 300 pairs each, 10 or 40 rows: within five standard errors of each other."""
    few, many = (
        np.array([metrics.kid(*two_sets(n, n, 3, 0.5, seed)).value for seed in range(300)])
        for n in (10, 40)
    )
    error = math.hypot(few.std(), many.std()) / math.sqrt(300)
    assert abs(few.mean() - many.mean()) < 5 * error


def spread_and_stderr(shift, repetitions=60):
    measured = [metrics.kid(*two_sets(200, 200, 4, shift, seed)) for seed in range(repetitions)]
    errors = np.array([one.stderr for one in measured])
    return np.std([one.value for one in measured], ddof=1), math.sqrt(np.square(errors).mean())


def test_standard_error_of_kid_is_the_spread_over_repetitions_where_sets_differ():
    """Measured 1.08; 60 repetitions know the spread to 9 %."""
    spread, error = spread_and_stderr(0.5)
    assert 0.6 < error / spread < 1.6


def test_standard_error_of_kid_errs_on_the_safe_side_where_sets_are_alike():
    """Measured 1.65; the mean of ten blocks, each of n / 10 rows, would say 3.4."""
    spread, error = spread_and_stderr(0.0)
    assert 1.0 < error / spread < 2.2


def test_kid_of_few_rows_has_no_standard_error():
    real, fake = two_sets(20, 20)
    assert math.isfinite(metrics.kid(real, fake).stderr)
    measured = metrics.kid(real, fake[:19])
    assert math.isfinite(measured.value)
    assert math.isnan(measured.stderr)


def test_kid_refuses_a_single_block():
    with pytest.raises(ValueError, match="num_blocks=1 must be at least 2"):
        metrics.kid(*two_sets(), num_blocks=1)
