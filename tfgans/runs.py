"""Run folders: their numbers and files, what a resumed run may change, and where a run took place.

A run folder such as `runs/0003-wgan_gp-digits/` holds `options.json` (all options as resolved and
the environment), `metrics.jsonl`, `samples/`, `tensorboard/` and `checkpoints/`, and `.lock`, which
a process holds while it trains there. TensorFlow is imported only by the functions that ask it
something.
"""

import contextlib
import importlib
import json
import os
import pathlib
import platform
import re
import subprocess
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tfgans.errors import UsageError

OPTIONS_FILE = "options.json"
METRICS_FILE = "metrics.jsonl"
EVALUATION_FILE = "evaluation.json"
ENSEMBLE_FILE = "ensemble.json"  # of a folder of specialists' runs: what was given
PARTS = (
    OPTIONS_FILE,
    METRICS_FILE,
    EVALUATION_FILE,
    "samples",
    "tensorboard",
    "checkpoints",
    "best",
    "bad_files.txt",
)

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "auto")
STRATEGIES = ("auto", "one", "mirrored", "multi_worker")
ON_COLLAPSE = ("warn", "stop", "rewind")

# Neither the weights nor their order of training depend on these (on `replicas` where layers draw).
MAY_CHANGE = (
    "steps",
    "checkpoint_every",
    "export_dir",
    "strategy",
    "replicas",
    "eval_every",
    "eval_metrics",
    "eval_features",
    "stop_when",
    "on_collapse",
)

# Facts about a run that `options.json` holds beside the options.
_NOT_OPTIONS = ("environment", "run_dir", "resume")

# What a run cannot go on without, and a model of it not be made without.
_NEEDED = {
    **dict.fromkeys(("variant", "dataset", "fit", "precision", "export_dir"), str),
    **dict.fromkeys(("steps", "batch_size", "seed", "checkpoint_every", "num_classes"), int),
    "image_shape": list,
    "options": dict,
    "jit": bool,
}

_FOLDER = re.compile(r"(?P<number>\d{4,})-(?P<variant>[^-]+)-.+")


def make_run_dir(root: str | os.PathLike, variant: str, dataset: str) -> pathlib.Path:
    """Makes the next numbered run folder under `root`, such as `runs/0003-wgan_gp-digits`.

    Runs that start at the same moment get different numbers: a number is first reserved with a
    hidden folder, which only one of them can make.

    Args:
        root: Folder of all runs; made where it is missing.
        variant: Name of the variant, or the path of a user's own file.
        dataset: Name of the data set as on the command line.

    Raises:
        UsageError: If `root` cannot be written to.
    """
    root = pathlib.Path(root)
    name = f"{_variant_slug(variant)}-{_slug(dataset)}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        number, reserved = _reserve_number(root)
        return reserved.rename(root / f"{number:04d}-{name}")
    except OSError as error:
        raise UsageError(f"cannot make a run folder in {str(root)!r}: {error.strerror}") from error


def open_run_dir(path: str | os.PathLike, *, resume: bool = False) -> pathlib.Path:
    """Makes or opens the run folder that the user named.

    Args:
        path: Folder of the run; made where it is missing.
        resume: Whether the folder may hold a run already.

    Raises:
        UsageError: If it holds a run and `resume` is false, holds other files but no run, or
            cannot be written to.
    """
    path = check_run_dir(path, resume=resume)
    path.mkdir(parents=True, exist_ok=True)
    return path


def check_run_dir(path: str | os.PathLike, *, resume: bool = False) -> pathlib.Path:
    """Returns the folder, or refuses it, as `open_run_dir` would; leaves nothing."""
    path = pathlib.Path(path)
    check_name(path)
    try:
        used = path.exists() and any(not file.name.startswith(".") for file in path.iterdir())
        check_writable(path / f".{os.getpid()}")
    except OSError as error:
        raise UsageError(f"cannot use {str(path)!r} as a run folder: {error.strerror}") from error
    if used and not is_run(path):
        raise UsageError(f"{str(path)!r} holds files but no run: give an empty or a new --run_dir")
    if used and not resume:
        raise UsageError(
            f"{str(path)!r} holds a run: add --resume to go on with it, or give another --run_dir"
        )
    return path


def check_name(path: str | os.PathLike) -> None:
    """Refuses a path that TensorFlow would write, and not find again.

    Raises:
        UsageError: If it takes the name for a pattern, or cannot spell it.
    """
    name = os.path.abspath(path)
    if re.search(r"\[.*\]|\\", name):
        raise UsageError(
            f"{name!r}: TensorFlow takes '[...]' and backslashes in a path for a pattern: rename it"
        )
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{name!r} is not spelt in UTF-8: rename it") from error


def check_writable(path: pathlib.Path) -> None:
    """Makes a folder called as `path`, in it or in the nearest folder there is, and removes it.

    Raises:
        OSError: If that cannot be done.
    """
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    probe = folder / path.name
    with contextlib.suppress(FileExistsError):
        probe.mkdir()
        probe.rmdir()


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """Returns the table that a JSON file holds.

    Raises:
        UsageError: If it cannot be read, or holds something else.
    """
    try:
        found = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{str(path)!r} holds no table")
    return found


def variant_of(run_dir: str | os.PathLike) -> str:
    """Returns the variant of a run, or of a run of specialists.

    Raises:
        UsageError: If the folder holds neither.
    """
    path = pathlib.Path(run_dir) / ENSEMBLE_FILE
    return (
        str(read_json(path).get("variant")) if path.is_file() else read_options(run_dir)["variant"]
    )


def is_run(path: str | os.PathLike) -> bool:
    """Whether the folder `path` holds a run, that is, its options."""
    return (pathlib.Path(path) / OPTIONS_FILE).is_file()


def newest_run(root: str | os.PathLike, variant: str) -> pathlib.Path | None:
    """Returns the run folder of `variant` with the highest number, or None where there is none.

    That of specialists counts. A folder whose options were not written yet (killed at once) is
    passed over, and so are the runs of a user's own file that is called as the variant.
    """
    root = pathlib.Path(root)
    wanted = _variant_slug(variant)
    runs = {path: number for path, (number, name) in _run_folders(root).items() if name == wanted}
    for path in sorted(runs, key=runs.__getitem__, reverse=True):
        begun = is_run(path) or (path / ENSEMBLE_FILE).is_file()
        if begun and os.path.normpath(variant_of(path)) == os.path.normpath(variant):
            return path
    return None


def read_options(run_dir: str | os.PathLike) -> dict[str, Any]:
    """Returns what `options.json` of a run holds.

    Raises:
        UsageError: If there is none, or it is not JSON, or lacks what every run has.
    """
    path = pathlib.Path(run_dir) / OPTIONS_FILE
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{str(run_dir)!r} holds no run: no {OPTIONS_FILE} in it") from error
    except ValueError as error:
        raise UsageError(f"{str(path)!r} is damaged: {error}") from error
    held = options if isinstance(options, dict) else {}
    for key, kind in _NEEDED.items():
        if not isinstance(held.get(key), kind):
            raise UsageError(f"{str(path)!r} is damaged: it has no {key!r} of type {kind.__name__}")
    return options


def write_options(run_dir: str | os.PathLike, options: Mapping[str, Any]) -> None:
    """Writes the resolved options of a run, and where it takes place, to `options.json`."""
    write_json(pathlib.Path(run_dir) / OPTIONS_FILE, {**options, "environment": environment()})


def check_resume(
    stored: Mapping[str, Any], given: Mapping[str, Any], *, fixed: Collection[str] = ()
) -> dict[str, Any]:
    """Joins the options of a stored run with those given when it is resumed.

    Args:
        stored: What `read_options` returned.
        given: The options that the user gave, and only those. `options` may hold part of the
            table; what it leaves out stays as stored.
        fixed: Options that may not change for this run although others' may: `("steps",)` where a
            schedule depends on the length of the run.

    Returns:
        The options to go on with, in the order of `stored`, without its `environment`.

    Raises:
        UsageError: If an option that may not change differs; names all of these.
    """
    merged = {key: value for key, value in stored.items() if key not in _NOT_OPTIONS}
    free = [name for name in MAY_CHANGE if name not in fixed]
    refused = []
    for name, value in _as_json(given).items():
        if name in _NOT_OPTIONS:
            continue
        if name == "options":
            table = merged.get("options", {})
            refused += [
                f"--set {key}={new} (the run has {table.get(key)})"
                for key, new in value.items()
                if key not in table or table[key] != new
            ]
        elif name in free:
            merged[name] = value
        elif merged.get(name) != value:
            refused.append(f"--{name}={value} (the run has {merged.get(name)})")
    if refused:
        allowed = ", ".join(f"--{name}" for name in free)
        raise UsageError(f"cannot resume with {', '.join(refused)}: only {allowed} may change")
    return merged


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Writes `content` as JSON so that a reader sees the old file or the new one, never a part."""
    _replace(pathlib.Path(path), json.dumps(content, indent=2, default=os.fspath) + "\n")


def read_json_lines(path: str | os.PathLike) -> list[dict[str, Any]]:
    """Returns the rows {step, ...} of a log, up to a line that a kill left unfinished or damage."""
    rows: list[dict[str, Any]] = []
    path = pathlib.Path(path)
    if not path.exists():
        return rows
    for line in path.read_bytes().splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            break
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            break
        rows.append(row)
    return rows


def truncate_metrics(path: str | os.PathLike, step: int) -> dict[str, Any] | None:
    """Cuts a `metrics.jsonl` back to the rows of `step` and before.

    Args:
        path: The file; nothing is done where it is missing.
        step: The step that training goes on from.

    Returns:
        The last row that is left (its `seconds` is where the clock goes on), or None.
    """
    path = pathlib.Path(path)
    if not path.exists():
        return None
    kept = [row for row in read_json_lines(path) if row["step"] <= step]
    _replace(path, "".join(json.dumps(row) + "\n" for row in kept))
    return kept[-1] if kept else None


@contextlib.contextmanager
def precision_scope(policy: str) -> Iterator[None]:
    """Sets Keras' dtype policy (`float32`, `mixed_bfloat16`, `mixed_float16`) for a while."""
    config = importlib.import_module("keras").config
    before = config.dtype_policy()
    config.set_dtype_policy(policy)
    try:
        yield
    finally:
        config.set_dtype_policy(before)


def environment() -> dict[str, Any]:
    """Returns where a run takes place: `versions`, `threads` and the code's `git_revision`."""
    return {"versions": versions(), "threads": threads(), "git_revision": git_revision()}


def versions() -> dict[str, str]:
    """Returns the versions that decide a run's numbers."""
    modules = ("tensorflow", "keras", "numpy", "tfgans")
    found = {name: importlib.import_module(name).__version__ for name in modules}
    return {"python": platform.python_version(), **found}


def threads() -> dict[str, int]:
    """Returns the cores this process may use and TensorFlow's pools; a pool of 0 is its default."""
    threading = importlib.import_module("tensorflow").config.threading
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return {
        "cores": cores,
        "intra_op": threading.get_intra_op_parallelism_threads() or _asked("INTRAOP"),
        "inter_op": threading.get_inter_op_parallelism_threads() or _asked("INTEROP"),
    }


def _asked(pool: str) -> int:
    """Returns the threads that TensorFlow's own variable asks for; 0 where it is not set."""
    text = os.environ.get(f"TF_NUM_{pool}_THREADS", "")
    return int(text) if text.isdecimal() else 0


def git_revision() -> str | None:
    """Returns the revision of the checkout that this code runs from, `-dirty` when code differs.

    None for an installed package: a repository around it would be someone else's.
    """
    checkout = pathlib.Path(__file__).resolve().parent.parent
    if not (checkout / ".git").exists():
        return None
    words = (["rev-parse", "--verify", "-q", "HEAD"], ["diff", "--quiet", "HEAD", "--", "*.py"])
    try:
        head, code = (
            subprocess.run(
                ["git", "-C", str(checkout), *each],
                capture_output=True,
                text=True,
                timeout=10,
                check=False,
            )
            for each in words
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    revision = head.stdout.strip()
    return f"{revision}-dirty" if revision and code.returncode else revision or None


def _as_json(content: Any) -> Any:
    """Returns `content` as it would be read back: tuples as lists, paths as strings."""
    return json.loads(json.dumps(content, default=os.fspath))


def _replace(path: pathlib.Path, text: str) -> None:
    """Writes beside `path`, then moves over it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _run_folders(root: pathlib.Path) -> dict[pathlib.Path, tuple[int, str]]:
    """Returns the numbered folders under `root` with their number and variant."""
    found = {}
    for path in root.iterdir() if root.is_dir() else ():
        match = _FOLDER.fullmatch(path.name)
        if match and path.is_dir():
            found[path] = (int(match["number"]), match["variant"])
    return found


def _reserve_number(root: pathlib.Path) -> tuple[int, pathlib.Path]:
    """Makes the hidden folder of the next free number: only one process can."""
    number = 1 + max((number for number, _ in _run_folders(root).values()), default=0)
    while True:
        reserved = root / f".{number:04d}"
        try:
            reserved.mkdir()
        except FileExistsError:
            number += 1
            continue
        if all(taken != number for taken, _ in _run_folders(root).values()):
            return number, reserved
        reserved.rmdir()  # another run took the number, and renamed its folder, since we looked
        number += 1


def _variant_slug(variant: str) -> str:
    """Returns a name without dashes, so that a folder's name splits one way only."""
    stem = pathlib.Path(variant).stem if variant.endswith(".py") else variant
    return _slug(stem).replace("-", "_")


def _slug(name: str) -> str:
    """Returns a short name for a folder: `tfds-mnist`, or the last part of a path."""
    last = pathlib.PurePath(name).name.removesuffix(".npz")
    return re.sub(r"[^\w.]+", "-", last).strip("-.")[:40] or "data"
