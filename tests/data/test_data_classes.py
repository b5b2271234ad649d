"""A data set confined to some of its classes, which keep their labels."""

import itertools

import numpy as np
import pytest

from tfgans import DataSpec, UsageError, data, factory, training
from tfgans.data import pipeline


def opened(classes, split="train", name="optdigits", **kwargs):
    return data.open_source(name, split=split, classes=classes, **kwargs)


@pytest.mark.parametrize("split", data.SPLITS)
def test_only_pictures_of_the_classes_are_left_with_their_labels(split):
    everything, some = data.open_source("digits", split=split), opened([3, 1], split, "digits")
    kept = np.isin(everything.labels, [1, 3])
    assert some.size == kept.sum() == {"train": 800, "test": 200}[split]
    np.testing.assert_array_equal(some.labels, everything.labels[kept])
    np.testing.assert_array_equal(some.images(), everything.images()[kept])
    assert set(some.labels) == {1, 3}


def test_a_picture_stays_on_its_side_of_the_split():
    """Which pictures are held out does not depend on the classes asked for."""
    for classes in ([1], [1, 3], range(10)):
        parts = [opened(classes, split) for split in data.SPLITS]
        whole = [data.open_source("optdigits", split=split) for split in data.SPLITS]
        for part, all_ in zip(parts, whole, strict=True):
            assert set(part.index) <= set(all_.index)
        assert not set(parts[0].index) & set(parts[1].index)


def test_what_networks_know_of_it():
    """As many classes as before, of which some occur: labels keep their meaning."""
    some = opened([7, 1, 7])
    assert some.spec == DataSpec((8, 8, 1), 10, (1, 7))
    assert some.spec.classes == (1, 7)
    assert some.spec.keys == ("image", "label")
    assert some.class_names == tuple("0123456789")
    assert some.description.endswith(" train pictures of 8x8x1, 10 classes, of these 1, 7")
    assert data.open_source("optdigits").spec.classes == tuple(range(10))
    assert opened(range(10)).size == data.open_source("optdigits").size
    assert opened(np.array([1, 7])).spec == some.spec


@pytest.mark.parametrize("split", data.SPLITS)
def test_batches_are_of_the_classes(split):
    dataset, spec = data.load("optdigits", split=split, classes=[1, 7], batch_size=20)
    batches = list(itertools.islice(dataset.as_numpy_iterator(), 30))
    assert spec.classes == (1, 7)
    labels = np.concatenate([batch["label"] for batch in batches])
    assert set(labels) == {1, 7}
    known = pipeline.to_float(opened([1, 7], split).images()).numpy()
    known = dict(zip([p.tobytes() for p in known], opened([1, 7], split).labels, strict=True))
    for batch in batches:
        for picture, label in zip(batch["image"], batch["label"], strict=True):
            assert known[picture.tobytes()] == label


def test_an_epoch_is_of_the_classes_pictures():
    source = opened([1, 7])
    dataset, _ = data.load("optdigits", classes=[1, 7], batch_size=source.size)
    first, second = (b["image"] for b in itertools.islice(dataset.as_numpy_iterator(), 2))
    wanted = sorted(p.tobytes() for p in pipeline.to_float(source.images()).numpy())
    assert sorted(p.tobytes() for p in first) == wanted == sorted(p.tobytes() for p in second)
    assert not np.array_equal(first, second)


@pytest.fixture
def gaps(tmp_path):
    """Pictures of the classes 0, 2 and 3, of which there are 20, 20 and one; a bare file."""
    pixels = np.random.default_rng(0).integers(0, 256, (41, 8, 8), np.uint8)
    np.savez(tmp_path / "gaps.npz", images=pixels, labels=np.repeat([0, 2, 3], [20, 20, 1]))
    np.savez(tmp_path / "bare.npz", images=pixels)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "classes", "says"),
    [
        ("optdigits", [10], "classes=10: 'optdigits' has the classes 0-9"),
        ("optdigits", [3, 11, 12, 13, 20], "classes=11-13, 20: 'optdigits' has the classes 0-9"),
        ("optdigits", [], "classes=none: 'optdigits' has the classes 0-9"),
        ("optdigits", [-1], "classes=-1 must lie between 0 and 2147483647"),
        ("optdigits", ["one"], "classes='one' must be an int"),
        ("optdigits", [1.0], r"classes=1\.0 must be an int"),
        ("bare.npz", [0], r"classes=0: '.*bare\.npz' has no labels"),
        ("gaps.npz", [0, 1], r"classes=1: '.*gaps\.npz' has the classes 0, 2-3"),
    ],
)
def test_classes_that_are_not_there_are_refused_in_one_line(name, classes, says, gaps):
    path = str(gaps / name) if name.endswith(".npz") else name
    with pytest.raises(UsageError, match=f"^{says}$"):
        opened(classes, name=path)


def test_a_split_without_a_picture_of_the_classes_is_refused(gaps):
    path = str(gaps / "gaps.npz")
    assert opened([3], name=path).size == 1
    with pytest.raises(UsageError, match=r"^'.*gaps\.npz' has 1 picture\(s\) of the classes 3: "):
        opened([3], "test", path)


@pytest.mark.parametrize(
    ("num_classes", "classes", "says"),
    [
        (3, (0, 3), r"classes=\(0, 3\) must be some of the 3 labels from 0 on"),
        (3, (), r"classes=\(\) must be some of the 3 labels from 0 on"),
        (0, (0,), r"classes=\(0,\) must be some of the 0 labels from 0 on"),
        (3, (-1,), "classes=-1 must lie between 0 and"),
        (3, ("1",), "classes='1' must be an int"),
    ],
)
def test_a_spec_of_classes_that_cannot_be_is_refused(num_classes, classes, says):
    with pytest.raises(UsageError, match=f"^{says}"):
        DataSpec((8, 8, 1), num_classes, classes)


def test_a_spec_holds_plain_ascending_labels():
    spec = DataSpec((8, 8, 1), 5, np.array([4, 1, 4]))
    assert spec.classes == (1, 4)
    assert {type(label) for label in spec.classes} == {int}
    assert DataSpec((8, 8, 1)).classes == ()
    assert DataSpec((8, 8, 1), 3).classes == (0, 1, 2)


def test_a_class_that_does_not_occur_is_none_of_the_data(gaps):
    spec = data.open_source(str(gaps / "gaps.npz")).spec
    assert (spec.num_classes, spec.classes) == (4, (0, 2, 3))
    assert data.open_source(str(gaps / "bare.npz")).spec.classes == ()


# In a training.

TINY = {"generator.width": 4, "discriminator.width": 4}


def test_training_takes_classes_in_any_order_and_says_them_in_its_options():
    plan = training.resolve("dcgan", dataset="optdigits", classes=(7, 1, 7), options=TINY)
    assert plan["classes"] == [1, 7]
    assert plan["num_classes"] == 10
    assert plan["labels"] == [1, 7]
    every = training.resolve("dcgan", dataset="optdigits", options=TINY)
    assert (every["classes"], every["labels"]) == (None, list(range(10)))


def test_a_model_takes_only_labels_that_occur(gaps, tmp_path):
    options = {**TINY, "generator.latent_dim": 2}
    places = {"run_dir": tmp_path / "run", "export_dir": tmp_path / "export"}
    given = {"dataset": str(gaps / "gaps.npz"), "image_size": 16, "batch_size": 4, "steps": 1}
    done = training.train("cgan", options=options, **given, **places)
    for model in (done.model, factory.load(done.run_dir), factory.load(done.export_dir)):
        assert model.classes == [0, 2, 3]
        with pytest.raises(UsageError, match="label=1 is no class of this model, which has 0, 2-3"):
            model.sample(1, label=1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"classes": 3}, r"classes=3 must be a list of labels, such as \[0, 1, 2\]"),
        ({"classes": "1,3"}, "classes='1' must be an int"),
        ({"classes": []}, "classes=none: 'optdigits' has the classes 0-9"),
        ({"classes": [10]}, "classes=10: 'optdigits' has the classes 0-9"),
        ({"classes": [1], "batch_size": 500}, "batch_size=500 is larger than the data: optdigits"),
    ],
)
def test_training_refuses_classes_before_it_starts(given, says):
    with pytest.raises(UsageError, match=f"^{says}"):
        training.resolve("dcgan", dataset="optdigits", options=TINY, **given)
