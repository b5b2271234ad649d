"""The style-based generator: a constant, which styles and noise make a picture of."""

import keras

from tfgans.layers import (
    AdaptiveInstanceNormalization,
    Conv2D,
    EqualizedLearningRate,
    LeakyReLU,
    LearnedConstant,
    NoiseInjection,
    PixelNormalization,
    StyleMixing,
    StyleTruncation,
    UpsampleConv,
)
from tfgans.networks.growing import Growing, channels, equalized, generator_stages, sizes
from tfgans.networks.sizes import latent_input, layers_of
from tfgans.variant import DataSpec


def generator(
    data: DataSpec,
    *,
    latent_dim=512,
    num_mapping_layers=8,
    mapping_multiplier=0.01,
    mean_decay=0.995,
    noise=True,
    width=512,
    base=16384,
    start_size=8,
    phase_images=800_000,
):
    """Builds a mapping from latents to styles, and two styled layers for each size.

    The sizes, channels and colours are progressive growing's. A layer is a convolution (the first
    is a learned constant), noise, leaky ReLU 0.2, and adaptive instance normalisation by an affine
    function of the style. At 1024x1024: 18 layers, 26.2 million parameters.

    Args:
        data: Shape of the pictures, 8 pixels a side or more.
        latent_dim: Length of the latent vector, which is normalised first, and of the styles.
        num_mapping_layers: Dense layers of the mapping.
        mapping_multiplier: Speed at which the mapping learns, relative to the rest.
        mean_decay: Decay of the moving mean of the styles, the centre of truncation.
        noise: Whether layers have noise.
        width: Channels of a map at most.
        base: Channels of a map times its short side.
        start_size: Short side of the first stage's pictures, or the next larger there is; 0: the
            smallest, of 4 to 7 pixels; as large as the data: all sizes at once.
        phase_images: Real images that are shown in each stage: of one size, or of fading to it.

    Returns:
        `Growing` from {"latent": `(batch, latent_dim)`, "other_latent": the same, "crossover":
        int32 `(batch,)`, "truncation": `(batch,)`} to images of about [-1, 1]. Layers from
        `crossover` on take the style of the other latent.

    Raises:
        UsageError: If the picture's sides cannot be halved down to 4 to 7 pixels, or a number is
            out of range.

    Reference:
        Karras et al., 2018, arXiv:1812.04948, Figure 1b.
    """
    return Growing(
        stylegan_generator,
        {
            "image_shape": list(data.image_shape),
            "latent_dim": latent_dim,
            "num_mapping_layers": num_mapping_layers,
            "mapping_multiplier": mapping_multiplier,
            "mean_decay": mean_decay,
            "noise": noise,
            "width": width,
            "base": base,
            "start_size": start_size,
        },
        phase_images=phase_images,
        name="generator",
    )


@keras.saving.register_keras_serializable("tfgans")
def stylegan_generator(
    image_shape,
    latent_dim,
    num_mapping_layers,
    mapping_multiplier,
    mean_decay,
    noise,
    width,
    base,
    start_size,
):
    """Returns the stages of the generator; the arguments are those of `generator`."""
    found, first = sizes(image_shape, start_size)
    inputs = {
        "latent": latent_input(latent_dim),
        "other_latent": keras.Input((latent_dim,), name="other_latent"),
        "crossover": keras.Input((), dtype="int32", name="crossover"),
        "truncation": keras.Input((), name="truncation"),
    }
    latents = keras.ops.stack([inputs["latent"], inputs["other_latent"]], axis=1)
    styles = _mapped(latents, num_mapping_layers, mapping_multiplier)
    styles = StyleMixing(2 * len(found))(styles, inputs["crossover"])
    styles = StyleTruncation(mean_decay)(styles, inputs["truncation"])
    maps, pictures = None, []
    for level, size in enumerate(found):
        count = channels(size, width, base)
        if level:
            maps = equalized(UpsampleConv, count, 3)(maps)
        else:
            # Of ones the first normalisation would divide 0 by 0.0001: gradients of 10,000.
            normal = keras.initializers.RandomNormal(stddev=1.0)
            maps = LearnedConstant((*size, count), normal)(inputs["latent"])
        maps = _styled(maps, styles[:, 2 * level], noise)
        maps = _styled(equalized(Conv2D, count, 3)(maps), styles[:, 2 * level + 1], noise)
        if level >= first:
            pictures.append(equalized(Conv2D, image_shape[-1], 1, gain=1.0)(maps))
    return generator_stages(inputs, pictures)


def _mapped(latents, num_layers, multiplier):
    """Returns `(batch, 2, length)` styles of as many latents."""
    vectors = PixelNormalization()(latents)
    for _ in layers_of(num_layers):
        dense = keras.layers.Dense(latents.shape[-1])
        vectors = EqualizedLearningRate(dense, lr_multiplier=multiplier)(vectors)
        vectors = LeakyReLU(0.2)(vectors)
    return vectors


def _styled(maps, style, noise):
    if noise:
        maps = NoiseInjection()(maps)
    affine = equalized(keras.layers.Dense, 2 * maps.shape[-1], gain=1.0)(style)
    scale, shift = keras.ops.split(affine, 2, axis=-1)
    return AdaptiveInstanceNormalization()(LeakyReLU(0.2)(maps), scale, shift)
