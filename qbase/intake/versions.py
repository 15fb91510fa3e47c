"""The contract of today against the one the rows in the lake were stored under."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from qbase.core.errors import DataError
from qbase.lake.ledger import read_stored_contract
from qbase.tables import Contract, compare_contracts, describe_contract, read_contract

if TYPE_CHECKING:
    from qbase.intake.book import Book
    from qbase.intake.recipe import Recipe
    from qbase.lake import Workspace
    from qbase.tables import ContractChange


def contracts_of(book: Book) -> dict[str, Contract]:
    """Return the contracts of all tables a file may bring rows to."""
    items = [sheets.items.name for sheets in book.tables if sheets.items is not None]
    return {c.name: c for c in (*(sheets.contract for sheets in book.tables), *map(read_contract, items))}


def check_contracts(workspace: Workspace, book: Book) -> tuple[str, ...]:
    """Compare the contracts of a file with those the stored rows were judged by.

    Parameters
    ----------
    workspace : Workspace
        Its ledger knows the contracts of stored rows; of rows from before they were recorded it knows none.
    book : Book
        Tables of the file; the recipe holds the answers given.

    Returns
    -------
    tuple of str
        Warnings: ``column:contract_added`` for a new column, ``column:contract_changed`` for other limits,
        ``table:contract_accepted N`` for N differences a person accepted.

    Raises
    ------
    DataError
        Old and new rows may not stand in one table (QB333, QB334).
    """
    contracts = contracts_of(book)
    told: list[str] = []
    for name, contract in contracts.items():
        before = read_stored_contract(workspace, name)
        now = describe_contract(contract)
        if before is None or before == now:
            continue
        change = compare_contracts(before, now)
        _check(contract, int(before["version"]), change, book.recipe)
        warnings = [f"{column}:contract_added" for column in change.added]
        warnings += [f"{part}:contract_changed" for part in change.loosened]
        told += [f"{name}/{warning}" if len(contracts) > 1 else warning for warning in warnings]
        if change.broken:
            told.append(f"{name}:contract_accepted {len(change.broken)}")
    return tuple(told)


def _check(contract: Contract, version: int, change: ContractChange, recipe: Recipe) -> None:
    answer = f"contract:{contract.name}={contract.version}"
    if change.unmixable:
        _refuse("QB334", contract, version, [*change.unmixable, *change.broken], "qbase load data/raw/… --home DIR")
    if change.broken and answer not in recipe.accept:
        _refuse("QB333", contract, version, change.broken, f'qbase load FILE --accept "{answer}"')


def _refuse(code: str, contract: Contract, version: int, found: list[str] | tuple[str, ...], fix: str) -> NoReturn:
    raise DataError(
        code,
        table=contract.name,
        before=version,
        now=contract.version,
        found="; ".join(found),
        expected=f"{contract.name}.toml, version {version}",
        fix=fix,
    )
