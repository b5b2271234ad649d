"""Modes, quality and spread of points that are known, and the games themselves, shortly."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageSequence

from tfgans import UsageError
from tfgans.networks import mlp
from tfgans.playground import __main__, grid, metz, mixtures, ring, schemes

FEW = {"steps": 3, "batch_size": 8}


def drawn(mixture, n, sigmas=1.0, modes=None, seed=0):
    """Points of a mixture whose modes are so many of its deviations wide."""
    draws = np.random.default_rng(seed)
    which = draws.integers(0, modes or len(mixture.centres), n)
    return mixture.centres[which] + sigmas * mixture.sigma * draws.normal(size=(n, 2))


def test_the_mixtures_are_pacgans():
    np.testing.assert_allclose(np.linalg.norm(ring.MIXTURE.centres, axis=1), 1.0)
    np.testing.assert_allclose(ring.MIXTURE.centres.sum(axis=0), 0.0, atol=1e-12)
    assert len(ring.MIXTURE.centres) == 8
    assert {tuple(centre) for centre in grid.MIXTURE.centres} == {
        (x, y) for x in (-4, -2, 0, 2, 4) for y in (-4, -2, 0, 2, 4)
    }
    assert (ring.MIXTURE.sigma, grid.MIXTURE.sigma) == (0.01, 0.05)


@pytest.mark.parametrize("mixture", [ring.MIXTURE, grid.MIXTURE], ids=["ring", "grid"])
def test_the_data_itself_scores_the_ceiling(mixture):
    facts = mixture.judged(drawn(mixture, 100_000))
    assert facts["modes"] == facts["of"] == len(mixture.centres)
    assert facts["high_quality"] == pytest.approx(mixtures.CEILING, abs=0.0012)
    # Cut off at three deviations the variance is a little smaller.
    cut = 1.0 - 4.5 * np.exp(-4.5) / mixtures.CEILING
    assert facts["of_the_data"]["spread"] == pytest.approx(np.sqrt(cut), rel=1e-12)
    assert facts["spread"] == pytest.approx(np.sqrt(cut), abs=0.005)
    assert facts["kl"] == pytest.approx(facts["of_the_data"]["kl"], abs=0.0002)
    several = [mixture.judged(drawn(mixture, 2500, seed=seed))["kl"] for seed in range(40)]
    floor = mixture.judged(drawn(mixture, 2500))["of_the_data"]["kl"]
    assert np.mean(several) == pytest.approx(floor, rel=0.2)


def test_points_that_gather_within_their_modes_show_in_the_spread():
    facts = ring.MIXTURE.judged(drawn(ring.MIXTURE, 10_000, sigmas=0.25))
    assert facts["high_quality"] == 1.0
    assert facts["spread"] == pytest.approx(0.25, abs=0.005)


def test_modes_that_are_missing_are_counted():
    facts = grid.MIXTURE.judged(drawn(grid.MIXTURE, 10_000, modes=5))
    assert facts["modes"] == 5
    assert facts["kl"] == pytest.approx(np.log(25 / 5), abs=0.01)


def test_points_beside_the_modes_are_of_no_quality():
    facts = ring.MIXTURE.judged(np.zeros((10, 2)))
    assert (facts["modes"], facts["high_quality"]) == (0, 0.0)
    assert facts["kl"] is facts["spread"] is None


def test_the_pictures_are_points_of_the_mixture_and_repeat_by_the_seed():
    def drawn_at(step, seed=3):
        return ring.MIXTURE.images(tf.constant(step), 4000, seed).numpy()

    image = drawn_at(0)
    np.testing.assert_array_equal(image, drawn_at(0))
    assert (image != drawn_at(1)).any()
    assert (image != drawn_at(0, seed=4)).any()
    assert image.shape == (4000, 1, 1, 2)
    assert float(tf.reduce_max(tf.abs(image))) < 1.0
    facts = ring.MIXTURE.judged(np.reshape(image, (-1, 2)) * ring.MIXTURE.scale)
    assert facts["modes"] == 8
    assert facts["high_quality"] == pytest.approx(mixtures.CEILING, abs=0.006)


@pytest.mark.parametrize(
    "words",
    [
        {},
        {"variant": "hinge", "seed": 1},
        {"variant": "gan"},
        {"variant": "nsgan", "options": (("discriminator.packing", 2),)},
        {"variant": "unrolled", "options": (("unroll_steps", 1),)},
        {"variant": "wgan_gp"},
        {"variant": "mmd_gan"},
    ],
    ids=lambda words: words.get("variant", "default"),
)
def test_schemes_of_the_zoo_play(words):
    play, modes = (ring.play, 8) if words else (grid.play, 25)
    outcome = play(**words, **FEW)
    assert outcome.facts["of"] == modes
    assert outcome.facts["variant"] == words.get("variant", "r1gan")
    assert 0.0 <= outcome.facts["high_quality"] <= 1.0


@pytest.mark.parametrize(
    ("variant", "own"),
    [
        ("gan", {"g_optimizer.beta_1": 0.0, "g_optimizer.schedule": "linear"}),
        ("r1gan", {"r1_weight": 0.1}),
        ("roth", {"roth_weight": 0.1}),
        ("hinge", {"discriminator.spectral_norm": True}),
        ("wgan_gp", {"gp_weight": 0.1, "n_critic": 5}),
        ("lgan", {"n_critic": 5}),
        ("mmd_gan", {"n_critic": 5}),
        (
            "unrolled",
            {"g_optimizer.learning_rate": 1e-3, "d_optimizer.learning_rate": 1e-4}
            | {"g_optimizer.beta_1": 0.5, "g_optimizer.schedule": "constant", "ema_decay": 0.0}
            | {"generator.latent_dim": 256, "d_optimizer.epsilon": 1e-8},
        ),
    ],
)
def test_each_scheme_plays_by_its_recipe(variant, own, monkeypatch):
    made = []

    def create(*words, **table):
        made.append(table)
        raise UsageError("seen")

    monkeypatch.setattr(schemes.factory, "create", create)
    for options in ((), (("ema_decay", 0.5),)):
        with pytest.raises(UsageError, match="seen"):
            ring.play(variant=variant, options=options, **FEW)
    usual = {"ema_decay": 0.999, "g_optimizer.learning_rate": 1e-3, "discriminator.width": 128}
    wanted = {**usual, **own}
    assert {key: made[0][key] for key in wanted} == wanted
    assert made[1]["ema_decay"] == 0.5


def test_a_recipe_of_what_a_scheme_does_not_have_is_refused(monkeypatch):
    monkeypatch.setitem(mixtures.RECIPES, "gan", {"r1_wait": 1.0})
    with pytest.raises(UsageError, match="r1_wait"):
        ring.play(variant="gan", **FEW)


def test_the_same_seed_gives_the_same_points():
    first, again, other = (ring.play(seed=seed, **FEW).facts for seed in (5, 5, 6))
    assert first == again
    assert first["weights_sha256"] != other["weights_sha256"]


def test_all_schemes_have_the_games_optimiser_and_their_own_losses():
    for variant in ("gan", "wgan_mlp", "mmd_gan", "r1gan"):
        table = schemes._playable(variant, mlp).defaults()
        assert {f"{player}_optimizer.beta_2" for player in "gd"} <= set(table)
    assert schemes._playable("mmd_gan", mlp).options["discriminator.num_outputs"] == 16
    assert schemes._playable("wgan_mlp", mlp).options["n_critic"] == 5


def test_unrolled_plays_on_its_authors_networks():
    """W_3 tanh(W_2 tanh(W_1 x)), kernels orthogonal times 1.4, on a ring of radius 1."""
    data = np.random.default_rng(0).normal(size=(5, 1, 1, 2)).astype(np.float32)
    latent = np.random.default_rng(1).normal(size=(5, 256)).astype(np.float32)
    networks = metz.generator(mixtures.DATA), metz.discriminator(mixtures.DATA)
    for network, inputs in zip(networks, ({"latent": latent}, {"image": data}), strict=True):
        kernels = [weight.numpy() for weight in network.weights if weight.name == "kernel"]
        assert [kernel.shape[1] for kernel in kernels[:-1]] == [128, 128]
        for kernel in kernels:
            short = min(kernel.shape)
            product = kernel @ kernel.T if len(kernel) == short else kernel.T @ kernel
            np.testing.assert_allclose(product, 1.4**2 * np.eye(short), atol=1e-5)
        hidden = next(iter(inputs.values())).reshape(5, -1)
        hidden = hidden * 2.0 if "image" in inputs else hidden  # the ring's radius is 1 there
        for kernel in kernels[:-1]:
            hidden = np.tanh(hidden @ kernel)
        made = network(inputs).numpy().reshape(5, -1)
        wanted = hidden @ kernels[-1] / (1.0 if "image" in inputs else 2.0)
        np.testing.assert_allclose(made, wanted, rtol=1e-4, atol=1e-5)
    image = ring.MIXTURE.images(tf.constant(0), 1000, 0).numpy().reshape(-1, 2)
    assert 2.0 * np.linalg.norm(image, axis=1).mean() == pytest.approx(1.0, abs=0.005)
    play = ring.play(variant="unrolled", options=(("discriminator.packing", 2),), **FEW)
    assert play.facts["options"] == {"discriminator.packing": 2}


@pytest.mark.parametrize("variant", ["vae", "cgan", "progan", "gmmn"])
def test_what_cannot_play_is_refused(variant):
    with pytest.raises(UsageError, match=f"variant='{variant}' is not a generator of noise"):
        ring.play(variant=variant)


@pytest.mark.parametrize("key", ["gp_weight", "seed", "jit"])
def test_an_option_that_the_row_does_not_have_is_refused(key):
    with pytest.raises(UsageError, match=f"has no option '{key}'"):
        ring.play(options=((key, 1),), **FEW)


def test_a_batch_that_is_no_packs_is_refused():
    with pytest.raises(UsageError, match="8 pictures at a time are no packs of 3"):
        ring.play(options=(("discriminator.packing", 3),), **FEW)


def test_a_users_row_that_grows_is_refused(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('from tfgans import registry\nVARIANTS = (registry.load("stylegan"),)\n')
    with pytest.raises(UsageError, match="is not a generator of noise"):
        ring.play(variant=str(path), **FEW)


def test_the_command_prints_modes_and_quality_and_moves(capsys, tmp_path):
    words = ["grid", "--steps=3", "--batch_size=8", "--set", "discriminator.packing=2"]
    assert __main__.main([*words, "--json", f"--out={tmp_path}"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {"modes", "high_quality", "spread"} <= set(told)
    assert told["options"] == {"discriminator.packing": 2}
    assert told["of_the_data"]["high_quality"] == pytest.approx(0.98889, abs=1e-5)
    with Image.open(tmp_path / "animation.gif") as animation:
        shown = [one.info["duration"] for one in ImageSequence.Iterator(animation)]
        assert len(shown) >= 3
        assert sum(shown) == 100 * (3 + 15)  # milliseconds; the last one rests
