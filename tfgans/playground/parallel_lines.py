"""Two parallel lines: one distance shows a generator the way, two do not.

P_0 is uniform on (0, z) and P_theta on (theta, z), z in [0, 1]. All are 0 at theta = 0, elsewhere

    KL(P_0, P_theta) = infinity,    JS(P_0, P_theta) = log 2,    EM(P_0, P_theta) = |theta|

and EM alone has a slope by theta. Here networks estimate the three, and theta follows them.

Reference:
    Arjovsky et al., 2017, arXiv:1701.07875, Example 1.
"""

import itertools
from collections.abc import Callable
from typing import NamedTuple

import keras
import matplotlib
import numpy as np
import tensorflow as tf
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

from tfgans import losses, optimizers, penalties, randomness
from tfgans.errors import UsageError, whole
from tfgans.metrics.emd import emd
from tfgans.playground import Outcome, moving, parts

_BATCH = 256
_WIDTH = 64
_LOOKS = 20  # at a network in the course of its training
_POINTS = 200  # of each line in the transport plan
_MOVES = 60  # of theta as it follows a slope, each a frame
_RATE = 0.02
_COLOURS = {"js": "tab:orange", "em": "tab:blue"}
_NAMES = {"js": "JS", "em": "EM"}


class Rule(NamedTuple):
    """How a network compares two distributions.

    Attributes:
        loss: What it minimises, of its logits on both.
        value: From the loss to the estimate.
        penalised: Whether the norm of its gradient is held near 1.
    """

    loss: Callable
    value: Callable
    penalised: bool


# The best discriminator has the loss log 4 - 2 JS (Goodfellow et al., 2014, Theorem 1).
RULES = {
    "js": Rule(losses.minimax_discriminator, lambda loss: losses.LOG_2 - loss / 2.0, False),
    "em": Rule(losses.wasserstein_discriminator, lambda loss: -loss, True),
}


def play(*, thetas: int = 11, steps: int = 1000, gp_weight: float = 10.0, seed: int = 0) -> Outcome:
    """Estimates the three at places from -1 to 1, then lets theta follow the slopes from 1.

    Args:
        thetas: Places of the second line, an odd number of 3 or more.
        steps: Training steps of each network, 20 or more.
        gp_weight: Weight of the critic's gradient penalty, from 1 to 1000.
        seed: Seed of weights and points.

    Returns:
        The outcome. `js` and `em` are the estimates, `em_penalised` is what the best critic of x
        alone says, `kl_growth` the estimate of KL after some of the steps, `slope` that of
        each estimate by theta, `plan` the cost of the best transport of 200 points of each line,
        `followed` where theta has come to in 59 moves.

    Raises:
        UsageError: If an option is out of range.
    """
    if whole("thetas", thetas, 3) % 2 == 0:
        raise UsageError(f"thetas={thetas!r} must be odd, so that 0 is one of them")
    if not 1.0 <= gp_weight <= 1000.0:
        raise UsageError(f"gp_weight={gp_weight!r} must lie between 1 and 1000")
    seed = whole("seed", seed, 0)
    looks = np.arange(_LOOKS + 1) * whole("steps", steps, _LOOKS) // _LOOKS
    places = np.arange(-(thetas // 2), thetas // 2 + 1) / (thetas // 2)
    judges = {name: Judge(rule, gp_weight, seed) for name, rule in RULES.items()}
    told = {name: _told(judge, places, looks) for name, judge in judges.items()}
    # They were trained last at theta = 1, where it starts from.
    paths = {name: _followed(judge, steps) for name, judge in judges.items()}
    heights = np.random.default_rng(seed).uniform(size=(2, _POINTS))
    facts = {
        **{"steps": steps, "gp_weight": gp_weight, "seed": seed},
        "theta": places.tolist(),
        "js": told["js"][:, -1, 0].tolist(),
        "js_exact": np.where(places == 0.0, 0.0, losses.LOG_2).tolist(),
        "em": told["em"][:, -1, 0].tolist(),
        "em_exact": np.abs(places).tolist(),
        "em_penalised": penalised(places, gp_weight).tolist(),
        "kl_growth": {
            f"step {looks[at]}": told["js"][:, at - 1, 2].tolist() for at in (5, 10, _LOOKS)
        },
        "slope": {name: each[:, -1, 1].tolist() for name, each in told.items()},
        "plan": [emd(*transport(theta, *heights)) for theta in places],
        "followed": {name: float(path[-1]) for name, path in paths.items()},
    }
    figure = _drawn(places, told, looks, gp_weight, transport(1.0, *heights))
    return Outcome(facts, figure, lambda: _moving(paths))


def penalised(theta, gp_weight: float):
    """Returns the estimate of EM by the best critic of x alone under the gradient penalty.

    With the slope g on the way between the lines, it maximises
    |theta| g - gp_weight (g - 1)^2, which is largest at g = 1 + |theta| / (2 gp_weight). A critic
    that is steeper near the ends of the lines, where the penalty has few points, gains a little.
    """
    return np.abs(theta) * (1.0 + np.abs(theta) / (2.0 * gp_weight))


def transport(theta: float, heights: np.ndarray, others: np.ndarray):
    """Returns the best transport plan between samples of P_0 and P_theta.

    A way costs (theta^2 + (z - z')^2)^(1/2), which is convex in z - z': the best plan keeps the
    order of the points.

    Args:
        theta: Place of the second line.
        heights: float64 `(n,)`, z of the points of P_0.
        others: float64 `(n,)`, those of P_theta.

    Returns:
        float64 `(n, 2)` points of P_0, and `(n, 2)` where each goes.
    """
    start = np.stack([np.zeros_like(heights), np.sort(heights)], axis=1)
    end = np.stack([np.full_like(others, theta), np.sort(others)], axis=1)
    return start, end


class Judge:
    """A perceptron that learns to tell P_0 from P_theta.

    Args:
        rule: What it minimises and estimates.
        gp_weight: Weight of the gradient penalty, where the rule has one.
        seed: Seed of its weights and of the points that it sees.
    """

    def __init__(self, rule: Rule, gp_weight: float, seed: int):
        self.rule, self.gp_weight, self.seed = rule, gp_weight, seed
        self.network = _perceptron(seed)
        # Epsilon is so small that Adam goes on where the discriminator is nearly sure.
        self.optimizer = optimizers.Adam(2e-3, beta_1=0.5, beta_2=0.99, epsilon=1e-12)
        self.optimizer.build(self.network.trainable_variables)
        self._start = [variable.numpy() for variable in self._state()]

    def forget(self) -> None:
        """Goes back to the weights that it began with."""
        for variable, value in zip(self._state(), self._start, strict=True):
            variable.assign(value)

    @tf.function
    def train(self, theta, first, last):
        """Takes the steps from `first` to before `last`, each on fresh points; all are scalars."""
        for step in tf.range(first, last):
            real, fake, mix = (
                randomness.uniform(self.seed, step, f"parallel_lines/{name}", (_BATCH, 1))
                for name in ("real", "fake", "mix")
            )
            real, fake = _line(0.0, real), _line(theta, fake)

            def loss(real=real, fake=fake, mix=mix):
                loss = self.rule.loss(self.network(real), self.network(fake))
                if self.rule.penalised:
                    penalty = penalties.gradient_penalty(self.network, real, fake, noise=mix)
                    loss += self.gp_weight * penalty
                return loss

            parts.descend(self.network, self.optimizer, loss)

    @tf.function
    def told(self, theta):
        """Returns what it says of P_theta, a scalar, on even points.

        Returns:
            float32 `(3,)`: the estimate, its slope by theta with the network held still, and the
            mean logit on P_0, which estimates KL where the rule is cross-entropy.
        """
        z = (tf.range(1000.0)[:, None] + 0.5) / 1000.0
        with tf.GradientTape() as tape:
            tape.watch(theta)
            real, fake = self.network(_line(0.0, z)), self.network(_line(theta, z))
            value = self.rule.value(self.rule.loss(real, fake))
        return tf.stack([value, tape.gradient(value, theta), tf.reduce_mean(real)])

    def _state(self):
        return [variable.value for variable in self.network.variables + self.optimizer.variables]


def _perceptron(seed):
    first, second, last = (keras.initializers.GlorotUniform(3 * seed + i) for i in range(3))
    return keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(_WIDTH, "leaky_relu", kernel_initializer=first),
            keras.layers.Dense(_WIDTH, "leaky_relu", kernel_initializer=second),
            keras.layers.Dense(1, kernel_initializer=last),
        ]
    )


def _line(theta, z):
    return tf.concat([tf.fill(tf.shape(z), theta), z], axis=1)


def _told(judge, places, looks) -> np.ndarray:
    """Returns what a judge that is trained anew at each place says: `(places, looks, 3)`."""
    told = np.empty((len(places), _LOOKS, 3))
    for row, theta in zip(told, tf.constant(places, tf.float32), strict=True):
        judge.forget()
        for at, (first, last) in enumerate(itertools.pairwise(looks.tolist())):
            judge.train(theta, tf.constant(first), tf.constant(last))
            row[at] = judge.told(theta)
    return told + 0.0  # which turns -0 into 0


def _followed(judge, steps) -> np.ndarray:
    """Returns theta, from 1 on, as it goes down the slopes of a judge that is trained along."""
    path, between = [1.0], max(1, steps // 25)
    for first in range(steps, steps + between * (_MOVES - 1), between):
        path.append(path[-1] - _RATE * float(judge.told(tf.constant(path[-1]))[1]))
        judge.train(tf.constant(path[-1]), tf.constant(first), tf.constant(first + between))
    return np.array(path)


def _drawn(places, told, looks, gp_weight, plan) -> Figure:
    figure = Figure(figsize=(10, 7.8), layout="constrained")
    (lines, growth), (values, slopes) = figure.subplots(2, 2)
    _draw_plan(lines, *plan)
    _draw_growth(growth, places, looks[1:], told["js"][:, :, 2])
    side = np.array([0.0, 1.0])
    for sign in (-1.0, 1.0):
        values.plot(sign * side, [losses.LOG_2] * 2, color=_COLOURS["js"], lw=1.4)
        values.plot(sign * side, side, color=_COLOURS["em"], lw=1.4)
        slopes.plot(sign * side, [0.0, 0.0], color=_COLOURS["js"], lw=1.4)
        slopes.plot(sign * side, [sign, sign], color=_COLOURS["em"], lw=1.4)
    dense = np.linspace(-1.0, 1.0, 101)
    values.plot(dense, penalised(dense, gp_weight), ":", color=_COLOURS["em"], lw=1.4)
    apart = places != 0.0  # where EM has no slope
    for (name, colour), ms in zip(_COLOURS.items(), (8, 5), strict=True):  # both show at 0
        values.plot(places, told[name][:, -1, 0], "o", ms=ms, color=colour, label=_NAMES[name])
        slopes.plot(places[apart], told[name][apart, -1, 1], "o", ms=5, color=colour)
    values.plot(0.0, losses.LOG_2, "o", ms=8, mfc="w", color=_COLOURS["js"])
    values.set(xlabel="theta")
    values.legend(loc="lower right", fontsize=9)
    values.set_title("lines: exact; dots: networks; dotted: the penalty's bias", fontsize=10)
    slopes.set(xlabel="theta", ylim=(-1.3, 1.3))
    slopes.set_title("what theta learns: the slopes by theta", fontsize=10)
    return figure


def _draw_plan(lines, start, end):
    for x, name in ((0.0, "$P_0$"), (end[0, 0], r"$P_\theta$")):
        lines.plot([x, x], [0.0, 1.0], color="k", lw=2.5, zorder=3)
        lines.text(x, 1.04, name, ha="center", fontsize=12)
    ways = np.stack([start, end])[:, ::5]
    lines.plot(ways[:, :, 0], ways[:, :, 1], color=_COLOURS["em"], lw=0.7)
    lines.set(xlim=(-0.25, 1.25), ylim=(-0.05, 1.17), xlabel="x", ylabel="z")
    lines.set_title("the best transport of two samples: nearly straight across", fontsize=10)


def _draw_growth(growth, places, steps, logits):
    for theta, row in zip(places, logits, strict=True):
        if theta >= 0.0:
            shade = matplotlib.colormaps["Reds"](0.3 + 0.6 * theta) if theta > 0.0 else "k"
            growth.plot(steps, row, "o-", ms=2.5, lw=1.2, color=shade, label=f"theta = {theta:g}")
    growth.set(xlabel="step of the discriminator", ylabel="mean logit on $P_0$")
    growth.legend(fontsize=8)
    growth.set_title("KL by the logits grows without end, but at theta = 0", fontsize=10)


def _moving(paths) -> FuncAnimation:
    figure = Figure(figsize=(5.6, 3.2), layout="constrained")
    plane = figure.subplots()
    plane.set(xlim=(-0.2, 1.2), ylim=(-0.05, 1.15), xlabel="x", ylabel="z")
    plane.plot([0.0, 0.0], [0.0, 1.0], color="k", lw=3, label="$P_0$")
    lines = {
        name: plane.plot([], [], color=colour, lw=3, label=rf"$P_\theta$ down {_NAMES[name]}")[0]
        for name, colour in _COLOURS.items()
    }
    plane.legend(loc="upper center", fontsize=9, ncols=3)

    def draw(move):
        for name, line in lines.items():
            line.set_data([paths[name][move]] * 2, [0.0, 0.98])
        return list(lines.values())

    return moving(figure, draw, _MOVES)
