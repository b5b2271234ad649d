"""Schemes of the zoo in games: losses, penalties and order of steps are the row's.

Networks and optimiser (Adam for all) are the game's, and the data is made as it is needed.
"""

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.animation import FuncAnimation
from matplotlib.figure import Figure

from tfgans import callbacks, factory, optimizers, registry
from tfgans.callbacks import StepCallback
from tfgans.errors import UsageError, whole
from tfgans.growing import GrowingModel
from tfgans.playground import moving
from tfgans.variant import DataSpec, Variant

# What papers have where the zoo's row, with rates of its own, does without.
PAPERS: dict[str, dict[str, Any]] = {
    name: {"n_critic": 5} for name in ("wgan_gp", "lgan", "mmd_gan")
}


class Frames(StepCallback):
    """Keeps what is seen of the model as training goes on.

    Args:
        look: From the model to what is kept.
        steps: Length of the run.
        number: Frames to keep.

    Attributes:
        kept: (step, what was seen) of each frame.
    """

    def __init__(self, look: Callable[[keras.Model], Any], steps: int, number: int):
        super().__init__()
        self.look = look
        self.due = set(np.linspace(1, steps, min(number, steps), dtype=int).tolist())
        self.kept: list[tuple[int, Any]] = []

    def after_step(self, logs):
        """Looks, where a frame is due."""
        if self.step in self.due:
            self.kept.append((self.step, self.look(self.model)))

    def moving(self, figsize: tuple[float, float], **how: Any) -> FuncAnimation:
        """Returns kept pictures one after another; `how` is what `imshow` takes."""
        figure = Figure(figsize=figsize, layout="constrained")
        axes = figure.subplots()
        axes.set_axis_off()
        shown = axes.imshow(self.kept[0][1], **how)

        def draw(index):
            step, picture = self.kept[index]
            shown.set_data(picture)
            axes.set_title(f"step {step:,}", fontsize=10)
            return [shown]

        return moving(figure, draw, len(self.kept))


def trained(
    variant: str,
    networks: ModuleType,
    data: DataSpec,
    draw: Callable[[tf.Tensor, int], tf.Tensor],
    *,
    look: Callable[[keras.Model], Any],
    recipe: Mapping[str, Any],
    own: Mapping[str, Any] | None = None,
    options: Mapping[str, Any],
    steps: int,
    batch_size: int,
    seed: int,
    frames: int = 40,
) -> tuple[keras.Model, Frames]:
    """Trains a scheme of the zoo, and tells its progress on stderr.

    Args:
        variant: Name of its row.
        networks: Module with the builders `generator` and `discriminator`, in place of the row's.
        data: What they are built for.
        draw: From a step and a number of rows to float32 images, a function of these alone.
        look: From the model to what a frame keeps.
        recipe: Options of every scheme; those that the row does not have are left out.
        own: Options of this scheme in place of these, which the row must have.
        options: Options of this game in place of these, likewise.
        steps: Generator steps.
        batch_size: Images in a batch.
        seed: Seed of weights and latents.
        frames: Number of frames.

    Returns:
        The model and the frames.

    Raises:
        UsageError: If the variant does not play a generator of noise against a discriminator, or
            an option is wrong.
        TrainingError: If a loss is not finite.
    """
    steps, batch_size = whole("steps", steps, 1), whole("batch_size", batch_size, 1)
    row = _playable(variant, networks)
    table = {key: value for key, value in recipe.items() if key in row.defaults()}
    table = row.resolve({**table, **PAPERS.get(variant, {}), **(own or {}), **options})
    model = factory.create(row, data, seed=seed, steps=steps, **table)
    rows = batch_size * model.batches_per_step
    dataset = tf.data.Dataset.range(steps).map(lambda step: {"image": draw(step, rows)})
    settings = tf.data.Options()
    settings.autotune.enabled = False  # whose thread would hold up the end
    seen = Frames(look, steps, frames)
    made = [callbacks.NonFinite(), callbacks.Progress(steps, rows), seen]
    with callbacks.running(made) as made:
        model.fit(dataset.prefetch(2).with_options(settings), verbose=0, callbacks=made)
    return model, seen


def adam(rate: float, **more: Any) -> dict[str, Any]:
    """Returns options of both players' Adam, whose rate falls in a line to 0 over the run."""
    table = {"learning_rate": rate, "beta_1": 0.0, "beta_2": 0.99, "schedule": "linear", **more}
    return {f"{player}_optimizer.{key}": value for player in "gd" for key, value in table.items()}


def _playable(variant: str, networks: ModuleType) -> Variant:
    """Returns a row of the zoo on other networks and with Adam."""
    row = registry.load(variant)
    plays = set(row.networks) == {"generator", "discriminator"}
    grows = issubclass(row.model, GrowingModel)
    if not plays or grows or registry.needs(variant) != ("image",):
        raise UsageError(
            f"variant={variant!r} is not a generator of noise against a discriminator that stay as "
            "they are; r1gan, wgan_gp or unrolled would do"
        )
    players = {"generator": networks.generator, "discriminator": networks.discriminator}
    return row.on(optimizer=optimizers.Adam, **players)
