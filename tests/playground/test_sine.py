"""What is measured of points of the sine, and that the generator learns them."""

import numpy as np
import pytest

from tfgans import UsageError
from tfgans.playground import sine

GRID = (np.arange(400) + 0.5) / 400 * 2.0 * sine.REACH - sine.REACH
REAL = np.stack([GRID, np.sin(GRID)], axis=1)


@pytest.fixture
def few(monkeypatch):
    """The time of the earth mover's distance grows with the cube of the points."""
    monkeypatch.setattr(sine, "SAMPLES", 400)


def test_the_sine_itself_is_without_fault():
    wanted = {"height_error": 0.0, "filled": 1.0, "outside": 0.0, "emd": 0.0}
    assert sine.judged(REAL, REAL) == pytest.approx(wanted, abs=1e-6)


def test_points_above_the_sine_show_in_height_and_distance():
    told = sine.judged(REAL + np.array([0.0, 0.25]), REAL)
    assert told["height_error"] == pytest.approx(0.25)
    assert told["emd"] == pytest.approx(0.25)
    assert told["filled"] == 1.0


def test_points_on_half_of_the_sine_show_in_what_is_filled():
    half = np.stack([GRID / 2.0, np.sin(GRID / 2.0)], axis=1)
    told = sine.judged(half, REAL)
    assert (told["height_error"], told["filled"], told["outside"]) == (0.0, 0.5, 0.0)
    assert told["emd"] > sine.REACH / 4.0  # x alone has so far to go on average


def test_points_beyond_the_periods_are_counted():
    beyond = REAL.copy()
    beyond[:100, 0] += 2.0 * sine.REACH
    assert sine.judged(beyond, REAL)["outside"] == 0.25


def test_real_points_lie_on_the_sine_and_repeat_by_seed_and_step():
    points = sine.curve(0, 1, 2000).numpy()
    np.testing.assert_allclose(points[:, 1], np.sin(points[:, 0]), atol=1e-6)
    assert sine.REACH * 0.99 < np.abs(points[:, 0]).max() <= sine.REACH
    np.testing.assert_array_equal(points, sine.curve(0, 1, 2000))
    for other in ((1, 1), (0, 2)):
        assert (points != sine.curve(*other, 2000).numpy()).any()


def test_the_generator_learns(few):
    """A few hundred steps of thousands: most of the way, not all of it."""
    facts = sine.play(steps=600, batch_size=64).facts
    untrained, trained = facts["untrained"], facts["trained"]
    assert trained["height_error"] < untrained["height_error"] / 3.0
    assert trained["emd"] < untrained["emd"] / 3.0
    assert trained["filled"] > 0.9 > untrained["filled"]


def test_the_same_seed_gives_the_same_points(few):
    first, again, other = (sine.play(steps=3, batch_size=8, seed=n).facts for n in (5, 5, 6))
    assert first == again
    assert first["trained"] != other["trained"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"steps": 0}, "steps=0 must lie between 1 and"),
        ({"batch_size": 0}, "batch_size=0 must lie between 1 and"),
        ({"seed": -1}, "seed=-1 must lie between 0 and"),
    ],
)
def test_numbers_that_cannot_be_are_refused(option, message):
    with pytest.raises(UsageError, match=message):
        sine.play(**option)
