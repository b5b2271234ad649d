"""Every loss and the gradient penalty against TF-GAN's own; where it differs, by what number."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tfgans import compat, losses, penalties

PAIRS = {  # ours: TF-GAN's discriminator and generator loss
    "minimax": ("minimax_discriminator_loss", "minimax_generator_loss"),
    "non_saturating": ("modified_discriminator_loss", "modified_generator_loss"),
    "least_squares": ("least_squares_discriminator_loss", "least_squares_generator_loss"),
    "wasserstein": ("wasserstein_discriminator_loss", "wasserstein_generator_loss"),
    "hinge": ("wasserstein_hinge_discriminator_loss", "wasserstein_hinge_generator_loss"),
}
SMOOTHED_UNLESS_TOLD = ("minimax", "non_saturating")
LOG_S_1 = -math.log1p(math.exp(-1))  # -0.3133


@pytest.fixture(scope="module")
def theirs():
    return compat.import_tensorflow_gan().losses.wargs


@pytest.fixture(scope="module")
def logits():
    generator = np.random.default_rng(0)
    return [tf.constant(generator.normal(0, 3, (16, 1)), tf.float32) for _ in range(2)]


def value_and_gradients(function, logits, **options):
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = function(*logits, **options)
    return value, *tape.gradient(value, logits)


def assert_same(ours, others):
    for own, other in zip(ours, others, strict=True):
        np.testing.assert_allclose(own, other, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("name", PAIRS)
def test_discriminator_loss(theirs, logits, name):
    options = {"label_smoothing": 0.0} if name in SMOOTHED_UNLESS_TOLD else {}
    assert_same(
        value_and_gradients(getattr(losses, f"{name}_discriminator"), logits),
        value_and_gradients(getattr(theirs, PAIRS[name][0]), logits, **options),
    )


@pytest.mark.parametrize("name", PAIRS)
def test_generator_loss(theirs, logits, name):
    ours = value_and_gradients(getattr(losses, f"{name}_generator"), logits[1:])
    value, gradient = value_and_gradients(getattr(theirs, PAIRS[name][1]), logits[1:])
    # TF-GAN's saturating loss carries log s(1), a real logit of 1 that no one gave.
    assert_same(ours, (value - (LOG_S_1 if name == "minimax" else 0.0), gradient))


def test_constant_of_the_saturating_loss(theirs):
    fake = tf.zeros((4, 1))
    np.testing.assert_allclose(losses.minimax_generator(fake), -math.log(2), rtol=1e-6)
    np.testing.assert_allclose(
        theirs.minimax_generator_loss(fake), -math.log(2) - 0.3132617, rtol=1e-6
    )


@pytest.mark.parametrize("name", SMOOTHED_UNLESS_TOLD)
def test_default_label_smoothing_is_a_target_of_seven_eighths(theirs, logits, name):
    own, other = getattr(losses, f"{name}_discriminator"), getattr(theirs, PAIRS[name][0])
    assert_same(
        value_and_gradients(own, logits, real_target=0.875), value_and_gradients(other, logits)
    )
    # The whole difference: an eighth of the mean real logit.
    difference = other(*logits) - own(*logits)
    np.testing.assert_allclose(difference, tf.reduce_mean(logits[0]) / 8, rtol=1e-5)


def tfgan_penalty(theirs, monkeypatch, critic, real, fake, noise, **options):
    """Runs TF-GAN's penalty, which wants a graph and draws its own weights of `fake`."""
    monkeypatch.setattr(tf.random, "uniform", lambda shape: tf.reshape(1.0 - noise, shape))

    @tf.function(autograph=False)
    def run():
        return theirs.wasserstein_gradient_penalty(
            real, fake, None, lambda image, _: critic(image), "critic", **options
        )

    return run()


@pytest.fixture(scope="module")
def images():
    generator = np.random.default_rng(1)
    real, fake = (tf.constant(generator.uniform(-1, 1, (5, 4, 4, 3)), tf.float32) for _ in "ab")
    noise = tf.constant(generator.uniform(0, 1, (5, 1, 1, 1)), tf.float32)
    return real, fake, noise


def curved(image):
    return tf.reduce_sum(tf.sin(2.0 * image) + image**3, axis=[1, 2, 3])[:, None]


def test_gradient_penalty(theirs, monkeypatch, images):
    real, fake, noise = images
    ours = penalties.gradient_penalty(curved, real, fake, noise=noise)
    other = tfgan_penalty(theirs, monkeypatch, curved, real, fake, noise)
    np.testing.assert_allclose(ours, other, rtol=1e-6)
    turned = tfgan_penalty(theirs, monkeypatch, curved, real, fake, 1.0 - noise)
    assert abs(float(ours - turned)) > 1e-3  # the weights matter, and are of `real`


def test_target_divides_in_tfgan_and_is_subtracted_here(theirs, monkeypatch, images):
    """Theirs is (norm / target - 1)^2, so ours is target^2 times as large."""
    real, fake, noise = images
    ours = penalties.gradient_penalty(curved, real, fake, target=2.0, noise=noise)
    other = tfgan_penalty(theirs, monkeypatch, curved, real, fake, noise, target=2.0)
    np.testing.assert_allclose(ours, 4.0 * other, rtol=1e-6)


def test_number_under_the_root_moves_a_flat_critic_only(theirs, monkeypatch, images):
    """Theirs has 1e-10 there: a gradient of 0 has the norm 1e-5, and the penalty 0.99998."""
    real, fake, noise = images

    def flat(image):
        return 0.0 * tf.reduce_sum(image, axis=[1, 2, 3])[:, None]

    assert float(penalties.gradient_penalty(flat, real, fake, noise=noise)) == 1.0
    other = tfgan_penalty(theirs, monkeypatch, flat, real, fake, noise)
    np.testing.assert_allclose(other, (1.0 - 1e-5) ** 2, rtol=1e-7)
