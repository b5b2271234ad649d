"""Two learning rates, or five critic steps? The same networks and loss for the same time.

    python tools/two_time_scales.py [--seeds 0 1 2]

`wgan_gp_paper` takes five critic steps for each of the generator's at one rate, `ttur` one of each
at two rates; a third has one of each at one rate, 1e-4. Each is judged after the time that the
first needs for its steps. Writes docs/results/two_time_scales.json, skips what is there, and a
table of docs/ideas.md.
"""

import argparse
import tempfile

import experiments

AVERAGED = "ema_decay=0.999"
WAYS = {
    "five critic steps, 1e-4": ("wgan_gp_paper", [AVERAGED]),
    "two rates, 1e-4 and 3e-4": ("ttur", [AVERAGED]),
    "one rate, 1e-4": ("ttur", [AVERAGED, "d_optimizer.learning_rate=1e-4"]),
}
FIRST = next(iter(WAYS))
PROBE = 300  # steps that a way's speed is taken from
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
    for seed in map(str, given.seeds):
        at = result.setdefault(seed, {})
        for way in WAYS:
            if way not in at:
                at[way] = trained(way, seed, given.steps, at.get(FIRST))
                experiments.write(NAME, result)
    experiments.write_tables("ideas.md", {NAME: table(result)})


def trained(way, seed, steps, first):
    """Returns the figures of a way after as much time as the first took."""
    variant, options = WAYS[way]
    words = [f"--variant={variant}", f"--seed={seed}", "--batch_size=64", "--set", *options]
    if first is not None:
        if "failure" in first:
            return {"failure": "the first failed"}
        with tempfile.TemporaryDirectory() as scratch:
            probe = experiments.run([*words, f"--steps={PROBE}"], scratch)
        if "failure" in probe:
            return probe
        steps = round(PROBE * first["seconds"] / probe["seconds"])
    with tempfile.TemporaryDirectory() as scratch:
        return experiments.run([*words, f"--steps={steps}"], scratch)


def table(result):
    """Returns Markdown: a way a row."""
    rows = []
    for way in WAYS:
        runs = [runs[way] for runs in result.values() if way in runs]
        minutes = experiments.spread([run.get("seconds", 0) / 60 for run in runs], 1)
        steps = experiments.spread([run.get("steps", 0) for run in runs], 0)
        rows.append([way, minutes, steps, *experiments.figures(runs, COLUMNS)])
    return experiments.markdown(["way", "minutes", "generator steps", *COLUMNS], rows)


if __name__ == "__main__":
    main()
