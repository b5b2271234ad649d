"""Progress on a terminal, or in lines."""

import os
import sys
import time
from typing import Any, TextIO

from tqdm import tqdm

from tfgans.callbacks.step import StepCallback

BAR_SECONDS = 0.2
BAR_COLUMNS = 100
LINE_SECONDS = 10.0


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
        try:
            print("  ".join(parts), file=self.stream, flush=True)
        except BrokenPipeError:  # nobody reads it any more: no reason to lose the run
            os.dup2(os.open(os.devnull, os.O_WRONLY), (self.stream or sys.stderr).fileno())

    def _eta(self) -> str:
        done = self.step - self._first_step
        if not done:
            return "ETA -"
        left = (self.steps - self.step) * (self._now - self._first_time) / done
        return f"ETA {tqdm.format_interval(left)}"


def _columns(terminal: Any) -> int:
    """Returns the width of a terminal, as it is now."""
    try:
        return os.get_terminal_size(terminal.fileno()).columns or BAR_COLUMNS
    except OSError:
        return BAR_COLUMNS
