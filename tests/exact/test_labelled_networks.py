"""Networks that know of classes: where the label comes in, pyramids, and places of attention."""

import itertools
import math

import keras
import numpy as np
import pytest

import tfgans
from tfgans import DataSpec, UsageError, registry
from tfgans.layers import Conv2D, ConvMeanPool, SelfAttention, UpsampleConv
from tfgans.networks import dcgan, resnet

SMALL = DataSpec((8, 8, 1), 3)
DIGITS = DataSpec((28, 28, 1), 10)
FACES = DataSpec((64, 64, 3), 10)

# Row -> inputs and outputs of its discriminator; each generator takes a latent and a label.
ROWS = {
    "cgan": ({"image", "label"}, {"logits": 1}),
    "acgan": ({"image"}, {"logits": 1, "class_logits": 3}),
    "sngan_projection": ({"image", "label"}, {"logits": 1}),
    "sagan": ({"image", "label"}, {"logits": 1}),
}


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def shuffle_weights(network):
    """Gives every trained weight a number of its own: zeros and equal biases would hide faults."""
    for index, variable in enumerate(network.trainable_variables):
        variable.assign(0.5 * normal(*variable.shape, seed=index))


def count(variables):
    return sum(math.prod(variable.shape) for variable in variables)


def shapes_of(network, *kinds):
    return [tuple(layer.output.shape[1:]) for layer in network.layers if isinstance(layer, kinds)]


def attended(network):
    return [side for side, _, _ in shapes_of(network, SelfAttention)]


# Where the label comes in.


@pytest.fixture(scope="module")
def created():
    """Makes a row at its tiny size, once."""
    made = {}

    def create(name):
        if name not in made:
            made[name] = tfgans.create(name, SMALL, **registry.load(name).tiny)
        return made[name]

    return create


@pytest.mark.parametrize("name", ROWS)
def test_inputs_and_outputs_of_each_row(name, created):
    model, (inputs, outputs) = created(name), ROWS[name]
    assert set(model.generator.input) == {"latent", "label"}
    assert set(model.discriminator.input) == inputs
    found = model.discriminator.output
    found = found if isinstance(found, dict) else {"logits": found}
    assert {key: tuple(output.shape) for key, output in found.items()} == {
        key: (None, units) for key, units in outputs.items()
    }
    assert model.takes_label
    assert model.classes == [0, 1, 2]


@pytest.mark.parametrize("name", ROWS)
def test_data_without_labels_is_refused_in_one_line(name):
    with pytest.raises(UsageError, match=r"^generator: this network takes a label, and the d.*$"):
        tfgans.create(name, DataSpec((8, 8, 1)), **registry.load(name).tiny)


@pytest.mark.parametrize(
    ("builder", "options", "says"),
    [
        (dcgan.discriminator, {"labels": "given"}, "takes a label, and the data has none"),
        (dcgan.discriminator, {"labels": "told"}, "tells a label, and the data has none"),
        (resnet.generator, {"labels": True}, "takes a label, and the data has none"),
        (resnet.discriminator, {"labels": True}, "takes a label, and the data has none"),
    ],
)
def test_each_builder_refuses_data_without_labels(builder, options, says):
    with pytest.raises(UsageError, match=f"^this network {says}$"):
        builder(DataSpec((8, 8, 1)), width=2, **options)


def test_a_word_that_says_nothing_of_labels_is_refused():
    with pytest.raises(UsageError, match=r"^labels='taken' must be none, given or told$"):
        dcgan.discriminator(SMALL, labels="taken")


def test_discriminators_that_do_not_fit_the_scheme_are_refused():
    for name, labels, says in (
        ("acgan", "given", "ACGAN wants one that also tells the class"),
        ("cgan", "told", "NonSaturatingGAN wants one that does not tell the class"),
        ("wgan_gp", "told", "WGANGP wants one that does not tell the class"),
    ):
        options = {**registry.load(name).tiny, "discriminator.labels": labels}
        with pytest.raises(UsageError, match=rf"^discriminator: {says}, as dcgan's does with .*$"):
            tfgans.create(name, SMALL, **options)


def test_cgan_generator_joins_the_embedding_to_the_latent():
    """The picture of a class is that of a latent which is longer by the class' embedding."""
    network = dcgan.generator(SMALL, latent_dim=4, width=2, label_dim=2)
    shuffle_weights(network)
    plain = dcgan.generator(SMALL, latent_dim=6, width=2)
    embedding, *others = network.get_weights()
    assert embedding.shape == (3, 2)
    plain.set_weights(others)
    latent, label = normal(3, 4), np.array([2, 0, 2])
    image = network({"latent": latent, "label": label})
    joined = plain({"latent": np.concatenate([latent, embedding[label]], axis=1)})
    np.testing.assert_allclose(image, joined, atol=1e-6)
    other = network({"latent": latent, "label": np.array([1, 1, 1])})
    assert (np.abs(image - other).max(axis=(1, 2, 3)) > 1e-3).all()


def largest_singular_value(kernel):
    return np.linalg.svd(np.reshape(kernel, (-1, kernel.shape[-1])), compute_uv=False)[0]


def settle(*layers):
    """Takes power iterations until they stand still."""
    for layer in layers:
        for _ in range(100):
            layer.advance()


@pytest.mark.parametrize("spectral_norm", [False, True])
def test_cgan_discriminator_sees_the_label_as_a_further_channel(spectral_norm):
    """Its logits are those of a network for pictures of one channel more, a map of the class."""
    options = {"width": 2, "batch_norm": False, "spectral_norm": spectral_norm}
    network = dcgan.discriminator(SMALL, labels="given", **options)
    shuffle_weights(network)
    embedding = network.get_layer("embedding")
    settle(*[embedding] * spectral_norm)
    plain = dcgan.discriminator(DataSpec((8, 8, 2)), **options)
    plain.set_weights(network.get_weights()[len(embedding.weights) :])
    (kernel,) = embedding.trainable_weights
    image, label = normal(3, 8, 8, 1), np.array([2, 0, 2])
    maps = kernel.numpy()[label] / (largest_singular_value(kernel) if spectral_norm else 1.0)
    joined = plain({"image": np.concatenate([image, maps.reshape(3, 8, 8, 1)], axis=-1)})
    np.testing.assert_allclose(network({"image": image, "label": label}), joined, rtol=1e-4)
    other = network({"image": image, "label": np.array([1, 1, 1])})
    assert (np.abs(joined - other) > 1e-3).all()


def test_a_clipped_discriminator_clips_the_embedding_too():
    network = dcgan.discriminator(SMALL, width=2, labels="given", weight_clip=0.01)
    constraints = [variable.constraint for variable in network.trainable_variables]
    assert all(constraints)
    assert len(constraints) == len(network.get_weights()) == 3  # the embedding, a map, a number


def test_acgan_discriminator_has_two_heads_on_the_same_features():
    network = dcgan.discriminator(SMALL, width=2, batch_norm=False, labels="told")
    shuffle_weights(network)
    heads = [network.get_layer(name) for name in ("logits", "class_logits")]
    assert heads[0].input is heads[1].input
    image = normal(5, 8, 8, 1)
    features = keras.Model(network.input, heads[0].input)({"image": image}).numpy()
    outputs = network({"image": image})
    for head in heads:
        kernel, bias = head.get_weights()
        assert np.abs(bias).min() > 0
        np.testing.assert_allclose(outputs[head.name], features @ kernel + bias, rtol=1e-5)


def test_projection_adds_the_inner_product_of_features_and_embedding():
    """<w, phi> + b + <v_y, phi>, w and the v's each divided by its largest singular value."""
    network = resnet.discriminator(SMALL, width=4, num_flat_blocks=1, labels=True)
    shuffle_weights(network)
    logits, embedding = (network.get_layer(name) for name in ("logits", "embedding"))
    settle(logits, embedding)
    image, label = normal(6, 8, 8, 1), np.array([0, 1, 2, 2, 1, 0])
    features = keras.Model(network.input["image"], logits.input)(image).numpy()
    w, b = (variable.numpy() for variable in logits.trainable_weights)
    (v,) = (variable.numpy() for variable in embedding.trainable_weights)
    assert v.shape == (3, 4)
    assert np.abs(b) > 0.01
    w, v = w / largest_singular_value(w), v / largest_singular_value(v)
    projected = np.sum(v[label] * features, axis=1, keepdims=True)
    found = network({"image": image, "label": label})
    np.testing.assert_allclose(found, features @ w + b + projected, rtol=1e-4)
    assert np.abs(projected).min() > 1e-3  # else the test would show nothing


def test_projection_without_labels_is_the_unconditional_network():
    options = {"width": 4, "num_flat_blocks": 0}
    plain = resnet.discriminator(SMALL, **options)
    labelled = resnet.discriminator(SMALL, labels=True, **options)
    assert set(plain.input) == {"image"}
    assert count(labelled.trainable_variables) - count(plain.trainable_variables) == 3 * 4


def test_projection_generator_scales_and_shifts_by_the_class():
    """With embeddings of zeros the classes are alike; each block has two of scale and of shift."""
    network = resnet.generator(SMALL, latent_dim=3, width=4, labels=True)
    plain = resnet.generator(SMALL, latent_dim=3, width=4)
    # Without scale and shift of their own (two of 4 channels), with two embeddings of 3 classes.
    more = 2 * (2 * 3 * 4 - 2 * 4)
    assert count(network.trainable_variables) - count(plain.trainable_variables) == more
    latent = np.repeat(normal(1, 3), 3, axis=0)
    inputs = {"latent": latent, "label": np.arange(3)}
    start = network(inputs).numpy()
    # Equal but for rounding: processors may work on the rows of a batch in different ways.
    np.testing.assert_allclose(start[1:], start[:-1], rtol=0, atol=1e-6)
    shuffle_weights(network)
    image = network(inputs).numpy()
    assert all(np.abs(image[one] - image[one - 1]).max() > 1e-3 for one in range(3))


# Pyramids.


def test_pyramid_at_64_pixels_has_the_widths_of_the_papers():
    """Of the authors' networks for 64x64: generator 1024 to 64 channels, discriminator 64 to 1024.

    Their discriminator's last block, from 512 to 1024 channels, halves once more, to 2x2.
    """
    generator = resnet.generator(FACES, latent_dim=128, width=64, pyramid=True, labels=True)
    made = [(4, 4, 1024), (8, 8, 512), (16, 16, 256), (32, 32, 128), (64, 64, 64)]
    assert shapes_of(generator, keras.layers.Reshape, keras.layers.Add) == made
    discriminator = resnet.discriminator(
        FACES, width=64, pyramid=True, num_flat_blocks=1, labels=True
    )
    seen = [(32, 32, 64), (16, 16, 128), (8, 8, 256), (4, 4, 512), (4, 4, 1024)]
    (projection,) = shapes_of(discriminator, keras.layers.Dot)
    assert projection == (1,)
    assert [s for s in shapes_of(discriminator, keras.layers.Add) if len(s) == 3] == seen
    widths = [1024, 512, 256, 128, 64]
    by_hand = 129 * 16 * 1024 + 2 * 64 + 9 * 64 * 3 + 3
    for wide, narrow in itertools.pairwise(widths):
        kernels = (9 + 1) * wide * narrow + 9 * narrow * narrow
        by_hand += kernels + 3 * narrow + 2 * 10 * (wide + narrow)
    assert count(generator.trainable_variables) == by_hand == 12_272_515
    by_hand = (9 * 3 + 3 + 9 * 64) * 64 + 3 * 64 + 1025 + 10 * 1024
    for narrow, wide in itertools.pairwise(widths[::-1]):
        by_hand += 9 * narrow * narrow + narrow + (9 + 1) * narrow * wide + 2 * wide
    assert count(discriminator.trainable_variables) == by_hand == 10_151_681


def test_pyramid_at_128_pixels_stops_at_16_times_its_narrowest():
    """arXiv:1802.05957, Table 6: the widest map stands twice, here as 16 of 1."""
    data = DataSpec((128, 128, 3), 2)
    generator = resnet.generator(data, latent_dim=3, width=1, pyramid=True)
    discriminator = resnet.discriminator(data, width=1, pyramid=True, num_flat_blocks=1)
    made = shapes_of(generator, keras.layers.Reshape, keras.layers.Add)
    assert [(side, width) for side, _, width in made] == [
        (4, 16),
        (8, 16),
        (16, 8),
        (32, 4),
        (64, 2),
        (128, 1),
    ]
    seen = [(side, width) for side, _, width in shapes_of(discriminator, keras.layers.Add)]
    assert seen == [(64, 1), (32, 2), (16, 4), (8, 8), (4, 16), (4, 16)]


# Attention.


@pytest.mark.parametrize("family", [resnet, dcgan])
@pytest.mark.parametrize(
    ("data", "attention", "at"),
    [(DIGITS, 14, 14), (DIGITS, 8, 14), (FACES, 32, 32), (FACES, 14, 16)],
)
def test_attention_stands_at_maps_of_the_size_asked_for_or_up_to_twice(family, data, attention, at):
    generator = family.generator(data, latent_dim=2, width=2, attention=attention)
    discriminator = family.discriminator(data, width=2, attention=attention)
    assert attended(generator) == attended(discriminator) == [at]


def test_sagan_of_the_paper_attends_at_32_of_128_pixels(created):
    data = DataSpec((128, 128, 3), 2)
    options = {"width": 1, "pyramid": True, "labels": True, "attention": 32}
    generator = resnet.generator(data, latent_dim=2, spectral_norm=True, **options)
    discriminator = resnet.discriminator(data, **options)
    assert attended(generator) == attended(discriminator) == [32]
    for network in (generator, discriminator):  # spectrally normalised in both
        convolutions = Conv2D | UpsampleConv | ConvMeanPool
        assert not [layer for layer in network.layers if isinstance(layer, convolutions)]
        (attention,) = (layer for layer in network.layers if isinstance(layer, SelfAttention))
        assert attention.spectral_norm
    assert attended(created("sagan").generator) == [8]


@pytest.mark.parametrize(
    ("builder", "attention", "sides"),
    [
        (resnet.generator, 29, "14 or 28"),
        (resnet.generator, 7, "14 or 28"),
        (resnet.generator, -14, "14 or 28"),
        (resnet.discriminator, 28, "14 or 7"),
        (resnet.discriminator, 3, "14 or 7"),
        (dcgan.generator, 28, "7 or 14"),
        (dcgan.discriminator, 28, "14 or 7"),
    ],
)
def test_attention_that_fits_no_map_is_refused_with_the_sides_there_are(builder, attention, sides):
    says = f"^attention={attention} fits no map: give the side of one, {sides}, or 0 for none$"
    with pytest.raises(UsageError, match=says):
        builder(DIGITS, width=2, attention=attention)


# What was there before the options.

NORM = ["gamma 2", "beta 2", "moving_mean 2", "moving_variance 2"]
SN_3X3 = ["u 1x2", "v 1x18", "kernel 3x3x2x2", "bias 2"]
BEFORE = {
    "dcgan.generator": ["kernel 3x32", *NORM, "kernel 4x4x1x2"],
    "dcgan.discriminator": ["kernel 4x4x1x2", "kernel 32x1"],
    "resnet.generator": [
        *["kernel 3x32", "bias 32"],
        *[*NORM, "kernel 3x3x2x2", "bias 2"] * 2,
        *["kernel 1x1x2x2", "bias 2"],
        *[*NORM, "kernel 3x3x2x1", "bias 1"],
    ],
    "resnet.discriminator": [
        *["u 1x2", "v 1x9", "kernel 3x3x1x2", "bias 2"],
        *SN_3X3,
        *["u 1x2", "v 1x1", "kernel 1x1x1x2", "bias 2"],
        *SN_3X3 * 2,
        *["u 1x2", "v 1x2", "kernel 1x1x2x2", "bias 2"],
        *SN_3X3 * 4,
        *["u 1x1", "v 1x2", "kernel 2x1", "bias 1"],
    ],
}


@pytest.mark.parametrize("name", BEFORE)
@pytest.mark.parametrize("data", [DataSpec((8, 8, 1)), SMALL], ids=["bare", "labelled"])
def test_unconditional_networks_have_the_weights_they_had(name, data):
    """In the order in which checkpoints of before hold them, also where the data has classes."""
    family, player = name.split(".")
    builder = getattr({"dcgan": dcgan, "resnet": resnet}[family], player)
    network = builder(data, width=2, **({"latent_dim": 3} if player == "generator" else {}))
    found = [f"{v.name} {'x'.join(map(str, v.shape))}" for v in network.variables]
    assert found == BEFORE[name]
    assert set(network.input) == {"latent" if player == "generator" else "image"}
    assert isinstance(network.output, keras.KerasTensor)
