"""What a row of the zoo is: networks, model class, optimisers and one flat table of options."""

import dataclasses
import inspect
import math
import numbers
import re
from collections.abc import Callable, Mapping
from typing import Any

from tfgans.errors import UsageError, did_you_mean, whole

# Arguments that the framework fills in; everything else a constructor names is an option.
_NOT_OPTIONS = {"self", "data", "seed", "steps", "classes", "args", "kwargs"}

_OPTIMIZER_OPTIONS = {
    "learning_rate": "Step size of the optimiser.",
    "beta_1": "Adam's decay of the first moment.",
    "beta_2": "Adam's decay of the second moment.",
    "rho": "RMSprop's decay of the squared gradients.",
    "momentum": "Momentum of the optimiser.",
    "epsilon": "Added to the denominator of the update.",
    "schedule": "Learning rate over the run: constant, linear (falls to 0) or cosine.",
    "schedule_steps": "Generator steps until the schedule ends; 0: the length of the run.",
}


@dataclasses.dataclass(frozen=True)
class DataSpec:
    """What a network must know of the data.

    Attributes:
        image_shape: `(height, width, channels)`.
        num_classes: Number of classes, 0 where the data has no labels.
        classes: Labels that occur in it, from 0 to `num_classes` - 1; by default all.
    """

    image_shape: tuple[int, int, int]
    num_classes: int = 0
    classes: tuple[int, ...] | None = None

    def __post_init__(self):
        shape = tuple(int(size) for size in self.image_shape)
        if len(shape) != 3 or min(shape) < 1:
            raise UsageError(
                f"image_shape={self.image_shape!r} must be (height, width, channels), each >= 1"
            )
        if self.num_classes < 0:
            raise UsageError(f"num_classes={self.num_classes!r} must be >= 0")
        object.__setattr__(self, "image_shape", shape)
        known = range(self.num_classes)
        given = () if self.classes is None else self.classes
        classes = {whole("classes", label, 0) for label in given}
        if not classes <= set(known) or (known and self.classes is not None and not classes):
            raise UsageError(
                f"classes={self.classes!r} must be some of the {len(known)} labels from 0 on"
            )
        object.__setattr__(self, "classes", tuple(sorted(classes or known)))

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the batch entries that such data provides."""
        return ("image", "label") if self.num_classes else ("image",)


@dataclasses.dataclass(frozen=True)
class Variant:
    """A row of the zoo.

    Attributes:
        name: Name on the command line.
        model: Subclass of `tfgans.base.GenerativeModel`.
        networks: Player -> builder `(data: DataSpec, **options) -> keras.Model`.
        optimizers: Optimiser -> Keras optimiser class, as in the model's `optimizes`.
        options: Where the row departs from the defaults of the signatures it joins; the keys are
            `gp_weight` (the model's), `generator.width` (a network's) and
            `d_optimizer.learning_rate` (an optimiser's).
        tiny: Options that make the row test-sized; `image_size` is its smallest picture.
        steps: Default length of a run in generator steps.
        batch_size: Default pictures in a batch, for each critic step.
        specialists: Models that a run trains, each of a group of the classes; see `ensemble`.
    """

    name: str
    model: type[Any]
    networks: Mapping[str, Callable[..., Any]]
    optimizers: Mapping[str, type]
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    tiny: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    steps: int = 5000
    batch_size: int = 64
    specialists: int = 1

    def __post_init__(self):
        unknown = set(self.options) - set(self._signatures())
        if unknown:
            raise UsageError(f"{self.name}: nothing takes the options {sorted(unknown)}")

    def _signatures(self) -> dict[str, Any]:
        """Full table of options with the defaults of the signatures."""
        table = dict(_constructor_options(self.model, skip=set(self.networks)))
        for player, builder in self.networks.items():
            table.update(_prefixed(player, _arguments(builder)))
        for name, optimizer in self.optimizers.items():
            known = _arguments(optimizer)
            own = {key: known[key] for key in _OPTIMIZER_OPTIONS if key in known}
            own |= {"schedule": "constant", "schedule_steps": 0}
            table.update(_prefixed(name, own))
        return table

    def on(self, *, optimizer: type | None = None, **networks: Callable[..., Any]) -> "Variant":
        """Returns the row's scheme on other networks, with those options that still apply.

        An option that has the same name there is kept, such as `generator.width`.
        Example: `registry.load("gmmn").on(generator=dcgan.generator)`.

        Args:
            optimizer: Keras optimiser class for every player; by default the row's own.
            **networks: Builder of each player that gets another network.

        Raises:
            UsageError: If the scheme has no such player.
        """
        strangers = set(networks) - set(self.networks)
        if strangers:
            raise UsageError(
                f"{self.name} has no player {min(strangers)!r}; it has {', '.join(self.networks)}"
            )
        bare = dataclasses.replace(
            self,
            networks={**self.networks, **networks},
            optimizers=dict.fromkeys(self.optimizers, optimizer) if optimizer else self.optimizers,
            options={},
            tiny={},
        )
        kept = {key: value for key, value in self.options.items() if key in bare.defaults()}
        return dataclasses.replace(bare, options=kept)

    def defaults(self) -> dict[str, Any]:
        """Returns every option with its default."""
        return {**self._signatures(), **self.options}

    def meanings(self) -> dict[str, str]:
        """Returns every option with its meaning, taken from the docstrings of what it goes to."""
        texts = {}
        for cls in reversed(self.model.__mro__):
            texts.update(described(cls.__doc__))
        for player, builder in self.networks.items():
            texts.update(_prefixed(player, described(builder.__doc__)))
        for name in self.optimizers:
            texts.update(_prefixed(name, _OPTIMIZER_OPTIONS))
        return {key: texts.get(key, "") for key in self.defaults()}

    def resolve(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the full table with `overrides` in place.

        Raises:
            UsageError: On an unknown key, or a value of another type than the default's.
        """
        table = self.defaults()
        for key, value in overrides.items():
            if key not in table:
                near = did_you_mean(key, table)
                known = ", ".join(sorted(table))
                raise UsageError(f"{self.name} has no option {key!r}{near or '.'} It has: {known}")
            table[key] = _checked(key, value, table[key])
        return table


def routed(table: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Returns the options that go to `prefix`, without it; an empty prefix means the model."""
    if not prefix:
        return {key: value for key, value in table.items() if "." not in key}
    start = f"{prefix}."
    return {key[len(start) :]: value for key, value in table.items() if key.startswith(start)}


def _prefixed(prefix: str, table: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{key}": value for key, value in table.items()}


def _arguments(callable_: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(callable_).parameters.values()
    return {
        p.name: p.default
        for p in parameters
        if p.name not in _NOT_OPTIONS and p.default is not inspect.Parameter.empty
    }


def _constructor_options(model: type, skip: set[str]) -> dict[str, Any]:
    """Keyword arguments with defaults of the constructors of `model` and its tfgans bases."""
    table: dict[str, Any] = {}
    for cls in reversed(model.__mro__):
        if "__init__" in vars(cls) and any(base.__name__ == "Model" for base in cls.__mro__[1:]):
            own = _arguments(vars(cls)["__init__"])
            table.update({k: v for k, v in own.items() if k not in skip})
    return table


def described(docstring: str | None) -> dict[str, str]:
    """Reads the `Args:` section of a Google docstring: name -> text on one line."""
    section = re.search(r"\n *Args:\n(.*?)(?:\n *\n|\Z)", docstring or "", re.DOTALL)
    if not section:
        return {}
    entries = re.split(r"(?m)^(\w+): ", inspect.cleandoc(section[1]))
    pairs = zip(entries[1::2], entries[2::2], strict=True)
    return {name: " ".join(text.split()) for name, text in pairs}


def _checked(key: str, value: Any, default: Any) -> Any:
    """Returns `value` as the type of `default`; numbers of NumPy serve, and an int for a float.

    What is called a weight, of a term of a loss, is not negative.
    """
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise UsageError(f"{key}={value!r} must be a finite number")
        if isinstance(value, numbers.Integral):
            value = int(value)
        if isinstance(default, float) or not isinstance(value, int):
            value = float(value)
        if key.endswith("_weight") and value < 0:
            raise UsageError(f"{key}={value!r} must not be negative")
    if default is None or type(value) is type(default):
        return value
    if isinstance(default, (tuple, list)) and isinstance(value, (tuple, list)):
        return list(value)
    wanted = type(default).__name__
    raise UsageError(f"{key}={value!r} must be of type {wanted}, like its default {default!r}")
