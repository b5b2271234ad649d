"""Does growing pay? progan through its sizes, beside training at the full size from the start.

    python tools/growth.py [--dataset emoji] [--image_size 64] [--phase_images 8000] [--seed 0]

The same networks, loss and batches three times: grown, from 4 pixels a side on; at the full size
for the time that the grown run took; and on to as many images. Each is judged against training
pictures. Writes docs/results/growth.json and pictures beside it, skips what is there, and a table
of docs/ideas.md.
"""

import argparse
import pathlib
import tempfile

import experiments
import numpy as np

BATCH = 32
LAST_PHASES = 4  # the full size's own training, in phases
BASE = 512  # channels times the short side of a map, at most 64: a laptop's networks
GROWN, TIME, IMAGES = "grown", "full size, as long", "full size, as many images"
PROBE = 100  # steps at the full size that its speed is taken from
SHOWN = 12
NAME = "growth"
JUDGING = ("--metrics=sliced_wasserstein,fid,precision_recall", "--split=train")
COLUMNS = {
    "sliced Wasserstein": ("sliced_wasserstein", "value"),
    "FID, pixels": ("fid", "value"),
    "precision": ("precision_recall", "value"),
    "recall": ("precision_recall", "recall"),
}


def main():
    """Trains and judges what is missing, writes the table and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="emoji", help="default emoji")
    parser.add_argument("--image_size", type=int, default=64, help="default 64")
    parser.add_argument("--phase_images", type=int, default=8000, help="default 8000")
    parser.add_argument("--seed", type=int, default=0, help="default 0")
    given = parser.parse_args()
    result = experiments.read(NAME)
    if GROWN not in result:
        with tempfile.TemporaryDirectory() as scratch:
            result[GROWN] = grown(given, scratch)
        experiments.write(NAME, result)
    if TIME not in result:
        with tempfile.TemporaryDirectory() as scratch:
            result |= at_full_size(given, result[GROWN], scratch)
        experiments.write(NAME, result)
    experiments.write_tables("ideas.md", {NAME: table(result)})


def words_of(given, start_size):
    """Returns the options of train.py."""
    settings = [f"{player}.base={BASE}" for player in ("generator", "discriminator")]
    settings += [f"{player}.start_size={start_size}" for player in ("generator", "discriminator")]
    settings += [f"generator.phase_images={given.phase_images}"]
    return [
        *("--variant=progan", f"--dataset={given.dataset}", f"--image_size={given.image_size}"),
        *(f"--seed={given.seed}", f"--batch_size={BATCH}", "--set", *settings),
    ]


def grown(given, scratch):
    """Returns the figures of a run through all sizes, with the time of each stage."""
    from tfgans.networks import growing

    sizes, _ = growing.sizes((given.image_size, given.image_size, 3), 0)
    phases = 2 * (len(sizes) - 1) + LAST_PHASES
    steps = phases * given.phase_images // BATCH
    words = [*words_of(given, 0), f"--steps={steps}"]
    found = experiments.run(words, scratch, *JUDGING)
    if "failure" in found:
        return found
    lines = experiments.read_log(scratch)
    shown = np.arange(phases - LAST_PHASES + 2) * given.phase_images
    shown[-1] = steps * BATCH
    at = np.interp(shown, [BATCH * line["step"] for line in lines], [s["seconds"] for s in lines])
    at[0] = 0.0
    first, *others = (f"{height}x{width}" for height, width in sizes)
    names = [first]
    for size in others:
        names += [f"fading to {size}", size]
    stages = [
        {"stage": name, "images": int(images), "seconds": round(seconds, 1)}
        for name, images, seconds in zip(names, np.diff(shown), np.diff(at), strict=True)
    ]
    draw(scratch, GROWN)
    return {**found, "images": steps * BATCH, "stages": stages}


def at_full_size(given, first, scratch):
    """Returns the figures of a run at the full size after the same time, and the same images."""
    words = words_of(given, given.image_size)
    with tempfile.TemporaryDirectory() as other:
        probe = experiments.run([*words, f"--steps={PROBE}"], other, *JUDGING)
        if "failure" in first or "failure" in probe:
            return {TIME: {"failure": "the grown run or the probe of its speed failed"}}
        begin, *_, end = experiments.read_log(other)
    pace = (end["step"] - begin["step"]) / (end["seconds"] - begin["seconds"])
    steps = round(end["step"] + pace * (first["seconds"] - end["seconds"]))
    steps = min(steps, first["steps"])
    again = ["--variant=progan", "--resume", f"--steps={first['steps']}"]
    found = {}
    for way, chosen in {TIME: [*words, f"--steps={steps}"], IMAGES: again}.items():
        found[way] = experiments.run(chosen, scratch, *JUDGING)
        if "failure" in found[way]:
            break  # there is no run to go on with
        found[way]["images"] = found[way]["steps"] * BATCH
        draw(scratch, way)
    return found


def draw(scratch, name):
    """Keeps two rows of pictures of an export."""
    from tfgans import images, saved

    model = saved.load_saved_model(pathlib.Path(scratch, "export"))
    sheet = images.grid(model.sample(2 * SHOWN, seed=0), SHOWN)
    images.save_png(experiments.RESULTS / NAME / _file_of(name), sheet)


def _file_of(name):
    return f"{name.replace(', ', '_').replace(' ', '_')}.png"


def table(result):
    """Returns Markdown: the stages of the grown run, then a way a row."""
    stages = [
        [one["stage"], f"{one['images']:,}", f"{one['seconds'] / 60:.1f}", _per_thousand(one)]
        for one in result[GROWN].get("stages", ())
    ]
    lines = experiments.markdown(["stage", "images", "minutes", "seconds for 1,000"], stages)
    rows = []
    for way, run in result.items():
        minutes, images = f"{run.get('seconds', 0) / 60:.1f}", f"{run.get('images', 0):,}"
        ends = run.get("failure", f"![](results/{NAME}/{_file_of(way)})")
        rows.append([way, images, minutes, *experiments.figures([run], COLUMNS), ends])
    return [*lines, "", *experiments.markdown(["way", "images", "minutes", *COLUMNS, ""], rows)]


def _per_thousand(stage):
    return f"{1000 * stage['seconds'] / stage['images']:.1f}"


if __name__ == "__main__":
    main()
