"""What several entities showed in one window, each in a row, and how alike they were drawn."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency

from qbase.core import periods
from qbase.core.errors import DataError
from qbase.core.numbers import count, percent
from qbase.core.panel import Panel
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Indicator
from qbase.stats.rates.difference_intervals import check_level
from qbase.stats.rates.wilson import wilson_interval
from qbase.trends.counts.count_checks import MIX_MOVED_PP
from qbase.trends.counts.period_counts import PANEL_LEVEL, name_all
from qbase.trends.counts.preliminary_periods import Parted, part_preliminary

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

Window = str | pd.Period | tuple[str | pd.Period, str | pd.Period] | None
NAMED = 4
"""So many are named in a sentence; all are in the table."""
CLEAR = 0.05
DRAWN = frozenset({"random_draw", "prediction_powered"})
"""Ways of sampling whose rates rest on the drawing; the others rest on an assumption, and are moderate at most."""

KINDS = {
    "cluster_id": Text("个产业集群", "clusters"),
    "firm_id": Text("家企业", "firms"),
    "town_code": Text("个乡镇", "towns"),
}
OTHERS = Text("个对象", "entities")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Compared:
    """Entities tested in one window.

    Parameters
    ----------
    panel : Panel
        Without preliminary periods.
    indicator : Indicator
        What was measured.
    rows : pandas.DataFrame
        One row per entity tested, by id: ``entity name_zh name_en n k rate_pct ci_low ci_high n_used k_used``; what
        limits and ranks are reckoned with are the last two, the effective number of a weighted rate and its passes.
    first, last : pandas.Period
        Window, both inside.
    missing : tuple of str
        Entities of the panel that were not tested in it.
    level : float
        Of the intervals.
    checks : tuple of CheckResult
        What is known of preliminary periods.
    withheld : tuple of str
        Entities with a period of the window that is withheld: a sum of the others would be one of another window.
    """

    panel: Panel
    indicator: Indicator
    rows: pd.DataFrame
    first: pd.Period
    last: pd.Period
    missing: tuple[str, ...]
    level: float
    checks: tuple[CheckResult, ...] = ()
    withheld: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """The window as a key."""
        a, b = periods.code(self.first), periods.code(self.last)
        return a if a == b else f"{a}–{b}"

    @property
    def when(self) -> Text:
        """The window in prose; four quarters of one year are that year."""
        a, b = self.first, self.last
        if a == b:
            return periods.label(a)
        if a.year == b.year and (a.quarter, b.quarter) == (1, 4):
            return Text(f"{a.year} 年", f"{a.year}")
        start, end = periods.label(a), periods.label(b)
        return Text(f"{start.zh}至{end.zh}", f"{start.en} to {end.en}")

    @property
    def kind(self) -> Text:
        """What the entities are, after a number."""
        return KINDS.get(self.panel.entity, OTHERS)

    @property
    def subject(self) -> Text:
        """All of them."""
        return name_all(self.panel)

    @property
    def names(self) -> dict[str, Text]:
        """Entity -> its name."""
        named = zip(self.rows["entity"], self.rows["name_zh"], self.rows["name_en"], strict=True)
        return {str(entity): Text(str(zh), str(en)) for entity, zh, en in named}

    @property
    def settings(self) -> dict[str, object]:
        """What must be known to read the same rows again."""
        return {
            "outcome": self.indicator.id,
            "entity_kind": self.panel.entity,
            "first": periods.code(self.first),
            "last": periods.code(self.last),
            "level": self.level,
            "freq": self.panel.freq,
            "sampling": self.panel.sampling,
            **({"withheld": list(self.withheld)} if self.withheld else {}),
        }


def read_compared(
    panel: Panel, outcome: str, *, period: Window = None, level: float = PANEL_LEVEL, maturity: Maturity | None = None
) -> Compared:
    """Return what each entity of a panel showed in a window; whoever was not tested is missing.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125).
    UsageError
        A period that is none (QB101), or a level that is none (QB503).
    DataError
        Nothing was tested (QB502), a weighted panel read at another level (QB505) or over several periods (QB537), or
        a preliminary period (QB506).
    """
    check_level(level)
    parted = part_preliminary(panel, outcome, entity=None, maturity=maturity)
    counts = parted.panel.counts(outcome).fillna(0)
    first, last = _window(parted, outcome, counts[counts["n"] > 0], period)
    held = counts.index.get_level_values("period")
    summed = counts[(held >= first) & (held <= last)].groupby(level="entity").sum()
    gone = _withheld(panel, first, last)
    summed = summed[(summed["n"] > 0) & ~summed.index.isin(gone)].sort_index()
    if panel.sampling != "naive":
        rows = _weighted(parted.panel, outcome, summed, first, last, level)
    else:
        low, high = wilson_interval(summed["k"], summed["n"], level=level)
        rows = summed.assign(
            rate_pct=100 * summed["k"] / summed["n"], ci_low=100 * low, ci_high=100 * high, n_used=summed["n"],
            k_used=summed["k"],
        )  # fmt: skip
    if rows.empty:
        raise _silent(panel, first, last, counts)
    names = [panel.label(str(e)) for e in rows.index]
    rows = rows.astype({"n": "int64", "k": "int64", "n_used": "int64"})
    rows.insert(0, "name_en", [name.en for name in names])
    rows.insert(0, "name_zh", [name.zh for name in names])
    seen = {str(e) for e in counts[counts["n"] > 0].index.get_level_values("entity").unique()}
    return Compared(
        panel=parted.panel, indicator=panel.indicator(outcome), rows=rows.rename_axis("entity").reset_index(),
        first=first, last=last, missing=tuple(sorted(seen - {str(e) for e in rows.index} - set(gone))), level=level,
        checks=parted.checks, withheld=gone,
    )  # fmt: skip


def _withheld(panel: Panel, first: pd.Period, last: pd.Period) -> tuple[str, ...]:
    """Return the entities of which a period between two is withheld."""
    inside = {periods.code(p) for p in pd.period_range(first, last)}
    cells = () if panel.withheld is None else panel.withheld.cells
    return tuple(sorted({entity for entity, period in cells if period in inside}))


def _window(parted: Parted, outcome: str, tested: pd.DataFrame, given: Window) -> tuple[pd.Period, pd.Period]:
    """Return the ends of a window; None is the last year with tests, for a weighted panel its last period."""
    freq, is_weighted = parted.panel.freq, parted.panel.sampling != "naive"
    if given is None:
        held = tested.index.get_level_values("period")
        last = held.max() if len(held) else parted.panel.periods[-1]
        return (last if is_weighted else last - (periods.PER_YEAR[freq] - 1)), last
    if isinstance(given, tuple):
        first, last = (periods.parse_period(p, freq) for p in given)
    else:
        year = periods.read_period(given)
        is_year = year is not None and freq != "A" and periods.freq_of(year) == "A"
        first = periods.convert(year, freq) if year is not None and is_year else periods.parse_period(given, freq)
        last = first + (periods.PER_YEAR[freq] - 1) if is_year else first
    first, last = min(first, last), max(first, last)
    for period in pd.period_range(first, last):
        parted.refuse(period, outcome)
    if is_weighted and first != last:
        raise DataError(
            "QB537", outcome=outcome, first=periods.code(first), last=periods.code(last),
            found=f"{parted.panel.sampling}, {periods.event_time(last, first) + 1} periods", expected="one period",
            fix=f'build_panel(…, freq="A"), or period="{periods.code(last)}"',
        )  # fmt: skip
    return first, last


def _weighted(
    panel: Panel, outcome: str, summed: pd.DataFrame, first: pd.Period, last: pd.Period, level: float
) -> pd.DataFrame:
    """Put the panel's own rates and intervals beside the counts, and what they are worth in tests."""
    if abs(level - PANEL_LEVEL) > 1e-12:
        raise DataError(
            "QB505", outcome=outcome, sampling=panel.sampling, found=f"level={level}",
            expected=f"level={PANEL_LEVEL}", fix=f"level={PANEL_LEVEL}",
        )  # fmt: skip
    names = {
        "rate_pct": outcome,
        "ci_low": f"{outcome}__lo",
        "ci_high": f"{outcome}__hi",
        "n_used": f"{outcome}__n_eff",
    }
    own = panel.data.xs(last, level="period").reindex(summed.index)
    found = summed.assign(**{name: own[column].to_numpy(dtype=float) for name, column in names.items()})
    found = found[found[list(names)].notna().all(axis=1) & (found["n_used"] >= 1)]
    # a fraction of a test more would promise what was not tested
    found = found.assign(n_used=np.floor(found["n_used"]))
    return found.assign(k_used=(found["rate_pct"] / 100 * found["n_used"]).clip(0, found["n_used"]))


def _silent(panel: Panel, first: pd.Period, last: pd.Period, counts: pd.DataFrame) -> DataError:
    a, b = periods.code(first), periods.code(last)
    held = [periods.code(p) for p in sorted(counts[counts["n"] > 0].index.get_level_values("period").unique())]
    expected = f"one of {len(held)} periods, {held[0]} to {held[-1]}" if held else "tests"
    everybody = name_all(panel)
    return DataError(
        "QB502", subject_zh=everybody.zh, subject_en=everybody.en, period=a if a == b else f"{a}–{b}",
        found="0 tested in the window", expected=expected,
        fix=f'period="{held[-1]}"' if held else "choose a wider window",
    )  # fmt: skip


def named(names: list[Text]) -> Text:
    """Return some entities by name, the first few of them."""
    more = len(names) - NAMED
    listed = join(names[:NAMED], zh="、", en=", ")
    return listed + (Text(f"等 {count(len(names))} 个", f" and {count(more)} more") if more > 0 else Text("", ""))


def check_present(compared: Compared) -> CheckResult:
    """Say who of the panel is not compared, for information."""
    n, missing = len(compared.rows), [compared.panel.label(e) for e in compared.missing]
    if compared.withheld:
        return _check_shown(compared, missing)
    if not missing:
        text = Text(f"全部 {count(n)} {compared.kind.zh}均被抽查。", f"All {count(n)} {compared.kind.en} were tested.")
        return CheckResult(name="all_entities", passed=True, text=text)
    who = named(missing)
    text = Text(
        f"{compared.when.zh}没有数字、不在比较之内：{who.zh}。",
        f"No figure for {compared.when.en}, so not compared: {who.en}.",
    )
    return CheckResult(name="all_entities", passed=None, text=text)


def _check_shown(compared: Compared, missing: list[Text]) -> CheckResult:
    """Say whose counts are withheld, and who else has none, for information."""
    who = named([compared.panel.label(e) for e in compared.withheld])
    text = Text(
        f"{compared.when.zh}有计数不公开、不在比较之内：{who.zh}。",
        f"Counts of {compared.when.en} are withheld for {who.en}, so not compared.",
    )
    if missing:
        others = named(missing)
        text += Text(f"没有数字的还有：{others.zh}。", f" No figure for {others.en}.")
    return CheckResult(name="all_entities", passed=None, text=text)


def check_same_drawing(compared: Compared) -> CheckResult:
    """Check whether entities were drawn alike: share of random draws (双随机) among the batches of each.

    Returns
    -------
    CheckResult
        ``same_drawing``; True for a panel weighted by its design, None when unknown, False when the shares of two
        entities are more than 10 points apart and differ beyond chance.
    """
    if compared.panel.sampling != "naive":
        text = Text("各对象均按抽样方式加权。", "All are weighted by how they were drawn.")
        return CheckResult(name="same_drawing", passed=True, text=text)
    cells = compared.panel.cells
    drawn = pd.DataFrame() if cells is None else _drawn(compared, cells)
    if len(drawn) < 2 or not drawn["directed"].sum() or not drawn["random"].sum():
        passed = None if drawn.empty or len(drawn) < len(compared.rows) else True
        text = Text("各对象的抽样方式（双随机、风险定向）没有记录。", "How each was drawn is not on record.")
        if passed:
            text = Text("各对象的抽样方式相同。", "All were drawn in the same way.")
        return CheckResult(name="same_drawing", passed=passed, text=text)
    share = 100 * drawn["random"] / drawn.sum(axis=1)
    is_apart = float(share.max() - share.min()) > MIX_MOVED_PP and chi2_contingency(drawn.to_numpy())[1] < CLEAR
    low, high = percent(float(share.min()), 0), percent(float(share.max()), 0)
    end = Text(
        "差别中有一部分来自抽样方式，而不是质量。", "part of the differences comes from the drawing, not from quality."
    )
    if not is_apart:
        end = Text("抽样方式大体相同。", "they were drawn much alike.")
    text = Text(
        f"各对象双随机批次占比 {low}～{high}，{end.zh}", f"Random draws are {low} to {high} of their batches: {end.en}"
    )
    return CheckResult(name="same_drawing", passed=not is_apart, text=text)


def _drawn(compared: Compared, cells: pd.DataFrame) -> pd.DataFrame:
    inside = cells["entity"].astype(str).isin(list(compared.names))
    inside &= (cells["period"] >= compared.first) & (cells["period"] <= compared.last)
    inside &= cells["sampling"].isin(["random", "directed"])
    drawn = cells[inside].pivot_table(index="entity", columns="sampling", values="n", aggfunc="sum", fill_value=0)
    return drawn.reindex(columns=["random", "directed"], fill_value=0)
