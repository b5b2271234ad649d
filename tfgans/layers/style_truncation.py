"""The truncation trick of style-based generators: styles drawn towards their mean."""

import keras
import tensorflow as tf

from tfgans import replicas


@keras.saving.register_keras_serializable("tfgans")
class StyleTruncation(keras.layers.Layer):
    """Moves styles towards the mean of all, which it follows in training.

        outputs = mean + truncation * (inputs - mean)

    In training the outputs are the inputs, and `mean` moves towards that of the batch's first
    styles, over all replicas.

    Args:
        decay: Of the moving mean.

    Call arguments:
        inputs: `(batch, layers, length)`.
        truncation: `(batch,)`, psi: 1 leaves the styles alone, 0 makes them all the mean.

    Raises:
        ValueError: If `decay` is not in [0, 1).

    Reference:
        Karras et al., 2018, arXiv:1812.04948, Section 2.1 and Appendix B.
    """

    def __init__(self, decay=0.995, **kwargs):
        super().__init__(**kwargs)
        if not 0.0 <= decay < 1.0:
            raise ValueError(f"decay={decay!r} must lie in [0, 1)")
        self.decay = decay

    def build(self, inputs_shape, truncation_shape):
        """Builds the mean, which starts at 0."""
        self.moving_mean = self.add_weight(
            shape=(inputs_shape[-1],),
            initializer="zeros",
            trainable=False,
            autocast=False,
            dtype="float32",
            name="moving_mean",
        )

    def call(self, inputs, truncation, training=None):
        """Truncates, or in training follows the mean."""
        if training:
            of_batch = tf.reduce_mean(tf.cast(inputs[:, 0], tf.float32), axis=0)
            (mean,) = replicas.mean([tf.stop_gradient(of_batch)])
            self.moving_mean.assign_sub((1.0 - self.decay) * (self.moving_mean - mean))
            return inputs
        mean = tf.cast(self.moving_mean.value, inputs.dtype)
        share = tf.cast(truncation, inputs.dtype)[:, None, None]
        return mean + share * (inputs - mean)

    def compute_output_shape(self, inputs_shape, truncation_shape):
        """The shape of the inputs."""
        return inputs_shape

    def get_config(self):
        """Returns what rebuilds the layer."""
        return {**super().get_config(), "decay": self.decay}
