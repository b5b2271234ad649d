"""WGAN: the critic estimates the earth mover's distance, made Lipschitz by clipping its weights.

    critic: E f(G(z)) - E f(x), then every weight to [-0.01, 0.01]      G: -E f(G(z))

    python train.py --variant=wgan                 # DCGAN networks
    python train.py --variant=wgan_no_bn           # text 004, Figure 6: bare generator
    python train.py --variant=wgan_mlp_generator   # text 004, Figure 7: 4x512 perceptron
    python train.py --variant=wgan_mlp             # the perceptrons of text 002

Text 002's critic ends in a sigmoid; ours is linear, as the paper's. Clipping is a constraint on
the critic's layers, which the optimiser applies after each of its steps. `wgan` samples an averaged
generator (`ema_decay`), which the paper does not have. Weight clipping learns slowly: after 8,000
steps most of its digits can be read, at a FID of 10.7 where `wgan_gp` has 3.9.
"""

import keras
import tensorflow as tf

from tfgans import losses, replicas
from tfgans.adversarial import AdversarialModel
from tfgans.errors import UsageError
from tfgans.networks import dcgan, mlp
from tfgans.variant import Variant

_WARM_UP_STEPS = 25  # first generator steps with more critic steps, and every 500th
_WARM_UP_EVERY = 500


@keras.saving.register_keras_serializable("tfgans")
class WGAN(AdversarialModel):
    """A critic trained to near optimality before each generator step.

    Args:
        warm_up_critic_steps: Critic steps for the first 25 and every 500th generator step, as in
            the authors' code (100); 0: none. They go round the step's batches with fresh latents.

    Reference:
        Arjovsky et al., 2017, arXiv:1701.07875, Algorithm 1.
    """

    def __init__(self, generator, discriminator, *, warm_up_critic_steps=0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        if warm_up_critic_steps and replicas.several():  # its loop cannot wait for the others
            raise UsageError(f"{warm_up_critic_steps=}: works on one replica only")
        self.warm_up_critic_steps = warm_up_critic_steps

    def updates_in(self, name, steps):
        """Those of the warm-ups too."""
        usual = super().updates_in(name, steps)
        if "discriminator" not in self.optimizes[name]:
            return usual
        warm = {*range(min(steps, _WARM_UP_STEPS)), *range(0, steps, _WARM_UP_EVERY)}
        period = self.alternate_every or steps
        own = sum(step // period % 2 == 0 for step in warm)
        return usual + own * self._more_critic_steps

    def train_step(self, batch):
        """Algorithm 1: n_critic critic steps, each followed by the clip, then the generator."""
        if self.warm_up_critic_steps:
            self.warm_up(batch)
        for part in self.critic_batches(batch):
            d_loss = self.discriminator_step(part, losses.wasserstein_discriminator)
        g_loss = self.generator_step(part, losses.wasserstein_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss)

    @property
    def _more_critic_steps(self):
        return max(0, self.warm_up_critic_steps - self.n_critic)

    def warm_up(self, batch):
        """Takes the critic steps that a warm-up step has beyond the usual `n_critic`."""
        due = (self.step < _WARM_UP_STEPS) | (self.step % _WARM_UP_EVERY == 0)
        extra = tf.where(due, self._more_critic_steps, 0)

        def one_more(turn):
            self.notes.part = self.n_critic + turn  # its latents are its own
            part = {key: tf.roll(rows, turn, 0)[:: self.n_critic] for key, rows in batch.items()}
            self.discriminator_step(part, losses.wasserstein_discriminator)
            return [turn + 1]

        tf.while_loop(lambda turn: turn < extra, one_more, [tf.constant(0)], parallel_iterations=1)


RMSPROP = {"g_optimizer": keras.optimizers.RMSprop, "d_optimizer": keras.optimizers.RMSprop}
# Keras adds epsilon under the root: 1e-16 there is the authors' 1e-8 beside it. Its default, 1e-7,
# is a floor of 3e-4, above most gradients through a clipped critic, and slows the generator.
PAPER = {
    "n_critic": 5,
    "discriminator.weight_clip": 0.01,
    "g_optimizer.learning_rate": 5e-5,
    "g_optimizer.rho": 0.99,
    "g_optimizer.epsilon": 1e-16,
    "d_optimizer.learning_rate": 5e-5,
    "d_optimizer.rho": 0.99,
    "d_optimizer.epsilon": 1e-16,
}
TINY = {"n_critic": 2, "generator.latent_dim": 4, "generator.width": 4, "discriminator.width": 4}

VARIANTS = (
    Variant(
        name="wgan",
        model=WGAN,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers=RMSPROP,
        options={**PAPER, "ema_decay": 0.999},
        tiny=TINY,
        steps=8000,
    ),
    Variant(
        name="wgan_no_bn",
        model=WGAN,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers=RMSPROP,
        options={**PAPER, "generator.batch_norm": False, "generator.constant_width": True},
        tiny=TINY,
        steps=2000,
    ),
    Variant(
        name="wgan_mlp_generator",
        model=WGAN,
        networks={"generator": mlp.generator, "discriminator": dcgan.discriminator},
        optimizers=RMSPROP,
        options={**PAPER, "generator.num_layers": 4, "generator.width": 512},
        tiny=TINY,
        steps=2000,
    ),
    Variant(
        name="wgan_mlp",
        model=WGAN,
        networks={"generator": mlp.generator, "discriminator": mlp.discriminator},
        optimizers=RMSPROP,
        options=PAPER,
        tiny=TINY,
        steps=10000,
        batch_size=100,
    ),
)
