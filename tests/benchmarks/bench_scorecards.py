"""Processor seconds of a composite index of 30 indicators with its ranks in 4,000 worlds: 36 clusters, and 1,000.

The peer is a loop that does as a user of pymcdm would: in each world it draws the rates anew, normalises with
`pymcdm.normalizations.minmax_normalization`, weighs and ranks. It knows no other choice of method, no sensitivity and
no interval; it is run for 200 worlds, and its seconds are multiplied.

Run it from the root of the project: ``python tests/benchmarks/bench_scorecards.py [--json]``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pymcdm import normalizations
from scipy.stats import rankdata

from qbase.core import Indicator, Panel, Text
from qbase.core.text import same
from qbase.scorecards import IndexDesign, Pillar, build_index, estimate_rank_robustness
from qbase.stats import wilson_interval

INDICATORS, PILLARS, WORLDS, LOOP = 30, 5, 4000, 200
SIZES = (36, 1000)


def made_panel(clusters: int) -> Panel:
    """Return rates of one year, each of so many batches, no two clusters alike."""
    rng = np.random.default_rng(1)
    columns: dict[str, Any] = {"cluster_id": [f"K{i:04d}" for i in range(clusters)], "year": 2025}
    for j in range(INDICATORS):
        n = rng.integers(40, 160, clusters)
        k = rng.binomial(n, rng.uniform(0.6, 0.98, clusters))
        low, high = wilson_interval(k, n)
        columns |= {f"i{j}": 100 * k / n, f"i{j}__n": n, f"i{j}__k": k, f"i{j}__lo": 100 * low, f"i{j}__hi": 100 * high}
    known = {
        f"i{j}": Indicator(id=f"i{j}", name=same(f"indicator {j}"), unit="pct", better="up") for j in range(INDICATORS)
    }
    labels = {name: same(name) for name in columns["cluster_id"]}
    return Panel.from_frame(
        pd.DataFrame(columns), entity="cluster_id", period="year", freq="A", indicators=known, labels=labels
    )


def made_design() -> IndexDesign:
    """Return five pillars of six indicators."""
    each = INDICATORS // PILLARS
    parts = [{f"i{j}": 1.0 for j in range(p * each, (p + 1) * each)} for p in range(PILLARS)]
    pillars = [Pillar(id=f"p{p}", name=same(f"pillar {p}"), parts=of) for p, of in enumerate(parts)]
    whole = Pillar(id="whole", name=same("whole"), parts={pillar.id: 1.0 for pillar in pillars})
    return IndexDesign(
        id="wide", name=Text("指数", "index"), pillars=(whole, *pillars), source=same("bench"), declared_on="2025-01-01"
    )


def loop_worlds(panel: Panel) -> None:
    """Rank the clusters in some worlds, one after the other."""
    rng = np.random.default_rng(2)
    n, k = (panel.data[[f"i{j}__{part}" for j in range(INDICATORS)]].to_numpy(dtype=float) for part in "nk")
    weights = np.full(INDICATORS, 1 / INDICATORS)
    for _ in range(LOOP):
        drawn = rng.beta(k + 0.5, n - k + 0.5)
        even = np.column_stack([normalizations.minmax_normalization(column) for column in drawn.T])
        rankdata(-(even @ weights))


def timed(call: Callable[[], object]) -> float:
    """Return the processor seconds of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def measure(clusters: int) -> dict[str, float]:
    """Measure one size; what is imported at the first call is not what is measured."""
    panel, design = made_panel(clusters), made_design()
    estimate_rank_robustness(build_index(made_panel(12), design), worlds=100)
    ours = timed(lambda: estimate_rank_robustness(build_index(panel, design), worlds=WORLDS))
    loop = timed(lambda: loop_worlds(panel)) * WORLDS / LOOP
    return {"seconds": round(ours, 2), "loop_seconds": round(loop, 2), "ratio": round(loop / ours, 2)}


def main() -> int:
    """Print the figures."""
    figures = {str(clusters): measure(clusters) for clusters in SIZES}
    sys.stdout.write((json.dumps(figures) if "--json" in sys.argv[1:] else f"scorecards: {figures}") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
