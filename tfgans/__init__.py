"""A zoo of generative adversarial networks for Keras 3 on TensorFlow."""

import importlib
from typing import Any

from tfgans.errors import TrainingError, UsageError
from tfgans.registry import list_variants
from tfgans.variant import DataSpec, Variant

__version__ = "0.1.0"

# What needs TensorFlow is imported when first asked for: `tfgans list` must not wait for it.
_LAZY = {
    "create": "tfgans.factory",
    "load": "tfgans.factory",
    "train": "tfgans.ensemble",
}
_MODULES = ("data", "losses", "metrics", "penalties", "reconstruction")

__all__ = [
    "DataSpec",
    "TrainingError",
    "UsageError",
    "Variant",
    "create",
    "load",
    "list_variants",
    "train",
    *_MODULES,
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"tfgans.{name}")
    raise AttributeError(f"module 'tfgans' has no attribute {name!r}")
