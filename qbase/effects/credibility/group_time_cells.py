"""Effects by cohort and period as a table with its doubt and its sample, and what no effect could be read from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.core.errors import PolicyError
from qbase.core.policy import Policy
from qbase.core.text import Text, join
from qbase.core.values import CheckResult
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.few_clusters import LEAST
from qbase.effects.doubt.path_statistics import sum_by_cluster
from qbase.effects.fitting.effect_options import read_count
from qbase.effects.fitting.group_time import Bools, GroupTime
from qbase.effects.fitting.path_fit import PathFit

LEADS = {"Q": 4, "H": 4, "A": 3}
LAGS = {"Q": 6, "H": 4, "A": 3}
COLUMNS = ("adopted", "period", "value", "std_error", "n_treated", "n_control", "sample")


def read_window(grid: OutcomeGrid, leads: int | None, lags: int | None) -> tuple[int, int]:
    """Return event times before and after the start that are shown.

    Raises
    ------
    UsageError
        No whole numbers, or none (QB519).
    """
    event = grid.event_time[grid.is_treated][np.isfinite(grid.y[grid.is_treated])]
    earliest, latest = int(-event.min(initial=0)), int(event.max(initial=0))
    before = min(LEADS[grid.freq], earliest) if leads is None else read_count("leads", leads, least=1)
    after = min(LAGS[grid.freq], latest) if lags is None else read_count("lags", lags)
    return before, after


def refuse_no_effect(policy: Policy, grid: OutcomeGrid, found: GroupTime, *, fix: str, partial: int = 0) -> None:
    """Raise when no cohort has an effect in any period, the first ``partial`` of each left aside.

    Raises
    ------
    PolicyError
        No cohort has a base period, or nobody is left to compare with (QB531).
    """
    event = np.arange(grid.n_periods)[None, :] - np.array(found.cohorts, dtype=int).reshape(-1, 1)
    if (np.isfinite(found.att) & (event >= partial)).any():
        return
    raise PolicyError(
        "QB531",
        policy=policy.policy_id,
        found=f"{int((~grid.is_treated).sum())} never treated, {len(found.cohorts)} cohorts with a base period"
        + (f", {partial} periods of each left out" if partial else ""),
        expected="a base period, and entities not treated to compare with",
        fix=fix,
    )


def check_cells_used(grid: OutcomeGrid, found: GroupTime) -> CheckResult:
    """Report what no effect could be read from (``cells_used``): gaps, entities and cohorts left out."""
    after = np.arange(grid.n_periods)[None, :] >= np.array(found.cohorts, dtype=int)[:, None]
    n_lost = int((after & ~np.isfinite(found.att)).sum())
    lost = [g for g in grid.cohorts if g not in found.cohorts]
    return told_check(
        [
            *left_out(grid),
            (len(lost), Text("没有基期的采用批次 {n} 个", "{n} cohorts without a base period")),
            (n_lost, Text("无人可比的采用批次·时期 {n} 个", "{n} cohort-periods with nobody to compare")),
        ]
    )


def check_cells_imputed(grid: OutcomeGrid, fit: PathFit) -> CheckResult:
    """Report what is in no effect (``cells_used``): gaps, entities without a base, cells without comparison."""
    lost = int((np.isfinite(grid.y) & (grid.event_time >= 0)).sum()) - int(fit.n_cells[0])
    words = Text("无法推算的已采用格 {n} 个", "{n} treated cells that cannot be imputed")
    return told_check([*left_out(grid), (lost, words)])


def left_out(grid: OutcomeGrid) -> list[tuple[int, Text]]:
    """Return how many rows and entities no grid holds, and words for them."""
    return [
        (grid.n_missing, Text("无结果值 {n} 行", "{n} rows without an outcome")),
        (len(grid.always_treated), Text("数据开始时已采用的 {n} 个", "{n} already treated when the data begin")),
    ]


def told_check(parts: list[tuple[int, Text]]) -> CheckResult:
    """Return the check ``cells_used`` from what was left out, the parts that are 0 untold."""
    told = [text.format(n=str(n)) for n, text in parts if n]
    if not told:
        return CheckResult(name="cells_used", passed=True, text=Text("没有舍去。", "Nothing was left out."))
    listed = join(told, zh="；", en="; ")
    return CheckResult(name="cells_used", passed=None, text=Text(f"舍去：{listed.zh}。", f"Left out: {listed.en}."))


def tabulate_cells(grid: OutcomeGrid, found: GroupTime, is_compared: Bools) -> pd.DataFrame:
    """Return effects by cohort and period.

    Parameters
    ----------
    grid : OutcomeGrid
    found : GroupTime
        Its effects.
    is_compared : numpy.ndarray of bool, shape (G, N, T)
        Who is compared with each cohort in each period.

    Returns
    -------
    pandas.DataFrame
        Columns adopted, period, value, std_error (clustered, factor G/(G − 1); none at the base and below three
        treated), n_treated, n_control, and sample: the same number where the same entities are compared with the same,
        so that values of two samples are not joined to one line.
    """
    rows: list[tuple[object, ...]] = []
    samples: dict[bytes, int] = {}
    for i, g in enumerate(found.cohorts):
        errors = _errors(grid, found, i)
        seen = np.isfinite(grid.y)
        for t in np.flatnonzero(np.isfinite(found.att[i])):
            own = np.packbits(seen[:, t] & (grid.start == g)).tobytes()
            key = own + np.packbits(seen[:, t] & is_compared[i, :, t]).tobytes()
            number = samples.setdefault(key, len(samples) + 1)
            has_error = errors[t] > 0 and found.n_treated[i, t] >= LEAST
            error = float(errors[t]) if has_error else np.nan
            counts = int(found.n_treated[i, t]), int(found.n_control[i, t])
            rows.append((grid.code_of(g), grid.code_of(int(t)), found.att[i, t], error, *counts, number))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _errors(grid: OutcomeGrid, found: GroupTime, i: int) -> Floats:
    """Return the clustered standard errors of a cohort's effects, shape (T,)."""
    shares = np.zeros((grid.n_periods, *found.att.shape))
    for t in np.flatnonzero(np.isfinite(found.att[i])):
        shares[t, i, t] = 1.0
    sums = sum_by_cluster(found.spread(shares), grid.cluster)
    return np.asarray(np.sqrt((sums**2).sum(axis=0) * len(sums) / (len(sums) - 1)), dtype=float)
