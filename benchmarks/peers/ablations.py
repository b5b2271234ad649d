"""tfgans with one of its optimisations undone, or with one that is not used put on."""

import keras
import tensorflow as tf

from peers import ours
from tfgans import layers, optimizers
from tfgans.layers import trilinear


def adam_of_keras():
    optimizers.Adam.update_step = keras.optimizers.Adam.update_step


def batch_norm_of_keras():
    layers.BatchNormalization.call = keras.layers.BatchNormalization.call


def gradients_of_tensorflow():
    trilinear._on_cpu = lambda: False


def leaky_relu_of_keras():
    layers.LeakyReLU.call = lambda self, inputs: tf.nn.leaky_relu(inputs, self.negative_slope)


def resampling_by_itself():
    """A mean or a doubling as a layer of its own, beside a convolution."""

    def halved(self, inputs, kernel):
        return tf.nn.avg_pool2d(trilinear.convolve(inputs, tf.identity(kernel)), 2, 2, "VALID")

    def doubled(self, inputs, kernel):
        large = tf.repeat(tf.repeat(inputs, 2, axis=1), 2, axis=2)
        return trilinear.convolve(large, tf.identity(kernel))

    layers.ConvMeanPool.convolution_op = halved
    layers.UpsampleConv.convolution_op = doubled


def sigma_divides_the_input():
    """A layer's input is divided by sigma, instead of its kernel."""

    def call(self, inputs):
        return self.layer(inputs / tf.cast(self.sigma(), inputs.dtype))

    layers.SpectralNormalization.call = call


def all_of_these():
    adam_of_keras()
    batch_norm_of_keras()
    gradients_of_tensorflow()
    leaky_relu_of_keras()
    resampling_by_itself()
    sigma_divides_the_input()


class Ablated(ours.Ours):
    """Ours after a change.

    Args:
        change: Key of `child.CHANGES`; one without a function here changes the step below, or the
            environment.
    """

    def __init__(self, workload, folder, change):
        globals().get(change, lambda: None)()
        super().__init__(workload, folder)
        if change == "with_remapper":
            tf.config.optimizer.set_experimental_options({"remapping": True})
        if change == "xla":
            self.train_step = tf.function(self.model.train_step, jit_compile=True)
