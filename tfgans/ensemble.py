"""Specialists: models that each know a group of classes, exported as one that routes by label.

A run of a row with `specialists` above 1 trains that many models of it, one after another or side
by side, each on its own classes, in folders of one run folder. Each is a whole run, so that
specialists can do all that runs can, be resumed too.
"""

import contextlib
import hashlib
import multiprocessing
import os
import pathlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgans import data, export, plans, randomness, registry, runs, saved, training
from tfgans.errors import TrainingError, UsageError, whole

EXPORTS = "exports"
# What differs between specialists; the first one's stands for all else.
_OWN = ("labels", "classes", "weights_sha256", "wall_time_s", "steps", "metrics", "failures")


def train(variant, *, specialists=None, parallel=1, run_dir=None, resume=False, **given):
    """Trains a variant, or a specialist of it for each group of classes.

    Args:
        variant: A name of the registry, or the path of a user's own Python file.
        specialists: Models to divide the classes among; by default the row's number, mostly 1.
        parallel: Specialists trained side by side, each in a process of its own.
        run_dir: As for `training.train`.
        resume: As for `training.train`; specialists that are done are not trained again.
        **given: As for `training.train`; `steps` are those of each specialist.

    Returns:
        A `training.Result`; that of specialists has the loaded SavedModel as its model, and no
        metrics.

    Raises:
        UsageError: As `training.train`, or if there are fewer classes than specialists.
        TrainingError: As `training.train`.
        KeyboardInterrupt: As `training.train`; each specialist has made its checkpoint.
    """
    parallel = whole("parallel", parallel, 1)
    given = {key: _plain(value) for key, value in given.items() if value is not None}
    run_dir, before = _begun(variant, run_dir) if resume else (run_dir, {})
    given = _joined(before.get("given", {}), given)
    count = _number(variant, specialists, before)
    if count == 1:
        return training.train(variant, run_dir=run_dir, resume=resume, **given)
    with _machine_shared(parallel):
        return _specialists(variant, count, parallel, run_dir, resume, before, given)


def _specialists(variant, count, parallel, run_dir, resume, before, given):
    """Trains what is left of the specialists, joins them, and returns the `training.Result`."""
    _open_devices(variant, count, given)
    parts = resolve(variant, specialists=count, **given)
    if resume and not before and (run_dir is None or runs.is_run(run_dir)):
        where = f"under {plans.RUNS!r}" if run_dir is None else f"in {os.fspath(run_dir)!r}"
        raise UsageError(f"no run of {count} specialists of {str(variant)!r} to resume {where}")
    told = {"variant": str(variant), "groups": [plan["classes"] for plan in parts], "given": given}
    folder = _folder(run_dir, before, told, parts[0]["dataset"])
    export_dir = pathlib.Path(parts[0]["export_dir"])
    jobs = [
        {
            **given,
            "variant": variant,
            "classes": plan["classes"],
            "run_dir": str(folder / f"specialist-{index}"),
            "export_dir": str(folder / EXPORTS / str(index)),
            "resume": resume,
        }
        for index, plan in enumerate(parts)
    ]
    for job in jobs if before else ():
        _check(**job)
    runs.write_json(folder / runs.ENSEMBLE_FILE, told)
    _run(jobs, min(parallel, count))
    card = join([job["export_dir"] for job in jobs], export_dir, given.get("classes"))
    loaded = saved.load_saved_model(export_dir)
    steps = sum(one["steps"] for one in card["specialists"])
    failed = card["failures"]
    return training.Result(folder, export_dir, steps, card["weights_sha256"], {}, loaded, failed)


def resolve(variant, *, specialists=None, parallel=1, run_dir=None, resume=False, **given):
    """Returns the options of each specialist as they would be resolved; of one model its own."""
    del parallel
    run_dir, before = _begun(variant, run_dir) if resume else (run_dir, {})
    given = _joined(before.get("given", {}), given)
    count = _number(variant, specialists, before)
    if count == 1:
        return training.resolve(variant, run_dir=run_dir, resume=resume, **given)
    whole_plan = training.resolve(variant, **given)
    export.check_directory(whole_plan["export_dir"])
    if "label" not in registry.needs(variant):
        raise UsageError(f"specialists={count}: {variant} takes no label to route by")
    keys = ("data_dir", "image_size", "fit", "classes")
    source = data.open_source(whole_plan["dataset"], **{key: whole_plan[key] for key in keys})
    classes = source.spec.classes or ()
    if count > len(classes):
        raise UsageError(f"specialists={count} are more than the {len(classes)} classes there are")
    groups = [group.tolist() for group in np.array_split(classes, count)]
    return [{**whole_plan, "classes": group} for group in groups]


def join(
    paths: Sequence[str | os.PathLike], directory: str | os.PathLike, classes=None
) -> dict[str, Any]:
    """Writes one SavedModel that hands each label to the SavedModel that knows it.

    Args:
        paths: Folders of SavedModels whose pictures and latents have one shape, no label in two.
        directory: Folder to make or replace.
        classes: The classes of the data that all of them know; None where these are all.

    Returns:
        Its card: that of the first, with the labels of all, and what is each one's own under
        `specialists`.

    Raises:
        UsageError: If they do not fit together, or `directory` holds something else.
    """
    models = [saved.load_saved_model(pathlib.Path(path)) for path in paths]
    for path, model in zip(paths, models, strict=True):
        if not model.takes_label:
            raise UsageError(f"{os.fspath(path)!r} takes no label to route by")
    shapes = {(*model.card["image_shape"], model.latent_dim) for model in models}
    labels = [label for model in models for label in model.classes]
    if len(shapes) > 1 or len(set(labels)) < len(labels):
        raise UsageError(
            f"models of the labels {[model.classes for model in models]} and of pictures and "
            f"latents {sorted(shapes)} cannot be joined: shapes must be the same, labels not"
        )
    cards = [model.card for model in models]
    digest = hashlib.sha256("".join(card["weights_sha256"] for card in cards).encode())
    card = {
        **cards[0],
        "classes": classes,
        "labels": sorted(labels),
        "steps": sum(one["steps"] for one in cards),
        "wall_time_s": sum(one["wall_time_s"] or 0.0 for one in cards),
        "weights_sha256": digest.hexdigest(),
        "metrics": {},
        "failures": [failure for one in cards for failure in one.get("failures", [])],
        "specialists": [{key: one[key] for key in _OWN if key in one} for one in cards],
    }
    router = _Router(models)
    export.write_saved_model(pathlib.Path(directory), router, router.functions(), card)
    return card


class _Router(tf.Module):
    """Functions of SavedModels as one: each picture is made by the model that knows its label."""

    def __init__(self, models):
        super().__init__()
        self.specialists = [model.module for model in models]
        self.image_shape, self.latent_dim = models[0].card["image_shape"], models[0].latent_dim
        self.labels = sorted(label for model in models for label in model.classes)
        self.known_by = np.zeros(max(self.labels) + 1, np.int32)
        for index, model in enumerate(models):
            self.known_by[model.classes] = index

    def functions(self):
        """Returns what is exported, by name; each becomes a method of the module too."""
        number, seed = (tf.TensorSpec((), tf.int32, name=name) for name in ("n", "seed"))
        one_or_more = tf.TensorSpec(None, tf.int32, name="label")
        truncation = tf.TensorSpec((), tf.float32, name="truncation")
        labels = tf.TensorSpec((None,), tf.int32, name="label")
        latent = tf.TensorSpec((None, self.latent_dim), tf.float32, name="latent")
        self.sample = tf.function(
            self._sample, input_signature=[number, seed, one_or_more, truncation], autograph=False
        )
        self.serving_default = tf.function(
            self._serve, input_signature=[latent, labels], autograph=False
        )
        return {"sample": self.sample, "serving_default": self.serving_default}

    def _sample(
        self,
        n,
        seed=export.DEFAULTS["seed"],
        label=export.DEFAULTS["label"],
        truncation=export.DEFAULTS["truncation"],
    ):
        labels = randomness.label(n, seed, label, self.labels)

        def draw(specialist, rows):
            asked = {"label": tf.gather(labels, rows), "truncation": truncation}
            return specialist.sample(n=tf.size(rows), seed=seed, **asked)["image"]

        return {"image": self._routed(labels, draw, tf.uint8)}

    def _serve(self, latent, label):
        def make(specialist, rows):
            inputs = {"latent": tf.gather(latent, rows), "label": tf.gather(label, rows)}
            return specialist.signatures["serving_default"](**inputs)["image"]

        return {"image": self._routed(label, make, tf.float32)}

    def _routed(self, labels, make, dtype):
        """Returns what `make` gives for the rows of each specialist, back in their order."""
        owners = tf.gather(tf.constant(self.known_by), labels)
        rows = tf.dynamic_partition(tf.range(tf.size(labels)), owners, len(self.specialists))
        none = tf.zeros((0, *self.image_shape), dtype)
        made = [
            tf.cond(tf.size(own) > 0, lambda s=one, own=own: make(s, own), lambda: none)
            for one, own in zip(self.specialists, rows, strict=True)
        ]
        return tf.dynamic_stitch(rows, made)


def _number(variant, specialists, before) -> int:
    if not isinstance(variant, str | os.PathLike):
        raise UsageError(f"variant={variant!r} must be of type str")
    if specialists is not None:
        return whole("specialists", specialists, 1)
    return len(before["groups"]) if before else registry.load(os.fspath(variant)).specialists


def _plain(value):
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _begun(variant, run_dir):
    """Returns the run folder to go on with, and what its run of specialists was given, if any.

    Without a folder it is the newest one of the variant.
    """
    run_dir = runs.newest_run(plans.RUNS, str(variant)) if run_dir is None else run_dir
    if run_dir is None:
        return None, {}
    path = pathlib.Path(run_dir, runs.ENSEMBLE_FILE)
    return run_dir, runs.read_json(path) if path.is_file() else {}


def _open_devices(variant, count, given) -> None:
    """Divides the devices, which TensorFlow must be told before there is a model."""
    _, _, placement = plans.make(variant, None, False, given)
    if placement.cluster:
        raise UsageError(
            f"specialists={count} are trained by one process: give --strategy=one or mirrored"
        )
    placement.open()


def _check(*, variant, run_dir, resume, **given) -> None:
    """Refuses what a specialist that has begun cannot take."""
    plans.make(variant, run_dir, resume, given)


def _joined(before, given):
    """Returns what was given to a run and what its resumption is given; options one by one."""
    both = {**before, **given}
    if "options" in before and isinstance(given.get("options"), Mapping):
        both["options"] = {**before["options"], **given["options"]}
    return both


def _folder(run_dir, before, told, dataset) -> pathlib.Path:
    """Returns the folder of all, made or found."""
    if before:
        same = all(before[key] == told[key] for key in ("variant", "groups"))
        if not same:
            raise UsageError(
                f"{str(run_dir)!r} has {before['variant']} of the classes {before['groups']}, not "
                f"{told['variant']} of {told['groups']}"
            )
        return pathlib.Path(run_dir)
    if run_dir is None:
        return runs.make_run_dir(plans.RUNS, told["variant"], dataset)
    return runs.open_run_dir(run_dir)


def _run(jobs: list[dict[str, Any]], parallel: int) -> None:
    """Trains every specialist, in this process or so many at a time in others."""
    if parallel == 1:
        for job in jobs:
            training.train(**job)
        return
    context = multiprocessing.get_context("spawn")
    waiting = list(jobs)
    while waiting:
        batch, waiting = waiting[:parallel], waiting[parallel:]
        _side_by_side(context, batch)


def _side_by_side(context, jobs) -> None:
    said = context.SimpleQueue()
    processes = [context.Process(target=_child, args=(job, said)) for job in jobs]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    except BaseException:  # each child makes its checkpoint
        there = [process for process in processes if process.is_alive()]
        for process in there:
            process.terminate()
        for process in there:
            process.join()
        raise
    if all(process.exitcode == 0 for process in processes):
        return
    if said.empty():
        raise TrainingError("a specialist's process was killed; resume goes on with all")
    name, words = said.get()
    raise UsageError(words) if name == "UsageError" else TrainingError(words)


def _child(job, said) -> None:
    """Trains one specialist; what stops it is told to the parent in one line."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            training.train(**job)
    except (UsageError, TrainingError) as error:
        said.put((type(error).__name__, str(error)))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


@contextlib.contextmanager
def _machine_shared(parallel: int) -> Iterator[None]:
    """Divides the cores among processes that are started inside, and lets them share GPUs."""
    shares = {
        "TF_NUM_INTRAOP_THREADS": str(max(1, len(os.sched_getaffinity(0)) // parallel)),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # a process takes what it needs, not all there is
    }
    missing = [name for name in shares if name not in os.environ] if parallel > 1 else []
    os.environ.update({name: shares[name] for name in missing})
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]
