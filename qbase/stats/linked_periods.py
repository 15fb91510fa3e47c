"""Which periods hang together through entities seen in both, and how to solve for their effects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LARGEST = 1e9
"""An inverse this many times larger than its matrix allows comes from periods that do not hang together."""

LINKED = 1e-12
"""Share of the largest entry from which two periods share an entity; below it is rounding."""


def period_information(weights: Floats, totals: Floats) -> Floats:
    """Return the information on period effects once those of entities are taken out.

    Parameters
    ----------
    weights : numpy.ndarray, shape (N, T)
        Of the cells, 0 where there is none.
    totals : numpy.ndarray, shape (N,)
        Sum of each row, above 0 even where the row is empty.

    Returns
    -------
    numpy.ndarray, shape (T, T)
        diag(V'1) − V' diag(1 / totals) V: a graph whose edges are entities seen in two periods.
    """
    return np.asarray(np.diag(weights.sum(axis=0)) - weights.T @ (weights / totals[:, None]), dtype=np.float64)


def invert_periods(information: Floats) -> tuple[Floats, Ints]:
    """Return the inverse of that information, and which periods hang together.

    Parameters
    ----------
    information : numpy.ndarray, shape (T, T)

    Returns
    -------
    numpy.ndarray, shape (T, T)
        Inverse on differences between periods that hang together; effects so solved have mean 0 within each part.
    numpy.ndarray of int, shape (T,)
        A label of each period; periods of different labels cannot be compared.
    """
    n_periods = len(information)
    scale = float(np.trace(information)) / n_periods or 1.0
    try:
        inverse = np.asarray(np.linalg.inv(information + scale / n_periods), dtype=np.float64)
    except np.linalg.LinAlgError:
        inverse = np.full_like(information, np.inf)
    if np.abs(inverse).max() * scale < LARGEST:
        return inverse, np.zeros(n_periods, dtype=np.int64)
    labels = _label_parts(np.abs(information) > LINKED * max(float(np.abs(information).max()), 1e-300))
    together = np.asarray(labels[:, None] == labels)
    inverse = np.linalg.inv(information + scale * together / together.sum(axis=1))
    return np.asarray(inverse, dtype=np.float64), labels


def _label_parts(is_linked: NDArray[np.bool_]) -> Ints:
    reach = is_linked | np.eye(len(is_linked), dtype=bool)
    while True:
        further = reach.astype(float) @ reach.astype(float) > 0
        if np.array_equal(further, reach):
            return np.asarray(np.argmax(reach, axis=1), dtype=np.int64)
        reach = further
