"""A folder of picture files, of any sizes; folders within it are classes."""

import collections
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tfgans.data import pictures, rows
from tfgans.data.source import Collection, Source, hold_out, remembered, stamp
from tfgans.errors import UsageError

TEST_SHARE = 0.1
MAX_BAD_SHARE = 0.05


def open_folder(name: str, split: str, size: tuple[int, int] | None, fit: str) -> Source:
    """Opens a folder of pictures; a tenth (of each class, where there are any) is the test split.

    Pictures that all lie in folders of `name`, at least two, are labelled by them. Grey and colour
    mixed become whichever is more common; transparent parts show white.
    """
    root = Path(name)
    paths = _listed(root)
    # A file written anew has another time or size.
    stamps = (str(root.resolve()), *map(stamp, paths))
    collection = remembered((stamps, size, fit), lambda: _read(root, paths, size, fit))
    parts = hold_out(collection.labels, len(collection.rows), TEST_SHARE)
    return Source(name, split, collection, parts[split])


def _read(root: Path, paths: list[Path], size: tuple[int, int] | None, fit: str) -> Collection:
    with pictures.quiet():
        files, bad = _divided(paths, _in_parallel(pictures.read_header, paths))
        _check(root, len(paths), bad)
        shape = (*(size or _common_size(root, files)), _common_channels(files))
        nbytes = len(files) * int(np.prod(shape, dtype=np.int64))
        if nbytes <= rows.MEMORY_LIMIT_BYTES:
            array, files, late = _decoded(files, shape, fit)
            kept: rows.ArrayRows | rows.FileRows = rows.ArrayRows(array)
        else:
            files, late = _verified(files, shape, fit)
            kept = rows.FileRows(files, shape, fit)
    bad = sorted(bad + late)
    _check(root, len(paths), bad)
    labels, class_names = _classes(root, files)
    names = tuple((path.relative_to(root).as_posix(), reason) for path, reason in bad)
    return Collection(str(root), kept, labels, class_names, "the user's own pictures", names)


def _listed(root: Path) -> list[Path]:
    """All picture files below `root`, links followed once, in an order that is everywhere equal."""
    found, seen = [], set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        below = [] if real in seen else [name for name in subfolders if not name.startswith(".")]
        # A folder goes before links to it, whatever the file system lists first.
        subfolders[:] = sorted(below, key=lambda name: (Path(folder, name).is_symlink(), name))
        if real not in seen:
            found += [Path(folder, file) for file in files if _is_picture(file)]
        seen.add(real)
    if not found:
        raise UsageError(f"no pictures in {str(root)!r}: none of {', '.join(pictures.SUFFIXES)}")
    return sorted(found, key=lambda path: path.relative_to(root).parts)


def _is_picture(file: str) -> bool:
    return not file.startswith(".") and file.lower().endswith(pictures.SUFFIXES)


def _in_parallel(function: Callable, items: Iterable) -> list:
    """Results in order; a `BadPictureError` stands in the place of its result."""

    def attempt(item):
        try:
            return function(item)
        except pictures.BadPictureError as error:
            return error

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        return list(pool.map(attempt, items))


def _divided(paths: Sequence[Path], results: list) -> tuple[list, list[tuple[Path, str]]]:
    bad = [
        (path, str(result))
        for path, result in zip(paths, results, strict=True)
        if isinstance(result, pictures.BadPictureError)
    ]
    return [result for result in results if not isinstance(result, pictures.BadPictureError)], bad


def _decoded(files: list[pictures.File], shape: tuple[int, int, int], fit: str):
    array = np.empty((len(files), *shape), np.uint8)

    def decode(index):
        array[index] = files[index].decode(shape, fit)
        return index

    results = _in_parallel(decode, range(len(files)))
    good, bad = _divided([file.path for file in files], results)
    return array[good] if bad else array, [files[index] for index in good], bad


def _verified(files: list[pictures.File], shape: tuple[int, int, int], fit: str):
    """Decodes every file once: a truncated one found in mid-training would be found too late."""

    def verify(file):
        file.decode(shape, fit)
        return file

    return _divided([file.path for file in files], _in_parallel(verify, files))


def _check(root: Path, total: int, bad: list[tuple[Path, str]]) -> None:
    if len(bad) <= MAX_BAD_SHARE * total:
        return
    first = "; ".join(f"{path.relative_to(root)}: {reason}" for path, reason in bad[:3])
    more = f"; and {len(bad) - 3} more" if len(bad) > 3 else ""
    limit = "none is good" if len(bad) == total else f"more than {MAX_BAD_SHARE:.0%}"
    raise UsageError(
        f"{len(bad)} of {total} picture files in {str(root)!r} are bad ({limit}): {first}{more}"
    )


def _common_size(root: Path, files: list[pictures.File]) -> tuple[int, int]:
    sizes = collections.Counter(file.size for file in files)
    if len(sizes) == 1:
        return next(iter(sizes))
    seen = ", ".join(f"{height}x{width}" for (height, width), _ in sizes.most_common(3))
    more = ", ..." if len(sizes) > 3 else ""
    raise UsageError(
        f"the pictures in {str(root)!r} have {len(sizes)} sizes (height x width: {seen}{more}): "
        "give one by --image_size=H or --image_size=HxW"
    )


def _common_channels(files: list[pictures.File]) -> int:
    grey = sum(file.channels == 1 for file in files)
    return 1 if grey > len(files) - grey else 3


def _classes(root: Path, files: list[pictures.File]):
    """Returns int32 labels and class names, or `(None, ())` for a folder that is not divided."""
    parts = [file.path.relative_to(root).parts for file in files]
    names = tuple(sorted({part[0] for part in parts}))
    if len(names) < 2 or any(len(part) == 1 for part in parts):
        return None, ()
    if {"train", "test"} <= set(names):
        raise UsageError(
            f"{str(root)!r} holds the folders 'train' and 'test', which are no classes: give one "
            f"of them, such as {str(root / 'train')!r} (a tenth is held out for the test)"
        )
    number = {name: label for label, name in enumerate(names)}
    return np.array([number[part[0]] for part in parts], np.int32), names
