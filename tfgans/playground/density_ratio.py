"""The odds of a classifier are the ratio of two densities, and its best loss is a divergence.

p is a mixture of two Gaussians, q a wide Gaussian; one discriminator tells points of p from points
of q, another tells p from p. At the best, D* = p / (p + q), so that D* / (1 - D*), the exponential
of its logit, is p / q; and the value of the game is

    V = E_p log D + E_q log(1 - D) = 2 JSD(p, q) - log 4

Reference:
    Text 001, "Density ratios and classification"; text 002, "Generator Objective under D*";
    Goodfellow et al., 2014, arXiv:1406.2661, Proposition 1 and Theorem 1; Sugiyama et al., 2012,
    "Density Ratio Estimation in Machine Learning".
"""

import numpy as np
import tensorflow as tf
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure
from scipy.special import expit

from tfgans import losses
from tfgans.errors import whole
from tfgans.playground import Outcome, moving, parts

P = parts.Gaussians((-1.5, 1.5), (0.5, 0.8))
Q = parts.Gaussians((0.0,), (2.0,))
LINE = np.linspace(-16.0, 16.0, 3201)  # eight standard deviations of Q to each side
CASES = {"p_and_q": (P, Q), "p_and_p": (P, P)}
LOGS = {case: tuple(each.log_density(LINE) for each in pair) for case, pair in CASES.items()}
_RATE = 3e-3
_SHOWN = np.abs(LINE) <= 5.0


def value(logits: np.ndarray, log_p: np.ndarray, log_q: np.ndarray) -> float:
    """Returns E_p log D + E_q log(1 - D), D the sigmoid of logits, all three on `LINE`."""
    real = np.exp(log_p) * np.logaddexp(0.0, -logits)
    return -float(np.trapezoid(real + np.exp(log_q) * np.logaddexp(0.0, logits), LINE))


def best_value(log_p: np.ndarray, log_q: np.ndarray) -> float:
    """Returns 2 JSD(p, q) - log 4 of two densities on `LINE`, by their logarithms."""
    log_middle = np.logaddexp(log_p, log_q) - np.log(2.0)
    twice = sum(np.exp(each) * (each - log_middle) for each in (log_p, log_q))
    return float(np.trapezoid(twice, LINE) - np.log(4.0))


def play(*, steps: int = 3000, batch_size: int = 512, seed: int = 0) -> Outcome:
    """Trains a discriminator for each pair of densities.

    Args:
        steps: Steps of both.
        batch_size: Points of each density in a batch.
        seed: Seed of weights and data.

    Returns:
        The outcome, for each pair: the `value` that the trained discriminator reaches, by
        integration, and by the formula; the error of D and of the logarithm of the ratio, as a
        mean of its size over points of both densities; and `mean_ratio`, E_q of the trained ratio,
        which should be 1.

    Raises:
        UsageError: If a number is out of its range.
    """
    steps, batch_size = whole("steps", steps, 1), whole("batch_size", batch_size, 1)
    seed = whole("seed", seed, 0)
    judges = {case: parts.judge(seed, 1) for case in CASES}
    points = tf.constant(LINE[:, None], tf.float32)
    frames = [
        (done, {case: np.asarray(judge(points), float)[:, 0] for case, judge in judges.items()})
        for done in parts.stepped(_step(judges, steps, batch_size, seed), steps)
    ]
    facts = {
        "steps": steps,
        "batch_size": batch_size,
        "seed": seed,
        **{case: _measured(case, logits) for case, logits in frames[-1][1].items()},
    }
    return Outcome(facts, _drawn(frames), lambda: _moving(frames))


def _step(judges, steps, batch_size, seed):
    """Returns a step of every discriminator."""
    optimizers = {case: parts.adam(judge, _RATE, steps, 0.9) for case, judge in judges.items()}

    def step(number):
        for case, (p, q) in CASES.items():
            real = p.draw(seed, number, f"{case}/real", batch_size)
            fake = q.draw(seed, number, f"{case}/fake", batch_size)
            judge = judges[case]

            def loss(judge=judge, real=real, fake=fake):
                return losses.minimax_discriminator(judge(real), judge(fake))

            parts.descend(judge, optimizers[case], loss)

    return step


def _measured(case, logits):
    log_p, log_q = LOGS[case]
    p, q, exact = np.exp(log_p), np.exp(log_q), log_p - log_q

    def mean_size(error):
        return float(np.trapezoid((p + q) / 2.0 * np.abs(error), LINE))

    return {
        "value": value(logits, log_p, log_q),
        "formula": best_value(log_p, log_q),
        "d_error": mean_size(expit(logits) - expit(exact)),
        "log_ratio_error": mean_size(logits - exact),
        "mean_ratio": float(np.trapezoid(q * np.exp(logits), LINE)),
    }


def _drawn(frames) -> Figure:
    figure = Figure(figsize=(12, 4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    logits, line = frames[-1][1]["p_and_q"], LINE[_SHOWN]
    exact = _densities(left)
    left.plot(line, expit(logits)[_SHOWN], color="tab:blue", lw=1.8, label="D")
    left.legend(fontsize=9, loc="upper right")
    middle.semilogy(line, np.exp(logits)[_SHOWN], color="tab:blue", lw=1.8, label="D / (1 - D)")
    middle.semilogy(line, np.exp(exact), "k:", lw=1.4, label="p / q")
    middle.set(xlim=(-5, 5), ylim=(1e-4, 10.0), xlabel="x")
    middle.legend(fontsize=9, loc="lower center")
    done = [each for each, _ in frames]
    for case, logs in LOGS.items():
        values = [value(kept[case], *logs) for _, kept in frames]
        right.plot(done, values, lw=1.8, label=case.replace("_and_", " against "))
        right.axhline(best_value(*logs), color="k", ls=":", lw=1.4)
    right.set_xscale("symlog", linthresh=1.0)
    right.set(xlabel="step", xlim=(0, done[-1]))
    right.legend(fontsize=9, loc="center left")
    titles = ("the discriminator", "its odds", "value of the game; dotted: 2 JSD - log 4")
    for axes, title in zip((left, middle, right), titles, strict=True):
        axes.set_title(title, fontsize=10)
    return figure


def _densities(axes):
    """Draws p, q and p / (p + q); returns log p / q where it is shown."""
    line, (log_p, log_q) = LINE[_SHOWN], (each[_SHOWN] for each in LOGS["p_and_q"])
    for name, colour, log_density in (("p", "tab:green", log_p), ("q", "tab:purple", log_q)):
        axes.fill_between(line, np.exp(log_density), color=colour, alpha=0.3, lw=0, label=name)
    axes.plot(line, expit(log_p - log_q), "k:", lw=1.4, zorder=3, label="p / (p + q)")
    axes.set(xlim=(-5, 5), ylim=(0, 1.25), xlabel="x")
    return log_p - log_q


def _moving(frames) -> FuncAnimation:
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    axes = figure.subplots()
    _densities(axes)
    (curve,) = axes.plot([], [], color="tab:blue", lw=1.8, label="D")
    axes.legend(fontsize=8, loc="upper right")

    def draw(index):
        done, kept = frames[index]
        curve.set_data(LINE[_SHOWN], expit(kept["p_and_q"])[_SHOWN])
        axes.set_title(f"step {done:,}", fontsize=10)
        return [curve]

    return moving(figure, draw, len(frames))
