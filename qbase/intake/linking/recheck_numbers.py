"""Re-checks that only their number or their place in a file tells: LX001-复, LX001F1, LX001(复检), LX001′, LX001-2."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qbase.core.text import Text
from qbase.intake.recipes.questions import Question, ask

if TYPE_CHECKING:
    from qbase.intake.recipes.recipe_model import Recipe
    from qbase.intake.shaping.recipe_steps import Work
    from qbase.lake import Workspace

NOT_STATED = "unknown"
"""Stands for the number of the first sample where a file has no column of it and nothing tells it."""

_SUFFIX = re.compile(
    r"(?P<stem>.*[0-9])\s*[-_/.·]?\s*[(\[]?\s*(?P<mark>复[检查验测试]?|[重再][检测]|第?[二三2-3]次|F[JC]?|R|['’′‘´`]{1,2})\s*\d{0,2}\s*[)\]]?",
    re.I,
)
_PREFIX = re.compile(r"[(\[]?(?:复[检查验测试]?|[重再][检测])\d?[)\]]?\s*[-_/.·]?\s*(?P<stem>[0-9A-Za-z].*[0-9])")

# a further number may be a second sample of the same kind as well: LX001-2, LX001(2)
_COUNTED = re.compile(r"(?P<stem>.*[0-9]) ?(?P<form>[-_/.·#](?=\d{1,2}$)|[(\[](?=\d{1,2}[)\]]$)).{1,3}")
_PLAIN = re.compile("[复重再次]")
# what every such number has, for Arrow: the others of a long column need not be looked at
_MAY_REPEAT = r"(?s)[0-9][^0-9A-Za-z]*(?:[复重再第二三FfRr'’′‘´`]|[23]次)|^.?[复重再]"
_MAY_COUNT = r"(?s)[0-9] ?[-_/.·#(\[].{1,3}$"


def split_number(number: str) -> tuple[str, bool]:
    """Return the number a re-check repeats, and whether its mark leaves no doubt; empty where there is none.

    Parameters
    ----------
    number : str
        As printed.

    Returns
    -------
    tuple of (str, bool)
    """
    match = _SUFFIX.fullmatch(number)
    if match:
        return match["stem"], _PLAIN.search(match["mark"]) is not None
    match = _PREFIX.fullmatch(number)
    return (match["stem"], True) if match else ("", False)


def split_counted(number: str) -> tuple[str, str]:
    """Return the number before a further number in brackets or behind a sign, and the sign; empty where there is none.

    >>> split_counted("LX009-2"), split_counted("LX009(2)"), split_counted("LX-009")
    (('LX009', '-'), ('LX009', '()'), ('', ''))
    """
    match = _COUNTED.fullmatch(number)
    return (match["stem"], {"(": "()", "[": "[]"}.get(match["form"], match["form"])) if match else ("", "")


def mark_rechecks(workspace: Workspace, work: Work, recipe: Recipe) -> None:
    """Mark the re-checks of a file and name the sample each repeats; the work is changed in place.

    A letter at the end of a number is a mark only where the row says that it is a re-check, or where the number before
    it is a sample of the file or of the lake. A further number is asked about where the number before it is a sample
    that failed earlier; else it is part of the number.

    Parameters
    ----------
    workspace : Workspace
        Its lake knows samples of earlier files.
    work : Work
        Inspections as read.
    recipe : Recipe
        With the answers given.

    Raises
    ------
    DataError
        A further number may mark a re-check (QB360).
    """
    numbers, has_parent = work.column("sample_no"), work.filled("parent_no")
    is_marked = np.asarray(pc.fill_null(pc.equal(work.column("is_recheck"), "true"), False))
    split = {row: split_number(number) for row, number in _matching(numbers, _MAY_REPEAT)}
    stems = {row: stem for row, (stem, _) in split.items() if stem and not has_parent[row]}
    known = _among(numbers, set(stems.values())) | _stored(workspace, set(stems.values()))
    found = {row: stem for row, stem in stems.items() if split[row][1] or is_marked[row] or stem in known}
    found |= _find_counted(workspace, work, recipe, found)
    work.change("is_recheck", "by_number", {row: "true" for row in found if not is_marked[row]})
    work.change("parent_no", "by_number", dict(found))
    if found:
        work.warnings.append(f"parent_no:recheck_by_number {len(found)}")
    has_own = "parent_no" in work.data.column_names
    open_rows = [row for row in np.flatnonzero(is_marked & ~has_parent).tolist() if row not in found]
    if open_rows and not has_own:
        guessed = _by_failure(work, open_rows)
        work.change("parent_no", "by_failure", guessed)
        rest = [row for row in open_rows if row not in guessed]
        work.change("parent_no", "not_stated", dict.fromkeys(rest, NOT_STATED))
        work.warnings.append(f"parent_no:parent_not_stated {len(open_rows)}")


def _find_counted(workspace: Workspace, work: Work, recipe: Recipe, found: dict[int, str]) -> dict[int, str]:
    """Return the first sample of rows with a further number that are re-checks; ask by the form of the number."""
    has_parent = work.filled("parent_no")
    may_count = [(row, number) for row, number in _matching(work.column("sample_no"), _MAY_COUNT) if row not in found]
    split = {row: split_counted(number) for row, number in may_count if not has_parent[row]}
    split = {row: parts for row, parts in split.items() if parts[0]}
    if not split:
        return {}
    facts = dict(enumerate(work.rows(("sample_no", "sample_date", "result", "is_recheck"))))
    failed = _failed_on(workspace, {stem for stem, _ in split.values()})
    for number, day, result, mark in facts.values():
        if number and day and result == "fail" and mark != "true":
            failed[number] = min(day, failed.get(number, day))
    later = {
        row: parts for row, parts in split.items() if parts[0] in failed and failed[parts[0]] < (facts[row][1] or "")
    }
    asked: dict[str, list[int]] = {}
    for row, (_, form) in later.items():
        if facts[row][3] != "true" and not {f"recheck:{form}"} & (recipe.accept | recipe.reject):
            asked.setdefault(form, []).append(row)
    questions = []
    for form, rows in asked.items():
        first, shown = later[rows[0]][0], facts[rows[0]][0]
        said = Text(
            f"“{shown}”等 {len(rows)} 个编号是原编号不合格（如“{first}”）后的复查",
            f"{shown} and the like ({len(rows)}) are re-checks of samples that failed, such as {first}",
        )
        questions.append(Question(key=f"recheck:{form}", text=said))
    ask(questions, work.contract.name)
    return {
        row: stem
        for row, (stem, form) in later.items()
        if facts[row][3] == "true" or f"recheck:{form}" in recipe.accept
    }


def _matching(numbers: pa.Array | pa.ChunkedArray, pattern: str) -> list[tuple[int, str]]:
    """Return position and text of the numbers in which Arrow finds a pattern, in order."""
    is_match = pc.fill_null(pc.match_substring_regex(numbers, pattern), False)
    rows: list[int] = np.flatnonzero(np.asarray(is_match)).tolist()
    return list(zip(rows, numbers.filter(is_match).to_pylist(), strict=True))


def _among(numbers: pa.Array | pa.ChunkedArray, stems: set[str]) -> set[str]:
    """Return those of the stems that are a number of the file."""
    if not stems:
        return set()
    is_stem = pc.is_in(numbers, pa.array(sorted(stems), pa.string()))
    return set(numbers.filter(is_stem).unique().to_pylist())


def _failed_on(workspace: Workspace, numbers: set[str]) -> dict[str, str]:
    """Return the day of each of these samples of the lake that failed."""
    at = workspace.snapshot()
    if not numbers or "inspections" not in at.versions:
        return {}
    sql = (
        "SELECT sample_no, CAST(min(sample_date) AS VARCHAR) AS day FROM inspections "
        "WHERE sample_no IN (SELECT unnest(?)) AND result = 'fail' AND is_recheck IS NOT TRUE GROUP BY sample_no"
    )
    rows = workspace.arrow(sql, params=(sorted(numbers),), snapshot=at)
    return dict(zip(rows.column("sample_no").to_pylist(), rows.column("day").to_pylist(), strict=True))


def _stored(workspace: Workspace, stems: set[str]) -> set[str]:
    at = workspace.snapshot()
    if not stems or "inspections" not in at.versions:
        return set()
    sql = "SELECT sample_no FROM inspections WHERE list_contains(?, sample_no)"
    rows = workspace.arrow(sql, params=(sorted(stems),), snapshot=at)
    return set(rows.column("sample_no").to_pylist())


def _by_failure(work: Work, rows: list[int]) -> dict[int, str | None]:
    """Return the last failure before it of the same firm and product in the file, where there is one."""
    columns = ("sample_no", "firm_name", "product_name", "sample_date", "result", "is_recheck")
    facts = work.rows(columns)
    failed = [fact for fact in facts if fact[4] == "fail" and fact[5] != "true" and fact[3]]
    found: dict[int, str | None] = {}
    for row in rows:
        _, firm, product, day, _, _ = facts[row]
        same = [fact for fact in failed if fact[1] == firm and fact[2] == product]
        before = [(fact[3] or "", fact[0]) for fact in same if (fact[3] or "") < (day or "")]
        if before:
            found[row] = max(before, key=lambda fact: fact[0])[1]
    return found
