"""Stateless random numbers: a pure function of seed, step, stream, part and example.

Training draws every number through `normal` and `uniform`. They draw for the global batch and
hand each replica its own rows, so that the numbers do not depend on how many replicas share
the work, nor on what was drawn before: resuming at step n needs no generator state.
"""

import zlib

import tensorflow as tf

RANDOM_LABEL = -1  # stands for a class that the seed of a sample draws


def key(seed, step, stream: str, part=0) -> tf.Tensor:
    """Returns the int32 `(2,)` seed that belongs to a stream at a step.

    Args:
        seed: Seed of the run, an int or integer tensor.
        step: Generator step, an int or integer tensor.
        stream: What the numbers are for, such as `"latent"`.
        part: Which of several equal draws within one step, such as the critic step.
    """
    base = tf.stack([tf.cast(seed, tf.int32), tf.constant(zlib.crc32(stream.encode()) >> 1)])
    at_step = tf.random.experimental.stateless_fold_in(base, tf.cast(step, tf.int32))
    return tf.random.experimental.stateless_fold_in(at_step, tf.cast(part, tf.int32))


def latent(n, latent_dim, seed, truncation, *, uniform=False) -> tf.Tensor:
    """Draws the `n` latents of a sample, float32 `(n, latent_dim)`, by its seed alone.

    Args:
        n: An int tensor or int.
        latent_dim: Length of a latent.
        seed: An int tensor or int.
        truncation: Normal entries beyond it are drawn again until they fit, which is drawing from
            the truncated normal; uniform ones are scaled to it. Infinity: as they come.
        uniform: Whether they are uniform on [-1, 1], instead of normal.
    """
    at, shape = key(seed, 0, "sample"), (n, latent_dim)
    if uniform:
        return tf.random.stateless_uniform(shape, at, -1.0, 1.0) * tf.minimum(truncation, 1.0)
    return tf.cond(
        tf.math.is_inf(truncation),
        lambda: tf.random.stateless_normal(shape, at),
        lambda: tf.random.stateless_parameterized_truncated_normal(
            shape, at, 0.0, 1.0, -truncation, truncation
        ),
    )


def label(n, seed, asked, classes) -> tf.Tensor:
    """Returns the int32 `(n,)` labels of a sample: those asked for, others drawn by its seed.

    Args:
        n: An int tensor or int.
        seed: An int tensor or int.
        asked: One label or `n` of them; one by chance in the place of each below 0.
        classes: Labels that there are.
    """
    drawn = tf.random.stateless_uniform(
        (n,), key(seed, 0, "sample/label"), 0, len(classes), tf.int32
    )
    asked = tf.broadcast_to(asked, (n,))
    return tf.where(asked < 0, tf.gather(tf.constant(classes, tf.int32), drawn), asked)


def normal(seed, step, stream: str, shape, part=0, piece=(0, 1)) -> tf.Tensor:
    """Draws float32 standard normals of `shape`.

    Args:
        seed: As for `key`.
        step: As for `key`.
        stream: As for `key`.
        shape: Its first axis counts the rows of this replica, or of a piece of them.
        part: As for `key`.
        piece: `(index, count)`, which piece.
    """
    return _draw(tf.random.stateless_normal, key(seed, step, stream, part), shape, piece)


def uniform(seed, step, stream: str, shape, part=0, piece=(0, 1)) -> tf.Tensor:
    """Draws float32 numbers uniform in [0, 1); the arguments are those of `normal`."""
    return _draw(tf.random.stateless_uniform, key(seed, step, stream, part), shape, piece)


def _draw(sampler, seed, shape, piece) -> tf.Tensor:
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync if context else 1
    index, count = piece
    if replicas * count == 1:
        return sampler(shape, seed)
    rows = shape[0]
    drawn = sampler((rows * replicas * count, *shape[1:]), seed)
    replica = context.replica_id_in_sync_group if context else 0
    first = (replica * count + index) * rows
    return tf.ensure_shape(drawn[first : first + rows], shape)
