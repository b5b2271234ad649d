"""Sliced Wasserstein distance against TF-GAN's, part by part; where TF-GAN has none, by hand."""

import importlib

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tfgans import compat, data, metrics
from tfgans.metrics.sliced_wasserstein import (
    laplacian_pyramid,
    normalised_patches,
    projected_distance,
)


@pytest.fixture(scope="module")
def theirs():
    compat.import_tensorflow_gan()
    return importlib.import_module("tensorflow_gan.python.eval.sliced_wasserstein")


def textured(n=24, size=32, channels=3, smooth=1.0, seed=0):
    """Pictures without a flat patch, coarser with `smooth`."""
    noise = np.random.default_rng(seed).normal(size=(n, size, size, channels))
    return scipy.ndimage.gaussian_filter(noise, (0, smooth, smooth, 0)).astype(np.float32)


def striped():
    """Grey waves along one axis, of any phase and length, and some texture."""
    generator = np.random.default_rng(1)
    phase, length = generator.uniform(0, 6, (24, 1, 1, 1)), generator.uniform(1, 4, (24, 1, 1, 1))
    return np.sin(phase + np.arange(32)[:, None, None] / length).astype(np.float32) + textured()


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("size", "levels"), [(16, 1), (32, 2), (64, 3)])
def test_pyramid_is_that_of_tfgan(theirs, size, levels, channels):
    images = textured(3, size, channels)
    ours = laplacian_pyramid(images)
    assert len(ours) == levels
    for own, other in zip(ours, theirs.laplacian_pyramid(images, levels), strict=True):
        assert own.dtype == np.float32
        np.testing.assert_allclose(own, other, atol=1e-5)


def expanded(coarse, height, width):
    """Burt and Adelson's EXPAND, as a loop over the five weights on each axis."""
    weights = np.array([1, 4, 6, 4, 1]) / 8.0
    for axis, size in ((1, height), (2, width)):
        spread = np.zeros([*coarse.shape[:axis], size, *coarse.shape[axis + 1 :]])
        rows = np.moveaxis(spread, axis, 0)
        rows[::2] = np.moveaxis(coarse, axis, 0)
        mirrored = np.pad(rows, [(2, 2)] + [(0, 0)] * 3, mode="reflect")
        rows = sum(w * mirrored[i : i + size] for i, w in enumerate(weights))
        coarse = np.moveaxis(rows, 0, axis)
    return coarse


@pytest.mark.parametrize(
    ("height", "width", "sizes"),
    [
        (28, 28, [(28, 28), (14, 14)]),
        (27, 40, [(27, 40)]),
        (29, 45, [(29, 45), (15, 23)]),
        (61, 118, [(61, 118), (31, 59), (16, 30)]),
    ],
)
def test_levels_of_any_size_add_up_to_the_picture(height, width, sizes):
    noise = np.random.default_rng(0).normal(size=(2, height, width, 2)).astype(np.float32)
    levels = laplacian_pyramid(noise)
    assert [level.shape[1:3] for level in levels] == sizes
    rest = levels[-1]
    for level in levels[-2::-1]:
        rest = level + expanded(rest, *level.shape[1:3])
    np.testing.assert_allclose(rest, noise, atol=1e-5)


def test_a_flat_picture_has_nothing_but_its_colour():
    flat = np.full((1, 56, 56, 1), 0.3, np.float32)
    fine, middle, rest = laplacian_pyramid(flat)
    np.testing.assert_allclose(fine, 0.0, atol=1e-6)
    np.testing.assert_allclose(middle, 0.0, atol=1e-6)
    np.testing.assert_allclose(rest, 0.3, rtol=1e-6)


def test_patches_are_normalised_one_by_one_as_in_tfgan(theirs):
    """A picture of 7x7 has one patch, itself; ours has its channels one after another."""
    images = 3.0 * textured(10, 7) + 1.0
    ours = normalised_patches(images, 1, np.random.default_rng(0))
    assert ours.dtype == np.float32
    other = np.reshape(theirs._normalize_patches([tf.constant(images)]), images.shape)
    np.testing.assert_allclose(ours, other.transpose(0, 3, 1, 2).reshape(10, -1), atol=1e-5)


def test_patches_are_windows_of_their_own_pictures_and_reach_every_edge():
    images = textured(3, 9, 2)
    patches = normalised_patches(images, 200, np.random.default_rng(0)).reshape(3, 200, -1)
    for picture, own in zip(images, patches, strict=True):
        windows = [
            picture[top : top + 7, left : left + 7].transpose(2, 0, 1).ravel()
            for top in range(3)
            for left in range(3)
        ]
        windows = [(window - window.mean()) / window.std() for window in windows]
        gaps = np.abs(own[:, None] - np.array(windows)[None]).max(-1)
        assert (gaps.min(1) < 1e-4).all()
        assert set(gaps.argmin(1)) == set(range(9))


def test_a_patch_of_one_colour_is_zero_where_tfgan_has_nan(theirs):
    images = np.full((2, 7, 7, 1), 0.1, np.float32)
    assert not normalised_patches(images, 3, np.random.default_rng(0)).any()
    assert np.isnan(theirs._normalize_patches([tf.constant(images)])).all()


@pytest.mark.parametrize("num_projections", [1, 16, 50])
def test_projected_distance_is_that_of_tfgan_along_the_same_directions(
    theirs, monkeypatch, num_projections
):
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 200, 49)).astype(np.float32)
    second = 1.5 * second + 0.2
    directions = generator.normal(size=(49, num_projections)).astype(np.float32)
    monkeypatch.setattr(tf.random, "normal", lambda shape: tf.reshape(directions, shape))
    other = theirs._sliced_wasserstein(tf.constant(first), tf.constant(second), 1, num_projections)
    ours = projected_distance(first, second, directions)
    np.testing.assert_allclose(ours, other, rtol=1e-5)


def test_projected_distance_is_a_mean_of_distances_on_a_line():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(2, 60, 5))
    directions = generator.normal(size=(5, 20))
    axes = directions / np.linalg.norm(directions, axis=0)
    wanted = [
        scipy.stats.wasserstein_distance(first @ axis, (second + 1.0) @ axis) for axis in axes.T
    ]
    measured = projected_distance(first, second + 1.0, directions)
    np.testing.assert_allclose(measured, np.mean(wanted), rtol=1e-10)
    assert projected_distance(first, first[::-1], directions) < 1e-12


def test_the_whole_is_that_of_tfgan_up_to_its_draws(theirs):
    """Eight draws of each: equal within five standard errors at both levels."""
    real, fake = textured(), striped()
    ours = np.array([metrics.sliced_wasserstein(real, fake, seed=s).levels for s in range(8)])
    np.random.seed(0)  # noqa: NPY002 - TF-GAN draws its places there
    tf.random.set_seed(0)
    others = np.array(
        [[level[1] for level in theirs.sliced_wasserstein_distance(*map(tf.constant, (real, fake)))]
         for _ in range(8)]
    )  # fmt: skip
    error = np.hypot(ours.std(0, ddof=1), others.std(0, ddof=1)) / np.sqrt(8)
    assert (np.abs(ours.mean(0) - others.mean(0)) < 5 * error).all()
    assert (error < 0.05 * ours.mean(0)).all()


def test_value_is_the_mean_of_the_levels():
    measured = metrics.sliced_wasserstein(textured(), striped())
    assert len(measured.levels) == 2
    np.testing.assert_allclose(measured.value, np.mean(measured.levels), rtol=1e-12)


def test_it_falls_as_pictures_become_alike():
    digits = data.open_source("digits").images(200)
    noise = np.random.default_rng(0).normal(size=(100, 28, 28, 1))
    values = [
        metrics.sliced_wasserstein(digits[:100], digits[100:] + amount * noise).value
        for amount in (1000.0, 100.0, 10.0, 0.0)
    ]
    assert values == sorted(values, reverse=True)
    assert values[0] > 4 * values[-1]


def test_digits_of_one_channel_with_flat_patches_are_finite_and_near_zero_between_equals():
    real = data.open_source("digits").images(100)
    flat = real[:, :7, :7].reshape(100, -1).std(1) == 0
    assert flat.mean() > 0.5
    equal = metrics.sliced_wasserstein(real, real[::-1], patches_per_image=32)
    noise = np.random.default_rng(0).integers(0, 256, real.shape)
    other = metrics.sliced_wasserstein(real, noise, patches_per_image=32)
    assert len(equal.levels) == len(other.levels) == 2
    assert np.isfinite([*equal.levels, *other.levels]).all()
    assert max(equal.levels) < 0.05 < 0.1 < min(other.levels)


def test_flat_pictures_are_all_alike():
    black, grey = np.zeros((4, 28, 28, 1)), np.full((4, 28, 28, 1), 0.3)
    assert metrics.sliced_wasserstein(black, grey).value == 0.0


def test_type_range_and_contrast_do_not_matter():
    """Each patch is normalised; float32 leaves 1e-3."""
    real, fake = (
        np.random.default_rng(seed).integers(0, 256, (6, 28, 30, 3), np.uint8) // (1 + seed)
        for seed in range(2)
    )
    fake = np.sort(fake, axis=1)
    wanted = metrics.sliced_wasserstein(real, fake).levels
    for change in (lambda p: p / 127.5 - 1.0, lambda p: 1e-4 * p, lambda p: p.astype(np.float64)):
        measured = metrics.sliced_wasserstein(change(real), change(fake)).levels
        np.testing.assert_allclose(measured, wanted, rtol=1e-3)


def test_draws_are_those_of_the_seed_alone():
    real, fake = textured(), striped()
    np.random.seed(1)  # noqa: NPY002 - the state that must not matter
    first = metrics.sliced_wasserstein(real, fake, seed=3)
    np.random.seed(2)  # noqa: NPY002
    assert metrics.sliced_wasserstein(real, fake, seed=3) == first
    assert metrics.sliced_wasserstein(real, fake, seed=4) != first


def test_swap_changes_no_more_than_other_draws_would():
    real, fake = textured(), striped()
    there, back = (
        np.array([metrics.sliced_wasserstein(*pair, seed=s).value for s in range(8)])
        for pair in ((real, fake), (fake, real))
    )
    error = np.hypot(there.std(ddof=1), back.std(ddof=1)) / np.sqrt(8)
    assert abs(there.mean() - back.mean()) < 5 * error


def broken():
    good = np.zeros((3, 14, 14, 1))
    bad = good.copy()
    bad[1, 2, 3, 0] = np.nan
    return {
        "number": (good, good[:2], "must be of one shape"),
        "size": (good, good[:, :13], r"got \(3, 14, 14, 1\) and \(3, 13, 14, 1\)"),
        "channels": (good, np.zeros((3, 14, 14, 3)), "must be of one shape"),
        "rank": (good[..., 0], good[..., 0], r"\(n, height, width, channels\)"),
        "empty": (good[:0], good[:0], "must be of one shape"),
        "small": (good[:, :6], good[:, :6], r"pictures of \(6, 14\) pixels are smaller than a 7x7"),
        "nan in fake": (good, bad, "not finite"),
        "inf in real": (np.where(np.isnan(bad), np.inf, bad), good, "not finite"),
    }


@pytest.mark.parametrize("case", broken())
def test_pictures_that_do_not_fit_are_refused(case):
    real, fake, words = broken()[case]
    with pytest.raises(ValueError, match=words):
        metrics.sliced_wasserstein(real, fake)


@pytest.mark.parametrize("name", ["patches_per_image", "num_projections"])
def test_no_patches_and_no_directions_are_refused(name):
    images = textured(2, 14)
    with pytest.raises(ValueError, match=f"{name}=0.* must be at least 1"):
        metrics.sliced_wasserstein(images, images, **{name: 0})
