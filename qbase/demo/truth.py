"""What is true in the fictional province; only the demo itself and tests may look."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from qbase.core.values import freeze
from qbase.demo.clean.core_tables import RISKS, SIZES, cluster_ids, firm_ids, quarter_codes
from qbase.demo.pseudo_truth import ESTIMATORS
from qbase.demo.world import scenario as settings
from qbase.demo.world.draws import MILLION, logit
from qbase.demo.world.firm_population import NEVER
from qbase.demo.world.geography import Bools, Floats, Ints
from qbase.demo.world.quarters import TYPES, World, build_world
from qbase.demo.world.scenario import N_QUARTERS

LEAST_CHANCE = 1e-6


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """What no delivery tells.

    Parameters
    ----------
    firm_quarter : pandas.DataFrame
        Firm, quarter, ``p_none`` (no policy anywhere), ``p0`` (none here), ``p1`` (as it is), risk class,
        size, inclusion probabilities by sample type and ``pi_any``.
    level : pandas.DataFrame
        By cluster and quarter: firms alive, mean of ``p1``, ``p0``, ``p_none`` over them, expected rate of
        all first inspections (``naive``) and of the random draws.
    att : pandas.DataFrame
        Effect on the treated by ``kind`` (overall, cohort, event_time, cohort_event_time, size, risk,
        enrolled) and ``key``; firm-quarters, pp, logit. ``cells`` weighs cluster-quarters alike; ``total``
        also holds what the policy does to who stays (cell means against the province without policy).
    spillover : pandas.DataFrame
        By cluster and quarter: effect of other clusters' adoption, pp and logit.
    pseudo : pandas.DataFrame
        By estimator class and kind of sample: what it yields on the noise-free cells, pp.
    params : mapping
        Constants and switches.
    """

    firm_quarter: pd.DataFrame
    level: pd.DataFrame
    att: pd.DataFrame
    spillover: pd.DataFrame
    pseudo: pd.DataFrame
    params: Mapping[str, Any]

    def att_pp(self, kind: str = "overall", key: str = "all") -> float:
        """Return one effect in percentage points."""
        row = self.att[(self.att["kind"] == kind) & (self.att["key"] == key)]
        return float(row["att_pp"].iloc[0])

    def pseudo_pp(self, estimator: str, sample: str = "level") -> float:
        """Return what an estimator class yields without noise, in percentage points."""
        row = self.pseudo[(self.pseudo["estimator"] == estimator) & (self.pseudo["sample"] == sample)]
        return float(row["value_pp"].iloc[0])


def build_truth(world: World) -> Truth:
    """Build the truth of one province.

    Parameters
    ----------
    world : World
        The history with its latent values.

    Returns
    -------
    Truth
        Tables by firm-quarter and cluster-quarter, effects, pseudo-true values, parameters.
    """
    return Truth(
        firm_quarter=_firm_quarter(world),
        level=level_table(world),
        att=_att(world),
        spillover=_spillover(world),
        pseudo=_pseudo(world),
        params=freeze(_params(world)),
    )


def _firm_quarter(world: World) -> pd.DataFrame:
    f, t = np.nonzero(world.is_alive)
    pi = world.pi[f, t]
    missed = np.prod(1 - pi / MILLION, axis=1)
    columns: dict[str, Any] = {
        "firm_id": firm_ids(world)[f],
        "cluster_id": cluster_ids(world)[world.firms.cluster[f]],
        "quarter": quarter_codes(t),
        "size_class": np.asarray(SIZES, dtype=object)[world.firms.size[f]],
        "risk_class": np.asarray(RISKS, dtype=object)[world.risk[f, t]],
        "is_enrolled": world.firms.is_enrolled[f],
        "p_none": world.p_none[f, t],
        "p0": world.p0[f, t],
        "p1": world.p1[f, t],
    }
    columns |= {f"pi_{kind}": pi[:, k] / MILLION for k, kind in enumerate(TYPES)}
    return pd.DataFrame(columns | {"pi_any": np.round(1 - missed, 6)})


def cell_mean(world: World, values: Floats, weights: Floats | None = None) -> Floats:
    """Return the mean over the firms alive of each cluster and quarter, shape (C, T); nan where empty."""
    w = world.is_alive.astype(float) if weights is None else weights
    total = _sum(world, w)
    summed = _sum(world, np.where(w > 0, values, 0.0) * w)
    mean: Floats = np.divide(summed, total, out=np.full(total.shape, np.nan), where=total > 0)
    return mean


def _sum(world: World, values: Floats) -> Floats:
    out = np.zeros((world.geo.n_clusters, N_QUARTERS))
    np.add.at(out, world.firms.cluster, values)
    return out


def level_table(world: World) -> pd.DataFrame:
    """Return the level of each cluster and quarter, and what naive and random rates are expected to be."""
    n = world.geo.n_clusters
    pi = world.pi.astype(float)
    return pd.DataFrame(
        {
            "cluster_id": np.repeat(cluster_ids(world), N_QUARTERS),
            "quarter": np.tile(quarter_codes(np.arange(N_QUARTERS)), n),
            "n_firms": _sum(world, world.is_alive.astype(float)).astype(int).ravel(),
            "level_pct": 100 * cell_mean(world, world.p1).ravel(),
            "level0_pct": 100 * cell_mean(world, world.p0).ravel(),
            "level_none_pct": 100 * cell_mean(world, world.p_none).ravel(),
            "naive_pct": 100 * cell_mean(world, world.p1, pi.sum(2)).ravel(),
            "random_pct": 100 * cell_mean(world, world.p1, pi[:, :, 0]).ravel(),
            "expected_batches": (_sum(world, pi.sum(2)) / MILLION).ravel(),
        }
    ).round(6)


def _att(world: World) -> pd.DataFrame:
    cohort = world.plan.cohort[world.firms.cluster]
    f, t = np.nonzero(world.is_alive & (np.arange(N_QUARTERS)[None, :] >= cohort[:, None]))
    p0, p1 = (np.clip(p[f, t], LEAST_CHANCE, 1 - LEAST_CHANCE) for p in (world.p0, world.p1))
    frame = pd.DataFrame(
        {
            "cohort": quarter_codes(cohort[f]),
            "event_time": (t - cohort[f]).astype(str),
            "size": np.asarray(SIZES, dtype=object)[world.firms.size[f]],
            "risk": np.asarray(RISKS, dtype=object)[world.risk[f, t]],
            "enrolled": np.where(world.firms.is_enrolled[f], "yes", "no"),
            "cell": world.firms.cluster[f] * N_QUARTERS + t,
            "att_pp": 100 * (p1 - p0),
            "att_logit": logit(p1) - logit(p0),
        }
    )
    frame["cohort_event_time"] = frame["cohort"] + "+" + frame["event_time"]
    values = ["att_pp", "att_logit"]
    parts = [_row("overall", "all", frame[values].mean(), len(frame))]
    by_cell = frame.groupby("cell")[values].mean()
    parts.append(_row("cells", "all", by_cell.mean(), len(by_cell)))
    for kind in ("cohort", "event_time", "cohort_event_time", "size", "risk", "enrolled"):
        for key, part in frame.groupby(kind, sort=False):
            parts.append(_row(kind, str(key), part[values].mean(), len(part)))
    parts += _total(world)
    columns = ["kind", "key", "n_obs", *values]
    return pd.DataFrame(parts, columns=columns).sort_values(["kind", "key"], kind="stable", ignore_index=True)


def _row(kind: str, key: str, values: pd.Series, n: int) -> dict[str, Any]:
    return {"kind": kind, "key": key, "n_obs": n, **{str(k): round(float(v), 6) for k, v in values.items()}}


def _spillover(world: World) -> pd.DataFrame:
    n = world.geo.n_clusters
    gap = 100 * (cell_mean(world, world.p0) - cell_mean(world, world.p_none))
    frame = pd.DataFrame(
        {
            "cluster_id": np.repeat(cluster_ids(world), N_QUARTERS),
            "quarter": np.tile(quarter_codes(np.arange(N_QUARTERS)), n),
            "is_treated": world.plan.is_treated.ravel(),
            "spillover_pp": gap.ravel(),
            "spillover_logit": world.plan.spill.ravel(),
        }
    )
    return frame.round(6)


def _pseudo(world: World) -> pd.DataFrame:
    """Apply each estimator class to noise-free cells of firms, of random draws, of all draws."""
    pi = world.pi.astype(float)
    rows = []
    for sample, weights in (("level", None), ("random", pi[:, :, 0]), ("naive", pi.sum(2))):
        rates = cell_mean(world, world.p1, weights)
        for name in ESTIMATORS:
            rows.append({"estimator": name, "sample": sample, "value_pp": estimate(name, rates, world.plan.cohort)})
    return pd.DataFrame(rows)


def estimate(name: str, rates: Floats, cohort: Ints, weights: Floats | None = None) -> float:
    """Apply one estimator class to rates of cells; cells without a rate are left out; pp."""
    w = np.isfinite(rates).astype(float) if weights is None else weights
    if not (cohort < NEVER).any() or (name == "group_time" and (cohort < NEVER).all()):
        return float("nan")
    return round(100 * ESTIMATORS[name](rates, w, cohort), 6)


def drawn_rates(world: World, is_used: Bools) -> tuple[Floats, Floats]:
    """Return observed pass rates and batches of each cluster and quarter among the draws used."""
    cell = world.firms.cluster[world.firm] * N_QUARTERS + world.quarter
    shape = (world.geo.n_clusters, N_QUARTERS)
    n = np.bincount(cell[is_used], minlength=shape[0] * N_QUARTERS).astype(float)
    k = np.bincount(cell[is_used], world.passed[is_used], minlength=shape[0] * N_QUARTERS)
    return np.divide(k, n, out=np.full(n.shape, np.nan), where=n > 0).reshape(shape), n.reshape(shape)


def without_policy(world: World) -> World:
    """Return the same province under the same random numbers, had nobody adopted."""
    nothing = dataclasses.replace(
        world.scenario,
        effect="none",
        anticipation_logit=0.0,
        spillover_logit=0.0,
        displacement_logit=0.0,
        has_sampling_shift=False,
        has_alliance_standard=False,
        has_gaming=False,
    )
    return build_world(world.dims, nothing, world.streams, keeps_hazard=False)


def _total(world: World) -> list[dict[str, Any]]:
    """Return the total effect: who stays and who leaves included, level against the province without policy."""
    other = without_policy(world)
    gap = 100 * (cell_mean(world, world.p1) - cell_mean(other, other.p1))
    treated = world.plan.is_treated
    rows = []
    for key, cells in [("all", treated)] + [
        (quarter_codes(np.array([g]))[0], treated & (world.plan.cohort == g)[:, None])
        for g in np.unique(world.plan.cohort[world.plan.cohort < NEVER])
    ]:
        if cells.any():
            mean = round(float(np.nanmean(gap[cells])), 6)
            rows.append(
                {"kind": "total", "key": key, "n_obs": int(cells.sum()), "att_pp": mean, "att_logit": float("nan")}
            )
    return rows


def _params(world: World) -> dict[str, Any]:
    constants = {
        name.lower(): value
        for name, value in vars(settings).items()
        if name.isupper() and name != "SEED" and isinstance(value, int | float | str | tuple)
    }
    return {
        "seed": world.streams.seed,
        **constants,
        "cohort_logit": {quarter_codes(np.array([q]))[0]: v for q, v in settings.COHORT_LOGIT.items()},
        "dose_slopes": {f"w{w}": v for w, v in settings.DOSE_SLOPES.items()},
        "lab_logit": world.geo.lab_logit.tolist(),
        "alpha": dict(zip(cluster_ids(world).tolist(), world.geo.alpha.tolist(), strict=True)),
        "scenario": dataclasses.asdict(world.scenario),
    }
