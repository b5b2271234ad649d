"""`tfgans list`: every variant, or the options of one."""

import json
from typing import Any

from tfgans import registry
from tfgans.cli.quiet import import_tensorflow
from tfgans.cli.tables import aligned

HELP = "Print every variant, or the options of one."

OPTIONS = {
    "what to print": {
        "name": {
            "metavar": "NAME",
            "nargs": "?",
            "help": "variant whose options (--set keys) to print; default all variants",
        },
        "--json": {
            "action": "store_true",
            "help": "print one line of JSON; default off",
        },
    },
}


def run(arguments: dict[str, Any]) -> None:
    """Prints the table."""
    name = arguments.get("name")
    rows = _variants() if name is None else _options(name)
    if arguments.get("json", False):
        print(json.dumps(rows))
    else:
        head, cells = list(rows[0]), [[_cell(value) for value in row.values()] for row in rows]
        print(aligned([head, *cells]))


def _variants() -> list[dict[str, Any]]:
    return [
        {"name": row.name, "paper": row.paper, "family": row.family, "needs": list(row.needs)}
        for row in registry.list_variants()
    ]


def _options(name: str) -> list[dict[str, Any]]:
    if not registry.is_file(name):
        registry.get(name)
    import_tensorflow()  # a row joins classes and networks, so TensorFlow is imported with it
    variant = registry.load(name)
    meanings = variant.meanings()
    return [
        {"key": key, "default": default, "meaning": meanings[key]}
        for key, default in variant.defaults().items()
    ]


def _cell(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value)
