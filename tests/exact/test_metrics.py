"""Two-sample metrics against scikit-learn, naive loops, the slides' own code and closed cases."""

import math

import hypothesis
import numpy as np
import pytest
import sklearn.neighbors
from hypothesis import strategies

from tfgans import metrics
from tfgans.metrics.distances import squared_distances


def two_sets(n=40, d=6, shift=0.5, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)), generator.normal(size=(n, d)) + shift


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_one_nn_is_leave_one_out_of_scikit_learn(shift):
    real, fake = two_sets(shift=shift)
    both = np.concatenate([real, fake])
    label = np.repeat([1, 0], len(real))
    right = []
    for row in range(len(both)):
        others = np.arange(len(both)) != row
        classifier = sklearn.neighbors.KNeighborsClassifier(1).fit(both[others], label[others])
        right.append(classifier.predict(both[row : row + 1])[0] == label[row])
    measured = metrics.one_nn_accuracy(real, fake)
    np.testing.assert_allclose(measured.accuracy, np.mean(right), rtol=1e-12)
    np.testing.assert_allclose(measured.real, np.mean(right[:40]), rtol=1e-12)
    np.testing.assert_allclose(measured.fake, np.mean(right[40:]), rtol=1e-12)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_one_nn_by_nearest_neighbours_of_scikit_learn_in_pixels(kind):
    real, fake = (array.astype(kind) for array in two_sets(150, 784, shift=0.05))
    both = np.concatenate([real, fake]).astype(np.float64)
    neighbour = sklearn.neighbors.NearestNeighbors(n_neighbors=2).fit(both).kneighbors()[1][:, 0]
    right = (neighbour < 150) == (np.arange(300) < 150)
    measured = metrics.one_nn_accuracy(real, fake)
    assert measured == pytest.approx((right.mean(), right[:150].mean(), right[150:].mean()))


def test_one_nn_of_sets_apart_is_one_and_of_sets_interleaved_zero():
    line = np.arange(10.0)[:, None]
    assert metrics.one_nn_accuracy(line, line + 1000.0) == (1.0, 1.0, 1.0)
    assert metrics.one_nn_accuracy(line, line + 0.1) == (0.0, 0.0, 0.0)


def test_one_nn_of_a_memoriser_is_zero_and_of_a_collapsed_generator_tells_which_side():
    """Copies sit on their originals; a single picture made over and over sits on itself."""
    real, _ = two_sets()
    assert metrics.one_nn_accuracy(real, real[::-1]) == (0.0, 0.0, 0.0)
    collapsed = np.repeat(real[:1] + 0.1, 40, axis=0)
    measured = metrics.one_nn_accuracy(real, collapsed)
    assert measured.fake == 1.0
    assert measured.real < 1.0


def test_one_nn_of_a_collapse_onto_a_real_row_shares_the_vote():
    """n copies of the first real row: each has n - 1 of its kind and that row equally near."""
    real, _ = two_sets(10)
    measured = metrics.one_nn_accuracy(real, np.repeat(real[:1], 10, axis=0))
    np.testing.assert_allclose(measured.fake, 9 / 10, rtol=1e-12)


def exact_one_nn(real, fake):
    """By distances of whole numbers, where equal is equal."""
    both = np.concatenate([real, fake]).astype(np.int64)
    shares = []
    for row, point in enumerate(both):
        squares = np.sum((both - point) ** 2, axis=1)
        squares[row] = squares.max() + 1
        own = (np.arange(len(both)) < len(real)) == (row < len(real))
        shares.append(own[squares == squares.min()].mean())
    return np.mean(shares), np.mean(shares[: len(real)]), np.mean(shares[len(real) :])


@pytest.mark.parametrize(("d", "levels"), [(1, 5), (3, 3), (64, 2), (784, 256)])
@pytest.mark.parametrize("n", [6, 11, 40])
def test_one_nn_shares_votes_among_ties_and_copies_in_spite_of_rounding(n, d, levels):
    """Pictures scaled to [-1, 1], as the metric sees them; many are copies of each other."""
    generator = np.random.default_rng(0)
    real = generator.integers(0, levels, (n, d))
    real = real[generator.integers(0, n, n)]
    fake = np.concatenate([real[: n // 2], generator.integers(0, levels, (n - n // 2, d))])
    scaled = (array / ((levels - 1) / 2.0) - 1.0 for array in (real, fake))
    measured = metrics.one_nn_accuracy(*scaled)
    np.testing.assert_allclose(measured, exact_one_nn(real, fake), rtol=1e-12)


@hypothesis.settings(max_examples=40)
@hypothesis.given(
    n=strategies.integers(2, 12),
    d=strategies.integers(1, 4),
    seed=strategies.integers(0, 10**6),
)
def test_one_nn_of_small_lattices(n, d, seed):
    generator = np.random.default_rng(seed)
    real, fake = generator.integers(0, 3, (2, n, d))
    measured = metrics.one_nn_accuracy(0.1 * real, 0.1 * fake)
    np.testing.assert_allclose(measured, exact_one_nn(real, fake), rtol=1e-12)


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


@pytest.mark.parametrize("metric", [metrics.mmd, metrics.one_nn_accuracy])
def test_bad_shapes_are_refused(metric):
    good = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"fake has shape \(4, 3, 1\); it must be \(n, d\)"):
        metric(good, good[..., None])
    with pytest.raises(ValueError, match=r"real has shape \(1, 3\); it must be \(n, d\) with n >"):
        metric(good[:1], good)
    with pytest.raises(ValueError, match="real has 3 features, fake has 2"):
        metric(good, good[:, :2])


def test_unequal_sets_are_refused_by_one_nn_alone():
    real, fake = two_sets()
    with pytest.raises(ValueError, match="equal size, got 40 and 39 rows"):
        metrics.one_nn_accuracy(real, fake[1:])
    assert metrics.mmd(real, fake[1:]).value > 0.0


@pytest.mark.parametrize("n", range(2, 14))
def test_mmd_of_one_picture_over_and_over_has_no_bandwidth(n):
    """By rounding its copies are not always exactly 0 apart."""
    picture = np.random.default_rng(n).uniform(-1, 1, (1, 784))
    with pytest.raises(ValueError, match="all rows of real are equal"):
        metrics.mmd(np.repeat(picture, n, axis=0), np.zeros((5, 784)))
