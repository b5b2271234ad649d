"""A learned constant, where a style-based generator begins."""

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable("tfgans")
class LearnedConstant(keras.layers.Layer):
    """Gives each example the same learned maps.

    Args:
        shape: `(height, width, channels)` of the maps.
        initializer: Of the maps. Ones have no deviation that a normalisation could divide by.

    Call arguments:
        inputs: Of which nothing but the size of the batch is used.

    Raises:
        ValueError: If `shape` is not three positive numbers.

    Reference:
        Karras et al., 2018, arXiv:1812.04948, Section 2 and Figure 1b.
    """

    def __init__(self, shape, initializer="ones", **kwargs):
        super().__init__(**kwargs)
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError(f"shape={shape!r} must be (height, width, channels), all >= 1")
        self.shape = tuple(shape)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        """Builds the maps."""
        self.constant = self.add_weight(
            shape=self.shape, initializer=self.initializer, name="constant"
        )

    def call(self, inputs):
        """Repeats the maps for each example."""
        shape = (ops.shape(inputs)[0], *self.shape)
        return tf.broadcast_to(tf.convert_to_tensor(self.constant), shape)

    def compute_output_shape(self, input_shape):
        """One set of maps for each example."""
        return (input_shape[0], *self.shape)

    def get_config(self):
        """Returns what rebuilds the layer."""
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "shape": list(self.shape), "initializer": initializer}
