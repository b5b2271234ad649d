"""What does each optimisation give? Ours beside ours without it, and with others that do not pay.

    python benchmarks/ablations.py [--workloads wgan_gp ...]

Each is a process of its own, timed in turns as in `train_steps.py`. Writes
docs/results/ablations.json, workload by workload, and a table of docs/performance.md.
"""

import argparse
import contextlib
import pathlib
import statistics
import sys
import tempfile

from peers import child, process, workloads

from tfgans import runs

OUT = process.results_of("ablations.py")
STEPS = {"mlp_gan": 300, "wgan_gp": 20, "dcgan64": 10, "sngan_resnet": 6}
TURNS, WARM_UP = 4, 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(workloads.WORKLOADS)
    parser.add_argument("--workloads", nargs="+", choices=names, default=names, help="default all")
    parser.add_argument("--tiny", action="store_true", help="test-sized networks; default off")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="default docs/results")
    options = parser.parse_args()
    options.torch_python = sys.executable
    told = {"changes": child.CHANGES}
    process.over_workloads(
        "ablations.py", options, names, told, lambda name: timed(name, options), table
    )


def timed(name, options):
    """Returns the median of each contender's steps in seconds, and where it was."""
    workload = workloads.game(name, options.tiny)
    turn = max(1, STEPS[name] // TURNS)
    questions = [{"do": "timed", "count": count} for count in [WARM_UP, *[turn] * TURNS]]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        workloads.prepare(workload, folder)
        processes = {
            one: stack.enter_context(process.Child(one, name, folder, options))
            for one in ("ours", *child.CHANGES)
        }
        answers, errors = process.in_turns(processes, questions)
    rows = {}
    for one in processes:
        if one in errors:
            rows[one] = errors[one]
            continue
        seconds = [second for answer in answers[one][1:] for second in answer["seconds"]]
        rows[one] = {"median_s": statistics.median(seconds), "steps": len(seconds)}
        rows[one]["to_ours"] = rows[one]["median_s"] / rows["ours"]["median_s"]
    where = {"git_revision": runs.git_revision(), "machine": process.machine()}
    return {"tiny": options.tiny, **where, "rows": rows}


def table(result):
    """Returns a line of Markdown for each change, with a column for each workload."""
    games = list(result["workloads"])
    lines = []
    for change, meaning in result["changes"].items():
        rows = [result["workloads"][game]["rows"][change] for game in games]
        ratios = [f"{row['to_ours']:.2f}" if "to_ours" in row else "fails" for row in rows]
        lines.append((f"`{change}`", meaning, *ratios))
    medians = [result["workloads"][game]["rows"]["ours"]["median_s"] for game in games]
    ours = ("`ours`, ms", "", *(f"{1000 * median:.1f}" for median in medians))
    return process.rows_of(
        ("step in times ours", "", *(f"`{game}`" for game in games)), [ours, *lines]
    )


if __name__ == "__main__":
    main()
