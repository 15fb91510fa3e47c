"""Storey 6: results against dated targets; a verdict always names its preset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.scorecards.preset import Preset, Target, list_presets, read_preset
    from qbase.scorecards.score import score_targets

__getattr__ = lazy_names(
    __name__,
    {
        "preset": ("Preset", "Target", "list_presets", "read_preset"),
        "score": ("score_targets",),
    },
)

__all__ = [
    "Preset", "Target", "list_presets", "read_preset", "score_targets",
]  # fmt: skip
