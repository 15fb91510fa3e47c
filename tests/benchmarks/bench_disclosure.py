"""Suppression of a province's quarter: a thousand clusters, twelve strata; goal: below 60 seconds of one core.

``python tests/benchmarks/bench_disclosure.py [CLUSTERS]``. There is no peer that takes these linked tables as one:
tau-Argus leaves linked tables to its desktop program, so the seconds stand alone.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import pandas as pd

from qbase.release import build_linked_cells, plan_pattern, read_disclosure_preset

STRATA = 12


def draw_province(clusters: int, *, seed: int = 1) -> pd.DataFrame:
    """Draw a quarter: some 24 firms a cluster, a town for five clusters, two firms in a hundred outside clusters."""
    rng = np.random.default_rng(seed)
    towns = max(2, clusters // 5)
    town = rng.integers(0, towns, clusters)
    drawn = np.maximum(3, rng.poisson(24, clusters))
    cluster = np.repeat(np.arange(clusters), drawn)
    firm = rng.integers(0, 80, len(cluster))
    n = rng.integers(1, 4, len(cluster))
    inside = pd.DataFrame({
        "cluster": [f"K{c:04d}" for c in cluster], "town": [f"T{town[c]:03d}" for c in cluster],
        "group": [f"s{(7 * f + c) % STRATA:02d}" for f, c in zip(firm, cluster, strict=True)],
        "firm": [f"K{c}F{f}" for f, c in zip(firm, cluster, strict=True)], "n": n,
    })  # fmt: skip
    others = 2 * clusters
    outside = pd.DataFrame({
        "cluster": "", "town": [f"T{t:03d}" for t in rng.integers(0, towns, others)],
        "group": [f"s{s:02d}" for s in rng.integers(0, STRATA, others)],
        "firm": [f"o{i}" for i in range(others)], "n": 1,
    })  # fmt: skip
    rows = pd.concat([inside, outside], ignore_index=True).assign(period="2025Q1")
    return rows.assign(k=rows["n"] - rng.binomial(rows["n"], 0.08))


def main(clusters: int) -> None:
    """Print cells, states and seconds."""
    counts = draw_province(clusters)
    start = time.process_time()
    linked = build_linked_cells(counts)
    built = time.process_time()
    pattern = plan_pattern(linked, read_disclosure_preset("cn_default"))
    done = time.process_time()
    print(linked)
    print(pattern)
    print(f"cells {built - start:.1f} s, pattern {done - built:.1f} s of CPU")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
