"""The first GAN: two players, one value, and a generator whose gradient saturates.

    min_G max_D  E log D(x) + E log(1 - D(G(z))),   D = s(logits)

    python train.py --variant=gan

Multilayer perceptrons of text 002 (G 64-256-256-784 with ReLU and tanh, D with LeakyReLU 0.2)
in place of the paper's maxout networks; dropout in the discriminator and SGD with momentum as in
the paper, the rate falling linearly instead of exponentially and the momentum constant. The
discriminator learns at a tenth of the generator's rate. Without the dropout, or at equal rates, it
wins within some thousand steps and the generator's gradient dies, as the theory says it must.
"""

import functools

import keras

from tfgans import losses, tricks
from tfgans.adversarial import AdversarialModel
from tfgans.networks import mlp
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class GAN(AdversarialModel):
    """Goodfellow's minimax game: k discriminator steps, then one of the generator.

    Args:
        real_target: Target of the cross-entropy on real images; below 1 it is one-sided label
            smoothing.

    Reference:
        Goodfellow et al., 2014, arXiv:1406.2661, Algorithm 1.
    """

    def __init__(self, generator, discriminator, *, real_target=1.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.real_target = tricks.checked_target(real_target)

    def train_step(self, batch):
        """One turn of Algorithm 1; k is `n_critic`."""
        cross_entropy = functools.partial(
            losses.minimax_discriminator, real_target=self.real_target
        )
        for part in self.critic_batches(batch):
            d_loss = self.discriminator_step(part, cross_entropy)
        g_loss = self.generator_step(part, losses.minimax_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss)


VARIANTS = (
    Variant(
        name="gan",
        model=GAN,
        networks={"generator": mlp.generator, "discriminator": mlp.discriminator},
        optimizers={"g_optimizer": keras.optimizers.SGD, "d_optimizer": keras.optimizers.SGD},
        options={
            "discriminator.dropout": 0.3,
            "g_optimizer.learning_rate": 0.1,
            "g_optimizer.momentum": 0.5,
            "g_optimizer.schedule": "linear",
            "d_optimizer.learning_rate": 0.01,
            "d_optimizer.momentum": 0.5,
            "d_optimizer.schedule": "linear",
        },
        tiny={"generator.latent_dim": 4, "generator.width": 8, "discriminator.width": 8},
        steps=15000,
        batch_size=100,
    ),
)
