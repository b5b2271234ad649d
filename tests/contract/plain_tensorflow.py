"""Holds an export against what its model made, with plain TensorFlow.

As a script it reads folders from stdin, one a line, and answers each with a line of JSON: null, or
what is wrong; it ends at any other fault. Importing `tfgans` or keras fails in it.
"""

import contextlib
import importlib.machinery
import json
import pathlib
import sys

import numpy as np

ROUNDING = 1e-5  # where no tanh ends a network; a level of a picture is 800 times as much


class Blocker:
    """Lets no module of the given packages be imported."""

    packages = frozenset({"tfgans", "keras", "tf_keras"})

    def find_spec(self, name, path=None, target=None):
        # TensorFlow looks where Keras lies, and goes on when it cannot import it.
        if name.partition(".")[0] in self.packages:
            return importlib.machinery.ModuleSpec(name, self, origin="/nowhere/__init__.py")
        return None

    def create_module(self, spec):
        raise ImportError(f"{spec.name} is blocked")

    def exec_module(self, module):
        """Never reached."""


def check(folder):
    """Raises AssertionError where the SavedModel in `folder` departs from `expected.npz`."""
    import tensorflow as tf

    given = dict(np.load(folder / "expected.npz"))
    loaded = tf.saved_model.load(str(folder))
    serve, signature = (loaded.signatures[name] for name in ("serving_default", "sample"))

    def draw(n, **arguments):
        return loaded.sample(n=n, **arguments)["image"].numpy()

    inputs = {name: given[name] for name in ("latent", "label") if name in given}
    check_floats(lambda **rows: serve(**rows)["image"].numpy(), inputs, given["image"])
    check_pictures(draw, **given)
    arguments = {"n": 5, "seed": 7, "truncation": np.inf}
    if "label" in given:
        check_labels(draw, **given)
        check_unknown_label(draw, serve, given)
        arguments["label"] = -1
    names = set(signature.structured_input_signature[1])
    assert names == set(arguments), f"signature sample takes {names}"
    called = signature(**{key: tf.constant(value) for key, value in arguments.items()})
    assert np.array_equal(called["image"], draw(5, seed=7)), "signature and method differ"


def check_floats(serve, inputs, image):
    """`serving_default`: the floats of the model, for a batch of any size."""
    count = len(image)
    for size in (count, 1, 3):
        part = serve(**{name: rows[:size] for name, rows in inputs.items()})
        assert part.dtype == np.float32, part.dtype
        error = np.abs(part - image[:size]).max()
        assert error <= ROUNDING, f"a batch of {size} is off by {error}"
    many = serve(**{name: np.concatenate([rows] * 14) for name, rows in inputs.items()})
    assert np.abs(many - np.concatenate([image] * 14)).max() <= ROUNDING, "a batch of 70 is off"


def check_pictures(draw, *, sample, truncated, **_):
    """`sample`: the pictures of the model to one level, for any number, by seed alone."""
    for n in (70, 1, 5):
        pictures = draw(n, seed=7)
        assert pictures.dtype == np.uint8, pictures.dtype
        assert pictures.shape == sample[:n].shape, pictures.shape
        levels = np.abs(pictures.astype(int) - sample[:n]).max()
        assert levels <= 1, f"{n} pictures are off by {levels} levels"
    assert np.array_equal(draw(5, seed=7), draw(5, seed=7)), "one seed gives two sets of pictures"
    assert not np.array_equal(draw(5, seed=7), draw(5, seed=8)), "the seed changes nothing"
    assert np.array_equal(draw(5), draw(5, seed=0)), "seed is not 0 by default"
    drawn = draw(6, seed=7, truncation=0.3).astype(int)
    levels = np.abs(drawn - truncated).max()
    assert levels <= 1, f"truncated pictures are off by {levels} levels"
    assert not np.array_equal(drawn, sample[:6]), "truncation changes nothing"


def check_labels(draw, *, sample, labelled, **_):
    """`sample` of classes: those asked for, one for all or one for each, else drawn by the seed."""
    one_for_each = draw(6, seed=7, label=[1, 0, 1, 0, 1, 0]).astype(int)
    assert np.abs(one_for_each - labelled).max() <= 1, "labelled pictures are off"
    ones = draw(6, seed=7, label=1).astype(int)
    assert np.abs(ones - labelled)[::2].max() <= 1, "one label for all is not one for each"
    by_chance = draw(6, seed=7, label=-1).astype(int)
    assert np.abs(by_chance - sample[:6]).max() <= 1, "labels are not drawn by default"


def check_unknown_label(draw, serve, given):
    """A class that the model was not trained on is an error, in either signature."""
    import tensorflow as tf

    unknown = 1 + given["classes"].max()
    rows = {"latent": given["latent"], "label": np.full_like(given["label"], unknown)}
    for call in (lambda: draw(2, label=unknown), lambda: serve(**rows)):
        try:
            call()
            said = ""
        except tf.errors.InvalidArgumentError as error:
            said = str(error)
        assert "no class of this model" in said, f"the label {unknown} is not refused: {said}"


def answer(folder):
    """Returns what is wrong with the export in `folder`, or None."""
    try:
        check(folder)
    except AssertionError as error:
        return str(error)
    imported = {name.partition(".")[0] for name in sys.modules} & Blocker.packages
    return f"imported {imported}" if imported else None


def main():
    """Answers until stdin ends."""
    sys.meta_path.insert(0, Blocker())
    for line in sys.stdin:
        with contextlib.redirect_stdout(sys.stderr):
            result = answer(pathlib.Path(line.strip()))
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
