"""A whole run: data, model, callbacks, fit, export. `train.py` and a notebook call the same."""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import filelock
import keras
import tensorflow as tf

from tfgans import (
    callbacks,
    checkpoints,
    compat,
    data,
    distribution,
    export,
    factory,
    oversight,
    plans,
    runs,
)
from tfgans.errors import TrainingError, UsageError, first_line


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run leaves.

    Attributes:
        run_dir: Folder of the run; None for a worker that is not the chief.
        export_dir: Folder of the SavedModel.
        steps: Generator steps done, over all sessions; of a run that was rewound, those kept.
        weights_sha256: Hash of the model's networks, average and optimisers.
        metrics: The last line of `metrics.jsonl`: means of the logs over its window.
        model: The trained model; of a run that was evaluated, at the best checkpoint.
        failures: Of the game, each {failure, step, since, evidence}, as `tfgans.failures` says.
    """

    run_dir: pathlib.Path | None
    export_dir: pathlib.Path
    steps: int
    weights_sha256: str
    metrics: dict[str, float]
    model: keras.Model
    failures: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def train(variant, *, run_dir=None, resume=False, **given) -> Result:
    """Trains a variant and exports its generator.

    Args:
        variant: A name of the registry, or the path of a user's own Python file.
        run_dir: Folder of the run; by default the next numbered one under `runs/`, and with
            `resume` the newest one of the variant.
        resume: Whether to go on with a run; what is not given is taken from it.
        **given: Any of
            dataset: digits (default), optdigits, emoji, emoji:subgroup, tfds:NAME, a folder of
                images, or an .npz file;
            data_dir: folder of prepared TFDS data sets;
            image_size: int or (height, width), by default the data's;
            fit: crop (default) or resize, how pictures reach `image_size`;
            classes: labels of the pictures to train on, by default all;
            steps: length of the run in generator steps, by default the row's;
            batch_size: pictures in each batch, by default the row's;
            seed: number that decides all randomness, default 0;
            precision: float32 (default), mixed_bfloat16, mixed_float16, or auto: the one that
                `distribution.precision` finds for the hardware;
            checkpoint_every: generator steps between checkpoints, default 500;
            export_dir: folder of the SavedModel, by default `saved_models/NAME`;
            init_from: run folder (or .keras file) whose networks to start from;
            options: dict of the variant's own options, by dotted key;
            jit: whether XLA compiles the step, default False;
            strategy: auto (default), one, mirrored or multi_worker, as `distribution.place` says;
            replicas: logical devices that the CPU is split into, default 1;
            accumulate: pieces that each batch is worked through in, one after the other, to need
                less memory, default 1; batch norm is over a piece;
            eval_every: generator steps between evaluations on training pictures, default 0, none;
            eval_metrics: names of `tfgans.evaluation.METRICS` joined by commas, default fid; the
                first decides which checkpoint is kept as the best, and is exported;
            eval_features: feature space, by default digits_cnn for digits and else pixels;
            stop_when: evaluations without a better one that end the run, default 0, never;
            on_collapse: warn (default), stop, or rewind: what to do when the game fails, as
                `tfgans.failures` tells it in runs of 800 steps or more; rewind stops too, and goes
                back to the last checkpoint before there were signs of it.

    Returns:
        A `Result`.

    Raises:
        UsageError: On anything wrong with the arguments or the data, before training starts.
        TrainingError: On a non-finite loss or a full disk.
        KeyboardInterrupt: On Ctrl-C or SIGTERM, after a checkpoint.
    """
    run_dir, plan, placement = plans.make(variant, run_dir, resume, given)
    compat.disable_remapper()
    team = placement.open()
    with team.watched(), runs.precision_scope(plan["precision"]), contextlib.ExitStack() as held:
        plan = plans.with_data(plan)
        _check_team(team, plan)
        with team.strategy.scope():
            model = _model(plan, placement, run_dir if resume else None)
        folder = _run_folder(run_dir, resume, plan) if team.is_chief else None
        if folder is not None:
            held.enter_context(_held(folder))
            checkpoints.restore(checkpoints.manager(model, folder))
            runs.write_options(folder, plan)
        team.share(model.state().values())
        return _run(model, plan, folder, team) if folder else _assist(model, plan, team)


def resolve(variant, *, run_dir=None, resume=False, **given) -> dict[str, Any]:
    """Returns every option of a run as `train` would resolve it, checked; writes nothing.

    Raises:
        UsageError: As `train`.
    """
    run_dir, plan, placement = plans.make(variant, run_dir, resume, given)
    plan = plans.with_data(plan)
    with runs.precision_scope(plan["precision"]):
        # It refuses options that do not fit together.
        _model(plan, placement, run_dir if resume else None)
    return plan


def _model(plan, placement, resumed) -> keras.Model:
    """Returns the model, started from `init_from` but where the folder `resumed` has gone on."""
    model, replicas = factory.planned(plan), placement.num_replicas
    model.check_rows(plan["batch_size"] // (replicas * plan["accumulate"]), replicas)
    begun = resumed is not None and checkpoints.last_step(resumed) is not None
    if plan["init_from"] and not begun:
        checkpoints.copy_networks(factory.load(plan["init_from"]), model)
    return model


def _check_team(team, plan) -> None:
    """Refuses processes that would train different things."""
    versions = runs.versions()
    text = json.dumps({**plan, "versions": versions}, sort_keys=True, default=os.fspath)
    digests = team.numbers(int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]))
    others = [str(index) for index, one in enumerate(digests) if one != digests[0]]
    if others:
        raise UsageError(
            f"worker {', '.join(others)} has other options, data or versions than worker 0: start "
            "all with the same words, or each for itself with strategy=one"
        )


def _run_folder(run_dir, resume, plan) -> pathlib.Path:
    if run_dir is None:
        return runs.make_run_dir(plans.RUNS, plan["variant"], plan["dataset"])
    return runs.open_run_dir(run_dir, resume=resume)


@contextlib.contextmanager
def _held(folder) -> Iterator[None]:
    """Keeps other processes from training in the folder, until this one ends, however it does."""
    lock = filelock.FileLock(folder / ".lock", timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise UsageError(f"another process trains in {str(folder)!r}: wait, or stop it") from error
    except (NotImplementedError, OSError) as error:  # not every disk has locks
        said = f"{str(folder)!r} cannot be locked ({error}): train in it only once at a time"
        print(said, file=sys.stderr)
    try:
        yield
    finally:
        lock.release()


def _assist(model, plan, team) -> Result:
    """Fits with the chief, which alone reads and writes, and decides when to stop."""
    step, steps = int(model.step.numpy()), plan["steps"]
    dataset, _ = _dataset(model, plan, team)
    patient = callbacks.Patient()
    stops = oversight.look_every(steps) if plan["on_collapse"] != "warn" else 0
    made = [callbacks.Following(every, team.any) for every in (plan["eval_every"], stops)]
    made.append(patient)
    try:
        if step < steps and not team.any(False):
            _fit(model, dataset, steps - step, made)
        team.meet()  # the export is written
    except distribution.LOST as error:
        if patient.received is None:
            raise
        raise KeyboardInterrupt(f"{patient.received.name}; the chief has left too") from error
    export_dir, sha256 = pathlib.Path(plan["export_dir"]), model.weights_sha256()
    return Result(None, export_dir, int(model.step.numpy()), sha256, {}, model)


def _run(model, plan, folder, team) -> Result:
    """Fits from the restored step to the last one, and exports."""
    step, steps = int(model.step.numpy()), plan["steps"]
    metrics_file = folder / runs.METRICS_FILE
    last = runs.truncate_metrics(metrics_file, step) or {}
    dataset, of_data = _dataset(model, plan, team, folder)
    images_per_step = plan["batch_size"] * model.batches_per_step
    foreseen = model.foresight(steps * images_per_step)
    if foreseen:
        print(foreseen, file=sys.stderr)
    made = callbacks.run_callbacks(
        folder,
        checkpoints.manager(model, folder, kept=oversight.kept(plan)),
        steps=steps,
        images_per_step=images_per_step,
        log_every=oversight.log_every(steps),
        sample_every=max(1, steps // 20),
        checkpoint_every=plan["checkpoint_every"],
        start_step=step,
        seconds=last.get("seconds", 0.0),
        options=plan,
    )
    judge = oversight.quality_of(model, plan, folder, made, team)
    watch = oversight.watch_of(plan, folder, made, team)
    if step < steps and not team.any(oversight.over(judge, watch)):
        _fit(model, dataset, steps - step, made)
    failed = [dataclasses.asdict(one) for one in watch.findings.values()] if watch else []
    if watch and watch.finished and plan["on_collapse"] == "rewind":
        oversight.rewind(model, folder, min(one["since"] for one in failed))
    last = (runs.read_json_lines(metrics_file) or [{}])[-1]
    metrics = {key: value for key, value in last.items() if key not in ("step", "seconds")}
    done = int(model.step.numpy())
    facts = {"steps": done, **of_data, "wall_time_s": last.get("seconds")}
    facts |= {"replicas": team.num_replicas, "failures": failed}
    if judge:
        facts["last_weights_sha256"] = model.weights_sha256()
        if checkpoints.restore(checkpoints.manager(model, folder, checkpoints.BEST)):
            facts["best_step"] = int(model.step.numpy())
    sha256 = model.weights_sha256()
    export.export(model, plan["export_dir"], _card(plan, sha256, facts))
    team.meet()
    return Result(folder, pathlib.Path(plan["export_dir"]), done, sha256, metrics, model, failed)


def _fit(model, dataset, steps, made) -> None:
    """Fits so many steps; what TensorFlow cannot go on from is a `TrainingError`."""
    try:
        with callbacks.running(made) as made:
            model.fit(dataset, steps_per_epoch=steps, verbose=0, callbacks=made)
    except distribution.LOST:
        raise
    except tf.errors.OpError as error:
        reason = first_line(error).rpartition("Error: ")[2]  # of a data set, what it says
        if isinstance(error, tf.errors.ResourceExhaustedError):
            reason = "out of memory: a smaller batch_size, or accumulate=2 and more, needs less"
        step = int(model.step.numpy())
        raise TrainingError(f"step {step}: {reason}") from error


def _dataset(model, plan, team, folder=None):
    """Returns the data from the model's step on, in batches for its replicas, and its facts."""
    told = []

    def load(share):
        dataset, _ = data.load(
            plan["dataset"],
            batch_size=plan["batch_size"],
            batches_per_step=model.batches_per_step,
            seed=plan["seed"],
            start_step=int(model.step.numpy()),
            report=lambda source: told.append(_report_data(source, folder)),
            share=share,
            **plans.data_options(plan),
        )
        return dataset

    return team.distributed(load), told[0]


def _card(plan, sha256, facts) -> dict[str, Any]:
    keys = ("variant", "dataset", *plans.DATA, "options", "seed", "precision")
    known = {key: plan[key] for key in keys}
    return {**known, **facts, **runs.environment(), "weights_sha256": sha256, "metrics": {}}


def _report_data(source, folder) -> dict[str, Any]:
    """Tells what is trained on, and lists in the run folder the files that could not be read.

    Returns what the card says of it.
    """
    facts = {"data_licence": source.licence, "class_names": list(source.class_names)}
    if folder is None:  # the chief tells it
        return facts
    print(source.description, file=sys.stderr)
    if source.bad_files:
        lines = [f"{_printable(name)}\t{reason}\n" for name, reason in source.bad_files]
        (folder / "bad_files.txt").write_text("".join(lines), encoding="utf-8")
    return facts


def _printable(name: str) -> str:
    """Returns a file's name on one line, with what cannot be printed as an escape."""
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    return "".join(escaped)
