"""Groups of successive examples, the same in pieces of a batch if their size divides these."""

import tensorflow as tf


def group_size_for(inputs, most):
    """Returns the largest divisor of the batch size of `inputs` that is no larger than `most`."""
    count = inputs.shape[0]
    if count is not None:
        return max(size for size in range(1, most + 1) if count % size == 0)
    sizes = tf.range(1, most + 1)
    return tf.reduce_max(tf.where(tf.shape(inputs)[0] % sizes == 0, sizes, 1))
