"""Conditional batch normalisation against its formula, plain normalisation and two replicas."""

import differences
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers

SHAPES = {"maps": (6, 3, 2, 4), "vectors": (6, 4), "sequences": (6, 5, 4)}


def arguments(shape, seed=0):
    """Returns float64 inputs, scales and shifts."""
    draws = np.random.default_rng(seed)
    vectors = (shape[0], shape[-1])
    return draws.normal(0.5, 2.0, shape), draws.normal(size=vectors), draws.normal(size=vectors)


def tensors(arrays):
    return [tf.constant(array, tf.float32) for array in arrays]


def built(shape, **options):
    layer = layers.ConditionalBatchNormalization(momentum=0.9, epsilon=1e-5, **options)
    layer.build((None, *shape[1:]))
    return layer


def modulated(inputs, mean, variance, scale, shift):
    """The formula: one example at a time."""
    normal = (inputs - mean) / np.sqrt(variance + 1e-5)
    rows = zip(normal, scale, shift, strict=True)
    return np.stack([row * (1.0 + a) + b for row, a, b in rows])


def moments(inputs):
    axes = tuple(range(inputs.ndim - 1))
    return inputs.mean(axes), inputs.var(axes)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_training_normalises_by_the_batch(shape):
    layer, given = built(shape), arguments(shape)
    wanted = modulated(given[0], *moments(given[0]), *given[1:])
    np.testing.assert_allclose(layer(*tensors(given), training=True), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_moving_statistics_follow_the_batch_and_serve_inference(shape):
    layer, given = built(shape), arguments(shape)
    mean, variance = moments(given[0])
    layer(*tensors(given), training=True)
    mean, variance = 0.1 * mean, 0.9 + 0.1 * variance  # from 0 and 1, momentum 0.9
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-4)
    other = arguments(shape, seed=1)
    wanted = modulated(other[0], mean, variance, *other[1:])
    for options in ({"training": False}, {}):
        np.testing.assert_allclose(layer(*tensors(other), **options), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_zeros_leave_the_plain_normalisation_and_minus_one_the_shift(training):
    shape = SHAPES["maps"]
    inputs, _, shift = tensors(arguments(shape))
    nothing = tf.zeros_like(shift)
    plain = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, center=False, scale=False)
    np.testing.assert_array_equal(
        built(shape)(inputs, nothing, nothing, training=training), plain(inputs, training=training)
    )
    flat = built(shape)(inputs, nothing - 1.0, shift, training=training)
    np.testing.assert_array_equal(flat, tf.broadcast_to(shift[:, None, None], shape))


@pytest.mark.parametrize("training", [True, False])
def test_gradients_against_differences(training):
    shape = SHAPES["maps"]
    layer, given = built(shape), arguments(shape)
    upstream = np.random.default_rng(2).normal(size=shape)

    def loss(inputs, scale, shift):
        known = moments(inputs) if training else (0.0, 1.0)
        return np.sum(upstream * modulated(inputs, *known, scale, shift))

    given_tensors = tensors(given)
    with tf.GradientTape() as tape:
        tape.watch(given_tensors)
        total = tf.reduce_sum(upstream * layer(*given_tensors, training=training))
    wanted = differences.gradients(loss, *given)
    for gradient, each in zip(tape.gradient(total, given_tensors), wanted, strict=True):
        np.testing.assert_allclose(gradient, each, rtol=1e-3, atol=1e-3)


def test_it_owns_nothing_but_moving_statistics():
    layer = built(SHAPES["maps"])
    assert not layer.trainable_variables
    assert [v.name for v in layer.non_trainable_variables] == ["moving_mean", "moving_variance"]


def test_of_maps_it_is_one_fused_operation():
    layer = built(SHAPES["maps"])
    specs = [tf.TensorSpec(shape) for shape in ((6, 3, 2, 4), (6, 4), (6, 4))]
    for training in (True, False):
        traced = tf.function(lambda *args, training=training: layer(*args, training=training))
        graph = traced.get_concrete_function(*specs).graph
        kinds = [operation.type for operation in graph.get_operations()]
        assert kinds.count("FusedBatchNormV3") == 1
        assert "SquaredDifference" not in kinds


def test_synchronized_goes_as_keras_does():
    shape = SHAPES["maps"]
    inputs, scale, shift = tensors(arguments(shape))
    options = {"momentum": 0.9, "epsilon": 1e-5, "synchronized": True}
    plain = keras.layers.BatchNormalization(center=False, scale=False, **options)
    wanted = plain(inputs, training=True) * (1.0 + scale[:, None, None]) + shift[:, None, None]
    found = built(shape, synchronized=True)(inputs, scale, shift, training=True)
    np.testing.assert_array_equal(found, wanted)


def test_a_frozen_layer_keeps_its_statistics():
    layer, given = built(SHAPES["maps"]), arguments(SHAPES["maps"])
    layer.trainable = False
    found = layer(*tensors(given), training=True)
    np.testing.assert_allclose(found, modulated(given[0], 0.0, 1.0, *given[1:]), rtol=1e-4)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(4))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
def test_statistics_stay_float32_in_half_precision(dtype):
    """The squares of 5e3 are beyond float16."""
    shape = (8, 4, 4, 4)
    given = arguments(shape)
    given = (5e3 * given[0], *given[1:])
    layer = built(shape, dtype=dtype)
    outputs = layer(*tensors(given), training=True)
    assert outputs.dtype == layer.compute_dtype
    assert {v.dtype for v in layer.variables} == {"float32"}
    wanted = modulated(given[0], *moments(given[0]), *given[1:])
    np.testing.assert_allclose(tf.cast(outputs, tf.float32), wanted, atol=0.1)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * moments(given[0])[1], rtol=0.01)


@pytest.mark.parametrize("wrap", [lambda layer: layer, layers.SpectralNormalization])
def test_a_condition_learns_through_it(wrap):
    label, maps = keras.Input((3,)), keras.Input((2, 2, 4))
    vectors = [wrap(keras.layers.Dense(4, use_bias=False))(label) for _ in range(2)]
    model = keras.Model([label, maps], layers.ConditionalBatchNormalization()(maps, *vectors))
    assert model.output_shape == (None, 2, 2, 4)
    labels = tf.one_hot([0, 1, 2, 0], 3)
    images = tf.random.stateless_normal((4, 2, 2, 4), (0, 1))
    with tf.GradientTape() as tape:
        outputs = model([labels, images], training=True)
        total = tf.reduce_sum(tf.square(outputs))
    gradients = tape.gradient(total, [v.value for v in model.trainable_variables])
    assert len(gradients) == 2
    assert all(np.abs(gradient).min() > 0.0 for gradient in gradients)


@pytest.mark.parametrize("shape", [(6, 3), (6, 1), (6, 1, 4)])
def test_other_shapes_of_scale_and_shift_are_refused(shape):
    inputs, scale, _ = tensors(arguments(SHAPES["maps"]))
    with pytest.raises(ValueError, match=r"must have shape \(batch, 4\), got \(6, "):
        built(SHAPES["maps"])(inputs, scale, tf.zeros(shape))


@pytest.mark.parametrize("option", ["center", "scale"])
def test_a_scale_or_shift_of_its_own_is_refused(option):
    with pytest.raises(TypeError, match=option):
        layers.ConditionalBatchNormalization(**{option: True})


REPLICAS = """
import numpy as np
import tensorflow as tf
from tfgans import layers

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
inputs = tf.random.stateless_normal((8, 3, 2, 4), (0, 1), 1.0, 2.0)
scale, shift = (tf.random.stateless_normal((8, 4), (0, number)) for number in (2, 3))
alone = layers.ConditionalBatchNormalization()
wanted = alone(inputs, scale, shift, training=True)
with strategy.scope():
    shared = layers.ConditionalBatchNormalization(synchronized=True)
    shared.build(inputs.shape)

@tf.function
def run():
    def step():
        first = 4 * tf.distribute.get_replica_context().replica_id_in_sync_group
        rows = [whole[first : first + 4] for whole in (inputs, scale, shift)]
        return shared(*rows, training=True)

    return strategy.run(step)

parts = strategy.experimental_local_results(run())
np.testing.assert_allclose(np.concatenate(parts), wanted, rtol=1e-4, atol=1e-5)
for own, other in zip(shared.weights, alone.weights, strict=True):
    np.testing.assert_allclose(own.numpy(), other.numpy(), rtol=1e-4, atol=1e-6)
print("one")
"""


def test_two_replicas_are_one(run_python):
    done = run_python("-c", REPLICAS)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["one"]
