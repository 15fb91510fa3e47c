"""What a joint test of the leads can see: the straight drift it finds with a given power."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from qbase.effects.comparison.outcome_grid import Floats

POWER = 0.8
TEST_LEVEL = 0.05
"""A test of the leads rejects at this p value; one that cannot reach it is none."""
FLAT = 1e-8
"""Directions with less than this share of the largest variance are without noise, as in the test itself."""
DOUBLINGS = 60


def placebo_slope(drawn: Floats, line: Floats, *, power: float = POWER) -> float | None:
    """Return the drift that the joint F of permuted histories rejects in a share ``power`` of them.

    Parameters
    ----------
    drawn : numpy.ndarray, shape (A, q)
        Leads of placebos: how they vary where nothing drifts.
    line : numpy.ndarray, shape (q,)
        Leads under a drift of one a period.
    power : float

    Returns
    -------
    float or None
        None where the leads do not see a drift, or no placebo has all of them.

    References
    ----------
    Roth, J. (2022). Pretest with caution: event-study estimates after testing for parallel trends. AER: Insights 4.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.effects.doubt.lead_power import placebo_slope
    >>> drawn = np.random.default_rng(5).standard_normal((4000, 1))
    >>> round(placebo_slope(drawn, np.array([-1.0])), 1)  # 1.96 + 0.84 standard errors
    2.8
    """
    rows = drawn[np.isfinite(drawn).all(axis=1)]
    if not len(rows) or not np.isfinite(line).all():
        return None
    noise = rows.T @ rows / len(rows)
    values, vectors = np.linalg.eigh(noise)
    solid = values > FLAT * values[-1]
    white = vectors[:, solid] / np.sqrt(values[solid])
    base, step = rows @ white, line @ white
    own, cross, squared = (base**2).sum(axis=1), base @ step, float(step @ step)
    needed = math.floor(TEST_LEVEL * (1 + len(rows)))
    if needed < 1 or squared <= 0:
        return None
    critical = np.sort(own)[-needed]

    def lacking(slope: float) -> float:
        return float((own + 2 * slope * cross + slope**2 * squared >= critical).mean()) - power

    return _smallest(lacking, 1 / math.sqrt(squared))


def normal_slope(vcov: Floats, line: Floats, *, df: float, power: float = POWER) -> float | None:
    """Return the drift that Hotelling's F of the leads rejects with a given power.

    Parameters
    ----------
    vcov : numpy.ndarray, shape (q, q)
        Covariance of the leads.
    line : numpy.ndarray, shape (q,)
        Leads under a drift of one a period.
    df : float
        Of the covariance.
    power : float

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.effects.doubt.lead_power import normal_slope
    >>> round(normal_slope(np.eye(1), np.array([-1.0]), df=500), 1)
    2.8
    """
    q = len(line)
    size = float(line @ np.linalg.pinv(vcov) @ line)
    if not size > 0 or df <= q:
        return None
    rest = df - q + 1
    critical = float(stats.f.isf(TEST_LEVEL, q, rest))

    def lacking(slope: float) -> float:
        return float(stats.ncf.sf(critical, q, rest, slope**2 * size)) - power

    return _smallest(lacking, 1 / math.sqrt(size))


def _smallest(lacking: Callable[[float], float], scale: float) -> float | None:
    """Return where a rising function crosses 0; a step function is crossed at one of its steps."""
    high = scale
    for _ in range(DOUBLINGS):
        if lacking(high) >= 0:
            return float(brentq(lacking, 0.0, high, xtol=1e-6 * scale, rtol=1e-6))
        high *= 2
    return None
