"""`tfgans train`: trains a variant and exports its generator."""

import contextlib
import json
import pathlib
import sys
from typing import TYPE_CHECKING, Any

from tfgans import registry, runs
from tfgans.cli import list as list_
from tfgans.cli.parsing import image_size, labels, name, one_of, setting, whole
from tfgans.cli.quiet import import_tensorflow
from tfgans.errors import UsageError

if TYPE_CHECKING:
    from tfgans.training import Result

HELP = "Train a variant on a data set and export its generator."

OPTIONS = {
    "what to train": {
        "--variant": {
            "metavar": "NAME",
            "type": name,
            "help": "row of the zoo (see --list), or your own file such as ./my_gan.py; no default",
        },
        "--dataset": {
            "metavar": "DATA",
            "type": name,
            "help": "digits, optdigits, emoji, tfds:NAME, a folder or a .npz; default digits",
        },
        "--data_dir": {
            "metavar": "DIR",
            "type": name,
            "help": "folder of prepared TFDS data sets; default TFDS' own",
        },
        "--image_size": {
            "metavar": "H[xW]",
            "type": image_size,
            "help": "size of the pictures in pixels; default the size that the data has",
        },
        "--fit": {
            "metavar": "HOW",
            "type": one_of("crop", "resize"),
            "help": "reach --image_size by crop (scaled, then centred) or resize; default crop",
        },
        "--classes": {
            "metavar": "LABELS",
            "type": labels,
            "help": "train on pictures of these classes alone, such as 0-4 or 1,7; default all",
        },
        "--set": {
            "metavar": "K=V",
            "dest": "options",
            "type": setting,
            "nargs": "+",
            "action": "extend",
            "help": "options of the variant (see tfgans list NAME); may be repeated; default none",
        },
    },
    "how": {
        "--steps": {
            "metavar": "N",
            "type": whole(1),
            "help": "length of the run in generator updates; default the variant's",
        },
        "--specialists": {
            "metavar": "N",
            "type": whole(1),
            "help": "models to divide the classes among; default the variant's number, mostly 1",
        },
        "--parallel": {
            "metavar": "N",
            "type": whole(1),
            "help": "specialists to train side by side; default 1, one after another",
        },
        "--batch_size": {
            "metavar": "B",
            "type": whole(1),
            "help": "pictures in a batch of each update; default the variant's",
        },
        "--seed": {
            "metavar": "S",
            "type": whole(0),
            "help": "number that decides all randomness; default 0",
        },
        "--precision": {
            "metavar": "POLICY",
            "type": one_of(*runs.PRECISIONS),
            "help": f"{', '.join(runs.PRECISIONS)} (by the hardware); default float32",
        },
        "--jit": {
            "action": "store_true",
            "help": "compile the step with XLA, slower on most CPUs; default off",
        },
        "--strategy": {
            "metavar": "NAME",
            "type": one_of(*runs.STRATEGIES),
            "help": f"devices: {', '.join(runs.STRATEGIES)}; default auto, by what there is",
        },
        "--replicas": {
            "metavar": "N",
            "type": whole(1),
            "help": "logical devices to split the CPU into, with --strategy=mirrored; default 1",
        },
        "--accumulate": {
            "metavar": "K",
            "type": whole(1),
            "help": "pieces to work through each batch in, to need less memory; default 1",
        },
        "--init_from": {
            "metavar": "DIR",
            "type": name,
            "help": "run folder whose trained weights to start from; default fresh weights",
        },
    },
    "where to": {
        "--run_dir": {
            "metavar": "DIR",
            "type": name,
            "help": "folder of this run; default the next numbered one under runs/",
        },
        "--export_dir": {
            "metavar": "DIR",
            "type": name,
            "help": "folder of the SavedModel; default saved_models/NAME",
        },
        "--checkpoint_every": {
            "metavar": "N",
            "type": whole(1),
            "help": "generator updates between checkpoints; default 500",
        },
        "--resume": {
            "action": "store_true",
            "help": "go on with --run_dir, by default the newest run of the variant; default off",
        },
    },
    "evaluation on the way": {
        "--eval_every": {
            "metavar": "N",
            "type": whole(0),
            "help": "updates between evaluations; the best is kept and exported; default 0, none",
        },
        "--eval_metrics": {
            "metavar": "NAMES",
            "type": name,
            "help": "as --metrics of evaluate; the first decides which is best; default fid",
        },
        "--eval_features": {
            "metavar": "NAME",
            "type": name,
            "help": "as --features of evaluate; default digits_cnn for digits, else pixels",
        },
        "--stop_when": {
            "metavar": "K",
            "type": whole(0),
            "help": "end after K evaluations without a better one; default 0, never",
        },
    },
    "when the game fails": {
        "--on_collapse": {
            "metavar": "WHAT",
            "type": one_of(*runs.ON_COLLAPSE),
            "help": "warn, stop, or rewind to the last healthy checkpoint and stop; default warn",
        },
    },
    "what to print": {
        "--list": {
            "action": "store_true",
            "dest": "list",
            "help": "print every variant and exit; default off",
        },
        "--dry_run": {
            "action": "store_true",
            "help": "print the resolved options as JSON, write nothing and exit; default off",
        },
        "--json": {
            "action": "store_true",
            "help": "print the result as one line of JSON; default off",
        },
    },
}


def run(arguments: dict[str, Any]) -> None:
    """Trains by the options given; what was not given takes its default in `tfgans.train`."""
    as_json = arguments.pop("json", False)
    if arguments.pop("list", False):
        list_.run({"json": as_json})
        return
    dry_run = arguments.pop("dry_run", False)
    arguments["variant"] = _variant(arguments)
    if "options" in arguments:
        arguments["options"] = dict(arguments["options"])
    import_tensorflow()
    from tfgans import ensemble

    with contextlib.redirect_stdout(sys.stderr):  # stdout is for the result alone
        if dry_run:
            text = json.dumps(ensemble.resolve(**arguments), indent=None if as_json else 2)
        else:
            result = ensemble.train(**arguments)
            text = _summary(result, as_json) if result.run_dir else ""  # the chief's alone
    if text:
        print(text)


def _variant(arguments: dict[str, Any]) -> str:
    """Returns the variant's name, found out before TensorFlow is imported to know it."""
    name = arguments.get("variant")
    if name is None and arguments.get("resume") and "run_dir" in arguments:
        name = runs.variant_of(arguments["run_dir"])
    if name is None:
        raise UsageError("say what to train: --variant=NAME; --list shows every name")
    if not registry.is_file(name):
        registry.get(name)
    return name


def _summary(result: "Result", as_json: bool) -> str:
    if as_json:
        keys = ("run_dir", "export_dir", "steps", "weights_sha256", "metrics", "failures")
        return json.dumps({key: getattr(result, key) for key in keys}, default=str)
    rows = {
        "steps": result.steps,
        "metrics": "  ".join(f"{name} {value:.4g}" for name, value in result.metrics.items()),
        "failures": "; ".join(f"{one['failure']} (step {one['step']})" for one in result.failures),
        "weights": f"sha256 {result.weights_sha256}",
        "run": result.run_dir,
        "export": result.export_dir,
        "samples": result.run_dir and _last_grid(result.run_dir, result.steps),
    }
    return "\n".join(f"{name:8} {value}" for name, value in rows.items() if value)


def _last_grid(run_dir: pathlib.Path, steps: int) -> pathlib.Path | None:
    """Returns the newest grid of the steps that were kept."""
    last = f"step-{steps:06d}.png"
    grids = [path for path in run_dir.glob("samples/step-*.png") if path.name <= last]
    return max(grids, default=None)
