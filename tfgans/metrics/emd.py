"""Earth mover's distance between two sets of equal size, exactly."""

import numpy as np
import scipy.optimize

from tfgans.metrics.distances import centred_pair, squared_distances

MOST_ROWS = 5000  # the time of the assignment grows with the cube of the rows


def emd(real, fake) -> float:
    """Mean Euclidean distance of the best one-to-one assignment (Wasserstein-1).

    Its bias falls slowly, as n^(-1/d): only figures of one n compare.

    Args:
        real: Features `(n, d)`.
        fake: Features `(n, d)`, as many rows as `real`; 5,000 at most.

    Returns:
        The distance.

    Raises:
        ValueError: If the shapes do not fit, a number is not finite, or there are too many rows.

    Reference:
        Text 000, "Wasserstein GAN"; Xu et al., 2018, arXiv:1806.07755, Section 3.
    """
    real, fake = centred_pair(real, fake)
    if len(real) != len(fake):
        raise ValueError(f"the sets must be of equal size, got {len(real)} and {len(fake)} rows")
    if len(real) > MOST_ROWS:
        raise ValueError(f"{len(real)} rows are too many for an assignment: {MOST_ROWS} at most")
    distances = np.sqrt(squared_distances(real, fake))
    return float(distances[scipy.optimize.linear_sum_assignment(distances)].mean())
