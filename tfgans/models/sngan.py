"""SN-GAN: every kernel of the discriminator divided by its largest singular value.

    W <- W / sigma(W),  sigma by one power iteration for each discriminator step

    python train.py --variant=sngan             # DCGAN networks
    python train.py --variant=sngan_resnet      # residual networks, five critic steps

The rows are the hinge GAN's scheme with other networks: the normalisation is a layer that the
network builder hands out. `sngan_resnet` is narrower than the paper's (256 and 128 channels,
latents of 128) and takes batches of 32, so that a laptop trains it in ten minutes. What is sampled
is an averaged generator (`ema_decay`), which the paper does not have.
"""

from tfgans import optimizers
from tfgans.models.hinge import HingeGAN
from tfgans.networks import dcgan, resnet
from tfgans.variant import Variant

ADAM = {"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam}

VARIANTS = (
    Variant(
        name="sngan",
        model=HingeGAN,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers=ADAM,
        options={
            "ema_decay": 0.999,
            "discriminator.batch_norm": False,
            "discriminator.spectral_norm": True,
            "g_optimizer.learning_rate": 2e-4,
            "g_optimizer.beta_1": 0.5,
            "d_optimizer.learning_rate": 2e-4,
            "d_optimizer.beta_1": 0.5,
        },
        tiny={"generator.latent_dim": 4, "generator.width": 4, "discriminator.width": 4},
        steps=7000,
    ),
    Variant(
        name="sngan_resnet",
        model=HingeGAN,
        networks={"generator": resnet.generator, "discriminator": resnet.discriminator},
        optimizers=ADAM,
        options={
            "n_critic": 5,
            "ema_decay": 0.999,
            "generator.latent_dim": 64,
            "generator.width": 32,
            "discriminator.width": 32,
            "g_optimizer.learning_rate": 2e-4,
            "g_optimizer.beta_1": 0.0,
            "g_optimizer.beta_2": 0.9,
            "d_optimizer.learning_rate": 2e-4,
            "d_optimizer.beta_1": 0.0,
            "d_optimizer.beta_2": 0.9,
        },
        tiny={
            "n_critic": 2,
            "generator.latent_dim": 4,
            "generator.width": 4,
            "discriminator.width": 4,
            "discriminator.num_flat_blocks": 0,
        },
        steps=1800,
        batch_size=32,
    ),
)
