"""Adaptive instance normalisation against its formula and the statistics it must leave."""

import differences
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers

SHAPE = (3, 4, 5, 6)


def arguments(seed=0):
    """Returns float64 inputs, scales and shifts."""
    draws = np.random.default_rng(seed)
    vectors = draws.normal(size=(2, SHAPE[0], SHAPE[-1]))
    return draws.normal(0.5, 2.0, SHAPE), *vectors


def tensors(arrays):
    return [tf.constant(array, tf.float32) for array in arrays]


def formula(inputs, scale, shift):
    """One map of one picture at a time."""
    outputs = np.empty(inputs.shape)
    for picture, channel in np.ndindex(inputs.shape[0], inputs.shape[-1]):
        pixels = inputs[picture, :, :, channel]
        normal = (pixels - pixels.mean()) / np.sqrt(pixels.var() + 1e-8)
        outputs[picture, :, :, channel] = (1.0 + scale[picture, channel]) * normal
        outputs[picture, :, :, channel] += shift[picture, channel]
    return outputs


def test_it_is_the_formula():
    given = arguments()
    found = layers.AdaptiveInstanceNormalization()(*tensors(given))
    np.testing.assert_allclose(found, formula(*given), rtol=1e-5, atol=1e-5)


def test_each_map_gets_the_mean_and_deviation_of_its_style():
    inputs, scale, shift = tensors(arguments())
    outputs = layers.AdaptiveInstanceNormalization()(inputs, scale, shift)
    np.testing.assert_allclose(tf.reduce_mean(outputs, (1, 2)), shift, rtol=1e-4, atol=1e-5)
    deviations = tf.math.reduce_std(outputs, (1, 2))
    np.testing.assert_allclose(deviations, np.abs(1.0 + scale), rtol=1e-4, atol=1e-5)


def test_what_was_the_mean_and_deviation_of_a_map_does_not_matter():
    inputs, scale, shift = tensors(arguments())
    other = 3.0 * inputs * tf.range(1.0, 7.0) - tf.range(6.0)
    layer = layers.AdaptiveInstanceNormalization()
    np.testing.assert_allclose(
        layer(other, scale, shift), layer(inputs, scale, shift), rtol=1e-4, atol=1e-5
    )


def test_pictures_do_not_meet():
    given = tensors(arguments())
    layer = layers.AdaptiveInstanceNormalization()
    alone = [layer(*(each[row : row + 1] for each in given)) for row in range(3)]
    np.testing.assert_allclose(layer(*given), np.concatenate(alone), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0, -7.5])
def test_an_even_map_becomes_the_shift(value):
    """As a learned constant is in the beginning."""
    _, scale, shift = tensors(arguments())
    outputs = layers.AdaptiveInstanceNormalization()(tf.fill(SHAPE, value), scale, shift)
    np.testing.assert_array_equal(outputs, tf.broadcast_to(shift[:, None, None], SHAPE))


def test_epsilon_is_1e_8():
    """Pixels of +-1e-4 have variance 1e-8, so they become +-1 / sqrt(2)."""
    signs = tf.reshape(tf.constant([1.0, -1.0, -1.0, 1.0]), (1, 2, 2, 1))
    nothing = tf.zeros((1, 1))
    outputs = layers.AdaptiveInstanceNormalization()(1e-4 * signs, nothing, nothing)
    np.testing.assert_allclose(outputs, signs / np.sqrt(2.0), rtol=1e-5)


def test_gradient_of_an_even_map_is_1e4_times_that_of_the_outputs():
    inputs, (_, scale, shift) = tf.ones(SHAPE), tensors(arguments())
    upstream = np.random.default_rng(2).normal(size=SHAPE)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layers.AdaptiveInstanceNormalization()(inputs, scale, shift)
        total = tf.reduce_sum(upstream * outputs)
    centred = upstream - upstream.mean(axis=(1, 2), keepdims=True)
    wanted = 1e4 * (1.0 + scale.numpy()[:, None, None]) * centred
    np.testing.assert_allclose(tape.gradient(total, inputs), wanted, rtol=1e-4, atol=1e-1)


def test_gradients_against_differences():
    given = arguments()
    upstream = np.random.default_rng(2).normal(size=SHAPE)
    given_tensors = tensors(given)
    with tf.GradientTape() as tape:
        tape.watch(given_tensors)
        outputs = layers.AdaptiveInstanceNormalization()(*given_tensors)
        total = tf.reduce_sum(upstream * outputs)
    found = tape.gradient(total, given_tensors)
    wanted = differences.gradients(lambda *args: np.sum(upstream * formula(*args)), *given)
    for gradient, each in zip(found, wanted, strict=True):
        np.testing.assert_allclose(gradient, each, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("size", [1e-3, 1.0, 5e3])
def test_statistics_are_float32_in_half_precision(dtype, size):
    """The squares of 5e3 are beyond float16, those of 1e-3 hardly in it, as is 1e-8."""
    inputs, scale, shift = arguments()
    layer = layers.AdaptiveInstanceNormalization(dtype=dtype)
    halves = [tf.cast(each, layer.compute_dtype) for each in (size * inputs, scale, shift)]
    outputs = layer(*halves)
    assert outputs.dtype == layer.compute_dtype
    wanted = formula(*(tf.cast(each, tf.float64).numpy() for each in halves))
    relative = 2.0**-8 if dtype == "mixed_bfloat16" else 2.0**-11
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), wanted, rtol=relative, atol=1e-4)


@pytest.mark.parametrize("shape", [(3, 5), (3, 1), (6,)])
def test_other_shapes_of_scale_and_shift_are_refused(shape):
    inputs, scale, _ = tensors(arguments())
    with pytest.raises(ValueError, match=r"must have shape \(batch, 6\), got"):
        layers.AdaptiveInstanceNormalization()(inputs, scale, tf.zeros(shape))


def test_vectors_are_refused():
    given = [tf.zeros((3, 6))] * 3
    with pytest.raises(ValueError, match=r"must be \(batch, height, width, channels\)"):
        layers.AdaptiveInstanceNormalization()(*given)
