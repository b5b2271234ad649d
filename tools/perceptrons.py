"""What does each loss, and each trick, do to the perceptrons of text 002 in three minutes?

    python tools/perceptrons.py [--seeds 0] [--minutes 3] [--games ...]

The networks of text 002 (784-256-256-1 and 64-256-256-784) on the digits, in batches of 100: every
loss of the zoo alone, and the non-saturating game with each trick, with one optimiser, so that the
losses alone differ. A game is given as many steps as its speed, taken from a short run before,
allows. A run with a recall below a tenth has collapsed, or not begun if precision is as low.
Writes docs/results/perceptrons.json, run by run, skips what is there, and a table of
docs/stability.md.
"""

import argparse
import pathlib
import tempfile

import experiments

from tfgans.playground import schemes

# Of all games, where they apply: text 002's rate, nothing averaged, neither dropout nor norms.
COMMON = {"ema_decay": 0.0, "generator.latent_dim": 64}
COMMON |= {"discriminator.dropout": 0.0, "discriminator.spectral_norm": False}
COMMON |= {f"{player}.num_layers": 2 for player in ("generator", "discriminator")}
ADAM = {"learning_rate": 2e-4, "beta_1": 0.9, "beta_2": 0.999, "schedule": "constant"}
COMMON |= {f"{player}_optimizer.{key}": value for player in "gd" for key, value in ADAM.items()}


def _paper(variant):
    """Returns the options of its paper that the row does without."""
    return [f"{key}={value}" for key, value in schemes.PAPERS[variant].items()]


LOSSES = {
    "gan": ("gan", []),
    "nsgan": ("nsgan", []),
    "lsgan": ("lsgan", []),
    "wgan": ("wgan_mlp", []),
    "wgan_gp": ("wgan_gp", _paper("wgan_gp")),
    "hinge, spectral norm": ("hinge", ["discriminator.spectral_norm=true"]),
    "r1gan": ("r1gan", []),
    "dragan": ("dragan", []),
    "roth": ("roth", []),
    "lgan": ("lgan", _paper("lgan")),
    **{
        f"fgan, {divergence}": ("fgan", [f"divergence={divergence}"])
        for divergence in ("kl", "reverse_kl", "pearson", "squared_hellinger", "jensen_shannon")
    },
    "unrolled, 5 steps": ("unrolled", []),
    "mmd_gan": ("mmd_gan", _paper("mmd_gan")),
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
# A user's own file: a scheme of the zoo on perceptrons.
FILE = """import dataclasses

from tfgans import optimizers, registry
from tfgans.networks import mlp

row = registry.load("{variant}")
players = {{"generator": mlp.generator, "discriminator": mlp.discriminator}}
row = row.on(optimizer={optimizer}, **{{name: players[name] for name in row.networks}})
common = {common}
kept = {{key: value for key, value in common.items() if key in row.defaults()}}
VARIANTS = (dataclasses.replace(row, options={{**row.options, **kept}}),)
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
    "MMD": ("mmd_pixels", "value"),
    "MMD, slides": ("mmd_slides", "value"),
}


def main():
    """Trains and judges what is missing, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="default 0")
    parser.add_argument("--minutes", type=float, default=3.0, help="of each run; default 3")
    parser.add_argument("--games", nargs="+", default=[*GAMES], choices=GAMES, help="default all")
    given = parser.parse_args()
    result = experiments.read(NAME)
    experiments.fill(
        *(NAME, result, result, given.games, given.seeds),
        lambda game, seed: trained(*GAMES[game], seed, given.minutes),
    )
    experiments.write_tables("stability.md", {NAME: table(result)})


def trained(variant, options, seed, minutes):
    """Returns the figures of a game after so many minutes."""
    with tempfile.TemporaryDirectory() as scratch:
        file = pathlib.Path(scratch, f"{variant}_on_perceptrons.py")
        file.write_text(file_of(variant), "utf-8")
        words = [f"--variant={file}", f"--seed={seed}", "--batch_size=100"]
        words += ["--set", *options] if options else []
        probe = experiments.run([*words, f"--steps={PROBE}"], f"{scratch}/probe", JUDGING)
        if "failure" in probe:
            return {**probe, "command": probe["command"].replace(scratch, ".")}
        first, *_, last = experiments.read_log(f"{scratch}/probe")
        pace = (last["step"] - first["step"]) / (last["seconds"] - first["seconds"])
        steps = round(60.0 * minutes * pace)
        found = experiments.run([*words, f"--steps={steps}"], scratch, JUDGING)
    return {**found, "command": found["command"].replace(scratch, ".")}  # the file is FILE


def file_of(variant):
    """Returns the text of the file; the clipped critic has its own optimiser."""
    if variant == "wgan_mlp":
        common = {key: value for key, value in COMMON.items() if "_optimizer." not in key}
        return FILE.format(variant=variant, common=common, optimizer=None)
    return FILE.format(variant=variant, common=COMMON, optimizer="optimizers.Adam")


def table(result):
    """Returns Markdown: a game a row, and what real digits come to."""
    rows = []
    for game, at in result.items():
        runs = list(at.values())
        fate = "; ".join(sorted({_fate(run) for run in runs} - {""}))
        told = sorted({one["failure"] for run in runs for one in run["told"]})
        steps = experiments.spread([run["steps"] for run in runs if "steps" in run], 0)
        rows.append([game, steps, *experiments.figures(runs, COLUMNS), fate, "; ".join(told)])
    real = experiments.figures([experiments.read("real")], COLUMNS)
    rows.append(["real digits", "", *real, "", ""])
    return experiments.markdown(["game", "steps", *COLUMNS, "", "the watch"], rows)


def _fate(run):
    """Returns what a run came to, nothing where it went well."""
    if "metrics" not in run:
        return "failed"
    found = run["metrics"].get("precision_recall")
    if found is None:
        return "not judged"
    if found["recall"] >= COLLAPSED:
        return ""
    return "collapsed" if found["value"] >= COLLAPSED else "not begun"


if __name__ == "__main__":
    main()
