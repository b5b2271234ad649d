"""The learned constant: its maps for each example, and what they learn from all of them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers

SHAPE = (4, 3, 5)


def built(**options):
    layer = layers.LearnedConstant(SHAPE, **options)
    layer.build((None, 7))
    return layer


def test_it_starts_as_ones():
    np.testing.assert_array_equal(built()(tf.zeros((2, 7))), np.ones((2, *SHAPE)))


@pytest.mark.parametrize("inputs", [tf.zeros((3, 7)), tf.fill((3, 7), np.nan), tf.zeros((3, 2, 2))])
def test_each_example_gets_the_same_maps_whatever_the_input(inputs):
    layer = built()
    maps = np.random.default_rng(0).normal(size=SHAPE).astype("float32")
    layer.constant.assign(maps)
    np.testing.assert_array_equal(layer(inputs), np.stack([maps] * 3))


def test_gradient_is_the_sum_over_examples():
    layer = built()
    upstream = np.random.default_rng(0).normal(size=(6, *SHAPE)).astype("float32")
    latent = tf.zeros((6, 7))
    with tf.GradientTape() as tape:
        tape.watch(latent)
        total = tf.reduce_sum(upstream * layer(latent))
    by_maps, by_latent = tape.gradient(total, [layer.constant.value, latent])
    np.testing.assert_allclose(by_maps, upstream.sum(axis=0), rtol=1e-5, atol=1e-5)
    assert by_latent is None
    assert len(layer.trainable_variables) == len(layer.variables) == 1


def test_in_a_model_with_a_batch_of_any_size():
    latent = keras.Input((7,))
    model = keras.Model(latent, layers.LearnedConstant(SHAPE)(latent))
    assert model.output_shape == (None, *SHAPE)
    traced = tf.function(model, input_signature=[tf.TensorSpec((None, 7))])
    assert traced(tf.zeros((9, 7))).shape == (9, *SHAPE)


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_it_is_kept_in_float32_and_given_in_half_precision(dtype):
    layer = built(dtype=dtype)
    assert layer(tf.zeros((2, 7))).dtype == layer.compute_dtype
    assert layer.constant.dtype == "float32"


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 0), (1, 4, 4, 8)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"must be \(height, width, channels\)"):
        layers.LearnedConstant(shape)
