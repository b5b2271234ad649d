"""What every two-sample metric refuses, takes, and leaves alone."""

import numpy as np
import pytest

from tfgans import metrics

METRICS = {
    "fid": metrics.fid,
    "fid_infinity": metrics.fid_infinity,
    "kid": metrics.kid,
    "mmd": metrics.mmd,
    "one_nn": metrics.one_nn_accuracy,
    "nearest": metrics.nearest,
    "precision_recall": metrics.precision_recall,
    "density_coverage": metrics.density_coverage,
    "emd": metrics.emd,
}
EQUAL_SIZES = ("one_nn", "emd")

every_metric = pytest.mark.parametrize("name", METRICS)


def two_sets(n=24, d=3, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(0, 256, (2, n, d)).astype(np.uint8)


def same(one, other, **options):
    np.testing.assert_allclose(np.ravel(one), np.ravel(other), **options)


@every_metric
def test_bad_shapes_are_refused(name):
    metric, good = METRICS[name], np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"fake has shape \(4, 3, 1\); it must be \(n, d\)"):
        metric(good, good[..., None])
    with pytest.raises(ValueError, match=r"real has shape \(1, 3\); it must be \(n, d\) with n >"):
        metric(good[:1], good)
    with pytest.raises(ValueError, match=r"fake has shape \(0, 3\)"):
        metric(good, good[:0])
    with pytest.raises(ValueError, match=r"real has shape \(4, 0\)"):
        metric(good[:, :0], good[:, :0])
    with pytest.raises(ValueError, match=r"real has shape \(4,\)"):
        metric(good[:, 0], good)
    with pytest.raises(ValueError, match="real has 3 features, fake has 2"):
        metric(good, good[:, :2])


@every_metric
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused_by_their_row(name, bad):
    metric, good = METRICS[name], two_sets()[0].astype(np.float32)
    broken = good.copy()
    broken[[5, 9], 1] = bad
    words = "has 2 of 24 rows with a number that is not finite, the first at row 5"
    with pytest.raises(ValueError, match="real " + words):
        metric(broken, good)
    with pytest.raises(ValueError, match="fake " + words):
        metric(good, broken)


@every_metric
def test_sets_of_unequal_size_are_refused_where_chance_or_assignment_needs_them_equal(name):
    real, fake = two_sets()
    if name in EQUAL_SIZES:
        with pytest.raises(ValueError, match="equal size, got 24 and 22 rows"):
            METRICS[name](real, fake[2:])
    else:
        assert np.isfinite(np.ravel(METRICS[name](real, fake[2:]))).all()


@every_metric
@pytest.mark.parametrize("kind", [np.int64, np.float32, np.float64, np.asfortranarray, list])
def test_bytes_do_not_wrap_and_every_type_gives_the_same(name, kind):
    real, fake = two_sets()
    if isinstance(kind, type) and issubclass(kind, np.generic):
        changed = [rows.astype(kind) for rows in (real, fake)]
    else:
        changed = [kind(rows.astype(np.float64)) for rows in (real, fake)]
    same(METRICS[name](*changed), METRICS[name](real, fake), rtol=1e-12)


@every_metric
def test_numbers_are_plain_and_sets_stay_as_they_are(name):
    real, fake = (rows.astype(np.float64) for rows in two_sets())
    real.flags.writeable = fake.flags.writeable = False
    measured = METRICS[name](real, fake)
    if name != "nearest":
        assert all(
            type(n) is float for n in (measured if isinstance(measured, tuple) else [measured])
        )


@pytest.mark.parametrize("name", sorted(set(METRICS) - {"nearest", "fid_infinity"}))
def test_order_of_rows_does_not_matter(name):
    """But for the standard error of KID, whose blocks are runs of rows."""
    real, fake = two_sets()
    order = np.random.default_rng(1).permutation(24)
    numbers = slice(1) if name == "kid" else slice(None)
    one = np.ravel(METRICS[name](real, fake))[numbers]
    other = np.ravel(METRICS[name](real[order], fake[order[::-1]]))[numbers]
    same(one, other, rtol=1e-9)
