"""Residual networks of SN-GAN: pre-activation blocks that double or halve the picture."""

import keras

from tfgans.layers import (
    BatchNormalization,
    Conv2D,
    ConvMeanPool,
    LeakyReLU,
    SpectralNormalization,
    UpsampleConv,
)
from tfgans.networks.sizes import latent_input, layers_of, start_and_doublings
from tfgans.variant import DataSpec


def generator(data: DataSpec, *, latent_dim=128, width=256):
    """Builds one residual block for each doubling, all of one width.

    Args:
        data: Shape of the pictures.
        latent_dim: Length of the latent vector.
        width: Channels of every map; the paper's is 256 at 32x32.

    Returns:
        `keras.Model` from {"latent": `(batch, latent_dim)`} to images in [-1, 1].

    Raises:
        UsageError: If the picture's sides cannot be halved to 4 to 7 pixels.

    Reference:
        Miyato et al., 2018, arXiv:1802.05957, Appendix B.4, Table 4.
    """
    height, breadth, doublings = start_and_doublings(data)
    latent = latent_input(latent_dim)
    maps = keras.layers.Dense(height * breadth * width, kernel_initializer=_glorot(1.0))(latent)
    maps = keras.layers.Reshape((height, breadth, width))(maps)
    for _ in range(doublings):
        maps = _up_block(maps, width)
    maps = _normalised_relu(maps)
    maps = _convolution(Conv2D, data.image_shape[-1], 3)(maps)
    image = keras.layers.Activation("tanh", dtype="float32", name="image")(maps)
    return keras.Model({"latent": latent}, image, name="generator")


def discriminator(data: DataSpec, *, width=128, num_flat_blocks=2):
    """Builds blocks that halve down to 7 or 8 pixels, flat ones, a global sum and one number.

    Every layer is spectrally normalised. At 28 and 32 pixels two blocks halve, as in the paper.

    Args:
        data: Shape of the pictures.
        width: Channels of every map; the paper's is 128 at 32x32.
        num_flat_blocks: Number of blocks that keep the size.

    Returns:
        `keras.Model` from {"image": `(batch, height, width, channels)`} to logits `(batch, 1)`.

    Reference:
        Miyato et al., 2018, arXiv:1802.05957, Appendix B.4, Table 4.
    """
    _, _, doublings = start_and_doublings(data)
    image = keras.Input(data.image_shape, name="image")
    maps = _first_down_block(image, width)
    for _ in range(max(1, doublings - 2)):
        maps = _down_block(maps, width)
    for _ in layers_of(num_flat_blocks):
        maps = _flat_block(maps, width)
    features = LeakyReLU(0.0)(maps)
    # A mean times the number of pixels: Keras has no layer for a global sum.
    pixels = features.shape[1] * features.shape[2]
    features = keras.layers.GlobalAveragePooling2D()(features)
    features = keras.layers.Rescaling(float(pixels))(features)
    dense = keras.layers.Dense(1, kernel_initializer=_glorot(1.0))
    logits = SpectralNormalization(dense, name="logits")(features)
    return keras.Model({"image": image}, logits, name="discriminator")


def _glorot(gain):
    return keras.initializers.VarianceScaling(gain**2, "fan_avg", "uniform")


def _convolution(kind, width, kernel_size, gain=1.0):
    return kind(width, kernel_size, kernel_initializer=_glorot(gain))


def _normalised(kind, width, kernel_size, gain=1.0):
    return SpectralNormalization(_convolution(kind, width, kernel_size, gain))


def _normalised_relu(maps):
    maps = BatchNormalization(momentum=0.9, epsilon=1e-5)(maps)
    return keras.layers.ReLU()(maps)


def _up_block(maps, width):
    """BN, ReLU, double, 3x3, BN, ReLU, 3x3; the shortcut doubles and has a 1x1."""
    residual = _convolution(UpsampleConv, width, 3, gain=2**0.5)(_normalised_relu(maps))
    residual = _convolution(Conv2D, width, 3, gain=2**0.5)(_normalised_relu(residual))
    shortcut = _convolution(UpsampleConv, width, 1)(maps)
    return keras.layers.Add()([residual, shortcut])


def _first_down_block(image, width):
    """3x3, ReLU, 3x3, halve: no ReLU on raw pixels; the shortcut halves and has a 1x1."""
    residual = _normalised(Conv2D, width, 3, gain=2**0.5)(image)
    residual = _normalised(ConvMeanPool, width, 3, gain=2**0.5)(LeakyReLU(0.0)(residual))
    shortcut = _normalised(ConvMeanPool, width, 1)(image)
    return keras.layers.Add()([residual, shortcut])


def _down_block(maps, width):
    """ReLU, 3x3, ReLU, 3x3, halve; the shortcut halves and has a 1x1."""
    residual = _normalised(Conv2D, width, 3, gain=2**0.5)(LeakyReLU(0.0)(maps))
    residual = _normalised(ConvMeanPool, width, 3, gain=2**0.5)(LeakyReLU(0.0)(residual))
    shortcut = _normalised(ConvMeanPool, width, 1)(maps)
    return keras.layers.Add()([residual, shortcut])


def _flat_block(maps, width):
    """ReLU, 3x3, ReLU, 3x3; the shortcut is the identity."""
    residual = _normalised(Conv2D, width, 3, gain=2**0.5)(LeakyReLU(0.0)(maps))
    residual = _normalised(Conv2D, width, 3, gain=2**0.5)(LeakyReLU(0.0)(residual))
    return keras.layers.Add()([residual, maps])
