"""SavedModels as `tfgans.export` writes them, read with TensorFlow alone and drawn from."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans import runs
from tfgans.errors import TrainingError, UsageError, checked_labels, checked_truncation, whole
from tfgans.export import CARD, PROTO, one_line

_AT_ONCE = 64  # images that one call makes, which bounds its memory


def load_saved_model(path: str | Path) -> "SavedGenerator":
    """Loads an exported folder with TensorFlow alone; Keras need not be there.

    Raises:
        UsageError: If `path` is not a SavedModel, or cannot be read.
    """
    if runs.is_run(path):
        export_dir = runs.read_options(path)["export_dir"]
        raise UsageError(f"{str(path)!r} is a run, not a SavedModel: its export is {export_dir!r}")
    proto, unreadable = Path(path) / PROTO, f"cannot read the SavedModel {str(path)!r}"
    if not proto.is_file():
        raise UsageError(f"{str(path)!r} is not a SavedModel: it has no {PROTO}")
    if not proto.stat().st_size:
        raise UsageError(f"{unreadable}: its {PROTO} is empty")
    try:
        module = tf.saved_model.load(str(path))
        card_path = Path(path) / CARD
        card = json.loads(card_path.read_text(encoding="utf-8")) if card_path.is_file() else {}
    except LookupError as error:  # what TensorFlow raises then
        raise UsageError(f"{unreadable}: a file of it is empty or cut off") from error
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise UsageError(f"{unreadable}: {one_line(error)}") from error
    if not isinstance(card, dict):
        raise UsageError(f"{unreadable}: its {CARD} holds no table but {card!r:.40}")
    return SavedGenerator(module, card)


class SavedGenerator:
    """A loaded SavedModel that draws pictures.

    Args:
        module: What `tf.saved_model.load` returned.
        card: What its `card.json` says, or an empty dict.

    Attributes:
        card: As given.
        module: As given; its methods take tensors and return dicts of tensors.
        signatures: The functions by name, all arguments required.
    """

    def __init__(self, module, card: Mapping[str, Any]):
        self.module, self.card, self.signatures = module, dict(card), module.signatures
        self._inputs = self._inputs_of("sample")

    @property
    def takes_label(self) -> bool:
        """Whether the pictures are of a class that is asked for."""
        return "label" in self._inputs

    @property
    def classes(self) -> list[int]:
        """Labels that it was trained on.

        Raises:
            UsageError: If the card does not say.
        """
        labels = self.card.get("labels")
        known = isinstance(labels, list) and all(isinstance(label, int) for label in labels)
        if not labels or not known:
            raise UsageError(f"this SavedModel takes labels, but its {CARD} does not say which")
        return labels

    @property
    def latent_dim(self) -> int:
        """Length of the latents that `serving_default` takes; 0 where it takes others things."""
        inputs = self._inputs_of("serving_default")
        return inputs["latent"].shape[-1] if set(inputs) - {"label"} == {"latent"} else 0

    @property
    def uniform(self) -> bool:
        """Whether latents are uniform on [-1, 1], instead of normal."""
        options = self.card.get("options")  # older cards say it there
        said = options.get("latent_distribution") if isinstance(options, dict) else None
        return self.card.get("latent_distribution", said) == "uniform"

    @property
    def num_styles(self) -> int:
        """Layers that take a style, which `mix` divides between two latents; 0: it mixes none."""
        known = self.card.get("num_styles")
        return known if "mix" in self.signatures and isinstance(known, int) else 0

    def generate(self, latent, label=None) -> np.ndarray:
        """Returns float32 images in [-1, 1] of latents, and of labels for a model that takes them.

        Args:
            latent: float32 `(n, latent_dim)`.
            label: int32 `(n,)`.
        """
        inputs = {"latent": tf.constant(latent, tf.float32)}
        if label is not None:
            inputs["label"] = tf.constant(label, tf.int32)
        return self._in_parts("serving_default", inputs)

    def mix(self, latent, other_latent, crossover, truncation=None) -> np.ndarray:
        """Returns float32 images in [-1, 1] with styles of two latents.

        Args:
            latent: float32 `(n, latent_dim)`, of the styles of the first layers.
            other_latent: float32 `(n, latent_dim)`, of the styles of the others.
            crossover: The first of these, from 0 to `num_styles`.
            truncation: psi; None: 1.

        Raises:
            UsageError: If the model mixes no styles, or a number is out of range.
        """
        if not self.num_styles:
            raise UsageError("this model has no styles to mix")
        if not 0 <= whole("crossover", crossover) <= self.num_styles:
            raise UsageError(
                f"crossover={crossover!r} must lie between 0 and {self.num_styles}, the layers"
            )
        psi = 1.0 if truncation is None else checked_truncation(truncation)
        latents = {"latent": latent, "other_latent": other_latent}
        return self._in_parts(
            "mix",
            {name: tf.constant(rows, tf.float32) for name, rows in latents.items()},
            crossover=tf.constant(crossover),
            truncation=tf.constant(psi, tf.float32),
        )

    def _in_parts(self, name: str, inputs: Mapping[str, tf.Tensor], **others) -> np.ndarray:
        """Returns the images of a signature, made in parts of the rows of its inputs."""
        parts = [
            self.signatures[name](
                **{key: rows[first : first + _AT_ONCE] for key, rows in inputs.items()}, **others
            )["image"]
            for first in range(0, len(inputs["latent"]), _AT_ONCE)
        ]
        return tf.concat(parts, axis=0).numpy()

    def _inputs_of(self, name: str) -> dict[str, tf.TensorSpec]:
        found = self.signatures
        return found[name].structured_input_signature[1] if name in found else {}

    def sample(self, n, seed=0, label=None, truncation=None) -> np.ndarray:
        """Draws pictures; the same seed gives the same pictures.

        Args:
            n: Number of pictures, at least 1.
            seed: An int of 32 bits.
            label: Class of all pictures, or one for each, for a model that takes labels; None:
                drawn by the seed.
            truncation: Above 0; smaller gives more typical pictures. None: as in training.

        Returns:
            uint8 array of shape `(n, height, width, channels)`.

        Raises:
            UsageError: If the model cannot do what is asked, or a number is out of range.
            TrainingError: If so many pictures do not fit into memory.
        """
        if not {"n", "seed"} <= set(self._inputs):
            has = ", ".join(sorted(self.signatures)) or "none"
            raise UsageError(
                "this SavedModel has no signature 'sample' of n and seed to draw from; it has "
                f"{has}"
            )
        arguments = {"n": tf.constant(whole("n", n, 1)), "seed": tf.constant(whole("seed", seed))}
        if label is not None:
            if not self.takes_label:
                raise UsageError(f"label={label!r}: this model makes pictures without labels")
            arguments["label"] = tf.constant(checked_labels(label, n, self.classes))
        if truncation is not None:
            arguments["truncation"] = self._truncation(truncation)
        try:
            return self.module.sample(**arguments)["image"].numpy()
        except tf.errors.ResourceExhaustedError as error:
            raise TrainingError(f"out of memory: n={n!r} pictures at once are too many") from error

    def _truncation(self, truncation) -> tf.Tensor:
        if "truncation" not in self._inputs:
            raise UsageError(f"truncation={truncation!r}: this model's latents are not truncated")
        return tf.constant(checked_truncation(truncation), tf.float32)
