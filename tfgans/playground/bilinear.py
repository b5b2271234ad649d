"""The smallest game that gradient steps cannot play: min over x, max over y of x y.

Its one solution is (0, 0). Simultaneous steps multiply the distance from it by sqrt(1 + rate^2)
each time, at any rate (text 004). Alternating ones, where y answers to where x has gone, stay on an
ellipse. Steps that look ahead (extragradient) or correct the last ones (optimism) go in.
"""

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

from tfgans.errors import UsageError
from tfgans.playground import Outcome, moving

START = np.array([0.1, 0.1])
_FRAMES = 60
Point = np.ndarray


def simultaneous(rate: float) -> Iterator[Point]:
    """Both players move from where the other was."""
    x, y = START
    while True:
        yield np.array([x, y])
        x, y = x - rate * y, y + rate * x


def alternating(rate: float) -> Iterator[Point]:
    """The second player answers to where the first one has gone."""
    x, y = START
    while True:
        yield np.array([x, y])
        x = x - rate * y
        y = y + rate * x


def extragradient(rate: float) -> Iterator[Point]:
    """Both take a step on trial, and then one by the slopes that they met there.

    Reference:
        Korpelevich, 1976; Gidel et al., 2018, arXiv:1802.10551, Section 3.
    """
    x, y = START
    while True:
        yield np.array([x, y])
        ahead_x, ahead_y = x - rate * y, y + rate * x
        x, y = x - rate * ahead_y, y + rate * ahead_x


def optimistic(rate: float) -> Iterator[Point]:
    """Both take twice this slope less the last one; the first step is a plain one.

    Reference:
        Daskalakis et al., 2017, arXiv:1711.00141, Equation 2.
    """
    x, y = START
    last_x, last_y = x, y
    while True:
        yield np.array([x, y])
        slopes = 2.0 * y - last_y, 2.0 * x - last_x
        last_x, last_y = x, y
        x, y = x - rate * slopes[0], y + rate * slopes[1]


def optimistic_factor(rate: float) -> float:
    """The larger root of z^2 - (1 + 2 i rate) z + i rate: x + i y is one complex number."""
    return float(np.abs(np.roots([1.0, -(1.0 + 2.0j * rate), 1.0j * rate])).max())


# Way -> its steps, and by what it multiplies the distance from the solution in each.
WAYS: dict[str, tuple[Callable[[float], Iterator[Point]], Callable[[float], float]]] = {
    "simultaneous": (simultaneous, lambda rate: math.sqrt(1.0 + rate**2)),
    "alternating": (alternating, lambda rate: 1.0),
    "extragradient": (extragradient, lambda rate: math.sqrt(1.0 - rate**2 + rate**4)),
    "optimistic": (optimistic, optimistic_factor),
}


def play(*, rate: float = 0.1, steps: int = 400) -> Outcome:
    """Takes the steps of all ways from (0.1, 0.1).

    Args:
        rate: Step size, above 0 and below 1.
        steps: Number of steps, from 10 to 1,000,000.

    Returns:
        The outcome. `factor` is by what each way multiplies the distance in a step, measured as a
        geometric mean over the second half, and `formula` what it should be.
    """
    if not 0.0 < rate < 1.0:
        raise UsageError(f"rate={rate!r} must lie between 0 and 1")
    if not 10 <= steps <= 1_000_000:
        raise UsageError(f"steps={steps!r} must lie between 10 and 1,000,000")
    paths = {}
    with np.errstate(over="ignore", invalid="ignore"):
        for way, (walk, _) in WAYS.items():
            paths[way] = np.stack(list(itertools.islice(walk(rate), steps + 1)))
    radii = {way: np.hypot(*path.T) for way, path in paths.items()}
    if not all(np.isfinite(radius).all() for radius in radii.values()):
        raise UsageError(f"steps={steps!r} are too many at rate={rate!r}: numbers overflow")
    half = steps // 2
    facts = {
        "rate": rate,
        "steps": steps,
        "factor": {
            way: float((radius[-1] / radius[half]) ** (1.0 / (steps - half)))
            for way, radius in radii.items()
        },
        "formula": {way: formula(rate) for way, (_, formula) in WAYS.items()},
        "farthest": {way: float(radius.max()) for way, radius in radii.items()},
        "at_the_end": {way: float(radius[-1]) for way, radius in radii.items()},
    }
    return Outcome(facts, _drawn(paths, radii, rate), lambda: _moving(paths))


def _drawn(paths, radii, rate) -> Figure:
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    plane, distance = figure.subplots(1, 2)
    for way, path in paths.items():
        plane.plot(*path.T, _style(way), lw=1.2, label=way)
        distance.semilogy(radii[way], _style(way), lw=1.6, label=way)
        formula = WAYS[way][1](rate) ** np.arange(len(path)) * radii[way][0]
        distance.semilogy(formula, "k:", lw=0.8)
    reach = 1.15 * max(radius[: len(radius) // 2].max() for radius in radii.values())
    plane.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="x", ylabel="y")
    plane.plot(*START, "ko", ms=4)
    plane.plot(0, 0, "k+", ms=9)
    plane.set_title("from the dot; the solution is the cross", fontsize=10)
    distance.set(xlabel="step", ylabel="distance from the solution")
    distance.set_title("dotted: the formula", fontsize=10)
    distance.legend(fontsize=9)
    return figure


def _style(way):
    return "--" if way == "optimistic" else "-"  # nearly the path of extragradient


def _moving(paths) -> FuncAnimation:
    figure = Figure(figsize=(4.6, 5.0), layout="constrained")
    plane = figure.subplots()
    steps = len(paths["simultaneous"]) - 1
    reach = 1.15 * np.abs(paths["simultaneous"][: steps // 2]).max()
    plane.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="x", ylabel="y")
    lines = {way: plane.plot([], [], _style(way), lw=1.2, label=way)[0] for way in paths}
    figure.legend(loc="outside lower center", fontsize=9, ncols=2)

    def draw(frame):
        upto = round((frame + 1) / _FRAMES * steps)
        for way, line in lines.items():
            line.set_data(*paths[way][: upto + 1].T)
        return list(lines.values())

    return moving(figure, draw, _FRAMES)
