"""1-nearest-neighbour accuracy: can a picture's neighbour tell whether it is generated?"""

from typing import NamedTuple

import numpy as np

from tfgans.metrics.distances import checked_pair, resolution, squared_distances


class OneNN(NamedTuple):
    """Leave-one-out accuracies; 0.5 is best, 1 says that the sets are apart.

    Attributes:
        accuracy: Over both sets.
        real: Over the real set: low where generated pictures crowd around real ones.
        fake: Over the generated set: high where generated pictures keep to themselves.
    """

    accuracy: float
    real: float
    fake: float


def one_nn_accuracy(real, fake) -> OneNN:
    """Classifies each row by its nearest other row in the union of both sets.

    Where rows of both sets are equally near, such as copies, they share the vote.

    Args:
        real: Features `(n, d)`.
        fake: Features `(n, d)`, as many rows as `real`: the chance level is 0.5 only then.

    Returns:
        A `OneNN`.

    Raises:
        ValueError: If the shapes do not fit.

    Reference:
        Lopez-Paz and Oquab, 2017, arXiv:1610.06545; Xu et al., 2018, arXiv:1806.07755.
    """
    real, fake = checked_pair(real, fake)
    if len(real) != len(fake):
        raise ValueError(f"the sets must be of equal size, got {len(real)} and {len(fake)} rows")
    both = np.concatenate([real, fake])
    distances = squared_distances(both, both)
    np.fill_diagonal(distances, np.inf)
    # Not ==: rounding would part the ties, and with them the copies that share a vote.
    nearest = distances <= distances.min(axis=1, keepdims=True) + resolution(both)
    votes_real = nearest[:, : len(real)].sum(1) / nearest.sum(1)
    right_real = float(votes_real[: len(real)].mean())
    right_fake = float(1.0 - votes_real[len(real) :].mean())
    return OneNN((right_real + right_fake) / 2, right_real, right_fake)
