"""Stated counts against counted rows: a headline, a notice, a register."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.numbers import count
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.intake.recipes.recipe_book import list_recipes, read_recipe
from qbase.intake.recipes.recipe_model import Headline, Recipe, Reconcile
from qbase.intake.shaping.recipe_steps import Work
from qbase.lake import Workspace
from qbase.tables import list_contracts, read_contract

if TYPE_CHECKING:
    from qbase.intake.accounting.load_report import LoadReport
    from qbase.lake import Snapshot

Rule = tuple[str, Reconcile, list[str]]

SHOWN = 40
LISTED = 10


def check_headlines(work: Work, headline: Headline, titles: Sequence[str] = ()) -> list[str]:
    """Compare the number in each title with the number of different batches below it.

    Parameters
    ----------
    work : Work
        Rows after `qbase.intake.shaping.recipe_steps.apply_recipe`: records without content are listed by then.
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
        Holds the other table, perhaps not yet.
    work : Work
        Rows with the stated counts.
    rule : Reconcile
        Which column, which table.

    Returns
    -------
    list of str
        One warning per count that is wrong, with both numbers, and one with the number of counts that have no rows
        to be compared with yet; `recheck_counts` comes back to those.
    """
    at = workspace.snapshot()
    true: dict[str, int] = {}
    if rule.table in at.versions:
        counted = workspace.query(_counted_sql(rule), params=_params(rule), snapshot=at)
        true = dict(zip(counted["name"].astype(str), counted["counted"].astype(int), strict=True))
    found, waiting = [], 0
    for row, (name, stated) in enumerate(work.rows((rule.by, rule.column))):
        if row in work.listed or name is None or stated is None or not stated.isdecimal():
            continue
        if int(stated) and name not in true:
            waiting += 1
        elif int(stated) != true.get(name, 0):
            found.append(_mismatch(name, int(stated), true[name]))
    return [*found, *([f"{rule.column}:not_reconciled {waiting}"] if waiting else [])]


def recheck_counts(workspace: Workspace, reports: Sequence[LoadReport], rules: Sequence[Rule]) -> list[LoadReport]:
    """Come back to stated counts when rows they speak of have arrived.

    Parameters
    ----------
    workspace : Workspace
        Where the rows lie, and the deliveries that stated counts of them.
    reports : sequence of LoadReport
        One per file just loaded.
    rules : sequence of tuple
        From `find_rules`, asked before anything was loaded: a recipe that is not sound stops the load at its begin;
        and from `find_own_rules`.

    Returns
    -------
    list of LoadReport
        With one warning per count that the rows so far contradict, with both numbers.
    """
    standing = [report for report in reports if report.accepted and "superseded" not in report.warnings]
    if not standing or not rules:
        return list(reports)
    at = workspace.snapshot()
    found: dict[str, list[str]] = {}
    for table, rule, stating in rules:
        for report in (report for report in standing if rule.table in report.table_names):
            arrived = workspace.query(
                f'SELECT DISTINCT "{rule.by}"::VARCHAR AS name FROM {rule.table} WHERE delivery_sha256 = ?',  # noqa: S608
                params=(report.sha256,),
                snapshot=at,
            )
            stated = compare_counts(workspace, table, rule, stating, at)
            wrong = stated[stated["name"].isin(arrived["name"]) & (stated["stated"] != stated["counted"])]
            told = [_mismatch(str(name), int(n), int(k)) for name, n, k in wrong.itertuples(index=False)]
            found.setdefault(report.sha256, []).extend(told)
    return [report.with_warnings(tuple(dict.fromkeys(found.get(report.sha256, ())))) for report in reports]


def find_own_rules(recipe: Recipe, reports: Sequence[LoadReport]) -> list[Rule]:
    """Return the rules of the files just loaded, as `find_rules` will from the next load on."""
    stating: dict[str, list[str]] = {}
    for report in reports if recipe.reconcile is not None else ():
        for table in report.table_names:
            stating.setdefault(table, []).append(report.sha256)
    return _applying((table, recipe.reconcile, shas) for table, shas in stating.items())


def find_rules(workspace: Workspace, sent: pd.DataFrame | None = None) -> list[Rule]:
    """Return the tables whose recipes state counts of another one: table, rule, sha256 of the deliveries that state.

    A recipe that was given as a file elsewhere is not known here any more, and its counts are not come back to.

    Parameters
    ----------
    workspace : Workspace
        With recipes of its own.
    sent : pandas.DataFrame or None
        Deliveries, a row for each table; None is all of them.

    Returns
    -------
    list of tuple of (str, Reconcile, list of str)
    """
    known = set(list_recipes(workspace.root))
    sent = workspace.deliveries(list_contracts()) if sent is None else sent
    found: dict[tuple[str, str], list[str]] = {}
    for recipe, table, sha256 in zip(sent["recipe"], sent["table"], sent["sha256"], strict=True):
        if recipe in known:
            found.setdefault((str(recipe), str(table)), []).append(str(sha256))
    return _applying(
        (table, read_recipe(name, workspace.root).reconcile, shas) for (name, table), shas in found.items()
    )


def _applying(rules: Iterable[tuple[str, Reconcile | None, list[str]]]) -> list[Rule]:
    """Leave out tables that do not state the count: the other ones of a workbook."""
    return [
        (table, rule, shas)
        for table, rule, shas in rules
        if rule is not None and {rule.column, rule.by} <= set(read_contract(table).column_names)
    ]


def compare_counts(
    workspace: Workspace, table: str, rule: Reconcile, deliveries: Sequence[str], at: Snapshot
) -> pd.DataFrame:
    """Return ``name stated counted`` of the counts some deliveries stated; ``counted`` is 0 where no row is there."""
    if table not in at.versions:
        return pd.DataFrame({"name": [], "stated": [], "counted": []})
    none = "SELECT NULL::VARCHAR AS name, 0 AS counted WHERE false"
    counted, params = (_counted_sql(rule), _params(rule)) if rule.table in at.versions else (none, ())
    marks = ", ".join("?" for _ in deliveries)
    return workspace.query(
        f'SELECT s."{rule.by}"::VARCHAR AS name, TRY_CAST(s."{rule.column}" AS BIGINT) AS stated, '  # noqa: S608  (names of contracts)
        f"coalesce(c.counted, 0)::BIGINT AS counted FROM ({counted}) c "
        f'RIGHT JOIN {table} s ON c.name = s."{rule.by}"::VARCHAR '
        f"WHERE stated IS NOT NULL AND s.delivery_sha256 IN ({marks}) ORDER BY 1",
        params=(*params, *deliveries),
        snapshot=at,
    )


def check_reconciled(workspace: Workspace, sent: pd.DataFrame, at: Snapshot) -> tuple[list[CheckResult], pd.DataFrame]:
    """Check whether the counts that deliveries stated are those of the rows that came since.

    Parameters
    ----------
    workspace : Workspace
        Where the rows lie.
    sent : pandas.DataFrame
        Deliveries to one table.
    at : Snapshot
        Which version.

    Returns
    -------
    tuple of (list of CheckResult, pandas.DataFrame)
        One check per rule: passed, failed where numbers differ, None where rows are still missing; and
        ``name stated counted`` of what is not reconciled.
    """
    checks, rest = [], []
    for table, rule, deliveries in find_rules(workspace, sent):
        stated = compare_counts(workspace, table, rule, deliveries, at)
        differ = stated[stated["stated"] != stated["counted"]]
        waiting = differ[differ["counted"] == 0]
        wrong = differ[differ["counted"] > 0]
        passed = False if len(wrong) else None if len(waiting) else True
        text = _say(table, rule, len(stated) - len(differ), wrong, waiting)
        checks.append(CheckResult(name="reconciled", passed=passed, text=text))
        rest.append(differ)
    empty = pd.DataFrame({"name": [], "stated": [], "counted": []})
    return checks, pd.concat(rest, ignore_index=True) if rest else empty


def _say(table: str, rule: Reconcile, agreed: int, wrong: pd.DataFrame, waiting: pd.DataFrame) -> Text:
    column = read_contract(table).column(rule.column).text
    other = read_contract(rule.table).name_text
    text = Text(
        f"“{column.zh}”与“{other.zh}”的行数核对：{count(agreed)} 份一致",
        f"{column.en} against the rows of {other.en}: {count(agreed)} agree",
    )
    if len(wrong):
        shown = [f"{name} {n}/{k}" for name, n, k in wrong.head(LISTED).itertuples(index=False)]
        text += Text(f"；{count(len(wrong))} 份不一致（所写/实有）：", f"; {count(len(wrong))} differ (stated/found): ")
        text += _list(shown, len(wrong))
    if len(waiting):
        shown = [f"{name} {n}" for name, n, _ in waiting.head(LISTED).itertuples(index=False)]
        text += Text(f"；{count(len(waiting))} 份尚无明细：", f"; {count(len(waiting))} have no rows yet: ")
        text += _list(shown, len(waiting))
    return text + Text("。", ".")


def _list(shown: Sequence[str], total: int) -> Text:
    more = " …" if total > len(shown) else ""
    return Text("、".join(shown) + more, ", ".join(shown) + more)


def _counted_sql(rule: Reconcile) -> str:
    where = " AND ".join(f'"{column}"::VARCHAR = ?' for column in rule.where) or "true"
    return f'SELECT "{rule.by}"::VARCHAR AS name, count(*) AS counted FROM {rule.table} WHERE {where} GROUP BY 1'  # noqa: S608


def _params(rule: Reconcile) -> tuple[str, ...]:
    return tuple(rule.where.values())


def _mismatch(name: str, stated: int, counted: int) -> str:
    return f"{_short(name)}:count_mismatch {stated}/{counted}"


def _short(title: str) -> str:
    plain = " ".join(title.split()).replace(":", "：")
    return plain if len(plain) <= SHOWN else plain[: SHOWN - 1] + "…"
