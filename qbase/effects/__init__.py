"""Storey 5: from a panel and a policy to an effect with its doubt and its caveats."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.effects.event_study import estimate_event_study
    from qbase.effects.published import Published, check_published, read_published
    from qbase.effects.twfe import estimate_twfe

_MODULE_OF = {
    "Published": "published",
    "check_published": "published",
    "estimate_event_study": "event_study",
    "estimate_twfe": "twfe",
    "read_published": "published",
}

__all__ = ["Published", "check_published", "estimate_event_study", "estimate_twfe", "read_published"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.effects.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
