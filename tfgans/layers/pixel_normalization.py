"""Pixel normalisation: every feature vector gets length sqrt(channels)."""

import keras
import tensorflow as tf

_EPSILON = 1e-8


@keras.saving.register_keras_serializable("tfgans")
class PixelNormalization(keras.layers.Layer):
    """Divides each vector along the last axis by the root of its mean square.

        outputs = inputs / sqrt(mean_c(inputs^2) + 1e-8)

    For maps `(batch, height, width, channels)` and vectors `(batch, channels)`, computed in
    float32.

    Reference:
        Karras et al., 2017, arXiv:1710.10196, Section 4.2.
    """

    def call(self, inputs):
        """Normalises each vector."""
        vectors = tf.cast(inputs, tf.float32)
        squares = tf.reduce_mean(tf.square(vectors), axis=-1, keepdims=True)
        return tf.cast(vectors * tf.math.rsqrt(squares + _EPSILON), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """The shape of the inputs."""
        return input_shape
