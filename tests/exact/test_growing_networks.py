"""Networks that grow: their tables, their stages, and the way from one stage to the next."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgans
from tfgans import UsageError
from tfgans.networks import progan, stylegan

SPEC = tfgans.DataSpec((28, 28, 2))
THIN = {"width": 6, "base": 56}  # 6, 4 and 2 channels at 7, 14 and 28 pixels


def normal(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def counts(network):
    """Parameters of each layer that has some, in order."""
    return [layer.count_params() for layer in network.layers if layer.count_params()]


def stage_of(network, stage):
    network.stage = stage
    return network


def inputs_of(network, count=3):
    """Something for each input of the stage in use, the same for all stages."""
    made = {"image": 0.5, "latent": 1, "other_latent": 2, "crossover": 3, "truncation": 0.5}
    found = {}
    for name, tensor in network.input.items():
        shape = (count, *tensor.shape[1:])
        if name in ("image", "latent", "other_latent"):
            found[name] = normal(*shape, seed=int(2 * made[name]))
        elif name != "fade":
            found[name] = tf.fill(shape, tf.cast(made[name], tensor.dtype))
    return found


GENERATORS = {
    "progan": lambda **options: progan.generator(SPEC, latent_dim=5, **THIN, **options),
    "stylegan": lambda **options: stylegan.generator(
        SPEC, latent_dim=5, num_mapping_layers=2, **THIN, **{"start_size": 0, **options}
    ),
}
NETWORKS = {
    **GENERATORS,
    "discriminator": lambda **options: progan.discriminator(SPEC, **THIN, **options),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    keras.utils.set_random_seed(0)
    return NETWORKS[request.param]()


@pytest.fixture(params=GENERATORS)
def generator(request):
    keras.utils.set_random_seed(0)
    return GENERATORS[request.param]()


# The papers' tables.


def test_progan_generator_has_the_parameters_of_table_2():
    """23.1 M, layer by layer; the first has a bias for each of 16 pixels, where a convolution of
    4x4 has one for all.
    """
    network = progan.generator(tfgans.DataSpec((1024, 1024, 3))).networks[-1]
    wide = 512 * 512 * 9 + 512
    wanted = [512 * 512 * 16 + 512 * 16, wide, *[wide, wide] * 3]
    for count in (256, 128, 64, 32, 16):
        wanted += [2 * count * count * 9 + count, count * count * 9 + count]
    assert counts(network) == [*wanted, 16 * 3 + 3]
    assert network.count_params() == 23_079_187
    assert network.count_params() - 15 * 512 == 23_071_507  # with one bias a channel


def test_progan_discriminator_has_the_parameters_of_table_2():
    """23.1 M, layer by layer; 513 channels enter the last convolution."""
    network = progan.discriminator(tfgans.DataSpec((1024, 1024, 3))).networks[-1]
    wanted = [3 * 16 + 16]
    for count in (16, 32, 64, 128, 256):
        wanted += [count * count * 9 + count, count * 2 * count * 9 + 2 * count]
    wanted += [512 * 512 * 9 + 512] * 6
    wanted += [513 * 512 * 9 + 512, 512 * 512 * 16 + 512, 512 + 1]
    assert counts(network) == wanted
    assert network.count_params() == 23_077_137


def test_stylegan_generator_has_the_parameters_of_its_paper():
    """26.2 M, of which the mapping has 2.1."""
    network = stylegan.generator(tfgans.DataSpec((1024, 1024, 3))).networks[-1]
    trainable = sum(np.prod(variable.shape) for variable in network.trainable_variables)
    mapping = 8 * (512 * 512 + 512)
    # Two layers for each size: affine maps of the style, and factors of the noise.
    widths = [512] * 8 + [n for n in (256, 128, 64, 32, 16) for _ in range(2)]
    styles = sum(512 * 2 * n + 2 * n + n for n in widths)
    constant = 4 * 4 * 512
    convolutions = 23_079_187 - (512 * 512 * 16 + 512 * 16)  # as progan's, without its first layer
    assert trainable == mapping + styles + constant + convolutions
    assert round(trainable / 1e6, 1) == 26.2


@pytest.mark.parametrize("size", [8, 12, 16, 28, 32, 64, 128, 256, 512, 1024])
def test_every_size_has_its_stages(size):
    spec = tfgans.DataSpec((size, size, 3))
    start, doublings = tfgans.networks.sizes.start_and_doublings(spec)[1:]
    made = progan.generator(spec, latent_dim=3, width=2)
    judged = progan.discriminator(spec, width=2)
    styled = stylegan.generator(spec, latent_dim=3, num_mapping_layers=1, width=2, start_size=0)
    for network in (made, judged, styled):
        assert len(network.networks) == 2 * doublings + 1
    for stage in range(2 * doublings + 1):
        side = start * 2 ** ((stage + 1) // 2)
        assert made.networks[stage].output.shape == (None, side, side, 3)
        assert styled.networks[stage].output.shape == (None, side, side, 3)
        assert judged.networks[stage].input["image"].shape == (None, side, side, 3)
        assert judged.networks[stage].output.shape == (None, 1)


def test_pictures_need_not_be_square():
    spec = tfgans.DataSpec((16, 24, 1))
    shapes = [each.output.shape[1:3] for each in progan.generator(spec, width=2).networks]
    assert shapes == [(4, 6), (8, 12), (8, 12), (16, 24), (16, 24)]
    assert progan.discriminator(spec, width=2)({"image": tf.zeros((3, 16, 24, 1))}).shape == (3, 1)


@pytest.mark.parametrize(
    ("start_size", "sides"),
    [
        (0, [7, 14, 14, 28, 28]),
        (7, [7, 14, 14, 28, 28]),
        (8, [14, 28, 28]),
        (14, [14, 28, 28]),
        (28, [28]),
        (1024, [28]),
    ],
)
def test_the_first_stage_may_be_of_larger_pictures(start_size, sides):
    options = {"width": 2, "start_size": start_size}
    made, judged = progan.generator(SPEC, **options), progan.discriminator(SPEC, **options)
    assert [each.output.shape[1] for each in made.networks] == sides
    assert [each.input["image"].shape[1] for each in judged.networks] == sides


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"width": 0}, "width=0 and base=16384 must be at least 1"),
        ({"base": 0}, "width=512 and base=0 must be at least 1"),
        ({"phase_images": 0}, "phase_images=0 must be at least 1"),
        ({"latent_dim": 0}, "latent_dim=0 must be at least 1"),
    ],
)
def test_what_cannot_be_built_is_refused(options, says):
    with pytest.raises(UsageError, match=says):
        progan.generator(SPEC, **options)


# From stage to stage.


def test_stages_share_their_layers(network):
    last = {id(variable) for variable in network.networks[-1].variables}
    assert len(network.variables) == len({id(variable) for variable in network.variables})
    for stage in (0, 2):
        now, fading, then = network.networks[stage : stage + 3]
        old, both, new = ({id(v) for v in each.variables} for each in (now, fading, then))
        assert both == old | new
        assert 2 <= len(old - new) <= 2, "all but the layer to or from colours stay in use"
        assert new - old
    assert {id(v) for v in network.variables} - last


def test_a_generator_fades_from_its_picture_doubled_to_the_next(generator):
    given = inputs_of(generator)
    pictures = [stage_of(generator, stage)(given).numpy() for stage in (0, 2, 4)]
    for index, stage in enumerate((1, 3)):
        fading = stage_of(generator, stage)
        assert fading.fades
        small, large = pictures[index : index + 2]
        doubled = small.repeat(2, axis=1).repeat(2, axis=2)
        fade = tf.constant([0.0, 1.0, 0.25])
        blend = fading({**given, "fade": fade}).numpy()
        np.testing.assert_array_equal(blend[0], doubled[0])
        np.testing.assert_array_equal(blend[1], large[1])
        wanted = 0.75 * doubled[2] + 0.25 * large[2]
        np.testing.assert_allclose(blend[2], wanted, rtol=1e-5, atol=1e-6)


def test_a_discriminator_fades_from_half_the_picture_to_all_of_it():
    network = NETWORKS["discriminator"]()
    for stage, side in ((1, 14), (3, 28)):
        image = normal(4, side, side, 2)
        half = tf.nn.avg_pool2d(image, 2, 2, "VALID")
        before = stage_of(network, stage - 1)({"image": half})
        after = stage_of(network, stage + 1)({"image": image})
        fading = stage_of(network, stage)
        for share, wanted in ((0.0, before), (1.0, after)):
            found = fading({"image": image, "fade": tf.fill((4,), share)})
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
        middle = fading({"image": image, "fade": tf.fill((4,), 0.5)})
        assert np.abs(middle - before).max() > 1e-3
        assert np.abs(middle - after).max() > 1e-3


def test_a_network_begins_in_its_last_stage(network):
    assert network.stage == 4
    assert not network.fades
    assert network.output is network.networks[-1].output


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_clones_and_configs_are_the_same_network(network, policy):
    keras.config.set_dtype_policy(policy)
    try:
        network = type(network).from_config({**network.get_config(), "dtype": policy})
    finally:
        keras.config.set_dtype_policy("float32")
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    assert copy.get_config() == network.get_config()
    for stage in range(5):
        given = inputs_of(stage_of(network, stage))
        given |= {"fade": tf.fill((3,), 0.3)} if network.fades else {}
        found = stage_of(copy, stage)(given)
        np.testing.assert_array_equal(found, network(given))
        assert network.network.layers[-1].compute_dtype == copy.network.layers[-1].compute_dtype
    computed = {layer.compute_dtype for layer in copy._flatten_layers()}
    assert policy.removeprefix("mixed_") in computed


# What the layers do.


@pytest.mark.parametrize("name", GENERATORS)
def test_latents_are_of_one_length(name):
    network = GENERATORS[name]()
    for index, variable in enumerate(network.trainable_variables):
        if variable.name == "bias":  # of which nothing scales with the latent
            variable.assign(normal(*variable.shape, seed=index))
    inputs = inputs_of(network)
    longer = {key: 9 * one if "latent" in key else one for key, one in inputs.items()}
    np.testing.assert_allclose(network(longer), network(inputs), rtol=0, atol=1e-4)
    other = {key: 1 + one if "latent" in key else one for key, one in inputs.items()}
    assert np.abs(network(other) - network(inputs)).max() > 0.1


def test_progan_s_gains_are_he_s_but_for_the_ends():
    gains = [
        [layer.gain for layer in NETWORKS[player]().networks[-1].layers if hasattr(layer, "gain")]
        for player in ("progan", "discriminator")
    ]
    np.testing.assert_allclose(gains[0], [2**0.5 / 4, *[2**0.5] * 5, 1.0])
    np.testing.assert_allclose(gains[1], [*[2**0.5] * 7, 1.0])


def test_progan_s_pictures_are_linear():
    network = GENERATORS["progan"]()
    latent = normal(3, 5)
    kernel = network.networks[-1].layers[-2].layer.kernel
    before = network({"latent": latent}).numpy()
    kernel.assign(3 * kernel)
    np.testing.assert_allclose(network({"latent": latent}), 3 * before, rtol=1e-4, atol=1e-5)


def test_all_layers_of_progan_keep_the_size_of_what_they_are_given():
    """He's constants at the start: of unit inputs each makes about unit outputs."""
    keras.utils.set_random_seed(0)
    wide = {"width": 64, "base": 64 * 28}
    image = progan.generator(SPEC, latent_dim=64, **wide)({"latent": normal(64, 64)})
    assert 0.5 < np.std(image) < 2.0
    logits = progan.discriminator(SPEC, **wide)({"image": normal(64, 28, 28, 2)})
    assert 0.2 < np.sqrt(np.mean(np.square(logits))) < 2.0


def test_the_discriminator_sees_how_much_the_pictures_differ():
    network = NETWORKS["discriminator"]()
    one = normal(1, 28, 28, 2)
    alone = network({"image": one})
    same = network({"image": tf.repeat(one, 4, axis=0)})
    np.testing.assert_allclose(same, np.repeat(alone, 4, axis=0), rtol=1e-4, atol=1e-5)
    others = network({"image": tf.concat([one, normal(3, 28, 28, 2, seed=1)], axis=0)})
    assert np.abs(others[0] - alone[0]).max() > 1e-3


def test_style_layers_take_the_styles_that_the_crossover_says():
    network = GENERATORS["stylegan"]()
    one, other = normal(1, 5), normal(1, 5, seed=1)

    def made(first, second, crossover):
        given = {"latent": first, "other_latent": second, "truncation": tf.ones(1)}
        return network({**given, "crossover": tf.constant([crossover])}).numpy()

    np.testing.assert_array_equal(made(one, other, 0), made(other, other, 3))
    np.testing.assert_array_equal(made(one, other, 6), made(one, one, 3))
    mixed = [made(one, other, crossover) for crossover in range(7)]
    for before, after in itertools.pairwise(mixed):
        assert np.abs(before - after).max() > 1e-4


def test_styles_truncated_to_nothing_are_all_the_mean():
    network = GENERATORS["stylegan"]()
    given = inputs_of(network)
    pictures = network({**given, "truncation": tf.zeros(3)}).numpy()
    np.testing.assert_allclose(pictures[1:], pictures[:-1], rtol=1e-4, atol=1e-6)
    assert np.abs(network({**given, "truncation": tf.ones(3)})[0] - pictures[0]).max() > 1e-3


def test_noise_is_new_in_training_and_else_one_picture():
    network = GENERATORS["stylegan"]()
    for variable in network.trainable_variables:
        if variable.path.endswith("/factor"):
            variable.assign(tf.ones_like(variable))
    given = inputs_of(network)
    np.testing.assert_array_equal(network(given), network(given))
    drawn = [network(given, training=True).numpy() for _ in range(2)]
    assert np.abs(drawn[0] - drawn[1]).max() > 1e-3
    without = GENERATORS["stylegan"](noise=False)
    assert not any("noise" in variable.path for variable in without.variables)


def test_the_mapping_learns_at_a_hundredth():
    network = GENERATORS["stylegan"]()
    wrapped = [layer for layer in network.networks[-1].layers if hasattr(layer, "lr_multiplier")]
    slow = [layer for layer in wrapped if layer.lr_multiplier == 0.01]
    assert len(slow) == 2
    assert {layer.lr_multiplier for layer in wrapped if layer not in slow} == {1.0}
