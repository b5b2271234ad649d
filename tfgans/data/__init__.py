"""Pictures in, batches out: `load(name, ...) -> (tf.data.Dataset of dict batches, DataSpec)`.

A data set is named `digits`, `optdigits`, `emoji`, `emoji:subgroup`, `tfds:NAME`, or by the path of
a folder of images or of an `.npz` file. Importing this package brings in neither NumPy nor
TensorFlow.
"""

import numbers
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tfgans.errors import UsageError, did_you_mean, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import tensorflow as tf

    from tfgans.data.source import Source
    from tfgans.variant import DataSpec

NAMES_DIGITS = ("digits", "optdigits")
NAMES_EMOJI = ("emoji", "emoji:subgroup")
NAMES_OFFLINE = NAMES_DIGITS + NAMES_EMOJI
SPLITS = ("train", "test")
FITS = ("crop", "resize")
WAYS = f"{', '.join(NAMES_OFFLINE)}, a FOLDER of images, a FILE.npz, or tfds:NAME"

# For nearer guesses only: any image data set of tensorflow-datasets will do.
_WELL_KNOWN = ("mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100", "svhn_cropped", "celeb_a")


def load(
    name: str,
    *,
    split: str = "train",
    batch_size: int = 64,
    batches_per_step: int = 1,
    seed: int = 0,
    start_step: int = 0,
    data_dir: str | os.PathLike | None = None,
    image_size: int | tuple[int, int] | None = None,
    fit: str = "crop",
    classes: "Iterable[int] | None" = None,
    report: "Callable[[Source], None] | None" = None,
    share: tuple[int, int, int] = (0, 1, 1),
) -> "tuple[tf.data.Dataset, DataSpec]":
    """Opens a data set and returns its batches.

    Element k is a pure function of the data, `seed` and `start_step + k`: nothing is drawn before
    it, so a run resumed at step s loads with `start_step=s` and sees what it would have seen.

    Args:
        name: `digits`, `optdigits`, `emoji`, `emoji:subgroup`, `tfds:NAME`, or the path of a folder
            or of an `.npz` file.
        split: `"train"` (endless, shuffled anew in each epoch) or `"test"` (one pass, in order).
        batch_size: Pictures in a batch.
        batches_per_step: Batches in an element; part i of n is the rows `i::n`.
        seed: Seed of the order. It does not change which pictures are held out for the test.
        start_step: Elements to leave out at the beginning.
        data_dir: Where TFDS keeps its data sets; for `tfds:NAME` only.
        image_size: Side, or `(height, width)`, that pictures are brought to; by default their own.
        fit: `"crop"` scales the short side and cuts the middle out, `"resize"` stretches.
        classes: Labels to keep, which stay as they are; by default all.
        report: Called with the opened `Source`, for its `bad_files` and `licence`.
        share: `(first, count, total)`: of the training data only what the replicas from `first`
            to `first + count` of `total` work on, a slice of a batch to an element, in turn.

    Returns:
        The data set of `{"image": float32 NHWC in [-1, 1], "label": int32 (n,) where known}`, with
        `batch_size * batches_per_step` rows in an element, and what networks must know of it.

    Raises:
        UsageError: If there is no such data, it cannot be read, or it is smaller than a batch.
    """
    from tfgans.data import pipeline

    for key, value, least in (
        ("batch_size", batch_size, 1),
        ("batches_per_step", batches_per_step, 1),
        ("start_step", start_step, 0),
    ):
        whole(key, value, least)
    source = open_source(
        name, split=split, data_dir=data_dir, image_size=image_size, fit=fit, classes=classes
    )
    if report is not None:
        report(source)
    if split == "test":
        return pipeline.in_order(source, batch_size * batches_per_step, start_step), source.spec
    if batch_size > source.size:
        raise UsageError(
            f"batch_size={batch_size} is more than the {source.size} training pictures of {name!r}"
        )
    dataset = pipeline.shuffled(source, batch_size * batches_per_step, seed, start_step, share)
    return dataset, source.spec


def open_source(
    name: str,
    *,
    split: str = "train",
    data_dir: str | os.PathLike | None = None,
    image_size: int | tuple[int, int] | None = None,
    fit: str = "crop",
    classes: "Iterable[int] | None" = None,
) -> "Source":
    """Opens one split of a data set as arrays; the arguments are those of `load`."""
    source = _opened(name, split, data_dir, image_size, fit)
    return source if classes is None else source.confined(classes)


def _opened(name, split, data_dir, image_size, fit) -> "Source":
    name = os.fspath(name)
    if split not in SPLITS:
        raise UsageError(f"split={split!r} must be 'train' or 'test'")
    if fit not in FITS:
        raise UsageError(f"fit={fit!r} must be 'crop' or 'resize'")
    if data_dir is not None and not name.startswith("tfds:"):
        raise UsageError(f"data_dir={os.fspath(data_dir)!r} is for tfds:NAME, not for {name!r}")
    size = None if image_size is None else checked_size(image_size)
    if name in NAMES_DIGITS:
        from tfgans.data import digits

        return digits.open_digits(name, split, size, fit)
    if name in NAMES_EMOJI:
        from tfgans.data import emoji

        return emoji.open_emoji(name, split, size, fit)
    if name.startswith("tfds:"):
        from tfgans.data import tfds

        return tfds.open_tfds(name, split, size, fit, data_dir)
    if name.endswith(".npz"):
        from tfgans.data import arrays

        return arrays.open_npz(name, split, size, fit)
    if Path(name).is_dir():
        from tfgans.data import folder

        return folder.open_folder(name, split, size, fit)
    raise UsageError(_unknown(name))


def _unknown(name: str) -> str:
    if Path(name).exists():
        return f"dataset {name!r} is a file, neither a folder of images nor an .npz file"
    if os.sep in name:
        return f"dataset {name!r}: there is no such folder"
    near = did_you_mean(name, [*NAMES_OFFLINE, *(f"tfds:{known}" for known in _WELL_KNOWN)])
    return f"unknown data set {name!r}{near or '.'} There are: {WAYS}"


def checked_size(image_size) -> tuple[int, int]:
    """Returns an `image_size` as (height, width).

    Raises:
        UsageError: If it is neither a side nor two of 1 to 8192 pixels.
    """
    both = image_size if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    ints = all(isinstance(side, numbers.Integral) for side in both)
    if len(both) != 2 or not ints or not all(1 <= side <= 8192 for side in both):
        raise UsageError(f"image_size={image_size!r} must be 1 to 8192, or (height, width) of such")
    return int(both[0]), int(both[1])
