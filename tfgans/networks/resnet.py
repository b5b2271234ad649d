"""Residual networks of SN-GAN and SAGAN: pre-activation blocks that double or halve the picture."""

import keras

from tfgans.layers import (
    BatchNormalization,
    ConditionalBatchNormalization,
    Conv2D,
    ConvMeanPool,
    LeakyReLU,
    SelfAttention,
    SpectralNormalization,
    UpsampleConv,
)
from tfgans.networks.labels import label_input
from tfgans.networks.parts import attends, check_attention, global_sum, image_input
from tfgans.networks.sizes import latent_input, layers_of, start_and_doublings
from tfgans.variant import DataSpec

_MOST_WIDTHS = 16  # a pyramid's widest map, in times its narrowest


def generator(
    data: DataSpec,
    *,
    latent_dim=128,
    width=256,
    pyramid=False,
    labels=False,
    spectral_norm=False,
    attention=0,
):
    """Builds one residual block for each doubling.

    Args:
        data: Shape of the pictures, and their classes.
        latent_dim: Length of the latent vector.
        width: Channels of every map; the paper's is 256 at 32x32. Of a pyramid the last one's.
        pyramid: Whether each block halves the channels, as in the papers from 64x64 on.
        labels: Whether it takes a label, which scales and shifts each batch normalisation.
        spectral_norm: Whether kernels are divided by their largest singular value, as in SAGAN.
        attention: Self-attention after the block of maps this large, up to twice; 0: none.

    Returns:
        `keras.Model` from {"latent": `(batch, latent_dim)`}, with `labels` also {"label": int32
        `(batch,)`}, to images in [-1, 1].

    Raises:
        UsageError: If the picture's sides cannot be halved to 4 to 7 pixels, it has no classes, or
            no map is as large as `attention` says.

    Reference:
        Miyato et al., 2018, arXiv:1802.05957, Appendix B.4, Tables 4 and 5; Miyato and Koyama,
        2018, arXiv:1802.05637; Zhang et al., 2018, arXiv:1805.08318.
    """
    height, breadth, doublings = start_and_doublings(data)
    sides = [min(height, breadth) * 2**level for level in range(1, doublings + 1)]
    check_attention(attention, sides)
    inputs, one_hot = {"latent": latent_input(latent_dim)}, None
    if labels:
        inputs["label"], one_hot = label_input(data)
    widths = _pyramid(width, doublings)[::-1] if pyramid else [width] * (doublings + 1)
    dense = keras.layers.Dense(height * breadth * widths[0], kernel_initializer=_glorot(1.0))
    maps = (SpectralNormalization(dense) if spectral_norm else dense)(inputs["latent"])
    maps = keras.layers.Reshape((height, breadth, widths[0]))(maps)
    for side, channels in zip(sides, widths[1:], strict=True):
        maps = _up_block(maps, channels, one_hot, spectral_norm)
        if attends(attention, side):
            maps = SelfAttention(spectral_norm=spectral_norm)(maps)
    maps = _normalised_relu(maps)
    maps = _convolution(Conv2D, data.image_shape[-1], 3, spectral_norm=spectral_norm)(maps)
    image = keras.layers.Activation("tanh", dtype="float32", name="image")(maps)
    return keras.Model(inputs, image, name="generator")


def discriminator(
    data: DataSpec,
    *,
    width=128,
    pyramid=False,
    num_flat_blocks=2,
    labels=False,
    attention=0,
    packing=1,
):
    """Builds blocks that halve down to 7 or 8 pixels, flat ones, a global sum and one number.

    Every layer is spectrally normalised. At 28 and 32 pixels two blocks halve, as in the paper. A
    pyramid halves down to 4 to 7 pixels. With labels, the inner product of the summed features and
    an embedding of the class is added to the number (a projection discriminator).

    Args:
        data: Shape of the pictures, and their classes.
        width: Channels of every map; the paper's is 128 at 32x32. Of a pyramid the first one's.
        pyramid: Whether each block doubles the channels, as in the papers from 64x64 on.
        num_flat_blocks: Number of blocks that keep the size.
        labels: Whether it takes a label.
        attention: Self-attention after the block of maps this large, up to twice; 0: none.
        packing: Pictures that it judges together, their channels side by side (PacGAN).

    Returns:
        `keras.Model` from {"image": `(batch, height, width, packing * channels)`}, with `labels`
        also {"label": int32 `(batch,)`}, to logits `(batch, 1)`.

    Raises:
        UsageError: As `generator`.

    Reference:
        Miyato et al., 2018, arXiv:1802.05957, Appendix B.4, Tables 4 and 5; Miyato and Koyama,
        2018, arXiv:1802.05637, Figure 2 and Equation 5.
    """
    _, _, doublings = start_and_doublings(data)
    halvings = doublings if pyramid else max(2, doublings - 1)
    sides = [min(data.image_shape[:2]) // 2**level for level in range(1, halvings + 1)]
    check_attention(attention, sides)
    inputs = {"image": image_input(data, packing, labels)}
    widths = _pyramid(width, halvings) if pyramid else [width] * (halvings + 1)
    maps = inputs["image"]
    for level, side in enumerate(sides):
        block = _down_block if level else _first_down_block
        maps = block(maps, widths[level])
        if attends(attention, side):
            maps = SelfAttention(spectral_norm=True)(maps)
    for _ in layers_of(num_flat_blocks):
        maps = _flat_block(maps, widths[-1])
    features = global_sum(LeakyReLU(0.0)(maps))
    dense = keras.layers.Dense(1, kernel_initializer=_glorot(1.0))
    logits = SpectralNormalization(dense, name="logits")(features)
    if labels:
        inputs["label"], one_hot = label_input(data)
        embedding = keras.layers.Dense(features.shape[-1], use_bias=False)
        embedded = SpectralNormalization(embedding, name="embedding")(one_hot)
        projected = keras.layers.Dot(axes=1)([embedded, features])
        logits = keras.layers.Add()([logits, projected])
    return keras.Model(inputs, logits, name="discriminator")


def _pyramid(width, levels):
    return [width * min(_MOST_WIDTHS, 2**level) for level in range(levels + 1)]


def _glorot(gain):
    return keras.initializers.VarianceScaling(gain**2, "fan_avg", "uniform")


def _convolution(kind, width, kernel_size, gain=1.0, spectral_norm=False):
    layer = kind(width, kernel_size, kernel_initializer=_glorot(gain))
    return SpectralNormalization(layer) if spectral_norm else layer


def _normalised(kind, width, kernel_size, gain=1.0):
    return _convolution(kind, width, kernel_size, gain, spectral_norm=True)


def _normalised_relu(maps, one_hot=None):
    if one_hot is None:
        return keras.layers.ReLU()(BatchNormalization(momentum=0.9, epsilon=1e-5)(maps))
    scale, shift = (
        keras.layers.Dense(maps.shape[-1], use_bias=False, kernel_initializer="zeros")(one_hot)
        for _ in range(2)
    )
    maps = ConditionalBatchNormalization(momentum=0.9, epsilon=1e-5)(maps, scale, shift)
    return keras.layers.ReLU()(maps)


def _up_block(maps, width, one_hot, spectral_norm):
    """BN, ReLU, double, 3x3, BN, ReLU, 3x3; the shortcut doubles and has a 1x1."""

    def convolution(kind, kernel_size, gain=1.0):
        return _convolution(kind, width, kernel_size, gain, spectral_norm)

    residual = convolution(UpsampleConv, 3, gain=2**0.5)(_normalised_relu(maps, one_hot))
    residual = convolution(Conv2D, 3, gain=2**0.5)(_normalised_relu(residual, one_hot))
    shortcut = convolution(UpsampleConv, 1)(maps)
    return keras.layers.Add()([residual, shortcut])


def _first_down_block(image, width):
    """3x3, ReLU, 3x3, halve: no ReLU on raw pixels; the shortcut halves and has a 1x1."""
    residual = _normalised(Conv2D, width, 3, gain=2**0.5)(image)
    residual = _normalised(ConvMeanPool, width, 3, gain=2**0.5)(LeakyReLU(0.0)(residual))
    shortcut = _normalised(ConvMeanPool, width, 1)(image)
    return keras.layers.Add()([residual, shortcut])


def _down_block(maps, width):
    """ReLU, 3x3, ReLU, 3x3, halve; the shortcut halves and has a 1x1."""
    residual = _normalised(Conv2D, maps.shape[-1], 3, gain=2**0.5)(LeakyReLU(0.0)(maps))
    residual = _normalised(ConvMeanPool, width, 3, gain=2**0.5)(LeakyReLU(0.0)(residual))
    shortcut = _normalised(ConvMeanPool, width, 1)(maps)
    return keras.layers.Add()([residual, shortcut])


def _flat_block(maps, width):
    """ReLU, 3x3, ReLU, 3x3; the shortcut is the identity, or a 1x1 to more channels."""
    channels = maps.shape[-1]
    residual = _normalised(Conv2D, channels, 3, gain=2**0.5)(LeakyReLU(0.0)(maps))
    residual = _normalised(Conv2D, width, 3, gain=2**0.5)(LeakyReLU(0.0)(residual))
    shortcut = maps if channels == width else _normalised(Conv2D, width, 1)(maps)
    return keras.layers.Add()([residual, shortcut])
