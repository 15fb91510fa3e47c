"""Storey 5: from a panel to a result, without a policy: levels and changes."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.trends.change import estimate_change
    from qbase.trends.rate import estimate_rate

_MODULE_OF = {"estimate_change": "change", "estimate_rate": "rate"}

__all__ = ["estimate_change", "estimate_rate"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.trends.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
