"""A data set opened: its rows of pictures, and which of them belong to the split asked for."""

import dataclasses
import functools
from collections.abc import Callable, Hashable, Iterable
from pathlib import Path

import numpy as np

from tfgans.data import rows
from tfgans.data.rows import ArrayRows, FileRows
from tfgans.errors import UsageError, spans, whole
from tfgans.variant import DataSpec

_latest: dict[Hashable, "Collection"] = {}

# Decides which pictures are held out for the test: fixed, so that no user's seed can mix the two.
HOLDOUT_SEED = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Collection:
    """All pictures read from one place; both splits of a hold-out share it.

    Attributes:
        title: What it is, in a few words.
        rows: The pictures, in memory or on disk.
        labels: int32 `(n,)`, or None.
        class_names: A name for each class; empty where there are no labels.
        licence: What is known of the right to use it.
        bad_files: `(name, reason)` of each file left out.
    """

    title: str
    rows: ArrayRows | FileRows
    labels: np.ndarray | None = None
    class_names: tuple[str, ...] = ()
    licence: str = "unknown"
    bad_files: tuple[tuple[str, str], ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
    """One split of a data set.

    Attributes:
        name: The name it was opened by.
        split: `"train"` or `"test"`.
        collection: The pictures it is a part of.
        index: int64 `(size,)`, its rows in the collection, in a fixed random order: any first
            part of a split is a fair sample of it.
        classes: Labels it is confined to; None: all.
    """

    name: str
    split: str
    collection: Collection
    index: np.ndarray
    classes: tuple[int, ...] | None = None

    def __post_init__(self):
        if not self.size:
            total, of, labels = len(self.collection.rows), "", self.collection.labels
            if labels is not None and self.classes is not None:
                total = int(np.isin(labels, self.classes).sum())
                of = f" of the classes {spans(self.classes)}"
            raise UsageError(
                f"{self.name!r} has {total} picture(s){of}: too few for a {self.split} split"
            )

    @property
    def size(self) -> int:
        """Number of pictures in the split."""
        return len(self.index)

    @functools.cached_property
    def spec(self) -> DataSpec:
        """What networks must know of the data."""
        _, height, width, channels = self.collection.rows.shape
        occurring = None if self.labels is None else tuple(np.unique(self.labels).tolist())
        return DataSpec((height, width, channels), len(self.class_names), occurring)

    @property
    def in_memory(self) -> bool:
        """Whether the pictures are held as one uint8 array in memory."""
        return isinstance(self.collection.rows, ArrayRows) and self.collection.rows.in_memory

    @property
    def labels(self) -> np.ndarray | None:
        """int32 `(size,)`, or None where the data has no labels."""
        labels = self.collection.labels
        return None if labels is None else labels[self.index]

    @property
    def class_names(self) -> tuple[str, ...]:
        """A name for each class; empty where there are no labels."""
        return self.collection.class_names

    @property
    def licence(self) -> str:
        """What is known of the right to use the pictures."""
        return self.collection.licence

    @property
    def bad_files(self) -> list[tuple[str, str]]:
        """`(name, reason)` of each file left out."""
        return list(self.collection.bad_files)

    @property
    def description(self) -> str:
        """One line for a person."""
        height, width, channels = self.spec.image_shape
        classes = f", {self.spec.num_classes} classes" if self.spec.num_classes else ""
        classes += "" if self.classes is None else f", of these {spans(self.classes)}"
        bad = f", {len(self.bad_files)} bad file(s) left out" if self.bad_files else ""
        where = "" if self.in_memory else ", read from disk"
        return (
            f"{self.collection.title}: {self.size} {self.split} pictures of "
            f"{height}x{width}x{channels}{classes}{where}{bad}"
        )

    def confined(self, classes: Iterable[int]) -> "Source":
        """Returns the pictures of some classes, which keep their labels.

        Raises:
            UsageError: If there are no labels, or no pictures of one of these.
        """
        wanted = tuple(sorted({whole("classes", label, 0) for label in classes}))
        labels = self.collection.labels
        if labels is None:
            raise UsageError(f"classes={spans(wanted)}: {self.name!r} has no labels")
        known = np.unique(labels).tolist()
        strange = [label for label in wanted if label not in known]
        if strange or not wanted:
            raise UsageError(
                f"classes={spans(strange) or 'none'}: {self.name!r} has the classes {spans(known)}"
            )
        index = self.index[np.isin(labels[self.index], wanted)]
        return dataclasses.replace(self, index=index, classes=wanted)

    def images(self, first: int | None = None) -> np.ndarray:
        """Returns the pictures (or the first ones) as a uint8 array `(n, h, w, channels)`.

        A source that is read from disk decodes all that is asked for into memory.
        """
        return self.collection.rows.take(self.index[:first])


def remembered(key: Hashable, read: Callable[[], Collection]) -> Collection:
    """Returns what `read` gives, without reading again if `key` was the latest to be opened.

    A run opens its data more than once: to look at it, to train on it, and its test split.
    """
    key = (key, rows.MEMORY_LIMIT_BYTES)
    if key not in _latest:
        _latest.clear()  # first, to make room
        _latest[key] = read()
    return _latest[key]


def stamp(path: Path) -> tuple[str, int, int]:
    """Returns what changes when a file is written anew: name, size and time."""
    try:
        status = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), status.st_size, status.st_mtime_ns


def hold_out(
    labels: np.ndarray | None, total: int, fraction: float, seed: int = HOLDOUT_SEED
) -> dict[str, np.ndarray]:
    """Divides rows into a train and a test part, of each class the same share.

    The test part is chosen by a seeded permutation within each class, never by position: the first
    or last rows of a class differ from the rest (digits: 1-NN accuracy 0.55 to 0.60, not 0.50).

    Args:
        labels: int32 `(total,)`, or None to treat all rows as one class.
        total: Number of rows.
        fraction: Share held out, rounded within each class, at least one row of two or more.
        seed: Seed of the choice.

    Returns:
        `{"train": int64 rows, "test": int64 rows}`, each in a random order.
    """
    # Raw words of a bit generator never change between NumPy versions; its shuffles may.
    choice, order = np.random.PCG64(seed).random_raw(2 * total).reshape(2, total)
    held = np.zeros(total, bool)
    for members in _classes(labels, total):
        count = max(round(fraction * len(members)), int(len(members) > 1))
        held[members[np.argsort(choice[members], kind="stable")[:count]]] = True
    shuffled = np.argsort(order, kind="stable")
    return {"train": shuffled[~held[shuffled]], "test": shuffled[held[shuffled]]}


def _classes(labels: np.ndarray | None, total: int) -> list[np.ndarray]:
    if labels is None:
        return [np.arange(total)]
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]
