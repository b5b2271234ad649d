"""Does the collapse watch tell the games that fail, and leave the others alone?

    python tools/collapse.py [--seeds 0 1] [--games "nsgan, fast generator" ...]

Trains small networks on the digits, by games that should go well and games made to fail, each way
that the watch knows. What a run came to is measured, not taken for granted: it has failed if its
recall at the end is below a twentieth. Writes docs/results/collapse.json, run by run, skips what is
there, and a table of docs/stability.md. `--cost` measures what the watch costs instead.
"""

import argparse
import json
import pathlib
import tempfile
import time

import experiments

from tfgans import callbacks, oversight, registry, runs, training

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
}
NAME = "collapse"
COST_STEPS = 500  # of the runs whose time is taken


def main():
    """Trains and judges what is missing, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1], help="default 0 1")
    parser.add_argument("--games", nargs="+", default=list(GAMES), help="default all")
    parser.add_argument("--cost", nargs="*", metavar="ROW", help="rows whose watch is timed")
    given = parser.parse_args()
    result = experiments.read(NAME)
    if given.cost is not None:
        result["cost"] = {row: cost(row) for row in given.cost or ("nsgan", "dcgan", "wgan_gp")}
    for game in given.games if given.cost is None else ():
        for seed in given.seeds:
            at = result.setdefault("runs", {}).setdefault(game, {})
            if str(seed) not in at:
                at[str(seed)] = trained(*GAMES[game], seed)
                experiments.write(NAME, result)
    experiments.write(NAME, result)
    experiments.write_tables("stability.md", {NAME: table(result)})


def trained(variant, steps, options, seed):
    """Returns the recall of a run, and what the watch told."""
    words = [f"--variant={variant}", f"--steps={steps}", f"--seed={seed}"]
    words += ["--set", *options] if options else []
    with tempfile.TemporaryDirectory() as scratch:
        found = experiments.run(words, scratch, "--metrics=precision_recall")
        card = pathlib.Path(scratch, "export", "card.json")
        told = json.loads(card.read_text("utf-8"))["failures"] if card.exists() else []
    return {**found, "told": told}


def cost(row):
    """Returns the share of a row's run, of its own length, that the watch takes."""
    spent = {"look": [], "row": []}

    class Timed(callbacks.CollapseWatch):
        def after_step(self, logs):
            began = time.perf_counter()
            super().after_step(logs)
            kind = "look" if self.step % self.every == 0 else "row"
            spent[kind].append(time.perf_counter() - began)

    usual, callbacks.CollapseWatch = callbacks.CollapseWatch, Timed
    try:
        with tempfile.TemporaryDirectory() as scratch:
            where = {name: pathlib.Path(scratch, name) for name in ("run_dir", "export_dir")}
            result = training.train(row, steps=COST_STEPS, **where)
            rows = runs.read_json_lines(result.run_dir / runs.METRICS_FILE)
    finally:
        callbacks.CollapseWatch = usual
    seconds = [one["seconds"] for one in rows if "d_loss" in one]
    step = (seconds[-1] - seconds[1]) / (COST_STEPS * (1 - 2 / len(seconds)))
    look = sorted(spent["look"])[len(spent["look"]) // 2]
    steps = registry.load(row).steps
    each = sum(spent["row"]) / len(spent["row"])
    share = (oversight.LOOKS * look + steps * each) / (steps * step)
    return {"steps": steps, "step_ms": 1e3 * step, "look_ms": 1e3 * look, "share": share}


def table(result):
    """Returns Markdown: the games, what they came to and what was told; the rates; the cost."""
    games = {
        game: {seed: run for seed, run in at.items() if "metrics" in run}
        for game, at in result.get("runs", {}).items()
    }
    rows, kinds = [], {True: [], False: []}
    for game, at in games.items():
        recalls = [run["metrics"]["precision_recall"]["recall"] for run in at.values()]
        for recall, run in zip(recalls, at.values(), strict=True):
            kinds[recall < FAILED].append(bool(run["told"]))
        said = sorted({one["failure"] for run in at.values() for one in run["told"]})
        told = sum(bool(run["told"]) for run in at.values())
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


if __name__ == "__main__":
    main()
