"""Which modes, or classes, a generator makes, and how evenly."""

from typing import NamedTuple

import numpy as np


class ModeCoverage(NamedTuple):
    """How labels spread over the modes.

    Attributes:
        modes: Modes with at least `min_count` labels.
        kl: KL divergence of the shares from the expected ones, nats; 0 where they agree.
        entropy: Entropy of the shares, nats; log(num_modes) where they are even.
        shares: Share of each mode.
    """

    modes: int
    kl: float
    entropy: float
    shares: tuple[float, ...]


def mode_coverage(labels, num_modes: int, *, expected=None, min_count: int = 1) -> ModeCoverage:
    """Counts the modes that labels hit.

    A classifier's mistakes fill missing modes: lead with `kl`, or ask for some hits (`min_count`).

    Args:
        labels: Whole numbers from 0 to `num_modes - 1`, `(n,)`.
        num_modes: Number of modes there are.
        expected: Share of each mode in the data, all above 0; by default even.
        min_count: Labels that make a mode count.

    Returns:
        A `ModeCoverage`.

    Raises:
        ValueError: If there are no labels, or one is out of range.

    Reference:
        Metz et al., 2017, arXiv:1611.02163, Section 3.3.1 (modes and KL).
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or not labels.size or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"labels must be whole numbers (n,), got {labels.dtype} of shape {labels.shape}"
        )
    if labels.min() < 0 or labels.max() >= num_modes:
        raise ValueError(
            f"labels run from {labels.min()} to {labels.max()}; "
            f"{num_modes} modes are numbered from 0 to {num_modes - 1}"
        )
    prior = np.full(num_modes, 1.0) if expected is None else np.asarray(expected, np.float64)
    if prior.shape != (num_modes,) or not ((prior > 0.0) & (prior < np.inf)).all():
        raise ValueError(f"expected must hold {num_modes} shares above 0")
    counts = np.bincount(labels, minlength=num_modes)
    shares = counts / counts.sum()
    hit = shares > 0.0
    logs = np.log(shares[hit])
    kl = float((shares[hit] * (logs - np.log(prior[hit] / prior.sum()))).sum())
    entropy = float(-(shares[hit] * logs).sum())
    modes = int((counts >= max(1, min_count)).sum())
    return ModeCoverage(modes, kl, entropy, tuple(map(float, shares)))
