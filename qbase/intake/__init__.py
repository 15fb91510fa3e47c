"""Storey 3: delivery -> accepted and quarantined rows; nothing lost, nothing wrong in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.intake.batches import link_batches
    from qbase.intake.case import Case, PublishedNumber, list_cases, read_case
    from qbase.intake.case_data import load_case
    from qbase.intake.check import check_delivery
    from qbase.intake.decision_file import FileDecided, decide_file, export_links
    from qbase.intake.decisions import Decided, LinkGroup, decide_link, explain_method, list_links, undo_link
    from qbase.intake.identity import LinkReport, link_firms
    from qbase.intake.load import load_files
    from qbase.intake.quarantine import export_quarantine, list_quarantine, retry_quarantine
    from qbase.intake.reasons import explain_reason
    from qbase.intake.recipe import Recipe, list_recipes, read_recipe
    from qbase.intake.report import LoadReport
    from qbase.intake.towns import TownCodes, read_towns, resolve_town

__getattr__ = lazy_names(
    __name__,
    {
        "batches": ("link_batches",),
        "case": ("Case", "PublishedNumber", "list_cases", "read_case"),
        "case_data": ("load_case",),
        "check": ("check_delivery",),
        "decision_file": ("FileDecided", "decide_file", "export_links"),
        "decisions": ("Decided", "LinkGroup", "decide_link", "explain_method", "list_links", "undo_link"),
        "identity": ("LinkReport", "link_firms"),
        "load": ("load_files",),
        "quarantine": ("export_quarantine", "list_quarantine", "retry_quarantine"),
        "reasons": ("explain_reason",),
        "recipe": ("Recipe", "list_recipes", "read_recipe"),
        "report": ("LoadReport",),
        "towns": ("TownCodes", "read_towns", "resolve_town"),
    },
)

__all__ = [
    "Case", "Decided", "FileDecided", "LinkGroup", "LinkReport", "LoadReport", "PublishedNumber", "Recipe", "TownCodes",
    "check_delivery", "decide_file", "decide_link", "explain_method", "explain_reason", "export_links",
    "export_quarantine", "link_batches", "link_firms", "list_cases", "list_links", "list_quarantine", "list_recipes",
    "load_case", "load_files", "read_case", "read_recipe", "read_towns", "resolve_town", "retry_quarantine",
    "undo_link",
]  # fmt: skip
