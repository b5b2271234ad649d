"""What looks over a run: evaluations on the way, and the watch for failures of the game."""

import math
import sys

from tfgans import callbacks, checkpoints, data, evaluation, failures, plans, quality, runs

EVAL_PICTURES = 1000
WATCHED = 800  # steps of the shortest run that is watched
LOOKS = 25  # at the pictures of a run, or up to twice as many


def quality_of(model, plan, folder, made, team) -> quality.Quality | None:
    """Returns what evaluates the run, put among its callbacks; None where nothing is asked for."""
    if not plan["eval_every"]:
        return None
    step = int(model.step.numpy())
    checkpoints.forget_best_after(folder, step)
    extractor = plans.extractor(plan)
    # Of the training pictures, so that nothing is chosen by those that judge the end.
    source = data.open_source(plan["dataset"], **plans.data_options(plan))
    real = evaluation.Sample.of(source.images(EVAL_PICTURES), extractor)
    log = _log_of(made)
    judge = quality.Quality(
        evaluation.Reference(real, real, real, "train", extractor),
        evaluation.chosen(plan["eval_metrics"]),
        plan["eval_every"],
        log,
        checkpoints.Checkpoints(checkpoints.manager(model, folder, checkpoints.BEST)),
        labels=None if source.labels is None else source.labels[:EVAL_PICTURES],
        patience=plan["stop_when"],
        agree=team.any,
        history=runs.read_json_lines(folder / runs.METRICS_FILE),
    )
    if judge.best.newest is None:  # what was best is lost, or none has been: the next one is kept
        judge.lowest = math.inf
    made.insert(made.index(log), judge)  # before it: a step's last row is that of its losses
    return judge


def watch_of(plan, folder, made, team) -> callbacks.CollapseWatch | None:
    """Returns what watches the run, put among its callbacks; None where there is too little."""
    source = data.open_source(plan["dataset"], **plans.data_options(plan))
    if plan["steps"] < WATCHED or source.size < 2:
        if plan["on_collapse"] != "warn":
            words = (
                f"is without effect: a run below {WATCHED} steps, or of one picture, has no watch"
            )
            print(f"on_collapse={plan['on_collapse']} {words}", file=sys.stderr)
        return None
    number = callbacks.CollapseWatch.num
    log = _log_of(made)
    features = plans.extractor({**plan, "eval_features": None})
    watch = callbacks.CollapseWatch(
        log,
        look_every(plan["steps"]),
        steps=plan["steps"],
        real=source.images(number),
        labels=None if source.labels is None else source.labels[:number],
        classify=lambda pictures: features(pictures).probabilities,
        on_collapse=plan["on_collapse"],
        agree=team.any,
        history=runs.read_json_lines(folder / runs.METRICS_FILE),
    )
    made.insert(made.index(log), watch)  # before it, as what evaluates is
    return watch


def _log_of(made) -> callbacks.MetricsLog:
    return next(one for one in made if isinstance(one, callbacks.MetricsLog))


def over(judge, watch) -> bool:
    """Returns whether a resumed run had ended by itself, and says for which failure."""
    if watch and watch.finished:
        names = ", ".join(watch.findings)
        print(f"it has ended for {names}; --on_collapse=warn goes on", file=sys.stderr)
    return bool((judge and judge.finished) or (watch and watch.finished))


def log_every(steps) -> int:
    """Returns the steps between two rows of the log."""
    return max(1, min(50, steps // 10))


def look_every(steps) -> int:
    """Returns the steps between two looks at the pictures, some rows of the log; 0: no looks."""
    rows = log_every(steps)
    return max(1, steps // LOOKS // rows) * rows if steps >= WATCHED else 0


def kept(plan) -> int | None:
    """Returns how many checkpoints a run keeps; of one that may go back, as far as it may."""
    if plan["on_collapse"] != "rewind":
        return None
    steps = plan["steps"]
    signs = max(4 * look_every(steps), (2 * failures.MANY + 1) * log_every(steps))
    return 2 + signs // plan["checkpoint_every"]


def rewind(model, folder, since) -> None:
    """Goes back to the last checkpoint that is of the step `since` or before, with the log."""
    healthy = checkpoints.forget_after(folder, since)
    if healthy is None:
        words = f"no checkpoint of step {since} or before is left: the run ends where it is"
    else:
        checkpoints.restore(checkpoints.manager(model, folder))
        checkpoints.forget_best_after(folder, healthy)
        runs.truncate_metrics(folder / runs.METRICS_FILE, healthy)
        words = f"back at step {healthy}; go on with a remedy and --init_from={str(folder)!r}"
    print(words, file=sys.stderr)
