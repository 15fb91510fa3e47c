"""How ripe a quarter is: results that are still to come, what they could change.

A first inspection is sampled (no result yet), tested (a result not yet published), in objection, or final. Results that
no table holds yet are estimated from the snapshots of the lake: what share of its later number a period had at the
same age. A period below a declared completeness is preliminary (初步): it is shown with bounds and gets no verdict.
So is a period that is not over, however final its results: what will still be drawn has no bounds.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.numbers import percent
from qbase.core.panel import Panel
from qbase.core.periods import PER_YEAR, Freq, freq_of, ordinal, ordinals, period_at, to_periods
from qbase.core.text import Text
from qbase.core.values import EMPTY, CheckResult
from qbase.indicators.cells.inspection_window import Rows, open_rows
from qbase.indicators.cells.window_sql import Entity
from qbase.indicators.kept.kept_values import keep_value
from qbase.indicators.maturity.maturity_table import LEAST_SHARE, STATES, Maturity, add_bounds
from qbase.indicators.maturity.maturity_words import say_preliminary, say_withheld

if TYPE_CHECKING:
    from qbase.lake import Workspace

RIPE_AGE = 4
"""Periods after which a number counts as complete when completeness by age is learnt."""
BOUNDED = "D1.batch"
"""The rate whose bounds pending batches give."""

_NO_NOTICES = "SELECT NULL::VARCHAR AS notice_no, NULL::DATE AS publish_date WHERE false"
_NOTICES = "SELECT notice_no, any_value(publish_date) AS publish_date FROM notices GROUP BY notice_no"


def read_maturity(
    workspace: Workspace,
    *,
    entity: Entity = "cluster_id",
    freq: Freq = "Q",
    snapshot: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
    as_of: str | None = None,
    least_share: float = LEAST_SHARE,
    known_on: Mapping[str, str] = EMPTY,
) -> Maturity:
    """Read how complete the periods of a window are.

    Parameters
    ----------
    workspace, entity, freq, snapshot, first, last
        As for `qbase.indicators.build_panel`.
    as_of : str or None
        ISO date, such as the day of last year's report: what was sampled or published later is pending. None is the
        last day on record: of a sample, or of the publication of a notice.
    least_share : float
        Declared completeness, 0 to 1.
    known_on : mapping
        As for `read_completeness`.

    Returns
    -------
    Maturity

    Raises
    ------
    UsageError
        The threshold is no share (QB440), ``as_of`` is no date (QB441), or as in `build_panel` (QB101, QB402).
    DataError
        A table is missing (QB403).

    Examples
    --------
    >>> from qbase.indicators import read_maturity
    >>> from qbase.lake import open_workspace
    >>> maturity = read_maturity(open_workspace(), first="2025Q3", last="2025Q4", as_of="2026-01-10")
    >>> maturity.table["is_preliminary"].groupby("period").sum().to_dict()
    {Period('2025Q3', 'Q-DEC'): 0, Period('2025Q4', 'Q-DEC'): 12}
    """
    if not 0 < least_share <= 1:
        raise UsageError(
            "QB440",
            least=least_share,
            found=f"least_share={least_share}",
            expected="a share above 0, up to 1",
            fix="least_share=0.95",
        )
    asked = (entity, freq, *map(str, (first, last)), as_of, least_share, dict(known_on))

    def build() -> Maturity:
        rows = open_rows(workspace, entity=entity, freq=freq, snapshot=snapshot, first=first, last=last)
        return _read(rows, as_of, least_share, snapshot, known_on)

    return keep_value(workspace, "maturity", asked, workspace.snapshot(snapshot), build)


def _read(
    rows: Rows, as_of: str | None, least_share: float, snapshot: str | None, known_on: Mapping[str, str]
) -> Maturity:
    day = read_day(as_of) if as_of else _last_day(rows)
    by_age = read_completeness(rows.workspace, freq=rows.freq, snapshot=snapshot, known_on=known_on)
    counts = _count_states(rows, day)
    counts = _add_unseen(counts, by_age, day).assign(is_under_way=_under_way(rows, counts, day))
    table = add_bounds(counts, least_share=least_share)
    return Maturity(table=table, by_age=by_age, as_of=day, least_share=least_share)


def read_day(given: str) -> str:
    """Return an ISO date as it is written in the record.

    Raises
    ------
    UsageError
        It is none (QB441).
    """
    try:
        return datetime.date.fromisoformat(str(given).strip()).isoformat()
    except ValueError:
        raise UsageError(
            "QB441", given=given, found=f"as_of={given!r}", expected="YYYY-MM-DD", fix="as_of=2025-01-31"
        ) from None


def _under_way(rows: Rows, counts: pd.DataFrame, as_of: str) -> npt.NDArray[np.bool_]:
    """Return which periods hold the day of the record while no sample of their last month is known on that day.

    The last day on record of a period that is over seldom is its very last day, so the month decides; and only where
    samples of earlier periods reach into the last month: dates that stand for a whole quarter say nothing.
    """
    periods = pd.PeriodIndex(counts.index.get_level_values("period"))
    none = np.zeros(len(counts), dtype=bool)
    if counts.empty:
        return none
    now = period_at(as_of, rows.freq)
    sql = (
        "SELECT max(sample_date) AS day, "
        "count(*) FILTER (sample_date < CAST(? AS DATE) AND month(sample_date) % ? = 0) AS n "
        "FROM inspections WHERE sample_date <= CAST(? AS DATE)"
    )
    params = (now.start_time.date().isoformat(), 12 // PER_YEAR[rows.freq], as_of)
    found = rows.workspace.query(sql, params=params, snapshot=rows.at).iloc[0]
    if not found["n"] or pd.Period(found["day"], freq="M") >= pd.Period(now.end_time, freq="M"):
        return none
    return np.asarray(periods == now, dtype=bool)


def _last_day(rows: Rows) -> str:
    has_notices = rows.workspace.has_table("notices", rows.at)
    notices = " UNION ALL SELECT publish_date FROM notices" if has_notices else ""
    sql = f"SELECT max(sample_date) AS day FROM (SELECT sample_date FROM inspections{notices})"  # noqa: S608
    found = rows.workspace.query(sql, snapshot=rows.at)["day"].iloc[0]
    return "9999-12-31" if pd.isna(found) else pd.Timestamp(found).date().isoformat()


def _count_states(rows: Rows, as_of: str) -> pd.DataFrame:
    has_notices = rows.workspace.has_table("notices", rows.at)
    parts = {
        "{more}": "m.result, m.appeal_result, m.notice_no, m.sample_date,",
        "{notices}": _NOTICES if has_notices else _NO_NOTICES,
        "{as_of}": pd.Timestamp(as_of).date().isoformat(),
    }
    found = rows.query("maturity", parts=parts)
    index = pd.MultiIndex.from_arrays(
        [found["entity"].astype(str), to_periods(found["period"], rows.freq)], names=["entity", "period"]
    )
    return found.drop(columns=["entity", "period"]).set_index(index).sort_index()


def read_completeness(
    workspace: Workspace,
    *,
    freq: Freq = "Q",
    snapshot: str | None = None,
    ripe_age: int = RIPE_AGE,
    known_on: Mapping[str, str] = EMPTY,
) -> pd.DataFrame:
    """Learn from earlier snapshots what share of its later number of batches a period had at each age.

    The age of a period in a snapshot is the number of periods from it to the day the snapshot was made, so that a
    backlog of years, loaded file by file, teaches nothing. Only periods that are ripe now are compared.

    Parameters
    ----------
    workspace : Workspace
        Its snapshots are compared with the one named.
    freq : {"Q", "H", "A"}
        Quarters, half-years or years.
    snapshot : str or None
        The one to compare with; None is the latest.
    ripe_age : int
        Age from which a period counts as complete.
    known_on : mapping
        Snapshot -> ISO date of what it knew, where that is not the day it was made: a lake brought over from
        elsewhere, delivery by delivery.

    Returns
    -------
    pandas.DataFrame
        One row per age: ``age``, ``n_then``, ``n_now``, ``complete_share`` (never above 1), ``n_pairs``; empty where
        there is nothing to learn from.

    Examples
    --------
    >>> import os, pathlib, tempfile
    >>> from qbase.indicators import read_completeness
    >>> from qbase.intake import load_files
    >>> from qbase.lake import Workspace
    >>> home, file = Workspace.create(tempfile.mkdtemp()), pathlib.Path("inspections.csv")
    >>> head = "抽样编号,抽查级别,抽样日期,抽样领域,抽样类型,企业名称,产品名称,检验结果,区划代码"
    >>> row = "{},省级,2024-02-10,生产,双随机,甲厂,涤纶,合格,990021101"
    >>> for first, last in ((0, 6), (6, 10)):  # six batches of the quarter come at its end, four later
    ...     _ = file.write_text(os.linesep.join([head, *map(row.format, range(first, last))]), "utf-8")
    ...     _ = load_files(home, [file])
    >>> read_completeness(home, known_on={"S0001": "2024-03-31", "S0002": "2025-03-31"}).to_dict("records")
    [{'age': 0, 'n_then': 6, 'n_now': 10, 'complete_share': 0.6, 'n_pairs': 1}]
    """
    at = workspace.snapshot(snapshot)
    seen: dict[int, tuple[str, pd.Series]] = {}
    for number in range(1, at.number + 1):
        each = workspace.snapshot(f"S{number:04d}")
        version = each.versions.get("inspections")
        if version is not None and version not in seen:
            day = known_on.get(each.id, each.created_at[:10])
            seen[version] = (day, _count_periods(workspace, each.id, freq))
    columns = ["age", "n_then", "n_now", "complete_share", "n_pairs"]
    if len(seen) < 2:
        return pd.DataFrame(columns=columns)
    *earlier, (today, now) = (seen[v] for v in sorted(seen))
    every = pd.concat([_pair(then, day, now, today, ripe_age, freq) for day, then in earlier])
    sums = every.groupby("age").agg(n_then=("n_then", "sum"), n_now=("n_now", "sum"), n_pairs=("n_now", "size"))
    sums["complete_share"] = (sums["n_then"] / sums["n_now"]).clip(upper=1.0)
    return sums.reset_index()[columns]


def _count_periods(workspace: Workspace, snapshot: str, freq: Freq) -> pd.Series:
    sql = (
        "SELECT date_trunc('month', sample_date) AS day, count(*) AS n FROM inspections "
        "WHERE NOT coalesce(is_recheck, false) AND sample_type NOT IN ('complaint', 'followup') AND result IS NOT NULL "
        "GROUP BY day"
    )
    found = workspace.query(sql, snapshot=snapshot)
    counts: pd.Series = found["n"].groupby(to_periods(found["day"], freq)).sum().sort_index()
    return counts


def _pair(then: pd.Series, day: str, now: pd.Series, today: str, ripe_age: int, freq: Freq) -> pd.DataFrame:
    begun, ended = (ordinal(period_at(d, freq)) for d in (day, today))
    places = ordinals(pd.PeriodIndex(now.index))
    found = pd.DataFrame(
        {
            "age": begun - places,
            "n_then": then.reindex(now.index).fillna(0).to_numpy(dtype=np.int64),
            "n_now": now.to_numpy(dtype=np.int64),
        }
    )
    return found[(ended - places >= ripe_age) & (found["age"] >= 0) & (found["age"] < ripe_age)]


def _add_unseen(counts: pd.DataFrame, by_age: pd.DataFrame, as_of: str) -> pd.DataFrame:
    """Add the batches that experience expects of periods as young as these."""
    there = counts[[f"n_{s}" for s in STATES]].sum(axis=1).to_numpy(dtype=float)
    shares = dict(zip(by_age["age"], by_age["complete_share"], strict=True))
    if counts.empty or not shares:
        return counts.assign(unseen_count=0)
    periods = pd.PeriodIndex(counts.index.get_level_values("period"))
    now = ordinal(period_at(as_of, freq_of(periods)))
    known = np.array([shares.get(now - place, 1.0) for place in ordinals(periods)], dtype=float)
    unseen = np.where(known > 0, np.rint(there / np.where(known > 0, known, 1.0) - there), 0)
    return counts.assign(unseen_count=unseen.astype(np.int64))


def check_maturity(
    panel: Panel, maturity: Maturity, *, entity: str | None = None, is_pooled: bool = False
) -> CheckResult:
    """Check that no verdict on a panel rests on preliminary results, and say which were left out.

    Parameters
    ----------
    panel : Panel
        Of the same entities, frequency and window.
    maturity : Maturity
        From `read_maturity`.
    entity : str or None
        Only this entity; None takes every one by itself.
    is_pooled : bool
        All entities summed instead.

    Returns
    -------
    CheckResult
        ``maturity``; False when the panel holds preliminary rows, None when such rows were left out of it
        (`withhold_preliminary`), True when there are none. ``table`` holds the preliminary rows.

    Examples
    --------
    >>> from qbase.indicators import build_panel, check_maturity, read_maturity
    >>> from qbase.lake import open_workspace
    >>> window = {"first": "2025Q3", "last": "2025Q4"}
    >>> panel = build_panel(open_workspace(), "D1.batch", **window)
    >>> maturity = read_maturity(open_workspace(), as_of="2025-12-31", **window)
    >>> print(check_maturity(panel, maturity, entity="K001").text.en)
    2025 Q4 is preliminary and gets no verdict: 16 results are pending as of 2025-12-31 (16 tested, not published
    yet); 0.0% if all of these fail, 100.0% if all pass.
    """
    is_one = is_pooled or entity is not None
    rows = maturity.of(entity) if is_one else maturity.table
    young = rows[rows["is_preliminary"]]
    if not len(young):
        least = percent(100 * maturity.least_share, 0)
        text = Text(
            f"各期最终结果均不少于 {least}（截至 {maturity.as_of}）。",
            f"Every period has at least {least} of its results final (as of {maturity.as_of}).",
        )
        return CheckResult(name="maturity", passed=True, text=text)
    held = panel.data.index
    if is_one:
        keep = slice(None) if entity is None else held.get_level_values("entity") == entity
        held = held[keep].get_level_values("period")
    text = say_preliminary(maturity, entity) if is_one else say_withheld(maturity)
    return CheckResult(name="maturity", passed=False if young.index.isin(held).any() else None, text=text, table=young)


def withhold_preliminary(panel: Panel, maturity: Maturity, *, is_pooled: bool = False) -> Panel:
    """Return a panel without the rows that are preliminary, for everything that ends in a verdict.

    Parameters
    ----------
    panel : Panel
        Left as it is.
    maturity : Maturity
        From `read_maturity`.
    is_pooled : bool
        The entities will be summed: a period is kept or left out as a whole, by the results of all together, so that
        what is left is not those that were quick to report.

    Returns
    -------
    Panel

    Raises
    ------
    PanelError
        Nothing is left (QB127).

    Examples
    --------
    >>> from qbase.indicators import build_panel, read_maturity, withhold_preliminary
    >>> from qbase.lake import open_workspace
    >>> window = {"first": "2025Q1", "last": "2025Q4"}
    >>> panel = build_panel(open_workspace(), "D1.batch", **window)
    >>> withhold_preliminary(panel, read_maturity(open_workspace(), as_of="2025-12-31", **window))
    <Panel D1.batch: 12 x 3 quarterly periods 2025Q1 to 2025Q3, 34 rows, naive>
    """
    rows = maturity.of(None) if is_pooled else maturity.table
    young = rows.index[rows["is_preliminary"]]
    index, cells = panel.data.index, panel.cells
    if cells is not None:
        keys = cells["period"] if is_pooled else pd.MultiIndex.from_arrays([cells["entity"], cells["period"]])
        cells = cells[~np.asarray(keys.isin(young))].reset_index(drop=True)
    there = index.get_level_values("period") if is_pooled else index
    return dataclasses.replace(panel, data=panel.data[~there.isin(young)], cells=cells)
