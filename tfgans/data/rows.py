"""Where the pictures lie: an array in memory, an array on disk, or files decoded when asked for.

Each kind answers `gather(indices)`, TensorFlow operations that run eagerly and inside
`Dataset.map` alike, and `take(indices)`, the same in NumPy.
"""

import functools
import logging
import os
import tempfile
from collections.abc import Sequence

import numpy as np

from tfgans.data import pictures, pycalls
from tfgans.errors import UsageError

# Above this many bytes of uint8 pictures (256 MiB) a data set stays on disk, and the memory that a
# run needs does not grow with it. Tests lower it.
MEMORY_LIMIT_BYTES = 2**28

_logger = logging.getLogger("tfgans")


def blank(shape: Sequence[int]) -> np.ndarray:
    """Returns a uint8 array to fill: in memory, or above the limit in an unnamed scratch file."""
    size = int(np.prod(shape, dtype=np.int64))
    if size <= MEMORY_LIMIT_BYTES:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile() as scratch:
        try:
            # Claimed now: a disk that fills up under a memory map kills the process.
            os.posix_fallocate(scratch.fileno(), 0, size)
        except OSError as error:
            raise UsageError(
                f"{size:,} bytes of pictures do not fit on the disk of {tempfile.gettempdir()!r} "
                f"({error.strerror}): set TMPDIR to a larger one, or take a smaller image_size"
            ) from error
        return np.memmap(scratch, np.uint8, "r+", shape=tuple(shape))


class ArrayRows:
    """Pictures in one uint8 array of shape `(n, height, width, channels)`."""

    def __init__(self, array: np.ndarray):
        self.array = array
        self.array.flags.writeable = False

    def __len__(self):
        return len(self.array)

    @property
    def shape(self) -> tuple[int, ...]:
        """`(n, height, width, channels)`."""
        return self.array.shape

    @property
    def in_memory(self) -> bool:
        """False for an array that lies in a scratch file."""
        return not isinstance(self.array, np.memmap)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Returns the uint8 pictures at `indices`."""
        return np.asarray(self.array[indices])

    def gather(self, indices):
        """Returns the uint8 pictures at int64 `indices`, and the indices themselves."""
        import tensorflow as tf

        if self.in_memory:
            return tf.gather(self._tensor, indices), indices
        return pycalls.gather(lambda wanted: (self.take(wanted), wanted), self.shape[1:], indices)

    @functools.cached_property
    def _tensor(self):
        import tensorflow as tf

        # Outside of the graph being traced, where it would become a constant of the graph.
        with tf.init_scope(), tf.device("CPU:0"):
            tensor = tf.constant(self.array)
            self.array = np.asarray(tensor)  # a view: one copy in memory, not two
        return tensor


class FileRows:
    """Pictures in files, decoded whenever they are asked for."""

    in_memory = False

    def __init__(self, files: Sequence[pictures.File], shape: tuple[int, int, int], fit: str):
        self.files = files
        self.shape = (len(files), *shape)
        self.fit = fit
        self._told: set[int] = set()

    def __len__(self):
        return len(self.files)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Returns the uint8 pictures at `indices`."""
        return self._decoded(indices)[0]

    def gather(self, indices):
        """Returns the uint8 pictures at int64 `indices`, and the indices they truly come from."""
        return pycalls.gather(self._decoded, self.shape[1:], indices)

    def _decoded(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        used = np.empty(len(indices), np.int64)
        for row, index in enumerate(indices):
            images[row], used[row] = self._decode_or_next(int(index))
        return images, used

    def _decode_or_next(self, index: int) -> tuple[np.ndarray, int]:
        """All files were read once when opened; one lost since then must not end the training."""
        for other in range(index, index + len(self)):
            at = other % len(self)
            try:
                return self.files[at].decode(self.shape[1:], self.fit), at
            except pictures.BadPictureError as error:
                if at not in self._told:
                    self._told.add(at)
                    _logger.warning("%s: %s; the next file stands in", self.files[at].path, error)
        raise UsageError(f"none of the {len(self)} picture files can be read any more")
