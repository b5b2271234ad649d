"""Inception score: sure of each picture, and of many classes."""

from typing import NamedTuple

import numpy as np


class InceptionScore(NamedTuple):
    """Between 1 and the number of classes; higher is better.

    Attributes:
        value: Mean over the splits.
        stderr: Its standard error; NaN for a single split.
    """

    value: float
    stderr: float


def inception_score(probabilities, *, splits: int = 10) -> InceptionScore:
    """Returns exp E KL(p(label | image) || p(label)), the mean over disjoint splits.

    A generator of one perfect picture a class has the highest score there is: it says nothing
    of variety within the classes, and it never looks at real pictures.

    Args:
        probabilities: p(label | image), `(n, classes)`, each row summing to 1.
        splits: Disjoint parts, in the given order.

    Returns:
        An `InceptionScore`.

    Raises:
        ValueError: If these are no probabilities, or there are fewer rows than splits.

    Reference:
        Salimans et al., 2016, arXiv:1606.03498, Section 4.
    """
    rows = np.asarray(probabilities, np.float64)
    if rows.ndim != 2 or not rows.shape[1]:
        raise ValueError(f"probabilities have shape {rows.shape}; they must be (n, classes)")
    if not 1 <= splits <= len(rows):
        raise ValueError(f"splits={splits!r} must lie between 1 and the {len(rows)} rows")
    # NaN fails both comparisons.
    if not ((rows >= 0.0).all() and (np.abs(rows.sum(1) - 1.0) < 1e-3).all()):
        raise ValueError("probabilities must be >= 0, each row summing to 1")
    scores = [_score(part) for part in np.array_split(rows, splits)]
    spread = np.std(scores, ddof=1) / np.sqrt(splits) if splits > 1 else np.nan
    return InceptionScore(float(np.mean(scores)), float(spread))


def _score(rows: np.ndarray) -> float:
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0.0)
    marginal = rows.mean(axis=0)
    log_marginal = np.log(marginal, out=np.zeros_like(marginal), where=marginal > 0.0)
    return float(np.exp((rows * (logs - log_marginal)).sum(axis=1).mean()))
