"""Our convolutions against Keras' own layers, forwards, backwards and twice backwards."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers
from tfgans.layers import trilinear

KINDS = {
    "conv": (lambda: layers.Conv2D(5, 3), lambda: [keras.layers.Conv2D(5, 3, padding="same")]),
    "strided": (
        lambda: layers.Conv2D(5, 4, 2),
        lambda: [keras.layers.Conv2D(5, 4, 2, padding="same")],
    ),
    "without bias": (
        lambda: layers.Conv2D(5, 4, 2, use_bias=False),
        lambda: [keras.layers.Conv2D(5, 4, 2, padding="same", use_bias=False)],
    ),
    "transposed": (
        lambda: layers.Conv2DTranspose(6, 4, 2),
        lambda: [keras.layers.Conv2DTranspose(6, 4, 2, padding="same")],
    ),
    "transposed to a picture": (
        lambda: layers.Conv2DTranspose(3, 4, 2, activation="tanh"),
        lambda: [keras.layers.Conv2DTranspose(3, 4, 2, padding="same", activation="tanh")],
    ),
    "halved": (
        lambda: layers.ConvMeanPool(5, 3),
        lambda: [keras.layers.Conv2D(5, 3, padding="same"), keras.layers.AveragePooling2D(2)],
    ),
    "halved 5x5": (
        lambda: layers.ConvMeanPool(4, 5),
        lambda: [keras.layers.Conv2D(4, 5, padding="same"), keras.layers.AveragePooling2D(2)],
    ),
    "halved 1x1": (
        lambda: layers.ConvMeanPool(5, 1),
        lambda: [keras.layers.Conv2D(5, 1), keras.layers.AveragePooling2D(2)],
    ),
    "doubled": (
        lambda: layers.UpsampleConv(5, 3),
        lambda: [keras.layers.UpSampling2D(), keras.layers.Conv2D(5, 3, padding="same")],
    ),
    "doubled 5x5": (
        lambda: layers.UpsampleConv(4, 5),
        lambda: [keras.layers.UpSampling2D(), keras.layers.Conv2D(4, 5, padding="same")],
    ),
    "doubled 1x1": (
        lambda: layers.UpsampleConv(5, 1),
        lambda: [keras.layers.UpSampling2D(), keras.layers.Conv2D(5, 1)],
    ),
}
SHAPES = {"square": (8, 8, 6), "oblong": (4, 10, 5), "picture": (8, 6, 1)}


def pair_of(kind, shape):
    """Returns our layer and Keras' as models with the same weights."""
    pair = [keras.Sequential([keras.Input(shape), *made]) for made in _made(kind)]
    draws = np.random.default_rng(0)
    values = [0.3 * draws.standard_normal(weight.shape) for weight in pair[0].weights]
    for network in pair:
        network.set_weights(values)
    return pair


def _made(kind):
    ours, theirs = KINDS[kind]
    return [ours()], theirs()


def derivatives(network, images):
    """Returns output, gradients by input and weights, and those of a norm of the gradient."""
    weights = [weight.value for weight in network.trainable_variables]
    with tf.GradientTape() as outer:
        outer.watch(images)
        with tf.GradientTape(persistent=True) as inner:
            inner.watch(images)
            outputs = network(images, training=True)
            loss = tf.reduce_mean(tf.sin(outputs))
        by_image = inner.gradient(loss, images)
        by_weights = inner.gradient(loss, weights)
        norms = tf.add_n([tf.reduce_sum(tf.square(one)) for one in (by_image, *by_weights)])
    return [outputs, by_image, *by_weights, *outer.gradient(norms, [images, *weights])]


@pytest.mark.parametrize(("kind", "shape"), list(itertools.product(KINDS, SHAPES)))
def test_it_is_what_keras_layers_are(kind, shape):
    ours, theirs = pair_of(kind, SHAPES[shape])
    assert ours.output_shape == theirs.output_shape
    images = tf.random.stateless_normal((7, *SHAPES[shape]), (0, 1))
    for own, other in zip(derivatives(ours, images), derivatives(theirs, images), strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5 * np.abs(other).max())


@pytest.mark.parametrize("side", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel", [1, 2, 3, 4, (2, 5)])
@pytest.mark.parametrize("channels", [1, 6])
def test_the_three_are_one_number(side, stride, kernel, channels):
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    size = (side * stride, (side + 1) * stride)
    images, maps, weights = (
        tf.random.stateless_normal(shape, (0, index))
        for index, shape in enumerate(
            [(9, *size, channels), (9, side, side + 1, 7), (*kernel, channels, 7)]
        )
    )
    found = (
        (trilinear.convolve(images, weights, stride), maps),
        (trilinear.spread(maps, weights, stride, size), images),
        (trilinear.correlate(images, maps, kernel, stride), weights),
    )
    numbers = [float(tf.reduce_sum(one * other)) for one, other in found]
    scale = float(tf.norm(images) * tf.norm(maps) * tf.norm(weights))
    np.testing.assert_allclose(numbers, numbers[0], atol=1e-6 * scale)


@pytest.mark.parametrize("side", [2, 8])
def test_quick_ways_give_what_tensorflow_gives(side, monkeypatch):
    images = tf.random.stateless_normal((9, 2 * side, 2 * side, 6), (1, 2))
    maps = tf.random.stateless_normal((9, side, side, 7), (1, 3))
    kernel = tf.random.stateless_normal((4, 4, 3, 7), (1, 4))
    monkeypatch.setitem(trilinear._SMALL_MAPS, "float32", 8)
    called = []
    for name in ("_spread_as_subpixels", "_correlate_as_convolution"):
        quick = getattr(trilinear, name)
        monkeypatch.setattr(
            trilinear, name, lambda *args, quick=quick: called.append(quick) or quick(*args)
        )
    ways = []
    for on_cpu in (True, False):
        monkeypatch.setattr(trilinear, "_on_cpu", lambda on_cpu=on_cpu: on_cpu)
        size = (2 * side, 2 * side)
        ways.append(
            [trilinear.spread(maps, kernel, 2, size), trilinear.correlate(images, maps, (4, 4), 2)]
        )
        assert len(called) == 2
    for quick, plain in zip(*ways, strict=True):
        np.testing.assert_allclose(quick, plain, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_in_bfloat16_it_is_as_near_as_keras(kind):
    with_policy = {}
    for policy in ("mixed_bfloat16", "float32"):
        keras.config.set_dtype_policy(policy)
        try:
            with_policy[policy] = pair_of(kind, (8, 8, 6))
        finally:
            keras.config.set_dtype_policy("float32")
    images = tf.random.stateless_normal((7, 8, 8, 6), (0, 1))
    exact = derivatives(with_policy["float32"][1], images)
    for own, other, true in zip(
        *(derivatives(network, images) for network in with_policy["mixed_bfloat16"]),
        exact,
        strict=True,
    ):
        away = [float(tf.norm(tf.cast(one, tf.float32) - true)) for one in (own, other)]
        assert away[0] <= 2.0 * away[1] + 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_layers_are_saved_and_read(kind, tmp_path):
    network, _ = pair_of(kind, (8, 8, 6))
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    images = np.ones((2, 8, 8, 6), np.float32)
    np.testing.assert_array_equal(again(images), network(images))


def test_gradients_survive_a_saved_model(tmp_path):
    network, theirs = pair_of("transposed to a picture", (4, 4, 6))
    network.export(tmp_path / "saved", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "saved")
    maps = tf.random.stateless_normal((2, 4, 4, 6), (0, 1))
    gradients = []
    for function in (loaded.serve, theirs):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            total = tf.reduce_sum(tf.square(function(maps)))
        gradients.append(tape.gradient(total, maps))
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", [layers.ConvMeanPool, layers.UpsampleConv])
def test_an_even_kernel_is_refused(kind):
    with pytest.raises(ValueError, match=r"kernel_size=4 must be odd|kernel_size=\(4, 4\)"):
        kind(3, 4)


@pytest.mark.parametrize(
    "given",
    [
        {"padding": "valid"},
        {"dilation_rate": 2},
        {"strides": (1, 2)},
        {"data_format": "channels_first"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [layers.Conv2D, layers.Conv2DTranspose])
def test_what_it_cannot_do_is_refused(kind, given):
    (key,) = given
    with pytest.raises(ValueError, match=f"{key}=.* must be .* in {kind.__name__}"):
        kind(3, 4, **given)


@pytest.mark.parametrize("kind", [layers.ConvMeanPool, layers.UpsampleConv])
def test_a_stride_beside_resampling_is_refused(kind):
    with pytest.raises(ValueError, match=r"strides=\(2, 2\) must be 1"):
        kind(3, 3, strides=2)


def test_groups_are_refused():
    with pytest.raises(ValueError, match="groups=3 must be 1 in Conv2D"):
        layers.Conv2D(3, 3, groups=3)


def test_an_odd_picture_is_not_halved():
    with pytest.raises(ValueError, match="cannot be halved"):
        layers.ConvMeanPool(3, 3)(np.zeros((1, 7, 8, 2), np.float32))
