"""Tables of estimates, checks, targets and row accounting: every cell written, words beside every number."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import UNITS_SHORT, count, level_text, number
from qbase.core.results.result import Criterion, Result, Scorecard, distinct_checks
from qbase.core.results.sentences import criterion_digits, digits_of, quantity, target_text
from qbase.core.results.told import told_by_row
from qbase.core.shown.display import Column, Table
from qbase.core.text import Text, join, same
from qbase.core.values import CheckResult, Estimate
from qbase.figures.surface.figure_words import (
    account_data,
    bracket,
    capital,
    data_row,
    definition_note,
    model_of,
    row_label,
    sentence,
    sentences,
    source_note,
    verdict,
)
from qbase.figures.tabulating.check_names import check_name, failed_note
from qbase.figures.tabulating.estimate_columns import groups_label, groups_of_estimate, n_label, p_of_estimate

PASSED: Mapping[bool | None, Text] = {
    True: Text("通过", "Passed"), False: Text("未通过", "Failed"), None: Text("供参考", "Information"),
}  # fmt: skip
MET: Mapping[str, Text] = {
    "met": Text("◆\u00a0达到", "◆\u00a0Met"), "cannot_tell": Text("▽\u00a0尚无法判断", "▽\u00a0Cannot tell"),
    "not_met": Text("▼\u00a0未达到", "▼\u00a0Not met"),
}  # fmt: skip
COUNTS = ("rows_seen", "listed", "accepted", "quarantined")
ACCOUNTING = ("file_name", "table", *COUNTS)
NONE = "–"
MET_WHEN = Text(
    "整个区间位于目标有利一侧的，才算达到；区间跨越目标的，尚无法判断。",
    "Met only when the whole interval lies on the good side of the target; an interval that spans the target "
    "cannot tell.",
)


def spoken_of(result: Result) -> tuple[Estimate, ...]:
    """Return the estimates a result speaks of."""
    return tuple(result.estimates[i] for i in result.spoken)


def tabulate_estimates(*results: Result, every: bool = False) -> Table:
    """Tabulate estimates with standard error, interval, p, n and the verdict in words; never stars.

    A result without an estimate has a row that says why.

    Parameters
    ----------
    *results : Result
        One or more; rows keep their order.
    every : bool
        All estimates instead of the spoken ones.

    Returns
    -------
    Table
        Style ``effects``; the raw numbers are in ``data``.

    Raises
    ------
    DataError
        No result was given (QB707).

    Examples
    --------
    >>> from qbase.figures import tabulate_estimates
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_change
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q4", last="2025Q4")
    >>> tabulate_estimates(estimate_change(panel, "D1.batch", entity="K001"))
    Change of batch pass rate: Qingzhao polyester fibre cluster
    Item | Estimate | 95% CI | n | In words
    2025 Q4 vs 2024 Q4 | −10.7 pp | −36.9 to 14.5 | 37 | Cannot tell: could be lower or higher
    """
    _refuse_nothing(results, "tabulate_estimates(result, …)")
    pairs: list[tuple[Result, Estimate | None]] = []
    for r in results:
        pairs += [(r, e) for e in (r.estimates if every else spoken_of(r))] or [(r, None)]
    levels = {level_text(e.ci_level) for _, e in pairs if e is not None}
    single = len(levels) == 1
    models, outcomes = len({model_of(r).en for r in results}) > 1, len({r.outcome.id for r in results}) > 1
    subjects = len({r.subject.en for r in results}) > 1
    columns: tuple[Column, ...] = (
        Column(label=Text("结果指标", "Outcome") if outcomes else Text("项目", "Item")),
        Column(label=Text("估计值", "Estimate"), numeric=True),
        Column(label=Text("标准误", "Std. error"), numeric=True),
        Column(label=same(f"{next(iter(levels))} CI") if single else Text("区间", "Interval"), numeric=True),
        Column(label=same("p"), numeric=True),
        Column(label=n_label(results), numeric=True),
        Column(label=groups_label(pairs), numeric=True),
        Column(label=Text("怎么理解", "In words")),
    )
    rows = [
        _unanswered_row(r, len(columns))
        if e is None
        else _estimate_row(r, e, level=not single, model=models, outcome=outcomes, subjects=subjects)
        for r, e in pairs
    ]
    # a column in which no method has a number says nothing
    kept = [i for i in range(len(columns)) if any(row[i] != NONE for row in rows)]
    return Table(
        name="estimates:" + ":".join(dict.fromkeys(r.name for r in results)),
        tells=told_by_row(results),
        caption=_caption(results),
        columns=tuple(columns[i] for i in kept),
        rows=tuple(tuple(row[i] for i in kept) for row in rows),
        note=_estimate_note(results, models),
        data=_estimate_data(pairs),
        style="effects",
    )


def _unanswered_row(result: Result, width: int) -> tuple[str | Text, ...]:
    why = result.labels.get("unanswered", Text("没有估计值", "No estimate"))
    return (capital(result.outcome.label), *[NONE] * (width - 2), why)


def _estimate_row(
    result: Result, e: Estimate, *, level: bool, model: bool, outcome: bool, subjects: bool
) -> tuple[str | Text, ...]:
    digits = digits_of(result, e)
    is_difference = result.estimand not in {"level", "need"}
    unit = UNITS_SHORT[result.unit]
    label = row_label(result, e, several=outcome, subjects=subjects)
    if model:
        words = model_of(result)
        label = Text(f"{label.zh}（{words.zh}）", f"{label.en} ({words.en})")
    value = number(e.value, digits, sign=is_difference)
    return (
        label,
        Text(f"{value} {unit.zh}".rstrip(), f"{value} {unit.en}".rstrip()) if unit.en != "%" else same(value + "%"),
        NONE if e.std_error is None else number(e.std_error, digits),
        bracket(e, digits, level=level),
        p_of_estimate(e) if is_difference else NONE,
        NONE if e.n_obs is None else count(e.n_obs),
        groups_of_estimate(e),
        verdict(result, e),
    )


def _caption(results: Sequence[Result]) -> Text:
    outcomes = list({r.outcome.id: r.outcome.label for r in results}.values())
    subjects = list({r.subject.en: r.subject for r in results}.values())
    what = join(outcomes[:3], zh="、", en=", ")
    who = join(subjects[:3], zh="、", en=", ")
    kind = (
        Text("的变化", "Change of") if {r.estimand for r in results} == {"change"} else Text("的估计值", "Estimates of")
    )
    return capital(Text(f"{who.zh}：{what.zh}{kind.zh}", f"{kind.en} {what.en}: {who.en}"))


def _estimate_note(results: Sequence[Result], several: bool) -> Text | None:
    models = [] if several else [sentence(model_of(results[0]))]
    failed = failed_note(*results)
    note = sentences(definition_note(*(r.outcome for r in results)), *models, *failed, source_note(*results))
    return note if note.zh else None


def _estimate_data(pairs: Sequence[tuple[Result, Estimate | None]]) -> dict[str, list[Any]]:
    data: dict[str, list[Any]] = {
        "outcome": [r.outcome.id for r, _ in pairs],
        "subject": [r.subject.en for r, _ in pairs],
        "method": [r.method for r, _ in pairs],
        "unit": [r.unit for r, _ in pairs],
        "term": [None if e is None else e.term for _, e in pairs],
        "key": [None if e is None else ", ".join(f"{k}={v}" for k, v in e.key.items()) for _, e in pairs],
    }
    behind = ("n_treated", "n_cells", "n_effective", "p_floor")
    told = tuple(f for f in behind if any(e is not None and getattr(e, f) is not None for _, e in pairs))
    for field in ("value", "std_error", "ci_low", "ci_high", "ci_level", "p_value", "n_obs", "n_clusters", *told):
        data[field] = [getattr(e, field, None) for _, e in pairs]
    return data | account_data([r.coverage for r, _ in pairs])


def tabulate_checks(*results: Result, failed: bool = True) -> Table:
    """Tabulate every check of some results: what was checked, the verdict, what was found.

    Parameters
    ----------
    *results : Result
        One or more.
    failed : bool
        Whether those that failed are listed; False where the conclusion of a letter says them, and the account of
        the records, and the note counts them.

    Returns
    -------
    Table
        Failed checks first, then those for information, then those passed. Where the failed are left out,
        one row holds those of one name and verdict.

    Raises
    ------
    DataError
        No result was given (QB707).

    Examples
    --------
    >>> from qbase.figures import tabulate_checks
    >>> from qbase.intake import check_delivery
    >>> from qbase.lake import open_workspace
    >>> tabulate_checks(check_delivery(open_workspace(), "clusters", as_of="2026-01-31"))
    Checks made with the results
    Check | Verdict | What was found
    Age of the data | Information | Industrial clusters: The table has no column of time, so its age cannot be told.
    ...
    """
    _refuse_nothing(results, "tabulate_checks(result, …)")
    found = sorted(distinct_checks(*results), key=lambda c: (False, None, True).index(c.passed))
    left = 0 if failed else sum(c.passed is False for c in found)
    # the conclusion says the account of the records as well, whatever its verdict
    checks = found if failed else _merge([c for c in found if c.passed is not False and c.name != "coverage"])
    rows: list[tuple[str | Text, ...]] = [(check_name(c.name), PASSED[c.passed], sentence(c.text)) for c in checks]
    rows = rows or [(Text("无", "None"), NONE, Text("这些方法没有随附检查。", "These methods come without checks."))]
    return Table(
        name="checks:" + ":".join(dict.fromkeys(r.name for r in results)), rows=tuple(rows), style="effects",
        caption=Text("随结果所做的检查", "Checks made with the results"),
        columns=(
            Column(label=Text("检查", "Check")), Column(label=Text("结论", "Verdict")),
            Column(label=Text("说明", "What was found")),
        ),
        note=None if not left else Text(
            f"另有 {left} 项未通过，列在“阅读提醒”里。", f"{left} more did not pass: see Read with care."
        ),
        data={
            "check": [c.name for c in checks], "passed": [c.passed for c in checks],
            "text_zh": [c.text.zh for c in checks], "text_en": [c.text.en for c in checks],
        },
    )  # fmt: skip


def _merge(checks: Sequence[CheckResult]) -> list[CheckResult]:
    """Return checks of one name and verdict as one row: a page with six comparisons has six of some."""
    texts: dict[tuple[str, bool | None], list[Text]] = {}
    for c in checks:
        texts.setdefault((c.name, c.passed), []).append(sentence(c.text))
    return [CheckResult(name=n, passed=p, text=join(own, zh="", en=" ")) for (n, p), own in texts.items()]


def tabulate_scorecard(card: Scorecard) -> Table:
    """Tabulate a scorecard: value, interval, target and verdict, readable without colour.

    Parameters
    ----------
    card : Scorecard
        Its preset is named in the caption.

    Returns
    -------
    Table
        Verdicts ◆ met, ▽ cannot tell, ▼ not met.

    Examples
    --------
    >>> from qbase.figures import tabulate_scorecard
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import score_targets
    >>> from qbase.trends import estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2025Q4", last="2025Q4")
    >>> tabulate_scorecard(score_targets([estimate_level(panel, "D1.batch", entity="K001")]))
    Qingzhao polyester fibre cluster: 2025 targets of the national quality outline
    Indicator | Estimate | Interval | Target | Verdict | Source of the target
    Batch pass rate | 75.0% | 95% CI 50.5–89.8 | 94.0% | ▽ Cannot tell | Outline for Building a Quality Power...
    """
    whys = dict.fromkeys(c.why for c in card.criteria if c.why.zh)
    return Table(
        name=card.name,
        caption=capital(
            Text(f"{card.subject.zh}：对照{card.preset_title.zh}", f"{card.subject.en}: {card.preset_title.en}")
        ),
        columns=(
            Column(label=Text("指标", "Indicator")),
            Column(label=Text("估计值", "Estimate"), numeric=True),
            Column(label=Text("区间", "Interval"), numeric=True),
            Column(label=Text("目标", "Target"), numeric=True),
            Column(label=Text("结论", "Verdict")),
            Column(label=Text("目标出处", "Source of the target")),
        ),
        rows=tuple(map(_criterion_row, card.criteria)),
        note=sentences(definition_note(*(c.indicator for c in card.criteria)), MET_WHEN, *whys),
        data={
            "indicator": [c.indicator.id for c in card.criteria],
            "value": [c.estimate.value for c in card.criteria],
            **{end: [getattr(c.estimate, end) for c in card.criteria] for end in ("ci_low", "ci_high")},
            "target": [c.target for c in card.criteria],
            "verdict": [c.verdict for c in card.criteria],
            "probability_met": [c.probability_met for c in card.criteria],
            **account_data([card.coverage] * len(card.criteria)),
        },
        style="effects",
    )


def _criterion_row(c: Criterion) -> tuple[str | Text, ...]:
    digits, unit = criterion_digits(c), c.indicator.unit
    value, target = quantity(c.estimate.value, unit, digits), target_text(c)
    return capital(c.indicator.label), value, bracket(c.estimate, digits), target, MET[c.verdict], c.source


def tabulate_accounting(frame: pd.DataFrame) -> Table:
    """Tabulate what became of the rows of every delivery.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of ``Workspace.deliveries()``: file_name, table, rows_seen, listed, accepted, quarantined; table_zh and
        table_en where tables have names for readers.

    Returns
    -------
    Table
        One row per delivery, and the sum.

    Raises
    ------
    DataError
        No delivery (QB707), a column is missing, or rows do not add up (QB708).

    Examples
    --------
    >>> from qbase.figures import tabulate_accounting
    >>> from qbase.lake import open_workspace
    >>> tabulate_accounting(open_workspace().deliveries(["firms"]))
    What became of the rows of each delivery
    File | Table | Seen | Listed | Accepted | Quarantined
    企业.csv | Firms | 1,137 | 1 | 1,136 | 0
    """
    missing = [c for c in ACCOUNTING if c not in frame.columns]
    if missing:
        raise DataError(
            "QB708", file="–", found="no column " + ", ".join(missing), expected=", ".join(ACCOUNTING),
            fix="tabulate_accounting(workspace.deliveries())",
        )  # fmt: skip
    if frame.empty:
        raise DataError("QB707", found="0 deliveries", expected="at least one", fix="qbase load FILE")
    _check_balance(frame)
    rows: list[tuple[str | Text, ...]] = [
        (str(row["file_name"]), _table_name(row), *(count(int(row[c])) for c in COUNTS))
        for row in frame.to_dict("records")
    ]
    if len(rows) > 1:
        rows.append((Text("合计", "Total"), "", *(count(int(frame[c].sum())) for c in COUNTS)))
    return Table(
        name="accounting",
        caption=Text("各次送达的行数去向", "What became of the rows of each delivery"),
        columns=(
            Column(label=Text("文件", "File")),
            Column(label=Text("表", "Table")),
            Column(label=Text("收到", "Seen"), numeric=True),
            Column(label=Text("列出", "Listed"), numeric=True),
            Column(label=Text("接收", "Accepted"), numeric=True),
            Column(label=Text("隔离", "Quarantined"), numeric=True),
        ),
        rows=tuple(rows),
        note=Text(
            "收到 = 列出 + 接收 + 隔离。列出的是标题、合计、备注等非数据行；隔离的行留待核实，不进入计算。",
            "Seen = listed + accepted + quarantined. Listed rows are titles, totals and remarks; quarantined rows "
            "wait for clarification and enter no figure.",
        ),
        data={c: [data_row(v) for v in frame[c]] for c in ACCOUNTING},
    )


def _table_name(row: Mapping[Hashable, Any]) -> Text:
    table = str(row["table"])
    return Text(str(row.get("table_zh", table)), str(row.get("table_en", table)))


def _check_balance(frame: pd.DataFrame) -> None:
    gap = frame["rows_seen"] - frame["listed"] - frame["accepted"] - frame["quarantined"]
    if (gap != 0).any():
        row = frame[gap != 0].iloc[0]
        raise DataError(
            "QB708", file=row["file_name"],
            found=f"seen {row['rows_seen']}, listed {row['listed']}, accepted {row['accepted']}, "
            f"quarantined {row['quarantined']}",
            expected="rows_seen = listed + accepted + quarantined", fix="load the delivery again: qbase load FILE",
        )  # fmt: skip


def _refuse_nothing(results: Sequence[Result], fix: str) -> None:
    if not results:
        raise DataError("QB707", found="0 results", expected="at least one", fix=fix)
