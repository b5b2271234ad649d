"""The contract's checks catch what they are for: rows broken on purpose, and one that is sound."""

import dataclasses
import math
import os
from typing import ClassVar

import checks
import keras
import numpy as np
import pytest
import support
import tensorflow as tf

from tfgans import losses, registry, replicas
from tfgans.adversarial import AdversarialModel
from tfgans.layers import SpectralNormalization
from tfgans.variant import Variant


def generator(data, *, latent_dim=4, width=4, batch_norm=False):
    """Two dense layers.

    Args:
        latent_dim: Length of the latent vector.
        width: Units of the hidden layer.
        batch_norm: Whether to normalise the hidden layer.
    """
    latent = keras.Input((latent_dim,), name="latent")
    features = keras.layers.Dense(width, activation="tanh")(latent)
    if batch_norm:
        features = keras.layers.BatchNormalization()(features)
    pixels = keras.layers.Dense(math.prod(data.image_shape), activation="tanh")(features)
    return keras.Model({"latent": latent}, keras.layers.Reshape(data.image_shape)(pixels))


def discriminator(data, *, normalize="no"):
    """Two dense layers.

    Args:
        normalize: Which spectral normalisation the first layer has: no, ours or keras.
    """
    wrap = {
        "no": lambda layer: layer,
        "ours": SpectralNormalization,
        "keras": keras.layers.SpectralNormalization,
    }[normalize]
    image = keras.Input(data.image_shape, name="image")
    features = wrap(keras.layers.Dense(4))(keras.layers.Flatten()(image))
    logits = keras.layers.Dense(1)(keras.layers.LeakyReLU()(features))
    return keras.Model({"image": image}, logits)


def discriminator_with_label(data):
    """Adds the label to the logits."""
    plain = discriminator(data)
    label = keras.Input((), name="label", dtype="int32")
    logits = plain.output + keras.layers.Embedding(3, 1)(label)
    return keras.Model({**plain.input, "label": label}, logits)


def generator_with_label(data, *, latent_dim=4, width=4):
    """Two dense layers on the latent and an embedding of the label.

    Args:
        latent_dim: Length of the latent vector.
        width: Units of the hidden layer.
    """
    latent = keras.Input((latent_dim,), name="latent")
    label = keras.Input((), name="label", dtype="int32")
    joined = keras.layers.Concatenate()([latent, keras.layers.Embedding(4, 2)(label)])
    features = keras.layers.Dense(width, activation="tanh")(joined)
    pixels = keras.layers.Dense(math.prod(data.image_shape), activation="tanh")(features)
    image = keras.layers.Reshape(data.image_shape)(pixels)
    return keras.Model({"latent": latent, "label": label}, image)


def frozen_discriminator(data):
    """Its first layer is not trained."""
    network = discriminator(data)
    network.layers[2].trainable = False
    return network


@keras.saving.register_keras_serializable("planted")
class Sound(AdversarialModel):
    """A row with no fault.

    Args:
        gain: Factor of the discriminator's loss.
    """

    def __init__(self, generator, discriminator, *, gain=1.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.gain = gain

    def train_step(self, batch):
        for part in self.critic_batches(batch):
            d_loss = self.discriminator_step(part, self.discriminator_loss)
        g_loss = self.generator_step(part, losses.non_saturating_generator)
        return self.track(d_loss=d_loss, g_loss=g_loss)

    def discriminator_loss(self, real_logits, fake_logits):
        return self.gain * losses.non_saturating_discriminator(real_logits, fake_logits)


SOUND = Variant(
    name="sound",
    model=Sound,
    networks={"generator": generator, "discriminator": discriminator},
    optimizers={"g_optimizer": keras.optimizers.Adam, "d_optimizer": keras.optimizers.Adam},
    options={"ema_decay": 0.5, "g_optimizer.learning_rate": 0.01},
    tiny={"generator.width": 3},
)


@pytest.mark.xdist_group("groups")
def test_groups_are_kept_together(request):
    """Else each worker builds and traces every row for itself, and everything takes longer."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@groups")


@pytest.fixture(scope="module")
def sound():
    return support.Subject(SOUND)


@pytest.mark.xdist_group("sound")
@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__[6:])
def test_a_sound_row_passes(sound, check):
    check(sound)


@pytest.mark.xdist_group("sound")
@pytest.mark.parametrize("policy", checks.HALF)
def test_a_sound_row_passes_in_half_precision(sound, policy):
    checks.check_precision(sound, policy)
    checks.check_traced_precision(sound, policy)


@pytest.mark.xdist_group("sound")
def test_a_sound_scheme_passes(sound):
    checks.check_options_matter(sound)


LABELLED = {"generator": generator_with_label, "discriminator": discriminator_with_label}


@pytest.fixture(scope="module")
def labelled():
    return with_labels(support.Subject(dataclasses.replace(SOUND, networks=LABELLED)))


@pytest.mark.xdist_group("labelled")
@pytest.mark.parametrize(
    "check",
    [checks.check_config, checks.check_needs, checks.check_sampling, checks.check_export],
    ids=lambda check: check.__name__[6:],
)
def test_a_sound_row_with_labels_passes(labelled, check):
    check(labelled)


FAULTS = []


def with_labels(subject):
    return support.Subject(subject.row, needs=("image", "label"))


def config_with_labels(subject):
    checks.check_config(with_labels(subject))


def sampling_with_labels(subject):
    checks.check_sampling(with_labels(subject))


def export_with_labels(subject):
    checks.check_export(with_labels(subject))


def bfloat16(subject):
    checks.check_precision(subject, "mixed_bfloat16")


def float16(subject):
    checks.check_precision(subject, "mixed_float16")


def traced_bfloat16(subject):
    checks.check_traced_precision(subject, "mixed_bfloat16")


def caught_by(check, message, **changes):
    """Marks a faulty class: `check` is to fail with `message` on a row of it, with `changes`."""

    def plant(fault):
        row = dataclasses.replace(SOUND, model=fault, **changes)
        FAULTS.append(pytest.param(row, check, message, id=f"{fault.__name__}-{check.__name__}"))
        return fault

    return plant


def plant(name, check, message, **changes):
    """A sound class in a faulty row."""
    row = dataclasses.replace(SOUND, **changes)
    FAULTS.append(pytest.param(row, check, message, id=f"{name}-{check.__name__}"))


# The class, its logs and options.


@caught_by(checks.check_scheme, "has no train_step of its own")
class BorrowsItsStep(Sound):
    pass


@caught_by(checks.check_scheme, "inherits from")
class SubclassesAScheme(Sound):
    def train_step(self, batch):
        return super().train_step(batch)


@caught_by(checks.check_options, "without a meaning.*'mystery'")
class HasAnOptionWithoutMeaning(Sound):
    def __init__(self, generator, discriminator, *, mystery=1.0, **kwargs):
        super().__init__(generator, discriminator, **kwargs)
        self.mystery = mystery


class TakesUnknownKeys(Variant):
    def resolve(self, overrides):
        known = self.defaults()
        return super().resolve({key: value for key, value in overrides.items() if key in known})


class TakesAnyType(Variant):
    def resolve(self, overrides):
        for key in overrides:
            super().resolve({key: self.defaults().get(key)})
        return {**self.defaults(), **overrides}


for lax in (TakesUnknownKeys, TakesAnyType):
    FAULTS.append(
        pytest.param(lax(**vars(SOUND)), checks.check_options, "not refused", id=lax.__name__)
    )

plant(
    "misspelt",
    checks.check_options,
    "unknown keys {'generator.widht'}",
    tiny={"generator.widht": 3},
)


@caught_by(checks.check_options_matter, "gain=0.0925 changes nothing")
class IgnoresAnOption(Sound):
    def discriminator_loss(self, real_logits, fake_logits):
        return losses.non_saturating_discriminator(real_logits, fake_logits)


@caught_by(checks.check_config, "gain=0.0925 is 1.0")
class ForgetsAnArgument(Sound):
    def get_config(self):
        config = super().get_config()
        del config["gain"]
        return config


@caught_by(checks.check_keras_file, "goes on another way", options={**SOUND.options, "gain": 0.5})
@keras.saving.register_keras_serializable("planted")
class ForgetsAnArgumentInAFile(ForgetsAnArgument):
    pass


@caught_by(checks.check_logs, "logs .*'extra'")
class LogsWhatIsNotDeclared(Sound):
    def track(self, **values):
        return {**super().track(**values), "extra": self.step}


@caught_by(checks.check_logs, "declares .*'g_loss'")
class LogsTooLittle(Sound):
    def track(self, **values):
        return {"d_loss": super().track(**values)["d_loss"]}


@caught_by(checks.check_logs, "not finite: {'d_loss': nan")
class LogsNaN(Sound):
    def discriminator_loss(self, real_logits, fake_logits):
        return tf.math.log(-super().discriminator_loss(real_logits, fake_logits))


# Who moves what.


@caught_by(checks.check_owners, "the step of g_optimizer changes .*'discriminator/")
class MovesTheOtherPlayer(Sound):
    def generator_step(self, batch, loss):
        result = super().generator_step(batch, loss)
        kernel = self.discriminator.trainable_variables[0]
        kernel.assign_add(0.01 * tf.ones_like(kernel))
        return result


@caught_by(checks.check_owners, "optimizes says")
class HasTwoOwners(Sound):
    optimizes: ClassVar = {
        "g_optimizer": ("generator", "discriminator"),
        "d_optimizer": ("discriminator",),
    }


@caught_by(checks.check_owners, "before the first minimize")
class MovesBeforehand(Sound):
    def train_step(self, batch):
        self.generator.trainable_variables[0].assign_add(tf.ones((4, 3)))
        return super().train_step(batch)


@caught_by(
    checks.check_owners,
    "the step of g_optimizer changes .*'discriminator/.*/[uv]'",
    options={**SOUND.options, "discriminator.normalize": "ours"},
)
class AdvancesPowerIterationsOfTheOther(Sound):
    def _advance_layers(self, name):
        super()._advance_layers("d_optimizer")


plant(
    "keras_spectral_normalization",
    checks.check_owners,
    "the step of g_optimizer changes .*'discriminator/.*kernel'",
    options={**SOUND.options, "discriminator.normalize": "keras"},
)


@caught_by(checks.check_kernels_move, "of generator never moves")
class NeverTrainsTheGenerator(Sound):
    def generator_step(self, batch, loss):
        self.notes.watched["grad_norm/generator"] = 0.0
        return loss(self.critic(batch)(self.fake_images(batch, "generator_latent")))


@caught_by(checks.check_kernels_move, "of discriminator never moves")
class ClipsButNeverTrains(Sound):
    def discriminator_step(self, batch, loss):
        told = ("grad_norm/discriminator", "d_real", "d_fake", "d_accuracy")
        self.notes.watched |= dict.fromkeys(told, 0.0)
        for variable in self.discriminator.trainable_variables:
            variable.assign(tf.clip_by_value(variable, -0.01, 0.01))
        return 0.0


plant(
    "frozen_layer",
    checks.check_kernels_move,
    "of discriminator never moves",
    networks={**SOUND.networks, "discriminator": frozen_discriminator},
)


# What a run depends on.


@caught_by(checks.check_equal_runs, "gave 8 hashes")
@caught_by(checks.check_state, "state.. lacks")
class DrawsFromASeedGenerator(Sound):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.generator_of_noise = keras.random.SeedGenerator(0)

    def latent(self, stream, like):
        shape = (like.shape[0], self.latent_dim)
        return keras.random.normal(shape, seed=self.generator_of_noise)


@caught_by(checks.check_equal_runs, "gave 8 hashes")
class DrawsFromTF(Sound):
    def latent(self, stream, like):
        return tf.random.normal((like.shape[0], self.latent_dim))


@caught_by(checks.check_eager_equals_graph, "differs by")
class DrawsFromNumPy(Sound):
    def latent(self, stream, like):
        drawn = np.random.default_rng().normal(size=(like.shape[0], self.latent_dim))
        return tf.constant(drawn, tf.float32)


@caught_by(checks.check_eager_equals_graph, "differs by")
class CountsInPython(Sound):
    turns = 0

    def discriminator_loss(self, real_logits, fake_logits):
        self.turns += 1
        return self.turns % 3 * super().discriminator_loss(real_logits, fake_logits)


@caught_by(checks.check_equal_runs, "hashes")
class HidesAVariable(Sound):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.hidden = [tf.Variable(0.0)]

    def discriminator_loss(self, real_logits, fake_logits):
        self.hidden[0].assign_add(1.0)
        return super().discriminator_loss(real_logits, fake_logits + self.hidden[0])


@caught_by(checks.check_checkpoint, "goes on another way")
@caught_by(checks.check_state, "state.. lacks .*balance")
class KeepsAVariableOutOfItsState(Sound):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.balance = self.add_weight(shape=(), initializer="zeros", name="balance")

    def discriminator_loss(self, real_logits, fake_logits):
        self.balance.assign_add(1.0)
        return super().discriminator_loss(real_logits, fake_logits + self.balance)


@caught_by(checks.check_checkpoint, "goes on another way")
@caught_by(checks.check_state, "state.. lacks")
class SavesNoOptimizers(Sound):
    def state(self):
        return {k: v for k, v in super().state().items() if "optimizer" not in k}


@caught_by(checks.check_seeds, "another seed gives the same noise")
class IgnoresItsSeed(Sound):
    def latent(self, stream, like):
        seed = tf.stack([tf.cast(self.step.value, tf.int32), self.notes.part])
        return tf.random.stateless_normal((like.shape[0], self.latent_dim), seed)


@caught_by(checks.check_seeds, "two models made with one seed differ")
class StartsAnyhow(Sound):
    models = 0

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        type(self).models += 1
        self.generator.trainable_variables[0].assign_add(self.models * tf.ones((4, 3)))


# What a step counts.


@caught_by(checks.check_counts, "step is 0 after 1")
class ForgetsItsSteps(Sound):
    def track(self, **values):
        logs = super().track(**values)
        self.step.assign_sub(1)
        return logs


@caught_by(checks.check_counts, "d_optimizer has done 2 updates after 1 steps, says 1")
@caught_by(checks.check_schedules, "d_optimizer: .* at steps 0, 2, 4")
class MakesSchedulesForOneCriticStep(Sound):
    def updates_per_step(self, name):
        return 1


@caught_by(checks.check_critic_parts, "is not given rows 0::2")
class SplitsTheBatch(Sound):
    def critic_batches(self, batch):
        for part in range(self.n_critic):
            self.notes.part = part
            yield {key: tf.split(rows, self.n_critic)[part] for key, rows in batch.items()}


@caught_by(checks.check_critic_parts, "the same latents are drawn twice")
class DrawsTheSameForEachCriticStep(Sound):
    def critic_batches(self, batch):
        for part in range(self.n_critic):
            yield {key: rows[part :: self.n_critic] for key, rows in batch.items()}


@caught_by(checks.check_critic_parts, "the same latents are drawn twice")
class DrawsTheSameForBothPlayers(Sound):
    def latent(self, stream, like):
        return super().latent("latent", like)


@caught_by(checks.check_critic_parts, "1 critic steps, n_critic=2")
class TakesOneCriticStep(Sound):
    def critic_batches(self, batch):
        yield {key: rows[:: self.n_critic] for key, rows in batch.items()}


plant(
    "needs_more_than_declared",
    checks.check_needs,
    "wants 'label'",
    networks={**SOUND.networks, "discriminator": discriminator_with_label},
)


def test_a_row_that_declares_more_than_it_needs_is_caught():
    with pytest.raises(AssertionError, match="declares to need label, but trains without it"):
        checks.check_needs(support.Subject(SOUND, needs=("image", "label")))


# What comes out.


@caught_by(checks.check_average, "the average is off")
class AveragesWithoutRamp(Sound):
    def _move_average(self):
        for mean, variable in zip(self.average.weights, self.generator.weights, strict=True):
            mean.assign_sub((1.0 - self.ema_decay) * (mean - variable))


def spectral_generator(data):
    """One dense layer, spectrally normalised."""
    latent = keras.Input((4,), name="latent")
    pixels = SpectralNormalization(keras.layers.Dense(math.prod(data.image_shape)))(latent)
    return keras.Model({"latent": latent}, keras.layers.Reshape(data.image_shape)(pixels))


@caught_by(
    checks.check_average,
    "a power iteration of the average is off",
    networks={**SOUND.networks, "generator": spectral_generator},
    tiny={},
)
class AveragesPowerIterations(Sound):
    def _move_average(self):
        steps = tf.cast(self.step, tf.float32)
        decay = tf.minimum(self.ema_decay, (1.0 + steps) / (10.0 + steps))
        for mean, variable in zip(self.average.weights, self.generator.weights, strict=True):
            mean.assign_sub((1.0 - decay) * (mean - variable))


@caught_by(checks.check_average, "it is not the average that is sampled")
class SamplesTheTrainedNetwork(Sound):
    @property
    def sampler(self):
        return self.generator


@caught_by(checks.check_export, "a batch of 1 is off", options={"generator.batch_norm": True})
@caught_by(checks.check_sampling, "depend on how many", options={"generator.batch_norm": True})
class DrawsWithTheStatisticsOfTheBatch(Sound):
    def generate(self, latent):
        return self.generator({"latent": latent}, training=True)


@caught_by(checks.check_export, "the seed changes nothing")
@caught_by(checks.check_sampling, "the seed changes nothing")
class DrawsTheSamePictures(Sound):
    def draw_latent(self, n, seed, truncation):
        return super().draw_latent(n, 0, truncation)


@caught_by(checks.check_export, "truncation changes nothing")
@caught_by(checks.check_sampling, "latents beyond the truncation")
class DoesNotTruncate(Sound):
    def draw_latent(self, n, seed, truncation):
        return super().draw_latent(n, seed, np.inf)


@caught_by(checks.check_sampling, "one seed gives two sets of pictures")
class DrawsAnyPictures(Sound):
    def draw_latent(self, n, seed, truncation):
        return tf.random.normal((n, self.latent_dim))


@caught_by(checks.check_sampling, "sampling changes the model")
class IsMovedBySampling(Sound):
    def generate(self, latent):
        self.generator.trainable_variables[0].assign_add(1e-9 * tf.ones((4, 3)))
        return super().generate(latent)


@caught_by(checks.check_export, "off by")
class ExportsTheWrongNetwork(Sound):
    def signatures(self):
        signatures = super().signatures()
        function, inputs = signatures["serving_default"]
        return {**signatures, "serving_default": (lambda latent: -function(latent), inputs)}


# Of which class.


@caught_by(checks.check_sampling, "not refused with makes pictures without labels")
class TakesALabelThatItHasNoUseFor(Sound):
    def sample(self, n, seed=0, label=None, truncation=None):
        return super().sample(n, seed, None, truncation)


@caught_by(config_with_labels, r"classes \[0, 1, 2\] are \[\]", networks=LABELLED)
class ForgetsItsClasses(Sound):
    def get_config(self):
        return {**super().get_config(), "classes": []}


@caught_by(sampling_with_labels, "the label changes no picture", networks=LABELLED)
class IgnoresTheLabel(Sound):
    def generate(self, latent, label):
        return super().generate(latent, tf.zeros_like(label))


@caught_by(export_with_labels, "is not refused", networks=LABELLED)
class TakesAnyLabel(Sound):
    def _known(self, label):
        return label


@caught_by(sampling_with_labels, r"classes by chance are .*\(3\)", networks=LABELLED)
class DrawsLabelsOutsideItsClasses(TakesAnyLabel):
    def draw_label(self, n, seed, label):
        drawn = super().draw_label(n, seed, label)
        return tf.where(tf.broadcast_to(label, (n,)) < 0, drawn + 1, drawn)


@caught_by(sampling_with_labels, "classes by chance are {", networks=LABELLED)
class DrawsOneClassAlone(Sound):
    def draw_label(self, n, seed, label):
        return tf.maximum(tf.broadcast_to(label, (n,)), 1)


@caught_by(sampling_with_labels, "the seed draws no other classes", networks=LABELLED)
class DrawsTheSameClasses(Sound):
    def draw_label(self, n, seed, label):
        return super().draw_label(n, 0, label)


@caught_by(sampling_with_labels, "asked for 2 and 1, labels are", networks=LABELLED)
class DrawsLabelsThatAreAskedFor(Sound):
    def draw_label(self, n, seed, label):
        return super().draw_label(n, seed, -1)


@caught_by(sampling_with_labels, "other labels than drawn are used", networks=LABELLED)
class DrawsItsLabelsTwice(Sound):
    def sample_labelled(self, n, seed, label, truncation):
        labels = super().draw_label(n, seed + tf.where(tf.reduce_min(label) < 0, 1, 0), label)
        return super().sample_labelled(n, seed, labels, truncation)


@caught_by(sampling_with_labels, "not refused with label=3 is no class", networks=LABELLED)
class MakesAnyClass(TakesAnyLabel):
    def sample(self, n, seed=0, label=None, truncation=None):
        labels = tf.constant(-1 if label is None else label)
        return self.sample_labelled(n, seed, labels, truncation or np.inf).numpy()


class ExportsOtherLabels(Sound):
    def signatures(self):
        found = super().signatures()
        function, inputs = found["sample"]

        def sample(n, seed, label, truncation):
            return function(n, seed, self.other(label), truncation)

        return {**found, "sample": (sample, inputs)}


@caught_by(export_with_labels, "labelled pictures are off", networks=LABELLED)
class ExportsSwappedLabels(ExportsOtherLabels):
    def other(self, label):
        return tf.where((label == 0) | (label == 1), 1 - label, label)


@caught_by(export_with_labels, "one label for all is not one for each", networks=LABELLED)
class ExportsOneLabelForAllWrongly(ExportsOtherLabels):
    def other(self, label):
        return tf.where((tf.rank(label) == 0) & (label == 1), 0, label)


@caught_by(export_with_labels, "70 pictures are off by", networks=LABELLED)
class ExportsOneClassByDefault(ExportsOtherLabels):
    def other(self, label):
        return tf.maximum(label, 0)


@caught_by(export_with_labels, "a batch of 5 is off by", networks=LABELLED)
class ServesOtherLabels(Sound):
    def signatures(self):
        found = super().signatures()
        function, inputs = found["serving_default"]

        def serve(latent, label):
            return function(latent, 2 - label)

        return {**found, "serving_default": (serve, inputs)}


# Half precision.


@caught_by(bfloat16, "logits are .*bfloat16")
@caught_by(float16, "logits are .*float16")
class KeepsLogitsHalf(Sound):
    def discriminate(self, image, batch):
        return self.discriminator({"image": image}, training=True)


@caught_by(bfloat16, "images are .*bfloat16")
class KeepsImagesHalf(Sound):
    def generate(self, latent):
        return self.sampler({"latent": latent}, training=False)


@caught_by(float16, "loss scaling is False")
class DoesNotWrapItsOptimizers(Sound):
    def _is_float16(self):
        return False


@caught_by(float16, "gradients of")
class ForgetsToScaleTheLoss(Sound):
    def compile(self, **kwargs):
        super().compile(**kwargs)
        for name in self.optimizes:
            object.__setattr__(getattr(self, name), "scale_loss", lambda loss: loss)


@caught_by(bfloat16, "is nan")
class OverflowsInHalf(Sound):
    def discriminator_loss(self, real_logits, fake_logits):
        loss = super().discriminator_loss(real_logits, fake_logits)
        half = self.generator.layers[1].compute_dtype != "float32"
        return loss * (np.nan if half else 1.0)


@caught_by(traced_bfloat16, "nan")
class OverflowsWhenTraced(Sound):
    def discriminator_loss(self, real_logits, fake_logits):
        loss = super().discriminator_loss(real_logits, fake_logits)
        return loss * (1.0 if tf.executing_eagerly() else np.nan)


@pytest.mark.parametrize(("row", "check", "message"), FAULTS)
def test_a_fault_is_caught(row, check, message):
    with pytest.raises(AssertionError, match=message):
        check(support.Subject(row))


def test_updates_that_lost_their_order_are_caught(monkeypatch):
    monkeypatch.setattr(replicas, "expecting_means", lambda optimizer: optimizer)
    with pytest.raises(AssertionError, match="have no order"):
        checks.check_order(support.Subject(registry.load("wgan")))
