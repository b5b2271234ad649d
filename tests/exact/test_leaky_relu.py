"""LeakyReLU: values and derivatives of Keras' own, without its second pass through a penalty."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import DataSpec, layers, penalties
from tfgans.networks import dcgan

SLOPES = [0.0, 0.2]
INPUTS = tf.constant(np.random.default_rng(0).standard_normal((5, 7)), tf.float32)
CONVOLUTIONS = ("Conv2D", "Conv2DBackpropInput", "Conv2DBackpropFilter")


@pytest.mark.parametrize("slope", SLOPES)
def test_values_and_gradients_are_those_of_keras(slope):
    found = []
    for layer in (layers.LeakyReLU(slope), keras.layers.LeakyReLU(slope)):
        with tf.GradientTape() as tape:
            tape.watch(INPUTS)
            outputs = layer(INPUTS)
            loss = tf.reduce_sum(tf.sin(outputs))
        found.append((outputs.numpy(), tape.gradient(loss, INPUTS).numpy()))
    np.testing.assert_array_equal(*[values for values, _ in found])
    np.testing.assert_array_equal(*[gradients for _, gradients in found])


class Critic:
    """A network as a function of images alone, and the derivatives of its gradient penalty."""

    def __init__(self, network):
        self.network = network

    def __call__(self, image):
        return self.network({"image": image}, training=True)

    @tf.function
    def derivatives(self, real, fake, noise):
        with tf.GradientTape() as tape:
            penalty = penalties.gradient_penalty(self, real, fake, noise=noise)
        return tape.gradient(penalty, [one.value for one in self.network.trainable_variables])


def stock(layer):
    """Returns a layer's copy, with the activation of Keras in place of ours."""
    if isinstance(layer, layers.LeakyReLU):
        return keras.layers.LeakyReLU(layer.negative_slope)
    return layer.__class__.from_config(layer.get_config())


def test_derivatives_of_a_penalty_are_those_of_keras_with_fewer_convolutions():
    own = dcgan.discriminator(DataSpec((16, 16, 3)), width=4, batch_norm=False)
    other = keras.models.clone_model(own, clone_function=stock)
    other.set_weights(own.get_weights())
    draws = np.random.default_rng(1)
    real, fake = (draws.standard_normal((6, 16, 16, 3)).astype(np.float32) for _ in range(2))
    arguments = (real, fake, draws.random((6, 1, 1, 1)).astype(np.float32))
    found, counts = [], []
    for critic in (Critic(own), Critic(other)):
        found.append(critic.derivatives(*arguments))
        graph = critic.derivatives.get_concrete_function(*arguments).graph
        counts.append(sum(one.type in CONVOLUTIONS for one in graph.get_operations()))
    kernels = [i for i, one in enumerate(own.trainable_variables) if one.shape.rank == 4]
    for index in kernels:
        np.testing.assert_allclose(found[0][index], found[1][index], rtol=1e-5, atol=1e-7)
        assert np.abs(found[0][index]).max() > 0
    # Keras goes backwards once more, from the last activation: by each kernel, and by its input.
    assert counts[1] - counts[0] == 2 * len(kernels)
