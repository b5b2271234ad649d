"""Pictures of triangles: precision and recall where the manifold is known.

A picture is good if it is near to that of a triangle, which a search over triangles tells, and a
triangle is covered if the generator can make one near to it, which a search over latents tells:

    precision = share of generated pictures that are nearer to a triangle than a threshold
    recall    = share of held-out triangles that are nearer than it to a generated picture

A distance is the sum of squared differences of grey, which goes from 0 (black) to 1 (white). It
counts pixels: one that is white in place of black is a distance of 1.

Reference:
    Lucic et al., 2017, arXiv:1711.10337, Section 5.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from tfgans import randomness
from tfgans.errors import UsageError, whole
from tfgans.metrics.distances import squared_distances
from tfgans.networks import mlp
from tfgans.playground import Outcome, schemes
from tfgans.variant import DataSpec

SIZE = 16
THRESHOLDS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the table
_SOFTNESS = 0.5  # pixels from an edge to where it is 90 % white
_THIRD = 2.0 * math.pi / 3.0
# The code of a triangle: its centre, its turn, how far its corners are from the centre.
_LOWEST = np.array([-0.2, -0.2, 0.0, 0.3, 0.3, 0.3], "float32")
_HIGHEST = np.array([0.2, 0.2, _THIRD, 0.8, 0.8, 0.8], "float32")
_AROUND = np.array([0.0, 0.0, _THIRD, 0.0, 0.0, 0.0], "float32")  # to the same triangles
_KNOWN = 4096  # codes that a search begins with
_STARTS = 4  # the best of them, from which it goes down
_SEARCH = 150  # steps of it
_RATE = 0.03
_SHOWN = 8
_FRAMES = 30
_GREY: dict[str, Any] = {"cmap": "gray", "vmin": -1.0, "vmax": 1.0}
_RECIPE: dict[str, Any] = {
    "ema_decay": 0.99,
    "r1_weight": 0.1,
    "generator.latent_dim": 16,
    **schemes.adam(1e-3),
}


class Family(NamedTuple):
    """Pictures that are made of codes.

    Attributes:
        make: From codes `(n, k)` to images `(n, SIZE, SIZE, 1)` in [-1, 1].
        codes: float32 `(m, k)`, where a search may start.
        lowest: Least value of a code's numbers, `(k,)` or one for all.
        highest: Their largest.
    """

    make: Callable
    codes: tf.Tensor
    lowest: np.ndarray | float
    highest: np.ndarray | float


class Found(NamedTuple):
    """What of a family is nearest to some pictures.

    Attributes:
        distances: float32 `(n,)`, in pixels.
        codes: float32 `(n, k)`.
    """

    distances: np.ndarray
    codes: np.ndarray


def play(
    *,
    variant: str = "r1gan",
    steps: int = 3000,
    batch_size: int = 64,
    pictures: int = 256,
    threshold: float = 1.0,
    options: tuple = (),
    seed: int = 0,
) -> Outcome:
    """Trains a scheme of the zoo on triangles, and searches both ways.

    Args:
        variant: Row of the zoo whose scheme is played, on perceptrons.
        steps: Generator steps.
        batch_size: Pictures in a batch.
        pictures: Pictures that are judged, of each kind, 8 or more.
        threshold: Distance in pixels below which a picture is near, above 0.
        options: Options of the row, in place of the game's own.
        seed: Seed of weights, triangles and latents.

    Returns:
        The outcome: what `judged` says of the distances; `controls`, shares that at a sensible
        threshold are 1, 0 and nearly 0; `distance_when_moved`, for scale that of a triangle from
        itself moved by a quarter, half or all of a pixel.

    Raises:
        UsageError: If an option is out of range or not one of the row's own, or the variant does
            not play noise against a discriminator.
    """
    whole("pictures", pictures, _SHOWN)
    if not threshold > 0.0:
        raise UsageError(f"threshold={threshold!r} must be above 0")
    model, frames = schemes.trained(
        variant,
        mlp,
        DataSpec((SIZE, SIZE, 1)),
        lambda step, rows: drawn(random_codes(rows, seed, "training", step)),
        look=_sheet,
        recipe=_RECIPE,
        options=dict(options),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        frames=_FRAMES,
    )
    latent = model.draw_latent(_KNOWN + pictures, seed, float("inf"))
    generator = Family(model.generate, latent[pictures:], -3.0, 3.0)
    fake = model.generate(latent[:pictures])
    triangles = drawn(random_codes(pictures, seed, "held out"))
    good, covered = nearest(fake, all_triangles(seed)), nearest(triangles, generator)
    facts = {
        "variant": variant,
        "steps": steps,
        "batch_size": batch_size,
        "pictures": pictures,
        "threshold": threshold,
        "options": dict(options),
        "seed": seed,
        **judged(good.distances, covered.distances, threshold),
        "controls": _controls(triangles, threshold, seed),
        "distance_when_moved": _moved(seed),
        "weights_sha256": model.weights_sha256(),
    }
    pairs = (fake, drawn(good.codes), good), (triangles, model.generate(covered.codes), covered)
    return Outcome(facts, _drawn(pairs, facts), lambda: frames.moving((5.2, 1.6), **_GREY))


def corners(codes) -> tf.Tensor:
    """Returns the corners `(n, 3, 2)` of triangles by their codes `(n, 6)`, anticlockwise.

    A triangle without an angle of 120 degrees or more has one point (Fermat's) that sees its
    corners at 120 degrees from each other: the centre of the code.
    """
    angles = codes[:, 2:3] + tf.range(3.0) * _THIRD
    rays = tf.stack([tf.cos(angles), tf.sin(angles)], axis=2)
    return codes[:, None, :2] + codes[:, 3:, None] * rays


def drawn(codes) -> tf.Tensor:
    """Returns the pictures `(n, SIZE, SIZE, 1)` in [-1, 1] of triangles by their codes `(n, 6)`.

    White inside and black outside, with edges that are smooth over a pixel, so that a picture has
    a gradient by its code. The corners live in [-1, 1] x [-1, 1], the second axis upwards.
    """
    at = (tf.range(float(SIZE)) + 0.5) * 2.0 / SIZE - 1.0
    pixels = tf.reshape(tf.stack(tf.meshgrid(at, -at), axis=2), (-1, 2))
    start = corners(codes)
    along = tf.math.l2_normalize(tf.roll(start, -1, axis=1) - start, axis=2)
    inward = tf.stack([-along[:, :, 1], along[:, :, 0]], axis=2)
    depth = tf.einsum("ncd,pd->ncp", inward, pixels)
    depth -= tf.reduce_sum(inward * start, axis=2, keepdims=True)
    pixels_deep = tf.reduce_min(depth, axis=1) * SIZE / 2.0
    return tf.reshape(tf.tanh(pixels_deep * 1.1 / _SOFTNESS), (-1, SIZE, SIZE, 1))


def random_codes(n: int, seed: int, stream: str, step=0) -> tf.Tensor:
    """Returns the codes `(n, 6)` of triangles by chance, each number uniform in its range."""
    shares = randomness.uniform(seed, step, f"polygons/{stream}", (n, len(_LOWEST)))
    return _LOWEST + (_HIGHEST - _LOWEST) * shares


def all_triangles(seed: int) -> Family:
    """Returns the family of the data; in a search a turn may leave its range: it comes around."""
    return Family(drawn, random_codes(_KNOWN, seed, "known"), _LOWEST - _AROUND, _HIGHEST + _AROUND)


def nearest(images, family: Family) -> Found:
    """Returns the nearest of a family to each image, by Adam on codes from the nearest known ones.

    It is the nearest that is found: a distance may be too large, never too small.

    Args:
        images: float32 `(n, SIZE, SIZE, 1)` in [-1, 1].
        family: Where to search.
    """
    known = tf.reshape(family.make(family.codes), (len(family.codes), -1))
    gaps = squared_distances(tf.reshape(images, (len(images), -1)).numpy(), known.numpy())
    starts = np.argsort(gaps, axis=1)[:, :_STARTS].reshape(-1)
    codes = tf.Variable(tf.gather(family.codes, starts))
    targets = tf.repeat(images, _STARTS, axis=0)
    rate = keras.optimizers.schedules.PolynomialDecay(_RATE, _SEARCH, 0.0)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build([codes])

    @tf.function
    def search():
        for _ in tf.range(_SEARCH):
            with tf.GradientTape() as tape:
                distances = _distances(family.make(codes), targets)
            optimizer.apply([tape.gradient(distances, codes)], [codes])
            codes.assign(tf.clip_by_value(codes, family.lowest, family.highest))
        return _distances(family.make(codes), targets)

    distances = search().numpy().reshape(-1, _STARTS)
    best = np.arange(len(distances)) * _STARTS + distances.argmin(axis=1)
    return Found(distances.min(axis=1), codes.numpy()[best])


def judged(good: np.ndarray, covered: np.ndarray, threshold: float) -> dict:
    """Returns precision, recall and F1, at the threshold and within others, and the medians.

    Args:
        good: `(n,)` distances of generated pictures from the nearest triangle.
        covered: `(m,)` distances of triangles from the nearest generated picture.
        threshold: Distance below which a picture is near.
    """
    within = {f"{each:g}": _shares(good, covered, each) for each in THRESHOLDS}
    medians = {"precision": float(np.median(good)), "recall": float(np.median(covered))}
    return {**_shares(good, covered, threshold), "within": within, "median_distance": medians}


def _distances(images, others):
    return tf.reduce_sum(tf.square(images - others), axis=[1, 2, 3]) / 4.0


def _shares(good, covered, threshold):
    precision, recall = float(np.mean(good < threshold)), float(np.mean(covered < threshold))
    f1 = 2.0 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def _controls(triangles, threshold, seed):
    """Returns what must be: triangles are good, noise is not, and one triangle covers few."""
    noise = 2.0 * randomness.uniform(seed, 0, "polygons/noise", triangles.shape) - 1.0
    family = all_triangles(seed)
    shares = {
        "precision_of_triangles": nearest(triangles, family).distances,
        "precision_of_noise": nearest(noise, family).distances,
        "recall_of_one_triangle": _distances(triangles[:1], triangles[1:]).numpy(),
    }
    return {name: float(np.mean(distances < threshold)) for name, distances in shares.items()}


def _moved(seed):
    """Returns how far on average triangles are from themselves, moved by parts of a pixel."""
    still = all_triangles(seed).codes
    aside = np.array([2.0 / SIZE, 0.0, 0.0, 0.0, 0.0, 0.0], "float32")
    return {
        f"{part:g}": float(tf.reduce_mean(_distances(drawn(still), drawn(still + part * aside))))
        for part in (0.25, 0.5, 1.0)
    }


def _sheet(model) -> np.ndarray:
    """Returns a sheet of pictures of the model, the same latents each time."""
    rows = model.generate(model.draw_latent(2 * _SHOWN, 0, float("inf"))).numpy()
    rows = rows.reshape(2, _SHOWN, SIZE, SIZE)
    return rows.transpose(0, 2, 1, 3).reshape(2 * SIZE, _SHOWN * SIZE)


def _drawn(pairs, facts) -> Figure:
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1.35, 1.0], squeeze=False)[0]
    names = (("generated", "nearest\ntriangle"), ("held-out\ntriangle", "nearest\ngenerated"))
    halves = left.subfigures(2, 1, squeeze=False).flat
    for half, (images, matches, found), both in zip(halves, pairs, names, strict=True):
        _draw_pairs(half, images, matches, found, both)
    curves = right.subplots()
    good, covered = (found.distances for *_, found in pairs)
    thresholds = np.geomspace(0.05, 20.0, 200)
    rows = [_shares(good, covered, each) for each in thresholds]
    for name, style in (("precision", "-"), ("recall", "-"), ("f1", "k--")):
        label = f"{name.replace('f1', 'F1')}: {facts[name]:.2f}"
        curves.semilogx(thresholds, [row[name] for row in rows], style, lw=1.6, label=label)
    curves.axvline(facts["threshold"], color="0.6", lw=1.0)
    curves.set(xlabel="threshold in pixels", ylabel="share", xlim=thresholds[[0, -1]])
    curves.legend(title=f"at {facts['threshold']:g}", fontsize=9, loc="upper left")
    curves.set_title(f"{facts['variant']}, {facts['steps']:,} steps", fontsize=10)
    return figure


def _draw_pairs(half, images, matches, found, names):
    """Draws pictures from the best to the worst above their matches, with the distances."""
    grid = half.subplots(2, _SHOWN)
    ranks = np.linspace(0, len(images) - 1, _SHOWN).astype(int)
    for column, at in zip(grid.T, np.argsort(found.distances)[ranks], strict=True):
        for axes, image in zip(column, (images[at], matches[at]), strict=True):
            axes.imshow(image[:, :, 0], **_GREY)
            axes.set(xticks=[], yticks=[])
        column[1].set_xlabel(f"{found.distances[at]:.2f}", fontsize=9)
    for axes, name in zip(grid[:, 0], names, strict=True):
        axes.set_ylabel(name, fontsize=9)
