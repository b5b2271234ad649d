"""1-NN accuracy against scikit-learn, whole-number loops, closed cases and memorisers."""

import hypothesis
import numpy as np
import pytest
import sklearn.neighbors
from hypothesis import strategies

from tfgans import data, metrics


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


def test_nearest_is_that_of_scikit_learn():
    queries, references = two_sets(30, 5)
    distance, index = (
        array[:, 0]
        for array in sklearn.neighbors.NearestNeighbors(n_neighbors=1)
        .fit(references[:21])
        .kneighbors(queries)
    )
    measured_index, measured_distance = metrics.nearest(queries, references[:21])
    assert measured_index.dtype == np.int64
    np.testing.assert_array_equal(measured_index, index)
    np.testing.assert_allclose(measured_distance, distance, rtol=1e-12)


def test_nearest_of_copies_finds_them_again():
    rows, _ = two_sets(30, 5)
    order = np.random.default_rng(1).permutation(30)
    index, distance = metrics.nearest(rows[order], rows)
    np.testing.assert_array_equal(index, order)
    np.testing.assert_allclose(distance, 0.0, atol=1e-6)


def test_relative_distances_are_in_that_of_the_reference_to_its_own_neighbour():
    references = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [9.0, 9.0], [9.0, 9.0]])
    queries = np.array([[0.0, 1.5], [3.0, 4.5], [3.0, 0.0], [9.0, 9.0], [9.0, 10.0]])
    found = metrics.relative_distances(queries + 1e3, references + 1e3)
    np.testing.assert_allclose(found[:3], [1.5 / 3.0, 0.5 / 4.0, 0.0], atol=1e-6)
    assert found[3] == 0.0
    assert found[4] > 1e3  # beside twins, but no copy of them
    np.testing.assert_array_equal(metrics.relative_distances(np.zeros((2, 1)), np.zeros((2, 1))), 0)


def test_relative_distances_are_those_of_a_plain_search():
    queries, references = two_sets(40, 3)
    wanted = []
    for query in queries:
        nearest = np.linalg.norm(references - query, axis=1).argmin()
        others = np.delete(references, nearest, axis=0)
        own = np.linalg.norm(others - references[nearest], axis=1).min()
        wanted.append(np.linalg.norm(references[nearest] - query) / own)
    np.testing.assert_allclose(metrics.relative_distances(queries, references), wanted, rtol=1e-10)


@pytest.fixture(scope="module")
def digits():
    """Training and held-out pictures, in [-1, 1]."""
    return [
        data.open_source("digits", split=split).images().reshape(-1, 784) / 127.5 - 1.0
        for split in ("train", "test")
    ]


def test_one_nn_tells_a_memoriser_by_its_training_set(digits):
    """It draws pictures that it was trained on, 1,000 or 4,000, and adds noise of deviation 0.05.

    Against those pictures each copy sits at an original, and only pictures that it never drew
    (a share of 1/e) may have another neighbour; held-out pictures do not give it away.
    """
    train, test = digits
    generator = np.random.default_rng(0)
    order = generator.permutation(4000)[:1000]
    own, others = train[order], train[generator.permutation(4000)[:1000]]

    def memorised(pictures):
        drawn = pictures[generator.integers(0, len(pictures), 1000)]
        return drawn + generator.normal(0.0, 0.05, drawn.shape)

    small = metrics.one_nn_accuracy(own, memorised(own))
    assert small.fake == 0.0
    assert small.accuracy < 0.2
    whole = memorised(train)
    assert 0.40 < metrics.one_nn_accuracy(others, whole).accuracy < 0.47
    assert 0.48 < metrics.one_nn_accuracy(test, whole).accuracy < 0.60
    assert 0.47 < metrics.one_nn_accuracy(test, others).accuracy < 0.53


def test_one_nn_of_the_others_is_not_blurred_by_a_row_far_away():
    real, fake = two_sets(60, 3, shift=1.0)
    near = metrics.one_nn_accuracy(real, fake)
    assert near.accuracy > 0.6
    fake[0] = 1e6
    far = metrics.one_nn_accuracy(real, fake)
    np.testing.assert_allclose(far, near, atol=3 / 60)


@pytest.mark.parametrize("value", [0.0, -1.0, 0.1])
def test_one_nn_of_sets_of_one_picture_is_the_share_of_its_kind_among_the_others(value):
    rows = np.full((10, 784), value)
    measured = metrics.one_nn_accuracy(rows, rows.copy())
    np.testing.assert_allclose(measured, [9 / 19] * 3, rtol=1e-12)
