"""Judges a generator on held-out digits: the figures of docs/results, each with its protocol.

    python tools/judge.py saved_models/zoo/wgan_gp

Pixels in [-1, 1], 1,000 generated pictures against the 1,000 of the test split; and text 002's
protocol beside it, the mean over ten disjoint blocks of 100 + 100.
"""

import json
import sys

import numpy as np

from tfgans import data, export, metrics

SEED = 1
BLOCK = 100


def judge(pictures, dataset="digits"):
    """Returns the entry `metrics` of a result: name -> figure and protocol.

    Args:
        pictures: Generated uint8 pictures, 1,000 of them.
        dataset: Data set whose test split they are compared with.
    """
    real = _pixels(data.open_source(dataset, split="test").images(len(pictures)))
    fake = _pixels(pictures)
    facts = {"n_real": len(real), "n_fake": len(fake), "split": "test", "features": "pixels"}
    whole = metrics.one_nn_accuracy(real, fake)
    # Each of the votes is right or wrong; that they depend on each other is left out.
    stderr = (whole.accuracy * (1 - whole.accuracy) / (2 * len(real))) ** 0.5
    figures = {
        "one_nn": {"name": "one_nn1k_pixels", **whole._asdict(), "stderr": stderr},
        "mmd": {"name": "mmd1k_pixels", **metrics.mmd(real, fake)._asdict(), "stderr": None},
    }
    pairs = list(zip(_blocks(real), _blocks(fake), strict=True))
    for key, function in (("one_nn", metrics.one_nn_accuracy), ("mmd", metrics.mmd)):
        values = np.array([function(*pair) for pair in pairs])
        mean, stderr = values.mean(0), values[:, 0].std(ddof=1) / len(pairs) ** 0.5
        fields = dict(zip(function(*pairs[0])._fields, map(float, mean), strict=True))
        figures[f"{key}_slides"] = {"name": f"{key}100_pixels", **fields, "stderr": float(stderr)}
    return {key: _rounded({**_value_first(entry), **facts}) for key, entry in figures.items()}


def judge_model(path, dataset="digits"):
    """Judges 1,000 samples of a SavedModel."""
    return judge(export.load_saved_model(path).sample(1000, seed=SEED), dataset)


def floor(dataset="digits"):
    """Judges real training pictures as if they were generated: the best that can be expected."""
    return judge(data.open_source(dataset, split="train").images(1000), dataset)


def _pixels(pictures):
    return pictures.reshape(len(pictures), -1) / 127.5 - 1.0


def _blocks(rows):
    return rows.reshape(-1, BLOCK, rows.shape[1])


def _value_first(entry):
    fields = dict(entry)
    fields["value"] = fields.pop("accuracy", fields.get("value"))
    return {"name": fields.pop("name"), "value": fields.pop("value"), **fields}


def _rounded(entry):
    return {key: round(v, 5) if isinstance(v, float) else v for key, v in entry.items()}


if __name__ == "__main__":
    for model in sys.argv[1:]:
        print(json.dumps({"model": model, **judge_model(model)}))
