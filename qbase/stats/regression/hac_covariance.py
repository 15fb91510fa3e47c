"""Least squares on one series, with errors that may resemble those of the periods before (Newey and West 1987)."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class SeriesFit:
    """Coefficients of least squares with a covariance that allows for serial correlation.

    Parameters
    ----------
    beta : numpy.ndarray, shape (K,)
        Coefficients.
    vcov : numpy.ndarray, shape (K, K)
        Their covariance.
    residuals : numpy.ndarray, shape (n,)
        In order of time; 0 in a period without a value.
    lags : int
        Periods over which errors may be alike.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import SeriesFit
    >>> SeriesFit(beta=np.array([1.5]), vcov=np.array([[0.04]]), residuals=np.zeros(9), lags=1).std_errors
    array([0.2])
    """

    beta: Floats
    vcov: Floats
    residuals: Floats
    lags: int

    @property
    def std_errors(self) -> Floats:
        """Square roots of the diagonal of the covariance, shape (K,)."""
        return np.asarray(np.sqrt(np.diag(self.vcov)), dtype=float)


def fit_series(y: Floats, x: Floats, *, lags: int | None = None, is_corrected: bool = True) -> SeriesFit:
    """Fit least squares to a series with Newey and West's covariance (Bartlett kernel, no prewhitening).

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        In order of time; NaN in a period without a value, which then counts for nothing.
    x : numpy.ndarray, shape (n, K)
        Of full rank.
    lags : int or None
        Periods over which errors may be alike; None takes ⌊4 (n/100)^(2/9)⌋.
    is_corrected : bool
        Whether the covariance takes the factor n / (n − K).

    References
    ----------
    Newey, W. K. and West, K. D. (1987). A simple, positive semi-definite, heteroskedasticity and autocorrelation
    consistent covariance matrix. Econometrica 55; (1994), Review of Economic Studies 61, for the number of lags.
    Parzen, E. (1963). On spectral analysis with missing observations and amplitude modulation. Sankhya A 25.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import fit_series
    >>> trend = np.column_stack([np.ones(8), np.arange(8.0)])
    >>> fit = fit_series(np.array([1.0, 2, 2, 4, 5, 5, 7, 8]), trend, lags=1)
    >>> fit.beta.round(3), fit.std_errors.round(3)
    (array([0.75, 1.  ]), array([0.243, 0.057]))
    """
    seen = np.isfinite(y)
    x, y = np.where(seen[:, None], x, 0.0), np.where(seen, y, 0.0)
    n, k = int(seen.sum()), x.shape[1]
    kept = int(4 * (n / 100) ** (2 / 9)) if lags is None else lags
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ (x.T @ y)
    residuals = y - x @ beta
    scores = x * residuals[:, None]
    middle = scores.T @ scores
    for lag in range(1, min(kept, len(y) - 1) + 1):
        part = scores[lag:].T @ scores[:-lag]
        middle += (1 - lag / (kept + 1)) * (part + part.T)
    factor = n / (n - k) if is_corrected else 1.0
    return SeriesFit(beta=beta, vcov=factor * inverse @ middle @ inverse, residuals=residuals, lags=kept)
