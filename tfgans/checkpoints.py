"""Checkpoints of all that training changes, and starting from another run's networks."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from tfgans.errors import TrainingError, UsageError

_KEPT = 2


def manager(model, run_dir) -> tf.train.CheckpointManager:
    """Returns the manager of a run's checkpoints; they hold networks, EMA, optimisers and step."""
    checkpoint = tf.train.Checkpoint(state=model.state())
    folder = Path(run_dir) / "checkpoints"
    return tf.train.CheckpointManager(checkpoint, str(folder), _KEPT, checkpoint_name="step")


def exist(run_dir) -> bool:
    """Whether the folder of a run holds a checkpoint."""
    return tf.train.latest_checkpoint(Path(run_dir) / "checkpoints") is not None


def restore(checkpoints: tf.train.CheckpointManager) -> bool:
    """Restores the newest checkpoint, every variable of it; returns whether there was one."""
    newest = checkpoints.latest_checkpoint
    if newest is None:
        return False
    try:
        checkpoints.checkpoint.restore(newest).assert_consumed()
    except (AssertionError, LookupError, ValueError, tf.errors.OpError) as error:
        raise UsageError(
            f"the checkpoint {newest!r} is damaged, or was written by other code: remove it to go "
            "on from the one before"
        ) from error
    return True


def copy_networks(source, model) -> None:
    """Starts `model` from the networks of `source`, but with fresh optimisers, at step 0.

    Raises:
        UsageError: If the two have other players, or networks of other shapes.
    """
    if not hasattr(source, "players"):
        raise UsageError("init_from needs a run folder or a .keras file: a SavedModel cannot train")
    if source.players != model.players:
        raise UsageError(
            f"init_from holds the players {source.players}, this variant has {model.players}"
        )
    for player in model.players:
        weights, network = getattr(source, player).get_weights(), getattr(model, player)
        shapes = [weight.shape for weight in weights]
        wanted = [tuple(weight.shape) for weight in network.weights]
        if shapes != wanted:
            differing = next(
                pair for pair in zip(shapes, wanted, strict=False) if pair[0] != pair[1]
            )
            raise UsageError(
                f"init_from has another {player}: a weight of shape {differing[0]} stands where "
                f"{differing[1]} is wanted; use the same networks, image size and channels"
            )
        network.set_weights(weights)
    if model.average is not None:
        model.average.set_weights(source.sampler.get_weights())


class Checkpoints:
    """Saves checkpoints by step, and says in the words of a `TrainingError` what goes wrong.

    Args:
        manager: Of the checkpoints; None where a notebook keeps none.
    """

    def __init__(self, manager: tf.train.CheckpointManager | None = None):
        self.manager = manager

    @property
    def newest(self) -> str | None:
        """Path of the newest checkpoint."""
        return self.manager.latest_checkpoint if self.manager else None

    @property
    def last_step(self) -> int | None:
        """Step of the newest checkpoint."""
        return int(self.newest.rpartition("-")[2]) if self.newest else None

    @property
    def last_good(self) -> str:
        """The newest checkpoint in words, to end an error with."""
        if self.newest is None:
            return "no checkpoint was written yet"
        return f"last good checkpoint: step {self.last_step}, {self.newest}"

    def save(self, step: int) -> None:
        """Saves the state after `step`, once; a fault leaves the earlier checkpoints whole.

        Raises:
            TrainingError: If it cannot be written, as on a full disk.
        """
        if self.manager is None or self.last_step == step:
            return
        try:
            with self.writing("the checkpoint", step):
                self.manager.save(checkpoint_number=step)
        except TrainingError:
            self._remove_remains(Path(self.manager.directory), step)
            raise

    @contextmanager
    def writing(self, what: str, step: int) -> Iterator[None]:
        """Turns a failure to write `what` into a `TrainingError` that names step and checkpoint."""
        try:
            yield
        except (OSError, tf.errors.OpError) as error:
            text = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
            reason = text.strip().split("\n")[0].rpartition("; ")[2]
            raise TrainingError(
                f"step {step}: cannot write {what}: {reason}; {self.last_good}"
            ) from error

    def _remove_remains(self, directory: Path, step: int) -> None:
        for path in directory.glob(f"*-{step}_temp"):
            shutil.rmtree(path, ignore_errors=True)
        if self.last_step != step:
            for path in directory.glob(f"*-{step}.*"):
                path.unlink(missing_ok=True)
