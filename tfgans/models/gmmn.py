"""Generative moment matching: no discriminator, two batches are compared by all their moments.

    G: sqrt(E k(x, x') + E k(G(z), G(z')) - 2 E k(x, G(z)))
    k(x, y) = sum over bandwidths s of exp(-||x - y||^2 / (2 s^2))

    python train.py --variant=gmmn

The loss is the maximum mean discrepancy of the pixels of a batch, so batches are large. The
perceptron has four layers of 256 units, the authors' for MNIST 64, 256, 256 and 1,024. Their
bandwidths are variances, 2 to 80 for pixels in [0, 1]: four times that for pixels in [-1, 1], of
which ours are the roots. Matching in the code space of an autoencoder, which is the paper's better
half, is not built. With `--accumulate` each piece is matched for itself.
"""

from typing import ClassVar

import keras
import tensorflow as tf

from tfgans import moments, optimizers, replicas
from tfgans.base import GenerativeModel
from tfgans.errors import UsageError
from tfgans.networks import mlp
from tfgans.variant import Variant

BANDWIDTHS = (2.83, 4.47, 6.32, 8.94, 12.65, 17.89)  # roots of 4 times 2, 5, 10, 20, 40 and 80


@keras.saving.register_keras_serializable("tfgans")
class GMMN(GenerativeModel):
    """One network that minimises the discrepancy of its samples from the data.

    Args:
        generator: From {"latent": ...} to images in [-1, 1].
        bandwidths: Standard deviations of the Gaussian kernels, as distances of images.

    Reference:
        Li et al., 2015, arXiv:1502.02761, Algorithm 1 and Equation 7.
    """

    optimizes: ClassVar = {"g_optimizer": ("generator",)}
    logs = ("mmd",)

    def __init__(self, generator, *, bandwidths=BANDWIDTHS, **kwargs):
        super().__init__({"generator": generator}, **kwargs)
        if not bandwidths or min(bandwidths) <= 0.0:
            raise UsageError(f"bandwidths={bandwidths!r} must be numbers above 0")
        self.bandwidths = list(bandwidths)

    def train_step(self, batch):
        """One step down the discrepancy of a generated batch from a real one."""
        (mmd,) = self.minimize("g_optimizer", self.discrepancy, batch)
        return self.track(mmd=mmd)

    def discrepancy(self, batch):
        """The root of the squared discrepancy, of the pixels of all replicas."""
        latent = self.latent("generator_latent", like=batch["image"])
        fake = tf.cast(self.generator({"latent": latent}, training=True), tf.float32)
        pixels = [tf.reshape(image, (image.shape[0], -1)) for image in (batch["image"], fake)]
        real, fake = map(replicas.gathered, pixels)
        # Rounding may put it below 0, and at 0 the derivative of the root is infinite.
        return [tf.sqrt(tf.maximum(moments.squared_mmd(real, fake, self.kernel), 1e-12))]

    def kernel(self, one, other):
        """Gaussian, of all bandwidths."""
        return moments.gaussian_kernel(one, other, self.bandwidths)


VARIANTS = (
    Variant(
        name="gmmn",
        model=GMMN,
        networks={"generator": mlp.generator},
        optimizers={"g_optimizer": optimizers.Adam},
        options={
            "latent_distribution": "uniform",
            "generator.latent_dim": 10,
            "generator.num_layers": 4,
            "g_optimizer.learning_rate": 1e-3,
            "g_optimizer.beta_1": 0.9,
        },
        tiny={"generator.latent_dim": 4, "generator.width": 8},
        steps=5000,
        batch_size=1000,
    ),
)
