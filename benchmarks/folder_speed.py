"""How fast does a folder of JPEGs become batches, in what memory, and beside Keras' own reader?

    python benchmarks/folder_speed.py      # writes docs/results/folder_speed.json

Draws 20,000 colour pictures of 178 x 218 pixels (CelebA's size), which a file in the cache of the
system is read from afterwards, and brings them to 64 x 64. Each reader works in a process of its
own, on folders of a quarter and of all of them, so that its peak of memory is its own. `opened_s`
is from the call to the first batch: ours reads every file once before it trains, for none may be
found broken in mid-run. `training` is some steps of `dcgan` on the folder, in thin networks.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from peers import process

from tfgans import runs

OUT = process.results_of("folder_speed.py")
SIZE, BATCH = (218, 178), 64
SECONDS = 10.0  # that batches are counted for


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--num", type=int, default=20_000, help="pictures, default 20000")
    parser.add_argument("--side", type=int, default=64, help="of the batches, default 64")
    parser.add_argument("--out", type=pathlib.Path, default=OUT, help="default docs/results")
    parser.add_argument("--one", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        row = READERS[options.one](options.folder, options.side)
        print(json.dumps({**row, "peak_mb": process.peak_mb()}))
        return
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        for count in (options.num // 4, options.num):
            folder = drawn(pathlib.Path(scratch, str(count)), count)
            for name in READERS:
                command = [f"--one={name}", f"--folder={folder}", f"--side={options.side}"]
                done = subprocess.run(
                    [sys.executable, __file__, *command],
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                    env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
                )
                rows[f"{name} {count}"] = json.loads(done.stdout.splitlines()[-1])
                print(name, count, rows[f"{name} {count}"], file=sys.stderr)
    told = {"command": " ".join(["python benchmarks/folder_speed.py", *sys.argv[1:]])}
    told |= {"jpegs": {"size": SIZE, "quality": 90}, "batch": BATCH, "side": options.side}
    told |= {"machine": process.machine(), **runs.environment()}
    process.write(options.out, {**told, "rows": rows})
    if options.out == OUT:
        process.publish("folder_speed.py", table(rows))


def drawn(folder, count):
    """Fills a folder with pictures that are as smooth as photographs are; returns it."""
    folder.mkdir()
    with multiprocessing.get_context("spawn").Pool() as pool:
        pool.starmap(draw, [(folder, number) for number in range(count)], chunksize=100)
    return folder


def draw(folder, number):
    """Writes one JPEG, a function of its number."""
    import PIL.Image

    draws = np.random.default_rng(number)
    coarse = PIL.Image.fromarray(draws.integers(0, 256, (14, 11, 3), np.uint8))
    smooth = np.asarray(coarse.resize(SIZE[::-1], PIL.Image.Resampling.BICUBIC), np.int16)
    grain = draws.integers(-8, 9, smooth.shape, np.int16)
    picture = PIL.Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))
    picture.save(folder / f"{number:05d}.jpg", quality=90)


def counted(batches, start):
    """Returns how long the first batch took and how many pictures a second follow."""
    next(batches)
    opened, pictures = time.perf_counter(), 0
    while time.perf_counter() - opened < SECONDS:
        pictures += len(next(batches))
    return {
        "opened_s": opened - start,
        "pictures_per_s": pictures / (time.perf_counter() - opened),
    }


def ours(folder, side):
    from tfgans import data

    start = time.perf_counter()
    dataset, _ = data.load(folder, batch_size=BATCH, image_size=side)
    return counted((batch["image"] for batch in dataset), start)


def ours_from_files(folder, side):
    """As a folder is read that does not fit into what may be kept in memory."""
    from tfgans.data import rows

    rows.MEMORY_LIMIT_BYTES = 0
    return ours(folder, side)


def keras_reader(folder, side):
    import keras

    start = time.perf_counter()
    dataset = keras.utils.image_dataset_from_directory(
        folder,
        labels=None,
        batch_size=BATCH,
        image_size=(side, side),
        crop_to_aspect_ratio=True,
        verbose=False,
    )
    return counted(iter(dataset.repeat()), start)


def training(folder, side):
    import tfgans

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        result = tfgans.train(
            "dcgan",
            dataset=folder,
            image_size=side,
            steps=40,
            batch_size=BATCH,
            run_dir=f"{scratch}/run",
            export_dir=f"{scratch}/export",
            options={"generator.width": 8, "discriminator.width": 8},
        )
    return {"steps": result.steps, "seconds": time.perf_counter() - start}


def table(rows):
    """Returns a line of Markdown for each reader and number of pictures."""
    head = ("reader", "pictures", "to the first batch, s", "pictures/s", "peak, MB")
    lines = []
    for key, row in rows.items():
        name, count = key.split()
        cells = [f"{row[one]:.1f}" if one in row else "" for one in ("opened_s", "pictures_per_s")]
        lines.append((f"`{name}`", count, *cells, row["peak_mb"]))
    return process.rows_of(head, lines)


READERS = {
    "ours": ours,
    "ours_from_files": ours_from_files,
    "keras": keras_reader,
    "training": training,
}

if __name__ == "__main__":
    main()
