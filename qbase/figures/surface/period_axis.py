"""Where periods stand on an axis, and which of them get a label."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import pandas as pd

from qbase.core.errors import UsageError
from qbase.core.periods import PER_YEAR, Freq, code, convert, freq_of, label, ordinal, parse_any
from qbase.core.text import Text, same

GAP = 7.0


@dataclasses.dataclass(frozen=True)
class Ticks:
    """Labels of a time axis: where, what, and where a new year begins."""

    at: tuple[float, ...]
    labels: tuple[str, ...]
    edges: tuple[float, ...] = ()


def read_period(value: object) -> pd.Period:
    """Read a period of a series: quarter, half-year or year.

    Raises
    ------
    UsageError
        None of them (QB101).
    """
    return parse_any(str(value).upper())


def shown(period: pd.Period, lang: str) -> str:
    """Return a period as it stands in a drawing: 2022Q3, in English 2022 Q3."""
    written = code(period)
    return written if lang == "zh" else f"{written[:4]} {written[4:]}".rstrip()


def both(period: pd.Period) -> Text:
    """Return a period as it stands in both languages."""
    return Text(shown(period, "zh"), shown(period, "en"))


def period_text(value: object, *, is_half: bool = False) -> Text:
    """Return the period of a key in both languages, or the half-year it ends; what is no period stays as it is."""
    try:
        period = read_period(value)
        return label(period, is_half=True) if is_half else both(period)
    except UsageError:
        return same(str(value))


def position(start: pd.Period, freq: Freq) -> float:
    """Return the x value where a period begins, on an axis of another or the same frequency."""
    moment = start.start_time
    cell = convert(start, freq)
    length = cell.end_time - cell.start_time
    return ordinal(cell) - 0.5 + float((moment - cell.start_time) / length)


def place_ticks(first: pd.Period, last: pd.Period, slot: float, width: Callable[[str], float], lang: str) -> Ticks:
    """Choose labels that do not touch: every period, else years, short years, then fewer years.

    Parameters
    ----------
    first, last : pandas.Period
        Ends of the axis, same frequency.
    slot : float
        Pixels per period.
    width : callable
        Width of a label in pixels.
    lang : {"zh", "en"}
        Language of the labels.
    """
    codes = [first + i for i in range(ordinal(last) - ordinal(first) + 1)]
    full = Ticks(tuple(float(ordinal(p)) for p in codes), tuple(shown(p, lang) for p in codes))
    if _free(full, slot, width):
        return full
    years = range(first.year, last.year + 1)
    edges: tuple[float, ...] = ()
    if freq_of(first) != "A":
        edges = tuple(ordinal(p) - 0.5 for p in codes[1:] if p.quarter == 1)
    ticks = full
    for step in (1, 2, 5, 10, 20, 50):
        for short in (False, True):
            ticks = _years([y for y in years if y % step == 0], codes, edges, slot, width, short)
            if ticks.at and _free(ticks, slot, width):
                return ticks
    return ticks


def _years(
    years: Sequence[int], codes: Sequence[pd.Period], edges: tuple[float, ...], slot: float,
    width: Callable[[str], float], short: bool,
) -> Ticks:  # fmt: skip
    at, labels = [], []
    for year in years:
        own = [ordinal(p) for p in codes if p.year == year]
        label = f"'{year % 100:02d}" if short else str(year)
        # a year that is only touched by the window stays without a label rather than crowding its neighbour
        if edges and len(own) < PER_YEAR[freq_of(codes[0])] and len(own) * slot < width(label) + GAP:
            continue
        at.append((own[0] + own[-1]) / 2)
        labels.append(label)
    return Ticks(tuple(at), tuple(labels), edges)


def _free(ticks: Ticks, slot: float, width: Callable[[str], float]) -> bool:
    boxes = [(x * slot, width(label) / 2) for x, label in zip(ticks.at, ticks.labels, strict=True)]
    return all(b - a >= wa + wb + GAP for (a, wa), (b, wb) in itertools.pairwise(boxes))


def number_ticks(low: float, high: float, *, bins: int = 6) -> list[float]:
    """Return round ticks that enclose a range."""
    from matplotlib.ticker import MaxNLocator

    if high - low < 1e-12:
        half = abs(high) * 0.05 or 1.0
        low, high = low - half, high + half
    return [float(t) for t in MaxNLocator(nbins=bins, steps=[1, 2, 5, 10]).tick_values(low, high)]


def tick_digits(ticks: Sequence[float]) -> int:
    """Return the decimals that tell neighbouring ticks apart."""
    step = min((b - a for a, b in itertools.pairwise(ticks)), default=1.0)
    return next((d for d in range(7) if abs(round(step, d) - step) < 1e-9 * max(1.0, step)), 6)
