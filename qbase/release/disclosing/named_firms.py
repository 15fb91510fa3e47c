"""Which firms a text names that it may not: none outside the house, but those that a public notice has named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.tables import list_contracts, read_contract

if TYPE_CHECKING:
    from qbase.lake import Workspace

COLUMNS = ("firm_name", "uscc")
SHORTEST = 4
"""Shorter names are words of other things as well."""
STATUTORY = "statutory_public"


def find_named_firms(workspace: Workspace, text: str, *, profile: str) -> list[str]:
    """Find names and credit codes of firms in a text that readers of this profile may not see.

    Parameters
    ----------
    workspace : Workspace
        Whose latest tables know the firms.
    text : str
        Of a page.
    profile : {"external", "statutory_public"}
        The latter may name firms that stand in a table whose contract is flagged ``public_notice``.

    Returns
    -------
    list of str
        As they are written in the tables, in order.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.release import find_named_firms
    >>> find_named_firms(open_workspace(), "Batch pass rate 75.0%", profile="external")
    []
    """
    named: set[str] = set()
    public: set[str] = set()
    there = set(workspace.tables())
    for contract in map(read_contract, list_contracts()):
        columns = [c for c in COLUMNS if c in contract.column_names]
        if contract.name not in there or not columns:
            continue
        found = public if contract.is_public_notice and profile == STATUTORY else named
        for column in columns:
            # names of tables and columns come from the contracts
            sql = f'SELECT DISTINCT "{column}" AS word FROM "{contract.name}" WHERE "{column}" IS NOT NULL'  # noqa: S608
            found |= set(workspace.query(sql)["word"].astype(str))
    return sorted(word for word in named - public if len(word) >= SHORTEST and word in text)
