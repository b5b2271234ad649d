"""Projection SN-GAN: the class scales the generator's maps and is projected on D's features.

    G: BN(h) (1 + a_y) + b_y in place of each batch normalisation
    D(x, y) = <w, phi(x)> + <v_y, phi(x)>,  all kernels spectrally normalised

    python train.py --variant=sngan_projection
    python generate.py --model=saved_models/sngan_projection --label=all --out=classes.png

The scheme is the hinge GAN's, the networks are those of `sngan_resnet`, told the class. From 64x64
on, `--set generator.pyramid=true discriminator.pyramid=true discriminator.num_flat_blocks=1` gives
the papers' shapes, whose widths double; at 64x64 their last block of D halves once more, ours keeps
its 4x4 maps. The rates are the highest that the spectral normalisation paper tries (its settings D
to F), five times the usual: of so few steps a class does not learn its scales and shifts by those.
What is sampled is an averaged generator (`ema_decay`), which the paper does not have.
"""

from tfgans import optimizers
from tfgans.models.hinge import HingeGAN
from tfgans.networks import resnet
from tfgans.variant import Variant

VARIANTS = (
    Variant(
        name="sngan_projection",
        model=HingeGAN,
        networks={"generator": resnet.generator, "discriminator": resnet.discriminator},
        optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
        options={
            "n_critic": 5,
            "ema_decay": 0.999,
            "generator.latent_dim": 64,
            "generator.width": 32,
            "generator.labels": True,
            "discriminator.width": 32,
            "discriminator.labels": True,
            "g_optimizer.learning_rate": 1e-3,
            "g_optimizer.beta_1": 0.0,
            "g_optimizer.beta_2": 0.9,
            "d_optimizer.learning_rate": 1e-3,
            "d_optimizer.beta_1": 0.0,
            "d_optimizer.beta_2": 0.9,
        },
        tiny={
            "n_critic": 2,
            "generator.latent_dim": 4,
            "generator.width": 4,
            "discriminator.width": 4,
            "discriminator.num_flat_blocks": 0,
            # A bias before a normalisation has no gradient but rounding, of which Adam makes steps.
            "g_optimizer.learning_rate": 2e-4,
        },
        steps=1800,
        batch_size=32,
    ),
)
