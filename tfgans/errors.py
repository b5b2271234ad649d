"""The two kinds of failure a user meets, each told in one line."""

import difflib
from collections.abc import Iterable


class UsageError(ValueError):
    """Wrong usage or bad input: the command line prints it and exits with code 2."""


class TrainingError(RuntimeError):
    """A fault in a run (non-finite loss, full disk): printed in one line, exit code 1."""


def did_you_mean(name: str, known: Iterable[str], count: int = 3) -> str:
    """Returns `. Did you mean 'a' or 'b'?` for the names nearest to `name`, or an empty string."""
    near = difflib.get_close_matches(name, list(known), n=count, cutoff=0.5)
    return f". Did you mean {' or '.join(repr(match) for match in near)}?" if near else ""
