"""What is compared with what: a quarter, the year to date, a half-year, against a year ago or the period before."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from qbase.core import periods
from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel
from qbase.core.periods import Freq
from qbase.core.text import Text
from qbase.stats.rates.wilson import wilson_interval
from qbase.trends.counts.policy_windows import Sides

if TYPE_CHECKING:
    from qbase.indicators.firm_counts import FirmCounts

Against = Literal["year_ago", "previous", "cumulative", "half_year", "since_policy"]
Window = Literal["cumulative", "half_year"]
WINDOWS = frozenset(get_args(Window))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
    """What two periods stand for, and how far apart they are where only the later one is given.

    Parameters
    ----------
    against : {"year_ago", "previous", "cumulative", "half_year", "since_policy"}
        As asked.
    steps : int
        Periods between the two.
    sides : Sides or None
        Before and since, where a policy parts them.
    """

    against: Against
    steps: int
    sides: Sides | None = None

    @property
    def window(self) -> Window | Sides | None:
        """How periods are summed; None leaves them as they are."""
        return self.against if self.against in ("cumulative", "half_year") else self.sides

    def before(self, end: pd.Period) -> pd.Period:
        """Return the earlier period where none is given."""
        return end - self.steps if self.sides is None else self.sides.before[1]

    def parts(self, period: pd.Period) -> pd.PeriodIndex:
        """Return the periods summed into one."""
        if self.sides is not None:
            return pd.period_range(*self.sides.span(period))
        if self.window is None:
            return pd.PeriodIndex([period])
        first = 1 if self.window == "cumulative" else period.quarter - 1
        return pd.period_range(period - (period.quarter - first), period)

    def code(self, period: pd.Period) -> str:
        """Return the code of a period, or of all that are summed on one side of a policy."""
        return periods.code(period) if self.sides is None else self.sides.code(period)

    def label(self, period: pd.Period) -> Text:
        """Return a period in words: 2025 年第 4 季度, 2025 年前 3 个季度, 2025 年上半年."""
        if self.sides is not None:
            return self.sides.label(period)
        if self.window is None:
            return periods.label(period)
        if self.window == "half_year":
            return periods.label(period, is_half=True)
        if period.quarter == 4:
            return Text(f"{period.year} 年全年", f"the whole of {period.year}")
        zh = "第 1 季度" if period.quarter == 1 else f"前 {period.quarter} 个季度累计"
        en = {1: f"{period.year} Q1", 2: f"Q1–Q2 of {period.year}", 3: f"Q1–Q3 of {period.year}"}[period.quarter]
        return Text(f"{period.year} 年{zh}", en)

    @property
    def ago(self) -> tuple[Text, Text]:
        """What the earlier period is called: in a sentence, and in a few words."""
        if self.sides is not None:
            return Text("政策开始前", "before the policy"), Text("政策开始前", "before the policy")
        if self.against == "previous":
            return Text("上一期", "the period before"), Text("上一期", "the period before")
        return Text("上年同期", "a year earlier"), Text("上年同期", "a year ago")


def read_against(against: str, freq: Freq) -> Compared:
    """Return what is compared with what.

    Raises
    ------
    UsageError
        There is no such comparison, or years are to be summed over quarters (QB527).
    """
    known = [a for a in get_args(Against) if freq == "Q" or a not in WINDOWS]
    if against not in known:
        raise UsageError(
            "QB527",
            against=against,
            freq=freq,
            found=f"against={against!r}, freq={freq!r}",
            expected=" | ".join(known),
            fix='against="year_ago", or a panel of quarters' if freq == "Q" else 'against="year_ago"',
        )
    steps = 1 if against == "previous" else periods.PER_YEAR[freq]
    return Compared(against=against, steps=steps)  # type: ignore[arg-type]


def merge_periods(panel: Panel, window: Window | Sides) -> Panel:
    """Sum the counts of a quarterly panel over longer windows, each under its last quarter.

    Parameters
    ----------
    panel : Panel
        Quarterly and unweighted; its rates have counts.
    window : {"cumulative", "half_year"} or Sides
        The year to date (累计), half-years (rows of second and fourth quarters only), or all before and all since a
        policy.

    Returns
    -------
    Panel
        Rates of the summed counts with Wilson's interval; other indicators and the firms of cells are left out. A
        quarter without tests adds nothing; a year to date or half-year with a withheld quarter is withheld.

    Raises
    ------
    DataError
        The panel is weighted or not quarterly (QB528).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import merge_periods
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2025Q1", last="2025Q4")
    >>> panel.counts("D1.batch").loc["K001"].to_dict("list")
    {'k': [12, 20, 18, 12], 'n': [20, 26, 19, 16]}
    >>> merge_periods(panel, "cumulative").counts("D1.batch").loc["K001"].to_dict("list")
    {'k': [12, 32, 50, 62], 'n': [20, 46, 65, 81]}
    """
    if panel.sampling != "naive" or (panel.freq != "Q" and not isinstance(window, Sides)):
        raise DataError(
            "QB528",
            sampling=panel.sampling,
            found=f"sampling={panel.sampling!r}, freq={panel.freq!r}",
            expected="sampling='naive', freq='Q'",
            fix='build_panel(…, freq="A", sampling=…) weighs a whole year',
        )
    rates = [i for i in panel.indicators if {f"{i}__n", f"{i}__k"} <= set(panel.data.columns)]
    counts = panel.data[[f"{i}__{c}" for i in rates for c in ("n", "k")]].fillna(0).reset_index()
    data = _sum(counts, window, panel.periods[-1]).set_index(["entity", "period"]).sort_index()
    hidden = _hide_windows(panel, window)
    data = data[[(str(e), periods.code(p)) not in hidden for e, p in data.index]] if hidden else data
    for i in rates:
        n, k = data[f"{i}__n"].to_numpy(), data[f"{i}__k"].to_numpy()
        seen = np.maximum(n, 1)
        low, high = wilson_interval(np.where(n > 0, k, 0), seen)
        parts = {i: k / seen, f"{i}__lo": low, f"{i}__hi": high}
        data = data.assign(**{name: np.where(n > 0, 100 * x, np.nan) for name, x in parts.items()})
    cells = None
    if panel.cells is not None:
        kept = panel.cells[["entity", "period", "stratum", "sampling", "n", "k"]] if "k" in panel.cells else None
        cells = None if kept is None else _sum(kept, window, panel.periods[-1])
    indicators = {i: panel.indicators[i] for i in rates}
    withheld = panel.withheld and dataclasses.replace(panel.withheld, cells=hidden)
    return dataclasses.replace(panel, data=data, indicators=indicators, cells=cells, withheld=withheld)


def _hide_windows(panel: Panel, window: Window | Sides) -> frozenset[tuple[str, str]]:
    """Return the windows that hold a withheld quarter; both sides of a policy are sums of what is shown."""
    if panel.withheld is None or not panel.withheld.cells or isinstance(window, Sides):
        return frozenset()
    entities, codes = zip(*sorted(panel.withheld.cells), strict=True)
    quarter = pd.PeriodIndex([periods.parse_period(code, panel.freq) for code in codes])
    found = [
        (entity, periods.code(end))
        for inside, ends in _targets(quarter, window)
        for entity, end in zip(np.array(entities)[inside], ends, strict=True)
        if end <= panel.periods[-1]
    ]
    return frozenset((str(entity), end) for entity, end in found)


def merge_firm_counts(firms: FirmCounts, window: Window | Sides, last: pd.Period) -> FirmCounts:
    """Return counts by firm summed over the same windows as `merge_periods`, up to the last period of the panel."""
    return dataclasses.replace(firms, data=_sum(firms.data, window, last))


def merge_group_cells(cells: pd.DataFrame, window: Window | Sides, last: pd.Period) -> pd.DataFrame:
    """Return counts by group and firm summed over the same windows as `merge_periods`."""
    return _sum(cells, window, last)


def _sum(rows: pd.DataFrame, window: Window | Sides, last: pd.Period) -> pd.DataFrame:
    """Sum the numbers of rows into every window they belong to."""
    quarter = pd.PeriodIndex(rows["period"])
    targets = window.targets(quarter) if isinstance(window, Sides) else _targets(quarter, window)
    whole = pd.concat([rows[inside].assign(period=target) for inside, target in targets], ignore_index=True)
    whole = whole[whole["period"] <= last]
    keys = [c for c in whole.columns if not pd.api.types.is_numeric_dtype(whole[c].dtype)]
    summed: pd.DataFrame = whole.groupby(keys, as_index=False, sort=True, observed=True).sum()
    return summed


def _targets(quarter: pd.PeriodIndex, window: Window) -> list[tuple[NDArray[np.bool_], pd.PeriodIndex]]:
    """Return for every quarter a window may end in which rows it holds and the period they are summed under."""
    targets = []
    for end in (1, 2, 3, 4) if window == "cumulative" else (2, 4):
        first = 1 if window == "cumulative" else end - 1
        inside = np.asarray((quarter.quarter >= first) & (quarter.quarter <= end))
        targets.append((inside, pd.PeriodIndex(quarter[inside] + (end - quarter.quarter[inside]))))
    return targets
