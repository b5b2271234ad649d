"""AC-GAN's two losses for each player, at logits whose sigmoids and softmaxes are fractions.

A picture is four numbers here: its logit, and those of three classes. The discriminator only
multiplies the one and the others, `source` and `classes`, both 1; the generator looks a picture up
in a table by its label.
"""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgans.models.acgan import ACGAN

LN2, LN3, LN5, LN7 = (math.log(number) for number in (2, 3, 5, 7))

# s(ln 3) = 3/4, s(-ln 3) = 1/4, s(ln 7) = 7/8; softmax(0, ln 2, ln 5) = 1/8, 2/8, 5/8.
REAL = [[LN3, 0.0, LN2, LN5], [-LN3, 0.0, LN2, LN5]]
LABELS = [2, 0]
TABLE = [[LN7, 0.0, LN2, LN5], [9.0, 9.0, 9.0, 9.0], [0.0, LN5, LN2, 0.0]]  # row 1 is not asked for

# -log s(real), -log(1 - s(fake)) and -log s(fake), means of two.
D_SOURCE = math.log(4 / 3 * 4) / 2 + math.log(8 * 2) / 2
G_SOURCE = math.log(8 / 7 * 2) / 2
# -log softmax[label]: real 5/8 and 1/8; generated of label 2 is row 2: 1/8, of 0 is row 0: 1/8.
REAL_CLASS, FAKE_CLASS = math.log(8 / 5 * 8) / 2, math.log(8 * 8) / 2


class Scales(keras.layers.Layer):
    """Multiplies the first number and the others, each by a weight."""

    def build(self, input_shape):
        self.source = self.add_weight(shape=(), initializer="ones", name="source")
        self.classes = self.add_weight(shape=(), initializer="ones", name="classes")

    def call(self, inputs):
        flat = tf.reshape(inputs, (-1, 4))
        return flat[:, :1] * self.source, flat[:, 1:] * self.classes


class Table(keras.layers.Layer):
    """The picture of a label, whatever the latent."""

    def build(self, input_shape):
        self.table = self.add_weight(shape=(3, 4), name="table")

    def call(self, latent, label):
        return tf.reshape(tf.gather(self.table.value, label), (-1, 2, 2, 1)) + 0.0 * latent[0, 0]


@pytest.fixture
def model():
    image, latent = keras.Input((2, 2, 1), name="image"), keras.Input((1,), name="latent")
    label = keras.Input((), dtype="int32", name="label")
    logits, class_logits = Scales()(image)
    told = {"logits": logits, "class_logits": class_logits}
    pictures = Table()(latent, label)
    generator = keras.Model({"latent": latent, "label": label}, pictures)
    generator.set_weights([np.array(TABLE)])
    made = ACGAN(generator, keras.Model({"image": image}, told), class_weight=0.5, classes=range(3))
    made.compile(**{name: keras.optimizers.SGD(0.1) for name in made.optimizes})
    return made


@pytest.fixture
def batch():
    return {
        "image": tf.reshape(tf.constant(REAL), (2, 2, 2, 1)),
        "label": tf.constant(LABELS),
    }


def terms_and_gradients(terms_of, batch, variables):
    with tf.GradientTape(persistent=True) as tape:
        terms = terms_of(batch)
    found = [tape.gradient(term, [v.value for v in variables]) for term in terms]
    return [float(term) for term in terms], found


def test_discriminator_terms(model, batch):
    """The class loss, of real and of generated pictures, is added with one sign to the source's."""
    variables = model.discriminator.trainable_variables

    def terms_of(batch):
        images = batch["image"], model.fake_images(batch, "latent")
        return model.discriminator_terms(*(model.discriminate(image, batch) for image in images))

    terms, (of_source, of_class) = terms_and_gradients(terms_of, batch, variables)
    np.testing.assert_allclose(terms, [D_SOURCE, 0.5 * (REAL_CLASS + FAKE_CLASS)], rtol=1e-6)
    # (s - 1) l of real pictures and s l of generated ones.
    by_hand = (-1 / 4 * LN3 + 3 / 4 * LN3) / 2 + 7 / 8 * LN7 / 2
    np.testing.assert_allclose(of_source[0], by_hand, rtol=1e-6)
    assert of_source[1] is of_class[0] is None
    # Sum of softmax l, less that of the label, of the four pictures: each sum is the same.
    expected = (2 * LN2 + 5 * LN5) / 8
    by_hand = 0.5 * (4 * expected - LN5 - 0.0 - 0.0 - 0.0) / 2
    np.testing.assert_allclose(of_class[1], by_hand, rtol=1e-6)


def test_generator_terms(model, batch):
    """It wants its pictures taken for real (down -log s) and their classes told rightly."""

    def terms_of(batch):
        told = model.discriminate(model.fake_images(batch, "latent"), batch)
        return model.generator_terms(told)

    terms, found = terms_and_gradients(terms_of, batch, model.generator.trainable_variables)
    np.testing.assert_allclose(terms, [G_SOURCE, 0.5 * FAKE_CLASS], rtol=1e-6)
    (of_source,), (of_class,) = ([tf.convert_to_tensor(g) for g in each] for each in found)
    # s - 1, halved by the mean, in the logit's column alone.
    by_hand = np.zeros((3, 4))
    by_hand[[0, 2], 0] = -1 / 16, -1 / 4
    np.testing.assert_allclose(of_source, by_hand, rtol=1e-6, atol=1e-8)
    # (softmax - label) halved by the mean and by the weight; nothing for the row not asked for.
    by_hand = np.zeros((3, 4))
    by_hand[0, 1:] = -7 / 8, 2 / 8, 5 / 8
    by_hand[2, 1:] = 5 / 8, 2 / 8, -7 / 8
    np.testing.assert_allclose(of_class, by_hand / 4, rtol=1e-6, atol=1e-8)


def test_a_step_goes_down_both_terms_of_each_player(model, batch):
    """The discriminator's two weights first; then the table, by the discriminator that it met."""
    logs = model.train_step(batch)
    np.testing.assert_allclose(
        [logs["d_loss"], logs["d_class_loss"]],
        [D_SOURCE, 0.5 * (REAL_CLASS + FAKE_CLASS)],
        rtol=1e-6,
    )
    source, classes = (float(v) for v in model.discriminator.trainable_variables)
    expected = (2 * LN2 + 5 * LN5) / 8
    assert source == pytest.approx(1 - 0.1 * (LN3 / 4 + 7 / 16 * LN7), rel=1e-6)
    assert classes == pytest.approx(1 - 0.1 * (4 * expected - LN5) / 4, rel=1e-6)
    fake = np.array(TABLE)[LABELS] * [source, classes, classes, classes]
    logit, shares = 1 / (1 + np.exp(-fake[:, 0])), np.exp(fake[:, 1:])
    shares /= shares.sum(axis=1, keepdims=True)
    right = shares[[0, 1], LABELS]
    np.testing.assert_allclose(
        [logs["g_loss"], logs["g_class_loss"]],
        [-np.log(logit).mean(), -0.5 * np.log(right).mean()],
        rtol=1e-5,
    )
    moved = np.array(TABLE)
    moved[LABELS, 0] -= 0.1 * source * (logit - 1) / 2
    moved[LABELS, 1:] -= 0.1 * 0.5 * classes * (shares - np.eye(3)[LABELS]) / 2
    (table,) = model.generator.get_weights()
    np.testing.assert_allclose(table, moved, rtol=1e-5)


def test_means_of_the_source_logits_are_logged(model, batch):
    logs = model.train_step(batch)
    assert float(logs["d_real"]) == pytest.approx(0.0, abs=1e-6)
    assert float(logs["d_fake"]) == pytest.approx(LN7 / 2, rel=1e-6)


def test_critic_is_of_the_source_alone(model, batch):
    np.testing.assert_allclose(model.critic(batch)(batch["image"]), [[LN3], [-LN3]], rtol=1e-6)
