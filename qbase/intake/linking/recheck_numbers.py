"""Re-checks that only their number or their place in a file tells: LX001-复, LX001F1, LX001(复检), LX001′."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qbase.intake.shaping.recipe_steps import Work
    from qbase.lake import Workspace

NOT_STATED = "unknown"
"""Stands for the number of the first sample where a file has no column of it and nothing tells it."""

_SUFFIX = re.compile(
    r"(?P<stem>.*[0-9])\s*[-_/.·]?\s*[(\[]?\s*(?P<mark>复[检查验]?|F[JC]?|R|['’′‘´`]{1,2})\s*\d{0,2}\s*[)\]]?", re.I
)
_PREFIX = re.compile(r"[(\[]?复[检查验]?\d?[)\]]?\s*[-_/.·]?\s*(?P<stem>[0-9A-Za-z].*[0-9])")


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
        return match["stem"], "复" in match["mark"]
    match = _PREFIX.fullmatch(number)
    return (match["stem"], True) if match else ("", False)


def mark_rechecks(workspace: Workspace, work: Work) -> None:
    """Mark the re-checks of a file and name the sample each repeats; the work is changed in place.

    A letter at the end of a number is a mark only where the row says that it is a re-check, or where the number before
    it is a sample of the file or of the lake.

    Parameters
    ----------
    workspace : Workspace
        Its lake knows samples of earlier files.
    work : Work
        Inspections as read.
    """
    numbers, marks, parents = (work.cells(name) for name in ("sample_no", "is_recheck", "parent_no"))
    split = {row: split_number(number) for row, number in enumerate(numbers) if number}
    stems = {row: stem for row, (stem, _) in split.items() if stem and not parents[row]}
    known = {number for number in numbers if number} | _stored(workspace, set(stems.values()))
    found = {row: stem for row, stem in stems.items() if split[row][1] or marks[row] == "true" or stem in known}
    work.change("is_recheck", "by_number", {row: "true" for row in found if marks[row] != "true"})
    work.change("parent_no", "by_number", dict(found))
    if found:
        work.warnings.append(f"parent_no:recheck_by_number {len(found)}")
    has_own = "parent_no" in work.data.column_names
    open_rows = [row for row, mark in enumerate(marks) if mark == "true" and not parents[row] and row not in found]
    if open_rows and not has_own:
        guessed = _by_failure(work, open_rows)
        work.change("parent_no", "by_failure", guessed)
        rest = [row for row in open_rows if row not in guessed]
        work.change("parent_no", "not_stated", dict.fromkeys(rest, NOT_STATED))
        work.warnings.append(f"parent_no:parent_not_stated {len(open_rows)}")


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
