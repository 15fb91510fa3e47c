"""The integrity page: every pattern at once, and how many of them chance alone would make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.numbers import count, percent
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate, Indicator
from qbase.indicators.kept.kept_values import keep_value
from qbase.trends.watching.integrity_counts import check_bunching, check_laboratory_mix, check_missing_numbers
from qbase.trends.watching.integrity_signals import (
    SHARE,
    check_dropped_items,
    check_level_gap,
    check_repeated_clean,
    check_switched_laboratory,
)
from qbase.trends.watching.watch_tables import WatchTables, read_watch_tables

if TYPE_CHECKING:
    from qbase.lake import Workspace

SIGNALS = Indicator(
    id="watch.integrity",
    name=Text("需核实情形", "number of patterns to verify"),
    unit="count",
    better="down",
    role="context",
)
RECORDS = Text("抽查记录", "the inspection records")
VERIFY = Text(
    "以下只是统计上少见、需要核实的情形，各有多种可能的解释，不说明任何单位或个人有问题，不作为处理依据。",
    "What follows is rare by chance and has to be verified; each pattern has several possible explanations, says "
    "nothing against any office, firm or person, and is no ground for measures.",
)


def check_integrity(tables: WatchTables, *, target: float | None = None) -> Result:
    """Check the records of inspections for patterns that deserve a second look.

    Draws by county and city against those of the province and above; random draws that lean to firms without failures;
    items tested less after they failed; laboratories changed after failures, or taking over in one year; yearly rates
    just above a target; missing numbers of samples. Each is tested place by place with q values, so that in honest
    records a pattern stands out somewhere in about one case of twenty; missing numbers are counted.

    Parameters
    ----------
    tables : WatchTables
        From `read_watch_tables`.
    target : float or None
        In percent, such as the target of a plan; None leaves that pattern out.

    Returns
    -------
    Result
        Estimand ``level``; term ``signals``: how many places stand out, one estimate per pattern with key ``pattern``,
        the sum first. One check and one table per pattern. For the office itself: no table has counts of firms, so that
        `qbase.release.protect` lets it out to nobody.

    Raises
    ------
    UsageError
        The target is no percentage (QB598).

    References
    ----------
    Mantel, N. and Haenszel, W. (1959). J. National Cancer Institute 22, 719-748. Benjamini, Y. and Hochberg, Y. (1995).
    JRSS B 57, 289-300.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import check_integrity, read_watch_tables
    >>> result = check_integrity(read_watch_tables(open_workspace()))
    >>> for check in result.checks:
    ...     print(check.name, check.passed)
    level_gap True
    repeated_clean True
    dropped_items True
    switched_laboratory True
    laboratory_mix True
    missing_numbers False
    >>> print(result.checks[-1].text.en)  # the file of one county was lost
    4 of 150 series of sample numbers have gaps, 93 numbers in all; to verify whether a file was lost or a sample not
    sent: YZ2018Q2S (52), YZ2018Q2D (17), YZ2018Q2X (16), YZ2018Q3S (8).
    """
    checks = [
        check_level_gap(tables),
        check_repeated_clean(tables),
        check_dropped_items(tables),
        check_switched_laboratory(tables),
        check_laboratory_mix(tables),
        *([] if target is None else [check_bunching(tables, target)]),
        check_missing_numbers(tables),
    ]
    counted = {check.name: int(check.table["is_signal"].sum()) for check in checks}
    estimates = (_count("all", sum(counted.values())), *(_count(name, n) for name, n in counted.items()))
    return Result(
        estimand="level",
        outcome=SIGNALS,
        unit="count",
        method="patterns",
        estimates=estimates,
        subject=RECORDS,
        tables={check.name: check.table for check in checks},
        checks=tuple(checks),
        notes=(VERIFY,),
        labels={"later": _later(checks)},
        settings={"target": target, "share": SHARE, "profile": "internal"},
        sources=tables.sources,
        coverage=tables.coverage,
    )


def read_integrity(workspace: Workspace, *, snapshot: str | None = None, target: float | None = None) -> Result:
    """Read the integrity signals of a lake as they were found before for the same data, or look for and keep them.

    Parameters
    ----------
    workspace : Workspace
        Holds inspections and firms.
    snapshot : str or None
        The latest when None.
    target : float or None
        As `qbase.trends.check_integrity` takes it.

    Returns
    -------
    Result
        What `qbase.trends.check_integrity` gives for the tables of the lake.

    Raises
    ------
    UsageError
        The target is no percentage (QB598).
    DataError
        There are no inspections, or no firms (QB403).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import read_integrity
    >>> [check.name for check in read_integrity(open_workspace()).checks if not check.passed]
    ['missing_numbers']
    """
    at = workspace.snapshot(snapshot)

    def build() -> Result:
        return check_integrity(read_watch_tables(workspace, snapshot=at.id), target=target)

    return keep_value(workspace, "integrity", (target,), at, build, rooms=("trends",))


def _count(pattern: str, n: int) -> Estimate:
    return Estimate(term="signals", key={"pattern": pattern}, value=float(n), uncertainty="none_full_count")


def _later(checks: list[CheckResult]) -> Text:
    tested = [c for c in checks if c.passed is not None and "q_value" in c.table]
    n = count(len(tested))
    return Text(
        f"共检验 {n} 类情形；记录完全如实时，每类仍有至多约 {percent(100 * SHARE, 0)} 的机会在某处出现信号。"
        f"{VERIFY.zh}",
        f"{n} patterns were tested; in honest records each still stands out somewhere in up to about "
        f"{percent(100 * SHARE, 0)} of cases. {VERIFY.en}",
    )
