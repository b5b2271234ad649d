"""Styles: how they are mixed in training, truncated when drawn, and shown in a picture."""

import math

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import tfgans
from tfgans import UsageError, cli, export, randomness, registry, saved, walks

SIZE, LAYERS = 16, 6  # 4, 8 and 16 pixels
OPTIONS = {**registry.load("stylegan").tiny, "ema_decay": 0.0}


def create(**options):
    """A model with a mean of its styles that is not 0, and noise that shows."""
    model = tfgans.create("stylegan", tfgans.DataSpec((SIZE, SIZE, 1)), **{**OPTIONS, **options})
    for variable in model.generator.variables:
        if variable.path.endswith("/moving_mean"):
            variable.assign(tf.random.stateless_normal(variable.shape, (0, 1)))
    return model


@pytest.fixture(scope="module")
def model():
    return create()


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    return export.export(model, tmp_path_factory.mktemp("export") / "stylegan", {})


@pytest.fixture(scope="module")
def exported(folder):
    return saved.load_saved_model(folder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A SavedModel of another kind."""
    row = registry.load("nsgan")
    other = tfgans.create(row, tfgans.DataSpec((8, 8, 1)), **row.tiny)
    return saved.load_saved_model(export.export(other, tmp_path_factory.mktemp("plain") / "x", {}))


# Mixing in training.


def crossovers(mixing, count=4000, **options):
    model = create(mixing=mixing, **options)
    return model.crossover("stream", like=tf.zeros((count, 1, 1, 1))).numpy()


@pytest.mark.parametrize("mixing", [0.9, 0.5, 1.0])
def test_a_share_of_the_images_is_mixed_at_any_layer(mixing):
    drawn = crossovers(mixing)
    assert set(drawn) == set(range(1, LAYERS + (mixing < 1.0)))
    shares = [np.mean(drawn == layer) for layer in range(1, LAYERS)]
    np.testing.assert_allclose(shares, mixing / (LAYERS - 1), atol=0.025)
    assert np.mean(drawn < LAYERS) == pytest.approx(mixing, abs=0.025)


def test_nothing_is_mixed_where_nothing_should_be():
    assert set(crossovers(0.0)) == {LAYERS}


def test_crossovers_fit_the_stage():
    options = {"generator.start_size": 0, "discriminator.start_size": 0}
    model = create(**options, **{"generator.phase_images": 4})
    for shown, layers in ((0, 2), (4, 4), (8, 4), (12, 6), (16, 6)):
        model.shown.assign(shown)
        model.enter_stage()
        assert model.num_styles == layers
        drawn = model.crossover("stream", like=tf.zeros((500, 1, 1, 1))).numpy()
        assert set(drawn) == set(range(1, layers + 1))


def test_images_of_training_take_both_latents(model):
    """Those of the layers before the crossover come from the stream's own latents."""
    batch = {"image": tf.zeros((8, SIZE, SIZE, 1))}
    network = create(**{"generator.noise": False})
    found = network.fake_images(batch, "latents")
    drawn = [
        randomness.normal(network.seed, network.step, stream, (8, network.latent_dim))
        for stream in ("latents", "latents/other")
    ]
    given = {"latent": drawn[0], "other_latent": drawn[1], "truncation": tf.zeros(8)}
    given["crossover"] = network.crossover("latents/crossover", like=batch["image"])
    wanted = network.generator(given, training=True)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    assert model.mixing == 0.9


@pytest.mark.parametrize("mixing", [-0.1, 1.1])
def test_a_share_that_is_none_is_refused(mixing):
    with pytest.raises(UsageError, match=rf"mixing={mixing} must lie in \[0, 1\]"):
        create(mixing=mixing)


# Truncation.


def test_truncation_is_psi(model):
    whole = model.sample(5, seed=1)
    np.testing.assert_array_equal(model.sample(5, seed=1, truncation=1.0), whole)
    latent = model.draw_latent(5, 1, math.inf)
    for psi in (0.7, 0.1):
        image = model.generate(latent, truncation=psi).numpy()
        found = model.sample(5, seed=1, truncation=psi)
        levels = np.clip(np.rint((image + 1) * 127.5), 0, 255)
        assert np.abs(found - levels).max() <= 1
        assert not np.array_equal(found, whole)
    alike = model.sample(5, seed=1, truncation=1e-6).astype(int)
    assert np.ptp(alike, axis=0).max() <= 1, "at psi 0 all pictures are one"


def test_the_card_says_psi(exported, plain):
    assert exported.card["truncation"].startswith("psi")
    assert exported.card["num_styles"] == exported.num_styles == LAYERS
    assert plain.card["truncation"].startswith("threshold on |z|")
    assert plain.num_styles == 0


def test_a_saved_model_truncates_and_mixes_as_the_model_does(model, exported):
    for psi in (None, 0.5):
        levels = exported.sample(5, 3, truncation=psi) - model.sample(5, 3, truncation=psi).astype(
            int
        )
        assert np.abs(levels).max() <= 1
    one, other = (model.draw_latent(70, seed, math.inf).numpy() for seed in (0, 1))
    for crossover in range(LAYERS + 1):
        wanted = model.mix(one, other, crossover, math.inf)
        np.testing.assert_allclose(exported.mix(one, other, crossover), wanted, atol=1e-5)
    np.testing.assert_allclose(exported.mix(one, other, 0), model.generate(other), atol=1e-5)
    np.testing.assert_allclose(exported.mix(one, other, LAYERS), model.generate(one), atol=1e-5)
    wanted = model.mix(one, other, 2, 0.5)
    np.testing.assert_allclose(exported.mix(one, other, 2, truncation=0.5), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("crossover", "says"),
    [
        (-1, "crossover=-1 must lie between 0 and 6"),
        (7, "between 0 and 6"),
        (1.5, "must be an int"),
    ],
)
def test_layers_that_are_not_there_are_refused(exported, crossover, says):
    latents = np.zeros((2, exported.latent_dim))
    with pytest.raises(UsageError, match=says):
        exported.mix(latents, latents, crossover)


# The picture.


def test_a_mixed_picture_shows_sources_and_what_they_give(model, exported):
    rows = walks.mix(exported, mix="2x3:4", seed=5, truncation=0.7)
    assert [row.shape for row in rows] == [(4, SIZE, SIZE, 1)] * 3
    assert (rows[0][0] == walks.BLANK).all()
    latents = model.draw_latent(5, 5, math.inf)
    alone = model.sample(5, seed=5, truncation=0.7).astype(int)
    left, above = alone[:2], alone[2:]
    assert np.abs(rows[0][1:] - above).max() <= 1
    for index, row in enumerate(rows[1:]):
        assert np.abs(row[0] - left[index]).max() <= 1
        ones = np.repeat(latents[index : index + 1], 3, axis=0)
        mixed = model.mix(ones, latents[2:], 4, 0.7).numpy()
        assert np.abs(row[1:] - (mixed + 1) * 127.5).max() <= 1.01


def test_by_default_a_third_of_the_layers_are_the_row_s(exported):
    one, other = walks.mix(exported, mix="1x2"), walks.mix(exported, mix="1x2:2")
    assert all(np.array_equal(*rows) for rows in zip(one, other, strict=True))


@pytest.mark.parametrize("mix", ["", "3", "0x2", "2x0", "2x2:0", "2x2:6", "axb", "2x2:", "9999x99"])
def test_a_picture_that_cannot_be_is_refused(exported, mix):
    with pytest.raises(UsageError, match=rf"^mix='{mix}' must be rows and columns, as 3x5"):
        walks.mix(exported, mix=mix)


def test_what_does_not_go_with_mixing_is_refused(exported, plain):
    with pytest.raises(UsageError, match="mix=2x2: this model has no styles to mix"):
        walks.mix(plain, mix="2x2")
    with pytest.raises(UsageError, match="this model has no styles to mix"):
        plain.mix(np.zeros((1, 4)), np.zeros((1, 4)), 1)
    with pytest.raises(UsageError, match="num=3: mix=2x2 says how many"):
        walks.mix(exported, mix="2x2", num=3)
    with pytest.raises(UsageError, match="label=1: this model makes pictures without labels"):
        walks.mix(exported, mix="2x2", label="1")


def test_ways_between_latents_have_truncated_styles(model, exported):
    rows = walks.interpolate(exported, interpolate=3, num=2, seed=1, truncation=0.5)
    ends = model.sample(4, seed=1, truncation=0.5).astype(int)
    assert np.abs(np.stack([rows[0][0], rows[0][2], rows[1][0], rows[1][2]]) - ends).max() <= 1


def test_the_command_draws_it(folder, tmp_path, capsys):
    out = tmp_path / "mixed.png"
    words = ["generate", f"--model={folder}", "--mix=2x3", "--truncation=0.7", f"--out={out}"]
    assert cli.main(words) == 0, capsys.readouterr().err
    with Image.open(out) as picture:
        width, height = picture.size
    assert width / height == pytest.approx(4 / 3, abs=0.02)
    assert cli.main([*words, "--interpolate=3"]) == 2
    assert "--interpolate and --mix are two pictures" in capsys.readouterr().err
