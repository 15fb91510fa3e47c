"""Tables of the quarterly brief: comparisons with other periods, what failed, what became of failures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qbase.core import periods
from qbase.core.coverage import HIDDEN
from qbase.core.errors import DataError
from qbase.core.numbers import count, interval, level_text, number
from qbase.core.results.result import Result
from qbase.core.results.sentences import digits_of
from qbase.core.results.told import told_by_row
from qbase.core.shown.display import Column, Table
from qbase.core.shown.english_names import name_text
from qbase.core.text import Text, join, same
from qbase.core.values import Estimate
from qbase.figures.surface.figure_words import account_data, capital, sentences, source_note, uncapital
from qbase.figures.tabulating.check_names import failed_note
from qbase.figures.tabulating.estimate_columns import NONE

KINDS = {
    "year_ago": Text("同比", "Same quarter a year ago"),
    "previous": Text("环比", "Quarter before"),
    "cumulative": Text("累计同比", "Year to date"),
    "half_year": Text("半年同比", "Same half-year a year ago"),
    "since_policy": Text("政策前后", "Since the policy, against before"),
}
ALIKE = {
    "matched_change": Text("两期都抽到的对象", "entities tested in both"),
    "within_change": Text("各对象内部平均", "mean inside entities"),
}
NO_VERDICT = Text("不判断升降", "No verdict")
WHOSE = Text(
    "首行的区间是合格率的，其余各行是变化的。",
    "The interval of the first row is that of the rate, those below are of the change.",
)
SEASON = Text("环比没有扣除季节影响。", "Against the quarter before, the season is not taken out.")
ONE_LEADS = Text(
    "以同比为准；其余各行只作参照，几行一起看时偶然出现一个升降的机会更大。",
    "The same quarter a year ago leads; the other rows are context: of several rows read together, one moves by chance "
    "more often.",
)
SEVERE = {False: Text("实质性", "Beyond the label"), True: Text("标识", "Label only")}


def tabulate_changes(level: Result, *changes: Result) -> Table:
    """Tabulate this period and what it is compared with (本期, 同比, 环比, 累计同比), each with interval and one word.

    Parameters
    ----------
    level : Result
        Of `qbase.trends.estimate_level`: the period spoken of.
    *changes : Result
        Of `qbase.trends.estimate_change`, of the same subject; the indicator is named where it is another one. One
        without an answer says why.

    Returns
    -------
    Table
        A change that was pooled has a second row for the entities tested in both periods. Data: outcome, against, term,
        first, period, before_pct, now_pct, value, ci_low, ci_high, n, verdict.

    Raises
    ------
    DataError
        The level has no estimate (QB707).

    Examples
    --------
    >>> from qbase.figures import tabulate_changes
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_change, estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q1", last="2025Q4")
    >>> level = estimate_level(panel, "D1.batch", entity="K001")
    >>> tabulate_changes(level, estimate_change(panel, "D1.batch", entity="K001", against="cumulative"))
    Batch pass rate against other periods: Qingzhao polyester fibre cluster
    Comparison | Now | Before | Change (pp) | 95% CI | n | Verdict
    This quarter: 2025 Q4 | 75.0% | – | – | 50.5–89.8 | 16 | –
    Year to date: 2025Q1–Q4 vs 2024Q1–Q4 | 76.5% | 87.2% | −10.6 | −22.4 to 1.5 | 159 | cannot tell which way
    """
    if not level.estimates:
        raise DataError(
            "QB707", found="a level without an estimate", expected="estimate_level(…)", fix="tabulate_changes(level, …)"
        )
    spoken = level.estimates[level.spoken[0]]
    digits = digits_of(level, spoken)
    value = f"{number(spoken.value, digits)}%"
    label = Text("本期：", "This quarter: ") + _period(str(spoken.key["period"]))
    rows: list[tuple[str | Text, ...]] = [
        (label, value, NONE, NONE, _interval(spoken, digits), count(spoken.n_obs or 0), NONE)
    ]
    data = [_datum(level, spoken, None, spoken.value, "")]
    for change in changes:
        rows += _change_rows(change, level.outcome.id)
        data += [_datum(change, e, *_ends(change, e), _verdict(change, e).en) for e in change.estimates]
    season = [SEASON] if any(r.settings.get("against") == "previous" and r.estimates for r in changes) else []
    return Table(
        name=f"changes:{level.outcome.id}",
        tells=told_by_row((level, *changes)),
        caption=capital(
            Text(
                f"{level.subject.zh}：{level.outcome.label.zh}与其他时期相比",
                f"{level.outcome.label.en} against other periods: {level.subject.en}",
            )
        ),
        columns=(
            Column(label=Text("比较", "Comparison")),
            Column(label=Text("本期", "Now"), numeric=True),
            Column(label=Text("对比期", "Before"), numeric=True),
            Column(label=Text("变化（百分点）", "Change (pp)"), numeric=True),
            Column(label=same(f"{level_text(spoken.ci_level)} CI"), numeric=True),
            Column(label=same("n"), numeric=True),
            Column(label=Text("判断", "Verdict")),
        ),
        rows=tuple(rows),
        note=sentences(WHOSE, ONE_LEADS, *season, *failed_note(*changes), source_note(level)),
        data={k: [d[k] for d in data] for k in data[0]} | account_data([level.coverage] * len(data)),
        style="effects",
    )


def _change_rows(change: Result, leading: str) -> list[tuple[str | Text, ...]]:
    kind = KINDS.get(str(change.settings.get("against")), Text("变化", "Change"))
    if change.outcome.id != leading:
        kind = capital(Text(f"{change.outcome.label.zh}{kind.zh}", f"{change.outcome.label.en}, {uncapital(kind).en}"))
    if not change.estimates:
        why = change.labels.get("unanswered", Text("没有估计值", "No estimate"))
        return [(kind, *[HIDDEN if "withheld" in change.settings else NONE] * 5, why)]
    rows: list[tuple[str | Text, ...]] = []
    for e in change.estimates:
        digits, alike = digits_of(change, e), ALIKE.get(e.term)
        between = _between(change)
        label = join([kind, between], zh="：", en=": ") if alike is None else Text(f"　{alike.zh}", f"– {alike.en}")
        ends = [NONE if x is None else f"{number(x, 1)}%" for x in reversed(_ends(change, e))]
        shown = number(e.value, digits, sign=True)
        rows.append((label, *ends, shown, _interval(e, digits), count(e.n_obs or 0), _verdict(change, e)))
    return rows


def _between(change: Result) -> Text:
    """Return the two periods in a few words: 2025Q4 比 2024Q4, or the quarters added up."""
    e = change.estimates[0]
    a, b = (str(e.key[k]) for k in ("first", "period"))
    if change.settings.get("against") == "cumulative" and b[-1] in "234":
        a, b = (f"{p[:4]}Q1–Q{p[-1]}" for p in (a, b))
    if change.settings.get("against") == "half_year":
        a, b = (f"{p[:4]}Q{int(p[-1]) - 1}–Q{p[-1]}" for p in (a, b))
    return Text(f"{b} 比 {a}", f"{b} vs {a}")


def _ends(change: Result, e: Estimate) -> tuple[float | None, float | None]:
    """Return the rates of both periods; of the term that compares all alone."""
    frame = change.tables.get("compared")
    if frame is None or e.term != "change" or len(frame) != 2:
        return None, None
    return float(frame["rate_pct"].iloc[0]), float(frame["rate_pct"].iloc[1])


def _verdict(change: Result, e: Estimate) -> Text:
    return change.labels.get(f"verdict[{e.term}]", NO_VERDICT)


def _datum(result: Result, e: Estimate, before: float | None, now: float | None, verdict: str) -> dict[str, Any]:
    return {
        "outcome": result.outcome.id, "against": result.settings.get("against", ""), "term": e.term,
        "first": e.key.get("first"), "period": e.key.get("period"), "before_pct": before, "now_pct": now,
        "value": e.value, "ci_low": e.ci_low, "ci_high": e.ci_high, "n": e.n_obs, "verdict": verdict,
    }  # fmt: skip


def tabulate_failed_items(result: Result) -> Table:
    """Tabulate the items that failed most, by product: severity, batches failed of those tested, share and interval.

    Parameters
    ----------
    result : Result
        Of `qbase.indicators.read_failed_items`.

    Returns
    -------
    Table
        One row that says why where there is nothing to show.

    Examples
    --------
    >>> from qbase.figures import tabulate_failed_items
    >>> from qbase.indicators import build_panel, read_failed_items
    >>> from qbase.lake import open_workspace
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> tabulate_failed_items(read_failed_items(open_workspace(), panel, subject="K001", most=2))
    Items that failed most, 2025Q1–2025Q4: Qingzhao polyester fibre cluster
    Product and item | Share failed | 95% CI | Failed / tested | Severity
    polyester staple fibre: moisture content | 22.2% | 11.7–38.1 | 8 / 36 | Beyond the label
    polyester filament yarn: linear density deviation | 17.8% | 9.3–31.3 | 8 / 45 | Beyond the label
    """
    shown = result.tables["items"].head(len(result.estimates))
    rows: list[tuple[str | Text, ...]] = []
    for row, e in zip(shown.to_dict("records"), result.estimates, strict=True):
        digits = digits_of(result, e)
        rows.append(
            (
                join([name_text(str(row["product"])), name_text(str(row["item"]))], zh="：", en=": "),
                f"{number(e.value, digits)}%", _interval(e, digits),
                f"{count(int(row['k']))} / {count(int(row['n']))}", SEVERE[bool(row["is_label"])],
            )
        )  # fmt: skip
    rows = rows or [(result.labels["unanswered"], *[NONE] * 4)]
    when = str(result.settings["period"])
    listed = len(result.tables["items"])
    more = Text(
        f"共有 {count(listed)} 个项目不合格，列出前 {len(rows)} 个，先实质性后标识。",
        f"{count(listed)} items failed; the first {len(rows)} are listed, those beyond the label first.",
    )
    return Table(
        name=f"items:{result.outcome.id}",
        tells=(result.name,),
        caption=capital(
            Text(
                f"{result.subject.zh}：{when} 不合格最多的项目", f"Items that failed most, {when}: {result.subject.en}"
            )
        ),
        columns=(
            Column(label=Text("产品与项目", "Product and item")),
            Column(label=Text("不合格率", "Share failed"), numeric=True),
            Column(label=same(f"{level_text(float(result.settings.get('level', 0.95)))} CI"), numeric=True),
            Column(label=Text("不合格 / 检验批次", "Failed / tested"), numeric=True),
            Column(label=Text("程度", "Severity")),
        ),
        rows=tuple(rows),
        note=sentences(*([more] if result.estimates else []), *result.notes, source_note(result)),
        data={c: shown[c].tolist() for c in shown.columns} | account_data([result.coverage] * len(shown)),
        style="effects",
    )


def tabulate_followup(*results: Result) -> Table:
    """Tabulate what became of failures and of the plan: window, cases, share, interval; “no data” where there is none.

    Parameters
    ----------
    *results : Result
        Of `qbase.trends.estimate_followup`.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        No result (QB707).

    Examples
    --------
    >>> from qbase.figures import tabulate_followup
    >>> from qbase.indicators import read_followup
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_followup
    >>> tabulate_followup(*estimate_followup(read_followup(open_workspace()), entity="K001"))
    Follow-up of failures, and the plan: Qingzhao polyester fibre cluster
    Indicator | Share | 95% CI | Cases | Window
    Re-check pass rate | 76.5% | 52.7–90.4 | 13 / 17 | 2025Q1–2025Q4
    Share of orders without a re-check at 60 days | 70.6% | 46.9–86.7 | 12 / 17 | 2025Q1–2025Q4
    Share of orders overdue | 17.6% | 6.2–41.0 | 3 / 17 | 2025Q1–2025Q4
    Repeat-failure rate | 50.0% | 26.8–73.2 | 7 / 14 | 2025Q4
    Share of planned tasks done | 81.0% | – | 17 / 21 | 2025Q1–2025Q4
    """
    if not results:
        raise DataError("QB707", found="0 results", expected="at least one", fix="tabulate_followup(result, …)")
    level = float(results[0].settings["level"])
    data = [_followup_datum(r) for r in results]
    return Table(
        name="followup",
        tells=told_by_row(results),
        caption=capital(
            Text(
                f"{results[0].subject.zh}：后处理与计划",
                f"Follow-up of failures, and the plan: {results[0].subject.en}",
            )
        ),
        columns=(
            Column(label=Text("指标", "Indicator")),
            Column(label=Text("比例", "Share"), numeric=True),
            Column(label=same(f"{level_text(level)} CI"), numeric=True),
            Column(label=Text("件数", "Cases"), numeric=True),
            Column(label=Text("期间", "Window")),
        ),
        rows=tuple(map(_followup_row, results)),
        note=sentences(*_definitions(results), *results[0].notes, source_note(results[0])),
        data={k: [d[k] for d in data] for k in data[0]} | account_data([r.coverage for r in results]),
        style="effects",
    )


def _definitions(results: Sequence[Result]) -> list[Text]:
    if all(r.outcome.id != "D1c.recheck" for r in results):
        return []
    return [
        Text(
            "只计责令改正已满 75 天的；到期仍未复查的不算合格。重复不合格率回看 8 个季度，再次抽到的企业才计入。",
            "Orders count once 75 days have passed; those still open then are not passed. Repeated failures look back "
            "over eight quarters, at firms that were drawn again.",
        )
    ]


def _followup_row(result: Result) -> tuple[str | Text, ...]:
    name, when = capital(result.outcome.label), str(result.settings["period"])
    if not result.estimates:
        return name, result.labels["unanswered"], NONE, NONE, when
    e = result.estimates[0]
    digits, n = digits_of(result, e), e.n_obs or 0
    cases = f"{count(int(result.tables['counts']['k'].sum()))} / {count(n)}"
    return name, f"{number(e.value, digits)}%", _interval(e, digits), cases, when


def _followup_datum(result: Result) -> dict[str, Any]:
    e = result.estimates[0] if result.estimates else None
    ends = {f: getattr(e, f, None) for f in ("value", "ci_low", "ci_high", "n_obs")}
    return {"indicator": result.outcome.id, "period": result.settings["period"], **ends}


def _interval(e: Estimate, digits: int) -> Text:
    if e.ci_low is None or e.ci_high is None:
        return same(NONE)
    return interval(e.ci_low, e.ci_high, digits)


def _period(code: str) -> Text:
    return periods.label(periods.parse_any(code))
