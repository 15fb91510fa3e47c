"""Directed draws as predictions, random draws as labels: rates that stay right where directed draws see hidden risk."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from qbase.indicators.cells.strata import KEYS
from qbase.stats.design.design_weights import Floats

CLASSES = ["year", "risk_class", "size_class"]
PRIOR_DRAWS = 20.0
"""A class of a year with fewer directed draws than this is predicted mostly by all directed draws of the window."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What directed draws predict for the firms of a frame and for the random draws.

    Parameters
    ----------
    of_draws : numpy.ndarray, shape (strata,)
        Predicted share of passing batches of each stratum's random draws; NaN without a class of the frame.
    of_frame : pandas.Series
        Index (entity, period): the mean over the firms on the list.
    """

    of_draws: Floats
    of_frame: pd.Series


def predict_strata(strata: pd.DataFrame, frame: pd.DataFrame) -> Predictions:
    """Predict pass rates by year, risk class and size from directed draws alone.

    Parameters
    ----------
    strata : pandas.DataFrame
        Columns entity, period, cluster_id, risk_class, size_class, n, k (random draws), all_n, all_k; the entity is
        the cluster.
    frame : pandas.DataFrame
        Columns cluster_id, period, risk_class, size_class, firms.
    """
    classed = _with_year(strata)
    directed = pd.DataFrame(
        {"n": (strata["all_n"] - strata["n"]).to_numpy(float), "k": (strata["all_k"] - strata["k"]).to_numpy(float)}
    )
    total = directed.sum()
    mean = float(total["k"] / total["n"]) if total["n"] else 1.0
    sums = directed.groupby([classed[c].to_numpy() for c in CLASSES]).sum().rename_axis(CLASSES)
    rate = ((sums["k"] + PRIOR_DRAWS * mean) / (sums["n"] + PRIOR_DRAWS)).rename("predicted").reset_index()
    listed = _with_year(frame).merge(rate, on=CLASSES, how="left").fillna({"predicted": mean})
    listed["whole"] = listed["predicted"] * listed["firms"]
    of_frame = listed.groupby(KEYS[:2])[["whole", "firms"]].sum().rename_axis(["entity", "period"])
    known = strata["risk_class"].notna() & strata["size_class"].notna()
    of_draws = classed[CLASSES].merge(rate, on=CLASSES, how="left")["predicted"].where(known.to_numpy())
    return Predictions(of_draws=of_draws.to_numpy(dtype=float), of_frame=of_frame["whole"] / of_frame["firms"])


def _with_year(long: pd.DataFrame) -> pd.DataFrame:
    return long.assign(year=pd.PeriodIndex(long["period"]).year)


def predicted_rates(rates: pd.DataFrame, strata: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Correct rates of weighted random draws by what directed draws predict for the firms that were not drawn.

    ``rate + λ (mean prediction of the frame − weighted mean prediction of the random draws)``, λ the slope of passing
    on the prediction within cells, the same for the whole window: a difference estimator (Särndal, Swensson and
    Wretman 1992, chapter 6), with λ tuned as in prediction-powered inference. Predictions come from other draws than
    the labels, so that the rate is unbiased whatever directed draws were chosen for; it can pass 1 by a little where
    all random draws of a cell passed.

    Parameters
    ----------
    rates : pandas.DataFrame
        From `qbase.indicators.cells.stratum_weights.weighted_rates` of the random draws.
    strata : pandas.DataFrame
        Those draws: see `predict_strata`, and ``weight``.
    frame : pandas.DataFrame
        Firms by cluster, period, class and size.

    Returns
    -------
    pandas.DataFrame
        As ``rates``, with ``rate`` corrected and ``n_eff`` raised by what the predictions explain.

    References
    ----------
    Angelopoulos, A. N., Duchi, J. C. and Zrnic, T. (2023). PPI++: efficient prediction-powered inference.
    """
    found = predict_strata(strata, frame)
    n, k, weight = (strata[c].to_numpy(dtype=float) for c in ("n", "k", "weight"))
    used = (n > 0) & np.isfinite(found.of_draws)
    cell = pd.MultiIndex.from_frame(strata[["entity", "period"]])
    at = rates.index.get_indexer(cell)
    used &= at >= 0
    wn, m = np.where(used, weight * n, 0.0), np.where(used, found.of_draws, 0.0)
    size = len(rates)
    mass = np.bincount(at[used], wn[used], minlength=size).astype(float)
    is_there = mass > 0
    safe = np.where(is_there, mass, 1.0)
    of_draws = np.bincount(at[used], (wn * m)[used], minlength=size) / safe
    share = np.divide(k, n, out=np.zeros_like(k), where=n > 0)
    mean = np.bincount(at[used], (wn * share)[used], minlength=size) / safe
    slope, gain = _tune((m - of_draws[at])[used], (share - mean[at])[used], wn[used], mean, mass)
    of_frame = found.of_frame.reindex(rates.index).to_numpy(dtype=float)
    step = np.where(is_there & np.isfinite(of_frame), slope * (of_frame - of_draws), 0.0)
    return rates.assign(rate=rates["rate"] + step, n_eff=rates["n_eff"] * gain)


def _tune(apart: Floats, passed: Floats, wn: Floats, mean: Floats, mass: Floats) -> tuple[float, float]:
    """Return the slope of passing on the prediction within cells, 0 to 1, and by how much it lowers the variance."""
    spread = float((wn * apart**2).sum())
    if spread <= 0:
        return 0.0, 1.0
    slope = min(max(float((wn * apart * passed).sum()) / spread, 0.0), 1.0)
    whole = float((mass * mean * (1 - mean)).sum())
    left = whole - 2 * slope * float((wn * apart * passed).sum()) + slope**2 * spread
    return slope, whole / left if 0 < left < whole else 1.0
