"""A whole run: data, model, callbacks, fit, export. `train.py` and a notebook call the same."""

import dataclasses
import os
import pathlib
import sys
from typing import Any

import keras

from tfgans import callbacks, checkpoints, compat, data, export, factory, registry, runs
from tfgans.errors import UsageError
from tfgans.variant import DataSpec

DEFAULTS: dict[str, Any] = {
    "dataset": "digits",
    "data_dir": None,
    "image_size": None,
    "fit": "crop",
    "seed": 0,
    "precision": "float32",
    "checkpoint_every": 500,
    "init_from": None,
    "jit": False,
}
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
RUNS = "runs"


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run leaves.

    Attributes:
        run_dir: Folder of the run.
        export_dir: Folder of the SavedModel.
        steps: Generator steps done, over all sessions.
        weights_sha256: Hash of networks, average and optimisers.
        metrics: The last line of `metrics.jsonl`: means of the logs over its window.
        model: The trained model.
    """

    run_dir: pathlib.Path
    export_dir: pathlib.Path
    steps: int
    weights_sha256: str
    metrics: dict[str, float]
    model: keras.Model


def train(variant, *, run_dir=None, resume=False, **given) -> Result:
    """Trains a variant and exports its generator.

    Args:
        variant: A name of the registry, or the path of a user's own Python file.
        run_dir: Folder of the run; by default the next numbered one under `runs/`, and with
            `resume` the newest one of the variant.
        resume: Whether to go on with a run; what is not given is taken from it.
        **given: Any of
            dataset: digits (default), optdigits, tfds:NAME, a folder of images, or an .npz file;
            data_dir: folder of prepared TFDS data sets;
            image_size: int or (height, width), by default the data's;
            fit: crop (default) or resize, how pictures reach `image_size`;
            steps: length of the run in generator steps, by default the row's;
            batch_size: pictures in each batch, by default the row's;
            seed: number that decides all randomness, default 0;
            precision: float32 (default), mixed_bfloat16 or mixed_float16;
            checkpoint_every: generator steps between checkpoints, default 500;
            export_dir: folder of the SavedModel, by default `saved_models/NAME`;
            init_from: run folder (or .keras file) whose networks to start from;
            options: dict of the variant's own options, by dotted key;
            jit: whether XLA compiles the step, default False.

    Returns:
        A `Result`.

    Raises:
        UsageError: On anything wrong with the arguments or the data, before training starts.
        TrainingError: On a non-finite loss or a full disk.
        KeyboardInterrupt: On Ctrl-C or SIGTERM, after a checkpoint.
    """
    run_dir, plan = _plan(variant, run_dir, resume, given)
    export.check_directory(plan["export_dir"])
    compat.disable_remapper()
    with runs.precision_scope(plan["precision"]):
        model = _model(plan)
        if plan["init_from"] and not (resume and checkpoints.exist(run_dir)):
            checkpoints.copy_networks(factory.load(plan["init_from"]), model)
        folder = _run_folder(run_dir, resume, plan)
        saved = checkpoints.manager(model, folder)
        checkpoints.restore(saved)
        if model.step > plan["steps"]:
            done = f"the run in {str(folder)!r} is at step {int(model.step)} already"
            raise UsageError(f"steps={plan['steps']}: {done}")
        runs.write_options(folder, plan)
        return _run(model, plan, folder, saved)


def resolve(variant, *, run_dir=None, resume=False, **given) -> dict[str, Any]:
    """Returns every option of a run as `train` would resolve it, checked; writes nothing.

    Raises:
        UsageError: As `train`.
    """
    return _plan(variant, run_dir, resume, given)[1]


def _plan(variant, run_dir, resume, given):
    """Returns the run folder, None for a new one, and the options: given, stored or default."""
    given = {key: value for key, value in given.items() if value is not None}
    if resume and run_dir is None:
        run_dir = runs.newest_run(RUNS, variant)
        if run_dir is None:
            raise UsageError(f"no run of {variant!r} to resume under {RUNS!r}")
    if resume and runs.is_run(run_dir):
        return run_dir, _resumed_plan(runs.read_options(run_dir), {**given, "variant": variant})
    return run_dir, _new_plan(variant, given)


def _new_plan(variant, given) -> dict[str, Any]:
    unknown = set(given) - {*DEFAULTS, "steps", "batch_size", "export_dir", "options"}
    if unknown:
        raise UsageError(f"train takes no {', '.join(sorted(unknown))}")
    row = registry.load(variant)
    plan = {"variant": variant, **DEFAULTS, "steps": row.steps, "batch_size": row.batch_size}
    plan |= {"export_dir": f"saved_models/{row.name}", **given}
    plan["options"] = row.resolve(plan.get("options", {}))
    if plan["precision"] not in PRECISIONS:
        raise UsageError(f"precision={plan['precision']!r} must be one of {', '.join(PRECISIONS)}")
    source = data.open_source(plan["dataset"], **_data_options(plan))
    _check_needs(variant, source.spec)
    _check_batch(plan, source)
    plan |= {"image_shape": list(source.spec.image_shape), "num_classes": source.spec.num_classes}
    return {
        key: str(value) if isinstance(value, os.PathLike) else value for key, value in plan.items()
    }


def _resumed_plan(stored, given) -> dict[str, Any]:
    scheduled = [key for key in stored["options"] if key.endswith(".schedule")]
    fixed = ["steps"] if any(stored["options"][key] != "constant" for key in scheduled) else []
    return runs.check_resume(stored, given, fixed=fixed)


def _data_options(plan) -> dict[str, Any]:
    size = plan["image_size"]
    size = tuple(size) if isinstance(size, list) else size
    return {"data_dir": plan["data_dir"], "image_size": size, "fit": plan["fit"]}


def _check_needs(variant, spec: DataSpec) -> None:
    missing = [key for key in registry.needs(variant) if key not in spec.keys]
    if missing:
        raise UsageError(
            f"{variant} needs {' and '.join(missing)} of the data, which has only "
            f"{', '.join(spec.keys)}; digits, optdigits or a folder of class folders would do"
        )


def _check_batch(plan, source) -> None:
    if plan["batch_size"] > source.size:
        raise UsageError(
            f"batch_size={plan['batch_size']} is larger than the data: "
            f"{plan['dataset']} has {source.size} training pictures"
        )


def _model(plan) -> keras.Model:
    spec = DataSpec(tuple(plan["image_shape"]), plan["num_classes"])
    return factory.create(
        plan["variant"],
        spec,
        seed=plan["seed"],
        steps=plan["steps"],
        jit=plan["jit"],
        **plan["options"],
    )


def _run_folder(run_dir, resume, plan) -> pathlib.Path:
    if run_dir is None:
        return runs.make_run_dir(RUNS, plan["variant"], plan["dataset"])
    return runs.open_run_dir(run_dir, resume=resume)


def _run(model, plan, folder, saved) -> Result:
    """Fits from the restored step to the last one, and exports."""
    step, steps = int(model.step), plan["steps"]
    metrics_file = folder / runs.METRICS_FILE
    last = runs.truncate_metrics(metrics_file, step) or {}
    licence = []
    dataset, _ = data.load(
        plan["dataset"],
        batch_size=plan["batch_size"],
        batches_per_step=model.batches_per_step,
        seed=plan["seed"],
        start_step=step,
        report=lambda source: licence.append(_report_data(source, folder)),
        **_data_options(plan),
    )
    made = callbacks.run_callbacks(
        folder,
        saved,
        steps=steps,
        images_per_step=plan["batch_size"] * model.batches_per_step,
        log_every=max(1, min(50, steps // 10)),
        sample_every=max(1, steps // 20),
        checkpoint_every=plan["checkpoint_every"],
        start_step=step,
        seconds=last.get("seconds", 0.0),
        options=plan,
    )
    if step < steps:
        with callbacks.running(made) as made:
            model.fit(dataset, steps_per_epoch=steps - step, verbose=0, callbacks=made)
        last = runs.read_json_lines(metrics_file)[-1]
    metrics = {key: value for key, value in last.items() if key not in ("step", "seconds")}
    sha256 = model.weights_sha256()
    card = {
        **{
            key: plan[key]
            for key in ("variant", "dataset", "options", "steps", "seed", "precision")
        },
        "data_licence": licence[0],
        "wall_time_s": last.get("seconds"),
        **runs.environment(),
        "weights_sha256": sha256,
        "metrics": {},
    }
    export.export(model, plan["export_dir"], card)
    return Result(folder, pathlib.Path(plan["export_dir"]), steps, sha256, metrics, model)


def _report_data(source, folder) -> str:
    """Tells what is trained on, and lists in the run folder the files that could not be read."""
    print(source.description, file=sys.stderr)
    if source.bad_files:
        lines = [f"{name}\t{reason}\n" for name, reason in source.bad_files]
        (folder / "bad_files.txt").write_text("".join(lines), encoding="utf-8")
    return source.licence
