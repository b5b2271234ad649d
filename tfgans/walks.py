"""Rows of pictures of a SavedModel: samples, classes, ways and sums of latents, mixed styles.

Each function takes a `tfgans.saved.SavedGenerator` and returns a list of uint8 arrays
`(n, height, width, channels)`, the rows of a picture. Labels are given by number or name.
"""

import functools
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
BLANK = 255
MOST = 100_000  # pictures of all classes or of ways, and latents of sums
LONGEST_LIST = 200  # letters of the names of all classes, where an error tells them


def sample(model, *, num=None, seed=0, label=None, truncation=None):
    """Returns one row of `num` pictures; with `label="all"` a row of `num` for each class."""
    if label != ALL:
        asked = None if label is None else number_of(model, label)
        return [model.sample(num or NUM, seed, asked, truncation)]
    labels = _classes(model)
    count = num or ROWS
    if count * len(labels) > MOST:
        raise UsageError(f"num={count} of each of {len(labels)} classes are more than {MOST}")
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
        _pictures(model, way, None if labels is None else labels[row], truncation)
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
    scale = _scale(model, drawn, truncation)
    typical = functools.partial(latents.typical, uniform=model.uniform, scale=scale)
    rows = [np.concatenate([row[:-1], typical(row[-1:])]) for row in rows]
    found = latents.total(drawn, groups)
    if latents.is_direction(groups):
        used = {member for _, members in groups for member in members}
        others = [index for index in range(num) if index not in used][:ROWS]
        if not others:
            raise UsageError(
                f"num={num}: {arithmetic!r} takes all of them, none is left to be moved along it"
            )
        rows += list(typical(latents.along(drawn[others], found, COLUMNS)))
    else:
        rows.append(latents.neighbours(typical(found), COLUMNS, seed, scale))
    return [_pictures(model, row, asked, truncation) for row in rows]


def mix(model, *, mix, num=None, seed=0, label=None, truncation=None):
    """Returns a row of sources, and below each other source with what the two give.

    `3x5` is three rows of five, `3x5:2` says that of each picture's layers the first 2 take the
    styles of the source on its left and the rest those of the source above; by default the first
    third. The corner is blank.

    Reference:
        Karras et al., 2018, arXiv:1812.04948, Figure 3.
    """
    if not model.num_styles:
        raise UsageError(f"mix={mix}: this model has no styles to mix")
    if num is not None:
        raise UsageError(f"num={num}: mix={mix} says how many pictures there are")
    if label is not None:
        number_of(model, label)
    height, width, crossover = _mixed(mix, model.num_styles)
    sources = _latents(model, height + width, seed, truncation)
    left, above = sources[:height], sources[height:]
    top = _pictures(model, above, None, truncation)
    rows = [np.concatenate([np.full_like(top[:1], BLANK), top])]
    for one in left:
        ones = np.repeat(one[None], width + 1, axis=0)
        others = np.concatenate([one[None], above])
        rows.append(to_uint8(model.mix(ones, others, crossover, truncation)))
    return rows


def _mixed(text: str, num_styles: int) -> tuple[int, int, int]:
    """Reads `3x5` or `3x5:2`: rows, columns, layers."""
    found = re.fullmatch("([0-9]{1,4})x([0-9]{1,4})(?::([0-9]{1,4}))?", text)
    numbers = found.groups(default=str(max(1, num_styles // 3))) if found else (0, 0, 0)
    rows, columns, layer = map(int, numbers)
    if not (0 < rows * columns <= MOST and 0 < layer < num_styles):
        raise UsageError(
            f"mix={text!r} must be rows and columns, as 3x5, or with the layers of the source on "
            f"the left, 1 to {num_styles - 1}, as 3x5:1"
        )
    return rows, columns, layer


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
    threshold, seed = _threshold(model, truncation), whole("seed", seed)
    return randomness.latent(num, model.latent_dim, seed, threshold, uniform=model.uniform).numpy()


def _threshold(model, truncation):
    """Returns where latents are cut off; where there are styles, these are truncated instead."""
    untouched = truncation is None or model.num_styles
    return math.inf if untouched else checked_truncation(truncation)


def _scale(model, drawn, truncation):
    """Returns which share of their length, or of their cube's side, truncation leaves latents."""
    threshold = _threshold(model, truncation)
    if model.uniform or math.isinf(threshold):
        return min(threshold, 1.0)
    return float(np.linalg.norm(drawn, axis=1).mean() / math.sqrt(model.latent_dim))


def _pictures(model, rows, label, truncation):
    if model.num_styles:
        return to_uint8(model.mix(rows, rows, 0, truncation))
    labels = None if label is None else np.full(len(rows), label)
    return to_uint8(model.generate(rows, labels))
