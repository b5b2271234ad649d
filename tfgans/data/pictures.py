"""Picture files and sizes, by Pillow: headers, decoding, orientation, colour, scaling."""

import contextlib
import dataclasses
import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
MAX_PIXELS = 64_000_000

# What Pillow's readers are known to raise on damaged files; a warning is one under `-W error`.
_READ_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    SyntaxError,
    EOFError,
    LookupError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
    AttributeError,
    AssertionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Warning,
)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_EXIF_ORIENTATION = 0x0112
_GREY_MODES = ("1", "L", "LA", "La", "I", "F")


class BadPictureError(ValueError):
    """A file that cannot be used; the text says why."""


@dataclasses.dataclass(frozen=True)
class File:
    """A picture file whose header was read.

    Attributes:
        path: Where it is.
        size: `(height, width)` as shown, its EXIF orientation applied.
        channels: 1 for grey, 3 for anything else.
        orientation: EXIF's number, 1 where there is none.
    """

    path: Path
    size: tuple[int, int]
    channels: int
    orientation: int = 1

    def decode(self, shape: tuple[int, ...], fit: str) -> np.ndarray:
        """Returns the picture as uint8 of `shape`, `(height, width, channels)`.

        Raises:
            BadPictureError: If the file is damaged, gone, or another than when it was looked at.
        """
        height, width, channels = shape
        try:
            with Image.open(self.path) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise BadPictureError(_too_large(image))
                self._draft(image, height, width)
                image.load()
                plain = _plain(image, channels)
        except _READ_ERRORS as error:
            raise BadPictureError(_reason(error)) from error
        if self.orientation in _TURNS:
            plain = plain.transpose(_TURNS[self.orientation])
        return np.asarray(_fitted(plain, (height, width), fit)).reshape(shape)

    def _draft(self, image: Image.Image, height: int, width: int) -> None:
        """Lets JPEG decode large photographs at 1/2, 1/4 or 1/8, three times the wanted size."""
        scale = 3 * max(height / self.size[0], width / self.size[1])
        if scale < 1:
            image.draft(None, (int(scale * image.width) + 1, int(scale * image.height) + 1))


def read_header(path: Path) -> File:
    """Reads what a file says of itself, without decoding it.

    Raises:
        BadPictureError: If it is no picture, empty, or of more than 64 million pixels.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise BadPictureError("not a regular file")
        if not status.st_size:
            raise BadPictureError("empty (0 bytes)")
        with Image.open(path) as image:
            if image.width * image.height > MAX_PIXELS:
                raise BadPictureError(_too_large(image))
            channels = 1 if image.mode.split(";")[0] in _GREY_MODES else 3
            orientation = _orientation(image)
            turned = orientation >= 5
            size = (image.width, image.height) if turned else (image.height, image.width)
            return File(path, size, channels, orientation)
    except _READ_ERRORS as error:
        raise BadPictureError(_reason(error)) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Scope, its threads included, in which Pillow's warnings about odd files are not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def fit_all(images: np.ndarray, size: tuple[int, int], fit: str) -> np.ndarray:
    """Brings uint8 pictures `(n, h, w, channels)` to `size`; of the right size they stay as is."""
    from tfgans.data import rows  # which imports this file

    if images.shape[1:3] == tuple(size):
        return images
    count, channels = len(images), images.shape[3]
    out = rows.blank((count, *size, channels))
    for index in range(count):
        for channel in range(channels):
            plane = Image.fromarray(np.ascontiguousarray(images[index, :, :, channel]))
            out[index, :, :, channel] = np.asarray(_fitted(plane, size, fit))
    return out


def _fitted(image: Image.Image, size: tuple[int, int], fit: str) -> Image.Image:
    """Scales by an antialiased bicubic filter; `crop` takes the largest middle part that fits."""
    height, width = size
    if image.size == (width, height):
        return image
    across, down = float(image.width), float(image.height)
    if fit == "crop":
        if image.width * height > image.height * width:
            across = image.height * width / height
        else:
            down = image.width * height / width
    left, top = (image.width - across) / 2, (image.height - down) / 2
    box = (left, top, image.width - left, image.height - top)
    return image.resize((width, height), Image.Resampling.BICUBIC, box)


def _plain(image: Image.Image, channels: int) -> Image.Image:
    """Grey or RGB of 8 bits; what is transparent shows white."""
    if image.mode in ("I", "F"):
        raise BadPictureError("its numbers have 32 bits and no known range: save it with 8 or 16")
    if image.mode[0] == "I":  # 16 bits: the upper ones
        high = np.clip(np.asarray(image), 0, 65535).astype(np.uint16) >> 8
        image = Image.fromarray(high.astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("L" if channels == 1 else "RGB")


def _orientation(image: Image.Image) -> int:
    # Pillow decodes a whole PNG to look for EXIF data behind its pixels.
    if image.format == "PNG" and "exif" not in image.info:
        return 1
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    except _READ_ERRORS:
        return 1  # damaged EXIF data does not make a bad picture
    return orientation if orientation in _TURNS else 1


def _too_large(image: Image.Image) -> str:
    pixels = f"{image.width}x{image.height}"
    return f"too large: {pixels} pixels, more than {MAX_PIXELS // 10**6} million"


def _reason(error: BaseException) -> str:
    if isinstance(error, BadPictureError):
        return str(error)
    if isinstance(error, Image.UnidentifiedImageError):
        return "not a picture that can be read"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"too large: more than {MAX_PIXELS // 10**6} million pixels"
    text = (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
    return " ".join(text.split())
