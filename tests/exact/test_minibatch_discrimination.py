"""Minibatch discrimination against its formula, its groups, and its derivatives."""

import differences
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers


def drawn(shape, seed=0):
    return np.random.default_rng(seed).normal(0.0, 0.5, shape)


def formula(inputs, kernel, kernels, size):
    """The sum over all others of a group of exp(-|difference of rows|), for each row's kernel."""
    rows = (inputs @ kernel).reshape(len(inputs), kernels, -1)
    near = np.zeros((len(inputs), kernels))
    for i, b in np.ndindex(*near.shape):
        first = i // size * size
        for j in range(first, first + size):
            near[i, b] += np.exp(-np.abs(rows[i, b] - rows[j, b]).sum()) if j != i else 0.0
    return near


@pytest.mark.parametrize(
    ("batch", "group_size", "size"), [(8, 4, 4), (8, 16, 8), (6, 4, 3), (7, 4, 1), (1, 4, 1)]
)
def test_it_appends_the_closeness_within_the_largest_group_that_fits(batch, group_size, size):
    inputs = drawn((batch, 6))
    layer = layers.MinibatchDiscrimination(3, kernel_dim=2, group_size=group_size)
    outputs = layer(tf.constant(inputs, tf.float32))
    assert outputs.shape == (batch, 9)
    assert layer.compute_output_shape((batch, 6)) == (batch, 9)
    np.testing.assert_array_equal(outputs[:, :6], tf.constant(inputs, tf.float32))
    wanted = formula(inputs, layer.kernel.numpy(), 3, size)
    np.testing.assert_allclose(outputs[:, 6:], wanted, rtol=1e-5, atol=1e-6)


def test_equal_pictures_are_as_close_as_can_be():
    outputs = layers.MinibatchDiscrimination(2)(tf.ones((5, 4)))
    np.testing.assert_allclose(outputs[:, 4:], 4.0, rtol=1e-6)


def test_parts_of_a_batch_are_as_in_the_whole():
    inputs = tf.constant(drawn((8, 4)), tf.float32)
    layer = layers.MinibatchDiscrimination(2, group_size=4)
    whole = layer(inputs)
    np.testing.assert_allclose(
        whole, tf.concat([layer(inputs[:4]), layer(inputs[4:])], axis=0), rtol=1e-6
    )


@pytest.mark.parametrize("batch", [1, 6, 8])
def test_a_batch_of_unknown_size(batch):
    layer = layers.MinibatchDiscrimination(2, group_size=4)
    inputs = tf.constant(drawn((batch, 4)), tf.float32)
    known = layer(inputs)
    traced = tf.function(layer, input_signature=[tf.TensorSpec((None, 4))])
    np.testing.assert_allclose(traced(inputs), known, rtol=1e-6)


def test_gradients_against_differences():
    inputs, kernel, weights = drawn((4, 3)), drawn((3, 4), 1), drawn((4, 2), 2)
    layer = layers.MinibatchDiscrimination(2, kernel_dim=2)
    given = tf.constant(inputs, tf.float32)
    layer(given)
    layer.kernel.assign(kernel)
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = tf.reduce_sum(layer(given)[:, 3:] * weights)
    found = tape.gradient(value, [given, layer.kernel.value])
    wanted = differences.gradients(
        lambda inputs, kernel: np.sum(formula(inputs, kernel, 2, 4) * weights), inputs, kernel
    )
    for gradient, each in zip(found, wanted, strict=True):
        np.testing.assert_allclose(gradient, each, rtol=1e-3, atol=1e-5)


def test_half_precision_is_close():
    inputs = tf.constant(drawn((8, 5)), tf.float32)
    full = layers.MinibatchDiscrimination(3)
    half = layers.MinibatchDiscrimination(3, dtype="mixed_bfloat16")
    wanted = full(inputs)
    half(inputs)
    half.kernel.assign(full.kernel)
    outputs = half(inputs)
    assert outputs.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), wanted, atol=0.05)


def test_it_is_read_back_from_its_config():
    layer = layers.MinibatchDiscrimination(
        3, kernel_dim=2, group_size=4, kernel_constraint=layers.WeightClip(0.1)
    )
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    assert again.kernel_constraint.get_config() == layer.kernel_constraint.get_config()


@pytest.mark.parametrize("name", ["num_kernels", "kernel_dim", "group_size"])
def test_what_is_not_positive_is_refused(name):
    with pytest.raises(ValueError, match=f"{name}=0 must be >= 1"):
        layers.MinibatchDiscrimination(**{"num_kernels": 1, name: 0})
