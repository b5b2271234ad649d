"""How pictures are drawn from a trained model, in memory and, by the same functions, exported."""

import math
from collections.abc import Callable
from typing import ClassVar

import keras
import tensorflow as tf

from tfgans import randomness
from tfgans.errors import UsageError, checked_labels, checked_truncation, spans, whole
from tfgans.randomness import RANDOM_LABEL

_SAMPLES_AT_ONCE = 64  # bounds the memory of sampling, whatever number is asked for


def to_uint8(image):
    """Returns float images in [-1, 1] as uint8 pictures, rounded to the nearest level."""
    return tf.cast(tf.clip_by_value(tf.round((image + 1.0) * 127.5), 0.0, 255.0), tf.uint8)


class Sampling:
    """What `tfgans.base.GenerativeModel` draws pictures with."""

    generates: ClassVar[str] = "generator"  # the player that makes the pictures
    average: keras.Model | None
    latent_distribution: str
    classes: list[int]

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

    @property
    def takes_label(self) -> bool:
        """Whether the pictures are of a class that is asked for."""
        return "label" in self.sampler.input

    def sample(self, n, seed=0, label=None, truncation=None):
        """Draws pictures; the same seed gives the same pictures, whatever their number.

        Args:
            n: Number of pictures, at least 1.
            seed: An int.
            label: Class of all pictures, or one for each; None: drawn by the seed. For a model
                that takes labels.
            truncation: Draw latents until each entry is at most this; None: as they come.

        Returns:
            uint8 array of shape `(n, height, width, channels)`.

        Raises:
            UsageError: If a number is out of range, or the model takes no labels.
        """
        number, seed = whole("n", n, 1), whole("seed", seed)
        threshold = math.inf if truncation is None else checked_truncation(truncation)
        given = {"n": tf.constant(number), "seed": tf.constant(seed), "truncation": threshold}
        if self.takes_label:
            labels = RANDOM_LABEL if label is None else checked_labels(label, n, self.classes)
            return self.sample_labelled(**given, label=tf.constant(labels)).numpy()
        if label is not None:
            raise UsageError(f"label={label!r}: this model makes pictures without labels")
        return self.sample_images(**given).numpy()

    # Traceable: the same functions serve `sample` and the SavedModel.

    def draw_latent(self, n, seed, truncation):
        """Returns `n` float32 latents; entries beyond `truncation` are drawn again."""
        uniform = self.latent_distribution == "uniform"
        return randomness.latent(n, self.latent_dim, seed, truncation, uniform=uniform)

    def draw_label(self, n, seed, label):
        """Returns `n` int32 labels: `label`, one or n of them, a class by chance where below 0."""
        return randomness.label(n, seed, label, self.classes)

    def generate(self, latent, label=None):
        """Returns float32 images in [-1, 1] of shape `(n, height, width, channels)`.

        Args:
            latent: float32 `(n, latent_dim)`.
            label: int32 `(n,)`, for a model that takes labels.

        Raises:
            tf.errors.InvalidArgumentError: If a label is of no class that it was trained on.
        """
        inputs = {"latent": latent}
        if label is not None:
            inputs["label"] = self._known(label)
        return tf.cast(self.sampler(inputs, training=False), tf.float32)

    def sample_images(self, n, seed, truncation):
        """Returns `n` uint8 pictures, made in chunks so that memory stays bounded."""
        return self._in_chunks(n, latent=self.draw_latent(n, seed, truncation))

    def sample_labelled(self, n, seed, label, truncation):
        """The same for a model that takes labels: one, or one for each; -1: drawn by the seed."""
        latent, labels = self.draw_latent(n, seed, truncation), self.draw_label(n, seed, label)
        return self._in_chunks(n, latent=latent, label=labels)

    def _known(self, label):
        """Returns labels of classes it was trained on; in a SavedModel others are an error too."""
        is_class = tf.reduce_any(label[:, None] == tf.constant(self.classes, label.dtype), axis=1)
        words = f"no class of this model, which has {spans(self.classes)}: label"
        refusal = tf.debugging.Assert(tf.reduce_all(is_class), [words, label])
        with tf.control_dependencies([refusal]):
            return tf.identity(label)

    def _in_chunks(self, n, **inputs):
        chunk = tf.minimum(n, _SAMPLES_AT_ONCE)
        num_chunks = -(-n // chunk)

        at = tf.minimum(tf.range(num_chunks * chunk), n - 1)  # fills the last chunk

        def chunked(rows):
            return tf.reshape(tf.gather(rows, at), (num_chunks, chunk, *rows.shape[1:]))

        images = tf.map_fn(
            lambda part: to_uint8(self.generate(**part)),
            {name: chunked(rows) for name, rows in inputs.items()},
            fn_output_signature=tf.TensorSpec((None, *self.image_shape), tf.uint8),
            parallel_iterations=1,
        )
        return tf.reshape(images, (-1, *self.image_shape))[:n]

    def signatures(self) -> dict[str, tuple[Callable, list[tf.TensorSpec]]]:
        """Returns what a SavedModel of this model offers: name -> (function, its inputs)."""
        latent = tf.TensorSpec((None, self.latent_dim), tf.float32, name="latent")
        number, seed = (tf.TensorSpec((), tf.int32, name=name) for name in ("n", "seed"))
        truncation = tf.TensorSpec((), tf.float32, name="truncation")
        if self.takes_label:
            labels = tf.TensorSpec((None,), tf.int32, name="label")
            one_or_more = tf.TensorSpec(None, tf.int32, name="label")
            return {
                "serving_default": (self.generate, [latent, labels]),
                "sample": (self.sample_labelled, [number, seed, one_or_more, truncation]),
            }
        return {
            "serving_default": (self.generate, [latent]),
            "sample": (self.sample_images, [number, seed, truncation]),
        }

    def call(self, inputs):
        """Images of latents, or of a dict of latents and labels: what Keras' `predict` uses."""
        return self.generate(**(inputs if isinstance(inputs, dict) else {"latent": inputs}))
