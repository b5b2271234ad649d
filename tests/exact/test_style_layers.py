"""Crossfades, style mixing and truncation to exact numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_a_crossfade_goes_from_one_to_the_other():
    old, new = normal(4, 2, 3, 5), normal(4, 2, 3, 5, seed=1)
    fade = np.array([0.0, 1.0, 0.25, 0.5], "float32")
    found = layers.Crossfade()(old, new, fade).numpy()
    np.testing.assert_array_equal(found[0], old[0])
    np.testing.assert_array_equal(found[1], new[1])
    np.testing.assert_allclose(found[2], 0.75 * old[2] + 0.25 * new[2], rtol=1e-6)
    np.testing.assert_allclose(found[3], (old[3] + new[3]) / 2, rtol=1e-6)


def test_layers_from_the_crossover_on_take_the_second_style():
    styles, crossover = normal(5, 2, 3), np.array([0, 1, 3, 4, 9], "int32")
    found = layers.StyleMixing(4)(styles, crossover).numpy()
    assert found.shape == (5, 4, 3)
    taken = [[1, 1, 1, 1], [0, 1, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    for example, of_layers in enumerate(taken):
        np.testing.assert_array_equal(found[example], styles[example, of_layers])


def test_truncation_moves_styles_towards_their_mean():
    layer = layers.StyleTruncation()
    styles, psi = normal(3, 2, 4), np.array([1.0, 0.0, 0.7], "float32")
    layer(styles, psi)
    mean = normal(4, seed=1)
    layer.moving_mean.assign(mean)
    found = layer(styles, psi).numpy()
    np.testing.assert_allclose(found[0], styles[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found[1], [mean, mean], rtol=1e-6)
    np.testing.assert_allclose(found[2], mean + 0.7 * (styles[2] - mean), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean, mean)


def test_training_follows_the_mean_of_the_first_styles_and_truncates_nothing():
    layer, wanted = layers.StyleTruncation(0.9), np.zeros(4)
    for step in range(3):
        styles = normal(6, 2, 4, seed=step)
        found = layer(styles, np.zeros(6, "float32"), training=True)
        np.testing.assert_array_equal(found, styles)
        wanted = 0.9 * wanted + 0.1 * styles[:, 0].mean(axis=0)
        np.testing.assert_allclose(layer.moving_mean, wanted, rtol=1e-5, atol=1e-7)
    assert not layer.trainable_variables


def test_no_gradient_goes_through_the_mean():
    layer, styles = layers.StyleTruncation(), tf.constant(normal(3, 2, 4))
    with tf.GradientTape() as tape:
        tape.watch(styles)
        total = tf.reduce_sum(layer(styles, tf.ones(3), training=True))
    np.testing.assert_array_equal(tape.gradient(total, styles), np.ones((3, 2, 4)))


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_a_decay_that_is_none_is_refused(decay):
    with pytest.raises(ValueError, match=rf"decay={decay} must lie in \[0, 1\)"):
        layers.StyleTruncation(decay)


def test_no_layers_to_mix_for_is_refused():
    with pytest.raises(ValueError, match="num_layers=0 must be >= 1"):
        layers.StyleMixing(0)


def test_a_constant_may_start_as_noise():
    layer = layers.LearnedConstant((4, 4, 64), keras.initializers.RandomNormal(stddev=1.0))
    maps = layer(np.zeros((2, 3))).numpy()
    assert 0.9 < maps.std() < 1.1
    np.testing.assert_array_equal(maps[0], maps[1])
