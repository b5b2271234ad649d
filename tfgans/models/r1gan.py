"""R1: the non-saturating game, with a discriminator that is kept flat at real images.

    D: -E log s(D(x)) - E log(1 - s(D(G(z)))) + r1_weight / 2 E ||grad D(x)||_2^2
    G: -E log s(D(G(z)))

    python train.py --variant=r1gan

Where the generator meets the data, a discriminator with a slope there pushes it away again: the
game circles the solution. The penalty takes the slope away, and alternating steps converge near it.
The networks are DCGAN's, without batch normalisation in the discriminator, whose slopes at one
image would depend on the others. The paper's weight is 10, of larger pictures.
"""

import functools

import keras

from tfgans import losses, optimizers, penalties, tricks
from tfgans.adversarial import AdversarialModel
from tfgans.networks import dcgan
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class R1GAN(AdversarialModel):
    """Non-saturating losses and a zero-centred penalty on real images.

    Args:
        r1_weight: Gamma: half of it weighs the discriminator's squared slope at real images.
        real_target: Target of the cross-entropy on real images; below 1 it is one-sided label
            smoothing.

    Reference:
        Mescheder et al., 2018, arXiv:1801.04406, Section 4.1.
    """

    logs = ("d_loss", "g_loss", "r1_penalty")

    def __init__(self, generator, discriminator, *, r1_weight=10.0, real_target=1.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.r1_weight = r1_weight
        self.real_target = tricks.checked_target(real_target)

    def train_step(self, batch):
        """The penalised discriminator's steps, then the generator's."""
        cross_entropy = functools.partial(
            losses.non_saturating_discriminator, real_target=self.real_target
        )
        for part in self.critic_batches(batch):
            d_loss, penalty = self.discriminator_step(part, cross_entropy, self.r1_penalty)
        g_loss = self.generator_step(part, losses.non_saturating_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss, r1_penalty=penalty)

    def r1_penalty(self, critic, real, fake):
        """Gamma / 2 times the penalty."""
        return self.r1_weight / 2.0 * penalties.r1_penalty(critic, real, fake)


VARIANTS = (
    Variant(
        name="r1gan",
        model=R1GAN,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
        options={
            "r1_weight": 1.0,
            "ema_decay": 0.999,
            "generator.latent_dim": 64,
            "discriminator.batch_norm": False,
            "g_optimizer.learning_rate": 2e-4,
            "g_optimizer.beta_1": 0.0,
            "g_optimizer.beta_2": 0.99,
            "d_optimizer.learning_rate": 2e-4,
            "d_optimizer.beta_1": 0.0,
            "d_optimizer.beta_2": 0.99,
        },
        tiny={"generator.latent_dim": 4, "generator.width": 4, "discriminator.width": 4},
        steps=8000,
    ),
)
