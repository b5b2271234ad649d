"""What saves a run, and what ends it before its last step."""

import math
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from tfgans import failures
from tfgans.callbacks.step import StepCallback
from tfgans.checkpoints import Checkpoints
from tfgans.errors import TrainingError


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
                remedies = failures.REMEDIES[failures.DIVERGES]
                raise TrainingError(
                    f"step {self.step}: {name} is {value}; {last_good}. Remedies: {remedies}"
                )


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
    """On a worker that is not the chief: stops where the chief's evaluation or watch ends the run.

    Args:
        every: Steps between two occasions; 0: there are none.
        agree: From False to whether the run ends; waits for the chief.
    """

    def __init__(self, every: int, agree: Callable[[bool], bool]):
        super().__init__()
        self.every, self.agree = every, agree

    def after_step(self, logs):
        if self.every and self.step % self.every == 0 and self.agree(False):
            self.model.stop_training = True
