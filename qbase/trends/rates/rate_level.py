"""The level of a rate: how many of those tested passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from qbase.core import periods
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Estimate, Key
from qbase.trends.counts.count_checks import check_small_n, notes_of
from qbase.trends.counts.firm_intervals import DESIGN_KNOWS, match_firms, settings_of, widen_counts
from qbase.trends.counts.half_years import Summed, end_of, sum_half_years, sum_sides
from qbase.trends.counts.matched_entities import check_all_entities
from qbase.trends.counts.period_counts import find_entity, read_counts
from qbase.trends.counts.policy_windows import SINCE, find_sides
from qbase.trends.counts.preliminary_periods import check_history, check_up_to_date, part_preliminary, read_totals
from qbase.trends.counts.preliminary_subjects import leave_preliminary

if TYPE_CHECKING:
    from qbase.indicators.firm_counts import FirmCounts
    from qbase.indicators.maturity.maturity_table import Maturity
    from qbase.indicators.yearly_totals import History


def estimate_level(
    panel: Panel,
    outcome: str,
    *,
    entity: str | None = None,
    period: str | pd.Period | None = None,
    level: float = 0.95,
    maturity: Maturity | None = None,
    history: History | None = None,
    firms: FirmCounts | None = None,
    window: Summed | None = None,
    policy: Policy | None = None,
) -> Result:
    """Estimate the level of a rate with Wilson's interval, period by period.

    With ``firms`` it is taken on the effective number of batches: those of one firm are alike, how much so is learnt
    from all periods. A panel weighted by its sampling design gives its own rate and interval instead.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome`` with its counts.
    outcome : str
        Id of a rate, ``D1.batch``.
    entity : str or None
        One entity; None pools all entities (counts are summed).
    period : str, pandas.Period or None
        The period spoken of; the last one with tests when None.
    level : float
        Confidence level.
    maturity : Maturity or None
        From `qbase.indicators.read_maturity`, of the same window: a preliminary period is in the series with what it
        leaves open, and has no estimate. None takes every period as complete.
    history : History or None
        From `qbase.indicators.read_history`: yearly totals before the panel, in the table ``history``; they are shown
        and enter no estimate.
    firms : FirmCounts or None
        From `qbase.indicators.read_firm_counts`, of the same inspections; None takes batches as independent.
    window : {"half_year", "since_policy"} or None
        Sums the counts of an unweighted panel of quarters by half-year, each under its last quarter; ``period`` may
        then be ``2025H2``. A half-year with a preliminary quarter is left out. Or sums all periods before a policy and
        all since, and speaks of those since.
    policy : Policy or None
        Parts before from since, with ``window="since_policy"``: the start of the subject itself, else that of the first
        to adopt; periods between draft or announcement and start are on neither side.

    Returns
    -------
    Result
        Estimand ``level`` in percent; term ``rate`` with key ``period``; table ``series``
        (period, n, k, rate_pct, ci_low, ci_high), one row per period with tests; with ``maturity`` also
        ``pending_count``, ``low_pct``, ``high_pct`` (the rate when all pending batches fail, or pass) and
        ``is_preliminary``. Where every period is preliminary and none was asked for, it has no estimate and says why.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125).
    UsageError
        Unknown entity (QB501), a period that is none (QB101), a level that is none (QB503), another window (QB144), no
        policy to part by (QB532).
    DataError
        No period on one side of the policy (QB533), nothing was tested in the period (QB502), a weighted panel is to be
        pooled (QB505) or summed (QB528), the period is preliminary (QB506), or the firms are not those of the panel
        (QB525).

    References
    ----------
    Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22, 209-212. Rao,
    J. N. K. and Scott, A. J. (1992). A simple method for the analysis of clustered binary data. Biometrics 48, 577-585.

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q4", last="2025Q4")
    >>> level = estimate_level(panel, "D1.batch", entity="K001")
    >>> print(level.say().items[0].en)
    The batch pass rate of the Qingzhao polyester fibre cluster in 2025 Q4 is estimated at 75.0% (95% CI 50.5–89.8;
    n = 16 batches).
    >>> print(estimate_level(panel, "D1.batch", entity="K001", window="half_year", period="2025H1").say().items[0].en)
    The batch pass rate of the Qingzhao polyester fibre cluster in the first half of 2025 is estimated at 69.6%
    (95% CI 55.2–80.9; n = 46 batches).
    """
    unripe = leave_preliminary(panel, outcome, entity, maturity, estimand="level", method="wilson")
    if period is None and unripe is not None:
        return unripe
    entity = None if entity is None else find_entity(panel, entity)
    parted = part_preliminary(panel, outcome, entity=entity, maturity=maturity)
    parted, firms, _ = sum_half_years(parted, firms, window)
    sides = find_sides(policy, parted.panel.periods, entity) if window == SINCE else None
    if sides is not None:
        parted, firms = sum_sides(parted, firms, sides)
    counts = read_counts(parted.panel, outcome, entity=entity, level=level)
    matched = match_firms(parted.panel, outcome, counts, firms, entity=entity)
    counts = widen_counts(counts, matched, level=level)
    known = DESIGN_KNOWS if counts.is_weighted and firms is not None else None
    spoken = counts.period(end_of(period, window))
    parted.refuse(spoken, outcome)
    is_pass, name = counts.indicator.better == "up", counts.indicator.label
    small = check_small_n({spoken: counts.at(spoken)}, level=level, is_pass=is_pass, name=name)
    totals = read_totals(history, outcome, entity, counts.index[0])
    code, code_of = periods.code(spoken), periods.code if sides is None else sides.code
    rows = zip(counts.series.itertuples(index=False), counts.index, strict=True)
    estimates = tuple(_estimate(row, code_of(p), entity, level) for row, p in rows)
    silent = check_up_to_date(panel, counts, parted) if period is None and window is None else None
    absent = check_all_entities(parted.panel, outcome, counts, spoken) if entity is None else None
    return Result(
        estimand="level",
        outcome=counts.indicator,
        unit=counts.indicator.unit,
        method="design" if counts.is_weighted else ("wilson" if matched is None else "firm_wilson"),
        estimates=estimates,
        subject=counts.subject,
        tables={"series": parted.join(counts.series), **({} if totals.empty else {"history": totals})},
        checks=(
            small,
            *([] if sides is None else [sides.check()]),
            *parted.checks,
            *(check for check in (silent, absent) if check is not None),
            *check_history(totals),
        ),
        notes=notes_of(panel, counts.indicator, entity, of_firms=known if matched is None else matched.note()),
        labels=_later(absent, silent, parted.said, seen.say(entity) if (seen := parted.panel.withheld) else None),
        settings=_settings(panel, outcome, entity, code, level, window) | settings_of(matched) | counts.told,
        sources=(*panel.sources, *(history.sources if history is not None and len(totals) else ())),
        coverage=panel.coverage_of(outcome),
        spoken=(list(counts.series["period"]).index(code),),
    )


def _settings(
    panel: Panel, outcome: str, entity: str | None, code: str, level: float, window: Summed | None
) -> dict[str, Any]:
    asked = {"outcome": outcome, "entity_kind": panel.entity, "entity": entity, "period": code, "level": level}
    about = {"freq": panel.freq, "sampling": panel.sampling}
    return {**asked, **about, **({} if window is None else {"window": window})}


def _later(
    absent: CheckResult | None, silent: CheckResult | None, said: Text, withheld: Text | None
) -> dict[str, Text]:
    """Return what is said after the level: who was not tested, since when nobody was, what is open or withheld."""
    unseen = absent.text if absent is not None and absent.passed is not True else None
    later = [text for text in (unseen, silent.text if silent else None, said, withheld) if text is not None and text.zh]
    return {"later": join(later, zh="", en=" ")} if later else {}


def _estimate(row: Any, code: str, entity: str | None, level: float) -> Estimate:
    key: dict[str, Key] = {"period": code}
    if entity is not None:
        key["entity"] = entity
    return Estimate(
        term="rate",
        key=key,
        value=float(row.rate_pct),
        ci_low=float(row.ci_low),
        ci_high=float(row.ci_high),
        ci_level=level,
        n_obs=int(row.n),
    )
