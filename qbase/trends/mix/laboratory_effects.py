"""How far laboratories (or inspectors) differ on the same clusters' batches, and what of a cluster's lead is theirs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from qbase.core import periods
from qbase.core.errors import DataError
from qbase.core.numbers import count, difference_unit, percent
from qbase.core.panel import Panel
from qbase.core.periods import parse_period
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult, Estimate
from qbase.indicators.cells.strata import UNKNOWN
from qbase.indicators.group_counts import FIRM, GroupCounts, check_columns
from qbase.stats.decomposing.explained_leads import decompose_leads
from qbase.stats.decomposing.laboratory_differences import LaboratoryDifferences, compare_laboratories
from qbase.stats.rates.difference_intervals import check_level
from qbase.trends.counts.count_checks import notes_of
from qbase.trends.counts.period_counts import EVERYBODY, find_entity, read_counts
from qbase.trends.counts.preliminary_periods import part_preliminary
from qbase.trends.counts.preliminary_subjects import leave_preliminary
from qbase.trends.mix.laboratory_words import (
    NOT_DRAWN,
    POOLED_TOWARDS,
    check_alike,
    few_laboratories,
    later_words,
    spread_of,
)

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity

DRAWS = 999
LEAST_SHARED = 0.50
"""Where half of the batches have no other laboratory beside theirs, laboratories are compared on the rest."""

PRELIMINARY = Text("只有初步数据", "every period is preliminary")
PARTS = ("lead", "explained", "left")


def estimate_laboratories(
    counts: GroupCounts,
    *,
    by: str = "laboratory",
    within: Sequence[str] = (),
    entity: str | None = None,
    first: str | pd.Period | None = None,
    last: str | pd.Period | None = None,
    level: float = 0.95,
    maturity: Maturity | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Result:
    """Estimate how far laboratories differ on batches of the same cluster and period, partially pooled.

    A laboratory is compared with the others on the batches of the same entity and period only, so that a good cluster
    does not make its laboratory lenient; effects are then pulled together (`qbase.stats.compare_laboratories`), and
    each entity's lead over the others is split into what its laboratories explain and what is left.

    Parameters
    ----------
    counts : GroupCounts
        From `qbase.indicators.read_group_counts` or `qbase.indicators.find_group_counts`, read by the laboratory.
    by : str
        ``laboratory``, ``inspector`` or another factor that measures.
    within : sequence of str
        Further factors held alike, such as ``product``.
    entity : str or None
        The one whose lead is spoken of; table ``leads`` has all.
    first, last : str, pandas.Period or None
        Window, both inside.
    level : float
        Confidence level, or posterior probability where pooled.
    maturity : Maturity or None
        Preliminary periods enter nothing.
    draws, seed : int
        Of the score bootstrap by firm that tests whether any differ.

    Returns
    -------
    Result
        Estimand ``level`` in percentage points: term ``spread`` (standard deviation between laboratories, with the p
        value that none differs), ``laboratory`` with its key (its rate minus that of the others on the same entities
        and periods, pooled), and ``lead``, ``explained`` and ``left`` with key ``entity``. Tables ``laboratories`` (raw
        and pooled) and ``leads``. Where fewer than three laboratories are on record that share strata, or the rate is
        not counted by group, it has no estimate and says why.

    Raises
    ------
    UsageError
        A factor the counts do not have (QB592), an unknown entity (QB501), a period that is none (QB101), a level that
        is none (QB503).
    DataError
        Nothing was tested (QB502).

    References
    ----------
    Mantel, N. and Haenszel, W. (1959). JNCI 22, 719-748. Greenland, S. and Robins, J. M. (1985). Biometrics 41, 55-68.
    Kline, P. and Santos, A. (2012). Journal of Econometric Methods 1, 23-41.

    Examples
    --------
    >>> from qbase.indicators import read_group_counts
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_laboratories
    >>> counts = read_group_counts(open_workspace(), "D1.batch", by="laboratory")
    >>> found = estimate_laboratories(counts)
    >>> print(found.say().items[0].en)
    The standard deviation of the batch pass rate between laboratories of all clusters is estimated at 3.2 percentage
    points (95% CI 1.7–7.2; n = 7,963 batches). Test that no laboratory differs from another: p = 0.001. Most lenient:
    Yun ze sheng zhi jian yi suo +3.2 (95% CI 0.4–6.0); strictest: Yun ze sheng zhi jian jia suo −5.0 (95% CI −7.9 to
    −2.1) (percentage points, against the others on the same clusters and periods).
    """
    check_level(level)
    check_columns(counts.cells[["entity", *counts.by]], [by, *within])
    entity = None if entity is None else find_entity(counts.panel, entity)
    read_counts(counts.panel, counts.outcome, entity=entity, level=level)
    name = counts.name(by)
    settings = {
        "outcome": counts.outcome, "entity_kind": counts.panel.entity, "entity": entity, "by": by,
        "within": list(within), "level": level, "freq": counts.panel.freq, "sampling": counts.panel.sampling,
        "draws": draws, "seed": seed,
    }  # fmt: skip
    unripe = leave_preliminary(counts.panel, counts.outcome, None, maturity, estimand="level", method="laboratories")
    if counts.missing.zh or unripe is not None:
        return _leave(counts, name, settings, counts.missing if counts.missing.zh else PRELIMINARY)
    parted = part_preliminary(counts.panel, counts.outcome, entity=None, maturity=maturity)
    rows = _window(counts, parted.panel, first, last)
    unnamed = float(rows.loc[rows[by] == UNKNOWN, "n"].sum())
    rows = rows[(rows[by] != UNKNOWN) & (rows["n"] > 0)]
    if rows.empty:
        return _leave(counts, name, settings, few_laboratories(name))
    firms = rows[FIRM] if counts.has_firms else None
    stratum = rows.groupby(["entity", "period", *within]).ngroup()
    n, k, who = rows["n"], rows["k"], rows[by]
    found = _compare(rows, who, stratum, firms, level=level, draws=draws, seed=seed)
    if found is None:
        return _leave(counts, name, settings, few_laboratories(name))
    leads = decompose_leads(n, k, who, rows["entity"], rows["period"], found, firms=firms, level=level)
    estimates = _estimates(found, leads, level, int(n.sum()), None if firms is None else int(firms.nunique()))
    settings |= {
        "first": periods.code(rows["period"].min()), "last": periods.code(rows["period"].max()),
        "statistic": found.statistic, "df": found.df,
    }  # fmt: skip
    return Result(
        estimand="level",
        outcome=spread_of(counts.indicator, name),
        unit=difference_unit(counts.indicator.unit),
        method="laboratories",
        estimates=estimates,
        subject=EVERYBODY.get(counts.panel.entity, Text("全部对象", "all entities")),
        tables={"laboratories": _laboratories(found, rows, by, level), "leads": _leads(leads, rows)},
        checks=(check_alike(found, name), *_checks(found, name, unnamed), *parted.checks),
        notes=(*notes_of(counts.panel, counts.indicator, "one"), NOT_DRAWN.format(name=name), POOLED_TOWARDS),
        settings=settings,
        sources=counts.panel.sources,
        coverage=counts.panel.coverage_of(counts.outcome),
        labels={"later": later_words(found, estimates, counts, name, entity, level)},
    )


def _leave(counts: GroupCounts, name: Text, settings: Mapping[str, object], why: Text) -> Result:
    """Return a comparison of laboratories without an estimate that says why there is none."""
    said = Text(
        "各{name}对{outcome}的判定是否不同，这里没有比较：{why}。",
        "Whether the {outcome} depends on who tested is not looked into ({name}): {why}.",
    )
    return Result(
        estimand="level",
        outcome=spread_of(counts.indicator, name),
        unit=difference_unit(counts.indicator.unit),
        method="laboratories",
        estimates=(),
        subject=EVERYBODY.get(counts.panel.entity, Text("全部对象", "all entities")),
        notes=notes_of(counts.panel, counts.indicator, "one"),
        settings=settings,
        sources=counts.panel.sources,
        coverage=counts.panel.coverage_of(counts.outcome),
        labels={"unanswered": Text("未作比较", "Not compared")},
        unanswered=said.format(name=name, outcome=counts.indicator.label, why=why),
    )


def _window(
    counts: GroupCounts, ripe: Panel, first: str | pd.Period | None, last: str | pd.Period | None
) -> pd.DataFrame:
    """Return the counts inside a window, without preliminary periods."""
    rows = counts.cells
    rows = rows[pd.MultiIndex.from_frame(rows[["entity", "period"]]).isin(ripe.data.index)]
    if first is not None:
        rows = rows[rows["period"] >= parse_period(first, counts.panel.freq)]
    if last is not None:
        rows = rows[rows["period"] <= parse_period(last, counts.panel.freq)]
    return rows


def _compare(
    rows: pd.DataFrame, who: pd.Series, stratum: pd.Series, firms: pd.Series | None, *, level: float, draws: int,
    seed: int,
) -> LaboratoryDifferences | None:  # fmt: skip
    """Return how laboratories differ; None where too few can be compared."""
    if rows.empty:
        return None
    try:
        return compare_laboratories(
            rows["n"], rows["k"], who, stratum, firms=firms, level=level, draws=draws, seed=seed
        )
    except DataError as error:
        if error.code != "QB591":
            raise
        return None


def _estimates(
    found: LaboratoryDifferences, leads: pd.DataFrame, level: float, n: int, n_firms: int | None
) -> tuple[Estimate, ...]:
    value, low, high = (100 * x for x in found.spread)
    whole = Estimate(
        term="spread", value=value, ci_low=low, ci_high=high, ci_level=level, p_value=found.p_value, n_obs=n,
        n_clusters=n_firms,
    )  # fmt: skip
    estimates = [whole]
    for row in found.table[found.linked].to_dict("records"):
        estimates.append(_estimate("laboratory", str(row["laboratory"]), row, "", level))
    for row in leads.to_dict("records"):
        for part in PARTS:
            if np.isfinite(row[part]):
                estimates.append(_estimate(part, str(row["entity"]), row, part, level))
    return tuple(estimates)


def _estimate(term: str, who: str, row: Mapping[Hashable, Any], part: str, level: float) -> Estimate:
    value, low, high = (part, f"{part}_low", f"{part}_high") if part else ("value", "low", "high")
    return Estimate(
        term=term,
        key={"entity" if part else "laboratory": who},
        value=100 * float(row[value]),
        ci_low=100 * float(row[low]),
        ci_high=100 * float(row[high]),
        ci_level=level,
        n_obs=int(row["n"]),
    )


def _laboratories(found: LaboratoryDifferences, rows: pd.DataFrame, by: str, level: float) -> pd.DataFrame:
    table, half = found.table, float(norm.ppf((1 + level) / 2)) * found.table["raw_error"]
    told = pd.DataFrame(
        {
            "laboratory": table["laboratory"],
            "n": table["n"].astype("int64"),
            "k": table["k"].astype("int64"),
            "rate_pct": 100 * table["rate"],
            "n_shared": table["n_shared"].astype("int64"),
            "raw_pp": 100 * table["raw"],
            "raw_low": 100 * (table["raw"] - half),
            "raw_high": 100 * (table["raw"] + half),
            "value_pp": 100 * table["value"],
            "ci_low": 100 * table["low"],
            "ci_high": 100 * table["high"],
        }
    )
    return _add_firms(told, rows, by, "laboratory")


def _leads(leads: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    told = pd.DataFrame({"entity": leads["entity"], "n": leads["n"].astype("int64")})
    for part in PARTS:
        told[f"{part}_pp"] = 100 * leads[part]
        told[f"{part}_low"], told[f"{part}_high"] = 100 * leads[f"{part}_low"], 100 * leads[f"{part}_high"]
    # of a lead that may be none there is no share
    is_lead = (leads["lead_low"] > 0) | (leads["lead_high"] < 0)
    told["explained_share_pct"] = (100 * leads["explained"] / leads["lead"]).where(is_lead)
    return _add_firms(told, rows, "entity", "entity")


def _add_firms(told: pd.DataFrame, rows: pd.DataFrame, column: str, name: str) -> pd.DataFrame:
    if FIRM not in rows:
        return told
    firms = rows.groupby(column)[FIRM].nunique().reindex(told[name])
    return told.assign(n_firms=firms.to_numpy(dtype=np.int64))


def _checks(found: LaboratoryDifferences, name: Text, unnamed: float) -> list[CheckResult]:
    n = float(found.table["n"].sum())
    shared = float(found.table.loc[found.linked, "n_shared"].sum()) / n
    shown = percent(100 * shared)
    passed = None if shared >= LEAST_SHARED else False
    text = Text(
        f"{shown} 的批次在有其他{name.zh}可比的单元里；其余不参与比较。",
        f"{shown} of the batches have another {name.en} beside theirs; the others do not enter the comparison.",
    )
    checks = [CheckResult(name="shared_strata", passed=passed, text=text)]
    if not found.linked.all():
        apart = int((~found.linked).sum())
        text = Text(
            f"有 {count(apart)} 个{name.zh}与其他的没有共同单元，无法比较。",
            f"{count(apart)} shared no cluster and period with the rest and cannot be compared.",
        )
        checks.append(CheckResult(name="all_linked", passed=False, text=text))
    if unnamed:
        text = Text(
            f"{count(int(unnamed))} 批没有{name.zh}记录，未计入。",
            f"{count(int(unnamed))} batches have no {name.en} on record and were left out.",
        )
        checks.append(CheckResult(name="named", passed=False if unnamed > 0.05 * (n + unnamed) else None, text=text))
    return checks
