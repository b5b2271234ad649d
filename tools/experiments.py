"""What the experiments share: runs that are judged, games that are played, JSON, tables."""

import itertools
import json
import math
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import keras

from tfgans import data, factory, registry, runs

REPO = pathlib.Path(__file__).resolve().parent.parent
RESULTS = REPO / "docs" / "results"
METRICS = "fid,precision_recall,density_coverage"


def run(words, scratch, *judging):
    """Trains by train.py in a scratch folder and judges what it exports by evaluate.py.

    Args:
        words: Of train.py.
        scratch: The folder, for `run` and `export`.
        *judging: Words of evaluate.py.

    Returns:
        {command, steps, seconds, weights_sha256, threads, git_revision, metrics, told}, with the
        failures that the collapse watch told, or {command, failure, told}.
    """
    where = [f"--run_dir={scratch}/run", f"--export_dir={scratch}/export", "--json"]
    command = [sys.executable, "train.py", *words, *where]
    told = {"command": " ".join(["python train.py", *words])}
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    if done.returncode:
        return {**told, "failure": _failure(done).replace(str(scratch), "RUN"), "told": []}
    card = json.loads(pathlib.Path(scratch, "export", "card.json").read_text(encoding="utf-8"))
    return {
        **told,
        "steps": card["steps"],
        "seconds": card["wall_time_s"],
        "weights_sha256": card["weights_sha256"],
        "threads": card["threads"],
        "git_revision": card["git_revision"],
        "metrics": judge(pathlib.Path(scratch, "export"), *judging),
        "told": card["failures"],
    }


def _failure(done):
    """Returns the exit code and the last line that a run has said which came to no good end.

    Raises:
        RuntimeError: If it was killed, or asked for what there is not: that is no failure of it.
    """
    last = (done.stderr.strip().splitlines() or [""])[-1]
    said = f"exit code {done.returncode}: {last}"
    if done.returncode != 1:
        raise RuntimeError(f"{' '.join(map(str, done.args))}: {said}")
    return said


def play(game, words, folder=None):
    """Returns what a game measured, with its command, seconds and cores.

    Args:
        game: Its name.
        words: Of the command.
        folder: For the pictures; by default they are not kept.
    """
    told = {"command": " ".join(["python -m tfgans.playground", game, *words])}
    told |= {"cores": runs.threads()["cores"], "git_revision": runs.git_revision()}
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "tfgans.playground", game, *words, "--json"]
        began = time.perf_counter()
        done = subprocess.run(
            [*command, f"--out={folder or scratch}"],
            cwd=REPO,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        return {**told, "failure": _failure(done)}
    facts = json.loads(done.stdout.splitlines()[-1])
    del facts["files"]
    return {**told, "seconds": round(time.perf_counter() - began, 1), **facts}


def step_times(games, dataset, image_size=None, batch_size=64, rounds=9, steps=10):
    """Returns the milliseconds of a step of each game, side by side: by the medians.

    Runs an hour apart on a shared machine say little of each other's speed; these take turns.

    Args:
        games: Name -> (variant, options).
        dataset: What they are played on.
        image_size: Of the pictures; by default the data's.
        batch_size: Pictures in a batch.
        rounds: Turns of each, after one that compiles it.
        steps: Steps of a turn.
    """
    how = {"batch_size": batch_size, "image_size": image_size}
    spec = data.open_source(dataset, image_size=image_size).spec
    models = {
        name: factory.create(registry.load(variant), spec, **options)
        for name, (variant, options) in games.items()
    }
    times = {name: [] for name in games}
    for turn in range(rounds + 1):
        for name, model in models.items():
            start, ends = int(model.step.numpy()), []
            rows, _ = data.load(
                dataset, batches_per_step=model.batches_per_step, start_step=start, **how
            )
            clock = keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs, ends=ends: ends.append(time.perf_counter())
            )
            model.fit(rows, steps_per_epoch=steps, verbose=0, callbacks=[clock])
            if turn:
                times[name] += [end - begin for begin, end in itertools.pairwise(ends)]
    return {name: round(1e3 * statistics.median(found), 3) for name, found in times.items()}


def read_log(scratch):
    """Returns the lines of a run's metrics, each {step, seconds, ...}."""
    return runs.read_json_lines(pathlib.Path(scratch, "run", runs.METRICS_FILE))


def judge(path, *words):
    """Returns the figures of a SavedModel by name, each {value, ...}, without floors."""
    words = words or (f"--metrics={METRICS}",)
    command = [sys.executable, "evaluate.py", f"--model={path}", *words, "--json"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    if not done.stdout:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    found = json.loads(done.stdout.splitlines()[-1])["metrics"]
    keep = ("name", "value", "stderr", "recall", "coverage", "n_real", "n_fake", "split")
    return {key: {k: entry[k] for k in keep if k in entry} for key, entry in found.items()}


def read(name):
    """Returns the committed result of an experiment, or an empty dict."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def write(name, result):
    """Writes the result of an experiment."""
    text = json.dumps(result, indent=2) + "\n"
    (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")


def fill(name, result, table, games, seeds, run):
    """Runs what is missing of a table, game by game and seed by seed, and writes each result.

    Args:
        name: Of the experiment.
        result: All of it, which is written.
        table: The part of it that is filled: game -> seed -> what `run` returns.
        games: Names.
        seeds: Numbers.
        run: From a game and a seed to a result.
    """
    for game in games:
        for seed in seeds:
            at = table.setdefault(game, {})
            if str(seed) not in at:
                at[str(seed)] = run(game, seed)
                write(name, result)


def figures(results, columns):
    """Returns a cell for each column: mean and standard deviation over the results of runs."""
    cells = []
    for key, field in columns.values():
        found = [one["metrics"][key][field] for one in results if key in one.get("metrics", {})]
        cells.append(spread(found, 3))
    failed = sum("failure" in one for one in results)
    return [*cells[:-1], f"{cells[-1]} ({failed} failed)"] if failed else cells


def spread(values, digits):
    """Returns such as `1.2 ± 0.3`, or an empty cell."""
    values = [value for value in values if math.isfinite(value)]
    if not values:
        return ""
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{deviation}"


def markdown(head, rows):
    """Returns the lines of a table."""
    cells = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(map(str, row))} |" for row in cells]


def write_tables(document, tables):
    """Puts tables (lists of lines) into a document of docs, each between its two marks."""
    path = REPO / "docs" / document
    text = path.read_text(encoding="utf-8")
    for name, lines in tables.items():
        start, end = f"<!-- {name} -->", "<!-- end -->"
        pattern = re.escape(start) + r".*?" + re.escape(end)
        words = "\n".join([start, *lines, end])
        text, count = re.subn(pattern, lambda _, words=words: words, text, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"{document} must hold {start} ... {end} once")
    path.write_text(text, encoding="utf-8")
