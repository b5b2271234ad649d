"""A generator's pictures against real ones: every metric with its error, floors and protocol.

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

from tfgans import metrics
from tfgans.data.source import Source
from tfgans.errors import UsageError, did_you_mean
from tfgans.features import Extractor, Features

SLIDES_BLOCK = 100  # text 002's table compares 100 with 100
_EMD_ROWS = 1000  # an assignment takes n^3, and its error and floors a dozen of them
_PATCHES = 16  # of each picture: a quarter of the metric's default, for the sake of its error
_INFINITY_ROWS = 20  # the least that FID is extrapolated from
_GROUPS = 10
_COPIES_ERRORS = 4.0  # standard errors under the floor that mean copies


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

    def in_pixels(self) -> "Sample":
        """Returns the same pictures with their pixels, in [-1, 1], as features."""
        flat = self.pictures.reshape(len(self), -1) / 127.5 - 1.0
        return Sample(self.pictures, Features(flat))


@dataclasses.dataclass(frozen=True, eq=False)
class Reference:
    """Real pictures to judge by.

    Attributes:
        real: What generated pictures are compared with, of the split `split`.
        train: Training pictures, twice as many if there are: for floors, and to find copies in.
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
            n: Pictures of it, and twice as many of the training split.
            extractor: Makes their features.
        """
        train = Sample.of(sources["train"].images(2 * n), extractor)
        test = Sample.of(sources["test"].images(n), extractor)
        return cls(test if split == "test" else train.take(slice(n)), train, test, split, extractor)


def _values(metric: Callable[..., Any]) -> Callable[[Sample, Sample], Any]:
    return lambda real, fake: metric(real.features.values, fake.features.values)


def _inception_score(real: Sample, fake: Sample):
    del real
    return metrics.inception_score(_probabilities(fake))


def _mode_coverage(real: Sample, fake: Sample):
    classes = _probabilities(fake).shape[1]
    expected = np.bincount(_probabilities(real).argmax(1), minlength=classes) + 0.5
    return metrics.mode_coverage(fake.features.labels, classes, expected=expected)


def _emd(real: Sample, fake: Sample) -> float:
    return metrics.emd(real.features.values[:_EMD_ROWS], fake.features.values[:_EMD_ROWS])


def _sliced_wasserstein(real: Sample, fake: Sample):
    return metrics.sliced_wasserstein(real.pictures, fake.pictures, patches_per_image=_PATCHES)


def _probabilities(sample: Sample) -> np.ndarray:
    if sample.features.probabilities is None:
        raise ValueError("these features do not classify: it takes a classifier, as digits_cnn")
    return sample.features.probabilities


class Metric(NamedTuple):
    """A row of the table of metrics.

    Attributes:
        short: Its name in protocols.
        compute: From the real and the generated sample to its figures.
        loss: From its headline figure to what a better generator makes smaller.
    """

    short: str
    compute: Callable[[Sample, Sample], Any]
    loss: Callable[[float], float] = float


# Name of the option and key of the JSON -> metric.
METRICS: Mapping[str, Metric] = {
    "fid": Metric("fid", _values(metrics.fid)),
    "kid": Metric("kid", _values(metrics.kid)),
    "inception_score": Metric("is", _inception_score, operator.neg),
    "precision_recall": Metric("pr", _values(metrics.precision_recall), operator.neg),
    "density_coverage": Metric("dc", _values(metrics.density_coverage), operator.neg),
    "one_nn_accuracy": Metric(
        "one_nn", _values(metrics.one_nn_accuracy), lambda accuracy: abs(accuracy - 0.5)
    ),
    "mmd": Metric("mmd", _values(metrics.mmd)),
    "sliced_wasserstein": Metric("swd", _sliced_wasserstein),
    "emd": Metric("emd", _emd),
    "mode_coverage": Metric("modes", _mode_coverage, operator.neg),
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


def chosen(names: str | Iterable[str]) -> tuple[str, ...]:
    """Returns the metrics that `all`, `fid,kid` or a list of names mean.

    Raises:
        UsageError: On an unknown name.
    """
    wanted = names.split(",") if isinstance(names, str) else list(names)
    if wanted == ["all"]:
        return tuple(METRICS)
    for name in wanted:
        if name not in METRICS:
            raise UsageError(
                f"unknown metric {name!r}{did_you_mean(name, METRICS)} "
                f"There are all, {', '.join(METRICS)}"
            )
    return tuple(dict.fromkeys(wanted))


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
    jobs = _jobs(fake, reference, tuple(names), errors)
    if asked_labels is not None:
        jobs["label_accuracy"] = functools.partial(_label_accuracy, fake, asked_labels, reference)
    for key, job in jobs.items():
        try:
            entries[key] = job()
        except ValueError as error:
            failures[key] = " ".join(str(error).split())
    return Evaluation(entries, failures)


def _jobs(fake, reference, names, errors) -> dict[str, Callable[[], dict[str, Any]]]:
    jobs: dict[str, Callable[[], dict[str, Any]]] = {
        name: functools.partial(_entry, name, fake, reference, errors) for name in names
    }
    if not errors:
        return jobs
    pixels = _reference_in_pixels(reference)
    for name in (name for name in _IN_PIXELS if name in names):
        if reference.extractor.name != "pixels":
            jobs[f"{name}_pixels"] = functools.partial(
                _entry, name, fake.in_pixels(), pixels, errors
            )
        jobs[f"{name}_slides"] = functools.partial(_slides, name, fake, pixels)
    if "one_nn_accuracy" in names:
        jobs["one_nn_accuracy_train"] = functools.partial(_copies, fake, reference)
    return jobs


def _entry(name: str, fake: Sample, reference: Reference, errors: bool) -> dict[str, Any]:
    short, metric, _ = METRICS[name]
    n = min(len(fake), len(reference.real))
    real, fake = reference.real.take(slice(n)), fake.take(slice(n))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        fields = _fields(metric(real, fake))
        if name == "fid" and errors and n >= _INFINITY_ROWS:
            pair = (real.features.values, fake.features.values)
            fields["infinity"] = metrics.fid_infinity(*pair).value
    if name == "emd":
        n = min(n, _EMD_ROWS)
    entry = {"name": f"{short}{_count(n)}_{_space(name, reference)}", **fields}
    if errors:
        if "stderr" not in entry:
            entry["stderr"] = _stderr(metric, real, fake)
        entry |= _floors(metric, reference, n)
    notes = sorted({str(warning.message) for warning in caught})
    if notes:
        entry["note"] = "; ".join(notes)
    return _plain({**entry, **_facts(reference, n, name)})


def _stderr(metric, *samples: Sample) -> float:
    def headline(*rows):
        parts = (sample.take(index) for sample, index in zip(samples, rows, strict=True))
        return next(iter(_fields(metric(*parts)).values()))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # said once, of all the rows
        return metrics.jackknife(headline, *(np.arange(len(s)) for s in samples), groups=_GROUPS)


def _floors(metric, reference: Reference, n: int) -> dict[str, Any]:
    """What the metric says of two sets of training pictures, and of training against test."""
    train, test = reference.train, reference.test
    half, held = min(n, len(train) // 2), min(n, len(train), len(test))
    pairs = {
        "real_real": (half, train.take(slice(half)), train.take(slice(half, 2 * half))),
        "train_test": (held, test.take(slice(held)), train.take(slice(held))),
    }
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for key, (rows, real, other) in pairs.items():
            value = next(iter(_fields(metric(real, other)).values()))
            found[key] = {"value": value, "n": rows}
    return found


def _slides(name: str, fake: Sample, reference: Reference) -> dict[str, Any]:
    """Text 002's protocol: the mean over disjoint blocks of 100 + 100, in pixels."""
    short, metric, _ = METRICS[name]
    n = min(len(fake), len(reference.real)) // SLIDES_BLOCK * SLIDES_BLOCK
    if n < 2 * SLIDES_BLOCK:
        raise ValueError(f"{n} pictures are too few for two blocks of {SLIDES_BLOCK}")
    fake = fake.in_pixels()
    starts = range(0, n, SLIDES_BLOCK)
    rows = [slice(start, start + SLIDES_BLOCK) for start in starts]
    blocks = [_fields(metric(reference.real.take(part), fake.take(part))) for part in rows]
    means = {key: float(np.mean([block[key] for block in blocks])) for key in blocks[0]}
    spread = np.std([block["value"] for block in blocks], ddof=1) / np.sqrt(len(blocks))
    entry = {"name": f"{short}{SLIDES_BLOCK}_pixels", **means, "stderr": float(spread)}
    return _plain({**entry, **_facts(reference, n, name), "blocks": len(blocks)})


def _copies(fake: Sample, reference: Reference) -> dict[str, Any]:
    """1-NN against the training set: well under what held-out pictures have there, it is copies."""
    metric = METRICS["one_nn_accuracy"].compute
    n = min(len(fake), len(reference.train), len(reference.test))
    train, test, fake = (s.take(slice(n)) for s in (reference.train, reference.test, fake))
    fields, floor = _fields(metric(train, fake)), _fields(metric(train, test))
    stderr, floor_stderr = _stderr(metric, train, fake), _stderr(metric, train, test)
    bound = floor["value"] - _COPIES_ERRORS * float(np.hypot(stderr, floor_stderr))
    entry = {
        "name": f"one_nn_train{_count(n)}_{reference.extractor.name}",
        **fields,
        "stderr": stderr,
        "train_test": {"value": floor["value"], "n": n},
        "copies": bool(fields["value"] < bound),
    }
    return _plain({**entry, **_facts(reference, n, "one_nn_accuracy"), "split": "train"})


def _label_accuracy(fake: Sample, asked: np.ndarray, reference: Reference) -> dict[str, Any]:
    right = _probabilities(fake).argmax(1) == asked
    entry = {
        "name": f"label_accuracy{_count(len(fake))}_{reference.extractor.name}",
        "value": float(right.mean()),
        "stderr": float(right.std(ddof=1) / np.sqrt(len(right))),
    }
    return _plain({**entry, **_facts(reference, len(fake), "label_accuracy")})


def _facts(reference: Reference, n: int, name: str) -> dict[str, Any]:
    facts = {
        "n_real": n,
        "n_fake": n,
        "split": reference.split,
        "features": _space(name, reference),
    }
    if facts["features"] == reference.extractor.name:
        facts["features_sha256"] = reference.extractor.sha256
    return facts


def _space(name: str, reference: Reference) -> str:
    return "patches" if name == "sliced_wasserstein" else reference.extractor.name


def _reference_in_pixels(reference: Reference) -> Reference:
    real, train, test = (
        sample.in_pixels() for sample in (reference.real, reference.train, reference.test)
    )
    pixels = Extractor("pixels", "", lambda images: {"features": images})
    return Reference(real, train, test, reference.split, pixels)


def _fields(result: Any) -> dict[str, Any]:
    """Returns a metric's result by field, its headline figure first and called `value`."""
    if not hasattr(result, "_asdict"):
        return {"value": result}
    (_, value), *others = result._asdict().items()
    return {"value": value, **dict(others)}


def _count(n: int) -> str:
    return f"{n // 1000}k" if n % 1000 == 0 else str(n)


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
