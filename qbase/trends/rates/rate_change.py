"""The change of a rate between two periods."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qbase.core.numbers import difference_unit
from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate, Key, Margin
from qbase.stats.design.design_intervals import design_interval
from qbase.stats.rates.difference_intervals import newcombe_interval
from qbase.stats.rates.wilson import square_and_add
from qbase.trends.counts.count_checks import check_same_sampling, check_small_n
from qbase.trends.counts.firm_intervals import match_firms, widen_counts
from qbase.trends.counts.matched_entities import Twin, compare_entities, match_change
from qbase.trends.counts.period_counts import TOST_LEVEL, Counts, find_entity, read_counts
from qbase.trends.counts.period_windows import Against, Compared, merge_firm_counts, merge_periods, read_against
from qbase.trends.counts.policy_windows import SINCE, find_sides
from qbase.trends.counts.preliminary_periods import part_preliminary
from qbase.trends.counts.preliminary_subjects import leave_preliminary
from qbase.trends.counts.within_entities import Within, compare_within
from qbase.trends.rates.change_case import Case, check_order, find_obstacle, leave_unanswered
from qbase.trends.rates.change_verdicts import (
    add_verdicts,
    cap_grade,
    check_enough,
    check_steady_power,
    margin_settings,
)

if TYPE_CHECKING:
    from qbase.indicators.firm_counts import FirmCounts
    from qbase.indicators.maturity.maturity_table import Maturity


def estimate_change(
    panel: Panel,
    outcome: str,
    *,
    entity: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
    against: Against = "year_ago",
    level: float = 0.95,
    margin: Margin | float | None = None,
    maturity: Maturity | None = None,
    firms: FirmCounts | None = None,
    policy: Policy | None = None,
) -> Result:
    """Estimate the change of a rate between two periods.

    With ``firms`` the interval knows that batches of one firm are alike, and that some firms were drawn in both
    periods; without, it is Newcombe's hybrid-score interval of independent batches, which is too narrow where firms
    are drawn for several batches.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome`` with its counts.
    outcome : str
        Id of a rate, ``D1.batch``.
    entity : str or None
        One entity; None pools all entities (counts are summed).
    first, last : str, pandas.Period or None
        The two periods. ``last`` defaults to the last one with tests, ``first`` to what ``against`` says.
    against : {"year_ago", "previous", "cumulative", "half_year", "since_policy"}
        The same quarter (or year) a year before (同比), or the period before (环比); the quarters of the year so far
        against the same ones of last year (累计同比), or the half-year that ends in ``last`` against the same half of
        last year: both sum the counts of an unweighted panel of quarters. With ``policy``, all periods since its
        start against all before it, those between draft or announcement and start left out; that is before against
        after without a comparison group, never an effect, and ``first`` and ``last`` play no part.
    level : float
        Confidence level.
    margin : Margin, float or None
        Declared beforehand, in percentage points. With a dated one (`qbase.trends.read_margin`, or an evaluation
        plan's own) a change is steady (持平) where the 90 % interval of two one-sided tests lies inside it, and the
        chance to find that is among the checks; with a bare number where the whole interval does.
    maturity : Maturity or None
        From `qbase.indicators.read_maturity`, of the same window: a preliminary period is never compared. None takes
        every period as complete.
    firms : FirmCounts or None
        From `qbase.indicators.read_firm_counts`, of the same inspections. A weighted panel keeps the interval of its
        design, which knows them already.
    policy : Policy or None
        Parts before from since, with ``against="since_policy"``: the start of the subject itself, else that of the
        first to adopt.

    Returns
    -------
    Result
        Estimand ``change`` in percentage points; term ``change`` with keys ``first`` and ``period``;
        tables ``series`` (as `estimate_level`) and ``compared`` (the two periods). Pooled over entities that were not
        all tested in both periods it has a twin, term ``matched_change`` with key ``entities``: the change of those
        that were; table ``entities`` says who (`qbase.trends.compare_entities`). Where the two disagree, check
        ``same_entities`` fails and the evidence is limited. Where the mean change inside the entities has the other
        sign, check ``within_entities`` fails and term ``within_change`` is said first. The evidence is moderate at
        most where draws are not weighted, entities are pooled, or the way of drawing is not on record; with fewer
        batches in a period than `min_n` there is no verdict. What it comes to is in ``labels["verdict[change]"]`` and
        `qbase.trends.judge_change`. Where ``first`` is not given and nothing was tested then, or that period is
        preliminary, or every one is, it has no estimate and says why.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125).
    UsageError
        Unknown entity (QB501), a period that is none (QB101), a level that is none (QB503),
        periods in the wrong order (QB504), a margin that is none (QB507), an unknown comparison (QB527), no policy to
        part by (QB532).
    DataError
        No period on one side of the policy (QB533), nothing was tested in a period asked for (QB502), a weighted
        panel is to be pooled (QB505) or summed (QB528),
        such a period is preliminary (QB506), or the firms are not those of the panel (QB525).

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions: comparison of
    eleven methods. Statistics in Medicine 17, 873-890 (method 10). Zou, G. Y. and Donner, A. (2008). Construction of
    confidence limits about effect measures: a general approach. Statistics in Medicine 27, 1693-1702.

    Examples
    --------
    >>> from qbase.indicators import build_panel, read_firm_counts
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_change
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q4", last="2025Q4")
    >>> firms = read_firm_counts(open_workspace(), first="2024Q4", last="2025Q4")
    >>> change = estimate_change(panel, "D1.batch", entity="K001", firms=firms)
    >>> change
    <Result change:D1.batch:firm_difference: Qingzhao polyester fibre cluster>
      change first=2024Q4 period=2025Q4 entity=K001: −10.7 pp, 95% CI −37.2 to 14.8, n = 37
    >>> print(change.say().items[0].en)
    Between 2024 Q4 and 2025 Q4 the batch pass rate of the Qingzhao polyester fibre cluster: cannot tell. The
    estimate is −10.7 percentage points (95% CI −37.2 to 14.8; n = 37): it could be lower or higher.
    """
    declared, compared = margin_settings(margin), read_against(against, panel.freq)
    unripe = leave_preliminary(panel, outcome, entity, maturity, estimand="change", method="newcombe")
    if last is None and unripe is not None:
        return unripe
    parted = part_preliminary(panel, outcome, entity=entity, maturity=maturity)
    entity = None if entity is None else find_entity(panel, entity)
    if against == SINCE:
        sides = find_sides(policy, parted.panel.periods, entity)
        compared, first, last = dataclasses.replace(compared, sides=sides), None, sides.since[1]
    seen = parted.panel if compared.window is None else merge_periods(parted.panel, compared.window)
    counts = _read_counts(parted.panel, seen, outcome, entity, level)
    end = counts.period(last) if last is not None else max([*counts.index[-1:], *_hidden(counts, compared)])
    start = compared.before(end) if first is None else counts.period(first)
    check_order(start, end)
    case = Case(
        panel=panel, parted=parted, seen=seen, counts=counts, compared=compared, entity=entity, start=start, end=end,
        level=level, declared=declared, has_firms=firms is not None,
    )  # fmt: skip
    if last is not None or not case.hidden:
        case.refuse(end, outcome)
    if first is None and (why := find_obstacle(case)) is not None:
        return leave_unanswered(case, why)
    case.refuse(start, outcome)
    return _answer(_with_firms(case, outcome, firms), outcome)


def _read_counts(panel: Panel, seen: Panel, outcome: str, entity: str | None, level: float) -> Counts:
    """Return the counts of what is compared; of an entity of which every sum is withheld, none."""
    gone = () if seen.withheld is None else seen.withheld.of(entity)
    if not gone or entity in seen.entities:
        return read_counts(seen, outcome, entity=entity, level=level)
    single = read_counts(panel, outcome, entity=entity, level=level)
    return dataclasses.replace(single, series=single.series.iloc[:0], index=single.index[:0], withheld=gone)


def _hidden(counts: Counts, compared: Compared) -> list[pd.Period]:
    """Return the sums that are withheld: the sum of an earlier year would be taken for the one spoken of."""
    return [counts.period(code) for code in counts.withheld] if compared.window is not None else []


def estimate_matched_change(
    panel: Panel,
    outcome: str,
    *,
    first: str | pd.Period,
    last: str | pd.Period,
    level: float = 0.95,
    margin: Margin | float | None = None,
    firms: FirmCounts | None = None,
) -> Result:
    """Estimate the pooled change of those entities that were tested in both periods.

    Parameters
    ----------
    panel, outcome, first, last, level, margin, firms
        As for `estimate_change`.

    Returns
    -------
    Result
        As `estimate_change`, of the entities tested in both periods.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125); nobody was tested in both (QB127).
    UsageError
        A period that is none (QB101), a level that is none (QB503), periods in the wrong order (QB504).
    DataError
        Nothing was tested in a period (QB502), or a weighted panel is to be pooled (QB505).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_matched_change
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> estimate_matched_change(panel, "D1.batch", first="2019Q4", last="2020Q4")
    <Result change:D1.batch:newcombe: all clusters>
      change first=2019Q4 period=2020Q4: −2.8 pp, 95% CI −10.4 to 4.9, n = 405
    """
    found = compare_entities(panel, outcome, first=first, last=last)
    both = found.loc[found["status"] == "both", "entity"].tolist()
    if firms is not None:
        firms = dataclasses.replace(firms, data=firms.data[firms.data["entity"].isin(both)])
    return estimate_change(panel.keep(both), outcome, first=first, last=last, level=level, margin=margin, firms=firms)


def _with_firms(case: Case, outcome: str, firms: FirmCounts | None) -> Case:
    if firms is None:
        return case
    window, quarter = case.compared.window, None
    if window is not None:
        held = case.parted.panel.data.index
        kept = pd.MultiIndex.from_frame(firms.data[["entity", "period"]]).isin(held)
        firms = dataclasses.replace(firms, data=firms.data[kept])
        firms = merge_firm_counts(firms, window, case.parted.panel.periods[-1])
        quarter = case.end.quarter if window == "cumulative" else None
    matched = match_firms(case.seen, outcome, case.counts, firms, entity=case.entity, quarter=quarter)
    return dataclasses.replace(case, firms=matched, counts=widen_counts(case.counts, matched, level=case.level))


def _answer(case: Case, outcome: str) -> Result:
    counts, start, end = case.counts, case.start, case.end
    before, after = counts.at(start), counts.at(end)
    estimate = _estimate(case, outcome)
    twin = within = None
    if case.entity is None:
        margin = case.declared.get("margin")
        twin = match_change(case.seen, outcome, estimate, start, end, margin=margin, firms=case.firms)
        if not counts.is_weighted:
            within = compare_within(case.seen, outcome, estimate, start, end, case.firms)
    others, is_apart = _others(twin, within)
    same = check_same_sampling(case.seen, case.entity, start, end, level=case.level)
    is_pooled = case.entity is None and len(case.seen.entities) > 1
    result = Result(
        estimand="change",
        outcome=counts.indicator,
        unit=difference_unit(counts.indicator.unit),
        method=case.method,
        estimates=(estimate, *others),
        subject=counts.subject,
        tables={
            "series": case.series,
            "compared": counts.series[(counts.index == start) | (counts.index == end)].reset_index(drop=True),
            **({} if twin is None else {"entities": twin.entities}),
        },
        checks=(*_checks(case, before, after, same, twin, within), *check_steady_power(estimate, case.declared)),
        grade="limited"
        if case.compared.sides is not None
        else cap_grade(
            is_naive=case.panel.sampling == "naive",
            is_pooled=is_pooled,
            is_unknown=same.passed is None,
            is_apart=is_apart,
        ),
        notes=case.notes(),
        settings=case.settings(),
        sources=case.panel.sources,
        coverage=case.panel.coverage_of(outcome),
        labels=_labels(case, twin, within, others),
        # where they disagree, the change of the same entities, or inside them, is said first
        spoken=(*range(1, 1 + len(others)), 0) if is_apart else tuple(range(1 + len(others))),
    )
    return add_verdicts(result)


def _others(twin: Twin | None, within: Within | None) -> tuple[tuple[Estimate, ...], bool]:
    """Return the estimates beside a pooled change, and whether one contradicts it."""
    is_against = within is not None and within.check.passed is False
    found = [within.estimate] if within is not None and is_against else []
    if twin is not None and twin.estimate is not None:
        found.append(twin.estimate)
    return tuple(found), is_against or (twin is not None and twin.check.passed is False)


def _checks(
    case: Case,
    before: tuple[int, int],
    after: tuple[int, int],
    same: CheckResult,
    twin: Twin | None,
    within: Within | None,
) -> list[CheckResult]:
    tested, indicator = {case.start: before, case.end: after}, case.counts.indicator
    small = check_small_n(tested, level=case.level, is_pass=indicator.better == "up", name=indicator.label)
    beside = [x.check for x in (twin, within) if x is not None]
    return [small, *case.alone, *check_enough(tested), same, *beside, *case.parted.checks]


def _labels(case: Case, twin: Twin | None, within: Within | None, others: tuple[Estimate, ...]) -> dict[str, Text]:
    subjects = {"matched_change": twin and twin.subject, "within_change": within and within.subject}
    labels = {"change": case.label()}
    for estimate in others:
        labels[estimate.term] = case.label()
        labels[f"subject[{estimate.term}]"] = subjects[estimate.term] or case.counts.subject
    return labels


def _estimate(case: Case, outcome: str) -> Estimate:
    before, after = case.counts.row(case.start), case.counts.row(case.end)
    if case.firms is None:
        limits = ((float(r["rate_pct"]), float(r["ci_low"]), float(r["ci_high"])) for r in (after, before))
        value, low, high = (float(x) for x in square_and_add(*limits))
    else:
        value, low, high = case.firms.compare(case.start, case.end, level=case.level)
    key: dict[str, Key] = {"first": case.compared.code(case.start), "period": case.compared.code(case.end)}
    if case.entity is not None:
        key["entity"] = case.entity
    tost = _tost(case, outcome) if "margin_declared_on" in case.declared else (None, None)
    return Estimate(
        term="change",
        key=key,
        value=value,
        ci_low=low,
        ci_high=high,
        tost_low=tost[0],
        tost_high=tost[1],
        ci_level=case.level,
        n_obs=int(before["n"] + after["n"]),
    )


def _tost(case: Case, outcome: str) -> tuple[float, float] | tuple[None, None]:
    """Return the 90 % interval of two one-sided tests; none where the effective size of a weighted rate is missing."""
    if case.firms is not None:
        return case.firms.compare(case.start, case.end, level=TOST_LEVEL)[1:]
    if not case.counts.is_weighted:
        (n0, k0), (n1, k1) = case.counts.at(case.start), case.counts.at(case.end)
        low, high = newcombe_interval((k1, k0), (n1, n0), level=TOST_LEVEL)
        return 100 * low, 100 * high
    two = [(case.entity or case.seen.entities[0], period) for period in (case.start, case.end)]
    if f"{outcome}__n_eff" not in case.seen.data:
        return None, None
    rate, n_eff = (np.asarray(case.seen.data[c].reindex(two), dtype=float) for c in (outcome, f"{outcome}__n_eff"))
    if not np.isfinite(n_eff).all():
        return None, None
    shares = np.clip(rate / 100, 0, 1)
    lows, highs = design_interval(shares, n_eff, level=TOST_LEVEL)
    before, after = ((100 * shares[i], 100 * lows[i], 100 * highs[i]) for i in (0, 1))
    _, low, high = (float(x) for x in square_and_add(after, before))
    return low, high
