"""Callbacks without a run: what `fit` does with them, and what they leave."""

import json

from tfgans import callbacks

LOGS = {"d_loss": 1.5, "g_loss": -0.25, "grad_norm/generator": 3.0}


def drive(made, model, steps, logs=LOGS):
    """Does what `fit` does with callbacks; `logs` may be a function of the step."""
    made = list(made)
    with callbacks.running(made):
        for callback in made:
            callback.set_model(model)
            callback.on_train_begin()
        for index in range(steps):
            model.step.assign_add(1)
            for callback in made:
                callback.on_train_batch_end(index, logs(index + 1) if callable(logs) else logs)
            if getattr(model, "stop_training", False):
                break
        for callback in made:
            callback.on_train_end()


def rows_of(path):
    """Returns the rows of a log."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
