"""The equalised learning rate against the inner layer with its kernel scaled by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers
from tfgans.layers import EqualizedLearningRate

# The layer, the shape of its input, and its kernel's fan-in.
INNER = {
    "dense": (lambda **kw: keras.layers.Dense(7, **kw), (5,), 5),
    "keras conv": (lambda **kw: keras.layers.Conv2D(6, (3, 2), 2, "same", **kw), (8, 8, 4), 24),
    "conv": (lambda **kw: layers.Conv2D(6, 3, **kw), (4, 4, 5), 45),
    "conv 1x1": (lambda **kw: layers.Conv2D(6, 1, **kw), (4, 4, 5), 5),
    "halved": (lambda **kw: layers.ConvMeanPool(6, 3, **kw), (4, 4, 5), 45),
    "doubled": (lambda **kw: layers.UpsampleConv(6, 3, **kw), (4, 4, 5), 45),
}
MULTIPLIERS = {"plain": {}, "mapping": {"lr_multiplier": 0.01}, "to colours": {"gain": 1.0}}


def built(kind, dtype="float32", use_bias=True, **options):
    """Returns the layer, with a bias drawn too, and an input."""
    make, shape, _ = INNER[kind]
    layer = EqualizedLearningRate(make(dtype=dtype, use_bias=use_bias), dtype=dtype, **options)
    layer.build((None, *shape))
    if use_bias:
        layer.layer.bias.assign(np.random.default_rng(0).normal(size=layer.layer.bias.shape))
    return layer, tf.random.stateless_normal((3, *shape), (0, 1))


def factors(kind, gain=2.0**0.5, lr_multiplier=1.0):
    """Returns the factors of kernel and bias."""
    return gain / np.sqrt(INNER[kind][2]) * lr_multiplier, lr_multiplier


def by_hand(kind, layer, **options):
    """The inner layer by itself, its weights multiplied."""
    make, shape, _ = INNER[kind]
    plain = make()
    plain.build((None, *shape))
    for variable, factor in zip(plain.weights, factors(kind, **options), strict=True):
        variable.assign(factor * getattr(layer.layer, variable.name))
    return plain


@pytest.mark.parametrize("options", MULTIPLIERS.values(), ids=MULTIPLIERS)
@pytest.mark.parametrize("kind", INNER)
def test_it_is_the_inner_layer_with_scaled_weights(kind, options):
    layer, inputs = built(kind, **options)
    plain = by_hand(kind, layer, **options)
    np.testing.assert_allclose(layer(inputs), plain(inputs), rtol=1e-4, atol=1e-5)
    assert layer.compute_output_shape(inputs.shape) == tuple(plain(inputs).shape)


def test_dense_in_numbers():
    """Two inputs: sqrt(2) / sqrt(2) is 1, so with a multiplier of 1/2 all is halved."""
    layer = EqualizedLearningRate(keras.layers.Dense(1), lr_multiplier=0.5)
    layer.build((None, 2))
    layer.layer.kernel.assign([[3.0], [4.0]])
    layer.layer.bias.assign([10.0])
    np.testing.assert_allclose(layer(tf.constant([[1.0, 100.0]])), [[(403.0 + 10.0) / 2.0]])


@pytest.mark.parametrize("options", MULTIPLIERS.values(), ids=MULTIPLIERS)
@pytest.mark.parametrize("kind", INNER)
def test_gradients_are_the_scaled_layer_s_times_the_factors(kind, options):
    layer, inputs = built(kind, **options)
    plain = by_hand(kind, layer, **options)
    gradients = []
    for each in (layer, plain):
        with tf.GradientTape() as tape:
            outputs = each(inputs)
            total = tf.reduce_sum(outputs * tf.range(float(outputs.shape[-1])))
        gradients.append(tape.gradient(total, [v.value for v in each.trainable_variables]))
    for own, other, factor in zip(*gradients, factors(kind, **options), strict=True):
        atol = 1e-5 * np.abs(factor * other).max()
        np.testing.assert_allclose(own, factor * other, rtol=1e-4, atol=atol)


@pytest.mark.parametrize("multiplier", [1.0, 0.01])
def test_kernels_are_drawn_from_a_normal_and_used_at_he_s_scale(multiplier):
    inner = keras.layers.Dense(300, kernel_initializer="zeros")
    layer = EqualizedLearningRate(inner, lr_multiplier=multiplier)
    layer.build((None, 200))
    kernel = inner.kernel.numpy() * multiplier
    count = kernel.size
    assert abs(kernel.mean()) < 5 / np.sqrt(count)
    assert abs(kernel.var() - 1.0) < 5 * np.sqrt(2 / count)
    assert np.abs(kernel).max() > 3.5  # not cut off
    np.testing.assert_array_equal(inner.bias, np.zeros(300))
    used = layer(tf.eye(200)).numpy()  # the kernel that is applied
    np.testing.assert_allclose(used, kernel * np.sqrt(2.0 / 200.0), rtol=1e-5)


def test_a_step_of_adam_moves_what_is_used_by_the_multiplier():
    """Adam's first step is its rate; the used kernel moves by rate * multiplier * gain / root."""
    moved = {}
    for multiplier in (1.0, 0.01):
        layer = EqualizedLearningRate(keras.layers.Dense(1), lr_multiplier=multiplier)
        layer.build((None, 8))
        before = layer(tf.eye(8))
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(tf.ones((1, 8))))
        kernel = layer.layer.kernel
        optimizer = keras.optimizers.Adam(1e-2, epsilon=1e-12)
        optimizer.apply([tape.gradient(total, kernel.value)], [kernel])
        moved[multiplier] = np.mean(before - layer(tf.eye(8)))
    np.testing.assert_allclose(moved[1.0], 1e-2 * np.sqrt(2.0 / 8.0), rtol=1e-4)
    np.testing.assert_allclose(moved[0.01] / moved[1.0], 0.01, rtol=1e-2)


@pytest.mark.parametrize("kind", INNER)
def test_a_forward_pass_changes_nothing(kind):
    layer, inputs = built(kind)
    before = layer.get_weights()
    first = layer(inputs, training=True)
    np.testing.assert_allclose(tf.function(layer)(inputs), first, rtol=1e-5, atol=1e-6)
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert len(layer.trainable_variables) == len(layer.variables) == 2


def test_without_a_bias():
    layer, inputs = built("dense", use_bias=False)
    wanted = inputs.numpy() @ layer.layer.kernel.numpy() * np.sqrt(2.0 / 5.0)
    np.testing.assert_allclose(layer(inputs), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("options", MULTIPLIERS.values(), ids=MULTIPLIERS)
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("kind", ["dense", "conv", "halved", "doubled"])
def test_half_precision_is_near_float32(kind, dtype, options):
    half, inputs = built(kind, dtype, **options)
    exact, _ = built(kind, **options)
    exact.set_weights(half.get_weights())
    outputs = half(inputs)
    assert outputs.dtype == half.compute_dtype
    assert {v.dtype for v in half.variables} == {"float32"}
    away = tf.norm(tf.cast(outputs, tf.float32) - exact(inputs)) / tf.norm(exact(inputs))
    assert float(away) < 0.01


@pytest.mark.parametrize("kind", INNER)
def test_file_and_clone_have_the_same_weights_and_draw_anew_alike(kind, tmp_path):
    make, shape, _ = INNER[kind]
    image = keras.Input(shape)
    layer = EqualizedLearningRate(make(), gain=1.5, lr_multiplier=0.1)
    model = keras.Model(image, layer(image))
    model.save(tmp_path / "model.keras")
    clone = keras.models.clone_model(model)
    assert np.any(clone.layers[1].layer.kernel != layer.layer.kernel)
    clone.set_weights(model.get_weights())
    inputs = np.ones((2, *shape), np.float32)
    for other in (keras.saving.load_model(tmp_path / "model.keras"), clone):
        again = other.layers[1]
        assert type(again) is EqualizedLearningRate
        assert (again.gain, again.lr_multiplier) == (1.5, 0.1)
        assert again.layer.kernel_initializer.stddev == 10.0
        np.testing.assert_array_equal(other(inputs), model(inputs))


@pytest.mark.parametrize(
    "inner", [lambda: keras.layers.Embedding(3, 4), lambda: keras.layers.Conv2DTranspose(3, 4)]
)
def test_other_layers_are_refused(inner):
    with pytest.raises(ValueError, match="must be a"):
        EqualizedLearningRate(inner())


def test_an_activation_and_a_multiplier_of_nothing_are_refused():
    with pytest.raises(ValueError, match="must be without activation"):
        EqualizedLearningRate(keras.layers.Dense(3, activation="relu"))
    with pytest.raises(ValueError, match=r"lr_multiplier=0\.0 must be > 0"):
        EqualizedLearningRate(keras.layers.Dense(3), lr_multiplier=0.0)
