"""What builders share: the latent input, and how many doublings lead to a picture."""

import math

import keras

from tfgans.errors import UsageError
from tfgans.variant import DataSpec


def latent_input(latent_dim: int):
    """Returns the Keras input `latent` of that length.

    Raises:
        UsageError: If it is below 1.
    """
    if latent_dim < 1:
        raise UsageError(f"latent_dim={latent_dim!r} must be at least 1")
    return keras.Input((latent_dim,), name="latent")


def layers_of(num_layers: int) -> range:
    """Returns what to loop over for that many layers.

    Raises:
        UsageError: If the number is negative.
    """
    if num_layers < 0:
        raise UsageError(f"{num_layers} layers or blocks cannot be built: 0 or more can")
    return range(num_layers)


def start_and_doublings(data: DataSpec, *, smallest: int = 4) -> tuple[int, int, int]:
    """Returns `(height, width, doublings)`: the map that the doublings turn into the picture.

    The short side of the map lies between `smallest` and `2 * smallest - 1`: 64 is 4 pixels
    doubled four times, 28 is 7 pixels doubled twice.

    Raises:
        UsageError: If the picture is smaller than `2 * smallest` or cannot be halved so often;
            names the nearest sizes that can.
    """
    height, width, _ = data.image_shape
    if min(height, width) < 2 * smallest:
        raise UsageError(
            f"pictures of {height}x{width} are too small for this network: "
            f"it needs {2 * smallest}x{2 * smallest} or more; use --image_size={2 * smallest}"
        )
    doublings = int(math.log2(min(height, width) / smallest))
    factor = 2**doublings
    if height % factor or width % factor:
        fitting = "x".join(map(str, _fitting(height, width, smallest)))
        raise UsageError(
            f"this network cannot make pictures of {height}x{width}: both sides must be "
            f"divisible by {factor}; use --image_size={fitting}"
        )
    return height // factor, width // factor, doublings


def _fitting(height, width, smallest):
    """Rounds both sides; again if the short one has grown to where it is halved once more."""
    factor = 2 ** int(math.log2(min(height, width) / smallest))
    high, wide = round(height / factor) * factor, round(width / factor) * factor
    return (high, wide) if (high, wide) == (height, width) else _fitting(high, wide, smallest)
