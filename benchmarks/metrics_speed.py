"""How long do the metrics take on 10,000 + 10,000 samples of 2,048 features, and in what memory?

    python benchmarks/metrics_speed.py      # writes docs/results/metrics_speed.json

Each metric runs in a process of its own, so that the peak of memory is its own: `peak_mb` is that
of the process, `peak_before_mb` what Python, the modules and the features had needed by then.
torchmetrics runs beside ours on the same features and threads, where it is installed.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
import warnings

import numpy as np
from peers import process

REPO = process.BENCHMARKS.parent
OUT = process.results_of("metrics_speed.py")
PACKAGES = ("numpy", "scipy", "torch", "torchmetrics")
SEED = 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=10_000, help="rows of each set, default 10000")
    parser.add_argument("--d", type=int, default=2048, help="features, default 2048")
    parser.add_argument("--repeats", type=int, default=3, help="the best counts, default 3")
    parser.add_argument("--names", nargs="+", choices=METRICS, default=list(METRICS))
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help=f"default {OUT}")
    parser.add_argument("--one", choices=METRICS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(options.one, options.n, options.d, options.repeats)))
        return
    rows = {}
    for name in options.names:
        rows[name] = in_a_process(name, options)
        print(json.dumps({name: rows[name]}), file=sys.stderr)
    facts = {"n": options.n, "d": options.d, "repeats": options.repeats, "seed": SEED}
    facts |= {"versions": versions(), "threads": threads(), "metrics": rows}
    command = " ".join(["python benchmarks/metrics_speed.py", *sys.argv[1:]])
    process.write(options.out, {"command": command, **facts})


def in_a_process(name, options):
    sizes = [f"--{key}={getattr(options, key)}" for key in ("n", "d", "repeats")]
    command = [sys.executable, __file__, f"--one={name}", *sizes]
    done = subprocess.run(command, cwd=REPO, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(name, n, d, repeats):
    """Returns the best of the times, the peak memory and the figure itself."""
    prepare, repeated = METRICS[name]
    warnings.simplefilter("ignore", UserWarning)
    try:
        metric = prepare(d)
    except ModuleNotFoundError as error:
        if error.name not in PACKAGES:
            raise
        return {"seconds": None, "note": f"{error.name} is not installed"}
    sets = features(n, d)
    before = process.peak_mb()
    seconds = []
    for _ in range(repeats if repeated else 1):
        start = time.perf_counter()
        value = metric(*sets)
        seconds.append(time.perf_counter() - start)
    memory = {"peak_mb": process.peak_mb(), "peak_before_mb": before}
    numbers = [float(number) for number in np.ravel(value)]
    return {"seconds": round(min(seconds), 3), "runs": len(seconds), **memory, "value": numbers}


def features(n, d):
    """Two sets as a network's last layer gives them: never negative, with a falling spectrum."""
    generator = np.random.default_rng(SEED)
    width = 1.0 / np.sqrt(1.0 + np.arange(d, dtype=np.float32))
    mixing = generator.standard_normal((d, d), np.float32)
    mixing *= (width / np.sqrt(np.square(width).sum()))[:, None]
    sets = []
    for shift in (0.0, 0.1):
        rows = generator.standard_normal((n, d), np.float32) @ mixing
        rows += shift
        sets.append(np.maximum(rows, 0.0, out=rows))
    return sets


def ours(name, **options):
    def prepare(d):
        from tfgans import metrics

        function = getattr(metrics, name)
        return lambda real, fake: function(real, fake, **options)

    return prepare


def with_jackknife(d):
    from tfgans import metrics

    def precision(real, fake):
        return metrics.precision_recall(real, fake).precision

    return lambda real, fake: metrics.jackknife(precision, real, fake)


def torchmetrics_fid(d):
    import torch
    from torchmetrics.image.fid import FrechetInceptionDistance

    class Features(torch.nn.Module):
        """Takes features for pictures; a picture, as it comes to ask for d, is all zeros."""

        num_features = d

        def forward(self, rows):
            return rows if rows.ndim == 2 else torch.zeros(len(rows), d)

    def run(real, fake):
        metric = FrechetInceptionDistance(feature=Features())
        metric.update(torch.from_numpy(real), real=True)
        metric.update(torch.from_numpy(fake), real=False)
        return metric.compute().item()

    return run


def torchmetrics_kid_all_rows(d):
    import torch
    from torchmetrics.image.kid import poly_mmd

    def run(real, fake):
        return poly_mmd(*(torch.from_numpy(rows) for rows in (real, fake))).item()

    return run


def torchmetrics_kid_subsets(d):
    """Its default: the mean over 100 random subsets of 1,000 rows."""
    import torch
    from torchmetrics.image.kid import KernelInceptionDistance

    def run(real, fake):
        size = min(1000, len(real))
        metric = KernelInceptionDistance(feature=torch.nn.Identity(), subset_size=size)
        metric.update(torch.from_numpy(real), real=True)
        metric.update(torch.from_numpy(fake), real=False)
        return [number.item() for number in metric.compute()]

    return run


def versions():
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def threads():
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cores": cores, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set")}


METRICS = {  # what prepares it, and whether to take the best of several runs
    "fid": (ours("fid"), True),
    "fid_infinity": (ours("fid_infinity"), False),
    "precision_recall": (ours("precision_recall"), True),
    "precision_stderr_by_jackknife": (with_jackknife, False),
    "kid": (ours("kid"), True),
    "one_nn": (ours("one_nn_accuracy"), True),
    "torchmetrics_fid": (torchmetrics_fid, True),
    "torchmetrics_kid_all_rows": (torchmetrics_kid_all_rows, True),
    "torchmetrics_kid_subsets": (torchmetrics_kid_subsets, True),
}

if __name__ == "__main__":
    main()
