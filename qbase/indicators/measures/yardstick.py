"""Measures by one yardstick: fixed limits, a common core of items, the margin to the limit, severity.

A pass rate moves when the standard is tightened, when more items are tested per batch, or when label rules change,
though quality stayed. ``statements/items.sql`` judges every batch of a snapshot again, by limits, core and scale that
are the same for the whole snapshot: by default the limits used most in the last year an item was tested, and the items
tested in every year; with a base year, the limits and items of that year.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from qbase.core.errors import DataError, UsageError
from qbase.core.periods import to_periods
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.indicators.catalogue.indicator_rows import Measured
from qbase.indicators.cells.inspection_window import Rows
from qbase.indicators.measures.measure_scope import Scope

Floats = NDArray[np.float64]

LEVEL = 0.95
BY_LIMITS = frozenset({"items_rejudged", "items_tightened", "items_loosened", "items_core", "margin"})
"""Functions of the catalogue that judge by the yardstick; severity keeps the verdict of its day."""


def count_items(scope: Scope, measure: str) -> pd.DataFrame:
    """Return counts by entity and period of a file of ``statements/`` that reads ``judged``.

    Parameters
    ----------
    scope : Scope
        Window of a snapshot with table items.
    measure : str
        ``rejudged``, ``tightened``, ``loosened``, ``core``, ``severe``, ``label_only`` or ``margin``.

    Returns
    -------
    pandas.DataFrame
        Entity as text, period as period, and the columns of the file.
    """
    parts = {
        "{more}": "m.sample_no,",
        "{limits_of}": "sample_date > newest_date - INTERVAL 1 YEAR",
        "{core_of}": "true",
    }
    if scope.base_year is not None:
        parts |= dict.fromkeys(("{limits_of}", "{core_of}"), f"year_no = {int(scope.base_year)}")
    found = scope.rows.query("items", measure, parts=parts)
    return found.assign(entity=found["entity"].astype(str), period=to_periods(found["period"], scope.rows.freq))


def check_base_year(rows: Rows, indicators: Mapping[str, Measured], base_year: int | None) -> None:
    """Refuse a base year that sets no yardstick, before anything is counted.

    Parameters
    ----------
    rows : Rows
        The window; the yardstick is that of the whole snapshot.
    indicators : mapping of str to Measured
        What was asked for.
    base_year : int or None
        None is always right.

    Raises
    ------
    UsageError
        None of the indicators judges again by fixed limits (QB426).
    DataError
        No item was recorded in that year (QB425).
    """
    if base_year is None:
        return
    if not any(m.function in BY_LIMITS for m in indicators.values()):
        raise UsageError(
            "QB426",
            year=base_year,
            found=f"{', '.join(indicators)}; base_year={base_year}",
            expected="D1.rejudged | D1.core | D1.margin",
            fix="leave the base year out, or ask for one of these",
        )
    years = rows.workspace.query(
        "SELECT DISTINCT year(i.sample_date) AS y FROM items AS t JOIN inspections AS i USING (sample_no) ORDER BY y",
        snapshot=rows.at,
    )["y"].tolist()
    if base_year not in years:
        raise DataError(
            "QB425",
            year=base_year,
            found=f"items of {', '.join(str(y) for y in years) or 'no year'}",
            expected="a year with rows in table items",
            fix=f"base_year={years[-1]}        (or --base-year {years[-1]}), or leave it out"
            if years
            else "qbase load ITEMS…",
        )


def name_base_year(measured: Measured, base_year: int | None) -> Indicator:
    """Return the indicator; its name says whose limits it is judged by where a base year was chosen."""
    indicator = measured.indicator
    if base_year is None or measured.function not in BY_LIMITS:
        return indicator
    return dataclasses.replace(
        indicator,
        name=Text(
            f"{indicator.name.zh}（限值和项目取自 {base_year} 年）",
            f"{indicator.name.en} (limits and items of {base_year})",
        ),
        formula=f"{indicator.formula}; base year {base_year}: limits used most in that year, core: items tested in at "
        "least 90 % of the product's batches of that year; products and items not tested then are not judged",
    )


def mean_margins(sums: pd.DataFrame, *, level: float = LEVEL) -> pd.DataFrame:
    """Return mean margins with intervals that take the firm as the sampling unit.

    Parameters
    ----------
    sums : pandas.DataFrame
        One row per entity, period and firm: ``n`` batches, ``total`` and ``squares`` of their margins.
    level : float
        Confidence level.

    Returns
    -------
    pandas.DataFrame
        Entity, period, value, lo, hi, n, n_firms. With fewer than two firms, or margins that do not differ, the
        spread within the other entities and periods stands in, one firm counting once: no interval has zero width.
        Where there is no spread anywhere, the row is left out.

    References
    ----------
    Liang, K.-Y. and Zeger, S. L. (1986). Longitudinal data analysis using generalized linear models. Biometrika 73,
    13-22. For G firms the variance is scaled by G / (G - 1) and compared with t on G - 1 degrees of freedom.
    """
    keys = [sums["entity"], sums["period"]]
    grouped = sums.groupby(keys, sort=True)
    out = grouped[["n", "total", "squares"]].sum().assign(n_firms=grouped.size())
    out["value"] = out["total"] / out["n"]
    mean = (grouped["total"].transform("sum") / grouped["n"].transform("sum")).to_numpy(dtype=float)
    residual = sums["total"].to_numpy(dtype=float) - sums["n"].to_numpy(dtype=float) * mean
    firms = out["n_firms"].to_numpy(dtype=float)
    spread = pd.Series(residual**2).groupby([k.to_numpy() for k in keys], sort=True).sum().to_numpy(dtype=float)
    n = out["n"].to_numpy(dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = spread * firms / (firms - 1) / n**2
    pooled, df = _pooled_variance(out)
    is_alone = (firms < 2) | ~(variance > 1e-12)
    variance = np.where(is_alone, pooled / firms, variance)
    half = stdtrit(np.where(is_alone, df, np.maximum(firms - 1, 1)), (1 + level) / 2) * np.sqrt(variance)
    out["lo"], out["hi"] = out["value"] - half, out["value"] + half
    kept: pd.DataFrame = out[np.isfinite(half) & (half > 0)].reset_index()
    return kept.loc[:, ["entity", "period", "value", "lo", "hi", "n", "n_firms"]]


def _pooled_variance(out: pd.DataFrame) -> tuple[float, float]:
    """Return the variance of a batch's margin within entity and period, and its degrees of freedom."""
    inside = out["squares"] - out["total"] ** 2 / out["n"]
    df = float((out["n"] - 1).sum())
    return (float(inside.clip(lower=0).sum()) / df, df) if df > 0 else (float("nan"), float("nan"))


def kept_information(rate: float) -> float:
    """Return the share of the information about a margin that pass and fail keep.

    Parameters
    ----------
    rate : float
        Pass rate as a share, between 0 and 1.

    Returns
    -------
    float
        0.34 at 0.90, 0.22 at 0.95, 0.16 at 0.97: a measured value tells three to six times as much.

    References
    ----------
    Cohen, J. (1983). The cost of dichotomization. Applied Psychological Measurement 7, 249-253. The efficiency of the
    sign for the mean of a normal margin is φ(z)² / (p (1 − p)) with z = Φ⁻¹(p).
    """
    return float(np.exp(-(ndtri(rate) ** 2)) / (2 * np.pi * rate * (1 - rate)))


def _counted(measure: str) -> Callable[[Measured, Scope], pd.DataFrame]:
    def run(_: Measured, scope: Scope) -> pd.DataFrame:
        return count_items(scope, measure)

    return run


def _margin(_: Measured, scope: Scope) -> pd.DataFrame:
    return mean_margins(count_items(scope, "margin"))


FUNCTIONS: Mapping[str, Callable[[Measured, Scope], pd.DataFrame]] = {
    "items_rejudged": _counted("rejudged"),
    "items_tightened": _counted("tightened"),
    "items_loosened": _counted("loosened"),
    "items_core": _counted("core"),
    "items_severe": _counted("severe"),
    "items_label_only": _counted("label_only"),
    "margin": _margin,
}
"""Functions by the name the catalogue gives them."""
