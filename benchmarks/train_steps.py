"""How long does one training step take, beside plain Keras and PyTorch on the same work?

    python benchmarks/train_steps.py [--torch_python=PATH] [--workloads mlp_gan ...] [--check]

First the check: from the same weights, on the same pictures and noise, every contender must do as
much work and come to the same losses. Then the times: one process for each contender, a few steps
of one after a few of the other, so that all see the same machine; the others wait for a line on
standard input, and what they use of the processor meanwhile is told (`waiting_cpu_s`). Writes
docs/results/train_steps.json, workload by workload, and the table of docs/performance.md.
"""

import argparse
import contextlib
import pathlib
import statistics
import sys
import tempfile

from peers import child, process, workloads

from tfgans import runs

OUT = process.results_of("train_steps.py")
PEERS = ("plain_keras", "pytorch", "pytorch_compile")  # ours is to beat the fastest, in float32
WARM_UP, TURNS, STEPS_IN_A_TURN = 3, 8, 5

# Differences of a loss from ours, in parts of the largest that it has: in the first step, and in
# all, in which rounding has grown.
FIRST, FIRST_LOOSE, ALL = 1e-3, 2e-2, 5e-2
# A step may have this share of ours: what ours leaves out makes no difference (NOTES).
FLOPS = {"sngan_resnet": (0.95, 2.0), "wgan_gp": (0.95, 1.2)}
FLOPS_ELSE = (0.95, 1.05)

NOTES = {
    "ours": "the compiled train_step of the row of the zoo, without schedule and average",
    "ours_fit": "its fit on the pipeline of tfgans.data, from one step's end to the next one's",
    "plain_keras": "the compiled train_step that the guides of Keras would have; stock layers",
    "pytorch": "eager, channels last, fused Adam",
    "pytorch_compile": "both losses and their gradients compiled, the gradient penalty included",
    "ours_bfloat16": "as ours, under the policy mixed_bfloat16",
    "pytorch_bfloat16": "eager, under torch.autocast",
    "flops": "two for each multiplication with addition in matrix products and convolutions of one "
    "step, forward and backward. TensorFlow: in the traced graph, without what it prunes and "
    "without branches (where Keras' SpectralNormalization iterates). PyTorch: in an eager step, "
    "by the formulas of torch.utils.flop_counter. Ours has less on sngan_resnet: a 3x3 kernel "
    "before a mean of 2x2 or after a doubling is one of 4x4 and stride 2, and a 1x1 kernel works "
    "on the smaller map. It has less on wgan_gp: the others take the derivative of the gradient "
    "penalty back through activations, as zeros.",
    "losses": "plain_keras on sngan_resnet is compared as loosely as bfloat16: the stock layer "
    "overwrites the kernel in every pass and takes no gradient through sigma. pytorch_bfloat16 "
    "there may differ by as much in the first step as others in all: autocast takes sigma in "
    "bfloat16.",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(workloads.WORKLOADS)
    parser.add_argument("--workloads", nargs="+", choices=names, default=names, help="default all")
    parser.add_argument("--torch_python", default=sys.executable, help="Python with PyTorch in it")
    parser.add_argument("--check", action="store_true", help="time nothing; default off")
    parser.add_argument("--tiny", action="store_true", help="test-sized networks; default off")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="default docs/results")
    options = parser.parse_args()
    process.over_workloads(
        "train_steps.py",
        options,
        names,
        {"notes": NOTES},
        lambda name: played(name, options),
        table,
    )


def played(name, options):
    """Returns all that is known of one workload: the check, the times, and where it was."""
    workload = workloads.game(name, options.tiny)
    with tempfile.TemporaryDirectory() as folder:
        workloads.prepare(workload, folder)

        def start(contender):
            return process.Child(contender, name, folder, options)

        check, environment = checked(name, start)
        equal = all(row.get("equal", False) for row in check.values())
        found = {"batch": workload.batch, "n_critic": workload.n_critic}
        found |= {"tiny": options.tiny, "equal": equal, "check": check}
        if options.check:
            return found
        times = {"git_revision": runs.git_revision(), "machine": process.machine(), **environment}
        return {**found, **times, "contenders": timed(workload, start)}


def checked(name, start):
    """Has each contender play the same steps; returns what came of it and their environments."""
    facts, environment = {}, {}
    for contender in child.CONTENDERS:
        if contender == "ours_fit":  # the model of `ours`
            continue
        print(f"{name}: checking {contender}", file=sys.stderr)
        with start(contender) as played:
            try:
                if contender == "ours":
                    played.ask("export")
                if contender in ("ours", "pytorch"):
                    environment[contender] = played.ask("environment")
                facts[contender] = facts_of(played.ask)
            except process.ContenderError as error:
                facts[contender] = {"error": str(error)}
    if "error" in facts["ours"]:
        sys.exit(f"{name}: ours failed: {facts['ours']['error']}")
    compare = {one: compared(name, one, row, facts["ours"]) for one, row in facts.items()}
    return compare, {"environment": environment}


def facts_of(ask):
    """Returns the losses of the check and the work that a step is."""
    losses = ask("check")
    curves = {key: [float(f"{step[key]:.6g}") for step in losses] for key in losses[0]}
    return {"losses": curves, **{key: ask(key) for key in ("updates", "parameters", "flops")}}


def compared(name, contender, facts, ours):
    """Returns the facts, how far the losses are from ours, and whether all is equal."""
    if "error" in facts:
        return facts
    loose = contender.endswith("bfloat16") or (name, contender) == ("sngan_resnet", "plain_keras")
    limits = {"first": FIRST_LOOSE if loose else FIRST, "all": ALL}
    if (name, contender) == ("sngan_resnet", "pytorch_bfloat16"):
        limits["first"] = ALL
    steps = []
    for key, curve in ours["losses"].items():
        pairs = zip(facts["losses"][key], curve, strict=True)
        steps.append([abs(theirs - own) / max(map(abs, curve)) for theirs, own in pairs])
    away = {"first": max(curve[0] for curve in steps), "all": max(map(max, steps))}
    ratio = facts["flops"] / ours["flops"]
    equal = all(facts[key] == ours[key] for key in ("updates", "parameters"))
    least, most = FLOPS.get(name, FLOPS_ELSE)
    equal = equal and least <= ratio <= most and all(away[key] <= limits[key] for key in limits)
    differs = {"losses_differ": away, "at_most": limits, "flops_to_ours": ratio}
    return {"equal": equal, **differs, **facts}


def timed(workload, start):
    """Times all contenders in turns; returns a row for each."""
    turn = max(STEPS_IN_A_TURN, workload.steps // TURNS)
    with contextlib.ExitStack() as stack:
        processes = {one: stack.enter_context(start(one)) for one in child.CONTENDERS}
        counts = [WARM_UP, *[turn] * -(-workload.steps // turn)]
        questions = [{"do": "timed", "count": count} for count in counts]
        answers, errors = process.in_turns(processes, questions)
    rows = {one: errors.get(one) or row(answers[one][1:], processes[one]) for one in processes}
    process.tell_ratios(rows, PEERS)
    if not errors.keys() & {"ours", "ours_fit"}:
        rows["ours_fit"]["over_ours"] = rows["ours_fit"]["mean_s"] / rows["ours"]["mean_s"] - 1
    return rows


def row(answers, played):
    """Returns the figures of one contender's timed turns, in seconds."""
    seconds = [second for answer in answers for second in answer["seconds"]]
    figures = {"median_s": statistics.median(seconds), "minimum_s": min(seconds)}
    figures |= {"mean_s": statistics.fmean(seconds), "steps": len(seconds)}
    for key in ("first_step_s", "end_s"):  # of `fit`
        if key in answers[0]:
            figures[key] = statistics.median(answer[key] for answer in answers)
    return {**figures, "waiting_cpu_s": played.waiting_cpu_s}


def table(result):
    """Returns a line of Markdown for each workload and contender."""

    def cells(row):
        return [*(f"{1000 * row[key]:.1f}" for key in ("median_s", "minimum_s")), row["steps"]]

    rows = {name: found.get("contenders", {}) for name, found in result["workloads"].items()}
    return process.table_of_contenders(rows, ("median, ms", "least, ms", "steps"), cells)


if __name__ == "__main__":
    main()
