"""Why headers are refused, in words a person can act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

from qbase.core.errors import DataError
from qbase.tables import ColumnRule, Contract


def refuse_other(contract: Contract, missing: Sequence[str], headers: Sequence[str]) -> NoReturn:
    """Say that a sheet is another table, or none, rather than this one with a column missing.

    Raises
    ------
    DataError
        The headers belong to no known table (QB320).
    """
    columns = ", ".join(name_both(contract, column) for column in missing[:12])
    raise DataError("QB320", found=list_headers(headers), expected=f"{contract.name}: {columns}", fix="--recipe NAME")


def refuse_missing(contract: Contract, missing: Sequence[str], headers: Sequence[str]) -> NoReturn:
    """Say which columns are not there.

    Raises
    ------
    DataError
        A required column is missing (QB321).
    """
    raise DataError(
        "QB321",
        table=contract.name,
        columns=", ".join(missing),
        found=list_headers(headers),
        expected=", ".join(missing),
        fix=f"+ {', '.join(missing)}",
    )


class DoubledError(DataError):
    """Several headers mean one column; their cells may tell which of them counts.

    Parameters
    ----------
    code, **facts
        As for every error of qbase.
    contract : Contract
        Of the table.
    rule : ColumnRule
        The column.
    positions : sequence of int
        Of its headers.
    """

    def __init__(
        self, code: str, *, contract: Contract, rule: ColumnRule, positions: Sequence[int], **facts: Any
    ) -> None:
        super().__init__(code, **facts)
        self.contract, self.rule = contract, rule
        self.positions = tuple(positions)


def refuse_doubled(contract: Contract, column: str, headers: Sequence[str], positions: Sequence[int]) -> NoReturn:
    """Say that several headers mean one column.

    Raises
    ------
    DoubledError
        Two headers of one column (QB322).
    """
    raise DoubledError(
        "QB322",
        contract=contract,
        rule=contract.column(column),
        positions=positions,
        table=contract.name,
        column=column,
        found=list_headers([headers[position] for position in positions]),
        expected=f"1 x {column}",
        fix=name_both(contract, column),
    )


def name_both(contract: Contract, column: str) -> str:
    """Return the name of a column in both languages."""
    text = contract.column(column).text
    return f"{text.zh} / {text.en}"


def shorten(header: str) -> str:
    """Return a header in one line of 40 characters at most."""
    plain = " ".join(header.split())
    return plain if len(plain) <= 40 else plain[:39] + "…"


def list_headers(headers: Sequence[str]) -> str:
    """Return the first headers of a row, and how many there are."""
    shown = [shorten(header) for header in headers if header.strip()]
    return ", ".join(shown[:12]) + (f" … ({len(shown)})" if len(shown) > 12 else "") or "-"


def refuse_unit(contract: Contract, rule: ColumnRule, found: str) -> NoReturn:
    """Say that a unit cannot be converted to that of the contract.

    Raises
    ------
    DataError
        A unit of another kind (QB328).
    """
    raise DataError(
        "QB328",
        table=contract.name,
        header=rule.text.zh,
        found=found,
        expected=rule.unit or "-",
        fix=f"{rule.text.zh} / {rule.text.en}: {rule.unit or '-'}",
    )
