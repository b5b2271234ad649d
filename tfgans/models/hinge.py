"""Geometric GAN: a soft-margin classifier as discriminator, which ignores what it has settled.

    D: E relu(1 - D(x)) + E relu(1 + D(G(z))) + margin_weight / 2 |w|^2      G: -E D(G(z))

    python train.py --variant=hinge

The weight term of the soft-margin SVM acts on the last layer's kernel w, the separating
hyperplane, and is off by default, as in the works that took the loss over. Under spectral
normalisation, which ignores the kernel's scale, it is a weight decay and no margin. What is sampled
is an averaged generator (`ema_decay`), which the paper does not have.
"""

import keras
import tensorflow as tf

from tfgans import losses, optimizers
from tfgans.adversarial import AdversarialModel
from tfgans.networks import dcgan
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class HingeGAN(AdversarialModel):
    """The hinge loss of a linear SVM in the discriminator's last feature space.

    Args:
        margin_weight: Weight of half the squared norm of the hyperplane; 0 leaves it out.

    Reference:
        Lim and Ye, 2017, arXiv:1705.02894; Miyato et al., 2018, arXiv:1802.05957, Equations 16, 17.
    """

    logs = ("d_loss", "g_loss", "margin_penalty")

    def __init__(self, generator, discriminator, *, margin_weight=0.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.margin_weight = margin_weight

    def train_step(self, batch):
        """One step of each player."""
        for part in self.critic_batches(batch):
            d_loss, margin = self.discriminator_step(
                part, losses.hinge_discriminator, self.margin_penalty
            )
        g_loss = self.generator_step(part, losses.hinge_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss, margin_penalty=margin)

    def margin_penalty(self, critic, real, fake):
        """Half the squared norm of the last kernel: a small norm is a wide margin."""
        del critic, real, fake
        kernel = [v for v in self.discriminator.trainable_variables if v.name == "kernel"][-1]
        return self.margin_weight * tf.nn.l2_loss(kernel.value)


VARIANTS = (
    Variant(
        name="hinge",
        model=HingeGAN,
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
