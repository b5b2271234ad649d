"""Stateless draws: what they depend on, their distribution, and their slices by replica."""

import hypothesis
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from hypothesis import strategies

from tfgans import randomness

DRAWS = [randomness.normal, randomness.uniform]
BASE = {"seed": 3, "step": 7, "stream": "latent", "shape": (4, 5), "part": 1}


@pytest.mark.parametrize("draw", DRAWS)
def test_same_arguments_same_numbers_whatever_was_drawn_before(draw):
    first = draw(**BASE)
    tf.random.set_seed(1)
    tf.random.normal((3,))
    draw(**{**BASE, "step": 8})
    np.testing.assert_array_equal(first, draw(**BASE))
    assert first.dtype == tf.float32
    assert first.shape == (4, 5)


@pytest.mark.parametrize("draw", DRAWS)
def test_python_numbers_tensors_and_a_graph_agree(draw):
    wanted = draw(**BASE)
    variable = tf.Variable(7, dtype=tf.int64)

    @tf.function
    def traced(seed, part):
        return draw(seed, variable, "latent", (4, 5), part)

    tensors = {**BASE, "seed": tf.constant(3, tf.int64), "step": variable, "part": tf.constant(1)}
    np.testing.assert_array_equal(wanted, draw(**tensors))
    np.testing.assert_array_equal(wanted, traced(tf.constant(3), tf.constant(1)))


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize(
    "change",
    [{"seed": 4}, {"step": 8}, {"stream": "gradient_penalty"}, {"part": 0}, {"seed": -3}],
    ids=str,
)
def test_any_other_argument_gives_other_numbers(draw, change):
    assert np.all(draw(**BASE).numpy() != draw(**{**BASE, **change}).numpy())


def test_swapped_arguments_do_not_meet():
    """Step 1 part 2 is not step 2 part 1, nor is seed 1 step 2 seed 2 step 1."""
    keys = {
        tuple(randomness.key(seed, step, stream, part).numpy())
        for seed in (1, 2, 3)
        for step in (1, 2, 3)
        for stream in ("a", "b", "ab")
        for part in (0, 1, 2, 3)
    }
    assert len(keys) == 3 * 3 * 3 * 4


@hypothesis.settings(max_examples=30)
@hypothesis.given(
    seed=strategies.integers(-(2**31), 2**31 - 1), step=strategies.integers(0, 2**31 - 1)
)
def test_any_int32_seed_and_step_will_do(seed, step):
    key = randomness.key(seed, step, "latent")
    assert key.dtype == tf.int32
    assert key.shape == (2,)
    assert np.isfinite(randomness.normal(seed, step, "latent", (2, 2))).all()


def test_normal_is_standard_normal():
    """60,000 numbers of thirty steps: moments within five standard errors, and the whole shape."""
    values = np.ravel([randomness.normal(0, step, "latent", (20, 100)) for step in range(30)])
    n = len(values)
    assert abs(values.mean()) < 5 / np.sqrt(n)
    assert abs(values.var() - 1.0) < 5 * np.sqrt(2 / n)
    assert abs(np.mean(values**3)) < 5 * np.sqrt(15 / n)
    assert abs(np.mean(values**4) - 3.0) < 5 * np.sqrt(96 / n)
    assert scipy.stats.kstest(values, "norm").pvalue > 1e-3


def test_uniform_fills_zero_to_one():
    values = np.ravel([randomness.uniform(0, step, "mix", (20, 100)) for step in range(30)])
    assert values.min() >= 0.0
    assert values.min() < 1e-3
    assert 0.999 < values.max() < 1.0
    assert abs(values.mean() - 0.5) < 5 / np.sqrt(12 * len(values))
    assert abs(values.var() - 1 / 12) < 5 / np.sqrt(180 * len(values))
    assert scipy.stats.kstest(values, "uniform").pvalue > 1e-3


def test_steps_parts_and_streams_are_uncorrelated():
    draws = [
        np.ravel(randomness.normal(0, step, stream, (50, 100), part))
        for step in (0, 1)
        for stream in ("generator_latent", "discriminator_latent")
        for part in (0, 1)
    ]
    correlations = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlations).max() < 5 / np.sqrt(5000)


REPLICAS = """
import numpy as np
import tensorflow as tf
from tfgans import randomness

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2

for draw in (randomness.normal, randomness.uniform):
    whole = draw(3, 7, "latent", (6, 2, 1), 1).numpy()
    traced = tf.function(lambda: strategy.run(lambda: draw(3, 7, "latent", (3, 2, 1), 1)))
    for run in (traced, lambda: strategy.run(lambda: draw(3, 7, "latent", (3, 2, 1), 1))):
        parts = strategy.experimental_local_results(run())
        assert [part.shape for part in parts] == [(3, 2, 1)] * 2
        np.testing.assert_array_equal(np.concatenate(parts), whole)
        assert np.all(parts[0].numpy() != parts[1].numpy())
    with strategy.scope():  # outside `run` there are no replicas to slice for
        np.testing.assert_array_equal(draw(3, 7, "latent", (6, 2, 1), 1), whole)
print("sliced")
"""


def test_two_replicas_share_the_draw_of_one(run_python):
    done = run_python("-c", REPLICAS)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["sliced"]
