"""Which schemes find every Gaussian of the ring and of the grid?

    python tools/mixtures.py [--games ring grid] [--seeds 0 1 2] [--schemes r1gan ...]

Plays `python -m tfgans.playground ring` and `grid` for each scheme and seed, one after another.
Writes docs/results/mixtures.json, run by run, skips what is there, and the tables of
docs/playground/ring.md and grid.md.
"""

import argparse

import experiments

CONSTANT = [f"{player}_optimizer.schedule=constant" for player in "gd"]
UNROLLED = ["--variant=unrolled", "--steps=25000", "--batch_size=512"]  # its authors'
# Scheme -> what it adds to the command.
SCHEMES = {
    "gan": ["--variant=gan"],
    "gan, packs of 2": ["--variant=gan", "--set", "discriminator.packing=2"],
    "gan, constant rates, no average": ["--variant=gan", "--set", "ema_decay=0", *CONSTANT],
    "nsgan": ["--variant=nsgan"],
    "unrolled": UNROLLED,
    **{f"unrolled, {k} step(s)": [*UNROLLED, "--set", f"unroll_steps={k}"] for k in (0, 1, 10)},
    "wgan_gp": ["--variant=wgan_gp"],
    "r1gan": ["--variant=r1gan"],
    "hinge, spectral norm": ["--variant=hinge"],
    "nsgan, packs of 2": ["--variant=nsgan", "--set", "discriminator.packing=2"],
}
GAMES = ("ring", "grid")
NAME = "mixtures"
COLUMNS = {"modes": 1, "high_quality": 3, "spread": 2, "kl": 4}


def main():
    """Plays what is missing, and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="default 0 1 2")
    parser.add_argument("--schemes", nargs="+", default=[*SCHEMES], choices=SCHEMES, help="all")
    parser.add_argument("--games", nargs="+", default=GAMES, choices=GAMES, help="default both")
    given = parser.parse_args()
    result = experiments.read(NAME)
    for game in given.games:
        experiments.fill(
            *(NAME, result, result.setdefault(game, {}), given.schemes, given.seeds),
            lambda scheme, seed, game=game: experiments.play(
                game, [*SCHEMES[scheme], f"--seed={seed}"]
            ),
        )
    for game in given.games:
        experiments.write_tables(f"playground/{game}.md", {NAME: table(result[game])})


def table(game):
    """Returns Markdown: a scheme a row, and the data; failures stay in sight."""
    rows, data = [], []
    for scheme, at in game.items():
        found = [run for run in at.values() if "failure" not in run]
        every = sum(run["modes"] == run["of"] for run in found)
        seconds = experiments.spread([run["seconds"] for run in found], 0)
        rows.append(
            [scheme, len(at), *cells(list(at.values()), COLUMNS), f"{every} of {len(at)}", seconds]
        )
        if found:
            of_the_data = {"modes": found[0]["of"], **found[0]["of_the_data"]}
            data = [["the data", "", *cells([of_the_data], COLUMNS), "", ""]]
    return experiments.markdown(
        ["scheme", "seeds", "modes", "high quality", "spread", "KL", "found all", "seconds"],
        [*rows, *data],
    )


def cells(runs, columns):
    """Returns a cell for each column, the first one with the number of runs that failed."""
    found = [run for run in runs if "failure" not in run]
    made = [_cell([run[key] for run in found], digits) for key, digits in columns.items()]
    if len(found) < len(runs):
        made[0] += f" ({len(runs) - len(found)} failed)"
    return made


def _cell(values, digits):
    there = [value for value in values if value is not None]
    without = f" ({len(values) - len(there)} without)" if len(there) < len(values) else ""
    return experiments.spread(there, digits) + without


if __name__ == "__main__":
    main()
