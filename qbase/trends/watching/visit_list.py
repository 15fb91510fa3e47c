"""An early-warning list of firms: it directs visits inside the office, and says how much better it finds failures."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from qbase.core.errors import UsageError
from qbase.core.given import check_day, read_number
from qbase.core.numbers import count, percent
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate, Indicator
from qbase.indicators.kept.kept_values import keep_value
from qbase.stats.rates.difference_intervals import check_level
from qbase.stats.regression.ridge_logit import RidgeLogit, fit_ridge_logit
from qbase.trends.watching.firm_features import (
    Features,
    History,
    build_features,
    build_history,
    fit_prior,
    list_products,
    quarter_of,
    read_quarters,
)
from qbase.trends.watching.list_checks import (
    USE,
    check_calibration,
    check_features,
    check_gain,
    check_plan,
    check_weights,
)
from qbase.trends.watching.list_reasons import say_reasons
from qbase.trends.watching.list_validation import (
    RANKS,
    Hits,
    calibrate,
    choose_top,
    compare_hits,
    weigh_draws,
)
from qbase.trends.watching.watch_tables import WatchTables, read_watch_tables

if TYPE_CHECKING:
    from qbase.lake import Workspace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

VALIDATED_QUARTERS = 8
LEAST_DRAWS, LEAST_FAILURES = 200, 20
"""Below this neither the list nor its validation says anything."""

REVIEW_MONTHS, EXPIRY_MONTHS = 3, 6
PLACES = ("cluster_id", "town_code")
"""Told of a listed firm, so that a page can show its own; never a reason to be on the list."""
LISTED = [
    "rank", "firm_id", "firm_name", *PLACES, "risk_pct", "ci_low", "ci_high", "reason_zh", "reason_en", "made_on",
    "review_on", "expires_on", "use",
]  # fmt: skip
SHORT = Text("双随机批次太少，不编名单", "No list: too few random draws")

GAIN = Indicator(
    id="watch.gain",
    name=Text("命中率增益（与现行风险等级相比）", "gain in hit rate over the risk classes in force"),
    unit="pp",
    better="up",
)
LIST = Text("走访名单", "the visit list")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Fit:
    """A model with what it was fitted with, to score any firm at any quarter."""

    model: RidgeLogit
    history: History
    products: tuple[str, ...]
    prior: tuple[float, float]

    def features(self, firm: Ints, quarter: Ints) -> Features:
        return build_features(self.history, firm, quarter, products=self.products, prior=self.prior)


def estimate_watchlist(
    tables: WatchTables, *, as_of: str | None = None, share: float = 0.2, level: float = 0.95
) -> Result:
    """Estimate which firms to visit first, from their own record, and how many more failures that finds.

    A ridge logit of failure on what was known of a firm at the start of the quarter: its shrunk record, failures of the
    last year, failed items, time since the last draw, whether it was ever drawn, age, size, product. Who owns a firm
    and where it lies are never features; neither is a product of a single town. It is made from and tested on weighted
    random draws only, since directed ones find what they look for; the test is on the last eight quarters, with a model
    of the time before. The list directs visits inside the office; it is no ground for penalties, grades or publication.

    Parameters
    ----------
    tables : WatchTables
        From `read_watch_tables`.
    as_of : str or None
        ISO date; nothing from its quarter on is used. The quarter after the last batch when None.
    share : float
        Of the firms that can be visited in a quarter.
    level : float
        Confidence level.

    Returns
    -------
    Result
        Estimand ``level`` in percentage points; term ``gain``: failure rate among the firms the list chooses less that
        among as many chosen by the risk classes in force, both on random draws not used for fitting. Tables
        ``watchlist`` (rank, firm_id, firm_name, cluster_id, town_code, risk_pct with ci_low and ci_high, reason_zh,
        reason_en, made_on, review_on, expires_on, use), ``validation`` (hit rates of list, risk classes, chance),
        ``calibration`` (by size, age and town) and ``coefficients``. None has counts of firms behind each row, so that
        `qbase.release.protect` lets it out to nobody. Without an answer where there are too few random draws or
        failures before or within the last eight quarters.

    Raises
    ------
    UsageError
        The share or the day is none (QB599, QB148), or the level (QB503).

    References
    ----------
    le Cessie, S. and van Houwelingen, J. C. (1992). Ridge estimators in logistic regression. Applied Statistics 41.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_watchlist, read_watch_tables
    >>> result = estimate_watchlist(read_watch_tables(open_workspace()))
    >>> result
    <Result level:watch.gain:ridge_logit: the visit list>
      gain period=2024Q1–2025Q4: 9.2 pp (3.4), 95% CI 2.5–15.9, n = 849
    >>> print(result.tables["watchlist"].loc[0, ["firm_id", "reason_en", "expires_on"]].to_dict())
    {'firm_id': 'F00690', 'reason_en': '12 of 12 earlier batches failed; small firm; 34 items failed before',
     'expires_on': '2026-07-01'}
    """
    part = read_number(share)
    if part is None or not 0 < part < 1:
        raise UsageError(
            "QB599", found=f"share={share!r}", expected="0 < share < 1: firms visited in a quarter", fix="share=0.2"
        )
    check_level(level)
    now = _start(tables.draws, as_of)
    tables = _known_before(tables, now)
    history, draws = build_history(tables), _random_draws(tables)
    split = now - VALIDATED_QUARTERS
    weights, is_weighted = weigh_draws(tables, draws)
    quarter = quarter_of(draws["sample_date"])
    is_early, is_late = quarter < split, quarter >= split
    failed = (~draws["is_pass"].to_numpy(dtype=bool)).astype(float)
    if (why := _say_too_few(failed, is_early, is_late)) is not None:
        return _unanswered(tables, why, part, level)
    firm = np.asarray(history.firms.get_indexer(pd.Index(draws["firm_id"])), dtype=np.int64)
    tested = _fit(history, firm, quarter, failed, weights, is_early, split)
    shown = tested.features(firm[is_late], quarter[is_late])
    risk: Floats = tested.model.predict(shown.x)
    plan: Floats = np.asarray(draws.loc[is_late, "risk_class"].map(RANKS).fillna(0), dtype=float)
    listed = choose_top(risk, weights[is_late], quarter[is_late], part)
    planned = choose_top(plan, weights[is_late], quarter[is_late], part)
    hits = compare_hits(failed[is_late], weights[is_late], firm[is_late], listed, planned)
    groups = {
        "size": history.size_class[firm[is_late]],
        "age": np.where(shown.facts["is_young"], "new", "old").astype(object),
        "town": history.town_code[firm[is_late]],
    }
    calibration = calibrate(failed[is_late], risk, weights[is_late], firm[is_late], groups, level=level)
    final = _fit(history, firm, quarter, failed, weights, is_early | is_late, now)
    watchlist = _list(tables, final, now, part, level)
    known = float(draws.loc[is_late, "risk_class"].isin(list(RANKS)).mean())
    told = (check_plan(known), check_calibration(calibration, tables.names), check_weights(is_weighted))
    return _result(tables, hits, calibration, watchlist, final, (split, now), part, level, int(is_late.sum()), told)


def read_watchlist(
    workspace: Workspace,
    *,
    snapshot: str | None = None,
    as_of: str | None = None,
    share: float = 0.2,
    level: float = 0.95,
) -> Result:
    """Read the visit list of a lake as it was made before for the same data, or make and keep it.

    Parameters
    ----------
    workspace : Workspace
        Holds inspections and firms.
    snapshot : str or None
        The latest when None.
    as_of, share, level
        As `qbase.trends.estimate_watchlist` takes them.

    Returns
    -------
    Result
        What `qbase.trends.estimate_watchlist` gives for the tables of the lake.

    Raises
    ------
    UsageError
        The share or the day is none (QB599, QB148), or the level (QB503).
    DataError
        There are no inspections, or no firms (QB403).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import read_watchlist
    >>> read_watchlist(open_workspace())
    <Result level:watch.gain:ridge_logit: the visit list>
      gain period=2024Q1–2025Q4: 9.2 pp (3.4), 95% CI 2.5–15.9, n = 849
    """
    at = workspace.snapshot(snapshot)

    def build() -> Result:
        tables = read_watch_tables(workspace, snapshot=at.id)
        return estimate_watchlist(tables, as_of=as_of, share=share, level=level)

    return keep_value(workspace, "watchlist", (as_of, share, level), at, build, rooms=("trends",))


def _known_before(tables: WatchTables, now: int) -> WatchTables:
    """Return what was on record when a quarter began."""
    return dataclasses.replace(
        tables,
        draws=tables.draws[quarter_of(tables.draws["sample_date"]) < now],
        frame=tables.frame[read_quarters(tables.frame["quarter"]) < now],
    )


def _random_draws(tables: WatchTables) -> pd.DataFrame:
    known = tables.draws["firm_id"].isin(tables.firms["firm_id"])
    drawn = tables.draws[(tables.draws["sample_type"] == "random") & known]
    return drawn.sort_values(["sample_date", "sample_no"], kind="stable", ignore_index=True)


def _start(draws: pd.DataFrame, as_of: str | None) -> int:
    """Return the quarter the list is for."""
    if as_of is not None:
        check_day("as_of", as_of)
        day = pd.Timestamp(as_of)
        return int(4 * day.year + day.quarter - 1)
    return int(quarter_of(draws["sample_date"]).max()) + 1 if len(draws) else 0


def _say_too_few(failed: Floats, *windows: NDArray[np.bool_]) -> Text | None:
    """Return why no list is made, None where there are draws and failures enough before and within the test."""
    found = [(int(w.sum()), int(failed[w].sum())) for w in windows]
    if all(n >= LEAST_DRAWS and f >= LEAST_FAILURES for n, f in found):
        return None
    (n0, f0), (n1, f1) = ((count(n), count(f)) for n, f in found)
    return Text(
        f"双随机批次太少，不编走访名单：最近 {VALIDATED_QUARTERS} 个季度 {n1} 批（{f1} 批不合格），此前 {n0} 批"
        f"（{f0} 批不合格）；两段各需 {LEAST_DRAWS} 批、{LEAST_FAILURES} 批不合格。",
        f"No visit list: {n1} random draws with {f1} failures in the last {VALIDATED_QUARTERS} quarters and {n0} with "
        f"{f0} before are too few; {LEAST_DRAWS} with {LEAST_FAILURES} are needed in each.",
    )


def _unanswered(tables: WatchTables, why: Text, share: float, level: float) -> Result:
    return Result(
        estimand="level",
        outcome=GAIN,
        unit="pp",
        method="ridge_logit",
        estimates=(),
        subject=LIST,
        tables={"watchlist": pd.DataFrame(columns=LISTED)},
        notes=(USE,),
        labels={"unanswered": SHORT},
        settings={"share": share, "level": level, "profile": "internal"},
        sources=tables.sources,
        coverage=tables.coverage,
        unanswered=why,
    )


def _fit(
    history: History, firm: Ints, quarter: Ints, failed: Floats, weights: Floats, used: NDArray[np.bool_], before: int
) -> _Fit:
    products, prior = list_products(history, before), fit_prior(history, before)
    x = build_features(history, firm[used], quarter[used], products=products, prior=prior).x
    model = fit_ridge_logit(failed[used], x, weights=weights[used])
    return _Fit(model=model, history=history, products=products, prior=prior)


def _list(tables: WatchTables, fit: _Fit, now: int, share: float, level: float) -> pd.DataFrame:
    """Return the firms in business with the highest risk, with reasons and dates on every row."""
    register = tables.firms.drop_duplicates("firm_id").set_index("firm_id").sort_index()
    gone = read_quarters(register["exit_quarter"])
    alive = np.flatnonzero((fit.history.entry <= now) & ~(gone <= now)).astype(np.int64)
    features = fit.features(alive, np.full(len(alive), now))
    risk, error = fit.model.predict(features.x), fit.model.std_errors(features.x)
    ids = fit.history.firms[alive].astype(str)
    chosen = np.lexsort((ids, -risk))[: max(1, int(share * len(alive)))]
    z = norm.isf((1 - level) / 2)
    reasons = say_reasons(features, fit.model, chosen)
    made = pd.Period(year=now // 4, quarter=now % 4 + 1, freq="Q").start_time
    dates = [(made + pd.DateOffset(months=m)).date().isoformat() for m in (0, REVIEW_MONTHS, EXPIRY_MONTHS)]
    return pd.DataFrame(
        {
            "rank": np.arange(1, len(chosen) + 1),
            "firm_id": ids[chosen],
            **{c: register[c].reindex(ids[chosen]).to_numpy(dtype=object) for c in ("firm_name", *PLACES)},
            "risk_pct": 100 * risk[chosen],
            "ci_low": 100 * expit(logit(risk[chosen]) - z * error[chosen]),
            "ci_high": 100 * expit(logit(risk[chosen]) + z * error[chosen]),
            "reason_zh": [r.zh for r in reasons],
            "reason_en": [r.en for r in reasons],
            "made_on": dates[0],
            "review_on": dates[1],
            "expires_on": dates[2],
            "use": "visits_only",
        }
    )


def _result(
    tables: WatchTables, hits: Hits, calibration: pd.DataFrame, watchlist: pd.DataFrame, fit: _Fit,
    window: tuple[int, int], share: float, level: float, n: int, told: tuple[CheckResult, ...],
) -> Result:  # fmt: skip
    z = float(norm.isf((1 - level) / 2))
    codes = [f"{q // 4}Q{q % 4 + 1}" for q in (window[0], window[1] - 1)]
    gain = Estimate(
        term="gain",
        key={"period": "–".join(codes)},
        value=100 * hits.gain,
        std_error=100 * hits.std_errors[3],
        ci_low=100 * (hits.gain - z * hits.std_errors[3]),
        ci_high=100 * (hits.gain + z * hits.std_errors[3]),
        ci_level=level,
        n_obs=n,
        uncertainty="design",
    )
    rates = np.array([hits.listed, hits.planned, hits.overall])
    half = z * np.array(hits.std_errors[:3])
    validation = pd.DataFrame(
        {
            "chosen_by": ["list", "risk_class", "chance"],
            "hit_pct": 100 * rates,
            "ci_low": 100 * np.maximum(rates - half, 0),
            "ci_high": 100 * np.minimum(rates + half, 1),
            "share_pct": 100 * share,
            "n": n,
        }
    )
    names = [*fit.features(np.zeros(1, dtype=np.int64), np.full(1, window[1])).groups]
    errors = np.sqrt(np.diag(fit.model.vcov))[1:]
    coefficients = pd.DataFrame({"feature": names, "log_odds_per_sd": fit.model.beta, "std_error": errors})
    return Result(
        estimand="level",
        outcome=GAIN,
        unit="pp",
        method="ridge_logit",
        estimates=(gain,),
        subject=LIST,
        tables={
            "watchlist": watchlist,
            "validation": validation,
            "calibration": calibration,
            "coefficients": coefficients,
        },
        checks=(
            check_gain(gain),
            *told,
            check_features(fit.products),
        ),
        notes=(USE,),
        labels={"later": _later(hits, share, watchlist)},
        settings={"share": share, "level": level, "as_of": str(watchlist["made_on"].iloc[0]), "profile": "internal"},
        sources=tables.sources,
        coverage=tables.coverage,
    )


def _later(hits: Hits, share: float, watchlist: pd.DataFrame) -> Text:
    listed, planned, overall = (percent(100 * r) for r in (hits.listed, hits.planned, hits.overall))
    part, n, row = percent(100 * share, 0), count(len(watchlist)), watchlist.iloc[0]
    return Text(
        f"同样走访 {part} 的企业，名单命中 {listed}，现行风险等级命中 {planned}，随机走访命中 {overall}。"
        f"名单共 {n} 家。{USE.zh}{row['review_on']} 前复核，{row['expires_on']} 起失效。",
        f"Visiting {part} of firms, the list finds a failure in {listed}, the risk classes in {planned}, chance in "
        f"{overall}. {n} firms are on it. {USE.en} Review by {row['review_on']}; void from {row['expires_on']}.",
    )
