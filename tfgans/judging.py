"""A whole evaluation: pictures, real ones, figures, card, report. `evaluate.py` calls the same."""

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np

from tfgans import data, evaluation, export, factory, runs
from tfgans.errors import UsageError, whole
from tfgans.evaluation import Reference, Sample
from tfgans.features import default_features, open_features
from tfgans.report import INTERPOLATION_STEPS, INTERPOLATIONS, write_report

MOST = 10_000  # pictures compared where `num` is not given


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """What is judged.

    Attributes:
        kind: `model`, `run`, `images` or `npz`.
        path: Where it lies.
        draw: Callable `(n, seed)` to uint8 pictures, at most n, and their classes or None.
        generate: Callable from latents `(n, latent_dim)` to float images; None for bare pictures.
        latent_dim: Length of the latents, 0 where there are none.
        dataset: What it was trained on, if that is known.
    """

    kind: str
    path: pathlib.Path
    draw: Callable[[int, int], tuple[np.ndarray, np.ndarray | None]]
    generate: Callable[[np.ndarray], np.ndarray] | None = None
    latent_dim: int = 0
    dataset: str | None = None


def judge(
    *,
    model=None,
    run=None,
    images=None,
    npz=None,
    dataset=None,
    data_dir=None,
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
        run: Folder of a run, which gets `evaluation.json`.
        images: Folder of generated pictures.
        npz: File of generated pictures, under the key `images`.
        dataset: Real pictures, as in `train`; by default what the model was trained on, or
            digits.
        data_dir: Folder of prepared TFDS data sets.
        split: `test` or `train`: which real pictures to compare with.
        metrics: `all`, or names of `tfgans.evaluation.METRICS`, in a list or joined by commas.
        features: Feature space, as in `tfgans.features.open_features`; by default digits_cnn
            for digits, and else pixels.
        num: Generated pictures, and as many real ones; by default what there is, up to 10,000.
        seed: Seed of the generated pictures.
        report: Folder for `report.html` and `evaluation.json`.

    Returns:
        {<kind>, dataset, split, num, seed, features, features_sha256, metrics, failures}.

    Raises:
        UsageError: On anything wrong with the arguments, the data or the pictures.
    """
    given = {"model": model, "run": run, "images": images, "npz": npz}
    names, seed = evaluation.chosen(metrics), whole("seed", seed, 0)
    subject = open_subject(**{kind: path for kind, path in given.items() if path is not None})
    dataset = dataset or subject.dataset or "digits"
    fake, asked, sources = _pictures(subject, dataset, data_dir, split, num, seed)
    extractor = open_features(features or default_features(dataset))
    reference = Reference.of(sources, split, len(fake), extractor)
    sample = Sample.of(fake, extractor)
    done = evaluation.evaluate(sample, reference, names=names, asked_labels=asked)
    result = {
        subject.kind: str(subject.path),
        "dataset": dataset,
        "split": split,
        "num": len(fake),
        "seed": seed,
        "features": extractor.name,
        "features_sha256": extractor.sha256,
        "metrics": {key: {**entry, "seed": seed} for key, entry in done.entries.items()},
        "failures": done.failures,
    }
    _write(subject, result)
    if report is not None:
        _report(pathlib.Path(report), subject, result, sample, reference)
    return result


def open_subject(**where) -> Subject:
    """Opens what is to be judged: one of `model`, `run`, `images`, `npz`, by its path.

    Raises:
        UsageError: If there is not exactly one, or it cannot be read.
    """
    if len(where) != 1:
        raise UsageError("say what to judge: one of --model, --run, --images, --npz")
    ((kind, path),) = where.items()
    path = pathlib.Path(path)
    if kind == "model":
        return _saved(path)
    if kind == "run":
        return _run(path)
    if kind == "npz" and path.suffix != ".npz":
        raise UsageError(f"npz={str(path)!r} must end in .npz")
    if not (path.is_file() if kind == "npz" else path.is_dir()):
        what = "file" if kind == "npz" else "folder"
        raise UsageError(f"{kind}={str(path)!r}: there is no such {what}")
    return _bare(kind, path)


def _saved(path: pathlib.Path) -> Subject:
    loaded = export.load_saved_model(path)
    inputs, serving = (_inputs(loaded, name) for name in ("sample", "serving_default"))
    width = serving["latent"].shape[-1] if list(serving) == ["latent"] else 0

    def draw(n, seed):
        if "label" not in inputs:
            return loaded.sample(n, seed), None
        labels = np.arange(n, dtype=np.int32) % loaded.card["num_classes"]
        return loaded.sample(n, seed, label=labels), labels

    def generate(latent):
        return loaded.signatures["serving_default"](latent=latent)["image"].numpy()

    dataset = loaded.card.get("dataset")
    return Subject("model", path, draw, generate if width else None, width, dataset)


def _inputs(loaded, signature: str) -> dict[str, Any]:
    found = loaded.signatures
    return found[signature].structured_input_signature[1] if signature in found else {}


def _run(path: pathlib.Path) -> Subject:
    stored = runs.read_options(path)
    model = factory.load(path)

    def draw(n, seed):
        return model.sample(n, seed), None

    def generate(latent):
        return model.generate(latent).numpy()

    return Subject("run", path, draw, generate, model.latent_dim, stored["dataset"])


def _bare(kind: str, path: pathlib.Path) -> Subject:
    """Pictures in files: all of them, train and test alike."""
    collection = data.open_source(str(path)).collection

    def draw(n, seed):
        total = len(collection.rows)
        return collection.rows.take(np.random.default_rng(seed).permutation(total)[:n]), None

    return Subject(kind, path, draw)


def _pictures(subject, dataset, data_dir, split, num, seed):
    """Returns the generated pictures, their classes or None, and both splits at their size."""
    if split not in data.SPLITS:
        raise UsageError(f"split={split!r} must be 'train' or 'test'")
    try_one, _ = subject.draw(1, seed)
    height, width, channels = try_one.shape[1:]
    sources = {
        part: data.open_source(dataset, split=part, data_dir=data_dir, image_size=(height, width))
        for part in data.SPLITS
    }
    real = sources[split].spec.image_shape
    if real[-1] != channels:
        raise UsageError(
            f"the pictures have {channels} channel(s), those of {dataset!r} {real[-1]}: "
            "give the data set they should resemble"
        )
    wanted = min(MOST, sources[split].size) if num is None else whole("num", num, 2)
    if wanted > sources[split].size:
        raise UsageError(
            f"num={num}: the {split} split of {dataset!r} has only {sources[split].size} pictures "
            "to compare with"
        )
    pictures, labels = subject.draw(wanted, seed)
    if len(pictures) < 2 or (num is not None and len(pictures) < wanted):
        raise UsageError(f"{str(subject.path)!r} holds {len(pictures)} picture(s): too few")
    return pictures, labels, sources


def _path_of_latents(latent_dim: int, seed: int) -> np.ndarray:
    """float32 `(rows * columns, latent_dim)`: arcs between pairs of normal latents.

    On a straight line between two the middle lies nearer to 0 than any latent of training does.
    """
    generator = np.random.default_rng(seed)
    start, end = generator.normal(size=(2, INTERPOLATIONS, 1, latent_dim))
    lengths = np.linalg.norm(start, axis=-1), np.linalg.norm(end, axis=-1)
    cosine = (start * end).sum(-1) / (lengths[0] * lengths[1])
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))[..., None]
    share = np.linspace(0.0, 1.0, INTERPOLATION_STEPS)[:, None]
    arcs = (np.sin((1 - share) * angle) * start + np.sin(share * angle) * end) / np.sin(angle)
    return arcs.reshape(-1, latent_dim).astype(np.float32)


def _write(subject: Subject, result: dict[str, Any]) -> None:
    if subject.kind == "run":
        runs.write_json(subject.path / runs.EVALUATION_FILE, result)
    elif subject.kind == "model":
        path = subject.path / export.CARD
        card = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        card["metrics"] = {**card.get("metrics", {}), **result["metrics"]}
        runs.write_json(path, card)


def _report(folder, subject, result, sample, reference) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    runs.write_json(folder / runs.EVALUATION_FILE, result)
    latents = subject.latent_dim and _path_of_latents(subject.latent_dim, result["seed"])
    between = subject.generate(latents) if subject.generate else None
    write_report(folder / "report.html", result, sample, reference, between)
