"""The limits of the two standards tightened in 2021Q1: what the new ones fail and the old ones passed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qbase.demo.world.draws import expit, logit
from qbase.demo.world.geography import Bools, Floats, Ints, read_industries
from qbase.demo.world.quarters import World
from qbase.demo.world.scenario import STANDARD_LOGIT, STANDARD_QUARTER

TIGHTENED_SHARE = 0.2
"""Of the usual distance to a limit, by which every limit of a tightened standard moves inwards; one unit at least."""


def is_tightened_product(world: World, rows: pd.DataFrame) -> Bools:
    """Return which batches are of a product whose standard was tightened, shape (N,)."""
    changed = np.array([bool(i["is_changed"]) for i in read_industries()])
    made: Bools = changed[world.geo.industry_of[rows["_cluster"]]] & (rows["_product"].to_numpy() == 0)
    return made & world.scenario.has_standard_change


def is_between(world: World, rows: pd.DataFrame, rng: np.random.Generator) -> Bools:
    """Draw which batches of these products pass by the old limits and fail by the new ones, shape (N,).

    A batch fails by the limits of its day as drawn in the world; how likely the other limits decide otherwise follows
    from the step in the log-odds of a pass.
    """
    p = np.clip(rows["_chance"].to_numpy(dtype=float), 1e-6, 1 - 1e-6)
    is_new = rows["_quarter"].to_numpy() >= STANDARD_QUARTER
    failed = (rows["result"] == "fail").to_numpy()
    eased, strict = expit(logit(p) - STANDARD_LOGIT), expit(logit(p) + STANDARD_LOGIT)
    share = np.where(is_new, (eased - p) / (1 - p), (p - strict) / p)
    drawn = rng.random(len(rows)) < share
    found: Bools = is_tightened_product(world, rows) & drawn & (failed == is_new)
    return found


def tightened_by(usual: Ints) -> Ints:
    """Return by how many units of its last decimal the limit of an item moves."""
    return np.maximum(1, np.rint(TIGHTENED_SHARE * usual).astype(np.int64))


def tightened_distance(inside: Floats, usual: Ints, between: Bools, number: Floats) -> Floats:
    """Return distances to the old limit: beyond the new one where a batch lies between them, else within it.

    Parameters
    ----------
    inside : numpy.ndarray, shape (M,)
        Distance of a value within its limits, from 0 to ``usual``.
    usual : numpy.ndarray of int, shape (M,)
        Usual distance of the item.
    between : numpy.ndarray of bool, shape (M,)
        Items the old limit passes and the new one fails.
    number : numpy.ndarray, shape (M,)
        Random numbers from 0 to 1.
    """
    gap = tightened_by(usual)
    kept = gap + np.floor(inside * (usual - gap) / usual)
    return np.asarray(np.where(between, np.floor(gap * number), kept), dtype=float)
