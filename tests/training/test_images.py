import numpy as np
import pytest
from PIL import Image

from tfgans import UsageError, images


def gif_frames(path):
    with Image.open(path) as gif:
        shades, times = [], []
        for index in range(gif.n_frames):
            gif.seek(index)
            shades.append(gif.convert("L").getpixel((0, 0)))
            times.append(gif.info["duration"])
        return shades, times


def flat_pictures(folder, levels, shape=(6, 9, 1)):
    return [
        images.save_png(folder / f"{index:03d}.png", np.full(shape, level, np.uint8))
        for index, level in enumerate(levels)
    ]


def test_levels_at_the_ends_in_the_middle_and_beyond():
    floats = np.array([-1, 1, 0, -2, 3, np.inf, -np.inf, np.nan], np.float32)
    assert images.to_uint8(floats).tolist() == [0, 255, 128, 0, 255, 255, 0, 0]


def test_every_level_comes_back():
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(images.to_uint8(levels / np.float32(127.5) - 1), levels)


def test_levels_equal_those_of_the_saved_model():
    from tfgans import sampling

    floats = np.random.default_rng(0).normal(0, 0.7, 100_000).astype(np.float32)
    assert np.array_equal(images.to_uint8(floats), sampling.to_uint8(floats).numpy())


@pytest.mark.parametrize(
    ("n", "columns", "rows_and_columns"),
    [(1, None, (1, 1)), (64, None, (8, 8)), (10, None, (4, 3)), (10, 5, (2, 5)), (3, 8, (1, 3))],
)
def test_grid_places_each_picture(n, columns, rows_and_columns):
    pictures = np.arange(n, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 1), np.uint8)
    sheet = images.grid(pictures, columns, scale=2)
    rows, columns = rows_and_columns
    gap = images.GAP_PIXELS
    assert sheet.shape == (rows * (8 + gap) + gap, columns * (8 + gap) + gap, 1)
    for index in range(rows * columns):
        top, left = (gap + place * (8 + gap) for place in divmod(index, columns))
        level = index if index < n else images.GAP_LEVEL
        assert np.all(sheet[top : top + 8, left : left + 8] == level)
    assert np.all(sheet[:gap] == images.GAP_LEVEL)


def test_rows_may_differ_in_length():
    """Each begins at the left; what a shorter one leaves is gap-coloured."""
    levels, gap = [[10, 20, 30], [40], [50, 60]], images.GAP_PIXELS
    rows = [
        np.array(row, np.uint8)[:, None, None, None] * np.ones((4, 4, 3), np.uint8)
        for row in levels
    ]
    sheet = images.grid_of_rows(rows, scale=1)
    assert sheet.shape == (3 * (4 + gap) + gap, 3 * (4 + gap) + gap, 3)
    wanted = [[10, 20, 30], [40, images.GAP_LEVEL, images.GAP_LEVEL], [50, 60, images.GAP_LEVEL]]
    starts = [gap + place * (4 + gap) for place in range(3)]
    for top, values in zip(starts, wanted, strict=True):
        for left, level in zip(starts, values, strict=True):
            assert np.all(sheet[top : top + 4, left : left + 4] == level)


def test_equal_rows_are_the_grid_of_so_many_columns():
    pictures = np.random.default_rng(0).integers(0, 256, (6, 5, 7, 1), np.uint8)
    assert np.array_equal(images.grid_of_rows(np.split(pictures, 2)), images.grid(pictures, 3))
    assert np.array_equal(images.grid_of_rows([pictures]), images.grid(pictures, 6))


def test_grid_enlarges_whole_pixels():
    picture = np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1)
    sheet = images.grid(picture, scale=3)[2:-2, 2:-2]
    assert np.array_equal(sheet[::3, ::3], picture[0])
    assert np.array_equal(sheet, picture[0].repeat(3, 0).repeat(3, 1))


@pytest.mark.parametrize(("side", "scale"), [(8, 12), (28, 3), (64, 1), (256, 1)])
def test_small_pictures_are_made_visible(side, scale):
    sheet = images.grid(np.zeros((16, side, side, 3), np.uint8))
    assert sheet.shape == (4 * (side * scale + 2) + 2, 4 * (side * scale + 2) + 2, 3)


def test_wide_pictures_make_a_near_square_grid():
    height, width, _ = images.grid(np.zeros((16, 8, 32, 1), np.uint8)).shape
    assert 0.5 < height / width < 2


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 4, 4), np.uint8), np.zeros((0, 4, 4, 1), np.uint8), np.zeros((2, 4, 4, 1))]
)
def test_grid_refuses_what_is_no_stack_of_pictures(bad):
    with pytest.raises(UsageError, match=r"got (uint8|float64) of shape \("):
        images.grid(bad)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_round_trip_in_a_new_folder(tmp_path, channels):
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    path = images.save_png(tmp_path / "new" / "folder" / "a.png", picture)
    with Image.open(path) as read:
        assert np.array_equal(np.asarray(read).reshape(picture.shape), picture)
    assert list(path.parent.iterdir()) == [path]


def test_png_refuses_two_channels(tmp_path):
    with pytest.raises(UsageError, match=r"got uint8 of shape \(4, 4, 2\)"):
        images.save_png(tmp_path / "a.png", np.zeros((4, 4, 2), np.uint8))


def test_a_fault_leaves_the_old_picture(tmp_path, monkeypatch):
    (path,) = flat_pictures(tmp_path, [7])
    before = path.read_bytes()

    def half(self, file, **kwargs):
        file.write(b"half a picture")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", half)
    with pytest.raises(OSError, match="No space"):
        flat_pictures(tmp_path, [9])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_animation_keeps_order_and_holds_the_last_frame(tmp_path):
    paths = flat_pictures(tmp_path, [10, 200, 90])
    assert images.save_animation(paths, tmp_path / "a.gif") == tmp_path / "a.gif"
    assert gif_frames(tmp_path / "a.gif") == ([10, 200, 90], [120, 120, 2500])


def test_animation_takes_sixty_frames_of_many_first_and_last_among_them(tmp_path):
    paths = flat_pictures(tmp_path, range(200))
    images.save_animation(paths, tmp_path / "a.gif")
    shades, _ = gif_frames(tmp_path / "a.gif")
    assert len(shades) == images.NUM_FRAMES
    assert (shades[0], shades[-1]) == (0, 199)
    assert set(np.diff(shades)) <= {3, 4}


def test_animation_leaves_out_damaged_pictures(tmp_path):
    paths = flat_pictures(tmp_path, [10, 20, 30, 40, 50, 60])
    good = paths[2].read_bytes()
    paths[0].write_bytes(b"")
    paths[1].write_bytes(b"no picture")
    paths[3].write_bytes(good[:-20])  # cut in the middle of the pixels
    paths[4].write_bytes(good.replace(b"IDAT", b"\x8f\x0cg\xfc"))  # a SyntaxError of Pillow
    images.save_animation(paths, tmp_path / "a.gif")
    assert gif_frames(tmp_path / "a.gif")[0] == [30, 60]
    assert images.save_animation(paths[:2], tmp_path / "none.gif") is None
    assert not (tmp_path / "none.gif").exists()


def test_animation_of_one_large_colour_picture_and_of_none(tmp_path):
    paths = flat_pictures(tmp_path, [50], shape=(300, 1200, 3))
    images.save_animation(paths, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.size == (400, 100)
    assert images.save_animation([], tmp_path / "none.gif") is None
    assert not (tmp_path / "none.gif").exists()
