"""Squared Euclidean distances in blocks, and the checks that two-sample metrics begin with."""

from collections.abc import Iterator

import numpy as np

# Distances held at a time: 128 MB of float64.
_BLOCK_ELEMENTS = 2**24


def checked(features, name: str = "features", at_least: int = 2) -> np.ndarray:
    """Returns a set of features as float64 `(n, d)`.

    Raises:
        ValueError: If it is not `(n, d)` with n >= `at_least` and d >= 1, or holds a number that
            is not finite.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < at_least or not features.shape[1]:
        raise ValueError(
            f"{name} has shape {features.shape}; it must be (n, d) with n >= {at_least}"
        )
    bad = ~np.isfinite(features).all(axis=1)
    if bad.any():
        raise ValueError(
            f"{name} has {bad.sum()} of {len(features)} rows with a number that is not finite, "
            f"the first at row {bad.argmax()}"
        )
    return features


def checked_pair(real, fake) -> tuple[np.ndarray, np.ndarray]:
    """Returns both sets as float64 `(n, d)`.

    Raises:
        ValueError: As `checked`, or if the two differ in d.
    """
    real, fake = checked(real, "real"), checked(fake, "fake")
    if real.shape[1] != fake.shape[1]:
        raise ValueError(f"real has {real.shape[1]} features, fake has {fake.shape[1]}")
    return real, fake


def centred_pair(real, fake) -> tuple[np.ndarray, np.ndarray]:
    """Returns both sets less the mean of `real`: far from 0 distances would lose their digits."""
    real, fake = checked_pair(real, fake)
    mean = real.mean(axis=0)
    return real - mean, fake - mean


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns float64 `(n, m)` squared distances between the rows of two arrays, none negative."""
    squares = first @ second.T
    squares *= -2.0
    squares += np.sum(first**2, 1)[:, None]
    squares += np.sum(second**2, 1)[None, :]
    return np.maximum(squares, 0.0, out=squares)


def row_blocks(rows: int, columns: int) -> Iterator[slice]:
    """Yields slices of `rows` such that a block of `columns` numbers a row stays in memory."""
    step = max(1, _BLOCK_ELEMENTS // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))


def distance_blocks(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields `(rows, squared_distances(first[rows], second))` over all rows of `first`."""
    for rows in row_blocks(len(first), len(second)):
        yield rows, squared_distances(first[rows], second)


def resolution(features: np.ndarray) -> np.ndarray:
    """Returns each row's share `(n,)` of the error that rounding leaves in `squared_distances`.

    That of a pair is the sum of both: one row far away must not blur the others.
    """
    return 1e-12 * np.square(features).sum(1)


def distinct_others(rows: slice, distances: np.ndarray) -> np.ndarray:
    """Puts infinity where a block of distances within one set pairs a row with itself."""
    distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = np.inf
    return distances
