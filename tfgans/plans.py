"""What a run is to do: every option of it, checked by itself, with the others and with the data.

A plan is a dict of all options of `training.train`. It is what `options.json` holds.
"""

import os
import pathlib
from collections.abc import Mapping
from typing import Any

from tfgans import (
    checkpoints,
    data,
    distribution,
    evaluation,
    export,
    features,
    registry,
    runs,
)
from tfgans.errors import UsageError, whole
from tfgans.variant import DataSpec

DEFAULTS: dict[str, Any] = {
    "dataset": "digits",
    "data_dir": None,
    "image_size": None,
    "fit": "crop",
    "classes": None,
    "seed": 0,
    "precision": "float32",
    "checkpoint_every": 500,
    "init_from": None,
    "jit": False,
    "strategy": "auto",
    "replicas": 1,
    "accumulate": 1,
    "eval_every": 0,
    "eval_metrics": "fid",
    "eval_features": None,
    "stop_when": 0,
    "on_collapse": "warn",
}
RUNS = "runs"

_OPTIONS = {*DEFAULTS, "variant", "steps", "batch_size", "export_dir", "options"}
_AT_LEAST = {"steps": 1, "batch_size": 1, "seed": 0, "checkpoint_every": 1}
_AT_LEAST |= {"replicas": 1, "accumulate": 1, "eval_every": 0, "stop_when": 0}
_ONE_OF: dict[str, tuple[str, ...]] = {
    "precision": runs.PRECISIONS,
    "strategy": runs.STRATEGIES,
    "on_collapse": runs.ON_COLLAPSE,
}
DATA = ("data_dir", "image_size", "fit", "classes")


def make(variant, run_dir, resume, given):
    """Returns the run folder, None for a new one, the options, and where the replicas are to be."""
    given = _checked({"variant": variant, **given})
    given = {key: value for key, value in given.items() if value is not None}
    if resume and run_dir is None:
        run_dir = runs.newest_run(RUNS, given["variant"])
        if run_dir is None:
            raise UsageError(f"no run of {variant!r} to resume under {RUNS!r}")
    resumed = resume and runs.is_run(run_dir)
    plan = _resumed_plan(run_dir, given) if resumed else _new_plan(given)
    placement = distribution.place(plan["strategy"], plan["replicas"])
    pieces = placement.num_replicas * plan["accumulate"]
    if plan["batch_size"] % pieces:
        raise UsageError(
            f"batch_size={plan['batch_size']} must be a multiple of {pieces}: it is divided among "
            f"{placement.num_replicas} replicas (strategy=one has one), and by "
            f"accumulate={plan['accumulate']}"
        )
    if plan["jit"] and placement.num_replicas > 1:
        raise UsageError(f"jit=True works on one replica, not on {placement.num_replicas}")
    if placement.is_chief:  # which alone reads and writes there
        _check_places(plan, run_dir, resume)
    return run_dir, plan, placement


def _checked(options) -> dict[str, Any]:
    """Returns options with each checked for itself, and spelt in one way where there are more."""
    unknown = set(options) - _OPTIONS
    if unknown:
        raise UsageError(f"train takes no {', '.join(sorted(unknown))}")
    return {
        key: value if value is None else _checked_option(key, value)
        for key, value in options.items()
    }


def _checked_option(key, value) -> Any:
    value = os.fspath(value) if isinstance(value, os.PathLike) else value
    if key in _AT_LEAST:
        return whole(key, value, _AT_LEAST[key])
    if key == "image_size":
        return list(data.checked_size(value))
    if key == "classes":
        return _checked_classes(value)
    if key == "variant" and isinstance(value, str):
        return os.path.normpath(value)  # my_gan.py is ./my_gan.py
    if key in _ONE_OF and value not in _ONE_OF[key]:
        raise UsageError(f"{key}={value!r} must be one of {', '.join(_ONE_OF[key])}")
    if key == "precision" and value == "auto":
        return distribution.precision()
    kind: type = {"jit": bool, "options": Mapping}.get(key, str)
    if not isinstance(value, kind):
        raise UsageError(f"{key}={value!r} must be of type {kind.__name__}")
    return value


def _checked_classes(value) -> list[int]:
    try:
        return sorted({whole("classes", label, 0) for label in value})
    except TypeError as error:
        raise UsageError(
            f"classes={value!r} must be a list of labels, such as [0, 1, 2]"
        ) from error


def _new_plan(given) -> dict[str, Any]:
    row = registry.load(given["variant"])
    plan = {"variant": given["variant"], **DEFAULTS}
    plan |= {"steps": row.steps, "batch_size": row.batch_size}
    plan |= {"export_dir": f"saved_models/{row.name}", **given}
    return {**plan, "options": row.resolve(plan.get("options", {}))}


def _resumed_plan(run_dir, given) -> dict[str, Any]:
    stored = runs.read_options(run_dir)
    stored |= _checked({key: value for key, value in stored.items() if key in _OPTIONS})
    stored = {**DEFAULTS, **stored}  # those of older code lack some
    if "strategy" in given:
        given = {"replicas": DEFAULTS["replicas"], **given}
    fixed = ["steps"] if _depends_on_steps(stored) else []
    plan = runs.check_resume(stored, given, fixed=fixed)
    done = checkpoints.last_step(run_dir) or 0
    if done > plan["steps"]:
        where = f"the run in {str(run_dir)!r} is at step {done} already"
        raise UsageError(f"steps={plan['steps']}: {where}")
    return plan


def _depends_on_steps(plan) -> bool:
    """Whether a rate or a weight of the run falls with its length."""
    options, anneals = plan["options"], registry.load(plan["variant"]).model.anneals
    scheduled = [value for key, value in options.items() if key.endswith(".schedule")]
    return any(value != "constant" for value in scheduled) or any(map(options.get, anneals))


def _check_places(plan, run_dir, resume) -> None:
    """Refuses before the training what could not be written after it."""
    if run_dir is not None:
        runs.check_run_dir(run_dir, resume=resume)
    export_dir, run = plan["export_dir"], pathlib.Path(run_dir or RUNS).resolve()
    if export.check_directory(export_dir) in (run, *run.parents, *map(run.joinpath, runs.PARTS)):
        raise UsageError(
            f"cannot export to {export_dir!r}: the export would replace the run in {str(run)!r}, "
            "or a part of it; give another --export_dir"
        )


def with_data(plan) -> dict[str, Any]:
    """Returns the plan with what the networks must know of its data, which must be as it was."""
    source = data.open_source(plan["dataset"], **data_options(plan))
    _check_needs(plan["variant"], source.spec)
    if plan["batch_size"] > source.size:
        raise UsageError(
            f"batch_size={plan['batch_size']} is larger than the data: "
            f"{plan['dataset']} has {source.size} training pictures"
        )
    spec = source.spec
    facts = {"image_shape": list(spec.image_shape), "num_classes": spec.num_classes}
    facts |= {"labels": list(spec.classes or ()), "num_images": source.size}
    for key, value in facts.items():
        if plan.get(key, value) != value:
            raise UsageError(
                f"the data of the run has changed: {plan['dataset']} has now {key} {value}, the "
                f"run was started with {plan[key]}"
            )
    plan = {**plan, **facts}
    _check_evaluation(plan, source)
    return plan


def data_options(plan) -> dict[str, Any]:
    """Returns how `data.open_source` is to open the data of a plan, but its name."""
    return {key: plan[key] for key in DATA}


def _check_needs(variant, spec: DataSpec) -> None:
    missing = [key for key in registry.needs(variant) if key not in spec.keys]
    if missing:
        raise UsageError(
            f"{variant} needs {' and '.join(missing)} of the data, which has only "
            f"{', '.join(spec.keys)}; "
            "digits, optdigits, emoji or a folder of class folders would do"
        )


def extractor(plan) -> features.Extractor:
    """Returns the features that a run of the plan is evaluated in."""
    shape = tuple(plan["image_shape"])
    name = plan["eval_features"] or features.default_features(plan["dataset"], shape)
    return features.open_features(name)


def _check_evaluation(plan, source) -> None:
    """Refuses before the training what no evaluation could be made of."""
    names = evaluation.chosen(plan["eval_metrics"])
    if not plan["eval_every"]:
        if plan["stop_when"]:
            words = f"stop_when={plan['stop_when']} counts evaluations"
            raise UsageError(f"{words}: give eval_every too")
        return
    probabilities = extractor(plan)(source.images(2)).probabilities
    wanting = [name for name in names if evaluation.METRICS[name].classifies]
    if wanting and probabilities is None:
        raise UsageError(
            f"eval_metrics={plan['eval_metrics']!r}: {wanting[0]} takes features that classify, "
            "such as digits_cnn; give others as eval_features"
        )
