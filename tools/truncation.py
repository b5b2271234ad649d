"""Truncation trades variety for quality: precision and recall along its thresholds.

    python tools/truncation.py [--models saved_models/zoo/biggan saved_models/zoo/sagan]

Each SavedModel draws 1,000 pictures at each threshold on |z|, all classes alike, judged against
the held-out ones. Writes docs/results/truncation.json and truncation.png, and a table of
docs/ideas.md.
"""

import argparse
import pathlib

import experiments
import numpy as np

THRESHOLDS = (None, 2.0, 1.5, 1.0, 0.7, 0.5, 0.3, 0.15, 0.04)
MODELS = ("saved_models/zoo/biggan", "saved_models/zoo/sagan")
PICTURES = 1000
SHOWN = 10
NAME = "truncation"


def main():
    """Draws, judges, writes table, plot and pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS, help="default biggan and sagan")
    given = parser.parse_args()
    result = {pathlib.Path(path).name: along(path) for path in given.models}
    experiments.write(NAME, result)
    plot(result)
    experiments.write_tables("ideas.md", {NAME: table(result)})


def along(path):
    """Returns the figures of a SavedModel at each threshold, and leaves a sheet of pictures."""
    from tfgans import data, evaluation, features, images, saved

    model = saved.load_saved_model(path)
    extractor = features.open_features("digits_cnn")
    sources = {split: data.open_source("digits", split=split) for split in data.SPLITS}
    reference = evaluation.Reference.of(sources, "test", PICTURES, extractor)
    labels = np.resize(model.classes, PICTURES) if model.takes_label else None
    rows, found = [], []
    for threshold in THRESHOLDS:
        pictures = model.sample(PICTURES, seed=0, label=labels, truncation=threshold)
        rows.append(pictures[:SHOWN])
        done = evaluation.evaluate(
            evaluation.Sample.of(pictures, extractor),
            reference,
            names=("fid", "precision_recall"),
            asked_labels=labels,
            errors=False,
        ).entries
        found.append(
            {
                "threshold": threshold,
                "fid": done["fid"]["value"],
                "precision": done["precision_recall"]["value"],
                "recall": done["precision_recall"]["recall"],
                "label_accuracy": done["label_accuracy"]["value"] if model.takes_label else None,
            }
        )
    sheet = images.grid_of_rows(rows)
    images.save_png(experiments.RESULTS / f"truncation_{pathlib.Path(path).name}.png", sheet)
    return {"weights_sha256": model.card["weights_sha256"], "n": PICTURES, "thresholds": found}


def plot(result):
    """Draws precision against recall, each point with its threshold."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4.5), layout="constrained")
    for name, entry in result.items():
        found = entry["thresholds"]
        recall, precision = ([one[key] for one in found] for key in ("recall", "precision"))
        axes.plot(recall, precision, "o-", label=name)
        for one in found:
            text = "none" if one["threshold"] is None else f"{one['threshold']:g}"
            place = (one["recall"], one["precision"])
            axes.annotate(text, place, textcoords="offset points", xytext=(5, 4), fontsize=8)
    axes.set(xlabel="recall", ylabel="precision")
    axes.legend(title="threshold on |z| at each point")
    figure.savefig(experiments.RESULTS / "truncation.png", dpi=110)
    plt.close(figure)


def table(result):
    """Returns Markdown: a threshold a row, each model's figures."""
    keys = ("fid", "precision", "recall", "label_accuracy")
    lines = []
    for name, entry in result.items():
        rows = [
            ["none" if one["threshold"] is None else one["threshold"]]
            + ["" if one[key] is None else f"{one[key]:.3f}" for key in keys]
            for one in entry["thresholds"]
        ]
        lines += ["", f"`{name}`:", "", *experiments.markdown(["threshold", *keys], rows)]
    return lines


if __name__ == "__main__":
    main()
