import itertools
import time

import numpy as np
import pytest
import tensorflow as tf

from tfgans import data
from tfgans.data import order, pipeline
from tfgans.errors import UsageError


def taken(dataset, count):
    return list(itertools.islice(dataset.as_numpy_iterator(), count))


def assert_equal_batches(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert set(one) == set(other)
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])


def test_elements_are_dicts_of_fixed_shape():
    dataset, spec = data.load("digits", batch_size=16, batches_per_step=5)
    assert spec.keys == ("image", "label")
    assert dataset.element_spec == {
        "image": tf.TensorSpec((80, 28, 28, 1), tf.float32),
        "label": tf.TensorSpec((80,), tf.int32),
    }
    assert dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    image = taken(dataset, 1)[0]["image"]
    assert (image.min(), image.max()) == (-1, 1)


@pytest.mark.parametrize("start", [1, 7, 30])
def test_start_step_skips_exactly(start):
    whole, _ = data.load("optdigits", batch_size=60, batches_per_step=2, seed=5)
    later, _ = data.load("optdigits", batch_size=60, batches_per_step=2, seed=5, start_step=start)
    assert_equal_batches(taken(later, 4), taken(whole, start + 4)[start:])


def test_a_far_step_is_reached_at_once():
    dataset, _ = data.load("optdigits", start_step=10**9)
    began = time.monotonic()
    taken(dataset, 1)
    assert time.monotonic() - began < 3


def test_batch_size_does_not_change_the_order():
    small, _ = data.load("optdigits", batch_size=30, seed=2)
    large, _ = data.load("optdigits", batch_size=30, batches_per_step=4, seed=2)
    rows = np.concatenate([batch["image"] for batch in taken(small, 8)])
    np.testing.assert_array_equal(
        rows, np.concatenate([batch["image"] for batch in taken(large, 2)])
    )


def test_each_epoch_shows_every_picture_once_with_its_label():
    source = data.open_source("optdigits")
    dataset, _ = data.load("optdigits", batch_size=100)  # 1,438 pictures: batches straddle epochs
    batches = taken(dataset, 29)
    images = np.concatenate([batch["image"] for batch in batches])
    labels = np.concatenate([batch["label"] for batch in batches])
    wanted = sorted(
        (image.tobytes(), label)
        for image, label in zip(
            pipeline.to_float(source.images()).numpy(), source.labels, strict=True
        )
    )
    for epoch in range(2):
        rows = slice(epoch * source.size, (epoch + 1) * source.size)
        seen = sorted(
            (image.tobytes(), label)
            for image, label in zip(images[rows], labels[rows], strict=True)
        )
        assert seen == wanted
    assert not np.array_equal(labels[: source.size], labels[source.size : 2 * source.size])


def test_strided_parts_do_not_depend_on_the_number_of_replicas():
    dataset, _ = data.load("optdigits", batch_size=12, batches_per_step=5)
    labels = taken(dataset, 1)[0]["label"]
    halves = np.split(labels, 2)  # what two replicas get
    for part in range(5):
        whole = labels[part::5]
        assert len(whole) == 12
        np.testing.assert_array_equal(np.concatenate([half[part::5] for half in halves]), whole)


def test_seed_changes_the_order_but_not_the_split():
    batches = [taken(data.load("digits", batch_size=4000, seed=s)[0], 1)[0] for s in (0, 1)]
    assert not np.array_equal(batches[0]["label"], batches[1]["label"])
    first, second = ({image.tobytes() for image in batch["image"]} for batch in batches)
    assert first == second


def test_test_split_is_one_pass_in_order():
    source = data.open_source("digits", split="test")
    dataset, _ = data.load("digits", split="test", batch_size=300)
    batches = taken(dataset, 100)
    assert [len(batch["image"]) for batch in batches] == [300, 300, 300, 100]
    np.testing.assert_array_equal(
        np.concatenate([b["label"] for b in batches]), source.labels, strict=True
    )
    images = np.concatenate([batch["image"] for batch in batches])
    np.testing.assert_array_equal(images, pipeline.to_float(source.images()))
    later, _ = data.load("digits", split="test", batch_size=300, start_step=2)
    assert_equal_batches(taken(later, 100), batches[2:])


def test_test_split_may_be_smaller_than_a_batch():
    dataset, _ = data.load("optdigits", split="test", batch_size=5000)
    assert [len(batch["image"]) for batch in taken(dataset, 5)] == [359]


def test_floats_give_back_every_level():
    levels = np.arange(256, dtype=np.uint8)
    floats = pipeline.to_float(levels).numpy()
    assert (floats[0], floats[255]) == (-1, 1)
    back = np.clip(np.round((floats + np.float32(1)) * np.float32(127.5)), 0, 255)
    np.testing.assert_array_equal(back, levels)


def test_eager_equals_graph():
    dataset, _ = data.load("optdigits", batch_size=64, seed=9, start_step=20)
    source = data.open_source("optdigits")
    indices = order.shuffled(20 * 64, 64, source.size, 9)
    eager = pipeline._batch(source, indices)
    assert_equal_batches(taken(dataset, 1), [{key: np.array(eager[key]) for key in eager}])


def test_twenty_iterators_give_the_same_elements():
    dataset, _ = data.load("optdigits", batch_size=32)
    first = taken(dataset, 3)
    for _ in range(20):
        assert_equal_batches(taken(dataset, 3), first)


def test_dropping_an_iterator_takes_no_time():
    dataset, _ = data.load("optdigits")
    assert not dataset.options().autotune.enabled
    assert dataset.options().deterministic
    iterator = iter(dataset)
    for _ in range(200):
        next(iterator)
    began = time.monotonic()
    del iterator
    assert time.monotonic() - began < 1


def test_report_gets_the_source():
    reports = []
    data.load("optdigits", report=reports.append)
    assert [source.name for source in reports] == ["optdigits"]
    assert reports[0].bad_files == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "digts"}, r"unknown data set 'digts'. Did you mean 'digits'"),
        ({"name": "emojis"}, r"'emojis'. Did you mean 'emoji' or 'emoji:subgroup'"),
        ({"name": "mnist"}, r"'mnist'. Did you mean 'tfds:mnist'.*a FOLDER of images, a FILE.npz"),
        ({"name": "qqqq"}, r"unknown data set 'qqqq'. There are: digits, optdigits, emoji,"),
        ({"name": "no/such/folder"}, r"'no/such/folder': there is no such folder"),
        ({"name": "no/such.npz"}, r"'no/such.npz': there is no such file"),
        ({"name": "digits", "split": "valid"}, r"split='valid' must be 'train' or 'test'"),
        ({"name": "digits", "fit": "pad"}, r"fit='pad' must be 'crop' or 'resize'"),
        ({"name": "digits", "data_dir": "/d"}, r"data_dir='/d' is for tfds:NAME, not for 'digits'"),
        ({"name": "digits", "image_size": 0}, r"image_size=0 must be 1 to 8192"),
        ({"name": "digits", "image_size": (28, 2.5)}, r"image_size=\(28, 2.5\) must be"),
        ({"name": "digits", "image_size": 2.5}, r"image_size=2.5 must be 1 to 8192"),
        ({"name": "digits", "image_size": "8"}, r"image_size='8' must be 1 to 8192"),
        ({"name": "digits", "image_size": (8, 8, 1)}, r"image_size=\(8, 8, 1\) must be 1 to 8192"),
        ({"name": "digits", "batch_size": 2.5}, r"batch_size=2.5 must be an int"),
        ({"name": "digits", "batch_size": 4001}, r"batch_size=4001 is more than the 4000 training"),
        ({"name": "digits", "batch_size": 0}, r"batch_size=0 must lie between 1 and"),
        ({"name": "digits", "batches_per_step": 0}, r"batches_per_step=0 must lie between 1 and"),
        ({"name": "digits", "start_step": -1}, r"start_step=-1 must lie between 0 and"),
    ],
)
def test_wrong_usage_is_told_in_one_line(arguments, message):
    with pytest.raises(UsageError, match=message) as caught:
        data.load(**arguments)
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "pictures.txt"
    path.write_text("no pictures")
    with pytest.raises(UsageError, match=r"neither a folder of images nor an \.npz file"):
        data.load(str(path))


def test_importing_the_package_imports_neither_numpy_nor_tensorflow(run_python, repo):
    code = (
        "import sys, tfgans.data; "
        "print([m for m in ('numpy', 'tensorflow', 'PIL') if m in sys.modules])"
    )
    done = run_python("-c", code, cwd=repo)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
