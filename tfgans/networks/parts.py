"""What residual networks of several papers share."""

import keras

from tfgans.errors import UsageError
from tfgans.layers import MinibatchDiscrimination
from tfgans.variant import DataSpec


def attends(attention: int, side: int) -> bool:
    """Whether self-attention that is asked for at `attention` pixels stands at maps of `side`."""
    return attention <= side < 2 * attention


def check_attention(attention: int, sides: list[int]) -> None:
    """Refuses a place for self-attention that no map has; 0 asks for none.

    Raises:
        UsageError: If no map is as large, up to twice.
    """
    if attention and not any(attends(attention, side) for side in sides):
        raise UsageError(
            f"attention={attention!r} fits no map: give the side of one, "
            f"{' or '.join(map(str, sides))}, or 0 for none"
        )


def image_input(data: DataSpec, packing: int, labelled: bool = False):
    """Returns the Keras input `image`, of that many pictures, their channels side by side.

    Raises:
        UsageError: If it is not positive, or several pictures would have one label.
    """
    if packing < 1 or (packing > 1 and labelled):
        wanted = "1, where it has to do with labels" if labelled else "at least 1"
        raise UsageError(f"packing={packing!r} must be {wanted}")
    height, width, channels = data.image_shape
    return keras.Input((height, width, packing * channels), name="image")


def with_closeness(features, num_kernels: int, constraint=None):
    """Returns features to which minibatch discrimination has added so many; none for 0."""
    if not num_kernels:
        return features
    return MinibatchDiscrimination(num_kernels, kernel_constraint=constraint)(features)


def global_sum(maps):
    """Returns the sum over all positions: a mean times their number, for which Keras has layers."""
    pixels = maps.shape[1] * maps.shape[2]
    features = keras.layers.GlobalAveragePooling2D()(maps)
    return keras.layers.Rescaling(float(pixels))(features)
