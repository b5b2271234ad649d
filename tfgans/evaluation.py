"""A generator's pictures against real ones: every metric with its errors, floors and protocol.

`evaluate` takes pictures, never a model. Each figure comes as one entry of a `card.json`: the
protocol in its name, such as `fid1k_digits_cnn`, and beside the value what the same metric says
of real against real pictures and of training against held-out ones.
"""

import dataclasses
import functools
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import binom

from tfgans import metrics
from tfgans.data.source import Source
from tfgans.errors import UsageError, did_you_mean
from tfgans.features import Extractor, Features, open_features

SLIDES_BLOCK = 100  # text 002's table compares 100 with 100
_EMD_ROWS = 1000  # an assignment takes n^3, and its error and floors a dozen of them
_PATCHES = 16  # of each picture: a quarter of the metric's default, for the sake of its error
_INFINITY_ROWS = 20  # the least that FID is extrapolated from
_GROUPS = 10
_MOST_TRAIN = 10_000  # training pictures that copies are looked for among
_MOST_NUMBERS = 2**27  # and of their features: 1 GB
_NEAR = 0.01  # share of held-out pictures that count as near to a training picture
_SAME = 1e-3  # of that picture's distance to its own neighbour: as near as a copy
_CHANCE = 1e-4  # of fresh pictures being called copies


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """Pictures and what a network says of them.

    Attributes:
        pictures: uint8 `(n, height, width, channels)`.
        features: Of the same rows.
    """

    pictures: np.ndarray
    features: Features

    @classmethod
    def of(cls, pictures: np.ndarray, extractor: Extractor) -> "Sample":
        """Runs the extractor on pictures."""
        return cls(pictures, extractor(pictures))

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows) -> "Sample":
        """Returns some rows, by index or slice."""
        probabilities = self.features.probabilities
        some = Features(
            self.features.values[rows], None if probabilities is None else probabilities[rows]
        )
        return Sample(self.pictures[rows], some)


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """Real pictures to judge by.

    Attributes:
        real: What generated pictures are compared with, of the split `split`.
        train: Training pictures, all or very many: for floors, and to find copies among.
        test: Held-out pictures.
        split: `train` or `test`.
        extractor: What made their features.
    """

    real: Sample
    train: Sample
    test: Sample
    split: str
    extractor: Extractor

    @classmethod
    def of(cls, sources: Mapping[str, Source], split: str, n: int, extractor: Extractor):
        """Returns the real pictures that `n` generated ones are compared with.

        Args:
            sources: Both splits of a data set by name.
            split: The one to compare with.
            n: Pictures of it.
            extractor: Makes their features.
        """
        test = Sample.of(sources["test"].images(n), extractor)
        most = min(_MOST_TRAIN, _MOST_NUMBERS // test.features.values.shape[1])
        train = Sample.of(sources["train"].images(max(2 * n, most)), extractor)
        return cls(test if split == "test" else train.take(slice(n)), train, test, split, extractor)

    def in_pixels(self, n: int) -> "Reference":
        """Returns the first `n` pictures of each, twice of training, by their pixels."""
        pixels = open_features("pixels")
        train, test = (
            Sample.of(sample.pictures[:count], pixels)
            for sample, count in ((self.train, 2 * n), (self.test, n))
        )
        real = test if self.split == "test" else train.take(slice(n))
        return Reference(real, train, test, self.split, pixels)


def _values(metric: Callable[..., Any]) -> Callable[[Sample, Sample], Any]:
    return lambda real, fake: metric(real.features.values, fake.features.values)


def _inception_score(real: Sample, fake: Sample):
    del real
    return metrics.inception_score(_probabilities(fake), splits=min(10, len(fake)))


def _mode_coverage(real: Sample, fake: Sample):
    labels, classes = _probabilities(fake).argmax(axis=1), _probabilities(fake).shape[1]
    expected = np.bincount(_probabilities(real).argmax(axis=1), minlength=classes) + 0.5
    return metrics.mode_coverage(labels, classes, expected=expected)


def _sliced_wasserstein(real: Sample, fake: Sample):
    return metrics.sliced_wasserstein(real.pictures, fake.pictures, patches_per_image=_PATCHES)


def _probabilities(sample: Sample) -> np.ndarray:
    probabilities = sample.features.probabilities
    if probabilities is None:
        raise ValueError("these features do not classify: it takes a classifier, as digits_cnn")
    if not np.isfinite(probabilities).all():
        raise ValueError("the classifier gives probabilities that are not finite")
    return probabilities


class Metric(NamedTuple):
    """A row of the table of metrics.

    Attributes:
        short: Its name in protocols.
        compute: From the real and the generated sample to its figures.
        by: Figures that tell the better generator.
        loss: From these to what the better one makes smaller.
        classifies: Whether it takes a network that classifies.
        most: Rows that are compared at most.
    """

    short: str
    compute: Callable[[Sample, Sample], Any]
    by: tuple[str, ...] = ("value",)
    loss: Callable[..., float] = float
    classifies: bool = False
    most: int = 10**9


# Name of the option and key of the JSON -> metric.
METRICS: Mapping[str, Metric] = {
    "fid": Metric("fid", _values(metrics.fid)),
    "kid": Metric("kid", _values(metrics.kid)),
    "inception_score": Metric("is", _inception_score, loss=operator.neg, classifies=True),
    # One picture over and over has a precision of 1, and a density above it.
    "precision_recall": Metric(
        "pr", _values(metrics.precision_recall), by=("f1",), loss=operator.neg
    ),
    "density_coverage": Metric(
        "dc", _values(metrics.density_coverage), by=("coverage",), loss=operator.neg
    ),
    # A generator that shrinks the data has 0.5 on the whole, 0 of real and 1 of generated pictures.
    "one_nn_accuracy": Metric(
        "one_nn",
        _values(metrics.one_nn_accuracy),
        by=("real", "fake"),
        loss=lambda real, fake: max(abs(real - 0.5), abs(fake - 0.5)),
    ),
    "mmd": Metric("mmd", _values(metrics.mmd)),
    "sliced_wasserstein": Metric("swd", _sliced_wasserstein),
    "emd": Metric("emd", _values(metrics.emd), most=_EMD_ROWS),
    "mode_coverage": Metric("modes", _mode_coverage, by=("kl",), classifies=True),
}
# What is always told in pixels too, and by text 002's protocol.
_IN_PIXELS = ("one_nn_accuracy", "mmd")


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What came of an evaluation.

    Attributes:
        entries: Key -> {name, value, stderr, n_real, n_fake, split, features, ...}.
        failures: Key -> why a metric could not be computed, in one line.
    """

    entries: dict[str, dict[str, Any]]
    failures: dict[str, str]


def chosen(names: str | Iterable[str], classifies: bool = True) -> tuple[str, ...]:
    """Returns the metrics that `all`, `fid,kid` or a list of names mean.

    Args:
        names: What was asked for.
        classifies: Whether the features classify: `all` means what can be had of them.

    Raises:
        UsageError: On an unknown name.
    """
    wanted = names.split(",") if isinstance(names, str) else list(names)
    if "all" in wanted:
        wanted += [name for name, row in METRICS.items() if classifies or not row.classifies]
        wanted = [name for name in wanted if name != "all"]
    for name in wanted:
        if name not in METRICS:
            raise UsageError(
                f"unknown metric {name!r}{did_you_mean(name, METRICS)} "
                f"There are all, {', '.join(METRICS)}"
            )
    return tuple(dict.fromkeys(wanted))


def protocol(name: str, n: int, reference: Reference) -> str:
    """Returns the name of a figure of `n` against `n`, such as `fid1k_digits_cnn`."""
    row = METRICS[name]
    return f"{row.short}{_count(min(n, row.most))}_{_space(name, reference)}"


def evaluate(
    fake: Sample,
    reference: Reference,
    *,
    names: Iterable[str] = tuple(METRICS),
    asked_labels: np.ndarray | None = None,
    errors: bool = True,
) -> Evaluation:
    """Computes metrics of generated pictures, each on its own: one that fails stops no other.

    Args:
        fake: Generated pictures.
        reference: Real ones.
        names: Keys of `METRICS`.
        asked_labels: int `(n,)`, the classes that a conditional model was asked for.
        errors: Whether to compute standard errors and floors, which take ten times as long.

    Returns:
        An `Evaluation`.
    """
    entries: dict[str, dict[str, Any]] = {}
    failures: dict[str, str] = {}
    for key, job in _jobs(fake, reference, tuple(names), asked_labels, errors):
        try:
            entries[key] = job()
        except (ValueError, MemoryError) as error:
            failures[key] = " ".join(str(error).split()) or "out of memory"
    return Evaluation(entries, failures)


def _jobs(fake, reference, names, asked_labels, errors):
    """Yields what to compute, by key; what takes pixels comes last, so that they are held once."""
    for name in names:
        yield name, functools.partial(_entry, name, fake, reference, errors)
    if asked_labels is not None and fake.features.probabilities is not None:
        yield "label_accuracy", functools.partial(_label_accuracy, fake, asked_labels, reference)
    if errors and "one_nn_accuracy" in names:
        yield "one_nn_accuracy_train", functools.partial(_copies, fake, reference)
    in_pixels = [name for name in _IN_PIXELS if name in names] if errors else []
    if not in_pixels:
        return
    pixels = reference.in_pixels(min(len(fake), len(reference.real)))
    flat = Sample.of(fake.pictures, pixels.extractor)
    for name in in_pixels:
        if reference.extractor.name != "pixels":
            yield f"{name}_pixels", functools.partial(_entry, name, flat, pixels, errors)
        if len(pixels.real) >= 2 * SLIDES_BLOCK:
            yield f"{name}_slides", functools.partial(_slides, name, flat, pixels)


def _entry(name: str, fake: Sample, reference: Reference, errors: bool) -> dict[str, Any]:
    row = METRICS[name]
    n = min(len(fake), len(reference.real), row.most)
    real, fake = reference.real.take(slice(n)), fake.take(slice(n))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        entry = {"name": protocol(name, n, reference), **_fields(row.compute(real, fake))}
        if errors:
            if name == "fid" and n >= _INFINITY_ROWS:
                pair = (real.features.values, fake.features.values)
                entry["infinity"] = metrics.fid_infinity(*pair).value
            if "stderr" not in entry:  # a metric's own goes before
                entry |= _errors(row.compute, real, fake)
            entry |= _floors(row, reference, n)
    notes = sorted({str(warning.message) for warning in caught})
    if notes:
        entry["note"] = "; ".join(notes)
    return _plain({**entry, **_facts(reference, n, _space(name, reference))})


def _errors(metric, *samples: Sample) -> dict[str, Any]:
    """Standard errors of the headline and of the other numbers; None of too few rows."""

    def numbers(*rows):
        parts = (sample.take(index) for sample, index in zip(samples, rows, strict=True))
        return np.array(list(_numbers(metric(*parts)).values()), np.float64)

    groups = min(_GROUPS, *map(len, samples))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # said once, of all the rows
        try:
            names = _numbers(metric(*samples))
            rows = (np.arange(len(sample)) for sample in samples)
            found = metrics.jackknife(numbers, *rows, groups=groups)
        except ValueError:
            return {"stderr": None}
    by_name = dict(zip(names, found, strict=True))
    return {"stderr": by_name.pop("value"), **({"stderrs": by_name} if by_name else {})}


def _floors(row: Metric, reference: Reference, n: int) -> dict[str, Any]:
    """What the metric says of two sets of training pictures, and of training against test."""
    train, test = reference.train, reference.test
    half, held = min(n, len(train) // 2), min(n, len(train), len(test))
    pairs = {
        "real_real": (half, train.take(slice(half)), train.take(slice(half, 2 * half))),
        "train_test": (held, test.take(slice(held)), train.take(slice(held))),
    }
    found: dict[str, dict[str, Any]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for key, (rows, real, other) in pairs.items():
            try:
                found[key] = {**_numbers(row.compute(real, other)), "n": rows}
            except ValueError:  # too few rows: the figure stands without
                found[key] = {"value": None, "n": rows}
    return found


def _slides(name: str, fake: Sample, reference: Reference) -> dict[str, Any]:
    """Text 002's protocol: the mean over disjoint blocks of 100 + 100, in pixels."""
    row = METRICS[name]
    n = min(len(fake), len(reference.real)) // SLIDES_BLOCK * SLIDES_BLOCK
    parts = [slice(start, start + SLIDES_BLOCK) for start in range(0, n, SLIDES_BLOCK)]
    blocks = [_fields(row.compute(reference.real.take(part), fake.take(part))) for part in parts]
    means = {key: float(np.mean([block[key] for block in blocks])) for key in blocks[0]}
    spread = np.std([block["value"] for block in blocks], ddof=1) / np.sqrt(len(blocks))
    entry = {"name": f"{row.short}{SLIDES_BLOCK}_pixels", **means, "stderr": float(spread)}
    return _plain({**entry, **_facts(reference, n, "pixels"), "blocks": len(blocks)})


def _copies(fake: Sample, reference: Reference) -> dict[str, Any]:
    """1-NN accuracy against training pictures, and whether these are copied.

    A sample of a large training set hides copies of the rest, so all that was read is searched. How
    near a picture is to a training picture counts in that picture's distance to its own nearest
    other, since pictures of an easy class are all near each other. `near` is the share of generated
    pictures that are nearer than all but 1 % of the held-out ones, and `copies` whether chance
    would have as many once in 10,000 times at most. The measure is that of authenticity in Alaa et
    al., 2022, arXiv:2102.08921, Section 3.3.
    """
    metric = METRICS["one_nn_accuracy"].compute
    n = min(len(fake), len(reference.train), len(reference.test))
    train, test, fake = (s.take(slice(n)) for s in (reference.train, reference.test, fake))
    everything = reference.train.features.values
    held, made = (
        metrics.relative_distances(sample.features.values, everything) for sample in (test, fake)
    )
    limit = max(float(np.quantile(held, _NEAR)), _SAME)
    near, fresh = made <= limit, held <= limit
    chance = binom.cdf(fresh.sum(), fresh.sum() + near.sum(), 0.5)
    entry = {
        "name": protocol("one_nn_accuracy", n, reference).replace("one_nn", "one_nn_train"),
        **_fields(metric(train, fake)),
        **_errors(metric, train, fake),
        "train_test": {**_numbers(metric(train, test)), "n": n},
        "near": float(near.mean()),
        "n_train": len(everything),
        "copies": bool(chance < _CHANCE),
    }
    facts = _facts(reference, n, reference.extractor.name)
    return _plain({**entry, **facts, "split": "train"})


def labels_of(classes: Iterable[int], n: int, real: np.ndarray | None = None) -> np.ndarray:
    """Returns what to ask a conditional model for, so that its pictures compare with real ones.

    Args:
        classes: The model's.
        n: Number of labels.
        real: Labels of the real pictures, of which those of `classes` count.

    Returns:
        int32 labels `(n,)`: each class in its share of `real`, well mixed, from the first label on;
        without these, as many of each.
    """
    asked = np.asarray(list(classes), np.int32)
    counts = np.ones(len(asked)) if real is None else (asked[:, None] == real).sum(1)
    shares = counts / counts.sum() if counts.any() else np.full(len(asked), 1.0 / len(asked))
    # The k-th picture of a class is due when its share has come to k - 1/2.
    due = [(np.arange(np.ceil(n * share) + 1) + 0.5) / share for share in shares if share]
    labels = np.repeat(asked[shares > 0.0], [len(times) for times in due])
    return labels[np.argsort(np.concatenate(due), kind="stable")[:n]]


def figures_of(key: str, entry: Mapping[str, Any]) -> dict[str, float]:
    """Returns the figures of an entry by the key they are logged under: `key`, `key/recall`, ..."""
    beside = ("stderr", "n_real", "n_fake")
    return {
        key if name == "value" else f"{key}/{name}": value
        for name, value in entry.items()
        if isinstance(value, int | float) and name not in beside
    }


def loss_of(name: str, key: str, figures: Mapping[str, Any]) -> float | None:
    """Returns what a better generator makes smaller, from `figures_of`; None where they lack it."""
    row = METRICS[name]
    found = [figures.get(key if part == "value" else f"{key}/{part}") for part in row.by]
    return None if None in found else row.loss(*found)


def _label_accuracy(fake: Sample, asked: np.ndarray, reference: Reference) -> dict[str, Any]:
    right, space = _probabilities(fake).argmax(axis=1) == asked, reference.extractor.name
    n = len(fake)
    entry = {
        "name": f"label_accuracy{_count(n)}_{space}",
        "value": float(right.mean()),
        "stderr": float(right.std(ddof=1) / np.sqrt(n)),
    }
    return _plain({**entry, **_facts(reference, n, space)})


def _facts(reference: Reference, n: int, space: str) -> dict[str, Any]:
    facts = {"n_real": n, "n_fake": n, "split": reference.split, "features": space}
    if space == reference.extractor.name:
        facts["features_sha256"] = reference.extractor.sha256
    return facts


def _space(name: str, reference: Reference) -> str:
    return "patches" if name == "sliced_wasserstein" else reference.extractor.name


def _count(n: int) -> str:
    return f"{n // 1000}k" if n % 1000 == 0 else str(n)


def _fields(result: Any) -> dict[str, Any]:
    """Returns a metric's result by field, its headline figure first and called `value`."""
    if not hasattr(result, "_asdict"):
        return {"value": result}
    (_, value), *others = result._asdict().items()
    return {"value": value, **dict(others)}


def _numbers(result: Any) -> dict[str, float]:
    """Returns the fields that are single figures."""
    fields = _fields(result)
    return {key: v for key, v in fields.items() if key != "stderr" and np.ndim(v) == 0}


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what JSON can say, numbers to six digits; NaN, an error not known, as null."""

    def plain(value):
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        if isinstance(value, float | np.floating):
            return float(f"{value:.6g}") if np.isfinite(value) else None
        return value

    return {key: plain(value) for key, value in entry.items()}
