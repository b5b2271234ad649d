import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from scipy import stats

from tfgans.data import order


@hypothesis.settings(max_examples=25)
@hypothesis.given(
    size=st.integers(1, 300), epoch=st.integers(0, 10**6), seed=st.integers(-(2**40), 2**70)
)
def test_each_epoch_holds_every_index_once(size, epoch, seed):
    indices = order.shuffled(epoch * size, size, size, seed).numpy()
    assert indices.dtype == np.int64
    assert sorted(indices) == list(range(size))


@hypothesis.settings(max_examples=25)
@hypothesis.given(
    size=st.integers(1, 50),
    first=st.integers(0, 10**9),
    count=st.integers(1, 130),
    data=st.data(),
)
def test_any_piece_equals_the_same_piece_of_a_longer_one(size, first, count, data):
    skip = data.draw(st.integers(0, count - 1))
    whole = order.shuffled(first, count, size, seed=3).numpy()
    piece = order.shuffled(first + skip, count - skip, size, seed=3).numpy()
    np.testing.assert_array_equal(piece, whole[skip:])


def test_same_numbers_eagerly_and_in_a_dataset():
    dataset = tf.data.Dataset.range(5).map(lambda step: order.shuffled(step * 30, 30, 70, 1))
    for step, indices in enumerate(dataset):
        np.testing.assert_array_equal(indices, order.shuffled(step * 30, 30, 70, 1))


def test_order_is_pinned():
    # A change here changes what every resumed run would see.
    assert order.shuffled(0, 12, 10, 0).numpy().tolist() == [8, 3, 4, 0, 5, 9, 2, 6, 1, 7, 6, 9]


def test_epochs_and_seeds_differ():
    epochs = {tuple(order.shuffled(k * 20, 20, 20, 0).numpy()) for k in range(50)}
    seeds = {tuple(order.shuffled(0, 20, 20, seed).numpy()) for seed in range(50)}
    assert len(epochs) == len(seeds) == 50
    far = [0, 1, -1, 2**32, 2**40, 2**63]
    assert len({tuple(order.shuffled(0, 20, 20, seed).numpy()) for seed in far}) == len(far)


@pytest.mark.parametrize("size", [10, 64, 1000])
def test_an_index_is_found_anywhere_in_an_epoch(size):
    # With plain counters as keys the op fails this by far (p < 1e-8).
    epochs = 400
    indices = order.shuffled(0, epochs * size, size, seed=0).numpy().reshape(epochs, size)
    for index in (0, size // 2, size - 1):
        places = np.argmax(indices == index, axis=1)
        counts = np.histogram(places, bins=10, range=(0, size))[0]
        shares = np.histogram(np.arange(size), bins=10, range=(0, size))[0] / size
        assert stats.chisquare(counts, shares * epochs).pvalue > 1e-4


def test_neighbours_are_no_longer_neighbours():
    indices = order.shuffled(0, 4000, 4000, seed=0).numpy()
    assert abs(np.corrcoef(indices[:-1], indices[1:])[0, 1]) < 0.06
    assert abs(np.corrcoef(indices, np.arange(4000))[0, 1]) < 0.06
    following = order.shuffled(4000, 4000, 4000, seed=0).numpy()
    assert abs(np.corrcoef(indices, following)[0, 1]) < 0.06
