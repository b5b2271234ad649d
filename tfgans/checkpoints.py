"""Checkpoints of all that training changes, and starting from another run's networks."""

import pathlib

import tensorflow as tf

from tfgans.errors import UsageError

_KEPT = 2


def manager(model, run_dir) -> tf.train.CheckpointManager:
    """Returns the manager of a run's checkpoints; its `save` writes networks, EMA, optimisers, step."""
    checkpoint = tf.train.Checkpoint(state=model.state())
    folder = pathlib.Path(run_dir) / "checkpoints"
    return tf.train.CheckpointManager(checkpoint, str(folder), _KEPT, checkpoint_name="step")


def restore(checkpoints: tf.train.CheckpointManager) -> bool:
    """Restores the newest checkpoint, every variable of it; returns whether there was one."""
    if checkpoints.latest_checkpoint is None:
        return False
    checkpoints.checkpoint.restore(checkpoints.latest_checkpoint).assert_consumed()
    return True


def copy_networks(source, model) -> None:
    """Starts `model` from the networks of `source`, but with fresh optimisers, at step 0.

    Raises:
        UsageError: If the two have other players, or networks of other shapes.
    """
    if source.players != model.players:
        raise UsageError(
            f"init_from holds the players {source.players}, this variant has {model.players}"
        )
    for player in model.players:
        weights, network = getattr(source, player).get_weights(), getattr(model, player)
        shapes = [weight.shape for weight in weights]
        wanted = [tuple(weight.shape) for weight in network.weights]
        if shapes != wanted:
            differing = next(pair for pair in zip(shapes, wanted, strict=False) if pair[0] != pair[1])
            raise UsageError(
                f"init_from has another {player}: a weight of shape {differing[0]} stands where "
                f"{differing[1]} is wanted; use the same networks, image size and channels"
            )
        network.set_weights(weights)
    if model.average is not None:
        model.average.set_weights(source.sampler.get_weights())
