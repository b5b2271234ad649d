"""The pictures of a run: the same noise drawn again and again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tfgans import images
from tfgans.callbacks.step import StepCallback
from tfgans.checkpoints import Checkpoints
from tfgans.events import Events

SAMPLES = 64
SAMPLE_COLUMNS = 8
SAMPLE_CLASSES = 16  # rows of a grid at most
SAMPLE_SEED = 0
ANIMATION = "training.gif"


class SampleGrid(StepCallback):
    """Draws the same noise again and again: `step-000500.png`, and all of them as a GIF.

    Args:
        directory: Folder of the pictures.
        every: Steps between two grids; the last step has one always.
        events: Of TensorBoard, which gets the grids as `samples`.
        checkpoints: Names the last good one when the disk is full.
        draw: Callable from the model to uint8 pictures `(n, height, width, channels)`, or to a list
            of such, a row each; by default 64 samples of a fixed seed, or a row for each class of a
            model that takes labels.
    """

    def __init__(
        self,
        directory: str | Path,
        every: int,
        events: Events | None = None,
        checkpoints: Checkpoints | None = None,
        *,
        draw: Callable[[Any], np.ndarray | list[np.ndarray]] | None = None,
    ):
        super().__init__()
        self.directory, self.every, self.events = Path(directory), every, events
        self.checkpoints = checkpoints or Checkpoints()
        self.draw = draw or _samples

    def begin(self):
        self._drawn = self.step

    def after_step(self, logs):
        if self.step % self.every == 0:
            self._draw()

    def finish(self):
        if self._drawn != self.step:
            self._draw()
        paths = {_step_of(path): path for path in self.directory.glob("step-*.png")}
        with self.checkpoints.writing(ANIMATION, self.step):
            done = [paths[step] for step in sorted(paths) if 0 <= step <= self.step]
            images.save_animation(done, self.directory / ANIMATION)

    def _draw(self):
        self._drawn = self.step
        drawn = self.draw(self.model)
        sheet = images.grid_of_rows(drawn) if isinstance(drawn, list) else images.grid(drawn)
        with self.checkpoints.writing("the sample grid", self.step):
            path = images.save_png(self.directory / f"step-{self.step:06d}.png", sheet)
            if self.events is not None:
                self.events.image(self.step, "samples", sheet, path.read_bytes())


def _samples(model) -> np.ndarray | list[np.ndarray]:
    if not getattr(model, "takes_label", False):
        return model.sample(SAMPLES, seed=SAMPLE_SEED)
    labels = np.repeat(model.classes[:SAMPLE_CLASSES], SAMPLE_COLUMNS)
    pictures = model.sample(len(labels), seed=SAMPLE_SEED, label=labels)
    return np.split(pictures, len(labels) // SAMPLE_COLUMNS)


def _step_of(path: Path) -> int:
    """Returns the step in the name of a sample grid, -1 where there is none."""
    number = path.stem.removeprefix("step-")
    return int(number) if number.isdecimal() else -1
