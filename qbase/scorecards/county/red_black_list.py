"""The red and the black list of a place (红黑榜): final, published results, by stated rules, never a model's score."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.given import check_day, read_whole
from qbase.core.numbers import count
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate, Indicator
from qbase.scorecards.county.place_records import YEAR, PlaceRecords

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

OBJECTION_DAYS = 15
"""SAMR order 18: an objection is raised within fifteen days."""
BLACK_LEAST, RED_LEAST, RED_QUARTERS = 2, 4, 2
PENALTIES = ("penalty", "joint_discipline", "administrative_penalty")
LISTS = Indicator(
    id="county.lists", name=Text("红黑榜企业数", "firms on the red and black lists"), unit="item", better="none",
    role="context",
)  # fmt: skip
RULE = Text(
    "黑榜：一年内首次抽查不合格至少 {black} 批、抽样不在同一天；一批中一批不合格不上榜。"
    "红榜：两年内至少 {red} 批、分布在至少 {quarters} 个季度，全部合格，且同期没有失信、联合惩戒或行政处罚记录。"
    "只用已经公告、公告已满 {days} 天（异议期）且不在复检中的结果；复检改判合格的按合格计。"
    "信用修复之前公布的不合格不再计入，企业由此退出黑榜。榜单不用任何模型评分；限值是本软件包声明的选择（2026-11-30）。",
    "Black: at least {black} failed first batches in one year, not drawn on one and the same day; one failed batch of "
    "one is no ground. Red: at least {red} batches in two years, in {quarters} quarters or more, all passed, and no "
    "record of bad faith, joint discipline or administrative penalty in that time. Only results of published notices "
    "count, once {days} days for objections are over and no re-test is open; what a re-test overturned has passed. A "
    "failure published before a credit repair counts no more. No score of a model is used; declared choices of this "
    "package (2026-11-30).",
)
MORE_LOOKS = Text(
    "抽得越多，不合格的机会也越多：次数要同抽查批次一起看。",
    "Who is drawn more often fails more often: read failures together with the batches.",
)
FILED = Text(
    "发布前由人逐条核对公告原文。",
    "A person checks every line against the text of its notice before anything is published.",
)
NO_REPAIRS = Text(
    "信用奖惩表中没有一条信用修复记录：是否有企业已修复、应当退出，数据没有记录，发布前请核实。",
    "No credit repair is on record in the table of credit events: whether a firm should leave the list, the data do "
    "not say; to be verified before publication.",
)
NO_EVENTS = Text(
    "没有导入信用奖惩表：红榜不作，信用修复无从得知。",
    "No table of credit events was loaded: there is no red list, and credit repair is not known.",
)
NO_NOTICES = Text(
    "没有导入抽查公告表：哪些结果已经公布无从得知，红黑榜不作。",
    "No table of notices was loaded: which results are published is not known, and there are no lists.",
)


def judge_red_black(
    workspace: Workspace,
    records: PlaceRecords,
    *,
    on: str | None = None,
    objection_days: int = OBJECTION_DAYS,
) -> Result:
    """Judge which firms of a place stand on its red and its black list.

    Parameters
    ----------
    workspace : Workspace
        Its tables ``notices`` (publication), ``credit_events`` (penalties, repair) and ``followup``, where loaded.
    records : PlaceRecords
        From `read_place`.
    on : str or None
        ISO day the lists are made; None is the last day on record.
    objection_days : int
        Days after publication within which a result can still be objected to.

    Returns
    -------
    Result
        A full count: terms ``black`` and ``red``, of the firms with a final result. Table ``black``: firm, firm_name,
        n, k, failed_on, published_on, notices, rectified (of its failures, re-checked and passed). Table ``red``: firm,
        firm_name, n, quarters. Table ``left``: firms that a credit repair took off, with its day. It names firms and is
        for the office itself. Without an answer where nothing tells what is published.

    Raises
    ------
    UsageError
        ``on`` is no day (QB148), or a number of days that is none (QB144).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import judge_red_black, read_place
    >>> found = judge_red_black(open_workspace(), read_place(open_workspace(), "青棹镇", last="2025Q4"))
    >>> print(found.say().items[0].en)
    Of 51 firms in Qingzhao Town with final published results 3 are on the black list and 8 on the red list
    (2026-01-25).
    """
    at = workspace.snapshot(records.panel.snapshot or None)
    day = records.maturity.as_of if on is None else on
    check_day("on", day)
    days = read_whole(objection_days)
    if days is None or days < 0:
        raise UsageError(
            "QB144", option="objection_days", value=objection_days, found=f"objection_days={objection_days!r}",
            expected="a whole number of days, 0 or more", fix=f"objection_days={OBJECTION_DAYS}",
        )  # fmt: skip
    rule = RULE.format(black=BLACK_LEAST, red=RED_LEAST, quarters=RED_QUARTERS, days=days)
    about: dict[str, Any] = {
        "estimand": "level", "outcome": LISTS, "unit": "item", "method": "stated_rules", "subject": records.place.name,
        "coverage": records.panel.coverage_of("D1.batch"),
        "settings": {"entity": records.entity, "entity_kind": records.place.kind, "on": day,
                     "period": records.year_code, "two_years": records.two_years_code, "objection_days": days,
                     "profile": "internal"},
    }  # fmt: skip
    if not workspace.has_table("notices", at):
        label = Text("没有公告，不作榜单", "no notices, no lists")
        return Result(
            **about, estimates=(), tables=_no_lists(), notes=(rule,), sources=records.sources,
            labels={"unanswered": label}, unanswered=NO_NOTICES,
        )  # fmt: skip
    final = find_final(records.batches, _published(workspace, at), day=day, days=days)
    has_events = workspace.has_table("credit_events", at)
    events = _events(workspace, at, day) if has_events else pd.DataFrame(columns=["firm", "event_date", "kind"])
    black, left = _black(final[final["period"] > records.quarter - YEAR], events)
    red = _red(final, records.batches, events, records) if has_events else _no_lists()["red"]
    black["rectified"] = _rectified(workspace, at, black)
    repairs = NO_REPAIRS if not (events["kind"] == "repair").any() else Text("", "")
    gaps = [t for t in (repairs if has_events else NO_EVENTS,) if t.zh]
    firms = final["firm"].nunique()
    return Result(
        **about,
        estimates=tuple(
            Estimate(
                term=term, key={"entity": records.entity, "period": records.year_code}, value=float(len(table)),
                n_obs=firms, uncertainty="none_full_count",
            )
            for term, table in (("black", black), ("red", red))
        ),
        tables={"black": black.drop(columns="samples"), "red": red, "left": left},
        checks=(CheckResult(name="credit_repair", passed=not gaps, text=gaps[0] if gaps else FILED),),
        notes=(rule, MORE_LOOKS, *gaps, FILED),
        sources=(*records.sources, *(workspace.source(t, at) for t in ("notices", *["credit_events"] * has_events))),
        labels={"said[black]": _say(records, firms, len(black), len(red), len(left), day, has_red=has_events)},
        spoken=(0,),
    )  # fmt: skip


def find_final(batches: pd.DataFrame, published: pd.Series, *, day: str, days: int) -> pd.DataFrame:
    """Return the batches whose result is final and public on a day, with the day of publication.

    Parameters
    ----------
    batches : pandas.DataFrame
        Of `PlaceRecords`.
    published : pandas.Series
        Number of a notice -> ISO day.
    day : str
        ISO day.
    days : int
        Days for objections after publication.

    Returns
    -------
    pandas.DataFrame
        With column ``published_on``. A firm without a name of its own is nobody's line and is left out.
    """
    out = batches.assign(published_on=batches["notice_no"].map(published.to_dict()))
    last = (datetime.date.fromisoformat(day) - datetime.timedelta(days=days)).isoformat()
    is_public = out["published_on"].notna() & (out["published_on"].fillna("9999") <= last)
    is_open = out["appeal_result"].astype(object).eq("pending")
    return out[is_public & ~is_open & out["firm"].notna()]


def _published(workspace: Workspace, at: Snapshot) -> pd.Series:
    sql = "SELECT notice_no, max(publish_date) AS day FROM notices WHERE publish_date IS NOT NULL GROUP BY 1"
    found = workspace.query(sql, snapshot=at)
    days = pd.to_datetime(found["day"]).dt.strftime("%Y-%m-%d")
    return pd.Series(days.to_numpy(), index=found["notice_no"].astype(str))


def _events(workspace: Workspace, at: Snapshot, day: str) -> pd.DataFrame:
    sql = "SELECT DISTINCT firm_id AS firm, event_date, kind FROM credit_events ORDER BY ALL"
    found = workspace.query(sql, snapshot=at)
    found = found.assign(event_date=pd.to_datetime(found["event_date"]).dt.strftime("%Y-%m-%d"))
    return found[found["event_date"] <= day].astype(str)


def _black(final: pd.DataFrame, events: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return who is on the list, and who would be but for failures published before a credit repair."""
    failed = final[~final["is_pass"]]
    repaired = events[events["kind"] == "repair"].groupby("firm")["event_date"].max().to_dict()
    rows, left = [], []
    for firm, own in failed.groupby("firm", sort=True):
        held = own[own["published_on"] > repaired.get(firm, "")]
        if _is_listed(held):
            drawn = int((final["firm"] == firm).sum())
            days, notices = sorted(set(held["sample_date"])), sorted(set(held["notice_no"]))
            last, samples = max(held["published_on"]), list(held["sample_no"])
            rows.append((firm, own["firm_name"].iloc[-1], drawn, len(held), days, last, notices, samples))
        elif _is_listed(own):
            left.append((firm, own["firm_name"].iloc[-1], repaired[firm]))
    names = ["firm", "firm_name", "n", "k", "failed_on", "published_on", "notices", "samples"]
    table = pd.DataFrame(rows, columns=names).sort_values(["k", "n", "firm"], ascending=[False, True, True])
    return table.reset_index(drop=True), pd.DataFrame(left, columns=["firm", "firm_name", "repaired_on"])


def _is_listed(failed: pd.DataFrame) -> bool:
    """Say whether failures are enough for the list: batches of one sampling are one occasion."""
    return len(failed) >= BLACK_LEAST and failed["sample_date"].nunique() >= BLACK_LEAST


def _red(final: pd.DataFrame, batches: pd.DataFrame, events: pd.DataFrame, records: PlaceRecords) -> pd.DataFrame:
    begin = (records.quarter - 7).start_time.date().isoformat()
    late = events[events["kind"].isin(PENALTIES) & (events["event_date"] >= begin)]
    # a failure that is not final yet keeps nobody on a list of praise
    out = set(late["firm"]) | set(batches.loc[~batches["is_pass"], "firm"].dropna())
    own = final[~final["firm"].isin(out)].groupby("firm").agg(
        firm_name=("firm_name", "last"), n=("sample_no", "size"), quarters=("period", "nunique")
    )  # fmt: skip
    found = own[(own["n"] >= RED_LEAST) & (own["quarters"] >= RED_QUARTERS)].reset_index()
    return found.sort_values(["n", "firm"], ascending=[False, True], ignore_index=True)


def _rectified(workspace: Workspace, at: Snapshot, black: pd.DataFrame) -> pd.Series:
    if not workspace.has_table("followup", at):
        return pd.Series(None, index=black.index, dtype=object)
    done = workspace.query("SELECT DISTINCT sample_no FROM followup WHERE outcome = 'rectified'", snapshot=at)
    passed = set(done["sample_no"].astype(str))
    return black["samples"].map(lambda samples: sum(s in passed for s in samples)).astype(object)


def _no_lists() -> dict[str, pd.DataFrame]:
    columns = {
        "black": ["firm", "firm_name", "n", "k", "failed_on", "published_on", "notices", "rectified"],
        "red": ["firm", "firm_name", "n", "quarters"],
        "left": ["firm", "firm_name", "repaired_on"],
    }
    return {name: pd.DataFrame(columns=own) for name, own in columns.items()}


def _say(records: PlaceRecords, firms: int, black: int, red: int, left: int, day: str, *, has_red: bool) -> Text:
    name = records.place.name
    said = Text(
        f"{name.zh}有最终且已公布结果的企业 {count(firms)} 家，其中黑榜 {count(black)} 家",
        f"Of {count(firms)} firms in {name.en} with final published results {count(black)} are on the black list",
    )
    if has_red:
        said += Text(f"、红榜 {count(red)} 家", f" and {count(red)} on the red list")
    if left:
        said += Text(f"，信用修复退出 {count(left)} 家", f"; {count(left)} left it by credit repair")
    return said + Text(f"（{day}，{records.year_code}）。", f" ({day}).")
