"""The maximum mean discrepancy against its double sums, and what it is good for."""

import differences
import numpy as np
import pytest
import tensorflow as tf

import tfgans
from tfgans import UsageError, moments, registry

KERNELS = {
    "gaussian": (
        lambda one, other: moments.gaussian_kernel(one, other, [0.5, 2.0]),
        lambda d: np.exp(-(d**2) / 0.5) + np.exp(-(d**2) / 8.0),
    ),
    "rational_quadratic": (
        lambda one, other: moments.rational_quadratic_kernel(one, other, [0.2, 2.0]),
        lambda d: (1 + d**2 / 0.4) ** -0.2 + (1 + d**2 / 4.0) ** -2.0,
    ),
}


def samples(n=5, m=4, features=3):
    draws = np.random.default_rng(0)
    return draws.normal(size=(n, features)), draws.normal(0.5, 1.5, (m, features))


def double_sum(real, fake, kernel, unbiased):
    def mean(one, other, leave_out):
        values = [
            kernel(np.linalg.norm(x - y))
            for i, x in enumerate(one)
            for j, y in enumerate(other)
            if not (leave_out and i == j)
        ]
        return np.mean(values)

    within = mean(real, real, unbiased) + mean(fake, fake, unbiased)
    return within - 2.0 * mean(real, fake, False)


def floats(*arrays):
    return [tf.constant(array, tf.float32) for array in arrays]


@pytest.mark.parametrize("unbiased", [False, True])
@pytest.mark.parametrize("name", KERNELS)
def test_squared_mmd_is_the_double_sum(name, unbiased):
    kernel, formula = KERNELS[name]
    real, fake = samples()
    found = moments.squared_mmd(*floats(real, fake), kernel, unbiased=unbiased)
    assert found.dtype == tf.float32
    assert found.shape == ()
    np.testing.assert_allclose(found, double_sum(real, fake, formula, unbiased), atol=1e-6)


@pytest.mark.parametrize("name", KERNELS)
def test_gradients_against_differences(name):
    kernel, formula = KERNELS[name]
    real, fake = samples()
    given = floats(real, fake)
    with tf.GradientTape() as tape:
        tape.watch(given)
        value = moments.squared_mmd(*given, kernel)
    wanted = differences.gradients(lambda *moved: double_sum(*moved, formula, False), real, fake)
    for gradient, each in zip(tape.gradient(value, given), wanted, strict=True):
        np.testing.assert_allclose(gradient, each, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", KERNELS)
def test_equal_samples_are_no_distance_apart(name):
    kernel, _ = KERNELS[name]
    (real,) = floats(samples()[0])
    np.testing.assert_allclose(moments.squared_mmd(real, real, kernel), 0.0, atol=1e-6)
    assert float(moments.squared_mmd(real, real + 3.0, kernel)) > 0.1


def test_the_unbiased_estimate_is_zero_on_average():
    """Of 200 pairs of samples of one distribution; the biased one never is below 0."""
    draws = np.random.default_rng(1)
    kernel, _ = KERNELS["gaussian"]
    pairs = [floats(*draws.normal(size=(2, 10, 2))) for _ in range(200)]
    unbiased = [float(moments.squared_mmd(*pair, kernel, unbiased=True)) for pair in pairs]
    assert abs(np.mean(unbiased)) < 3 * np.std(unbiased) / np.sqrt(200)
    assert np.std(unbiased) > 0.01
    assert min(float(moments.squared_mmd(*pair, kernel)) for pair in pairs) > 0.01


def test_the_witness_is_larger_where_the_data_is():
    kernel, formula = KERNELS["rational_quadratic"]
    real, fake = samples()
    places = np.concatenate([real[:2], fake[:1]])
    found = moments.witness(*floats(places, real, fake), kernel)
    assert found.shape == (3, 1)
    for value, place in zip(found[:, 0], places, strict=True):
        means = [
            np.mean([formula(np.linalg.norm(place - x)) for x in each]) for each in (real, fake)
        ]
        np.testing.assert_allclose(value, means[0] - means[1], rtol=1e-4, atol=1e-6)


def tiny(name, **options):
    options = {**registry.load(name).tiny, **options}
    return tfgans.create(name, tfgans.DataSpec((8, 8, 1)), **options)


def test_gmmn_minimises_the_root_of_the_discrepancy_of_pixels():
    model = tiny("gmmn", bandwidths=[4.0, 8.0])
    image = tf.random.stateless_uniform((6, 8, 8, 1), (0, 1), -1.0, 1.0)
    fake = model.generator({"latent": model.latent("generator_latent", like=image)}).numpy()
    wanted = double_sum(
        image.numpy().reshape(6, -1),
        fake.reshape(6, -1),
        lambda d: np.exp(-(d**2) / 32.0) + np.exp(-(d**2) / 128.0),
        False,
    )
    np.testing.assert_allclose(model.discrepancy({"image": image})[0], np.sqrt(wanted), rtol=1e-4)


def test_gmmn_has_the_authors_bandwidths():
    """exp(-||x - y||^2 / (2 v)) with v from 2 to 80 and pixels in [0, 1]; ours are in [-1, 1]."""
    variances = np.square(tiny("gmmn").bandwidths)
    np.testing.assert_allclose(variances, 4.0 * np.array([2, 5, 10, 20, 40, 80]), rtol=2e-3)


def test_mmd_gan_says_that_one_picture_has_no_pairs():
    with pytest.raises(UsageError, match="of 1 picture have no pairs"):
        tiny("mmd_gan").discrepancy(tf.ones((1, 16)), tf.ones((1, 16)))


@pytest.mark.parametrize("bandwidths", [[], [1.0, 0.0]])
def test_bandwidths_that_cannot_be_are_refused(bandwidths):
    with pytest.raises(UsageError, match=r"bandwidths=\[.*\] must be numbers above 0"):
        tiny("gmmn", bandwidths=bandwidths)


def test_mmd_gan_plays_for_the_discrepancy_of_its_features():
    model = tiny("mmd_gan", gp_weight=0.5)
    batch = {"image": tf.random.stateless_uniform((6, 8, 8, 1), (0, 1), -1.0, 1.0)}
    fake = model.fake_images(batch, "generator_latent")
    features = [model.critic(batch)(image) for image in (batch["image"], fake)]
    assert features[0].shape == (6, 16)

    def formula(distance):
        alphas = (0.2, 0.5, 1.0, 2.0, 5.0)
        return sum((1 + distance**2 / (2 * alpha)) ** -alpha for alpha in alphas)

    wanted = double_sum(*(each.numpy() for each in features), formula, True)
    np.testing.assert_allclose(model.generator_terms(batch)[0], wanted, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(model.minus_discrepancy(*features), -wanted, rtol=1e-3, atol=1e-5)


def test_mmd_gan_penalises_the_slope_of_the_witness_function():
    """Of a critic that gives the mean of an image, far from both samples on one side."""
    model = tiny("mmd_gan", gp_weight=0.5)
    real, fake = tf.ones((4, 2, 2, 1)), -tf.ones((4, 2, 2, 1))

    def critic(image):
        return tf.reduce_mean(image, axis=[1, 2])

    found = float(model.gradient_penalty(critic, real, fake))
    mix = model.uniform("gradient_penalty", like=real).numpy().reshape(-1).astype("float64")

    def witness(mean):
        return sum(
            (1 + (mean - 1) ** 2 / (2 * a)) ** -a - (1 + (mean + 1) ** 2 / (2 * a)) ** -a
            for a in (0.2, 0.5, 1.0, 2.0, 5.0)
        )

    means = 2.0 * mix - 1.0
    slopes = (witness(means + 1e-5) - witness(means - 1e-5)) / 2e-5
    norms = np.abs(slopes) * np.sqrt(4) / 4  # each of four pixels moves the mean by a quarter
    np.testing.assert_allclose(found, 0.5 * np.mean((norms - 1.0) ** 2), rtol=1e-3)
