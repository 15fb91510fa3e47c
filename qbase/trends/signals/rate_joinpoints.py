"""Where the trend of a rate turned: straight lines that meet, and by how much the rate moved a year along each."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from qbase.core import periods
from qbase.core.errors import DataError
from qbase.core.given import read_number
from qbase.core.numbers import level_text, p_value
from qbase.core.panel import Panel
from qbase.core.policy import DatedEvent
from qbase.core.results.result import Result
from qbase.core.results.sentences import add_article
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Estimate, Key
from qbase.stats.control.joinpoints import Joined, fit_joinpoints
from qbase.stats.rates.difference_intervals import check_level
from qbase.trends.counts.count_checks import notes_of
from qbase.trends.counts.period_counts import find_entity
from qbase.trends.counts.preliminary_periods import part_preliminary
from qbase.trends.counts.preliminary_subjects import leave_preliminary
from qbase.trends.rates.trend_fit import season_columns
from qbase.trends.signals.break_words import ORDER
from qbase.trends.signals.control_words import INDEPENDENT
from qbase.trends.signals.given_events import Given, read_events, tell_events
from qbase.trends.signals.measured_series import Measured, read_measured

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

LEAST_PERIODS = 12
"""As for breaks: with fewer a flare of one quarter looks like a turn."""

LEAST_SEGMENT = 4
"""A year of quarters: a shorter segment is a season."""

CHOSEN = Text(
    "连接点的个数由逐步检验选定（Kim 等 2000）：直线趋势被误判有连接点的机会不超过事先定的水平；BIC 没有这样的上限。",
    "The number of joinpoints is chosen by a sequence of tests (Kim et al. 2000): a straight trend gets one with no "
    "more than the chance set beforehand; BIC has no such bound.",
)
ON_RECORD = {
    "standard": Text(
        "与标准变化重合，是尺度变了，不能据此判断质量", "at a change of standard: the yardstick moved, not quality"
    ),
    "policy": Text(
        "时间与政策开始重合，重合不等于效果", "coincides with the start of a policy and is no effect for that"
    ),
    "break": Text("与已找到的断点重合", "at a break found before"),
    "other": Text("同期有记录在案的事件", "with an event on record then"),
    "none": Text("没有记录在案的事件", "no event on record"),
}  # fmt: skip


def estimate_joinpoints(
    panel: Panel,
    outcome: str,
    *,
    entity: str | None = None,
    known: Given | Iterable[Given] | None = None,
    maturity: Maturity | None = None,
    most: int = 3,
    alpha: float = 0.05,
    level: float = 0.95,
) -> Result:
    """Estimate where the trend of a rate turned, and by how many percentage points a year it moved before and after.

    A break is a jump of the mean (`estimate_breaks`); a joinpoint is a turn of a trend without a jump. Rates are fitted
    by least squares weighted by the number of tests, with quarters of the year where each was seen in two years; their
    number is chosen by tests (`qbase.stats.control.joinpoints.fit_joinpoints`). What moves periods beyond the sampling
    of batches is in the errors.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome`` with its counts.
    outcome : str
        Id of a rate, ``D1.batch``.
    entity : str or None
        One entity; None adds all up.
    known : DatedEvent, Policy, a sequence of them, or None
        Dates on record, as for `estimate_breaks`: a joinpoint whose interval holds a change of standard is one of the
        yardstick.
    maturity : Maturity or None
        Preliminary periods enter nothing.
    most : int
        Most joinpoints, 0 to 3.
    alpha : float
        Chance of any joinpoint in a straight trend.
    level : float
        Of the intervals.

    Returns
    -------
    Result
        Estimand ``trend`` in percentage points a year; terms ``segment_1`` … with keys ``since`` and ``until``, one
        more than there are joinpoints. Tables ``joinpoints`` (period, low, high, kind, title_zh, title_en), ``tests``
        (few, many, p_value), ``series`` (period, n, k, value, fitted, trend: at the mean of
        the seasons) and ``events``. Without an answer below 12 periods, or for a rate without counts of its own.

    Raises
    ------
    PanelError
        As for `estimate_breaks`.
    UsageError
        Unknown entity (QB501), a level that is none (QB503), no event (QB555).
    DataError
        Nothing was measured (QB502), or ``most`` is not 0 to 3 (QB534).

    References
    ----------
    Kim, H.-J., Fay, M. P., Feuer, E. J. and Midthune, D. N. (2000). Permutation tests for joinpoint regression with
    applications to cancer rates. Statistics in Medicine 19, 335-351.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_joinpoints
    >>> found = estimate_joinpoints(build_panel(open_workspace(), "D1.batch"), "D1.batch", entity="K001")
    >>> found
    <Result trend:D1.batch:joinpoint: Qingzhao polyester fibre cluster>
      segment_1 since=2016Q1 until=2025Q4 entity=K001: −0.6 pp a year (0.5), 95% CI −1.7 to 0.5, n = 793
    >>> found.tables["joinpoints"].empty
    True
    """
    for share in (level, 1 - alpha):
        check_level(share)
    unripe = leave_preliminary(panel, outcome, entity, maturity, estimand="trend", method="joinpoint")
    if unripe is not None:
        return unripe
    parted = part_preliminary(panel, outcome, entity=entity, maturity=maturity)
    measured = read_measured(parted.panel, outcome, entity)
    _check_most(outcome, most)
    entity = None if entity is None else find_entity(panel, entity)
    events = read_events(known, entity, measured.index)
    silent = _say_silent(measured)
    found = _fit(measured, panel.freq, most, alpha, level) if silent is None else None
    table = _table(measured.index, found, events)
    is_yardstick = bool((table["kind"] == "standard").any())
    return Result(
        estimand="trend",
        outcome=measured.indicator,
        unit="pp_per_year",
        method="joinpoint",
        estimates=() if found is None else _estimates(measured, found, entity, level),
        subject=measured.subject,
        tables={
            "joinpoints": table,
            "tests": pd.DataFrame(found.tests if found else [], columns=["few", "many", "p_value"]),
            "series": _series(measured, found),
            "events": tell_events(events, panel.freq),
        },
        checks=(*_checks(table, found), *parted.checks),
        grade="limited" if is_yardstick else "moderate",
        notes=(CHOSEN, INDEPENDENT, *notes_of(panel, measured.indicator, entity)),
        settings={
            "outcome": outcome, "entity_kind": panel.entity, "entity": entity, "freq": panel.freq,
            "sampling": panel.sampling, "most": most, "alpha": alpha, "level": level, "least": LEAST_SEGMENT,
        },
        labels={} if found is None else _labels(measured, found, table, level),
        sources=panel.sources,
        coverage=panel.coverage_of(outcome),
        spoken=() if found is None else tuple(range(len(found.slopes))),
        unanswered=silent or Text("", ""),
    )  # fmt: skip


def _check_most(outcome: str, most: int) -> None:
    given = read_number(most)
    if given is None or given not in (0, 1, 2, 3):
        raise DataError(
            "QB534", outcome=outcome, most=most, found=f"most={most!r}", expected="most = 0, 1, 2 or 3", fix="most=3"
        )


def _fit(measured: Measured, freq: periods.Freq, most: int, alpha: float, level: float) -> Joined:
    time = periods.ordinals(measured.index) / periods.PER_YEAR[freq]
    season = None
    if freq != "A":
        season = season_columns(measured.index.quarter.to_numpy(dtype=np.int64), measured.n, measured.k)
    return fit_joinpoints(
        measured.value, measured.n, time - time.mean(), season=season, most=int(most), least=LEAST_SEGMENT, alpha=alpha,
        level=level,
    )  # fmt: skip


def _edges(index: pd.PeriodIndex, found: Joined) -> list[pd.Period]:
    return [index[0], *(index[i] for i in found.knots), index[-1]]


def _estimates(measured: Measured, found: Joined, entity: str | None, level: float) -> tuple[Estimate, ...]:
    edges, t = _edges(measured.index, found), float(stats.t.ppf((1 + level) / 2, found.df))
    at = [0, *found.knots.tolist(), len(measured.index) - 1]
    estimates = []
    for i, (slope, error) in enumerate(zip(found.slopes.tolist(), found.errors.tolist(), strict=True)):
        key: dict[str, Key] = {"since": periods.code(edges[i]), "until": periods.code(edges[i + 1])}
        if entity is not None:
            key["entity"] = entity
        estimates.append(
            Estimate(
                term=f"segment_{i + 1}", key=key, value=slope, std_error=error, ci_low=slope - t * error,
                ci_high=slope + t * error, ci_level=level, p_value=float(2 * stats.t.sf(abs(slope / error), found.df)),
                n_obs=int(measured.n[at[i] : at[i + 1] + 1].sum()),
            )
        )  # fmt: skip
    return tuple(estimates)


def _table(index: pd.PeriodIndex, found: Joined | None, events: list[DatedEvent]) -> pd.DataFrame:
    """Return one row per joinpoint with what stands on record inside its interval, a changed standard before all."""
    rows = []
    for at, low, high in [] if found is None else zip(found.knots, found.low, found.high, strict=True):
        own = [e for e in events if index[low] <= e.at(periods.freq_of(index)) <= index[high]]
        kind = min((e.kind for e in own), key=ORDER.index) if own else "none"
        title = join(list(dict.fromkeys(e.title for e in own if e.kind == kind)), zh="；", en="; ")
        rows.append((*(periods.code(index[i]) for i in (at, low, high)), kind, title.zh, title.en))
    return pd.DataFrame(rows, columns=["period", "low", "high", "kind", "title_zh", "title_en"])


def _series(measured: Measured, found: Joined | None) -> pd.DataFrame:
    nothing = np.full(len(measured.index), np.nan)
    fitted, trend = (nothing, nothing) if found is None else (found.fitted, found.trend)
    return pd.DataFrame(
        {
            "period": [periods.code(p) for p in measured.index], "n": measured.n, "k": measured.k,
            "value": measured.value, "fitted": fitted, "trend": trend,
        }
    )  # fmt: skip


def _labels(measured: Measured, found: Joined, table: pd.DataFrame, level: float) -> dict[str, Text]:
    edges = [periods.label(p) for p in _edges(measured.index, found)]
    labels = {
        f"segment_{i + 1}": Text(f"{a.zh}至 {b.zh}，", f"From {a.en} to {b.en} ")
        for i, (a, b) in enumerate(itertools.pairwise(edges))
    }
    if table.empty:
        # how steep the whole trend is, is said of the trend itself (`estimate_trend`)
        return {**labels, "said[segment_1]": _say_none(measured, found)}
    return {**labels, f"later[segment_{len(found.slopes)}]": _say_turns(table, level)}


def _say_none(measured: Measured, found: Joined) -> Text:
    shown = p_value(found.tests[0][2]) if found.tests else "–"
    shown = shown if shown[0] in "<>" else f"= {shown}"
    first, last = periods.label(measured.index[0]), periods.label(measured.index[-1])
    subject, outcome = add_article(measured.subject), measured.indicator.label
    return Text(
        f"{first.zh}至 {last.zh}，{subject.zh}的{outcome.zh}趋势没有找到转折（p {shown}；没有找到不等于没有）。",
        f"No turn was found in the trend of the {outcome.en} of {subject.en} from {first.en} to {last.en} (p {shown}; "
        "none found is not none there).",
    )


def _say_turns(table: pd.DataFrame, level: float) -> Text:
    said = []
    for row in table.to_dict("records"):
        when, low, high = (_named(str(row[c])) for c in ("period", "low", "high"))
        kind, title = ON_RECORD[str(row["kind"])], Text(str(row["title_zh"]), str(row["title_en"]))
        named = Text(f"：{title.zh}", f": {title.en}") if title.zh else title
        shown = level_text(level)
        said.append(
            Text(
                f"趋势在{when.zh}转折（日期 {shown} CI：{low.zh}至{high.zh}；{kind.zh}{named.zh}）。",
                f"The trend turned in {when.en} ({shown} CI of the date {low.en} to {high.en}; {kind.en}{named.en}).",
            )
        )
    return join(said, zh="", en=" ")


def _named(code: str) -> Text:
    return periods.label(periods.parse_any(code))


def _checks(table: pd.DataFrame, found: Joined | None) -> list[CheckResult]:
    """Check that no turn stands at a change of the yardstick."""
    if found is None:
        return []
    at = table.loc[table["kind"] == "standard", "period"].tolist()
    if at:
        listed = "、".join(at), ", ".join(at)
        text = Text(
            f"{listed[0]} 的转折与标准变化重合：前后的尺度不同。",
            f"The turn of {listed[1]} stands at a change of standard: the yardstick differs before and after.",
        )
        return [CheckResult(name="same_yardstick", passed=False, text=text)]
    text = Text("没有转折与记录在案的标准变化重合。", "No turn stands at a change of standard on record.")
    return [CheckResult(name="same_yardstick", passed=True, text=text)]


def _say_silent(measured: Measured) -> Text | None:
    """Return why no turns are sought; None where they are."""
    n = len(measured.index)
    if not measured.has_counts:
        return Text(
            "{subject}的{outcome}没有自己的批次数，不找趋势的转折。",
            "Turns of a trend are sought in counts; the {outcome} of {subject} has none of its own.",
        )
    if n >= LEAST_PERIODS:
        return None
    return Text(
        f"{{subject}}的{{outcome}}只有 {n} 期，至少 {LEAST_PERIODS} 期才能找趋势的转折。",
        f"The {{outcome}} of {{subject}} has {n} periods: turns of a trend take at least {LEAST_PERIODS}.",
    )
