"""Which still train at higher learning rates? Both rates times 1, 4 and 16.

    python tools/learning_rates.py [--steps 2000]

Rows `dcgan`, `sngan`, `sagan` at their papers' rates and above, seed 0. A run that stops at a
number that is not finite has failed; one with a recall below a tenth has collapsed; one with more
than twice the FID that the paper's rates come to is spoiled. Writes
docs/results/learning_rates.json and pictures beside it, skips what is there, and a table of
docs/ideas.md.
"""

import argparse
import math
import pathlib
import subprocess
import sys
import tempfile

import experiments
import numpy as np

RATES = {"dcgan": (2e-4, 2e-4), "sngan": (2e-4, 2e-4), "sagan": (1e-4, 4e-4)}
TIMES = (1, 4, 16)
COLLAPSED = 0.1  # recall below which a run has
SPOILED = 2.0  # times the FID at the paper's rates above which it is
SHOWN = 8  # pictures of each run
NAME = "learning_rates"
COLUMNS = {
    "FID": ("fid", "value"),
    "precision": ("precision_recall", "value"),
    "recall": ("precision_recall", "recall"),
}


def main():
    """Trains and judges what is missing, writes table and picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000, help="default 2000")
    given = parser.parse_args()
    result = experiments.read(NAME)
    for row in RATES:
        for times in TIMES:
            key = f"{row} x {times}"
            if key not in result:
                result[key] = trained(row, times, given.steps)
                experiments.write(NAME, result)
    experiments.write_tables("ideas.md", {NAME: table(result)})


def trained(row, times, steps):
    """Returns the figures of a row at so many times its paper's rates, and leaves its pictures."""
    rates = [
        f"{player}_optimizer.learning_rate={times * rate!r}"
        for player, rate in zip("gd", RATES[row], strict=True)
    ]
    words = [f"--variant={row}", f"--steps={steps}", "--set", *rates]
    with tempfile.TemporaryDirectory() as scratch:
        found = experiments.run(words, scratch)
        if "failure" not in found:
            draw(scratch, f"{row}_{times}")
    return found


def draw(scratch, name):
    """Keeps a row of pictures of an export."""
    out = pathlib.Path(scratch, "rows.npz")
    words = [f"--model={scratch}/export", f"--num={SHOWN}", f"--out={out}"]
    command = [sys.executable, "generate.py", *words]
    subprocess.run(command, cwd=experiments.REPO, check=True, stdout=subprocess.DEVNULL)
    from tfgans import images

    sheet = images.grid(np.load(out)["images"], SHOWN, scale=2)
    images.save_png(experiments.RESULTS / "learning_rates" / f"{name}.png", sheet)


def table(result):
    """Returns Markdown: a run a row."""
    rows = []
    for key, run in result.items():
        path = f"results/learning_rates/{key.replace(' x ', '_')}.png"
        cells = ["`" + key.replace(" x", "`, rates x"), _end(run, result[f"{key.split()[0]} x 1"])]
        picture = "" if "failure" in run else f"![]({path})"
        rows.append([*cells, *experiments.figures([run], COLUMNS), picture])
    return experiments.markdown(["row", "ends", *COLUMNS, "pictures"], rows)


def _end(run, usual):
    """Returns what a run came to, beside that at the paper's rates."""
    if "failure" in run:
        return run["failure"]
    if run["metrics"]["precision_recall"]["recall"] < COLLAPSED:
        return "collapsed"
    at_usual = usual.get("metrics", {}).get("fid", {"value": math.inf})["value"]
    return "spoiled" if run["metrics"]["fid"]["value"] > SPOILED * at_usual else "trains"


if __name__ == "__main__":
    main()
