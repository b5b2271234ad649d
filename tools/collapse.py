"""Does the collapse watch tell the games that fail, and leave the others alone?

    python tools/collapse.py [--seeds 0 1 2] [--games "nsgan, fast generator" ...]

Trains small networks on the digits, by games that should go well and games made to fail, each way
that the watch knows. What a run came to is measured, not taken for granted: it has failed if its
recall at the end is below a twentieth. Writes docs/results/collapse.json, run by run, skips what is
there, and a table of docs/stability.md. `--cost` measures what the watch costs instead.
"""

import argparse
import pathlib
import tempfile
import time

import experiments

from tfgans import callbacks, failures, oversight, registry, runs, training

FAILED = 0.05  # recall below which a run has
SLIM = ["generator.width=16", "discriminator.width=16"]
UNIT = ["discriminator.spectral_norm=true", "g_optimizer.beta_1=0.0", "d_optimizer.beta_1=0.0"]
UNIT += ["g_optimizer.learning_rate=0.001", "d_optimizer.learning_rate=0.001"]
MOMENTUM = ["g_optimizer.beta_1=0.95", "d_optimizer.beta_1=0.95"]
MOMENTUM += ["g_optimizer.learning_rate=0.002", "d_optimizer.learning_rate=0.002"]
QUICK = ["g_optimizer.learning_rate=0.001", "d_optimizer.learning_rate=0.001"]
# Game -> (variant, steps, options).
GAMES = {
    "nsgan, spectral norm": ("nsgan", 3000, UNIT),
    "dcgan, slim": ("dcgan", 3000, SLIM),
    "lsgan, slim": ("lsgan", 3000, SLIM),
    "hinge, slim": ("hinge", 3000, SLIM),
    "sngan, slim": ("sngan", 3000, [*SLIM, *QUICK]),
    "wgan_gp, slim": ("wgan_gp", 1000, SLIM),
    "r1gan, slim": ("r1gan", 2000, SLIM),
    "dragan, slim": ("dragan", 2000, SLIM),
    "roth, slim": ("roth", 2000, SLIM),
    "cgan, slim": ("cgan", 3000, SLIM),
    "gmmn": ("gmmn", 2000, []),
    "vae": ("vae", 2000, []),
    "gan": ("gan", 2000, []),
    "gan, fast discriminator": ("gan", 2000, ["d_optimizer.learning_rate=0.002"]),
    "nsgan, fast generator": ("nsgan", 2000, ["g_optimizer.learning_rate=0.01"]),
    "nsgan, heavy momentum": ("nsgan", 2000, MOMENTUM),
    "nsgan": ("nsgan", 2000, []),
    "wgan_mlp, free critic": ("wgan_mlp", 2000, ["discriminator.weight_clip=0.0"]),
    "lsgan, fast discriminator": ("lsgan", 1500, [*SLIM, "d_optimizer.learning_rate=0.02"]),
    "dcgan, slow discriminator": ("dcgan", 1000, [*SLIM, "d_optimizer.learning_rate=1e-8"]),
    "hinge, fast generator": ("hinge", 1500, [*SLIM, "g_optimizer.learning_rate=0.02"]),
    "r1gan, no penalty, fast": ("r1gan", 1500, [*SLIM, "r1_weight=0.0", *MOMENTUM]),
    "dcgan, junk feedback": ("dcgan", 2000, [*SLIM, "instance_noise=1000.0"]),
}
# Game -> the one whose networks it starts from.
STARTS = {"dcgan, junk feedback": "dcgan, slim"}
NAME = "collapse"
JUDGING = "--metrics=precision_recall"


def main():
    """Trains and judges what is missing, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="default 0 1 2")
    parser.add_argument("--games", nargs="+", default=list(GAMES), help="default all")
    parser.add_argument("--cost", nargs="*", metavar="ROW", help="rows whose watch is timed")
    given = parser.parse_args()
    result = experiments.read(NAME)
    if given.cost is not None:
        result["cost"] = {row: cost(row) for row in given.cost or ("nsgan", "dcgan", "wgan_gp")}
        experiments.write(NAME, result)
    else:
        runs_by_game = result.setdefault("runs", {})
        experiments.fill(NAME, result, runs_by_game, given.games, given.seeds, trained)
    experiments.write_tables("stability.md", {NAME: table(result)})


def trained(game, seed):
    """Returns the recall of a run, and what the watch told."""
    with tempfile.TemporaryDirectory() as scratch:
        words = _words(game, seed)
        if game in STARTS:
            first = f"{scratch}/start"
            experiments.run(_words(STARTS[game], seed), first, JUDGING)
            words.insert(1, f"--init_from={first}/run")
        told = experiments.run(words, scratch, JUDGING)
    return {**told, "command": told["command"].replace(f"{scratch}/", "")}


def _words(game, seed):
    variant, steps, options = GAMES[game]
    words = [f"--variant={variant}", f"--steps={steps}", f"--seed={seed}"]
    return [*words, "--set", *options] if options else words


def cost(row):
    """Returns the share of a row's run, of its own length, that the watch takes."""
    spent = []

    class Timed(callbacks.CollapseWatch):
        def after_step(self, logs):
            began = time.perf_counter()
            super().after_step(logs)
            if self.step % self.every == 0:
                spent.append(time.perf_counter() - began)

    usual, callbacks.CollapseWatch = callbacks.CollapseWatch, Timed
    try:
        with tempfile.TemporaryDirectory() as scratch:
            where = {name: pathlib.Path(scratch, name) for name in ("run_dir", "export_dir")}
            result = training.train(row, steps=oversight.WATCHED, **where)
            rows = runs.read_json_lines(result.run_dir / runs.METRICS_FILE)
    finally:
        callbacks.CollapseWatch = usual
    losses = [one for one in rows if "d_loss" in one][1:]  # the first has the start in it
    step = (losses[-1]["seconds"] - losses[0]["seconds"]) / (losses[-1]["step"] - losses[0]["step"])
    steps = registry.load(row).steps
    looks = steps // oversight.look_every(steps)
    look = sorted(spent)[len(spent) // 2]
    rules = judging(steps // oversight.log_every(steps), looks, rows)
    share = (looks * look + rules) / (steps * step)
    return {"steps": steps, "step_ms": 1e3 * step, "look_ms": 1e3 * look, "share": share}


def judging(rows, looks, log):
    """Returns the seconds that the rules take over a log of so many rows and looks."""
    history = failures.History(rows, 56.0)
    losses = next(one for one in log if "d_loss" in one)
    began = time.perf_counter()
    for index in range(rows):
        history.read({**losses, "step": index})
        if index % max(1, rows // looks) == 0:
            history.read({"step": index, failures.DIVERSITY: 0.9, failures.ENTROPY: 0.9})
    return time.perf_counter() - began


def table(result):
    """Returns Markdown: the games, what they came to and what was told; the rates; the cost."""
    rows, kinds = [], {True: [], False: []}
    for game, at in result.get("runs", {}).items():
        runs = at.values()
        recalls = [_recall(run) for run in runs]
        for recall, run in zip(recalls, runs, strict=True):
            # One that ends at a number that is not finite is told by the error.
            kinds[recall < FAILED].append(bool(run["told"]) or "Remedies" in run.get("failure", ""))
        said = sorted({one["failure"] for run in runs for one in run["told"]})
        said += sorted({run["failure"].partition(";")[0] for run in runs if "failure" in run})
        told = sum(bool(run["told"]) for run in runs)
        shown = ", ".join(f"{recall:.2f}" for recall in recalls)
        rows.append([game, GAMES[game][1], shown, f"{told} of {len(at)}", "; ".join(said)])
    lines = experiments.markdown(["game", "steps", "recall", "told", "failures"], rows)
    failed, well = kinds[True], kinds[False]
    lines += ["", f"Of {len(failed)} runs that failed (recall below {FAILED}) {sum(failed)} were "]
    lines[-1] += f"told; of {len(well)} that did not, {sum(well)}."
    for row, one in result.get("cost", {}).items():
        lines += ["", f"`{row}`, {one['steps']:,} steps of {one['step_ms']:.1f} ms, "]
        lines[-1] += f"a look {one['look_ms']:.0f} ms: {100 * one['share']:.2f} % of the run."
    return lines


def _recall(run):
    """Returns the recall of a run, 0 where it has broken off."""
    return run.get("metrics", {}).get("precision_recall", {"recall": 0.0})["recall"]


if __name__ == "__main__":
    main()
