"""Two-sample metrics: arrays of features `(n, d)` in, numbers out; no model class in sight."""

from tfgans.metrics.mmd import MMD, mmd
from tfgans.metrics.nearest_neighbour import OneNN, one_nn_accuracy

__all__ = ["MMD", "OneNN", "mmd", "one_nn_accuracy"]
