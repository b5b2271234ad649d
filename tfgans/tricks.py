"""What the tricks of the trade are made of; `tfgans.adversarial` says where each comes in."""

import keras
import tensorflow as tf

from tfgans.errors import UsageError


def packed(image, channels):
    """Returns successive images side by side as the channels of one (PacGAN).

    Args:
        image: `(batch, height, width, own channels)`.
        channels: Of a pack, a multiple of the images' own.

    Raises:
        UsageError: If the batch is no number of packs.
    """
    count, height, width, own = image.shape
    size = channels // own
    if size == 1:
        return image
    check_packs(count, channels, own)
    image = tf.reshape(image, (count // size, size, height, width, own))
    return tf.reshape(tf.transpose(image, (0, 2, 3, 1, 4)), (-1, height, width, channels))


def check_packs(count, channels, own):
    """Refuses a number of images of `own` channels that is none of packs of `channels`.

    Raises:
        UsageError: If it is not.
    """
    size = channels // own
    if count % size:
        raise UsageError(f"{count} pictures at a time are no packs of {size}")


def before_logits(network):
    """Returns a Functional network up to what its layer `logits`, or else its last, is given."""
    tensors = tf.nest.flatten(network.output)
    found, seen = _node_of(tensors[-1]), set()
    while tensors:
        node = _node_of(tensors.pop())
        if node.operation.name == "logits":
            found = node
            break
        if node not in seen:  # skip connections lead to it again and again
            seen.add(node)
            tensors += node.input_tensors
    return keras.Model(network.input, found.input_tensors[0])


def _node_of(tensor):
    """Returns the node of Keras' graph that a symbolic tensor comes from."""
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def half_squared_norm(variables):
    """Returns that of all kernels among variables."""
    return tf.add_n([tf.nn.l2_loss(one.value) for one in variables if one.name == "kernel"])


def squared_distance(variables, others):
    """Returns the squared distance of two lists of as many variables."""
    pairs = zip(variables, others, strict=True)
    return tf.add_n([2.0 * tf.nn.l2_loss(one.value - other.value) for one, other in pairs])


def in_turn(steps, period, first):
    """Returns how many of the first steps are those of the player that begins, or of the other."""
    turns, rest = divmod(steps, 2 * period)
    of_first = turns * period + min(rest, period)
    return of_first if first else steps - of_first


def checked_target(real_target):
    """Returns the target of real images, if it can be one.

    Raises:
        UsageError: If it does not lie in (0, 1].
    """
    if not 0.0 < real_target <= 1.0:
        raise UsageError(f"real_target={real_target!r} must lie in (0, 1]")
    return real_target
