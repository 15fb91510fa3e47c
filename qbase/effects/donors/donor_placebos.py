"""How unusual a gap is: the same estimate for donors in the place of the treated, and without each donor in turn."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np

from qbase.core.errors import DataError
from qbase.effects.comparison.outcome_grid import Floats
from qbase.effects.donors.donor_pool import DonorPool
from qbase.effects.donors.donor_weights import DonorFits, WeightSpec, fit_donors

MOST_PLACEBOS = 999
"""Sets of donors in the place of the treated are enumerated up to this number, and drawn beyond it."""
MOST_LEFT_OUT = 50
"""Of the donors with weight, the heaviest that are left out in turn."""
TIE = 1e-9

NO_GAP = 1e-8
"""A gap below this share of the largest outcome is rounding."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Placebos:
    """The estimate, its placebos in space, and the estimate without each of its donors.

    Parameters
    ----------
    fits : DonorFits
        The first row is the estimate, then one row for each placebo.
    sets : tuple of tuple of int
        Donors in the place of the treated, by position; one tuple for each placebo.
    is_enumerated : bool
        Whether these are all there are.
    left_out : tuple of int
        Donors left out in turn, by position.
    effects_without : numpy.ndarray, shape (len(left_out),)
    """

    fits: DonorFits
    sets: tuple[tuple[int, ...], ...]
    is_enumerated: bool
    left_out: tuple[int, ...]
    effects_without: Floats

    @property
    def floor(self) -> float:
        """Smallest p value there can be."""
        return 1.0 / (len(self.sets) + 1)

    @property
    def spread(self) -> float:
        """Standard deviation of the placebo effects, around their mean."""
        return float(self.fits.effects[1:].std())


def fit_placebos(pool: DonorPool, spec: WeightSpec) -> Placebos:
    """Fit the treated, every donor (or set of as many donors as there are treated) in their place, and without each.

    A set's own donors are never among those it is compared with, and neither are the treated: the placebos do not
    depend on the effect, so their distribution can be inverted.

    References
    ----------
    Abadie, A., Diamond, A. and Hainmueller, J. (2010). Synthetic control methods for comparative case studies.
    J. American Statistical Association 105.
    """
    n_donors, n_treated = len(pool.donors), len(pool.treated)
    sets, whole = _sets(n_donors, n_treated, spec.seed)
    targets = np.zeros((len(sets) + 1, n_donors + 1))
    targets[0, -1] = 1.0
    allowed = np.ones((len(sets) + 1, n_donors), dtype=bool)
    for row, members in enumerate(sets, start=1):
        targets[row, list(members)] = pool.shares
        allowed[row, list(members)] = False
    fits = fit_donors(pool, targets, allowed, spec)
    order = np.argsort(-np.abs(fits.weights[0]), kind="stable")
    heavy = [int(j) for j in order if abs(fits.weights[0, j]) > TIE][:MOST_LEFT_OUT]
    left_out = tuple(sorted(heavy)) if n_donors > 2 else ()
    without = _effects_without(pool, spec, left_out)
    return Placebos(fits=fits, sets=sets, is_enumerated=whole, left_out=left_out, effects_without=without)


def refuse_no_gaps(pool: DonorPool, placebos: Placebos) -> None:
    """Raise when no placebo leaves a gap: the treated would be held against rounding.

    Raises
    ------
    DataError
        Every donor is reproduced exactly by the others (QB515).
    """
    if np.abs(placebos.fits.gaps[1:]).max(initial=0.0) > NO_GAP * np.nanmax(np.abs(pool.grid.y)):
        return
    raise DataError(
        "QB515",
        outcome=pool.grid.indicator.id,
        found=f"{len(pool.donors)} donors, each exactly a mean of the others plus a constant",
        expected="donors that vary by themselves over time",
        fix="check the measure and the window",
    )


def _effects_without(pool: DonorPool, spec: WeightSpec, left_out: tuple[int, ...]) -> Floats:
    if not left_out:
        return np.empty(0)
    targets = np.zeros((len(left_out), len(pool.donors) + 1))
    targets[:, -1] = 1.0
    return fit_donors(pool, targets, np.vstack([pool.without([j]) for j in left_out]), spec).effects


def _sets(n_donors: int, n_treated: int, seed: int) -> tuple[tuple[tuple[int, ...], ...], bool]:
    if math.comb(n_donors, n_treated) <= MOST_PLACEBOS:
        return tuple(itertools.combinations(range(n_donors), n_treated)), True
    rng, drawn = np.random.default_rng(seed), dict[tuple[int, ...], None]()
    while len(drawn) < MOST_PLACEBOS:
        drawn[tuple(sorted(int(j) for j in rng.choice(n_donors, n_treated, replace=False)))] = None
    return tuple(drawn), False


def rank_among(value: float, placebos: Floats) -> tuple[int, float]:
    """Return the place of a value among itself and its placebos, by size without sign, and its p value.

    Equal ones stand before it, so the p value is never too small.
    """
    reached = np.abs(placebos) >= abs(value) * (1 - TIE)
    rank = 1 + int(reached.sum())
    return rank, rank / (len(placebos) + 1)


def half_width(placebos: Floats, level: float) -> float | None:
    """Return how far the values not rejected by rank reach to both sides; None where no value can be rejected."""
    n_needed = math.floor((1 - level) * (len(placebos) + 1) + TIE)
    if n_needed < 1:
        return None
    return float(np.sort(np.abs(placebos))[-n_needed])
