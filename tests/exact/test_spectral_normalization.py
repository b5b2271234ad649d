"""Spectral normalisation against the singular values of NumPy, and what may move its state."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.layers import SpectralNormalization

INNER = {
    "dense": (lambda **kw: keras.layers.Dense(7, **kw), (5,)),
    "conv": (lambda **kw: keras.layers.Conv2D(6, (3, 2), 2, "same", **kw), (8, 8, 4)),
}


def built(kind, advances=0, dtype="float32", **options):
    """Returns the layer, with a kernel of well-parted singular values and a bias, and an input."""
    make, shape = INNER[kind]
    layer = SpectralNormalization(make(dtype=dtype, **options), dtype=dtype)
    layer.build((None, *shape))
    generator = np.random.default_rng(0)
    kernel = layer.layer.kernel
    left, values, right = np.linalg.svd(
        generator.normal(size=kernel.shape).reshape(-1, kernel.shape[-1]), full_matrices=False
    )
    values = 3.0 * 0.5 ** np.arange(len(values))
    kernel.assign((left * values @ right).reshape(kernel.shape))
    for weight in layer.trainable_variables:
        if weight is not kernel:
            weight.assign(generator.normal(size=weight.shape))
    for _ in range(advances):
        layer.advance()
    return layer, tf.constant(generator.normal(size=(2, *shape)), tf.float32)


def snapshot(layer):
    return [variable.numpy().copy() for variable in layer.variables]


def plain(kind, kernel, bias):
    """The inner layer by itself, with these weights."""
    make, shape = INNER[kind]
    layer = make()
    layer.build((None, *shape))
    layer.kernel.assign(kernel)
    layer.bias.assign(bias)
    return layer


def bias_of(layer):
    (bias,) = [v for v in layer.trainable_variables if v.name == "bias"]
    return bias


@pytest.mark.parametrize("kind", INNER)
def test_sigma_is_the_largest_singular_value(kind):
    layer, _ = built(kind, advances=20)
    np.testing.assert_allclose(layer.sigma(), 3.0, rtol=1e-6)
    layer.layer.kernel.assign(2.0 * layer.layer.kernel)
    np.testing.assert_allclose(layer.sigma(), 6.0, rtol=1e-6)


def test_kernel_is_read_as_height_width_in_by_out():
    """The layout decides: this kernel has other singular values in every other grouping."""
    layer = SpectralNormalization(keras.layers.Conv2D(4, (2, 3)))
    layer.build((None, 8, 8, 5))
    kernel = np.random.default_rng(1).normal(size=(2, 3, 5, 4)).astype("float32")
    layer.layer.kernel.assign(kernel)
    for _ in range(200):
        layer.advance()
    wanted = np.linalg.svd(kernel.reshape(2 * 3 * 5, 4), compute_uv=False)[0]
    np.testing.assert_allclose(layer.sigma(), wanted, rtol=1e-5)
    for other in (kernel.reshape(2, -1), kernel.reshape(6, -1)):
        assert abs(np.linalg.svd(other, compute_uv=False)[0] / wanted - 1.0) > 0.05
    assert layer.u.shape == (1, 4)
    assert layer.v.shape == (1, 30)


def test_one_advance_is_one_power_iteration():
    """v = u W^T / |u W^T|, u = v W / |v W|, sigma = |v W|, in that order."""
    layer, _ = built("dense")
    matrix = layer.layer.kernel.numpy().astype(np.float64)
    u = layer.u.numpy().astype(np.float64)
    for _ in range(3):
        v = u @ matrix.T / np.linalg.norm(u @ matrix.T)
        u = v @ matrix / np.linalg.norm(v @ matrix)
        layer.advance()
        np.testing.assert_allclose(layer.v, v, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(layer.u, u, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(layer.sigma(), np.linalg.norm(v @ matrix), rtol=1e-5)


def test_building_does_the_first_iteration():
    layer = SpectralNormalization(keras.layers.Dense(7))
    layer.build((None, 5))
    np.testing.assert_allclose([np.linalg.norm(layer.u), np.linalg.norm(layer.v)], 1.0, rtol=1e-6)
    fresh = layer.v.numpy() @ layer.layer.kernel.numpy()
    np.testing.assert_allclose(layer.u, fresh / np.linalg.norm(fresh), rtol=1e-5)


def test_a_stretched_kernel_is_followed_one_iteration_at_a_time():
    """W = diag(1, 2): an iteration multiplies the odds u_2 / u_1 by (2 / 1)^2."""
    layer = SpectralNormalization(keras.layers.Dense(2))
    layer.build((None, 2))
    layer.layer.kernel.assign(np.diag([1.0, 2.0]))
    layer.u.assign([[0.8, 0.6]])
    for odds in (3.0, 12.0, 48.0):
        layer.advance()
        np.testing.assert_allclose(layer.u[0, 1] / layer.u[0, 0], odds, rtol=1e-5)


@pytest.mark.parametrize("kind", INNER)
@pytest.mark.parametrize("training", [False, True])
def test_a_forward_pass_changes_nothing(kind, training):
    layer, inputs = built(kind)
    before = snapshot(layer)
    first = layer(inputs, training=training)
    second = tf.function(lambda array: layer(array, training=training))(inputs)
    np.testing.assert_allclose(first, second, rtol=1e-5, atol=1e-6)
    for old, new in zip(before, snapshot(layer), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("kind", INNER)
def test_advance_changes_u_and_v_only(kind):
    layer, _ = built(kind)
    before = {v.path: v.numpy().copy() for v in layer.variables}
    layer.advance()
    moved = {v.path for v in layer.variables if not np.array_equal(before[v.path], v.numpy())}
    assert moved == {layer.u.path, layer.v.path}
    assert {v.path for v in layer.non_trainable_variables} == moved


@pytest.mark.parametrize("kind", INNER)
def test_output_is_the_inner_layer_with_the_kernel_over_sigma_and_the_bias(kind):
    layer, inputs = built(kind, advances=1)  # not converged: sigma is the estimate
    sigma = float(layer.sigma())
    assert abs(sigma / 3.0 - 1.0) > 1e-4
    bias = bias_of(layer).numpy()
    same = plain(kind, layer.layer.kernel.numpy() / sigma, bias)
    np.testing.assert_allclose(layer(inputs), same(inputs), rtol=1e-5, atol=1e-5)
    assert np.abs(bias).min() > 1e-2
    assert layer.compute_output_shape(inputs.shape) == tuple(same(inputs).shape)


def test_without_a_bias():
    layer, inputs = built("dense", advances=20, use_bias=False)
    assert len(layer.trainable_variables) == 1
    wanted = inputs.numpy() @ layer.layer.kernel.numpy() / 3.0
    np.testing.assert_allclose(layer(inputs), wanted, rtol=1e-5, atol=1e-6)


def test_dense_becomes_one_lipschitz():
    layer, inputs = built("dense", advances=20)
    change = layer(inputs + 1e-1 * inputs[::-1]) - layer(inputs)
    assert np.all(np.linalg.norm(change, axis=1) <= 1e-1 * np.linalg.norm(inputs[::-1], axis=1))


@pytest.mark.parametrize("kind", INNER)
def test_gradient_of_sigma_is_v_u(kind):
    """d sigma / dW = v^T u with both held still, also before they have converged."""
    layer, _ = built(kind)
    with tf.GradientTape() as tape:
        sigma = layer.sigma()
    gradient = tape.gradient(sigma, layer.layer.kernel.value)
    wanted = (layer.v.numpy().T @ layer.u.numpy()).reshape(gradient.shape)
    np.testing.assert_allclose(gradient, wanted, rtol=1e-6, atol=1e-8)


def test_gradient_goes_through_sigma():
    """For L = <A, x W / s>: dL/dW = (x^T A - <x^T A, W> / s v^T u) / s (Miyato, Equation 12)."""
    layer, inputs = built("dense", advances=2)
    upstream = tf.constant(np.random.default_rng(2).normal(size=(2, 7)), tf.float32)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(upstream * layer(inputs))
    gradient = tape.gradient(loss, layer.layer.kernel.value)
    kernel, sigma = layer.layer.kernel.numpy(), float(layer.sigma())
    through = inputs.numpy().T @ upstream.numpy()
    wanted = through - np.sum(through * kernel) / sigma * layer.v.numpy().T @ layer.u.numpy()
    np.testing.assert_allclose(gradient, wanted / sigma, rtol=1e-4, atol=1e-5)
    # The scale of W has no effect, so there is no slope along W.
    assert abs(np.sum(gradient * kernel)) < 1e-4 * np.linalg.norm(gradient) * np.linalg.norm(kernel)


def test_gradient_in_float16_agrees_with_float32():
    gradients = []
    for policy in ("float32", "mixed_float16"):
        layer, inputs = built("conv", advances=5, dtype=policy)
        with tf.GradientTape() as tape:
            outputs = layer(inputs)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) * tf.range(6, dtype=tf.float32))
        assert outputs.dtype == layer.compute_dtype
        gradients.append(tape.gradient(loss, layer.layer.kernel.value).numpy())
    assert np.linalg.norm(gradients[1] - gradients[0]) < 2e-2 * np.linalg.norm(gradients[0])


def test_float16_does_not_overflow_where_the_plain_product_does():
    """1,000 x 10 x 100 inputs is 1e6, beyond 65,504; over sigma = 100 it is 1e4."""
    inner = keras.layers.Dense(
        1, kernel_initializer=keras.initializers.Constant(10.0), dtype="mixed_float16"
    )
    layer = SpectralNormalization(inner, dtype="mixed_float16")
    inputs = tf.fill((2, 100), tf.constant(1000.0, tf.float16))
    outputs = layer(inputs)
    assert np.isinf(inner(inputs)).all()
    assert outputs.dtype == tf.float16
    np.testing.assert_allclose(outputs, [[1e4]] * 2, rtol=1e-2)
    assert {v.dtype for v in layer.variables} == {"float32"}


@pytest.mark.parametrize("kind", INNER)
def test_file_keeps_the_state(kind, tmp_path):
    layer, inputs = built(kind, advances=3)
    model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert type(again.layers[0]) is SpectralNormalization
    for old, new in zip(model.variables, again.variables, strict=True):
        assert old.name == new.name
        np.testing.assert_array_equal(old, new)
    np.testing.assert_array_equal(model(inputs), again(inputs))
    again.layers[0].advance()
    layer.advance()
    np.testing.assert_array_equal(model(inputs), again(inputs))


def test_clone_has_the_same_weights_and_a_state_of_its_own():
    layer, inputs = built("conv", advances=3)
    model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(model(inputs), clone(inputs))
    before = clone.get_weights()
    layer.advance()
    for old, new in zip(before, clone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "inner",
    [
        lambda: keras.layers.Embedding(3, 4),
        lambda: keras.layers.Conv2DTranspose(3, 4),
        lambda: keras.layers.BatchNormalization(),
        lambda: keras.layers.Conv1D(3, 4),
    ],
)
def test_other_layers_are_refused(inner):
    with pytest.raises(ValueError, match="must be a"):
        SpectralNormalization(inner())
