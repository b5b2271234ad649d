"""Distances are taken in blocks of rows: a block's size must not show in any figure."""

import importlib

import numpy as np
import pytest

from tfgans import metrics
from tfgans.metrics import distances

METRICS = {
    "kid": metrics.kid,
    "mmd": metrics.mmd,
    "one_nn": lambda real, fake: metrics.one_nn_accuracy(real, fake[: len(real)]),
    "nearest": metrics.nearest,
    "nearest to the first": lambda real, fake: metrics.nearest(fake, real),
    "precision_recall": metrics.precision_recall,
    "precision_recall of 1": lambda real, fake: metrics.precision_recall(real, fake, 1),
    "density_coverage": metrics.density_coverage,
}
KID_MODULE = importlib.import_module("tfgans.metrics.kid")  # by the dot it is the function
N, M = 23, 31


def two_sets(lattice):
    generator = np.random.default_rng(0)
    real, fake = generator.normal(size=(N, 3)), generator.normal(size=(M, 3)) + 0.3
    return (np.round(real), np.round(fake)) if lattice else (real, fake)


def test_row_blocks_are_all_rows_once(monkeypatch):
    for elements in (1, 7, 23, 24, 46, 10**6):
        monkeypatch.setattr(distances, "_BLOCK_ELEMENTS", elements)
        blocks = list(distances.row_blocks(N, 7))
        np.testing.assert_array_equal(np.concatenate([np.arange(N)[b] for b in blocks]), range(N))
        assert blocks[-1].stop == N
        assert all(1 <= b.stop - b.start <= max(1, elements // 7) for b in blocks)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("lattice", [False, True])
@pytest.mark.parametrize("elements", [1, M, 5 * M, 5 * N + 1, 10 * (N + M), N * M - 1])
def test_many_blocks_give_what_one_gives(monkeypatch, name, lattice, elements):
    real, fake = two_sets(lattice)
    if lattice and "nearest" in name:  # of equally near rows any may be the nearest
        real, fake = real + np.arange(3 * N).reshape(N, 3) / 1024, fake
    whole = np.ravel(METRICS[name](real, fake))
    seen = []
    blocks_of_rows = distances.row_blocks

    def counted(rows, columns):
        blocks = list(blocks_of_rows(rows, columns))
        seen.append(len(blocks))
        return iter(blocks)

    monkeypatch.setattr(distances, "_BLOCK_ELEMENTS", elements)
    for module in (distances, KID_MODULE):
        monkeypatch.setattr(module, "row_blocks", counted)
    parts = np.ravel(METRICS[name](real, fake))
    assert max(seen) > 1
    np.testing.assert_allclose(parts, whole, rtol=1e-12, atol=1e-12)


def test_a_row_is_kept_from_itself_in_every_block():
    rows = np.random.default_rng(0).normal(size=(N, 3))
    squares = distances.squared_distances(rows[5:12], rows)
    hidden = distances.distinct_others(slice(5, 12), squares.copy())
    assert np.argwhere(np.isinf(hidden)).tolist() == [[i, i + 5] for i in range(7)]
    np.testing.assert_array_equal(hidden[np.isfinite(hidden)], squares[np.isfinite(hidden)])


def test_squared_distances_are_those_of_differences_and_never_negative():
    generator = np.random.default_rng(0)
    first, second = generator.normal(size=(N, 5)) + 30.0, generator.normal(size=(M, 5)) + 30.0
    second[:3] = first[:3]
    measured = distances.squared_distances(first, second)
    wanted = ((first[:, None] - second[None]) ** 2).sum(-1)
    slack = distances.resolution(first)[:, None] + distances.resolution(second)
    assert (np.abs(measured - wanted) < slack).all()
    assert (measured >= 0.0).all()
