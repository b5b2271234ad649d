"""Residual networks of BigGAN: a shared embedding, a part of the latent for each block."""

import keras

from tfgans.errors import UsageError
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
from tfgans.networks.parts import attends, check_attention, global_sum
from tfgans.networks.sizes import latent_input, start_and_doublings
from tfgans.variant import DataSpec

# Doublings (2 for 28 pixels, 3 for 32, 5 for 128) -> channels in times `ch`: of the generator's
# first map and after each doubling, and of the discriminator after each halving and flat block.
_GENERATOR = {
    1: (4, 4),
    2: (4, 4, 4),
    3: (4, 4, 4, 4),
    4: (16, 16, 8, 4, 2),
    5: (16, 16, 8, 4, 2, 1),
    6: (16, 16, 8, 8, 4, 2, 1),
}
_HALVINGS = {
    1: (4,),
    2: (4, 4),
    3: (4, 4),
    4: (1, 2, 4, 8),
    5: (1, 2, 4, 8, 16),
    6: (1, 2, 4, 8, 8, 16),
}
_FLAT = {1: (4, 4), 2: (4, 4), 3: (4, 4), 4: (16,), 5: (16,), 6: (16,)}


def generator(data: DataSpec, *, ch=96, chunk_dim=20, shared_dim=128, attention=64):
    """Builds one residual block for each doubling, with spectral normalisation.

    Every kernel has it but the shared embedding's. The latent is cut into chunks: the first makes
    the first map, and each of the others, joined to an embedding of the label that all blocks
    share, scales and shifts the batch normalisations of a block. At 128x128 and ch 96: 16 (4x4) -
    16 - 8 - 4 - 2 - 1 times ch channels, 70,433,988 trainable parameters with 1,000 classes.

    Args:
        data: Shape of the pictures, 8 to 511 pixels a side, and their classes.
        ch: Channels that all widths are multiples of.
        chunk_dim: Length of each chunk; the latent has one more than there are blocks.
        shared_dim: Length of the shared embedding of a label.
        attention: Non-local block after the block of maps this large, up to twice; 0: none.

    Returns:
        `keras.Model` from {"latent": `(batch, chunks * chunk_dim)`, "label": int32 `(batch,)`} to
        images in [-1, 1].

    Raises:
        UsageError: If the pictures are too large, their sides cannot be halved to 4 to 7 pixels,
            there are no classes, or no map is as large as `attention` says.

    Reference:
        Brock et al., 2018, arXiv:1809.11096, Appendix B, Figure 15, Tables 4 to 8.
    """
    height, breadth, doublings = _sizes(data)
    widths = [ch * times for times in _GENERATOR[doublings]]
    sides = [min(height, breadth) * 2**level for level in range(1, doublings + 1)]
    check_attention(attention, sides)
    latent, (label, one_hot) = latent_input(chunk_dim * (doublings + 1)), label_input(data)
    embedded = _dense(shared_dim, use_bias=False, name="shared_embedding")(one_hot)
    first, *chunks = keras.ops.split(latent, doublings + 1, axis=-1)
    maps = _normalised(_dense(height * breadth * widths[0]))(first)
    maps = keras.layers.Reshape((height, breadth, widths[0]))(maps)
    for chunk, side, width in zip(chunks, sides, widths[1:], strict=True):
        condition = keras.layers.Concatenate()([embedded, chunk])
        maps = _up_block(maps, width, condition)
        if attends(attention, side):
            maps = _non_local()(maps)
    maps = keras.layers.ReLU()(BatchNormalization(momentum=0.9, epsilon=1e-5)(maps))
    maps = _convolution(Conv2D, data.image_shape[-1], 3)(maps)
    image = keras.layers.Activation("tanh", dtype="float32", name="image")(maps)
    return keras.Model({"latent": latent, "label": label}, image, name="generator")


def discriminator(data: DataSpec, *, ch=96, attention=64):
    """Builds blocks that halve, flat ones, a global sum, and one number with the class projected.

    Every kernel is spectrally normalised, that of the class embedding too. At 128x128 and ch 96:
    1 - 2 - 4 - 8 - 16 - 16 times ch channels, five blocks halving, 87,982,370 trainable parameters
    with 1,000 classes.

    Args:
        data: Shape of the pictures, 8 to 511 pixels a side, and their classes.
        ch: Channels that all widths are multiples of.
        attention: Non-local block after the block of maps this large, up to twice; 0: none.

    Returns:
        `keras.Model` from {"image": `(batch, height, width, channels)`, "label": int32 `(batch,)`}
        to logits `(batch, 1)`.

    Raises:
        UsageError: As `generator`.

    Reference:
        Brock et al., 2018, arXiv:1809.11096, Appendix B, Figure 15, Tables 4 to 8.
    """
    _, _, doublings = _sizes(data)
    halvings = _HALVINGS[doublings]
    sides = [min(data.image_shape[:2]) // 2**level for level in range(1, len(halvings) + 1)]
    check_attention(attention, sides)
    image, (label, one_hot) = keras.Input(data.image_shape, name="image"), label_input(data)
    maps = image
    for level, (side, times) in enumerate(zip(sides, halvings, strict=True)):
        maps = _down_block(maps, ch * times, activate=level > 0)
        if attends(attention, side):
            maps = _non_local()(maps)
    for times in _FLAT[doublings]:
        maps = _flat_block(maps, ch * times)
    features = global_sum(LeakyReLU(0.0)(maps))
    logits = _normalised(_dense(1), name="logits")(features)
    embedding = _dense(features.shape[-1], use_bias=False)
    embedded = _normalised(embedding, name="embedding")(one_hot)
    projected = keras.layers.Dot(axes=1)([embedded, features])
    logits = keras.layers.Add()([logits, projected])
    return keras.Model({"image": image, "label": label}, logits, name="discriminator")


def _sizes(data):
    height, breadth, doublings = start_and_doublings(data)
    if doublings not in _GENERATOR:
        raise UsageError(
            f"pictures of {data.image_shape[0]}x{data.image_shape[1]} are too large for BigGAN, "
            "which has tables up to 256 pixels a side; use --image_size=256"
        )
    return height, breadth, doublings


def _orthogonal():
    return keras.initializers.Orthogonal()


def _dense(units, use_bias=True, name=None):
    return keras.layers.Dense(units, use_bias=use_bias, kernel_initializer=_orthogonal(), name=name)


def _normalised(layer, name=None):
    return SpectralNormalization(layer, name=name)


def _convolution(kind, width, kernel_size):
    return _normalised(kind(width, kernel_size, kernel_initializer=_orthogonal()))


def _non_local():
    return SelfAttention(
        spectral_norm=True,
        pool=True,
        value_divisor=2,
        use_bias=False,
        kernel_initializer="orthogonal",
    )


def _normalised_relu(maps, condition):
    scale, shift = (
        _normalised(_dense(maps.shape[-1], use_bias=False))(condition) for _ in range(2)
    )
    maps = ConditionalBatchNormalization(momentum=0.9, epsilon=1e-5)(maps, scale, shift)
    return keras.layers.ReLU()(maps)


def _up_block(maps, width, condition):
    """BN, ReLU, double, 3x3, BN, ReLU, 3x3; the shortcut doubles and has a 1x1."""
    residual = _convolution(UpsampleConv, width, 3)(_normalised_relu(maps, condition))
    residual = _convolution(Conv2D, width, 3)(_normalised_relu(residual, condition))
    shortcut = _convolution(UpsampleConv, width, 1)(maps)
    return keras.layers.Add()([residual, shortcut])


def _down_block(maps, width, activate):
    """ReLU (but on pictures), 3x3, ReLU, 3x3, halve; the shortcut halves and has a 1x1."""
    residual = LeakyReLU(0.0)(maps) if activate else maps
    residual = LeakyReLU(0.0)(_convolution(Conv2D, width, 3)(residual))
    residual = _convolution(ConvMeanPool, width, 3)(residual)
    shortcut = _convolution(ConvMeanPool, width, 1)(maps)
    return keras.layers.Add()([residual, shortcut])


def _flat_block(maps, width):
    """ReLU, 3x3, ReLU, 3x3; the shortcut is the identity, or a 1x1 to more channels."""
    residual = _convolution(Conv2D, width, 3)(LeakyReLU(0.0)(maps))
    residual = _convolution(Conv2D, width, 3)(LeakyReLU(0.0)(residual))
    shortcut = maps if maps.shape[-1] == width else _convolution(Conv2D, width, 1)(maps)
    return keras.layers.Add()([residual, shortcut])
