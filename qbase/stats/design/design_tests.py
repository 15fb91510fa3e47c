"""Tests of the sampling design on cells: random against directed draws, fractions drawn of each class."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
from scipy.special import chdtrc, ndtri, stdtrit

from qbase.core.text import Text
from qbase.stats.design.design_weights import Floats, Ints, relative_rates

UNTESTABLE = Text("依赖不可检验假设", "rests on an assumption the data cannot test")

POWER = 0.8
FEW_ENTITIES = 10
"""With fewer, the spread between entities is too poorly known and the binomial formula serves."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difference:
    """Pass rate of random minus directed draws of the same strata, in percentage points.

    Parameters
    ----------
    value, std_error : float
        Of the difference.
    critical : float
        Quantile of its test.
    detectable_pp : float
        Difference found with 80 % probability.
    n_random, n_directed : int
        Draws in strata that hold both.

    Examples
    --------
    >>> from qbase.stats import Difference
    >>> gap = Difference(value=3.1, std_error=1.2, critical=1.96, detectable_pp=3.4, n_random=640, n_directed=310)
    >>> half = gap.critical * gap.std_error
    >>> round(gap.value - half, 1), round(gap.value + half, 1), gap.differs
    (0.7, 5.5, True)
    """

    value: float
    std_error: float
    critical: float
    detectable_pp: float
    n_random: int
    n_directed: int

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference excludes 0."""
        return abs(self.value) > self.critical * self.std_error


def compare_draws(cells: pd.DataFrame, *, level: float = 0.95) -> Difference | None:
    """Compare random with directed draws within entity, period and stratum (Mantel-Haenszel difference).

    Parameters
    ----------
    cells : pandas.DataFrame
        Columns entity, period, stratum, sampling (random or directed), n, k.
    level : float
        Confidence level.

    Returns
    -------
    Difference or None
        None when no stratum holds both. The standard error is between entities; with fewer than ten of them
        Sato's, which stays valid for strata of one or two draws.

    References
    ----------
    Sato, T. (1989). On the variance estimator for the Mantel-Haenszel risk difference. Biometrics 45, 1323-1324.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.stats import compare_draws
    >>> cells = pd.DataFrame({"entity": "K001", "period": ["2024Q1", "2024Q1", "2024Q2", "2024Q2"], "stratum": "B"})
    >>> cells = cells.assign(sampling=["random", "directed"] * 2, n=[60, 40, 50, 30], k=[57, 34, 46, 25])
    >>> found = compare_draws(cells)
    >>> f"{found.value:+.1f} pp, standard error {found.std_error:.1f}; differs: {found.differs}"
    '+9.4 pp, standard error 4.2; differs: True'
    """
    entities, (n1, k1, n0, k0) = _beside(cells)
    both = n1 * n0 / np.maximum(n1 + n0, 1)
    if both.sum() == 0:
        return None
    gap = (k1 * n0 - k0 * n1) / (n1 + n0)
    value = float(gap.sum() / both.sum())
    count = len(np.unique(entities))
    error = math.sqrt(_sato(value, n1, k1, n0, k0)) / both.sum()
    critical = float(ndtri(0.5 + level / 2))
    if count >= FEW_ENTITIES:
        score = np.bincount(entities, gap - value * both)[np.unique(entities)]
        error = math.sqrt(count / (count - 1) * float((score**2).sum())) / both.sum()
        critical = float(stdtrit(count - 1, 0.5 + level / 2))
    return Difference(
        value=100 * value,
        std_error=100 * max(error, 1e-9),
        critical=critical,
        detectable_pp=100 * error * (critical + float(ndtri(POWER))),
        n_random=int(n1.sum()),
        n_directed=int(n0.sum()),
    )


def _beside(cells: pd.DataFrame) -> tuple[Ints, tuple[Floats, ...]]:
    """Return strata that hold both ways of drawing: the number of the entity; n, k random; n, k directed."""
    key, entity = np.zeros(len(cells), dtype=np.int64), np.empty(0, dtype=np.int64)
    for name in ("entity", "period", "stratum"):
        codes, names = pd.factorize(cells[name], sort=True)
        key = key * (len(names) + 1) + codes
        entity = entity if len(entity) else codes
    order = np.argsort(key, kind="stable")
    begins = np.flatnonzero(np.diff(key[order], prepend=-1))
    is_random = (cells["sampling"] == "random").to_numpy()[order]
    sums: list[Floats] = []
    for way in (is_random, ~is_random):
        parts = [way.astype(float), *(np.where(way, cells[c].to_numpy(dtype=float)[order], 0.0) for c in ("n", "k"))]
        sums += [np.add.reduceat(part, begins) if len(begins) else part for part in parts]
    both = (sums[0] > 0) & (sums[3] > 0)
    return entity[order][begins][both], tuple(sums[i][both] for i in (1, 2, 4, 5))


def _sato(value: float, n1: Floats, k1: Floats, n0: Floats, k0: Floats) -> float:
    total = n1 + n0
    p = (n0**2 * k1 - n1**2 * k0 + n1 * n0 * (n0 - n1) / 2) / total**2
    q = (k1 * (n0 - k0) + k0 * (n1 - k1)) / (2 * total)
    return max(float(value * p.sum() + q.sum()), 0.0)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ClassFractions:
    """How random draws fell on the risk classes.

    Parameters
    ----------
    rates : numpy.ndarray, shape (H,)
        Fraction drawn relative to the mean.
    p_value : float
        Of equal fractions.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import ClassFractions
    >>> found = ClassFractions(rates=np.array([0.5, 0.9, 2.1]), p_value=0.0004)  # risk classes A, B and C
    >>> f"class C was drawn {found.rates[2] / found.rates[0]:.1f} times as densely as class A, p = {found.p_value}"
    'class C was drawn 4.2 times as densely as class A, p = 0.0004'
    """

    rates: Floats
    p_value: float


def compare_fractions(drawn: Floats, frame: Floats) -> ClassFractions:
    """Test whether random draws took the same fraction of every class.

    Parameters
    ----------
    drawn, frame : numpy.ndarray, shape (R, H)
        Random draws and firms by cluster-period and class.

    Returns
    -------
    ClassFractions
        Score test: draws of a row fall on classes in proportion to their firms.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import compare_fractions
    >>> drawn = np.array([[6.0, 6.0, 4.0], [4.0, 5.0, 3.0]])  # random draws of two cluster-quarters by risk class
    >>> frame = np.array([[60.0, 45.0, 20.0], [50.0, 40.0, 15.0]])  # their firms
    >>> found = compare_fractions(drawn, frame)
    >>> found.rates.round(2), round(found.p_value, 3)
    (array([0.77, 1.07, 1.54]), 0.267)
    """
    used = (drawn.sum(1) > 0) & (frame.sum(1) > 0)
    n, size = drawn[used], frame[used]
    share = size / np.maximum(size.sum(1, keepdims=True), 1e-12)
    total = n.sum(1)
    score = (n - total[:, None] * share).sum(0)
    covariance = np.diag(total @ share) - share.T @ (share * total[:, None])
    rank = int(np.linalg.matrix_rank(covariance, hermitian=True)) if used.any() else 0
    statistic = float(score @ np.linalg.pinv(covariance, hermitian=True) @ score) if rank else 0.0
    p = float(chdtrc(rank, statistic)) if rank else 1.0
    return ClassFractions(rates=relative_rates(drawn, frame), p_value=p)
