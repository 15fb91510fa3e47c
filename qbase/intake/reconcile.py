"""Stated counts against counted rows: a headline, a notice, a register."""

from __future__ import annotations

import re
from collections.abc import Sequence

from qbase.intake.recipe import Headline, Reconcile
from qbase.intake.reshape import Work
from qbase.lake import Workspace

SHOWN = 40


def check_headlines(work: Work, headline: Headline, titles: Sequence[str] = ()) -> list[str]:
    """Compare the number in each title with the number of different batches below it.

    Parameters
    ----------
    work : Work
        Rows after `qbase.intake.reshape.apply_recipe`: records without content are listed by then.
    headline : Headline
        Where the title is, what tells batches apart.
    titles : sequence of str
        Rows above the header, for a title that is no column.

    Returns
    -------
    list of str
        One warning per title that is wrong, with both numbers.
    """
    batches: dict[str, set[tuple[str | None, ...]]] = {}
    named = work.cells(headline.column) if headline.column else ["\n".join(titles)] * len(work)
    for row, cells in enumerate(work.rows(headline.distinct)):
        title = named[row] or ""
        if re.search(headline.pattern, title):
            known = batches.setdefault(title, set())
            if work.listed.get(row) != "empty_record":
                known.add(cells)
    found = []
    for title, known in batches.items():
        match = re.search(headline.pattern, title)
        stated = int(match[1]) if match else len(known)
        if stated != len(known):
            found.append(f"{_short(title)}:headline_mismatch {stated}/{len(known)}")
    return found


def check_counts(workspace: Workspace, work: Work, rule: Reconcile) -> list[str]:
    """Compare stated counts with the rows of another table of the lake.

    Parameters
    ----------
    workspace : Workspace
        Holds the other table; where it does not, one warning says so.
    work : Work
        Rows with the stated counts.
    rule : Reconcile
        Which column, which table.

    Returns
    -------
    list of str
        One warning per count that is wrong, with both numbers.
    """
    if not workspace.has_table(rule.table):
        return [f"{rule.column}:not_reconciled"]
    where = " AND ".join(f'"{column}"::VARCHAR = ?' for column in rule.where) or "true"
    counted = workspace.query(
        f'SELECT "{rule.by}" AS name, count(*) AS n FROM "{rule.table}" WHERE {where} GROUP BY 1',  # noqa: S608
        params=tuple(rule.where.values()),
    )
    true = dict(zip(counted["name"].astype(str), counted["n"].astype(int), strict=True))
    found = []
    for row, (name, stated) in enumerate(work.rows((rule.by, rule.column))):
        if row in work.listed or name is None or stated is None or not stated.isdecimal():
            continue
        if int(stated) != true.get(name, 0):
            found.append(f"{_short(name)}:count_mismatch {int(stated)}/{true.get(name, 0)}")
    return found


def _short(title: str) -> str:
    plain = " ".join(title.split()).replace(":", "：")
    return plain if len(plain) <= SHOWN else plain[: SHOWN - 1] + "…"
