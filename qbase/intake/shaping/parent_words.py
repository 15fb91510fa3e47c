"""A parent number that is no number of a sample, a word or one on many rows: a person says what it means."""

from __future__ import annotations

import re

import pyarrow.compute as pc

from qbase.core.numbers import count
from qbase.core.text import Text
from qbase.intake.recipes.questions import Question, ask
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.shaping.recipe_steps import Work

SAMPLE, PARENT = "sample_no", "parent_no"
MANY = 5  # nobody inspects one batch again as often
_WORD = re.compile(r"\D+|-\d+")  # 首检, 不涉及, -1: one row of it is too many


def settle_parents(work: Work, recipe: Recipe) -> None:
    """Ask about words for "no parent" that nobody knows, and count them as missing where somebody said so.

    Parameters
    ----------
    work : Work
        Rows as read; changed in place.
    recipe : Recipe
        With the answers given.

    Raises
    ------
    DataError
        Nobody said what a repeated parent number means (QB360).
    """
    if not {SAMPLE, PARENT} <= set(work.data.column_names):
        return
    counts = pc.value_counts(work.column(PARENT)).to_pylist()
    named = {item["values"]: item["counts"] for item in counts if item["values"]}
    doubtful = [(word, times) for word, times in named.items() if times >= MANY or _WORD.fullmatch(word)]
    known = set(work.cells(SAMPLE)) if doubtful else set()
    questions = []
    for word, times in sorted(doubtful):
        key = f"nothing:{PARENT}={word}"
        if word in known or key in recipe.reject:
            continue
        if key in recipe.accept:
            work.change(
                PARENT, "stands_for_nothing", {row: None for row, cell in enumerate(work.cells(PARENT)) if cell == word}
            )
            continue
        said = Text(
            f"原抽样编号“{word}”写在 {count(times)} 行，又不是任何样品的编号：它表示没有原样品",
            f"parent number {word} stands on {count(times)} rows and is no sample number: it means that there is none",
        )
        questions.append(Question(key=key, text=said))
    ask(questions, work.contract.name)
