"""`python -m tfgans.playground NAME`: plays a game, prints what was measured, draws it."""

import importlib
import inspect
import json
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.animation import PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tfgans import cli, runs
from tfgans.cli import parsing, tables
from tfgans.cli.quiet import import_tensorflow
from tfgans.errors import TrainingError, UsageError, did_you_mean
from tfgans.playground import FRAMES_A_SECOND, GAMES, WITHOUT_TENSORFLOW, Outcome
from tfgans.variant import described

_DPI = 110
_MOVING_DPI = 80
_TYPES = {int: parsing.whole(0), float: parsing.number, str: str}


def main(argv: Sequence[str] | None = None) -> int:
    """Plays the game that is named; returns the exit code, as `tfgans.cli.main`."""
    return cli.answered(lambda: _run(sys.argv[1:] if argv is None else argv))


def _run(argv: Sequence[str]) -> None:
    name = next(iter(argv), "--help")
    if name.startswith("-") and name not in ("-h", "--help"):
        raise UsageError(f"{name!r} comes after the name of a game: {', '.join(GAMES)}")
    if name not in GAMES and not name.startswith("-"):
        near = did_you_mean(name, GAMES) or "."
        raise UsageError(f"unknown game {name!r}{near} There are {', '.join(GAMES)}")
    given = parsing.parse(_parser(argv), argv or ["--help"])
    name, as_json = given.pop("command"), given.pop("json", False)
    folder = given.pop("out", pathlib.Path("playground") / name)
    _check_folder(folder)
    outcome = _module(name).play(**given)
    told = {"game": name, **outcome.facts, "files": _saved(outcome, folder)}
    try:
        line = json.dumps(told, allow_nan=False)
    except ValueError as error:
        raise TrainingError(f"{name} came to numbers that are not finite: {told}") from error
    if as_json:
        print(line)
    else:
        print(tables.aligned([(key, _cell(value)) for key, value in told.items()]))


def _parser(argv: Sequence[str]) -> parsing.Parser:
    """Returns the parser of all games; only the named one is imported, for its options."""
    parser = parsing.Parser(prog="python -m tfgans.playground", description="Games that show why.")
    games = parser.add_subparsers(dest="command", metavar="NAME", required=True)
    for name, line in GAMES.items():
        own = games.add_parser(name, help=line, description=line)
        if name in argv[:1]:
            own.add_options({"the game": _options(_module(name).play)})
        output: Mapping[str, Mapping[str, Any]] = {
            "--json": {"action": "store_true", "help": "print one line of JSON; default off"},
            "--out": {
                "type": parsing.path,
                "metavar": "DIR",
                "help": f"folder of the pictures; default playground/{name}",
            },
        }
        own.add_options({"output": output})
    return parser


def _options(play) -> Mapping[str, Mapping[str, Any]]:
    meanings = described(play.__doc__)
    defaults = {key: one.default for key, one in inspect.signature(play).parameters.items()}
    table: dict[str, dict[str, Any]] = {}
    for key, default in defaults.items():
        shown = "none" if default in ((), "") else default
        told = {"help": f"{meanings[key].rstrip('.')}; default {shown}"}
        if key == "options":  # of a row of the zoo
            several = {"dest": key, "nargs": "+", "action": "extend", "metavar": "K=V"}
            table["--set"] = {"type": parsing.setting, **several, **told}
        else:
            reader = _TYPES[type(default)]
            table[f"--{key}"] = {"type": reader, "metavar": key.upper(), **told}
    return table


def _module(name: str):
    if name not in WITHOUT_TENSORFLOW:
        import_tensorflow()
    return importlib.import_module(f"tfgans.playground.{name}")


def _check_folder(folder: pathlib.Path) -> None:
    """Refuses a folder that the pictures could not be written to, before the game is played."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not there.is_dir():
        raise UsageError(f"--out={str(folder)!r}: {str(there)!r} is not a folder")
    try:
        runs.check_writable(folder / f".{os.getpid()}")
    except OSError as error:
        raise UsageError(f"--out={str(folder)!r} cannot be written: {error.strerror}") from error


def _saved(outcome: Outcome, folder: pathlib.Path) -> list[str]:
    """Writes the pictures and returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / "plot.png"]
    FigureCanvasAgg(outcome.figure)
    outcome.figure.savefig(files[0], dpi=_DPI)
    if outcome.animation is not None:
        files.append(folder / "animation.gif")
        outcome.animation().save(files[1], writer=PillowWriter(FRAMES_A_SECOND), dpi=_MOVING_DPI)
    return [str(file) for file in files]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(one)}" for key, one in value.items())
    return ", ".join(map(_cell, value)) if isinstance(value, list) else str(value)


if __name__ == "__main__":
    sys.exit(main())
