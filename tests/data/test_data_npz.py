import tempfile
import zipfile
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from tfgans import data
from tfgans.data import pictures, rows, source
from tfgans.errors import UsageError


def pixels(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def saved(tmp_path, save=np.savez, **arrays):
    path = tmp_path / "pictures.npz"
    save(path, **arrays)
    return str(path)


def both(path, **kwargs):
    return [data.open_source(path, split=split, **kwargs) for split in ("train", "test")]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("shape", [(40, 6, 9, 3), (40, 6, 9, 1), (40, 6, 9), (40, 5, 4, 4)])
def test_pictures_are_read_exactly(tmp_path, save, shape):
    images = pixels(*shape)
    train, test = both(saved(tmp_path, save, images=images))
    assert (train.size, test.size) == (36, 4)
    assert train.spec.image_shape == (*shape[1:3], shape[3] if len(shape) == 4 else 1)
    assert train.spec.num_classes == 0
    assert train.labels is None
    for part in (train, test):
        np.testing.assert_array_equal(
            part.images(), images.reshape(40, *part.spec.image_shape)[part.index]
        )
    assert not set(train.index) & set(test.index)


def test_labels_divide_the_hold_out(tmp_path):
    labels = np.repeat([0, 1, 3], [20, 50, 30])
    train, test = both(saved(tmp_path, images=pixels(100, 4, 4), labels=labels))
    assert np.bincount(test.labels).tolist() == [2, 5, 0, 3]
    assert np.bincount(train.labels).tolist() == [18, 45, 0, 27]
    assert train.spec.num_classes == 4
    np.testing.assert_array_equal(train.labels, labels[train.index])


def test_batches_carry_labels(tmp_path):
    images = np.arange(50, dtype=np.uint8)[:, None, None] * np.ones((2, 2), np.uint8)
    path = saved(tmp_path, images=images, labels=np.arange(50) % 5)
    dataset, spec = data.load(path, batch_size=9, batches_per_step=2)
    assert spec.keys == ("image", "label")
    batch = next(dataset.as_numpy_iterator())
    value = np.rint((batch["image"][:, 0, 0, 0] + 1) * 127.5)
    np.testing.assert_array_equal(value % 5, batch["label"])


def test_above_the_memory_limit_pictures_lie_on_disk_and_are_the_same(tmp_path, monkeypatch):
    path = saved(tmp_path, images=pixels(60, 5, 7, 3), labels=np.arange(60) % 3)
    in_memory = data.open_source(path)
    memory = next(data.load(path, batch_size=20, seed=4)[0].as_numpy_iterator())
    monkeypatch.setattr(rows, "MEMORY_LIMIT_BYTES", 1000)
    on_disk = data.open_source(path)
    assert in_memory.in_memory
    assert not on_disk.in_memory
    np.testing.assert_array_equal(in_memory.images(), on_disk.images())
    disk = next(data.load(path, batch_size=20, seed=4)[0].as_numpy_iterator())
    for key in ("image", "label"):
        np.testing.assert_array_equal(memory[key], disk[key])


def test_a_full_scratch_disk_is_told(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rows, "MEMORY_LIMIT_BYTES", 10)
    monkeypatch.setattr(rows.os, "posix_fallocate", full)
    with pytest.raises(UsageError, match=r"48 bytes.*No space left on device.*TMPDIR"):
        rows.blank((4, 2, 2, 3))


def test_scratch_files_have_no_name(monkeypatch, tmp_path):
    monkeypatch.setattr(rows, "MEMORY_LIMIT_BYTES", 10)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    scratch = rows.blank((4, 2, 2, 3))
    scratch[:] = 7
    assert isinstance(scratch, np.memmap)
    assert list(tmp_path.iterdir()) == []


def test_reading_in_chunks_changes_nothing(tmp_path, monkeypatch):
    from tfgans.data import arrays

    path = saved(tmp_path, images=pixels(50, 3, 3, 3))
    whole = data.open_source(path).images()
    monkeypatch.setattr(arrays, "_CHUNK_BYTES", 200)
    source._latest.clear()
    np.testing.assert_array_equal(data.open_source(path).images(), whole)


class Evil:
    def __reduce__(self):
        return print, ("code was run",)


PICTURES = {"images": pixels(20, 4, 4)}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": np.array([Evil()] * 3)}, "'images' holds pickled Python objects"),
        ({**PICTURES, "labels": np.array([Evil()] * 20)}, "'labels' holds pickled Python objects"),
        ({"x": pixels(3, 4, 4)}, r"needs an array 'images' \(it has: x\)"),
        ({"images": np.zeros((20, 4, 4), np.float32)}, "'images' is float32 of shape"),
        ({"images": pixels(20, 4)}, r"'images' is uint8 of shape \(20, 4\)"),
        ({"images": pixels(0, 4, 4)}, "holds no pictures"),
        ({"images": pixels(5, 4, 0)}, "holds no pictures"),
        ({"images": pixels(5, 4, 4, 2)}, r"\(5, 4, 4, 2\) has 2 channels; pictures have 1, 3 or 4"),
        ({"images": pixels(5, 4, 4, 5)}, "has 5 channels"),
        ({"images": np.asfortranarray(pixels(5, 4, 4))}, "Fortran order"),
        ({**PICTURES, "labels": np.zeros(19, int)}, r"'labels' is int64 of shape \(19,\)"),
        ({**PICTURES, "labels": np.zeros(20)}, "'labels' is float64"),
        ({**PICTURES, "labels": np.full(20, -1)}, "'labels' go from -1 to -1"),
        ({**PICTURES, "labels": np.full(20, 2**40)}, "must be class numbers"),
        ({**PICTURES, "labels": np.arange(20) * 1000}, "from 0 to 19000; .* fewer than the 20 pic"),
        ({"a/images": pixels(20, 4, 4)}, r"needs an array 'images' \(it has: a/images\)"),
    ],
)
def test_wrong_arrays_are_refused_in_one_line(tmp_path, capsys, arrays, message):
    with pytest.raises(UsageError, match=message) as caught:
        data.open_source(saved(tmp_path, **arrays))
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


def test_a_file_written_anew_is_read_anew(tmp_path):
    path = saved(tmp_path, images=pixels(20, 4, 4))
    first = data.open_source(path)
    assert data.open_source(path, split="test").collection is first.collection
    saved(tmp_path, images=pixels(21, 4, 4))
    assert data.open_source(path).size == 19


def test_one_picture_has_no_test_split(tmp_path):
    path = saved(tmp_path, images=pixels(1, 4, 4))
    assert data.open_source(path).size == 1
    with pytest.raises(UsageError, match="too few for a test split"):
        data.open_source(path, split="test")


@pytest.mark.parametrize("keep", [0, 1, 100, 900, -30])
def test_cut_off_files_are_refused(tmp_path, keep):
    whole = Path(saved(tmp_path, images=pixels(20, 8, 8))).read_bytes()
    path = tmp_path / "cut.npz"
    path.write_bytes(whole[:keep])
    with pytest.raises(UsageError, match=r"is no readable \.npz file"):
        data.open_source(str(path))


def test_a_flipped_bit_is_noticed(tmp_path):
    whole = bytearray(Path(saved(tmp_path, images=pixels(20, 8, 8))).read_bytes())
    whole[600] ^= 1
    path = tmp_path / "flipped.npz"
    path.write_bytes(whole)
    with pytest.raises(UsageError, match="Bad CRC-32"):
        data.open_source(str(path))


def test_headers_that_promise_more_than_there_is(tmp_path):
    path = tmp_path / "short.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("images.npy", "w") as stream:
        header = {"descr": "|u1", "fortran_order": False, "shape": (9, 4, 4)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(bytes(16 * 5))
    with pytest.raises(UsageError, match="cut off at picture 0"):
        data.open_source(str(path))


def test_labels_that_are_cut_off_are_refused(tmp_path):
    path = tmp_path / "short.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for key, dtype, shape in (("images", "|u1", (9, 4, 4)), ("labels", "<i8", (9,))):
            with archive.open(f"{key}.npy", "w") as stream:
                header = {"descr": dtype, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(stream, header)
                stream.write(bytes(16 * 9 if key == "images" else 8 * 5))
    with pytest.raises(UsageError, match="'labels' is cut off"):
        data.open_source(str(path))


def test_enlarging_stays_within_the_memory_limit(tmp_path, monkeypatch):
    from tfgans.data import arrays

    path = saved(tmp_path, images=pixels(50, 3, 3))
    whole = data.open_source(path, image_size=30).images()
    monkeypatch.setattr(rows, "MEMORY_LIMIT_BYTES", 1000)
    monkeypatch.setattr(arrays, "_CHUNK_BYTES", 1000)  # one picture of 30x30
    sizes = []
    blank = rows.blank
    monkeypatch.setattr(rows, "blank", lambda shape: sizes.append(np.prod(shape)) or blank(shape))
    np.testing.assert_array_equal(data.open_source(path, image_size=30).images(), whole)
    assert sizes == [50 * 900, *[900] * 50]
    assert isinstance(pictures.fit_all(pixels(2, 3, 3, 1), (30, 30), "crop"), np.memmap)


@hypothesis.given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    channels=st.sampled_from([1, 2, 3, 4]),
    fit=st.sampled_from(["crop", "resize"]),
)
def test_any_size_is_brought_to_any_other(height, width, size, channels, fit):
    flat = np.full((2, height, width, channels), 77, np.uint8)
    assert np.all(pictures.fit_all(flat, size, fit) == 77)
    images = pixels(2, height, width, channels)
    out = pictures.fit_all(images, size, fit)
    assert out.shape == (2, *size, channels)
    if size == (height, width):
        assert out is images


def test_crop_keeps_the_middle_and_resize_everything():
    wide = np.zeros((1, 4, 8, 1), np.uint8)
    wide[:, :, 2:6] = 200
    np.testing.assert_array_equal(pictures.fit_all(wide, (4, 4), "crop"), wide[:, :, 2:6])
    squeezed = pictures.fit_all(wide, (4, 4), "resize")
    assert squeezed[0, 0, 0, 0] < 60
    assert squeezed[0, 0, 2, 0] > 140


def test_scaling_down_is_antialiased():
    stripes = np.zeros((1, 64, 64, 1), np.uint8)
    stripes[:, :, ::2] = 255
    small = pictures.fit_all(stripes, (8, 8), "crop")
    assert abs(small[0, 2:-2, 2:-2].astype(int) - 127).max() <= 3
