"""Extractors: uint8 pictures in, float64 features out, in batches."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgans import compat
from tfgans.errors import UsageError, did_you_mean, first_line

DIGITS_CNN = Path(__file__).with_name("digits_cnn.keras")
NAMES = ("pixels", "digits_cnn", "inception")
_DIGITS = ("digits", "tfds:mnist")  # what `digits_cnn` was trained to tell apart
_DIGITS_SHAPE = (28, 28, 1)
_BATCH = 100
# Outputs of a network by the names that are understood.
_FEATURES, _LOGITS, _PROBABILITIES = ("features", "pool_3"), ("logits",), ("probabilities",)


@dataclasses.dataclass(frozen=True, eq=False)
class Features:
    """What a network says of pictures.

    Attributes:
        values: float64 `(n, d)`, what two-sample metrics compare.
        probabilities: float64 `(n, classes)`, or None where the network does not classify.
    """

    values: np.ndarray
    probabilities: np.ndarray | None = None

    @property
    def labels(self) -> np.ndarray | None:
        """int64 `(n,)`: the most probable class, or None where the network does not classify."""
        return None if self.probabilities is None else self.probabilities.argmax(axis=1)


@dataclasses.dataclass(frozen=True, eq=False)
class Extractor:
    """A feature space with a name and a hash, so that figures can be traced.

    Attributes:
        name: Goes into the names of metrics, as in `fid1k_digits_cnn`.
        sha256: Hash of the file or files the network was read from.
        network: Callable from float32 images `(n, height, width, channels)` in [-1, 1] to a dict
            of arrays `(n, ...)`: `features` or `pool_3`, and where it classifies `logits` or
            `probabilities`.
    """

    name: str
    sha256: str
    network: Callable[[np.ndarray], Mapping[str, Any]]

    def __call__(self, pictures: np.ndarray) -> Features:
        """Runs the network.

        Args:
            pictures: uint8 `(n, height, width, channels)`.

        Returns:
            Their `Features`.

        Raises:
            UsageError: If the network does not take such pictures.
        """
        parts = []
        for start in range(0, len(pictures), _BATCH):
            images = np.asarray(pictures[start : start + _BATCH], np.float32) / 127.5 - 1.0
            parts.append(self._outputs(images))
        joined = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
        return Features(joined["features"], joined.get("probabilities"))

    def _outputs(self, images: np.ndarray) -> dict[str, np.ndarray]:
        try:
            outputs = dict(self.network(images))
        except (TypeError, ValueError, tf.errors.OpError) as error:
            shape = "x".join(map(str, images.shape[1:]))
            raise UsageError(
                f"features={self.name!r} cannot read pictures of {shape}: {first_line(error)}"
            ) from error
        values = _first(outputs, _FEATURES)
        logits, probabilities = _first(outputs, _LOGITS), _first(outputs, _PROBABILITIES)
        if values is None:
            raise UsageError(
                f"features={self.name!r} gives {sorted(outputs)}; its output must be named "
                f"{' or '.join(_FEATURES)}, or be the only one"
            )
        n = len(images)
        for key, value in outputs.items():
            if value.shape[:1] != (n,):
                raise UsageError(
                    f"features={self.name!r} gives {key!r} of shape {value.shape} for {n} "
                    f"picture(s); it must be ({n}, ...)"
                )
        found = {"features": values.reshape(n, -1)}
        if logits is not None:
            found["probabilities"] = _softmax(logits.reshape(n, -1))
        elif probabilities is not None:
            found["probabilities"] = probabilities.reshape(n, -1)
        return found


def default_features(dataset: str, image_shape: tuple[int, ...]) -> str:
    """Returns the feature space for pictures of a data set where none is asked for."""
    fits = dataset in _DIGITS and tuple(image_shape) == _DIGITS_SHAPE
    return "digits_cnn" if fits else "pixels"


def open_features(name: str) -> Extractor:
    """Opens a feature space.

    Args:
        name: `pixels`; `digits_cnn`, for 28x28x1; `inception`, downloaded, or `inception:FOLDER`
            with the unpacked TF-Hub module; or the path of a SavedModel or `.keras` file that
            takes float32 images in [-1, 1] and returns features, and `logits` or
            `probabilities` if it classifies.

    Returns:
        An `Extractor`.

    Raises:
        UsageError: If there is no such network, or it cannot be read.
    """
    name = os.fspath(name)
    if name == "pixels":
        return Extractor("pixels", hashlib.sha256(b"pixels").hexdigest(), _pixels)
    if name == "digits_cnn":
        return _keras_file("digits_cnn", DIGITS_CNN)
    if name.partition(":")[0] == "inception":
        return _inception(name.partition(":")[2])
    path = Path(name)
    if path.suffix == ".keras" and path.is_file():
        return _keras_file(_slug(path), path)
    if (path / "saved_model.pb").is_file():
        return _saved_model(path)
    raise UsageError(
        f"features={name!r} is no known network{did_you_mean(name, NAMES)} and no SavedModel or "
        f".keras file; known are {', '.join(NAMES)}"
    )


def _pixels(images: np.ndarray) -> dict[str, np.ndarray]:
    return {"features": images.reshape(len(images), -1)}


def _keras_file(name: str, path: Path) -> Extractor:
    try:
        model = keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, OSError) as error:
        raise UsageError(f"features={str(path)!r} cannot be read: {first_line(error)}") from error

    run = tf.function(lambda images: model(images, training=False))

    def network(images):
        return _named(run(tf.constant(images)))

    return Extractor(name, _sha256(path), network)


def _saved_model(path: Path) -> Extractor:
    try:
        model = tf.saved_model.load(str(path))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise UsageError(f"features={str(path)!r} cannot be read: {first_line(error)}") from error
    signature = model.signatures.get("serving_default")
    if signature is None:
        raise UsageError(f"features={str(path)!r} has no signature serving_default")
    (_, inputs) = signature.structured_input_signature
    if len(inputs) != 1:
        raise UsageError(
            f"features={str(path)!r} takes {', '.join(inputs)}; it must take one input, images"
        )
    ((argument, spec),) = inputs.items()

    def network(images, model=model):  # the model is held, or its weights would be freed
        del model
        if not spec.shape.is_compatible_with(images.shape):
            raise ValueError(f"{argument} must be of shape {spec.shape}")
        return _named(signature(**{argument: tf.constant(images)}))

    return Extractor(_slug(path), _sha256(path), network)


def _inception(folder: str) -> Extractor:
    """TF-GAN's Inception, which wants RGB of 299x299.

    They are brought to it as in the graph that FID was defined on, TF 1's way: corner on corner.
    """
    tfgan = compat.import_tensorflow_gan()
    model, path = compat.load_tfhub(folder or tfgan.eval.INCEPTION_TFHUB)
    side = tfgan.eval.INCEPTION_DEFAULT_IMAGE_SIZE

    def network(images):
        large = tf.compat.v1.image.resize_bilinear(images, (side, side))
        return _named(model(tf.image.grayscale_to_rgb(large) if large.shape[-1] == 1 else large))

    return Extractor("inception", _sha256(Path(path)), network)


def _named(outputs) -> dict[str, np.ndarray]:
    """Returns the outputs by name; the only one of a network is its features."""
    if isinstance(outputs, list | tuple):
        outputs = {f"output {number}": value for number, value in enumerate(outputs)}
    outputs = dict(outputs) if isinstance(outputs, Mapping) else {"features": outputs}
    if len(outputs) == 1:
        outputs = {"features": next(iter(outputs.values()))}
    return {key: np.asarray(value, np.float64) for key, value in outputs.items()}


def _first(outputs: Mapping[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray | None:
    return next((outputs[name] for name in names if name in outputs), None)


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _sha256(path: Path) -> str:
    """Hashes a file, or the files of a folder with their names."""
    digest = hashlib.sha256()
    if path.is_file():
        digest.update(path.read_bytes())
        return digest.hexdigest()
    for file in sorted(part for part in path.rglob("*") if part.is_file()):
        if file.name != "card.json":  # figures are written into it
            digest.update(file.relative_to(path).as_posix().encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _slug(path: Path) -> str:
    """Returns a name fit to be a part of a metric's."""
    return "".join(c if c.isalnum() else "_" for c in path.name.removesuffix(".keras"))
