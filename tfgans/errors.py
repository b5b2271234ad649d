"""The two kinds of failure a user meets, each told in one line."""

import difflib
import numbers
import operator
from collections.abc import Iterable, Sequence

LARGEST_INT = 2**31 - 1  # SavedModels take int32
SMALLEST_TRUNCATION = 1e-6


class UsageError(ValueError):
    """Wrong usage or bad input: the command line prints it and exits with code 2."""


class TrainingError(RuntimeError):
    """A fault in a run (non-finite loss, full disk): printed in one line, exit code 1."""


def did_you_mean(name: str, known: Iterable[str], count: int = 3) -> str:
    """Returns `. Did you mean 'a' or 'b'?` for the names nearest to `name`, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=count, cutoff=0.5)
    return f". Did you mean {' or '.join(repr(match) for match in near)}?" if near else ""


def whole(name: str, value, at_least: int = -LARGEST_INT - 1) -> int:
    """Returns `value` as an int of 32 bits.

    Raises:
        UsageError: If it is none, or below `at_least`.
    """
    try:
        number = operator.index(value)
    except TypeError as error:
        raise UsageError(f"{name}={value!r} must be an int") from error
    if not at_least <= number <= LARGEST_INT:
        raise UsageError(f"{name}={value!r} must lie between {at_least} and {LARGEST_INT}")
    return number


def first_line(error: BaseException) -> str:
    """Returns the first line of what an error says, or else its kind."""
    lines = [line.strip() for line in str(error).split("\n") if line.strip()]
    lines = [line for line in lines if line != "in user code:" and not line.startswith("File ")]
    return lines[0] if lines else type(error).__name__


def checked_labels(label, n: int, classes: Sequence[int]):
    """Returns the class asked for, or the classes of `n` pictures, as an int32 array.

    Raises:
        UsageError: If it is neither one int nor n of them, or names no class of `classes`.
    """
    import numpy as np  # not at the top: the command line answers `--help` without

    labels = np.asarray(label)
    if labels.dtype.kind not in "iu" or labels.shape not in ((), (n,)):
        raise UsageError(f"label={label!r} must be one int, or {n} of them")
    strange = [found for found in labels.flat if found not in set(classes)]
    if strange:
        raise UsageError(
            f"label={strange[0]} is no class of this model, which has {spans(classes)}"
        )
    return labels.astype(np.int32)


def spans(numbers: Iterable[int]) -> str:
    """Returns such as `0-4, 7` for ascending numbers."""
    found: list[list[int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(f"{first}-{last}" if last > first else str(first) for first, last in found)


def checked_truncation(value) -> float:
    """Returns a threshold on |z| as a float.

    Raises:
        UsageError: If it is no number above 0, or so small that float32 has no use for it.
    """
    if not isinstance(value, numbers.Real) or not float(value) >= SMALLEST_TRUNCATION:
        raise UsageError(f"truncation={value!r} must be a number of at least {SMALLEST_TRUNCATION}")
    return float(value)
