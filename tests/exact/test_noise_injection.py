"""Injected noise: what is added, how it is drawn in training, and that sampling has its own."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfgans import layers

SHAPE = (4, 3, 5)
FACTOR = np.array([1.0, -2.0, 0.5, 0.0, 3.0], np.float32)


def built(shape=SHAPE, factor=FACTOR, **options):
    layer = layers.NoiseInjection(**options)
    layer.build((None, *shape))
    if factor is not None:
        layer.factor.assign(factor)
    return layer


def maps(count=6, shape=SHAPE):
    return tf.random.stateless_normal((count, *shape), (0, 1))


@pytest.mark.parametrize("training", [True, False])
def test_it_starts_as_the_identity(training):
    layer = built(factor=None)
    np.testing.assert_array_equal(layer(maps(), training=training), maps())


def test_training_adds_one_picture_of_noise_an_example_times_the_factors():
    layer = built()
    added = layer(tf.zeros((6, *SHAPE)), training=True).numpy()
    noise = added[..., :1]  # its factor is 1
    np.testing.assert_allclose(added, noise * FACTOR, rtol=1e-6)
    assert len(np.unique(noise)) == noise.size
    again = layer(tf.zeros((6, *SHAPE)), training=True).numpy()
    assert np.all(again[..., 0] != added[..., 0])


def test_training_noise_is_standard_normal():
    layer = built((32, 32, 1), [1.0])
    noise = np.ravel(layer(tf.zeros((20, 32, 32, 1)), training=True))
    assert abs(noise.mean()) < 5 / np.sqrt(len(noise))
    assert abs(noise.var() - 1.0) < 5 * np.sqrt(2 / len(noise))
    assert scipy.stats.kstest(noise, "norm").pvalue > 1e-3


@pytest.mark.parametrize("options", [{"training": False}, {}])
def test_inference_adds_the_layer_s_own_picture_to_all(options):
    layer = built()
    noise = layer.noise.numpy()
    wanted = maps() + noise[None, :, :, None] * FACTOR
    np.testing.assert_allclose(layer(maps(), **options), wanted, rtol=1e-6)
    layer(maps(), training=True)
    np.testing.assert_array_equal(layer.noise, noise)
    np.testing.assert_array_equal(layer(maps(), **options)[2:3], layer(maps()[2:3], **options))


def test_the_layer_s_own_picture_is_standard_normal_and_not_trained():
    layer = built((64, 64, 1), None)
    noise = np.ravel(layer.noise)
    assert noise.shape == (4096,)
    assert scipy.stats.kstest(noise, "norm").pvalue > 1e-3
    assert [v.name for v in layer.trainable_variables] == ["factor"]
    assert np.all(built((64, 64, 1), None).noise != layer.noise)


@pytest.mark.parametrize("training", [True, False])
def test_gradients_by_factor_and_input(training):
    layer, inputs = built(), maps()
    upstream = np.random.default_rng(0).normal(size=inputs.shape).astype("float32")
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=training)
        total = tf.reduce_sum(upstream * outputs)
    by_inputs, by_factor = tape.gradient(total, [inputs, layer.factor.value])
    noise = (outputs - inputs)[..., :1]  # its factor is 1
    np.testing.assert_array_equal(by_inputs, upstream)
    wanted = np.sum(noise * upstream, axis=(0, 1, 2))
    np.testing.assert_allclose(by_factor, wanted, rtol=1e-4, atol=1e-4)


def test_the_same_state_draws_the_same_noise():
    """The training base sets the state at each step; it finds it as it does that of Dropout."""
    layer = built()
    (generator,) = layer._seed_generators
    drawn = []
    for state in ((1, 2), (1, 2), (1, 3)):
        generator.state.assign(state)
        traced = tf.function(lambda: layer(maps(), training=True))
        drawn.append(traced().numpy())
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.all(drawn[0][..., 0] != drawn[2][..., 0])


def test_a_file_and_a_clone_keep_the_picture(tmp_path):
    inputs = keras.Input(SHAPE)
    layer = layers.NoiseInjection()
    model = keras.Model(inputs, layer(inputs))
    layer.factor.assign(FACTOR)
    model.save(tmp_path / "model.keras")
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for other in (keras.saving.load_model(tmp_path / "model.keras"), clone):
        np.testing.assert_array_equal(other(maps()), model(maps()))


def test_in_a_traced_batch_of_any_size():
    layer = built()
    for training in (True, False):
        traced = tf.function(
            lambda inputs, training=training: layer(inputs, training=training),
            input_signature=[tf.TensorSpec((None, *SHAPE))],
        )
        assert traced(maps(3)).shape == (3, *SHAPE)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(dtype, training):
    layer = built(dtype=dtype)
    outputs = layer(maps(), training=training)
    assert outputs.dtype == layer.compute_dtype
    assert {v.dtype for v in (layer.factor, layer.noise)} == {"float32"}
    added = tf.cast(outputs, tf.float32) - maps()
    np.testing.assert_allclose(added, added[..., :1] * FACTOR, atol=0.2)
    assert np.abs(added).max() > 1.0
