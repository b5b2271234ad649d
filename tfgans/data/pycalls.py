"""Python functions inside `tf.data`, brought to rest before the interpreter ends.

A thread of tf.data that asks for the interpreter while that shuts down never gets it, and the
process then waits for the thread: measured, any program that ended with such an iterator alive
hung. So at exit the functions give blanks at once, and the exit waits until the buffers are full
and nobody calls any more.
"""

import atexit
import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np

QUIET_SECONDS = 1.0  # without a call; the next one comes sooner even on a busy machine
MAX_SECONDS = 30.0

_lock = threading.Lock()
_ending = threading.Event()
_running = 0
_last_end = -QUIET_SECONDS


def gather(
    read: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], shape: tuple[int, ...], indices
):
    """Calls `read(indices) -> (uint8 pictures, int64 indices)` from a TensorFlow graph.

    Args:
        read: The function to call.
        shape: Shape of a picture.
        indices: int64 tensor `(n,)`.

    Returns:
        The two results, as tensors of shape `(n, *shape)` and `(n,)`.
    """
    import tensorflow as tf

    def call(indices):
        with _counted():
            if _ending.is_set():
                return np.zeros((len(indices), *shape), np.uint8), indices
            return read(indices)

    _at_exit_come_to_rest()
    images, used = tf.numpy_function(call, [indices], (tf.uint8, tf.int64))
    rows = indices.shape[0]
    return tf.ensure_shape(images, (rows, *shape)), tf.ensure_shape(used, (rows,))


@contextlib.contextmanager
def _counted() -> Iterator[None]:
    global _running, _last_end
    with _lock:
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            _last_end = time.monotonic()


@functools.cache
def _at_exit_come_to_rest() -> None:
    atexit.register(_come_to_rest)


def _come_to_rest() -> None:
    _ending.set()
    give_up = time.monotonic() + MAX_SECONDS
    while time.monotonic() < give_up:
        with _lock:
            if not _running and time.monotonic() - _last_end >= QUIET_SECONDS:
                return
        time.sleep(0.02)
