"""Storey 7: what may leave the house. Sanitising, disclosure control, verification of a finished report.

Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.release.clean import clean_html
    from qbase.release.private import scan_private
    from qbase.release.protect import protect
    from qbase.release.svg import check_svg
    from qbase.release.verify import Verification, verify_report

_HOME = {
    "clean": ("clean_html",),
    "private": ("scan_private",),
    "protect": ("protect",),
    "svg": ("check_svg",),
    "verify": ("Verification", "verify_report"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = ["Verification", "check_svg", "clean_html", "protect", "scan_private", "verify_report"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"qbase.release.{_MODULE_OF[name]}")
    value = getattr(module, name)
    globals()[name] = value
    return value
