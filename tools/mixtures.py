"""Which schemes find every Gaussian of the ring and of the grid?

    python tools/mixtures.py [--seeds 0 1 2] [--schemes r1gan ...]

Plays `python -m tfgans.playground ring` and `grid` for each scheme and seed, one after another.
Writes docs/results/mixtures.json, run by run, skips what is there, and the tables of
docs/playground/ring.md and grid.md.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time

import experiments

from tfgans import runs

# Scheme -> what it adds to the command.
SCHEMES = {
    "gan": ["--variant=gan"],
    "gan, packs of 2": ["--variant=gan", "--set", "discriminator.packing=2"],
    "nsgan": ["--variant=nsgan"],
    "unrolled": ["--variant=unrolled"],
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
    parser.add_argument("--schemes", nargs="+", default=list(SCHEMES), help="default all")
    given = parser.parse_args()
    result = experiments.read(NAME)
    for game in GAMES:
        experiments.fill(
            *(NAME, result, result.setdefault(game, {}), given.schemes, given.seeds),
            lambda scheme, seed, game=game: played(game, [*SCHEMES[scheme], f"--seed={seed}"]),
        )
    for game in GAMES:
        experiments.write_tables(f"playground/{game}.md", {NAME: table(result[game])})


def played(game, words, folder=None):
    """Returns what a game measured, with its command, seconds and cores.

    Args:
        game: Its name.
        words: Of the command.
        folder: For the pictures; by default they are not kept.
    """
    told = {"command": " ".join(["python -m tfgans.playground", game, *words])}
    told |= {"cores": runs.threads()["cores"], "git_revision": runs.git_revision()}
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "tfgans.playground", game, *words, "--json"]
        began = time.perf_counter()
        done = subprocess.run(
            [*command, f"--out={folder or scratch}"],
            cwd=experiments.REPO,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [""])[-1]
        return {**told, "failure": f"exit code {done.returncode}: {last}"}
    facts = json.loads(done.stdout.splitlines()[-1])
    del facts["files"]
    return {**told, "seconds": round(time.perf_counter() - began, 1), **facts}


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
        for run in found[:1]:
            figures = cells([{"modes": run["of"], **run["of_the_data"]}], COLUMNS)
            data = [["the data", "", *figures, "", ""]]
    rows += data
    return experiments.markdown(
        ["scheme", "seeds", "modes", "high quality", "spread", "KL", "found all", "seconds"], rows
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
