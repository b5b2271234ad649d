"""Deep convolutional networks of DCGAN, for any size that halves down to 4 to 7 pixels."""

import keras

from tfgans.errors import UsageError
from tfgans.layers import (
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    LeakyReLU,
    SelfAttention,
    SpectralNormalization,
    WeightClip,
)
from tfgans.networks.labels import label_input
from tfgans.networks.parts import attends, check_attention, image_input, with_closeness
from tfgans.networks.sizes import latent_input, start_and_doublings
from tfgans.variant import DataSpec


def generator(
    data: DataSpec,
    *,
    latent_dim=100,
    width=0,
    batch_norm=True,
    constant_width=False,
    label_dim=0,
    attention=0,
):
    """Builds a stack of transposed convolutions, each doubling the picture.

    At 64x64x3 and width 64: 512 (4x4) - 256 - 128 - 64 - 3 channels, kernel 4, stride 2, batch
    normalisation and ReLU inside, tanh at the end. Maps have at most 8 times `width` channels.

    Args:
        data: Shape of the pictures.
        latent_dim: Length of the latent vector.
        width: Channels of the last hidden map; 0: 64 (the paper's) from 64 pixels up, else 40.
        batch_norm: Whether to normalise each hidden map; without it the layers have biases.
        constant_width: Whether all hidden maps have `width` channels, instead of doubling.
        label_dim: Length of the embedding of a label, joined to the latent; 0: takes no label.
        attention: Self-attention at hidden maps this large, up to twice; 0: none.

    Returns:
        `keras.Model` from {"latent": `(batch, latent_dim)`}, with `label_dim` also {"label": int32
        `(batch,)`}, to images in [-1, 1].

    Raises:
        UsageError: If the picture's sides cannot be halved to such a start.

    Reference:
        Radford et al., 2015, arXiv:1511.06434, Figure 1.
    """
    height, breadth, doublings = start_and_doublings(data)
    width = width or (64 if min(data.image_shape[:2]) >= 64 else 40)
    channels = [
        width * (1 if constant_width else min(8, 2**level)) for level in reversed(range(doublings))
    ]
    inputs = {"latent": latent_input(latent_dim)}
    vector = inputs["latent"]
    if label_dim:
        inputs["label"], one_hot = label_input(data)
        embedded = keras.layers.Dense(label_dim, use_bias=False, name="embedding")(one_hot)
        vector = keras.layers.Concatenate()([vector, embedded])
    sides = [min(height, breadth) * 2**level for level in range(doublings)]
    check_attention(attention, sides)
    maps = _project(vector, (height, breadth, channels[0]), use_bias=not batch_norm)
    for side, count in zip(sides, [*channels[1:], data.image_shape[-1]], strict=True):
        maps = _activate(maps, "relu", batch_norm)
        if attends(attention, side):
            maps = SelfAttention()(maps)
        maps = Conv2DTranspose(count, 4, 2, use_bias=not batch_norm, kernel_initializer=_normal())(
            maps
        )
    image = keras.layers.Activation("tanh", dtype="float32", name="image")(maps)
    return keras.Model(inputs, image, name="generator")


def discriminator(
    data: DataSpec,
    *,
    width=64,
    batch_norm=True,
    spectral_norm=False,
    weight_clip=0.0,
    labels="none",
    attention=0,
    packing=1,
    minibatch_discrimination=0,
    num_outputs=1,
):
    """Builds a stack of strided convolutions, each halving the picture.

    At 64x64x3: 64 - 128 - 256 - 512 channels, kernel 4, stride 2, LeakyReLU 0.2, then one number
    from the flattened 4x4 map. Batch normalisation after all but the first and the last. Maps
    have at most 8 times `width` channels.

    Args:
        data: Shape of the pictures.
        width: Channels of the first map.
        batch_norm: Whether to normalise the inner maps; without it the layers have biases.
        spectral_norm: Whether every kernel is divided by its largest singular value.
        weight_clip: Largest absolute value of every weight; 0 leaves them free.
        labels: What it has to do with classes: none; given, a label is a further channel of the
            picture; told, it also gives logits of the class.
        attention: Self-attention at hidden maps this large, up to twice; 0: none.
        packing: Pictures that it judges together, their channels side by side (PacGAN).
        minibatch_discrimination: Features of each picture's nearness to others of its batch, that
            are added to those of the last map.
        num_outputs: Numbers that it gives for each picture.

    Returns:
        `keras.Model` from {"image": `(batch, height, width, packing * channels)`}, where given also
        {"label": int32 `(batch,)`}, to logits `(batch, num_outputs)`; where told to {"logits": of
        these, "class_logits": `(batch, classes)`}.

    Raises:
        UsageError: If the picture's sides cannot be halved so often, or the data has no classes
            that `labels` asks for.

    Reference:
        Radford et al., 2015, arXiv:1511.06434, Section 3.
    """
    _, _, doublings = start_and_doublings(data)
    clip = WeightClip(weight_clip) if weight_clip else None

    def layer(kind, *sizes, name=None):
        made = kind(
            *sizes,
            use_bias=not batch_norm,
            kernel_initializer=_normal(),
            kernel_constraint=clip,
            bias_constraint=clip,
            name=name,
        )
        return SpectralNormalization(made, name=name) if spectral_norm else made

    if labels not in ("none", "given", "told"):
        raise UsageError(f"labels={labels!r} must be none, given or told")
    if labels == "told" and not data.num_classes:
        raise UsageError("this network tells a label, and the data has none")
    inputs = {"image": image_input(data, packing, labels != "none")}
    maps = inputs["image"]
    if labels == "given":
        inputs["label"], one_hot = label_input(data)
        height, breadth, _ = data.image_shape
        embedding = keras.layers.Dense(
            height * breadth, use_bias=False, kernel_constraint=clip, name="embedding"
        )
        if spectral_norm:
            embedding = SpectralNormalization(embedding, name="embedding")
        # A picture of one channel, learned for each class.
        label_map = keras.layers.Reshape((height, breadth, 1))(embedding(one_hot))
        maps = keras.layers.Concatenate()([maps, label_map])
    sides = [min(data.image_shape[:2]) // 2 ** (level + 1) for level in range(doublings)]
    check_attention(attention, sides)
    for level, side in enumerate(sides):
        maps = layer(Conv2D, width * min(8, 2**level), 4, 2)(maps)
        maps = _activate(maps, "leaky_relu", batch_norm and level > 0, clip)
        if attends(attention, side):
            maps = SelfAttention(spectral_norm=spectral_norm, constraint=clip)(maps)
    features = with_closeness(keras.layers.Flatten()(maps), minibatch_discrimination, clip)
    outputs = layer(keras.layers.Dense, num_outputs, name="logits")(features)
    if labels == "told":
        classes = layer(keras.layers.Dense, data.num_classes, name="class_logits")(features)
        outputs = {"logits": outputs, "class_logits": classes}
    return keras.Model(inputs, outputs, name="discriminator")


def _normal():
    return keras.initializers.RandomNormal(0.0, 0.02)


def _project(latent, shape, use_bias):
    """A transposed convolution from 1x1 is a dense layer."""
    height, breadth, channels = shape
    dense = keras.layers.Dense(
        height * breadth * channels, use_bias=use_bias, kernel_initializer=_normal()
    )
    return keras.layers.Reshape(shape)(dense(latent))


def _activate(maps, activation, batch_norm, clip=None):
    if batch_norm:
        maps = BatchNormalization(
            momentum=0.9,
            epsilon=1e-5,
            gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02),
            gamma_constraint=clip,
            beta_constraint=clip,
        )(maps)
    return (LeakyReLU(0.2) if activation == "leaky_relu" else keras.layers.ReLU())(maps)
