"""How the commands read their words: options as tables, values by type, errors in one line."""

import argparse
import ast
import math
import pathlib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from tfgans.errors import LARGEST_INT, UsageError, did_you_mean

# Group title -> option -> what `add_argument` takes.
Options = Mapping[str, Mapping[str, Mapping[str, Any]]]

_WORDS = {
    "true": True,
    "false": False,
    "null": None,
    "None": None,  # none is a word, such as of discriminator.labels
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, and that leaves out what was not given."""

    def __init__(self, **kwargs):
        super().__init__(
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
            formatter_class=_help_format,
            **kwargs,
        )

    def add_options(self, options: Options) -> None:
        """Adds a table of options."""
        for title, group in options.items():
            into = self.add_argument_group(title)
            for flag, settings in group.items():
                into.add_argument(flag, **settings)

    def error(self, message: str) -> NoReturn:
        """Raises the error; `main` prints it, without the usage, and exits."""
        raise UsageError(message)

    def option_names(self, command: str) -> list[str]:
        """Returns the options of one of the commands."""
        actions = [a for a in self._actions if isinstance(a, argparse._SubParsersAction)]
        return [name for name in actions[0].choices[command]._option_string_actions if name]


def _help_format(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, max_help_position=30, width=110)


def parse(parser: Parser, argv: Sequence[str]) -> dict[str, Any]:
    """Returns the options given in `argv`, and only those, by name, with the `command`.

    Raises:
        UsageError: On anything unknown; names the nearest options.
    """
    arguments, unknown = parser.parse_known_args(argv)
    for word in unknown:
        if word.startswith("-"):
            flag = word.split("=")[0]
            near = did_you_mean(flag, parser.option_names(arguments.command))
            raise UsageError(f"unknown option {flag!r}{near or ', see --help'}")
        raise UsageError(f"unexpected {word!r}: options are given as --name=value, see --help")
    return vars(arguments)


def whole(minimum: int = 1) -> Callable[[str], int]:
    """Returns a reader of whole numbers of at least `minimum`."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = minimum - 1
        if not minimum <= number <= LARGEST_INT:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a whole number from {minimum} to {LARGEST_INT}"
            )
        return number

    return read


def name(text: str) -> str:
    """Reads a name or a path; an empty one would mean the folder one happens to be in."""
    if not text:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing")
    return text


def path(text: str) -> pathlib.Path:
    """Reads a path."""
    return pathlib.Path(name(text))


def positive(text: str) -> float:
    """Reads a number above 0."""
    found = _float(text)
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return found


def number(text: str) -> float:
    """Reads a finite number."""
    found = _float(text)
    if not math.isfinite(found):
        raise argparse.ArgumentTypeError(f"{text!r} is not a finite number")
    return found


def _float(text: str) -> float:
    """Reads a number; what is none becomes NaN."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def one_of(*names: str) -> Callable[[str], str]:
    """Returns a reader of one of `names`."""

    def read(text: str) -> str:
        if text not in names:
            near = did_you_mean(text, names)
            raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(names)}{near}")
        return text

    return read


def image_size(text: str) -> int | tuple[int, int]:
    """Reads `64` or `64x48` (height x width)."""
    sides = text.split("x")
    if not all(side.isdecimal() and int(side) > 0 for side in sides) or len(sides) > 2:
        raise argparse.ArgumentTypeError(f"{text!r} is not H or HxW in pixels, such as 64 or 64x48")
    return int(text) if len(sides) == 1 else (int(sides[0]), int(sides[1]))


def label(text: str) -> str:
    """Reads the number or the name of a class, or `all`."""
    if text.startswith("-") or not text:
        raise argparse.ArgumentTypeError(f"{text!r} is not the number or name of a class, or all")
    return text


def labels(text: str) -> list[int]:
    """Reads labels such as `3`, `0-4` or `0-4,7`."""
    found: set[int] = set()
    for part in text.split(","):
        ends = re.fullmatch(r"([0-9]{1,6})(?:-([0-9]{1,6}))?", part)
        first, last = (int(end or ends[1]) for end in ends.groups()) if ends else (1, 0)
        if first > last:
            raise argparse.ArgumentTypeError(
                f"{text!r} names no classes, as 3, 0-4 or 0-4,7 do, up to 999999"
            )
        found |= set(range(first, last + 1))
    return sorted(found)


def setting(text: str) -> tuple[str, Any]:
    """Reads `key=value`; see `value`."""
    key, equals, word = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not key=value, such as gp_weight=5")
    return key, value(word)


def value(text: str) -> Any:
    """Reads a number, true, false, null, a quoted string or a list; anything else is a string."""
    for word in (text, text.lower()):
        if word in _WORDS:
            return _WORDS[word]
    try:
        read = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return read if isinstance(read, (int, float, str, list, tuple)) else text
