"""From a name to a compiled model, and from a path back to one."""

import functools
import importlib
import pathlib
import zipfile

import keras
import tensorflow as tf

from tfgans import checkpoints, registry, runs, saved
from tfgans.errors import UsageError, first_line, whole
from tfgans.variant import DataSpec, Variant, routed

# Of TensorFlow, to sizes that cannot be.
_REFUSALS = (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError)
_SCHEDULES = {
    "linear": lambda rate, updates: keras.optimizers.schedules.PolynomialDecay(rate, updates, 0.0),
    "cosine": keras.optimizers.schedules.CosineDecay,
}


def create(
    variant: str | Variant,
    data: DataSpec,
    *,
    seed: int = 0,
    steps: int | None = None,
    jit: bool = False,
    accumulate: int = 1,
    **options,
) -> keras.Model:
    """Returns a compiled Keras model of the zoo, whose own `fit` trains it.

    Args:
        variant: A name of the registry, the path of a user's own Python file, or a row.
        data: What the pictures look like, as `tfgans.data.load` returns it.
        seed: Seed of the weights and of all random numbers of training; sets Keras' global seed.
        steps: Generator steps of the run, for learning-rate schedules; the row's by default.
        jit: Whether XLA compiles the step.
        accumulate: Pieces that each batch is worked through in, one after the other.
        **options: Values in place of the row's, by dotted key: `**{"generator.width": 32}`.

    Returns:
        A `tfgans.base.GenerativeModel`.

    Raises:
        UsageError: On an unknown name, option or value, or data that does not fit.
    """
    seed = whole("seed", seed, 0)
    row = registry.load(variant) if isinstance(variant, str) else variant
    steps = row.steps if steps is None else whole("steps", steps, 1)
    table = row.resolve(options)
    keras.utils.set_random_seed(seed)
    networks = {
        player: _made(player, builder, data, **routed(table, player))
        for player, builder in row.networks.items()
    }
    told = {"seed": seed, "steps": steps, "classes": data.classes}
    model = row.model(**networks, **told, **routed(table, ""))
    optimizers = {
        name: _made(
            name,
            _optimizer,
            cls,
            steps,
            functools.partial(model.updates_in, name),
            **routed(table, name),
        )
        for name, cls in row.optimizers.items()
    }
    accumulate = whole("accumulate", accumulate, 1)
    model.compile(jit_compile=jit, accumulate=accumulate, **optimizers)
    return model


def load(path):
    """Reads a `.keras` file, a run folder or a SavedModel; all of them have `.sample(n, ...)`.

    Args:
        path: What `model.save`, a run or an export has written.

    Returns:
        A compiled model with its optimisers, ready to train on (`.keras`, run folder), or a
        `tfgans.saved.SavedGenerator` (SavedModel).

    Raises:
        UsageError: If `path` is none of the three.
    """
    path = pathlib.Path(path)
    if path.suffix == ".keras" and path.is_file():
        for entry in registry.list_variants():  # registers the classes that the file names
            importlib.import_module(f"tfgans.models.{entry.module}")
        try:
            return keras.models.load_model(path)
        except (OSError, ValueError, TypeError, LookupError, zipfile.BadZipFile) as error:
            raise UsageError(f"cannot read {str(path)!r}: {first_line(error)}") from error
    if (path / "saved_model.pb").is_file():
        return saved.load_saved_model(path)
    if (path / "options.json").is_file():
        return _load_run(path)
    raise UsageError(f"{str(path)!r} is no .keras file, no run folder and no SavedModel")


def planned(plan):
    """Returns the model of a run's options, as `options.json` holds them, untrained.

    Raises:
        UsageError: As `create`.
    """
    labels = plan.get("labels", plan.get("classes"))  # older code noted what was asked for
    return create(
        plan["variant"],
        DataSpec(tuple(plan["image_shape"]), plan["num_classes"], labels),
        seed=plan["seed"],
        steps=plan["steps"],
        jit=plan["jit"],
        accumulate=plan.get("accumulate", 1),
        **plan["options"],
    )


def _load_run(path):
    stored = runs.read_options(path)
    with runs.precision_scope(stored["precision"]):
        model = planned(stored)
    if not checkpoints.restore(checkpoints.manager(model, path)):
        raise UsageError(f"{str(path)!r} holds no checkpoint yet")
    return model


def _made(part, maker, *arguments, **options):
    """Returns what `maker` makes; options that it or Keras refuses are the user's."""
    try:
        return maker(*arguments, **options)
    except UsageError as error:
        raise UsageError(f"{part}: {error}") from error
    except (TypeError, ValueError, OverflowError, *_REFUSALS) as error:
        given = ", ".join(f"{part}.{key}={value!r}" for key, value in options.items())
        raise UsageError(f"{first_line(error)} (of {given})") from error


def _optimizer(cls, steps, updates_in, *, learning_rate, schedule, schedule_steps, **options):
    """Returns an optimiser, whose rate falls over the updates that a run of `steps` has."""
    if not learning_rate > 0:
        raise UsageError(f"learning_rate={learning_rate!r} must be above 0")
    for name in ("beta_1", "beta_2", "rho", "momentum"):
        if not 0 <= options.get(name, 0.0) < 1:
            raise UsageError(f"{name}={options[name]!r} must be at least 0 and below 1")
    if not options.get("epsilon", 1.0) >= 0:
        raise UsageError(f"epsilon={options['epsilon']!r} must be at least 0")
    if schedule not in ("constant", *_SCHEDULES):
        raise UsageError(f"schedule={schedule!r} must be constant, {' or '.join(_SCHEDULES)}")
    if schedule != "constant":
        learning_rate = _SCHEDULES[schedule](learning_rate, updates_in(schedule_steps or steps))
    return cls(learning_rate=learning_rate, **options)
