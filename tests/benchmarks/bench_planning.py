"""Processor seconds of allocating a province of 1,000 clusters with 12 strata each, and of drawing 30,000 firms.

Run it from the root of the project: ``python tests/benchmarks/bench_planning.py [--json]``.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
import pandas as pd

from qbase.planning import build_strata, draw_firms, plan_draws

CLUSTERS, STRATA, FIRMS = 1000, 12, 30_000
TARGET = 12.0


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
    if "--json" in sys.argv[1:]:
        print(json.dumps(measured))
        return
    for name, seconds in measured.items():
        print(f"{name:32} {seconds:6.2f} s")


if __name__ == "__main__":
    main()
