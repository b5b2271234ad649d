"""Rows of pictures of a SavedModel: samples, classes, ways between latents, sums of latents.

Each function takes a `tfgans.export.SavedGenerator` and returns a list of uint8 arrays
`(n, height, width, channels)`, the rows of a picture. Labels are given by number or name.
"""

import math
import re

import numpy as np

from tfgans import latents, randomness
from tfgans.errors import UsageError, checked_truncation, did_you_mean, spans, whole
from tfgans.images import to_uint8

ALL = "all"
NUM = 64
ROWS = 8  # of ways, and pictures of each class, where no number is given
COLUMNS = 9  # of a way along a direction, and neighbours of a place
MOST = 100_000  # pictures of ways, and latents of sums
LONGEST_LIST = 200  # letters of the names of all classes, where an error tells them


def sample(model, *, num=None, seed=0, label=None, truncation=None):
    """Returns one row of `num` pictures; with `label="all"` a row of `num` for each class."""
    if label != ALL:
        asked = None if label is None else number_of(model, label)
        return [model.sample(num or NUM, seed, asked, truncation)]
    labels = _classes(model)
    count = num or ROWS
    pictures = model.sample(count * len(labels), seed, np.repeat(labels, count), truncation)
    return np.split(pictures, len(labels))


def interpolate(model, *, interpolate, num=None, seed=0, label=None, truncation=None):
    """Returns `num` rows, each of `interpolate` pictures on the way from one latent to another.

    Each row is of one class: the one asked for, or all in turn.
    """
    num = num or ROWS
    if num * interpolate > MOST:
        raise UsageError(
            f"interpolate={interpolate}: {num} rows of so many are more than {MOST} pictures"
        )
    ends = _latents(model, 2 * num, seed, truncation)
    ways = latents.between(ends[::2], ends[1::2], interpolate, uniform=model.uniform)
    labels = None
    if model.takes_label:
        classes = _classes(model) if label in (None, ALL) else [number_of(model, label)]
        labels = np.resize(classes, num)
    elif label is not None:
        number_of(model, label)
    return [
        _pictures(model, way, None if labels is None else labels[row])
        for row, way in enumerate(ways)
    ]


def arithmetic(model, *, arithmetic, num=None, seed=0, label=None, truncation=None):
    """Returns the groups of a formula, a row each with its mean at the end, and what they give.

    A direction, such as `3,7 - 4,9`, is followed by rows of other latents moved along it, from one
    direction before to one beyond them. A place, such as `3,7 - 4,9 + 20,31`, by a row of it with
    neighbours, itself in the middle.

    Reference:
        Radford et al., 2015, arXiv:1511.06434, Figures 7 and 8.
    """
    num = num or NUM
    groups = latents.parsed(arithmetic, num)
    if model.takes_label and label in (None, ALL):
        raise UsageError(
            f"arithmetic={arithmetic!r} is of pictures of one class: give its label, as "
            f"{model.classes[0]}"
        )
    asked = None if label is None else number_of(model, label)
    drawn = _latents(model, num, seed, truncation)
    rows = [np.stack([*drawn[members], drawn[members].mean(axis=0)]) for _, members in groups]
    rows = [np.concatenate([row[:-1], _typical(model, row[-1:])]) for row in rows]
    found = latents.total(drawn, groups)
    if latents.is_direction(groups):
        used = {member for _, members in groups for member in members}
        others = [index for index in range(num) if index not in used][:ROWS]
        rows += list(_typical(model, latents.along(drawn[others], found, COLUMNS)))
    else:
        rows.append(latents.neighbours(_typical(model, found), COLUMNS, seed))
    return [_pictures(model, row, asked) for row in rows]


def number_of(model, label) -> int:
    """Returns the number of a class that is given by number or name.

    Raises:
        UsageError: If the model takes none, or has no such class.
    """
    if not model.takes_label:
        raise UsageError(f"label={label}: this model makes pictures without labels")
    text, names = str(label), _names(model)
    if text in names:
        return names[text]
    if re.fullmatch("[0-9]{1,9}", text) and int(text) in model.classes:
        return int(text)
    told = ", ".join(name for name in names if not name.isdecimal())
    told = f" ({told})" if 0 < len(told) < LONGEST_LIST else ""
    raise UsageError(
        f"label={text!r} is no class of this model, which has {spans(model.classes)}{told}"
        f"{did_you_mean(text, [*names, ALL])}"
    )


def _names(model) -> dict[str, int]:
    """Returns the classes of the model by name, as far as its card says them."""
    names = model.card.get("class_names")
    known = names if isinstance(names, list) else []
    return {str(known[label]): label for label in model.classes if label < len(known)}


def _classes(model):
    if not model.takes_label:
        raise UsageError("label=all: this model makes pictures without labels")
    return model.classes


def _latents(model, num, seed, truncation):
    if not model.latent_dim:
        raise UsageError("this SavedModel has no latents to walk between")
    if num > MOST:
        raise UsageError(f"num={num} latents are more than {MOST}")
    threshold = math.inf if truncation is None else checked_truncation(truncation)
    seed = whole("seed", seed)
    return randomness.latent(num, model.latent_dim, seed, threshold, uniform=model.uniform).numpy()


def _typical(model, rows):
    return latents.typical(rows, uniform=model.uniform)


def _pictures(model, rows, label):
    labels = None if label is None else np.full(len(rows), label)
    return to_uint8(model.generate(rows, labels))
