"""Ways through the latent space."""

import math

import numpy as np
import pytest

from tfgans import UsageError, latents, randomness

ENDS = np.random.default_rng(0).normal(size=(2, 5, 64))


def test_an_arc_turns_at_one_rate_and_keeps_the_length():
    one, other = ENDS / np.linalg.norm(ENDS, axis=-1, keepdims=True)
    ways = latents.between(one, other, 9)
    assert ways.shape == (5, 9, 64)
    assert ways.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(ways, axis=-1), 1.0, rtol=1e-6)
    angles = np.arccos((ways[:, 1:] * ways[:, :-1]).sum(-1))
    whole = np.arccos((one * other).sum(-1))[:, None]
    np.testing.assert_allclose(angles, np.broadcast_to(whole / 8, angles.shape), rtol=1e-3)


@pytest.mark.parametrize("uniform", [False, True])
def test_ways_begin_and_end_at_their_ends(uniform):
    ways = latents.between(*ENDS, 4, uniform=uniform)
    np.testing.assert_allclose(ways[:, 0], ENDS[0], rtol=1e-5)
    np.testing.assert_allclose(ways[:, -1], ENDS[1], rtol=1e-5)


def test_uniform_ways_are_straight_and_stay_in_the_cube():
    one, other = np.clip(ENDS, -1, 1)
    ways = latents.between(one, other, 3, uniform=True)
    np.testing.assert_allclose(ways[:, 1], (one + other) / 2, rtol=1e-5)
    assert np.abs(ways).max() <= 1.0


@pytest.mark.parametrize("end", [ENDS[0], 2 * ENDS[0], -ENDS[0], 0 * ENDS[0]])
def test_ends_on_one_line_give_finite_ways(end):
    assert np.isfinite(latents.between(ENDS[0], end, 5)).all()


def test_ways_of_one_number_are_straight():
    ways = latents.between([[1.0]], [[3.0]], 3)
    assert ways.ravel().tolist() == [1.0, 2.0, 3.0]


def test_formulas_are_read():
    assert latents.parsed("3,7 - 4", 8) == [(1, [3, 7]), (-1, [4])]
    assert latents.parsed("0-1+2,2", 3) == [(1, [0]), (-1, [1]), (1, [2, 2])]
    assert latents.is_direction(latents.parsed("3-4", 5))
    assert not latents.is_direction(latents.parsed("3-4+0", 5))


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("", "must join numbers of pictures"),
        ("3", "must join numbers of pictures"),
        ("3,-4", "must join numbers of pictures"),
        ("a-b", "must join numbers of pictures"),
        ("3-8", "there is no picture 8, they go from 0 to 7; --num makes more"),
        ("1+2", "is neither a direction, as 3,7 - 4,9, nor a place"),
        ("1-2-3", "is neither a direction, as 3,7 - 4,9, nor a place"),
    ],
)
def test_formulas_that_are_none_are_refused(formula, message):
    with pytest.raises(UsageError, match=message):
        latents.parsed(formula, 8)


def test_sums_are_of_means():
    rows = np.arange(12.0).reshape(6, 2)
    found = latents.total(rows, latents.parsed("0,2 - 1 + 5,5", 6))
    assert found.tolist() == [2 - 2 + 10, 3 - 3 + 11]


def test_typical_latents_have_the_length_of_training_or_lie_in_its_cube():
    lengths = np.linalg.norm(latents.typical(7 * ENDS), axis=-1)
    np.testing.assert_allclose(lengths, math.sqrt(64), rtol=1e-6)
    assert np.abs(latents.typical(7 * ENDS, uniform=True)).max() == 1.0
    assert not latents.typical(np.zeros((1, 3))).any()
    assert np.abs(latents.typical(7 * ENDS, uniform=True, scale=0.25)).max() == 0.25
    short = np.linalg.norm(latents.typical(7 * ENDS, scale=0.25), axis=-1)
    np.testing.assert_allclose(short, lengths / 4, rtol=1e-6)


def test_along_a_direction_the_latent_itself_is_the_middle():
    ways = latents.along(ENDS[0], ENDS[1, 0], 5)
    np.testing.assert_allclose(ways[:, 2], ENDS[0], rtol=1e-6)
    np.testing.assert_allclose(ways[:, 4] - ways[:, 2], np.tile(ENDS[1, 0], (5, 1)), rtol=1e-4)
    np.testing.assert_allclose(ways[:, 4] + ways[:, 0], 2 * ENDS[0], rtol=1e-4, atol=1e-5)


def test_neighbours_lie_around_their_latent():
    found = latents.neighbours(ENDS[0, 0], 9, seed=3)
    np.testing.assert_allclose(found[4], ENDS[0, 0], rtol=1e-6)
    noise = found - ENDS[0, 0].astype(np.float32)
    assert 0.2 < np.abs(noise).max() <= latents.NEIGHBOUR_RANGE + 1e-6
    assert np.array_equal(found, latents.neighbours(ENDS[0, 0], 9, seed=3))
    near = latents.neighbours(ENDS[0, 0], 9, seed=3, scale=0.1)
    np.testing.assert_allclose(near - ENDS[0, 0], 0.1 * (found - ENDS[0, 0]), atol=1e-6)


def test_latents_of_a_sample_are_those_of_its_pictures():
    drawn = randomness.latent(6, 4, 3, math.inf).numpy()
    assert np.array_equal(drawn[:2], randomness.latent(2, 4, 3, math.inf))
    assert np.abs(randomness.latent(200, 4, 3, 0.5)).max() <= 0.5
    flat = randomness.latent(2000, 4, 3, 0.5, uniform=True).numpy()
    assert 0.45 < np.abs(flat).max() <= 0.5
