"""What to know of a delivery before anything is estimated from it: contract, age, and what changed since last time."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import count, percent
from qbase.core.results.result import Result
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Estimate, Indicator
from qbase.intake.accounting.loading_day import day_of_loading
from qbase.intake.accounting.reasons import explain_reason, read_reasons
from qbase.intake.linking.link_decisions import list_links
from qbase.intake.linking.link_diary import LINKS
from qbase.intake.review.closed_series import find_closing_day
from qbase.intake.review.period_rhythm import check_age, check_row_count, finished_periods
from qbase.intake.review.period_shift import find_shifts, read_periods
from qbase.intake.shaping.stated_counts import check_reconciled
from qbase.tables import read_contract

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace
    from qbase.tables import Contract

WARN_DAYS = 200
"""Half a year and a few weeks for the paper: figures older than that describe another situation."""
WAITING_PCT = 5.0
"""With more than one batch in twenty in doubt, who is missing may matter more than the sampling error."""
SHOWN = 3
ACCEPTED = Indicator(
    id="intake.accepted",
    name=Text("数据行接收率", "share of data rows that were accepted"),
    unit="pct",
    better="up",
    role="context",
    formula="accepted / (accepted + quarantined)",
)


def check_delivery(
    workspace: Workspace,
    table: str = "inspections",
    *,
    as_of: str | None = None,
    warn_days: int = WARN_DAYS,
    snapshot: str | None = None,
) -> Result:
    """Check the latest delivery of a table: its contract, its age, and how it differs from the last period.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds the table.
    table : str
        Name of the table.
    as_of : str or None
        ISO date on which the data are judged; None is today, and for a series that was closed the day it was.
    warn_days : int
        Age of the last period beyond which the data count as old.
    snapshot : str or None
        The latest when None.

    Returns
    -------
    Result
        The share of data rows accepted, a full count. Checks ``accounting``, ``contract``, ``identity`` (where firms
        were in question), ``freshness``, ``row_count`` and ``shift``, and ``reconciled`` where a recipe states counts;
        frames ``deliveries``, ``periods``, ``shifts``, ``unreconciled``.

    Raises
    ------
    DataError
        Nothing was loaded into the table (QB347).
    UsageError
        No such table (QB150), snapshot (QB209), or the date is none (QB342).

    Examples
    --------
    >>> from qbase.intake import check_delivery
    >>> from qbase.lake import open_workspace
    >>> result = check_delivery(open_workspace(), "inspections", as_of="2026-03-01")
    >>> print(result.checks[0].text.en)
    Supervision inspections: 10 deliveries: 10,138 rows seen = 10 listed + 10,128 accepted + 0 quarantined.
    >>> [(check.name, check.passed) for check in result.checks]
    [('accounting', True), ('contract', True), ('freshness', True), ('row_count', True), ('shift', True)]
    """
    at = workspace.snapshot(snapshot)
    contract, sent = read_contract(table), _read_sent(workspace, table, at)
    closed = None if as_of else find_closing_day(workspace, sent["producer"])
    day = closed or day_of_loading(as_of)
    periods = read_periods(workspace, contract, at)
    finished = finished_periods(periods, day)
    shifts = find_shifts(workspace, contract, finished, at)
    reconciled, unreconciled = check_reconciled(workspace, sent, at)
    checks = [
        _accounting(sent),
        _contract(sent, contract),
        *_identity(workspace, table, at),
        check_age(contract, periods, day, warn_days, is_closed=closed is not None),
        check_row_count(contract, periods, finished),
        *_shift_checks(contract, finished, shifts),
        *reconciled,
    ]
    accepted, aside = int(sent["accepted"].sum()), int(sent["quarantined"].sum())
    share = Estimate(term="accepted", value=100 * accepted / max(accepted + aside, 1), uncertainty="none_full_count")
    return Result(
        estimand="level",
        outcome=ACCEPTED,
        unit="pct",
        method="count",
        estimates=(share,),
        subject=contract.name_text,
        tables={
            "deliveries": sent.drop(columns=["replaces", "by_table"]),
            "periods": periods,
            "shifts": shifts,
            "unreconciled": unreconciled,
        },
        checks=tuple(dataclasses.replace(c, text=contract.name_text + Text("：", ": ") + c.text) for c in checks),
        settings={
            "table": table,
            "as_of": day.isoformat(),
            "warn_days": warn_days,
            "delivery": str(sent["sha256"].iloc[-1]),
        },
        sources=(workspace.source(table, at),),
    )


def _read_sent(workspace: Workspace, table: str, at: Snapshot) -> pd.DataFrame:
    """Return the deliveries to a table up to a snapshot (QB347 when there is none)."""
    sent = workspace.deliveries([table], snapshot=at)
    sent = sent[sent["verdict"] != "REJECTED"]
    if sent.empty or not workspace.has_table(table, at):
        raise DataError(
            "QB347",
            table=table,
            found=", ".join(workspace.tables(at)) or "0",
            expected=table,
            fix="qbase load FILE",
        )
    return sent


def _identity(workspace: Workspace, table: str, at: Snapshot) -> list[CheckResult]:
    """Say how many inspections wait for a person to confirm their firm; nothing where no firm was ever in question."""
    if table != "inspections" or not workspace.has_table(LINKS, at):
        return []
    groups = list_links(workspace, snapshot=at.id)
    waiting = sum(len(group.samples) for group in groups)
    rows = int(workspace.arrow("SELECT count(*) AS n FROM inspections", snapshot=at)["n"][0].as_py())
    share = 100 * waiting / max(rows, 1)
    text = Text("没有待人工确认的企业。", "No firm waits for a person to confirm it.")
    if waiting:
        text = Text(
            f"{count(waiting)} 批（{percent(share)}）的企业待人工确认，共 {count(len(groups))} 个印制名称；"
            "用 qbase links list 查看。",
            f"{count(waiting)} batches ({percent(share)}) wait for a person to confirm their firm, "
            f"{count(len(groups))} printed names; see qbase links list.",
        )
    return [CheckResult(name="identity", passed=share <= WAITING_PCT, text=text)]


def _accounting(sent: pd.DataFrame) -> CheckResult:
    parts = sent["listed"] + sent["accepted"] + sent["quarantined"]
    n = [count(int(sent[name].sum())) for name in ("rows_seen", "listed", "accepted", "quarantined")]
    return CheckResult(
        name="accounting",
        passed=bool((sent["rows_seen"] == parts).all()),
        text=Text(
            f"{count(len(sent))} 份送达共读到 {n[0]} 行 = 列出 {n[1]} + 接收 {n[2]} + 隔离 {n[3]}。",
            f"{count(len(sent))} deliveries: {n[0]} rows seen = {n[1]} listed + {n[2]} accepted + {n[3]} quarantined.",
        ),
    )


def _contract(sent: pd.DataFrame, contract: Contract) -> CheckResult:
    """Say how many rows broke the contract, and the commonest reasons."""
    aside = int(sent["quarantined"].sum())
    if not aside:
        text = Text("所有数据行都符合表的契约。", "Every data row keeps the contract of its table.")
        return CheckResult(name="contract", passed=True, text=text)
    reasons: dict[str, int] = {}
    for row in sent.to_dict("records"):
        for code, n in row["reasons"].items():
            reasons[code] = reasons.get(code, 0) + int(n)
    listed = read_reasons()["listed"]
    worst = sorted(((n, code) for code, n in reasons.items() if code not in listed), reverse=True)[:SHOWN]
    told = join(
        [explain_reason(c, contract.name) + Text(f" {count(n)}", f" {count(n)}") for n, c in worst], zh="；", en="; "
    )
    return CheckResult(
        name="contract",
        passed=False,
        text=Text(f"{count(aside)} 行被隔离：", f"{count(aside)} rows are set aside: ") + told + Text("。", "."),
    )


def _shift_checks(contract: Contract, periods: pd.DataFrame, shifts: pd.DataFrame) -> list[CheckResult]:
    """Return one check per column that shifted, or one that none did."""
    moved = shifts[~shifts["passed"].astype(bool)] if len(shifts) else shifts
    checks = [
        CheckResult(name="shift", passed=False, text=_shift_text(contract, row)) for row in moved.to_dict("records")
    ]
    if checks:
        return checks
    if shifts.empty:
        text = Text("行数太少，没有比较各列分布。", "Too few rows to compare how the columns are distributed.")
        return [CheckResult(name="shift", passed=None, text=text)]
    new = str(periods["period"].iloc[-1])
    text = Text(
        f"{new} 与上期相比，{count(len(shifts))} 列的分布没有超出界限的变化。",
        f"In {new} none of {count(len(shifts))} columns is distributed differently from the period before, "
        "beyond limits.",
    )
    return [CheckResult(name="shift", passed=True, text=text)]


def _shift_text(contract: Contract, row: Mapping[Hashable, object]) -> Text:
    name = contract.column(str(row["column"])).text
    before, now = float(str(row["before"])), float(str(row["now"]))
    if row["kind"] == "median":
        return name + Text(
            f"的中位数由 {before:,.6g} 变为 {now:,.6g}，请核对单位和口径。",
            f": the median went from {before:,.6g} to {now:,.6g}; check unit and definition.",
        )
    if row["kind"] == "missing":
        return name + Text(
            f"的空缺由 {percent(before)} 变为 {percent(now)}。",
            f": missing cells went from {percent(before)} to {percent(now)}.",
        )
    return name + Text(
        f"的构成变化：“{row['value']}”由 {percent(before)} 变为 {percent(now)}。",
        f': the mix changed; "{row["value"]}" went from {percent(before)} to {percent(now)}.',
    )
