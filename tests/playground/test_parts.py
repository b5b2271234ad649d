"""The parts that games share against formulas."""

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfgans.playground import parts

MIXTURE = parts.Gaussians((-1.5, 1.5), (0.5, 0.8))


def test_the_density_is_that_of_scipy():
    points = np.linspace(-8.0, 8.0, 33)
    wanted = 0.5 * (
        scipy.stats.norm(-1.5, 0.5).pdf(points) + scipy.stats.norm(1.5, 0.8).pdf(points)
    )
    np.testing.assert_allclose(np.exp(MIXTURE.log_density(points)), wanted, rtol=1e-12)


def test_points_come_from_their_density():
    points = MIXTURE.draw(0, 0, "points", 4000).numpy()[:, 0]
    parts_of = [scipy.stats.norm(*each) for each in ((-1.5, 0.5), (1.5, 0.8))]
    fit = scipy.stats.kstest(points, lambda x: sum(each.cdf(x) for each in parts_of) / 2.0)
    assert fit.pvalue > 0.01


def test_points_are_a_function_of_seed_step_and_stream():
    first, again = (MIXTURE.draw(3, 5, "points", 8).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    for other in ((4, 5, "points"), (3, 6, "points"), (3, 5, "others")):
        assert (MIXTURE.draw(*other, 8).numpy() != first).any()


def test_networks_are_functions_of_their_seed():
    points = tf.random.stateless_normal((16, 2), (0, 1))
    first, again, other = (parts.generator(seed, 2, 2)(points).numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).all()


def test_a_judge_starts_flat():
    judge = parts.judge(0, 2)
    np.testing.assert_array_equal(judge(tf.ones((4, 2))), np.zeros((4, 1)))
    assert all(np.abs(layer.kernel).min() > 0.0 for layer in judge.layers[:-1])


def test_a_player_steps_down_its_own_slope():
    judge = parts.judge(0, 2)
    optimizer = keras.optimizers.SGD(0.25)
    *before, _ = judge.get_weights()
    parts.descend(judge, optimizer, lambda: tf.reduce_sum(judge(tf.ones((4, 2)))))
    *after, bias = judge.get_weights()
    assert bias == [-1.0]  # a quarter of the four outputs' slope
    assert (after[-1] != before[-1]).any()
    assert optimizer.iterations == 1


@pytest.mark.parametrize("steps", [1, 7, 1000])
def test_every_step_is_taken_once_and_in_order(steps):
    total, last = tf.Variable(0), tf.Variable(-1)

    def step(number):
        tf.debugging.assert_equal(number, last + 1)
        last.assign(number)
        total.assign_add(1)

    seen = [(done, int(total)) for done in parts.stepped(step, steps)]
    assert [done for done, _ in seen] == [taken for _, taken in seen] == parts.marks(steps)
    assert (seen[0][0], seen[-1][0]) == (0, steps)
