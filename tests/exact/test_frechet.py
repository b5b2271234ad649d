"""FID against closed forms, matrix square roots and TF-GAN; merged moments; the extrapolation."""

import functools
import warnings

import numpy as np
import pytest
import scipy.linalg

from tfgans import compat, metrics
from tfgans.metrics import Moments


def moments(mean, covariance, count=100):
    mean, covariance = np.asarray(mean, np.float64), np.asarray(covariance, np.float64)
    return Moments(count, mean, covariance * (count - 1))


def rows_with(mean, covariance, n=60, seed=0):
    """Rows whose sample mean and covariance are just these."""
    rows = np.random.default_rng(seed).normal(size=(n, len(mean)))
    rows -= rows.mean(0)
    root = np.linalg.cholesky(np.atleast_2d(np.cov(rows.T)))
    return rows @ np.linalg.inv(root).T @ np.linalg.cholesky(covariance).T + mean


def rotation(d, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


def random_covariance(d, seed):
    root = np.random.default_rng(seed).normal(size=(d, d))
    return root @ root.T / d + 0.01 * np.eye(d)


def correlated(n=60, m=45, d=8, seed=0):
    generator = np.random.default_rng(seed)
    real = generator.normal(size=(n, d)) @ generator.normal(size=(d, d))
    return real, generator.normal(size=(m, d)) @ generator.normal(size=(d, d)) + 0.5


def test_fid_of_one_feature_is_the_squared_gap_of_means_and_of_deviations():
    real, fake = rows_with([1.0], [[4.0]]), rows_with([3.0], [[25.0]], seed=1)
    np.testing.assert_allclose(metrics.fid(real, fake), 2.0**2 + 3.0**2, rtol=1e-10)


@pytest.mark.parametrize("rotate", [False, True])
def test_fid_of_commuting_covariances_is_a_sum_over_their_axes(rotate):
    d = 6
    generator = np.random.default_rng(0)
    first, second = generator.uniform(0.1, 3.0, (2, d))
    axes = rotation(d) if rotate else np.eye(d)
    gap = generator.normal(size=d)
    real = rows_with(np.zeros(d), axes @ np.diag(first**2) @ axes.T)
    fake = rows_with(gap, axes @ np.diag(second**2) @ axes.T, seed=1)
    wanted = (gap**2).sum() + ((first - second) ** 2).sum()
    np.testing.assert_allclose(metrics.fid(real, fake), wanted, rtol=1e-10)


@pytest.mark.parametrize("d", [2, 16, 64])
def test_frechet_distance_is_that_of_the_matrix_square_root(d):
    first, second = random_covariance(d, 0), random_covariance(d, 1)
    gap = np.random.default_rng(2).normal(size=d)
    cross = np.trace(scipy.linalg.sqrtm(first @ second)).real
    wanted = gap @ gap + np.trace(first) + np.trace(second) - 2 * cross
    measured = metrics.frechet_distance(moments(np.zeros(d), first), moments(gap, second))
    np.testing.assert_allclose(measured, wanted, rtol=1e-9)


@pytest.mark.parametrize(("n", "m", "d"), [(50, 50, 4), (300, 200, 64)])
def test_fid_is_that_of_tfgan(n, m, d):
    real, fake = correlated(n, m, d)
    theirs = compat.import_tensorflow_gan().eval.frechet_classifier_distance_from_activations
    np.testing.assert_allclose(metrics.fid(real, fake), theirs(real, fake), rtol=1e-6)


def test_fid_ignores_a_common_shift_rotation_order_and_swap_and_squares_a_scale():
    real, fake = correlated()
    wanted = metrics.fid(real, fake)
    axes = rotation(8)
    for factor, *pair in (
        (1.0, real + 100.0, fake + 100.0),
        (1.0, real @ axes, fake @ axes),
        (1.0, real[::-1], fake[::-1]),
        (1.0, fake, real),
        (9.0, 3.0 * real, 3.0 * fake),
    ):
        np.testing.assert_allclose(metrics.fid(*pair), factor * wanted, rtol=1e-9)


def test_fid_of_shifted_copies_is_the_squared_shift():
    real, _ = correlated()
    shift = np.arange(8.0)
    np.testing.assert_allclose(metrics.fid(real, real + shift), shift @ shift, rtol=1e-10)


def test_fid_of_a_set_with_itself_is_zero():
    real, _ = correlated()
    trace = np.trace(np.cov(real.T))
    np.testing.assert_allclose(metrics.fid(real, real[::-1]), 0.0, atol=1e-10 * trace)


def degenerate():
    generator = np.random.default_rng(0)
    few, other = generator.normal(size=(2, 5, 30))
    many = generator.normal(size=(40, 8))
    flat = many * ([1.0] * 4 + [0.0] * 4)
    return {
        "fewer rows than features": (few, other),
        "duplicates": (np.repeat(few[:, :4], 8, 0), np.repeat(other[:2, :4], 9, 0)),
        "one set constant": (many, np.ones((40, 8))),
        "both constant": (np.zeros((40, 8)), np.full((40, 8), 2.0)),
        "features that are always 0": (flat, flat + np.eye(8)[7]),
    }


@pytest.mark.parametrize("case", degenerate())
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_fid_of_singular_covariances_is_a_number_and_zero_between_equals(case, scale):
    real, fake = (scale * rows for rows in degenerate()[case])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        value, itself = metrics.fid(real, fake), metrics.fid(real, real[::-1])
    assert isinstance(value, float)
    assert np.isfinite(value)
    assert value > 0.0
    # Each null direction leaves the root of rounding, about 1e-8 of the largest variance.
    assert 0.0 <= itself <= 1e-6 * value


def test_fid_of_a_constant_set_is_the_other_ones_spread_and_the_gap():
    real, _ = correlated()
    wanted = np.trace(np.cov(real.T)) + np.square(real.mean(0) - 1.0).sum()
    np.testing.assert_allclose(metrics.fid(real, np.ones((20, 8))), wanted, rtol=1e-10)


@pytest.mark.parametrize(("short", "words"), [(0, "real has 8 rows"), (1, "fake has 8 rows")])
def test_fid_warns_of_no_more_rows_than_features(short, words):
    """And of nothing with one row more, where a warning would fail this test."""
    pair = list(correlated())
    metrics.fid(*(rows[:9] for rows in pair))
    pair[short] = pair[short][:8]
    with pytest.warns(UserWarning, match=words + " of 8 features") as caught:
        metrics.fid(*pair)
    assert [warning.filename for warning in caught] == [__file__]


def test_moments_are_those_of_numpy():
    rows, _ = correlated()
    measured = Moments.of(rows)
    assert measured.count == 60
    np.testing.assert_allclose(measured.mean, rows.mean(0), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(measured.covariance, np.cov(rows.T), rtol=1e-12, atol=1e-12)


def test_moments_of_parts_merge_stably_far_from_the_origin():
    """Where E[x x] - E[x] E[x] in float64 has lost five digits and more."""
    rows = np.random.default_rng(0).normal(size=(1000, 5)) + 1e6
    wanted = np.cov(rows.T - 1e6)
    sizes = [2, 3, 95, 100, 300, 500]
    parts = np.split(rows, np.cumsum(sizes)[:-1])
    merged = functools.reduce(Moments.merge, map(Moments.of, parts))
    assert merged.count == 1000
    np.testing.assert_allclose(merged.mean, rows.mean(0), rtol=1e-15)
    np.testing.assert_allclose(merged.covariance, wanted, atol=1e-9)
    naive = (rows.T @ rows / 1000 - np.outer(rows.mean(0), rows.mean(0))) * 1000 / 999
    assert np.abs(naive - wanted).max() > 1e-5


def test_moments_merge_in_any_order_and_grouping():
    parts = [Moments.of(correlated(n, 2, seed=n)[0] + n) for n in (9, 20, 31, 50)]
    one = parts[0].merge(parts[1]).merge(parts[2]).merge(parts[3])
    other = parts[3].merge(parts[1]).merge(parts[0].merge(parts[2]))
    assert one.count == other.count == 110
    np.testing.assert_allclose(one.mean, other.mean, rtol=1e-12)
    np.testing.assert_allclose(one.scatter, other.scatter, rtol=1e-10, atol=1e-9)


def test_fid_infinity_is_rid_of_the_bias():
    """Two Gaussians of 16 features a squared distance of 1 apart, 40 times anew."""
    d, n, repetitions = 16, 300, 40
    infinite, plain = [], []
    for seed in range(repetitions):
        generator = np.random.default_rng(seed)
        real, fake = generator.normal(size=(2, n, d))
        fake[:, 0] += 1.0
        infinite.append(metrics.fid_infinity(real, fake))
        plain.append(metrics.fid(real, fake))
    values = np.array([measured.value for measured in infinite])
    error = values.std(ddof=1) / np.sqrt(repetitions)
    assert abs(values.mean() - 1.0) < 4 * error
    assert error < 0.06
    assert np.mean(plain) - 1.0 > 8 * error
    assert min(measured.slope for measured in infinite) > 0.0
    # The slope is the bias: FID(n) = value + slope / n.
    slope = np.mean([measured.slope for measured in infinite])
    np.testing.assert_allclose(values.mean() + slope / n, np.mean(plain), rtol=0.05)


def test_fid_infinity_repeats_by_seed_and_takes_sets_of_unequal_size():
    real, fake = correlated(200, 60)
    assert metrics.fid_infinity(real, fake) == metrics.fid_infinity(real, fake)
    assert metrics.fid_infinity(real, fake) != metrics.fid_infinity(real, fake, seed=1)


def test_fid_infinity_refuses_few_rows_and_few_points():
    real, fake = correlated(40, 19)
    with pytest.raises(ValueError, match="19 rows and 8 points: it takes 20 rows and 2 points"):
        metrics.fid_infinity(real, fake)
    with pytest.raises(ValueError, match="40 rows and 1 points"):
        metrics.fid_infinity(real, real, num_points=1)


@pytest.mark.parametrize(("n", "m", "d"), [(5, 5, 40), (30, 12, 31), (2, 39, 40)])
def test_fid_of_fewer_rows_than_features_needs_no_large_matrix(n, m, d):
    """By singular values of the products of rows; the other way is the eigenproblem of d x d."""
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(d, d))
    real, fake = generator.normal(size=(n, d)) @ mixing, generator.normal(size=(m, d)) + 0.5
    wanted = metrics.frechet_distance(metrics.Moments.of(real), metrics.Moments.of(fake))
    with pytest.warns(UserWarning, match="singular"):
        measured = metrics.fid(real, fake)
    # The eigenproblem takes roots of what rounding leaves of 0.
    np.testing.assert_allclose(measured, wanted, rtol=1e-6)
