"""`tfgans generate`: pictures from a SavedModel, with plain TensorFlow.

`--arithmetic` counts pictures from 0, row by row, as the grid of the same seed and number shows
them: `3,7-4,9` is a direction, along which other latents are moved, `3,7-4,9+20` a place.
"""

import contextlib
import errno
import os
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tfgans.cli.parsing import label, name, path, positive, whole
from tfgans.cli.quiet import import_tensorflow
from tfgans.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    Rows = list[np.ndarray]

HELP = "Draw pictures from a SavedModel."

OPTIONS = {
    "what to draw": {
        "--model": {
            "metavar": "DIR",
            "type": name,
            "required": True,
            "help": "folder of the SavedModel, as train exports it; no default",
        },
        "--num": {
            "metavar": "N",
            "type": whole(1),
            "default": None,
            "help": "number of pictures; default 64, or 8 rows, or 8 of each class",
        },
        "--seed": {
            "metavar": "S",
            "type": whole(0),
            "default": 0,
            "help": "number that decides the pictures; default 0",
        },
        "--label": {
            "metavar": "K",
            "type": label,
            "default": None,
            "help": "class, by number or name, or all: a row for each; default drawn by seed",
        },
        "--truncation": {
            "metavar": "T",
            "type": positive,
            "default": None,
            "help": "threshold on |z| of the latents, or psi of the styles, less is tamer; "
            "default none",
        },
        "--interpolate": {
            "metavar": "K",
            "type": whole(2),
            "default": None,
            "help": "rows of so many pictures, from one latent to another; default none",
        },
        "--arithmetic": {
            "metavar": "FORMULA",
            "type": name,
            "default": None,
            "help": "sum of mean latents of pictures of the seed, as '3,7-4+20'; default none",
        },
        "--mix": {
            "metavar": "RxC[:L]",
            "type": name,
            "default": None,
            "help": "R rows and C columns of mixed styles, the row's in the first L layers; "
            "default none",
        },
    },
    "where to (one of them)": {
        "--out": {
            "metavar": "FILE",
            "type": path,
            "help": "a grid as .png, or all pictures as .npz under the key images; no default",
        },
        "--out_dir": {
            "metavar": "DIR",
            "type": path,
            "help": "folder for 00000.png, 00001.png and so on; no default",
        },
    },
}


def run(arguments: dict[str, Any]) -> None:
    """Draws the pictures and writes them."""
    if ("out" in arguments) == ("out_dir" in arguments):
        raise UsageError("say where to, one of --out=grid.png, --out=pictures.npz, --out_dir=DIR")
    if "out" in arguments:
        path = arguments["out"]
        folder, write = path.parent, _writer(path)
    else:
        path = arguments["out_dir"]
        folder, write = path, _write_folder
    with _errors_of_writing(path):  # known before any work is done
        folder.mkdir(parents=True, exist_ok=True)
    rows = _draw(arguments)
    with _errors_of_writing(path):
        write(path, rows)
    print(path)


def _draw(arguments: dict[str, Any]) -> "Rows":
    """Returns the pictures in rows; those of a plain sample are one."""
    import_tensorflow()
    from tfgans import saved, walks

    model = saved.load_saved_model(arguments["model"])
    ways = [way for way in ("interpolate", "arithmetic", "mix") if arguments[way] is not None]
    if len(ways) > 1:
        raise UsageError(f"--{ways[0]} and --{ways[1]} are two pictures: give one of them")
    draw = getattr(walks, ways[0]) if ways else walks.sample
    keys = ("num", "seed", "label", "truncation", *ways)
    return draw(model, **{key: arguments[key] for key in keys})


def _writer(out: pathlib.Path) -> Callable[[pathlib.Path, "Rows"], None]:
    """Returns what writes a file named as `out`."""
    writers = {".png": _write_grid, ".npz": _write_npz}
    suffix = out.suffix.lower()
    if suffix not in writers:
        raise UsageError(f"--out={out} must end in .png (a grid) or .npz (an array)")
    if out.is_dir():
        raise UsageError(f"--out={out} is a folder; --out_dir={out} fills it with pictures")
    return writers[suffix]


def _write_grid(path: pathlib.Path, rows: "Rows") -> None:
    from tfgans import images

    sheet = images.grid(rows[0]) if len(rows) == 1 else images.grid_of_rows(rows)
    images.save_png(path, sheet)


def _write_folder(path: pathlib.Path, rows: "Rows") -> None:
    from tfgans import images

    pictures = [picture for row in rows for picture in row]
    left = [old for old in sorted(path.glob("*.png")) if _number(old) >= len(pictures)]
    if left:
        raise UsageError(
            f"--out_dir={path} holds {left[0].name} of an earlier call, which would be left among "
            f"these {len(pictures)} picture(s): empty it, or give another folder"
        )
    for index, picture in enumerate(pictures):
        images.save_png(path / f"{index:05d}.png", picture)


def _number(path: pathlib.Path) -> int:
    """Returns the number of a picture that `_write_folder` wrote; -1 of another file."""
    return int(path.stem) if re.fullmatch(r"\d{5,}", path.stem) else -1


def _write_npz(path: pathlib.Path, rows: "Rows") -> None:
    import numpy as np

    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            np.savez_compressed(file, images=np.concatenate(rows))
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


@contextlib.contextmanager
def _errors_of_writing(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise  # a fault, not wrong usage: `main` tells it
        raise UsageError(f"cannot write {str(path)!r}: {error.strerror}") from error
