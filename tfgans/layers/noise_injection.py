"""Noise on feature maps, from which a generator makes what a style leaves to chance."""

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable("tfgans")
class NoiseInjection(keras.layers.Layer):
    """Adds a picture of standard normal noise, times a learned factor for each channel.

        outputs[b, y, x, c] = inputs[b, y, x, c] + factor[c] * noise[b, y, x],  factor from 0

    In training each example gets new noise. Else all get one picture, drawn when the layer is
    built and saved with it, so that what a generator makes depends on its latent alone.

    Call arguments:
        inputs: `(batch, height, width, channels)`.

    Reference:
        Karras et al., 2018, arXiv:1812.04948, Section 2 and Figure 1b.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        # Found by the training base, which sets its state at each step.
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape):
        """Builds the factors and draws the noise picture of inference."""
        _, height, width, channels = input_shape
        self.factor = self.add_weight(shape=(channels,), initializer="zeros", name="factor")
        self.noise = self.add_weight(
            shape=(height, width),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            trainable=False,
            name="noise",
        )

    def call(self, inputs, training=None):
        """Adds new noise in training, and else the layer's own."""
        if training:
            shape = (*ops.shape(inputs)[:-1], 1)
            noise = keras.random.normal(shape, dtype=self.compute_dtype, seed=self.seed_generator)
        else:
            noise = tf.convert_to_tensor(self.noise)[:, :, None]
        return inputs + noise * tf.convert_to_tensor(self.factor)

    def compute_output_shape(self, input_shape):
        """The shape of the inputs."""
        return input_shape
