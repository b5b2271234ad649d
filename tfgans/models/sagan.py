"""SAGAN: self-attention in both networks, spectral normalisation in both, two learning rates.

    o = gamma * attention(x) + x  at the larger maps,  gamma from 0

    python train.py --variant=sagan
    python generate.py --model=saved_models/sagan --label=all --out=classes.png

The scheme is the hinge GAN's with one critic step; the networks are SN-GAN's, told the class. The
paper attends at maps of 32x32 in pictures of 128x128 (`attention=32`, with `pyramid=true`, of which
the first convolution of a block of D keeps the block's width where the authors' widens); digits of
28x28 have it at 14x14. The networks are narrower than the paper's, and both rates five times its
1e-4 and 4e-4: of so few steps a class does not learn its scales and shifts by those. What is
sampled is an averaged generator (`ema_decay`), which the paper does not have.
"""

from tfgans import optimizers
from tfgans.models.hinge import HingeGAN
from tfgans.networks import resnet
from tfgans.variant import Variant

VARIANTS = (
    Variant(
        name="sagan",
        model=HingeGAN,
        networks={"generator": resnet.generator, "discriminator": resnet.discriminator},
        optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
        options={
            "ema_decay": 0.999,
            "generator.latent_dim": 64,
            "generator.width": 32,
            "generator.labels": True,
            "generator.spectral_norm": True,
            "generator.attention": 14,
            "discriminator.width": 32,
            "discriminator.labels": True,
            "discriminator.attention": 14,
            "g_optimizer.learning_rate": 5e-4,
            "g_optimizer.beta_1": 0.0,
            "g_optimizer.beta_2": 0.9,
            "d_optimizer.learning_rate": 2e-3,
            "d_optimizer.beta_1": 0.0,
            "d_optimizer.beta_2": 0.9,
        },
        tiny={
            "generator.latent_dim": 4,
            "generator.width": 4,
            "generator.attention": 8,
            "discriminator.width": 8,
            "discriminator.num_flat_blocks": 0,
            "discriminator.attention": 4,
            # A bias before a normalisation has no gradient but rounding, of which Adam makes steps.
            "g_optimizer.learning_rate": 1e-4,
        },
        steps=4000,
        batch_size=32,
    ),
)
