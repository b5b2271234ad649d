"""Two learning rates, or five critic steps? The same networks and loss for the same time.

    python tools/two_time_scales.py [--seeds 0 1 2]

`wgan_gp_paper` takes five critic steps for each of the generator's at one rate, `ttur` one of each
at two rates; a third has one of each at one rate, 1e-4. Each is judged after the time that the
first needs for its steps, by the times of a step that all have side by side. Writes
docs/results/two_time_scales.json, skips what is there, and a table of docs/ideas.md.
"""

import argparse
import json
import tempfile

import experiments

AVERAGED = {"ema_decay": 0.999}
WAYS = {
    "five critic steps, 1e-4": ("wgan_gp_paper", AVERAGED),
    "two rates, 1e-4 and 3e-4": ("ttur", AVERAGED),
    "one rate, 1e-4": ("ttur", {**AVERAGED, "d_optimizer.learning_rate": 1e-4}),
}
FIRST = next(iter(WAYS))
NAME = "two_time_scales"
COLUMNS = {
    "FID": ("fid", "value"),
    "precision": ("precision_recall", "value"),
    "recall": ("precision_recall", "recall"),
}


def main():
    """Trains and judges what is missing, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="default 0 1 2")
    parser.add_argument("--steps", type=int, default=1200, help="of the first; default 1200")
    given = parser.parse_args()
    result = experiments.read(NAME)
    times = result.get("step_ms") or experiments.step_times(WAYS, "digits")
    result["step_ms"] = times
    for seed in map(str, given.seeds):
        at = result.setdefault("runs", {}).setdefault(seed, {})
        for way in WAYS:
            if way not in at:
                at[way] = trained(way, seed, round(given.steps * times[FIRST] / times[way]))
                experiments.write(NAME, result)
    experiments.write_tables("ideas.md", {NAME: table(result)})


def trained(way, seed, steps):
    """Returns the figures of a way after so many steps."""
    variant, options = WAYS[way]
    words = [f"--variant={variant}", f"--seed={seed}", "--batch_size=64", f"--steps={steps}"]
    words += ["--set", *(f"{key}={json.dumps(value)}" for key, value in options.items())]
    with tempfile.TemporaryDirectory() as scratch:
        return experiments.run(words, scratch)


def table(result):
    """Returns Markdown: a way a row."""
    rows = []
    for way in WAYS:
        runs = [runs[way] for runs in result["runs"].values() if way in runs]
        steps = experiments.spread([run.get("steps", 0) for run in runs], 0)
        time = f"{result['step_ms'][way]:.0f}"
        rows.append([way, time, steps, *experiments.figures(runs, COLUMNS)])
    return experiments.markdown(["way", "ms a step", "generator steps", *COLUMNS], rows)


if __name__ == "__main__":
    main()
