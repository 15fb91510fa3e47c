"""Storey 7: what may leave the house. Sanitising, disclosure control, verification of a finished report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.release.cleaning.foreign_html import clean_html as clean_html
    from qbase.release.cleaning.strict_svg import check_svg as check_svg
    from qbase.release.disclosing.disclosure import protect as protect
    from qbase.release.disclosing.disclosure_pattern import DisclosurePattern as DisclosurePattern
    from qbase.release.disclosing.disclosure_pattern import plan_pattern as plan_pattern
    from qbase.release.disclosing.disclosure_presets import DisclosurePreset as DisclosurePreset
    from qbase.release.disclosing.disclosure_presets import list_disclosure_presets as list_disclosure_presets
    from qbase.release.disclosing.disclosure_presets import read_disclosure_preset as read_disclosure_preset
    from qbase.release.disclosing.linked_cells import LinkedCells as LinkedCells
    from qbase.release.disclosing.linked_cells import build_linked_cells as build_linked_cells
    from qbase.release.disclosing.named_firms import find_named_firms as find_named_firms
    from qbase.release.disclosing.office_preset import read_office_preset as read_office_preset
    from qbase.release.disclosing.pattern_storage import build_pattern as build_pattern
    from qbase.release.disclosing.pattern_storage import list_patterns as list_patterns
    from qbase.release.disclosing.pattern_storage import read_pattern_marks as read_pattern_marks
    from qbase.release.disclosing.primary_rules import judge_cells as judge_cells
    from qbase.release.disclosing.primary_rules import judge_statistic as judge_statistic
    from qbase.release.disclosing.private_words import scan_private as scan_private
    from qbase.release.disclosing.protected_inputs import protect_inputs as protect_inputs
    from qbase.release.disclosing.protected_panel import protect_panel as protect_panel
    from qbase.release.disclosing.protected_panel import withhold_cells as withhold_cells
    from qbase.release.verifying.verification import Verification as Verification
    from qbase.release.verifying.verification import verify_report as verify_report

__getattr__, __dir__ = lazy_room(__name__)
