"""Stacks of digits: how they are made, read and counted, and the game itself, shortly."""

import numpy as np
import pytest
import tensorflow as tf

from tfgans import UsageError, data
from tfgans.playground import stacked


def test_stacks_are_digits_in_each_colour_and_repeat_by_the_seed():
    digits = tf.constant(np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones(4, np.uint8))
    digits = tf.reshape(digits, (20, 2, 2, 1))

    def drawn(step, seed=3):
        return stacked.stacks(digits, tf.constant(step), 500, seed).numpy()

    levels = np.round((drawn(0) + 1.0) * 127.5).astype(int)
    assert levels.shape == (500, 2, 2, 3)
    assert (levels == levels[:, :1, :1]).all()  # of one digit
    assert set(levels.ravel()) == set(range(20))
    colours = levels[:, 0, 0]
    assert abs(np.corrcoef(colours[:, 0], colours[:, 1])[0, 1]) < 0.15
    np.testing.assert_array_equal(drawn(0), drawn(0))
    assert (drawn(0) != drawn(1)).any()
    assert (drawn(0) != drawn(0, seed=4)).any()


def test_a_stack_is_read_as_the_number_that_it_spells():
    source = data.open_source("digits", split="test")
    which = np.random.default_rng(0).integers(0, source.size, (200, 3))
    pictures = np.moveaxis(source.images()[which][..., 0], 1, -1)
    modes, sure = stacked.read(pictures)
    right = modes == source.labels[which] @ (100, 10, 1)
    assert right.mean() > 0.9
    assert right[sure].mean() > right.mean()


def test_modes_are_counted_from_six_sure_readings_on():
    modes = np.repeat([0, 7, 999], [6, 6, 5])
    told = stacked.counted((modes, np.ones(17, bool)))
    assert (told["modes"], told["modes_hit"], told["sure"]) == (2, 3, 1.0)
    told = stacked.counted((modes, np.arange(17) > 0))
    assert (told["modes"], told["modes_hit"]) == (1, 3)
    shares = np.array([6, 6, 5]) / 17
    assert told["kl"] == pytest.approx(np.sum(shares * np.log(shares * 1000)))


def test_the_floors_are_what_nothing_can_be_below():
    floors = stacked.floors(0)
    perfect, real, missing = (
        floors[name] for name in ("equal shares", "real digits", "100 modes left out")
    )
    # Of n draws from k equal shares the divergence is (k - 1) / 2n.
    assert perfect["kl"] == pytest.approx(999 / 52_000, rel=0.15)
    assert perfect["modes"] == perfect["modes_hit"] == real["modes_hit"] == 1000
    assert perfect["kl"] < real["kl"] < missing["kl"]
    assert missing["kl"] == pytest.approx(np.log(1000 / 900), abs=0.03)
    # The classifier's mistakes hide most of what is missing, fewer from six sure readings on.
    assert missing["modes"] < missing["modes_hit"]
    assert missing["modes"] < 950


@pytest.mark.parametrize(
    "words", [{}, {"variant": "dcgan"}], ids=lambda words: words.get("variant", "")
)
def test_schemes_of_the_zoo_play(words, monkeypatch):
    monkeypatch.setattr(stacked, "SAMPLES", 200)
    narrow = (("generator.width", 4), ("discriminator.width", 4))
    first, again = (stacked.play(**words, options=narrow, steps=2, batch_size=4) for _ in range(2))
    assert first.facts == again.facts
    assert first.facts["of"] == 1000
    assert 0 <= first.facts["modes"] <= first.facts["modes_hit"] <= 200
    other = stacked.play(**words, options=narrow, steps=2, batch_size=4, seed=1)
    assert other.facts["weights_sha256"] != first.facts["weights_sha256"]


@pytest.mark.parametrize("variant", ["vae", "cgan", "stylegan"])
def test_what_cannot_play_is_refused(variant):
    with pytest.raises(UsageError, match=f"variant='{variant}' is not a generator of noise"):
        stacked.play(variant=variant)
