"""Likelihoods and the KL term against scipy.stats, quadrature and closed forms."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf

from tfgans import reconstruction

SHAPE = (3, 4, 2, 2)


def draws(*shapes, seed=0):
    generator = np.random.default_rng(seed)
    return [tf.constant(generator.normal(size=shape), tf.float32) for shape in shapes]


@pytest.mark.parametrize("log_sigma", [0.0, -1.5, 0.7])
def test_gaussian_nll_is_that_of_scipy_summed_over_pixels(log_sigma):
    mean, image = draws(SHAPE, SHAPE)
    wanted = -scipy.stats.norm.logpdf(image, mean, math.exp(log_sigma)).sum(axis=(1, 2, 3))
    value = reconstruction.gaussian_nll(mean, image, log_sigma)
    assert value.dtype == tf.float32
    assert value.shape == (3,)
    np.testing.assert_allclose(value, wanted, rtol=1e-6)


def test_gaussian_nll_of_a_perfect_picture():
    """16 pixels of 1/2 log(2 pi) = 0.9189385 nats each, less log sigma each."""
    (image,) = draws(SHAPE)
    np.testing.assert_allclose(
        reconstruction.gaussian_nll(image, image), [16 * 0.9189385] * 3, rtol=1e-6
    )
    np.testing.assert_allclose(
        reconstruction.gaussian_nll(image, image, tf.constant(-2.0)),
        [16 * (0.9189385 - 2.0)] * 3,
        rtol=1e-6,
    )


def test_gaussian_nll_gradients():
    """By the mean (mean - image) / sigma^2; by log sigma 1 - squared error / sigma^2, summed."""
    mean, image = draws(SHAPE, SHAPE)
    log_sigma = tf.constant(0.5)
    with tf.GradientTape() as tape:
        tape.watch([mean, log_sigma])
        value = tf.reduce_sum(reconstruction.gaussian_nll(mean, image, log_sigma))
    by_mean, by_log_sigma = tape.gradient(value, [mean, log_sigma])
    error = mean.numpy() - image.numpy()
    np.testing.assert_allclose(by_mean, error / math.e, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(by_log_sigma, np.sum(1.0 - error**2 / math.e), rtol=1e-5)


def test_bernoulli_nll_of_black_and_white_is_that_of_scipy():
    (logits,) = draws(SHAPE)
    bits = np.random.default_rng(1).integers(0, 2, SHAPE)
    chance = scipy.special.expit(logits.numpy().astype(np.float64))
    wanted = -scipy.stats.bernoulli.logpmf(bits, chance).sum(axis=(1, 2, 3))
    value = reconstruction.bernoulli_nll(logits, tf.constant(2.0 * bits - 1.0, tf.float32))
    assert value.dtype == tf.float32
    assert value.shape == (3,)
    np.testing.assert_allclose(value, wanted, rtol=1e-6)


def test_bernoulli_nll_by_hand():
    """Chance 3/4 (logit log 3): white costs log 4/3, black log 4, grey the mean of the two."""
    logits = tf.fill((3, 1, 1, 1), math.log(3))
    image = tf.reshape(tf.constant([1.0, -1.0, 0.0]), (3, 1, 1, 1))
    wanted = [math.log(4 / 3), math.log(4), math.log(16 / 3) / 2]
    np.testing.assert_allclose(reconstruction.bernoulli_nll(logits, image), wanted, rtol=1e-6)


def test_bernoulli_nll_is_least_where_the_chance_is_the_grey_value():
    """There it is the entropy of the pixel and its gradient, s - target, is 0."""
    grey = tf.reshape(tf.constant([0.1, 0.5, 0.8]), (3, 1, 1, 1))
    logits = tf.math.log(grey) - tf.math.log(1.0 - grey)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = reconstruction.bernoulli_nll(logits, 2.0 * grey - 1.0)
    np.testing.assert_allclose(value, scipy.stats.bernoulli.entropy(np.ravel(grey)), rtol=1e-6)
    np.testing.assert_allclose(tape.gradient(value, logits), np.zeros((3, 1, 1, 1)), atol=1e-7)


def test_bernoulli_nll_of_sure_pixels_stays_finite():
    logits = tf.reshape(tf.constant([1e4, -1e4]), (2, 1, 1, 1))
    right = reconstruction.bernoulli_nll(logits, tf.sign(logits))
    wrong = reconstruction.bernoulli_nll(logits, -tf.sign(logits))
    np.testing.assert_array_equal(right, [0.0, 0.0])
    np.testing.assert_array_equal(wrong, [1e4, 1e4])


@pytest.mark.parametrize(("mean", "sigma"), [(0.0, 1.0), (1.5, 0.3), (-0.7, 2.0)])
def test_kl_is_the_integral_it_stands_for(mean, sigma):
    posterior, prior = scipy.stats.norm(mean, sigma), scipy.stats.norm()
    wanted, _ = scipy.integrate.quad(
        lambda point: posterior.pdf(point) * (posterior.logpdf(point) - prior.logpdf(point)),
        mean - 12 * sigma,
        mean + 12 * sigma,
    )
    value = reconstruction.standard_normal_kl(
        tf.constant([[mean]]), tf.constant([[2.0 * math.log(sigma)]])
    )
    np.testing.assert_allclose(value, [wanted], rtol=1e-5, atol=1e-7)


def test_kl_by_hand_and_summed_over_latents():
    """1/2 (e^v + m^2 - 1 - v): m = 2, v = 0 gives 2; m = 0, v = log 4 gives 3/2 - log 2."""
    mean = tf.constant([[2.0, 0.0], [0.0, 0.0]])
    log_variance = tf.constant([[0.0, math.log(4)], [0.0, 0.0]])
    value = reconstruction.standard_normal_kl(mean, log_variance)
    assert value.dtype == tf.float32
    np.testing.assert_allclose(value, [2.0 + 1.5 - math.log(2), 0.0], rtol=1e-6, atol=1e-7)


def test_kl_gradients():
    """By the mean m, by the log variance (e^v - 1) / 2: both 0 at the prior alone."""
    mean, log_variance = draws((3, 5), (3, 5))
    with tf.GradientTape() as tape:
        tape.watch([mean, log_variance])
        value = reconstruction.standard_normal_kl(mean, log_variance)
    by_mean, by_log_variance = tape.gradient(value, [mean, log_variance])
    np.testing.assert_allclose(by_mean, mean, rtol=1e-6)
    np.testing.assert_allclose(by_log_variance, np.expm1(log_variance) / 2, rtol=1e-5, atol=1e-7)
