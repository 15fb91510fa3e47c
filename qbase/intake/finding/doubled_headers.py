"""Two headers that mean one column: their cells tell which of them counts, or a person does."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

from qbase.core.text import Text
from qbase.intake.finding.column_meaning import ColumnMap
from qbase.intake.finding.data_rows import Layout
from qbase.intake.finding.refused_headers import DoubledError, shorten
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.recipes.questions import Question, ask_one
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.values.cell_values import build_reader
from qbase.tables import ColumnRule, Contract, normalise_header

RECHECK = "is_recheck"

Cells = list[str | None]
_RECHECK = re.compile("复[查检验]")


def map_once(
    map_headers: Callable[[Sequence[str]], ColumnMap], grid: Grid, layout: Layout, recipe: Recipe
) -> ColumnMap:
    """Map headers to columns; of several that mean one column all but one are passed over, and each is told.

    Parameters
    ----------
    map_headers : callable
        Maps headers, and refuses several for one column.
    grid, layout : Grid, Layout
        The cells below them.
    recipe : Recipe
        With the answers given.

    Returns
    -------
    ColumnMap

    Raises
    ------
    DataError
        Their cells differ: nobody said which column counts (QB360, a question), or the headers are the same word for
        word (QB322).
    """
    headers, told = list(layout.headers), list[str]()
    while True:  # one header less in every round
        try:
            columns = map_headers(headers)
        except DoubledError as doubled:
            left, code, instead = _choose(doubled, headers, grid, layout, recipe)
            told.append(f"{shorten(layout.headers[left])}:{code}")
            headers[left] = instead
        else:
            return dataclasses.replace(columns, warnings=(*told, *columns.warnings))


def _choose(
    doubled: DoubledError, headers: Sequence[str], grid: Grid, layout: Layout, recipe: Recipe
) -> tuple[int, str, str]:
    """Return which of two headers is passed over, why, and what it is taken for instead."""
    one, other = doubled.positions[:2]
    said = _answered(doubled, headers, recipe)
    if said is not None:
        return said, "column_not_chosen", ""
    cells = {position: _read(doubled.rule, grid, layout, position, recipe) for position in (one, other)}
    if _covers(cells[one], cells[other]):
        return other, "repeats_column" if cells[one] == cells[other] else "silent_column", ""
    if _covers(cells[other], cells[one]):
        return one, "silent_column", ""
    for position in (one, other):
        instead = _as_recheck(doubled.contract, headers, _raw(grid, layout, position), recipe)
        if instead:
            return position, "column_is_recheck", instead
    if normalise_header(headers[one]) == normalise_header(headers[other]):
        raise doubled
    return ask_one([_offer(doubled.rule, headers, position) for position in (one, other)], doubled.contract.name)


def _answered(doubled: DoubledError, headers: Sequence[str], recipe: Recipe) -> int | None:
    """Return the header that an answer passes over; None where no answer settles it."""
    one, other = doubled.positions[:2]
    answers = {position: _key(doubled.rule, headers[position]) for position in (one, other)}
    if len(set(answers.values())) == 1:
        return None
    yes = [position for position, key in answers.items() if key in recipe.accept]
    no = [position for position, key in answers.items() if key in recipe.reject]
    if len(yes) == 2 or len(no) == 2:
        raise doubled
    if yes:
        return other if yes == [one] else one
    return no[0] if no else None


def _key(rule: ColumnRule, header: str) -> str:
    return f"column:{' '.join(header.split())}={rule.name}"


def _offer(rule: ColumnRule, headers: Sequence[str], position: int) -> Question:
    name = shorten(headers[position])
    text = Text(f"以“{name}”一列作为“{rule.text.zh}”", f"of these columns, {name} is the one of “{rule.text.en}”")
    return Question(key=_key(rule, headers[position]), text=text)


def _raw(grid: Grid, layout: Layout, position: int) -> list[str]:
    cells: list[str] = grid.cells_of(position, layout.data).to_pylist()
    return cells


def _read(rule: ColumnRule, grid: Grid, layout: Layout, position: int, recipe: Recipe) -> Cells:
    """Return what cells say; what only says that nothing is stated is nothing, but for the word re-check."""
    reader = build_reader(rule, missing=recipe.missing, values=recipe.values.get(rule.name))
    raw = _raw(grid, layout, position)
    meant = {text: reader(text)[0] for text in set(raw)}
    for text, value in meant.items():
        if value is not None and value == rule.unstated:
            meant[text] = RECHECK if _RECHECK.search(text) else None
    return [meant[text] for text in raw]


def _covers(wide: Cells, narrow: Cells) -> bool:
    """Say whether a column says everything another one says."""
    return all(few is None or few == many for many, few in zip(wide, narrow, strict=True))


def _as_recheck(contract: Contract, headers: Sequence[str], raw: Sequence[str], recipe: Recipe) -> str:
    """Return the header of re-checks where cells say nothing but whether a batch is one; else an empty text."""
    if RECHECK not in contract.column_names:
        return ""
    rule = contract.column(RECHECK)
    names = {normalise_header(name) for name in rule.headers}
    if any(normalise_header(header) in names for header in headers):
        return ""
    reader = build_reader(rule, missing=recipe.missing)
    said = {reader(text)[0] for text in set(raw)} - {None}
    return rule.text.zh if "true" in said and said <= {"true", "false"} else ""
