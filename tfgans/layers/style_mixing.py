"""Style mixing: layers of a generator take the style of one latent, then that of another."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tfgans")
class StyleMixing(keras.layers.Layer):
    """Gives each layer of a generator one of two styles.

        outputs[b, i] = inputs[b, 0] where i < crossover[b], else inputs[b, 1]

    Args:
        num_layers: Layers that take a style.

    Call arguments:
        inputs: Two styles for each example, `(batch, 2, length)`.
        crossover: int32 `(batch,)`, the first layer that takes the second style.

    Returns:
        `(batch, num_layers, length)`.

    Reference:
        Karras et al., 2018, arXiv:1812.04948, Section 3.1.
    """

    def __init__(self, num_layers, **kwargs):
        super().__init__(**kwargs)
        if num_layers < 1:
            raise ValueError(f"num_layers={num_layers!r} must be >= 1")
        self.num_layers = num_layers

    def call(self, inputs, crossover):
        """Picks."""
        is_first = tf.range(self.num_layers) < crossover[:, None]
        return tf.where(is_first[:, :, None], inputs[:, :1], inputs[:, 1:])

    def compute_output_shape(self, inputs_shape, crossover_shape):
        """A style for each layer."""
        return (inputs_shape[0], self.num_layers, inputs_shape[-1])

    def get_config(self):
        """Returns what rebuilds the layer."""
        return {**super().get_config(), "num_layers": self.num_layers}
