"""The trend of a rate: by how much it moved a year, over many periods."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.errors import DataError
from qbase.core.numbers import count
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate, Key, Margin
from qbase.trends.counts.count_checks import notes_of
from qbase.trends.counts.firm_intervals import DESIGN_KNOWS, Firms, match_firms, settings_of
from qbase.trends.counts.half_years import Summed, end_of, sum_half_years
from qbase.trends.counts.period_counts import TOST_LEVEL, Counts, find_entity, read_counts
from qbase.trends.counts.policy_windows import SINCE, find_sides
from qbase.trends.counts.preliminary_periods import Parted, part_preliminary
from qbase.trends.counts.preliminary_subjects import leave_preliminary
from qbase.trends.rates.change_verdicts import add_verdicts, cap_grade, check_steady_power, margin_settings
from qbase.trends.rates.trend_checks import (
    check_drawing,
    check_firms,
    check_gaps,
    check_shape,
    check_spread,
    check_total,
    check_within,
)
from qbase.trends.rates.trend_fit import TrendFit, fit_count_trend, fit_firm_trend, fit_rate_trend, season_columns

if TYPE_CHECKING:
    from qbase.indicators.firm_counts import FirmCounts
    from qbase.indicators.maturity.maturity_table import Maturity

Floats = NDArray[np.float64]
LEAST_DF = 3
"""Fewer residual degrees of freedom leave nothing to tell a trend from what moves single periods."""

LEAST_PERIODS = 2 + LEAST_DF

NO_SLOPE = Text(
    "{subject}的{outcome}在各期中几乎全部合格（或不合格），趋势的斜率无法估计。",
    "Nearly all of {subject} passed (or failed) throughout: a slope of the {outcome} cannot be estimated.",
)
BRIEF_SHORT = Text("期数太少，不估计趋势", "No trend: too few periods")
BRIEF = Text("几乎全部合格（或不合格），不估计趋势", "No trend: nearly all passed, or failed")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """What a trend is fitted to.

    Parameters
    ----------
    counts : Counts
        Of the subject, inside the window.
    years : numpy.ndarray, shape (periods,)
        Time in years from the middle.
    design : numpy.ndarray, shape (periods, K)
        Constant, years, seasons.
    """

    counts: Counts
    years: Floats
    design: Floats

    @property
    def has_season(self) -> bool:
        """Whether the season is taken out."""
        return bool(self.design.shape[1] > 2)


def estimate_trend(
    panel: Panel,
    outcome: str,
    *,
    entity: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
    level: float = 0.95,
    margin: Margin | float | None = None,
    maturity: Maturity | None = None,
    firms: FirmCounts | None = None,
    window: Summed | None = None,
    policy: Policy | None = None,
) -> Result:
    """Estimate by how many percentage points a rate moved a year, over all periods of a window.

    Counts are fitted by binomial regression on time, with quarters of the year where each was seen in two years; the
    slope is the average over the periods of the marginal effect of a year, its interval by the delta method. With
    ``firms`` the covariance is clustered by firm (CR2, Satterthwaite's degrees of freedom); without, the variance is
    widened by what periods vary around the trend (quasi-binomial) and taken from t. A panel weighted by its sampling
    design is fitted by least squares, weighted by the effective number of batches.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome`` with its counts.
    outcome : str
        Id of a rate, ``D1.batch``.
    entity : str or None
        One entity; None pools all entities (counts are summed).
    first, last : str, pandas.Period or None
        Window, both inside; None takes all periods with tests.
    level : float
        Confidence level.
    margin : Margin, float or None
        As for `estimate_change`, in percentage points a year.
    maturity : Maturity or None
        From `qbase.indicators.read_maturity`: preliminary periods are left out.
    firms : FirmCounts or None
        From `qbase.indicators.read_firm_counts`, of the same inspections.
    window : {"half_year", "since_policy"} or None
        Sums the counts of an unweighted panel of quarters by half-year, as for `estimate_level`; or takes the periods
        since a policy alone, in place of ``first``.
    policy : Policy or None
        Gives the start, with ``window="since_policy"``: that of the subject itself, else that of the first to adopt.

    Returns
    -------
    Result
        Estimand ``trend`` in percentage points a year; term ``trend`` with keys ``since`` and ``until``; tables
        ``fitted`` (period, n, k, rate_pct, fitted_pct, ci_low, ci_high) and ``coefficients`` (term, value, std_error;
        log-odds, or percent where weighted); checks of small numbers, gaps, spread around the trend, its shape, the
        way of drawing and, pooled, of the slope inside the entities. Where nearly all passed, or failed, or where the
        panel has fewer than five periods and no window was asked for, or every one is preliminary, it has no estimate
        and says why.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125).
    UsageError
        Unknown entity (QB501), a period that is none (QB101), a level that is none (QB503), a margin that is none
        (QB507), another window (QB144), no policy to part by (QB532).
    DataError
        No period on one side of the policy (QB533), nothing was tested (QB502), a weighted panel is to be pooled
        (QB505) or summed (QB528), the
        firms are not those of the panel (QB525), or the window asked for has fewer than five periods (QB529).

    References
    ----------
    McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, 2nd edition, section 4.5 (over-dispersion).
    Liang, K.-Y. and Zeger, S. L. (1986). Longitudinal data analysis using generalized linear models. Biometrika 73,
    13-22. Bell, R. M. and McCaffrey, D. F. (2002). Bias reduction in standard errors for linear regression with
    multi-stage samples. Survey Methodology 28.

    Examples
    --------
    >>> from qbase.indicators import build_panel, read_firm_counts
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_trend
    >>> panel, firms = build_panel(open_workspace(), "D1.batch"), read_firm_counts(open_workspace())
    >>> trend = estimate_trend(panel, "D1.batch", entity="K001", firms=firms)
    >>> trend
    <Result trend:D1.batch:firm_trend: Qingzhao polyester fibre cluster>
      trend since=2016Q1 until=2025Q4 entity=K001: −0.6 pp a year (0.6), 95% CI −1.7 to 0.6, n = 793
    >>> print(trend.say().items[0].en)
    From 2016 Q1 to 2025 Q4 the batch pass rate of the Qingzhao polyester fibre cluster: cannot tell. The estimate is
    −0.6 percentage points a year (95% CI −1.7 to 0.6; n = 793): it could be lower or higher.
    """
    declared = margin_settings(margin)
    unripe = leave_preliminary(panel, outcome, entity, maturity, estimand="trend", method="binomial_trend")
    if unripe is not None:
        return unripe
    parted = part_preliminary(panel, outcome, entity=entity, maturity=maturity)
    entity = None if entity is None else find_entity(panel, entity)
    parted, firms, step = sum_half_years(parted, firms, window)
    sides = find_sides(policy, parted.panel.periods, entity) if window == SINCE else None
    whole = read_counts(parted.panel, outcome, entity=entity, level=level)
    start = end_of(first, window) if sides is None else sides.since[0]
    series = _arrange(whole, start, end_of(last, window), panel.freq)
    counts = series.counts
    is_short = len(counts.index) < LEAST_PERIODS
    matched = match_firms(parted.panel, outcome, counts, firms, entity=entity)
    fit = None if is_short else _fit(series, matched, _effective(parted.panel, outcome, counts, entity), level)
    told = DESIGN_KNOWS if counts.is_weighted and firms is not None else None
    told = told if matched is None else _firm_note(matched)
    settings = {
        "outcome": outcome, "entity_kind": panel.entity, "entity": entity, "level": level,
        "first": periods.code(counts.index[0]), "last": periods.code(counts.index[-1]),
        "freq": panel.freq, "sampling": panel.sampling,
        **({} if window is None else {"window": window}),
        "has_season": series.has_season, **settings_of(matched), **declared,
    }  # fmt: skip
    method = "design_trend" if counts.is_weighted else ("binomial_trend" if matched is None else "firm_trend")
    empty = Result(
        estimand="trend",
        outcome=counts.indicator,
        unit="pp_per_year" if counts.indicator.unit == "pct" else counts.indicator.unit,
        method=method,
        estimates=(),
        subject=counts.subject,
        tables={"series": parted.join(counts.series)},
        checks=(*([] if sides is None else [sides.check()]), *parted.checks),
        notes=(*_notes(series, matched), *notes_of(panel, counts.indicator, entity, of_firms=told)),
        settings=settings,
        sources=panel.sources,
        coverage=panel.coverage_of(outcome),
        labels={"unanswered": BRIEF_SHORT if is_short else BRIEF},
        unanswered=_say_short(counts) if is_short else NO_SLOPE,
    )
    if fit is None or not fit.std_error > 0:
        return empty
    return _answer(empty, series, fit, parted, entity, matched, step=step)


def _answer(
    empty: Result, series: Series, fit: TrendFit, parted: Parted, entity: str | None, firms: Firms | None, *, step: int
) -> Result:
    counts, outcome = series.counts, empty.outcome.id
    estimate = _estimate(series, fit, entity, empty)
    drawing = check_drawing(parted.panel, entity, counts.index)
    within = check_within(parted.panel, outcome, counts, estimate) if entity is None else None
    checks: list[CheckResult | None] = [
        check_total(counts),
        check_gaps(counts.index, step=step),
        None if firms is None else check_firms(int(firms.rows["owner"].nunique())),
        check_spread(fit.dispersion, fit.dispersion_p, knows_firms=firms is not None),
        None if counts.is_weighted else check_shape(counts, series.design),
        drawing,
        within,
    ]
    since, until = (periods.label(counts.index[i], is_half=step == 2) for i in (0, -1))
    result = dataclasses.replace(
        empty,
        estimates=(estimate,),
        spoken=(0,),
        unanswered=Text("", ""),
        tables={**empty.tables, "fitted": _fitted(series, fit), "coefficients": _coefficients(series, fit)},
        checks=(
            *(c for c in checks if c is not None),
            *empty.checks,
            *check_steady_power(estimate, empty.settings, df=fit.df),
        ),
        grade=cap_grade(
            is_naive=parted.panel.sampling == "naive",
            is_pooled=entity is None and len(parted.panel.entities) > 1,
            is_unknown=drawing.passed is None,
            is_apart=within is not None and within.passed is False,
        ),
        settings={**empty.settings, "df": round(fit.df, 2), "dispersion": round(fit.dispersion, 4)},
        labels={"trend": Text(f"{since.zh}至 {until.zh}，", f"From {since.en} to {until.en} ")},
    )
    return add_verdicts(result)


def _arrange(whole: Counts, first: object, last: object, freq: periods.Freq) -> Series:
    start = whole.index[0] if first is None else whole.period(first)  # type: ignore[arg-type]
    end = whole.index[-1] if last is None else whole.period(last)  # type: ignore[arg-type]
    inside = np.asarray((whole.index >= start) & (whole.index <= end))
    series = whole.series[inside].reset_index(drop=True)
    counts = dataclasses.replace(whole, series=series, index=whole.index[inside])
    if len(counts.index) < LEAST_PERIODS and (first is not None or last is not None):
        raise _too_short(counts)
    time = periods.ordinals(counts.index) / periods.PER_YEAR[freq]
    years = time - time.mean()
    line = np.column_stack([np.ones(len(years)), years])
    if freq == "A":
        return Series(counts=counts, years=years, design=line)
    n, k = (series[c].to_numpy(dtype=float) for c in ("n", "k"))
    season = season_columns(counts.index.quarter.to_numpy(dtype=np.int64), n, k)
    has_room = len(n) - 2 - season.shape[1] >= LEAST_DF
    return Series(counts=counts, years=years, design=np.column_stack([line, season]) if has_room else line)


def _say_short(counts: Counts) -> Text:
    n = count(len(counts.index))
    return Text(
        f"{{subject}}的{{outcome}}只有 {n} 期，至少 {LEAST_PERIODS} 期才能估计趋势。",
        f"The {{outcome}} of {{subject}} has {n} periods: a trend takes at least {LEAST_PERIODS}.",
    )


def _too_short(counts: Counts) -> DataError:
    held = list(counts.series["period"])
    return DataError(
        "QB529",
        subject_zh=counts.subject.zh,
        subject_en=counts.subject.en,
        n=len(held),
        found=f"{len(held)} periods with tests{f', {held[0]} to {held[-1]}' if held else ''}",
        expected=f"at least {LEAST_PERIODS}",
        fix="a longer window (first, last), or estimate_change between two periods",
    )


def _effective(panel: Panel, outcome: str, counts: Counts, entity: str | None) -> Floats | None:
    """Return the effective numbers of batches of a weighted rate, from its interval where the panel has none."""
    if not counts.is_weighted:
        return None
    own = panel.data.loc[entity or panel.entities[0]].reindex(counts.index)
    if f"{outcome}__n_eff" in own and own[f"{outcome}__n_eff"].gt(0).all():
        return own[f"{outcome}__n_eff"].to_numpy(dtype=float)
    rate, low, high = (counts.series[c].to_numpy(dtype=float) / 100 for c in ("rate_pct", "ci_low", "ci_high"))
    mean = float(np.clip(rate.mean(), 0.01, 0.99))
    return np.asarray(mean * (1 - mean) / ((high - low) / (2 * 1.959964)) ** 2, dtype=float)


def _fit(series: Series, firms: Firms | None, n_eff: Floats | None, level: float) -> TrendFit | None:
    n, k = (series.counts.series[c].to_numpy(dtype=float) for c in ("n", "k"))
    if n_eff is not None:
        rate = series.counts.series["rate_pct"].to_numpy(dtype=float) / 100
        return fit_rate_trend(rate, n_eff, series.design, level=level)
    if firms is None:
        return fit_count_trend(n, k, series.design, level=level)
    rows = firms.rows.groupby(["owner", "period"], as_index=False)[["n", "k"]].sum()
    at = series.counts.index.get_indexer(pd.PeriodIndex(rows["period"]))
    number = np.asarray(rows.groupby("owner").ngroup(), dtype=np.int64)
    each_n, each_k = (rows[c].to_numpy(dtype=float) for c in ("n", "k"))
    return fit_firm_trend(
        each_n, each_k, np.asarray(at, dtype=np.int64), number, series.design, firms.likeness.mean, level=level
    )


def _estimate(series: Series, fit: TrendFit, entity: str | None, empty: Result) -> Estimate:
    level, index = float(empty.settings["level"]), series.counts.index
    low, high = fit.limits(level)
    tost = fit.limits(TOST_LEVEL) if "margin_declared_on" in empty.settings else None
    key: dict[str, Key] = {"since": periods.code(index[0]), "until": periods.code(index[-1])}
    if entity is not None:
        key["entity"] = entity
    return Estimate(
        term="trend",
        key=key,
        value=100 * fit.slope,
        std_error=100 * fit.std_error,
        ci_low=100 * low,
        ci_high=100 * high,
        tost_low=None if tost is None else 100 * tost[0],
        tost_high=None if tost is None else 100 * tost[1],
        ci_level=level,
        p_value=fit.p_value,
        n_obs=int(series.counts.series["n"].sum()),
    )


def _fitted(series: Series, fit: TrendFit) -> pd.DataFrame:
    shown = {"fitted_pct": fit.fitted, "ci_low": fit.low, "ci_high": fit.high}
    return series.counts.series[["period", "n", "k", "rate_pct"]].assign(**{c: 100 * x for c, x in shown.items()})


def _coefficients(series: Series, fit: TrendFit) -> pd.DataFrame:
    index = series.counts.index
    season = "half" if periods.freq_of(index) == "H" else "quarter"
    later = [q if season == "quarter" else (q + 1) // 2 for q in np.unique(index.quarter)[1:].tolist()]
    scale = 100.0 if series.counts.is_weighted else 1.0
    return pd.DataFrame(
        {
            "term": ["constant", "year", *(f"{season}_{q}" for q in later if series.has_season)],
            "value": scale * fit.coefficients,
            "std_error": scale * fit.errors,
        }
    )


def _firm_note(firms: Firms) -> Text:
    n = count(firms.rows["owner"].nunique())
    return Text(
        f"标准误按 {n} 家企业聚类，同一企业各期各批的相近已计入。",
        f"Standard errors are clustered by {n} firms: whatever makes batches of one firm alike is counted.",
    )


def _notes(series: Series, firms: Firms | None) -> list[Text]:
    notes = []
    if periods.freq_of(series.counts.index) != "A" and not series.has_season:
        notes.append(
            Text(
                "没有扣除季节影响：期数不足，或某季度全部合格。", "The season is not taken out: too few periods for it."
            )
        )
    if firms is None and not series.counts.is_weighted:
        notes.append(
            Text(
                "未给出企业：方差按各期围绕趋势的离散程度放大。",
                "No firms given: the variance is widened by how periods vary around the trend.",
            )
        )
    return notes
