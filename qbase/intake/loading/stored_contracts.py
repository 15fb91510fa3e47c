"""The contract of today against the one the rows in the lake were stored under."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qbase.core.errors import DataError
from qbase.core.text import Text
from qbase.intake.recipes.question_ids import Question, UndecidedError, question_id
from qbase.lake.stored_structures import read_stored_contract
from qbase.tables import Contract, compare_contracts, describe_contract, list_contracts, read_contract

if TYPE_CHECKING:
    from qbase.intake.loading.stored_rows import JudgedTable
    from qbase.intake.recipes.recipe_model import Recipe
    from qbase.intake.shaping.file_tables import Book
    from qbase.lake import Workspace


def contracts_of(book: Book) -> dict[str, Contract]:
    """Return the contracts of all tables a file may bring rows to."""
    items = [sheets.items.name for sheets in book.tables if sheets.items is not None]
    return {c.name: c for c in (*(sheets.contract for sheets in book.tables), *map(read_contract, items))}


def contracts_beside(judged: Sequence[JudgedTable]) -> dict[str, Contract]:
    """Return the contracts of rows that a person accepted along with a file."""
    return {name: read_contract(name) for one in judged for name in one.links if name in list_contracts()}


class StoredContracts:
    """The contracts stored rows were judged by, asked once per table and load.

    Parameters
    ----------
    workspace : Workspace
        Its ledger knows the contracts of stored rows; of rows from before they were recorded it knows none.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._checked: dict[str, Contract] = {}

    def check(self, book: Book) -> tuple[str, ...]:
        """Compare the contracts of a file with those the stored rows were judged by.

        Parameters
        ----------
        book : Book
            Tables of the file; the recipe holds the answers given.

        Returns
        -------
        tuple of str
            Warnings, once per load: ``column:contract_added`` for a new column, ``column:contract_changed`` for other
            limits, ``table:contract_accepted N`` for N differences a person accepted.

        Raises
        ------
        DataError
            Old and new rows may not stand in one table (QB333, QB334).
        """
        contracts = contracts_of(book)
        told: list[str] = []
        for name, contract in contracts.items():
            if self._checked.get(name) is contract:
                continue
            found = _compare(self._workspace, contract, book.recipe)
            told += [f"{name}/{warning}" if len(contracts) > 1 else warning for warning in found]
            self._checked[name] = contract
        return tuple(told)


def _compare(workspace: Workspace, contract: Contract, recipe: Recipe) -> list[str]:
    before, now = read_stored_contract(workspace, contract.name), describe_contract(contract)
    if before is None or before == now:
        return []
    change = compare_contracts(before, now)
    answer = f"contract:{contract.name}={contract.version}"
    facts = {
        "table": contract.name,
        "before": before["version"],
        "now": contract.version,
        "found": "; ".join((*change.unmixable, *change.broken)),
        "expected": f"{contract.name}.toml, version {before['version']}",
    }
    if change.unmixable:
        raise DataError("QB334", **facts, fix=_new_names(change.unmixable, contract))
    if change.broken and not recipe.accept & {answer, question_id(answer)}:
        said = Text("新旧契约不同，新行按新契约载入", "the contracts differ, and new rows come in under the new one")
        asked = [Question(key=answer, text=said)]
        raise UndecidedError("QB333", questions=asked, **facts, fix=f'qbase load FILE --accept "{answer}"')
    warnings = [f"{column}:contract_added" for column in change.added]
    warnings += [f"{part}:contract_changed" for part in change.loosened]
    return [*warnings, *([f"{contract.name}:contract_accepted {len(change.broken)}"] if change.broken else [])]


def _new_names(unmixable: Sequence[str], contract: Contract) -> str:
    """Say what lets old and new rows share a table after all: the old column stays, and a new one takes the new."""
    names = list(dict.fromkeys(part.partition(":")[0] for part in unmixable))
    kept = " + ".join(f"{name}, {name}_v{contract.version}" for name in names)
    return f"{contract.name}.toml: {kept} (required = false) | qbase load data/raw/… --home DIR"
