"""Inference for any estimator of effects by the number of treated clusters: permutation, jackknife, wild bootstrap."""

from __future__ import annotations

import dataclasses
from typing import Literal, cast, get_args

import numpy as np
from scipy import stats

from qbase.core.errors import DataError, UsageError
from qbase.core.text import Text
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.doubt.cluster_jackknife import fit_jackknife
from qbase.effects.doubt.conley_taber import infer_conley_taber
from qbase.effects.doubt.history_noise import refuse_no_noise
from qbase.effects.doubt.inference_notes import note_of
from qbase.effects.doubt.known_variance import AS_KNOWN, attained_level, chance_of_known, share_of_power
from qbase.effects.doubt.lead_power import TEST_LEVEL
from qbase.effects.doubt.path_calibration import (
    Calibration,
    LeadTest,
    calibrate_path,
    invert_placebos,
    is_rescaled,
    known_error,
)
from qbase.effects.doubt.placebo_paths import Exchange, Replay, find_exchange, ready_replay
from qbase.effects.doubt.wild_enumeration import bootstrap_wild
from qbase.effects.fitting.path_fit import Estimator, PathFit, clustered_vcov
from qbase.stats.testing.adoption_permutations import TIE

Method = Literal["permutation", "conley_taber", "CRV3", "wild", "analytic"]

SEED = 20220810
FEW = 3
"""Up to three treated clusters the jackknife rejects a true null too often (2 of 12: 11 to 15 %); above, it speaks only
where batches are not counted: with four treated of few batches it finds half of what permutation finds."""

LEAST = 3
"""Below three treated entities a term has no interval and no verdict."""

MANY = 40
"""From so many clusters on each side asymptotics serve, leads being tested with Hotelling's factor."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Inference:
    """The doubt of every term of a path.

    Parameters
    ----------
    method : {"permutation", "conley_taber", "CRV3", "wild", "analytic"}
        Where intervals and p values come from.
    std_error, ci_low, ci_high : numpy.ndarray, shape (K,)
        In the unit of the coefficients; NaN where none can be given. Under permutation the standard error is the
        standard deviation of the placebos.
    joint_low, joint_high : numpy.ndarray, shape (K,)
        Band that covers all event terms with an interval at once; NaN for the others.
    p_value : numpy.ndarray, shape (K,)
        Two-sided against 0, by the same method as the interval; NaN where none can be given.
    p_floor : float or None
        The smallest p value the method can give; None where it has no such floor.
    vcov : numpy.ndarray, shape (K, K)
        Clustered covariance, of the jackknife under ``CRV3``.
    df : float or None
        Degrees of freedom of the overall effect's t.
    lead_test : LeadTest or None
        Joint F of the event times before the start; None where there are none.
    lead_max_t : LeadTest or None
        The same by the largest absolute t.
    joint_p : float
        P value of no difference at any event time, the test behind the band; NaN where there is none.
    n_draws : int
        Placebos behind lead tests and band; 0 where they are asymptotic.
    notes : tuple of Text
        What a reader must know about the method.
    power_share : float or None
        Of the power of the same test with known variance, see `share_of_power`; None where nothing is known of it.
    known_chance : float or None
        How sure one may be that the same test with known variance would have rejected what this one did not, see
        `chance_of_known`; None where it rejected, or its degrees of freedom are as good as a known variance.
    """

    method: Method
    std_error: Floats
    ci_low: Floats
    ci_high: Floats
    joint_low: Floats
    joint_high: Floats
    p_value: Floats
    p_floor: float | None
    vcov: Floats
    df: float | None
    lead_test: LeadTest | None
    lead_max_t: LeadTest | None
    joint_p: float
    n_draws: int
    notes: tuple[Text, ...]
    power_share: float | None = None
    known_chance: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Pointwise:
    """Term by term: what one method says before terms with too few treated are blanked."""

    std_error: Floats
    low: Floats
    high: Floats
    p: Floats
    vcov: Floats
    p_floor: float | None = None
    df: Floats | None = None


def infer(
    grid: OutcomeGrid,
    estimator: Estimator,
    fit: PathFit,
    *,
    vcov: str | None = None,
    level: float = 0.95,
    seed: int = SEED,
    draws: int = 999,
) -> Inference:
    """Give every term of a path its doubt, by as many clusters as are treated.

    Below forty treated (or untreated) clusters residual histories, rescaled to the noise of their new place, change
    places with the dates of adoption, and the interval holds every constant effect they do not reject. Where batches
    are not counted noise cannot be rescaled: up to three treated clusters are exchanged as they are, from four on the
    jackknife over clusters (CRV3) speaks, with t and Satterthwaite's degrees of freedom, at most G − 1. From forty
    treated and forty untreated clusters on: influence functions with t(G − 1). Lead tests and the joint band always
    come from the exchange of histories below forty clusters on each side. A term of fewer than three treated has no
    interval.

    Parameters
    ----------
    grid : OutcomeGrid
    estimator : Estimator
        That gave ``fit`` on this grid; it is called again, ``draws`` times unless it is a ``BatchEstimator``.
    fit : PathFit
    vcov : {"permutation", "conley_taber", "CRV3", "wild", "analytic"} or None
        None chooses as said above.
    level : float
        Of intervals, pointwise and joint.
    seed : int
        Of draws where assignments are too many to list.
    draws : int
        How many; up to twice as many assignments are listed instead.

    Returns
    -------
    Inference

    Raises
    ------
    UsageError
        Another ``vcov`` (QB550).
    DataError
        A method that needs exchangeable clusters, or an estimator linear in the outcome, without them (QB551), more
        than three treated, or as many as untreated, for Conley and Taber's (QB552). Untreated cells without any noise
        (QB515).

    References
    ----------
    Conley, T. G. and Taber, C. R. (2011). Review of Economics and Statistics 93. Ferman, B. and Pinto, C. (2019).
    Review of Economics and Statistics 101. MacKinnon, J. G. and Webb, M. D. (2020). Randomization inference for
    difference-in-differences with few treated clusters. J. Econometrics 218.
    """
    refuse_no_noise(grid)
    is_large = _few_side(grid) >= MANY
    replay = ready_replay(grid, estimator, fit)
    asked = None if vcov is None else _read_method(vcov)
    needs_none = is_large and asked in (None, "analytic", "CRV3")
    exchange = None if needs_none else _exchange(grid, estimator, fit, draws, seed)
    method = asked or _choose(grid, replay, exchange)
    point = _pointwise(method, grid, replay, fit, exchange, level=level, seed=seed, draws=draws)
    around = calibrate_path(grid, replay, fit, exchange, level=level)
    found = _inference(method, grid, fit, point, around, exchange)
    return dataclasses.replace(found, known_chance=_known_chance(method, grid, replay, fit, point, exchange))


def permutation_leads(
    grid: OutcomeGrid, estimator: Estimator, fit: PathFit, *, draws: int = 999, seed: int = SEED
) -> LeadTest | None:
    """Return the lead test alone, the part of `infer` a benchmark times; None where clusters cannot change places.

    Parameters
    ----------
    grid, estimator, fit, draws, seed
        See `infer`.
    """
    exchange = _exchange(grid, estimator, fit, draws, seed)
    if exchange is None:
        return None
    return calibrate_path(grid, ready_replay(grid, estimator, fit), fit, exchange, level=0.95).lead_f


def _read_method(vcov: str) -> Method:
    for method in get_args(Method):
        if vcov == method:
            return cast(Method, method)
    raise UsageError(
        "QB550", value=vcov, found=f"vcov={vcov!r}", expected=" | ".join(get_args(Method)) + " | None", fix="vcov=None"
    )


def _choose(grid: OutcomeGrid, replay: Replay, exchange: Exchange | None) -> Method:
    if _few_side(grid) >= MANY:
        return "analytic"
    if exchange is None:
        return "CRV3"
    return "permutation" if _few_side(grid) <= FEW or is_rescaled(replay, exchange) else "CRV3"


def _few_side(grid: OutcomeGrid) -> int:
    """Return the smaller of treated and untreated clusters; only the treated where all are treated in the end."""
    treated = len(np.unique(grid.cluster[grid.is_treated]))
    untreated = int(grid.cluster.max()) + 1 - treated
    return min(treated, untreated) if untreated else treated


def _exchange(grid: OutcomeGrid, estimator: Estimator, fit: PathFit, draws: int, seed: int) -> Exchange | None:
    found = find_exchange(grid, estimator, fit, draws=draws, seed=seed)
    return found if found is not None and len(found.places) else None


def _pointwise(
    method: Method,
    grid: OutcomeGrid,
    replay: Replay,
    fit: PathFit,
    exchange: Exchange | None,
    *,
    level: float,
    seed: int,
    draws: int,
) -> Pointwise:
    plain = clustered_vcov(fit, grid.cluster)
    if method == "permutation":
        if exchange is None:
            raise _not_exchangeable(
                method, "clusters whose entities adopted at different times, or a single assignment"
            )
        found = invert_placebos(grid, replay, fit, exchange, level=level)
        return Pointwise(
            std_error=found.spread, low=found.low, high=found.high, p=found.p, vcov=plain, p_floor=exchange.p_floor,
            df=np.full(len(fit.beta), float(max(grid.cluster.max() - 1, 1))),
        )  # fmt: skip
    if method == "conley_taber":
        if exchange is None or exchange.kind != "histories":
            raise _not_exchangeable(method, "clusters of several entities, or an estimator not linear in the outcome")
        taken = infer_conley_taber(grid, replay, fit, level=level, draws=draws, seed=seed)
        return Pointwise(
            std_error=taken.std_error,
            low=taken.ci_low,
            high=taken.ci_high,
            p=taken.p_value,
            vcov=plain,
            p_floor=taken.p_floor,
        )
    if method == "wild":
        wild = bootstrap_wild(grid, replay.estimator, fit, level=level, seed=seed)
        errors = np.sqrt(np.diag(plain))
        return Pointwise(
            std_error=errors, low=wild.ci_low, high=wild.ci_high, p=wild.p_value, vcov=plain, p_floor=wild.p_floor
        )
    if method == "CRV3":
        jackknife = fit_jackknife(grid, replay.estimator, fit)
        return _by_t(fit, jackknife.vcov, jackknife.df, level)
    return _by_t(fit, plain, np.full(len(fit.beta), float(grid.cluster.max())), level)


def _by_t(fit: PathFit, vcov: Floats, df: Floats, level: float) -> Pointwise:
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = np.sqrt(np.diag(vcov))
        errors = np.where(errors > 0, errors, np.nan)
        half = stats.t.ppf(0.5 + level / 2, df) * errors
        p = 2 * stats.t.sf(np.abs(fit.beta / errors), df)
    return Pointwise(std_error=errors, low=fit.beta - half, high=fit.beta + half, p=p, vcov=vcov, df=df)


def _inference(
    method: Method, grid: OutcomeGrid, fit: PathFit, point: Pointwise, around: Calibration, exchange: Exchange | None
) -> Inference:
    has_few = (fit.n_treated < LEAST) | ~np.isfinite(fit.beta)
    is_bounded = np.isfinite(point.low) & np.isfinite(point.high) & ~has_few
    # what permutations say of the overall effect of one or two treated is a p value with its floor, and nothing else
    is_told = (np.arange(len(fit.beta)) == 0) & (method in ("permutation", "conley_taber"))
    tells_p = np.isfinite(point.p) & (~has_few | is_told)
    is_joint = is_bounded & np.isfinite(around.half)
    return Inference(
        method=method,
        std_error=np.where(is_bounded, point.std_error, np.nan),
        ci_low=np.where(is_bounded, point.low, np.nan),
        ci_high=np.where(is_bounded, point.high, np.nan),
        # a band over all times is nowhere narrower than the interval of one
        joint_low=np.where(is_joint, np.minimum(fit.beta - around.half, point.low), np.nan),
        joint_high=np.where(is_joint, np.maximum(fit.beta + around.half, point.high), np.nan),
        p_value=np.where(tells_p, point.p, np.nan),
        p_floor=point.p_floor,
        vcov=point.vcov,
        df=None if point.df is None or not np.isfinite(point.df[0]) else float(point.df[0]),
        lead_test=around.lead_f,
        lead_max_t=around.lead_t,
        joint_p=around.joint_p,
        n_draws=0 if exchange is None else len(exchange.places),
        notes=note_of(method, grid, fit, point.p_floor, exchange, is_scaled=around.is_scaled),
        power_share=_power_share(method, point, exchange),
    )


def _power_share(method: Method, point: Pointwise, exchange: Exchange | None) -> float | None:
    if point.df is None:
        return None
    level = attained_level(len(exchange.places)) if method == "permutation" and exchange is not None else TEST_LEVEL
    return share_of_power(float(point.df[0]), level)


def _known_chance(
    method: Method, grid: OutcomeGrid, replay: Replay, fit: PathFit, point: Pointwise, exchange: Exchange | None
) -> float | None:
    if point.df is None or not point.p[0] > TEST_LEVEL + TIE:
        return None
    df, error = float(point.df[0]), float(point.std_error[0])
    if method == "permutation" and exchange is not None:
        error = known_error(grid, replay, fit, exchange)
    elif df >= AS_KNOWN:
        return None
    return chance_of_known(float(fit.beta[0]) / error, df) if error > 0 else None


def _not_exchangeable(method: str, found: str) -> DataError:
    return DataError(
        "QB551",
        method=method,
        found=found,
        expected="one date of adoption a cluster, and for rescaled histories one entity a cluster",
        fix="vcov=None",
    )
