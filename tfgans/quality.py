"""Metrics while a run goes on: logged, the best checkpoint kept, an end where nothing improves."""

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfgans import evaluation
from tfgans.callbacks import MetricsLog, StepCallback
from tfgans.checkpoints import Checkpoints
from tfgans.evaluation import Reference, Sample

SEED = 1  # of the pictures: the same latents each time, and others than `evaluate` draws


class Quality(StepCallback):
    """Judges the model now and then, by the first of its metrics.

    Args:
        reference: Real pictures; as many are generated.
        names: Keys of `tfgans.evaluation.METRICS`; the first decides which checkpoint is best.
        every: Steps between two evaluations.
        log: Gets the figures as `eval/pr1k_digits_cnn`, `eval/pr1k_digits_cnn/recall` and so on.
        best: Where the best checkpoint is kept.
        labels: Classes of the real pictures, for a model that takes labels.
        patience: Evaluations without a better one that end the run; 0: never.
        agree: From whether the run is to end to whether it ends: what the other workers hear.
        history: Rows of the log from before, of a resumed run.
    """

    def __init__(
        self,
        reference: Reference,
        names: Sequence[str],
        every: int,
        log: MetricsLog,
        best: Checkpoints,
        *,
        labels: np.ndarray | None = None,
        patience: int = 0,
        agree: Callable[[bool], bool] = bool,
        history: Iterable[Mapping[str, Any]] = (),
    ):
        super().__init__()
        self.reference, self.names, self.every = reference, tuple(names), every
        self.log, self.best, self.labels = log, best, labels
        self.patience, self.agree = patience, agree
        self.lowest, self.stale = math.inf, 0
        n = len(reference.real)
        self.keys = {name: f"eval/{evaluation.protocol(name, n, reference)}" for name in names}
        for row in history:
            self._is_better(row)

    @property
    def finished(self) -> bool:
        """Whether so many evaluations brought nothing better that the run ends."""
        return 0 < self.patience <= self.stale

    def after_step(self, logs):
        if self.step % self.every:
            return
        n, model = len(self.reference.real), self.model
        asked = evaluation.labels_of(model.classes, n, self.labels) if model.takes_label else None
        pictures = model.sample(n, seed=SEED, label=asked)
        fake = Sample.of(pictures, self.reference.extractor)
        done = evaluation.evaluate(fake, self.reference, names=self.names, errors=False)
        for name, why in done.failures.items():
            print(f"step {self.step}: no {name}: {why}", file=sys.stderr)
        figures: dict[str, float] = {}
        for name, entry in done.entries.items():
            figures |= evaluation.figures_of(self.keys[name], entry)
        self.log.add(self.step, figures)
        if self._is_better(figures):
            self.best.save(self.step)
        if self.agree(self.finished):
            words = f"no better {self.names[0]} in {self.stale} evaluations: the run ends"
            print(f"step {self.step}: {words}", file=sys.stderr)
            self.model.stop_training = True

    def _is_better(self, figures: Mapping[str, Any]) -> bool:
        """Takes note of figures; returns whether they are the best so far."""
        name = self.names[0]
        loss = evaluation.loss_of(name, self.keys[name], figures)
        if loss is None:
            return False
        better = loss < self.lowest
        self.lowest, self.stale = (loss, 0) if better else (self.lowest, self.stale + 1)
        return better
