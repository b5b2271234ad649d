"""The order of training: position in the run -> picture, with no state.

Each epoch is an exact permutation of the pictures, computed index by index. So any position can
be asked for at once, and a batch may straddle two epochs.
"""

import numpy as np
import tensorflow as tf

_STREAM = 0x6F72646572  # "order": keeps these keys apart from other uses of the user's seed


def shuffled(first, count: int, size: int, seed: int):
    """Returns the indices at positions `first` to `first + count` of an endless run.

    Args:
        first: int64 scalar, the first position.
        count: Number of positions.
        size: Number of pictures; each run of `size` positions from 0 holds every index once.
        seed: Any int.

    Returns:
        int64 `(count,)`, each in [0, size).
    """
    positions = tf.cast(first, tf.int64) + tf.range(count, dtype=tf.int64)
    # One seed for each index, which `tf.random.experimental.index_shuffle` refuses.
    return tf.raw_ops.RandomIndexShuffle(
        index=positions % size,
        seed=_epoch_keys(positions // size, seed),
        max_index=tf.constant(size - 1, tf.int64),
    )


def _epoch_keys(epoch, seed: int):
    """Returns uint32 `(n, 3)`, well mixed: from plain counters the op draws biased orders."""
    entropy = [_STREAM, seed % 2**64]
    bases = tf.constant(np.random.SeedSequence(entropy).generate_state(3))
    return _mixed(tf.bitwise.bitwise_xor(tf.cast(epoch, tf.uint32)[:, None], bases[None, :]))


def _mixed(word):
    """Wellons' `lowbias32`, a bijection of 32-bit words in which each bit sways all others."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        word = _fold(word, shift) * tf.constant(factor, tf.uint32)
    return _fold(word, 16)


def _fold(word, shift: int):
    return tf.bitwise.bitwise_xor(word, tf.bitwise.right_shift(word, tf.constant(shift, tf.uint32)))
