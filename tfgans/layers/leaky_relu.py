"""LeakyReLU whose second derivative, which is zero, is not computed."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("tfgans")
class LeakyReLU(keras.layers.Layer):
    """x where it is positive, else `negative_slope` times x.

    The gradient of `keras.layers.LeakyReLU` depends, for TensorFlow, on x, although it is piecewise
    constant. So the derivative of a gradient penalty runs backwards through the critic once more,
    with zeros. Here x is a constant in the gradient: the same numbers, a third of the penalty's
    convolutions less.

    Args:
        negative_slope: Slope below zero; 0 makes it a ReLU.
    """

    def __init__(self, negative_slope=0.2, **kwargs):
        super().__init__(**kwargs)
        self.negative_slope = negative_slope

    def call(self, inputs):
        """Applies it to each number."""
        slope = self.negative_slope

        @tf.custom_gradient
        def activate(features):
            def gradient(upstream):
                return tf.raw_ops.LeakyReluGrad(
                    gradients=upstream, features=tf.stop_gradient(features), alpha=slope
                )

            return tf.nn.leaky_relu(features, slope), gradient

        return activate(inputs)

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return input_shape

    def get_config(self):
        """Returns what rebuilds the layer."""
        return {**super().get_config(), "negative_slope": self.negative_slope}
