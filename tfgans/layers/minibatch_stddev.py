"""Minibatch standard deviation: shows the discriminator how much the pictures differ."""

import keras
import tensorflow as tf

from tfgans.layers.grouping import group_size_for

_EPSILON = 1e-8  # under the root, whose derivatives are infinite at 0


@keras.saving.register_keras_serializable("tfgans")
class MinibatchStddev(keras.layers.Layer):
    """Appends one channel with the mean standard deviation of the features within a group.

    The batch is divided into groups of successive examples. The standard deviation over a group is
    taken for each feature at each position, and its mean over all of them, one number for a group,
    is the new channel of its examples. Successive, so that several replicas, or pieces of a batch,
    give what the whole batch gives, where the size of a group divides them.

    Args:
        group_size: Examples in a group. Where it does not divide the batch, the largest smaller
            number that does is taken.

    Raises:
        ValueError: If `group_size` is not positive.

    Reference:
        Karras et al., 2017, arXiv:1710.10196, Section 3; groups of 4 as in public implementations.
    """

    def __init__(self, group_size=4, **kwargs):
        super().__init__(**kwargs)
        if group_size < 1:
            raise ValueError(f"group_size={group_size!r} must be >= 1")
        self.group_size = group_size

    def call(self, inputs):
        """Appends the channel to `(batch, ..., channels)`."""
        size = group_size_for(inputs, self.group_size)
        groups = tf.reshape(tf.cast(inputs, tf.float32), (-1, size, *inputs.shape[1:]))
        centred = groups - tf.reduce_mean(groups, axis=1, keepdims=True)
        deviation = tf.sqrt(tf.reduce_mean(tf.square(centred), axis=1) + _EPSILON)
        of_group = tf.reduce_mean(deviation, axis=range(1, len(inputs.shape)))
        of_each = tf.cast(tf.repeat(of_group, size), inputs.dtype)
        channel = tf.reshape(of_each, (-1, *[1] * (len(inputs.shape) - 1)))
        return tf.concat([inputs, channel * tf.ones_like(inputs[..., :1])], axis=-1)

    def compute_output_shape(self, input_shape):
        """One channel more."""
        return (*input_shape[:-1], input_shape[-1] + 1)

    def get_config(self):
        """Returns what rebuilds the layer."""
        return {**super().get_config(), "group_size": self.group_size}
