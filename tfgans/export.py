"""SavedModels and their cards, written from a model in memory; they are read without `tfgans`.

What is written is a bare `tf.Module` with one function a signature and the weights these read,
each once: Keras' own export stores every variable twice.
"""

import ctypes
import functools
import inspect
import json
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans import runs
from tfgans.errors import TrainingError, UsageError
from tfgans.randomness import RANDOM_LABEL

CARD = "card.json"
PROTO = "saved_model.pb"
# All that an export can hold; a folder with anything else in it is never replaced.
PARTS = {PROTO, CARD, "assets", "assets.extra", "fingerprint.pb", "variables"}

# A signature wants every argument; the methods of the loaded module leave these to be omitted.
DEFAULTS = {"seed": 0, "label": RANDOM_LABEL, "truncation": math.inf}
# A function that returns a bare tensor returns an image, unless its name says otherwise.
OUTPUTS = {"encode": "latent", "log_prob": "log_prob"}
TRUNCATION = "threshold on |z|: entries above it are drawn again, never clipped"


def export(model, directory: str | Path, card: Mapping[str, Any]) -> Path:
    """Writes a SavedModel of `model` with its card, and puts it in place in one move.

    Each entry of `model.signatures()` becomes a signature and a method of that name; both return
    a dict of tensors:

        loaded = tf.saved_model.load(directory)  # keep it: it owns the weights
        pictures = loaded.sample(n=16, seed=0)["image"]

    The folder holds no class of `tfgans`. Until all is written the old folder stays as it was.

    Args:
        model: A `GenerativeModel`, or whatever has its `signatures()`, `state()`, `variables`; what
            its `facts` say stands in the card.
        directory: Folder to make or replace; one that holds other things than an export is kept.
        card: What `card.json` says; shapes, signatures and the labels it takes are added to it.

    Returns:
        The folder written.

    Raises:
        UsageError: If `directory` is a file, or a folder with other content than an export.
        TrainingError: If the folder cannot be written; the old one is kept.
    """
    check_directory(directory)
    module, functions = _module(model)
    return write_saved_model(directory, module, functions, _full_card(model, functions, card))


def write_saved_model(
    directory: str | Path, module: tf.Module, functions: Mapping[str, Any], card: Mapping[str, Any]
) -> Path:
    """Writes a module with its signatures and its card, and puts them in place in one move.

    Args:
        directory: As for `export`.
        module: Owns the variables.
        functions: `tf.function`s by the name of their signature.
        card: What `card.json` says.

    Returns:
        The folder written.

    Raises:
        UsageError: As `export`.
        TrainingError: As `export`.
    """
    target = check_directory(directory)
    with _writing(target) as partial:
        tf.saved_model.save(module, str(partial), signatures=dict(functions))
        text = json.dumps(_plain(card), indent=2, allow_nan=False)
        (partial / CARD).write_text(text + "\n", encoding="utf-8")
    return target


def check_directory(directory: str | Path) -> Path:
    """Returns the folder to export to, or refuses it: ask before the training, not after.

    Raises:
        UsageError: If `directory` is a file, a folder with other content than an export, or lies
            where nothing can be written.
    """
    path = Path(directory).resolve()
    runs.check_name(path)
    if path.exists() and not path.is_dir():
        raise UsageError(f"cannot export to {str(directory)!r}: it is a file, give a folder")
    held = sorted(os.listdir(path)) if path.is_dir() else []
    foreign = [name for name in held if name not in PARTS]
    missing = [name for name in (PROTO, CARD) if not (path / name).is_file()]
    if held and (foreign or missing):
        why = f"holds {foreign[0]!r}" if foreign else f"has no {missing[0]}"
        raise UsageError(
            f"will not replace {str(directory)!r}: it {why}, so it is not an export; give a new or "
            "empty folder"
        )
    try:
        runs.check_writable(_partial(path))
    except OSError as error:
        raise UsageError(f"cannot export to {str(directory)!r}: {error.strerror}") from error
    return path


def one_line(error: BaseException) -> str:
    """Returns the first line of what an error says, without TensorFlow's op names before it."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    lines = [line for line in text.split("\n") if line.strip()]
    return lines[0].split("}} ")[-1] if lines else type(error).__name__


# The module.


def _module(model) -> tuple[tf.Module, dict[str, Callable]]:
    """Returns a module with a copy of the weights in use, and its functions by name.

    The copies have names of their own, since Keras counts its layers' names up through a process
    (`dense_1`, `dense_2`) and the checkpoint holds the names: with these, equal models give equal
    files. The first trace shows which weights a function reads, the second one reads the copies.
    """
    variables = {id(variable.value.handle): variable for variable in model.variables}
    names = {id(value.handle): name for name, value in model.state().items()}
    copies: dict[int, tf.Variable] = {}
    functions = {}
    for name, (function, specs) in model.signatures().items():
        first = tf.function(function, input_signature=specs, autograph=False)
        captured = {id(tensor) for tensor in first.get_concrete_function().captured_inputs}
        used = [key for key in names if key in captured]  # the order of `state`, always the same
        for key in used:
            if key not in copies:
                copies[key] = tf.Variable(variables[key].value, trainable=False, name=names[key])
        weights = [(variables[key], copies[key]) for key in used]
        face = _with_weights(function, weights, OUTPUTS.get(name, "image"))
        functions[name] = tf.function(face, input_signature=specs, autograph=False)
    module = tf.Module()
    module.weights = [copies[key] for key in names if key in copies]
    for name, function in functions.items():
        setattr(module, name, function)
    return module, functions


def _with_weights(function: Callable, weights: list, output: str) -> Callable:
    """Returns `function` reading other weights, returning a dict, and with default arguments."""
    import keras  # not at the top: drawing from a SavedModel needs none

    from tfgans.layers import trilinear

    signature = inspect.signature(function)
    parameters = [
        parameter.replace(default=DEFAULTS[name])
        if name in DEFAULTS and parameter.default is parameter.empty
        else parameter
        for name, parameter in signature.parameters.items()
    ]

    @functools.wraps(function)
    def face(*args, **kwargs):
        with trilinear.gradients_of_tensorflow(), keras.StatelessScope(state_mapping=weights):
            result = function(*args, **kwargs)
        return result if isinstance(result, dict) else {output: result}

    face.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return face


# The card.


def _full_card(model, functions: Mapping[str, Any], card: Mapping[str, Any]) -> dict[str, Any]:
    signatures = {}
    for name, function in functions.items():
        concrete = function.get_concrete_function()
        inputs = {spec.name: _shape_text(spec) for spec in function.input_signature}
        outputs = concrete.structured_outputs.items()
        signatures[name] = {
            "inputs": inputs,
            "outputs": {key: _shape_text(tensor) for key, tensor in outputs},
        }
    facts: dict[str, Any] = {
        "image_shape": list(model.image_shape),
        "labels": list(model.classes) if getattr(model, "takes_label", False) else [],
        "signatures": signatures,
    }
    if hasattr(model, "latent_distribution"):
        facts["latent_distribution"] = model.latent_distribution
    if "truncation" in signatures.get("sample", {}).get("inputs", {}):
        facts["truncation"] = TRUNCATION
    return {**facts, **getattr(model, "facts", {}), **card}


def _shape_text(spec) -> str:
    """Returns such as `float32 (?, 64)`."""
    if spec.shape.rank is None:
        return f"{spec.dtype.name} of any shape"
    sides = ", ".join("?" if side is None else str(side) for side in spec.shape)
    return f"{spec.dtype.name} ({sides}{',' if spec.shape.rank == 1 else ''})"


def _plain(value: Any) -> Any:
    """Returns what JSON can say: NumPy numbers as numbers, non-finite ones as null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


# The folder.


@contextmanager
def _writing(target: Path) -> Iterator[Path]:
    """Gives a hidden folder beside `target` to write in, and then moves it to `target`."""
    partial = _partial(target)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        yield partial
        _replace(partial, target)
    except (OSError, tf.errors.OpError) as error:
        raise TrainingError(
            f"cannot write the export {str(target)!r}: {one_line(error)}"
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.partial")


def _replace(new: Path, target: Path) -> None:
    """Moves the folder `new` to `target`; what stood there is left at `new`, to be removed."""
    if not target.exists():
        new.rename(target)
    elif not _exchange(new, target):
        old = new.with_suffix(".old")
        target.rename(old)
        new.rename(target)
        old.rename(new)


def _exchange(new: Path, target: Path) -> bool:
    """Swaps two folders in one move, as Linux can: a crash leaves the one or the other."""
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    if renameat2 is None:
        return False
    at_cwd, rename_exchange = -100, 2
    return renameat2(at_cwd, os.fsencode(new), at_cwd, os.fsencode(target), rename_exchange) == 0
