"""From GAN to SAGAN in five ideas: what does each, added in turn, do to the digits?

    python tools/five_ideas.py [--seeds 0 1 2] [--steps 3000] [--dataset digits]

Depth and convolution, classes, spectral normalisation, two time scales, self-attention: each a row
of the zoo with options, trained for as many steps, and on to as many as fit into the time that the
last one needs for these, by the times of a step that all of them have side by side. Writes
docs/results/five_ideas.json, idea by idea and seed by seed, skips what is there, and writes a table
of docs/ideas.md.
"""

import argparse
import json
import pathlib
import tempfile

import experiments

SLOWER = {"g_optimizer.learning_rate": 1e-4, "d_optimizer.learning_rate": 4e-4}
NORMALISED = {"discriminator.batch_norm": False, "discriminator.spectral_norm": True}
ATTENTIVE = {"generator.attention": 14, "discriminator.attention": 14}
# Idea -> (variant, what it sets).
IDEAS = {
    "perceptrons": ("nsgan", {}),
    "+ depth and convolution": ("dcgan", {}),
    "+ classes": ("cgan", {}),
    "+ spectral normalisation": ("cgan", NORMALISED),
    "+ two time scales": ("cgan", NORMALISED | SLOWER),
    "+ self-attention": ("cgan", NORMALISED | SLOWER | ATTENTIVE),
}
NARROW = {"generator.width": 16, "discriminator.width": 16}  # a quarter of DCGAN's at 64 pixels
LAST = list(IDEAS)[-1]
MOST = 20  # times the steps that an idea is trained for at equal time
LEAST = 1.05  # or they are those of equal steps
NAME = "five_ideas"
COLUMNS = {
    "FID": ("fid", "value"),
    "recall": ("precision_recall", "recall"),
    "label accuracy": ("label_accuracy", "value"),
}


def main():
    """Trains and judges what is missing, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="default 0 1 2")
    parser.add_argument("--steps", type=int, default=3000, help="default 3000")
    parser.add_argument("--dataset", default="digits", help="default digits")
    parser.add_argument("--image_size", type=int, default=None, help="default the data's")
    given = parser.parse_args()
    key = given.dataset if given.image_size is None else f"{given.dataset} {given.image_size}"
    result = experiments.read(NAME)
    runs = result.setdefault(key, {"steps": given.steps, "runs": {}})["runs"]
    times = result[key].get("step_ms") or measured(given)
    result[key]["step_ms"] = times
    for seed in given.seeds:
        for idea in IDEAS:
            at = runs.setdefault(str(seed), {}).setdefault(idea, {})
            ratio = min(times[LAST] / times[idea], MOST)
            with tempfile.TemporaryDirectory() as scratch:
                for kind, longer in (("equal_steps", 1.0), ("equal_time", ratio)):
                    if kind not in at:
                        same = kind == "equal_time" and longer <= LEAST
                        words = words_of(idea, seed, round(given.steps * longer), given, scratch)
                        at[kind] = at["equal_steps"] if same else experiments.run(words, scratch)
                        experiments.write(NAME, result)
    experiments.write_tables("ideas.md", {NAME: table(result)})


def played(idea, dataset):
    """Returns the row of an idea and its options on a data set."""
    variant, options = IDEAS[idea]
    narrow = NARROW if dataset != "digits" and variant != "nsgan" else {}
    return variant, {**options, **narrow}


def measured(given):
    """Returns the milliseconds of a step of each idea."""
    games = {idea: played(idea, given.dataset) for idea in IDEAS}
    return experiments.step_times(games, given.dataset, given.image_size)


def words_of(idea, seed, steps, given, scratch):
    """Returns the options of train.py: it goes on with a run that is there."""
    variant, options = played(idea, given.dataset)
    words = [f"--variant={variant}", f"--seed={seed}", f"--dataset={given.dataset}"]
    words += ["--batch_size=64", f"--steps={steps}"]
    words += [f"--image_size={given.image_size}"] if given.image_size else []
    settings = [f"{key}={json.dumps(value)}" for key, value in options.items()]
    words += ["--resume"] if pathlib.Path(scratch, "run").exists() else []
    return [*words, "--set", *settings] if settings else words


def table(result):
    """Returns Markdown: an idea a row, its figures at equal steps and at equal time."""
    lines = []
    for key, entry in result.items():
        seeds = ", ".join(entry["runs"])
        lines += ["", f"### {key}: {entry['steps']:,} steps, seed(s) {seeds}", ""]
        head = ["idea", "ms a step", *COLUMNS, "steps in equal time", *COLUMNS]
        rows = []
        for idea in IDEAS:
            runs = [run.get(idea, {}) for run in entry["runs"].values()]
            steps, longer = (
                [run[kind] for run in runs if kind in run] for kind in ("equal_steps", "equal_time")
            )
            cells = [idea, f"{entry['step_ms'][idea]:.0f}", *experiments.figures(steps, COLUMNS)]
            cells += [experiments.spread([one["steps"] for one in longer if "steps" in one][:1], 0)]
            rows.append([*cells, *experiments.figures(longer, COLUMNS)])
        lines += experiments.markdown(head, rows)
    return lines


if __name__ == "__main__":
    main()
