"""BigGAN: SAGAN's game made large, a latent for every block, and truncation of it when sampling.

    D: E relu(1 - D(x, y)) + E relu(1 + D(G(z, y), y))
    G: -E D(G(z, y), y) + beta sum_W |W^T W * (1 - I)|^2

    python train.py --variant=biggan
    python generate.py --model=saved_models/biggan --label=3 --truncation=0.5 --out=typical.png

The off-diagonal orthogonal regulariser over the generator's kernels (all but the shared embedding)
makes it amenable to truncation: latents drawn anew until no entry lies beyond a threshold give
better and less varied pictures. The row is for a laptop: few channels (`ch`), batches of 32 and
higher rates. The paper's own at 128x128 takes ImageNet, `--batch_size=2048`, and `--set`
`generator.ch=96 discriminator.ch=96 generator.attention=64 discriminator.attention=64
g_optimizer.learning_rate=5e-5 d_optimizer.learning_rate=2e-4`; it was built here, not trained.
The paper takes the statistics of batch normalisation anew for sampling, ours are moving means.
"""

import keras

from tfgans import losses, optimizers, penalties
from tfgans.adversarial import AdversarialModel
from tfgans.networks import biggan
from tfgans.variant import Variant

EMBEDDING = "shared_embedding"


@keras.saving.register_keras_serializable("tfgans")
class BigGAN(AdversarialModel):
    """Hinge losses, and kernels of the generator kept near to orthogonal.

    Args:
        orthogonal_weight: Weight of the generator's orthogonal regulariser, beta of Equation 3
            (public code adds half of this term's derivative: its 1e-4 is 5e-5 here).

    Reference:
        Brock et al., 2018, arXiv:1809.11096, Section 3.1, Equation 3, and Appendix C.
    """

    logs = ("d_loss", "g_loss", "orthogonal_penalty")

    def __init__(self, generator, discriminator, *, orthogonal_weight=1e-4, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.orthogonal_weight = orthogonal_weight

    def train_step(self, batch):
        """The discriminator's steps, then the generator's."""
        for part in self.critic_batches(batch):
            d_loss = self.discriminator_step(part, losses.hinge_discriminator)
        g_loss, penalty = self.generator_step(part, losses.hinge_generator, self.orthogonal_penalty)
        return self.track(d_loss=d_loss, g_loss=g_loss, orthogonal_penalty=penalty)

    def orthogonal_penalty(self, fake):
        """Beta times the regulariser of all kernels but the shared embedding's."""
        del fake
        kernels = [
            variable.value
            for variable in self.generator.trainable_variables
            if variable.path.endswith("/kernel") and EMBEDDING not in variable.path
        ]
        return self.orthogonal_weight * penalties.orthogonal_regularizer(kernels)


VARIANTS = (
    Variant(
        name="biggan",
        model=BigGAN,
        networks={"generator": biggan.generator, "discriminator": biggan.discriminator},
        optimizers={"g_optimizer": optimizers.Adam, "d_optimizer": optimizers.Adam},
        options={
            "n_critic": 2,
            "ema_decay": 0.9999,
            "generator.ch": 8,
            "generator.attention": 14,
            "discriminator.ch": 8,
            "discriminator.attention": 14,
            "g_optimizer.learning_rate": 5e-4,
            "g_optimizer.beta_1": 0.0,
            "g_optimizer.beta_2": 0.999,
            "d_optimizer.learning_rate": 2e-3,
            "d_optimizer.beta_1": 0.0,
            "d_optimizer.beta_2": 0.999,
        },
        tiny={
            "generator.ch": 1,
            "generator.chunk_dim": 2,
            "generator.shared_dim": 3,
            "generator.attention": 8,
            "discriminator.ch": 2,
            "discriminator.attention": 4,
            # A bias before a normalisation has no gradient but rounding, of which Adam makes steps.
            "g_optimizer.learning_rate": 2e-4,
        },
        steps=4000,
        batch_size=32,
    ),
)
