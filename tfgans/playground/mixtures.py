"""What `ring` and `grid` share: Gaussians in the plane, small networks, and the count of modes.

A point is a picture of one pixel with two channels, so every scheme of the zoo that makes pictures
of noise alone can be played.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

from tfgans import randomness
from tfgans.metrics import mode_coverage
from tfgans.networks import mlp
from tfgans.playground import Outcome, schemes
from tfgans.variant import DataSpec

DATA = DataSpec((1, 1, 2))
SAMPLES = 2500  # the protocol's
WITHIN = 3.0  # standard deviations of a mode that are high quality
CEILING = 1.0 - float(np.exp(-(WITHIN**2) / 2.0))  # share of the data itself: 0.98889
_DRAWN = 500  # points in a frame

_ADAM = {
    f"{player}_optimizer.{key}": value
    for player in "gd"
    for key, value in {
        "learning_rate": 1e-3,
        "beta_1": 0.0,
        "beta_2": 0.99,
        "schedule": "linear",
    }.items()
}
_NETWORKS = {"generator.latent_dim": 2, "generator.num_layers": 3, "discriminator.num_layers": 3}
_NETWORKS |= {"generator.width": 128, "discriminator.width": 128}
# What measured best here, or its authors used, by variant; the others are played by the first.
RECIPE: dict[str, Any] = {"ema_decay": 0.999, **_NETWORKS, **_ADAM}
RECIPES: dict[str, dict[str, Any]] = {
    "r1gan": {"r1_weight": 0.1},
    "hinge": {"discriminator.spectral_norm": True},
}


@dataclasses.dataclass(frozen=True)
class Mixture:
    """Equally likely Gaussians in the plane.

    Attributes:
        centres: float64 `(modes, 2)`.
        sigma: Their standard deviation.
        scale: What points are divided by to be pictures in [-1, 1].
    """

    centres: np.ndarray
    sigma: float
    scale: float

    def images(self, step: tf.Tensor, n: int, seed: int) -> tf.Tensor:
        """Returns points as float32 pictures `(n, 1, 1, 2)`, a function of seed and step alone."""
        key = randomness.key(seed, step, "mixture/mode")
        which = tf.random.stateless_uniform((n,), key, 0, len(self.centres), tf.int32)
        noise = randomness.normal(seed, step, "mixture/noise", (n, 2))
        points = tf.gather(tf.constant(self.centres, tf.float32), which) + self.sigma * noise
        return tf.reshape(points / self.scale, (n, 1, 1, 2))

    def judged(self, points: np.ndarray) -> dict[str, Any]:
        """Returns how well points are those of the mixture.

        Returns:
            modes: Modes with a point within three standard deviations. high_quality: Share of
            points that are so near to one. spread: Standard deviation of these about their
            mode's mean, in the mixture's own; 1 is right. kl: Divergence of their modes' shares
            from equal ones, in nats. ceiling: `high_quality` of the data itself.
        """
        distances = np.linalg.norm(points[:, None] - self.centres[None], axis=2)
        nearest = distances.argmin(axis=1)
        near = distances.min(axis=1) <= WITHIN * self.sigma
        found, groups = nearest[near], [points[near & (nearest == mode)] for mode in self._modes]
        squares = [np.sum((group - group.mean(axis=0)) ** 2) for group in groups if len(group) > 1]
        freedom = 2 * sum(len(group) - 1 for group in groups if len(group) > 1)
        coverage = mode_coverage(found, len(self.centres)) if len(found) else None
        return {
            "modes": coverage.modes if coverage else 0,
            "of": len(self.centres),
            "high_quality": float(near.mean()),
            "spread": float(np.sqrt(sum(squares) / freedom) / self.sigma) if freedom else None,
            "kl": coverage.kl if coverage else None,
            "ceiling": CEILING,
        }

    @property
    def _modes(self):
        return range(len(self.centres))


def game(mixture: Mixture) -> Callable[..., Outcome]:
    """Returns the game of a mixture."""

    def play(
        *,
        variant: str = "r1gan",
        steps: int = 20000,
        batch_size: int = 128,
        packing: int = 1,
        options: tuple = (),
        seed: int = 0,
    ) -> Outcome:
        """Trains a scheme of the zoo on the mixture.

        Args:
            variant: Row of the zoo whose scheme is played, on perceptrons.
            steps: Generator steps.
            batch_size: Points in a batch.
            packing: Points that the discriminator judges together.
            options: Options of the row, in place of the game's own.
            seed: Seed of weights, data and latents.

        Returns:
            The outcome: what `Mixture.judged` says of 2,500 points.

        Raises:
            UsageError: If the variant does not play noise against a discriminator, or an option
                is not one of its own.
        """
        given = {"steps": steps, "batch_size": batch_size, "packing": packing, "options": options}
        return _played(mixture, variant, seed, **given)

    return play


def _played(mixture, variant, seed, *, steps, batch_size, packing, options) -> Outcome:
    model, frames = schemes.trained(
        variant,
        {"generator": mlp.generator, "discriminator": mlp.discriminator},
        DATA,
        lambda step, rows: mixture.images(step, rows, seed),
        look=lambda model: _points(model, mixture, _DRAWN, 0),
        recipe=RECIPE | RECIPES.get(variant, {}),
        options={"discriminator.packing": packing, **dict(options)},
        steps=steps,
        batch_size=batch_size,
        seed=seed,
    )
    points = _points(model, mixture, SAMPLES, seed)
    facts = {
        "variant": variant,
        "steps": steps,
        "batch_size": batch_size,
        "packing": packing,
        "seed": seed,
        **mixture.judged(points),
        "weights_sha256": model.weights_sha256(),
    }
    return Outcome(facts, _drawn(mixture, points, facts), lambda: _moving(mixture, frames.kept))


def _points(model, mixture, n, seed) -> np.ndarray:
    """Returns points of the plane that the model makes, in float32's own digits."""
    image = model.generate(model.draw_latent(n, seed, float("inf")))
    return np.asarray(image, np.float64).reshape(n, 2) * mixture.scale


def _moving(mixture, kept) -> FuncAnimation:
    figure = Figure(figsize=(4.6, 4.8), layout="constrained")
    plane = _plane(figure, mixture)
    (dots,) = plane.plot([], [], ".", ms=3, color="tab:blue")

    def draw(index):
        step, points = kept[index]
        dots.set_data(*points.T)
        plane.set_title(f"step {step:,}", fontsize=10)
        return [dots]

    return FuncAnimation(figure, draw, frames=len(kept))


def _plane(figure, mixture):
    plane = figure.subplots()
    reach = 1.25 * np.abs(mixture.centres).max()
    plane.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    plane.plot(*mixture.centres.T, "o", ms=9, mfc="none", mec="0.6")
    return plane


def _drawn(mixture, points, facts: Mapping[str, Any]) -> Figure:
    figure = Figure(figsize=(5.4, 5.6), layout="constrained")
    plane = _plane(figure, mixture)
    plane.plot(*points.T, ".", ms=2, alpha=0.5, color="tab:blue")
    plane.set_title(
        f"{facts['variant']}: {facts['modes']} of {facts['of']} modes, "
        f"{100 * facts['high_quality']:.1f} % within {WITHIN:g} sigma",
        fontsize=10,
    )
    return figure
