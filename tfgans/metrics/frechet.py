"""Frechet distance between the Gaussians that have two sets' means and covariances."""

import dataclasses
import warnings
from typing import NamedTuple

import numpy as np
import scipy.linalg

from tfgans.metrics.distances import checked, checked_pair


@dataclasses.dataclass(frozen=True)
class Moments:
    """Mean and scatter of a set of features, which may come in parts.

    Attributes:
        count: Rows seen.
        mean: float64 `(d,)`.
        scatter: float64 `(d, d)`, the sum of outer products of the rows' deviations from `mean`.
    """

    count: int
    mean: np.ndarray
    scatter: np.ndarray

    @classmethod
    def of(cls, features) -> "Moments":
        """Returns the moments of features `(n, d)`."""
        features = checked(features, at_least=1)
        mean = features.mean(axis=0)
        centred = features - mean
        return cls(len(features), mean, centred.T @ centred)

    def merge(self, other: "Moments") -> "Moments":
        """Returns the moments of both sets together.

        The means' difference enters as it is, so nothing cancels, wherever the data lies.

        Reference:
            Chan, Golub and LeVeque, 1979, Stanford STAN-CS-79-773, Equation 2.1.
        """
        if self.mean.shape != other.mean.shape:
            raise ValueError(f"{len(self.mean)} features cannot be merged with {len(other.mean)}")
        count = self.count + other.count
        step = other.mean - self.mean
        weight = self.count * other.count / count
        scatter = self.scatter + other.scatter + weight * np.outer(step, step)
        return Moments(count, self.mean + step * (other.count / count), scatter)

    @property
    def covariance(self) -> np.ndarray:
        """float64 `(d, d)`, the unbiased estimate; of a single row there is none."""
        if self.count < 2:
            raise ValueError("a single row has no covariance")
        return self.scatter / (self.count - 1)


class FIDInfinity(NamedTuple):
    """FID extrapolated to infinitely many samples.

    Attributes:
        value: Intercept of the line through FID against 1/n; may be a little below 0.
        slope: c in FID(n) = value + c / n, the bias.
    """

    value: float
    slope: float


def fid(real, fake) -> float:
    """Frechet distance: |m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^1/2).

    Its bias falls as c / n, with c depending on the features: only figures of one n compare.

    Args:
        real: Features `(n, d)`.
        fake: Features `(m, d)`.

    Returns:
        The distance, never negative, computed in float64.

    Raises:
        ValueError: If the shapes do not fit, or a number is not finite.

    Warns:
        UserWarning: If a set has no more rows than features: its covariance is singular.

    Reference:
        Heusel et al., 2017, arXiv:1706.08500, Section 3.
    """
    real, fake = checked_pair(real, fake)
    for name, features in (("real", real), ("fake", fake)):
        n, d = features.shape
        if n <= d:
            words = f"{name} has {n} rows of {d} features: with n <= d its covariance is singular"
            warnings.warn(f"{words}, and FID mostly bias", UserWarning, stacklevel=2)
    return _distance(real, fake)


def frechet_distance(first: Moments, second: Moments) -> float:
    """FID from moments.

    (C1 C2)^1/2 has the trace of (C1^1/2 C2 C1^1/2)^1/2, which is symmetric: its eigenvalues are
    real, and what rounding leaves below 0 is 0.
    """
    values, vectors = scipy.linalg.eigh(first.covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    product = scipy.linalg.eigvalsh(root @ second.covariance @ root)
    cross = np.sqrt(np.maximum(product, 0.0)).sum()
    gap = np.square(first.mean - second.mean).sum()
    traces = np.trace(first.covariance) + np.trace(second.covariance)
    return max(float(gap + traces - 2.0 * cross), 0.0)


def _distance(real: np.ndarray, fake: np.ndarray) -> float:
    """FID of two sets, by whichever way has the smaller matrices.

    With A and B the centred rows over the root of n - 1, C1 = A'A and C2 = B'B, and the trace of
    (C1 C2)^1/2 is the sum of the singular values of A B': no d x d matrix is needed.
    """
    if max(len(real), len(fake)) >= real.shape[1]:
        return frechet_distance(Moments.of(real), Moments.of(fake))
    first, second = ((rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1) for rows in (real, fake))
    cross = scipy.linalg.svdvals(first @ second.T).sum()
    gap = np.square(real.mean(axis=0) - fake.mean(axis=0)).sum()
    return max(float(gap + np.square(first).sum() + np.square(second).sum() - 2.0 * cross), 0.0)


def fid_infinity(real, fake, *, num_points: int = 8, seed: int = 0) -> FIDInfinity:
    """Extrapolates FID to infinitely many samples of both sets.

    FID of random subsets of sizes between a fifth of the data and all of it, evenly spread in
    1/n, and the least-squares line through them.

    Args:
        real: Features `(n, d)`.
        fake: Features `(m, d)`; as many rows as the smaller set has are used of both.
        num_points: Sizes to fit through, at least 2.
        seed: Seed of the subsets.

    Returns:
        A `FIDInfinity`.

    Raises:
        ValueError: As `fid`, or if there are fewer than 20 rows or 2 points.

    Warns:
        UserWarning: If the smallest subset has no more rows than features.

    Reference:
        Chong and Forsyth, 2020, arXiv:1911.07023, Section 3.
    """
    real, fake = checked_pair(real, fake)
    most = min(len(real), len(fake))
    if most < 20 or num_points < 2:
        raise ValueError(f"{most} rows and {num_points} points: it takes 20 rows and 2 points")
    if most // 5 <= real.shape[1]:
        words = f"the smallest subset has {most // 5} rows of {real.shape[1]} features"
        warnings.warn(f"{words}: FID is no line in 1/n there", UserWarning, stacklevel=2)
    generator = np.random.default_rng(seed)
    inverse = np.linspace(1.0 / most, 5.0 / most, num_points)
    sizes = np.round(1.0 / inverse).astype(int)
    values = [
        _distance(*(generator.permutation(rows)[:size] for rows in (real, fake))) for size in sizes
    ]
    slope, intercept = np.polyfit(1.0 / sizes, values, 1)
    return FIDInfinity(float(intercept), float(slope))
