"""Sliced Wasserstein distance between patches, for each level of a Laplacian pyramid."""

from typing import NamedTuple

import numpy as np
import scipy.ndimage

PATCH = 7
_SMALLEST = 2 * PATCH  # short side of the coarsest level
_BLUR = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16.0
_PROJECTIONS_AT_ONCE = 16


class SlicedWasserstein(NamedTuple):
    """0 where patches are distributed alike.

    Attributes:
        value: Mean over the levels.
        levels: The distance at each level, from full size to the coarsest: edges and texture
            first, shapes last.
    """

    value: float
    levels: tuple[float, ...]


def sliced_wasserstein(
    real_images,
    fake_images,
    *,
    patches_per_image: int = 64,
    num_projections: int = 147,
    seed: int = 0,
) -> SlicedWasserstein:
    """Compares the patches of two sets of pictures along random directions.

    Each level of the pyramid holds what the next coarser one lacks; levels go down to a short
    side of 14 pixels. 7x7 patches are brought to mean 0 and standard deviation 1 each (one of a
    single colour becomes 0), as in TF-GAN, whose figures these are up to the random draws.

    Args:
        real_images: Pictures `(n, height, width, channels)`, of any type and range.
        fake_images: As many pictures of the same shape.
        patches_per_image: Patches taken of each picture at random places, for each level.
        num_projections: Random directions.
        seed: Seed of places and directions.

    Returns:
        A `SlicedWasserstein`.

    Raises:
        ValueError: If the shapes differ, pictures are under 7x7 pixels, a number is not finite, or
            there are no patches or projections.

    Reference:
        Karras et al., 2018, arXiv:1710.10196, Section 5 (there with 128 patches and 512
        directions, and patches normalised all together).
    """
    real, fake = (np.asarray(images, np.float32) for images in (real_images, fake_images))
    if real.ndim != 4 or real.shape != fake.shape or not real.size:
        raise ValueError(
            "real_images and fake_images must be of one shape (n, height, width, channels), "
            f"got {real.shape} and {fake.shape}"
        )
    if min(real.shape[1:3]) < PATCH:
        raise ValueError(f"pictures of {real.shape[1:3]} pixels are smaller than a {PATCH}x{PATCH}")
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        raise ValueError("a picture holds a number that is not finite")
    if min(patches_per_image, num_projections) < 1:
        raise ValueError(
            f"patches_per_image={patches_per_image!r} and num_projections={num_projections!r} "
            "must be at least 1"
        )
    generator = np.random.default_rng(seed)
    distances = []
    for level in zip(laplacian_pyramid(real), laplacian_pyramid(fake), strict=True):
        first, second = (normalised_patches(part, patches_per_image, generator) for part in level)
        directions = generator.normal(size=(first.shape[1], num_projections))
        distances.append(projected_distance(first, second, directions.astype(np.float32)))
    return SlicedWasserstein(float(np.mean(distances)), tuple(distances))


def laplacian_pyramid(images: np.ndarray) -> list[np.ndarray]:
    """Returns float32 levels `(n, h, w, channels)`, finest first; the last is the blurred rest.

    Reference:
        Burt and Adelson, 1983, IEEE Transactions on Communications 31(4).
    """
    rest, levels = np.asarray(images, np.float32), []
    while min(rest.shape[1:3]) >= 2 * _SMALLEST:
        coarse = _blurred(rest, _BLUR)[:, ::2, ::2]
        spread = np.zeros_like(rest)
        spread[:, ::2, ::2] = coarse
        levels.append(rest - _blurred(spread, 2.0 * _BLUR))
        rest = coarse
    return [*levels, rest]


def normalised_patches(
    images: np.ndarray, per_image: int, generator: np.random.Generator
) -> np.ndarray:
    """Returns float32 `(n * per_image, 7 * 7 * channels)`, each row of mean 0 and deviation 1."""
    n, height, width, _ = images.shape
    windows = np.lib.stride_tricks.sliding_window_view(images, (PATCH, PATCH), axis=(1, 2))
    count = n * per_image
    top = generator.integers(0, height - PATCH + 1, count)
    left = generator.integers(0, width - PATCH + 1, count)
    patches = windows[np.repeat(np.arange(n), per_image), top, left].reshape(count, -1)
    patches = patches - patches.mean(axis=1, keepdims=True)
    deviation = patches.std(axis=1, keepdims=True)
    # Less than rounding leaves of a single colour is a single colour.
    flat = deviation <= 1e-6 * np.abs(images).max()
    return np.where(flat, 0.0, patches / np.where(flat, 1.0, deviation)).astype(np.float32)


def projected_distance(first: np.ndarray, second: np.ndarray, directions: np.ndarray) -> float:
    """Mean over directions of the Wasserstein-1 distance on a line, which sorting solves."""
    directions = directions / np.linalg.norm(directions, axis=0, keepdims=True)
    total = 0.0
    for start in range(0, directions.shape[1], _PROJECTIONS_AT_ONCE):
        some = directions[:, start : start + _PROJECTIONS_AT_ONCE]
        on_line = [np.sort(rows @ some, axis=0) for rows in (first, second)]
        total += float(np.abs(on_line[0] - on_line[1]).mean(axis=0, dtype=np.float64).sum())
    return total / directions.shape[1]


def _blurred(images: np.ndarray, weights: np.ndarray) -> np.ndarray:
    rows = scipy.ndimage.correlate1d(images, weights, axis=1, mode="mirror")
    return scipy.ndimage.correlate1d(rows, weights, axis=2, mode="mirror")
