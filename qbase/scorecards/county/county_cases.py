"""Cases of a county report: failures that were followed to an end, chosen by a rule and not by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from qbase.core.numbers import count
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate, Indicator
from qbase.scorecards.county.place_records import PlaceRecords

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

CASES = Indicator(
    id="county.cases", name=Text("有后处理记录的不合格批次", "failed batches with follow-up on record"), unit="count",
    better="none", role="context",
)  # fmt: skip
OUTCOMES = ("failed_again", "open", "rectified")
EACH = 1
COLUMNS = ["outcome", "sample_no", "firm", "firm_name", "product", "sample_date", "items"]
COLUMNS += ["order_date", "due_date", "recheck_date"]
_ITEMS = """
SELECT DISTINCT sample_no, item_name FROM items
WHERE NOT is_ok AND sample_no IN (SELECT unnest($samples)) ORDER BY ALL
"""
CHOSEN = Text(
    "案例按规则选取：一年内不合格批次中，复查仍不合格、尚未复查、复查合格的各取责令改正日期最近的一例；不代表全部情形。",
    "Cases are chosen by rule: of the year's failures the one ordered last among those that failed again, those still "
    "open and those rectified; they stand for nothing but themselves.",
)
NO_FOLLOWUP = Text("没有导入后处理记录，案例无从写起。", "No follow-up was loaded: there are no cases to tell.")
NONE_FOUND = Text("一年内没有不合格批次的后处理记录。", "No failure of the year has follow-up on record.")


def read_cases(workspace: Workspace, records: PlaceRecords) -> Result:
    """Read the cases of a place: failures of the year with their items, order, deadline, re-check and outcome.

    Parameters
    ----------
    workspace : Workspace
        Its tables ``followup`` and, for what failed, ``items``.
    records : PlaceRecords
        From `read_place`.

    Returns
    -------
    Result
        A full count, term ``cases``: failed batches of the year with follow-up, one estimate per outcome under key
        ``outcome``. Table ``cases``: outcome, sample_no, firm, firm_name, product, sample_date, items (names),
        order_date, due_date, recheck_date. It names firms and is for the office itself.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_cases, read_place
    >>> found = read_cases(open_workspace(), read_place(open_workspace(), "青棹镇", last="2025Q4"))
    >>> found.tables["cases"]["outcome"].tolist()
    ['open', 'rectified']
    """
    at = workspace.snapshot(records.panel.snapshot or None)
    about: dict[str, Any] = {
        "estimand": "level", "outcome": CASES, "unit": "count", "method": "stated_rules", "subject": records.place.name,
        "coverage": records.panel.coverage_of("D1.batch"),
        "settings": {"entity": records.entity, "entity_kind": records.place.kind, "period": records.year_code,
                     "profile": "internal"},
    }  # fmt: skip
    has = workspace.has_table("followup", at)
    failed = records.year[~records.year["is_pass"]]
    joined = failed.merge(_followup(workspace, at), on="sample_no") if has else pd.DataFrame()
    if joined.empty:
        why = NONE_FOUND if has else NO_FOLLOWUP
        short = Text(why.zh.rstrip("。"), why.en.rstrip("."))
        return Result(
            **about, estimates=(), tables={"cases": pd.DataFrame(columns=COLUMNS)}, sources=records.sources,
            labels={"unanswered": short}, unanswered=why,
        )  # fmt: skip
    tally = joined["outcome"].value_counts()
    latest = joined.sort_values(["order_date", "sample_no"])
    chosen = pd.concat([latest[latest["outcome"] == o].tail(EACH) for o in OUTCOMES], ignore_index=True)
    failed_items = _items(workspace, at, list(chosen["sample_no"]))
    cases = chosen.assign(items=pd.Series(failed_items, index=chosen.index, dtype=object))
    key = {"entity": records.entity, "period": records.year_code}
    return Result(
        **about,
        estimates=(
            Estimate(term="cases", key=key, value=float(len(joined)), n_obs=len(failed), uncertainty="none_full_count"),
            *(
                Estimate(
                    term="cases", key={**key, "outcome": o}, value=float(tally.get(o, 0)), n_obs=len(joined),
                    uncertainty="none_full_count",
                )
                for o in OUTCOMES
            ),
        ),
        tables={"cases": cases[COLUMNS]},
        notes=(CHOSEN,),
        sources=(*records.sources, workspace.source("followup", at)),
        labels={"said[cases]": _say(records, len(failed), len(joined), tally)},
        spoken=(0,),
    )  # fmt: skip


def _followup(workspace: Workspace, at: Snapshot) -> pd.DataFrame:
    sql = "SELECT DISTINCT sample_no, order_date, due_date, recheck_date, outcome FROM followup ORDER BY ALL"
    found = workspace.query(sql, snapshot=at)
    days = {
        c: pd.to_datetime(found[c]).dt.strftime("%Y-%m-%d").fillna("")
        for c in ("order_date", "due_date", "recheck_date")
    }
    return found.assign(**days).drop_duplicates("sample_no", keep="last")


def _items(workspace: Workspace, at: Snapshot, samples: list[str]) -> list[list[str]]:
    if not workspace.has_table("items", at) or not samples:
        return [[] for _ in samples]
    found = workspace.query(_ITEMS, params={"samples": samples}, snapshot=at)
    return [list(found.loc[found["sample_no"] == s, "item_name"].astype(str)) for s in samples]


def _say(records: PlaceRecords, failed: int, known: int, tally: pd.Series) -> Text:
    again, opened, done = (count(int(tally.get(o, 0))) for o in OUTCOMES)
    name = records.place.name
    return Text(
        f"{records.year_code} {name.zh}不合格 {count(failed)} 批，{count(known)} 批有后处理记录："
        f"复查合格 {done} 批、复查仍不合格 {again} 批、尚未复查 {opened} 批。",
        f"Of {count(failed)} failed batches in {name.en} in {records.year_code}, {count(known)} have follow-up on "
        f"record: {done} passed the re-check, {again} failed again, {opened} are open.",
    )
