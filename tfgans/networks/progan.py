"""Networks of progressive growing, for any size that halves down to 4 to 7 pixels."""

import itertools

import keras

from tfgans.layers import (
    Conv2D,
    ConvMeanPool,
    Crossfade,
    EqualizedLearningRate,
    LeakyReLU,
    MinibatchStddev,
    PixelNormalization,
    UpsampleConv,
)
from tfgans.networks.growing import Growing, channels, equalized, generator_stages, sizes
from tfgans.networks.sizes import latent_input
from tfgans.variant import DataSpec


def generator(
    data: DataSpec,
    *,
    latent_dim=512,
    width=512,
    base=16384,
    start_size=0,
    phase_images=800_000,
):
    """Builds two convolutions for each size, the first of which doubles it, and a 1x1 to colours.

    At 1024x1024: 512 channels from 4x4 to 32x32, then 256 - 128 - 64 - 32 - 16; leaky ReLU 0.2 and
    pixel normalisation after each, equalised learning rates, no activation at the end.

    Args:
        data: Shape of the pictures, 8 pixels a side or more.
        latent_dim: Length of the latent vector, which is normalised first.
        width: Channels of a map at most.
        base: Channels of a map times its short side.
        start_size: Short side of the first stage's pictures, or the next larger there is; 0: the
            smallest, of 4 to 7 pixels; as large as the data: all sizes at once.
        phase_images: Real images that are shown in each stage: of one size, or of fading to it.

    Returns:
        `Growing` from {"latent": `(batch, latent_dim)`} to images of about [-1, 1].

    Raises:
        UsageError: If the picture's sides cannot be halved down to 4 to 7 pixels, or a number is
            not positive.

    Reference:
        Karras et al., 2017, arXiv:1710.10196, Table 2, left.
    """
    return Growing(
        progan_generator,
        {
            "image_shape": list(data.image_shape),
            "latent_dim": latent_dim,
            "width": width,
            "base": base,
            "start_size": start_size,
        },
        phase_images=phase_images,
        name="generator",
    )


def discriminator(data: DataSpec, *, width=512, base=16384, start_size=0, group_size=4):
    """Builds the mirror of the generator: from colours by a 1x1, two convolutions for each size.

    The second halves the size. At the smallest, the deviation over the minibatch is one channel
    more, and a convolution, a dense layer and one number follow.

    Args:
        data: Shape of the pictures, 8 pixels a side or more.
        width: Channels of a map at most.
        base: Channels of a map times its short side.
        start_size: As the generator's, and equal to it.
        group_size: Examples whose deviation is taken together.

    Returns:
        `Growing` from {"image": `(batch, height, width, channels)`} to logits `(batch, 1)`; the
        images have the size of the stage.

    Raises:
        UsageError: As `generator`.

    Reference:
        Karras et al., 2017, arXiv:1710.10196, Table 2, right, and Section 3.
    """
    return Growing(
        progan_discriminator,
        {
            "image_shape": list(data.image_shape),
            "width": width,
            "base": base,
            "start_size": start_size,
            "group_size": group_size,
        },
        name="discriminator",
    )


@keras.saving.register_keras_serializable("tfgans")
def progan_generator(image_shape, latent_dim, width, base, start_size):
    """Returns the stages of the generator; the arguments are those of `generator`."""
    found, first = sizes(image_shape, start_size)
    latent = latent_input(latent_dim)
    maps, pictures = PixelNormalization()(latent), []
    for level, size in enumerate(found):
        count = channels(size, width, base)
        if level:
            maps = equalized(UpsampleConv, count, 3)(maps)
        else:
            # A convolution of 4x4 from one pixel, but that each pixel has a bias of its own. The
            # gain is that convolution's: He's constant for all its 16 positions.
            dense = equalized(keras.layers.Dense, count * size[0] * size[1], gain=2**0.5 / 4)
            maps = keras.layers.Reshape((*size, count))(dense(maps))
        maps = _activated(equalized(Conv2D, count, 3)(_activated(maps)))
        if level >= first:
            pictures.append(equalized(Conv2D, image_shape[-1], 1, gain=1.0)(maps))
    return generator_stages({"latent": latent}, pictures)


def _activated(maps):
    return PixelNormalization()(LeakyReLU(0.2)(maps))


@keras.saving.register_keras_serializable("tfgans")
def progan_discriminator(image_shape, width, base, start_size, group_size):
    """Returns the stages of the discriminator; the arguments are those of `discriminator`."""
    found, first = sizes(image_shape, start_size)
    counts = [channels(size, width, base) for size in found]
    # What leads from level to level; the first part ends in a number, the others in half the size.
    parts = [_end(counts[0], group_size)]
    for less, count in itertools.pairwise(counts):
        parts.append([*_layer(Conv2D, count, 3), *_layer(ConvMeanPool, less, 3)])
    from_colours = {level: _layer(Conv2D, counts[level], 1) for level in range(first, len(found))}
    networks = []
    for level in range(first, len(found)):
        image = keras.Input((*found[level], image_shape[-1]), name="image")
        maps = _through(from_colours[level], image)
        if level > first:
            fade = keras.Input((), name="fade")
            half = keras.layers.AveragePooling2D(2, dtype="float32")(image)
            old = _through(from_colours[level - 1], half)
            blend = Crossfade(dtype="float32")(old, _through(parts[level], maps), fade)
            logits = _down(parts[:level], blend)
            networks.append(keras.Model({"image": image, "fade": fade}, logits))
        networks.append(keras.Model({"image": image}, _down(parts[: level + 1], maps)))
    return networks


def _layer(kind, *arguments):
    return [equalized(kind, *arguments), LeakyReLU(0.2)]


def _end(count, group_size):
    return [
        MinibatchStddev(group_size),
        *_layer(Conv2D, count, 3),
        keras.layers.Flatten(),
        *_layer(keras.layers.Dense, count),
        EqualizedLearningRate(keras.layers.Dense(1), gain=1.0, name="logits"),
    ]


def _down(parts, maps):
    for part in reversed(parts):
        maps = _through(part, maps)
    return maps


def _through(layers, maps):
    for layer in layers:
        maps = layer(maps)
    return maps
