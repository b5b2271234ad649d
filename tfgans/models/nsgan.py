"""The non-saturating GAN: the generator maximises log D(G(z)), so early gradients are strong.

    D: -E log D(x) - E log(1 - D(G(z)))      G: -E log D(G(z))

    python train.py --variant=nsgan      # the perceptrons behind text 002's table
    python train.py --variant=dcgan      # convolutions and batch normalisation
    python train.py --variant=dcgan_noise     # what the discriminator sees is noisy at first

`dcgan` at 64x64x3 has the networks of text 002 layer by layer; smaller pictures have fewer
layers, and below 64 pixels the generator's maps are narrower (`generator.width`). What is sampled
is an averaged generator (`ema_decay`), which the paper does not have.
"""

import dataclasses
import functools

import keras

from tfgans import losses, optimizers, tricks
from tfgans.adversarial import AdversarialModel
from tfgans.networks import dcgan, mlp
from tfgans.variant import Variant

ADAM = {"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam}


@keras.saving.register_keras_serializable("tfgans")
class NonSaturatingGAN(AdversarialModel):
    """Goodfellow's heuristic game, the standard in practice.

    Args:
        real_target: Target of the cross-entropy on real images; below 1 it is one-sided label
            smoothing.

    Reference:
        Goodfellow et al., 2014, arXiv:1406.2661, Section 3.
    """

    def __init__(self, generator, discriminator, *, real_target=1.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.real_target = tricks.checked_target(real_target)

    def train_step(self, batch):
        """Algorithm 1 with the other generator loss."""
        cross_entropy = functools.partial(
            losses.non_saturating_discriminator, real_target=self.real_target
        )
        for part in self.critic_batches(batch):
            d_loss = self.discriminator_step(part, cross_entropy)
        g_loss = self.generator_step(part, losses.non_saturating_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss)


DCGAN = Variant(
    name="dcgan",
    model=NonSaturatingGAN,
    networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
    optimizers=ADAM,
    options={
        "ema_decay": 0.999,
        "g_optimizer.learning_rate": 2e-4,
        "g_optimizer.beta_1": 0.5,
        "d_optimizer.learning_rate": 2e-4,
        "d_optimizer.beta_1": 0.5,
    },
    tiny={"generator.latent_dim": 4, "generator.width": 4, "discriminator.width": 4},
    steps=7000,
)
VARIANTS = (
    Variant(
        name="nsgan",
        model=NonSaturatingGAN,
        networks={"generator": mlp.generator, "discriminator": mlp.discriminator},
        optimizers=ADAM,
        options={
            "g_optimizer.learning_rate": 2e-4,
            "g_optimizer.beta_1": 0.9,
            "d_optimizer.learning_rate": 2e-4,
            "d_optimizer.beta_1": 0.9,
        },
        tiny={"generator.latent_dim": 4, "generator.width": 8, "discriminator.width": 8},
        steps=30000,
        batch_size=100,
    ),
    DCGAN,
    dataclasses.replace(
        DCGAN, name="dcgan_noise", options={**DCGAN.options, "instance_noise": 0.1}
    ),
)
