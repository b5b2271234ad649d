"""Real digits with their features, and small SavedModels, shared by the tests of evaluation."""

import json

import numpy as np
import pytest
import tensorflow as tf

from tfgans import data, evaluation, features
from tfgans.evaluation import Reference, Sample


@pytest.fixture(scope="session")
def digits_cnn():
    return features.open_features("digits_cnn")


@pytest.fixture(scope="session")
def digits(digits_cnn):
    """Samples of 400 training and 200 held-out digits."""
    pictures = {split: data.open_source("digits", split=split) for split in data.SPLITS}
    counts = {"train": 400, "test": 200}
    return {
        split: Sample.of(source.images(counts[split]), digits_cnn)
        for split, source in pictures.items()
    }


@pytest.fixture(scope="session")
def reference(digits, digits_cnn):
    return Reference(digits["test"], digits["train"], digits["test"], "test", digits_cnn)


@pytest.fixture(scope="session")
def noise(digits_cnn):
    """200 pictures of noise."""
    pictures = np.random.default_rng(0).integers(0, 256, (200, 28, 28, 1), dtype=np.uint8)
    return Sample.of(pictures, digits_cnn)


@pytest.fixture(scope="session")
def evaluated(noise, reference):
    """Everything that is said of the noise."""
    return evaluation.evaluate(noise, reference)


class Labelled(tf.Module):
    """A conditional generator that returns a training digit of the class asked for."""

    def __init__(self, source, num_classes=10, offset=0):
        super().__init__()
        labels = source.labels
        first = [int(np.flatnonzero(labels == label)[0]) for label in range(num_classes)]
        self.pictures = tf.Variable(source.images()[first])
        self.offset, self.num_classes = offset, num_classes

    @tf.function(
        input_signature=[
            tf.TensorSpec((), tf.int32, name="n"),
            tf.TensorSpec((), tf.int32, name="seed"),
            tf.TensorSpec(None, tf.int32, name="label"),
        ],
        autograph=False,
    )
    def sample(self, n, seed, label):
        del seed
        labels = tf.broadcast_to(label, (n,))
        image = tf.gather(self.pictures, (labels + self.offset) % self.num_classes)
        return {"image": image}


@pytest.fixture
def save_labelled(tmp_path):
    """Writes a `Labelled` generator with a card; `offset` makes it wrong about the class."""

    def save(offset=0):
        folder = tmp_path / f"labelled{offset}"
        module = Labelled(data.open_source("digits"), offset=offset)
        tf.saved_model.save(module, str(folder), signatures={"sample": module.sample})
        card = {"labels": list(range(10)), "dataset": "digits"}
        (folder / "card.json").write_text(json.dumps(card))
        return folder

    return save
