"""Pictures that took time to make, kept in the user's cache folder: one `.npz` file for each kind.

A file is compared with what it must begin with, never parsed, so that a damaged or foreign one is
no danger: it is made anew. Nor is a folder that cannot be written: then nothing is kept.
"""

import contextlib
import io
import logging
import os
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tfgans.data import rows

_BAD_FILE = (OSError, zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError, RuntimeError)

_logger = logging.getLogger("tfgans")


def folder() -> Path:
    """Returns `TFGANS_CACHE`, or else the folder `tfgans` in `XDG_CACHE_HOME` or in `~/.cache`."""
    own = os.environ.get("TFGANS_CACHE")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(shared):  # to be ignored, says its specification
        shared = os.path.expanduser("~/.cache")
    # A user without a home has no cache: below this path nothing can be read or written.
    return Path(shared if os.path.isabs(shared) else os.devnull, "tfgans")


def load(path: Path, names: Sequence[str], shape: tuple[int, ...]) -> np.ndarray | None:
    """Returns the pictures that `save` wrote, or None if the file is absent, damaged or foreign.

    Args:
        path: The file.
        names: What the pictures are, one by one; kept with others, they are not these pictures.
        shape: `(n, height, width, channels)` of the pictures.

    Returns:
        uint8 array of `shape`, on disk where it is above the memory limit, or None.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.read("names.npy") != _npy(names):
                return None
            with archive.open("images.npy") as stream:
                header = _header(shape)
                return _filled(stream, shape) if stream.read(len(header)) == header else None
    except _BAD_FILE:
        return None


def save(path: Path, names: Sequence[str], images: np.ndarray) -> None:
    """Writes pictures in one move, so that no other process sees a part of them.

    Args:
        path: The file; missing folders are made.
        names: What the pictures are, one by one.
        images: uint8 array `(n, height, width, channels)`.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez_compressed(file, names=np.array(names), images=images)
        partial.replace(path)
    except OSError as error:
        _logger.warning(
            "%s cannot be kept (%s) and will be made again: set TFGANS_CACHE to a folder that can "
            "be written",
            path,
            error.strerror or error,
        )
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def _npy(names: Sequence[str]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.array(names))
    return stream.getvalue()


def _header(shape: tuple[int, ...]) -> bytes:
    stream = io.BytesIO()
    facts = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, facts)
    return stream.getvalue()


def _filled(stream, shape: tuple[int, ...]) -> np.ndarray:
    images = rows.blank(shape)
    for image in images:
        image[:] = np.frombuffer(stream.read(image.nbytes), np.uint8).reshape(image.shape)
    stream.read(1)  # past the end, where the archive compares its checksum
    return images
