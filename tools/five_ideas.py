"""From GAN to SAGAN in five ideas: what does each, added in turn, do to the digits?

    python tools/five_ideas.py [--seeds 0 1 2] [--steps 3000] [--dataset digits]

Depth and convolution, classes, spectral normalisation, two time scales, self-attention: each a row
of the zoo with options, trained for as many steps, and on to the time that the last one needs for
these. Writes docs/results/five_ideas.json, idea by idea and seed by seed, skips what is there, and
writes a table of docs/ideas.md.
"""

import argparse
import json
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
    for seed in given.seeds:
        for idea in [LAST, *IDEAS]:  # the last one first: its time is that of all
            at = runs.setdefault(str(seed), {})
            if idea not in at:
                at[idea] = trained(idea, seed, given, at.get(LAST))
                experiments.write(NAME, result)
    experiments.write_tables("ideas.md", {NAME: table(result)})


def trained(idea, seed, given, last):
    """Returns the figures of an idea at equal steps, and at the time that the last one took."""
    variant, options = IDEAS[idea]
    words = [f"--variant={variant}", f"--seed={seed}", f"--dataset={given.dataset}"]
    words += ["--batch_size=64"]
    words += [f"--image_size={given.image_size}"] if given.image_size else []
    if given.dataset != "digits" and variant != "nsgan":
        options = {**options, **NARROW}
    settings = [f"{key}={json.dumps(value)}" for key, value in options.items()]
    words += ["--set", *settings] if settings else []
    with tempfile.TemporaryDirectory() as scratch:
        equal_steps = experiments.run([*words, f"--steps={given.steps}"], scratch)
        if last is None or "failure" in equal_steps or "failure" in last["equal_steps"]:
            return {"equal_steps": equal_steps, "equal_time": equal_steps}
        ratio = last["equal_steps"]["seconds"] / equal_steps["seconds"]
        if ratio <= 1.05:
            return {"equal_steps": equal_steps, "equal_time": equal_steps}
        longer = round(given.steps * min(ratio, MOST))
        again = [f"--variant={variant}", "--resume", f"--steps={longer}"]
        equal_time = experiments.run(again, scratch)
    return {"equal_steps": equal_steps, "equal_time": equal_time}


def table(result):
    """Returns Markdown: an idea a row, its figures at equal steps and at equal time."""
    lines = []
    for key, entry in result.items():
        seeds = ", ".join(entry["runs"])
        lines += ["", f"### {key}: {entry['steps']:,} steps, seed(s) {seeds}", ""]
        head = ["idea", "minutes", *COLUMNS, "steps in equal time", *COLUMNS]
        rows = []
        for idea in IDEAS:
            runs = [run[idea] for run in entry["runs"].values() if idea in run]
            steps, time = ([run[kind] for run in runs] for kind in ("equal_steps", "equal_time"))
            minutes = experiments.spread([one.get("seconds", 0) / 60 for one in steps], 1)
            cells = [idea, minutes, *experiments.figures(steps, COLUMNS)]
            cells += [experiments.spread([one.get("steps", 0) for one in time], 0)]
            rows.append([*cells, *experiments.figures(time, COLUMNS)])
        lines += experiments.markdown(head, rows)
    return lines


if __name__ == "__main__":
    main()
