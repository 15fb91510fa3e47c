"""A cohort against those not treated, made comparable by covariates: doubly robust, by outcome or by propensity."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from qbase.core.errors import DataError
from qbase.effects.comparison.outcome_grid import Floats

MOST_PROPENSITY = 0.995
"""Untreated entities with a higher chance of treatment are left out, as in R's ``DRDID``."""

STEPS, CLOSE = 50, 1e-10
BLOCK = 2048
"""Entities at once where influence is spread: what is between stays in the processor's cache."""

Ints = NDArray[np.int64]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """The treated, or those they are compared with.

    Parameters
    ----------
    change : numpy.ndarray, shape (n, T)
        Outcome less that of the base period.
    x : numpy.ndarray, shape (n, 1 + p)
        A constant and covariates, see `scale_covariates`.
    weight : numpy.ndarray, shape (n,)
    """

    change: Floats
    x: Floats
    weight: Floats


def scale_covariates(covariates: Floats) -> Floats:
    """Return a constant and standardised covariates: yuan or million yuan give the same answer.

    Raises
    ------
    DataError
        One is missing for somebody, or the same for everybody (QB530).
    """
    spread = covariates.std(axis=0)
    if not np.isfinite(covariates).all() or (spread <= 1e-12 * np.maximum(np.abs(covariates).max(axis=0), 1)).any():
        raise _not_comparable("a covariate that is missing, or the same for everybody")
    return np.column_stack([np.ones(len(covariates)), (covariates - covariates.mean(axis=0)) / spread])


def compare_adjusted(treated: Side, other: Side, *, adjust: str = "dr") -> tuple[Floats, Floats, Floats]:
    """Return the effect in each period, adjusted for covariates, and what each entity adds to its error.

    Parameters
    ----------
    treated, other : Side
        Of the same periods.
    adjust : {"dr", "reg", "ipw"}
        Doubly robust (Hájek weights), outcome regression, or inverse propensity weights (Hájek).

    Returns
    -------
    att : numpy.ndarray, shape (T,)
    of_treated, of_other : numpy.ndarray, shape (n, T)

    Raises
    ------
    DataError
        Covariates are collinear, or tell the treated from the others completely (QB530).

    References
    ----------
    Sant'Anna, P. H. C. and Zhao, J. (2020). Doubly robust difference-in-differences estimators. J. Econometrics 219;
    the traditional estimator of R's ``DRDID``.
    """
    mass = treated.weight.sum()
    up_rest, down_rest, leverage = treated.change, other.change, None
    if adjust != "ipw":
        up_rest, down_rest, leverage = _outcome(treated, other)
    up = treated.weight @ up_rest / mass
    of_treated = (up_rest - up) * (treated.weight / mass)[:, None]
    pull = treated.weight @ treated.x / mass
    if adjust == "reg" and leverage is not None:
        return up, of_treated, down_rest * -(leverage @ pull)[:, None]
    chance, inverse = _propensity([side.x for side in (treated, other)], [side.weight for side in (treated, other)])
    p_treated, p_other = (expit(side.x @ chance) for side in (treated, other))
    odds = _odds(other.weight, p_other)
    total = odds.sum()
    if not total > 0:
        raise _not_comparable("nobody untreated who resembles the treated")
    down = odds @ down_rest / total
    apart = (down_rest - down) * (odds / total)[:, None]
    lean = inverse @ (other.x.T @ apart)
    of_treated -= ((treated.weight * (1 - p_treated))[:, None] * treated.x) @ lean
    np.negative(apart, out=apart)
    apart += ((other.weight * p_other)[:, None] * other.x) @ lean
    if leverage is not None:
        apart -= down_rest * (leverage @ (pull - odds @ other.x / total))[:, None]
    return up - down, of_treated, apart


def _outcome(treated: Side, other: Side) -> tuple[Floats, Floats, Floats]:
    """Return changes of both less what those not treated predict, and the leverage of each of the latter."""
    weighted = other.x * other.weight[:, None]
    inverse = _invert(weighted.T @ other.x)
    beta = inverse @ (weighted.T @ other.change)
    return treated.change - treated.x @ beta, other.change - other.x @ beta, weighted @ inverse


def _invert(moment: Floats) -> Floats:
    if np.linalg.cond(moment) > 1e12:
        raise _not_comparable("covariates that are collinear among those not treated")
    return np.asarray(np.linalg.inv(moment), dtype=float)


def _odds(weight: Floats, chance: Floats) -> Floats:
    """Return what those not treated weigh to look like the treated."""
    return weight * np.where(chance < MOST_PROPENSITY, chance / np.maximum(1 - chance, 1e-12), 0.0)


def _propensity(x: Sequence[Floats], weight: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Return the weighted logistic regression of being in the first part, and the inverse of its information."""
    gain = weight[0] @ x[0]
    across, mass = np.ascontiguousarray(np.concatenate(x).T), np.concatenate(weight)
    beta = np.zeros(len(across))
    for _ in range(STEPS):
        chance = expit(beta @ across)
        part = mass * chance
        slope = gain - across @ part
        curve = (across * (part * (1 - chance))) @ across.T
        try:
            inverse = np.linalg.inv(curve)
        except np.linalg.LinAlgError as problem:
            raise _not_comparable("covariates that are collinear, or tell the treated from all others") from problem
        step = inverse @ slope
        if np.abs(step).max() < CLOSE:
            return beta, np.asarray(inverse, dtype=float)
        beta = beta + step
        if np.abs(beta).max() > 1e3:
            break
    raise _not_comparable("covariates that tell the treated from all others")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sorted:
    """A panel without gaps, sorted by start, with sums of each start that serve every comparison.

    Parameters
    ----------
    order : numpy.ndarray of int, shape (N,)
        Where each row stands in the grid.
    edges : numpy.ndarray of int, shape (S + 1,)
        First row of each of S starts.
    y, x, weight : numpy.ndarray, shapes (N, T), (N, q), (N,)
    moment, cross : numpy.ndarray, shapes (S, q, q), (S, q, T)
        Σ w x x′ and Σ w x y′.
    """

    order: Ints
    edges: Ints
    y: Floats
    x: Floats
    weight: Floats
    moment: Floats
    cross: Floats

    def of(self, start: int) -> slice:
        """Return the rows of a start."""
        return slice(int(self.edges[start]), int(self.edges[start + 1]))


def sort_rows(y: Floats, x: Floats, weight: Floats, kind: Ints) -> Sorted:
    """Return a panel without gaps sorted by the number of its start, shape (N,), and its sums."""
    order = np.argsort(kind, kind="stable")
    edges = np.searchsorted(kind[order], np.arange(kind.max() + 2))
    y, x, weight = y[order], x[order], weight[order]
    parts = [slice(a, b) for a, b in itertools.pairwise(edges.tolist())]
    weighted = [(x[part] * weight[part, None]).T for part in parts]
    return Sorted(
        order=order, edges=edges, y=y, x=x, weight=weight,
        moment=np.array([w @ x[part] for w, part in zip(weighted, parts, strict=True)]),
        cross=np.array([w @ y[part] for w, part in zip(weighted, parts, strict=True)]),
    )  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Adjusted:
    """A start against others in periods with the same others, as `compare_adjusted`, in coefficients alone.

    Parameters
    ----------
    own : int
    others : tuple of int
        Starts.
    columns, base : numpy.ndarray of int, shape (C,)
        Periods, and what each is measured from.
    att, up, down : numpy.ndarray, shape (C,)
        Effects, and what is left of the changes of both sides.
    mass : float
        Weight of the treated.
    outcome : numpy.ndarray, shape (q, C)
        What predicts the change; 0 without outcome regression.
    lean : numpy.ndarray, shape (q,)
        The regression's error, by ``w x`` of those not treated.
    chance : numpy.ndarray, shape (q,), or None
        The logit of being treated; None without.
    total : float
        Of the odds.
    tilt : numpy.ndarray, shape (q, C)
        The logit's error, by its scores.
    """

    own: int
    others: tuple[int, ...]
    columns: Ints
    base: Ints
    att: Floats
    up: Floats
    down: Floats
    mass: float
    outcome: Floats
    lean: Floats
    chance: Floats | None
    total: float
    tilt: Floats

    def pull(self, shares: Floats, n_periods: int, constant: Floats) -> Floats:
        """Return what outcomes and covariates of a row add to each average, shape (T + q, K), by shares (K, C)."""
        by = np.zeros((n_periods, len(shares)))
        np.add.at(by, self.columns, shares.T)
        np.subtract.at(by, self.base, shares.T)
        of_x = -self.outcome @ shares.T
        of_x[0] -= shares @ constant
        return np.vstack([by, of_x])


def compare_sorted(
    rows: Sorted, own: int, others: tuple[int, ...], columns: Ints, base: Ints, *, adjust: str = "dr"
) -> Adjusted:
    """Return the same effects as `compare_adjusted` from the sums of a panel without gaps.

    Parameters
    ----------
    rows : Sorted
    own, others
        Numbers of the starts.
    columns, base : numpy.ndarray of int, shape (C,)
        Periods, and what each is measured from.
    adjust : {"dr", "reg", "ipw"}

    Raises
    ------
    DataError
        As there (QB530).
    """
    with_own = rows.cross[own][:, columns] - rows.cross[own][:, base]
    mass, (q, n) = rows.moment[own][0, 0], with_own.shape
    mean, outcome, lean = rows.moment[own][0] / mass, np.zeros((q, n)), np.zeros(q)
    if adjust != "ipw":
        inverse, cross = _invert(rows.moment[list(others)].sum(axis=0)), rows.cross[list(others)].sum(axis=0)
        outcome = inverse @ (cross[:, columns] - cross[:, base])
        lean = inverse @ mean
    up = with_own[0] / mass - mean @ outcome
    found = Adjusted(
        own=own, others=others, columns=columns, base=base, att=up, up=up, down=np.zeros(n), mass=mass,
        outcome=outcome, lean=lean, chance=None, total=0.0, tilt=np.zeros((q, n)),
    )  # fmt: skip
    return found if adjust == "reg" else _tilt(rows, found, inverse if adjust == "dr" else np.zeros((q, q)))


def _tilt(rows: Sorted, found: Adjusted, inverse: Floats) -> Adjusted:
    """Return the comparison with those not treated weighed by the odds of treatment."""
    parts = [rows.of(s) for s in (found.own, *found.others)]
    chance, spread = _propensity([rows.x[p] for p in parts], [rows.weight[p] for p in parts])
    q = len(chance)
    moment, cross = np.zeros((q, q)), np.zeros((q, rows.y.shape[1]))
    for part in parts[1:]:
        weighted = (rows.x[part] * _odds(rows.weight[part], expit(rows.x[part] @ chance))[:, None]).T
        moment += weighted @ rows.x[part]
        cross += weighted @ rows.y[part]
    total = moment[0, 0]
    if not total > 0:
        raise _not_comparable("nobody untreated who resembles the treated")
    rest = cross[:, found.columns] - cross[:, found.base] - moment @ found.outcome
    down = rest[0] / total
    return dataclasses.replace(
        found, att=found.up - down, down=down, chance=chance, total=total,
        lean=found.lean - inverse @ moment[0] / total,
        tilt=spread @ (rest - np.outer(moment[0], down)) / total,
    )  # fmt: skip


def spread_errors(rows: Sorted, compared: Sequence[tuple[Adjusted, Floats]], n_averages: int) -> Floats:
    """Return what each entity adds to the errors of K averages, shape (N, K), in the order of the grid.

    Parameters
    ----------
    rows : Sorted
    compared : sequence of (Adjusted, numpy.ndarray)
        Comparisons, with the share of each of their periods in each average, shape (K, C).
    n_averages : int
    """
    influence = np.zeros((len(rows.y), n_averages))
    for start in range(len(rows.edges) - 1):
        part = rows.of(start)
        mine = [(one, shares, start == one.own) for one, shares in compared if start in (one.own, *one.others)]
        if not mine:
            continue
        pull = np.vstack([p for one, shares, is_own in mine for p in _pulls(one, shares, is_own, rows.y.shape[1])])
        for first in range(part.start, part.stop, BLOCK):
            block = slice(first, min(first + BLOCK, part.stop))
            y, x, weight = rows.y[block], rows.x[block], rows.weight[block]
            both = np.hstack([y, x])
            terms = [t for one, _, is_own in mine for t in _terms(one, is_own, both, x, weight)]
            influence[rows.order[block]] = np.hstack(terms) @ pull
    return influence


def _pulls(one: Adjusted, shares: Floats, is_own: bool, n_periods: int) -> Iterator[Floats]:
    """Yield what each of `_terms` adds to the averages."""
    yield one.pull(shares, n_periods, one.up if is_own else np.zeros(len(one.up)))
    if one.chance is not None:
        yield one.tilt @ shares.T
        if not is_own:
            yield (shares @ one.down)[None, :]


def _terms(one: Adjusted, is_own: bool, both: Floats, x: Floats, weight: Floats) -> Iterator[Floats]:
    """Yield, for a block of rows: outcomes and covariates, scores of the logit, odds."""
    chance = None if one.chance is None else expit(x @ one.chance)
    if is_own:
        yield both * (weight / one.mass)[:, None]
        if chance is not None:
            yield x * (weight * (chance - 1))[:, None]
        return
    share = weight * (x @ one.lean)
    if chance is None:
        yield both * -share[:, None]
        return
    odds = _odds(weight, chance) / one.total
    yield both * -(odds + share)[:, None]
    yield x * (weight * chance)[:, None]
    yield odds[:, None]


def _not_comparable(found: str) -> DataError:
    return DataError(
        "QB530",
        found=found,
        expected="covariates in which treated and untreated overlap",
        fix="fewer covariates, or those that both sides share",
    )
