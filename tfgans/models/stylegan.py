"""StyleGAN: a latent becomes styles that steer every layer, which begin with a constant and noise.

    D: -E log s(D(x)) - E log(1 - s(D(G(z)))) + 10 / 2 E ||grad D(x)||_2^2
    G: -E log s(D(G(z)))

    python train.py --variant=stylegan
    python generate.py --model=saved_models/stylegan --truncation=0.7 --out=typical.png
    python generate.py --model=saved_models/stylegan --mix=4x6 --out=mixed.png

Every layer is normalised and gets scale and shift from its style, an affine function of the mapped
latent, and noise of its own. Most images of training take the styles of two latents, from a random
layer on those of the second. Truncation draws styles, not latents, towards their mean, for all
layers (the paper: for those up to 32x32).

The networks can grow as progan's do, from 8x8 in the paper: `--set generator.start_size=8
discriminator.start_size=8 generator.phase_images=16000`. The row trains all sizes at once: on two
cores a run is too short to gain by it. The discriminator is progan's, and so are the generator's
sizes and channels. Where we differ: sizes double by repeated pixels and halve by means, without the
paper's low-pass filter, and the constant begins as noise, not as ones, of which the first
normalisation would divide 0 by 0.0001.
"""

import functools
import math

import keras
import tensorflow as tf

from tfgans import losses, optimizers, penalties, tricks
from tfgans.errors import UsageError
from tfgans.growing import GrowingModel
from tfgans.layers import AdaptiveInstanceNormalization
from tfgans.networks import progan, stylegan
from tfgans.variant import Variant

TRUNCATION = "psi: styles are drawn towards their mean; 1 leaves them as they are"


@keras.saving.register_keras_serializable("tfgans")
class StyleGAN(GrowingModel):
    """Non-saturating losses with R1, on styles of one latent or of two.

    Args:
        r1_weight: Gamma: half of it weighs the discriminator's squared slope at real images.
        mixing: Share of the generated images whose layers take the styles of two latents.
        real_target: Target of the cross-entropy on real images; below 1 it is one-sided label
            smoothing.

    Reference:
        Karras et al., 2018, arXiv:1812.04948, Sections 2 and 3.1, and Appendix C.
    """

    logs = ("d_loss", "g_loss", "r1_penalty")

    def __init__(
        self, generator, discriminator, *, r1_weight=10.0, mixing=0.9, real_target=1.0, **kwargs
    ):
        super().__init__(generator, discriminator, **kwargs)
        if not 0.0 <= mixing <= 1.0:
            raise UsageError(f"mixing={mixing!r} must lie in [0, 1]")
        self.r1_weight, self.mixing = r1_weight, mixing
        self.real_target = tricks.checked_target(real_target)

    def train_step(self, batch):
        """The discriminator's steps, then the generator's, on pictures of the stage's size."""
        cross_entropy = functools.partial(
            losses.non_saturating_discriminator, real_target=self.real_target
        )
        for part in self.critic_batches(self.grown(batch)):
            d_loss, penalty = self.discriminator_step(part, cross_entropy, self.r1_penalty)
        g_loss = self.generator_step(part, losses.non_saturating_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss, r1_penalty=penalty)

    def r1_penalty(self, critic, real, fake):
        """Gamma / 2 times the penalty."""
        return self.r1_weight / 2.0 * penalties.r1_penalty(critic, real, fake)

    def fake_images(self, batch, stream):
        """Images of which some take the styles of a second latent from some layer on."""
        image = batch["image"]
        styles = {
            "other_latent": self.latent(f"{stream}/other", like=image),
            "crossover": self.crossover(f"{stream}/crossover", like=image),
            "truncation": tf.ones(image.shape[0]),
        }
        return super().fake_images({**batch, **styles}, stream)

    def crossover(self, stream, like):
        """Draws the first layer of the second style, int32 `(batch,)`; beyond the last: none."""
        last = self.num_styles - 1
        drawn = tf.reshape(self.uniform(stream, like=like), (-1,))
        layer = 1 + tf.cast(drawn * last / max(self.mixing, 1e-9), tf.int32)
        return tf.where(drawn < self.mixing, tf.minimum(layer, last), last + 1)

    @property
    def num_styles(self):
        """Layers of the stage in use that take a style."""
        layers = self.generator.network.layers
        return sum(isinstance(layer, AdaptiveInstanceNormalization) for layer in layers)

    # Sampling, where truncation is that of styles.

    def sample_images(self, n, seed, truncation):
        """Returns `n` uint8 pictures, their styles drawn towards the mean."""
        latent = self.draw_latent(n, seed, math.inf)
        return self._in_chunks(n, latent=latent, truncation=tf.fill((n,), truncation))

    def generate(self, latent, label=None, truncation=math.inf):
        """Returns float32 images; psi is one number, or one for each; infinity means 1."""
        del label
        return self.mix(latent, latent, 0, truncation)

    def mix(self, latent, other_latent, crossover, truncation):
        """Returns images with the styles of `latent` up to the layer `crossover`, then the other's.

        Args:
            latent: float32 `(n, latent_dim)`, of the coarse styles.
            other_latent: float32 `(n, latent_dim)`, of the finer ones.
            crossover: int32, the first layer of these.
            truncation: psi.
        """
        n = tf.shape(latent)[0]
        psi = tf.where(tf.math.is_inf(truncation), 1.0, truncation)
        inputs = {"latent": latent, "other_latent": other_latent}
        inputs |= {"crossover": tf.fill((n,), crossover), "truncation": tf.broadcast_to(psi, (n,))}
        return self.pictures(inputs)

    def signatures(self):
        """With `mix`, which style mixing is made of."""
        latents = [
            tf.TensorSpec((None, self.latent_dim), tf.float32, name=name)
            for name in ("latent", "other_latent")
        ]
        crossover = tf.TensorSpec((), tf.int32, name="crossover")
        truncation = tf.TensorSpec((), tf.float32, name="truncation")
        mix = (self.mix, [*latents, crossover, truncation])
        return {**super().signatures(), "mix": mix}

    @property
    def facts(self):
        """What the card says of truncation, and of the layers that `mix` divides."""
        return {"truncation": TRUNCATION, "num_styles": self.num_styles}


VARIANTS = (
    Variant(
        name="stylegan",
        model=StyleGAN,
        networks={"generator": stylegan.generator, "discriminator": progan.discriminator},
        optimizers={
            "g_optimizer": optimizers.GrowingAdam,
            "d_optimizer": optimizers.GrowingAdam,
        },
        options={
            "ema_decay": 0.999,
            "generator.latent_dim": 64,
            "generator.width": 64,
            "generator.base": 448,
            "generator.start_size": 1024,
            "discriminator.width": 64,
            "discriminator.base": 448,
            "discriminator.start_size": 1024,
            "g_optimizer.learning_rate": 2e-3,
            "g_optimizer.beta_1": 0.0,
            "g_optimizer.beta_2": 0.99,
            "g_optimizer.epsilon": 1e-8,
            "d_optimizer.learning_rate": 2e-3,
            "d_optimizer.beta_1": 0.0,
            "d_optimizer.beta_2": 0.99,
            "d_optimizer.epsilon": 1e-8,
        },
        tiny={
            "generator.latent_dim": 4,
            "generator.num_mapping_layers": 2,
            "generator.width": 4,
            "discriminator.width": 4,
        },
        steps=10000,
        batch_size=32,
    ),
)
