"""How well a list finds failures, on random draws it was not made from."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from qbase.stats.testing.false_discovery import false_discovery_q
from qbase.trends.watching.firm_features import quarter_of
from qbase.trends.watching.watch_tables import WatchTables

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HEAVIEST = 5.0
"""Times the mean weight: one draw from a hardly drawn cell must not carry the list."""

RANKS = {"A": 0.0, "B": 1.0, "C": 2.0, "D": 3.0}
"""Risk classes in force: the plan visits D first."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Hits:
    """Failure rates among those chosen, and their difference; shares.

    Parameters
    ----------
    listed, planned : float
        Among the firms the list chooses, and among those the plan in force would choose.
    overall : float
        Of all firms.
    gain : float
        ``listed`` less ``planned``.
    std_errors : tuple of four float
        Of listed, planned, overall and gain, by firm.
    """

    listed: float
    planned: float
    overall: float
    gain: float
    std_errors: tuple[float, float, float, float]


def weigh_draws(tables: WatchTables, drawn: pd.DataFrame) -> tuple[Floats, bool]:
    """Return weights of random draws, mean 1, and whether the sampling design is behind them.

    Recorded inclusion probabilities where every draw has one; else firms in the frame over draws, by cluster, year and
    risk class.

    Parameters
    ----------
    tables : WatchTables
        Its frame is read.
    drawn : pandas.DataFrame
        Random draws, columns of `WatchTables.draws`.
    """
    chance = drawn["inclusion_probability"].to_numpy(dtype=float)
    if len(drawn) and (chance > 0).all():
        weights, is_known = 1 / chance, np.ones(len(drawn), dtype=bool)
    else:
        weights, is_known = _frame_weights(tables, drawn)
    if not is_known.any():
        return np.ones(len(drawn)), False
    weights = np.where(is_known, weights, np.median(weights[is_known]))
    weights = np.minimum(weights, HEAVIEST * weights.mean())
    return weights / weights.mean(), bool(is_known.mean() > 0.9)


def _frame_weights(tables: WatchTables, drawn: pd.DataFrame) -> tuple[Floats, NDArray[np.bool_]]:
    cluster = drawn["firm_id"].map(tables.firms.drop_duplicates("firm_id").set_index("firm_id")["cluster_id"])
    cells = pd.DataFrame(
        {
            "cluster_id": cluster.to_numpy(dtype=object),
            "year": quarter_of(drawn["sample_date"]) // 4,
            "risk_class": drawn["risk_class"].to_numpy(dtype=object),
        }
    )
    frame = tables.frame.assign(year=tables.frame["quarter"].astype(str).str[:4].astype(float))
    held = frame.groupby(["cluster_id", "year", "risk_class"], as_index=False)["n_firms"].sum()
    n = cells.fillna("").groupby(["cluster_id", "year", "risk_class"])["year"].transform("size")
    firms = cells.merge(held, how="left", on=["cluster_id", "year", "risk_class"])["n_firms"].to_numpy(dtype=float)
    is_known = np.nan_to_num(firms) > 0
    return np.where(is_known, firms, 1.0) / n.to_numpy(dtype=float), is_known


def choose_top(score: Floats, weight: Floats, group: Ints, share: float) -> Floats:
    """Return how much of each row is among the top share of its group, 0 to 1; rows of one score share alike.

    Parameters
    ----------
    score, weight : numpy.ndarray, shape (n,)
        Higher comes first; weights above 0.
    group : numpy.ndarray of int, shape (n,)
        Quarters: each has its own visits.
    share : float
        Of the weight of each group.
    """
    rows = pd.DataFrame({"group": group, "score": -score, "weight": weight})
    tied = rows.groupby(["group", "score"], sort=True)["weight"].sum().reset_index()
    total = tied.groupby("group")["weight"].transform("sum")
    before = tied.groupby("group")["weight"].cumsum() - tied["weight"]
    tied["part"] = ((share * total - before) / tied["weight"]).clip(0, 1)
    part = rows.merge(tied[["group", "score", "part"]], on=["group", "score"], how="left")["part"]
    return np.asarray(part, dtype=float)


def compare_hits(failed: Floats, weight: Floats, firm: Ints, listed: Floats, planned: Floats) -> Hits:
    """Return the failure rates among those two rules choose, and the difference with its error by firm."""
    w = weight / weight.sum()
    rates, each = [], []
    for part in (listed, planned, np.ones_like(w)):
        total = float((w * part).sum())
        rates.append(float((w * part * failed).sum() / total))
        each.append(w * part * (failed - rates[-1]) / total)
    one, other, every, gain = (_error_by_firm(e, firm) for e in (*each, each[0] - each[1]))
    return Hits(
        listed=rates[0],
        planned=rates[1],
        overall=rates[2],
        gain=rates[0] - rates[1],
        std_errors=(one, other, every, gain),
    )


def calibrate(
    failed: Floats, risk: Floats, weight: Floats, firm: Ints, groups: dict[str, NDArray[np.object_]], *, level: float
) -> pd.DataFrame:
    """Return expected and observed failure rates by group, with q values of their differences.

    Parameters
    ----------
    failed, risk, weight, firm : numpy.ndarray, shape (n,)
        Of the draws of the validation.
    groups : dict
        Name -> value of each draw: size, town, new or old.
    level : float
        Of the intervals of the differences.

    Returns
    -------
    pandas.DataFrame
        Columns group, value, n, n_firms, expected_pct, observed_pct, gap_pp (observed less expected), ci_low, ci_high,
        p_value, q_value.
    """
    z = norm.isf((1 - level) / 2)
    rows = []
    for name, values in groups.items():
        for value in sorted({str(v) for v in values}):
            own = values.astype(str) == value
            w = weight[own] / weight[own].sum()
            gap = failed[own] - risk[own]
            mean = float((w * gap).sum())
            n_firms = len(np.unique(firm[own]))
            # the variance the list itself implies: in a small group that observed is a matter of luck
            error = max(_error_by_firm(w * (gap - mean), firm[own]), _implied_error(w, risk[own]))
            rows.append(
                {
                    "group": name,
                    "value": value,
                    "n": int(own.sum()),
                    "n_firms": n_firms,
                    "expected_pct": 100 * float((w * risk[own]).sum()),
                    "observed_pct": 100 * float((w * failed[own]).sum()),
                    "gap_pp": 100 * mean,
                    "ci_low": 100 * (mean - z * error),
                    "ci_high": 100 * (mean + z * error),
                    "p_value": float(2 * norm.sf(abs(mean) / error)) if error > 0 else np.nan,
                }
            )
    table = pd.DataFrame(rows)
    return table.assign(q_value=false_discovery_q(table["p_value"].to_numpy(dtype=float)))


def _implied_error(w: Floats, risk: Floats) -> float:
    return float(np.sqrt((w**2 * risk * (1 - risk)).sum()))


def _error_by_firm(each: Floats, firm: Ints) -> float:
    """Return the standard error of a sum whose terms belong to firms."""
    _, code = np.unique(firm, return_inverse=True)
    sums = np.bincount(code, weights=each)
    g = len(sums)
    return float(np.sqrt(g / (g - 1) * ((sums - sums.mean()) ** 2).sum())) if g > 1 else 0.0
