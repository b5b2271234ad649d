import os
import time

import numpy as np
import pytest
from PIL import Image

from tfgans import data
from tfgans.data import pictures, rows
from tfgans.errors import UsageError

RED = (200, 30, 40)


def save(path, size=(8, 6), mode="RGB", color=RED, **kwargs):
    """Writes a picture; `size` is (width, height), as Pillow has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, color).save(path, **kwargs)
    return path


def save_noise(path, height=16, width=12, channels=3, seed=0, **kwargs):
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (height, width, 3) if channels == 3 else (height, width)
    noise = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    Image.fromarray(noise).save(path, **kwargs)
    return noise


def fill(folder, count=40, start=0, **kwargs):
    for index in range(count):
        save_noise(folder / f"{index:03}.png", seed=start + index, **kwargs)


def all_images(folder, **kwargs):
    """The pictures of both splits in the order of the sorted file names."""
    collection = data.open_source(str(folder), **kwargs).collection
    return collection.rows.take(np.arange(len(collection.rows)))


def test_every_format_is_read(tmp_path):
    for suffix in ("png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff", "PNG", "JPG"):
        save(tmp_path / f"{suffix}_.{suffix}")
    images = all_images(tmp_path)
    assert images.shape == (10, 6, 8, 3)
    assert abs(images.astype(int) - RED).max() <= 4


def test_png_pixels_are_exact_and_sorted_by_name(tmp_path):
    noise = [save_noise(tmp_path / f"{name}.png", seed=name) for name in (3, 1, 2)]
    np.testing.assert_array_equal(all_images(tmp_path), [noise[1], noise[2], noise[0]])


def test_a_tenth_is_held_out_and_never_trained_on(tmp_path):
    fill(tmp_path, 40)
    train, test = (data.open_source(str(tmp_path), split=split) for split in ("train", "test"))
    assert (train.size, test.size) == (36, 4)
    assert not {i.tobytes() for i in train.images()} & {i.tobytes() for i in test.images()}
    again = data.open_source(str(tmp_path), split="test")
    np.testing.assert_array_equal(again.index, test.index)


def test_class_folders_give_labels(tmp_path):
    for label, name in enumerate(("bird", "cat", "dog")):
        for index in range(20):
            color = (50 * label, 100, index)
            save(tmp_path / name / "deeper" / f"{index}.png", color=color)
    train, test = (data.open_source(str(tmp_path), split=split) for split in ("train", "test"))
    assert train.class_names == ("bird", "cat", "dog")
    assert train.spec.num_classes == 3
    assert np.bincount(test.labels).tolist() == [2, 2, 2]
    for part in (train, test):
        np.testing.assert_array_equal(part.images()[:, 0, 0, 0], 50 * part.labels)
    dataset, spec = data.load(str(tmp_path), batch_size=10, batches_per_step=3)
    assert spec.keys == ("image", "label")
    batch = next(dataset.as_numpy_iterator())
    red = np.rint((batch["image"][:, 0, 0, 0] + 1) * 127.5)
    np.testing.assert_array_equal(red, 50 * batch["label"])


@pytest.mark.parametrize("names", [("a.png", "cat/b.png", "dog/c.png"), ("cat/a.png", "cat/b.png")])
def test_folders_that_divide_nothing_are_no_classes(tmp_path, names):
    for name in names:
        save(tmp_path / name)
    source = data.open_source(str(tmp_path))
    assert source.labels is None
    assert source.spec.keys == ("image",)


def test_train_and_test_folders_are_no_classes(tmp_path):
    save(tmp_path / "train" / "a.png")
    save(tmp_path / "test" / "b.png")
    with pytest.raises(UsageError, match=r"'train' and 'test', which are no classes: give one"):
        data.open_source(str(tmp_path))


def test_sizes_are_asked_for_when_they_differ(tmp_path):
    save(tmp_path / "a.png", size=(8, 6))
    save(tmp_path / "b.png", size=(20, 10))
    with pytest.raises(UsageError, match=r"2 sizes \(height x width: 6x8, 10x20\).*--image_size"):
        data.open_source(str(tmp_path))
    assert all_images(tmp_path, image_size=(5, 9)).shape == (2, 5, 9, 3)
    assert all_images(tmp_path, image_size=7, fit="resize").shape == (2, 7, 7, 3)


def test_one_size_is_kept(tmp_path):
    fill(tmp_path, 4, height=10, width=30)
    assert data.open_source(str(tmp_path)).spec.image_shape == (10, 30, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif_orientation_is_applied(tmp_path, orientation, suffix):
    shown = np.full((16, 24), 255, np.uint8)
    shown[:8, :8] = 0  # top left is black
    undo = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    stored = Image.fromarray(shown)
    if undo in pictures._TURNS:
        stored = stored.transpose(pictures._TURNS[undo])
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"webp": {"lossless": True}, "jpg": {"quality": 100}}.get(suffix, {})
    stored.convert("RGB" if suffix == "webp" else "L").save(
        tmp_path / f"a.{suffix}", exif=exif.tobytes(), **lossless
    )
    image = all_images(tmp_path)[0, :, :, 0]
    assert image.shape == (16, 24)
    assert abs(image.astype(int) - shown).max() <= 3


def test_damaged_exif_data_is_not_a_bad_picture(tmp_path):
    save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0garbage and more garbage")
    save(tmp_path / "b.jpg")
    assert data.open_source(str(tmp_path)).bad_files == []


def test_transparent_parts_show_white(tmp_path):
    half = Image.new("RGBA", (8, 6), (*RED, 255))
    half.paste((0, 0, 0, 0), (4, 0, 8, 6))
    half.save(tmp_path / "a.png")
    half.quantize().save(tmp_path / "b.png")
    half.save(tmp_path / "c.webp", lossless=True)
    for image in all_images(tmp_path):
        assert (image[:, :4] == RED).all()
        assert (image[:, 4:] == 255).all()


def test_palette_cmyk_and_16_bit_pictures(tmp_path):
    save(tmp_path / "color" / "a.png", mode="RGB")
    Image.new("RGB", (8, 6), RED).quantize().save(tmp_path / "color" / "b.png")
    Image.new("RGB", (8, 6), RED).convert("CMYK").save(tmp_path / "color" / "c.jpg")
    images = all_images(tmp_path / "color")
    assert images.shape[3] == 3
    assert abs(images.astype(int) - RED).max() <= 6
    (tmp_path / "grey").mkdir()
    deep = np.full((6, 8), 0x80FF, np.uint16)
    Image.fromarray(deep).save(tmp_path / "grey" / "a.png")
    Image.new("1", (8, 6), 1).save(tmp_path / "grey" / "b.png")
    images = all_images(tmp_path / "grey")
    assert images.shape[3] == 1
    assert images[0, 0, 0, 0] == 0x80
    assert images[1, 0, 0, 0] == 255


@pytest.mark.parametrize(("grey", "color", "channels"), [(3, 2, 1), (2, 3, 3), (2, 2, 3)])
def test_the_more_common_kind_of_picture_wins(tmp_path, grey, color, channels):
    for index in range(grey):
        save(tmp_path / f"grey{index}.png", mode="L", color=90)
    for index in range(color):
        save(tmp_path / f"color{index}.png", color=(90, 90, 90))
    images = all_images(tmp_path)
    assert images.shape[3] == channels
    assert (images == 90).all()


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (8, 6), color) for color in (RED, (0, 0, 255))]
    for suffix in ("gif", "webp", "png"):
        frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:])
    assert abs(all_images(tmp_path).astype(int) - RED).max() <= 4


def test_large_photographs_are_drafted_without_harm(tmp_path):
    across = np.linspace(0, 255, 640)
    picture = np.stack(np.broadcast_arrays(across, across[:480, None], 128), -1).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.jpg", quality=95)
    Image.fromarray(picture).save(tmp_path / "b.png")
    images = all_images(tmp_path, image_size=(24, 32)).astype(int)
    assert abs(images[0] - images[1]).mean() < 1.5


# Bad files.


def cut(path, share, **kwargs):
    save_noise(path, **kwargs)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def claim_size(path, width, height):
    """A PNG whose header says it is of this size; of pixels it has hardly any."""
    import struct
    import zlib

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def dangling(path):
    path.symlink_to(path.with_name("nowhere"))


BAD = {
    "empty": (lambda path: path.write_bytes(b""), "empty"),
    "text": (lambda path: path.write_text("not a picture"), "not a picture"),
    "zeros": (lambda path: path.write_bytes(bytes(5000)), "not a picture"),
    "magic only": (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0"), "."),
    "truncated": (lambda path: cut(path, 0.5), "truncated"),
    "nearly whole": (lambda path: cut(path, 0.97), "truncated"),
    "65 Mpx": (lambda path: claim_size(path, 8125, 8000), "too large: 8125x8000"),
    "100 Mpx": (lambda path: claim_size(path, 10000, 10000), "too large: 10000x10000"),
    "2 Gpx": (lambda path: claim_size(path, 50000, 50000), "too large"),
    "few pixels": (lambda path: claim_size(path, 16, 20), "."),
    "dangling link": (dangling, "no such file"),
    "pipe": (lambda path: os.mkfifo(path), "not a regular file"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("limit", [rows.MEMORY_LIMIT_BYTES, 100], ids=["memory", "disk"])
def test_bad_files_are_left_out_and_listed(tmp_path, monkeypatch, kind, limit):
    monkeypatch.setattr(rows, "MEMORY_LIMIT_BYTES", limit)
    make, reason = BAD[kind]
    fill(tmp_path, 40)
    make(tmp_path / "zz_bad.jpg")
    source = data.open_source(str(tmp_path), image_size=(16, 12))
    [(name, said)] = source.bad_files
    assert name == "zz_bad.jpg"
    assert reason in said.lower() or reason == "."
    assert "\n" not in said
    assert source.size == 36
    assert source.in_memory == (limit > 100)
    assert "1 bad file(s) left out" in source.description


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "webp", "tif"])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.8])
def test_truncated_files_of_every_format_are_found(tmp_path, suffix, share):
    fill(tmp_path, 25)
    save_noise(tmp_path / f"zz.{suffix}")
    path = tmp_path / f"zz.{suffix}"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert [name for name, _ in data.open_source(str(tmp_path)).bad_files] == [f"zz.{suffix}"]


def test_bad_files_do_not_shift_labels_or_pictures(tmp_path):
    for label, name in enumerate(("a", "b")):
        for index in range(30):
            save(tmp_path / name / f"{index:02}.png", color=(100 * label, index, 7))
    cut(tmp_path / "a" / "05.png", 0.5, height=6, width=8)
    (tmp_path / "b" / "00.png").write_bytes(b"")
    source = data.open_source(str(tmp_path))
    assert [name for name, _ in source.bad_files] == ["a/05.png", "b/00.png"]
    np.testing.assert_array_equal(source.images()[:, 0, 0, 0], 100 * source.labels)


def test_more_than_5_percent_bad_is_an_error_naming_the_first(tmp_path):
    fill(tmp_path, 75)
    for index in range(4):
        (tmp_path / f"x{index}.png").write_bytes(b"")
    message = (
        r"^4 of 79 picture files in '.*' are bad \(more than 5%\): x0.png: empty \(0 bytes\); "
        r"x1.png: empty \(0 bytes\); x2.png: empty \(0 bytes\); and 1 more$"
    )
    with pytest.raises(UsageError, match=message):
        data.open_source(str(tmp_path))
    save_noise(tmp_path / "one_more.png")
    assert len(data.open_source(str(tmp_path)).bad_files) == 4


def test_truncated_files_count_towards_the_5_percent(tmp_path):
    fill(tmp_path, 10)
    cut(tmp_path / "zz.png", 0.5)
    with pytest.raises(UsageError, match=r"1 of 11 picture files.*zz.png: .*truncated"):
        data.open_source(str(tmp_path), image_size=8)


def test_none_good_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(UsageError, match=r"1 of 1 .*none is good"):
        data.open_source(str(tmp_path))


def test_no_pictures_is_an_error(tmp_path):
    (tmp_path / "readme.txt").write_text("none here")
    (tmp_path / "folder.png").mkdir()
    save(tmp_path / ".hidden" / "a.png")
    save(tmp_path / "._a.png")
    with pytest.raises(UsageError, match=r"no pictures in .*: none of \.png, \.jpg"):
        data.open_source(str(tmp_path))


def test_links_in_a_circle_end(tmp_path):
    fill(tmp_path / "pictures", 3)
    (tmp_path / "pictures" / "again").symlink_to(tmp_path / "pictures")
    assert data.open_source(str(tmp_path)).collection.rows.shape[0] == 3


def test_linked_class_folders_are_followed(tmp_path):
    fill(tmp_path / "store" / "cats", 3)
    fill(tmp_path / "store" / "dogs", 3, start=50)
    (tmp_path / "set").mkdir()
    for name in ("cats", "dogs"):
        (tmp_path / "set" / name).symlink_to(tmp_path / "store" / name)
    assert data.open_source(str(tmp_path / "set")).class_names == ("cats", "dogs")


def test_a_folder_goes_before_links_to_it_whatever_is_listed_first(tmp_path, monkeypatch):
    fill(tmp_path / "b_real", 3)
    fill(tmp_path / "q", 3, start=50)
    for name in ("a_link", "z_link"):
        (tmp_path / name).symlink_to(tmp_path / "b_real")
    walk, seen = os.walk, set()
    for order in (sorted, lambda names: sorted(names, reverse=True)):

        def walked(*args, order=order, **how):
            for folder, subfolders, files in walk(*args, **how):
                subfolders[:] = order(subfolders)
                yield folder, subfolders, files

        monkeypatch.setattr(os, "walk", walked)
        seen.add(data.open_source(str(tmp_path)).class_names)
    assert seen == {("b_real", "q")}


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_numbers_of_32_bits_are_told_not_made_black(tmp_path, kind):
    fill(tmp_path, 40)
    numbers = np.random.default_rng(0).uniform(0, 255, (16, 12)).astype(kind)
    Image.fromarray(numbers).save(tmp_path / "deep.tif")
    source = data.open_source(str(tmp_path), image_size=(16, 12))
    [(name, said)] = source.bad_files
    assert name == "deep.tif"
    assert said == "its numbers have 32 bits and no known range: save it with 8 or 16"


# Read from disk in training.


def test_streamed_equals_in_memory_bit_for_bit(tmp_path, monkeypatch):
    for label, name in enumerate(("a", "b")):
        for index in range(15):
            kind = ("png", "jpg", "webp")[index % 3]
            save_noise(tmp_path / name / f"{index}.{kind}", 40 + index, 70, seed=20 * label + index)
    arguments = {"image_size": (12, 10), "batch_size": 7, "batches_per_step": 2, "seed": 3}
    elements = []
    for limit in (rows.MEMORY_LIMIT_BYTES, 1000):
        monkeypatch.setattr(rows, "MEMORY_LIMIT_BYTES", limit)
        assert data.open_source(str(tmp_path), image_size=8).in_memory == (limit > 1000)
        dataset, spec = data.load(str(tmp_path), **arguments)
        assert spec.image_shape == (12, 10, 3)
        assert dataset.element_spec["image"].shape == (14, 12, 10, 3)
        elements.append(list(dataset.take(6).as_numpy_iterator()))
    for memory, disk in zip(*elements, strict=True):
        np.testing.assert_array_equal(memory["image"], disk["image"])
        np.testing.assert_array_equal(memory["label"], disk["label"])


def test_streamed_start_step_and_test_split(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MEMORY_LIMIT_BYTES", 1000)
    fill(tmp_path, 30)
    whole, _ = data.load(str(tmp_path), batch_size=8)
    later, _ = data.load(str(tmp_path), batch_size=8, start_step=5)
    wanted = list(whole.take(7).as_numpy_iterator())[5:]
    for one, other in zip(later.take(2).as_numpy_iterator(), wanted, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
    test, _ = data.load(str(tmp_path), split="test", batch_size=2)
    assert [len(batch["image"]) for batch in test] == [2, 1]


def test_a_file_lost_in_mid_training_does_not_end_it(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(rows, "MEMORY_LIMIT_BYTES", 1000)
    for label, name in enumerate(("a", "b")):
        for index in range(15):
            save(tmp_path / name / f"{index:02}.png", size=(12, 16), color=(100 * label, index, 0))
    dataset, _ = data.load(str(tmp_path), batch_size=26)
    source = data.open_source(str(tmp_path))
    lost = source.collection.rows.files[int(source.index[0])].path
    lost.write_bytes(b"")
    batches = list(dataset.take(2).as_numpy_iterator())
    for batch in batches:
        red = np.rint((batch["image"][:, 0, 0, 0] + 1) * 127.5)
        np.testing.assert_array_equal(red, 100 * batch["label"])  # labels follow the stand-in
    assert len(caplog.records) == 1
    assert str(lost) in caplog.text


ENDS_WITH_AN_ITERATOR_ALIVE = """
import sys
from tfgans import data
from tfgans.data import rows
rows.MEMORY_LIMIT_BYTES = 1000
dataset, _ = data.load(sys.argv[1], batch_size=200, batches_per_step=3)
iterator = iter(dataset)
next(iterator)
print("done")
"""


def test_a_program_that_streams_can_end(tmp_path, run_python, repo):
    fill(tmp_path, 300, height=64, width=64)
    done = run_python("-c", ENDS_WITH_AN_ITERATOR_ALIVE, tmp_path, cwd=repo)
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_all_files_lost_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "MEMORY_LIMIT_BYTES", 1000)
    fill(tmp_path, 4)
    source = data.open_source(str(tmp_path))
    for file in source.collection.rows.files:
        file.path.unlink()
    with pytest.raises(UsageError, match="none of the 4 picture files can be read any more"):
        source.images()


def test_train_and_test_share_one_reading(tmp_path):
    fill(tmp_path, 20)
    train = data.open_source(str(tmp_path))
    assert data.open_source(str(tmp_path), split="test").collection is train.collection
    assert data.open_source(str(tmp_path), image_size=8).collection is not train.collection
    save_noise(tmp_path / "new.png", seed=99)
    assert data.open_source(str(tmp_path)).collection is not train.collection


def test_thousands_of_small_files_are_read_quickly(tmp_path):
    fill(tmp_path, 2000, height=8, width=8)
    began = time.process_time()
    data.open_source(str(tmp_path))
    assert time.process_time() - began < 3
