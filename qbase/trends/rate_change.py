"""The change of a rate between two periods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from qbase.core import periods
from qbase.core.errors import UsageError
from qbase.core.given import check_margin
from qbase.core.numbers import count, difference_unit
from qbase.core.panel import Panel
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate, Key
from qbase.stats.rates.wilson import square_and_add
from qbase.trends.count_checks import check_same_sampling, check_small_n, notes_of
from qbase.trends.matched_entities import Twin, compare_entities, match_change
from qbase.trends.period_counts import Counts, find_entity, read_counts
from qbase.trends.preliminary_periods import Parted, part_preliminary

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

STEPS_PER_YEAR = {"Q": 4, "A": 1}


def estimate_change(
    panel: Panel,
    outcome: str,
    *,
    entity: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
    level: float = 0.95,
    margin: float | None = None,
    maturity: Maturity | None = None,
) -> Result:
    """Estimate the change of a rate between two periods with Newcombe's hybrid-score interval.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome`` with its counts.
    outcome : str
        Id of a rate, ``D1.batch``.
    entity : str or None
        One entity; None pools all entities (counts are summed).
    first, last : str, pandas.Period or None
        The two periods. ``last`` defaults to the last one with tests, ``first`` to the same quarter
        (or the year) one year before ``last`` (同比).
    level : float
        Confidence level.
    margin : float or None
        Declared beforehand, in percentage points: an interval inside ± margin is called a little change.
    maturity : Maturity or None
        From `qbase.indicators.read_maturity`, of the same window: a preliminary period is never compared. None takes
        every period as complete.

    Returns
    -------
    Result
        Estimand ``change`` in percentage points; term ``change`` with keys ``first`` and ``period``;
        tables ``series`` (as `estimate_level`) and ``compared`` (the two periods). Pooled over entities that were not
        all tested in both periods it has a twin, term ``matched_change`` with key ``entities``: the change of those
        that were; table ``entities`` says who (`qbase.trends.compare_entities`). Where the two disagree, check
        ``same_entities`` fails and the evidence is limited. Where ``first`` is not given and
        nothing was tested a year ago, or that period is preliminary, it has no estimate and says why.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125).
    UsageError
        Unknown entity (QB501), a period that is none (QB101), a level that is none (QB503),
        periods in the wrong order (QB504), a margin that is none (QB507).
    DataError
        Nothing was tested in a period asked for (QB502), a weighted panel is to be pooled (QB505), or such a period
        is preliminary (QB506).

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions: comparison of
    eleven methods. Statistics in Medicine 17, 873-890 (method 10).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_change
    >>> panel = build_panel(open_workspace(), "D1.batch", first="2024Q4", last="2025Q4")
    >>> change = estimate_change(panel, "D1.batch", entity="K001")
    >>> change
    <Result change:D1.batch:newcombe: Qingzhao polyester fibre cluster>
      change first=2024Q4 period=2025Q4 entity=K001: −10.7 pp, 95% CI −36.9 to 14.5, n = 37
    >>> print(change.say().items[0].en)
    Between 2024 Q4 and 2025 Q4 the batch pass rate of the Qingzhao polyester fibre cluster: cannot tell. The
    estimate is −10.7 percentage points (95% CI −36.9 to 14.5; n = 37): it could be lower or higher.
    """
    margin = check_margin(margin)
    entity = None if entity is None else find_entity(panel, entity)
    parted = part_preliminary(panel, outcome, entity=entity, maturity=maturity)
    counts = read_counts(parted.panel, outcome, entity=entity, level=level)
    end = counts.period(last)
    start = end - STEPS_PER_YEAR[panel.freq] if first is None else counts.period(first)
    _check_order(start, end)
    parted.refuse(end, outcome)
    counts.at(end)
    if first is None and (why := _why_not(counts, parted, start, end)) is not None:
        return _unanswered(panel, counts, parted, why, _settings(panel, counts, entity, start, end, level, margin))
    parted.refuse(start, outcome)
    before, after = counts.at(start), counts.at(end)
    estimate = _estimate(counts, start, end, entity, level)
    twin = match_change(parted.panel, outcome, estimate, start, end, margin=margin) if entity is None else None
    matched = () if twin is None or twin.estimate is None else (twin.estimate,)
    is_apart = twin is not None and twin.check.passed is False
    compared = counts.series[(counts.index == start) | (counts.index == end)].reset_index(drop=True)
    return Result(
        estimand="change",
        outcome=counts.indicator,
        unit=difference_unit(counts.indicator.unit),
        method="design_difference" if counts.is_weighted else "newcombe",
        estimates=(estimate, *matched),
        subject=counts.subject,
        tables={"series": parted.join(counts.series), "compared": compared, **_entities(twin)},
        checks=(
            check_small_n(
                {start: before, end: after},
                level=level,
                is_pass=counts.indicator.better == "up",
                name=counts.indicator.label,
            ),
            check_same_sampling(panel, entity, start, end, level=level),
            *([] if twin is None else [twin.check]),
            *parted.checks,
        ),
        grade="limited" if is_apart else None,
        notes=notes_of(panel, counts.indicator, entity),
        settings=_settings(panel, counts, entity, start, end, level, margin),
        sources=panel.sources,
        coverage=panel.coverage_of(outcome),
        labels={"change": _label(start, end), **_labels(twin, start, end)},
        # where the two disagree, the change of the same entities is said first
        spoken=(1, 0) if matched and is_apart else tuple(range(1 + len(matched))),
    )


def estimate_matched_change(
    panel: Panel,
    outcome: str,
    *,
    first: str | pd.Period,
    last: str | pd.Period,
    level: float = 0.95,
    margin: float | None = None,
) -> Result:
    """Estimate the pooled change of those entities that were tested in both periods.

    Parameters
    ----------
    panel, outcome, first, last, level, margin
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
    both = panel.keep(found.loc[found["status"] == "both", "entity"].tolist())
    return estimate_change(both, outcome, first=first, last=last, level=level, margin=margin)


def _entities(twin: Twin | None) -> dict[str, pd.DataFrame]:
    return {} if twin is None else {"entities": twin.entities}


def _labels(twin: Twin | None, start: pd.Period, end: pd.Period) -> dict[str, Text]:
    if twin is None or twin.estimate is None:
        return {}
    return {"matched_change": _label(start, end), "subject[matched_change]": twin.subject}


def _why_not(counts: Counts, parted: Parted, start: pd.Period, end: pd.Period) -> tuple[Text, Text] | None:
    """Return why a period cannot be compared with the one a year before, as a sentence and in a few words."""
    a, b = periods.label(start), periods.label(end)
    pending = parted.pending(start)
    if pending is not None:
        waiting = Text(
            f"尚有 {count(pending)} 批结果待定", f"{count(pending)} {'result' if pending == 1 else 'results'} pending"
        )
        waiting = waiting if pending else Text("该期尚未结束", "it is not over")
        why = Text(f"{a.zh}仍为初步（{waiting.zh}）", f"{a.en} is still preliminary ({waiting.en})")
        short = Text("上年同期仍为初步，不作比较", "Not compared: a year ago is still preliminary")
    elif start in counts.index:
        return None
    elif counts.is_weighted:
        why = Text(f"{a.zh}没有同口径的数字", f"there is no figure of this kind for {a.en}")
        short = Text("上年同期没有同口径的数字，不作比较", "Not compared: no figure of this kind a year ago")
    else:
        why = Text(f"{a.zh}没有抽查记录", f"nothing was tested in {a.en}")
        short = Text("上年同期没有抽查记录，不作比较", "Not compared: nothing was tested a year ago")
    head = Text(
        f"{b.zh}{{subject}}的{{outcome}}不与上年同期比较：",
        f"The {{outcome}} of {{subject}} in {b.en} is not compared ",
    )
    return Text(f"{head.zh}{why.zh}。", f"{head.en}with a year earlier: {why.en}."), short


def _unanswered(
    panel: Panel, counts: Counts, parted: Parted, why: tuple[Text, Text], settings: dict[str, object]
) -> Result:
    return Result(
        estimand="change",
        outcome=counts.indicator,
        unit=difference_unit(counts.indicator.unit),
        method="design_difference" if counts.is_weighted else "newcombe",
        estimates=(),
        subject=counts.subject,
        tables={"series": parted.join(counts.series)},
        checks=parted.checks,
        notes=notes_of(panel, counts.indicator, str(settings["entity"]) if settings["entity"] else None),
        settings=settings,
        sources=panel.sources,
        coverage=panel.coverage_of(counts.indicator.id),
        labels={"unanswered": why[1]},
        unanswered=why[0],
    )


def _check_order(start: pd.Period, end: pd.Period) -> None:
    if start >= end:
        raise UsageError(
            "QB504",
            first=periods.code(start),
            last=periods.code(end),
            found=f"first={periods.code(start)}, last={periods.code(end)}",
            expected="first before last",
            fix=f'first="{periods.code(end - 1)}", last="{periods.code(end)}"',
        )


def _estimate(counts: Counts, start: pd.Period, end: pd.Period, entity: str | None, level: float) -> Estimate:
    before, after = counts.row(start), counts.row(end)
    value, low, high = (float(x) for x in square_and_add(_limits(after), _limits(before)))
    key: dict[str, Key] = {"first": periods.code(start), "period": periods.code(end)}
    if entity is not None:
        key["entity"] = entity
    return Estimate(
        term="change",
        key=key,
        value=value,
        ci_low=low,
        ci_high=high,
        ci_level=level,
        n_obs=int(before["n"] + after["n"]),
    )


def _limits(row: pd.Series) -> tuple[float, float, float]:
    return float(row["rate_pct"]), float(row["ci_low"]), float(row["ci_high"])


def _label(start: pd.Period, end: pd.Period) -> Text:
    a, b = periods.label(start), periods.label(end)
    return Text(f"与 {a.zh}相比，{b.zh}", f"Between {a.en} and {b.en} ")


def _settings(
    panel: Panel,
    counts: Counts,
    entity: str | None,
    start: pd.Period,
    end: pd.Period,
    level: float,
    margin: float | None,
) -> dict[str, object]:
    settings: dict[str, object] = {
        "outcome": counts.indicator.id,
        "entity_kind": panel.entity,
        "entity": entity,
        "first": periods.code(start),
        "last": periods.code(end),
        "level": level,
        "freq": panel.freq,
        "sampling": panel.sampling,
    }
    return settings if margin is None else {**settings, "margin": margin}
