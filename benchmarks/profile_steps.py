"""Where does a training step spend its time? Seconds by TensorFlow operation, from its profiler.

    python benchmarks/profile_steps.py [--workloads wgan_gp ...]

With one operation at a time, so that none is charged for what another does. `products_gflops` is
the rate of all matrix products and convolutions of a step, `limit_gflops` that of one large matrix
product, 2,048 cubed. Writes docs/results/profile_steps.json and a table of docs/performance.md.
"""

import argparse
import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from peers import child, process, workloads

OUT = process.results_of("profile_steps.py")
STEPS = {"mlp_gan": 200, "wgan_gp": 10, "dcgan64": 5, "sngan_resnet": 3}
PRODUCTS = ("Conv2D", "MatMul")
AROUND = ("Run", "Process")  # no operations, but what runs them
SHOWN = 12  # operations of each workload in the table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(workloads.WORKLOADS)
    parser.add_argument("--workloads", nargs="+", choices=names, default=names, help="default all")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="default docs/results")
    parser.add_argument("--one", choices=names, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(profiled(options.one)))
        return
    found = {}
    for name in options.workloads:
        done = subprocess.run(
            [sys.executable, __file__, f"--one={name}"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        found[name] = json.loads(done.stdout.splitlines()[-1])
    command = " ".join(["python benchmarks/profile_steps.py", *sys.argv[1:]])
    process.write(options.out, {"command": command, "machine": process.machine(), "steps": found})
    if options.out == OUT:
        process.publish("profile_steps.py", table(found))


def profiled(name):
    """Returns the milliseconds of each kind of operation in a step, and how often it runs."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        workloads.prepare(workloads.WORKLOADS[name], folder)
        contender = child.made("ours", name, folder, tiny=False)
        contender.timed(3)
        tf.profiler.experimental.start(folder)
        seconds = contender.timed(STEPS[name])["seconds"]
        tf.profiler.experimental.stop()
        (written,) = pathlib.Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(written.read_bytes())
    total, count = collections.Counter(), collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                told = plane.event_metadata[event.metadata_id].name
                kind = told.rsplit(":", 1)[-1].removeprefix("_Mkl").removeprefix("Native")
                if ":" in told and kind.isalnum() and kind not in AROUND:
                    total[kind] += event.duration_ps / 1e9 / len(seconds)
                    count[kind] += 1 / len(seconds)
    products = sum(ms for kind, ms in total.items() if kind.startswith(PRODUCTS))
    rates = {"products_gflops": contender.flops() / products / 1e6, "limit_gflops": limit()}
    rows = {kind: {"ms": ms, "times": count[kind]} for kind, ms in total.most_common(40)}
    return {"median_ms": 1000 * statistics.median(seconds), **rates, "operations": rows}


def limit():
    """Returns how many GFLOP/s a large matrix product in float32 reaches, at best."""
    import tensorflow as tf

    size = 2048
    matrix, best = tf.random.normal((size, size)), float("inf")
    for _ in range(10):
        start = time.perf_counter()
        float(tf.matmul(matrix, matrix)[0, 0])
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def table(found):
    """Returns the share of each kind of operation, with a column for each workload."""
    sums = collections.Counter()
    for step in found.values():
        for kind, row in step["operations"].items():
            sums[kind] += row["ms"] / step["median_ms"]
    rows = []
    for kind, _ in sums.most_common(SHOWN):
        shares = [
            step["operations"].get(kind, {"ms": 0.0})["ms"] / step["median_ms"]
            for step in found.values()
        ]
        rows.append((f"`{kind}`", "", *(f"{100 * share:.1f} %" for share in shares)))
    told = [
        (text, "", *(f"{step[key]:.0f}" for step in found.values()))
        for text, key in (
            ("a step, ms", "median_ms"),
            ("its products, GFLOP/s", "products_gflops"),
            ("a large product, GFLOP/s", "limit_gflops"),
        )
    ]
    head = ("operation", "", *(f"`{name}`" for name in found))
    return process.rows_of(head, [*told, *rows])


if __name__ == "__main__":
    main()
