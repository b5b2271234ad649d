"""What the generator learns while it loses: log(1 - D) against -log D.

Of D = s(l), l the logit of a generated picture, the minimax loss log(1 - D) has the slope -D by l,
and the non-saturating -log D has the slope D - 1. Where the discriminator is sure (D near 0), the
first is flat just when the generator has most to learn; where it is fooled, the second is flat, as
it should be.
"""

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from tfgans import losses
from tfgans.errors import UsageError
from tfgans.playground import Outcome

LOSSES = {
    "minimax, log(1 - D)": losses.minimax_generator,
    "non-saturating, -log D": losses.non_saturating_generator,
}


def play(*, reach: float = 8.0, points: int = 161) -> Outcome:
    """Takes both losses of the zoo, and their gradients by its own tapes, along the logits.

    Args:
        reach: Largest logit; they go from minus it to it.
        points: Number of logits, 3 or more.

    Returns:
        The outcome. `slope` is the gradient by the logit at D = 1/1000, 1/2 and 999/1000, of each
        loss, `ratio` that of the two there, which is D / (1 - D).
    """
    if not 0.0 < reach <= 80.0:
        raise UsageError(f"reach={reach!r} must lie between 0 and 80")
    if points < 3:
        raise UsageError(f"points={points!r} must be at least 3")
    logits = np.linspace(-reach, reach, points, dtype="float32")
    curves = {name: _values_and_slopes(loss, logits) for name, loss in LOSSES.items()}
    sure = np.array([1e-3, 0.5, 1.0 - 1e-3])
    asked = np.log(sure / (1.0 - sure)).astype("float32")
    slopes = {name: _values_and_slopes(loss, asked)[1] for name, loss in LOSSES.items()}
    first, second = slopes.values()
    facts = {
        "d": sure.tolist(),
        "slope": {name: each.tolist() for name, each in slopes.items()},
        "ratio": (first / second).tolist(),
    }
    return Outcome(facts, _drawn(logits, curves))


def _values_and_slopes(loss, logits):
    """Returns the loss of each logit alone, and its gradient."""
    given = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(given)
        values = tf.map_fn(lambda logit: loss(logit[None]), given)
    return values.numpy(), tape.gradient(values, given).numpy()


def _drawn(logits, curves) -> Figure:
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, (values, slopes) in curves.items():
        left.plot(logits, values, lw=1.8, label=name)
        right.plot(logits, np.abs(slopes), lw=1.8, label=name)
    for axes, title in ((left, "the generator's loss"), (right, "size of its slope")):
        axes.axvspan(logits[0], logits[0] / 2, color="0.92")
        axes.set(xlabel="logit of a generated picture", xlim=(logits[0], logits[-1]))
        axes.set_title(title, fontsize=10)
    left.text(0.97 * logits[0], left.get_ylim()[0], "here the\ndiscriminator\nwins", va="bottom")
    right.legend(fontsize=9, loc="center right")
    return figure
