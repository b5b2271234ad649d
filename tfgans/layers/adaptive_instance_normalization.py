"""Adaptive instance normalisation: each map gets the mean and deviation of a style."""

import keras
import tensorflow as tf

from tfgans.layers.modulation import over_positions

_EPSILON = 1e-8


@keras.saving.register_keras_serializable("tfgans")
class AdaptiveInstanceNormalization(keras.layers.Layer):
    """Normalises each map of each picture over its pixels, then scales and shifts it by a style.

        outputs = (1 + scale) * (inputs - mean) / sqrt(variance + 1e-8) + shift

    `scale` and `shift` are the outputs of an affine layer on the style. The paper's y_s is
    1 + scale, so that a bias of 0 starts at 1. All is computed in float32. Of an even map, as a
    learned constant is at first, the gradient is 10,000 times that of the outputs, too much for
    float16: the layers from there to here want `dtype="float32"`.

    Call arguments:
        inputs: `(batch, height, width, channels)`.
        scale: `(batch, channels)`.
        shift: `(batch, channels)`.

    Raises:
        ValueError: If `scale` or `shift` have other channels than the inputs.

    Reference:
        Huang & Belongie, 2017, arXiv:1703.06868, Equation 8; Karras et al., 2018,
        arXiv:1812.04948, Equation 1.
    """

    def build(self, input_shape):
        """Checks that the inputs are maps."""
        if len(input_shape) != 4:
            raise ValueError(f"inputs must be (batch, height, width, channels), got {input_shape}")

    def call(self, inputs, scale, shift):
        """Normalises and modulates."""
        maps = tf.cast(inputs, tf.float32)
        scale, shift = (
            tf.cast(over_positions(vectors, maps), tf.float32) for vectors in (scale, shift)
        )
        centred = maps - tf.reduce_mean(maps, axis=(1, 2), keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=(1, 2), keepdims=True)
        outputs = centred * (tf.math.rsqrt(variance + _EPSILON) * (1.0 + scale)) + shift
        return tf.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """The shape of the inputs."""
        return input_shape
