"""Precision, recall, density and coverage against naive loops, the authors' code, closed cases."""

import hypothesis
import numpy as np
import prdc
import pytest
from hypothesis import strategies

from tfgans import metrics


def two_sets(n=60, m=45, d=4, shift=0.5, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)), 0.8 * generator.normal(size=(m, d)) + shift


def every_figure(real, fake, k):
    spread = metrics.precision_recall(real, fake, k)
    return spread.precision, spread.recall, *metrics.density_coverage(real, fake, k)


def naive_figures(real, fake, k):
    """By distances of whole numbers, where equal is equal, and on the edge is in."""

    def square(first, second):
        return sum((int(a) - int(b)) ** 2 for a, b in zip(first, second, strict=True))

    def radius(rows, i):
        return sorted(square(rows[i], rows[j]) for j in range(len(rows)) if j != i)[k - 1]

    def within(rows, point):
        return [square(row, point) <= radius(rows, i) for i, row in enumerate(rows)]

    in_real = [within(real, point) for point in fake]
    precision = np.mean([any(balls) for balls in in_real])
    recall = np.mean([any(within(fake, point)) for point in real])
    density = sum(sum(balls) for balls in in_real) / (k * len(fake))
    coverage = np.mean([any(column) for column in zip(*in_real, strict=True)])
    return precision, recall, density, coverage


@hypothesis.settings(max_examples=60)
@hypothesis.given(
    n=strategies.integers(4, 10),
    m=strategies.integers(4, 10),
    d=strategies.integers(1, 3),
    k=strategies.integers(1, 3),
    levels=strategies.integers(1, 6),
    seed=strategies.integers(0, 10**6),
)
def test_small_lattices_are_the_naive_loops_in_spite_of_ties_and_rounding(n, m, d, k, levels, seed):
    generator = np.random.default_rng(seed)
    real, fake = (generator.integers(0, levels, (rows, d)) for rows in (n, m))
    measured = every_figure(0.1 * real - 0.3, 0.1 * fake - 0.3, k)
    np.testing.assert_allclose(measured, naive_figures(real, fake, k), rtol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_continuous_rows_are_those_of_prdc(k, shift):
    """Its < and our <= agree where nothing is on an edge."""
    real, fake = two_sets(150, 120, shift=shift)
    theirs = prdc.compute_prdc(real, fake, nearest_k=k)
    wanted = [theirs[key] for key in ("precision", "recall", "density", "coverage")]
    np.testing.assert_allclose(every_figure(real, fake, k), wanted, rtol=1e-12)


def test_rows_on_an_edge_are_in():
    """Points 0 and 2 reach to each other; 4 lies on the edge of the ball around 2, 5 outside."""
    real, fake = np.array([[0.0], [2.0]]), np.array([[4.0], [5.0]])
    assert metrics.precision_recall(real, fake, 1).precision == 0.5
    assert metrics.density_coverage(real, fake, 1) == (0.5, 0.5)


@pytest.mark.parametrize("n", [6, 13])
@pytest.mark.parametrize("contrast", [0.0, 1.0])
def test_equal_collapsed_sets_have_all_and_none_by_prdc(n, contrast):
    picture = contrast * np.random.default_rng(0).uniform(-1.0, 1.0, (1, 784))
    real = np.repeat(picture, n, axis=0)
    assert metrics.precision_recall(real, real.copy()) == (1.0, 1.0, 1.0)
    density, coverage = metrics.density_coverage(real, real.copy())
    assert coverage == 1.0
    np.testing.assert_allclose(density, n / 5, rtol=1e-12)  # each row is in all n balls
    assert prdc.compute_prdc(np.zeros((n, 3)), np.zeros((n, 3)), nearest_k=3)["precision"] == 0.0


def test_a_set_and_its_copy_have_precision_recall_and_coverage_one():
    real, _ = two_sets()
    assert metrics.precision_recall(real, real[::-1]) == (1.0, 1.0, 1.0)
    measured = metrics.density_coverage(real, real[::-1])
    # A row is in its own ball too, so a little above 1.
    assert measured.coverage == 1.0
    assert 1.0 < measured.density < 1.5


def test_density_of_equal_distributions_is_one_on_average():
    values = [
        metrics.density_coverage(*np.random.default_rng(seed).normal(size=(2, 60, 3))).density
        for seed in range(100)
    ]
    assert abs(np.mean(values) - 1.0) < 5 * np.std(values) / 10


def test_sets_apart_have_nothing():
    real, fake = two_sets()
    assert metrics.precision_recall(real, fake + 1e3) == (0.0, 0.0, 0.0)
    assert metrics.density_coverage(real, fake + 1e3) == (0.0, 0.0)


def test_a_generator_of_one_of_two_modes_is_precise_and_recalls_half():
    real, _ = two_sets(60)
    real[30:] += 1e3
    measured = metrics.precision_recall(real, real[:30])
    np.testing.assert_allclose(measured, (1.0, 0.5, 2 / 3), rtol=1e-12)
    assert metrics.density_coverage(real, real[:30]).coverage == 0.5
    turned = metrics.precision_recall(real[:30], real)
    np.testing.assert_allclose(turned, (0.5, 1.0, 2 / 3), rtol=1e-12)


def test_an_outlier_of_the_real_rows_lifts_precision_more_than_density():
    """Its ball holds everything; it is one ball of sixty."""
    real, fake = two_sets()
    fake = fake + 10.0
    real = np.concatenate([real, np.full((1, 4), 12.0)])
    assert metrics.precision_recall(real, fake).precision == 1.0
    np.testing.assert_allclose(metrics.density_coverage(real, fake).density, 1 / 5, rtol=1e-12)


def test_swap_exchanges_precision_and_recall():
    real, fake = two_sets()
    precision, recall, f1 = metrics.precision_recall(real, fake)
    assert precision != recall
    assert metrics.precision_recall(fake, real) == (recall, precision, f1)
    np.testing.assert_allclose(f1, 2 * precision * recall / (precision + recall), rtol=1e-12)


@pytest.mark.parametrize("k", [1, 4])
def test_scale_shift_rotation_and_order_change_nothing(k):
    real, fake = two_sets()
    wanted = every_figure(real, fake, k)
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    for change in (
        lambda rows: 1e-6 * rows,
        lambda rows: 1e6 * rows,
        lambda rows: rows + 100.0,
        lambda rows: rows @ axes,
        lambda rows: rows[::-1],
    ):
        measured = every_figure(change(real), change(fake), k)
        np.testing.assert_allclose(measured, wanted, rtol=1e-12)


def test_more_neighbours_reach_further():
    real, fake = two_sets(shift=1.5)
    figures = np.array([every_figure(real, fake, k) for k in (1, 3, 9, 27)])
    for column in (0, 1, 3):  # density is divided by k
        assert (np.diff(figures[:, column]) >= 0).all()
        assert figures[0, column] < figures[-1, column]


@pytest.mark.parametrize("metric", [metrics.precision_recall, metrics.density_coverage])
@pytest.mark.parametrize("k", [0, -1, 5, 6])
def test_a_neighbour_that_a_set_does_not_have_is_refused(metric, k):
    real, fake = two_sets(9, 5)
    with pytest.raises(ValueError, match=f"k={k} must be at least 1 and below the 5 rows"):
        metric(real, fake, k=k)
    metric(real, fake, k=4)


def test_a_row_far_away_does_not_blur_the_others():
    """Rounding takes 1e-4 and more of its own distances, and 1e-15 of the others."""
    real, fake = two_sets(shift=1.5)
    far = fake.copy()
    far[0] = 1e6
    assert metrics.precision_recall(real, fake[1:]).precision < 0.8
    for figure, wanted in zip(
        every_figure(real, far, 1), every_figure(real, fake[1:], 1), strict=True
    ):
        assert abs(figure - wanted) < 0.03
    far_real = np.concatenate([real, np.full((1, 4), 1e6)])
    measured = metrics.precision_recall(far_real, fake, 3)
    np.testing.assert_allclose(
        measured.recall, metrics.precision_recall(real, fake).recall * 60 / 61
    )
