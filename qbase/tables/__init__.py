"""Storey 1: what a table is. Contracts, headers, codes; pure data and checks.

Names are loaded when first used, so that importing the room costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.tables.changes import ContractChange, compare_contracts, describe_contract
    from qbase.tables.contracts import ColumnRule, Contract, Rule, list_contracts, parse_contract, read_contract
    from qbase.tables.headers import (
        HeaderMatch,
        find_contract,
        find_contracts,
        match_headers,
        normalise_header,
        split_unit,
    )
    from qbase.tables.industries import read_industries, section_of
    from qbase.tables.sql import check_rows_sql, contract_sql, judge_rows_sql, sql_type, typed_select_sql
    from qbase.tables.uscc import build_uscc, find_uscc_fault, is_uscc, uscc_sql

__getattr__ = lazy_names(
    __name__,
    {
        "changes": ("ContractChange", "compare_contracts", "describe_contract"),
        "contracts": ("ColumnRule", "Contract", "Rule", "list_contracts", "parse_contract", "read_contract"),
        "headers": (
            "HeaderMatch",
            "find_contract",
            "find_contracts",
            "match_headers",
            "normalise_header",
            "split_unit",
        ),
        "industries": ("read_industries", "section_of"),
        "sql": ("check_rows_sql", "contract_sql", "judge_rows_sql", "sql_type", "typed_select_sql"),
        "uscc": ("build_uscc", "find_uscc_fault", "is_uscc", "uscc_sql"),
    },
)

__all__ = [
    "ColumnRule", "Contract", "ContractChange", "HeaderMatch", "Rule", "build_uscc", "check_rows_sql",
    "compare_contracts", "contract_sql", "describe_contract", "find_contract", "find_contracts", "find_uscc_fault",
    "is_uscc", "judge_rows_sql", "list_contracts", "match_headers", "normalise_header", "parse_contract",
    "read_contract", "read_industries", "section_of", "split_unit", "sql_type", "typed_select_sql", "uscc_sql",
]  # fmt: skip
