"""What holds for all layers of conditional and style-based networks: files, clones, shapes."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers

SHAPE, STYLE = (4, 6, 16), 16
CASES = {
    "conditional batch normalisation": lambda maps, style: layers.ConditionalBatchNormalization(
        momentum=0.8, epsilon=1e-4
    )(maps, style, -style),
    "adaptive instance normalisation": lambda maps, style: layers.AdaptiveInstanceNormalization()(
        maps, style, -style
    ),
    "SAGAN's attention": lambda maps, style: layers.SelfAttention(spectral_norm=True)(maps),
    "BigGAN's attention": lambda maps, style: layers.SelfAttention(
        spectral_norm=True,
        pool=True,
        value_divisor=2,
        use_bias=False,
        kernel_initializer=keras.initializers.Orthogonal(0.5),
    )(maps),
    "plain attention": lambda maps, style: layers.SelfAttention(value_divisor=4)(maps),
    "minibatch deviation": lambda maps, style: layers.MinibatchStddev(3)(maps),
    "pixel normalisation": lambda maps, style: layers.PixelNormalization()(maps),
    "vector normalisation": lambda maps, style: layers.PixelNormalization()(style),
    "equalised dense": lambda maps, style: layers.EqualizedLearningRate(
        keras.layers.Dense(3), lr_multiplier=0.01
    )(style),
    "equalised convolution": lambda maps, style: layers.EqualizedLearningRate(
        layers.UpsampleConv(3, 3), gain=1.0
    )(maps),
    "injected noise": lambda maps, style: layers.NoiseInjection()(maps),
    "constant": lambda maps, style: layers.LearnedConstant((2, 3, 5))(style),
    "crossfade": lambda maps, style: layers.Crossfade()(maps, -maps, style[:, 0]),
    "mixed styles": lambda maps, style: layers.StyleMixing(3)(
        maps[:, 0, :2], keras.ops.cast(4 * style[:, 0], "int32")
    ),
    "truncated styles": lambda maps, style: layers.StyleTruncation(0.5)(maps[:, 0], style[:, 0]),
}
POLICIES = ["float32", "mixed_bfloat16", "mixed_float16"]


def model_of(case, policy="float32"):
    """A Functional model of the one layer, with other weights than it starts with."""
    keras.config.set_dtype_policy(policy)
    try:
        inputs = [keras.Input(SHAPE), keras.Input((STYLE,))]
        model = keras.Model(inputs, CASES[case](*inputs))
    finally:
        keras.config.set_dtype_policy("float32")
    draws = np.random.default_rng(0)
    for variable in model.variables:
        if variable.dtype == "float32":
            variable.assign(draws.uniform(0.5, 1.5, variable.shape))
    return model


def batch(count=6):
    return [
        tf.random.stateless_normal((count, *SHAPE), (0, 1)),
        tf.random.stateless_normal((count, STYLE), (0, 2)),
    ]


def config_of(layer):
    """As a file has it: tuples become lists."""
    return json.loads(json.dumps(layer.get_config()))


def the_layer(model):
    (layer,) = [each for each in model.layers if type(each).__module__.startswith("tfgans")]
    return layer


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("case", CASES)
def test_shape_and_dtype_are_known_before_the_batch_is(case, policy):
    model = model_of(case, policy)
    assert model.output_shape[0] is None
    assert None not in model.output_shape[1:]
    for training in (True, False):
        outputs = model(batch(), training=training)
        assert outputs.shape == (6, *model.output_shape[1:])
        assert outputs.dtype == model.output.dtype == the_layer(model).compute_dtype
        assert np.isfinite(tf.cast(outputs, tf.float32)).all()
    assert {v.dtype for v in model.trainable_variables} <= {"float32"}


@pytest.mark.parametrize("case", CASES)
def test_a_batch_of_unknown_size_gives_the_same(case):
    model = model_of(case)
    specs = [tf.TensorSpec((None, *SHAPE)), tf.TensorSpec((None, STYLE))]
    traced = tf.function(lambda *inputs: model(list(inputs)), input_signature=specs)
    np.testing.assert_allclose(traced(*batch()), model(batch()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("case", CASES)
def test_file_and_clone_are_the_layer_again(case, policy, tmp_path):
    model = model_of(case, policy)
    model.save(tmp_path / "model.keras")
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    for other in (keras.saving.load_model(tmp_path / "model.keras"), clone):
        again, layer = the_layer(other), the_layer(model)
        assert type(again) is type(layer)
        assert config_of(again) == config_of(layer)
        assert [v.name for v in again.variables] == [v.name for v in layer.variables]
        assert len(again.trainable_variables) == len(layer.trainable_variables)
        for old, new in zip(model.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(old, new)
        np.testing.assert_array_equal(other(batch()), model(batch()))


@pytest.mark.parametrize("case", CASES)
def test_config_rebuilds_the_layer(case):
    layer = the_layer(model_of(case))
    config = keras.saving.serialize_keras_object(layer)
    assert config["registered_name"] == f"tfgans>{type(layer).__name__}"
    again = keras.saving.deserialize_keras_object(config)
    assert config_of(again) == config_of(layer)
    assert [v.shape for v in again.variables] == [v.shape for v in layer.variables]


@pytest.mark.parametrize("case", CASES)
def test_sampling_draws_nothing(case):
    model = model_of(case)
    before = model.get_weights()
    first = model(batch(), training=False)
    np.testing.assert_array_equal(model(batch(), training=False), first)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("case", CASES)
def test_a_saved_model_does_the_same(case, tmp_path):
    model = model_of(case)
    module = tf.Module()
    module.model = model
    specs = [tf.TensorSpec((None, *SHAPE)), tf.TensorSpec((None, STYLE))]
    module.run = tf.function(lambda *inputs: model(list(inputs)), input_signature=specs)
    tf.saved_model.save(module, tmp_path / "saved")
    loaded = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(loaded.run(*batch()), model(batch()), rtol=1e-5, atol=1e-5)
