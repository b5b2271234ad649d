"""WGAN-GP: the critic is held Lipschitz by a penalty on its gradient, not by clipping.

critic: E D(G(z)) - E D(x) + 10 E (||grad D(m)||_2 - 1)^2,  m on the lines between x and G(z)
G:      -E D(G(z))

python train.py --variant=wgan_gp           # the settings that measure best on a laptop
python train.py --variant=wgan_gp_paper     # Adam 1e-4 (0, 0.9), five critic steps

`wgan_gp` takes one critic step instead of five, at four times the generator's rate, with both rates
falling to 0, and samples an averaged generator: docs/decisions.md has what was tried.
"""

import keras

from tfgans import losses, optimizers, penalties
from tfgans.adversarial import AdversarialModel
from tfgans.networks import dcgan
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class WGANGP(AdversarialModel):
    """Wasserstein losses and a two-sided gradient penalty; no batch norm in the critic.

    Args:
        gp_weight: Weight of the gradient penalty, lambda in the paper.

    Reference:
        Gulrajani et al., 2017, arXiv:1704.00028, Algorithm 1.
    """

    logs = ("d_loss", "g_loss", "gradient_penalty")

    def __init__(self, generator, discriminator, *, gp_weight=10.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.gp_weight = gp_weight

    def train_step(self, batch):
        """Algorithm 1: n_critic penalised critic steps, then the generator."""
        for part in self.critic_batches(batch):
            d_loss, penalty = self.discriminator_step(
                part, losses.wasserstein_discriminator, self.gradient_penalty
            )
        g_loss = self.generator_step(part, losses.wasserstein_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss, gradient_penalty=penalty)

    def gradient_penalty(self, critic, real, fake):
        """Lambda times the penalty at points drawn anew for each critic step."""
        mix = self.uniform("gradient_penalty", like=real)
        return self.gp_weight * penalties.gradient_penalty(critic, real, fake, noise=mix)


ADAM = {"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam}
TINY = {"n_critic": 2, "generator.latent_dim": 4, "generator.width": 4, "discriminator.width": 4}

VARIANTS = (
    Variant(
        name="wgan_gp",
        model=WGANGP,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers=ADAM,
        options={
            "ema_decay": 0.999,
            "generator.latent_dim": 64,
            "discriminator.batch_norm": False,
            "g_optimizer.learning_rate": 1e-3,
            "g_optimizer.beta_1": 0.0,
            "g_optimizer.beta_2": 0.99,
            "g_optimizer.schedule": "linear",
            "d_optimizer.learning_rate": 4e-3,
            "d_optimizer.beta_1": 0.0,
            "d_optimizer.beta_2": 0.99,
            "d_optimizer.schedule": "linear",
        },
        tiny=TINY,
        steps=8000,
        batch_size=32,
    ),
    Variant(
        name="wgan_gp_paper",
        model=WGANGP,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers=ADAM,
        options={
            "n_critic": 5,
            "discriminator.batch_norm": False,
            "g_optimizer.learning_rate": 1e-4,
            "g_optimizer.beta_1": 0.0,
            "g_optimizer.beta_2": 0.9,
            "d_optimizer.learning_rate": 1e-4,
            "d_optimizer.beta_1": 0.0,
            "d_optimizer.beta_2": 0.9,
        },
        tiny=TINY,
        steps=2000,
    ),
)
