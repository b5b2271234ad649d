"""A thousand modes that can be counted: three digits, one in each colour.

A picture's red, green and blue are digits drawn by chance, and its mode is the number that they
spell. `digits_cnn` reads the pictures that a generator makes; 26,000 of them are counted. The
divergence of the modes' shares from equal ones says more than the number of modes: a classifier's
mistakes fill modes that are missing, so a mode counts from six sure readings on, and what the
count says of real digits, all of them and with a tenth of the modes left out, stands beside it.

Reference:
    Metz et al., 2016, arXiv:1611.02163, Section 3.3.1; Srivastava et al., 2017, arXiv:1705.07761,
    Section 4.1; Lin et al., 2017, arXiv:1712.04086, Section 4.2.
"""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from tfgans import data, features, randomness
from tfgans.images import grid
from tfgans.metrics import mode_coverage
from tfgans.networks import dcgan
from tfgans.playground import Outcome, schemes
from tfgans.variant import DataSpec

DATA = DataSpec((28, 28, 3))
MODES = 1000
SAMPLES = 26_000  # the protocol's
HITS = 6  # sure readings that make a mode count
SURE = 0.9  # probability of each of its digits that makes a reading sure
_SHOWN = 49
_MOVED = 25  # of these
_FRAMES = 20
# Options of every scheme in place of its row's, and of some in place of these.
RECIPE: dict[str, Any] = {
    "ema_decay": 0.999,
    "generator.latent_dim": 64,
    "generator.width": 32,
    "discriminator.width": 32,
    **schemes.adam(1e-3),
}
_OF_DCGAN = schemes.adam(2e-4, beta_1=0.5, beta_2=0.999, schedule="constant")
RECIPES: dict[str, dict[str, Any]] = {
    "r1gan": {"r1_weight": 1.0},
    "hinge": {"discriminator.batch_norm": False, "discriminator.spectral_norm": True},
    "dcgan": _OF_DCGAN,
    "unrolled": {  # a discriminator of a quarter of the generator's size, as its authors have
        "discriminator.width": 8,
        **_OF_DCGAN,
    },
}


def play(
    *,
    variant: str = "r1gan",
    steps: int = 2000,
    batch_size: int = 64,
    options: tuple = (),
    seed: int = 0,
) -> Outcome:
    """Trains a scheme of the zoo on stacks of the packaged digits.

    Args:
        variant: Row of the zoo whose scheme is played, on DCGAN's networks.
        steps: Generator steps.
        batch_size: Pictures in a batch.
        options: Options of the row, in place of the game's own.
        seed: Seed of weights, data and latents.

    Returns:
        The outcome: what `counted` says of 26,000 pictures, and under `floors` of as many of real
        digits: of all modes, of all but a tenth, and of shares that are a draw of equal ones.

    Raises:
        UsageError: If the variant does not play noise against a discriminator, or an option is
            not one of its own.
    """
    digits = tf.constant(data.open_source("digits").images())
    given: dict[str, Any] = {"variant": variant, "steps": steps, "batch_size": batch_size}
    given |= {"options": dict(options), "seed": seed}
    model, frames = schemes.trained(
        networks=dcgan,
        data=DATA,
        draw=lambda step, rows: stacks(digits, step, rows, seed),
        look=lambda model: grid(model.sample(_MOVED, seed=0)),
        recipe=RECIPE,
        own=RECIPES.get(variant),
        frames=_FRAMES,
        **given,
    )
    pictures = model.sample(SAMPLES, seed=seed)
    told = counted(read(pictures))
    facts = {
        **given,
        **{key: value for key, value in told.items() if key != "shares"},
        "floors": floors(seed),
        "weights_sha256": model.weights_sha256(),
    }
    figure = _drawn(pictures[:_SHOWN], told["shares"], facts)
    return Outcome(facts, figure, lambda: frames.moving((4.6, 4.0)))


def stacks(digits: tf.Tensor, step, n: int, seed: int) -> tf.Tensor:
    """Returns stacks of three digits as float32 images `(n, 28, 28, 3)` in [-1, 1].

    Args:
        digits: uint8 pictures `(m, 28, 28, 1)`.
        step: What is drawn is a function of it and of the seed alone.
        n: Number of stacks.
        seed: An int.
    """
    key = randomness.key(seed, step, "stacked/digits")
    which = tf.random.stateless_uniform((n, 3), key, 0, digits.shape[0], tf.int32)
    layers = tf.gather(digits[..., 0], which)  # (n, 3, 28, 28)
    return tf.cast(tf.transpose(layers, (0, 2, 3, 1)), tf.float32) / 127.5 - 1.0


def read(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Reads uint8 pictures `(n, 28, 28, 3)`: the modes `(n,)`, and whether each is sure."""
    layers = np.moveaxis(pictures, -1, 1).reshape(-1, *pictures.shape[1:3], 1)
    told = _probabilities(layers)
    digits, sure = told.argmax(axis=1).reshape(-1, 3), told.max(axis=1).reshape(-1, 3) >= SURE
    return digits @ (100, 10, 1), sure.all(axis=1)


def _probabilities(pictures: np.ndarray) -> np.ndarray:
    told = _classifier()(pictures).probabilities
    assert told is not None
    return told


@functools.cache
def _classifier() -> features.Extractor:
    return features.open_features("digits_cnn")


def counted(readings: tuple[np.ndarray, np.ndarray]) -> dict[str, Any]:
    """Counts the modes of readings.

    Returns:
        modes: Modes with six sure readings or more. modes_hit: With any reading, as the papers
        count. of: 1,000. kl: Divergence of the modes' shares from equal ones, in nats. sure: Share
        of sure readings. shares: Of each mode.
    """
    modes, sure = readings
    coverage = mode_coverage(modes, MODES)
    return {
        "modes": int(np.sum(np.bincount(modes[sure], minlength=MODES) >= HITS)),
        "modes_hit": coverage.modes,
        "of": MODES,
        "kl": coverage.kl,
        "sure": float(sure.mean()),
        "shares": coverage.shares,
    }


def floors(seed: int) -> dict[str, dict[str, float]]:
    """Returns what is counted where nothing is wrong, and where a tenth of the modes is missing.

    The digits are those that are held out of training.
    """
    draws = np.random.default_rng(seed)
    source = data.open_source("digits", split="test")
    labels, told = source.labels, _probabilities(source.images())
    assert labels is not None
    which = draws.integers(0, len(labels), (2 * SAMPLES, 3))
    true, seen = labels[which] @ (100, 10, 1), told.argmax(axis=1)[which] @ (100, 10, 1)
    sure = (told.max(axis=1) >= SURE)[which].all(axis=1)
    there = true % 10 != true // 100  # a hundred modes begin and end alike
    each = {
        "real digits": (seen[:SAMPLES], sure[:SAMPLES]),
        "100 modes left out": (seen[there][:SAMPLES], sure[there][:SAMPLES]),
        "equal shares": (draws.integers(0, MODES, SAMPLES), np.ones(SAMPLES, bool)),
    }
    keys = ("modes", "modes_hit", "kl", "sure")
    counts = {name: counted(readings) for name, readings in each.items()}
    return {name: {key: one[key] for key in keys} for name, one in counts.items()}


def _drawn(pictures, shares, facts: Mapping[str, Any]) -> Figure:
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.1))
    left.imshow(grid(pictures))
    left.set_axis_off()
    left.set_title(f"{facts['variant']}, {facts['steps']:,} steps", fontsize=10)
    hits = np.sort(np.array(shares))[::-1] * SAMPLES
    right.plot(hits, lw=1.8)
    right.axhline(SAMPLES / MODES, color="0.6", lw=1.0, label="equal shares")
    right.set(xlabel="mode, the most frequent first", ylabel="pictures of it", yscale="symlog")
    right.set(xlim=(0, MODES), ylim=(0, None))
    right.set_title(
        f"KL {facts['kl']:.2f}, of real digits {facts['floors']['real digits']['kl']:.2f}; "
        f"{facts['modes_hit']} of {MODES} modes, {facts['modes']} of them surely",
        fontsize=10,
    )
    right.legend(fontsize=9)
    return figure
