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
from collections.abc import Callable, Mapping

import numpy as np

DIVERSITY, ENTROPY = "watch/diversity", "watch/class_entropy"
DIVERGES = "failure to converge, diverging"
MANY = 10  # rows that a failure in the losses lasts before it is told
# What varied pictures are named, and the share of that of real ones below which they are alike.
_VARIETY = {DIVERSITY: ("pairwise distance", 0.5), ENTROPY: ("class entropy", 0.3)}
_JUDGED = ("d_real", "d_fake", "d_accuracy")


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
    """The rows of a log, as arrays, and the failures found in them.

    Args:
        steps: Length of the run.
        reach: Largest distance of two pictures, the scale of what a critic says of them.

    Attributes:
        findings: Each failure once, by name, where a look at the pictures first found it.
    """

    def __init__(self, steps: int, reach: float):
        self.steps, self.reach = steps, reach
        self.step = 0
        self.logs: dict[str, tuple[list[int], list[float]]] = {}  # name -> steps, values
        self.findings: dict[str, Finding] = {}

    def read(self, row: Mapping[str, float | None]) -> list[Finding]:
        """Takes note of a row; returns the failures that a look finds, and none did before.

        A value of None was not finite.
        """
        self._add(row)
        sought = [name for name in RULES if name not in self.findings] if DIVERSITY in row else []
        for name in sought:
            signs = RULES[name](self)
            if signs:
                since, evidence = signs
                self.findings[name] = Finding(name, self.step, int(since), evidence)
        return [self.findings[name] for name in sought if name in self.findings]

    def _add(self, row) -> None:
        self.step = int(row["step"] or 0)
        judged = [row[name] for name in _JUDGED if name in row]
        # Not finite, or by a model that says nothing of its discriminator.
        if None in judged or not any(judged):
            row = {name: value for name, value in row.items() if name not in _JUDGED}
        for name, value in row.items():
            if value is not None:
                steps, values = self.logs.setdefault(name, ([], []))
                steps.append(self.step)
                values.append(float(value))

    def of(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Returns the steps and the values of a log; pictures are at most as varied as real ones.

        Early noise may be more varied than they are: losing that is no failure.
        """
        steps, values = self.logs.get(name, ([], []))
        found = np.array(values, float)
        return np.array(steps, int), np.minimum(found, 1.0) if name in _VARIETY else found

    def late(self, name: str) -> np.ndarray:
        """Returns the values of the last quarter of the run's length, none in its first half."""
        steps, values = self.of(name)
        begin = self.step - self.steps / 4 if self.step > self.steps / 2 else self.step
        return values[steps > begin]


# Rules: from a history to the step since which there are signs, and these; None where there are
# none.

Signs = tuple[int, str] | None


def vanishing_gradients(history: History) -> Signs:
    """The generator's gradient is a hundredth of what it was, and the discriminator wins."""
    steps, norms = history.of("grad_norm/generator")
    _, others = history.of("grad_norm/discriminator")
    _, accuracy = history.of("d_accuracy")
    if _take_turns(norms, others):
        steps, norms = steps[norms > 0.0], norms[norms > 0.0]
    if len(norms) <= MANY or not len(accuracy) or np.median(accuracy[-MANY:]) < 0.9:
        return None
    most, now = norms.max(), np.median(norms[-MANY:])
    if now > 0.01 * most:
        return None
    return steps[-MANY - 1], (
        f"the generator's gradient has fallen from {most:.2g} to {now:.2g}; the discriminator is "
        f"right in {100 * accuracy[-1]:.0f} % of pairs"
    )


def mode_collapse(history: History) -> Signs:
    """The pictures have become alike, or stay so while half of the run is over."""
    better = any(_rises(history.late(name)) for name in _VARIETY)
    for name, (words, low) in _VARIETY.items():
        fallen = _fallen(*history.of(name), to=0.6)
        if fallen:
            since, fell = fallen
            return since, f"the {words} of the pictures has fallen {fell} of that of real ones"
        late = history.late(name)
        if len(late) >= 4 and late.max() <= low and not better:
            stays = f"stays at {late[-1]:.2g} of that of real ones"
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
    fallen = _fallen(*history.of(DIVERSITY), to=0.85)
    if len(accuracy) <= MANY or abs(accuracy[-MANY:].mean() - 0.5) > 0.03 or not fallen:
        return None
    since, fell = fallen
    return since, (
        f"the discriminator is right in {100 * accuracy[-MANY:].mean():.0f} % of pairs, as by "
        f"chance, and the pairwise distance of the pictures falls {fell} of that of real ones"
    )


def divergence(history: History) -> Signs:
    """Gradients are 100 times what they were, or the discriminator's outputs beyond all measure.

    A critic as steep as 1 says of two pictures what differs by their distance at most.
    """
    for name in filter(lambda name: name.startswith("grad_norm/"), history.logs):
        steps, norms = history.of(name)
        before, now = norms[:3].max(), norms[-3:].min()
        if len(norms) > 5 and now >= 100.0 * before > 0.0:
            grown = f"gradient has grown from {before:.2g} to {now:.2g}"
            return steps[-4], f"the {name.partition('/')[2]}'s {grown}"
    steps, real = history.of("d_real")
    apart = np.abs(real - history.of("d_fake")[1])
    if len(apart) < 4 or np.median(apart[-3:]) < 3.0 * history.reach:
        return None
    return steps[-4], (
        f"the discriminator's outputs on real and generated images are {apart[-1]:.2g} apart, two "
        f"pictures at most {history.reach:.2g}"
    )


def oscillation(history: History) -> Signs:
    """Now the discriminator leads, now the generator, again and again, and not at first only."""
    steps, accuracy = history.of("d_accuracy")
    recent = accuracy[MANY:][-2 * MANY :]
    leads = [value > 0.5 for value in recent if abs(value - 0.5) >= 0.1]
    turns = sum(one != other for one, other in itertools.pairwise(leads))
    if turns < 4:
        return None
    words = f"the discriminator is right in {100 * recent.min():.0f} to {100 * recent.max():.0f} %"
    return steps[-len(recent) - 1], f"{words} of pairs, and the lead has changed {turns} times"


RULES: dict[str, Callable[[History], Signs]] = {
    "vanishing gradients": vanishing_gradients,
    "mode collapse": mode_collapse,
    "unbalance, the discriminator is too good": discriminator_too_good,
    "unbalance, the discriminator is too weak": discriminator_too_weak,
    "training past convergence": past_convergence,
    DIVERGES: divergence,
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
    DIVERGES: f"lower learning rates, {_PENALTY}, {_NOISE}",
    "failure to converge, oscillating": f"{_PENALTY}, {_NOISE}, lower learning rates, "
    "an averaged generator (--set ema_decay=0.999)",
}


def _fallen(steps: np.ndarray, values: np.ndarray, to: float) -> tuple[int, str] | None:
    """Returns since when, and from where to where, the last three values fell to a share."""
    if len(values) <= 3:
        return None
    best = values[:-3].max()
    high = np.flatnonzero(values > to * best)
    if best < 0.5 or high[-1] >= len(values) - 3:
        return None
    return int(steps[high[-1]]), f"from {best:.2f} to {values[-1]:.2f}"


def _take_turns(norms: np.ndarray, others: np.ndarray) -> bool:
    """Whether each player has rested in rows in which the other moved."""
    if len(norms) != len(others):
        return False
    moved, other_moved = norms > 0.0, others > 0.0
    return bool(np.any(moved & ~other_moved) and np.any(other_moved & ~moved))


def _rises(values: np.ndarray) -> bool:
    """Whether the second half of some values is above the first, by a tenth and by 0.005."""
    half = len(values) // 2
    return half > 0 and bool(values[half:].mean() > 1.1 * values[:half].mean() + 0.005)
