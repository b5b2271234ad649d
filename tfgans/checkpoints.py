"""Checkpoints of all that training changes, and starting from another run's networks."""

import itertools
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from tfgans.errors import TrainingError, UsageError

LATEST, BEST = "checkpoints", "best"
_KEPT = {LATEST: 2, BEST: 2}  # a run that goes on may have to do without the newest
_INDEX = re.compile(r"step-(\d+)\.index")
_STATE = "checkpoint"  # TensorFlow's list of the checkpoints, in their folder


def manager(
    model, run_dir, part: str = LATEST, *, kept: int | None = None
) -> tf.train.CheckpointManager:
    """Returns the manager of a run's checkpoints; they hold networks, EMA, optimisers and step.

    TensorFlow's list of them is written anew where it is lost, or names one that is gone.

    Args:
        model: What is saved and restored.
        run_dir: Folder of the run.
        part: Folder in it: `LATEST`, or `BEST` with the one that evaluations liked most.
        kept: How many are kept; by default the latest two, and the best and
            the one before it.
    """
    checkpoint = tf.train.Checkpoint(state=model.state())
    folder = _folder(run_dir, part)
    found = _found(folder)
    if not found:
        (folder / _STATE).unlink(missing_ok=True)
    elif found != _listed(folder):
        names = [f'model_checkpoint_path: "step-{found[-1]}"']
        names += [f'all_model_checkpoint_paths: "step-{step}"' for step in found]
        ages = [(folder / f"step-{step}.index").stat().st_mtime for step in found]
        # Without these it would keep them for good.
        names += [f"all_model_checkpoint_timestamps: {age}" for age in ages]
        names.append("last_preserved_timestamp: 0.0")
        (folder / _STATE).write_text("\n".join([*names, ""]), encoding="utf-8")
    kept = kept or _KEPT[part]
    return tf.train.CheckpointManager(checkpoint, str(folder), kept, checkpoint_name="step")


def last_step(run_dir) -> int | None:
    """Returns the step of the newest checkpoint in the folder of a run, None without one."""
    return max(_found(_folder(run_dir, LATEST)), default=None)


def forget_best_after(run_dir, step: int) -> None:
    """Removes best checkpoints that the run, which goes on from `step`, has not come to yet."""
    folder = _folder(run_dir, BEST)
    for found in _found(folder):
        if found > step:
            _remove(folder, found)


def forget_after(run_dir, step: int) -> int | None:
    """Removes checkpoints of later steps than `step`; returns the step of the newest one left.

    Where none would be left, all are kept and None is returned.
    """
    folder = _folder(run_dir, LATEST)
    steps = _found(folder)
    left = [found for found in steps if found <= step]
    for found in steps[len(left) :] if left else ():
        _remove(folder, found)
    return left[-1] if left else None


def _remove(folder: Path, step: int) -> None:
    for path in folder.glob(f"step-{step}.*"):
        path.unlink()


def _folder(run_dir, part: str) -> Path:
    return Path(run_dir) / part


def _found(folder: Path) -> list[int]:
    """Returns the steps of the checkpoints that are there: the listed ones if any of these is.

    One that is not listed may be half written, by a run that was killed.
    """
    matches = [_INDEX.fullmatch(path.name) for path in folder.glob("step-*.index")]
    there = sorted(
        int(match[1])
        for match in matches
        if match and (folder / f"step-{match[1]}.data-00000-of-00001").is_file()
    )
    listed = _listed(folder)
    return [step for step in there if step in listed] or there


def _listed(folder: Path) -> list[int]:
    """Returns the steps in TensorFlow's list of the checkpoints; none where it is unreadable."""
    try:
        state = tf.train.get_checkpoint_state(str(folder))
        paths = state.all_model_checkpoint_paths if state else ()
        return [int(path.rpartition("-")[2]) for path in paths]
    except ValueError:  # it is empty, or names other things
        return []


def restore(checkpoints: tf.train.CheckpointManager) -> bool:
    """Restores the newest checkpoint, every variable of it; returns whether there was one."""
    newest = checkpoints.latest_checkpoint
    if newest is None:
        return False
    try:
        checkpoints.checkpoint.restore(newest).assert_consumed()
    except (AssertionError, LookupError, ValueError, tf.errors.OpError) as error:
        raise UsageError(
            f"the checkpoint {newest!r} is damaged, or was written by other code: remove it "
            f"({newest}.*) to go on from the one before"
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
            pairs = itertools.zip_longest(shapes, wanted, fillvalue="none")
            differing = next(pair for pair in pairs if pair[0] != pair[1])
            raise UsageError(
                f"init_from has another {player}: a weight of shape {differing[0]} stands where "
                f"{differing[1]} is wanted; use the same networks, image size and channels"
            )
        network.set_weights(weights)
    if model.average is not None:
        model.average.set_weights(source.sampler.get_weights())
    model.begin_from(source)


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
