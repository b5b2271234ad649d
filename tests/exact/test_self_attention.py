"""Self-attention against its equations position by position, in SAGAN's form and BigGAN's."""

import differences
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers

SHAPE = (2, 2, 4, 16)
FORMS = {
    "sagan": {},
    "biggan": {"pool": True, "value_divisor": 2, "use_bias": False},
    "pooled": {"pool": True},
    "narrow values": {"value_divisor": 4},
}
NAMES = ("key", "query", "value", "back")


def built(shape=SHAPE, gamma=0.7, *, spread=0.3, **options):
    """Returns the layer with weights drawn anew, biases too."""
    layer = layers.SelfAttention(**options)
    layer.build((None, *shape[1:]))
    draws = np.random.default_rng(0)
    for variable in layer.trainable_variables:
        variable.assign(draws.normal(0.0, spread, variable.shape))
    layer.gamma.assign(gamma)
    return layer


def weights_of(layer):
    """Returns kernels as matrices, and biases, in float64, by `key/kernel` and so on."""
    found = {}
    for name in NAMES:
        inner = getattr(layer, name)
        if inner is not None:
            kernel = inner.kernel.numpy().astype(np.float64)
            found[f"{name}/kernel"] = kernel.reshape(kernel.shape[-2:])
            if inner.use_bias:
                found[f"{name}/bias"] = inner.bias.numpy().astype(np.float64)
    return found


def pooled(maps):
    """Maxima of 2x2 pixels; a row or column left over is dropped."""
    height, width = (side // 2 for side in maps.shape[:2])
    found = np.empty((height, width, maps.shape[-1]))
    for row, column in np.ndindex(height, width):
        block = maps[2 * row : 2 * row + 2, 2 * column : 2 * column + 2]
        found[row, column] = block.max(axis=(0, 1))
    return found


def formula(images, gamma, weights, pool):
    """One picture and one position j at a time, i being the positions attended to."""

    def convolved(maps, name):
        return maps @ weights[f"{name}/kernel"] + weights.get(f"{name}/bias", 0.0)

    outputs = np.empty(images.shape)
    for number, image in enumerate(images):
        keys, queries, values = (convolved(image, name) for name in NAMES[:3])
        if pool:
            keys, values = pooled(keys), pooled(values)
        keys, values = (maps.reshape(-1, maps.shape[-1]) for maps in (keys, values))
        for place in np.ndindex(*image.shape[:2]):
            odds = np.exp([np.dot(key, queries[place]) for key in keys])
            mean = sum(odd * value for odd, value in zip(odds, values, strict=True)) / sum(odds)
            if "back/kernel" in weights:
                mean = convolved(mean, "back")
            outputs[number][place] = gamma * mean + image[place]
    return outputs


def drawn(shape=SHAPE, size=1.0):
    return np.random.default_rng(1).normal(0.0, size, shape)


@pytest.mark.parametrize("shape", [SHAPE, (3, 3, 5, 16), (1, 2, 2, 4)], ids=str)
@pytest.mark.parametrize("options", FORMS.values(), ids=FORMS)
def test_it_is_the_equations(options, shape):
    layer, images = built(shape, **options), drawn(shape)
    wanted = formula(images, 0.7, weights_of(layer), layer.pool)
    found = layer(tf.constant(images, tf.float32))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    assert np.abs(found - images).max() > 0.05


@pytest.mark.parametrize("options", FORMS.values(), ids=FORMS)
def test_gradients_against_differences(options):
    shape = (2, 2, 2, 8)
    layer, images = built(shape, spread=0.7, **options), drawn(shape)
    upstream = np.random.default_rng(2).normal(size=shape)
    weights = weights_of(layer)
    arrays = [images, np.array(0.7), *weights.values()]
    inputs = tf.constant(images, tf.float32)
    held = [getattr(getattr(layer, part), kind) for part, kind in (n.split("/") for n in weights)]
    sources = [inputs, layer.gamma.value, *(variable.value for variable in held)]
    assert len(sources) == len(layer.trainable_variables) + 1
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(upstream * layer(inputs))

    def loss(images, gamma, *values):
        return np.sum(
            upstream * formula(images, gamma, dict(zip(weights, values, strict=True)), layer.pool)
        )

    wanted = differences.gradients(loss, *arrays)
    for gradient, each in zip(tape.gradient(total, sources), wanted, strict=True):
        np.testing.assert_allclose(tf.reshape(gradient, each.shape), each, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("options", FORMS.values(), ids=FORMS)
def test_it_starts_as_the_identity_and_gamma_learns(options, dtype):
    layer = layers.SelfAttention(dtype=dtype, **options)
    inputs = tf.cast(tf.constant(drawn()), layer.compute_dtype)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        total = tf.reduce_sum(tf.cast(outputs, tf.float32) * drawn())
    np.testing.assert_array_equal(outputs, inputs)
    assert tf.reduce_all(outputs == inputs)
    assert abs(float(tape.gradient(total, layer.gamma.value))) > 1e-2
    np.testing.assert_array_equal(
        tape.gradient(total, inputs), tf.cast(tf.constant(drawn()), inputs.dtype)
    )


def test_gradient_by_gamma_is_the_product_with_the_attended():
    inputs = tf.constant(drawn(), tf.float32)
    one, none = built(gamma=1.0), built(gamma=0.0)
    upstream = np.random.default_rng(2).normal(size=SHAPE)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(upstream * none(inputs))
    wanted = np.sum(upstream * (one(inputs) - inputs))
    np.testing.assert_allclose(tape.gradient(total, none.gamma.value), wanted, rtol=1e-4)


def test_equal_keys_attend_to_all_positions_alike():
    """o is the mean of h(x), at every position."""
    layer, images = built(gamma=1.0), drawn()
    layer.key.kernel.assign(tf.zeros_like(layer.key.kernel))
    weights = weights_of(layer)
    values = images @ weights["value/kernel"] + weights["value/bias"]
    wanted = images + values.mean(axis=(1, 2), keepdims=True)
    found = layer(tf.constant(images, tf.float32))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_large_logits_attend_to_one_position():
    """Queries are all 1 and keys 100 x_0: each position gets the x where x_0 is largest."""
    layer, images = built((2, 2, 4, 8), spread=0.0, gamma=1.0), drawn((2, 2, 4, 8))
    layer.key.kernel.assign(100.0 * np.eye(8)[None, None, :, :1])
    layer.query.bias.assign([1.0])
    layer.value.kernel.assign(np.eye(8)[None, None])
    flat = images.reshape(2, 8, 8)
    chosen = np.stack([picture[picture[:, 0].argmax()] for picture in flat])
    found = layer(tf.constant(images, tf.float32))
    np.testing.assert_allclose(found, images + chosen[:, None, None], rtol=1e-4, atol=1e-3)


def test_moved_positions_move_the_result_alike():
    layer, images = built(), tf.constant(drawn(), tf.float32)
    order = np.random.default_rng(3).permutation(8)

    def moved(maps):
        return tf.reshape(tf.gather(tf.reshape(maps, (2, 8, 16)), order, axis=1), SHAPE)

    np.testing.assert_allclose(layer(moved(images)), moved(layer(images)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "channels", "count"),
    [
        # f and g 64 x 8, h 64 x 64, their biases, gamma
        ({}, 64, 2 * 64 * 8 + 64 * 64 + 8 + 8 + 64 + 1),
        # h 64 x 32 and back
        (FORMS["biggan"], 64, 2 * 64 * 8 + 2 * 64 * 32 + 1),
        # fewer than 8 channels still have one
        ({"use_bias": False, "value_divisor": 8}, 4, 2 * 4 + 4 + 4 + 1),
    ],
)
def test_number_of_weights(options, channels, count):
    layer = layers.SelfAttention(**options)
    layer.build((None, 4, 4, channels))
    assert layer.count_params() == count
    assert len({v.path for v in layer.variables}) == len(layer.variables)


@pytest.mark.parametrize("initializer", ["orthogonal", keras.initializers.RandomNormal(0.0, 5.0)])
def test_each_convolution_draws_its_own_numbers(initializer):
    layer = layers.SelfAttention(kernel_initializer=initializer)
    layer.build((None, 4, 4, 64))
    key, query, value = (getattr(layer, name).kernel.numpy() for name in NAMES[:3])
    assert np.all(key != query)
    if initializer == "orthogonal":
        np.testing.assert_allclose(value[0, 0].T @ value[0, 0], np.eye(64), atol=1e-5)
    else:
        assert 4.0 < value.std() < 6.0


@pytest.mark.parametrize("form", ["sagan", "biggan"])
def test_spectral_normalisation_is_found_and_divides_each_kernel(form):
    options = FORMS[form]
    layer = built(spectral_norm=True, **options)
    wrappers = [each for each in layer._flatten_layers() if hasattr(each, "advance")]
    assert {type(each) for each in wrappers} == {layers.SpectralNormalization}
    assert {each.name for each in wrappers} == set(NAMES[: 3 if form == "sagan" else 4])
    for wrapper in wrappers:
        for _ in range(50):
            wrapper.advance()
    plain = built(**options)
    for wrapper in wrappers:
        inner = getattr(plain, wrapper.name)
        matrix = wrapper.layer.kernel.numpy()[0, 0]
        largest = np.linalg.svd(matrix, compute_uv=False)[0]
        np.testing.assert_allclose(wrapper.sigma(), largest, rtol=1e-3)
        inner.kernel.assign(wrapper.layer.kernel / wrapper.sigma())
        if inner.use_bias:
            inner.bias.assign(wrapper.layer.bias)
    inputs = tf.constant(drawn(), tf.float32)
    np.testing.assert_allclose(layer(inputs), plain(inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", ["sagan", "biggan"])
@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_near_float32(dtype, form):
    half, exact = (built(dtype=policy, **FORMS[form]) for policy in (dtype, "float32"))
    inputs = tf.constant(drawn(), tf.float32)
    outputs = half(inputs)
    assert outputs.dtype == half.compute_dtype
    assert {v.dtype for v in half.variables} == {"float32"}
    away = tf.norm(tf.cast(outputs, tf.float32) - exact(inputs)) / tf.norm(exact(inputs))
    assert float(away) < 0.01


@pytest.mark.parametrize("form", ["sagan", "biggan"])
def test_logits_beyond_float16(form):
    """Keys and queries of 300 and more: their products are beyond 65,504, and all stays finite."""
    half = built(dtype="mixed_float16", **FORMS[form])
    inputs = tf.cast(tf.constant(drawn(size=1000.0)), tf.float16)
    keys, queries = (tf.reshape(each(inputs), (2, 8, 2)) for each in (half.key, half.query))
    assert np.isfinite(keys).all()
    logits = tf.matmul(*(tf.cast(each, tf.float32) for each in (queries, keys)), transpose_b=True)
    assert float(tf.reduce_max(tf.abs(logits))) > 2.0 * 65504.0
    with tf.GradientTape() as tape:
        outputs = half(inputs)
        total = tf.reduce_mean(tf.cast(outputs, tf.float32))
    assert np.isfinite(outputs).all()
    gradients = tape.gradient(total, [v.value for v in half.trainable_variables])
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_it_sees_each_picture_alone_and_keeps_the_shape():
    layer, images = built(**FORMS["biggan"]), tf.constant(drawn(), tf.float32)
    alone = [layer(images[row : row + 1]) for row in range(2)]
    np.testing.assert_allclose(layer(images), np.concatenate(alone), rtol=1e-5, atol=1e-6)
    traced = tf.function(layer, input_signature=[tf.TensorSpec((None, *SHAPE[1:]))])
    np.testing.assert_allclose(traced(images), layer(images), rtol=1e-5, atol=1e-6)


def test_what_it_cannot_do_is_refused():
    with pytest.raises(ValueError, match="value_divisor=0 must be >= 1"):
        layers.SelfAttention(value_divisor=0)
    with pytest.raises(ValueError, match=r"\(None, 1, 4, 8\) are too small for pool=True"):
        layers.SelfAttention(pool=True).build((None, 1, 4, 8))
