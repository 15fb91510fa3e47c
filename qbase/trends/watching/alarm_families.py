"""Many clusters looked at together: which changes stand out although so many were looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from qbase.core import periods
from qbase.core.errors import DataError, UsageError
from qbase.core.numbers import count, difference_unit, number, percent
from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.results.sentences import quantity
from qbase.core.shown.display import Prose
from qbase.core.text import Text, join, same, spaced
from qbase.core.values import CheckResult, Estimate
from qbase.stats.rates.difference_intervals import newcombe_p
from qbase.stats.testing.false_discovery import Discovery, false_discovery_q
from qbase.trends.rates.rate_change import estimate_change

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

ALONE = 0.05
"""The level at which one number is called a change when it is looked at alone."""

UNTOLD = frozenset({"QB127", "QB502", "QB506"})
"""Nobody was tested in a period, or it is preliminary: there is nothing to compare."""

COLUMNS = ["entity", "name", "value", "ci_low", "ci_high", "n", "p_value", "q_value", "is_signal"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """Estimates that were looked at together, with q values.

    Parameters
    ----------
    name : str
        In the record.
    outcome : Text
        What was measured.
    unit : str
        Of the values.
    table : pandas.DataFrame
        Columns entity, name (Chinese), name_en, value, ci_low, ci_high, n, p_value, q_value, is_signal; one row per
        estimate, smallest q first. What could not be compared is in the last rows, with nothing but its name.
    share : float
        Largest share of false alarms that is taken among the signals.
    method : {"bh", "by"}
        Of `qbase.stats.false_discovery_q`.

    Examples
    --------
    >>> from qbase.core import Estimate
    >>> from qbase.trends import Family, judge_family
    >>> rows = [Estimate(term="change", value=v, std_error=2.0, ci_low=v - 3.92, ci_high=v + 3.92) for v in (1, 9, -2)]
    >>> family = judge_family(rows)
    >>> isinstance(family, Family), family.n_tests, family.n_signals
    (True, 3, 1)
    """

    name: str
    outcome: Text
    unit: str
    table: pd.DataFrame
    share: float
    method: Discovery

    @property
    def n_tests(self) -> int:
        """How many could be compared."""
        return int(self.table["p_value"].notna().sum())

    @property
    def n_signals(self) -> int:
        """How many stand out."""
        return int(self.table["is_signal"].sum())

    @property
    def expected_alone(self) -> float:
        """False alarms to expect at 5 % each when nothing has changed anywhere."""
        return ALONE * self.n_tests

    def check(self) -> CheckResult:
        """Return the account of false alarms, for information."""
        return CheckResult(name="false_alarms", passed=None, text=self._account(), table=self.table)

    def say(self) -> Prose:
        """Return which ones stand out, and how many false alarms are to be expected."""
        return Prose(name=f"{self.name}:said", items=(spaced(join([self._found(), self._account()], zh="", en=" ")),))

    def _found(self) -> Text:
        if not self.n_tests:
            return Text(f"没有一个对象的{self.outcome.zh}可以比较。", f"Nobody's {self.outcome.en} can be compared.")
        rows = self.table[self.table["is_signal"]]
        if rows.empty:
            return Text(
                f"同时看 {count(self.n_tests)} 个对象的{self.outcome.zh}，没有一个的变化突出到可以排除偶然。",
                f"Of {count(self.n_tests)} looked at together, none has a change of the {self.outcome.en} that stands "
                "out from chance.",
            )
        named = [
            Text(f"{zh}（{value.zh}，q {mark}）", f"{en} ({value.en}, q {mark})")
            for zh, en, value, mark in zip(
                rows["name"],
                rows["name_en"],
                (quantity(float(v), self.unit, 1, sign=True) for v in rows["value"]),
                map(_q, rows["q_value"]),
                strict=True,
            )
        ]
        names = Text("、".join(t.zh for t in named), ", ".join(t.en for t in named))
        return Text(
            f"同时看 {count(self.n_tests)} 个对象的{self.outcome.zh}，变化突出、值得进一步了解的有 "
            f"{count(len(rows))} 个：{names.zh}。",
            f"Of {count(self.n_tests)} looked at together, the change of the {self.outcome.en} stands out in "
            f"{count(len(rows))}: {names.en}.",
        )

    def _account(self) -> Text:
        m, silent = self.n_tests, len(self.table) - self.n_tests
        alone, among = number(self.expected_alone, 1), number(self.share * self.n_signals, 1)
        level = percent(100 * ALONE, 0)
        if not m:
            return Text(f"{count(silent)} 个都不算检验。", f"None of {count(silent)} is a test.")
        said = [
            Text(
                f"若逐个按 {level} 判断，即使哪里都没有变化，也预计有 {alone} 个误报。",
                f"Judged one by one at {level}, {alone} of {count(m)} would be false alarms if nothing had changed.",
            )
        ]
        if self.n_signals:
            signals = "1 signal is" if self.n_signals == 1 else f"{count(self.n_signals)} signals are"
            said += [
                Text(
                    f"按 q ≤ {self.share:g} 判断，{count(self.n_signals)} 个信号中预计误报不超过约 {among} 个。",
                    f"At q ≤ {self.share:g}, about {among} or fewer of the {signals} expected to be false.",
                )
            ]
        if silent:
            said.append(
                Text(f"另有 {count(silent)} 个无法比较，不算检验。", f"{count(silent)} could not be compared: no test.")
            )
        return join(said, zh="", en=" ")

    def __repr__(self) -> str:
        return f"<Family {self.name}: {self.n_signals} signals of {self.n_tests} at q <= {self.share:g}>"


def judge_family(found: Sequence[Result | Estimate], *, share: float = 0.10, method: Discovery = "bh") -> Family:
    """Judge estimates that are looked at together, such as the changes of all clusters.

    Parameters
    ----------
    found : sequence of Result or of Estimate
        Of a result its first estimate counts; one that is unanswered is no test and spoils no other. A p value is
        taken from the estimate, from the counts where the interval is Newcombe's, and else from its interval.
    share : float
        Largest share of false alarms taken among the signals, between 0 and 1.
    method : {"bh", "by"}
        Of `qbase.stats.false_discovery_q`.

    Returns
    -------
    Family

    Raises
    ------
    UsageError
        There is nothing to judge, or the share is none (QB595); the method is none (QB144).

    References
    ----------
    Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. JRSS B 57, 289-300.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_every_change, judge_family
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q4", last="2025Q4")
    >>> family = judge_family(estimate_every_change(panel, "D1.batch"))
    >>> family
    <Family family:D1.batch: 0 signals of 12 at q <= 0.1>
    >>> print(family.say().items[0].en)
    Of 12 looked at together, none has a change of the batch pass rate that stands out from chance. Judged one by one
    at 5%, 0.6 of 12 would be false alarms if nothing had changed.
    """
    if not 0 < share < 1 or not found:
        raise UsageError(
            "QB595",
            found=f"{len(found)} estimates, share={share!r}",
            expected="one estimate or more, 0 < share < 1",
            fix="judge_family(estimate_every_change(panel, outcome), share=0.10)",
        )
    rows = pd.DataFrame([_row(one, at) for at, one in enumerate(found)])
    q = false_discovery_q(rows["p_value"].to_numpy(dtype=float), method=method)
    rows = rows.assign(q_value=q, is_signal=np.nan_to_num(q, nan=1.0) <= share)
    rows = rows.sort_values(["q_value", "p_value", "entity"], kind="stable", ignore_index=True)
    first = found[0]
    about = first.outcome if isinstance(first, Result) else None
    return Family(
        name="family" if about is None else f"family:{about.id}",
        outcome=Text("数值", "value") if about is None else about.label,
        unit=first.unit if isinstance(first, Result) else "none",
        table=rows[["entity", "name", "name_en", *COLUMNS[2:]]],
        share=share,
        method=method,
    )


def estimate_every_change(
    panel: Panel,
    outcome: str,
    *,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
    level: float = 0.95,
    maturity: Maturity | None = None,
) -> tuple[Result, ...]:
    """Estimate the change of every entity between the same two periods; where there is none it says why.

    Parameters
    ----------
    panel, outcome, first, last, level, maturity
        As for `qbase.trends.estimate_change`; ``last`` is the panel's last period when None, for all alike. With
        ``maturity`` an entity whose period is preliminary is not compared.

    Returns
    -------
    tuple of Result
        One per entity, in the panel's order.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125).
    UsageError
        A period that is none (QB101), a level that is none (QB503), periods in the wrong order (QB504).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_every_change
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q4", last="2025Q4")
    >>> len(estimate_every_change(panel, "D1.batch"))
    12
    """
    end = panel.periods[-1] if last is None else periods.parse_period(last, panel.freq)
    start = end - periods.PER_YEAR[panel.freq] if first is None else periods.parse_period(first, panel.freq)
    options: dict[str, Any] = {"level": level, "maturity": maturity}
    found = []
    for entity in panel.entities:
        try:
            found.append(estimate_change(panel, outcome, entity=entity, first=start, last=end, **options))
        except DataError as error:
            if error.code not in UNTOLD:
                raise
            found.append(_untold(panel, outcome, entity, Text(error.what_zh, error.what_en)))
    return tuple(found)


def _untold(panel: Panel, outcome: str, entity: str, why: Text) -> Result:
    indicator = panel.indicator(outcome)
    return Result(
        estimand="change",
        outcome=indicator,
        unit=difference_unit(indicator.unit),
        method="newcombe",
        estimates=(),
        subject=panel.label(entity),
        settings={"outcome": outcome, "entity": entity},
        sources=panel.sources,
        coverage=panel.coverage_of(outcome),
        labels={"unanswered": Text("无法比较", "Not compared")},
        unanswered=Text(f"不作比较：{why.zh}。", f"Not compared: {why.en}."),
    )


def _row(one: Result | Estimate, at: int) -> dict[str, Any]:
    estimate: Estimate | None = one if isinstance(one, Estimate) else one.estimates[0] if one.estimates else None
    entity = str(at) if estimate is None else str(estimate.key.get("entity", at))
    name = same(entity)
    if isinstance(one, Result):
        entity, name = str(one.settings.get("entity") or entity), one.subject
    named = {"entity": entity, "name": name.zh, "name_en": name.en}
    if estimate is None:
        empty = dict.fromkeys(("value", "ci_low", "ci_high", "n", "p_value"), np.nan)
        return {**named, **empty}
    return {
        **named,
        "value": estimate.value,
        "ci_low": np.nan if estimate.ci_low is None else estimate.ci_low,
        "ci_high": np.nan if estimate.ci_high is None else estimate.ci_high,
        "n": np.nan if estimate.n_obs is None else estimate.n_obs,
        "p_value": _p_value(one, estimate),
    }


def _p_value(one: Result | Estimate, e: Estimate) -> float:
    """Return the p value that goes with the verdict: below 1 − level exactly where the interval leaves out 0."""
    if e.p_value is not None:
        return e.p_value
    if isinstance(one, Result) and one.method == "newcombe" and len(one.tables.get("compared", ())) == 2:
        before, after = one.tables["compared"][["k", "n"]].to_numpy(dtype=float)
        return float(newcombe_p((after[:1], before[:1]), (after[1:], before[1:]))[0])
    end = e.ci_low if e.value > 0 else e.ci_high
    if e.ci_low is None or end is None or e.value == end:
        return np.nan
    farther = norm.isf((1 - e.ci_level) / 2) * e.value / (e.value - end)
    return float(2 * norm.sf(abs(farther)))


def _q(q: float) -> str:
    return "< 0.001" if q < 0.001 else f"= {q:.3f}"
