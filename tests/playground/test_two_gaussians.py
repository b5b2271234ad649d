"""The formulas of both judges against other ways to them, and training against the formulas."""

import numpy as np
import pytest
import scipy.stats
from scipy.special import log_expit

from tfgans import UsageError
from tfgans.playground import two_gaussians


def test_the_slope_of_the_discriminator_is_that_of_the_densities():
    points, gap, tiny = np.linspace(-4.0, 4.0, 17), 6.0, 1e-5

    def log_1_minus_d(at):
        real, fake = (scipy.stats.norm(mean).pdf(at) for mean in (gap / 2.0, -gap / 2.0))
        return np.log(fake / (real + fake))

    np.testing.assert_allclose(log_1_minus_d(points), log_expit(-gap * points), atol=1e-9)
    numeric = (log_expit(-gap * (points + tiny)) - log_expit(-gap * (points - tiny))) / (2 * tiny)
    np.testing.assert_allclose(two_gaussians.discriminator_slope(points, gap), numeric, atol=1e-9)


def test_the_slope_of_the_critic_minimises_its_loss():
    """On draws, with a critic that is a broken line, its loss is a parabola of each slope."""
    gap, gp_weight, n = 4.0, 10.0, 400_000
    draws = np.random.default_rng(0)
    real, fake = draws.normal(gap / 2.0, 1.0, n), draws.normal(-gap / 2.0, 1.0, n)
    mixing = draws.uniform(size=n)
    mixed = mixing * real + (1.0 - mixing) * fake
    edges = np.linspace(-2.0, 2.0, 9)
    width = edges[1] - edges[0]
    covered = [np.clip((each[:, None] - edges[:-1]) / width, 0.0, 1.0) for each in (real, fake)]
    gain = width * (covered[0].mean(axis=0) - covered[1].mean(axis=0))  # by the slope of a piece
    share = np.histogram(mixed, edges)[0] / n
    middle = (edges[:-1] + edges[1:]) / 2.0
    np.testing.assert_allclose(
        two_gaussians.critic_slope(middle, gap, gp_weight),
        1.0 + gain / (2.0 * gp_weight * share),
        rtol=0.005,
    )


def test_midway_of_a_wide_gap_the_critic_exceeds_1_by_the_gap_over_twice_the_weight():
    slope = two_gaussians.critic_slope(np.zeros(1), 12.0, 100.0)
    assert slope == pytest.approx(1.0 + 12.0 / 200.0, rel=1e-3)


@pytest.fixture(scope="module")
def played():
    """Facts of two seeds."""
    return [two_gaussians.play(steps=400, seed=seed).facts for seed in (0, 1)]


@pytest.mark.parametrize("seed", [0, 1])
def test_the_discriminator_saturates_and_the_critic_does_not(played, seed):
    facts = played[seed]
    assert abs(facts["discriminator_slope"]["at_the_generated_mean"]) < 1e-4
    slope = facts["critic_slope"]
    assert slope["at_the_generated_mean"] == pytest.approx(slope["exact"], abs=0.02)
    assert 0.97 < slope["smallest_between"] <= slope["largest_between"] < 1.1
    assert 5.5 < facts["earth_mover"]["critic"] <= facts["earth_mover"]["exact"] == 6.0
    assert facts["discriminator"]["farthest_from_exact"] < 0.1


def test_with_much_overlap_the_discriminator_has_a_slope():
    told = two_gaussians.play(gap=1.0, steps=400).facts["discriminator_slope"]
    assert told["exact"] == pytest.approx(-1.0 / (1.0 + np.exp(0.5)))
    assert told["at_the_generated_mean"] == pytest.approx(told["exact"], abs=0.05)


def test_the_same_seed_gives_the_same_figures(played):
    first, other = played
    assert first == two_gaussians.play(steps=400, seed=0).facts
    assert first["critic_slope"] != other["critic_slope"]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"gap": 0.5}, r"gap=0\.5 must lie between 1 and 12"),
        ({"gap": float("nan")}, "gap=nan must lie between 1 and 12"),
        ({"gp_weight": 0.0}, r"gp_weight=0\.0 must lie between 1 and 1000"),
        ({"steps": 0}, "steps=0 must lie between 1 and"),
        ({"seed": -1}, "seed=-1 must lie between 0 and"),
    ],
)
def test_numbers_that_cannot_be_are_refused(option, message):
    with pytest.raises(UsageError, match=message):
        two_gaussians.play(**option)
