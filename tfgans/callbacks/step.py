"""The base of all: a Keras callback that counts the steps of the run."""

from collections.abc import Mapping

import keras


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
