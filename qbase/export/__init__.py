"""Storey 1: inert files out; text stays text, whatever program opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.export.sheets import write_xlsx
    from qbase.export.text import write_csv

__getattr__ = lazy_names(
    __name__,
    {
        "sheets": ("write_xlsx",),
        "text": ("write_csv",),
    },
)

__all__ = [
    "write_csv", "write_xlsx",
]  # fmt: skip
