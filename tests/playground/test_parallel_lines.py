"""What the networks say of the two lines against the formulas."""

import functools
import math

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

from tfgans import UsageError
from tfgans.metrics.emd import emd
from tfgans.playground import parallel_lines


@functools.cache
def facts():
    return parallel_lines.play(thetas=5, steps=300).facts


def judge(name, gp_weight=10.0, seed=0):
    return parallel_lines.Judge(parallel_lines.RULES[name], gp_weight, seed)


def test_js_is_log_2_wherever_the_lines_are_apart():
    assert facts()["theta"] == [-1.0, -0.5, 0.0, 0.5, 1.0]
    wanted = [math.log(2.0)] * 2 + [0.0] + [math.log(2.0)] * 2
    assert facts()["js_exact"] == wanted
    np.testing.assert_allclose(facts()["js"], wanted, atol=2e-3)
    assert max(facts()["js"]) < math.log(2.0)  # no discriminator does better than the best


def test_0_is_one_of_any_number_of_places(monkeypatch):
    def told(judge, places, looks):
        seen.append(places)
        raise UsageError("seen")

    seen = []
    monkeypatch.setattr(parallel_lines, "_told", told)
    for thetas in (3, 99, 197):
        with pytest.raises(UsageError, match="seen"):
            parallel_lines.play(thetas=thetas, steps=20)
        places = seen.pop()
        assert (places == 0.0).sum() == 1
        np.testing.assert_allclose(places, np.linspace(-1.0, 1.0, thetas), atol=1e-15)


def test_em_is_the_distance_of_the_lines_and_what_the_penalty_adds():
    assert facts()["em_exact"] == [1.0, 0.5, 0.0, 0.5, 1.0]
    np.testing.assert_allclose(facts()["em_penalised"], [1.05, 0.5125, 0.0, 0.5125, 1.05])
    np.testing.assert_allclose(facts()["em"], facts()["em_penalised"], atol=0.05)


def test_a_weak_penalty_adds_more():
    """With the weight 1 and theta = 1 the best slope is 3 / 2."""
    critic, theta = judge("em", gp_weight=1.0), tf.constant(1.0)
    critic.train(theta, tf.constant(0), tf.constant(400))
    np.testing.assert_allclose(critic.told(theta)[:2], [1.5, 1.5], atol=0.1)


@pytest.mark.parametrize(("theta", "gp_weight"), [(0.3, 10.0), (-1.0, 10.0), (0.8, 1.0)])
def test_the_penalised_estimate_is_the_best_of_the_critics_game(theta, gp_weight):
    best = scipy.optimize.minimize_scalar(
        lambda slope: gp_weight * (slope - 1.0) ** 2 - abs(theta) * slope
    )
    assert parallel_lines.penalised(theta, gp_weight) == pytest.approx(abs(theta) * best.x)


def test_only_em_has_a_slope():
    js, em = (np.array(facts()["slope"][name]) for name in ("js", "em"))
    apart = [0, 1, 3, 4]
    np.testing.assert_allclose(js[apart], 0.0, atol=5e-3)
    np.testing.assert_allclose(em[apart], [-1.05, -1.025, 1.025, 1.05], atol=0.05)


def test_theta_goes_home_down_em_and_stays_on_js():
    assert abs(facts()["followed"]["em"]) < 0.1
    assert facts()["followed"]["js"] == pytest.approx(1.0, abs=5e-3)


def test_the_estimate_of_kl_grows_with_training_but_at_0():
    assert list(facts()["kl_growth"]) == ["step 75", "step 150", "step 300"]
    early, later, last = (np.array(row) for row in facts()["kl_growth"].values())
    for before, after in ((early, later), (later, last)):
        assert (np.delete(after - before, 2) > 0.5).all()
    assert abs(last[2]) < 0.05


def test_the_estimates_are_those_of_the_logits():
    """Of a network that says 3 everywhere: no way to tell, but by the loss of what it says."""
    for name, wanted in (("js", math.log(2.0) - math.log1p(math.exp(3.0)) + 1.5), ("em", 0.0)):
        constant = judge(name)
        for variable in constant.network.trainable_variables:
            variable.assign(tf.zeros_like(variable))
        constant.network.layers[-1].bias.assign([3.0])
        told = constant.told(tf.constant(0.7)).numpy()
        np.testing.assert_allclose(told, [wanted, 0.0, 3.0], rtol=1e-5)


def test_a_judge_that_forgets_trains_again_to_the_same():
    critic, told = judge("em"), []
    for theta in tf.constant([0.5, -1.0, 0.5]):
        critic.forget()
        critic.train(theta, tf.constant(0), tf.constant(30))
        told.append(critic.told(theta).numpy())
    np.testing.assert_array_equal(told[0], told[2])
    assert (told[0] != told[1]).any()


@pytest.mark.parametrize("theta", [0.0, 0.05, -0.7])
def test_the_plan_that_keeps_the_order_is_the_best(theta):
    heights = np.random.default_rng(1).uniform(size=(2, 60))
    start, end = parallel_lines.transport(theta, *heights)
    cost = np.linalg.norm(start - end, axis=1).mean()
    assert cost == pytest.approx(emd(start, end), rel=1e-9)
    shift = np.abs(np.sort(heights[0]) - np.sort(heights[1])).mean()
    assert abs(theta) <= cost <= abs(theta) + shift
    assert set(start[:, 0]) == {0.0}
    assert set(end[:, 0]) == {theta}
    assert sorted(heights[1]) == end[:, 1].tolist()


def test_points_of_the_same_heights_go_straight_across():
    z = np.random.default_rng(2).uniform(size=30)
    start, end = parallel_lines.transport(0.4, z, z[::-1])
    np.testing.assert_array_equal(start[:, 1], end[:, 1])
    assert emd(start, end) == pytest.approx(0.4)


def test_the_same_seed_gives_the_same_facts():
    first, again = (parallel_lines.play(thetas=3, steps=20, seed=5).facts for _ in range(2))
    assert first == again


def test_seeds_give_other_weights():
    judges = [judge("em", seed=seed) for seed in (0, 1)]
    first, second = (one.told(tf.constant(1.0))[0] for one in judges)
    assert first != second


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"thetas": 4}, "thetas=4 must be odd, so that 0 is one of them"),
        ({"thetas": 1}, "thetas=1 must lie between 3 and"),
        ({"steps": 19}, "steps=19 must lie between 20 and"),
        ({"seed": -1}, "seed=-1 must lie between 0 and"),
        ({"gp_weight": 0.0}, r"gp_weight=0\.0 must lie between 1 and 1000"),
        ({"gp_weight": math.nan}, "gp_weight=nan must lie between 1 and 1000"),
    ],
)
def test_what_cannot_be_played_is_refused(given, message):
    with pytest.raises(UsageError, match=message):
        parallel_lines.play(**given)
