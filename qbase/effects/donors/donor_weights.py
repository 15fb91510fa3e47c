"""Weights on donors by four ways: synthetic control, with predictors, ridge-augmented, difference-in-differences."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np

from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.donors.donor_pool import DonorPool
from qbase.effects.donors.predictor_weights import PredictorFit, fit_predictors
from qbase.effects.donors.simplex_weights import Bools, SimplexBatch, fit_simplex, fit_simplex_by_steps

Method = Literal["sdid", "sc", "augmented"]
Solver = Literal["published", "exact"]
CHUNK = 128
TIME_RIDGE = 1e-6
LEAST_DECREASE = 1e-5
RIDGES = 20
LEAST_RIDGE = 1e-8


@dataclasses.dataclass(frozen=True, kw_only=True)
class WeightSpec:
    """How donors are weighted.

    Parameters
    ----------
    method : {"sdid", "sc", "augmented"}
    solver : {"published", "exact"}
        Of sdid: the steps of R's package, or the optimum itself.
    ridge : float or None
        Of the augmentation; None chooses it by leaving out one period before the start at a time.
    starts, seed : int
        Of the search for the importance of predictors.
    """

    method: Method
    solver: Solver
    ridge: float | None
    starts: int
    seed: int


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DonorFits:
    """B comparisons: for the treated, or for a donor in their place.

    Parameters
    ----------
    weights : numpy.ndarray, shape (B, J)
        Of the donors; 0 for those not allowed.
    time_weights : numpy.ndarray, shape (B, n_before), or None
        Of the periods before, by sdid.
    gaps : numpy.ndarray, shape (B, T)
        Outcome minus its synthetic one; by sdid after the weighted gap before the start is taken off.
    effects : numpy.ndarray, shape (B,)
        Mean gap from the start on.
    before, after : numpy.ndarray, shape (B,)
        Root mean squared gap before the start (by sdid around its own mean, as a level is allowed for) and from it on.
    ridges : numpy.ndarray, shape (B,), or None
        Of the augmentation.
    search : PredictorFit or None
        Of the first comparison, with predictors.
    """

    weights: Floats
    time_weights: Floats | None
    gaps: Floats
    effects: Floats
    before: Floats
    after: Floats
    ridges: Floats | None = None
    search: PredictorFit | None = None

    @property
    def ratios(self) -> Floats:
        """Root mean squared gap after, over that before, shape (B,)."""
        least = 1e-9 * np.maximum(self.after, 1e-300)
        return np.asarray(self.after / np.maximum(self.before, least))


def fit_donors(pool: DonorPool, targets: Floats, allowed: Bools, spec: WeightSpec) -> DonorFits:
    """Fit donor weights for several targets at once.

    Parameters
    ----------
    pool : DonorPool
    targets : numpy.ndarray, shape (B, J + 1)
        Each row averages rows of the pool to what is to be imitated.
    allowed : numpy.ndarray of bool, shape (B, J)
        Donors each may use.
    spec : WeightSpec

    References
    ----------
    Abadie, A., Diamond, A. and Hainmueller, J. (2010), see `qbase.effects.donors.predictor_weights.fit_predictors`.
    Arkhangelsky, D. et al. (2021), see `qbase.effects.donors.simplex_weights.fit_simplex_by_steps`.
    Ben-Michael, E., Feller, A. and Rothstein, J. (2021). The augmented synthetic control method. J. American
    Statistical Association 116.
    Sun, L., Ben-Michael, E. and Feller, A. (2025). Using multiple outcomes to improve the synthetic control method.
    Review of Economics and Statistics.
    """
    if spec.method == "sdid":
        return _fit_sdid(pool, targets, allowed, spec)
    weights = np.zeros(allowed.shape)
    ridges = np.full(len(targets), np.nan)
    search = None
    for b, (target, may) in enumerate(zip(targets, allowed, strict=True)):
        donors, aim = pool.match[:-1][may], target @ pool.match
        if pool.predictors.shape[1]:
            found = fit_predictors(
                pool.predictors[:-1][may], target @ pool.predictors, donors, aim, starts=spec.starts, seed=spec.seed
            )
            weights[b, may], search = found.weights, search or found
        elif spec.method == "augmented":
            weights[b, may], ridges[b] = fit_augmented(donors, aim, ridge=spec.ridge)
        else:
            weights[b, may] = fit_simplex(donors.T, aim)
    gaps = targets @ pool.paths - weights @ pool.paths[:-1]
    return _summed(pool, weights, gaps, None, ridges=ridges if spec.method == "augmented" else None, search=search)


def fit_augmented(donors: Floats, aim: Floats, *, ridge: float | None) -> tuple[Floats, float]:
    """Correct synthetic-control weights by a ridge regression for what they leave of the gap before the start.

    Parameters
    ----------
    donors : numpy.ndarray, shape (J, L)
    aim : numpy.ndarray, shape (L,)
    ridge : float or None
        None takes the largest within one standard error of the least error, one period before left out at a time.

    Returns
    -------
    weights : numpy.ndarray, shape (J,)
        They sum to 1 and may be negative.
    ridge : float
    """
    centre = donors.mean(axis=0)
    x, gap = donors - centre, aim - centre
    chosen = _choose_ridge(x, gap) if ridge is None else ridge
    weights = fit_simplex(x.T, gap)
    return weights + _correction(x, gap - weights @ x, np.array([chosen]))[0], float(chosen)


def _correction(x: Floats, left: Floats, ridges: Floats) -> Floats:
    """Return (left)′ (x′x + ridge)⁻¹ x′ for several ridges, shape (R, J)."""
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    return np.asarray(((vt @ left) * (s / (s**2 + ridges[:, None]))) @ u.T)


def _choose_ridge(x: Floats, gap: Floats) -> float:
    largest = float(np.linalg.norm(x, 2)) ** 2
    if not largest > 0:
        return 1.0
    ridges = largest * np.logspace(0, np.log10(LEAST_RIDGE), RIDGES)
    n = len(gap)
    errors = np.empty((n, RIDGES))
    for t in range(n):
        rest = np.arange(n) != t
        weights = fit_simplex(x[:, rest].T, gap[rest])
        augmented = weights + _correction(x[:, rest], gap[rest] - weights @ x[:, rest], ridges)
        errors[t] = (gap[t] - augmented @ x[:, t]) ** 2
    mean, best = errors.mean(axis=0), int(errors.mean(axis=0).argmin())
    within = mean <= mean[best] + errors[:, best].std(ddof=1) / np.sqrt(n)
    return float(ridges[within].max())


def _fit_sdid(pool: DonorPool, targets: Floats, allowed: Bools, spec: WeightSpec) -> DonorFits:
    first, n_after = pool.n_before, len(pool.columns) - pool.n_before
    parts = [
        _weigh_sdid(pool, targets[i : i + CHUNK], allowed[i : i + CHUNK], spec, n_after)
        for i in range(0, len(targets), CHUNK)
    ]
    weights, times = (np.vstack([part[i] for part in parts]) for i in (0, 1))
    raw = targets @ pool.paths - weights @ pool.paths[:-1]
    gaps = raw - (times * raw[:, :first]).sum(axis=1, keepdims=True)
    return _summed(pool, weights, gaps, times)


def _weigh_sdid(
    pool: DonorPool, targets: Floats, allowed: Bools, spec: WeightSpec, n_after: int
) -> tuple[Floats, Floats]:
    """Return unit weights (B, J) and time weights (B, n_before), both after an intercept is taken out."""
    first, pre = pool.n_before, pool.paths[:-1, : pool.n_before]
    noise, own_noise = _noise(pool.match[:-1], first, allowed), _noise(pre, first, allowed)
    blocks = pool.match.reshape(len(pool.match), -1, first)
    level = (blocks - blocks.mean(axis=2, keepdims=True)).reshape(pool.match.shape)
    ridge = np.sqrt(len(pool.treated) * n_after) * noise**2 * level.shape[1]
    units = _solve(
        level[:-1].T[None], targets @ level, ridge=ridge, allowed=allowed, tolerance=noise, solver=spec.solver
    )
    share = allowed / allowed.sum(axis=1, keepdims=True)
    after = pool.paths[:-1, first:].mean(axis=1)
    # rows of donors that are not allowed become 0 and so weigh nothing
    features = (pre - (share @ pre)[:, None, :]) * allowed[:, :, None]
    aims = (after - (share @ after)[:, None]) * allowed
    times = _solve(
        features,
        aims,
        ridge=allowed.sum(axis=1) * (TIME_RIDGE * own_noise) ** 2,
        allowed=np.ones((len(targets), first), dtype=bool),
        tolerance=own_noise,
        solver=spec.solver,
        rows=allowed.sum(axis=1).astype(float),
    )
    return units, times


def _noise(paths: Floats, n_before: int, allowed: Bools) -> Floats:
    """Return the standard deviation of the donors' changes from period to period, for each set allowed."""
    steps = np.diff(paths.reshape(len(paths), -1, n_before), axis=2).reshape(len(paths), -1)
    n = allowed.sum(axis=1) * steps.shape[1]
    total, squares = allowed @ steps.sum(axis=1), allowed @ (steps**2).sum(axis=1)
    spread = np.maximum(squares - total**2 / n, 0.0) / np.maximum(n - 1, 1)
    return np.asarray(np.sqrt(spread))


def _solve(
    features: Floats, aims: Floats, *, ridge: Floats, allowed: Bools, tolerance: Floats, solver: Solver,
    rows: Floats | None = None,
) -> Floats:  # fmt: skip
    """Return simplex weights of B problems; features (1 or B, L, n), aims (B, L)."""
    if solver == "exact":
        found = np.zeros(allowed.shape)
        for b, may in enumerate(allowed):
            x = features[b if len(features) > 1 else 0]
            found[b, may] = fit_simplex(x[:, may], aims[b], ridge=float(ridge[b]))
        return found
    one = len(features) == 1
    return fit_simplex_by_steps(
        SimplexBatch(
            gram=features[0].T @ features[0] if one else np.einsum("bli,blj->bij", features, features),
            cross=aims @ features[0] if one else np.einsum("bli,bl->bi", features, aims),
            ridge=ridge,
            rows=np.full(len(aims), float(aims.shape[1])) if rows is None else rows,
            allowed=allowed,
            tolerance=LEAST_DECREASE * tolerance,
        )
    )


def _summed(
    pool: DonorPool, weights: Floats, gaps: Floats, times: Floats | None, *, ridges: Floats | None = None,
    search: PredictorFit | None = None,
) -> DonorFits:  # fmt: skip
    early, late = gaps[:, : pool.n_before], gaps[:, pool.n_before :]
    around = early if times is None else early - early.mean(axis=1, keepdims=True)
    return DonorFits(
        weights=weights,
        time_weights=times,
        gaps=gaps,
        effects=late.mean(axis=1),
        before=np.sqrt((around**2).mean(axis=1)),
        after=np.sqrt((late**2).mean(axis=1)),
        ridges=ridges,
        search=search,
    )
