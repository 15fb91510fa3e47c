"""Storey 1: inert files out; text stays text, whatever program opens it.

Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.export.sheets import write_xlsx
    from qbase.export.text import write_csv

_HOME = {
    "sheets": ("write_xlsx",),
    "text": ("write_csv",),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["write_csv", "write_xlsx"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.export.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
