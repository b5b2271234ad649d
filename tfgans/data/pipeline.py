"""From a source to a `tf.data.Dataset` of dict batches."""

import numpy as np
import tensorflow as tf

from tfgans.data import order
from tfgans.data.source import Source

PARALLEL_CALLS = 2  # elements built at once from memory
PARALLEL_DECODES = 4  # and from files
PREFETCH = 2


def shuffled(
    source: Source, rows: int, seed: int, start_step: int, share: tuple[int, int, int] = (0, 1, 1)
) -> tf.data.Dataset:
    """Returns the endless training data; element k is a function of `seed` and k alone.

    Args:
        source: Where the pictures are.
        rows: Pictures in an element.
        seed: Seed of the order.
        start_step: First element.
        share: `(first, count, total)`: each element in `total` equal slices, an element each, and
            of these `count` from `first` on, in turn: those of one worker's replicas.
    """
    first, count, total = share
    part, rest = divmod(rows, total)
    if rest:
        raise ValueError(f"{rows} rows are not {total} equal slices")

    def element(turn):
        place = turn // count * rows + (first + turn % count) * part
        return _batch(source, order.shuffled(place, part, source.size, seed))

    return _finished(tf.data.Dataset.counter(start_step * count), element, source, count)


def in_order(source: Source, rows: int, start_step: int) -> tf.data.Dataset:
    """Returns one pass over the source in its own order, the last part batch included."""

    def element(step):
        return _batch(source, tf.range(step * rows, tf.minimum((step + 1) * rows, source.size)))

    return _finished(tf.data.Dataset.range(start_step, -(-source.size // rows)), element, source)


def to_float(image):
    """uint8 [0, 255] -> float32 [-1, 1]."""
    return tf.cast(image, tf.float32) / 127.5 - 1.0


def _batch(source: Source, places) -> dict[str, tf.Tensor]:
    """The batch at `places` of the split."""
    collection = source.collection
    image, used = collection.rows.gather(tf.gather(_constant(source.index), places))
    batch = {"image": to_float(image)}
    if collection.labels is not None:
        batch["label"] = tf.gather(_constant(collection.labels), used)
    return batch


def _constant(array: np.ndarray) -> tf.Tensor:
    with tf.init_scope(), tf.device("CPU:0"):
        return tf.constant(array)


def _finished(steps: tf.data.Dataset, element, source: Source, slices=1) -> tf.data.Dataset:
    calls = slices * (PARALLEL_CALLS if source.in_memory else PARALLEL_DECODES)
    dataset = steps.map(element, num_parallel_calls=calls, deterministic=True)
    dataset = dataset.prefetch(slices * PREFETCH)
    options = tf.data.Options()
    options.deterministic = True
    # Its thread holds up the end of every `fit` by up to 10 s.
    options.autotune.enabled = False
    # Steps are made from numbers, so there are no files to divide among workers.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return dataset.with_options(options)
