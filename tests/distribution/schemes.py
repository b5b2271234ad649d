"""Trains a row of each loss scheme for a few steps and writes the weights, for `test_replicas`.

    python schemes.py FOLDER --strategy=mirrored --replicas=2

As one of several workers when the environment says so; then only the chief writes.
"""

import argparse
import dataclasses
import os
import pathlib

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np

import tfgans
from tfgans import data, distribution, registry

STEPS, BATCH = 20, 16
MORE = ("sngan",)  # its layers keep a state
DATA = "optdigits"
# The paper's rates: at the row's own, rounding grows to 3e-5 within the 20 steps.
SLOWER = {"biggan": {"g_optimizer.learning_rate": 5e-5, "d_optimizer.learning_rate": 2e-4}}
# A stage of 4x4, one of fading and one of 8x8.
GROWING = {
    "generator.start_size": 0,
    "discriminator.start_size": 0,
    "generator.phase_images": 6 * BATCH,
}


def rows():
    """Returns the first row of each scheme, that is, of each model class, and some more."""
    found = {}
    for entry in registry.list_variants():
        row = registry.load(entry.name)
        found.setdefault(row.model, row)
    tiny = {**registry.load("progan").tiny, **GROWING}
    growing = dataclasses.replace(registry.load("progan"), name="progan_growing", tiny=tiny)
    return [*found.values(), *map(registry.load, MORE), growing]


def options(row):
    """Test-sized, and without layers that draw: these repeat for equal numbers of replicas only.

    Adam divides a gradient by its own size: with its epsilon of 1e-7 the rounding of one that is
    nearly 0 would be a step of its own.
    """
    others = {key: 0.0 for key in row.defaults() if key.endswith(".dropout")}
    others |= {key: False for key in row.defaults() if key.endswith(".noise")}
    for name, kind in row.optimizers.items():
        if issubclass(kind, keras.optimizers.Adam):
            others[f"{name}.epsilon"] = 1e-5
    return {**row.tiny, **others, **SLOWER.get(row.name, {})}


def trained(row, team, accumulate):
    """Returns the weights and the last logs of a row."""
    spec = data.open_source(DATA).spec
    with team.strategy.scope():
        model = tfgans.create(row, spec, steps=STEPS, accumulate=accumulate, **options(row))

    def load(share):
        batches = {"batch_size": BATCH, "batches_per_step": model.batches_per_step}
        return data.load(DATA, **batches, share=share)[0]

    done = model.fit(team.distributed(load), steps_per_epoch=STEPS, verbose=0)
    weights = {name: variable.numpy() for name, variable in model.state().items()}
    return weights | {f"logs/{name}": np.array(values) for name, values in done.history.items()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--strategy", default="auto")
    parser.add_argument("--replicas", type=int, default=1)
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--rows", nargs="+", default=[row.name for row in rows()])
    given = parser.parse_args()
    placement = distribution.place(given.strategy, given.replicas)
    team = placement.open()
    known = {row.name: row for row in rows()}
    for row in map(known.get, given.rows):
        result = trained(row, team, given.accumulate)
        if team.is_chief:
            given.folder.mkdir(exist_ok=True)
            np.savez(given.folder / f"{row.name}.npz", **result)
    team.meet()


if __name__ == "__main__":
    main()
