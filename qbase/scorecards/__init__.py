"""Storey 6: results against dated targets; a verdict always names its preset."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.scorecards.preset import Preset, Target, list_presets, read_preset
    from qbase.scorecards.score import score_targets

_MODULE_OF = {
    "Preset": "preset",
    "Target": "preset",
    "list_presets": "preset",
    "read_preset": "preset",
    "score_targets": "score",
}

__all__ = ["Preset", "Target", "list_presets", "read_preset", "score_targets"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.scorecards.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
