"""The variational autoencoder against numerical quadrature over a one-dimensional latent."""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

import tfgans
from tfgans import DataSpec, UsageError, randomness

SIZE = (2, 3, 1)
GRID = np.linspace(-10.0, 10.0, 4001)
ONE_LATENT = {"encoder.latent_dim": 1, "decoder.latent_dim": 1}
SMALL = {"encoder.width": 5, "decoder.width": 5}


def built(**options):
    """A model whose weights are spread enough to make posterior and prior differ."""
    model = tfgans.create("vae", DataSpec(SIZE), **{**ONE_LATENT, **SMALL, **options})
    generator = np.random.default_rng(1)
    for network, spread in ((model.encoder, 0.3), (model.decoder, 0.7)):
        for variable in network.trainable_variables:
            variable.assign(generator.normal(0, spread, variable.shape))
    return model


@pytest.fixture(scope="module")
def model():
    return built()


@pytest.fixture(scope="module")
def image():
    """Three pictures, the first of black and white alone, the others grey."""
    generator = np.random.default_rng(1)
    pictures = generator.uniform(-1, 1, (3, *SIZE))
    pictures[0] = np.sign(pictures[0])
    return tf.constant(pictures, tf.float32)


def integral(values):
    return np.trapezoid(values, GRID, axis=-1)


def exact(model, image):
    """Returns log p(x), the ELBO and KL(q || p(z|x)) of each picture, by quadrature."""
    latent = tf.constant(GRID[:, None], tf.float32)
    logits = model.decoder({"latent": latent}).numpy().astype(np.float64)
    target = (image.numpy().astype(np.float64) + 1.0) / 2.0
    # log p(x|z) = sum target log s + (1 - target) log(1 - s), for each picture and latent
    log_pixels = np.sum(
        target[:, None] * scipy.special.log_expit(logits)
        + (1.0 - target[:, None]) * scipy.special.log_expit(-logits),
        axis=(2, 3, 4),
    )
    log_joint = log_pixels + scipy.stats.norm.logpdf(GRID)
    log_evidence = np.log(integral(np.exp(log_joint)))
    outputs = model.encoder({"image": image})
    sigma = np.exp(0.5 * outputs["log_variance"].numpy().astype(np.float64))
    log_posterior = scipy.stats.norm.logpdf(GRID, outputs["mean"].numpy(), sigma)
    posterior = np.exp(log_posterior)
    bound = integral(posterior * (log_joint - log_posterior))
    gap = integral(posterior * (log_posterior - (log_joint - log_evidence[:, None])))
    return log_evidence, bound, gap


def estimate(model, image, rows, num_samples):
    """The importance-sampled log p(x) of each picture, from rows x num_samples latents."""
    many = tf.repeat(image, rows, axis=0)
    values = model.log_likelihood(many, num_samples).numpy().astype(np.float64)
    return scipy.special.logsumexp(values.reshape(-1, rows), axis=1) - math.log(rows)


def test_quadrature_itself_adds_up(model, image):
    """log p(x) = ELBO + KL(q(z|x) || p(z|x))."""
    log_evidence, bound, gap = exact(model, image)
    np.testing.assert_allclose(bound + gap, log_evidence, rtol=1e-9)
    assert np.all(gap > 1e-2)


def test_importance_sampling_finds_the_likelihood(model, image):
    log_evidence, _, _ = exact(model, image)
    np.testing.assert_allclose(estimate(model, image, 400, 20), log_evidence, atol=0.01)


def test_elbo_is_below_the_importance_sampled_likelihood(model, image):
    _, bound, gap = exact(model, image)
    sampled = estimate(model, image, 400, 20)
    assert np.all(bound < sampled)
    np.testing.assert_allclose(sampled - bound, gap, atol=0.01)


def test_one_importance_sample_is_the_elbo_on_average(model, image):
    """E log w = ELBO; with more samples to each logarithm the bound rises."""
    _, bound, _ = exact(model, image)
    means = []
    for num_samples in (1, 5):
        values = model.log_likelihood(tf.repeat(image, 3000, axis=0), num_samples)
        means.append(values.numpy().reshape(3, -1).mean(axis=1))
    np.testing.assert_allclose(means[0], bound, atol=0.04)
    assert np.all(means[1] > means[0])


def test_likelihood_is_exact_where_the_picture_does_not_depend_on_the_latent(image):
    """Then p(z|x) is the prior: with a posterior equal to it every weight is log p(x)."""
    model = built()
    for variable in [*model.encoder.trainable_variables, model.decoder.trainable_variables[-2]]:
        variable.assign(tf.zeros_like(variable))
    model.decoder.trainable_variables[-1].assign(tf.range(6, dtype=tf.float32) - 2.0)
    logits = np.arange(6.0) - 2.0
    target = (image.numpy().reshape(3, 6) + 1.0) / 2.0
    wanted = np.sum(target * logits + scipy.special.log_expit(-logits), axis=1)
    np.testing.assert_allclose(model.log_likelihood(image, 3), wanted, rtol=1e-6)


def test_likelihood_is_a_pure_function_of_its_seed(model, image):
    first, second, other = (model.log_likelihood(image, 3, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert np.all(first.numpy() != other.numpy())


@pytest.mark.parametrize(
    "weights", [{}, {"kl_weight": 2.0, "reconstruction_weight": 0.5}], ids=["elbo", "weighted"]
)
def test_training_step_logs_minus_the_elbo_at_its_own_noise(image, weights):
    model = built(ema_decay=0.9, **weights)
    outputs = model.encoder({"image": image})
    mean, log_variance = (outputs[name].numpy() for name in ("mean", "log_variance"))
    noise = randomness.normal(model.seed, 0, "posterior", (3, 1)).numpy()
    logits = model.decoder({"latent": mean + np.exp(log_variance / 2) * noise}).numpy()
    target = (image.numpy() + 1.0) / 2.0
    pixels = target * scipy.special.log_expit(logits)
    pixels += (1.0 - target) * scipy.special.log_expit(-logits)
    nll = -np.mean(np.sum(pixels, axis=(1, 2, 3)))
    kl = np.mean(np.sum((np.exp(log_variance) + mean**2 - 1.0 - log_variance) / 2, axis=1))
    nll *= weights.get("reconstruction_weight", 1.0)
    kl *= weights.get("kl_weight", 1.0)
    logs = model.train_step({"image": image})
    np.testing.assert_allclose(logs["reconstruction"], nll, rtol=1e-5)
    np.testing.assert_allclose(logs["kl"], kl, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], nll + kl, rtol=1e-5)


def test_gradient_of_the_sampled_elbo_is_that_of_the_exact_one(image):
    """The reparametrised gradient is unbiased: its mean over many noises is the quadrature's."""
    model = built()
    gradients = []
    model.vae_optimizer.apply = lambda grads, _: gradients.append(grads)
    rows = 20000
    model.train_step({"image": tf.repeat(image[1:2], rows, axis=0)})
    (found,) = gradients

    variables = [*model.encoder.trainable_variables, *model.decoder.trainable_variables]
    for variable, gradient in zip(variables, found, strict=True):
        value = variable.numpy()
        bounds = []
        for step in (1e-2, -1e-2):
            moved = value.copy()
            moved.flat[0] += step
            variable.assign(moved)
            bounds.append(exact(model, image[1:2])[1][0])
        variable.assign(value)
        by_first_entry = -(bounds[0] - bounds[1]) / 2e-2
        np.testing.assert_allclose(np.ravel(gradient)[0], by_first_entry, atol=0.01)
        assert abs(by_first_entry) > 0.01


def test_generated_picture_is_the_expected_one(model):
    latent = tf.constant([[0.3], [-1.2]])
    chance = scipy.special.expit(model.decoder({"latent": latent}).numpy())
    np.testing.assert_allclose(model.generate(latent), 2.0 * chance - 1.0, rtol=1e-5, atol=1e-6)


def test_unequal_latents_are_refused():
    with pytest.raises(UsageError, match=r"encoder.latent_dim=2 must equal decoder.latent_dim=1"):
        built(**{"encoder.latent_dim": 2})


def test_latents_other_than_the_prior_are_refused():
    with pytest.raises(UsageError, match="latent_distribution='uniform': the prior of a VAE is"):
        built(latent_distribution="uniform")
