import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tfgans import data
from tfgans.data import source
from tfgans.errors import UsageError


def one_nn_accuracy(real, fake):
    """Leave-one-out accuracy of a 1-nearest-neighbour classifier; 0.5 means alike."""
    pictures = np.concatenate([real, fake]).reshape(len(real) + len(fake), -1) / 255.0
    is_real = np.arange(len(pictures)) < len(real)
    norms = (pictures**2).sum(1)
    distances = norms[:, None] + norms[None, :] - 2 * pictures @ pictures.T
    np.fill_diagonal(distances, np.inf)
    return np.mean(is_real[distances.argmin(1)] == is_real)


def keys_of(images):
    return [image.tobytes() for image in images]


def test_digits_are_4000_and_1000_in_equal_classes():
    train, test = (data.open_source("digits", split=split) for split in ("train", "test"))
    assert (train.size, test.size) == (4000, 1000)
    assert train.spec.image_shape == (28, 28, 1)
    assert train.spec.num_classes == 10
    assert np.bincount(train.labels).tolist() == [400] * 10
    assert np.bincount(test.labels).tolist() == [100] * 10
    assert train.images().dtype == np.uint8
    assert train.labels.dtype == np.int32
    assert (train.images().min(), train.images().max()) == (0, 255)


def test_digits_split_is_whole_and_disjoint():
    train, test = (data.open_source("digits", split=split) for split in ("train", "test"))
    assert sorted([*train.index, *test.index]) == list(range(5000))
    assert not set(keys_of(train.images())) & set(keys_of(test.images()))


def test_digits_split_is_fixed():
    test = data.open_source("digits", split="test")
    digest = hashlib.sha256(test.images().tobytes() + test.labels.tobytes()).hexdigest()
    assert digest[:16] == "d92df9222614d96b"


def test_first_part_of_a_split_is_a_fair_sample():
    for split in ("train", "test"):
        labels = data.open_source("digits", split=split).labels
        assert np.bincount(labels[:500], minlength=10).min() >= 30


@pytest.mark.parametrize("first", [0, 1000, 2000, 3000])
def test_train_and_test_cannot_be_told_apart(first):
    train = data.open_source("digits").images()[first : first + 1000]
    test = data.open_source("digits", split="test").images()
    assert 0.47 <= one_nn_accuracy(train, test) <= 0.53


def test_optdigits_are_those_of_scikit_learn():
    train, test = (data.open_source("optdigits", split=split) for split in ("train", "test"))
    assert train.spec.image_shape == (8, 8, 1)
    assert train.size + test.size == 1797
    wanted = load_digits()
    images = np.rint(wanted.images * 255 / 16).astype(np.uint8)[..., None]
    for part in (train, test):
        np.testing.assert_array_equal(part.images(), images[part.index])
        np.testing.assert_array_equal(part.labels, wanted.target[part.index])
    shares = np.bincount(test.labels) / np.bincount(wanted.target)
    assert abs(shares - 0.2).max() < 0.005


@pytest.mark.parametrize("name", data.NAMES_DIGITS)
def test_packaged_digits_state_licence_and_classes(name):
    opened = data.open_source(name)
    assert "CC BY" in opened.licence
    assert opened.class_names == tuple("0123456789")
    assert opened.bad_files == []
    assert opened.in_memory
    assert "\n" not in opened.description


def test_digits_come_in_any_size():
    opened = data.open_source("digits", image_size=(32, 24), fit="resize")
    assert opened.spec.image_shape == (32, 24, 1)
    assert opened.images(3).shape == (3, 32, 24, 1)


def test_a_missing_package_is_named(monkeypatch):
    from tfgans.data import digits

    row = ("no-such-package", *digits._PACKAGED["digits"][1:])
    monkeypatch.setitem(digits._PACKAGED, "digits", row)
    digits._parsed.cache_clear()
    with pytest.raises(UsageError, match="install no-such-package"):
        data.open_source("digits")
    digits._parsed.cache_clear()


@pytest.mark.parametrize("counts", [(1,), (2,), (1, 9, 100), (33, 33)])
def test_hold_out_takes_its_share_of_each_class(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    parts = source.hold_out(labels, len(labels), 0.1)
    assert sorted([*parts["train"], *parts["test"]]) == list(range(len(labels)))
    held = np.bincount(labels[parts["test"]], minlength=len(counts))
    wanted = [0 if count == 1 else max(1, round(0.1 * count)) for count in counts]
    assert held.tolist() == wanted


def test_hold_out_without_labels():
    parts = source.hold_out(None, 40, 0.1)
    assert len(parts["test"]) == 4
    assert sorted([*parts["train"], *parts["test"]]) == list(range(40))
