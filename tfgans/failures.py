"""How a game fails, in the words of the courses, read from what a run has logged.

A failure is found by a rule over the rows of the log up to now. A row is a dict: the means of the
training logs over some steps, and now and then `watch/diversity` and `watch/class_entropy`, which
say how varied the generator's pictures are; both are 1 for real pictures. The rules are written to
be silent on a game that goes well, slowly too: a discriminator that is ahead, or pictures that are
still alike, are a failure in the second half of a run only, and only if they get no better.

Sources: text 000 ("GAN training challenges"), text 003 ("Common problems").
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping

import numpy as np

DIVERSITY, ENTROPY = "watch/diversity", "watch/class_entropy"
MANY = 10  # rows that a failure in the losses lasts before it is told
_VARIETY = {DIVERSITY: ("pairwise distance", 0.5), ENTROPY: ("class entropy", 0.3)}


@dataclasses.dataclass(frozen=True)
class Finding:
    """A failure that shows.

    Attributes:
        failure: Its name, a key of `REMEDIES`.
        step: Step at which it was found.
        since: Step at which there was no sign of it yet; 0 if there always was.
        evidence: What was seen, with its numbers.
    """

    failure: str
    step: int
    since: int
    evidence: str

    @property
    def remedies(self) -> str:
        """What the courses would try."""
        return REMEDIES[self.failure]


class History:
    """The rows of a log, as arrays.

    Args:
        steps: Length of the run.
        reach: Largest distance of two pictures, the scale of what a critic says of them.
    """

    def __init__(self, steps: int, reach: float):
        self.steps, self.reach = steps, reach
        self.step = 0
        self.logs: dict[str, tuple[list[int], list[float]]] = {}  # name -> steps, values

    def add(self, row: Mapping[str, float | None]) -> None:
        """Takes note of a row; a value of None was not finite."""
        self.step = int(row["step"] or 0)
        for name, value in row.items():
            if value is not None:
                steps, values = self.logs.setdefault(name, ([], []))
                steps.append(self.step)
                values.append(float(value))

    def of(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns the steps and the values of a log."""
        steps, values = self.logs.get(name, ([], []))
        return np.array(steps, int), np.array(values, float)

    def late(self, name: str) -> np.ndarray:
        """Returns the values of the last quarter of the run's length, none in its first half."""
        steps, values = self.of(name)
        begin = self.step - self.steps / 4 if self.step > self.steps / 2 else self.step
        return values[steps > begin]


# Rules: from a history to the step since which there are signs, and these; None where there are
# none.

Signs = tuple[int, str] | None


def vanishing_gradients(history: History) -> Signs:
    """The generator's gradient is a hundredth of what it was. At 0 it rested."""
    steps, norms = history.of("grad_norm/generator")
    steps, norms = steps[norms > 0.0], norms[norms > 0.0]
    if len(norms) <= MANY or np.median(norms[-MANY:]) > 0.01 * norms.max():
        return None
    now = np.median(norms[-MANY:])
    words = f"the generator's gradient has fallen from {norms.max():.2g} to {now:.2g}"
    _, accuracy = history.of("d_accuracy")
    if len(accuracy):
        words += f"; the discriminator is right in {100 * accuracy[-1]:.0f} % of pairs"
    return steps[-MANY - 1], words


def mode_collapse(history: History) -> Signs:
    """The pictures have become alike, or stay so while half of the run is over."""
    better = any(_rises(history.late(name)) for name in _VARIETY)
    for name, (words, low) in _VARIETY.items():
        steps, values = history.of(name)
        if len(values) > 3:
            best = values[:-3].argmax()
            if values[best] >= 0.5 and values[-3:].max() <= 0.6 * values[best]:
                fell = f"from {values[best]:.2f} to {values[-1]:.2f} of that of real ones"
                return steps[best], f"the {words} of the pictures has fallen {fell}"
        late = history.late(name)
        if len(late) >= 4 and late.max() <= low and not better:
            stays = f"stays at {values[-1]:.2g} of that of real ones"
            return 0, f"the {words} of the pictures {stays}"
    return None


def discriminator_too_good(history: History) -> Signs:
    """It tells every pair apart, and the pictures, which are not varied yet, get no better."""
    accuracy, diversity = history.late("d_accuracy"), history.late(DIVERSITY)
    if len(diversity) < 4 or not len(accuracy) or accuracy.min() < 0.995:
        return None
    if diversity.max() > 0.8 or _rises(diversity):
        return None
    return 0, (
        "the discriminator is right in every pair, and the pictures stay at a pairwise distance "
        f"of {diversity[-1]:.2g} of that of real ones"
    )


def discriminator_too_weak(history: History) -> Signs:
    """It takes generated pictures for more real than real ones, all the time."""
    steps, accuracy = history.of("d_accuracy")
    if len(accuracy) <= MANY or accuracy[-MANY:].max() > 0.4:
        return None
    words = f"the discriminator is right in only {100 * accuracy[-MANY:].mean():.0f} % of pairs"
    return steps[-MANY - 1], f"{words}, which is worse than chance"


def past_convergence(history: History) -> Signs:
    """The discriminator tosses a coin, and the pictures get less varied."""
    _, accuracy = history.of("d_accuracy")
    steps, diversity = history.of(DIVERSITY)
    if len(accuracy) <= MANY or len(diversity) <= 3:
        return None
    mean, best = accuracy[-MANY:].mean(), diversity[:-3].argmax()
    fallen = diversity[best] >= 0.5 and diversity[-3:].max() <= 0.85 * diversity[best]
    if abs(mean - 0.5) > 0.03 or not fallen:
        return None
    return steps[best], (
        f"the discriminator is right in {100 * mean:.0f} % of pairs, as by chance, and the "
        f"pairwise distance of the pictures falls: {diversity[best]:.2f}, now {diversity[-1]:.2f}"
    )


def divergence(history: History) -> Signs:
    """Gradients are 20 times what they were, or the discriminator's outputs beyond all measure."""
    for name in history.logs:
        steps, values = history.of(name)
        if len(values) < 3:
            continue
        now = np.abs(values[-3:]).min()
        if name.startswith("grad_norm/") and len(values) > MANY + 3:
            before = values[:MANY].max()
            if now >= 20.0 * before > 0.0:
                player = name.partition("/")[2]
                return steps[
                    -4
                ], f"the {player}'s gradient has grown from {before:.2g} to {now:.2g}"
        if name in ("d_real", "d_fake") and now >= 10.0 * history.reach:
            images = "real" if name == "d_real" else "generated"
            since = steps[-4] if len(steps) > 3 else 0
            return since, f"the discriminator's output on {images} images has grown to {now:.2g}"
    return None


def oscillation(history: History) -> Signs:
    """Now the discriminator leads, now the generator, again and again."""
    steps, accuracy = history.of("d_accuracy")
    recent = accuracy[-2 * MANY :]
    leads = [value > 0.5 for value in recent if abs(value - 0.5) >= 0.1]
    turns = sum(one != other for one, other in itertools.pairwise(leads))
    if turns < 4:
        return None
    words = f"the discriminator is right in {100 * recent.min():.0f} to {100 * recent.max():.0f} %"
    return steps[-len(recent)], f"{words} of pairs, and the lead has changed {turns} times"


RULES: dict[str, Callable[[History], Signs]] = {
    "vanishing gradients": vanishing_gradients,
    "mode collapse": mode_collapse,
    "unbalance, the discriminator is too good": discriminator_too_good,
    "unbalance, the discriminator is too weak": discriminator_too_weak,
    "training past convergence": past_convergence,
    "failure to converge, diverging": divergence,
    "failure to converge, oscillating": oscillation,
}
_NOISE = "noise on the discriminator's inputs (--set instance_noise=0.1)"
_PENALTY = "a penalty on the discriminator (--variant=r1gan, roth or dragan)"
REMEDIES = {
    "vanishing gradients": "a Wasserstein loss (--variant=wgan_gp), the modified minimax loss "
    f"(--variant=nsgan), {_NOISE}",
    "mode collapse": "a Wasserstein loss (--variant=wgan_gp), unrolling (--variant=unrolled), "
    "packing (--set discriminator.packing=2)",
    "unbalance, the discriminator is too good": "a lower d_optimizer.learning_rate, "
    f"a Wasserstein loss (--variant=wgan_gp), {_NOISE}, {_PENALTY}",
    "unbalance, the discriminator is too weak": "a higher d_optimizer.learning_rate, more steps "
    "of the discriminator (--set n_critic=5)",
    "training past convergence": "fewer steps, the best checkpoint kept (--eval_every=500), "
    "an averaged generator (--set ema_decay=0.999)",
    "failure to converge, diverging": f"lower learning rates, {_PENALTY}, {_NOISE}",
    "failure to converge, oscillating": f"{_PENALTY}, {_NOISE}, lower learning rates, "
    "an averaged generator (--set ema_decay=0.999)",
}


def found(history: History) -> list[Finding]:
    """Returns the failures that show at the last row."""
    signs = {name: rule(history) for name, rule in RULES.items()}
    return [
        Finding(name, history.step, int(since), evidence)
        for name, (since, evidence) in ((name, seen) for name, seen in signs.items() if seen)
    ]


def found_in(rows: Iterable[Mapping[str, float | None]], steps: int, reach: float) -> list[Finding]:
    """Returns each failure of a whole log once, where it was first found."""
    history, findings = History(steps, reach), dict[str, Finding]()
    for row in rows:
        history.add(row)
        for one in found(history):
            findings.setdefault(one.failure, one)
    return list(findings.values())


def _rises(values: np.ndarray) -> bool:
    """Whether the second half of some values is a tenth above the first."""
    half = len(values) // 2
    return half > 0 and bool(values[half:].mean() > 1.1 * values[:half].mean())
