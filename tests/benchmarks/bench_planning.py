"""Processor seconds of allocating a province of 1,000 clusters with 12 strata each, and of drawing 30,000 firms.

The peer of the allocation is HiGHS (`scipy.optimize.linprog`) on the same problem as a linear program over tangents, of
the first 100 clusters: its least cost and ours are printed beside the ratio of the seconds.

Run it from the root of the project: ``python tests/benchmarks/bench_planning.py [--json]``.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, hstack, vstack

from qbase.planning import build_strata, draw_firms, plan_draws
from qbase.planning.allocating.convex_spending import Spending, balance_prices

CLUSTERS, STRATA, FIRMS = 1000, 12, 30_000
TARGET = 12.0
COMPARED, NEED, TANGENTS = 100, 30.0, 25


def made_strata(clusters: int) -> pd.DataFrame:
    """Return a list of firms and past draws."""
    rng = np.random.default_rng(1)
    n = clusters * STRATA
    tested = rng.integers(2, 30, n)
    return pd.DataFrame(
        {
            "entity": np.repeat([f"K{i:04d}" for i in range(clusters)], STRATA),
            "stratum": [f"{r}-{s}" for r in "ABCD" for s in ("large", "medium", "small")] * clusters,
            "n_firms": rng.integers(4, 30, n), "n_tested": tested, "n_passed": rng.binomial(tested, 0.88),
        }
    )  # fmt: skip


def timed(call: object) -> float:
    """Return the processor seconds of a call."""
    start = time.process_time()
    call()  # type: ignore[operator]
    return time.process_time() - start


def made_spending(frame: pd.DataFrame) -> Spending:
    """Return a limit of each entity, as many effective batches, and one of the province that asks for more."""
    size, entity = frame["n_firms"].to_numpy(), pd.factorize(frame["entity"])[0]
    share, of_all = size / np.bincount(entity, size)[entity], size / size.sum()
    column = np.arange(len(size))
    each = csr_matrix((share**2, (entity, column)), shape=(entity.max() + 1, len(size)))
    province = csr_matrix((of_all**2, (np.zeros_like(column), column)), shape=(1, len(size)))
    return Spending(
        cost=np.where(size > 15, 1.5, 1.0), least=np.minimum(2, size), most=size, loss=of_all**2,
        demands=vstack([each, province]).tocsr(),
        limits=np.append(np.full(each.shape[0], 1 / NEED), 1 / (1.2 * NEED * each.shape[0])),
    )  # fmt: skip


def by_highs(asked: Spending) -> float:
    """Return the least cost with 1 / m under its tangents."""
    h = len(asked.cost)
    points = np.geomspace(asked.least, asked.most, TANGENTS)
    row, of = np.arange(points.size), np.tile(np.arange(h), TANGENTS)
    # u >= 2 / p - m / p² touches 1 / m at p
    cuts = csr_matrix(
        (np.concatenate([-1 / points.ravel(), -points.ravel()]), (np.tile(row, 2), np.concatenate([of, of + h]))),
        shape=(points.size, 2 * h),
    )
    rows = vstack([hstack([csr_matrix((len(asked.limits), h)), asked.demands]), cuts]).tocsr()
    right = np.append(asked.limits, np.full(points.size, -2.0))
    bounds = [*zip(asked.least, asked.most, strict=True), *zip(1 / asked.most, 1 / asked.least, strict=True)]
    found = linprog(np.append(asked.cost, np.zeros(h)), A_ub=rows, b_ub=right, bounds=bounds, method="highs")
    return float(found.fun)


def compared() -> dict[str, float]:
    """Return seconds and costs of both on one problem."""
    asked = made_spending(made_strata(COMPARED))
    costs: dict[str, float] = {}
    ours = timed(lambda: costs.update(ours=float(asked.cost @ balance_prices(asked, 0.0).firms)))
    peer = timed(lambda: costs.update(peer=by_highs(asked)))
    return {
        "least cost, 100 x 12": ours, "the same by HiGHS over tangents": peer, "HiGHS / ours": peer / ours,
        "cost, HiGHS / ours": costs["peer"] / costs["ours"],
    }  # fmt: skip


def main() -> None:
    strata = build_strata(made_strata(CLUSTERS), likeness=0.1)
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"firm_id": [f"F{i:06d}" for i in range(FIRMS)]})
    frame["entity"] = [f"K{i:04d}" for i in rng.integers(CLUSTERS, size=FIRMS)]
    frame["stratum"] = rng.choice(list("ABCD"), FIRMS)
    sizes = frame.groupby(["entity", "stratum"], as_index=False).size().rename(columns={"size": "drawn"})
    measured = {
        "allocate, budget, 1000 x 12": timed(lambda: plan_draws(strata, budget=120_000)),
        "allocate, targets, 1000 x 12": timed(lambda: plan_draws(strata, within_pp=TARGET, batches_per_firm=3)),
        "draw 30,000 firms": timed(lambda: draw_firms(frame, sizes, seed="5d" * 32, year=2027)),
    }
    measured |= compared()
    if "--json" in sys.argv[1:]:
        print(json.dumps(measured))
        return
    for name, seconds in measured.items():
        print(f"{name:32} {seconds:10.4f}")


if __name__ == "__main__":
    main()
