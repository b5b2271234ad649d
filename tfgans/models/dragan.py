"""DRAGAN: the discriminator's slope is held at one where the data is, not on the way to it.

    D: -E log s(D(x)) - E log(1 - s(D(G(z)))) + gp_weight E (||grad D(x + std(x) / 2 u)||_2 - 1)^2
    G: -E log s(D(G(z)))

    python train.py --variant=dragan

u is uniform on [0, 1), a number of its own for each pixel; the authors' code draws its points from
the lines between x and x + std(x) / 2 u, here they are at their ends. The paper sees mode collapse
as a bad local equilibrium, at which the discriminator is steep around some real points. The
networks are DCGAN's, without batch normalisation in the discriminator. With `--accumulate` the
deviation is that of each piece.
"""

import functools

import keras

from tfgans import losses, optimizers, penalties, replicas, tricks
from tfgans.adversarial import AdversarialModel
from tfgans.networks import dcgan
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class DRAGAN(AdversarialModel):
    """Non-saturating losses and a gradient penalty around real images.

    Args:
        gp_weight: Weight of the gradient penalty, lambda in the paper.
        real_target: Target of the cross-entropy on real images; below 1 it is one-sided label
            smoothing.

    Reference:
        Kodali et al., 2017, arXiv:1705.07215, Algorithm 1.
    """

    logs = ("d_loss", "g_loss", "gradient_penalty")

    def __init__(self, generator, discriminator, *, gp_weight=10.0, real_target=1.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.gp_weight = gp_weight
        self.real_target = tricks.checked_target(real_target)

    def train_step(self, batch):
        """The penalised discriminator's steps, then the generator's."""
        cross_entropy = functools.partial(
            losses.non_saturating_discriminator, real_target=self.real_target
        )
        for part in self.critic_batches(batch):
            d_loss, penalty = self.discriminator_step(part, cross_entropy, self.gradient_penalty)
        g_loss = self.generator_step(part, losses.non_saturating_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss, gradient_penalty=penalty)

    def gradient_penalty(self, critic, real, fake):
        """Lambda times the penalty, at points drawn anew for each step."""
        near = {"std": replicas.std(real), "noise": self.uniforms("gradient_penalty", real.shape)}
        return self.gp_weight * penalties.dragan_penalty(critic, real, fake, **near)


VARIANTS = (
    Variant(
        name="dragan",
        model=DRAGAN,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
        options={
            "ema_decay": 0.999,
            "discriminator.batch_norm": False,
            "g_optimizer.learning_rate": 2e-4,
            "g_optimizer.beta_1": 0.5,
            "d_optimizer.learning_rate": 2e-4,
            "d_optimizer.beta_1": 0.5,
        },
        tiny={"generator.latent_dim": 4, "generator.width": 4, "discriminator.width": 4},
        steps=7000,
    ),
)
