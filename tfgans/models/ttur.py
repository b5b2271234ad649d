"""TTUR: two learning rates instead of several critic steps for each generator step.

    The critic learns three times as fast as the generator; each takes one step in turn.

    python train.py --variant=ttur

The scheme and the networks are WGAN-GP's. At rates b(n) of the discriminator and a(n) of the
generator with a(n) / b(n) -> 0, so that the discriminator is quick enough to be at its optimum, the
game converges to a local Nash equilibrium. `wgan_gp_paper` is the other way to such a critic, five
steps of it for one of the generator: docs/results/two_time_scales.json compares both at equal
compute.
"""

from tfgans import optimizers
from tfgans.models.wgan_gp import WGANGP
from tfgans.networks import dcgan
from tfgans.variant import Variant

VARIANTS = (
    Variant(
        name="ttur",
        model=WGANGP,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
        options={
            "ema_decay": 0.999,
            "discriminator.batch_norm": False,
            "g_optimizer.learning_rate": 1e-4,
            "g_optimizer.beta_1": 0.0,
            "g_optimizer.beta_2": 0.9,
            "d_optimizer.learning_rate": 3e-4,
            "d_optimizer.beta_1": 0.0,
            "d_optimizer.beta_2": 0.9,
        },
        tiny={"generator.latent_dim": 4, "generator.width": 4, "discriminator.width": 4},
        steps=8000,
    ),
)
