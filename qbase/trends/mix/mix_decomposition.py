"""The change of a rate in two parts: who was inspected, and how often the same kind of batch passed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from qbase.core.numbers import count, difference_unit, interval, level_text
from qbase.core.policy import Policy
from qbase.core.results.result import Result
from qbase.core.results.sentences import add_article, digits_among, quantity
from qbase.core.text import Text, join
from qbase.core.values import CheckResult, Estimate, Key
from qbase.indicators.group_counts import FIRM, GroupCounts, check_columns
from qbase.stats.decomposing.change_parts import ChangeParts, decompose_change
from qbase.trends.counts.count_checks import INDEPENDENT, check_same_sampling, check_small_n, notes_of
from qbase.trends.counts.period_counts import Counts
from qbase.trends.counts.period_windows import Against
from qbase.trends.counts.preliminary_subjects import leave_preliminary
from qbase.trends.mix.mix_case import NO_GROUP, arrange_case, find_reason, has_shared_group, leave_mix
from qbase.trends.mix.mix_checks import check_common_groups, check_group_sizes, check_known_groups
from qbase.trends.rates.change_case import Case

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

ROUNDING = 1e-12
MIXES = ("first", "last", "pooled")
MEASURING = frozenset({"laboratory", "inspector", "standard", "items_band"})
"""Factors that say how a batch was judged, not whose it was."""

WHO = Text("抽查对象的构成", "who was inspected")
WHO_AND_HOW = Text("抽查对象和检验方式的构成", "who was inspected, how and by whom")
NOT_NOTHING = Text(
    "构成是抽查到的对象变了；若企业自身因政策而改变规模或等级，这部分也会记入构成。类内变化也不等于政策效果。",
    "Composition says that others were inspected; where a policy itself changed the size or class of firms, that is in "
    "it as well. Nor is the change within groups the effect of a policy.",
)
SYMMETRIC = Text(
    "两部分按两期的平均合格率和平均构成计算；固定为某一期的构成时数字不同，见表。",
    "Both parts are taken at the mean of the two periods; at the mix of one of them the figures differ, see the table.",
)


def decompose_mix(
    counts: GroupCounts,
    *,
    by: Sequence[str] | None = None,
    entity: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
    against: Against = "year_ago",
    level: float = 0.95,
    maturity: Maturity | None = None,
    policy: Policy | None = None,
) -> Result:
    """Decompose the change of a rate into who was inspected and changes within groups of one kind.

    Kitagawa's symmetric formula on the crossed groups of all factors, each factor's share of the composition averaged
    over all orders (`qbase.stats.decompose_change`); and the change at an unchanged mix. Intervals go by firm where
    firms are known.

    Parameters
    ----------
    counts : GroupCounts
        From `qbase.indicators.read_group_counts`, or `qbase.indicators.find_group_counts`.
    by : sequence of str or None
        Factors of the counts, or ``entity``: the mix of clusters; None takes all factors the counts were read by.
    entity : str or None
        One entity; None adds all up.
    first, last : str, pandas.Period or None
        The two periods, as for `estimate_change`: the last one with tests, and what ``against`` says.
    against : {"year_ago", "previous", "cumulative", "half_year", "since_policy"}
        As for `estimate_change`.
    level : float
        Confidence level.
    maturity : Maturity or None
        A preliminary period is never compared.
    policy : Policy or None
        Parts before from since, with ``against="since_policy"``, as for `estimate_change`.

    Returns
    -------
    Result
        Estimand ``change`` in percentage points, later minus earlier: terms ``change``, ``composition`` and ``within``
        (these two add up to it), ``composition_by`` with key ``factor`` (these add up to ``composition``), and
        ``adjusted_change`` with key ``mix``: the change at the mix of the ``first`` or ``last`` period or of both
        ``pooled``. Tables ``parts``, ``groups`` (each factor alone, group by group) and ``compared``. Where ``first``
        is not given and nothing can be compared with, or no group was inspected in both periods, or the rate is not
        counted by group, it has no estimate and says why.

    Raises
    ------
    UsageError
        A factor the counts do not have (QB592), an unknown entity (QB501), a period that is none (QB101), a level that
        is none (QB503), periods in the wrong order (QB504), an unknown comparison (QB527).
    DataError
        Nothing was tested in a period asked for (QB502), it is preliminary (QB506), or no group is in both periods
        asked for (QB588).

    References
    ----------
    Kitagawa, E. M. (1955). Components of a difference between two rates. JASA 50, 1168-1194. Das Gupta, P. (1993).
    Standardization and decomposition of rates. US Bureau of the Census P23-186.

    Examples
    --------
    >>> from qbase.indicators import read_group_counts
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import decompose_mix
    >>> counts = read_group_counts(open_workspace(), "D1.batch", by=("risk_class", "size_class"), freq="A")
    >>> print(decompose_mix(counts, first="2021", last="2025").say().items[0].en)
    Of the −0.9 percentage points between 2021 and 2025 in the batch pass rate of all clusters (n = 1,557), +0.5
    percentage points (95% CI −0.2 to 1.3) come from who was inspected (by risk class, size), −1.5 percentage points
    (95% CI −5.2 to 2.3) from within groups of one kind.
    """
    factors = _factors(counts, by)
    unripe = leave_preliminary(counts.panel, counts.outcome, entity, maturity, estimand="change", method="kitagawa")
    if last is None and unripe is not None:
        return unripe
    case, counts = arrange_case(
        counts, entity=entity, first=first, last=last, against=against, level=level, maturity=maturity, policy=policy
    )
    parted, held, start, end, entity = case.parted, case.counts, case.start, case.end, case.entity
    why = find_reason(case, counts, first)
    if why is not None:
        return leave_mix(case, why)
    rows = counts.cells[counts.cells["period"].isin([start, end])]
    rows = rows if entity is None else rows[rows["entity"] == entity]
    firms = rows[FIRM] if counts.has_firms else None
    is_late = np.asarray(rows["period"] == end, dtype=int)
    if first is None and not has_shared_group(rows, is_late, factors):
        return leave_mix(case, NO_GROUP)
    parts = decompose_change(rows["n"], rows["k"], is_late, rows[list(factors)], firms=firms, level=level)
    keys: dict[str, Key] = {"first": case.compared.code(start), "period": case.compared.code(end)}
    estimates = _estimates(parts, factors, keys if entity is None else {**keys, "entity": entity}, level, rows)
    settings: dict[str, object] = {
        "outcome": counts.outcome, "entity_kind": counts.panel.entity, "entity": entity, "by": list(factors),
        "first": case.compared.code(start), "last": case.compared.code(end), "against": against, "level": level,
        "freq": counts.panel.freq, "sampling": counts.panel.sampling, "firms": parts.n_firms,
    }  # fmt: skip
    notes = [n for n in notes_of(counts.panel, counts.indicator, entity) if n != INDEPENDENT or firms is None]
    unit = difference_unit(counts.indicator.unit)
    return Result(
        estimand="change",
        outcome=counts.indicator,
        unit=unit,
        method="kitagawa",
        estimates=estimates,
        subject=held.subject,
        tables=_tables(counts, parts, estimates, factors, rows, held, start, end),
        checks=(*_checks(counts, parts, rows, factors, held, start, end, entity, level), *case.alone, *parted.checks),
        notes=(*notes, SYMMETRIC, NOT_NOTHING),
        settings=settings,
        sources=counts.panel.sources,
        coverage=counts.panel.coverage_of(counts.outcome),
        labels=_labels(case, counts, factors, estimates, unit, settings),
        spoken=(0, 3 + len(factors)),
    )


def _factors(counts: GroupCounts, by: Sequence[str] | None) -> tuple[str, ...]:
    given = counts.by if by is None else (by,) if isinstance(by, str) else tuple(dict.fromkeys(by))
    check_columns(counts.cells[["entity", *counts.by]], given)
    return given


def _estimates(
    parts: ChangeParts, factors: Sequence[str], key: dict[str, Key], level: float, rows: pd.DataFrame
) -> tuple[Estimate, ...]:
    named: list[tuple[str, dict[str, Key], Mapping[str, float]]] = [
        (term, key, _row(parts.parts, term)) for term in ("change", "composition", "within")
    ]
    for j, factor in enumerate(factors):
        named.append(("composition_by", {**key, "factor": factor}, _row(parts.parts, f"composition[{j}]")))
    named += [("adjusted_change", {**key, "mix": mix}, _row(parts.adjusted, mix)) for mix in MIXES]
    return tuple(
        Estimate(
            term=term,
            key=keys,
            value=100 * float(row["value"]),
            # a factor that does not vary has no part and no error, but for that of arithmetic
            std_error=100 * float(row["std_error"]) if row["std_error"] > ROUNDING else None,
            ci_low=100 * float(row["low"]),
            ci_high=100 * float(row["high"]),
            ci_level=level,
            n_obs=int(rows["n"].sum()),
            n_clusters=parts.n_firms,
        )
        for term, keys, row in named
    )


def _row(table: pd.DataFrame, name: str) -> Mapping[str, float]:
    return dict(zip(table.columns, table.loc[[name]].to_numpy(dtype=float)[0].tolist(), strict=True))


def _checks(
    counts: GroupCounts, parts: ChangeParts, rows: pd.DataFrame, factors: tuple[str, ...], held: Counts,
    start: pd.Period, end: pd.Period, entity: str | None, level: float,
) -> list[CheckResult]:  # fmt: skip
    indicator = counts.indicator
    tested = {p: held.at(p) for p in (start, end)}
    found = [check_small_n(tested, level=level, is_pass=indicator.better == "up", name=indicator.label)]
    if "sample_type" not in factors:
        found.append(check_same_sampling(counts.panel, entity, start, end, level=level))
    known = check_known_groups(counts, rows, factors)
    return [*found, check_common_groups(parts), check_group_sizes(parts), *([] if known is None else [known])]


def _tables(
    counts: GroupCounts, parts: ChangeParts, estimates: Sequence[Estimate], factors: Sequence[str], rows: pd.DataFrame,
    held: Counts, start: pd.Period, end: pd.Period,
) -> dict[str, pd.DataFrame]:  # fmt: skip
    told = pd.DataFrame(
        {
            "part": [e.term for e in estimates],
            "of": [str(e.key.get("factor", e.key.get("mix", ""))) for e in estimates],
            "value_pp": [e.value for e in estimates],
            "ci_low": [e.ci_low for e in estimates],
            "ci_high": [e.ci_high for e in estimates],
        }
    )
    tables = []
    for factor, table in zip(factors, parts.groups, strict=True):
        tables.append(_group_rows(factor, table))
    groups = pd.concat(tables, ignore_index=True)
    compared = held.series[(held.index == start) | (held.index == end)].reset_index(drop=True)
    if counts.has_firms:
        by_period = rows[rows["n"] > 0].groupby("period")[FIRM].nunique().reindex([start, end])
        told["n_firms"] = int(by_period.min())
        compared["n_firms"] = by_period.to_numpy(dtype=np.int64)
        groups["n_firms"] = np.concatenate(
            [_firms(rows, f, t["group"]) for f, t in zip(factors, parts.groups, strict=True)]
        )
    return {"parts": told, "groups": groups, "compared": compared}


def _group_rows(factor: str, table: pd.DataFrame) -> pd.DataFrame:
    sides = {"first": 0, "last": 1}
    columns: dict[str, object] = {"factor": factor, "group": table["group"]}
    columns |= {f"{x}_{side}": table[f"{x}{p}"].astype("int64") for side, p in sides.items() for x in ("n", "k")}
    columns |= {f"share_{side}_pct": 100 * table[f"share{p}"] for side, p in sides.items()}
    columns |= {f"rate_{side}_pct": 100 * table[f"rate{p}"] for side, p in sides.items()}
    for part in ("composition", "within"):
        columns |= {f"{part}_pp": 100 * table[part]}
        columns |= {f"{part}_{end}": 100 * table[f"{part}_{end}"] for end in ("low", "high")}
    return pd.DataFrame(columns)


def _firms(rows: pd.DataFrame, factor: str, groups: pd.Series) -> np.ndarray:
    """Return the firms behind a group, of the period with fewer of those it was seen in."""
    seen = rows[rows["n"] > 0].groupby([factor, "period"])[FIRM].nunique()
    fewest: np.ndarray = seen.groupby(level=0).min().reindex(groups).to_numpy(dtype=np.int64)
    return fewest


def _labels(
    case: Case, counts: GroupCounts, factors: Sequence[str], estimates: Sequence[Estimate], unit: str,
    settings: dict[str, object],
) -> dict[str, Text]:  # fmt: skip
    a, b = case.compared.label(case.start), case.compared.label(case.end)
    change, composition, within = estimates[:3]
    digits = digits_among([change, composition, within], unit, "change", settings)
    names = join([counts.name(f) for f in factors], zh="、", en=", ")
    mix = WHO_AND_HOW if MEASURING & set(factors) else WHO
    # whether it moved is said of the change itself, whose interval is not that of a sum of parts
    said = Text(
        "{a}到 {b}{subject}的{outcome}相差 {change}（n = {n}），其中 {composition}来自{mix}（按{names}），"
        "{within}来自同类之内。",
        "Of the {change} between {a} and {b} in the {outcome} of {subject} (n = {n}), {composition} come from {mix} "
        "(by {names}), {within} from within groups of one kind.",
    ).format(
        a=a,
        b=b,
        subject=add_article(case.counts.subject),
        outcome=counts.indicator.label,
        change=quantity(change.value, unit, digits, sign=True),
        n=count(change.n_obs or 0),
        mix=mix,
        composition=_with_doubt(composition, unit, digits),
        within=_with_doubt(within, unit, digits),
        names=names,
    )
    return {
        "change": Text(f"与 {a.zh}相比，{b.zh}", f"Between {a.en} and {b.en} "),
        "said[change]": said,
        "adjusted_change": Text(
            f"若构成保持 {a.zh}不变，{b.zh}", f"With the mix of {a.en} kept, between {a.en} and {b.en} "
        ),
        "composition": mix,
        "within": Text("同类之内", "within groups of one kind"),
        **{f"factor[{f}]": counts.name(f) for f in factors},
        # a sum of periods goes by its own name, in figures as well
        **({} if case.compared.window is None else {"when[first]": a, "when[last]": b}),
    }


def _with_doubt(estimate: Estimate, unit: str, digits: int) -> Text:
    value = quantity(estimate.value, unit, digits, sign=True)
    shown = interval(float(estimate.ci_low or 0.0), float(estimate.ci_high or 0.0), digits)
    level = level_text(estimate.ci_level)
    return Text(f"{value.zh}（{level} CI {shown.zh}）", f"{value.en} ({level} CI {shown.en})")
