"""What `ring` and `grid` share: Gaussians in the plane, small networks, and the count of modes.

A point is a picture of one pixel with two channels, so every scheme of the zoo that pits a
generator of noise against a discriminator can be played.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from tfgans import randomness
from tfgans.metrics import mode_coverage
from tfgans.networks import mlp
from tfgans.playground import Outcome, metz, moving, schemes
from tfgans.variant import DataSpec

DATA = DataSpec((1, 1, 2))
SAMPLES = 2500  # the protocol's
WITHIN = 3.0  # standard deviations of a mode that are high quality
# Of the data itself: its share that is of high quality, 0.98889, and the deviation of that share.
CEILING = 1.0 - float(np.exp(-(WITHIN**2) / 2.0))
SPREAD = float(np.sqrt(1.0 - (1.0 - CEILING) * WITHIN**2 / 2.0 / CEILING))  # 0.974
_DRAWN = 500  # points in a frame

# Of schemes that have others than the rest.
NETWORKS = {"unrolled": metz}
# Options of every scheme, in place of its row's.
RECIPE: dict[str, Any] = {
    "ema_decay": 0.999,
    "generator.latent_dim": 2,
    **{f"{player}.num_layers": 3 for player in ("generator", "discriminator")},
    **{f"{player}.width": 128 for player in ("generator", "discriminator")},
    "discriminator.dropout": 0.0,
    **schemes.adam(1e-3),
}
# And of some, in place of these.
RECIPES: dict[str, dict[str, Any]] = {
    "r1gan": {"r1_weight": 0.1},
    "hinge": {"discriminator.spectral_norm": True},
    # The number is that of its authors' game with points (Gulrajani et al., 2017, their code); in
    # the units of theirs, in which the ring has a radius of 1.41, this is a weight of 0.28.
    "wgan_gp": {"gp_weight": 0.1},
    "roth": {"roth_weight": 0.1},
    # With the networks of metz.py and batches of 512 as the code of Metz et al., 2016.
    "unrolled": {
        **schemes.adam(1e-3, beta_1=0.5, beta_2=0.999, epsilon=1e-8, schedule="constant"),
        "d_optimizer.learning_rate": 1e-4,
        "ema_decay": 0.0,
        "generator.latent_dim": 256,
        **{f"{player}.num_layers": 2 for player in ("generator", "discriminator")},
    },
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
            mode's mean, in the mixture's own. kl: Divergence of their modes' shares from equal
            ones, in nats. of_the_data: What `high_quality`, `spread` and `kl` of as many points of
            the mixture itself are on average.
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
            "of_the_data": {
                "high_quality": CEILING,
                "spread": SPREAD,
                "kl": (len(self.centres) - 1) / (2.0 * CEILING * len(points)),
            },
        }

    @property
    def _modes(self):
        return range(len(self.centres))


def game(mixture: Mixture) -> Callable[..., Outcome]:
    """Returns the game of a mixture."""

    def play(
        *,
        variant: str = "r1gan",
        steps: int = 40000,
        batch_size: int = 128,
        options: tuple = (),
        seed: int = 0,
    ) -> Outcome:
        """Trains a scheme of the zoo on the mixture.

        Args:
            variant: Row of the zoo whose scheme is played, on perceptrons.
            steps: Generator steps.
            batch_size: Points in a batch.
            options: Options of the row, in place of the game's own.
            seed: Seed of weights, data and latents.

        Returns:
            The outcome: what `Mixture.judged` says of 2,500 points.

        Raises:
            UsageError: If the variant does not play noise against a discriminator, or an option
                is not one of its own.
        """
        given = {"variant": variant, "steps": steps, "batch_size": batch_size}
        return _played(mixture, {**given, "options": dict(options), "seed": seed})

    return play


def _played(mixture: Mixture, given: dict[str, Any]) -> Outcome:
    model, frames = schemes.trained(
        networks=NETWORKS.get(given["variant"], mlp),
        data=DATA,
        draw=lambda step, rows: mixture.images(step, rows, given["seed"]),
        look=lambda model: _points(model, mixture, _DRAWN, 0),
        recipe=RECIPE,
        own=RECIPES.get(given["variant"]),
        **given,
    )
    points = _points(model, mixture, SAMPLES, given["seed"])
    facts = {
        **given,
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

    return moving(figure, draw, len(kept))


def _plane(figure, mixture):
    plane = figure.subplots()
    reach = 1.25 * np.abs(mixture.centres).max()
    plane.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    for centre in mixture.centres:  # what is of high quality
        plane.add_patch(Circle(centre, WITHIN * mixture.sigma, fill=False, color="0.6"))
    return plane


def _drawn(mixture, points, facts: Mapping[str, Any]) -> Figure:
    figure = Figure(figsize=(6.4, 6.6), layout="constrained")
    plane = _plane(figure, mixture)
    plane.plot(*points.T, ".", ms=2, alpha=0.5, color="tab:blue")
    spread = "none" if facts["spread"] is None else f"{facts['spread']:.2f}"
    plane.set_title(
        f"{facts['variant']}: {facts['modes']} of {facts['of']} modes\n"
        f"{100 * facts['high_quality']:.1f} % within {WITHIN:g} sigma (data {100 * CEILING:.1f}), "
        f"spread {spread} (data {SPREAD:.2f})",
        fontsize=10,
    )
    return figure
