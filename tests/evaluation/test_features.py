"""Feature spaces: the shipped classifier, own networks, TF-GAN's Inception by a stand-in."""

import hashlib
import json
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgans.features
from tfgans import UsageError, compat, data
from tfgans.features import open_features

FOLDER = Path(tfgans.features.__file__).parent
PICTURES = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8, 1)


def test_the_classifier_of_digits_is_small_and_as_good_as_is_said(digits_cnn):
    facts = json.loads((FOLDER / "digits_cnn.json").read_text("utf-8"))
    assert (FOLDER / "digits_cnn.keras").stat().st_size < 300_000
    test = data.open_source("digits", split="test")
    found = digits_cnn(test.images())
    accuracy = (found.labels == test.labels).mean()
    assert accuracy == pytest.approx(facts["test_accuracy"], abs=0.002)
    assert accuracy >= 0.975
    assert found.values.shape == (1000, 64)
    np.testing.assert_allclose(found.probabilities.sum(1), 1.0, rtol=1e-6)


def test_features_do_not_depend_on_the_batch(digits_cnn):
    pictures = data.open_source("digits", split="test").images(130)
    together = digits_cnn(pictures).values
    alone = np.concatenate([digits_cnn(pictures[i : i + 1]).values for i in (0, 99, 100, 129)])
    np.testing.assert_allclose(together[[0, 99, 100, 129]], alone, atol=1e-5)


def test_the_hash_is_that_of_the_file(digits_cnn):
    content = (FOLDER / "digits_cnn.keras").read_bytes()
    assert digits_cnn.sha256 == hashlib.sha256(content).hexdigest()


def test_pixels_are_scaled_and_flat():
    found = open_features("pixels")(PICTURES)
    assert found.probabilities is None
    assert found.labels is None
    np.testing.assert_allclose(found.values, PICTURES.reshape(2, 64) / 127.5 - 1.0, atol=1e-6)


class Means(tf.Module):
    """Features: the mean of each picture and its double; logits of two classes."""

    @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 1), tf.float32, name="pictures")])
    def __call__(self, pictures):
        mean = tf.reduce_mean(pictures, (1, 2, 3))
        return {"features": tf.stack([mean, 2 * mean], 1), "logits": tf.stack([mean, -mean], 1)}


def test_a_saved_model_by_its_path(tmp_path):
    module, path = Means(), tmp_path / "my net"
    tf.saved_model.save(module, str(path), signatures=module.__call__)
    extractor = open_features(path)
    found = extractor(PICTURES)
    means = (PICTURES / 127.5 - 1.0).mean((1, 2, 3))
    assert extractor.name == "my_net"
    np.testing.assert_allclose(found.values, np.stack([means, 2 * means], 1), rtol=1e-5)
    wanted = 1 / (1 + np.exp(-2 * means))
    np.testing.assert_allclose(found.probabilities[:, 0], wanted, rtol=1e-5)
    (path / "card.json").write_text("{}")
    assert open_features(path).sha256 == extractor.sha256, "a card changes no feature"
    with pytest.raises(UsageError, match=r"features='my_net' cannot read pictures of 4x4x1: "):
        extractor(PICTURES[:, :4, :4])


def test_a_keras_file_by_its_path_whose_only_output_is_the_features(tmp_path):
    image = keras.Input((8, 8, 1))
    path = tmp_path / "flat.keras"
    keras.Model(image, keras.layers.Flatten()(image)).save(path)
    extractor = open_features(str(path))
    assert extractor.name == "flat"
    np.testing.assert_allclose(
        extractor(PICTURES).values, open_features("pixels")(PICTURES).values, atol=1e-6
    )


def test_outputs_of_other_names_are_refused(tmp_path):
    image = keras.Input((8, 8, 1))
    flat = keras.layers.Flatten()(image)
    path = tmp_path / "two.keras"
    keras.Model(image, {"a": flat, "b": flat}).save(path)
    with pytest.raises(UsageError, match=r"gives \['a', 'b'\]; its output must be named features"):
        open_features(path)(PICTURES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digit_cnn", r"features='digit_cnn' is no known network. Did you mean 'digits_cnn'"),
        ("", "features='' is no known network"),
    ],
)
def test_unknown_names_are_refused(name, message):
    with pytest.raises(UsageError, match=message):
        open_features(name)


def test_a_damaged_file_is_refused_in_one_line(tmp_path):
    path = tmp_path / "bad.keras"
    path.write_bytes(b"no zip")
    with pytest.raises(UsageError, match=r"bad\.keras' cannot be read") as caught:
        open_features(path)
    assert "\n" not in str(caught.value)


class Inception(tf.Module):
    """Stands in for TF-GAN's: RGB of 299x299 to `pool_3` and `logits`."""

    @tf.function(input_signature=[tf.TensorSpec((None, 299, 299, 3), tf.float32)])
    def __call__(self, images):
        corners = images[:, ::298, ::298]
        pooled = tf.reduce_mean(images, (1, 2), keepdims=True)
        return {"pool_3": pooled, "logits": tf.reduce_sum(corners, (1, 2))}


@pytest.fixture
def inception(tmp_path):
    folder = tmp_path / "inception"
    tf.saved_model.save(Inception(), str(folder))
    return folder


def test_inception_from_a_folder_sees_rgb_of_its_size(inception):
    extractor = open_features(f"inception:{inception}")
    flat = np.full((2, 8, 8, 1), 255, np.uint8)
    found = extractor(flat)
    assert extractor.name == "inception"
    np.testing.assert_allclose(found.values, np.ones((2, 3)), atol=1e-5)
    np.testing.assert_allclose(found.probabilities, np.full((2, 3), 1 / 3), atol=1e-6)
    colour = np.zeros((1, 9, 7, 3), np.uint8)
    colour[..., 0] = 255
    np.testing.assert_allclose(extractor(colour).values, [[1.0, -1.0, -1.0]], atol=1e-5)


def test_inception_sees_pictures_brought_to_its_size_as_in_tf_1(inception):
    """Corner on corner: of two columns the second begins half-way, and the last is its end."""
    picture = np.zeros((1, 1, 2, 1), np.uint8)
    picture[:, :, 1] = 255
    (mean,) = open_features(f"inception:{inception}")(picture).values[:, 0]
    columns = np.minimum(np.arange(299) * 2 / 299, 1.0)
    assert mean == pytest.approx(np.mean(2.0 * columns - 1.0), abs=1e-5)


def test_outputs_without_names_or_of_other_rows_are_refused(tmp_path):
    images = keras.Input((4, 4, 1))
    flat = keras.layers.Flatten()(images)
    keras.Model(images, [flat, flat]).save(tmp_path / "two.keras")
    with pytest.raises(UsageError, match=r"\['output 0', 'output 1'\]; its output must be named"):
        open_features(tmp_path / "two.keras")(np.zeros((3, 4, 4, 1), np.uint8))
    turned = keras.ops.transpose(flat)
    keras.Model(images, turned).save(tmp_path / "turned.keras")
    with pytest.raises(UsageError, match=r"of shape \(16, 3\) for 3 picture\(s\)"):
        open_features(tmp_path / "turned.keras")(np.zeros((3, 4, 4, 1), np.uint8))


def test_inception_from_the_cache_of_tf_hub_needs_no_network(inception, tmp_path, monkeypatch):
    handle = compat.import_tensorflow_gan().eval.INCEPTION_TFHUB
    cache = tmp_path / "cache"
    cache.mkdir()
    inception.rename(cache / hashlib.sha1(handle.encode()).hexdigest())
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(cache))
    assert open_features("inception")(PICTURES).values.shape == (2, 3)


def test_inception_that_cannot_be_had_fails_soon_and_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    start = time.monotonic()
    with pytest.raises(UsageError, match=r"cannot load .*TFHUB_CACHE_DIR.*inception:FOLDER"):
        open_features("inception")
    assert time.monotonic() - start < 8.0
    with pytest.raises(UsageError, match=r"cannot load .*nowhere"):
        open_features("inception:nowhere")
