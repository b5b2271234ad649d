"""Every way of taking steps against the matrix that it is."""

import itertools

import numpy as np
import pytest

from tfgans import UsageError
from tfgans.playground import bilinear

RATES = (0.05, 0.1, 0.4, 0.7)


def taken(way, rate, steps):
    walk, _ = bilinear.WAYS[way]
    return np.stack(list(itertools.islice(walk(rate), steps + 1)))


def by_matrix(matrix, steps):
    points = [bilinear.START]
    for _ in range(steps):
        points.append(matrix @ points[-1])
    return np.stack(points)


def test_simultaneous_steps_are_a_rotation_that_grows():
    for rate in RATES:
        matrix = np.array([[1.0, -rate], [rate, 1.0]])
        np.testing.assert_allclose(
            taken("simultaneous", rate, 20), by_matrix(matrix, 20), rtol=1e-12
        )
        np.testing.assert_allclose(matrix @ matrix.T, (1.0 + rate**2) * np.eye(2), atol=1e-12)


def test_alternating_steps_stay_on_an_ellipse():
    """x^2 + y^2 - rate x y never changes, and the step's determinant is 1."""
    for rate in RATES:
        x, y = taken("alternating", rate, 1000).T
        level = x**2 + y**2 - rate * x * y
        np.testing.assert_allclose(level, level[0], rtol=1e-9)
        matrix = np.array([[1.0, -rate], [rate, 1.0 - rate**2]])
        np.testing.assert_allclose(
            taken("alternating", rate, 20), by_matrix(matrix, 20), rtol=1e-9, atol=1e-12
        )


def test_extragradient_steps_take_the_slopes_of_a_trial_step():
    for rate in RATES:
        field = np.array([[0.0, -1.0], [1.0, 0.0]])
        matrix = np.eye(2) + rate * field @ (np.eye(2) + rate * field)
        np.testing.assert_allclose(
            taken("extragradient", rate, 20), by_matrix(matrix, 20), rtol=1e-9, atol=1e-12
        )


def test_optimistic_steps_correct_the_last_ones():
    rate, field = 0.3, np.array([[0.0, -1.0], [1.0, 0.0]])
    points = [bilinear.START, bilinear.START]
    for _ in range(20):
        points.append(points[-1] + rate * field @ (2.0 * points[-1] - points[-2]))
    np.testing.assert_allclose(taken("optimistic", rate, 20), points[1:], rtol=1e-12)


@pytest.mark.parametrize("rate", RATES)
def test_the_factors_are_those_of_the_formulas(rate):
    facts = bilinear.play(rate=rate, steps=1000).facts
    for way, wanted in facts["formula"].items():
        slack = 1e-3 if way == "alternating" else 1e-5
        assert facts["factor"][way] == pytest.approx(wanted, abs=slack), way
    assert facts["factor"]["simultaneous"] > 1.0
    assert facts["farthest"]["alternating"] < 0.3


def test_optimism_too_has_a_rate_that_is_too_large():
    """Beyond 1 / sqrt(3) of a bilinear game it diverges, and the formula says so."""
    assert bilinear.optimistic_factor(0.57) < 1.0 < bilinear.optimistic_factor(0.58)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
def test_rates_that_cannot_be_are_refused(rate):
    with pytest.raises(UsageError, match=r"rate=.* must lie between 0 and 1"):
        bilinear.play(rate=rate)
    with pytest.raises(UsageError, match=r"steps=5000 are too many at rate=0\.9: numbers overflow"):
        bilinear.play(rate=0.9, steps=5000)
    with pytest.raises(UsageError, match="steps=9 must lie between 10 and 1,000,000"):
        bilinear.play(steps=9)
