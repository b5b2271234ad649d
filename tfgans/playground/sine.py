"""The adversarial toy exercise: a generator draws random points until they resemble a sine.

Real points are (x, sin x) with x uniform over two periods. Generator and discriminator are
perceptrons that play the non-saturating game, at a rate that falls to 0.

Reference:
    Text 001, "Adversarial toy exercise"; Goodfellow et al., 2014, arXiv:1406.2661, Section 3.
"""

import numpy as np
import tensorflow as tf
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

from tfgans import losses, metrics, randomness
from tfgans.errors import whole
from tfgans.playground import Outcome, moving, parts

REACH = 2.0 * np.pi  # x goes from minus it to it
SAMPLES = 1000
_BINS = 100
_LATENT = 2
_RATE = 2e-3
_WINDOW = (-1.25 * REACH, 1.25 * REACH, -2.2, 2.2)


def curve(seed: int, step, n: int) -> tf.Tensor:
    """Draws float32 `(n, 2)` points of the sine, a function of seed and step alone."""
    across = REACH * (2.0 * randomness.uniform(seed, step, "sine/real", (n, 1)) - 1.0)
    return tf.concat([across, tf.sin(across)], axis=1)


def judged(points: np.ndarray, real: np.ndarray) -> dict[str, float]:
    """Returns how well points `(n, 2)` resemble the sine.

    Returns:
        height_error: Mean of |y - sin x|. filled: Share of 100 equal bins of x, over the two
        periods, with a point in them. outside: Share of points beyond the two periods. emd: Earth
        mover's distance from as many real points.
    """
    across, height = points.T
    counts, _ = np.histogram(across, _BINS, (-REACH, REACH))
    return {
        "height_error": float(np.abs(height - np.sin(across)).mean()),
        "filled": float((counts > 0).mean()),
        "outside": 1.0 - float(counts.sum()) / len(points),
        "emd": metrics.emd(real, points),
    }


def play(*, steps: int = 8000, batch_size: int = 128, seed: int = 0) -> Outcome:
    """Trains a generator on points of the sine.

    Args:
        steps: Steps of both players.
        batch_size: Points in a batch.
        seed: Seed of weights, data and latents.

    Returns:
        The outcome: what `judged` says of 1,000 points of the generator before and after training,
        and of the sine itself.

    Raises:
        UsageError: If a number is out of its range.
    """
    steps, batch_size = whole("steps", steps, 1), whole("batch_size", batch_size, 1)
    seed = whole("seed", seed, 0)
    generator = parts.generator(seed, _LATENT, 2)
    discriminator = parts.judge(seed, 2)
    step = _step(generator, discriminator, steps, batch_size, seed)
    latent = _latent(seed, steps, SAMPLES)
    frames = [
        (done, generator(latent).numpy().astype(float), _map(discriminator))
        for done in parts.stepped(step, steps)
    ]
    real = curve(seed, steps, SAMPLES).numpy().astype(float)
    sets = {
        "untrained": frames[0][1],
        "trained": frames[-1][1],
        "data": curve(seed, steps + 1, SAMPLES).numpy().astype(float),
    }
    told = {name: judged(points, real) for name, points in sets.items()}
    facts = {"steps": steps, "batch_size": batch_size, "seed": seed, **told}
    return Outcome(facts, _drawn(frames), lambda: _moving(frames))


def _step(generator, discriminator, steps, batch_size, seed):
    """Returns a step of the game: the discriminator's, then the generator's."""
    d_optimizer = parts.adam(discriminator, _RATE, steps, 0.0)
    g_optimizer = parts.adam(generator, _RATE, steps, 0.0)

    def step(number):
        real, latent = curve(seed, number, batch_size), _latent(seed, number, batch_size)
        fake = generator(latent)

        def d_loss():
            return losses.non_saturating_discriminator(discriminator(real), discriminator(fake))

        def g_loss():
            return losses.non_saturating_generator(discriminator(generator(latent)))

        parts.descend(discriminator, d_optimizer, d_loss)
        parts.descend(generator, g_optimizer, g_loss)

    return step


def _latent(seed, step, n):
    return randomness.normal(seed, step, "sine/latent", (n, _LATENT))


def _map(discriminator):
    """Returns D over the plane, `(height, width)`."""
    left, right, low, high = _WINDOW
    across, height = np.meshgrid(np.linspace(left, right, 120), np.linspace(low, high, 60))
    plane = np.stack([across, height], axis=2).reshape(-1, 2).astype("float32")
    return tf.sigmoid(discriminator(plane)).numpy().reshape(across.shape)


def _drawn(frames) -> Figure:
    figure = Figure(figsize=(10, 5), layout="constrained")
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    chosen = np.linspace(0, len(frames) - 1, 4).astype(int)
    levels = np.linspace(0.0, 1.0, 10)  # 1/2 lies within the middle colour
    for axes, index in zip(panels.flat, chosen, strict=True):
        done, points, plane = frames[index]
        shown = axes.contourf(plane, levels, extent=_WINDOW, cmap="RdBu", alpha=0.6)
        _sine(axes)
        axes.plot(*points.T, "k.", ms=2.5, alpha=0.6, label="generated")
        axes.set_title(f"step {done:,}", fontsize=10)
    panels[0, 0].legend(fontsize=8, loc="lower left", ncols=2)
    for axes in panels[1]:
        axes.set_xlabel("x")
    for axes in panels[:, 0]:
        axes.set_ylabel("y")
    figure.colorbar(shown, ax=panels, label="D, how real a point looks", ticks=(0, 0.5, 1))
    return figure


def _sine(axes):
    across = np.linspace(-REACH, REACH, 200)
    axes.plot(across, np.sin(across), color="tab:orange", lw=1.6, label="the data")
    axes.set(xlim=_WINDOW[:2], ylim=_WINDOW[2:])


def _moving(frames) -> FuncAnimation:
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    _sine(axes)
    axes.set(xlabel="x", ylabel="y")
    (dots,) = axes.plot([], [], "k.", ms=2.5, label="generated")
    axes.legend(fontsize=8, loc="upper right", ncols=2)

    def draw(index):
        done, points, _ = frames[index]
        dots.set_data(*points[::2].T)
        axes.set_title(f"step {done:,}", fontsize=10)
        return [dots]

    return moving(figure, draw, len(frames))
