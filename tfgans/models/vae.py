"""The variational autoencoder: an encoder and a decoder that raise a bound on the likelihood.

    -ELBO = E_q(z|x)[-log p(x|z)] + KL(q(z|x) || N(0, I)),   z = mean + sigma * noise

    python train.py --variant=vae

Perceptrons of one hidden layer as in the paper, but with 256 units instead of 500, so that encoder
and decoder together stay under 2 MB, and with ReLU and Adam instead of tanh and Adagrad. Pixels
are Bernoulli with the grey value as probability, so the likelihoods are those of a binary picture
only where the data is binary. `kl_weight` and `reconstruction_weight` show what too much of either
term does (text 004).
"""

import math
from typing import ClassVar

import keras
import tensorflow as tf

from tfgans import optimizers, reconstruction
from tfgans.base import GenerativeModel
from tfgans.errors import UsageError
from tfgans.networks import mlp
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class VAE(GenerativeModel):
    """One optimiser moves encoder and decoder on minus the evidence lower bound.

    Args:
        encoder: From {"image": ...} to {"mean", "log_variance"}.
        decoder: From {"latent": ...} to pixel logits.
        kl_weight: Weight of the KL term; above 1 the posterior falls back to the prior.
        reconstruction_weight: Weight of the reconstruction term; above 1 latents leave the prior.

    Reference:
        Kingma and Welling, 2013, arXiv:1312.6114, Equation 10.
    """

    optimizes: ClassVar = {"vae_optimizer": ("encoder", "decoder")}
    generates = "decoder"
    logs = ("loss", "reconstruction", "kl")

    def __init__(self, encoder, decoder, *, kl_weight=1.0, reconstruction_weight=1.0, **kwargs):
        super().__init__({"encoder": encoder, "decoder": decoder}, **kwargs)
        if self.latent_distribution != "normal":
            raise UsageError("latent_distribution='uniform': the prior of a VAE is normal")
        encoded = encoder.output["mean"].shape[-1]
        if encoded != self.latent_dim:
            raise UsageError(
                f"encoder.latent_dim={encoded} must equal decoder.latent_dim={self.latent_dim}"
            )
        self.kl_weight = kl_weight
        self.reconstruction_weight = reconstruction_weight

    def train_step(self, batch):
        """One step on the ELBO, estimated with a single latent for each image."""

        def objective(piece):
            image = piece["image"]
            mean, log_variance = self.posterior(image, training=True)
            noise = self.normal("posterior", (image.shape[0], self.latent_dim))
            logits = self.logits(mean + tf.exp(0.5 * log_variance) * noise, training=True)
            nll = tf.reduce_mean(reconstruction.bernoulli_nll(logits, image))
            kl = tf.reduce_mean(reconstruction.standard_normal_kl(mean, log_variance))
            return [self.reconstruction_weight * nll, self.kl_weight * kl]

        nll, kl = self.minimize("vae_optimizer", objective, batch)
        return self.track(loss=nll + kl, reconstruction=nll, kl=kl)

    def posterior(self, image, training=False):
        """Returns mean and log variance of q(z|x), float32 `(batch, latent_dim)` each."""
        outputs = self.encoder({"image": image}, training=training)
        return tuple(tf.cast(outputs[name], tf.float32) for name in ("mean", "log_variance"))

    def logits(self, latent, training=False):
        """Returns the pixels' logits, float32 `(batch, height, width, channels)`."""
        return tf.cast(self.decoder({"latent": latent}, training=training), tf.float32)

    def generate(self, latent, label=None):
        """Returns the expected picture: 2 s(logits) - 1 = tanh(logits / 2)."""
        del label
        logits = tf.cast(self.sampler({"latent": latent}, training=False), tf.float32)
        return tf.tanh(0.5 * logits)

    def reconstruct(self, image):
        """Returns the expected picture at the posterior's mean; an average has no part in it."""
        return tf.tanh(0.5 * self.logits(self.posterior(image)[0]))

    def log_likelihood(self, image, num_samples=100, seed=0):
        """Estimates log p(x) by importance sampling from the posterior; at least the ELBO.

        Args:
            image: float32 `(batch, height, width, channels)` in [-1, 1].
            num_samples: Latents drawn for each image.
            seed: Seed of the latents.

        Returns:
            float32 `(batch,)`, nats.

        Reference:
            Burda et al., 2015, arXiv:1509.00519, Equation 8.
        """
        mean, log_variance = self.posterior(image)
        weights = []
        for draw in range(num_samples):
            noise = tf.random.stateless_normal(mean.shape, (seed, draw))
            latent = mean + tf.exp(0.5 * log_variance) * noise
            log_prior = -0.5 * tf.reduce_sum(tf.square(latent), -1)
            log_posterior = -0.5 * tf.reduce_sum(tf.square(noise) + log_variance, -1)
            log_pixels = -reconstruction.bernoulli_nll(self.logits(latent), image)
            weights.append(log_pixels + log_prior - log_posterior)
        return tf.reduce_logsumexp(tf.stack(weights), axis=0) - math.log(num_samples)

    def signatures(self):
        """Adds `encode`, `decode` and `reconstruct` to what every model offers."""
        image = tf.TensorSpec((None, *self.image_shape), tf.float32, name="image")
        latent = tf.TensorSpec((None, self.latent_dim), tf.float32, name="latent")
        return super().signatures() | {
            "encode": (lambda image: self.posterior(image)[0], [image]),
            "decode": (self.generate, [latent]),
            "reconstruct": (self.reconstruct, [image]),
        }


VARIANTS = (
    Variant(
        name="vae",
        model=VAE,
        networks={"encoder": mlp.encoder, "decoder": mlp.decoder},
        optimizers={"vae_optimizer": optimizers.Adam},
        options={
            "encoder.width": 256,
            "decoder.width": 256,
            "vae_optimizer.learning_rate": 1e-3,
        },
        tiny={
            "encoder.latent_dim": 4,
            "encoder.width": 8,
            "decoder.latent_dim": 4,
            "decoder.width": 8,
        },
        steps=10000,
        batch_size=100,
    ),
)
