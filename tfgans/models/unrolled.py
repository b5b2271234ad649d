"""Unrolled GAN: the generator plays against the discriminator of some steps ahead.

    f = E log s(D(x)) + E log(1 - s(D(G(z))))
    D: one step up f        G: one step down f(D_k), D_0 = D, D_i+1 = D_i after a step up f

    python train.py --variant=unrolled
    python train.py --variant=unrolled --set unroll_steps=10

D_k depends on the generator through every step of the look-ahead, and the gradient is taken through
all of them. A generator that gathers on one mode sees that the discriminator will follow, so it
spreads instead. The steps ahead are those of the discriminator's optimiser from where it is, on the
images of this step; the discriminator itself has taken its own step before and takes no other.
With `unroll_steps=0` this is the minimax game. The networks are text 002's perceptrons; the rates
are those of the authors' published code for a ring of Gaussians. With `--accumulate` each piece
looks ahead for itself.
"""

import keras
import tensorflow as tf

from tfgans import lookahead, losses, optimizers, tricks
from tfgans.adversarial import AdversarialModel
from tfgans.errors import UsageError
from tfgans.networks import mlp
from tfgans.variant import Variant


@keras.saving.register_keras_serializable("tfgans")
class UnrolledGAN(AdversarialModel):
    """The minimax game, in which the generator looks ahead.

    Args:
        unroll_steps: Discriminator steps that it looks ahead, k in the paper.
        real_target: Target of the cross-entropy on real images; below 1 it is one-sided label
            smoothing.

    Reference:
        Metz et al., 2016, arXiv:1611.02163, Equations 6 to 11.
    """

    def __init__(self, generator, discriminator, *, unroll_steps=5, real_target=1.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        if unroll_steps < 0:
            raise UsageError(f"unroll_steps={unroll_steps!r} must be at least 0")
        self.unroll_steps = unroll_steps
        self.real_target = tricks.checked_target(real_target)

    def compile(self, **optimizers):
        """Takes a discriminator's optimiser that can look ahead: Adam or SGD."""
        lookahead.check(optimizers["d_optimizer"])
        super().compile(**optimizers)

    def train_step(self, batch):
        """The discriminator's ordinary steps, then the generator's against what comes of it."""
        for part in self.critic_batches(batch):
            d_loss = self.discriminator_step(part, self.discriminator_loss)
        g_loss, *_ = self.minimize("g_optimizer", self.surrogate, part)
        return self.track(d_loss=d_loss, g_loss=g_loss)

    def discriminator_loss(self, real_logits, fake_logits):
        """Minus f."""
        return losses.minimax_discriminator(real_logits, fake_logits, real_target=self.real_target)

    def surrogate(self, batch):
        """Returns f at D_k, Equation 9: both terms, and both depend on the generator."""
        fake = self.presented(self.fake_images(batch, "generator_latent"), "generator")
        real = self.presented(batch["image"], "ahead")

        def d_loss():
            return self.discriminator_loss(*map(self.critic(batch), (real, fake)))

        def objective():
            return tf.add_n([d_loss(), *self.regularizers("d_optimizer").values()])

        weights = self.discriminator.trainable_variables
        ahead = lookahead.look_ahead(weights, self.d_optimizer, objective, self.unroll_steps)
        with lookahead.replaced(weights, ahead):
            game = -d_loss()
        return [game, *self.feature_terms(batch, fake)]


VARIANTS = (
    Variant(
        name="unrolled",
        model=UnrolledGAN,
        networks={"generator": mlp.generator, "discriminator": mlp.discriminator},
        optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
        options={
            "g_optimizer.learning_rate": 1e-3,
            "g_optimizer.beta_1": 0.5,
            "d_optimizer.learning_rate": 1e-4,
            "d_optimizer.beta_1": 0.5,
        },
        tiny={
            "unroll_steps": 2,
            "generator.latent_dim": 4,
            "generator.width": 8,
            "discriminator.width": 8,
        },
        steps=10000,
        batch_size=100,
    ),
)
