"""Log-odds of passing from k of n, finite where all pass: Firth's penalty, and its pull towards one half undone."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.special import expit

from qbase.core.errors import DataError, UsageError
from qbase.stats.regression.linked_periods import Floats, Ints, invert_periods, period_information

STEPS = 600
"""Iterations allowed; a design with 30 % all-pass cells takes about 8, one with few batches over 100."""

CLOSE = 1e-9
"""A step on the logit scale below which the fit has settled."""

LONGEST = 4.0
"""A longer step on the logit scale is cut: from one half, log-odds of 4 are a rate of 98 %."""


class Stride:
    """How much of each step is taken: with a handful of batches a cell whole ones overshoot again and again."""

    def __init__(self) -> None:
        self._share, self._last = 1.0, np.inf

    def cut(self, reach: float) -> float:
        """Return the share of a step that moves some log-odds by ``reach``."""
        self._share = max(self._share / 2, 1 / 64) if reach > self._last else min(1.0, 1.2 * self._share)
        self._last = reach
        return min(self._share, LONGEST / max(reach, 1e-300))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FirthLogit:
    """A logistic regression with Firth's penalty.

    Parameters
    ----------
    coefficients : numpy.ndarray, shape (q,)
        On the logit scale.
    covariance : numpy.ndarray, shape (q, q)
        Inverse of the information.
    fitted : numpy.ndarray, shape (m,)
        Probabilities; their sum over the n lies nearer to one half than the passes seen.
    corrected : numpy.ndarray, shape (m,)
        Probabilities once one shift of all log-odds makes fitted passes those seen.

    Examples
    --------
    One laboratory, 20 of 20: half a pass and half a failure are added, and taken back.

    >>> from qbase.stats import fit_firth_logit
    >>> fit = fit_firth_logit([20], [20], [[1]])
    >>> fit.fitted.round(4).tolist(), fit.corrected.tolist()
    ([0.9762], [1.0])
    """

    coefficients: Floats
    covariance: Floats
    fitted: Floats
    corrected: Floats


def fit_firth_logit(k: Floats, n: Floats, x: Floats) -> FirthLogit:
    """Fit log-odds of passing by grouped maximum likelihood with Firth's penalty (Jeffreys' prior).

    Coefficients are finite even where a group passes throughout, and free of first-order bias. Their fitted rates lean
    towards one half; ``corrected`` takes that back by a shift of the intercept (FLIC).

    Parameters
    ----------
    k, n : array-like, shape (m,)
        Passes, and batches tested, 1 or more.
    x : array-like, shape (m, q)
        Columns of the design, the constant among them.

    Returns
    -------
    FirthLogit

    Raises
    ------
    UsageError
        Passes that are no share of the batches, or shapes that do not fit (QB548).
    DataError
        Columns that depend on one another (QB549), a fit that does not settle (QB542).

    References
    ----------
    Firth, D. (1993). Bias reduction of maximum likelihood estimates. Biometrika 80. Puhr, R., Heinze, G., Nold, M.,
    Lusa, L. and Geroldinger, A. (2017). Firth's logistic regression with rare events: accurate effect estimates and
    predictions? Statistics in Medicine 36.

    Examples
    --------
    Two groups of laboratories pass throughout; both coefficients stay finite, and 195 passes remain 195.

    >>> import numpy as np
    >>> from qbase.stats import fit_firth_logit
    >>> n = np.array([40, 60, 20, 80])
    >>> fit = fit_firth_logit([40, 58, 20, 77], n, [[1, 0, 0], [1, 0, 1], [1, 1, 0], [1, 1, 1]])
    >>> fit.coefficients.round(3).tolist()
    [4.742, -0.068, -1.576]
    >>> round(float(n @ fit.fitted), 2), round(float(n @ fit.corrected), 2)
    (193.59, 195.0)
    """
    k, n, x = (np.asarray(values, dtype=float) for values in (k, n, x))
    _check_counts(k, n, x)
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise DataError(
            "QB549",
            found=f"{x.shape[1]} columns of rank {np.linalg.matrix_rank(x)}",
            expected="columns none of which follows from the others",
            fix="leave out the column that repeats the others, such as one of all categories beside the constant",
        )
    beta, stride = np.zeros(x.shape[1]), Stride()
    for _ in range(STEPS):
        p = expit(x @ beta)
        w = n * p * (1 - p)
        covariance = np.linalg.inv((x * w[:, None]).T @ x)
        leverage = w * np.einsum("ij,jk,ik->i", x, covariance, x)
        step = covariance @ (x.T @ (k - n * p + leverage * (0.5 - p)))
        reach = float(np.abs(x @ step).max())
        beta = beta + step * stride.cut(reach)
        if reach < CLOSE:
            eta = x @ beta
            return FirthLogit(
                coefficients=beta,
                covariance=covariance,
                fitted=expit(eta),
                corrected=expit(eta + find_shift(k, n, eta)),
            )
    raise _unsettled(reach)


def find_shift(k: Floats, n: Floats, eta: Floats) -> float:
    """Return the shift of all log-odds that makes fitted passes those seen; infinite where all, or none, pass.

    Parameters
    ----------
    k, n, eta : numpy.ndarray
        Passes, batches and log-odds, of one shape.

    Raises
    ------
    DataError
        A shift that does not settle (QB542).
    """
    passed, tested = float(k.sum()), float(n.sum())
    if passed <= 0 or passed >= tested:
        return -np.inf if passed <= 0 else np.inf
    shift = 0.0
    for _ in range(STEPS):
        p = expit(eta + shift)
        step = (passed - float((n * p).sum())) / float((n * p * (1 - p)).sum())
        shift += min(max(step, -LONGEST), LONGEST)
        if abs(step) < CLOSE:
            return shift
    raise _unsettled(abs(step))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TwoWayLogit:
    """Log-odds as effects of entities and periods.

    Parameters
    ----------
    entity : numpy.ndarray, shape (N,)
    period : numpy.ndarray, shape (T,)
        Of mean 0 within periods that hang together.
    information : numpy.ndarray, shape (N, T)
        n p (1 − p) of each cell.
    score : numpy.ndarray, shape (N, T)
        What is left of each cell; sums to 0 by entity and by period.
    inverse : numpy.ndarray, shape (T, T)
        Of the information on period effects.
    labels : numpy.ndarray of int, shape (T,)
        Which periods hang together, see `qbase.stats.regression.linked_periods.invert_periods`.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import fit_two_way_logit
    >>> n = np.full((2, 3), 30.0)
    >>> fit = fit_two_way_logit(n - np.array([[0, 1, 2], [3, 4, 5]]), n)
    >>> fit.log_odds.round(2).tolist()
    [[3.92, 3.36, 2.97], [2.42, 1.87, 1.48]]
    """

    entity: Floats
    period: Floats
    information: Floats
    score: Floats
    inverse: Floats
    labels: Ints

    @property
    def log_odds(self) -> Floats:
        """Of every cell, shape (N, T), freed of what the curve of the logit does to their rates."""
        return unbend_odds(self.entity[:, None] + self.period, self.information, self.inverse)


def fit_two_way_logit(k: Floats, n: Floats, *, start: tuple[Floats, Floats] | None = None) -> TwoWayLogit:
    """Fit log-odds of passing as entity and period effects with Firth's penalty.

    The regression of `fit_firth_logit` on dummies of both, with the entities solved out: a step costs N T² and
    inverts T × T numbers, not (N + T) × (N + T).

    Parameters
    ----------
    k, n : numpy.ndarray, shape (N, T)
        Passes and batches tested; 0 of 0 where nothing was.
    start : (numpy.ndarray, numpy.ndarray) or None
        Entity and period effects to begin from, such as those of nearly the same cells.

    Returns
    -------
    TwoWayLogit
        Entity effects of rows without a batch are 0.

    Raises
    ------
    UsageError
        Passes that are no share of the batches (QB548).
    DataError
        A fit that does not settle (QB542).

    References
    ----------
    Firth, D. (1993). Bias reduction of maximum likelihood estimates. Biometrika 80.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import fit_two_way_logit
    >>> n = np.full((3, 4), 20.0)
    >>> k = n - np.array([[0, 0, 0, 0], [2, 0, 1, 0], [3, 2, 1, 0]])
    >>> fit = fit_two_way_logit(k, n)
    >>> fit.entity.round(2).tolist()
    [5.28, 3.28, 2.61]
    >>> fit.period.round(2).tolist()
    [-1.07, -0.2, -0.2, 1.46]
    """
    _check_counts(k, n, n)
    entity, period = start if start is not None else (np.zeros(len(n)), np.zeros(n.shape[1]))
    stride = Stride()
    for _ in range(STEPS):
        p = expit(entity[:, None] + period)
        w = n * p * (1 - p)
        total = row_totals(w)
        inverse, labels = invert_periods(period_information(w, total))
        share = w / total[:, None]
        score = k - n * p + w * _variance(total, share, inverse) * (0.5 - p)
        own = score.sum(axis=1)
        by_period = inverse @ (score.sum(axis=0) - own @ share)
        by_entity = own / total - share @ by_period
        reach = float(np.abs(by_entity).max() + np.abs(by_period).max())
        cut = stride.cut(reach)
        entity, period = entity + cut * by_entity, period + cut * by_period
        if reach < CLOSE:
            return TwoWayLogit(entity=entity, period=period, information=w, score=score, inverse=inverse, labels=labels)
    raise _unsettled(reach)


def unbend_odds(log_odds: Floats, information: Floats, inverse: Floats) -> Floats:
    """Return log-odds whose rates are right on average, not only the log-odds themselves.

    Rates of estimated log-odds lean to one half by p (1 − p) (1 − 2 p) / 2 times the variance of the log-odds; adding
    (p − 1/2) times that variance takes it back. Over the cells fitted this is what a shift of the intercept does
    (FLIC); a cell imputed from few others needs more of it than the average cell.

    Parameters
    ----------
    log_odds : numpy.ndarray, shape (m, T)
        Sum of effects of an entity and a period.
    information : numpy.ndarray, shape (m, T)
        n p (1 − p) of the cells behind the level of each row.
    inverse : numpy.ndarray, shape (T, T)
        Of the information on period effects.

    References
    ----------
    Firth, D. (1993). Bias reduction of maximum likelihood estimates. Biometrika 80. Puhr, R. et al. (2017). Statistics
    in Medicine 36.
    """
    total = row_totals(information)
    variance = _variance(total, information / total[:, None], inverse)
    return np.asarray(log_odds + (expit(log_odds) - 0.5) * variance)


def row_totals(information: Floats) -> Floats:
    """Return the sum of each row, 1 where it is 0."""
    total = np.asarray(information.sum(axis=1))
    total[total == 0] = 1.0
    return total


def _variance(total: Floats, share: Floats, inverse: Floats) -> Floats:
    """Return the variance of each cell's log-odds."""
    pulled = share @ inverse
    return np.asarray(
        1 / total[:, None] + np.diag(inverse) - 2 * pulled + (pulled * share).sum(axis=1, keepdims=True), dtype=float
    )


def fit_level_logit(k: Floats, n: Floats, offset: Floats) -> tuple[Floats, Floats]:
    """Fit one level of log-odds for each row with Firth's penalty, period effects being known.

    Parameters
    ----------
    k, n : numpy.ndarray, shape (m, T)
        Passes and batches; a row without a batch gets level 0.
    offset : numpy.ndarray, shape (T,)
        Known effects of periods.

    Returns
    -------
    numpy.ndarray, shape (m,)
        Levels.
    numpy.ndarray, shape (m, T)
        n p (1 − p) of each cell.

    Raises
    ------
    DataError
        Levels that do not settle (QB542).
    """
    level = np.zeros(len(k))
    for _ in range(STEPS):
        p = expit(level[:, None] + offset)
        w = n * p * (1 - p)
        total = row_totals(w)
        step = (k - n * p + w / total[:, None] * (0.5 - p)).sum(axis=1) / total
        level = level + np.clip(step, -LONGEST, LONGEST)
        if not len(step) or np.abs(step).max() < CLOSE:
            return level, w
    raise _unsettled(float(np.abs(step).max()))


def _check_counts(k: Floats, n: Floats, x: Floats) -> None:
    fits = k.shape == n.shape and len(x) == len(k)
    if not fits or not (np.isfinite(k) & np.isfinite(n)).all() or ((k < 0) | (k > n)).any() or not n.sum() > 0:
        raise UsageError(
            "QB548",
            found=f"k of shape {k.shape}, n of shape {n.shape}" if not fits else "a k below 0, above its n, or missing",
            expected="passes k of n batches tested, 0 <= k <= n, one of each a row of the design",
            fix="k and n from one panel; 0 of 0 where nothing was tested",
        )


def _unsettled(reach: float) -> DataError:
    return DataError(
        "QB542",
        found=f"log-odds still moving by {reach:.2g} after {STEPS} steps",
        expected=f"steps below {CLOSE:g}",
        fix="a longer window, or fewer columns: some effects rest on hardly any batches",
    )
