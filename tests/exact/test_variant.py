"""The option table of a row, the registry, and what a user's own file may be."""

import dataclasses
import importlib
import pkgutil

import keras
import pytest

from tfgans import DataSpec, UsageError, Variant, create, models, registry
from tfgans.errors import did_you_mean
from tfgans.networks import mlp
from tfgans.variant import routed

NAMES = [entry.name for entry in registry.list_variants()]


class Toy(keras.Model):
    """A model for tests.

    Args:
        generator: A network, which is no option.
        mix: Share of
            the second thing.
        label: Any value
    """

    def __init__(self, generator, *, mix=0.5, label=None, **kwargs):
        super().__init__(**kwargs)


class Child(Toy):
    """A second level, whose default and text come first.

    Args:
        mix: The share, in the child's words.
        deep: Whether it is.
    """

    def __init__(self, generator, *, mix=0.25, deep=False, **kwargs):
        super().__init__(generator, mix=mix, **kwargs)


def generator(data, *, width=8, names=("a", "b"), kind="round"):
    """Builds nothing.

    Args:
        data: The pictures.
        width: Number of channels.
        names: Names.
        kind: round or square.

    Returns:
        Nothing.
    """


ROW = Variant(
    name="toy",
    model=Child,
    networks={"generator": generator},
    optimizers={"g_optimizer": keras.optimizers.SGD},
    options={"generator.width": 16, "g_optimizer.learning_rate": 0.1},
)
TABLE = {
    "mix": 0.25,
    "label": None,
    "deep": False,
    "generator.width": 16,
    "generator.names": ("a", "b"),
    "generator.kind": "round",
    "g_optimizer.learning_rate": 0.1,
    "g_optimizer.momentum": 0.0,
    "g_optimizer.schedule": "constant",
    "g_optimizer.schedule_steps": 0,
}


def test_table_joins_model_networks_and_optimisers():
    assert ROW.defaults() == TABLE


def test_meanings_come_from_the_docstrings():
    meanings = ROW.meanings()
    assert meanings.keys() == TABLE.keys()
    assert meanings["mix"] == "The share, in the child's words."
    assert meanings["label"] == "Any value"
    assert meanings["deep"] == "Whether it is."
    assert meanings["generator.kind"] == "round or square."
    assert meanings["g_optimizer.learning_rate"] == "Step size of the optimiser."


def test_overrides_take_their_places():
    overrides = {"mix": 1.5, "deep": True, "generator.kind": "square"}
    assert ROW.resolve(overrides) == {**TABLE, **overrides}
    assert ROW.resolve({}) == ROW.defaults() == TABLE  # and change nothing behind


@pytest.mark.parametrize(
    ("key", "value", "stored"),
    [
        ("mix", 2, 2.0),  # an int serves for a float
        ("mix", -0.5, -0.5),
        ("generator.width", 3, 3),
        ("deep", True, True),
        ("label", "anything", "anything"),
        ("label", 3, 3),
        ("generator.names", ["c"], ["c"]),
        ("generator.kind", "square", "square"),
    ],
)
def test_right_types(key, value, stored):
    resolved = ROW.resolve({key: value})[key]
    assert resolved == stored
    assert type(resolved) is type(stored)


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("generator.width", 3.0, "int, like its default 16"),
        ("generator.width", True, "int, like its default 16"),
        ("generator.width", "3", "int, like its default 16"),
        ("mix", "0.5", "float, like its default 0.25"),
        ("mix", True, "float, like its default 0.25"),
        ("mix", None, "float, like its default 0.25"),
        ("deep", 1, "bool, like its default False"),
        ("deep", "yes", "bool, like its default False"),
        ("generator.kind", 1, "str, like its default 'round'"),
        ("generator.names", "c", "tuple, like its default"),
    ],
)
def test_wrong_types_are_told_in_one_line(key, value, wanted):
    with pytest.raises(UsageError) as caught:
        ROW.resolve({key: value})
    message = str(caught.value)
    assert message.startswith(f"{key}={value!r} must be of type {wanted}")
    assert "\n" not in message


def test_a_weight_of_a_loss_is_not_negative():
    row = registry.load("progan")
    assert row.resolve({"drift_weight": 0})["drift_weight"] == 0.0
    with pytest.raises(UsageError, match=r"^drift_weight=-0\.1 must not be negative$"):
        row.resolve({"drift_weight": -0.1})


def test_unknown_option_names_the_near_ones_and_all():
    with pytest.raises(UsageError) as caught:
        ROW.resolve({"generator.widht": 3})
    message = str(caught.value)
    assert message.startswith("toy has no option 'generator.widht'. Did you mean 'generator.width'")
    assert all(key in message for key in TABLE)
    assert "\n" not in message


def test_row_that_sets_what_nothing_takes_is_refused():
    with pytest.raises(UsageError, match=r"toy: nothing takes the options \['generator.depth'\]"):
        dataclasses.replace(ROW, options={"generator.depth": 3})


def test_options_are_routed_by_their_prefix():
    assert routed(TABLE, "") == {"mix": 0.25, "label": None, "deep": False}
    assert routed(TABLE, "generator") == {"width": 16, "names": ("a", "b"), "kind": "round"}
    assert routed({"generator_b.width": 1, "generator.width": 2}, "generator") == {"width": 2}
    assert routed(TABLE, "discriminator") == {}


def test_near_names():
    assert did_you_mean("wgan_gb", ["wgan_gp", "vae"]) == ". Did you mean 'wgan_gp'?"
    assert did_you_mean("wgan", ["wgan_gp", "wgan_a"]) == ". Did you mean 'wgan_a' or 'wgan_gp'?"
    assert did_you_mean("zzz", ["wgan_gp", "vae"]) == ""


def test_data_spec():
    plain = DataSpec((28, 14, 1))
    assert (plain.image_shape, plain.num_classes, plain.keys) == ((28, 14, 1), 0, ("image",))
    assert DataSpec([8, 8, 3], 10).keys == ("image", "label")
    assert DataSpec([8, 8, 3]) == DataSpec((8, 8, 3))
    assert hash(DataSpec([8, 8, 3])) == hash(DataSpec((8, 8, 3)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        plain.num_classes = 3


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 0), (-1, 28, 1), (1, 28, 28, 1), ()])
def test_data_spec_of_another_shape_is_refused(shape):
    with pytest.raises(UsageError, match=r"must be \(height, width, channels\), each >= 1"):
        DataSpec(shape)


def test_data_spec_of_negative_classes_is_refused():
    with pytest.raises(UsageError, match="num_classes=-1 must be >= 0"):
        DataSpec((8, 8, 1), -1)


def test_registry_and_rows_hold_the_same_names():
    """Every row of every module stands in the registry, under its module, and no more."""
    rows = {
        (row.name, module.name)
        for module in pkgutil.iter_modules(models.__path__)
        for row in getattr(importlib.import_module(f"tfgans.models.{module.name}"), "VARIANTS", ())
    }
    lines = [(entry.name, entry.module) for entry in registry.list_variants()]
    assert len(set(NAMES)) == len(NAMES)
    assert set(lines) == rows


@pytest.mark.parametrize("name", NAMES)
def test_line_and_row_of_the_registry_agree(name):
    entry, row = registry.get(name), registry.load(name)
    assert entry.name == row.name == name
    assert entry.needs == registry.needs(name)
    assert entry.family in {"adversarial", "moments", "autoencoder"}
    assert set(row.optimizers) == set(row.model.optimizes)
    assert {player for players in row.model.optimizes.values() for player in players} == set(
        row.networks
    )
    assert set(row.tiny) <= set(row.defaults())


@pytest.mark.parametrize("name", NAMES)
def test_every_option_has_a_meaning_and_its_default_is_of_its_own_type(name):
    row = registry.load(name)
    meanings, defaults = row.meanings(), row.defaults()
    assert meanings.keys() == defaults.keys()
    assert not [key for key, text in meanings.items() if not text or "\n" in text]
    assert row.resolve(defaults) == defaults
    assert row.resolve(row.tiny) == {**defaults, **row.tiny}


def pair_of(optimizer, **options):
    return {f"{player}_optimizer.{key}": v for player in "gd" for key, v in options.items()} | {
        "optimizer": optimizer
    }


def adam(rate, beta_1, beta_2=0.999):
    return pair_of(keras.optimizers.Adam, learning_rate=rate, beta_1=beta_1, beta_2=beta_2)


RMSPROP = pair_of(keras.optimizers.RMSprop, learning_rate=5e-5, rho=0.99, momentum=0.0)
CLIPPED = {**RMSPROP, "discriminator.weight_clip": 0.01, "n_critic": 5, "warm_up_critic_steps": 0}
SETTINGS = {  # what the papers and the courses say
    "gan": pair_of(keras.optimizers.SGD, momentum=0.5, schedule="linear")
    | {"g_optimizer.learning_rate": 0.1, "batch_size": 100, "generator.latent_dim": 64},
    "nsgan": adam(2e-4, 0.9) | {"batch_size": 100, "generator.latent_dim": 64, "n_critic": 1},
    "dcgan": adam(2e-4, 0.5) | {"generator.latent_dim": 100, "discriminator.batch_norm": True},
    "lsgan": adam(2e-4, 0.5) | {"n_critic": 1},
    "wgan": CLIPPED | {"batch_size": 64},
    "wgan_mlp": CLIPPED,
    "wgan_no_bn": CLIPPED | {"generator.batch_norm": False, "generator.constant_width": True},
    "wgan_mlp_generator": CLIPPED | {"generator.num_layers": 4, "generator.width": 512},
    "wgan_gp": {"gp_weight": 10.0, "discriminator.batch_norm": False},
    "wgan_gp_paper": adam(1e-4, 0.0, 0.9)
    | {"gp_weight": 10.0, "n_critic": 5, "discriminator.batch_norm": False},
    "hinge": adam(2e-4, 0.5) | {"margin_weight": 0.0},
    "sngan": adam(2e-4, 0.5)
    | {"n_critic": 1, "discriminator.spectral_norm": True, "discriminator.batch_norm": False},
    "sngan_resnet": adam(2e-4, 0.0, 0.9) | {"n_critic": 5, "discriminator.num_flat_blocks": 2},
    "cgan": adam(2e-4, 0.5) | {"n_critic": 1, "discriminator.labels": "given"},
    "acgan": {"class_weight": 1.0, "n_critic": 1, "discriminator.labels": "told"},
    "sngan_projection": adam(1e-3, 0.0, 0.9) | {"n_critic": 5, "generator.labels": True},
    "ttur": {"g_optimizer.learning_rate": 1e-4, "d_optimizer.learning_rate": 3e-4, "n_critic": 1},
    "sagan": {"n_critic": 1, "generator.spectral_norm": True, "g_optimizer.beta_1": 0.0}
    | {"g_optimizer.beta_2": 0.9, "generator.attention": 14, "discriminator.attention": 14},
    "biggan": {"n_critic": 2, "orthogonal_weight": 1e-4, "ema_decay": 0.9999},
    "progan": adam(1e-3, 0.0, 0.99)
    | {"gp_weight": 10.0, "drift_weight": 0.001, "n_critic": 1, "ema_decay": 0.999}
    | {"g_optimizer.epsilon": 1e-8, "d_optimizer.epsilon": 1e-8},
    "stylegan": {"r1_weight": 10.0, "mixing": 0.9, "generator.mapping_multiplier": 0.01}
    | {"generator.num_mapping_layers": 8, "g_optimizer.beta_1": 0.0, "g_optimizer.beta_2": 0.99},
    # The authors' code for a ring of Gaussians.
    "unrolled": pair_of(keras.optimizers.Adam, beta_1=0.5)
    | {"d_optimizer.learning_rate": 1e-4, "g_optimizer.learning_rate": 1e-3, "unroll_steps": 5},
    "r1gan": adam(2e-4, 0.0, 0.99) | {"r1_weight": 1.0, "discriminator.batch_norm": False},
    "dragan": adam(2e-4, 0.5) | {"gp_weight": 10.0, "discriminator.batch_norm": False},
    "roth": adam(2e-4, 0.5) | {"roth_weight": 2.0, "final_share": 0.01},
    "lgan": pair_of(keras.optimizers.Adam, beta_1=0.0, beta_2=0.99, schedule="linear")
    | {"g_optimizer.learning_rate": 1e-3, "d_optimizer.learning_rate": 4e-3, "n_critic": 1}
    | {"phi": "softplus", "lipschitz_weight": 0.1, "discriminator.batch_norm": False},
    "fgan": adam(2e-4, 0.5) | {"divergence": "kl", "discriminator.spectral_norm": True},
    "mmd_gan": pair_of(keras.optimizers.Adam, beta_1=0.0, beta_2=0.99, schedule="linear")
    | {"g_optimizer.learning_rate": 1e-3, "d_optimizer.learning_rate": 4e-3, "n_critic": 1}
    | {"gp_weight": 1.0, "discriminator.num_outputs": 16, "discriminator.batch_norm": False},
    "gmmn": {"latent_distribution": "uniform", "generator.latent_dim": 10},
    "dcgan_noise": adam(2e-4, 0.5) | {"instance_noise": 0.1, "discriminator.batch_norm": True},
    "vae": {"kl_weight": 1.0, "reconstruction_weight": 1.0, "encoder.width": 256},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_the_papers(name):
    row, wanted = registry.load(name), dict(SETTINGS[name])
    optimizer = wanted.pop("optimizer", None)
    if optimizer:
        assert all(issubclass(kind, optimizer) for kind in row.optimizers.values())
    found = {**row.defaults(), "batch_size": row.batch_size}
    assert {key: found[key] for key in wanted} == wanted


def test_a_scheme_on_other_networks_keeps_the_options_that_still_apply():
    row = registry.load("wgan_gp")
    other = row.on(generator=mlp.generator, discriminator=mlp.discriminator)
    assert (other.name, other.model) == (row.name, row.model)
    assert "discriminator.batch_norm" in row.options
    assert "discriminator.batch_norm" not in other.defaults()
    shared = [key for key in row.options if key in other.defaults()]
    assert "d_optimizer.learning_rate" in shared
    assert {key: row.options[key] for key in shared} == dict(other.options)
    model = create(other, DataSpec((8, 8, 1)))
    assert not any("conv" in layer.name for layer in model.generator.layers)
    with pytest.raises(UsageError, match="wgan_gp has no player 'encoder'; it has generator, disc"):
        row.on(encoder=mlp.encoder)


def test_unknown_variant():
    with pytest.raises(UsageError, match=r"unknown variant 'wgan_pg'\. Did you mean 'wgan_gp'"):
        registry.get("wgan_pg")
    with pytest.raises(UsageError, match="unknown variant 'nonsense'"):
        registry.load("nonsense")


USER_FILE = """
import keras
from tfgans.models.lsgan import LSGAN
from tfgans.networks import mlp
from tfgans.variant import Variant

NEEDS = ("image", "label")


def row(name):
    return Variant(
        name=name,
        model=LSGAN,
        networks={"generator": mlp.generator, "discriminator": mlp.discriminator},
        optimizers={"g_optimizer": keras.optimizers.Adam, "d_optimizer": keras.optimizers.Adam},
    )
"""


def test_user_file(tmp_path):
    path = tmp_path / "my_gan.py"
    path.write_text(USER_FILE + 'VARIANTS = (row("mine"),)\n')
    row = registry.load(str(path))
    assert (row.name, row.batch_size) == ("mine", 64)
    assert row.defaults()["generator.width"] == 256
    assert registry.needs(str(path)) == ("image", "label")
    path.write_text(USER_FILE.replace('NEEDS = ("image", "label")', "") + "VARIANTS = ()\n")
    assert registry.needs(str(path)) == ("image",)


@pytest.mark.parametrize(
    ("end", "message"),
    [
        ("", "has no VARIANTS"),
        ("VARIANTS = ()\n", "has no VARIANTS"),
        ('VARIANTS = (row("one"), row("two"))\n', r"holds 2 rows \(one, two\); keep one a file"),
    ],
)
def test_user_file_without_a_single_row_is_refused(tmp_path, end, message):
    path = tmp_path / "my_gan.py"
    path.write_text(USER_FILE + end)
    with pytest.raises(UsageError, match=f"my_gan.py.* {message}"):
        registry.load(str(path))


def test_missing_user_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"no file '.*other.py'; --variant takes a name or a"):
        registry.load(str(tmp_path / "other.py"))
    with pytest.raises(UsageError, match=r"no file '.*other.py'"):
        registry.needs(str(tmp_path / "other.py"))


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"seed": -1}, "seed=-1 must lie between 0 and"),
        ({"seed": 1.5}, "seed=1.5 must be an int"),
        ({"steps": 0}, "steps=0 must lie between 1 and"),
        ({"steps": "9"}, "steps='9' must be an int"),
    ],
)
def test_create_tells_wrong_numbers_in_one_line(wrong, told):
    with pytest.raises(UsageError) as caught:
        create("gan", DataSpec((8, 8, 1)), **wrong)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
