"""`tfgans evaluate`: how good generated pictures are, by every metric of the courses."""

import contextlib
import json
import sys
from typing import Any

from tfgans.cli.parsing import image_size, labels, name, one_of, whole
from tfgans.cli.quiet import import_tensorflow
from tfgans.cli.tables import aligned
from tfgans.errors import UsageError

HELP = "Judge generated pictures by real ones."

OPTIONS = {
    "what to judge (one of them)": {
        "--model": {
            "metavar": "DIR",
            "type": name,
            "help": "folder of a SavedModel; its card.json gets the figures; no default",
        },
        "--run": {
            "metavar": "DIR",
            "type": name,
            "help": "folder of a run, which gets evaluation.json; no default",
        },
        "--images": {
            "metavar": "DIR",
            "type": name,
            "help": "folder of generated pictures; no default",
        },
        "--npz": {
            "metavar": "FILE",
            "type": name,
            "help": "generated pictures, uint8 under the key images; no default",
        },
    },
    "by what": {
        "--dataset": {
            "metavar": "DATA",
            "type": name,
            "help": "real pictures, as in train; default what it was trained on, or digits",
        },
        "--data_dir": {
            "metavar": "DIR",
            "type": name,
            "help": "folder of prepared TFDS data sets; default TFDS' own",
        },
        "--image_size": {
            "metavar": "H[xW]",
            "type": image_size,
            "help": "size that --images or --npz are brought to in pixels; default their own",
        },
        "--fit": {
            "metavar": "HOW",
            "type": one_of("crop", "resize"),
            "help": "crop or resize, to reach a size; default as in training, or crop",
        },
        "--classes": {
            "metavar": "LABELS",
            "type": labels,
            "help": "classes of the real pictures, such as 0-4; default as in training, or all",
        },
        "--split": {
            "metavar": "PART",
            "type": one_of("train", "test"),
            "help": "train or test: which real pictures to compare with; default test",
        },
        "--metrics": {
            "metavar": "NAMES",
            "type": name,
            "help": "all, or names joined by commas, such as fid,one_nn_accuracy; default all",
        },
        "--features": {
            "metavar": "NAME",
            "type": name,
            "help": "pixels, digits_cnn, inception[:DIR] or a path; default digits_cnn or pixels",
        },
        "--num": {
            "metavar": "N",
            "type": whole(2),
            "help": "generated pictures, and as many real; default what there is, up to 1000",
        },
        "--seed": {
            "metavar": "S",
            "type": whole(0),
            "help": "number that decides the generated pictures; default 0",
        },
    },
    "what to write": {
        "--json": {
            "action": "store_true",
            "help": "print the result as one line of JSON; default off",
        },
        "--report": {
            "metavar": "DIR",
            "type": name,
            "help": "folder for report.html, a page with figures and pictures; default none",
        },
    },
}


def run(arguments: dict[str, Any]) -> None:
    """Judges, writes and prints; a metric that cannot be computed leaves the others whole."""
    as_json = arguments.pop("json", False)
    import_tensorflow()
    from tfgans import judging

    with contextlib.redirect_stdout(sys.stderr):  # stdout is for the result alone
        result = judging.judge(**arguments)
    print(json.dumps(result) if as_json else _table(result))
    if result["failures"]:
        raise UsageError("; ".join(f"{key}: {why}" for key, why in result["failures"].items()))


def _table(result: dict[str, Any]) -> str:
    from tfgans.report import FLOORS, details, floor, number

    head = ("figure", "value", "error", "real, real", "train, test", "more")
    lines = [head]
    for entry in result["metrics"].values():
        numbers = (number(entry["value"]), number(entry.get("stderr")))
        floors = (floor(entry, name) for name in FLOORS)
        lines.append((entry["name"], *numbers, *floors, details(entry)))
    return aligned(lines)
