"""Storey 5: from a panel and a policy to an effect with its doubt and its caveats."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.effects.event_study import estimate_event_study
    from qbase.effects.published import check_published
    from qbase.effects.twfe import estimate_twfe

_MODULE_OF = {
    "check_published": "published",
    "estimate_event_study": "event_study",
    "estimate_twfe": "twfe",
}

__all__ = ["check_published", "estimate_event_study", "estimate_twfe"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.effects.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
