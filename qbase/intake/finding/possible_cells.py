"""What a column cannot be: words where codes belong, or dates, or numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence

from qbase.core.errors import DataError
from qbase.intake.finding.data_rows import Layout
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.recipes.question_ids import UndecidedError
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.values.cell_values import FATAL, build_reader
from qbase.intake.values.written_numbers import plain_number
from qbase.tables import ColumnRule, Contract, list_contracts, normalise_header, read_contract

LOOKED_AT = 200
SHOWN = 4
ENOUGH = 0.5
_DAY = re.compile(r"\d{4}(?:-\d{2}-\d{2}|Q[1-4])", re.ASCII)
_SIGN = re.compile("[0-9A-Za-z]")
_HELD = {"code": "A12 / 123456", "int": "12", "number": "12.5", "date": "2022-08-10", "quarter": "2022Q3"}


def sample_cells(grid: Grid, layout: Layout, position: int) -> list[str]:
    """Return the first cells of a column that hold something."""
    cells = grid.cells_of(position, layout.data[:LOOKED_AT]).to_pylist()
    return [cell.strip() for cell in cells if cell and cell.strip()]


def can_hold(rule: ColumnRule, cells: Sequence[str], recipe: Recipe) -> bool:
    """Say whether cells can be values of a column: at least half of them are read as what it holds."""
    if rule.type == "text" or not cells:
        return True
    reader = build_reader(rule, missing=recipe.missing, values=recipe.values.get(rule.name))
    readings = [reader(cell) for cell in cells]
    stated = [(value, code) for value, code in readings if value is not None]
    sound = [value for value, code in stated if not code.startswith(FATAL) and _is_sound(rule, value)]
    return len(sound) >= ENOUGH * len(stated)


def _is_sound(rule: ColumnRule, value: str) -> bool:
    if rule.values:
        return value in rule.values
    if rule.type in ("int", "number"):
        return plain_number(value) is not None
    if rule.type != "code":
        return _DAY.fullmatch(value) is not None
    if rule.pattern:
        return re.fullmatch(rule.pattern, value) is not None
    return _SIGN.search(value) is not None


def list_vain(asked: UndecidedError, grid: Grid, layout: Layout, recipe: Recipe) -> frozenset[str]:
    """Return the questions about columns to which nobody can say yes, because of what the cells hold."""
    contracts = [read_contract(table) for table in asked.table.split(" / ") if table in list_contracts()]
    return frozenset(
        question.key
        for question in asked.questions
        for contract in contracts
        if question.key.startswith("column:") and _vain_cells(question.key, contract, grid, layout, recipe)
    )


def check_accepted(contract: Contract, grid: Grid, layout: Layout, recipe: Recipe) -> None:
    """Refuse the answer that a header is a column which its cells cannot be.

    Raises
    ------
    DataError
        Names stand in a column of codes, or words in one of numbers (QB392).
    """
    for answer in sorted(recipe.accept):
        cells = _vain_cells(answer, contract, grid, layout, recipe) if answer.startswith("column:") else ()
        if not cells:
            continue
        header, _, column = answer.removeprefix("column:").rpartition("=")
        rule = contract.column(column)
        raise DataError(
            "QB392",
            table=contract.name,
            header=header,
            column=f"{rule.text.zh} / {rule.text.en}",
            found=", ".join(cells[:SHOWN]),
            expected=" | ".join(rule.values) or rule.pattern or _HELD[rule.type],
            fix=f'qbase load FILE --reject "{answer}"',
        )


def _vain_cells(answer: str, contract: Contract, grid: Grid, layout: Layout, recipe: Recipe) -> list[str]:
    """Return cells that contradict an answer; none where it may hold, or says nothing about this sheet."""
    header, _, column = answer.removeprefix("column:").rpartition("=")
    names = [normalise_header(name) for name in layout.headers]
    if column not in contract.column_names or normalise_header(header) not in names:
        return []
    cells = sample_cells(grid, layout, names.index(normalise_header(header)))
    return [] if can_hold(contract.column(column), cells, recipe) else list(dict.fromkeys(cells))
