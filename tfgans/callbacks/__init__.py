"""What happens beside the steps of a run: progress, logs, pictures, checkpoints, and stopping.

Each is a small Keras callback, for `fit(callbacks=...)` in a notebook too. They count steps in
Python, from the model's own step at the start, and look at nothing but the logs in between.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

import keras
import tensorflow as tf

from tfgans.callbacks.collapse import CollapseWatch
from tfgans.callbacks.logs import MetricsLog
from tfgans.callbacks.progress import Progress
from tfgans.callbacks.samples import SAMPLE_SEED, SampleGrid
from tfgans.callbacks.step import StepCallback
from tfgans.callbacks.stopping import Checkpointer, Following, Interrupt, NonFinite, Patient
from tfgans.checkpoints import Checkpoints
from tfgans.events import Events

__all__ = [
    "SAMPLE_SEED",
    "Checkpointer",
    "CollapseWatch",
    "Following",
    "Interrupt",
    "MetricsLog",
    "NonFinite",
    "Patient",
    "Progress",
    "SampleGrid",
    "StepCallback",
    "run_callbacks",
    "running",
]


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
