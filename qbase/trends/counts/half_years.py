"""A rate by half-year: the counts of two quarters summed, none of them preliminary."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, get_args

import pandas as pd

from qbase.core import periods
from qbase.core.given import check_word
from qbase.trends.counts.period_windows import merge_firm_counts, merge_periods
from qbase.trends.counts.policy_windows import Sides
from qbase.trends.counts.preliminary_periods import Parted

if TYPE_CHECKING:
    from qbase.indicators.firm_counts import FirmCounts

Half = Literal["half_year"]
Summed = Literal["half_year", "since_policy"]
"""What a level or a trend may be asked for beside single periods."""


def sum_half_years(
    parted: Parted, firms: FirmCounts | None, window: Summed | None
) -> tuple[Parted, FirmCounts | None, int]:
    """Return a subject and its firms by half-year, each under its last quarter, and how many quarters a step has.

    A half-year of which a quarter is preliminary is left out.

    Parameters
    ----------
    parted : Parted
        By quarter, of an unweighted panel.
    firms : FirmCounts or None
        Of the same inspections.
    window : {"half_year", "since_policy"} or None
        None and ``since_policy`` leave all as it is.

    Raises
    ------
    UsageError
        Another window (QB144).
    DataError
        The panel is weighted or not quarterly (QB528).
    """
    if window is None:
        return parted, firms, 1
    check_word("window", window, get_args(Summed))
    if window != "half_year":
        return parted, firms, 1
    held, last = parted.panel.data.index, parted.panel.periods[-1]
    if firms is not None:
        kept = pd.MultiIndex.from_frame(firms.data[["entity", "period"]]).isin(held)
        firms = merge_firm_counts(dataclasses.replace(firms, data=firms.data[kept]), window, last)
    whole = merge_periods(parted.panel, window)
    young = [] if parted.young is None else [_end(periods.parse_period(p)) for p in parted.young["period"]]
    ripe = ~whole.data.index.get_level_values("period").isin(young)
    whole = dataclasses.replace(whole, data=whole.data[ripe])
    return dataclasses.replace(parted, panel=whole, young=None), firms, 2


def sum_sides(parted: Parted, firms: FirmCounts | None, sides: Sides) -> tuple[Parted, FirmCounts | None]:
    """Return a subject and its firms summed before and since a policy.

    Raises
    ------
    DataError
        The panel is weighted (QB528).
    """
    last = parted.panel.periods[-1]
    if firms is not None:
        kept = pd.MultiIndex.from_frame(firms.data[["entity", "period"]]).isin(parted.panel.data.index)
        firms = merge_firm_counts(dataclasses.replace(firms, data=firms.data[kept]), sides, last)
    return dataclasses.replace(parted, panel=merge_periods(parted.panel, sides), young=None), firms


def end_of(period: str | pd.Period | None, window: Summed | None) -> str | pd.Period | None:
    """Return the last quarter of a half-year written as ``2025H2``; anything else is itself."""
    text = str(period)
    if window != "half_year" or len(text) != 6 or text[4] not in "Hh" or text[5] not in "12" or not text[:4].isdigit():
        return period
    return f"{text[:4]}Q{2 * int(text[5])}"


def _end(quarter: pd.Period) -> pd.Period:
    return quarter + quarter.quarter % 2
