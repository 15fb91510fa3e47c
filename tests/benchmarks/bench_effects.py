"""How fast effects are: group-time effects with a covariate and bands against the peers, in the same run.

``--json`` prints one JSON document. Every part runs in a process of its own, so that its peak of memory is its own. The
peers are those of the extra ``bench``; one that is not installed is told as null.

- ``staggered_100k``: 100,000 entities × 20 periods, one covariate, doubly robust, simultaneous bands. The peers draw
  999 multiplier bootstraps for theirs. ``max_abs_difference``: of the event times from diff-diff's, by regression (its
  doubly robust form is another estimator: not normalised).
- ``staggered_1m``: 1,000,000 × 10 without covariate, with bands; ``ratio_moderndid`` at 2,000,000 observations.
- ``cells_10m``: 10 million inspections of 1,000 clusters × 40 quarters, counted to cells.
- ``permutation_leads``: the lead test of 12 clusters × 40 quarters, 999 placebos.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from qbase.core import Indicator, Text
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.doubt.few_clusters import infer
from qbase.effects.fitting.aggregation import GroupTimePath
from qbase.effects.fitting.imputation import ImputationEstimator
from qbase.effects.fitting.imputed_terms import Window, list_path_terms
from qbase.effects.fitting.joint_bands import sup_t_value
from qbase.effects.fitting.path_fit import PathFit, clustered_vcov

OUTCOME = Indicator(id="X1", name=Text("结果", "outcome"), unit="pp", better="up")
LEVEL = 0.95


def draw(entities: int, periods: int, *, seed: int = 1) -> tuple[OutcomeGrid, np.ndarray]:
    """Return a panel of four cohorts and half never treated, with a covariate that moves with both."""
    rng = np.random.default_rng(seed)
    starts = np.array([periods // 4, periods // 3, periods // 2, 2 * periods // 3], dtype=float)
    start = np.where(rng.random(entities) < 0.5, np.nan, rng.choice(starts, entities))
    x = rng.normal(size=(entities, 1)) + 0.3 * np.isfinite(start)[:, None]
    y = rng.normal(size=(entities, periods)) + x * np.linspace(0, 1, periods) + rng.normal(size=(entities, 1))
    y += np.where(np.arange(periods) >= start[:, None], 1.0, 0.0)
    grid = OutcomeGrid(
        indicator=OUTCOME, freq="A", entities=tuple(map(str, range(entities))), first=2000, y=y, n=None, k=None,
        start=start, weight=np.ones(entities), cluster=np.arange(entities),
    )  # fmt: skip
    return grid, x


def long_frame(grid: OutcomeGrid, x: np.ndarray) -> pd.DataFrame:
    """Return the same panel as peers take it: never treated coded 0."""
    n, periods = grid.y.shape
    return pd.DataFrame(
        {
            "unit": np.repeat(np.arange(n), periods), "time": np.tile(np.arange(1, periods + 1), n),
            "y": grid.y.ravel(), "x": np.repeat(x[:, 0], periods),
            "g": np.repeat(np.where(np.isfinite(grid.start), grid.start + 1, 0), periods).astype(int),
        }
    )  # fmt: skip


def with_bands(fit: PathFit, cluster: np.ndarray) -> float:
    """Return the critical value of the joint band over the event times."""
    events = fit.pick("event")
    vcov = clustered_vcov(fit, cluster)[np.ix_(events, events)]
    known = np.diag(vcov) > 0
    return sup_t_value(vcov[np.ix_(known, known)], float(cluster.max()), level=LEVEL, seed=1)


def _timed(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    found = call()
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return found, {"seconds": seconds, "cpu_seconds": cpu, "extra_mb": (after.ru_maxrss - before.ru_maxrss) / 1024}


def run_ours(entities: int, periods: int, adjust: str | None) -> dict[str, Any]:
    """Time our own kernel."""
    small, covariate = draw(500, periods)
    grid, x = draw(entities, periods)

    def fit(on: OutcomeGrid, using: np.ndarray) -> PathFit:
        path = GroupTimePath(
            leads=periods // 4 - 1, lags=periods - periods // 4 - 1, control="never", base="varying",
            covariates=using if adjust else None, adjust="reg" if adjust == "reg" else "dr",
        )  # fmt: skip
        found = path(on)
        with_bands(found, on.cluster)
        return found

    fit(small, covariate)
    found, cost = _timed(lambda: fit(grid, x))
    events = {str(found.terms[i][1]): float(found.beta[i]) for i in found.pick("event")}
    return {**cost, "events": events}


def run_diff_diff(entities: int, periods: int, adjust: str | None) -> dict[str, Any]:
    """Time diff-diff 3.13: Callaway-Sant'Anna with 999 multiplier draws."""
    from diff_diff import CallawaySantAnna

    frame = long_frame(*draw(entities, periods))
    model = CallawaySantAnna(
        control_group="never_treated", estimation_method=adjust or "reg", n_bootstrap=999, seed=1, base_period="varying"
    )
    call = {"outcome": "y", "unit": "unit", "time": "time", "first_treat": "g", "aggregate": "event_study"}
    found, cost = _timed(lambda: model.fit(frame, **call, **({"covariates": ["x"]} if adjust else {})))
    return {**cost, "events": {str(e): float(v["effect"]) for e, v in found.event_study_effects.items()}}


def run_differences(entities: int, periods: int, adjust: str | None) -> dict[str, Any]:
    """Time differences 0.3 (GPL; measured here only): ATTgt with 999 bootstrap draws."""
    from differences import ATTgt

    frame = long_frame(*draw(entities, periods))
    frame["g"] = frame["g"].where(frame["g"] > 0)
    frame = frame.set_index(["unit", "time"])

    def fit() -> Any:
        model = ATTgt(data=frame, cohort_column="g")
        model.fit("y ~ x" if adjust else "y", est_method="dr", control_group="never_treated", progress_bar=False)
        return model.aggregate("event", boot_iterations=999, random_state=1)

    return _timed(fit)[1]


def run_moderndid(entities: int, periods: int, adjust: str | None) -> dict[str, Any]:
    """Time moderndid 0.2: att_gt with analytic errors, then the event study."""
    import moderndid

    frame = long_frame(*draw(entities, periods))

    def fit() -> Any:
        found = moderndid.att_gt(
            frame, yname="y", tname="time", idname="unit", gname="g", xformla="~ x" if adjust else "~ 1", boot=False,
            cband=False, control_group="nevertreated",
        )  # fmt: skip
        return moderndid.aggte(found, type="dynamic", boot=False, cband=False)

    return _timed(fit)[1]


def run_cells() -> dict[str, Any]:
    """Time effects from cells that 10 million inspections were counted to."""
    rng = np.random.default_rng(3)
    n = rng.poisson(250, (1000, 40)).astype(float)
    k = rng.binomial(n.astype(int), 0.93).astype(float)
    start = np.where(rng.random(1000) < 0.6, np.nan, rng.choice([14.0, 18.0, 22.0, 26.0], 1000))
    grid = OutcomeGrid(
        indicator=OUTCOME, freq="Q", entities=tuple(map(str, range(1000))), first=0, y=100 * k / n, n=n, k=k,
        start=start, weight=np.ones(1000), cluster=np.arange(1000),
    )  # fmt: skip
    path = GroupTimePath(leads=6, lags=8)
    path(grid)
    return {**_timed(lambda: with_bands(path(grid), grid.cluster))[1], "inspections": int(n.sum())}


def run_leads() -> dict[str, Any]:
    """Time the permutation test of leads of twelve clusters."""
    rng = np.random.default_rng(4)
    n = 4 + rng.poisson(13, (12, 40)).astype(float)
    k = rng.binomial(n.astype(int), 0.9).astype(float)
    start = np.array([14.0, 14, 18, 22, 26] + [np.nan] * 7)
    grid = OutcomeGrid(
        indicator=OUTCOME, freq="Q", entities=tuple(f"K{i:02d}" for i in range(12)), first=0, y=100 * k / n, n=n, k=k,
        start=start, weight=np.ones(12), cluster=np.arange(12),
    )  # fmt: skip
    window = Window(leads=6, lags=8)
    path = ImputationEstimator(window=window, terms=list_path_terms(grid, window))
    fit = path(grid)
    found, cost = _timed(lambda: infer(grid, path, fit))
    return {**cost, "draws": found.n_draws, "p": None if found.lead_test is None else found.lead_test.p_value}


PARTS: dict[str, tuple[Callable[..., dict[str, Any]], tuple[Any, ...], str | None]] = {
    "ours_100k": (run_ours, (100_000, 20, "dr"), None),
    "ours_100k_reg": (run_ours, (100_000, 20, "reg"), None),
    "diff_diff_100k": (run_diff_diff, (100_000, 20, "reg"), "diff_diff"),
    "differences_100k": (run_differences, (100_000, 20, "dr"), "differences"),
    "ours_2m": (run_ours, (100_000, 20, None), None),
    "moderndid_2m": (run_moderndid, (100_000, 20, None), "moderndid"),
    "ours_1m": (run_ours, (1_000_000, 10, None), None),
    "cells": (run_cells, (), None),
    "leads": (run_leads, (), None),
}


def _child(name: str, pipe: Any) -> None:
    call, words, _ = PARTS[name]
    pipe.send(call(*words))


def measure(name: str) -> dict[str, Any] | None:
    """Run one part in a process of its own; None where its peer is not installed."""
    peer = PARTS[name][2]
    if peer is not None and importlib.util.find_spec(peer) is None:
        return None
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(name, there))
    process.start()
    there.close()
    try:
        found: dict[str, Any] = here.recv()
    except EOFError:
        found = {"failed": True}
    process.join()
    return found


def summarise(found: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    """Return seconds, ratios to the peers, and how far the answers lie apart."""

    def ratio(peer: str, ours: str) -> float | None:
        other, own = found[peer], found[ours]
        if other is None or own is None or "seconds" not in other:
            return None
        return float(other["seconds"] / own["seconds"])

    own, peer = found["ours_100k_reg"] or {}, found["diff_diff_100k"] or {}
    shared = set(own.get("events", ())) & set(peer.get("events", ()))
    apart = [abs(own["events"][e] - peer["events"][e]) for e in shared]
    cost = ("seconds", "cpu_seconds", "extra_mb")
    return {
        "staggered_100k": {
            **{name: (found["ours_100k"] or {}).get(name) for name in cost},
            "ratio_diff_diff": ratio("diff_diff_100k", "ours_100k"),
            "ratio_differences": ratio("differences_100k", "ours_100k"),
            "max_abs_difference": max(apart) if apart else None,
        },
        "staggered_1m": {
            **{name: (found["ours_1m"] or {}).get(name) for name in cost},
            "ratio_moderndid_2m": ratio("moderndid_2m", "ours_2m"),
        },
        "cells_10m": found["cells"],
        "permutation_leads": found["leads"],
    }


def main() -> None:
    """Measure every part and print what came out."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--json", action="store_true", help="one JSON document")
    words.add_argument("--only", nargs="*", default=None, help="parts by name")
    given = words.parse_args()
    found = {name: measure(name) if given.only is None or name in given.only else None for name in PARTS}
    if given.json:
        print(json.dumps(summarise(found), indent=1))
        return
    for name, cost in found.items():
        print(f"{name:18}", "not measured" if cost is None else {k: v for k, v in cost.items() if k != "events"})


if __name__ == "__main__":
    main()
