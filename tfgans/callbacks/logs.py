"""The numbers of a run, in a file and in TensorBoard."""

import json
import math
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras

from tfgans.callbacks.step import StepCallback
from tfgans.checkpoints import Checkpoints
from tfgans.events import Events


class MetricsLog(StepCallback):
    """Writes the means of the logs to `metrics.jsonl` and TensorBoard, then begins them anew.

    TensorBoard gets them as `train/d_loss`, with `learning_rate/<optimizer>`,
    `train/steps_per_second` and the options.

    Args:
        path: File of JSON lines {step, seconds, <log names>}; rows are added.
        every: Steps between two rows; the last step has one always.
        events: Of TensorBoard.
        checkpoints: Names the last good one when the disk is full.
        seconds: Time that a resumed run took before.
        options: Shown as a table in TensorBoard.
    """

    def __init__(
        self,
        path: str | Path,
        every: int,
        events: Events | None = None,
        checkpoints: Checkpoints | None = None,
        *,
        seconds: float = 0.0,
        options: Mapping[str, Any] | None = None,
    ):
        super().__init__()
        self.path, self.every, self.events = Path(path), every, events
        self.checkpoints = checkpoints or Checkpoints()
        self.seconds, self.options = seconds, options

    def begin(self):
        self._started = self._written_at = time.perf_counter()
        self._written = self.step
        self._logs: Mapping[str, float] = {}
        if self.events is not None and self.options:
            with self.checkpoints.writing("the TensorBoard log", self.step):
                self.events.text(self.step, "options", options_table(self.options))

    def after_step(self, logs):
        self._logs = logs
        if self.step % self.every == 0:
            self._write()

    def finish(self):
        if self._written != self.step:
            self._write()

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Writes a row of its own, and the same numbers to TensorBoard."""
        self._append(step, values)
        if self.events is not None:
            with self.checkpoints.writing("the TensorBoard log", step):
                self.events.scalars(step, values)

    def _append(self, step, values):
        seconds = self.seconds + time.perf_counter() - self._started
        numbers = {name: _short(value) for name, value in values.items()}
        row = {"step": step, "seconds": round(seconds, 3), **numbers}
        with self.checkpoints.writing(self.path.name, step):
            append_line(self.path, json.dumps(row, allow_nan=False))

    def _write(self):
        self._append(self.step, self._logs)
        now = time.perf_counter()
        speed = (self.step - self._written) / (now - self._written_at)
        self._written, self._written_at = self.step, now
        if self.events is not None:
            rates = {f"learning_rate/{k}": v for k, v in self._learning_rates().items()}
            with self.checkpoints.writing("the TensorBoard log", self.step):
                values = {**self._logs, **rates, "steps_per_second": speed}
                self.events.scalars(self.step, {_tag(name): v for name, v in values.items()})
        self.model.reset_metrics()

    def _learning_rates(self) -> dict[str, float]:
        names = getattr(self.model, "optimizes", ())
        rates = {name: getattr(self.model, name).learning_rate for name in names}
        return {name: float(keras.ops.convert_to_numpy(rate)) for name, rate in rates.items()}


def options_table(options: Mapping[str, Any]) -> str:
    """Returns options as a Markdown table, nested ones by dotted names."""
    cells = [
        [text.replace("|", "\\|").replace("\n", " ") for text in row] for row in _flat(options)
    ]
    rows = [f"| {name} | {value} |" for name, value in cells]
    return "\n".join(["| option | value |", "|---|---|", *rows])


def _flat(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in options.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", str(value)


def append_line(path: Path, line: str) -> None:
    """Adds a line to a file; when that fails half-way the file is cut back to what it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    size = path.stat().st_size if path.exists() else 0
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError:
        if path.exists():
            os.truncate(path, size)
        raise


def _tag(name: str) -> str:
    """Names without a group of their own share one in TensorBoard."""
    return name if "/" in name else f"train/{name}"


def _short(value: float) -> float | None:
    """Returns a number with the digits that float32 has; JSON has no NaN, hence None."""
    return float(f"{value:.7g}") if math.isfinite(value) else None
