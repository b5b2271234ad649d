"""Several runs side by side: a table of their figures, mean and spread over seeds, and a plot."""

import dataclasses
import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tfgans import images, runs
from tfgans.errors import UsageError

_SETTINGS = (  # what a group's name may show
    "variant",
    "dataset",
    "data_dir",
    "image_size",
    "fit",
    "classes",
    "batch_size",
    "accumulate",
    "strategy",
    "precision",
    "steps",
    "init_from",
    "jit",
)
_COLUMNS = 3


@dataclasses.dataclass(frozen=True)
class Run:
    """What a run folder tells.

    Attributes:
        path: The folder.
        options: As in its `options.json`.
        figures: Metric's protocol name -> value, from its `evaluation.json`.
        curves: Name of a log -> its steps and values.
    """

    path: Path
    options: Mapping[str, Any]
    figures: Mapping[str, float]
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]]

    @property
    def settings(self) -> str:
        """All that may differ between runs but the seed, as a key."""
        kept = {key: self.options.get(key) for key in (*_SETTINGS, "options")}
        return json.dumps(kept, sort_keys=True)


def read_run(path) -> Run:
    """Reads a run folder.

    Raises:
        UsageError: If it is none, or holds no log yet.
    """
    path = Path(path)
    options = runs.read_options(path)
    rows = runs.read_json_lines(path / runs.METRICS_FILE)
    if not rows:
        raise UsageError(f"{str(path)!r} holds no {runs.METRICS_FILE} yet")
    names = {name: None for row in rows for name in row if name not in ("step", "seconds")}
    curves = {}
    for name in names:
        having = [row for row in rows if name in row]
        steps, values = ([row[key] for row in having] for key in ("step", name))
        curves[name] = (np.array(steps), np.array(values, np.float64))
    return Run(path, options, _figures(path / runs.EVALUATION_FILE), curves)


def _figures(judged: Path) -> dict[str, float]:
    """Reads the figures by their names."""
    if not judged.is_file():
        return {}
    try:
        entries = json.loads(judged.read_text(encoding="utf-8"))["metrics"].values()
        return {
            _name(entry): float(entry["value"]) for entry in entries if entry["value"] is not None
        }
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{str(judged)!r} is damaged: judge the run again") from error


def _name(entry: Mapping[str, Any]) -> str:
    """Returns a figure's name, with all that must be equal for two of them to compare."""
    classes = entry.get("classes")
    some = f" of classes {','.join(map(str, classes))}" if classes else ""
    features = f" {entry['features_sha256'][:8]}" if "features_sha256" in entry else ""
    return f"{entry['name']} {entry['dataset']}/{entry['split']}{some}{features}"


def groups_of(found: Iterable[Run]) -> dict[str, list[Run]]:
    """Groups runs that differ in their seed alone, by a name that says how groups differ."""
    by_settings: dict[str, list[Run]] = {}
    for run in found:
        by_settings.setdefault(run.settings, []).append(run)
    tables = [_flat(json.loads(settings)) for settings in by_settings]
    differing = [
        key
        for key in dict.fromkeys(key for table in tables for key in table)
        if len({json.dumps(table.get(key)) for table in tables}) > 1 and key != "variant"
    ]
    named: dict[str, list[Run]] = {}
    for table, members in zip(tables, by_settings.values(), strict=True):
        words = [f"{key}={table[key]}" for key in differing if table.get(key) is not None]
        named[" ".join([str(table["variant"]), *words])] = members
    return named


def compare(paths: Sequence[Any]) -> list[dict[str, Any]]:
    """Compares run folders.

    Args:
        paths: Two run folders or more.

    Returns:
        For each group of runs that differ in their seed alone: {name, runs, seeds, steps,
        minutes, figures: {protocol name: {mean, std, values}}}; `std` is None for one run.

    Raises:
        UsageError: If there are fewer than two, or one cannot be read.
    """
    return [_summary(name, members) for name, members in groups_of(_read(paths)).items()]


def _read(paths: Sequence[Any]) -> list[Run]:
    unique = list(dict.fromkeys(map(Path, paths)))
    if len(unique) < 2:
        raise UsageError("comparing takes two run folders or more: tfgans compare RUN RUN ...")
    return [read_run(path) for path in unique]


def _summary(name: str, members: list[Run]) -> dict[str, Any]:
    figures = {}
    for metric in dict.fromkeys(metric for run in members for metric in run.figures):
        values = [run.figures[metric] for run in members if metric in run.figures]
        spread = statistics.stdev(values) if len(values) > 1 else None
        figures[metric] = {"mean": statistics.fmean(values), "std": spread, "values": values}
    lasts = [runs.read_json_lines(run.path / runs.METRICS_FILE)[-1] for run in members]
    return {
        "name": name,
        "runs": [str(run.path) for run in members],
        "seeds": [run.options["seed"] for run in members],
        "steps": [last["step"] for last in lasts],
        "minutes": round(statistics.fmean(last["seconds"] for last in lasts) / 60, 2),
        "figures": figures,
    }


def plot(paths: Sequence[Any], out) -> Path:
    """Draws the logs that all runs have against the step, evaluations first.

    A line is the mean over the seeds of a group, its band their least and greatest value.

    Args:
        paths: Two run folders or more.
        out: The picture, `.png`.

    Returns:
        Its path.

    Raises:
        UsageError: As `compare`, or if the runs have no log in common.
    """
    found = _read(paths)
    common = [name for name in found[0].curves if all(name in run.curves for run in found)]
    if not common:
        raise UsageError("the runs have no log in common to plot")
    names = sorted(common, key=lambda name: not name.startswith("eval/"))
    columns = min(_COLUMNS, len(names))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(4.2 * columns, 2.8 * lines), dpi=110, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, name in zip(grid, names, strict=False):
        for label, members in groups_of(found).items():
            _draw(axes, label, [run.curves[name] for run in members])
        axes.set_title(name, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(names) :]:
        axes.set_axis_off()
    grid[0].legend(frameon=False, fontsize=8)
    grid[len(names) - 1].set_xlabel("step")
    path = Path(out)
    images.write_atomically(path, lambda file: canvas.print_png(file))
    return path


def _draw(axes, label: str, curves: list[tuple[np.ndarray, np.ndarray]]) -> None:
    steps = sorted(set.intersection(*(set(curve[0].tolist()) for curve in curves)))
    rows = np.array([values[np.isin(at, steps)] for at, values in curves])
    (line,) = axes.plot(steps, rows.mean(axis=0), label=label, lw=1.3)
    if len(curves) > 1:
        axes.fill_between(
            steps, rows.min(axis=0), rows.max(axis=0), color=line.get_color(), alpha=0.2, lw=0
        )


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: table[key] for key in table if key != "options"} | dict(table["options"] or {})
