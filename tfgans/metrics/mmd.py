"""Maximum mean discrepancy with a Gaussian kernel."""

from typing import NamedTuple

import numpy as np

from tfgans.metrics.distances import centred_pair, distance_blocks, resolution


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
        ValueError: If the shapes do not fit, a number is not finite, or all rows of `real` are
            equal.

    Reference:
        Gretton et al., 2012, JMLR 13, Equations 3 (unbiased) and 5 (biased).
    """
    real, fake = centred_pair(real, fake)
    total = sum(distances.sum() for _, distances in distance_blocks(real, real))
    bandwidth = total / len(real) ** 2
    if bandwidth <= resolution(real).max():
        raise ValueError("all rows of real are equal: the kernel has no bandwidth")
    within_real = _kernel_sum(real, real, bandwidth)
    within_fake = _kernel_sum(fake, fake, bandwidth)
    across = _kernel_sum(real, fake, bandwidth) / (len(real) * len(fake))
    biased = within_real / len(real) ** 2 + within_fake / len(fake) ** 2 - 2.0 * across
    # A row's kernel with itself is 1, but for rounding.
    unbiased = _off_diagonal(within_real, len(real)) + _off_diagonal(within_fake, len(fake))
    return MMD(float(np.sqrt(max(biased, 0.0))), float(unbiased - 2.0 * across))


def _kernel_sum(first: np.ndarray, second: np.ndarray, bandwidth: float) -> float:
    blocks = distance_blocks(first, second)
    return sum(float(np.exp(block / (-2.0 * bandwidth)).sum()) for _, block in blocks)


def _off_diagonal(total: float, n: int) -> float:
    return (total - n) / (n * (n - 1))
