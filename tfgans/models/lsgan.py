"""LSGAN: squared errors instead of cross-entropy, so that far-off fakes still have a gradient.

D: 1/2 E (D(x) - 1)^2 + 1/2 E D(G(z))^2      G: 1/2 E (D(G(z)) - 1)^2

python train.py --variant=lsgan

What is sampled is an averaged generator (`ema_decay`), which the paper does not have.
"""

import keras

from tfgans import losses, optimizers
from tfgans.adversarial import AdversarialModel
from tfgans.networks import dcgan
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class LSGAN(AdversarialModel):
    """Least squares for both players, on a linear output.

    Reference:
        Mao et al., 2016, arXiv:1611.04076, Equation 9.
    """

    def train_step(self, batch):
        """One step of each player."""
        for part in self.critic_batches(batch):
            d_loss = self.discriminator_step(part, losses.least_squares_discriminator)
        g_loss = self.generator_step(part, losses.least_squares_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss)


VARIANTS = (
    Variant(
        name="lsgan",
        model=LSGAN,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
        options={
            "ema_decay": 0.999,
            "g_optimizer.learning_rate": 2e-4,
            "g_optimizer.beta_1": 0.5,
            "d_optimizer.learning_rate": 2e-4,
            "d_optimizer.beta_1": 0.5,
        },
        tiny={"generator.latent_dim": 4, "generator.width": 4, "discriminator.width": 4},
        steps=7000,
    ),
)
