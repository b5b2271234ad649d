"""Any image data set of tensorflow-datasets."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from tfgans import compat
from tfgans.data import WAYS, pictures, rows
from tfgans.data.source import Collection, Source, hold_out, remembered
from tfgans.errors import UsageError, did_you_mean

TEST_SHARE = 0.1
_BATCH = 256


def open_tfds(
    name: str,
    split: str,
    size: tuple[int, int] | None,
    fit: str,
    data_dir: str | os.PathLike | None = None,
) -> Source:
    """Opens `tfds:NAME`, downloading and preparing it into `data_dir` if it is not there yet.

    Its own `train` and `test` splits are used where it has both; else a tenth (of each class,
    where there are labels) of its `train`, or only, split is held out.
    """
    with compat.quiet_tfds():
        return _open(name, split, size, fit, data_dir)


def _open(name: str, split: str, size, fit: str, data_dir) -> Source:
    builder = _prepared_builder(name, data_dir)
    splits = {key: info.num_examples for key, info in builder.info.splits.items()}
    divided = splits.get("train") and splits.get("test")
    part = split if divided else "train" if splits.get("train") else min(splits)
    key = (str(builder.data_path), part, size, fit)
    collection = remembered(key, lambda: _read(name, builder, part, size, fit))
    if divided:
        return Source(name, split, collection, np.arange(len(collection.rows)))
    parts = hold_out(collection.labels, len(collection.rows), TEST_SHARE)
    return Source(name, split, collection, parts[split])


def _prepared_builder(name: str, data_dir: str | os.PathLike | None):
    import tensorflow_datasets as tfds

    wanted = name.removeprefix("tfds:")
    known = tfds.list_builders()
    bare = wanted.split("/")[0].split(":")[0]
    if not bare:
        raise UsageError(f"{name!r} names no data set of tensorflow-datasets, as tfds:mnist does")
    kept_here = data_dir is not None and Path(data_dir, bare).is_dir()
    if bare not in known and not kept_here:
        raise UsageError(f"tensorflow-datasets has no {bare!r}{did_you_mean(bare, known)}")
    try:
        builder = tfds.builder(wanted, data_dir=data_dir)
    except (ValueError, OSError, ImportError, AssertionError) as error:
        raise UsageError(f"{name!r} cannot be opened: {_first_line(error)}") from error
    _feature_names(name, builder)  # nothing is downloaded for a data set without pictures
    if not builder.is_prepared():
        _download(name, builder)
    return builder


def _download(name: str, builder) -> None:
    from tensorflow_datasets.core.download.util import DownloadError

    failures = (OSError, ValueError, RuntimeError, AssertionError, ImportError, DownloadError)
    try:
        with compat.quick_tfds_download():
            builder.download_and_prepare()
    except failures as error:
        raise UsageError(
            f"{name!r} cannot be downloaded ({_first_line(error)}). These need no network: "
            f"{WAYS} with the --data_dir where it was prepared"
        ) from error


def _read(name: str, builder, split: str, size: tuple[int, int] | None, fit: str) -> Collection:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    image, label = _feature_names(name, builder)
    feature = builder.info.features[image]
    if feature.np_dtype != np.uint8:
        raise UsageError(f"{name!r}: pictures are {feature.np_dtype}, not uint8")
    decoders = tfds.decode.PartialDecoding({key: True for key in (image, label) if key})
    dataset = builder.as_dataset(
        split=split,
        decoders=decoders,
        shuffle_files=False,
        read_config=tfds.ReadConfig(try_autocache=False),
    )
    # Pictures of different sizes cannot be stacked before they are scaled.
    batches = dataset.batch(1 if None in feature.shape else _BATCH)
    total = builder.info.splits[split].num_examples
    batches = _without_autotune(batches)
    try:
        images, labels = _filled(name, batches, (image, label), total, size, fit)
    except tf.errors.OpError as error:
        where = f"{name!r} cannot be read from {str(builder.data_path)!r}"
        raise UsageError(f"{where}: {_first_line(error.message)}") from error
    names = tuple(builder.info.features[label].names or ()) if label else ()
    if not names or labels.min() < 0:  # splits without answers carry -1
        labels, names = None, ()
    title, kept = builder.info.full_name, rows.ArrayRows(images)
    return Collection(title, kept, labels, names, _licence(builder))


def _without_autotune(dataset):
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    options.deterministic = True
    return dataset.with_options(options)


def _filled(name: str, batches, keys: tuple[str, str | None], total: int, size, fit: str):
    """Returns all pictures as uint8, brought to one size, and their int32 labels (0 if none)."""
    image, label = keys
    labels = np.zeros(total, np.int32)
    images: Any = None
    own = None
    first = 0
    for batch in batches.as_numpy_iterator():
        part = batch[image]
        own = own or part.shape[1:3]
        if size is None and part.shape[1:3] != own:
            raise UsageError(
                f"the pictures of {name!r} differ in size (height x width: {own[0]}x{own[1]}, "
                f"{part.shape[1]}x{part.shape[2]}, ...): give one by --image_size=H or HxW"
            )
        if images is None:
            images = rows.blank((total, *(size or own), part.shape[3]))
        images[first : first + len(part)] = pictures.fit_all(part, size or own, fit)
        if label:
            labels[first : first + len(part)] = batch[label]
        first += len(part)
    return images, labels


def _feature_names(name: str, builder) -> tuple[str, str | None]:
    import tensorflow_datasets as tfds

    features = dict(builder.info.features or {})
    images = [key for key, kind in features.items() if type(kind) is tfds.features.Image]
    labels = [key for key, kind in features.items() if type(kind) is tfds.features.ClassLabel]
    if not images:
        raise UsageError(f"{name!r} has no pictures; its features are: {', '.join(features)}")
    image = "image" if "image" in images else images[0]
    if "label" in labels:
        return image, "label"
    return image, labels[0] if labels else None


def _licence(builder) -> str:
    licence = builder.info.redistribution_info.license
    return _first_line(licence) if licence else f"see {builder.info.homepage}"


def _first_line(text: object) -> str:
    lines = str(text).strip().splitlines() or [type(text).__name__]
    return lines[0][:200].rstrip(". ")
