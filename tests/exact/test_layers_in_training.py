"""The layers within the training base: power iterations, and noise that repeats."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans import layers
from tfgans.models.hinge import HingeGAN

SIZE, LATENT, BATCH = 4, 3, 8


def generator(width=16):
    """A small style-based one with attention."""
    latent = keras.Input((LATENT,), name="latent")
    dense = keras.layers.Dense(width)
    style = layers.EqualizedLearningRate(dense, lr_multiplier=0.1)(
        layers.PixelNormalization()(latent)
    )
    scale, shift = (layers.SpectralNormalization(keras.layers.Dense(width))(style) for _ in "ab")
    maps = layers.LearnedConstant((2, 2, width))(latent)
    maps = layers.NoiseInjection()(maps)
    maps = layers.AdaptiveInstanceNormalization()(maps, scale, shift)
    maps = layers.NoiseInjection()(layers.UpsampleConv(width, 3)(maps))
    maps = layers.ConditionalBatchNormalization()(maps, scale, shift)
    maps = layers.SelfAttention(spectral_norm=True)(maps)
    image = keras.layers.Activation("tanh")(layers.Conv2D(1, 3)(maps))
    return keras.Model({"latent": latent}, image)


def discriminator(width=16):
    image = keras.Input((SIZE, SIZE, 1), name="image")
    maps = keras.layers.Activation("tanh")(layers.Conv2D(width, 3)(image))
    maps = layers.SelfAttention(spectral_norm=True, pool=True, value_divisor=2)(maps)
    features = keras.layers.Flatten()(layers.MinibatchStddev()(maps))
    return keras.Model({"image": image}, keras.layers.Dense(1)(features))


def game(seed=0, **options):
    keras.utils.set_random_seed(seed)
    model = HingeGAN(generator(), discriminator(), seed=seed, ema_decay=0.5)
    optimizers = {name: keras.optimizers.Adam(1e-2) for name in HingeGAN.optimizes}
    model.compile(**optimizers, **options)
    return model


def batch(step=0):
    return {"image": tf.tanh(tf.random.stateless_normal((BATCH, SIZE, SIZE, 1), (0, step)))}


def values(model):
    return {name: variable.numpy() for name, variable in model.state().items()}


class Traced:
    """A game that is traced once, and can be put back to any state."""

    def __init__(self):
        self.model = game()
        self.start = values(self.model)
        self.step = tf.function(self.model.train_step, autograph=False)

    def run(self, steps, state=None):
        """Takes steps from a state, or else from the start; returns the hash at their end."""
        for name, value in (state or self.start).items():
            self.model.state()[name].assign(value)
        for _ in range(steps):
            logs = self.step(batch(int(self.model.step.numpy())))
            assert all(np.isfinite(value) for value in logs.values())
        return self.model.weights_sha256()


@pytest.fixture(scope="module")
def traced():
    return Traced()


def vectors_of(network):
    found = [each for each in network._flatten_layers() if hasattr(each, "advance")]
    return {each.path: each.u.numpy() for each in found}


def test_the_base_advances_the_attention_of_the_player_that_moves():
    model = game()
    networks = {"g_optimizer": model.generator, "d_optimizer": model.discriminator}
    assert len(vectors_of(model.generator)) == 2 + 3
    assert len(vectors_of(model.discriminator)) == 4
    for mover in networks:
        before = {name: vectors_of(network) for name, network in networks.items()}
        model._advance_layers(mover)
        for name, network in networks.items():
            for path, vector in vectors_of(network).items():
                assert np.array_equal(before[name][path], vector) == (name != mover), path


def noise_in_training(model, optimizer="g_optimizer"):
    """The noise that the generator's two layers would add at this step."""
    model._seed_layers(optimizer)
    injecting = [each for each in model.generator.layers if hasattr(each, "noise")]
    assert len(injecting) == 2
    found = []
    for each in injecting:
        each.factor.assign(tf.ones_like(each.factor))
        found.append(each(tf.zeros((BATCH, *each.noise.shape, 16)), training=True)[..., 0].numpy())
    return found


def test_noise_is_a_function_of_seed_step_and_player():
    first, again = (noise_in_training(game()) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
    later = game()
    later.step.assign(1)
    changed = [
        noise_in_training(later),
        noise_in_training(game(seed=1)),
        noise_in_training(game(), "d_optimizer"),
    ]
    for others in changed:
        for one, other in zip(first, others, strict=True):
            assert np.all(one != other)
    assert np.all(first[0] != first[1][:, :2, :2])


def test_eight_equal_runs_end_in_one_hash(traced):
    assert len({traced.run(3) for _ in range(8)}) == 1


def test_a_run_taken_up_again_goes_on_as_it_would_have(traced):
    whole = traced.run(4)
    traced.run(2)
    halfway = values(traced.model)
    traced.run(3)  # what else the process does in between
    assert traced.run(2, halfway) == whole


def test_each_network_learns_in_all_its_weights(traced):
    traced.run(0)
    before = {v.path: v.numpy() for v in traced.model.trainable_variables}
    traced.run(4)
    after = {v.path: v.numpy() for v in traced.model.trainable_variables}
    still = [path for path in before if np.array_equal(before[path], after[path])]
    # A bias before batch normalisation does nothing, nor one of keys, which shifts all logits.
    assert not [path for path in still if not path.endswith("bias")]


def test_pictures_are_a_function_of_the_latent_alone(traced):
    traced.run(2)
    model = traced.model
    latent = model.draw_latent(6, 3, np.inf)
    pictures = model.generate(latent).numpy()
    np.testing.assert_array_equal(model.generate(latent), pictures)
    # But for rounding: processors may work on three pictures and on six in different ways.
    np.testing.assert_allclose(model.generate(latent[:3]), pictures[:3], rtol=1e-5, atol=1e-5)
    assert len(np.unique(pictures.reshape(6, -1), axis=0)) == 6
    for one, other in zip(model.generator.layers, model.average.layers, strict=True):
        if hasattr(one, "noise"):
            np.testing.assert_array_equal(one.noise, other.noise)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_pieces_of_a_batch_draw_each_their_own_noise(accumulate):
    model = game(accumulate=accumulate)
    injecting = next(each for each in model.generator.layers if hasattr(each, "noise"))
    injecting.factor.assign(tf.ones_like(injecting.factor))
    drawn, call = [], injecting.call

    def noted(inputs, training=None):
        outputs = call(inputs, training=training)
        drawn.append((outputs - inputs).numpy())
        return outputs

    injecting.call = noted
    model.train_step(batch())
    assert len(drawn) == 2 * accumulate  # for each player's step
    assert len({each.tobytes() for each in drawn}) == 2 * accumulate
