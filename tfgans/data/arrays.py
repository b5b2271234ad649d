"""Pictures in an `.npz` file: `images` uint8 `(n, h, w, channels)` or `(n, h, w)`, and `labels`."""

import contextlib
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from tfgans.data import pictures, rows
from tfgans.data.source import Collection, Source, hold_out, remembered, stamp
from tfgans.errors import UsageError

TEST_SHARE = 0.1
_CHUNK_BYTES = 2**24
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def open_npz(name: str, split: str, size: tuple[int, int] | None, fit: str) -> Source:
    """Opens an `.npz` file; a tenth (of each class, where there are labels) is the test split."""
    key = (stamp(Path(name).absolute()), size, fit)
    collection = remembered(key, lambda: _read(name, size, fit))
    parts = hold_out(collection.labels, len(collection.rows), TEST_SHARE)
    return Source(name, split, collection, parts[split])


def _read(name: str, size: tuple[int, int] | None, fit: str) -> Collection:
    labels = None
    with _reading(name), zipfile.ZipFile(name) as archive:
        files = [member for member in archive.namelist() if member.endswith(".npy")]
        members = {file.removesuffix(".npy") for file in files}
        if "images" not in members:
            held = ", ".join(sorted(members)) or "nothing"
            raise UsageError(f"{name!r} needs an array 'images' (it has: {held})")
        with archive.open("images.npy") as stream:
            images = _images(name, stream, size, fit)
        if "labels" in members:
            with archive.open("labels.npy") as stream:
                labels = _labels(name, stream, len(images))
    classes = 0 if labels is None else int(labels.max()) + 1
    names = tuple(str(label) for label in range(classes))
    kept = rows.ArrayRows(images)
    return Collection(Path(name).name, kept, labels, names, "the user's own pictures")


@contextlib.contextmanager
def _reading(name: str) -> Iterator[None]:
    """Tells in one line what is wrong with a file that cannot be read."""
    try:
        yield
    except UsageError:
        raise
    except FileNotFoundError as error:
        raise UsageError(f"dataset {name!r}: there is no such file") from error
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{name!r} is no readable .npz file: {reason}") from error


def _header(name: str, key: str, stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise UsageError(f"{name!r}: {key!r} is in .npy format {version}, not 1.0 or 2.0")
    shape, fortran_order, dtype = _HEADERS[version](stream)
    if dtype.hasobject:
        raise UsageError(
            f"{name!r}: {key!r} holds pickled Python objects, which could run code when read: "
            "save a plain array of numbers"
        )
    return shape, fortran_order, dtype


def _images(name: str, stream: IO[bytes], size: tuple[int, int] | None, fit: str) -> np.ndarray:
    """Reads chunk by chunk: a file above the memory limit is never in memory as a whole."""
    shape, fortran_order, dtype = _header(name, "images", stream)
    if dtype != np.uint8 or len(shape) not in (3, 4) or fortran_order:
        order = " in Fortran order" if fortran_order else ""
        raise UsageError(
            f"{name!r}: 'images' is {dtype} of shape {shape}{order}; it must be uint8 (n, height, "
            "width, channels) or (n, height, width) in C order"
        )
    count, height, width, channels = shape if len(shape) == 4 else (*shape, 1)
    if min(count, height, width, channels) < 1:
        raise UsageError(f"{name!r}: 'images' of shape {shape} holds no pictures")
    if channels not in (1, 3, 4):
        raise UsageError(
            f"{name!r}: 'images' of shape {shape} has {channels} channels; pictures have 1, 3 or 4"
        )
    size = size or (height, width)
    images = rows.blank((count, *size, channels))
    row_bytes = height * width * channels
    chunk = max(1, _CHUNK_BYTES // max(row_bytes, images[0].size))
    for first in range(0, count, chunk):
        number = min(chunk, count - first)
        data = stream.read(number * row_bytes)
        if len(data) < number * row_bytes:
            raise UsageError(f"{name!r}: 'images' is cut off at picture {first}")
        part = np.frombuffer(data, np.uint8).reshape(number, height, width, channels)
        images[first : first + number] = pictures.fit_all(part, size, fit)
    stream.read(1)  # past the end, where the archive compares its checksum
    return images


def _labels(name: str, stream: IO[bytes], count: int) -> np.ndarray:
    shape, _, dtype = _header(name, "labels", stream)
    if shape != (count,) or dtype.kind not in "iu":
        raise UsageError(
            f"{name!r}: 'labels' is {dtype} of shape {shape}; "
            f"it must be integers of shape ({count},)"
        )
    content = stream.read()
    if len(content) != count * dtype.itemsize:
        raise UsageError(f"{name!r}: 'labels' is cut off, or longer than its header says")
    labels = np.frombuffer(content, dtype)
    low, high = labels.min(), labels.max()
    if low < 0 or high >= count:
        raise UsageError(
            f"{name!r}: 'labels' go from {low} to {high}; they must be class numbers, from 0 and "
            f"fewer than the {count} pictures"
        )
    return labels.astype(np.int32)
