"""The coefficients of an event study as one checked value: before, after, and what of the time after is asked for."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qbase.core.errors import DataError, UsageError
from qbase.core.given import read_number, read_whole
from qbase.stats.rates.difference_intervals import check_level

Floats = NDArray[np.float64]

ROUNDING = 1e-8
"""An eigenvalue below minus this share of the largest is no rounding: the matrix is no covariance."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class EventPath:
    """Coefficients relative to the last period before treatment.

    Parameters
    ----------
    beta : numpy.ndarray, shape (P + T,)
        Periods before treatment, earliest first and without the base, then those from treatment on; consecutive.
    vcov : numpy.ndarray, shape (P + T, P + T)
        Their covariance.
    n_pre : int
        P, one or more.
    weights : numpy.ndarray, shape (T,)
        Of the coefficients after treatment in what is asked for.
    """

    beta: Floats
    vcov: Floats
    n_pre: int
    weights: Floats

    @property
    def n_post(self) -> int:
        """Number of coefficients from treatment on."""
        return len(self.weights)

    @property
    def row(self) -> Floats:
        """The weights with zeros for the time before, shape (P + T,)."""
        return np.concatenate([np.zeros(self.n_pre), self.weights])


def read_event_path(beta: ArrayLike, vcov: ArrayLike, *, n_pre: object, weights: ArrayLike) -> EventPath:
    """Check the arrays of an event study.

    Parameters
    ----------
    beta : array-like, shape (P + T,)
        See `EventPath`.
    vcov : array-like, shape (P + T, P + T)
        Symmetric and positive semi-definite.
    n_pre : int
        P.
    weights : array-like, shape (T,)
        Not all of them 0.

    Raises
    ------
    DataError
        Shapes that do not fit (QB570), a number that is not finite (QB571), a matrix that is no covariance (QB572),
        or an effect without a standard error (QB573).
    UsageError
        ``n_pre`` leaves no period before or none after (QB574), or all weights are 0 (QB575).
    """
    values = _read_array("beta", beta, 1)
    matrix = read_covariance(vcov, len(values))
    before = read_whole(n_pre)
    if before is None or not 1 <= before < len(values):
        raise UsageError(
            "QB574",
            option="n_pre",
            value=n_pre,
            found=f"n_pre={n_pre!r} with {len(values)} coefficients",
            expected="at least 1 coefficient before treatment (the base left out) and 1 from treatment on",
            fix="add a period before the base, or count the coefficients before it",
        )
    return EventPath(beta=values, vcov=matrix, n_pre=before, weights=_read_weights(weights, matrix, before))


def read_covariance(vcov: ArrayLike, size: int) -> Floats:
    """Return a covariance of ``size`` numbers, made exactly symmetric.

    Raises
    ------
    DataError
        Another shape (QB570), a number that is not finite (QB571), or no covariance (QB572).
    """
    matrix = _read_array("vcov", vcov, 2)
    if matrix.shape != (size, size):
        raise DataError(
            "QB570",
            name="vcov",
            found=f"vcov of shape {matrix.shape} for {size} coefficients",
            expected=f"({size}, {size})",
            fix="take the rows and columns of these coefficients, in their order",
        )
    lopsided = float(np.abs(matrix - matrix.T).max())
    symmetric = (matrix + matrix.T) / 2
    eigenvalues = np.linalg.eigvalsh(symmetric)
    slack = ROUNDING * max(float(eigenvalues[-1]), 0.0)
    if lopsided > slack or eigenvalues[0] < -slack:
        raise DataError(
            "QB572",
            found=f"smallest eigenvalue {eigenvalues[0]:.3g}, largest difference across the diagonal {lopsided:.3g}",
            expected="a symmetric matrix without negative eigenvalues",
            fix="pass the covariance of the coefficients, not their correlation with errors or a rounded copy",
        )
    return symmetric


def read_limit(option: str, limit: object) -> float:
    """Return how far trends may depart: a finite number, 0 or more.

    Raises
    ------
    UsageError
        It is none (QB576).
    """
    number = read_number(limit)
    if number is None or not 0 <= number < np.inf:
        raise UsageError(
            "QB576",
            option=option,
            value=limit,
            found=f"{option}={limit!r}",
            expected="a finite number, 0 or more",
            fix=f"{option}=1" if option == "limit_mbar" else f"{option}=0",
        )
    return number


def read_alpha(level: object) -> float:
    """Return one minus a confidence level.

    Raises
    ------
    UsageError
        It is no level (QB503).
    """
    check_level(level)
    return 1 - float(level)  # type: ignore[arg-type]


def rebase_to_last(beta: ArrayLike, vcov: ArrayLike, *, n_pre: int) -> tuple[Floats, Floats]:
    """Turn coefficients relative to the average before treatment into coefficients relative to the last period.

    Relative to an average the periods before sum to a constant, so their covariance is singular; the difference to
    the last of them is a linear map that loses nothing.

    Parameters
    ----------
    beta : array-like, shape (P + 1 + T,)
        All periods before treatment, the last one too, then those from treatment on.
    vcov : array-like, shape (P + 1 + T, P + 1 + T)
        Their covariance.
    n_pre : int
        P + 1, the periods before treatment in ``beta``; two or more.

    Returns
    -------
    beta : numpy.ndarray, shape (P + T,)
        Without the period that is now the base; ``n_pre`` is one less.
    vcov : numpy.ndarray, shape (P + T, P + T)
        Their covariance.

    Raises
    ------
    DataError
        Shapes that do not fit, numbers that are not finite, no covariance (QB570–QB572).
    UsageError
        Fewer than two periods before, or none after (QB574).

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.effects.sensitivity.event_path import rebase_to_last
    >>> rises = np.array([-1.0, 0.0, 1.0, 5.0])  # relative to the average of the three periods before
    >>> beta, _ = rebase_to_last(rises, np.eye(4), n_pre=3)
    >>> beta.tolist()
    [-2.0, -1.0, 4.0]
    """
    values = _read_array("beta", beta, 1)
    matrix = read_covariance(vcov, len(values))
    before = read_whole(n_pre)
    if before is None or not 2 <= before < len(values):
        raise UsageError(
            "QB574",
            option="n_pre",
            value=n_pre,
            found=f"n_pre={n_pre!r} with {len(values)} coefficients",
            expected="at least 2 periods before treatment, the last one too, and 1 from treatment on",
            fix="hand over every period of the average",
        )
    change = np.delete(np.eye(len(values)), before - 1, axis=0)
    change[:, before - 1] -= 1
    return change @ values, change @ matrix @ change.T


def _read_array(name: str, given: ArrayLike, dimensions: int) -> Floats:
    try:
        values = np.asarray(given, dtype=float)
    except (TypeError, ValueError):
        values = np.empty((0,) * 3)
    if values.ndim != dimensions or values.size == 0:
        raise DataError(
            "QB570",
            name=name,
            found=f"{name} of {values.ndim} dimension(s) and {values.size} number(s)",
            expected=f"an array of numbers of {dimensions} dimension(s)",
            fix="numpy.asarray(…, dtype=float) of the coefficients or of their covariance",
        )
    if not np.isfinite(values).all():
        raise DataError(
            "QB571",
            name=name,
            found=f"{int((~np.isfinite(values)).sum())} of {values.size} numbers of {name} are missing or infinite",
            expected="finite numbers",
            fix="leave out the period that could not be estimated together with all further from treatment",
        )
    return values


def _read_weights(given: ArrayLike, matrix: Floats, before: int) -> Floats:
    weights = _read_array("weights", given, 1)
    if len(weights) != len(matrix) - before:
        raise DataError(
            "QB570",
            name="weights",
            found=f"{len(weights)} weights",
            expected=f"{len(matrix) - before}, one for each coefficient from treatment on",
            fix="weights=[1, 0, …] asks for the first period, [1/T, …] for the average",
        )
    if not weights.any():
        raise UsageError(
            "QB575",
            found=f"weights={weights.tolist()}",
            expected="at least one weight that is not 0",
            fix="weights=[1, 0, …] asks for the first period",
        )
    after = matrix[before:, before:]
    if weights @ after @ weights <= ROUNDING * np.trace(after) * (weights @ weights):
        raise DataError(
            "QB573",
            found=f"variance {float(weights @ after @ weights):.3g} of the weighted coefficients",
            expected="a variance above 0",
            fix="estimate with more clusters, or ask for another period",
        )
    return weights
