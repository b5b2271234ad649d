"""What residual networks of several papers share."""

import keras

from tfgans.errors import UsageError


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


def global_sum(maps):
    """Returns the sum over all positions: a mean times their number, for which Keras has layers."""
    pixels = maps.shape[1] * maps.shape[2]
    features = keras.layers.GlobalAveragePooling2D()(maps)
    return keras.layers.Rescaling(float(pixels))(features)
