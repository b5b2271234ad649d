"""How long do 10,000 pictures from the SavedModel take, beside plain Keras and PyTorch?

    python benchmarks/sampling.py [--torch_python=PATH] [--workloads wgan_gp ...]

First the check: from the same weights and the same latents every contender must give the same
pictures. Then the times, each contender in a process of its own, in turns. Writes
docs/results/sampling.json, workload by workload, and a table of docs/performance.md.
"""

import argparse
import contextlib
import pathlib
import statistics
import sys
import tempfile

import numpy as np
from peers import child, process, workloads

from tfgans import runs

OUT = process.results_of("sampling.py")
PEERS = ("predict", "pytorch_sampler", "pytorch_compile_sampler")  # of float32
GAMES = ("wgan_gp", "dcgan64")
CHECKED = 100  # pictures of the check
LEVELS = {"float32": 1, "bfloat16": 16}  # of 255, by which a pixel may differ from ours

NOTES = {
    "saved_model": "tf.saved_model.load and one call of `sample`, which draws, generates and "
    "rounds; nothing of tfgans or Keras is loaded",
    "predict": "Keras' predict on latents in memory, rounded by NumPy",
    "pytorch_sampler": "eager, channels last, under inference_mode; its own latents",
    "pytorch_compile_sampler": "the same compiled",
    "saved_model_bfloat16": "a SavedModel of the model under mixed_bfloat16",
    "pytorch_bfloat16_sampler": "eager, under torch.autocast",
    "batches": f"all work in batches of {workloads.SAMPLES_AT_ONCE}",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workloads", nargs="+", choices=GAMES, default=GAMES, help="default both")
    parser.add_argument("--torch_python", default=sys.executable, help="Python with PyTorch in it")
    parser.add_argument("--num", type=int, default=10_000, help="pictures, default 10000")
    parser.add_argument("--repeats", type=int, default=5, help="default 5")
    parser.add_argument("--tiny", action="store_true", help="test-sized networks; default off")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="default docs/results")
    options = parser.parse_args()
    process.over_workloads(
        "sampling.py", options, GAMES, {"notes": NOTES}, lambda name: played(name, options), table
    )


def played(name, options):
    """Returns all that is known of one workload: the check, the times, and where it was."""
    workload = workloads.game(name, options.tiny)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        workloads.prepare(workload, folder)
        for exporter in ("ours", "ours_bfloat16"):
            with process.Child(exporter, name, folder, options) as ours:
                ours.ask("export")
                ours.ask("export_saved_model")
                environment = ours.ask("environment")
        processes = {
            one: stack.enter_context(process.Child(one, name, folder, options))
            for one in child.SAMPLERS
        }
        questions = [
            {"do": "pictures", "count": CHECKED},
            {"do": "sampled", "count": min(options.num, 500)},  # compiles
            *[{"do": "sampled", "count": options.num}] * options.repeats,
        ]
        answers, errors = process.in_turns(processes, questions)
    if "saved_model" in errors:
        sys.exit(f"{name}: ours failed: {errors['saved_model']['error']}")
    ours = np.array(answers["saved_model"][0])
    rows = {
        one: errors.get(one) or row(one, answers[one], ours, options.num, processes[one])
        for one in processes
    }
    process.tell_ratios(rows, PEERS)
    equal = all(line.get("equal", False) for line in rows.values())
    facts = {"git_revision": runs.git_revision(), "machine": process.machine(), **environment}
    return {"pictures": options.num, "tiny": options.tiny, "equal": equal, **facts, "rows": rows}


def row(name, answers, ours, num, played):
    """Returns the figures of one contender."""
    pictures, _, *seconds = answers
    differ = np.abs(np.array(pictures, float) - ours)
    at_most = LEVELS["bfloat16" if "bfloat16" in name else "float32"]
    figures = {"median_s": statistics.median(seconds), "minimum_s": min(seconds)}
    figures |= {"pictures_per_s": num / figures["median_s"], "repeats": len(seconds)}
    figures |= {"equal": bool(differ.max() <= at_most), "levels_differ": differ.max()}
    return {**figures, "levels_at_most": at_most, "waiting_cpu_s": played.waiting_cpu_s}


def table(result):
    """Returns a line of Markdown for each workload and contender."""

    def cells(row):
        times = [f"{row[key]:.2f}" for key in ("median_s", "minimum_s")]
        return [*times, f"{row['pictures_per_s']:.0f}"]

    rows = {name: found["rows"] for name, found in result["workloads"].items()}
    return process.table_of_contenders(rows, ("median, s", "least, s", "pictures/s"), cells)


if __name__ == "__main__":
    main()
