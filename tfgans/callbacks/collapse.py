"""The collapse watch: says during a run that, and how, its game fails."""

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from scipy.special import entr

from tfgans import failures
from tfgans.callbacks.logs import MetricsLog
from tfgans.callbacks.step import StepCallback
from tfgans.metrics.distances import squared_distances
from tfgans.sampling import to_uint8

SEED = 2  # of the pictures: the same latents each time
# What real pictures exceed, or a share of it tells nothing: those of one class have no entropy, and
# those that are all one picture are apart by rounding.
_VARIED = {failures.DIVERSITY: 1e-3, failures.ENTROPY: 0.3}


class CollapseWatch(StepCallback):
    """Looks at the logs and at a few pictures, and tells each failure of `tfgans.failures` once.

    The pictures' variety is logged as `watch/diversity`, the mean distance of two of them (of one
    class, where the model is asked for classes), and `watch/class_entropy`, that of the classes
    which `classify` finds; both in that of real ones.

    Args:
        log: Gets these figures; its rows are what the watch reads.
        every: Steps between two looks, a multiple of those between rows of the log.
        steps: Step at which the run ends.
        real: Real pictures, uint8 `(n, height, width, channels)`; as many are drawn.
        labels: Their classes `(n,)`, for a model that takes labels.
        classify: From such pictures to class probabilities `(n, classes)`, if anything can.
        on_collapse: warn, or stop or rewind to end the run at a failure.
        agree: From whether the run is to end to whether it ends: what the other workers hear.
        history: Rows of the log from before, of a resumed run.
    """

    num = 32  # pictures that are enough

    def __init__(
        self,
        log: MetricsLog,
        every: int,
        *,
        steps: int,
        real: np.ndarray,
        labels: np.ndarray | None = None,
        classify: Callable[[np.ndarray], np.ndarray | None] = lambda pictures: None,
        on_collapse: str = "warn",
        agree: Callable[[bool], bool] = bool,
        history: Iterable[Mapping[str, Any]] = (),
    ):
        super().__init__()
        self.log, self.every, self.real, self.labels = log, every, real, labels
        self.classify, self.on_collapse, self.agree = classify, on_collapse, agree
        reach = 2.0 * math.sqrt(real[0].size)  # of [-1, 1] for every number
        self.history = failures.History(steps, reach)
        for row in history:
            self.history.read(row)

    @property
    def findings(self) -> dict[str, failures.Finding]:
        """The failures found so far, by name."""
        return self.history.findings

    @property
    def finished(self) -> bool:
        """Whether the run is to end for a failure."""
        return bool(self.findings) and self.on_collapse != "warn"

    def begin(self):
        self._inputs = {"latent": self.model.draw_latent(len(self.real), SEED, math.inf)}
        if self.model.takes_label:
            self._inputs["label"] = tf.constant(self.labels, tf.int32)
        self._pairs = self._compared()
        self._usual = self._variety(self.real)

    def after_step(self, logs):
        if self.step % self.every == 0:
            # A look comes before the losses of its step, as in the log.
            for finding in self.history.read({"step": self.step, **self._look()}):
                self._tell(finding)
            if self.on_collapse != "warn" and self.agree(self.finished):
                self.model.stop_training = True
        if self.step % self.log.every == 0:
            self.history.read({"step": self.step, **logs})

    def _look(self) -> dict[str, float]:
        """Returns how varied the pictures are, and logs it."""
        pictures = to_uint8(self.model.generate(**self._inputs)).numpy()
        figures = {
            name: value / self._usual[name]
            for name, value in self._variety(pictures).items()
            if self._usual[name] > _VARIED[name]
        }
        self.log.add(self.step, figures)
        return figures

    def _variety(self, pictures) -> dict[str, float]:
        flat = pictures.reshape(len(pictures), -1) / 127.5
        distances = np.sqrt(squared_distances(flat, flat))
        found = {failures.DIVERSITY: float(distances[self._pairs].mean())}
        probabilities = self.classify(pictures)
        if probabilities is not None:
            found[failures.ENTROPY] = float(entr(probabilities.mean(axis=0)).sum())
        return found

    def _compared(self) -> np.ndarray:
        """Returns which pairs of pictures are compared: those of one class, if there are any."""
        others = ~np.eye(len(self.real), dtype=bool)
        if self.labels is not None and self.model.takes_label:
            alike = others & (self.labels[:, None] == self.labels)
            others = alike if alike.any() else others
        return others

    def _tell(self, finding):
        words = f"{finding.failure}: {finding.evidence}. Remedies: {finding.remedies}"
        print(f"step {self.step}: {words}", file=sys.stderr)
        if self.log.events is not None:
            with self.log.checkpoints.writing("the TensorBoard log", self.step):
                self.log.events.text(self.step, "watch/failures", words)
