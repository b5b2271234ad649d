"""The conditional GAN: generator and discriminator are both told the class.

    D: -E log D(x | y) - E log(1 - D(G(z | y) | y))      G: -E log D(G(z | y) | y)

    python train.py --variant=cgan
    python generate.py --model=saved_models/cgan --label=all --out=classes.png

The game is the non-saturating GAN's: only the networks know of the label. The generator joins an
embedding of it to the latent, the discriminator takes it as a further channel of the picture. The
classes of generated pictures are those of the real ones beside them in the batch; no real picture
is shown with a wrong class. The paper's networks are perceptrons, these are DCGAN's.
"""

from tfgans import optimizers
from tfgans.models.nsgan import NonSaturatingGAN
from tfgans.networks import dcgan
from tfgans.variant import Variant

VARIANTS = (
    Variant(
        name="cgan",
        model=NonSaturatingGAN,
        networks={"generator": dcgan.generator, "discriminator": dcgan.discriminator},
        optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
        options={
            "ema_decay": 0.999,
            "generator.latent_dim": 64,
            "generator.label_dim": 16,
            "discriminator.labels": "given",
            "g_optimizer.learning_rate": 2e-4,
            "g_optimizer.beta_1": 0.5,
            "d_optimizer.learning_rate": 2e-4,
            "d_optimizer.beta_1": 0.5,
        },
        tiny={
            "generator.latent_dim": 4,
            "generator.width": 4,
            "generator.label_dim": 2,
            "discriminator.width": 4,
        },
        steps=7000,
    ),
)
