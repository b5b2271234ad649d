"""The fused Adam against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import optimizers

OPTIONS = {
    "defaults": {},
    "of WGAN-GP": {"beta_1": 0.0, "beta_2": 0.9},
    "another epsilon": {"epsilon": 1e-3},
    "amsgrad": {"amsgrad": True},
    "clipped": {"clipnorm": 0.1},
    "with an average": {"use_ema": True, "ema_momentum": 0.9},
    "decayed": {"weight_decay": 0.01},
    "scheduled": {"learning_rate": keras.optimizers.schedules.PolynomialDecay(0.1, 5, 0.0)},
}


def moved(optimizer, dtype="float32"):
    """Returns two variables and the optimiser's state after some steps along given gradients."""
    draws = np.random.default_rng(0)
    variables = [
        keras.Variable(draws.standard_normal(shape), dtype=dtype) for shape in ((3, 4), (5,))
    ]
    for _ in range(5):
        gradients = [tf.constant(draws.standard_normal(one.shape), dtype) for one in variables]
        optimizer.apply(gradients, variables)
    return [one.numpy() for one in (*variables, *optimizer.variables)]


@pytest.mark.parametrize("name", OPTIONS)
def test_it_is_keras_adam(name):
    options = {"learning_rate": 0.1, **OPTIONS[name]}
    ours, theirs = (moved(kind(**options)) for kind in (optimizers.Adam, keras.optimizers.Adam))
    for own, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(own, other, rtol=2e-4, atol=1e-6)


def test_it_is_algorithm_1():
    """Against the paper's algorithm box, in double precision."""
    rate, beta_1, beta_2, epsilon = 0.125, 0.5, 0.75, 2.0**-20  # exact in float32
    ours = moved(optimizers.Adam(rate, beta_1, beta_2, epsilon), "float64")
    draws = np.random.default_rng(0)
    theta = [draws.standard_normal(shape) for shape in ((3, 4), (5,))]
    m, v = ([np.zeros_like(one) for one in theta] for _ in range(2))
    for t in range(1, 6):
        for index, one in enumerate(theta):
            gradient = draws.standard_normal(one.shape)
            m[index] = beta_1 * m[index] + (1 - beta_1) * gradient
            v[index] = beta_2 * v[index] + (1 - beta_2) * gradient**2
            step = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
            one -= step * m[index] / (np.sqrt(v[index]) + epsilon)
    for own, other in zip(ours, theta, strict=False):
        np.testing.assert_allclose(own, other, rtol=1e-12)


def test_each_variable_is_one_operation():
    optimizer, variable = optimizers.Adam(), keras.Variable(np.ones(3))
    optimizer.build([variable])
    traced = tf.function(lambda gradient: optimizer.apply([gradient], [variable]))
    graph = traced.get_concrete_function(tf.TensorSpec(3)).graph
    kinds = [operation.type for operation in graph.get_operations()]
    assert kinds.count("ResourceApplyAdam") == 1


def test_it_is_read_back_from_its_config():
    optimizer = optimizers.Adam(0.1, beta_1=0.5)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is optimizers.Adam
    assert again.get_config() == optimizer.get_config()


def test_a_variable_that_joins_late_begins_as_one_that_is_there_from_the_start():
    """The paper's first step is as long as the rate, whatever the gradient."""
    early, late, alone = (keras.Variable(np.zeros(2)) for _ in range(3))
    growing = optimizers.GrowingAdam(0.1, beta_1=0.5, beta_2=0.99)
    growing.build([early, late])
    for _ in range(100):
        growing.apply([tf.constant([1.0, -2.0])], [early])
    fresh = optimizers.Adam(0.1, beta_1=0.5, beta_2=0.99)
    fresh.build([alone])
    for step in range(4):
        gradient = tf.constant([3.0, -1.0]) * (1.0 + step)
        growing.apply([gradient, gradient], [early, late])
        fresh.apply([gradient], [alone])
        if step == 0:
            np.testing.assert_allclose(late, [-0.1, 0.1], rtol=1e-5)
        np.testing.assert_array_equal(late, alone)
    counts = [one.numpy() for one in growing.variables if "count_" in one.path]
    assert counts == [104, 4]


def test_it_counts_in_graphs_too_and_is_adam_where_all_move_together():
    def ends(kind):
        variables = [keras.Variable(np.ones(2)), keras.Variable(np.ones((1, 1)))]
        optimizer = kind(0.1, beta_1=0.0, beta_2=0.99)
        optimizer.build(variables)
        gradients = [tf.constant([1.0, -2.0]), tf.constant([[0.5]])]
        step = tf.function(lambda: optimizer.apply(gradients, variables))
        for _ in range(5):
            step()
        return [one.numpy() for one in variables]

    for one, other in zip(ends(optimizers.Adam), ends(optimizers.GrowingAdam), strict=True):
        np.testing.assert_array_equal(one, other)
