"""The series of a result on a complete time axis, and the policy dates and targets drawn with it."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pandas as pd

from qbase.core.errors import DataError
from qbase.core.periods import Freq, code, freq_of, ordinal, period_at
from qbase.core.policy import Policy, match_policy
from qbase.core.results.result import Criterion, Result, Scorecard
from qbase.core.values import EMPTY
from qbase.figures.surface.period_axis import read_period

COLUMNS = ("period", "n", "k", "rate_pct", "ci_low", "ci_high")
Floats = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Young:
    """A period whose results are still coming.

    Parameters
    ----------
    at : int
        Index in the periods of the series.
    value : float
        Rate of the results known so far; NaN where there is none.
    low, high : float
        The rate when all pending batches fail, and when all pass; NaN where they do not apply.
    n, k, pending : int
        Known so far, and still to come.
    """

    at: int
    value: float
    low: float
    high: float
    n: int
    k: int
    pending: int

    @property
    def ends(self) -> list[float]:
        """Every value that is drawn."""
        return [v for v in (self.value, self.low, self.high) if np.isfinite(v)]


@dataclasses.dataclass(frozen=True)
class Total:
    """A whole year before the series, of which only the total is known.

    Parameters
    ----------
    year : int
        Calendar year.
    n, k : int
        Tested, and of these passed.
    value : float
        The rate of the year.
    first, last : int
        Ordinals of its first and last period.
    """

    year: int
    n: int
    k: int
    value: float
    first: int
    last: int


@dataclasses.dataclass(frozen=True, eq=False)
class Series:
    """A series with every period between its ends, gaps as NaN.

    Parameters
    ----------
    periods : tuple of pandas.Period
        T periods without a hole.
    n, k, value, low, high : numpy.ndarray
        Shape (T,); NaN where nothing was observed.
    is_full_count : bool
        Everything was counted; there is no interval.
    young : tuple of Young
        Preliminary periods, in order; nothing of theirs is in the arrays.
    totals : tuple of Total
        Years before the series that are known as totals alone, in order.
    lead : int
        How many of the periods lie before the series and only make room for the totals.
    step : int
        From one period with a value to the next: 2 quarters where half-years were summed.
    """

    periods: tuple[pd.Period, ...]
    n: Floats
    k: Floats
    value: Floats
    low: Floats
    high: Floats
    is_full_count: bool
    young: tuple[Young, ...] = ()
    totals: tuple[Total, ...] = ()
    lead: int = 0
    step: int = 1

    @property
    def x(self) -> Floats:
        """Positions on the axis: ordinals of the periods."""
        return np.array([ordinal(p) for p in self.periods], dtype=float)

    @property
    def observed(self) -> npt.NDArray[np.intp]:
        """Indices of periods with a value."""
        return np.flatnonzero(np.isfinite(self.value))

    @property
    def runs(self) -> list[npt.NDArray[np.intp]]:
        """Indices of stretches without a gap; a line never leaves its stretch."""
        seen = self.observed
        return np.split(seen, np.flatnonzero(np.diff(seen) > self.step) + 1) if len(seen) else []

    @property
    def freq(self) -> Freq:
        """Frequency of the axis."""
        return freq_of(self.periods[0])


def read_series(result: Result) -> Series:
    """Read the table ``series`` of a result; the order of its rows does not matter.

    Parameters
    ----------
    result : Result
        Of `estimate_level`.

    Returns
    -------
    Series

    Raises
    ------
    DataError
        No such table, a column is missing, or nothing was observed (QB703); a period twice (QB704);
        a value without interval though it is no full count (QB702).
    """
    frame = result.tables.get("series")
    if result.settings.get("window") == "since_policy":
        _refuse(result, "all periods before a policy, and all since, summed")
    if frame is None or not set(COLUMNS) <= set(frame.columns):
        _refuse(result, "no table series" if frame is None else ", ".join(map(str, frame.columns)))
    assert frame is not None  # noqa: S101 - for the type checker; refused above
    known = [read_period(p) for p in frame["period"]]
    ordinals = [ordinal(p) for p in known]
    doubled = {p for p in known if ordinals.count(ordinal(p)) > 1}
    if doubled:
        first = code(min(doubled))
        raise DataError(
            "QB704", period=first, found=f"{len(doubled)} periods with several rows, first {first}",
            expected="one row per period", fix="estimate for one entity, or pooled over all",
        )  # fmt: skip
    is_young = frame["is_preliminary"].to_numpy(dtype=bool) if "is_preliminary" in frame else np.zeros(len(frame), bool)
    if not np.isfinite(frame["rate_pct"].astype(float)[~is_young]).any():
        _refuse(result, "0 periods with a value")
    totals = _read_totals(result, min(known))
    lead = min(ordinals) - min([t.first for t in totals], default=min(ordinals))
    periods = tuple(min(known) + i for i in range(-lead, max(ordinals) - min(ordinals) + 1))
    columns = {name: np.full(len(periods), np.nan) for name in COLUMNS[1:]}
    at = np.array(ordinals) - ordinal(periods[0])
    for name, array in columns.items():
        array[at[~is_young]] = frame[name].astype(float).to_numpy()[~is_young]
    is_full_count = all(e.uncertainty == "none_full_count" for e in result.estimates)
    series = Series(
        periods=periods, n=columns["n"], k=columns["k"], value=columns["rate_pct"], low=columns["ci_low"],
        high=columns["ci_high"], is_full_count=is_full_count, young=_read_young(frame[is_young], at[is_young]),
        totals=totals, lead=lead, step=2 if result.settings.get("window") == "half_year" else 1,
    )  # fmt: skip
    _check_intervals(series)
    return series


def _read_totals(result: Result, first: pd.Period) -> tuple[Total, ...]:
    """Return the years of the table ``history`` that lie before the series."""
    frame = result.tables.get("history")
    rows = [] if frame is None else frame.sort_values("year").to_dict("records")
    found = []
    for row in rows:
        year = pd.Period(year=int(row["year"]), freq="Y")
        start, end = (ordinal(period_at(day, freq_of(first))) for day in (year.start_time, year.end_time))
        if end < ordinal(first):
            total = Total(
                year=int(row["year"]),
                n=int(row["n"]),
                k=int(row["k"]),
                value=float(row["rate_pct"]),
                first=start,
                last=end,
            )
            found.append(total)
    return tuple(found)


def _read_young(rows: pd.DataFrame, at: npt.NDArray[np.int64]) -> tuple[Young, ...]:
    found = [
        Young(
            at=int(i), value=float(row["rate_pct"]), low=float(row["low_pct"]), high=float(row["high_pct"]),
            n=int(row["n"]), k=int(row["k"]), pending=int(row["pending_count"]),
        )
        for i, row in zip(at, rows.to_dict("records"), strict=True)
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda y: y.at))


def _refuse(result: Result, found: str) -> None:
    raise DataError(
        "QB703", name=result.name, found=found, expected="table series with " + ", ".join(COLUMNS),
        fix="plot_trend(estimate_level(panel, outcome))",
    )  # fmt: skip


def _check_intervals(series: Series) -> None:
    bare = np.isfinite(series.value) & ~(np.isfinite(series.low) & np.isfinite(series.high))
    if bare.any() and not series.is_full_count:
        first = code(series.periods[int(np.flatnonzero(bare)[0])])
        raise DataError(
            "QB702", term=first, found=f"{int(bare.sum())} of {len(series.observed)} periods without interval",
            expected="ci_low and ci_high in every period with a value", fix="estimate again with estimate_level",
        )  # fmt: skip


def starts_of(result: Result, policy: Policy | None) -> tuple[tuple[pd.Period, int], ...]:
    """Return the start dates that concern a result, with how many entities started then.

    A result on one entity knows the date of this entity only; an entity never treated has none.
    """
    if policy is None:
        return ()
    entity = entity_of(result)
    if entity is not None:
        first = match_policy(policy, [entity]).first_treated
        return ((first[entity], 1),) if entity in first else ()
    dates = sorted(policy.first_treated.values())
    return tuple((date, dates.count(date)) for date in dict.fromkeys(dates))


def entity_of(result: Result) -> str | None:
    """Return the one entity a result is about, or None for a pooled one."""
    keys = [result.estimates[i].key for i in (result.spoken or range(len(result.estimates)))[:1]]
    entity = next(iter(keys), EMPTY).get("entity", result.settings.get("entity"))
    return str(entity) if entity is not None else None


def targets_of(result: Result, card: Scorecard | None) -> tuple[Criterion, ...]:
    """Return the criteria of a scorecard that judge the outcome of a result, lowest target first."""
    fits = [c for c in (card.criteria if card else ()) if c.indicator.id == result.outcome.id]
    return tuple(sorted(fits, key=lambda c: c.target))
