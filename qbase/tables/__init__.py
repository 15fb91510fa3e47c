"""Storey 1: what a table is. Contracts, headers, codes; pure data and checks.

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_room

if TYPE_CHECKING:
    from qbase.tables.contract_changes import ContractChange as ContractChange
    from qbase.tables.contract_changes import compare_contracts as compare_contracts
    from qbase.tables.contract_changes import describe_contract as describe_contract
    from qbase.tables.contract_rules import check_rows_sql as check_rows_sql
    from qbase.tables.contract_rules import contract_sql as contract_sql
    from qbase.tables.contract_rules import judge_rows_sql as judge_rows_sql
    from qbase.tables.contract_rules import sql_type as sql_type
    from qbase.tables.contract_rules import typed_select_sql as typed_select_sql
    from qbase.tables.contracts import ColumnRule as ColumnRule
    from qbase.tables.contracts import Contract as Contract
    from qbase.tables.contracts import Rule as Rule
    from qbase.tables.contracts import list_contracts as list_contracts
    from qbase.tables.contracts import parse_contract as parse_contract
    from qbase.tables.contracts import read_contract as read_contract
    from qbase.tables.credit_code import build_uscc as build_uscc
    from qbase.tables.credit_code import find_uscc_fault as find_uscc_fault
    from qbase.tables.credit_code import is_uscc as is_uscc
    from qbase.tables.credit_code import uscc_sql as uscc_sql
    from qbase.tables.header_match import HeaderMatch as HeaderMatch
    from qbase.tables.header_match import find_contract as find_contract
    from qbase.tables.header_match import find_contracts as find_contracts
    from qbase.tables.header_match import match_headers as match_headers
    from qbase.tables.header_match import normalise_header as normalise_header
    from qbase.tables.header_match import split_unit as split_unit
    from qbase.tables.industry_codes import name_industry as name_industry
    from qbase.tables.industry_codes import read_industries as read_industries
    from qbase.tables.industry_codes import section_of as section_of

__getattr__, __dir__ = lazy_room(__name__)
