"""The minibatch standard deviation against its formula, its groups, and its second derivatives."""

import differences
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers


def drawn(shape, seed=0):
    return np.random.default_rng(seed).normal(0.5, 2.0, shape)


def formula(inputs, size):
    """The deviation of each group of successive examples, one for each example."""
    numbers = []
    for first in range(0, len(inputs), size):
        group = inputs[first : first + size]
        deviation = np.sqrt(np.mean((group - group.mean(axis=0)) ** 2, axis=0) + 1e-8)
        numbers += [deviation.mean()] * size
    return np.array(numbers)


@pytest.mark.parametrize(
    ("batch", "group_size", "size"),
    [(8, 4, 4), (4, 4, 4), (6, 4, 3), (10, 4, 2), (7, 4, 1), (2, 4, 2), (1, 4, 1), (9, 8, 3)],
)
@pytest.mark.parametrize("shape", [(3, 2, 5), (5,)], ids=["maps", "vectors"])
def test_it_appends_the_deviation_of_the_largest_group_that_fits(batch, group_size, size, shape):
    inputs = drawn((batch, *shape))
    outputs = layers.MinibatchStddev(group_size)(tf.constant(inputs, tf.float32))
    assert outputs.shape == (batch, *shape[:-1], shape[-1] + 1)
    np.testing.assert_array_equal(outputs[..., :-1], tf.constant(inputs, tf.float32))
    wanted = formula(inputs, size).reshape(-1, *[1] * (len(shape) - 1))
    wanted = np.broadcast_to(wanted, (batch, *shape[:-1]))
    np.testing.assert_allclose(outputs[..., -1], wanted, rtol=1e-5)


def test_closed_forms():
    """+a and -a everywhere deviate by a; equal pictures by the root of epsilon, 1e-4."""
    signs = np.array([1.0, -1.0, 1.0, -1.0]).reshape(4, 1, 1, 1)
    apart = layers.MinibatchStddev()(tf.constant(3.0 * signs * np.ones((4, 2, 2, 3)), tf.float32))
    np.testing.assert_allclose(apart[..., -1], np.full((4, 2, 2), 3.0), rtol=1e-6)
    equal = layers.MinibatchStddev()(tf.fill((4, 2, 2, 3), 7.0))
    np.testing.assert_allclose(equal[..., -1], np.full((4, 2, 2), 1e-4), rtol=1e-6)


def test_parts_of_a_batch_are_as_in_the_whole():
    """So replicas, which hold successive rows, see what one would."""
    inputs = tf.constant(drawn((8, 2, 2, 3)), tf.float32)
    layer = layers.MinibatchStddev()
    np.testing.assert_array_equal(
        layer(inputs), tf.concat([layer(inputs[:4]), layer(inputs[4:])], axis=0)
    )


@pytest.mark.parametrize("batch", [1, 4, 6, 7, 8])
def test_a_batch_of_unknown_size(batch):
    layer = layers.MinibatchStddev()
    inputs = tf.constant(drawn((batch, 2, 2, 3)), tf.float32)
    traced = tf.function(layer, input_signature=[tf.TensorSpec((None, 2, 2, 3))])
    np.testing.assert_allclose(traced(inputs), layer(inputs), rtol=1e-6)


def test_gradient_against_differences():
    inputs = drawn((6, 2, 2, 3))
    upstream = np.random.default_rng(1).normal(size=(6, 2, 2, 4))
    images = tf.constant(inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        total = tf.reduce_sum(upstream * layers.MinibatchStddev()(images))

    def loss(images):
        channel = np.broadcast_to(formula(images, 3).reshape(6, 1, 1, 1), (6, 2, 2, 1))
        return np.sum(upstream * np.concatenate([images, channel], axis=-1))

    (wanted,) = differences.gradients(loss, inputs)
    np.testing.assert_allclose(tape.gradient(total, images), wanted, rtol=1e-4, atol=1e-4)


def hessian(inputs):
    """The second derivatives of the deviation of one group of two numbers."""
    numbers = tf.constant(inputs)
    with tf.GradientTape() as outer:
        outer.watch(numbers)
        with tf.GradientTape() as inner:
            inner.watch(numbers)
            deviation = layers.MinibatchStddev(2)(numbers[:, None])[0, -1]
        gradient = inner.gradient(deviation, numbers)
    return gradient, outer.jacobian(gradient, numbers)


def test_second_derivatives_in_closed_form():
    """sqrt(d^2 + e) with d = (a - b) / 2: by a it is d / 2 / root, then e / 4 / root^3.

    Of equal numbers the latter is 1 / (4 sqrt(e)) = 2500, large but finite.
    """
    signs = np.array([1.0, -1.0])
    for half in (0.0, 1e-4, 1e-2):
        root = np.sqrt(half**2 + 1e-8)
        gradient, second = hessian([3.0 + half, 3.0 - half])
        np.testing.assert_allclose(gradient, signs * half / 2.0 / root, atol=2e-3)
        wanted = np.outer(signs, signs) * 1e-8 / 4.0 / root**3
        np.testing.assert_allclose(second, wanted, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("equal", [True, False])
def test_a_gradient_penalty_is_finite_also_where_all_pictures_are_equal(equal):
    images = tf.constant(drawn((4, 2, 2, 3)), tf.float32)
    if equal:
        images = tf.repeat(images[:1], 4, axis=0)
    weights = tf.Variable(drawn((16, 1), seed=1).astype("float32"))
    with tf.GradientTape() as outer, tf.GradientTape() as inner:
        inner.watch(images)
        outer.watch(images)
        features = tf.reshape(layers.MinibatchStddev()(images), (4, 16))
        gradient = inner.gradient(features @ weights, images)
        norms = tf.sqrt(tf.reduce_sum(tf.square(gradient), (1, 2, 3)))
        penalty = tf.reduce_mean(tf.square(norms - 1.0))
    for each in (penalty, *outer.gradient(penalty, [weights, images])):
        assert each is not None
        assert np.isfinite(each).all()
        assert np.abs(each).max() < 1e4


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_the_deviation_is_float32_in_half_precision(dtype):
    """The squares of 300 are beyond float16, and 1e-8 is 0 in it."""
    layer = layers.MinibatchStddev(dtype=dtype)
    inputs = tf.cast(tf.constant(300.0 * drawn((8, 2, 2, 3))), layer.compute_dtype)
    outputs = layer(inputs)
    assert outputs.dtype == layer.compute_dtype
    np.testing.assert_array_equal(outputs[..., :-1], inputs)
    wanted = formula(tf.cast(inputs, tf.float64).numpy(), 4)
    np.testing.assert_allclose(tf.cast(outputs[:, 0, 0, -1], tf.float32), wanted, rtol=2.0**-8)
    equal = layer(tf.ones((4, 2, 2, 3), layer.compute_dtype))
    np.testing.assert_allclose(tf.cast(equal[..., -1], tf.float32), np.full((4, 2, 2), 1e-4), 0.01)


@pytest.mark.parametrize("group_size", [0, -1])
def test_no_group_is_refused(group_size):
    with pytest.raises(ValueError, match=f"group_size={group_size} must be >= 1"):
        layers.MinibatchStddev(group_size)
