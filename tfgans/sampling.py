"""How pictures are drawn from a trained model, in memory and, by the same functions, exported."""

import math
from collections.abc import Callable
from typing import ClassVar

import keras
import tensorflow as tf

from tfgans import randomness
from tfgans.errors import UsageError, checked_truncation, whole

_SAMPLES_AT_ONCE = 64  # bounds the memory of sampling, whatever number is asked for


def to_uint8(image):
    """Returns float images in [-1, 1] as uint8 pictures, rounded to the nearest level."""
    return tf.cast(tf.clip_by_value(tf.round((image + 1.0) * 127.5), 0.0, 255.0), tf.uint8)


class Sampling:
    """What `tfgans.base.GenerativeModel` draws pictures with."""

    generates: ClassVar[str] = "generator"  # the player that makes the pictures
    average: keras.Model | None
    latent_distribution: str

    @property
    def sampler(self) -> keras.Model:
        """The network that is sampled: the averaged one where there is one."""
        return self.average or getattr(self, self.generates)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """`(height, width, channels)` of the pictures."""
        return tuple(self.sampler.output.shape[1:])

    @property
    def latent_dim(self) -> int:
        """Length of the latent vector."""
        return self.sampler.input["latent"].shape[-1]

    def sample(self, n, seed=0, label=None, truncation=None):
        """Draws pictures; the same seed gives the same pictures, whatever their number.

        Args:
            n: Number of pictures, at least 1.
            seed: An int.
            label: Class of the pictures, for a model that is given one.
            truncation: Draw latents until each entry is at most this; None: as they come.

        Returns:
            uint8 array of shape `(n, height, width, channels)`.

        Raises:
            UsageError: If a number is out of range, or the model takes no labels.
        """
        number, seed = whole("n", n, 1), whole("seed", seed)
        if label is not None:
            raise UsageError(f"label={label!r}: this model makes pictures without labels")
        threshold = math.inf if truncation is None else checked_truncation(truncation)
        return self.sample_images(tf.constant(number), tf.constant(seed), threshold).numpy()

    # Traceable: the same functions serve `sample` and the SavedModel.

    def draw_latent(self, n, seed, truncation):
        """Returns `n` float32 latents; entries beyond `truncation` are drawn again.

        Drawing again until it fits is drawing from the truncated distribution.
        """
        key, shape = randomness.key(seed, 0, "sample"), (n, self.latent_dim)
        if self.latent_distribution == "uniform":
            unit = tf.random.stateless_uniform(shape, key, -1.0, 1.0)
            return unit * tf.minimum(truncation, 1.0)
        return tf.cond(
            tf.math.is_inf(truncation),
            lambda: tf.random.stateless_normal(shape, key),
            lambda: tf.random.stateless_parameterized_truncated_normal(
                shape, key, 0.0, 1.0, -truncation, truncation
            ),
        )

    def generate(self, latent):
        """Returns float32 images in [-1, 1] of shape `(n, height, width, channels)`."""
        return tf.cast(self.sampler({"latent": latent}, training=False), tf.float32)

    def sample_images(self, n, seed, truncation):
        """Returns `n` uint8 pictures, made in chunks so that memory stays bounded."""
        latent = self.draw_latent(n, seed, truncation)
        chunk = tf.minimum(n, _SAMPLES_AT_ONCE)
        num_chunks = -(-n // chunk)
        padded = tf.pad(latent, [[0, num_chunks * chunk - n], [0, 0]])
        chunks = tf.reshape(padded, (num_chunks, chunk, self.latent_dim))
        images = tf.map_fn(
            lambda part: to_uint8(self.generate(part)),
            chunks,
            fn_output_signature=tf.TensorSpec((None, *self.image_shape), tf.uint8),
            parallel_iterations=1,
        )
        return tf.reshape(images, (-1, *self.image_shape))[:n]

    def signatures(self) -> dict[str, tuple[Callable, list[tf.TensorSpec]]]:
        """Returns what a SavedModel of this model offers: name -> (function, its inputs)."""
        latent = tf.TensorSpec((None, self.latent_dim), tf.float32, name="latent")
        number, seed = (tf.TensorSpec((), tf.int32, name=name) for name in ("n", "seed"))
        truncation = tf.TensorSpec((), tf.float32, name="truncation")
        return {
            "serving_default": (self.generate, [latent]),
            "sample": (self.sample_images, [number, seed, truncation]),
        }

    def call(self, latent):
        """The same as `generate`: what Keras' own `predict` uses."""
        return self.generate(latent)
