"""The WGAN critic: the box its weights live in, and how many steps it takes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgans
from tfgans import UsageError, registry
from tfgans.layers import WeightClip
from tfgans.models import wgan

ROWS = [entry.name for entry in registry.list_variants() if entry.module == "wgan"]
DATA = tfgans.DataSpec((16, 16, 1))


def tiny(name, **options):
    return tfgans.create(name, DATA, **{**registry.load(name).tiny, **options})


def batch_for(model, rows=4):
    generator = np.random.default_rng(0)
    image = generator.uniform(-1, 1, (rows * model.batches_per_step, *DATA.image_shape))
    return {"image": tf.constant(image, tf.float32)}


def test_clip_moves_what_lies_outside_and_nothing_else():
    weight = [-3.0, -0.01, -0.004, 0.0, 0.01, 0.02]
    wanted = [-0.01, -0.01, -0.004, 0.0, 0.01, 0.01]
    np.testing.assert_allclose(WeightClip(0.01)(tf.constant(weight)), wanted, rtol=1e-7)


def test_clip_is_written_to_files():
    again = keras.constraints.deserialize(keras.constraints.serialize(WeightClip(0.02)))
    assert type(again) is WeightClip
    assert again.limit == 0.02


@pytest.mark.parametrize("limit", [0.0, -1.0])
def test_empty_box_is_refused(limit):
    with pytest.raises(ValueError, match=f"limit={limit} must be > 0"):
        WeightClip(limit)


@pytest.mark.parametrize("name", ROWS)
def test_every_trainable_weight_of_the_critic_lies_in_the_box_after_a_step(name):
    """Biases and batch normalisation's scales and shifts too; the generator is free."""
    model = tiny(name)
    generator = np.random.default_rng(0)
    for variable in model.trainable_variables:
        values = generator.choice([-0.5, -0.02, -0.005, 0.005, 0.02, 0.5], variable.shape)
        variable.assign(values)
    model.train_step(batch_for(model))
    for variable in model.discriminator.trainable_variables:
        assert np.abs(variable.numpy()).max() <= np.float32(0.01), variable.path
    # Clipped, not set: what lay inside has moved by the optimiser alone.
    kernel = np.abs(model.discriminator.trainable_variables[0].numpy())
    assert np.mean((kernel > 0.002) & (kernel < 0.008)) > 0.1
    assert max(np.abs(v.numpy()).max() for v in model.generator.trainable_variables) > 0.4


def test_scales_of_batch_norm_start_at_one_and_are_clipped_at_once():
    model = tiny("wgan", n_critic=1)
    scales = [v for v in model.discriminator.trainable_variables if v.name == "gamma"]
    assert min(scale.numpy().min() for scale in scales) > 0.9
    model.train_step(batch_for(model))
    for scale in scales:
        np.testing.assert_allclose(scale, 0.01, rtol=1e-6)


def test_limit_is_an_option():
    model = tiny("wgan_mlp", **{"discriminator.weight_clip": 0.03})
    model.train_step(batch_for(model))
    largest = max(np.abs(v.numpy()).max() for v in model.discriminator.trainable_variables)
    np.testing.assert_allclose(largest, 0.03, rtol=1e-6)


def test_self_attention_is_clipped_too():
    model = tiny("wgan", n_critic=1, **{"discriminator.attention": 4})
    layer = next(one for one in model.discriminator.layers if "attention" in one.name)
    layer.gamma.assign(0.5)
    model.train_step(batch_for(model))
    assert len(layer.trainable_variables) == 7  # kernels and biases of three, and gamma
    for variable in layer.trainable_variables:
        assert np.abs(variable.numpy()).max() <= 0.01 + 1e-8, variable.path


def test_exactly_n_critic_steps():
    model = tiny("wgan_mlp", n_critic=5)
    assert model.batches_per_step == 5
    for step in (1, 2):
        model.train_step(batch_for(model))
        assert int(model.d_optimizer.iterations) == 5 * step
        assert int(model.g_optimizer.iterations) == step


def test_warm_up_is_refused_on_several_replicas(monkeypatch):
    monkeypatch.setattr(wgan.replicas, "several", lambda: True)
    with pytest.raises(UsageError, match="warm_up_critic_steps=7: works on one replica only"):
        tiny("wgan_mlp", warm_up_critic_steps=7)


def test_warm_up_takes_more_critic_steps_at_first_and_every_500th():
    """The first 25 generator steps and each 500th have 7 critic steps, the others 2."""
    model = tiny("wgan_mlp", warm_up_critic_steps=7)
    batch = batch_for(model)
    step = tf.function(model.train_step, autograph=False)  # as Keras traces it
    for done, critic_steps in [(0, 7), (24, 7), (25, 2), (499, 2), (500, 7), (501, 2)]:
        model.step.assign(done)
        before = int(model.d_optimizer.iterations)
        step(batch)
        assert int(model.d_optimizer.iterations) - before == critic_steps, done
        assert int(model.step) == done + 1


@pytest.mark.parametrize("turns", [0, 3])
@pytest.mark.parametrize("steps", [5, 40, 1002])
def test_updates_of_a_run_are_those_of_the_warm_ups_too(steps, turns):
    model = tiny("wgan_mlp", warm_up_critic_steps=7, alternate_every=turns)
    own = [step for step in range(steps) if not turns or step // turns % 2 == 0]
    warm = [step for step in own if step < 25 or step % 500 == 0]
    assert model.updates_in("d_optimizer", steps) == 2 * len(own) + 5 * len(warm)
    assert model.updates_in("g_optimizer", steps) == (steps - len(own) if turns else steps)


def test_rates_end_with_a_run_that_warms_up():
    schedules = {f"{player}_optimizer.schedule": "linear" for player in "gd"}
    model = tiny("wgan_mlp", steps=4, warm_up_critic_steps=10, **schedules)
    rates = []
    for _ in range(4):
        model.train_step(batch_for(model))
        rates.append([float(getattr(model, f"{p}_optimizer").learning_rate) for p in "gd"])
    generators, critics = np.transpose(rates)
    np.testing.assert_allclose(critics / critics[0], generators / generators[0], atol=1e-6)
    assert critics[-1] == pytest.approx(0.0, abs=1e-9)
    assert critics[-2] > 0.0
