"""Minibatch discrimination: shows the discriminator how near each picture is to others."""

import keras
import tensorflow as tf

from tfgans.layers.grouping import group_size_for


@keras.saving.register_keras_serializable("tfgans")
class MinibatchDiscrimination(keras.layers.Layer):
    """Appends to each example's features how close it is to the others of its group.

    With a learned kernel of shape `(features, num_kernels * kernel_dim)` each example i has a row
    M_ib of length `kernel_dim` for each b, and the new features are

        o_b(i) = sum over j != i of exp(-||M_ib - M_jb||_1)

    In the paper j = i, which adds 1, belongs to the sum, and the group is the minibatch. Groups are
    of successive examples, so that replicas, or pieces of a batch, give what the whole batch gives,
    where the size of a group divides them.

    Args:
        num_kernels: Number of new features.
        kernel_dim: Length of a row.
        group_size: Examples in a group. Where it does not divide the batch, the largest smaller
            number that does is taken.
        kernel_constraint: Keras constraint of the kernel.

    Raises:
        ValueError: If one of the numbers is not positive.

    Reference:
        Salimans et al., 2016, arXiv:1606.03498, Section 3.2.
    """

    def __init__(self, num_kernels, kernel_dim=5, group_size=16, kernel_constraint=None, **kwargs):
        super().__init__(**kwargs)
        numbers = {"num_kernels": num_kernels, "kernel_dim": kernel_dim, "group_size": group_size}
        for name, value in numbers.items():
            if value < 1:
                raise ValueError(f"{name}={value!r} must be >= 1")
        self.num_kernels, self.kernel_dim, self.group_size = num_kernels, kernel_dim, group_size
        self.kernel_constraint = keras.constraints.get(kernel_constraint)

    def build(self, input_shape):
        """Makes the kernel."""
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.num_kernels * self.kernel_dim),
            initializer="glorot_uniform",
            constraint=self.kernel_constraint,
            name="kernel",
        )

    def call(self, inputs):
        """Returns `(batch, features + num_kernels)` of `(batch, features)`."""
        size = group_size_for(inputs, self.group_size)
        rows = tf.cast(tf.matmul(inputs, self.kernel), tf.float32)
        rows = tf.reshape(rows, (-1, size, self.num_kernels, self.kernel_dim))
        distances = tf.reduce_sum(tf.abs(rows[:, :, None] - rows[:, None]), axis=-1)
        near = tf.reduce_sum(tf.exp(-distances), axis=2) - 1.0  # without itself
        near = tf.reshape(near, (-1, self.num_kernels))
        return tf.concat([inputs, tf.cast(near, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        """`num_kernels` features more."""
        return (*input_shape[:-1], input_shape[-1] + self.num_kernels)

    def get_config(self):
        """Returns what rebuilds the layer."""
        return {
            **super().get_config(),
            "num_kernels": self.num_kernels,
            "kernel_dim": self.kernel_dim,
            "group_size": self.group_size,
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
        }
