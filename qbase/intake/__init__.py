"""Storey 3: delivery -> accepted and quarantined rows; nothing lost, nothing wrong in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.intake.accounting.load_report import LoadReport as LoadReport
    from qbase.intake.accounting.reasons import explain_reason as explain_reason
    from qbase.intake.cases.case_description import Case as Case
    from qbase.intake.cases.case_description import PublishedNumber as PublishedNumber
    from qbase.intake.cases.case_description import list_cases as list_cases
    from qbase.intake.cases.case_description import read_case as read_case
    from qbase.intake.cases.case_loading import load_case as load_case
    from qbase.intake.linking.decision_workbook import FileDecided as FileDecided
    from qbase.intake.linking.decision_workbook import decide_file as decide_file
    from qbase.intake.linking.decision_workbook import export_links as export_links
    from qbase.intake.linking.firm_links import LinkReport as LinkReport
    from qbase.intake.linking.firm_links import link_firms as link_firms
    from qbase.intake.linking.link_decisions import Decided as Decided
    from qbase.intake.linking.link_decisions import LinkGroup as LinkGroup
    from qbase.intake.linking.link_decisions import decide_link as decide_link
    from qbase.intake.linking.link_decisions import explain_method as explain_method
    from qbase.intake.linking.link_decisions import list_links as list_links
    from qbase.intake.linking.link_decisions import undo_link as undo_link
    from qbase.intake.linking.place_names import Place as Place
    from qbase.intake.linking.place_names import Places as Places
    from qbase.intake.linking.place_names import read_places as read_places
    from qbase.intake.linking.same_batch import link_batches as link_batches
    from qbase.intake.linking.town_codes import TownCodes as TownCodes
    from qbase.intake.linking.town_codes import read_towns as read_towns
    from qbase.intake.linking.town_codes import resolve_town as resolve_town
    from qbase.intake.linking.town_links import TownLink as TownLink
    from qbase.intake.linking.town_links import decide_town_links as decide_town_links
    from qbase.intake.linking.town_links import link_towns as link_towns
    from qbase.intake.linking.town_links import list_town_links as list_town_links
    from qbase.intake.linking.town_links import undo_town_links as undo_town_links
    from qbase.intake.loading.file_loading import load_files as load_files
    from qbase.intake.recipes.recipe_book import list_recipes as list_recipes
    from qbase.intake.recipes.recipe_book import read_recipe as read_recipe
    from qbase.intake.recipes.recipe_model import Recipe as Recipe
    from qbase.intake.review.closed_series import close_series as close_series
    from qbase.intake.review.delivery_check import check_delivery as check_delivery
    from qbase.intake.review.recipe_proposal import Proposal as Proposal
    from qbase.intake.review.recipe_proposal import build_proposal as build_proposal
    from qbase.intake.review.recipe_proposal import write_proposal as write_proposal
    from qbase.intake.review.rows_aside import export_quarantine as export_quarantine
    from qbase.intake.review.rows_aside import list_quarantine as list_quarantine
    from qbase.intake.review.rows_aside import retry_quarantine as retry_quarantine

__getattr__, __dir__ = lazy_room(__name__)
