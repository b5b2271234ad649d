"""Pixel normalisation against its formula and the lengths it must leave."""

import differences
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers

SHAPES = {"maps": (2, 3, 4, 5), "vectors": (4, 5)}


def drawn(shape):
    return np.random.default_rng(0).normal(0.5, 2.0, shape)


def formula(inputs):
    outputs = np.empty(inputs.shape)
    for place in np.ndindex(*inputs.shape[:-1]):
        outputs[place] = inputs[place] / np.sqrt(np.mean(inputs[place] ** 2) + 1e-8)
    return outputs


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_it_is_the_formula(shape):
    inputs = drawn(shape)
    outputs = layers.PixelNormalization()(tf.constant(inputs, tf.float32))
    np.testing.assert_allclose(outputs, formula(inputs), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(outputs, axis=-1), np.sqrt(5.0), rtol=1e-5)


def test_closed_forms():
    """(3, 4) has mean square 12.5; 1e-4 has 1e-8, as much as epsilon; 0 stays 0."""
    inputs = tf.constant([[3.0, 4.0], [-1e-4, 1e-4], [0.0, 0.0]])
    wanted = [[3.0 / 12.5**0.5, 4.0 / 12.5**0.5], [-(0.5**0.5), 0.5**0.5], [0.0, 0.0]]
    np.testing.assert_allclose(layers.PixelNormalization()(inputs), wanted, rtol=1e-5)


def test_the_length_of_the_input_does_not_matter():
    inputs = tf.constant(drawn(SHAPES["maps"]), tf.float32)
    layer = layers.PixelNormalization()
    np.testing.assert_allclose(layer(16.0 * inputs), layer(inputs), rtol=1e-6)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_gradient_against_differences(shape):
    inputs = drawn(shape)
    upstream = np.random.default_rng(1).normal(size=shape)
    vectors = tf.constant(inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        total = tf.reduce_sum(upstream * layers.PixelNormalization()(vectors))
    gradient = tape.gradient(total, vectors)
    (wanted,) = differences.gradients(lambda array: np.sum(upstream * formula(array)), inputs)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-5)
    along = np.sum(gradient * inputs, axis=-1)  # a longer vector gives the same
    np.testing.assert_allclose(along, np.zeros(shape[:-1]), atol=1e-5)


def test_gradient_at_zero_is_finite():
    vectors = tf.zeros((2, 5))
    with tf.GradientTape() as tape:
        tape.watch(vectors)
        total = tf.reduce_sum(layers.PixelNormalization()(vectors))
    np.testing.assert_allclose(tape.gradient(total, vectors), np.full((2, 5), 1e4), rtol=1e-5)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("size", [1e-3, 1.0, 3e3])
def test_the_mean_square_is_float32_in_half_precision(dtype, size):
    """The squares of 3e3 are beyond float16, those of 1e-3 hardly in it, as is 1e-8."""
    layer = layers.PixelNormalization(dtype=dtype)
    inputs = tf.cast(tf.constant(size * drawn(SHAPES["maps"])), layer.compute_dtype)
    outputs = layer(inputs)
    assert outputs.dtype == layer.compute_dtype
    wanted = formula(tf.cast(inputs, tf.float64).numpy())
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), wanted, rtol=2.0**-8)
