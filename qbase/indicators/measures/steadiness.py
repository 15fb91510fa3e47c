"""How steady a pass rate is from quarter to quarter: spread beyond sampling noise, Laney's p-prime chart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, expit, gammaincinv, gammaln, logit

Floats = NDArray[np.float64]

D2 = 1.128
"""Expected range of two standard normal values."""

_SPREADS = np.concatenate([[0.0], np.geomspace(0.002, 0.35, 48)])
_OFFSETS = np.linspace(-3, 3, 41)


def spread(k: Floats, n: Floats, *, level: float = 0.95) -> tuple[float, float, float]:
    """Return the standard deviation of the true rate over periods, with a profile-likelihood interval.

    Counts are beta-binomial; the mean is profiled out on a grid.

    Parameters
    ----------
    k, n : numpy.ndarray, shape (periods,)
        Passes and inspections; every n is above 0.
    level : float
        Confidence level.

    Returns
    -------
    value, low, high : float
        As shares. Low is 0 where the counts are compatible with a constant rate.

    References
    ----------
    Griffiths, D. A. (1973). Maximum likelihood estimation for the beta-binomial distribution. Biometrics 29, 637-648.
    """
    profile = _profile(k, n)
    top = int(np.argmax(profile))
    value = _peak(profile, top)
    inside = 2 * (profile.max() - profile) <= 2 * gammaincinv(0.5, level)
    first, last = int(np.argmax(inside)), len(inside) - 1 - int(np.argmax(inside[::-1]))
    low = _SPREADS[max(first - 1, 0)] if first > 0 else 0.0
    high = _SPREADS[min(last + 1, len(_SPREADS) - 1)]
    return value, min(low, value), max(high, value)


def _profile(k: Floats, n: Floats) -> Floats:
    pooled = (k.sum() + 0.5) / (n.sum() + 1)
    mean = expit(logit(pooled) + _OFFSETS)[:, None]
    with np.errstate(divide="ignore"):
        size = mean * (1 - mean) / _SPREADS[None, 1:] ** 2 - 1
    possible = size > 1e-6
    safe = np.where(possible, size, 1.0)
    a, b = mean * safe, (1 - mean) * safe
    mixed = (betaln(a[..., None] + k, b[..., None] + n - k)).sum(axis=-1) - len(n) * betaln(a, b)
    constant = (k * np.log(mean) + (n - k) * np.log1p(-mean)).sum(axis=1)
    choose = (gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)).sum()
    whole = np.column_stack([constant, np.where(possible, mixed, -np.inf)]) + choose
    best: Floats = whole.max(axis=0)
    return best


def _peak(profile: Floats, top: int) -> float:
    if not 1 < top < len(profile) - 1 or not np.isfinite(profile[top - 1 : top + 2]).all():
        return float(_SPREADS[top])
    left, middle, right = profile[top - 1 : top + 2]
    curve = left - 2 * middle + right
    shift = 0.5 * (left - right) / curve if curve < 0 else 0.0
    return float(_SPREADS[top] * (_SPREADS[top + 1] / _SPREADS[top]) ** shift)


def sigma_z(k: Floats, n: Floats) -> float:
    """Return Laney's sigma_Z: 1 when rates vary as a binomial would, above 1 when they vary more.

    Returns
    -------
    float
        nan when every batch passed or every batch failed.

    References
    ----------
    Laney, D. B. (2002). Improved control charts for attributes. Quality Engineering 14, 531-537.
    """
    mean = k.sum() / n.sum()
    if mean in (0.0, 1.0) or len(n) < 2:
        return float("nan")
    z = (k / n - mean) / np.sqrt(mean * (1 - mean) / n)
    return float(np.mean(np.abs(np.diff(z))) / D2)


def inside_laney(k: Floats, n: Floats) -> NDArray[np.bool_]:
    """Return which periods lie inside the three-sigma limits of Laney's p-prime chart; all, where no rate varies."""
    scale = sigma_z(k, n)
    if np.isnan(scale):
        return np.ones(len(n), dtype=bool)
    mean = k.sum() / n.sum()
    half = 3 * np.sqrt(mean * (1 - mean) / n) * scale
    inside: NDArray[np.bool_] = np.abs(k / n - mean) <= half
    return inside
