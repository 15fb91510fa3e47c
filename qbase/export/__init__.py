"""Storey 1: inert files out; text stays text, whatever program opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.export.inert_csv import write_csv as write_csv
    from qbase.export.inert_workbook import write_xlsx as write_xlsx
    from qbase.export.latex_table import write_latex as write_latex
    from qbase.export.stata_file import write_stata as write_stata
    from qbase.export.table_file import write_table as write_table

__getattr__, __dir__ = lazy_room(__name__)
