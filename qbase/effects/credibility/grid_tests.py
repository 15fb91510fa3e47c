"""The average effect of any estimator on a grid with its clustered test: what the checks of this room compare."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import stats

from qbase.core.numbers import interval, number
from qbase.core.results.sentences import say_p
from qbase.core.text import Text
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.path_fit import Estimator, clustered_vcov

LEVEL = 0.05
"""A check fails where its two-sided test rejects at this level."""
LEAST_TREATED = 3


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tested:
    """An average with its test.

    Parameters
    ----------
    value, std_error, p_value : float
        NaN where nothing could be estimated, or too few stand behind it for an error.
    df : float
    n_treated : int
    """

    value: float
    std_error: float
    df: float
    n_treated: int

    @property
    def p_value(self) -> float:
        """Two-sided, against 0."""
        return float(2 * stats.t.sf(abs(self.value / self.std_error), self.df)) if self.std_error > 0 else float("nan")

    @property
    def is_known(self) -> bool:
        """Whether there is a test at all."""
        return bool(np.isfinite(self.p_value))

    @property
    def rejects(self) -> bool:
        """Whether it rejects 0."""
        return self.is_known and self.p_value < LEVEL

    def say(self) -> Text:
        """Return value, interval and p value: ``+1.2 (95% CI −0.4 to 2.8, p = 0.13)``."""
        if not self.is_known:
            return Text("无法估计", "cannot be estimated")
        half = self.std_error * float(stats.t.ppf(0.975, self.df))
        span, p = interval(self.value - half, self.value + half), say_p(self.p_value)
        shown = number(self.value, 1, sign=True)
        return Text(f"{shown}（95% CI {span.zh}，{p.zh}）", f"{shown} (95% CI {span.en}, {p.en})")


def measure_att(grid: OutcomeGrid, estimator: Estimator) -> Tested:
    """Return the average effect of an estimator on a grid, clustered as the grid says, with t(G − 1)."""
    treated = int(grid.is_treated.sum())
    if not treated:
        return Tested(value=np.nan, std_error=np.nan, df=1.0, n_treated=0)
    fit = estimator(grid)
    value, groups = float(fit.beta[0]), int(grid.cluster.max()) + 1
    if groups < 2 or treated < LEAST_TREATED or not np.isfinite(value):
        return Tested(value=value, std_error=np.nan, df=1.0, n_treated=treated)
    error = float(np.sqrt(clustered_vcov(fit, grid.cluster)[0, 0]))
    return Tested(value=value, std_error=error, df=float(groups - 1), n_treated=treated)


def measure_difference(treated: Floats, others: Floats) -> Tested:
    """Return the difference of two means of entities, with the pooled variance of both."""
    one, two = treated[np.isfinite(treated)], others[np.isfinite(others)]
    n1, n2 = len(one), len(two)
    if not n1 or n2 < 2:
        return Tested(value=np.nan, std_error=np.nan, df=1.0, n_treated=n1)
    squares = ((one - one.mean()) ** 2).sum() + ((two - two.mean()) ** 2).sum()
    error = float(np.sqrt(squares / (n1 + n2 - 2) * (1 / n1 + 1 / n2)))
    return Tested(value=float(one.mean() - two.mean()), std_error=error, df=float(n1 + n2 - 2), n_treated=n1)


def measure_mean(values: Floats) -> Tested:
    """Return the mean over entities with its t test."""
    seen = values[np.isfinite(values)]
    if len(seen) < LEAST_TREATED:
        value = float(seen.mean()) if len(seen) else np.nan
        return Tested(value=value, std_error=np.nan, df=1.0, n_treated=len(seen))
    error = float(seen.std(ddof=1) / np.sqrt(len(seen)))
    return Tested(value=float(seen.mean()), std_error=error, df=float(len(seen) - 1), n_treated=len(seen))


def with_outcome(grid: OutcomeGrid, y: Floats) -> OutcomeGrid:
    """Return the grid with another outcome in place of its own, which counts nothing."""
    return dataclasses.replace(grid, y=y, n=None, k=None)


def row_means(values: Floats) -> Floats:
    """Return the mean of what is known of each row; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan), dtype=float)
