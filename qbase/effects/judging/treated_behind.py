"""Who stands behind a coefficient of a regression: how many treated entities, and how many of their cells."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from qbase.effects.comparison.treated_and_controls import Design
from qbase.effects.fitting.path_fit import Ints
from qbase.effects.fitting.two_way_fit import Floats

FEWEST = 3
"""Below three treated entities a term has no interval: seen in one, a true null is rejected in 50 % of draws."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Behind:
    """Treated entities and cells behind K coefficients.

    Parameters
    ----------
    n_treated, n_cells : numpy.ndarray of int, shape (K,)
        Treated entities, and their cells.
    n_effective : numpy.ndarray, shape (K,)
        1 / Σ share² over the treated entities, by the weight of their cells.
    """

    n_treated: Ints
    n_cells: Ints
    n_effective: Floats

    @property
    def is_enough(self) -> NDArray[np.bool_]:
        """Which coefficients can have an interval, shape (K,)."""
        return np.asarray(self.n_treated >= FEWEST)


def count_behind(design: Design, is_used: NDArray[np.bool_], dummies: Mapping[str, Floats]) -> Behind:
    """Count the treated entities in which each dummy is on.

    Parameters
    ----------
    design : Design
        The rows.
    is_used : numpy.ndarray of bool, shape (rows,)
        Those that entered the fit.
    dummies : mapping
        Term -> dummy over the rows of the design.
    """
    treated = design.rows["entity"].isin(design.treated).to_numpy() & is_used
    counted = []
    for dummy in dummies.values():
        on = treated & (dummy != 0)
        share = design.rows.loc[on].groupby("entity")["w"].sum().to_numpy(dtype=float)
        effective = float(share.sum() ** 2 / (share**2).sum()) if len(share) else 0.0
        counted.append((len(share), int(on.sum()), effective))
    people, cells, effective_numbers = zip(*counted, strict=True)
    return Behind(
        n_treated=np.array(people, dtype=np.int64),
        n_cells=np.array(cells, dtype=np.int64),
        n_effective=np.array(effective_numbers, dtype=float),
    )
