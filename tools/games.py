"""Plays the small games as their pages say: pictures, and what was measured.

    python tools/games.py [NAME ...]

Plays the games that are named, by default those that have not been. Writes the pictures to
docs/results/playground/NAME/, docs/results/games.json, game by game, and the table of each page.
"""

import argparse

import experiments

from tfgans.playground import GAMES

# Game -> what each of its runs adds to the command; the pictures are those of the first.
RUNS = {name: [[]] for name in GAMES}
RUNS["sine"] = [[f"--seed={seed}"] for seed in (0, 1, 2)]
RUNS["two_gaussians"] = [[], ["--gp_weight=10"]]
RUNS["polygons"] = [[], ["--variant=wgan_gp"]]
NAME = "games"


def main():
    """Plays, and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("games", nargs="*", help="default: those without a result")
    given = parser.parse_args()
    unknown = set(given.games) - set(RUNS)
    if unknown:
        parser.error(f"there is no {', '.join(sorted(unknown))}, but {', '.join(RUNS)}")
    result = experiments.read(NAME)
    for game in given.games or [name for name in RUNS if name not in result]:
        folder = experiments.RESULTS / "playground" / game
        first, *others = RUNS[game]
        result[game] = [experiments.play(game, first, folder)]
        result[game] += [experiments.play(game, words) for words in others]
        experiments.write(NAME, result)
    for game, runs in result.items():
        experiments.write_tables(f"playground/{game}.md", {NAME: lines(game, runs)})


def lines(game, runs):
    """Returns Markdown: what a game measured, if there is a table of it, and how long it took."""
    failed = [f"`{run['command']}`: {run['failure']}" for run in runs if "failure" in run]
    if failed:
        return failed
    table = TABLES[game](runs) if game in TABLES else []
    seconds = ", ".join(f"{run['seconds']:.0f}" for run in runs)
    cores = runs[0]["cores"]
    words = f"Took {seconds} s on {cores} core{'s' if cores > 1 else ''} (`python tools/games.py`)."
    return [*table, "", words] if table else [words]


def bilinear(runs):
    """A way of taking steps a row."""
    (run,) = runs
    keys = ("factor", "formula", "farthest", "at_the_end")
    rows = [[way, *(f"{run[key][way]:.6g}" for key in keys)] for way in run["factor"]]
    return experiments.markdown(["way", *map(_code, keys)], rows)


def saturation(runs):
    """A place of the discriminator a row."""
    (run,) = runs
    columns = [run["d"], *run["slope"].values(), run["ratio"]]
    rows = [[f"{value:.4g}" for value in row] for row in zip(*columns, strict=True)]
    return experiments.markdown(
        ["D", *(f"slope of {name}" for name in run["slope"]), "ratio"], rows
    )


def sine(runs):
    """Points before and after training, and the data's."""
    head = ("height_error", "filled", "outside", "emd")
    rows = [
        [run["seed"], points, *(f"{run[points][key]:.3f}" for key in head)]
        for run in runs
        for points in ("untrained", "trained", "data")
    ]
    return experiments.markdown(["seed", "points", *map(_code, head)], rows)


def two_gaussians(runs):
    """Both judges at the generated mean."""
    told = {
        "D": "discriminator",
        "slope of log(1 - D)": "discriminator_slope",
        "slope of the critic": "critic_slope",
    }
    rows = []
    for run in runs:
        for name, key in told.items():
            ends = (f"{run[key][end]:.4g}" for end in ("at_the_generated_mean", "exact"))
            rows.append([f"{run['gp_weight']:g}", name, *ends])
    return experiments.markdown(["w", "at the generated mean", "trained", "exact"], rows)


def density_ratio(runs):
    """A pair of densities a row."""
    (run,) = runs
    head = ("value", "formula", "d_error", "log_ratio_error", "mean_ratio")
    pairs = {"p against q": run["p_and_q"], "p against p": run["p_and_p"]}
    rows = [[pair, *(f"{told[key]:.4f}" for key in head)] for pair, told in pairs.items()]
    return experiments.markdown(["", *map(_code, head)], rows)


def parallel_lines(runs):
    """A place of the second line a row."""
    (run,) = runs
    columns = [run[key] for key in ("theta", "js", "em", "em_penalised")]
    columns += [run["slope"]["js"], run["slope"]["em"], run["plan"], *run["kl_growth"].values()]
    rows = [
        [f"{theta:.1f}", *(f"{value:.4f}" for value in row)]
        for theta, *row in zip(*columns, strict=True)
    ]
    head = ["theta", "JS", "EM", "EM, bias of the penalty", "slope of JS", "slope of EM", "plan"]
    return experiments.markdown([*head, *(f"KL, {step}" for step in run["kl_growth"])], rows)


def polygons(runs):
    """A scheme a row."""
    keys = ("precision", "recall", "f1")
    rows = [[run["variant"], *(f"{run[key]:.2f}" for key in keys)] for run in runs]
    return experiments.markdown(["variant", *map(_code, keys)], rows)


def stacked(runs):
    """The generator's pictures and the floors."""
    (run,) = runs
    sets = {f"{run['variant']}, {run['steps']:,} steps": run, **run["floors"]}
    keys = ("kl", "modes", "modes_hit", "sure")
    rows = [[name, *(f"{told[key]:.4g}" for key in keys)] for name, told in sets.items()]
    return experiments.markdown(["", *map(_code, keys)], rows)


def _code(name):
    return f"`{name}`"


TABLES = {
    "bilinear": bilinear,
    "saturation": saturation,
    "sine": sine,
    "two_gaussians": two_gaussians,
    "density_ratio": density_ratio,
    "parallel_lines": parallel_lines,
    "polygons": polygons,
    "stacked": stacked,
}


if __name__ == "__main__":
    main()
