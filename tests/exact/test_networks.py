"""Networks layer by layer: shapes, parameters counted by hand, first weights, and sizes."""

import math
import re

import hypothesis
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies

from tfgans import DataSpec, UsageError
from tfgans.layers import LeakyReLU, SpectralNormalization
from tfgans.networks import dcgan, mlp, resnet
from tfgans.networks.sizes import start_and_doublings

FACES = DataSpec((64, 64, 3))
DIGITS = DataSpec((28, 28, 1))


def count(variables):
    return sum(math.prod(variable.shape) for variable in variables)


def shapes_of(network, *kinds):
    return [tuple(layer.output.shape[1:]) for layer in network.layers if isinstance(layer, kinds)]


def layers_of(network, kind):
    return [layer for layer in network.layers if isinstance(layer, kind)]


@pytest.fixture(scope="module")
def faces():
    """The networks of text 002: pictures of 64x64x3, 100 latents, width 64."""
    keras.utils.set_random_seed(0)
    return (
        dcgan.generator(FACES, latent_dim=100, width=64),
        dcgan.discriminator(FACES, width=64),
    )


def test_dcgan_generator_has_the_parameters_of_text_002(faces):
    """Its listing: five transposed convolutions 4x4 without bias, batch norm after four."""
    kernels = 100 * 512 + 512 * 256 + 256 * 128 + 128 * 64 + 64 * 3
    scales_and_shifts = 2 * (512 + 256 + 128 + 64)
    assert count(faces[0].trainable_variables) == 16 * kernels + scales_and_shifts == 3_576_704
    assert count(faces[0].non_trainable_variables) == scales_and_shifts  # the moving statistics


def test_dcgan_discriminator_has_the_parameters_of_text_002(faces):
    """Its listing: five convolutions 4x4 without bias, batch norm after the inner three."""
    kernels = 3 * 64 + 64 * 128 + 128 * 256 + 256 * 512 + 512 * 1
    scales_and_shifts = 2 * (128 + 256 + 512)
    assert count(faces[1].trainable_variables) == 16 * kernels + scales_and_shifts == 2_765_568
    assert count(faces[1].non_trainable_variables) == scales_and_shifts


def test_dcgan_generator_layer_by_layer(faces):
    generator, _ = faces
    assert [type(layer).__name__ for layer in generator.layers] == [
        "InputLayer",
        "Dense",
        "Reshape",
        *["BatchNormalization", "ReLU", "Conv2DTranspose"] * 4,
        "Activation",
    ]
    assert shapes_of(generator, keras.layers.Reshape, keras.layers.Conv2DTranspose) == [
        (4, 4, 512),
        (8, 8, 256),
        (16, 16, 128),
        (32, 32, 64),
        (64, 64, 3),
    ]
    for layer in layers_of(generator, keras.layers.Conv2DTranspose):
        assert (layer.kernel_size, layer.strides, layer.padding) == ((4, 4), (2, 2), "same")
        assert not layer.use_bias
    assert generator.layers[-1].activation is keras.activations.tanh
    assert {layer.negative_slope for layer in layers_of(generator, keras.layers.ReLU)} == {0.0}


def test_dcgan_discriminator_layer_by_layer(faces):
    _, discriminator = faces
    assert [type(layer).__name__ for layer in discriminator.layers] == [
        "InputLayer",
        *["Conv2D", "LeakyReLU"],
        *["Conv2D", "BatchNormalization", "LeakyReLU"] * 3,
        "Flatten",
        "Dense",
    ]
    convolutions = layers_of(discriminator, keras.layers.Conv2D)
    assert shapes_of(discriminator, keras.layers.Conv2D) == [
        (32, 32, 64),
        (16, 16, 128),
        (8, 8, 256),
        (4, 4, 512),
    ]
    assert {layer.kernel_size for layer in convolutions} == {(4, 4)}
    assert {layer.strides for layer in convolutions} == {(2, 2)}
    assert not any(layer.use_bias for layer in (*convolutions, discriminator.layers[-1]))
    slopes = {layer.negative_slope for layer in layers_of(discriminator, LeakyReLU)}
    assert slopes == {0.2}
    assert discriminator.output.shape == (None, 1)


def test_dcgan_padding_is_that_of_text_002():
    """Kernel 4, stride 2, one pixel of padding on each side: the corner sees a 3x3 corner."""
    discriminator = dcgan.discriminator(DataSpec((8, 8, 1)), width=1)
    first = keras.Model(discriminator.input, discriminator.layers[1].output)
    discriminator.layers[1].kernel.assign(tf.ones((4, 4, 1, 1)))
    sums = first({"image": tf.ones((1, 8, 8, 1))})[0, :, :, 0]
    edge = [9, 12, 12, 9]
    np.testing.assert_allclose(sums, np.outer(edge, edge) / 9, rtol=1e-6)


def test_dcgan_starts_as_its_paper_says(faces):
    """Kernels from N(0, 0.02); gamma from N(1, 0.02), beta 0; momentum and epsilon of text 002."""
    for network in faces:
        for variable in network.trainable_variables:
            values = variable.numpy()
            if variable.name == "kernel":
                error = 0.02 / math.sqrt(2 * values.size)
                assert abs(values.std() - 0.02) < 5 * error
                assert abs(values.mean()) < 5 * 0.02 / math.sqrt(values.size)
            elif variable.name == "gamma":
                assert abs(values.mean() - 1.0) < 5 * 0.02 / math.sqrt(values.size)
                assert 0.012 < values.std() < 0.028
            else:
                assert variable.name == "beta"
                assert not values.any()
        for layer in layers_of(network, keras.layers.BatchNormalization):
            assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)


@pytest.mark.parametrize(
    ("shape", "start", "doublings"),
    [
        ((28, 28, 1), (7, 7), 2),
        ((32, 32, 3), (4, 4), 3),
        ((48, 64, 3), (6, 8), 3),
        ((64, 64, 3), (4, 4), 4),
        ((128, 128, 3), (4, 4), 5),
        ((256, 256, 3), (4, 4), 6),
        ((8, 8, 2), (4, 4), 1),
        ((16, 128, 1), (4, 32), 2),
    ],
)
def test_dcgan_sizes_follow_the_data(shape, start, doublings):
    data = DataSpec(shape)
    generator = dcgan.generator(data, latent_dim=3, width=1)
    discriminator = dcgan.discriminator(data, width=1)
    height, width = start
    maps = [(height << level, width << level) for level in range(doublings + 1)]
    widths = [min(8, 2**level) for level in range(doublings)]
    wanted = list(zip(maps, [*widths[::-1], shape[-1]], strict=True))
    made = shapes_of(generator, keras.layers.Reshape, keras.layers.Conv2DTranspose)
    assert made == [(*size, channels) for size, channels in wanted]
    seen = shapes_of(discriminator, keras.layers.Conv2D)
    wanted = list(zip(maps[-2::-1], widths, strict=True))
    assert seen == [(*size, channels) for size, channels in wanted]
    image = generator({"latent": tf.zeros((2, 3))})
    assert image.shape == (2, *shape)
    assert discriminator({"image": image}).shape == (2, 1)


def test_dcgan_default_width_of_the_generator():
    """64, as in the paper, from 64 pixels up, and 40 below."""
    last_hidden = [
        shapes_of(dcgan.generator(data, latent_dim=2), keras.layers.ReLU)[-1][-1]
        for data in (FACES, DIGITS, DataSpec((48, 64, 3)))
    ]
    assert last_hidden == [64, 40, 40]


def test_dcgan_without_batch_norm_has_biases_instead():
    with_norm = dcgan.discriminator(DIGITS, width=8)
    without = dcgan.discriminator(DIGITS, width=8, batch_norm=False)
    assert not layers_of(without, keras.layers.BatchNormalization)
    # Two maps of 8 and 16 channels and the number at the end; only the second was normalised.
    assert count(without.trainable_variables) - count(with_norm.trainable_variables) == (
        8 + 16 + 1 - 2 * 16
    )


def test_dcgan_with_spectral_norm_wraps_every_convolution():
    plain = dcgan.discriminator(DIGITS, width=8, batch_norm=False)
    normalised = dcgan.discriminator(DIGITS, width=8, batch_norm=False, spectral_norm=True)
    assert not layers_of(normalised, keras.layers.Conv2D)
    assert len(layers_of(normalised, SpectralNormalization)) == 3
    assert count(normalised.trainable_variables) == count(plain.trainable_variables)
    vectors = (8 + 16) + (16 + 16 * 8) + (1 + 7 * 7 * 16)  # u and v of each kernel
    assert count(normalised.non_trainable_variables) == vectors


def test_dcgan_of_constant_width_is_a_bit_more_than_an_order_of_magnitude_smaller(faces):
    """Text 004, Figure 6. With biases: a dense layer, three of 64 to 64 channels, one to 3."""
    bare = dcgan.generator(FACES, width=64, batch_norm=False, constant_width=True)
    by_hand = 101 * 1024 + 3 * (16 * 64 * 64 + 64) + (16 * 64 * 3 + 3)
    assert count(bare.trainable_variables) == by_hand == 303_299
    assert 10 < count(faces[0].trainable_variables) / by_hand < 13


def test_perceptron_of_figure_7_is_as_large_as_the_dcgan_within_a_factor_of_two(faces):
    perceptron = mlp.generator(FACES, width=512, num_layers=4)
    by_hand = 65 * 512 + 3 * 513 * 512 + 513 * 64 * 64 * 3
    assert count(perceptron.trainable_variables) == by_hand == 7_124_992
    assert 0.5 < by_hand / count(faces[0].trainable_variables) < 2


def test_perceptrons_of_text_002():
    """G 64-256-256-784 with ReLU and tanh, D 784-256-256-1 with LeakyReLU 0.2."""
    generator, discriminator = mlp.generator(DIGITS), mlp.discriminator(DIGITS)
    assert count(generator.variables) == 65 * 256 + 257 * 256 + 257 * 784 == 283_920
    assert count(discriminator.variables) == 785 * 256 + 257 * 256 + 257 == 267_009
    relu, linear = keras.activations.relu, keras.activations.linear
    hidden = [layer.activation for layer in layers_of(generator, keras.layers.Dense)]
    assert hidden == [relu, relu, linear]
    assert generator.layers[-1].activation is keras.activations.tanh
    leaky = layers_of(discriminator, LeakyReLU)
    assert [layer.negative_slope for layer in leaky] == [pytest.approx(0.2)] * 2
    assert {layer.activation for layer in layers_of(discriminator, keras.layers.Dense)} == {linear}
    assert generator({"latent": tf.zeros((2, 64))}).shape == (2, 28, 28, 1)


def test_perceptrons_of_the_autoencoder():
    encoder, decoder = mlp.encoder(DIGITS), mlp.decoder(DIGITS)
    assert count(encoder.variables) == 785 * 500 + 2 * 501 * 20 == 412_540
    assert count(decoder.variables) == 21 * 500 + 501 * 784 == 403_284
    outputs = encoder({"image": tf.zeros((3, 28, 28, 1))})
    assert {name: tuple(value.shape) for name, value in outputs.items()} == {
        "mean": (3, 20),
        "log_variance": (3, 20),
    }
    assert decoder({"latent": tf.zeros((3, 20))}).shape == (3, 28, 28, 1)


def test_resnet_generator_has_the_parameters_of_table_4():
    """Dense 4x4x256; three blocks of BN, 3x3, BN, 3x3 and a 1x1 shortcut; BN, 3x3 to colours."""
    generator = resnet.generator(DataSpec((32, 32, 3)), latent_dim=128, width=256)
    three, one = 9 * 256 * 256 + 256, 256 * 256 + 256
    block = 2 * 2 * 256 + 2 * three + one
    by_hand = 129 * 4096 + 3 * block + 2 * 256 + 9 * 256 * 3 + 3
    assert count(generator.trainable_variables) == by_hand == 4_276_739


def test_resnet_discriminator_has_the_parameters_of_table_4():
    """Two halving blocks, two flat ones without shortcut kernels, a sum, one number."""
    discriminator = resnet.discriminator(DataSpec((32, 32, 3)), width=128)
    three, one = 9 * 128 * 128 + 128, 128 * 128 + 128
    first = (9 * 3 * 128 + 128) + three + (3 * 128 + 128)
    by_hand = first + (2 * three + one) + 2 * 2 * three + 129
    assert count(discriminator.trainable_variables) == by_hand == 1_053_825
    assert not layers_of(discriminator, keras.layers.Conv2D | keras.layers.Dense)
    assert len(layers_of(discriminator, SpectralNormalization)) == 3 + 3 + 2 + 2 + 1
    assert not layers_of(discriminator, keras.layers.BatchNormalization)


@pytest.mark.parametrize(
    ("shape", "made", "seen"),
    [
        # After each block: what the generator makes, what the discriminator sees.
        ((28, 28, 1), [14, 28], [14, 7, 7, 7]),
        ((32, 32, 3), [8, 16, 32], [16, 8, 8, 8]),
        ((64, 64, 3), [8, 16, 32, 64], [32, 16, 8, 8, 8]),
        ((8, 8, 1), [8], [4, 2, 2, 2]),
    ],
)
def test_resnet_blocks(shape, made, seen):
    data = DataSpec(shape)
    generator = resnet.generator(data, latent_dim=3, width=2)
    discriminator = resnet.discriminator(data, width=2)
    assert shapes_of(generator, keras.layers.Add) == [(side, side, 2) for side in made]
    assert shapes_of(discriminator, keras.layers.Add) == [(side, side, 2) for side in seen]
    image = generator({"latent": tf.zeros((2, 3))})
    assert image.shape == (2, *shape)
    assert discriminator({"image": image}).shape == (2, 1)


def test_resnet_non_square():
    data = DataSpec((16, 32, 1))
    generator = resnet.generator(data, latent_dim=3, width=2)
    assert generator.output.shape == (None, 16, 32, 1)
    discriminator = resnet.discriminator(data, width=2)
    assert shapes_of(discriminator, keras.layers.Add)[-1] == (4, 8, 2)


def test_resnet_sums_over_the_map():
    discriminator = resnet.discriminator(DataSpec((32, 16, 1)), width=2, num_flat_blocks=0)
    maps = layers_of(discriminator, LeakyReLU)[-1].output
    features = layers_of(discriminator, SpectralNormalization)[-1].input
    probe = keras.Model(discriminator.input, [maps, features])
    image = tf.constant(np.random.default_rng(0).normal(size=(2, 32, 16, 1)), tf.float32)
    last_map, summed = probe({"image": image})
    assert last_map.shape == (2, 8, 4, 2)
    np.testing.assert_allclose(summed, np.sum(last_map, axis=(1, 2)), rtol=1e-4, atol=1e-6)


def test_resnet_shortcut_carries_the_picture_where_the_residual_is_nothing():
    """With 3x3 kernels of zeros and a 1x1 identity a block repeats each pixel."""
    data = DataSpec((8, 8, 1))
    generator = resnet.generator(data, latent_dim=3, width=2)
    for layer in layers_of(generator, keras.layers.Conv2D):
        shape = layer.kernel.shape
        assert layer.kernel_size in {(1, 1), (3, 3)}
        layer.kernel.assign(np.eye(2)[None, None] if shape[:2] == (1, 1) else np.zeros(shape))
    (start,) = layers_of(generator, keras.layers.Reshape)
    (block,) = layers_of(generator, keras.layers.Add)
    small, large = keras.Model(generator.input, [start.output, block.output])(
        {"latent": tf.constant([[1.0, -2.0, 0.5]])}
    )
    np.testing.assert_allclose(large, np.repeat(np.repeat(small, 2, 1), 2, 2), rtol=1e-6)


NETWORKS = {  # builders and the smallest options of the discriminator
    "dcgan": (dcgan.generator, dcgan.discriminator, {"width": 1}),
    "resnet": (resnet.generator, resnet.discriminator, {"width": 1, "num_flat_blocks": 0}),
}


def named_size(error):
    """The size that an error tells to use."""
    height, width = re.search(r"use --image_size=(\d+)(?:x(\d+))?$", str(error)).groups()
    return int(height), int(width or height)


def refusal(builder, *arguments, **options):
    """Returns the builder's error, None where it builds."""
    try:
        builder(*arguments, **options)
    except UsageError as error:
        return error
    return None


def build_or_named_size(family, height, width, channels):
    """Builds both networks, or returns the size that their refusals name."""
    data = DataSpec((height, width, channels))
    generator, discriminator, options = NETWORKS[family]
    refused = refusal(generator, data, latent_dim=2, width=1)
    if refused:
        assert f"{height}x{width}" in str(refused)
        assert "\n" not in str(refused)
        assert str(refusal(discriminator, data, **options)) == str(refused)
        return named_size(refused)
    made = generator(data, latent_dim=2, width=1)
    assert made.output.shape == (None, *data.image_shape)
    assert discriminator(data, **options).output.shape == (None, 1)
    return None


@pytest.mark.parametrize("family", NETWORKS)
@hypothesis.settings(max_examples=8)
@hypothesis.given(
    height=strategies.integers(1, 80),
    width=strategies.integers(1, 80),
    channels=strategies.integers(1, 4),
)
def test_any_size_is_made_exactly_or_refused_with_one_that_works(family, height, width, channels):
    named = build_or_named_size(family, height, width, channels)
    if named:
        assert build_or_named_size(family, *named, channels) is None


def test_every_size_up_to_160_starts_and_doubles_exactly_or_names_one_that_does():
    for height in range(1, 161):
        for width in range(1, 161):
            refused = refusal(start_and_doublings, DataSpec((height, width, 1)))
            named = named_size(refused) if refused else (height, width)
            start = start_and_doublings(DataSpec((*named, 1)))
            if min(height, width) >= 8:  # a near one: less than a factor away
                assert max(abs(named[0] - height), abs(named[1] - width)) < 2 ** start[2]
            assert (start[0] << start[2], start[1] << start[2]) == named
            assert 4 <= min(start[:2]) <= 7
