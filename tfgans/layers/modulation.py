"""What the layers share whose scale and shift are given for each example."""

import tensorflow as tf


def over_positions(vectors, maps):
    """Returns `(batch, channels)` as `(batch, 1, ..., channels)`, to be broadcast over maps.

    Args:
        vectors: A scale or shift for each example.
        maps: `(batch, ..., channels)`.

    Raises:
        ValueError: If `vectors` has another shape.
    """
    channels = maps.shape[-1]
    if len(vectors.shape) != 2 or vectors.shape[-1] != channels:
        raise ValueError(
            f"scale and shift must have shape (batch, {channels}), got {tuple(vectors.shape)}"
        )
    return tf.reshape(vectors, (-1, *[1] * (len(maps.shape) - 2), channels))
