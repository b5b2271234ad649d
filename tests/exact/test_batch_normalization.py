"""The fused batch normalisation against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers


def pair_of(shape, **options):
    """Returns our layer and Keras', built, with the same weights."""
    pair = [
        kind(momentum=0.9, epsilon=1e-5, **options)
        for kind in (layers.BatchNormalization, keras.layers.BatchNormalization)
    ]
    draws = np.random.default_rng(0)
    for layer in pair:
        layer.build((None, *shape))
    values = [draws.uniform(0.5, 1.5, weight.shape) for weight in pair[0].weights]
    for layer in pair:
        layer.set_weights(values)
    return pair


def derivatives(layer, maps, training):
    """Returns output, gradients, those of a norm of the gradient, and the weights afterwards."""
    weights = [weight.value for weight in layer.trainable_variables]
    with tf.GradientTape() as outer:
        outer.watch(maps)
        with tf.GradientTape() as inner:
            inner.watch(maps)
            outputs = layer(maps, training=training)
            loss = tf.reduce_mean(tf.sin(outputs))
        by_all = inner.gradient(loss, [maps, *weights])
        norms = tf.add_n([tf.reduce_sum(tf.square(one)) for one in by_all])
    twice = outer.gradient(norms, [maps, *weights])
    return [outputs, *by_all, *twice, *(weight.numpy() for weight in layer.weights)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(4, 4, 6), (1, 1, 3), (7, 5, 1), (6,), (5, 3)])
@pytest.mark.parametrize(
    "options",
    [{}, {"scale": False}, {"center": False}, {"scale": False, "center": False}],
    ids=str,
)
def test_it_is_what_keras_layer_is(shape, training, options):
    maps = tf.random.stateless_normal((8, *shape), (0, 1), 2.0, 3.0)
    found = [derivatives(layer, maps, training) for layer in pair_of(shape, **options)]
    for own, other in zip(*found, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5 * np.abs(other).max())


def test_of_maps_it_is_one_operation():
    layer, _ = pair_of((4, 4, 6))
    for training in (True, False):
        traced = tf.function(lambda maps, training=training: layer(maps, training=training))
        graph = traced.get_concrete_function(tf.TensorSpec((8, 4, 4, 6))).graph
        kinds = [operation.type for operation in graph.get_operations()]
        assert kinds.count("FusedBatchNormV3") == 1
        assert "SquaredDifference" not in kinds


def test_several_replicas_and_frozen_layers_go_as_keras_does():
    maps = tf.random.stateless_normal((8, 4, 4, 6), (0, 1))
    ours, theirs = pair_of((4, 4, 6), synchronized=True)
    np.testing.assert_array_equal(ours(maps, training=True), theirs(maps, training=True))
    ours, theirs = pair_of((4, 4, 6))
    ours.trainable = theirs.trainable = False
    before = ours.get_weights()
    np.testing.assert_allclose(
        ours(maps, training=True), theirs(maps, training=True), rtol=1e-4, atol=1e-5
    )
    for one, other in zip(before, ours.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_statistics_stay_float32_in_half_precision(dtype):
    layer = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, dtype=dtype)
    maps = tf.random.stateless_normal((64, 8, 8, 4), (0, 1), 2.0, 3.0)
    outputs = layer(maps, training=True)
    assert outputs.dtype == layer.compute_dtype
    np.testing.assert_allclose(layer.moving_mean, np.full(4, 0.2), atol=0.02)
    np.testing.assert_allclose(layer.moving_variance, np.full(4, 0.9 + 0.9), atol=0.1)
    assert abs(float(tf.math.reduce_std(tf.cast(outputs, tf.float32))) - 1.0) < 0.01
