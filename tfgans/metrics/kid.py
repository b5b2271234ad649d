"""Kernel inception distance: MMD with a cubic kernel, unbiased at every number of samples."""

from typing import NamedTuple

import numpy as np

from tfgans.metrics.distances import checked_pair, row_blocks
from tfgans.metrics.jackknife import jackknife


class KID(NamedTuple):
    """Squared discrepancy under a cubic kernel.

    Attributes:
        value: Unbiased estimate from all rows; below 0 by chance where the sets are alike.
        stderr: Its standard error, leaving out disjoint blocks; NaN where there are too few rows.
    """

    value: float
    stderr: float


def kid(real, fake, *, num_blocks: int = 10) -> KID:
    """Compares two sets by MMD^2 under k(a, b) = (a.b / d + 1)^3.

    Args:
        real: Features `(n, d)`.
        fake: Features `(m, d)`.
        num_blocks: Disjoint blocks for the standard error, at least 2; the value takes all rows.

    Returns:
        A `KID`.

    Raises:
        ValueError: If the shapes do not fit, or a number is not finite.

    Reference:
        Binkowski et al., 2018, arXiv:1801.01401, Section 4.
    """
    real, fake = checked_pair(real, fake)
    if num_blocks < 2:
        raise ValueError(f"num_blocks={num_blocks!r} must be at least 2")
    value = _unbiased(real, fake)
    if min(len(real), len(fake)) < 2 * num_blocks:
        return KID(value, float("nan"))
    return KID(value, jackknife(_unbiased, real, fake, groups=num_blocks))


def _unbiased(real: np.ndarray, fake: np.ndarray) -> float:
    across = _kernel_sum(real, fake) / (len(real) * len(fake))
    return _off_diagonal_mean(real) + _off_diagonal_mean(fake) - 2.0 * across


def _off_diagonal_mean(rows: np.ndarray) -> float:
    diagonal = float(((np.square(rows).mean(1) + 1.0) ** 3).sum())
    return (_kernel_sum(rows, rows) - diagonal) / (len(rows) * (len(rows) - 1))


def _kernel_sum(first: np.ndarray, second: np.ndarray) -> float:
    d = first.shape[1]
    parts = row_blocks(len(first), len(second))
    return sum(float(((first[rows] @ second.T / d + 1.0) ** 3).sum()) for rows in parts)
