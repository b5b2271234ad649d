"""Noise on the discriminator's inputs, not drawn but worked out: a penalty on its slopes.

    D: -E log s(D(x)) - E log(1 - s(D(G(z)))) + gamma / 2 [E (1 - s(D(x)))^2 ||grad D(x)||_2^2
                                                           + E s(D(G(z)))^2 ||grad D(G(z))||_2^2]
    G: -E log s(D(G(z)))

    python train.py --variant=roth

To second order, and at the best discriminator, Gaussian noise of variance gamma on real and
generated images adds this term. The slopes are of the logits, and the factors before them are not
held constant. Gamma falls as `roth_weight` * `final_share`^t, t from 0 to 1 over the run. The
networks are DCGAN's, without batch normalisation in the discriminator.
"""

import functools

import keras

from tfgans import losses, optimizers, penalties, tricks
from tfgans.adversarial import AdversarialModel
from tfgans.errors import UsageError
from tfgans.networks import dcgan
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class RothGAN(AdversarialModel):
    """The non-saturating game with the regulariser of the Jensen-Shannon GAN.

    Args:
        roth_weight: Gamma when the run begins: the variance of the noise that is stood for.
        final_share: What is left of gamma when the run ends.
        real_target: Target of the cross-entropy on real images; below 1 it is one-sided label
            smoothing.

    Reference:
        Roth et al., 2017, arXiv:1705.09367, Algorithm 1.
    """

    logs = ("d_loss", "g_loss", "roth_penalty")
    anneals = (*AdversarialModel.anneals, "roth_weight")

    def __init__(
        self,
        generator,
        discriminator,
        *,
        roth_weight=2.0,
        final_share=0.01,
        real_target=1.0,
        **kwargs,
    ):
        super().__init__(generator, discriminator, **kwargs)
        if not 0.0 < final_share <= 1.0:
            raise UsageError(f"final_share={final_share!r} must lie in (0, 1]")
        self.roth_weight, self.final_share = roth_weight, final_share
        self.real_target = tricks.checked_target(real_target)

    def train_step(self, batch):
        """The regularised discriminator's steps, then the generator's."""
        cross_entropy = functools.partial(
            losses.non_saturating_discriminator, real_target=self.real_target
        )
        for part in self.critic_batches(batch):
            d_loss, penalty = self.discriminator_step(part, cross_entropy, self.roth_penalty)
        g_loss = self.generator_step(part, losses.non_saturating_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss, roth_penalty=penalty)

    def roth_penalty(self, critic, real, fake):
        """Half of the gamma of this step times the penalty."""
        gamma = self.roth_weight * self.final_share ** self.progress()
        return gamma / 2.0 * penalties.roth_penalty(critic, real, fake)


VARIANTS = (
    Variant(
        name="roth",
        model=RothGAN,
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
