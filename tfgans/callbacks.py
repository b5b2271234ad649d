"""What happens beside the steps of a run: progress, logs, pictures, checkpoints, and stopping.

Each is a small Keras callback, for `fit(callbacks=...)` in a notebook too. They count steps in
Python, from the model's own step at the start, and look at nothing but the logs in between.
"""

import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from tfgans import images
from tfgans.checkpoints import Checkpoints
from tfgans.errors import TrainingError
from tfgans.events import Events

BAR_SECONDS = 0.2
BAR_COLUMNS = 100
LINE_SECONDS = 10.0
SAMPLES = 64
SAMPLE_COLUMNS = 8
SAMPLE_CLASSES = 16  # rows of a grid at most
SAMPLE_SEED = 0
ANIMATION = "training.gif"


@contextmanager
def running(callbacks: Iterable[keras.callbacks.Callback]) -> Iterator[list]:
    """Closes the callbacks whatever ends `fit`: Keras tells them of a good end only.

    Example: `with running(made) as made: model.fit(dataset, callbacks=made, verbose=0)`.
    """
    callbacks = list(callbacks)
    with ExitStack() as stack:
        for callback in callbacks:
            stack.callback(getattr(callback, "close", lambda: None))
        yield callbacks


def run_callbacks(
    run_dir: str | Path,
    manager: tf.train.CheckpointManager,
    *,
    steps: int,
    images_per_step: int,
    log_every: int,
    sample_every: int,
    checkpoint_every: int,
    start_step: int = 0,
    seconds: float = 0.0,
    options: Mapping[str, Any] | None = None,
    stream: TextIO | None = None,
) -> list[keras.callbacks.Callback]:
    """Returns all callbacks of a run folder, in the order in which they must be called.

    Args:
        run_dir: Gets `metrics.jsonl`, `samples/` and `tensorboard/`.
        manager: Saves the checkpoints.
        steps: Step at which the run ends.
        images_per_step: Real images that a step takes, for the images/s.
        log_every: Steps between two rows of the log.
        sample_every: Steps between two sample grids.
        checkpoint_every: Steps between two checkpoints.
        start_step: Step that was restored; later ones are dropped from TensorBoard.
        seconds: Time that the run took up to `start_step`.
        options: What TensorBoard shows as the run's options.
        stream: Where progress goes; by default stderr.
    """
    run_dir, checkpoints = Path(run_dir), Checkpoints(manager)
    events = Events(run_dir / "tensorboard", start_step)
    log = run_dir / "metrics.jsonl"
    return [
        NonFinite(checkpoints),  # first: nothing is saved of a broken step
        Progress(steps, images_per_step, stream=stream),
        MetricsLog(log, log_every, events, checkpoints, seconds=seconds, options=options),
        SampleGrid(run_dir / "samples", sample_every, events, checkpoints),
        Checkpointer(checkpoints, checkpoint_every),
        Interrupt(checkpoints),  # last: a step that is cut short is a whole step
    ]


class StepCallback(keras.callbacks.Callback):
    """Counts the steps of the run: `self.step` is the number done, resumed ones included."""

    step = 0

    def on_train_begin(self, logs=None):
        self.step = int(self.model.step.numpy())  # the one time that the device is asked
        self.begin()

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        self.after_step(logs or {})

    def on_train_end(self, logs=None):
        self.finish()
        self.close()

    def begin(self) -> None:
        """Called before the first step."""

    def after_step(self, logs: Mapping[str, float]) -> None:
        """Called after each step with the means of the logs since they were last reset."""

    def finish(self) -> None:
        """Called after the last step of a run that nothing stopped."""

    def close(self) -> None:
        """Gives back what `begin` took; may be called more than once."""


class NonFinite(StepCallback):
    """Stops the run at the first step with a log that is not a finite number.

    Args:
        checkpoints: Names the last good one.
    """

    def __init__(self, checkpoints: Checkpoints | None = None):
        super().__init__()
        self.checkpoints = checkpoints or Checkpoints()

    def after_step(self, logs):
        for name, value in logs.items():
            if not math.isfinite(value):
                last_good = self.checkpoints.last_good
                raise TrainingError(f"step {self.step}: {name} is {value}; {last_good}")


class Progress(StepCallback):
    """Shows losses, images/s and ETA: as a bar on a terminal, else as a line now and then.

    Args:
        steps: Step at which the run ends.
        images_per_step: Real images that a step takes.
        stream: Where to show it; by default stderr.
    """

    def __init__(self, steps: int, images_per_step: int, *, stream: TextIO | None = None):
        super().__init__()
        self.steps, self.images_per_step = steps, images_per_step
        self.stream = stream
        self._bar: tqdm | None = None

    def begin(self):
        self.stream = self.stream or sys.stderr
        self._names = tuple(getattr(self.model, "logs", ()))
        self._started = False
        if self.stream.isatty():
            self._bar = tqdm(
                total=self.steps,
                initial=self.step,
                file=self.stream,
                unit="step",
                mininterval=BAR_SECONDS,
                ncols=_columns(self.stream),
                nrows=20,  # tqdm hides the bar on terminals that say 0 of either
                bar_format="{percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} "
                "[{elapsed}<{remaining}{postfix}]",
            )

    def after_step(self, logs):
        self._now, self._logs = time.perf_counter(), logs
        if not self._started:  # the first step compiles: rates are measured from its end
            self._started = True
            self._first_step = self._shown_step = self.step
            self._first_time = self._shown_time = self._now
            self._show()
        elif self._now - self._shown_time >= (LINE_SECONDS if self._bar is None else BAR_SECONDS):
            self._show()
        if self._bar is not None:
            self._bar.update()

    def finish(self):
        if self._started and self._shown_step != self.step:
            self._show()

    def close(self):
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show(self):
        names = [name for name in self._names or self._logs if name in self._logs]
        losses = [f"{name} {self._logs[name]:.3g}" for name in names]
        steps, seconds = self.step - self._shown_step, self._now - self._shown_time
        rate = f"{steps * self.images_per_step / seconds:.0f} images/s" if steps else "- images/s"
        self._shown_step, self._shown_time = self.step, self._now
        if self._bar is not None:
            self._bar.ncols = _columns(self.stream)
            self._bar.set_postfix_str(", ".join([rate, *losses]), refresh=False)
            return
        share = 100 * self.step // max(1, self.steps)
        parts = [f"step {self.step}/{self.steps} ({share} %)", *losses, rate, self._eta()]
        print("  ".join(parts), file=self.stream, flush=True)

    def _eta(self) -> str:
        done = self.step - self._first_step
        if not done:
            return "ETA -"
        left = (self.steps - self.step) * (self._now - self._first_time) / done
        return f"ETA {tqdm.format_interval(left)}"


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
        return {name: float(getattr(self.model, name).learning_rate) for name in names}


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


class Checkpointer(StepCallback):
    """Saves a checkpoint now and then, and at the end.

    Args:
        checkpoints: Where to.
        every: Steps between two checkpoints.
    """

    def __init__(self, checkpoints: Checkpoints, every: int):
        super().__init__()
        self.checkpoints, self.every = checkpoints, every

    def after_step(self, logs):
        if self.step % self.every == 0:
            self.checkpoints.save(self.step)

    def finish(self):
        self.checkpoints.save(self.step)


class Interrupt(StepCallback):
    """On Ctrl-C or SIGTERM ends the step, saves a checkpoint and raises `KeyboardInterrupt`.

    A second Ctrl-C, a second or more after the first, stops at once and saves nothing.

    Args:
        checkpoints: Where to save.
    """

    signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, checkpoints: Checkpoints | None = None):
        super().__init__()
        self.checkpoints = checkpoints or Checkpoints()
        self.received: Any = None  # the signal, once there is one
        self._received_at = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def begin(self):
        self.received = None
        if threading.current_thread() is threading.main_thread():  # Python allows no other
            for number in self.signals:
                before = signal.signal(number, self._handle)
                self._before.setdefault(number, signal.SIG_DFL if before is None else before)

    def after_step(self, logs):
        if self.received is not None:
            self._stop()

    def finish(self):
        if self.received is not None:
            self._stop()

    def close(self):
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}

    def _handle(self, number, frame):
        # `timeout` and some shells send the same signal twice within a moment: that is one.
        again = self.received is not None and time.monotonic() - self._received_at > 1.0
        if again and number == signal.SIGINT:
            raise KeyboardInterrupt(f"stopped at once in step {self.step + 1}")
        if self.received is None:
            self.received, self._received_at = signal.Signals(number), time.monotonic()

    def _stop(self):
        self.checkpoints.save(self.step)
        self.close()
        last_good = self.checkpoints.last_good
        raise KeyboardInterrupt(f"{self.received.name} at step {self.step}; {last_good}")


class Patient(Interrupt):
    """On a worker that is not the chief: notes a signal and goes on until the chief leaves.

    Else the chief, which has the same signal, would wait for it in the next step, and save nothing.
    """

    def _stop(self):
        pass


class Following(StepCallback):
    """On a worker that is not the chief: stops where the chief's evaluation ends the run.

    Args:
        every: Steps between two evaluations; 0: there are none.
        agree: From False to whether the run ends; waits for the chief.
    """

    def __init__(self, every: int, agree: Callable[[bool], bool]):
        super().__init__()
        self.every, self.agree = every, agree

    def after_step(self, logs):
        if self.every and self.step % self.every == 0 and self.agree(False):
            self.model.stop_training = True


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


def _columns(terminal: Any) -> int:
    """Returns the width of a terminal, as it is now."""
    try:
        return os.get_terminal_size(terminal.fileno()).columns or BAR_COLUMNS
    except OSError:
        return BAR_COLUMNS


def _step_of(path: Path) -> int:
    """Returns the step in the name of a sample grid, -1 where there is none."""
    number = path.stem.removeprefix("step-")
    return int(number) if number.isdecimal() else -1
