"""What does each loss, and each trick, do to the perceptrons of text 002 in three minutes?

    python tools/perceptrons.py [--seeds 0] [--minutes 3] [--games ...]

The networks of text 002 (784-256-256-1 and 64-256-256-784) on the digits, in batches of 100: every
loss of the zoo alone, and the non-saturating game with each trick. A game is given as many steps as
its speed, taken from a short run before, allows. A run with a recall below a tenth has collapsed.
Writes docs/results/perceptrons.json, run by run, skips what is there, and a table of
docs/stability.md.
"""

import argparse
import json
import pathlib
import tempfile

import experiments

# Adam of text 002's recipe for all, so that the losses alone differ.
RATES = [f"{player}_optimizer.learning_rate=0.0002" for player in "gd"]
LOSSES = {
    "gan": ("gan", []),
    "nsgan": ("nsgan", []),
    "lsgan": ("lsgan", []),
    "wgan": ("wgan_mlp", []),
    "wgan_gp": ("wgan_gp", []),
    "hinge, spectral norm": ("hinge", ["discriminator.spectral_norm=true"]),
    "r1gan": ("r1gan", []),
    "dragan": ("dragan", []),
    "roth": ("roth", []),
    "lgan": ("lgan", []),
    **{
        f"fgan, {divergence}": ("fgan", [f"divergence={divergence}"])
        for divergence in ("kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon")
    },
    "unrolled, 5 steps": ("unrolled", []),
    "gmmn": ("gmmn", []),
}
TRICKS = {
    "instance noise": ["instance_noise=0.1"],
    "label smoothing": ["real_target=0.9"],
    "feature matching": ["feature_weight=1.0"],
    "historical averaging": ["historical_weight=0.001"],
    "weight penalty": ["kernel_weight=0.0001"],
    "minibatch discrimination": ["discriminator.minibatch_discrimination=50"],
    "packs of two": ["discriminator.packing=2"],
    "alternation": ["alternate_every=40"],
    "spectral norm": ["discriminator.spectral_norm=true"],
    "an averaged generator": ["ema_decay=0.999"],
}
GAMES = {**LOSSES, **{f"nsgan, {name}": ("nsgan", words) for name, words in TRICKS.items()}}
FILE = """from tfgans import registry
from tfgans.networks import mlp

row = registry.load("{variant}")
players = {{"generator": mlp.generator, "discriminator": mlp.discriminator}}
VARIANTS = (row.on(**{{name: players[name] for name in row.networks}}),)
"""
COLLAPSED = 0.1  # recall below which a run has
PROBE = 1000  # steps that a game's speed is taken from
NAME = "perceptrons"
JUDGING = "--metrics=fid,precision_recall,one_nn_accuracy,mmd"
COLUMNS = {
    "FID": ("fid", "value"),
    "precision": ("precision_recall", "value"),
    "recall": ("precision_recall", "recall"),
    "1-NN": ("one_nn_accuracy", "value"),
    "1-NN, slides": ("one_nn_accuracy_slides", "value"),
    "MMD, slides": ("mmd_slides", "value"),
}


def main():
    """Trains and judges what is missing, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="default 0")
    parser.add_argument("--minutes", type=float, default=3.0, help="of each run; default 3")
    parser.add_argument("--games", nargs="+", default=list(GAMES), help="default all")
    given = parser.parse_args()
    result = experiments.read(NAME)
    for game in given.games:
        for seed in given.seeds:
            at = result.setdefault(game, {})
            if str(seed) not in at:
                at[str(seed)] = trained(*GAMES[game], seed, given.minutes)
                experiments.write(NAME, result)
    experiments.write_tables("stability.md", {NAME: table(result)})


def trained(variant, options, seed, minutes):
    """Returns the figures of a game after so many minutes."""
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch, f"{variant}_on_perceptrons.py")
        file.write_text(FILE.format(variant=variant), "utf-8")
        rates = [word for word in RATES if variant != "gmmn" or word.startswith("g_")]
        words = [f"--variant={file}", f"--seed={seed}", "--batch_size=100"]
        words += ["--set", *rates, *options]
        probe = experiments.run([*words, f"--steps={PROBE}"], f"{scratch}/probe", JUDGING)
        if "failure" in probe:
            return {**probe, "command": probe["command"].replace(scratch, ".")}
        first, *_, last = experiments.read_log(f"{scratch}/probe")
        pace = (last["step"] - first["step"]) / (last["seconds"] - first["seconds"])
        steps = round(60.0 * minutes * pace)
        found = experiments.run([*words, f"--steps={steps}"], scratch, JUDGING)
        card = pathlib.Path(scratch, "export", "card.json")
        told = json.loads(card.read_text("utf-8"))["failures"] if card.exists() else []
    command = found["command"].replace(scratch, ".")  # a file of four lines, as FILE says
    return {**found, "command": command, "told": [one["failure"] for one in told]}


def table(result):
    """Returns Markdown: a game a row."""
    rows = []
    for game, at in result.items():
        runs = list(at.values())
        recalls = [run["metrics"]["precision_recall"]["recall"] for run in runs if "metrics" in run]
        fate = "collapsed" if recalls and min(recalls) < COLLAPSED else ""
        told = sorted({failure for run in runs for failure in run.get("told", [])})
        steps = experiments.spread([run["steps"] for run in runs if "steps" in run], 0)
        rows.append([game, steps, *experiments.figures(runs, COLUMNS), fate, "; ".join(told)])
    return experiments.markdown(["game", "steps", *COLUMNS, "", "the watch"], rows)


if __name__ == "__main__":
    main()
