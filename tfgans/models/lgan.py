"""Lipschitz GAN: any convex loss will do, as long as the steepest slope of the critic is paid for.

    D: E phi(D(G(z))) + E phi(-D(x)) + lipschitz_weight max ||grad D(m)||_2^2
    G: -E D(G(z))

    python train.py --variant=lgan
    python train.py --variant=lgan --set phi=sqrt

m lies at random on the lines between real and generated images, and the maximum is over the batch.
Unlike WGAN-GP's penalty it asks for no slope, it only makes the largest one cost. Where the two
distributions are apart, each generated image is then pulled straight to a real one. Linear phi is
a Wasserstein critic. The networks are DCGAN's, without batch normalisation in the critic; one
critic step at four times the generator's rate stands for the paper's five at the same rate, 2e-4.
phi=exp needs slower critics than this one. With `--accumulate` the maximum is over each piece.
"""

import functools

import keras

from tfgans import losses, optimizers, penalties
from tfgans.adversarial import AdversarialModel
from tfgans.errors import UsageError
from tfgans.networks import dcgan
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class LipschitzGAN(AdversarialModel):
    """A convex loss and a penalty on the largest slope.

    Args:
        phi: Convex function of the critic's loss: exp, softplus, sqrt or linear.
        lipschitz_weight: Weight of the largest squared slope, lambda in the paper.

    Reference:
        Zhou et al., 2019, arXiv:1902.05687; 2018, arXiv:1807.00751.
    """

    logs = ("d_loss", "g_loss", "lipschitz_penalty")

    def __init__(self, generator, discriminator, *, phi="softplus", lipschitz_weight=0.1, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        if phi not in losses.PHI:
            raise UsageError(f"phi={phi!r} must be one of {', '.join(losses.PHI)}")
        self.phi, self.lipschitz_weight = phi, lipschitz_weight

    def train_step(self, batch):
        """The penalised critic's steps, then the generator's."""
        critic_loss = functools.partial(losses.lipschitz_discriminator, phi=self.phi)
        for part in self.critic_batches(batch):
            d_loss, penalty = self.discriminator_step(part, critic_loss, self.lipschitz_penalty)
        g_loss = self.generator_step(part, losses.lipschitz_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss, lipschitz_penalty=penalty)

    def lipschitz_penalty(self, critic, real, fake):
        """Lambda times the penalty, at points drawn anew for each step."""
        mix = self.uniform("lipschitz_penalty", like=real)
        return self.lipschitz_weight * penalties.lipschitz_penalty(critic, real, fake, noise=mix)


VARIANTS = (
    Variant(
        name="lgan",
        model=LipschitzGAN,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
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
        tiny={
            "n_critic": 2,
            "generator.latent_dim": 4,
            "generator.width": 4,
            "discriminator.width": 4,
        },
        steps=8000,
        batch_size=32,
    ),
)
