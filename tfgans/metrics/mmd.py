"""Maximum mean discrepancy with a Gaussian kernel."""

from typing import NamedTuple

import numpy as np

from tfgans.metrics.distances import checked_pair, resolution, squared_distances


class MMD(NamedTuple):
    """Discrepancy between two sets; 0 where they are distributed alike.

    Attributes:
        value: Root of the biased estimate, the figure of text 002's table.
        unbiased_squared: Unbiased estimate of the square; may be below 0.
    """

    value: float
    unbiased_squared: float


def mmd(real, fake) -> MMD:
    """Compares mean embeddings under k(a, b) = exp(-|a - b|^2 / (2 s^2)).

    s^2 is the mean squared distance between rows of `real`, each with itself included, as in
    text 002's code.

    Args:
        real: Features `(n, d)`.
        fake: Features `(m, d)`.

    Returns:
        An `MMD`.

    Raises:
        ValueError: If the shapes do not fit, or all rows of `real` are equal.

    Reference:
        Gretton et al., 2012, JMLR 13, Equations 3 (unbiased) and 5 (biased).
    """
    real, fake = checked_pair(real, fake)
    within_real = squared_distances(real, real)
    bandwidth = within_real.mean()
    if bandwidth <= resolution(real):
        raise ValueError("all rows of real are equal: the kernel has no bandwidth")
    parts = (within_real, squared_distances(fake, fake), squared_distances(real, fake))
    k_real, k_fake, k_both = (np.exp(-part / (2.0 * bandwidth)) for part in parts)
    biased = k_real.mean() + k_fake.mean() - 2.0 * k_both.mean()
    unbiased = _mean_off_diagonal(k_real) + _mean_off_diagonal(k_fake) - 2.0 * k_both.mean()
    return MMD(float(np.sqrt(max(biased, 0.0))), float(unbiased))


def _mean_off_diagonal(kernel: np.ndarray) -> float:
    n = len(kernel)
    return (kernel.sum() - np.trace(kernel)) / (n * (n - 1))
