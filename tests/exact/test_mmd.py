"""Maximum mean discrepancy against the double sum, the slides' own code and closed cases."""

import math

import numpy as np
import pytest

from tfgans import metrics
from tfgans.metrics.distances import squared_distances


def two_sets(n=40, d=6, shift=0.5, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)), generator.normal(size=(n, d)) + shift


def naive_mmd(real, fake):
    """Gretton's Equations 5 and 3, term by term."""

    def square(first, second):
        return float(sum((a - b) ** 2 for a, b in zip(first, second, strict=True)))

    n, m = len(real), len(fake)
    width = sum(square(a, b) for a in real for b in real) / n**2

    def kernel(first, second):
        return math.exp(-square(first, second) / (2 * width))

    both = sum(kernel(a, b) for a in real for b in fake) / (n * m)
    biased = sum(kernel(a, b) for a in real for b in real) / n**2 - 2 * both
    biased += sum(kernel(a, b) for a in fake for b in fake) / m**2
    unbiased = -2 * both
    for rows in (real, fake):
        size = len(rows)
        pairs = [(i, j) for i in range(size) for j in range(size) if i != j]
        unbiased += sum(kernel(rows[i], rows[j]) for i, j in pairs) / (size * (size - 1))
    return math.sqrt(max(biased, 0.0)), unbiased


@pytest.mark.parametrize("shift", [0.0, 0.3, 3.0])
def test_mmd_is_the_double_sum(shift):
    real, fake = two_sets(15, 4, shift)
    measured = metrics.mmd(real, fake[:12])
    np.testing.assert_allclose(measured, naive_mmd(real, fake[:12]), rtol=1e-9, atol=1e-12)


def test_mmd_is_the_figure_of_the_slides():
    """Their code: M is squared distances, scale their mean over real pairs, sigma 1."""
    real, fake = two_sets(100, 784, 0.1)
    within, across, generated = (
        ((first[:, None] - second[None]) ** 2).sum(-1)
        for first, second in ((real, real), (real, fake), (fake, fake))
    )
    scale = within.mean()
    means = [np.exp(-part / (scale * 2)).mean() for part in (within, across, generated)]
    wanted = math.sqrt(means[0] + means[2] - 2 * means[1])
    np.testing.assert_allclose(metrics.mmd(real, fake).value, wanted, rtol=1e-9)


def test_mmd_by_hand():
    """Points 0, 2 against 1, 3: mean square 2, so k(d) = exp(-d^2 / 4)."""
    near, two, far = math.exp(-1 / 4), math.exp(-1), math.exp(-9 / 4)
    both = (3 * near + far) / 4
    measured = metrics.mmd([[0.0], [2.0]], [[1.0], [3.0]])
    np.testing.assert_allclose(measured.value, math.sqrt(1 + two - 2 * both), rtol=1e-12)
    np.testing.assert_allclose(measured.unbiased_squared, 2 * two - 2 * both, rtol=1e-12)


def test_mmd_of_a_set_with_itself():
    """0 by the biased estimate; the unbiased one leaves the diagonal out and falls below 0."""
    real, _ = two_sets()
    measured = metrics.mmd(real, real[::-1])
    np.testing.assert_allclose(measured.value, 0.0, atol=1e-7)
    assert measured.unbiased_squared < 0.0


def test_mmd_of_sets_apart_tends_to_the_root_of_their_self_similarities():
    real, fake = two_sets(20, 3)
    kernel = np.exp(-squared_distances(real, real) / (2 * squared_distances(real, real).mean()))
    measured = metrics.mmd(real, np.repeat(fake[:1] + 1e4, 20, axis=0))
    np.testing.assert_allclose(measured.value, math.sqrt(kernel.mean() + 1.0), rtol=1e-9)


def test_unbiased_mmd_is_zero_on_average():
    """Of 300 pairs of equal distributions, within five standard errors; the biased one is not."""
    values = [metrics.mmd(*two_sets(10, 2, 0.0, seed)) for seed in range(300)]
    unbiased = np.array([value.unbiased_squared for value in values])
    assert abs(unbiased.mean()) < 5 * unbiased.std() / math.sqrt(300)
    assert np.mean([value.value**2 for value in values]) > 0.05


@pytest.mark.parametrize("n", range(2, 14))
def test_mmd_of_one_picture_over_and_over_has_no_bandwidth(n):
    """By rounding its copies are not always exactly 0 apart."""
    picture = np.random.default_rng(n).uniform(-1, 1, (1, 784))
    with pytest.raises(ValueError, match="all rows of real are equal"):
        metrics.mmd(np.repeat(picture, n, axis=0), np.zeros((5, 784)))


def test_mmd_takes_sets_of_unequal_size():
    real, fake = two_sets()
    assert metrics.mmd(real, fake[1:]).value > 0.0
