"""The rules that tell a game's failures: logs that show them, and logs that must not."""

import numpy as np
import pytest
import tensorflow as tf

import tfgans
from tfgans import failures, registry

STEPS, REACH = 5000, 56.0  # a hundred rows of fifty steps; two pictures of 28x28
INDEX = np.arange(100)
NOISE = np.random.default_rng(0).normal(size=100)
WOBBLE = 0.02 * NOISE


def rows(**series):
    """A log of a hundred rows in which every second one looks at the pictures."""
    usual = {
        "d_accuracy": 0.75 + WOBBLE,
        "d_real": 1.0 + WOBBLE,
        "d_fake": -1.0 + WOBBLE,
        "grad_norm/generator": 1.0 + WOBBLE,
        "grad_norm/discriminator": 2.0 + WOBBLE,
        "watch/diversity": np.minimum(0.95, 0.1 + INDEX / 40) + WOBBLE,
        "watch/class_entropy": np.minimum(0.9, INDEX / 40) + WOBBLE,
    }
    names = {"diversity": "watch/diversity", "entropy": "watch/class_entropy"}
    names |= {"g_norm": "grad_norm/generator", "d_norm": "grad_norm/discriminator"}
    usual |= {names.get(key, key): value for key, value in series.items()}
    for index in INDEX:
        yield {
            "step": 50 * (index + 1),
            **{
                name: float(np.broadcast_to(values, 100)[index])
                for name, values in usual.items()
                if values is not None and (index % 2 or not name.startswith("watch/"))
            },
        }


def found_in(**series):
    history = failures.History(STEPS, REACH)
    for row in rows(**series):
        history.read(row)
    return history.findings


def names(**series):
    return list(found_in(**series))


def the_one(**series):
    """The one failure of a log, found at a look, each second row."""
    (finding,) = found_in(**series).values()
    return finding


RISING = 0.05 * 1.04**INDEX  # slowly, to 2.4


@pytest.mark.parametrize(
    "series",
    [
        {},
        # A discriminator that is ahead all the time, while the pictures get better.
        {
            "d_accuracy": 1.0,
            "diversity": np.minimum(0.95, RISING),
            "entropy": np.minimum(0.9, RISING),
        },
        # One that has learned its pictures by heart.
        {"d_accuracy": 1.0},
        # One that has met its match.
        {"d_accuracy": 0.5 + WOBBLE},
        # Pictures alike for a third of the run, then not.
        {"diversity": np.where(INDEX < 33, 0.02, 0.9), "entropy": np.where(INDEX < 33, 0.0, 0.9)},
        # A start in the steep, and gradients that settle.
        {"g_norm": np.where(INDEX < 3, 30.0, 1.0), "d_norm": np.where(INDEX < 3, 100.0, 2.0)},
        # A discriminator that grows steeper as it learns.
        {"d_norm": np.minimum(2.0 * 1.1**INDEX, 190.0)},
        # Players that find their level.
        {"d_accuracy": np.where(INDEX < 12, 0.5 + 0.3 * np.sin(2.0 * INDEX), 0.6)},
        # A discriminator without use for gradients at first.
        {"d_norm": np.where((INDEX > 2) & (INDEX < 30), 0.001, 9.0)},
        # A player that rests in turn.
        {
            "g_norm": np.where(INDEX // 12 % 2, 0.0, 1.0),
            "d_norm": np.where(INDEX // 12 % 2, 1.0, 0.0),
            "d_accuracy": 0.95,
        },
        # A generator alone, whose loss goes to nothing, and one whose critic has many outputs.
        {"g_norm": 0.9**INDEX, "d_accuracy": None, "d_norm": None},
        {"g_norm": 0.9**INDEX, "d_accuracy": None},
        # Noise that is more varied than the pictures are.
        {"diversity": np.where(INDEX < 40, 2.0, 1.0)},
        # A model that does not say what its discriminator says.
        {"d_real": 0.0, "d_fake": 0.0, "d_accuracy": 0.0},
        # A critic that has an offset, and one bad row.
        {"d_real": 3000.0, "d_fake": np.where(INDEX == 50, 1e5, 2980.0)},
        # A system without a discriminator, and one whose classes nothing tells.
        {"d_accuracy": None, "d_real": None, "d_fake": None, "d_norm": None},
        {"entropy": None},
    ],
    ids=lambda series: ", ".join(series) or "usual",
)
def test_a_game_that_goes_well_is_not_disturbed(series):
    assert names(**series) == []


def test_a_gradient_that_vanishes():
    finding = the_one(g_norm=np.where(INDEX < 20, 1.0, 0.009), d_accuracy=0.95)
    assert finding.failure == "vanishing gradients"
    assert (finding.step, finding.since) == (1300, 800)  # half of the ten rows are small
    assert "fallen from 1 to " in finding.evidence
    assert "right in 95 % of pairs" in finding.evidence
    assert "--variant=wgan_gp" in finding.remedies
    assert names(g_norm=np.where(INDEX < 20, 1.0, 0.011), d_accuracy=0.95) == []
    assert names(g_norm=np.where(INDEX < 20, 1.0, 0.0), d_accuracy=0.95) == [finding.failure]


@pytest.mark.parametrize(
    ("series", "words"),
    [
        ({"diversity": np.where(INDEX < 50, 0.9, 0.5)}, "pairwise distance of the pictures has"),
        ({"entropy": np.where(INDEX < 50, 0.9, 0.5)}, "class entropy of the pictures has fallen"),
    ],
)
def test_pictures_that_become_alike(series, words):
    finding = the_one(**series)
    assert finding.failure == "mode collapse"
    assert (finding.step, finding.since) == (2800, 2500)  # three looks, each second row
    assert f"{words}" in finding.evidence
    assert "from 0.90 to 0.50" in finding.evidence


def test_pictures_that_fall_by_little_are_varied_enough():
    assert names(diversity=np.where(INDEX < 50, 0.9, 0.6)) == []


@pytest.mark.parametrize(
    "series",
    [
        {"diversity": 0.4, "entropy": 0.5},
        {"diversity": 0.7, "entropy": 0.01},
        {"diversity": 0.01 + 0.0001 * INDEX, "entropy": 0.0},
    ],
)
def test_pictures_that_stay_alike_are_told_in_the_second_half(series):
    finding = the_one(**series)
    assert finding.failure == "mode collapse"
    assert (finding.step, finding.since) == (2600, 0)


def test_a_discriminator_that_is_too_good():
    told = names(d_accuracy=1.0, diversity=0.6, entropy=0.6)
    assert told == ["unbalance, the discriminator is too good"]
    assert names(d_accuracy=0.99, diversity=0.6, entropy=0.6) == []


def test_a_discriminator_that_is_too_weak():
    finding = the_one(d_accuracy=np.where(INDEX < 30, 0.8, 0.3))
    assert finding.failure == "unbalance, the discriminator is too weak"
    assert (finding.step, finding.since) == (2000, 1500)
    assert "only 30 % of pairs" in finding.evidence


def test_training_past_convergence():
    falls = np.where(INDEX < 50, 0.9, 0.7)
    finding = the_one(d_accuracy=0.5 + WOBBLE, diversity=falls)
    assert finding.failure == "training past convergence"
    assert " % of pairs, as by chance" in finding.evidence
    assert names(diversity=falls) == []  # a discriminator that still tells something


def test_gradients_and_outputs_beyond_all_measure():
    for series in ({"g_norm": 1.1**INDEX}, {"d_norm": 2.0**INDEX}):
        finding = the_one(**series)
        assert finding.failure == failures.DIVERGES
        assert finding.step - finding.since == 150
    assert finding.step == 600  # soon
    finding = the_one(d_real=3.0 * INDEX, d_fake=-3.0 * INDEX)
    assert finding.failure == failures.DIVERGES
    assert "outputs on real and generated images are 1.7e+02 apart" in finding.evidence


def test_a_lead_that_changes_again_and_again():
    finding = the_one(d_accuracy=0.5 + 0.3 * np.sin(INDEX))
    assert finding.failure == "failure to converge, oscillating"
    assert "the lead has changed" in finding.evidence
    assert names(d_accuracy=0.5 + 0.09 * np.sin(INDEX)) == []


def test_rows_that_were_not_finite_are_passed_over():
    history = failures.History(STEPS, REACH)
    row = {"step": 50, "seconds": 1.0, "d_real": None, failures.DIVERSITY: None}
    assert history.read(row) == []
    assert len(history.of("d_real")[1]) == 0
    half = {"step": 100, "seconds": 1.0, "d_real": None, "d_fake": 1.0}
    assert history.read(half) == []
    assert history.read({"step": 150, failures.DIVERSITY: 1.0}) == []
    assert len(history.of("d_fake")[1]) == 0


def test_each_failure_is_told_once_and_has_remedies():
    gone = np.where(INDEX < 20, 1.0, 0.001)
    told = names(g_norm=gone, diversity=0.1, entropy=0.1, d_accuracy=1.0)
    assert sorted(told) == sorted(set(told))
    assert len(told) == 3
    assert set(failures.RULES) == set(failures.REMEDIES)


def test_accuracy_is_the_share_of_pairs_that_the_discriminator_tells_apart():
    tiny = registry.load("nsgan").tiny
    model = tfgans.create("nsgan", tfgans.DataSpec((8, 8, 1)), **tiny)
    model._watch_logits(tf.constant([[1.0], [2.0], [0.0]]), tf.constant([[0.5], [3.0], [0.0]]))
    watched = {name: float(value) for name, value in model.notes.watched.items()}
    assert watched == pytest.approx({"d_real": 1.0, "d_fake": 3.5 / 3, "d_accuracy": 0.5})


def test_a_critic_of_several_outputs_has_no_accuracy():
    tiny = registry.load("mmd_gan").tiny
    model = tfgans.create("mmd_gan", tfgans.DataSpec((8, 8, 1)), **tiny)
    assert {"d_real", "d_fake"} < set(model.all_logs)
    assert "d_accuracy" not in model.all_logs
