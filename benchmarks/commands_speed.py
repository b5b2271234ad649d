"""How long does a user wait: for the first step of train.py, and for evaluate.py?

    python benchmarks/commands_speed.py      # writes docs/results/commands_speed.json

`first_step` is from the start of `python train.py --variant=wgan_gp` to the first row of its log,
`evaluate` all of `python evaluate.py` on 10,000 generated and as many real pictures: the packaged
digits, and the same moved by a pixel to each side, against those of the committed generator.
"""

import argparse
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from peers import process

from tfgans import data, runs

REPO = process.BENCHMARKS.parent
OUT = process.results_of("commands_speed.py")
POLL_S = 0.01
MOVES = ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num", type=int, default=10_000, help="pictures judged, default 10000")
    parser.add_argument("--repeats", type=int, default=5, help="starts of train.py, default 5")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="default docs/results")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        starts = [first_step(f"{scratch}/{turn}") for turn in range(options.repeats)]
        judged = evaluation(pathlib.Path(scratch), options.num)
    rows = {"first_step": {"median_s": statistics.median(starts), "all_s": starts}, **judged}
    told = {"command": " ".join(["python benchmarks/commands_speed.py", *sys.argv[1:]])}
    told |= {"machine": process.machine(), **runs.environment()}
    process.write(options.out, {**told, "rows": rows})
    if options.out == OUT:
        process.publish("commands_speed.py", table(rows))


def first_step(scratch):
    """Returns the seconds until a run has logged its first step."""
    where = [f"--run_dir={scratch}/run", f"--export_dir={scratch}/export"]
    log = pathlib.Path(scratch, "run", runs.METRICS_FILE)
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "train.py", "--variant=wgan_gp", "--steps=10", *where],
        cwd=REPO,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as trained:
        while not (log.exists() and log.stat().st_size):
            if trained.poll() is not None:
                raise RuntimeError("train.py has ended before its first step")
            time.sleep(POLL_S)
        return time.perf_counter() - start


def evaluation(scratch, num):
    """Returns the seconds and the peak of memory of evaluate.py."""
    digits = data.open_source("digits", split="train").images()
    moved = np.concatenate([np.roll(digits, move, axis=(1, 2)) for move in MOVES])
    np.savez(scratch / "real.npz", images=moved)
    model = shutil.copytree(REPO / "saved_models" / "zoo" / "wgan_gp", scratch / "model")
    words = [f"--model={model}", f"--dataset={scratch}/real.npz", "--split=train"]
    words += [f"--num={num}", "--features=digits_cnn", "--json"]
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "evaluate.py", *words],
        cwd=REPO,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seconds = time.perf_counter() - start
    peak = process.peak_mb(resource.RUSAGE_CHILDREN)
    return {"evaluate": {"pictures": num, "seconds": seconds, "peak_mb": peak}}


def table(rows):
    """Returns a line of Markdown for each command."""
    starts, judged = rows["first_step"], rows["evaluate"]
    times = ", ".join(f"{seconds:.1f}" for seconds in starts["all_s"])
    lines = [
        ("`train.py --variant=wgan_gp` to its first step", times, f"{starts['median_s']:.1f}", ""),
        (
            f"`evaluate.py`, {judged['pictures']:,} and as many",
            "all metrics, `digits_cnn`",
            f"{judged['seconds']:.1f}",
            judged["peak_mb"],
        ),
    ]
    return process.rows_of(("command", "", "seconds", "peak, MB"), lines)


if __name__ == "__main__":
    main()
