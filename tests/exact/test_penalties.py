"""Penalties on critics and kernels whose derivatives are known, and those of the systems."""

import math

import differences
import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgans
from tfgans import penalties, randomness, registry


def linear(weights):
    """The critic <w, image>, whose gradient is w wherever it is asked."""
    return lambda image: tf.reduce_sum(image * weights, axis=[1, 2, 3])[:, None]


def half_square(image):
    """The critic |image|^2 / 2, whose gradient is the image itself."""
    return tf.reduce_sum(tf.square(image), axis=[1, 2, 3])[:, None] / 2.0


def noise(*values):
    return tf.reshape(tf.constant(values, tf.float32), (-1, 1, 1, 1))


THREE_FOUR = tf.reshape(tf.constant([3.0, 0.0, 4.0, 0.0]), (2, 2, 1))  # norm 5
REAL, FAKE = tf.fill((4, 2, 2, 1), 3.0), tf.fill((4, 2, 2, 1), -1.0)
MIX = noise(0.0, 0.25, 0.5, 1.0)


@pytest.mark.parametrize(("target", "penalty"), [(1.0, 16.0), (0.0, 25.0), (5.0, 0.0)])
def test_linear_critic(target, penalty):
    value = penalties.gradient_penalty(linear(THREE_FOUR), REAL, FAKE, target=target, noise=MIX)
    assert value.dtype == tf.float32
    assert value.shape == ()
    np.testing.assert_allclose(value, penalty, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize(
    ("target", "penalty"), [(1.0, (1 + 1 + 1 + 25) / 4), (0.0, (4 + 0 + 4 + 36) / 4)]
)
def test_quadratic_critic_at_points_between(target, penalty):
    """Four pixels of 4 e - 1: norms 2, 0, 2, 6 at e = 0, 1/4, 1/2, 1; e is the share of real."""
    value = penalties.gradient_penalty(half_square, REAL, FAKE, target=target, noise=MIX)
    np.testing.assert_allclose(value, penalty, rtol=1e-6)


def test_each_image_has_its_own_norm():
    image = tf.stack([THREE_FOUR, 2.0 * THREE_FOUR, 0.0 * THREE_FOUR])
    np.testing.assert_allclose(
        penalties.gradient_norm(half_square, image), [5.0, 10.0, 0.0], rtol=1e-6
    )


def by_weights(weights, target):
    with tf.GradientTape() as tape:
        tape.watch(weights)
        value = penalties.gradient_penalty(linear(weights), REAL, FAKE, target=target, noise=MIX)
    return tape.gradient(value, weights)


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_second_order_gradient_in_closed_form(target):
    """d (|w| - t)^2 / dw = 2 (|w| - t) w / |w|."""
    wanted = 2.0 * (5.0 - target) * THREE_FOUR / 5.0
    np.testing.assert_allclose(by_weights(THREE_FOUR, target), wanted, rtol=1e-6)


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("size", [0.0, 1e-21])
def test_zero_gradient_has_a_finite_derivative(target, size):
    """1e-21 squared underflows in float32: what cannot be told from 0 is treated as 0."""
    derivative = by_weights(size * THREE_FOUR, target)
    np.testing.assert_array_equal(derivative, np.zeros((2, 2, 1)))


def test_zero_gradient_of_one_image_does_not_silence_the_others():
    """At e = 1/4 the quadratic critic scaled by a is flat; the others have norms 2a, 2a, 6a."""
    scale = tf.constant(1.0)
    with tf.GradientTape() as tape:
        tape.watch(scale)
        value = penalties.gradient_penalty(
            lambda image: scale * half_square(image), REAL, FAKE, noise=MIX
        )
    # d/da mean((n a - 1)^2) = mean(2 n (n - 1)) at a = 1
    np.testing.assert_allclose(tape.gradient(value, scale), (4 + 0 + 4 + 60) / 4, rtol=1e-6)


def numpy_penalty(outer, inner, points, target):
    """mean((|d outer tanh(inner x) / dx| - target)^2) in float64, the gradient written out."""
    slopes = (1.0 - np.tanh(points @ inner.T) ** 2) * outer
    norms = np.sqrt(np.sum((slopes @ inner) ** 2, axis=1))
    return np.mean((norms - target) ** 2)


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_second_order_gradient_against_finite_differences(target):
    generator = np.random.default_rng(0)
    outer, inner = generator.normal(size=5), generator.normal(size=(5, 4))
    real, fake = generator.uniform(-1, 1, (2, 6, 2, 2, 1))
    mix = generator.uniform(size=(6, 1, 1, 1))
    points = (mix * real + (1.0 - mix) * fake).reshape(6, 4)

    weights = [tf.constant(outer, tf.float32), tf.constant(inner, tf.float32)]
    with tf.GradientTape() as tape:
        tape.watch(weights)

        def critic(image):
            hidden = tf.tanh(tf.reshape(image, (-1, 4)) @ tf.transpose(weights[1]))
            return tf.reduce_sum(hidden * weights[0], axis=1, keepdims=True)

        arguments = [tf.constant(array, tf.float32) for array in (real, fake, mix)]
        value = penalties.gradient_penalty(
            critic, *arguments[:2], target=target, noise=arguments[2]
        )
    np.testing.assert_allclose(value, numpy_penalty(outer, inner, points, target), rtol=1e-5)

    for index, gradient in enumerate(tape.gradient(value, weights)):
        wanted = np.zeros(gradient.shape)
        for place in np.ndindex(*gradient.shape):
            sides = []
            for step in (1e-6, -1e-6):
                moved = [outer.copy(), inner.copy()]
                moved[index][place] += step
                sides.append(numpy_penalty(*moved, points, target))
            wanted[place] = (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-5)


def test_float16_critic_does_not_overflow():
    """12,288 slopes of 3: their squares add up to 110,592, beyond the 65,504 of float16."""
    weights = tf.Variable(tf.fill((64, 64, 3), tf.constant(3.0, tf.float16)))

    def critic(image):
        return tf.reduce_mean(tf.cast(image, tf.float16) * weights * 12288.0, axis=[1, 2, 3])[
            :, None
        ]

    image = tf.zeros((2, 64, 64, 3))
    with tf.GradientTape() as tape:
        value = penalties.gradient_penalty(critic, image, image, noise=noise(0.5, 0.5))
    np.testing.assert_allclose(value, (math.sqrt(110592) - 1.0) ** 2, rtol=1e-3)
    assert np.isfinite(tape.gradient(value, weights)).all()


def test_float16_keras_critic():
    """A half-precision layer of 12,288 equal weights of 3: the norm is 332.55."""
    half = {"dtype": "mixed_float16"}
    dense = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(3.0), **half)
    critic = keras.Sequential([keras.Input((64, 64, 3)), keras.layers.Flatten(**half), dense])
    assert dense.compute_dtype == "float16"
    image = tf.zeros((2, 64, 64, 3))
    norm = penalties.gradient_norm(critic, image)
    assert norm.dtype == tf.float32
    np.testing.assert_allclose(norm, [math.sqrt(110592)] * 2, rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 2, 2, 3), (4, 3, 2, 1), (3, 2, 2, 1)])
def test_unequal_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"real and fake must have one shape, got \(4, 2, 2, 1\)"):
        penalties.gradient_penalty(half_square, REAL, tf.zeros(shape), noise=MIX)


def tiny(name, **options):
    return tfgans.create(
        name, tfgans.DataSpec((8, 8, 1)), **{**registry.load(name).tiny, **options}
    )


def test_wgan_gp_weighs_its_penalty_with_lambda():
    real, fake = tf.zeros((4, 2, 2, 1)), tf.ones((4, 2, 2, 1))
    value = tiny("wgan_gp").gradient_penalty(linear(THREE_FOUR), real, fake)
    np.testing.assert_allclose(value, 10.0 * 16.0, rtol=1e-6)
    value = tiny("wgan_gp", gp_weight=0.5).gradient_penalty(linear(THREE_FOUR), real, fake)
    np.testing.assert_allclose(value, 0.5 * 16.0, rtol=1e-6)


def test_wgan_gp_mixes_with_its_own_stateless_numbers():
    model = tiny("wgan_gp", gp_weight=1.0)
    model.notes.part = 1
    mix = randomness.uniform(model.seed, model.step, "gradient_penalty", (4, 1, 1, 1), 1)
    wanted = penalties.gradient_penalty(half_square, REAL, FAKE, noise=mix)
    np.testing.assert_allclose(model.gradient_penalty(half_square, REAL, FAKE), wanted, rtol=1e-6)


# One level of dcgan: a 4x4 map of 4 channels meets a 4x4 kernel; a ResNet's features are pooled.
@pytest.mark.parametrize(("name", "size"), [("hinge", 64), ("sngan", 64), ("sngan_projection", 4)])
def test_margin_penalty_is_half_the_squared_norm_of_the_last_kernel(name, size):
    data = tfgans.DataSpec((8, 8, 1), num_classes=3 if name == "sngan_projection" else 0)
    model = tfgans.create(name, data, **registry.load(name).tiny, margin_weight=0.5)
    for variable in model.discriminator.trainable_variables:
        last = "logits/" in variable.path
        variable.assign(tf.ones_like(variable) if last else 3.0 * tf.ones_like(variable))
    value = model.margin_penalty(None, None, None)
    np.testing.assert_allclose(value, 0.5 * size / 2, rtol=1e-6)


@pytest.mark.parametrize(("critic", "value"), [(linear(THREE_FOUR), 25.0), (half_square, 36.0)])
def test_r1_is_the_mean_squared_slope_at_real_images(critic, value):
    """Four pixels of 3 are a slope of 6 of the quadratic critic."""
    found = penalties.r1_penalty(critic, REAL, FAKE)
    assert found.dtype == tf.float32
    assert found.shape == ()
    np.testing.assert_allclose(found, value, rtol=1e-6)


def test_r1_averages_over_images():
    image = tf.stack([THREE_FOUR, 2.0 * THREE_FOUR, 0.0 * THREE_FOUR])
    found = penalties.r1_penalty(half_square, image, None)
    np.testing.assert_allclose(found, (25.0 + 100.0 + 0.0) / 3, rtol=1e-6)


def test_gradient_of_r1_in_closed_form():
    """d |w|^2 / dw = 2 w, also at 0."""
    for scale in (1.0, 0.0):
        weights = scale * THREE_FOUR
        with tf.GradientTape() as tape:
            tape.watch(weights)
            value = penalties.r1_penalty(linear(weights), REAL, FAKE)
        np.testing.assert_allclose(tape.gradient(value, weights), 2.0 * weights, rtol=1e-6)


def test_r1_of_a_float16_critic_does_not_overflow():
    weights = tf.fill((64, 64, 3), tf.constant(3.0, tf.float16))

    def critic(image):
        return tf.reduce_mean(tf.cast(image, tf.float16) * weights * 12288.0, axis=[1, 2, 3])

    value = penalties.r1_penalty(critic, tf.zeros((2, 64, 64, 3)), None)
    np.testing.assert_allclose(value, 110592.0, rtol=1e-3)


@pytest.mark.parametrize(("name", "weight"), [("stylegan", 10.0), ("r1gan", 1.0)])
def test_r1_is_weighed_with_half_of_gamma(name, weight):
    model = tiny(name, r1_weight=0.5)
    np.testing.assert_allclose(
        model.r1_penalty(linear(THREE_FOUR), REAL, FAKE), 0.25 * 25.0, rtol=1e-6
    )
    assert tiny(name).r1_weight == weight


def test_dragan_penalty_of_a_quadratic_critic():
    """Near 3 with a deviation of 2 and noise of 1/2 are pixels of 3.5: a norm of 7."""
    half = tf.fill(REAL.shape, 0.5)
    value = penalties.dragan_penalty(half_square, REAL, FAKE, std=2.0, noise=half)
    np.testing.assert_allclose(value, (7.0 - 1.0) ** 2, rtol=1e-6)
    value = penalties.dragan_penalty(linear(THREE_FOUR), REAL, FAKE, std=2.0, noise=half)
    np.testing.assert_allclose(value, 16.0, rtol=1e-6)


def test_dragan_takes_the_deviation_of_all_pixels_and_noise_of_each():
    model = tiny("dragan", gp_weight=0.5)
    real = tf.random.stateless_normal((6, 2, 2, 1), (0, 1))
    u = randomness.uniform(model.seed, model.step, "gradient_penalty", real.shape)
    near = real.numpy() + 0.5 * real.numpy().std() * u.numpy()
    wanted = np.mean((np.sqrt((near**2).sum((1, 2, 3))) - 1.0) ** 2)
    np.testing.assert_allclose(
        model.gradient_penalty(half_square, real, FAKE), 0.5 * wanted, rtol=1e-5
    )


def shifted(critic, level):
    return lambda image: critic(image) + level


def test_roth_penalty_in_closed_form():
    """Of pixels of 0, s(ln 3) = 3/4: (1/4)^2 and (3/4)^2 of the squared norm 25."""
    zero = tf.zeros((4, 2, 2, 1))
    critic = shifted(linear(THREE_FOUR), math.log(3.0))
    value = penalties.roth_penalty(critic, zero, zero)
    assert value.dtype == tf.float32
    np.testing.assert_allclose(value, 25.0 / 16 + 25.0 * 9 / 16, rtol=1e-6)
    # The quadratic critic: logits of 18 and 2, squared slopes of 36 and 4.
    sure, unsure = 1.0 / (1.0 + math.exp(18.0)), 1.0 / (1.0 + math.exp(-2.0))
    value = penalties.roth_penalty(half_square, REAL, FAKE)
    np.testing.assert_allclose(value, 36.0 * sure**2 + 4.0 * unsure**2, rtol=1e-5)


def test_roth_penalty_averages_products_and_not_factors():
    image = tf.stack([tf.zeros((2, 2, 1)), tf.ones((2, 2, 1))])
    shares = [1.0 / (1.0 + math.exp(level)) for level in (0.0, 2.0)]
    wanted = (shares[0] ** 2 * 0.0 + shares[1] ** 2 * 4.0) / 2
    value = penalties.roth_penalty(half_square, image, tf.zeros_like(image))
    np.testing.assert_allclose(value, wanted, rtol=1e-6)


def test_gradient_of_roth_by_the_level_of_the_critic():
    """The shares are not held constant: d (1 - s)^2 = -2 (1 - s)^2 s, d s^2 = 2 s^2 (1 - s)."""
    level, zero = tf.constant(math.log(3.0)), tf.zeros((4, 2, 2, 1))
    with tf.GradientTape() as tape:
        tape.watch(level)
        value = penalties.roth_penalty(shifted(linear(THREE_FOUR), level), zero, zero)
    wanted = 25.0 * (-2.0 / 16 * 3 / 4 + 2.0 * 9 / 16 / 4)
    np.testing.assert_allclose(tape.gradient(value, level), wanted, rtol=1e-6)


def test_roth_gamma_falls_to_its_share_over_the_run():
    """0.5 * 0.04^t at t = 0, 1/2, 1 and beyond; half of it weighs the penalty."""
    model = tfgans.create(
        "roth",
        tfgans.DataSpec((8, 8, 1)),
        steps=10,
        roth_weight=0.5,
        final_share=0.04,
        **registry.load("roth").tiny,
    )
    penalty = float(penalties.roth_penalty(half_square, REAL, FAKE))
    for step, gamma in ((0, 0.5), (5, 0.1), (10, 0.02), (15, 0.02)):
        model.step.assign(step)
        value = model.roth_penalty(half_square, REAL, FAKE)
        np.testing.assert_allclose(value, gamma / 2 * penalty, rtol=1e-5)


def test_lipschitz_penalty_is_of_the_steepest_image_alone():
    """Four pixels of 4 e - 1 at e = 0, 1/4, 1/2, 1: squared norms 4, 0, 4, 36."""
    value = penalties.lipschitz_penalty(half_square, REAL, FAKE, noise=MIX)
    np.testing.assert_allclose(value, 36.0, rtol=1e-6)
    with tf.GradientTape() as tape:
        tape.watch(REAL)
        value = penalties.lipschitz_penalty(half_square, REAL, FAKE, noise=MIX)
    by_image = tape.gradient(value, REAL).numpy()
    np.testing.assert_array_equal(by_image[:3], 0.0)
    np.testing.assert_allclose(by_image[3], 6.0, rtol=1e-6)


def test_lgan_weighs_its_penalty():
    value = tiny("lgan", lipschitz_weight=0.5).lipschitz_penalty(linear(THREE_FOUR), REAL, FAKE)
    np.testing.assert_allclose(value, 0.5 * 25.0, rtol=1e-6)


SLOPES = {  # of the weights w of a tanh unit, whose slope at x is w (1 - tanh(w x)^2)
    "r1": lambda critic, real, fake, mix: penalties.r1_penalty(critic, real, fake),
    "roth": lambda critic, real, fake, mix: penalties.roth_penalty(critic, real, fake),
    "lipschitz": lambda critic, real, fake, mix: penalties.lipschitz_penalty(
        critic, real, fake, noise=mix
    ),
    "dragan": lambda critic, real, fake, mix: penalties.dragan_penalty(
        critic, real, fake, std=1.0, noise=mix + tf.zeros_like(real)
    ),
}


def numpy_slopes(name, outer, inner, real, fake, mix):
    """The same penalties of the critic outer tanh(inner x), in float64."""

    def logits_and_squares(points):
        hidden = np.tanh(points @ inner.T)
        slopes = ((1.0 - hidden**2) * outer) @ inner
        return hidden @ outer, (slopes**2).sum(axis=1)

    if name == "r1":
        return logits_and_squares(real)[1].mean()
    if name == "lipschitz":
        return logits_and_squares(mix * real + (1.0 - mix) * fake)[1].max()
    if name == "dragan":
        squares = logits_and_squares(real + 0.5 * mix)[1]
        return np.mean((np.sqrt(squares) - 1.0) ** 2)
    (real_logits, real_squares), (fake_logits, fake_squares) = map(logits_and_squares, (real, fake))
    real_part = real_squares / (1.0 + np.exp(real_logits)) ** 2
    return np.mean(real_part) + np.mean(fake_squares / (1.0 + np.exp(-fake_logits)) ** 2)


@pytest.mark.parametrize("name", SLOPES)
def test_second_order_gradients_of_all_penalties_against_differences(name):
    generator = np.random.default_rng(1)
    outer, inner = generator.normal(size=5), generator.normal(size=(5, 4))
    real, fake = generator.uniform(-1, 1, (2, 6, 4))
    mix = generator.uniform(size=(6, 1))
    weights = [tf.constant(outer, tf.float32), tf.constant(inner, tf.float32)]

    def critic(image):
        hidden = tf.tanh(tf.reshape(image, (-1, 4)) @ tf.transpose(weights[1]))
        return tf.reduce_sum(hidden * weights[0], axis=1, keepdims=True)

    images = [tf.reshape(tf.constant(each, tf.float32), (6, 2, 2, 1)) for each in (real, fake)]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        value = SLOPES[name](critic, *images, noise(*mix[:, 0]))
    np.testing.assert_allclose(value, numpy_slopes(name, outer, inner, real, fake, mix), rtol=1e-5)
    wanted = differences.gradients(
        lambda *moved: numpy_slopes(name, *moved, real, fake, mix), outer, inner
    )
    for found, each in zip(tape.gradient(value, weights), wanted, strict=True):
        np.testing.assert_allclose(found, each, rtol=1e-3, atol=1e-5)


def test_progan_weighs_its_penalty_and_its_drift():
    real, fake = tf.zeros((4, 2, 2, 1)), tf.ones((4, 2, 2, 1))
    value = tiny("progan", gp_weight=0.5).gradient_penalty(linear(THREE_FOUR), real, fake)
    np.testing.assert_allclose(value, 0.5 * 16.0, rtol=1e-6)
    loss, drift = tiny("progan").critic_loss(tf.constant([1.0, 3.0]), tf.constant([0.5, 1.5]))
    np.testing.assert_allclose([loss, drift], [-1.0, 0.001 * 5.0], rtol=1e-6)


def orthogonality(*kernels):
    """The sum over pairs of different columns of their squared product, twice each."""
    total = 0.0
    for kernel in kernels:
        columns = kernel.reshape(-1, kernel.shape[-1]).T
        for one, first in enumerate(columns):
            total += sum(np.dot(first, other) ** 2 for other in np.delete(columns, one, axis=0))
    return total


@pytest.mark.parametrize(
    ("kernel", "value"),
    [
        ([[1.0, 1.0], [0.0, 1.0]], 2.0),  # the columns' product is 1, twice
        ([[2.0, 0.0], [0.0, -3.0], [0.0, 0.0]], 0.0),  # orthogonal, of any length
        (np.ones((5, 3)), 3 * 2 * 5.0**2),
        ([[3.0], [4.0]], 0.0),  # one column has no other
        ([[1.0, 2.0, 3.0]], 2 * (2.0**2 + 3.0**2 + 6.0**2)),
    ],
)
def test_orthogonal_regularizer_in_closed_form(kernel, value):
    found = penalties.orthogonal_regularizer([tf.constant(kernel, tf.float32)])
    assert found.dtype == tf.float32
    assert found.shape == ()
    np.testing.assert_allclose(found, value, rtol=1e-6)


def test_orthogonal_regularizer_adds_kernels_and_reads_columns_as_outputs():
    draws = np.random.default_rng(0)
    kernels = [draws.normal(size=shape) for shape in ((3, 3, 2, 4), (5, 6), (1, 1, 4, 2))]
    wanted = orthogonality(*kernels)
    found = penalties.orthogonal_regularizer([tf.constant(each, tf.float32) for each in kernels])
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert abs(orthogonality(*(each.T for each in kernels)) / wanted - 1.0) > 0.1


def test_gradient_of_the_orthogonal_regularizer():
    """4 W (W^T W * (1 - I)), which is also what differences give; of Keras' variables too."""
    draws = np.random.default_rng(1)
    kernels = [draws.normal(size=shape) for shape in ((2, 2, 2, 3), (4, 5))]
    variables = [keras.Variable(each, dtype="float32") for each in kernels]
    with tf.GradientTape() as tape:
        value = penalties.orthogonal_regularizer(variables)
    found = tape.gradient(value, [variable.value for variable in variables])
    wanted = differences.gradients(orthogonality, *kernels)
    for gradient, each, kernel in zip(found, wanted, kernels, strict=True):
        np.testing.assert_allclose(gradient, each, rtol=1e-4, atol=1e-4)
        matrix = kernel.reshape(-1, kernel.shape[-1])
        products = matrix.T @ matrix
        closed = 4.0 * matrix @ (products - np.diag(np.diag(products)))
        np.testing.assert_allclose(gradient, closed.reshape(kernel.shape), rtol=1e-4, atol=1e-4)


def test_orthogonal_regularizer_of_half_precision_kernels():
    """A thousand 30s: the columns' product is 900,000, beyond float16."""
    kernel = tf.fill((1000, 2), tf.constant(30.0, tf.float16))
    value = penalties.orthogonal_regularizer([kernel])
    np.testing.assert_allclose(value, 2 * 900000.0**2, rtol=1e-5)
