"""Two Gaussians with little overlap: a discriminator saturates, a critic has a slope everywhere.

Real points are N(gap / 2, 1), generated ones N(-gap / 2, 1). Both judges are trained to the end,
with nobody to move the generated points. For the discriminator the end is a formula,
D*(x) = s(gap x), s the sigmoid; for the critic with a gradient penalty so is its slope. On a line
the penalty holds a critic whose slope is -1 as well: both judges start flat, and the loss decides.

Reference:
    Text 000, "WGAN advantages"; Arjovsky et al., 2017, arXiv:1701.07875, Figure 2; Gulrajani
    et al., 2017, arXiv:1704.00028.
"""

import numpy as np
import tensorflow as tf
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure
from scipy.special import expit, ndtr

from tfgans import losses, penalties, randomness
from tfgans.errors import UsageError, whole
from tfgans.playground import Outcome, moving, parts

_BEYOND = 5.0  # standard deviations that the line goes on beyond both means
_POINTS = 401
_BATCH = 256
_RATE = 3e-3
_COLOURS = {"discriminator": "tab:blue", "critic": "tab:red"}


def discriminator_slope(points: np.ndarray, gap: float) -> np.ndarray:
    """Returns d/dx log(1 - D*), which is -gap D*, at points `(n,)`."""
    return -gap * expit(gap * points)


def critic_slope(points: np.ndarray, gap: float, gp_weight: float) -> np.ndarray:
    """Returns the slope of the critic that minimises its penalised loss, at points `(n,)`.

    By parts E real - E fake is the integral of slope (F_fake - F_real), F the distribution
    functions. Its best slope against gp_weight E (slope - 1)^2 is, point by point,

        1 + (F_fake - F_real) / (2 gp_weight m)

    with m the density of the penalty's points u real + (1 - u) fake, u uniform in [0, 1).
    """
    mixing = (np.arange(512) + 0.5) / 512
    spread = np.hypot(mixing, 1.0 - mixing)
    scaled = (points[:, None] - gap * (mixing - 0.5)) / spread
    density = np.mean(np.exp(-0.5 * scaled**2) / (np.sqrt(2.0 * np.pi) * spread), axis=1)
    tail = -np.abs(points)  # the difference is even, and keeps its digits on this side
    return 1.0 + (ndtr(tail + gap / 2.0) - ndtr(tail - gap / 2.0)) / (2.0 * gp_weight * density)


def play(
    *, gap: float = 6.0, gp_weight: float = 100.0, steps: int = 3000, seed: int = 0
) -> Outcome:
    """Trains a discriminator and a critic on the same points.

    Args:
        gap: Distance of the two means, in standard deviations, from 1 to 12.
        gp_weight: Lambda of the critic's gradient penalty, from 1 to 1000.
        steps: Steps of both.
        seed: Seed of weights and data.

    Returns:
        The outcome. `discriminator_slope` is d/dx log(1 - D) at the generated mean, trained and
        exact; `critic_slope` that of the critic at the mean, and its range between both means.
        `earth_mover` is E critic(real) - E critic(fake) over the steepest slope on the line, never
        more than the distance; that of the two Gaussians is `gap`.

    Raises:
        UsageError: If a number is out of its range.
    """
    if not 1.0 <= gap <= 12.0:
        raise UsageError(f"gap={gap!r} must lie between 1 and 12")
    if not 1.0 <= gp_weight <= 1000.0:
        raise UsageError(f"gp_weight={gp_weight!r} must lie between 1 and 1000")
    steps, seed = whole("steps", steps, 1), whole("seed", seed, 0)
    real, fake = parts.Gaussians((gap / 2.0,), (1.0,)), parts.Gaussians((-gap / 2.0,), (1.0,))
    line = np.linspace(-gap / 2.0 - _BEYOND, gap / 2.0 + _BEYOND, _POINTS)
    judges = {name: parts.judge(seed, 1) for name in _COLOURS}
    frames = [
        (done, {name: _values_and_slopes(judge, line) for name, judge in judges.items()})
        for done in parts.stepped(_step(judges, real, fake, gp_weight, steps, seed), steps)
    ]
    given = {"gap": gap, "gp_weight": gp_weight, "steps": steps, "seed": seed}
    densities = np.exp(real.log_density(line)), np.exp(fake.log_density(line))
    facts = {**given, **_measured(line, *densities, frames[-1][1], gap, gp_weight)}
    return Outcome(
        facts,
        _drawn(line, densities, frames[-1][1], gap, gp_weight),
        lambda: _moving(line, densities, frames, gap),
    )


def _step(judges, real, fake, gp_weight, steps, seed):
    """Returns a step of both judges, on the same points."""
    discriminator, critic = judges.values()
    d_optimizer, c_optimizer = (parts.adam(judge, _RATE, steps, 0.9) for judge in judges.values())

    def step(number):
        reals = real.draw(seed, number, "two_gaussians/real", _BATCH)
        fakes = fake.draw(seed, number, "two_gaussians/fake", _BATCH)
        noise = randomness.uniform(seed, number, "two_gaussians/mixing", (_BATCH, 1))

        def d_loss():
            return losses.minimax_discriminator(discriminator(reals), discriminator(fakes))

        def c_loss():
            loss = losses.wasserstein_discriminator(critic(reals), critic(fakes))
            return loss + gp_weight * penalties.gradient_penalty(critic, reals, fakes, noise=noise)

        parts.descend(discriminator, d_optimizer, d_loss)
        parts.descend(critic, c_optimizer, c_loss)

    return step


def _values_and_slopes(judge, line):
    """Returns what a judge says along the line before any sigmoid, and its slope, float64."""
    points = tf.constant(line[:, None], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(points)
        values = judge(points)
    slopes = tape.gradient(values, points)
    return tuple(np.asarray(each, float)[:, 0] for each in (values, slopes))


def _measured(line, real, fake, judged, gap, gp_weight):
    logits, logit_slopes = judged["discriminator"]
    values, slopes = judged["critic"]
    mean, between = np.array([-gap / 2.0]), np.abs(line) <= gap / 2.0
    logit, logit_slope, slope = (
        np.interp(mean, line, each) for each in (logits, logit_slopes, slopes)
    )
    gained = np.trapezoid(values * (real - fake), line)
    return {
        "discriminator": {
            "at_the_generated_mean": float(expit(logit)[0]),
            "exact": float(expit(gap * mean)[0]),
            "farthest_from_exact": float(np.abs(expit(logits) - expit(gap * line)).max()),
        },
        "discriminator_slope": {
            "at_the_generated_mean": float(-(expit(logit) * logit_slope)[0]),
            "exact": float(discriminator_slope(mean, gap)[0]),
        },
        "critic_slope": {
            "at_the_generated_mean": float(slope[0]),
            "exact": float(critic_slope(mean, gap, gp_weight)[0]),
            "smallest_between": float(slopes[between].min()),
            "largest_between": float(slopes[between].max()),
        },
        "earth_mover": {"critic": float(gained / np.abs(slopes).max()), "exact": gap},
    }


def _drawn(line, densities, judged, gap, gp_weight) -> Figure:
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _functions(left, line, densities, gap)
    logits, logit_slopes = judged["discriminator"]
    values, slopes = judged["critic"]
    left.plot(line, expit(gap * line), "k:", lw=1.2, zorder=3, label="D* = p / (p + q)")
    for name, curve in (("discriminator", expit(logits)), ("critic", _levelled(values, gap))):
        left.plot(line, curve, color=_COLOURS[name], lw=1.8, label=name)
    left.legend(fontsize=9, loc="upper left")
    left.set_title("the critic is divided by the gap", fontsize=10)
    sizes = {
        "discriminator": (expit(logits) * np.abs(logit_slopes), discriminator_slope(line, gap)),
        "critic": (np.abs(slopes), critic_slope(line, gap, gp_weight)),
    }
    for name, (size, exact) in sizes.items():
        right.semilogy(line, size, color=_COLOURS[name], lw=1.8)
        right.semilogy(line, np.abs(exact), "k:", lw=1.2, zorder=3)
    right.axvline(-gap / 2.0, color="0.8", lw=1)
    right.set(xlim=left.get_xlim(), ylim=(1e-12, 100.0), xlabel="x")
    right.set_title("size of the slope of log(1 - D) and of the critic; dotted: exact", fontsize=10)
    right.text(-gap / 2.0, 3e-12, " the generated mean", fontsize=9)
    return figure


def _levelled(values, gap):
    """Returns the critic with its free level set to 1/2 midway, and `gap` of its units as 1."""
    return 0.5 + (values - values[len(values) // 2]) / gap


def _functions(axes, line, densities, gap):
    for density, colour, name in zip(
        densities, ("tab:green", "tab:purple"), ("real", "generated"), strict=True
    ):
        axes.fill_between(line, density, color=colour, alpha=0.3, lw=0, label=name)
    axes.set(xlim=(line[0], line[-1]), ylim=(-0.6, 1.6), xlabel="x")


def _moving(line, densities, frames, gap) -> FuncAnimation:
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axes = figure.subplots()
    _functions(axes, line, densities, gap)
    lines = {
        name: axes.plot([], [], color=colour, lw=1.8, label=name)[0]
        for name, colour in _COLOURS.items()
    }
    axes.legend(fontsize=8, loc="upper left")

    def draw(index):
        done, judged = frames[index]
        lines["discriminator"].set_data(line, expit(judged["discriminator"][0]))
        lines["critic"].set_data(line, _levelled(judged["critic"][0], gap))
        axes.set_title(f"step {done:,}", fontsize=10)
        return list(lines.values())

    return moving(figure, draw, len(frames))
