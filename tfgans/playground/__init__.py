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
}
WITHOUT_TENSORFLOW = ("bilinear",)


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
