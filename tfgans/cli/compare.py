"""`tfgans compare`: the figures of several runs, mean and spread over seeds."""

import json
import pathlib
from typing import Any

from tfgans.cli.tables import aligned
from tfgans.errors import UsageError

HELP = "Compare runs: one table and one plot, mean and spread over seeds."

OPTIONS = {
    "what to compare": {
        "runs": {
            "metavar": "RUN",
            "nargs": "+",
            "help": "two run folders or more, judged by evaluate --run; no default",
        },
    },
    "what to write": {
        "--out": {
            "metavar": "FILE",
            "type": pathlib.Path,
            "help": "a picture of the logs, .png; default none",
        },
        "--json": {
            "action": "store_true",
            "help": "print the result as one line of JSON; default off",
        },
    },
}


def run(arguments: dict[str, Any]) -> None:
    """Prints the table and draws the picture."""
    from tfgans import comparing

    out = arguments.get("out")
    if out is not None and out.suffix != ".png":
        raise UsageError(f"--out={out} must end in .png")
    groups = comparing.compare(arguments["runs"])
    if out is not None:
        comparing.plot(arguments["runs"], out)
    print(json.dumps(groups) if arguments.get("json") else _table(groups))


def _table(groups: list[dict[str, Any]]) -> str:
    metrics = list(dict.fromkeys(metric for group in groups for metric in group["figures"]))
    lines = [["", *(group["name"] for group in groups)]]
    lines.append(["seeds", *(", ".join(map(str, group["seeds"])) for group in groups)])
    lines.append(["minutes", *(f"{group['minutes']:.1f}" for group in groups)])
    for metric in metrics:
        lines.append([metric, *(_figure(group["figures"].get(metric)) for group in groups)])
    text = aligned(lines)
    if not metrics:
        text += "\nno figures yet: tfgans evaluate --run=RUN judges a run"
    return text


def _figure(figure: dict[str, Any] | None) -> str:
    if figure is None:
        return "-"
    spread = "" if figure["std"] is None else f" ± {figure['std']:.3g}"
    return f"{figure['mean']:.4g}{spread}"
