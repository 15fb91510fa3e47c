"""How many draws to spend on finding problems, how many on measuring: every share of a budget, never one number."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from qbase.core.errors import UsageError
from qbase.core.given import read_number, read_whole
from qbase.core.numbers import count, number, percent
from qbase.core.results.result import Result
from qbase.core.text import Text, join, same
from qbase.core.values import CheckResult, Estimate, Indicator
from qbase.planning.allocating.planned_draws import plan_draws
from qbase.planning.allocating.sampling_strata import Strata
from qbase.stats.design.design_intervals import design_interval

Floats = NDArray[np.float64]

SHARES = (0.0, 0.2, 0.4, 0.6, 0.8)
FOUND = Indicator(
    id="plan.found", name=Text("预计发现的不合格批次", "failed batches expected to be found"), unit="batch",
    better="up", role="context",
)  # fmt: skip
APART = Text(
    "定向检查找到的不合格不能用来算合格率；随机抽取的批次也会查出不合格，已计入。",
    "What directed visits find says nothing of a pass rate; random draws find failures as well, and they are counted.",
)
RISKS = Text(
    "定向检查的预计数来自走访名单的风险：每家一批，从风险最高的企业起。",
    "What directed visits find is expected from the risks of the visit list: one batch a firm, the riskiest first.",
)


def plan_frontier(
    strata: Strata,
    watchlist: Result,
    *,
    budget: int,
    shares: Iterable[float] = SHARES,
    level: float = 0.95,
) -> Result:
    """Plan how a budget of batches is parted between visits to the riskiest firms and random draws.

    Parameters
    ----------
    strata : Strata
        Of `read_strata`: what random draws measure.
    watchlist : Result
        Of `qbase.trends.estimate_watchlist` or `read_watchlist`, with a large share of the firms.
    budget : int
        Batches in all; a batch costs the same wherever it is taken.
    shares : iterable of float
        Of the budget given to visits, 0 to below 1. Left out are those that leave fewer batches than there are strata,
        or ask for more firms than are listed.
    level : float
        Of the intervals.

    Returns
    -------
    Result
        Estimand ``level`` in batches: term ``found`` with key ``share_pct``, the failed batches expected with the
        interval of what chance makes of them. Table ``frontier``: share_pct, visits, draws, found with found_low and
        found_high, half_width_pp (mean over entities, of the interval at the expected rate) and worst_pp. Nothing is
        recommended.

    Raises
    ------
    UsageError
        Budget or shares are none (QB629).
    DataError
        No share leaves enough for the strata (QB624).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.planning import plan_frontier, read_strata
    >>> from qbase.trends import read_watchlist
    >>> home = open_workspace()
    >>> found = plan_frontier(read_strata(home), read_watchlist(home, share=0.9), budget=500, shares=[0, 0.4])
    >>> found.tables["frontier"][["share_pct", "visits", "draws"]].values.tolist()
    [[0.0, 0.0, 500.0], [40.0, 200.0, 300.0]]
    """
    parts = _read_shares(budget, shares)
    risks = _risks(watchlist)
    some = [s for s in parts if _is_enough(strata, risks, round(s * budget), budget - round(s * budget))]
    # where nothing is left, the plan of random draws alone tells the smallest budget
    rows = [_row(strata, risks, s, budget, level) for s in some or [0.0]]
    table = pd.DataFrame(rows)
    return Result(
        estimand="level",
        outcome=FOUND,
        unit="batch",
        method="frontier",
        estimates=tuple(_estimate(row, level) for row in rows),
        subject=Text(f"{count(budget)} 批的预算", f"a budget of {count(budget)} batches"),
        tables={"frontier": table},
        checks=(*(c for c in watchlist.checks if c.name in {"calibration", "gain"}), _check_left(parts, table)),
        notes=(APART, RISKS),
        settings={"budget": budget, "shares": list(parts), "level": level, "outcome": strata.outcome},
        sources=tuple(dict.fromkeys((*strata.sources, *watchlist.sources))),
        coverage=watchlist.coverage,
        labels={"said[found]": _say(table, budget, level)},
    )


def _read_shares(budget: int, shares: Iterable[float]) -> tuple[float, ...]:
    given = list(shares)
    whole, parts = read_whole(budget), [read_number(s) for s in given]
    if whole is None or whole < 1:
        raise UsageError("QB629", found=f"budget={budget!r}", expected="batches, 1 or more", fix="budget=600")
    if not parts or any(s is None or not 0 <= s < 1 for s in parts):
        found = ", ".join(map(repr, given)) or "none"
        raise UsageError("QB629", found=f"shares: {found}", expected="0 to below 1", fix="shares=[0, 0.25, 0.5]")
    return tuple(sorted({float(s) for s in parts if s is not None}))


def _risks(watchlist: Result) -> Floats:
    listed = watchlist.tables.get("watchlist", pd.DataFrame({"risk_pct": []}))
    return np.sort(listed["risk_pct"].to_numpy(dtype=float))[::-1] / 100


def _batches_per_firm(strata: Strata, draws: int) -> int:
    """Return one batch of each firm, and more of each only where there are too few firms for the draws."""
    return max(1, math.ceil(draws / int(strata.data["n_firms"].sum())))


def _is_enough(strata: Strata, risks: Floats, visits: int, draws: int) -> bool:
    return visits <= len(risks) and draws >= len(strata.data) * _batches_per_firm(strata, draws)


def _row(strata: Strata, risks: Floats, share: float, budget: int, level: float) -> dict[str, float]:
    visits = round(share * budget)
    each = _batches_per_firm(strata, budget - visits)
    how = {"cost_per_firm": 0.0, "cost_per_batch": 1.0, "batches_per_firm": each, "least_firms": 1, "level": level}
    plan = plan_draws(strata, budget=budget - visits, **how)  # type: ignore[arg-type]
    drawn = plan.tables["allocation"]["batches"].to_numpy(dtype=float)
    own, fails = risks[:visits], 1 - strata.rates
    found = float(own.sum() + drawn @ fails)
    spread = float(np.sqrt((own * (1 - own)).sum() + drawn @ (fails * (1 - fails))))
    z = float(norm.isf((1 - level) / 2))
    precision = plan.tables["precision"]
    rate, n_eff = (precision[c].to_numpy(dtype=float) for c in ("rate_pct", "n_eff"))
    low, high = design_interval(rate / 100, n_eff, level=level, method="jeffreys")
    half = 50 * (high - low)
    return {
        "share_pct": 100 * share,
        "visits": float(visits),
        "draws": float(drawn.sum()),
        "found": found,
        "found_low": max(found - z * spread, 0.0),
        "found_high": found + z * spread,
        "half_width_pp": float(half.mean()),
        "worst_pp": float(half.max()),
    }


def _estimate(row: dict[str, float], level: float) -> Estimate:
    return Estimate(
        term="found",
        key={"share_pct": row["share_pct"]},
        value=row["found"],
        ci_low=row["found_low"],
        ci_high=row["found_high"],
        ci_level=level,
        n_obs=int(row["visits"] + row["draws"]),
        uncertainty="model",
    )


def _check_left(parts: tuple[float, ...], table: pd.DataFrame) -> CheckResult:
    left = [s for s in parts if 100 * s not in set(table["share_pct"])]
    shown = join([same(percent(100 * s, 0)) for s in left], zh="、", en=", ")
    text = Text("每一种分法都够每层至少抽一家。", "Every share leaves a draw for each stratum.")
    if left:
        text = Text(
            f"{shown.zh} 给定向检查未列：名单上的企业不够，或剩下的批次不够每层抽一家。",
            f"{shown.en} for visits is left out: too few firms are listed, or a stratum would be left undrawn.",
        )
    return CheckResult(name="frontier_strata", passed=None if left else True, text=text)


def _say(table: pd.DataFrame, budget: int, level: float) -> Text:
    """Name the ends and the middle of what was looked at; none of them is recommended."""
    some = table.iloc[sorted({0, len(table) // 2, len(table) - 1})].to_dict("records")
    said = [
        Text(
            f"{percent(r['share_pct'], 0)} 用于定向检查时，预计查出 {number(r['found'], 0)} 批不合格"
            f"（{number(r['found_low'], 0)}～{number(r['found_high'], 0)}），各集群合格率平均测准到 "
            f"±{number(r['half_width_pp'], 1)} 个百分点",
            f"with {percent(r['share_pct'], 0)} for visits {number(r['found'], 0)} failed batches are expected "
            f"({number(r['found_low'], 0)}–{number(r['found_high'], 0)}) and rates of clusters are known within "
            f"±{number(r['half_width_pp'], 1)} points on average",
        )
        for r in some
    ]
    listed = join(said, zh="；", en="; ")
    return Text(
        f"{count(budget)} 批的预算：{listed.zh}（{percent(100 * level, 0)} 区间）。怎么分是取舍，不是计算。",
        f"Of a budget of {count(budget)} batches: {listed.en} ({percent(100 * level, 0)} intervals). How to part it is "
        "a choice, not a calculation.",
    )
