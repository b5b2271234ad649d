"""Inception score: closed cases, splits by hand, and TF-GAN's."""

import math

import numpy as np
import pytest
import scipy.special

from tfgans import compat, metrics


def probabilities(n=50, classes=7, seed=0):
    logits = np.random.default_rng(seed).normal(0.0, 2.0, (n, classes))
    return logits, scipy.special.softmax(logits, axis=1)


@pytest.mark.parametrize("classes", [1, 2, 10])
def test_sure_and_even_is_the_number_of_classes(classes):
    rows = np.tile(np.eye(classes), (20, 1))
    measured = metrics.inception_score(rows)
    np.testing.assert_allclose(measured.value, classes, rtol=1e-12)
    np.testing.assert_allclose(measured.stderr, 0.0, atol=1e-12)


def test_unsure_is_one_and_so_is_one_class_alone():
    np.testing.assert_allclose(
        metrics.inception_score(np.full((30, 4), 0.25)).value, 1.0, rtol=1e-12
    )
    np.testing.assert_allclose(
        metrics.inception_score(np.tile(np.eye(4)[2], (30, 1))).value, 1.0, rtol=1e-12
    )


def test_uneven_one_hot_is_the_exponent_of_the_entropy():
    rows = np.repeat(np.eye(3), [5, 3, 2], axis=0)
    shares = np.array([0.5, 0.3, 0.2])
    wanted = math.exp(-(shares * np.log(shares)).sum())
    np.testing.assert_allclose(metrics.inception_score(rows, splits=1).value, wanted, rtol=1e-12)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_one_split_is_tfgan(kind):
    logits, rows = probabilities()
    theirs = compat.import_tensorflow_gan().eval.classifier_score_from_logits(logits)
    measured = metrics.inception_score(rows.astype(kind), splits=1)
    np.testing.assert_allclose(measured.value, theirs, rtol=1e-6)
    assert math.isnan(measured.stderr)


def test_splits_are_the_runs_of_array_split():
    _, rows = probabilities(53)
    scores = [metrics.inception_score(part, splits=1).value for part in np.array_split(rows, 4)]
    measured = metrics.inception_score(rows, splits=4)
    np.testing.assert_allclose(measured.value, np.mean(scores), rtol=1e-12)
    np.testing.assert_allclose(measured.stderr, np.std(scores, ddof=1) / 2, rtol=1e-12)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.ones(4), r"shape \(4,\); they must be \(n, classes\)"),
        (np.ones((4, 0)), r"shape \(4, 0\); they must be"),
        (np.full((4, 3), 0.5), "each row summing to 1"),
        (np.tile([1.5, -0.5], (4, 1)), "must be >= 0"),
        (np.tile([np.nan, 1.0], (4, 1)), "must be >= 0"),
        (probabilities(4)[0], "must be >= 0"),
    ],
)
def test_what_is_no_probability_is_refused(rows, words):
    with pytest.raises(ValueError, match=words):
        metrics.inception_score(rows, splits=2)


@pytest.mark.parametrize("splits", [0, -1, 5])
def test_splits_must_fit(splits):
    with pytest.raises(ValueError, match=f"splits={splits} must lie between 1 and the 4 rows"):
        metrics.inception_score(np.full((4, 2), 0.5), splits=splits)
