"""Squared Euclidean distances, which most two-sample metrics start from."""

import numpy as np


def checked_pair(real, fake) -> tuple[np.ndarray, np.ndarray]:
    """Returns both sets as float64 `(n, d)`.

    Raises:
        ValueError: If a set is not `(n, d)` with n >= 2, or the two differ in d.
    """
    sets = [np.asarray(features, np.float64) for features in (real, fake)]
    for name, features in zip(("real", "fake"), sets, strict=True):
        if features.ndim != 2 or len(features) < 2:
            raise ValueError(f"{name} has shape {features.shape}; it must be (n, d) with n >= 2")
    if sets[0].shape[1] != sets[1].shape[1]:
        raise ValueError(f"real has {sets[0].shape[1]} features, fake has {sets[1].shape[1]}")
    return sets[0], sets[1]


def squared_distances(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns float64 `(n, m)` squared distances between the rows of two arrays, none negative."""
    products = first @ second.T
    squares = np.sum(first**2, 1)[:, None] + np.sum(second**2, 1)[None, :]
    return np.maximum(squares - 2.0 * products, 0.0)


def resolution(features: np.ndarray) -> float:
    """Returns the error that rounding may leave in `squared_distances` between such rows."""
    return 1e-12 * float(np.square(features).sum(1).max())
