"""Precision and recall, density and coverage: how far two sets lie in each other's reach.

A set's manifold is the union of balls around its rows that reach to their k-th neighbours.
"""

from typing import NamedTuple

import numpy as np

from tfgans.metrics.distances import (
    centred_pair,
    distance_blocks,
    distinct_others,
    resolution,
)


class PrecisionRecall(NamedTuple):
    """Each between 0 and 1.

    Attributes:
        precision: Share of generated rows within the real manifold: quality.
        recall: Share of real rows within the generated manifold: variety.
        f1: Harmonic mean of the two; 0 where both are.
    """

    precision: float
    recall: float
    f1: float


class DensityCoverage(NamedTuple):
    """Like precision and recall, but robust to outliers among the real rows.

    Attributes:
        density: Mean number of real balls around a generated row, over k; 1 for equal sets.
        coverage: Share of real balls that hold a generated row, between 0 and 1.
    """

    density: float
    coverage: float


def precision_recall(real, fake, k: int = 3) -> PrecisionRecall:
    """Improved precision and recall by k-nearest-neighbour balls.

    A row on a ball's edge is in (<=), so a set compared with a copy of itself has both at 1 even
    where all of its rows are equal.

    Args:
        real: Features `(n, d)`.
        fake: Features `(m, d)`.
        k: Which neighbour the balls reach to.

    Returns:
        A `PrecisionRecall`.

    Raises:
        ValueError: If the shapes do not fit, a number is not finite, or a set has no k-th
            neighbour.

    Reference:
        Kynkaanniemi et al., 2019, arXiv:1904.06991, Equations 1 and 2.
    """
    real, fake = _checked(real, fake, k)
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    real_edge, fake_edge = resolution(real), resolution(fake)
    in_real, in_fake = np.zeros(len(fake), bool), np.empty(len(real), bool)
    for rows, distances in distance_blocks(real, fake):
        distances -= real_edge[rows, None]
        distances -= fake_edge
        in_real |= (distances <= real_radii[rows, None]).any(axis=0)
        in_fake[rows] = (distances <= fake_radii).any(axis=1)
    precision, recall = float(in_real.mean()), float(in_fake.mean())
    f1 = 2.0 * precision * recall / (precision + recall) if precision + recall else 0.0
    return PrecisionRecall(precision, recall, f1)


def density_coverage(real, fake, k: int = 5) -> DensityCoverage:
    """Density and coverage by k-nearest-neighbour balls around the real rows alone.

    A row on a ball's edge is in (<=); the authors' code has < there.

    Args:
        real: Features `(n, d)`.
        fake: Features `(m, d)`.
        k: Which neighbour the balls reach to.

    Returns:
        A `DensityCoverage`.

    Raises:
        ValueError: As `precision_recall`.

    Reference:
        Naeem et al., 2020, arXiv:2002.09797, Equations 3 and 4.
    """
    real, fake = _checked(real, fake, k)
    radii, real_edge, fake_edge = _radii(real, k), resolution(real), resolution(fake)
    inside, covered = 0, np.empty(len(real), bool)
    for rows, distances in distance_blocks(real, fake):
        distances -= real_edge[rows, None]
        distances -= fake_edge
        within = distances <= radii[rows, None]
        inside += int(within.sum())
        covered[rows] = within.any(axis=1)
    return DensityCoverage(inside / (k * len(fake)), float(covered.mean()))


def _checked(real, fake, k: int) -> tuple[np.ndarray, np.ndarray]:
    real, fake = centred_pair(real, fake)
    if not 1 <= k < min(len(real), len(fake)):
        raise ValueError(
            f"k={k!r} must be at least 1 and below the {min(len(real), len(fake))} rows of a set"
        )
    return real, fake


def _radii(features: np.ndarray, k: int) -> np.ndarray:
    """Squared distances to the k-th nearest other row, and what rounding may have taken of them."""
    radii, edge = np.empty(len(features)), resolution(features)
    for rows, distances in distance_blocks(features, features):
        distinct_others(rows, distances)
        distances += edge
        radii[rows] = np.partition(distances, k - 1, axis=1)[:, k - 1] + edge[rows]
    return radii
