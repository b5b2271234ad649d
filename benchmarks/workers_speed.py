"""What do two workers of one core each do, beside one process on two cores?

    python benchmarks/workers_speed.py      # writes docs/results/workers_speed.json

Both train `wgan_gp` with five critic steps on batches of 64, workload (b) of `train_steps.py`: one
process with both cores, and two workers on loopback, each held to a core. They run in turn, several
times. A rate is the number of steps between the first and the last row of a run's log by the time
between them, which leaves starting and compiling out. Linux only.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from peers import process

from tfgans import runs

REPO = process.BENCHMARKS.parent
OUT = process.results_of("workers_speed.py")
ADDRESSES = ("127.0.0.1:23711", "127.0.0.1:23712")
WORDS = ("--variant=wgan_gp", "--batch_size=64", "--set", "n_critic=5", "ema_decay=0.0")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=100, help="of each run, default 100")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each, default 3")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help=f"default {OUT}")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))[:2]
    rates: dict[str, list[float]] = {"one": [], "two": []}
    for turn in range(options.repeats):
        for name, places in (("one", [cores]), ("two", [[core] for core in cores])):
            rates[name].append(rate(places, options.steps))
            print(f"{turn}: {name} {rates[name][-1]:.2f} steps/s", file=sys.stderr)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    told = {"command": " ".join(["python benchmarks/workers_speed.py", *sys.argv[1:]])}
    told |= {"steps_per_second": rates, "two_to_one": medians["two"] / medians["one"]}
    told |= {"machine": process.machine(), **runs.environment()}
    process.write(options.out, told)


def rate(places, steps):
    """Trains with a worker on each of the sets of cores; returns steps per second."""
    with tempfile.TemporaryDirectory() as scratch:
        words = [*WORDS, f"--steps={steps}", f"--checkpoint_every={steps}"]
        where = [f"--run_dir={scratch}/run", f"--export_dir={scratch}/export"]
        command = [sys.executable, "train.py", *words, *where]
        started = [start(command, cores, index, len(places)) for index, cores in enumerate(places)]
        if any(worker.wait() for worker in started):
            raise RuntimeError("a worker failed")
        first, *_, last = runs.read_json_lines(pathlib.Path(scratch, "run", runs.METRICS_FILE))
    return (last["step"] - first["step"]) / (last["seconds"] - first["seconds"])


def start(command, cores, index, count):
    """Starts one of `count` processes, held to some cores."""
    told = {"TFGANS_WORKERS": ",".join(ADDRESSES), "JOB_COMPLETION_INDEX": str(index)}
    return subprocess.Popen(
        command,
        cwd=REPO,
        env={**os.environ, **(told if count > 1 else {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )


if __name__ == "__main__":
    main()
