"""Small games that show why: each a file with a function `play`, a picture and a page in docs.

    python -m tfgans.playground NAME [--json] [--out=DIR]

`play(*, ...)` returns an `Outcome`; what it takes are the options of the command, a `seed` where
there is chance in the game.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

GAMES = {
    "bilinear": "min over x, max over y of x y: why alternating steps circle, and what converges.",
    "saturation": "log(1 - D) against -log D: what the generator learns while it loses.",
    "sine": "Points drawn at random, until they resemble a sine: the toy exercise of the lecture.",
    "two_gaussians": "Between two Gaussians the discriminator saturates; the critic does not.",
    "density_ratio": "A classifier's odds are p / q, and the value of the game is a divergence.",
    "parallel_lines": "Two lines apart: KL is infinite, JS flat, and EM shows the way.",
    "ring": "Eight Gaussians on a ring: does a scheme of the zoo find every one of them?",
    "grid": "Twenty-five Gaussians on a grid: does a scheme of the zoo find every one of them?",
    "stacked": "Stacks of three digits: how many of a thousand modes does a scheme find?",
    "polygons": "Pictures of triangles: precision and recall by a manifold that is known.",
}
WITHOUT_TENSORFLOW = ("bilinear",)
FRAMES_A_SECOND = 10
_REST = 15  # frames for which the last one is shown


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a game.

    Attributes:
        facts: What was measured, by name: numbers, or lists and dicts of these.
        figure: The picture.
        animation: Makes what moves, if anything does.
    """

    facts: Mapping[str, Any]
    figure: Figure
    animation: Callable[[], FuncAnimation] | None = None


def moving(figure: Figure, draw: Callable[[int], Any], frames: int) -> FuncAnimation:
    """Returns an animation of frames from 0 on that `draw` draws, with a rest at the end."""
    return FuncAnimation(figure, draw, frames=[*range(frames), *[frames - 1] * _REST])
