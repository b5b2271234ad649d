"""Pictures out: floats to uint8, grids, PNG files and animations, with NumPy and Pillow only."""

import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tfgans.errors import UsageError

# Small pictures are enlarged up to this many pixels a side, as long as the grid stays this wide.
TILE_PIXELS = 96
GRID_PIXELS = 1200
GAP_PIXELS = 2
GAP_LEVEL = 96  # dark grey: seen beside black digits and white paper alike

# What Pillow raises on damaged PNG files.
_READ_ERRORS = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)

FRAME_PIXELS = 560
NUM_FRAMES = 60
FRAME_MS = 120
LAST_FRAME_MS = 2500


def to_uint8(images: np.ndarray) -> np.ndarray:
    """Turns floats in [-1, 1] into levels 0 to 255.

    The level is `clip(round((image + 1) * 127.5), 0, 255)` in float32, halves rounded to even:
    the same arithmetic as in the exported `sample`, so both give the same bytes. NaN becomes 0.

    Args:
        images: Floats of any shape; what lies outside [-1, 1] is clipped.

    Returns:
        uint8 array of the same shape.
    """
    levels = np.rint((np.asarray(images, np.float32) + np.float32(1)) * np.float32(127.5))
    return np.clip(np.nan_to_num(levels, nan=0.0), 0, 255).astype(np.uint8)


def grid(images: np.ndarray, columns: int | None = None, *, scale: int | None = None) -> np.ndarray:
    """Lays pictures out in rows, left to right, with thin lines between them.

    Args:
        images: uint8 array of shape `(n, height, width, channels)`, n at least 1.
        columns: Pictures in a row; by default as near to a square as the pictures allow.
        scale: How many pixels of the grid each pixel gets, a side; by default as many as make
            small pictures comfortably visible (3 for 28x28 digits), and 1 for large ones.

    Returns:
        uint8 array of shape `(height, width, channels)`; unused places are gap-coloured.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8 or not images.size:
        raise UsageError(
            "a grid wants uint8 pictures of shape (n, height, width, channels), "
            f"got {images.dtype} of shape {images.shape}"
        )
    n, height, width, channels = images.shape
    columns = min(n, columns or _square_columns(n, height, width))
    rows = -(-n // columns)
    scale = scale or _scale(columns * width, rows * height, max(height, width))
    tile_height, tile_width = height * scale + GAP_PIXELS, width * scale + GAP_PIXELS
    sheet_shape = (rows * tile_height + GAP_PIXELS, columns * tile_width + GAP_PIXELS, channels)
    sheet = np.full(sheet_shape, GAP_LEVEL, np.uint8)
    for index, image in enumerate(images):
        top = GAP_PIXELS + index // columns * tile_height
        left = GAP_PIXELS + index % columns * tile_width
        enlarged = image.repeat(scale, axis=0).repeat(scale, axis=1)
        sheet[top : top + height * scale, left : left + width * scale] = enlarged
    return sheet


def grid_of_rows(rows: Sequence[np.ndarray], *, scale: int | None = None) -> np.ndarray:
    """Lays pictures out in rows of their own, which may differ in length.

    Args:
        rows: uint8 arrays of shape `(n, height, width, channels)`, n at least 1.
        scale: As for `grid`.

    Returns:
        uint8 array of shape `(height, width, channels)`; unused places are gap-coloured.
    """
    columns = max(map(len, rows))
    blank = np.full_like(rows[0][:1], GAP_LEVEL)
    filled = [row for one in rows for row in (one, *[blank] * (columns - len(one)))]
    return grid(np.concatenate(filled), columns, scale=scale)


def _square_columns(n: int, height: int, width: int) -> int:
    return max(1, round(math.sqrt(n * height / width)))


def _scale(grid_width: int, grid_height: int, side: int) -> int:
    return max(1, min(TILE_PIXELS // side, GRID_PIXELS // max(grid_width, grid_height)))


def to_pillow(array: np.ndarray) -> Image.Image:
    """Returns a uint8 `(height, width, channels)` array as a Pillow image.

    Raises:
        UsageError: If it is none, or has other than 1, 3 or 4 channels.
    """
    array = np.asarray(array)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[-1] not in (1, 3, 4):
        raise UsageError(
            "a picture is uint8 of shape (height, width, channels) with 1, 3 or 4 channels, "
            f"got {array.dtype} of shape {array.shape}"
        )
    return Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array)


def write_atomically(path: Path, write) -> None:
    """Calls `write(file)` on a file beside `path`, then moves it there: never half a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            write(file)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def save_png(path: str | Path, array: np.ndarray) -> Path:
    """Writes a uint8 `(height, width, channels)` array as a PNG; a fault leaves the old file.

    Args:
        path: Where to write; missing folders are made.
        array: uint8 picture with 1 (grey), 3 (RGB) or 4 (RGBA) channels.

    Returns:
        The path written.
    """
    path, picture = Path(path), to_pillow(array)
    write_atomically(path, lambda file: picture.save(file, format="PNG"))
    return path


def save_animation(paths: Iterable[str | Path], out: str | Path) -> Path | None:
    """Joins PNG files, in the order given, to a GIF that holds its last frame longer.

    Damaged files are left out: a run is not to fail by them.

    Of many pictures about sixty are taken, evenly spread, the first and the last among them;
    frames wider or higher than 560 pixels are made smaller by a whole number, so that sixty sheets
    of digits take about 2 MB.

    Args:
        paths: PNG files; the first good one sets the size of all.
        out: Where to write the GIF.

    Returns:
        The path written, or None if there are no pictures.
    """
    chosen = _evenly(list(paths), NUM_FRAMES)
    frames = [frame for frame in map(_frame, chosen) if frame is not None]
    if not frames:
        return None
    frames = [
        frame.resize(frames[0].size) if frame.size != frames[0].size else frame for frame in frames
    ]
    times = [FRAME_MS] * (len(frames) - 1) + [LAST_FRAME_MS]
    # Frames are kept whole and apart, though two be equal: Pillow would else merge their times.
    first, *others = frames
    out = Path(out)
    write_atomically(
        out,
        lambda file: first.save(
            file, format="GIF", save_all=True, append_images=others, duration=times, loop=0
        ),
    )
    return out


def _evenly(items: Sequence, count: int) -> list:
    if len(items) <= count:
        return list(items)
    return [items[round(k * (len(items) - 1) / (count - 1))] for k in range(count)]


def _frame(path: str | Path) -> Image.Image | None:
    """Returns the picture, not too large, or None if it cannot be read."""
    try:
        with Image.open(path) as picture:
            frame = picture.convert("L" if picture.mode == "L" else "RGB")
    except _READ_ERRORS:
        return None
    return frame.reduce(max(1, -(-max(frame.size) // FRAME_PIXELS)))
