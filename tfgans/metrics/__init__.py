"""Metrics: arrays in, numbers out; no model class in sight.

Those of two sets take features `(n, d)` of real and of generated pictures; `jackknife` gives any
of them its standard error.
"""

from tfgans.metrics.emd import emd
from tfgans.metrics.frechet import FIDInfinity, Moments, fid, fid_infinity, frechet_distance
from tfgans.metrics.inception_score import InceptionScore, inception_score
from tfgans.metrics.jackknife import jackknife
from tfgans.metrics.kid import KID, kid
from tfgans.metrics.manifold import (
    DensityCoverage,
    PrecisionRecall,
    density_coverage,
    precision_recall,
)
from tfgans.metrics.mmd import MMD, mmd
from tfgans.metrics.modes import ModeCoverage, mode_coverage
from tfgans.metrics.nearest_neighbour import OneNN, nearest, one_nn_accuracy, relative_distances
from tfgans.metrics.sliced_wasserstein import SlicedWasserstein, sliced_wasserstein

__all__ = [
    "KID",
    "MMD",
    "DensityCoverage",
    "FIDInfinity",
    "InceptionScore",
    "ModeCoverage",
    "Moments",
    "OneNN",
    "PrecisionRecall",
    "SlicedWasserstein",
    "density_coverage",
    "emd",
    "fid",
    "fid_infinity",
    "frechet_distance",
    "inception_score",
    "jackknife",
    "kid",
    "mmd",
    "mode_coverage",
    "nearest",
    "one_nn_accuracy",
    "precision_recall",
    "relative_distances",
    "sliced_wasserstein",
]
