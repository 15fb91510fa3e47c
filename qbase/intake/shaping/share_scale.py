"""Rates of 0.975 in a column of percentages: settled by the counts beside them, else asked about."""

from __future__ import annotations

import statistics
from collections.abc import Set
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from qbase.core.text import Text
from qbase.intake.recipes.questions import Question, ask
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.shaping.recipe_steps import Work
from qbase.intake.values.written_numbers import plain_number
from qbase.tables import ColumnRule

NUMERIC = ("int", "number")
HIGH_PCT = 20.0  # where most rates are above, one between 0 and 1 is more likely a share
NEAR_SHARE, NEAR_PCT = Decimal("0.00501"), Decimal("0.0601")  # two decimals of a share, one of a percentage


def says_percent(raw: pa.ChunkedArray) -> bool:
    """Return whether a cell of a column is printed with a per cent sign, by its format or in its text."""
    return bool(pc.any(pc.match_substring_regex(raw, "[%％]")).as_py())


def settle_shares(work: Work, recipe: Recipe, settled: Set[str]) -> None:
    """Turn columns of shares into percentages where counts or a person say so; the work is changed in place.

    Only a column without any value above 1 can be one of shares as a whole. A share among percentages is remarked
    and stays what the contract says it is.

    Parameters
    ----------
    work : Work
        Rows as read.
    recipe : Recipe
        With the answers given; a rate that it proves by counts is left to that.
    settled : set of str
        Columns whose cells or headers say what they are.

    Raises
    ------
    DataError
        Nobody said whether a column holds shares (QB360).
    """
    questions = []
    for rule in work.contract.columns:
        if rule.unit != "pct" or rule.type not in NUMERIC or rule.name not in work.data.column_names:
            continue
        numbers = _numbers(work.data.column(rule.name))
        small = [number for number in numbers if 0 < number <= 1]
        others = [number for number in numbers if number > 1]
        if not small or (others and statistics.median(others) < HIGH_PCT):
            continue
        if others:
            work.warnings.append(f"{rule.name}:may_be_share {len(small)}")
        elif rule.name not in settled and (recipe.ratio is None or recipe.ratio.column != rule.name):
            questions += _settle(work, rule, recipe)
    ask(questions, work.contract.name)


def _settle(work: Work, rule: ColumnRule, recipe: Recipe) -> list[Question]:
    """Convert a column without values above 1, or return the question whether to."""
    key = f"share:{rule.name}"
    proof = _prove(work, rule)
    if proof == "share":
        _convert(work, rule.name, "other_unit")
    elif not proof and key in recipe.accept:
        _convert(work, rule.name, "share_converted")
    elif not proof and key not in recipe.reject:
        said = Text(
            f"“{rule.text.zh}”全列不大于 1，写的是小数，0.975 即 97.5%",
            f"no “{rule.text.en}” is above 1: they are shares, 0.975 is 97.5 %",
        )
        return [Question(key=key, text=said)]
    return []


def _prove(work: Work, rule: ColumnRule) -> str:
    """Say what the counts beside a rate make of it: ``share``, ``percent``, or empty where they tell nothing."""
    if not rule.counts:
        return ""
    found = set()
    for cells in work.rows((rule.name, *rule.counts)):
        value, part, whole = (None if cell is None else _decimal(cell) for cell in cells)
        if not value or part is None or not whole:
            continue
        is_pct = abs(value - 100 * part / whole) <= NEAR_PCT
        is_share = abs(value - part / whole) <= NEAR_SHARE
        found.add("percent" if is_pct or not is_share else "share")
    # counts that contradict a rate are for the contract to judge, and so is a mixture
    return "percent" if len(found) > 1 else next(iter(found), "")


def _convert(work: Work, column: str, code: str) -> None:
    shares = {row: _decimal(cell) for row, cell in enumerate(work.cells(column)) if cell is not None}
    new = {row: plain_number(str(100 * value)) for row, value in shares.items() if value}
    work.change(column, code, new)
    work.warnings.append(f"{column}:{code} {len(new)}")


def _decimal(cell: str) -> Decimal | None:
    plain = plain_number(cell)
    return Decimal(plain) if plain is not None else None


def _numbers(values: pa.ChunkedArray) -> list[float]:
    """Return the numbers of a column, each as often as it stands there."""
    numbers: list[float] = []
    for item in pc.value_counts(values).to_pylist():
        plain = plain_number(item["values"]) if item["values"] else None
        numbers += [float(plain)] * item["counts"] if plain is not None else []
    return numbers
