"""BigGAN's networks and its regulariser."""

import itertools
import math

import keras
import numpy as np
import pytest

import tfgans
from tfgans import DataSpec, UsageError
from tfgans.layers import (
    BatchNormalization,
    ConditionalBatchNormalization,
    Conv2D,
    ConvMeanPool,
    SelfAttention,
    SpectralNormalization,
    UpsampleConv,
)
from tfgans.networks import biggan

TINY = {"ch": 1, "chunk_dim": 2, "shared_dim": 3}


def parameters(network):
    return sum(math.prod(variable.shape) for variable in network.trainable_variables)


def test_paper_networks_have_the_papers_parameters(monkeypatch):
    monkeypatch.setattr(biggan, "_orthogonal", keras.initializers.Zeros)  # which takes no time
    data = DataSpec((128, 128, 3), 1000)
    generator = biggan.generator(data)
    assert generator.input["latent"].shape == (None, 120)
    assert parameters(generator) == 70_433_988
    del generator
    assert parameters(biggan.discriminator(data)) == 87_982_370


@pytest.mark.parametrize(
    ("side", "latent", "widths", "halvings", "flat"),
    [
        (28, 60, (4, 4, 4), (4, 4), (4, 4)),
        (32, 80, (4, 4, 4, 4), (4, 4), (4, 4)),
        (64, 100, (16, 16, 8, 4, 2), (1, 2, 4, 8), (16,)),
        (128, 120, (16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16), (16,)),
        (256, 140, (16, 16, 8, 8, 4, 2, 1), (1, 2, 4, 8, 8, 16), (16,)),
    ],
)
def test_widths_are_those_of_the_tables(side, latent, widths, halvings, flat):
    data = DataSpec((side, side, 3), 5)
    generator = biggan.generator(data, ch=1, attention=0)
    assert generator.input["latent"].shape == (None, latent)
    assert generator.output.shape == (None, side, side, 3)
    maps = [layer for layer in generator._flatten_layers() if isinstance(layer, UpsampleConv)]
    kernels = [layer.kernel.shape for layer in maps if layer.kernel_size == (3, 3)]
    assert [(shape[-2], shape[-1]) for shape in kernels] == list(itertools.pairwise(widths))
    discriminator = biggan.discriminator(data, ch=1, attention=0)
    maps = [layer for layer in discriminator._flatten_layers() if isinstance(layer, Conv2D)]
    channels = [layer.filters for layer in maps if layer.kernel_size == (3, 3)][1::2]
    assert channels == [*halvings, *flat]


def test_each_block_has_its_chunk_and_the_label():
    generator = biggan.generator(DataSpec((32, 32, 3), 5), **TINY, attention=0)
    normal = [
        layer for layer in generator.layers if isinstance(layer, ConditionalBatchNormalization)
    ]
    assert len(normal) == 6
    plain = [layer for layer in generator.layers if isinstance(layer, BatchNormalization)]
    assert len(plain) == 7  # the last one knows no class
    rng = np.random.default_rng(0)
    latent, label = rng.normal(size=(1, 8)).astype("float32"), np.array([2])
    changed = []
    for chunk in range(4):
        other = latent.copy()
        other[:, 2 * chunk : 2 * chunk + 2] += 1
        seen = keras.Model(generator.input, [layer.output for layer in normal])
        pairs = zip(
            seen({"latent": latent, "label": label}),
            seen({"latent": other, "label": label}),
            strict=True,
        )
        changed.append([not np.allclose(one, two, atol=1e-7) for one, two in pairs])
    first = [row.index(True) for row in changed]
    assert first == [0, 0, 2, 4]  # chunk k makes block k, and the first one the first map


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_kernels_are_orthogonal_at_first_and_spectrally_normalised(player):
    """All but the shared embedding's, which is orthogonal only."""
    options = {**TINY, "attention": 8} if player == "generator" else {"ch": 1, "attention": 4}
    network = getattr(biggan, player)(DataSpec((8, 8, 3), 5), **options)
    layers = list(network._flatten_layers())
    kinds = (Conv2D, ConvMeanPool, UpsampleConv, keras.layers.Conv2D, keras.layers.Dense)
    normalised = [layer.layer for layer in layers if isinstance(layer, SpectralNormalization)]
    attention = [layer for layer in layers if isinstance(layer, SelfAttention)]
    assert len(attention) == 1
    assert attention[0].spectral_norm
    within = [id(layer) for layer in attention[0]._flatten_layers()]
    free = []
    for layer in layers:
        if isinstance(layer, kinds):
            assert isinstance(layer.kernel_initializer, keras.initializers.Orthogonal), layer.path
            if not any(layer is one for one in normalised) and id(layer) not in within:
                free.append(layer.name)
    assert free == (["shared_embedding"] if player == "generator" else [])


def test_no_relu_is_on_the_pictures():
    network = biggan.discriminator(DataSpec((8, 8, 3), 5), ch=1, attention=0)
    takers = [node.operation for node in network.get_layer("image")._outbound_nodes]
    assert len(takers) == 2  # the first convolution and the shortcut's
    assert all(isinstance(taker, SpectralNormalization) for taker in takers)


def test_too_large_pictures_are_refused():
    with pytest.raises(UsageError, match=r"512x512 are too large .* --image_size=256"):
        biggan.generator(DataSpec((512, 512, 3), 5))


def test_regulariser_is_of_all_kernels_but_the_shared_embedding():
    data = DataSpec((8, 8, 1), 3)
    options = {f"generator.{key}": value for key, value in TINY.items()}
    options |= {"discriminator.ch": 1, "generator.attention": 8, "discriminator.attention": 4}
    model = tfgans.create("biggan", data, **options, orthogonal_weight=0.5)
    for index, variable in enumerate(model.generator.trainable_variables):
        noise = np.random.default_rng(index).normal(size=variable.shape)
        variable.assign(variable + 0.3 * noise)
    total, left_out = 0.0, []
    for variable in model.generator.trainable_variables:
        if len(variable.shape) < 2:
            continue
        if "shared_embedding" in variable.path:
            left_out.append(variable.path)
            continue
        matrix = variable.numpy().astype("float64").reshape(-1, variable.shape[-1])
        products = matrix.T @ matrix
        total += ((products - np.diag(np.diag(products))) ** 2).sum()
    assert len(left_out) == 1
    np.testing.assert_allclose(model.orthogonal_penalty(None), 0.5 * total, rtol=1e-5)
