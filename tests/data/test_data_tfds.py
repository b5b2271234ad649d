import contextlib
import io
import socket
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tfgans import compat, data
from tfgans.data import rows, source
from tfgans.errors import UsageError


def store(data_dir, name, version, splits, shape=(28, 28, 1), classes=10):
    """Prepares a data set as TFDS itself would after a download."""
    features = {"image": tfds.features.Image(shape=shape)}
    if classes:
        features["label"] = tfds.features.ClassLabel(num_classes=classes)
    with contextlib.redirect_stdout(io.StringIO()), compat.quiet_tfds():
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version=version,
            data_dir=data_dir,
            features=tfds.features.FeaturesDict(features),
            split_datasets={
                split: tf.data.Dataset.from_tensor_slices(arrays)
                for split, arrays in splits.items()
            },
        )


def digits(split, count):
    source = data.open_source("digits", split=split)
    return {"image": source.images(count), "label": source.labels[:count].astype(np.int64)}


def rows_of(images, labels):
    return sorted(
        (image.tobytes(), int(label)) for image, label in zip(images, labels, strict=True)
    )


@pytest.fixture(scope="module")
def mnist_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    splits = {"train": digits("train", 120), "test": digits("test", 50)}
    store(folder, "mnist", "3.0.1", splits)
    return folder


def test_the_true_mnist_builder_reads_prepared_data(mnist_dir):
    for split, count in (("train", 120), ("test", 50)):
        source = data.open_source("tfds:mnist", split=split, data_dir=mnist_dir)
        assert source.spec.image_shape == (28, 28, 1)
        assert source.spec.num_classes == 10
        assert source.class_names == tuple("0123456789")
        assert "yann.lecun.com" in source.licence
        wanted = digits(split, count)
        assert rows_of(source.images(), source.labels) == rows_of(wanted["image"], wanted["label"])


def test_batches_of_a_tfds_data_set(mnist_dir):
    dataset, spec = data.load("tfds:mnist", data_dir=mnist_dir, batch_size=20, image_size=32)
    assert spec.image_shape == (32, 32, 1)
    assert dataset.element_spec["image"].shape == (20, 32, 32, 1)
    assert next(dataset.as_numpy_iterator())["label"].dtype == np.int32


def test_reading_is_the_same_each_time_and_from_disk(mnist_dir, monkeypatch):
    first = data.open_source("tfds:mnist", data_dir=mnist_dir)
    assert data.open_source("tfds:mnist", data_dir=mnist_dir).collection is first.collection
    source._latest.clear()
    second = data.open_source("tfds:mnist", data_dir=mnist_dir)
    np.testing.assert_array_equal(first.images(), second.images())
    monkeypatch.setattr(rows, "MEMORY_LIMIT_BYTES", 1000)
    third = data.open_source("tfds:mnist", data_dir=mnist_dir)
    assert not third.in_memory
    np.testing.assert_array_equal(first.images(), third.images())


def test_without_a_test_split_a_tenth_is_held_out(tmp_path):
    store(tmp_path, "own_digits", "1.0.0", {"train": digits("train", 200)})
    train, test = (
        data.open_source("tfds:own_digits", split=split, data_dir=tmp_path)
        for split in ("train", "test")
    )
    assert train.size + test.size == 200
    assert 15 <= test.size <= 25
    assert not {i.tobytes() for i in train.images()} & {i.tobytes() for i in test.images()}


def test_any_prepared_data_set_without_labels_and_of_two_sizes(tmp_path):
    images = {"image": np.zeros((30, 6, 9, 3), np.uint8)}
    store(tmp_path, "own_pictures", "1.0.0", {"train": images}, shape=(None, None, 3), classes=0)
    source = data.open_source("tfds:own_pictures", data_dir=tmp_path)
    assert source.spec.keys == ("image",)
    assert source.spec.image_shape == (6, 9, 3)
    source = data.open_source("tfds:own_pictures", data_dir=tmp_path, image_size=(4, 5))
    assert source.spec.image_shape == (4, 5, 3)


def test_damaged_data_is_told_in_one_line(tmp_path):
    images = {"image": np.zeros((30, 6, 9, 3), np.uint8)}
    store(tmp_path, "own_pictures", "1.0.0", {"train": images}, shape=(6, 9, 3), classes=0)
    [record] = tmp_path.glob("own_pictures/1.0.0/*.tfrecord*")
    record.write_bytes(record.read_bytes()[:-50])
    with pytest.raises(UsageError, match="'tfds:own_pictures' cannot be read from") as caught:
        data.open_source("tfds:own_pictures", data_dir=tmp_path)
    assert "\n" not in str(caught.value)


@pytest.fixture
def no_network(monkeypatch):
    def fail(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", fail)


def test_a_data_set_that_cannot_be_downloaded_fails_soon(tmp_path, no_network):
    began = time.monotonic()
    with pytest.raises(UsageError) as caught:
        data.load("tfds:cifar10", data_dir=tmp_path)
    assert time.monotonic() - began < 5
    text = str(caught.value)
    assert "\n" not in text
    assert "'tfds:cifar10' cannot be downloaded" in text
    assert "need no network: digits, optdigits, emoji, emoji:subgroup, a FOLDER of images" in text


def test_hosts_that_never_answer_are_not_waited_for(tmp_path, monkeypatch):
    end = threading.Event()

    def wait(*_, **__):
        end.wait(60)
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", wait)
    assert compat.CONNECT_SECONDS <= 4
    monkeypatch.setattr(compat, "CONNECT_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(UsageError, match="cannot be reached: no answer"):
        data.load("tfds:mnist", data_dir=tmp_path)
    end.set()
    assert time.monotonic() - began < 2


def test_tfds_is_left_as_it_was(tmp_path, no_network):
    from tensorflow_datasets.core.download import downloader

    before = downloader.MAX_RETRIES, downloader._open_url
    with pytest.raises(UsageError):
        data.load("tfds:mnist", data_dir=tmp_path)
    assert (downloader.MAX_RETRIES, downloader._open_url) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tfds:mnst", r"tensorflow-datasets has no 'mnst'. Did you mean 'mnist'"),
        ("tfds:", r"'tfds:' names no data set of tensorflow-datasets, as tfds:mnist does"),
        ("tfds:mnist:9.9.9", r"'tfds:mnist:9.9.9' cannot be opened: .*9.9.9"),
        ("tfds:mnist/large", r"'tfds:mnist/large' cannot be opened: .*large"),
        ("tfds:imdb_reviews", r"'tfds:imdb_reviews' has no pictures; its features are: .*text"),
        ("tfds:imagenet2012", r"cannot be downloaded \(Manual directory"),
    ],
)
def test_wrong_names_are_told_in_one_line(tmp_path, no_network, name, message):
    with pytest.raises(UsageError, match=message) as caught:
        data.load(name, data_dir=tmp_path)
    assert "\n" not in str(caught.value)
