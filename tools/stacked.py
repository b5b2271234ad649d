"""How many of a thousand modes does a scheme find in half an hour?

    python tools/stacked.py [--seeds 0] [--minutes 30] [--schemes r1gan ...]

Plays `python -m tfgans.playground stacked` for each scheme, for as many steps as the minutes allow
at the speed that two short games show. Writes docs/results/stacked.json, run by run, skips what is
there, and the table of docs/playground/stacked.md.
"""

import argparse

import experiments
import mixtures

# Scheme -> what it adds to the command.
SCHEMES = {
    "r1gan": ["--variant=r1gan"],
    "dcgan": ["--variant=dcgan"],
    "dcgan, packs of 2": ["--variant=dcgan", "--set", "discriminator.packing=2"],
    "unrolled, 5 steps": ["--variant=unrolled"],
    "unrolled, 0 steps": ["--variant=unrolled", "--set", "unroll_steps=0"],
    "wgan_gp": ["--variant=wgan_gp"],
}
PROBES = (100, 300)  # steps of the games that show the speed
NAME = "stacked"
COLUMNS = {"kl": 3, "modes": 0, "modes_hit": 0, "sure": 2}


def main():
    """Plays what is missing, and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="default 0")
    parser.add_argument("--minutes", type=float, default=30.0, help="of each game; default 30")
    parser.add_argument("--schemes", nargs="+", default=[*SCHEMES], choices=SCHEMES, help="all")
    given = parser.parse_args()
    result = experiments.read(NAME)
    experiments.fill(
        *(NAME, result, result, given.schemes, given.seeds),
        lambda scheme, seed: played([*SCHEMES[scheme], f"--seed={seed}"], given.minutes),
    )
    experiments.write_tables("playground/stacked.md", {NAME: table(result)})


def played(words, minutes):
    """Returns what the game measured after so many minutes, start and counting included."""
    probes = [experiments.play("stacked", [*words, f"--steps={steps}"]) for steps in PROBES]
    broken = [probe for probe in probes if "failure" in probe]
    if broken:
        return broken[0]
    first, second = (probe["seconds"] for probe in probes)
    pace = (PROBES[1] - PROBES[0]) / (second - first)
    steps = max(PROBES[1], round(PROBES[1] + pace * (60.0 * minutes - second)))
    return experiments.play("stacked", [*words, f"--steps={steps}"])


def table(result):
    """Returns Markdown: a scheme a row, and what is counted of real digits."""
    rows, floors = [], {}
    for scheme, runs in result.items():
        found = [run for run in runs.values() if "failure" not in run]
        cells = mixtures.cells(list(runs.values()), COLUMNS)
        steps, minutes = (
            experiments.spread([run[key] / by for run in found], 0)
            for key, by in (("steps", 1), ("seconds", 60))
        )
        rows.append([scheme, steps, minutes, *cells])
        floors = found[0]["floors"] if found else floors
    for name, floor in floors.items():
        figures = [experiments.spread([floor[key]], digits) for key, digits in COLUMNS.items()]
        rows.append([name, "", "", *figures])
    return experiments.markdown(["scheme", "steps", "minutes", "KL", *list(COLUMNS)[1:]], rows)


if __name__ == "__main__":
    main()
