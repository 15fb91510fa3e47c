"""Who was tested when: a figure over several entities says who is missing, and a change has its matched twin.

A pooled rate moves when somebody with a low rate stops reporting, whatever happens to quality. The twin is the same
change on the entities tested in both periods; where the two disagree, the pooled one is no change of quality.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pandas as pd

from qbase.core import periods
from qbase.core.numbers import count, number
from qbase.core.panel import Panel
from qbase.core.policy import Policy, match_policy
from qbase.core.results.sentences import direction_of
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Estimate
from qbase.stats.rates.difference_intervals import newcombe_interval
from qbase.trends.counts.firm_intervals import Firms
from qbase.trends.counts.period_counts import TOST_LEVEL, Counts

MOVED_PP = 1.0
"""A composition that moves a rate by a whole point moves it as much as most changes that are reported."""

DRAWN = "firm_id"
"""Single firms are drawn anew every time: that others are tested is sampling, nobody stopped reporting."""

TESTED, SHOWN = Text("被抽查", "tested"), Text("有可公开的数字", "shown")

NAMED = 4
"""So many missing ones are named in a sentence; all are in the table."""


def compare_entities(
    panel: Panel,
    outcome: str,
    *,
    first: str | pd.Period,
    last: str | pd.Period,
    policy: Policy | None = None,
) -> pd.DataFrame:
    """Compare who was tested in two periods: who stopped, who started, when, and on which side of a policy.

    Parameters
    ----------
    panel : Panel
        Holds ``outcome`` with its counts.
    outcome : str
        Id of a rate, ``D1.batch``.
    first, last : str or pandas.Period
        The two periods.
    policy : Policy or None
        Whoever it ever reaches is on the side ``treated``, all others on ``comparison``; None leaves the side empty.

    Returns
    -------
    pandas.DataFrame
        One row per entity ever tested: ``entity name_zh name_en side status n_first n_last first_tested
        last_tested``; ``status`` is ``both``, ``stopped``, ``started`` or ``neither``.

    Raises
    ------
    PanelError
        No such indicator (QB123), no counts (QB124), shrunk values (QB125).
    UsageError
        A period that is none (QB101).

    Examples
    --------
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import compare_entities
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> found = compare_entities(panel, "D1.batch", first="2024Q4", last="2025Q4")
    >>> found["status"].value_counts().to_dict()
    {'both': 12}
    """
    start, end = (periods.parse_period(p, panel.freq) for p in (first, last))
    counts = panel.counts(outcome)
    tested = counts[counts["n"] > 0].reset_index()
    by = tested.groupby("entity")["period"]
    found = pd.DataFrame({"first_tested": by.min(), "last_tested": by.max()})
    n = (
        tested.pivot(index="entity", columns="period", values="n")
        .reindex(columns=list(dict.fromkeys([start, end])))
        .fillna(0)
    )
    before, after = (n[p].reindex(found.index).astype("int64") for p in (start, end))
    status = {(True, True): "both", (True, False): "stopped", (False, True): "started", (False, False): "neither"}
    treated = set() if policy is None else set(match_policy(policy, panel.entities).first_treated)
    names = [panel.label(str(e)) for e in found.index]
    return pd.DataFrame(
        {
            "entity": [str(e) for e in found.index],
            "name_zh": [name.zh for name in names],
            "name_en": [name.en for name in names],
            "side": ["" if policy is None else "treated" if e in treated else "comparison" for e in found.index],
            "status": [status[pair] for pair in zip(before > 0, after > 0, strict=True)],
            "n_first": before.to_numpy(),
            "n_last": after.to_numpy(),
            "first_tested": [periods.code(p) for p in found["first_tested"]],
            "last_tested": [periods.code(p) for p in found["last_tested"]],
        }
    )


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Twin:
    """The pooled change of those tested in both periods.

    Parameters
    ----------
    entities : pandas.DataFrame
        From `compare_entities`.
    estimate : Estimate or None
        Term ``matched_change``; None where nobody was tested in both, or where the same were tested in both periods.
    check : CheckResult
        ``same_entities``; False where pooled and matched change disagree.
    """

    entities: pd.DataFrame
    estimate: Estimate | None
    check: CheckResult

    @property
    def subject(self) -> Text:
        """Whom the twin is about."""
        n = int((self.entities["status"] == "both").sum())
        one = Text("两期都被抽查的那个对象", "the one entity tested in both periods")
        return one if n == 1 else Text(f"两期都被抽查的 {n} 个对象", f"the {count(n)} entities tested in both periods")


def match_change(
    panel: Panel,
    outcome: str,
    pooled: Estimate,
    first: pd.Period,
    last: pd.Period,
    *,
    margin: float | None = None,
    firms: Firms | None = None,
) -> Twin | None:
    """Return the matched twin of a pooled change; None where there is one entity only, or single firms are drawn."""
    entities = compare_entities(panel, outcome, first=first, last=last)
    if len(entities) < 2 or panel.entity == DRAWN:
        return None
    both = entities.loc[entities["status"] == "both", "entity"].tolist()
    stopped, started = (_named(entities[entities["status"] == s]) for s in ("stopped", "started"))
    if stopped is None and started is None:
        text = Text(
            f"两期被抽查的是相同的 {count(len(both))} 个对象。",
            f"The same {count(len(both))} were tested in both periods.",
        )
        return Twin(entities=entities, estimate=None, check=CheckResult(name="same_entities", passed=True, text=text))
    estimate = _matched(panel, outcome, both, pooled, first, last, firms) if both else None
    passed = estimate is not None and _agree(pooled, estimate, margin)
    # outside the house somebody missing may have been tested and be withheld
    seen = TESTED if panel.withheld is None else SHOWN
    parts = [_sets(first, last, stopped, started, seen), _verdict(pooled, estimate, len(both), seen, is_alike=passed)]
    check = CheckResult(name="same_entities", passed=passed, text=join(parts, zh="", en=" "))
    return Twin(entities=entities, estimate=estimate, check=check)


def _matched(
    panel: Panel,
    outcome: str,
    both: Sequence[str],
    pooled: Estimate,
    first: pd.Period,
    last: pd.Period,
    firms: Firms | None,
) -> Estimate:
    counts = panel.counts(outcome).loc[list(both)].groupby(level="period").sum().loc[[first, last]]
    (n0, n1), (k0, k1) = (counts[name].astype("int64").tolist() for name in ("n", "k"))

    def limits(level: float) -> tuple[float, float]:
        if firms is not None:
            return firms.only(list(both)).compare(first, last, level=level)[1:]
        low, high = newcombe_interval((k1, k0), (n1, n0), level=level)
        return 100 * low, 100 * high

    low, high = limits(pooled.ci_level)
    tost = (None, None) if pooled.tost_low is None else limits(TOST_LEVEL)
    return Estimate(
        term="matched_change",
        key={"first": periods.code(first), "period": periods.code(last), "entities": len(both)},
        value=100 * (k1 / n1 - k0 / n0),
        ci_low=low,
        ci_high=high,
        tost_low=tost[0],
        tost_high=tost[1],
        ci_level=pooled.ci_level,
        n_obs=n0 + n1,
    )


def _agree(pooled: Estimate, matched: Estimate, margin: float | None) -> bool:
    is_near = abs(pooled.value - matched.value) < MOVED_PP
    return is_near and direction_of(pooled, margin) == direction_of(matched, margin)


def _named(entities: pd.DataFrame) -> Text | None:
    """Return some entities by name, the first few of them; None for none."""
    if entities.empty:
        return None
    shown = entities.head(NAMED)
    names = join([Text(zh, en) for zh, en in zip(shown["name_zh"], shown["name_en"], strict=True)], zh="、", en=", ")
    more = len(entities) - len(shown)
    return names + (Text(f"等 {count(len(entities))} 个", f" and {count(more)} more") if more else Text("", ""))


def _sets(first: pd.Period, last: pd.Period, stopped: Text | None, started: Text | None, seen: Text) -> Text:
    a, b = periods.label(first), periods.label(last)
    parts, only = [], seen.en.capitalize()
    if stopped is not None:
        parts.append(Text(f"只在{a.zh}{seen.zh}：{stopped.zh}。", f"{only} in {a.en} only: {stopped.en}."))
    if started is not None:
        parts.append(Text(f"只在{b.zh}{seen.zh}：{started.zh}。", f"{only} in {b.en} only: {started.en}."))
    return join(parts, zh="", en=" ")


def _verdict(pooled: Estimate, matched: Estimate | None, both: int, seen: Text, *, is_alike: bool) -> Text:
    if matched is None:
        return Text(
            f"没有对象在两期都{seen.zh}，合并的变化只是对象不同。",
            f"Nobody was {seen.en} in both: the pooled change is one between different entities.",
        )
    value, whole = number(matched.value, 1, sign=True), number(pooled.value, 1, sign=True)
    end = Text("对象的变动没有改变结论。", "the composition changes little.")
    if not is_alike:
        end = Text(
            "合并的变化有一部分来自对象的变动，而不是质量。", "part of the pooled change comes from who was tested."
        )
    return Text(
        f"两期都被抽查的 {count(both)} 个对象变化 {value} 个百分点，合并为 {whole} 个百分点：{end.zh}",
        f"On the {count(both)} tested in both it is {value} points, pooled {whole}: {end.en}",
    )


def check_all_entities(panel: Panel, outcome: str, counts: Counts, period: pd.Period) -> CheckResult | None:
    """Check who a pooled level leaves out.

    Parameters
    ----------
    panel : Panel
        Of several entities; whoever was tested in any period is expected.
    outcome : str
        Id of a rate.
    counts : Counts
        Summed over all entities.
    period : pandas.Period
        The one spoken of.

    Returns
    -------
    CheckResult or None
        ``all_entities``: True when all were tested. False when those missing now moved the pooled rate by a whole
        point when they were last seen beside the others, None when they did not. None instead of a check where there
        is one entity only, or single firms are drawn.
    """
    entities = compare_entities(panel, outcome, first=period, last=period)
    missing = entities[entities["n_last"] == 0]
    if len(entities) < 2 or panel.entity == DRAWN:
        return None
    if missing.empty:
        text = Text(
            f"全部 {count(len(entities))} 个对象均被抽查。", f"All {count(len(entities))} entities were tested."
        )
        return CheckResult(name="all_entities", passed=True, text=text)
    moved = _moved_by(panel, outcome, counts, period, missing["entity"].tolist())
    names, when = _named(missing) or Text("", ""), periods.label(period)
    here = len(entities) - len(missing)
    seen = TESTED if panel.withheld is None else SHOWN
    said = Text(
        f"{when.zh}在案 {count(len(entities))} 个对象中只有 {count(here)} 个{seen.zh}，缺：{names.zh}。",
        f"In {when.en} {count(here)} of the {count(len(entities))} on record were {seen.en}; missing: {names.en}.",
    )
    if moved is None:
        return CheckResult(name="all_entities", passed=None, text=said)
    before, shift = moved
    said = join([said, _shift_words(before, shift)], zh="", en=" ")
    return CheckResult(name="all_entities", passed=False if abs(shift) >= MOVED_PP else None, text=said)


def _shift_words(before: pd.Period, shift: float) -> Text:
    was, value = periods.label(before), number(shift, 1, sign=True)
    return Text(
        f"{was.zh}若没有它们，合并的数字会变动 {value} 个百分点。",
        f"Without them the pooled figure of {was.en} would have been {value} points off.",
    )


def _moved_by(
    panel: Panel, outcome: str, counts: Counts, period: pd.Period, missing: Sequence[str]
) -> tuple[pd.Period, float] | None:
    """Return when those missing were last tested beside others, and by how much the rate differs without them."""
    tested = panel.counts(outcome).reset_index()
    tested = tested[(tested["n"] > 0) & (tested["period"] < period)]
    absent = tested["entity"].isin(list(missing))
    shared = set(tested.loc[absent, "period"]) & set(tested.loc[~absent, "period"]) & set(counts.index)
    if not shared:
        return None
    before = max(shared)
    now = tested[tested["period"] == before]
    kept = now[~now["entity"].isin(list(missing))]
    return before, 100 * float(kept["k"].sum() / kept["n"].sum() - now["k"].sum() / now["n"].sum())
