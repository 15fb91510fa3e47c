"""Storey 3: the fictional province 云泽省, with messy deliveries and a known truth.

Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.demo.deliveries import write_deliveries
    from qbase.demo.province import Province, build_province
    from qbase.demo.scenario import PRODUCER, SEED, Scenario

_HOME = {
    "deliveries": ("write_deliveries",),
    "province": ("Province", "build_province"),
    "scenario": ("PRODUCER", "SEED", "Scenario"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["PRODUCER", "SEED", "Province", "Scenario", "build_province", "write_deliveries"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"qbase.demo.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value
