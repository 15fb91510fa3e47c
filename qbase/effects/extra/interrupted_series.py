"""An interrupted series: level and slope of the treated alone before and after a date, errors alike over time."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from qbase.core import periods
from qbase.core.errors import DataError, PolicyError
from qbase.core.given import check_margin
from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.periods import PER_YEAR
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate
from qbase.effects.comparison.effect_words import SPANS, STEP, drawing_notes, given_notes, subject_text
from qbase.effects.comparison.outcome_grid import Floats, Weight
from qbase.effects.comparison.treated_rows import TreatedRows, read_treated
from qbase.effects.doubt.few_clusters import LEAST
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.fitting.two_way_fit import NO_DOUBT
from qbase.stats.rates.difference_intervals import check_level
from qbase.stats.regression.hac_covariance import SeriesFit, fit_series

LEAST_BEFORE = 3
LEAST_AFTER = 2
LEAST_LEFT = 4
"""Periods less coefficients; with fewer a serial correlation cannot be seen, let alone allowed for."""

AGAINST = Text(
    "与政策前走势的延长线相比（没有比较对象），", "compared with the trend before drawn on (no comparison group), "
)
LEVEL = Text(
    "政策开始时水平的跳变（没有比较对象），", "as a jump of the level when the policy began (no comparison group), "
)
NO_CAUSE = Text(
    "只看采用者自身的走势，没有比较对象：同一时间的其他变化（市场、标准、抽样方式）都会算在内，不能说是政策所致。",
    "The treated are seen by themselves: whatever else changed at the time (markets, standards, the way of drawing) is "
    "in the figure, and it must not be put down to the policy.",
)
LINE = Text(
    "前提：若没有政策，政策前的直线走势会继续；离政策开始越远越靠不住。",
    "Assumes that without the policy the straight line before would have gone on; the further on, the less so.",
)
SEASON = {
    "Q": Text("季节以季度虚拟变量扣除。", "Seasons are taken out by dummies of quarters."),
    "H": Text("季节以上下半年的虚拟变量扣除。", "Seasons are taken out by a dummy of half-years."),
}


def estimate_interrupted_series(
    panel: Panel,
    policy: Policy,
    outcome: str,
    *,
    errors_alike: int | None = None,
    seasonal: bool | None = None,
    weight: Weight = "equal",
    level: float = 0.95,
    margin: float | None = None,
    subject: Text | None = None,
) -> Result:
    """Describe how level and slope of the treated changed at one date; one of the extras.

    ``y = a + b t + level × after + slope × (t − start) × after + seasons + error`` on the mean of the treated by
    period, with Newey and West's covariance. Without anybody to compare with it claims no cause, and the evidence is
    limited whatever the interval.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome``.
    policy : Policy
        Whom it treated; absorbing, all from one date.
    outcome : str
        Id of an indicator of the panel.
    errors_alike : int or None
        Periods over which errors may resemble each other; None takes ⌊4 (n/100)^(2/9)⌋.
    seasonal : bool or None
        Whether seasons have dummies; None takes them in a panel of quarters or half-years. Years have none.
    weight : {"equal", "n"} or mapping
        Share of each treated entity in the series; ``"n"`` by batches tested before the start.
    level : float
        Confidence level.
    margin : float or None
        Declared beforehand: an interval inside ± margin is called a little change.
    subject : Text or None
        The treated in words; None names them by what the panel follows.

    Returns
    -------
    Result
        Estimand ``change``: terms ``att`` (mean gap to the line drawn on, over the periods after), ``level`` (jump at
        the start) and ``slope`` (change of slope, per period); t with periods less coefficients. Below three treated
        entities no interval and no verdict: a series of one town holds what happened to that town. Tables ``series``
        (period, observed, fitted, drawn_on) and ``regression`` (coefficient, value, std_error). Grade limited.

    Raises
    ------
    PanelError, PolicyError, DataError, UsageError
        See `qbase.effects.comparison.treated_rows.read_treated`; several dates of adoption (QB567); too short a series
        (QB568); a series without variation around its line (QB515); options that are none (QB144, QB503, QB507, QB519).

    References
    ----------
    Bernal, J. L., Cummins, S. and Gasparrini, A. (2017). Interrupted time series regression for the evaluation of
    public health interventions. International Journal of Epidemiology 46. Newey, W. K. and West, K. D. (1987).
    Econometrica 55.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.core import Indicator, Panel, Policy, Spell, Text
    >>> from qbase.effects import estimate_interrupted_series
    >>> rate = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> cells = [(t, y) for t in "ABC" for y in range(2008, 2026)]
    >>> rows = [(t, y, 80 + 0.5 * (y - 2010) + 4 * (y > 2017) + (y * ord(t)) % 5 / 2) for t, y in cells]
    >>> frame = pd.DataFrame(rows, columns=["town", "year", "rate"])
    >>> panel = Panel.from_frame(frame, entity="town", period="year", freq="A", indicators={"rate": rate})
    >>> spells = tuple(Spell(entity=t, start="2018") for t in "ABC")
    >>> policy = Policy(policy_id="kilns", title=Text("窑炉补助", "kiln grants"), spells=spells)
    >>> change = estimate_interrupted_series(panel, policy, "rate")
    >>> [(e.term, round(e.value, 1)) for e in change.estimates[:2]], change.grade
    ([('att', 4.0), ('level', 4.1)], 'limited')
    """
    check_level(level)
    margin = check_margin(margin)
    lags = None if errors_alike is None else read_count("errors_alike", errors_alike, example="4")
    rows = read_treated(panel, policy, outcome, weight=weight)
    start = _one_date(policy)
    series = _series(rows)
    use_seasons = panel.freq != "A" and (seasonal is None or bool(seasonal))
    model = _model(series, seasons=PER_YEAR[panel.freq] if use_seasons else 1)
    _refuse_short(series, model)
    fit = fit_series(series["y"].to_numpy(dtype=float), model.x, lags=lags)
    _refuse_exact(outcome, series, fit)
    notes = [
        NO_CAUSE,
        LINE,
        *([SEASON[panel.freq]] if use_seasons else []),
        _alike_note(panel, fit),
        *drawing_notes(panel),
    ]
    return Result(
        estimand="change",
        outcome=rows.indicator,
        unit=difference_unit(rows.indicator.unit),
        method="interrupted_series",
        estimates=_estimates(rows, series, model, fit, level),
        subject=subject_text(panel, policy, list(rows.shares), subject),
        tables={"series": _drawn(series, model, fit, start), "regression": _regression(model, fit)},
        checks=(_check_periods(rows, series),),
        grade="limited",
        notes=(*notes, *given_notes(panel, policy)),
        settings={
            "outcome": rows.indicator.id, "policy": policy.policy_id, "entity_kind": panel.entity, "freq": panel.freq,
            "sampling": panel.sampling, "weight": rows.weighted_by, "inference": "Newey-West", "lags": fit.lags,
            "seasonal": use_seasons, "level": level, **({} if margin is None else {"margin": margin}),
        },
        sources=(*panel.sources, *policy.sources),
        coverage=panel.coverage_of(outcome),
        labels={"att": AGAINST, "level": LEVEL, "slope": _slope_label(panel), "n": SPANS[panel.freq]},
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Model:
    """Regressors of a series: constant, slope, level and slope after, seasons; and what ``att`` adds up."""

    names: tuple[str, ...]
    x: Floats
    loads: Floats


def _one_date(policy: Policy) -> pd.Period:
    starts = sorted(set(policy.first_treated.values()))
    if len(starts) == 1:
        return starts[0]
    raise PolicyError(
        "QB567",
        policy=policy.policy_id,
        found=f"{len(starts)} dates of adoption, {periods.code(starts[0])} to {periods.code(starts[-1])}",
        expected="one date for all treated",
        fix="a policy of the entities of one date, or estimate_staggered(panel, policy, outcome)",
    )


def _series(rows: TreatedRows) -> pd.DataFrame:
    """Return the mean of the treated in every period from first to last; NaN where one of them has no outcome."""
    wide = rows.rows.pivot_table(index="event_time", columns="entity", values="y")
    wide = wide[[e for e in wide.columns if rows.shares.get(str(e), 0.0) > 0]]
    if wide.empty:
        return pd.DataFrame({"event_time": [], "y": [], "n_seen": []})
    times = np.arange(wide.index.min(), wide.index.max() + 1)
    wide = wide.reindex(times)
    share = np.array([rows.shares[str(e)] for e in wide.columns])
    values = wide.to_numpy(dtype=float)
    return pd.DataFrame(
        {"event_time": times, "y": values @ (share / share.sum()), "n_seen": np.isfinite(values).sum(axis=1)}
    )


def _model(series: pd.DataFrame, *, seasons: int) -> Model:
    time = series["event_time"].to_numpy(dtype=float)
    after = (time >= 0).astype(float)
    columns = {"constant": np.ones(len(time)), "trend": time, "level": after, "slope": time * after}
    columns |= {f"season {s}": (np.mod(time, seasons) == s).astype(float) for s in range(1, seasons)}
    used = np.isfinite(series["y"].to_numpy(dtype=float)) & (after > 0)
    loads = np.zeros((3, len(columns)))
    loads[0, 2], loads[0, 3] = 1.0, time[used].mean() if used.any() else 0.0
    loads[1, 2] = loads[2, 3] = 1.0
    return Model(names=tuple(columns), x=np.column_stack(list(columns.values())), loads=loads)


def _refuse_short(series: pd.DataFrame, model: Model) -> None:
    used = np.isfinite(series["y"].to_numpy(dtype=float))
    before = int((used & (series["event_time"] < 0)).sum())
    after = int(used.sum()) - before
    k = len(model.names)
    enough = before >= LEAST_BEFORE and after >= LEAST_AFTER and before + after >= k + LEAST_LEFT
    if enough and np.linalg.matrix_rank(model.x[used]) == k:
        return
    raise DataError(
        "QB568",
        found=f"{before} periods before and {after} after with an outcome of every treated entity, {k} coefficients",
        expected=f"at least {LEAST_BEFORE} before, {LEAST_AFTER} after and {k + LEAST_LEFT} in all",
        fix="a longer panel, seasonal=False, or estimate_before_after(panel, policy, outcome)",
    )


def _refuse_exact(outcome: str, series: pd.DataFrame, fit: SeriesFit) -> None:
    size = float(series["y"].abs().max())
    if float(np.abs(fit.residuals).max()) > NO_DOUBT * max(size, 1e-300):
        return
    raise DataError(
        "QB515",
        outcome=outcome,
        found="values on one line before and one after",
        expected="values that vary over time",
        fix="check the measure and the window",
    )


def _estimates(
    rows: TreatedRows, series: pd.DataFrame, model: Model, fit: SeriesFit, level: float
) -> tuple[Estimate, ...]:
    used = np.isfinite(series["y"].to_numpy(dtype=float))
    after = int((used & (series["event_time"] >= 0)).sum())
    share = np.array([s for s in rows.shares.values() if s > 0])
    n, df = len(share), int(used.sum()) - len(model.names)
    values = model.loads @ fit.beta
    errors = np.sqrt(np.diag(model.loads @ fit.vcov @ model.loads.T))
    found = []
    for i, term in enumerate(("att", "level", "slope")):
        value, error = float(values[i]), float(errors[i])
        doubt: dict[str, Any] = {"uncertainty": "none_too_few"}
        if n >= LEAST:
            half = float(stats.t.ppf(0.5 + level / 2, df)) * error
            p = float(2 * stats.t.sf(abs(value) / error, df))
            doubt = {"std_error": error, "ci_low": value - half, "ci_high": value + half, "p_value": p}
        found.append(
            Estimate(
                term=term, value=value, ci_level=level, n_obs=int(used.sum()), n_treated=n, n_cells=n * after,
                n_effective=float(share.sum() ** 2 / (share**2).sum()), **doubt,
            )
        )  # fmt: skip
    return tuple(found)


def _drawn(series: pd.DataFrame, model: Model, fit: SeriesFit, start: pd.Period) -> pd.DataFrame:
    is_late = np.array([name in ("level", "slope") for name in model.names])
    fitted = model.x @ fit.beta
    return pd.DataFrame(
        {
            "period": [periods.code(start + int(t)) for t in series["event_time"]],
            "observed": series["y"].to_numpy(dtype=float),
            "fitted": fitted,
            "drawn_on": fitted - model.x[:, is_late] @ fit.beta[is_late],
        }
    )


def _regression(model: Model, fit: SeriesFit) -> pd.DataFrame:
    return pd.DataFrame({"coefficient": model.names, "value": fit.beta, "std_error": fit.std_errors})


def _check_periods(rows: TreatedRows, series: pd.DataFrame) -> CheckResult:
    """Say which periods are not in the series (``rows_used``)."""
    n, lost = len(series), int(series["y"].isna().sum())
    base = Text(f"{n} 期中用 {n - lost} 期", f"{n - lost} of {n} periods used")
    if not lost:
        return CheckResult(name="rows_used", passed=True, text=Text(f"{base.zh}。", f"{base.en}."))
    text = Text(f"{base.zh}；其余有采用者缺结果。", f"{base.en}; in the others one of the treated has no outcome.")
    return CheckResult(name="rows_used", passed=None, text=text)


def _slope_label(panel: Panel) -> Text:
    step = STEP[panel.freq]
    return Text(
        f"斜率每{step.zh}的变化（没有比较对象），", f"as a change of slope per {step.en} (no comparison group), "
    )


def _alike_note(panel: Panel, fit: SeriesFit) -> Text:
    return Text(
        f"标准误允许相隔不超过 {fit.lags} 期的误差相关（Newey-West）；序列短时区间偏窄。",
        f"Standard errors allow errors up to {fit.lags} periods apart to be alike (Newey and West); in a short series "
        "intervals are too narrow.",
    )
