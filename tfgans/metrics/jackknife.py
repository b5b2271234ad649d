"""Standard errors of any metric by leaving out disjoint groups.

Resampling with replacement makes copies, and copies are what two-sample metrics react to: a
bootstrap moves a 1-NN accuracy from 0.49 to 0.82. Groups that are left out make none. Measured on
Gaussians (tests/exact/test_jackknife.py), the error is right for smooth metrics of sets that
differ, 1.4 to 1.7 times too large for sets alike, and 1.4 to 2.1 times for nearest neighbours.
"""

from collections.abc import Callable
from typing import Any

import numpy as np


def jackknife(metric: Callable[..., Any], *sets, groups: int = 10) -> Any:
    """Returns the standard error of `metric(*sets)`.

    The rows of each set are divided into `groups` runs in their given order; the i-th run is left
    out of all sets at once. The sets are taken as independent of each other.

    Args:
        metric: Callable from the sets to a number, or an array of several.
        *sets: Arrays with at least `groups` rows each, in a random order.
        groups: Groups to leave out in turn, at least 2.

    Returns:
        The standard error, a float, or an array of them.

    Raises:
        ValueError: If a set has fewer rows than there are groups.

    Reference:
        Shao and Wu, 1989, Annals of Statistics 17(3) (the delete-d jackknife).
    """
    smallest = min(len(rows) for rows in sets)
    if not 2 <= groups <= smallest:
        raise ValueError(f"groups={groups!r} must lie between 2 and the {smallest} rows of a set")
    values = np.array(
        [metric(*(_without(rows, part, groups) for rows in sets)) for part in range(groups)]
    )
    squares = np.square(values - values.mean(axis=0)).sum(axis=0)
    found = np.sqrt((groups - 1) / groups * squares)
    return found if found.ndim else float(found)


def _without(rows, part: int, groups: int) -> np.ndarray:
    rows = np.asarray(rows)
    start, stop = len(rows) * part // groups, len(rows) * (part + 1) // groups
    return np.concatenate([rows[:start], rows[stop:]])
