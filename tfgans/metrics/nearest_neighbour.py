"""1-nearest-neighbour accuracy: can a picture's neighbour tell whether it is generated?"""

from typing import NamedTuple

import numpy as np

from tfgans.metrics.distances import centred_pair, distance_blocks, distinct_others, resolution


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

    Where rows of both sets are equally near, such as copies, they share the vote. Against the
    training set an accuracy well below that of held-out pictures means copies.

    Args:
        real: Features `(n, d)`.
        fake: Features `(n, d)`, as many rows as `real`: the chance level is 0.5 only then.

    Returns:
        A `OneNN`.

    Raises:
        ValueError: If the shapes do not fit, or a number is not finite.

    Reference:
        Lopez-Paz and Oquab, 2017, arXiv:1610.06545; Xu et al., 2018, arXiv:1806.07755.
    """
    real, fake = centred_pair(real, fake)
    if len(real) != len(fake):
        raise ValueError(f"the sets must be of equal size, got {len(real)} and {len(fake)} rows")
    both = np.concatenate([real, fake])
    votes_real = np.empty(len(both))
    tie = resolution(both)
    for rows, distances in distance_blocks(both, both):
        distinct_others(rows, distances)
        # Not ==: rounding would part the ties, and with them the copies that share a vote.
        distances += tie
        most = distances.min(axis=1) + 2.0 * tie[rows]
        distances -= 2.0 * tie
        nearest = distances <= most[:, None]
        votes_real[rows] = nearest[:, : len(real)].sum(1) / nearest.sum(1)
    right_real = float(votes_real[: len(real)].mean())
    right_fake = float(1.0 - votes_real[len(real) :].mean())
    return OneNN((right_real + right_fake) / 2, right_real, right_fake)


def relative_distances(queries, references) -> np.ndarray:
    """Returns how near each row is to its nearest reference, in that one's own distance to others.

    Args:
        queries: Features `(n, d)`.
        references: Features `(m, d)`, m >= 2.

    Returns:
        float64 `(n,)`: the distance to the nearest row of `references`, over the distance of that
        row to the nearest other one; a copy has 0, also of a row that is there twice.

    Raises:
        ValueError: If the shapes do not fit, or a number is not finite.
    """
    queries, references = centred_pair(queries, references)
    index, distance = nearest(queries, references)
    hit, back = np.unique(index, return_inverse=True)
    own = np.empty(len(hit))
    for rows, distances in distance_blocks(references[hit], references):
        distances[np.arange(len(distances)), hit[rows]] = np.inf
        own[rows] = np.sqrt(distances.min(axis=1))
    blur = resolution(references)[index]
    distance[np.square(distance) <= resolution(queries) + blur] = 0.0
    return distance / np.maximum(own[back], np.sqrt(2.0 * blur) + np.finfo(float).tiny)


def nearest(queries, references) -> tuple[np.ndarray, np.ndarray]:
    """Finds the nearest row of `references` for each of `queries`.

    Args:
        queries: Features `(n, d)`.
        references: Features `(m, d)`.

    Returns:
        int64 indices `(n,)` into `references`, and float64 distances `(n,)`.

    Raises:
        ValueError: If the shapes do not fit, or a number is not finite.
    """
    queries, references = centred_pair(queries, references)
    index, distance = np.empty(len(queries), np.int64), np.empty(len(queries))
    for rows, distances in distance_blocks(queries, references):
        index[rows] = distances.argmin(axis=1)
        distance[rows] = np.sqrt(distances.min(axis=1))
    return index, distance
