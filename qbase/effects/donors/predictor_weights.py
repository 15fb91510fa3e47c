"""Synthetic control by predictors: how much each of them counts is chosen so that the path before fits best."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize

from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.donors.simplex_weights import fit_simplex

FIRST_LOOK = 25
"""Evaluations of each start, per predictor; the best start goes on for the rest."""
REST = 100
TIE_BREAK = 1e-8
LEAST_IMPORTANCE = 1e-3
"""Of every predictor: at 0 the search would drop them all and match the path alone."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PredictorFit:
    """Weights of J donors and of P predictors.

    Parameters
    ----------
    weights : numpy.ndarray, shape (J,)
    importance : numpy.ndarray, shape (P,)
        Diagonal of V; sums to 1.
    losses : numpy.ndarray, shape (S,)
        Mean squared gap before the start, of every start of the search, in the order of the starts.
    """

    weights: Floats
    importance: Floats
    losses: Floats


def fit_predictors(
    predictors: Floats, aim: Floats, paths: Floats, path: Floats, *, starts: int, seed: int
) -> PredictorFit:
    """Search the importance of predictors from several starts, and keep the best.

    The outer problem is not convex: one start of a simplex search often ends in a local optimum, so the loss of
    every start is reported. The first start counts all predictors alike, the second by how well each of them goes
    with the path, the others are drawn. Where many weights match the predictors exactly, or nearly, those whose path
    fits best are taken: the lower problem carries a trace of the upper one.

    Parameters
    ----------
    predictors : numpy.ndarray, shape (J, P)
        Of the donors.
    aim : numpy.ndarray, shape (P,)
        Of the treated.
    paths : numpy.ndarray, shape (J, L)
        Outcomes of the donors before the start.
    path : numpy.ndarray, shape (L,)
        Of the treated.
    starts : int
        1 or more.
    seed : int

    References
    ----------
    Abadie, A., Diamond, A. and Hainmueller, J. (2010). Synthetic control methods for comparative case studies.
    J. American Statistical Association 105.
    Malo, P., Eskelinen, J., Zhou, X. and Kuosmanen, T. (2024). Computing synthetic controls using bilevel
    optimization. Computational Economics 64.
    """
    spread = np.vstack([predictors, aim]).std(axis=0, ddof=1)
    scale = np.where(spread > 0, spread, 1.0)
    donors, treated = (predictors / scale).T, aim / scale

    along = np.sqrt(TIE_BREAK / len(path)) / (float(np.vstack([paths, path]).std()) or 1.0)

    def share(raw: Floats) -> Floats:
        size = np.abs(raw)
        even = np.full(len(size), 1 / len(size))
        part = size / size.sum() if size.sum() > 0 else even
        return np.asarray(LEAST_IMPORTANCE + (1 - LEAST_IMPORTANCE * len(size)) * part)

    def weigh(raw: Floats) -> Floats:
        root = np.sqrt(share(raw))
        features = np.vstack([root[:, None] * donors, along * paths.T])
        return fit_simplex(features, np.concatenate([root * treated, along * path]))

    def loss(raw: Floats) -> float:
        return float(((path - weigh(raw) @ paths) ** 2).mean())

    tried = [_search(loss, start, FIRST_LOOK) for start in _starts(donors, treated, paths, path, starts, seed)]
    best = min(range(len(tried)), key=lambda i: tried[i][1])
    tried[best] = min(tried[best], _search(loss, tried[best][0], REST), key=lambda found: found[1])
    return PredictorFit(
        weights=weigh(tried[best][0]), importance=share(tried[best][0]), losses=np.array([least for _, least in tried])
    )


def _search(loss: Callable[[Floats], float], start: Floats, evaluations: int) -> tuple[Floats, float]:
    if len(start) == 1:
        return start, loss(start)
    most = evaluations * len(start)
    found = minimize(loss, start, method="Nelder-Mead", options={"maxfev": most, "xatol": 1e-6, "fatol": 1e-10})
    return np.asarray(found.x), float(found.fun)


def _starts(donors: Floats, treated: Floats, paths: Floats, path: Floats, starts: int, seed: int) -> list[Floats]:
    n = len(donors)
    if n == 1:
        return [np.ones(1)]
    everyone = np.column_stack([np.ones(donors.shape[1] + 1), np.column_stack([donors, treated]).T])
    slopes = np.linalg.lstsq(everyone, np.vstack([paths, path]), rcond=None)[0][1:]
    strength = (slopes**2).sum(axis=1)
    by_slope = strength / strength.sum() if strength.sum() > 0 else np.full(n, 1 / n)
    drawn = np.random.default_rng(seed).dirichlet(np.ones(n), size=max(0, starts - 2))
    return [np.full(n, 1 / n), by_slope, *drawn][:starts]
