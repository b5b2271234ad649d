"""The value of the game against its formula, and what is trained against both."""

import numpy as np
import pytest
import scipy.stats

from tfgans import UsageError
from tfgans.playground import density_ratio
from tfgans.playground.density_ratio import LINE, LOGS


def test_the_best_discriminator_reaches_the_formula():
    """Theorem 1 of Goodfellow et al., and Proposition 1: no other one reaches it."""
    for log_p, log_q in LOGS.values():
        best, exact = log_p - log_q, density_ratio.best_value(log_p, log_q)
        assert density_ratio.value(best, log_p, log_q) == pytest.approx(exact, abs=1e-12)
        for other in (best + 0.1, 1.1 * best - 0.01, best + 0.1 * np.sin(LINE)):
            assert density_ratio.value(other, log_p, log_q) < exact


def test_equal_densities_have_the_value_of_minus_log_4():
    assert density_ratio.best_value(*LOGS["p_and_p"]) == pytest.approx(-np.log(4.0), abs=1e-12)


def test_densities_far_apart_have_the_value_of_0():
    apart = [scipy.stats.norm(mean, 0.1).logpdf(LINE) for mean in (-5.0, 5.0)]
    assert density_ratio.best_value(*apart) == pytest.approx(0.0, abs=1e-9)


def test_training_comes_to_the_formula_and_not_beyond():
    facts = density_ratio.play(steps=400, batch_size=256).facts
    for case in ("p_and_q", "p_and_p"):
        told = facts[case]
        assert told["formula"] - 0.005 < told["value"] <= told["formula"]
        assert told["d_error"] < 0.03
        assert told["mean_ratio"] == pytest.approx(1.0, abs=0.1)
    assert facts["p_and_q"]["formula"] - facts["p_and_p"]["formula"] > 0.1


def test_a_discriminator_that_says_one_half_has_the_value_of_minus_log_4():
    for logs in LOGS.values():
        flat = density_ratio.value(np.zeros_like(LINE), *logs)
        assert flat == pytest.approx(-np.log(4.0), abs=1e-12)


def test_the_same_seed_gives_the_same_figures():
    first, again, other = (
        density_ratio.play(steps=3, batch_size=8, seed=seed).facts for seed in (5, 5, 6)
    )
    assert first == again
    assert first["p_and_q"] != other["p_and_q"]


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
        density_ratio.play(**option)
