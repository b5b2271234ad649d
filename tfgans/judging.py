"""A whole evaluation: pictures, real ones, figures, card, report. `evaluate.py` calls the same."""

import dataclasses
import json
import math
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tfgans import checkpoints, data, evaluation, export, factory, latents, randomness, runs, saved
from tfgans.data.source import Source
from tfgans.errors import UsageError, whole
from tfgans.evaluation import Reference, Sample
from tfgans.features import default_features, open_features
from tfgans.report import INTERPOLATION_STEPS, INTERPOLATIONS, write_report

USUAL = 1000  # pictures compared where `num` is not given
_DATA = ("dataset", "data_dir", "image_size", "fit", "classes")


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """What is judged.

    Attributes:
        kind: `model`, `run`, `images` or `npz`.
        path: Where it lies.
        draw: Callable `(n, seed, labels)` to uint8 pictures, at most n, and their classes or None;
            from labels of real pictures, or None, it takes the classes' shares.
        generate: Callable from latents `(n, latent_dim)` to float images; None for bare pictures.
        latent_dim: Length of the latents, 0 where there are none.
        uniform: Whether latents are uniform on [-1, 1], instead of normal.
        facts: What is known of it: the data it was trained on, the step of its weights.
        bad_files: `(name, reason)` of each picture that could not be read.
    """

    kind: str
    path: pathlib.Path
    draw: Callable[[int, int, np.ndarray | None], tuple[np.ndarray, np.ndarray | None]]
    generate: Callable[[np.ndarray], np.ndarray] | None = None
    latent_dim: int = 0
    uniform: bool = False
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    bad_files: list[tuple[str, str]] = dataclasses.field(default_factory=list)


def judge(
    *,
    model=None,
    run=None,
    images=None,
    npz=None,
    dataset=None,
    data_dir=None,
    image_size=None,
    fit=None,
    classes=None,
    split="test",
    metrics="all",
    features=None,
    num=None,
    seed=0,
    report=None,
) -> dict[str, Any]:
    """Judges generated pictures by real ones, and writes what came of it beside them.

    Args:
        model: Folder of a SavedModel; its `card.json` gets the figures.
        run: Folder of a run, which gets `evaluation.json`; its best checkpoint where it has one.
        images: Folder of generated pictures.
        npz: File of generated pictures, under the key `images`.
        dataset: Real pictures, as in `train`; by default what the model was trained on, or
            digits.
        data_dir: Folder of prepared TFDS data sets.
        image_size: Side or `(height, width)` that bare pictures are brought to; by default theirs.
        fit: `crop` or `resize`, how pictures reach a size; by default as in training, or crop.
        classes: Labels of the real pictures; by default as in training, or all.
        split: `test` or `train`: which real pictures to compare with.
        metrics: `all`, or names of `tfgans.evaluation.METRICS`, in a list or joined by commas.
        features: Feature space, as in `tfgans.features.open_features`; by default digits_cnn
            for digits, and else pixels.
        num: Generated pictures, and as many real ones; by default what there is, up to 1,000.
        seed: Seed of the generated pictures.
        report: Folder for `report.html` and `evaluation.json`.

    Returns:
        {<kind>, dataset, split, num, seed, features, features_sha256, metrics, failures}.

    Raises:
        UsageError: On anything wrong with the arguments, the data or the pictures.
    """
    where = {"model": model, "run": run, "images": images, "npz": npz}
    evaluation.chosen(metrics)
    seed = whole("seed", seed, 0)
    given = {"data_dir": data_dir, "image_size": image_size, "fit": fit, "classes": classes}
    subject = open_subject(given, **{kind: path for kind, path in where.items() if path})
    options = _data_options(subject, dataset, given)
    fake, asked, sources = _pictures(subject, options, split, num, seed)
    extractor = open_features(features or default_features(options["name"], fake.shape[1:]))
    reference = Reference.of(sources, split, len(fake), extractor)
    sample = Sample.of(fake, extractor)
    told = sample.features.probabilities
    names = evaluation.chosen(metrics, told is not None)
    if told is not None and told.shape[1] != sources[split].spec.num_classes:
        asked = None  # the classes that the features tell are others
    done = evaluation.evaluate(sample, reference, names=names, asked_labels=asked)
    beside = {"dataset": options["name"], "seed": seed}
    beside |= {"classes": options["classes"]} if options["classes"] else {}
    result = {
        subject.kind: str(subject.path),
        **({"step": subject.facts["step"]} if "step" in subject.facts else {}),
        **beside,
        "split": split,
        "num": len(fake),
        "features": extractor.name,
        "features_sha256": extractor.sha256,
        "metrics": {key: {**entry, **beside} for key, entry in done.entries.items()},
        "failures": {**_unread(subject), **done.failures},
    }
    _write(subject, result, sample, reference, report and pathlib.Path(report))
    return result


def open_subject(given: dict[str, Any], **where) -> Subject:
    """Opens what is to be judged: one of `model`, `run`, `images`, `npz`, by its path.

    Args:
        given: `image_size` and `fit` of bare pictures; entries may be None.
        **where: The path, by its kind.

    Raises:
        UsageError: If there is not exactly one, or it cannot be read.
    """
    if len(where) != 1:
        raise UsageError("say what to judge: one of --model, --run, --images, --npz")
    ((kind, path),) = where.items()
    path = pathlib.Path(path)
    if kind in ("model", "run") and given.get("image_size") is not None:
        raise UsageError(
            f"image_size={given['image_size']} is for bare pictures: a {kind} makes its own size"
        )
    if kind == "model":
        return _saved(path)
    if kind == "run":
        return _run(path)
    if kind == "npz" and path.suffix != ".npz":
        raise UsageError(f"npz={str(path)!r} must end in .npz")
    if not (path.is_file() if kind == "npz" else path.is_dir()):
        what = "file" if kind == "npz" else "folder"
        raise UsageError(f"{kind}={str(path)!r}: there is no such {what}")
    return _bare(kind, path, given)


def _saved(path: pathlib.Path) -> Subject:
    loaded = saved.load_saved_model(path)
    facts = {key: loaded.card[key] for key in _DATA if isinstance(loaded.card.get(key), str | list)}
    return Subject(
        "model",
        path,
        _drawing(loaded),
        _generating(loaded),
        loaded.latent_dim,
        loaded.uniform,
        facts,
    )


def _run(path: pathlib.Path) -> Subject:
    stored = runs.read_options(path)
    model = factory.load(path)
    checkpoints.restore(checkpoints.manager(model, path, checkpoints.BEST))
    facts = {key: stored[key] for key in _DATA if stored.get(key) is not None}
    facts["step"] = int(model.step)
    uniform = model.latent_distribution == "uniform"
    return Subject(
        "run", path, _drawing(model), _generating(model), model.latent_dim, uniform, facts
    )


def _drawing(model):
    """Returns what draws pictures of a model or SavedModel."""

    def draw(n, seed, labels):
        asked = evaluation.labels_of(model.classes, n, labels) if model.takes_label else None
        return model.sample(n, seed, label=asked), asked

    return draw


def _generating(model):
    """Returns what makes images of latents, each row of the report's ways of one class."""
    if not model.latent_dim:
        return None

    def generate(latent):
        inputs = {"latent": latent}
        if model.takes_label:
            labels = evaluation.labels_of(model.classes, INTERPOLATIONS)
            inputs["label"] = labels.repeat(INTERPOLATION_STEPS)
        return np.asarray(model.generate(**inputs))

    return generate


def _bare(kind: str, path: pathlib.Path, given: dict[str, Any]) -> Subject:
    """Pictures in files: all of them, train and test alike."""
    options = {key: given[key] for key in ("image_size", "fit") if given[key] is not None}
    collection = data.open_source(str(path.absolute()), **options).collection  # not by its name

    def draw(n, seed, labels):
        del labels
        total = len(collection.rows)
        return collection.rows.take(np.random.default_rng(seed).permutation(total)[:n]), None

    return Subject(kind, path, draw, bad_files=list(collection.bad_files))


def _data_options(subject: Subject, dataset, given: dict[str, Any]) -> dict[str, Any]:
    """Returns what to open as real pictures: what was given, or as in the training."""
    known = {} if dataset else subject.facts
    return {
        "name": dataset or known.get("dataset", "digits"),
        "data_dir": given["data_dir"] or known.get("data_dir"),
        "fit": given["fit"] or subject.facts.get("fit", "crop"),
        "classes": given["classes"] or known.get("classes"),
    }


def _pictures(subject, options, split, num, seed):
    """Returns the generated pictures, their classes or None, and both splits at their size."""
    if split not in data.SPLITS:
        raise UsageError(f"split={split!r} must be 'train' or 'test'")
    first, _ = subject.draw(1, seed, None)
    height, width, channels = first.shape[1:]
    sources: dict[str, Source] = {
        part: data.open_source(split=part, image_size=(height, width), **options)
        for part in data.SPLITS
    }
    name, real = options["name"], sources[split].spec.image_shape
    if real[-1] != channels:
        raise UsageError(
            f"the pictures have {channels} channel(s), those of {name!r} {real[-1]}: "
            "give the data set they should resemble"
        )
    there = sources[split].size
    wanted = min(USUAL, there) if num is None else whole("num", num, 2)
    if wanted > there:
        raise UsageError(
            f"num={num}: the {split} split of {name!r} has only {there} pictures to compare with"
        )
    labels = sources[split].labels if name == subject.facts.get("dataset") else None
    pictures, asked = subject.draw(wanted, seed, None if labels is None else labels[:wanted])
    if len(pictures) < 2 or (num is not None and len(pictures) < wanted):
        raise UsageError(f"{str(subject.path)!r} holds {len(pictures)} picture(s): too few")
    return pictures, asked, sources


def _unread(subject: Subject) -> dict[str, str]:
    if not subject.bad_files:
        return {}
    name, reason = subject.bad_files[0]
    count = len(subject.bad_files)
    return {subject.kind: f"{count} file(s) could not be read, the first {name!r}: {reason}"}


def _write(subject, result, sample, reference, folder: pathlib.Path | None) -> None:
    """Writes card or `evaluation.json`, and the report; what cannot be written is a failure."""
    jobs: dict[str, Callable[[], None]] = {}
    if subject.kind == "run":
        jobs["evaluation"] = lambda: _merge(subject.path / runs.EVALUATION_FILE, result)
    elif subject.kind == "model":
        jobs["card"] = lambda: _merge_card(subject.path / export.CARD, result)
    if folder is not None:
        jobs["report"] = lambda: _report(folder, subject, result, sample, reference)
    for key, job in jobs.items():
        try:
            job()
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            result["failures"][key] = f"not written: {reason}"


def _merge(path: pathlib.Path, result: dict[str, Any]) -> None:
    """Figures of before stay, unless they were computed again, or the weights are others."""
    before = _read(path)
    same = before.get("step") == result.get("step")
    kept = before.get("metrics") if same and isinstance(before.get("metrics"), dict) else {}
    runs.write_json(path, {**result, "metrics": {**(kept or {}), **result["metrics"]}})


def _merge_card(path: pathlib.Path, result: dict[str, Any]) -> None:
    card = _read(path)
    runs.write_json(path, {**card, "metrics": {**(card.get("metrics") or {}), **result["metrics"]}})


def _read(path: pathlib.Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def _report(folder, subject, result, sample, reference) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    runs.write_json(folder / runs.EVALUATION_FILE, result)
    between = None
    if subject.generate:
        ends = randomness.latent(
            2 * INTERPOLATIONS,
            subject.latent_dim,
            result["seed"],
            math.inf,
            uniform=subject.uniform,
        ).numpy()
        ways = latents.between(ends[::2], ends[1::2], INTERPOLATION_STEPS, uniform=subject.uniform)
        between = subject.generate(ways.reshape(-1, subject.latent_dim))
    write_report(folder / "report.html", result, sample, reference, between)
