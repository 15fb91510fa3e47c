"""How long control limits and all run rules of 10,000 series of 40 quarters take, against packages on a subsample.

``--json`` prints one JSON document: seconds of processor time for Laney limits and four rules of every series, the
same per series for shewhart and pyqicharts on the first ``--peers`` series, the ratio to ours, and how far their
limits lie from ours. A package that is not installed is null: neither is in a lock, so try
``pip install shewhart pyqicharts`` in an environment of its own. shewhart draws Laney's chart with Nelson's rules;
pyqicharts 2.0.0 has no Laney chart (its ``p_prime`` has the limits of a p chart): its p chart is held against ours.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from qbase.stats import ControlChart, find_signals, laney_chart, p_chart

SERIES, PERIODS, PEERS, ROUNDS = 10_000, 40, 20, 5
Floats = np.ndarray
Make = Callable[..., ControlChart]


def draw() -> tuple[Floats, Floats]:
    """Return passes and tests: 4 to 30 batches a quarter, nine of ten pass."""
    rng = np.random.default_rng(1)
    n = rng.integers(4, 31, (SERIES, PERIODS))
    return rng.binomial(n, 0.9).astype(float), n.astype(float)


def ours(k: Floats, n: Floats, make: Make) -> float:
    """Return seconds for limits and rules of all series, the middle of several rounds."""
    seconds = []
    for _ in range(ROUNDS):
        clock = time.process_time()
        chart = make(k, n)
        find_signals(chart.z, chart.value)
        seconds.append(time.process_time() - clock)
    return float(np.median(seconds))


def shewhart_limits(k: Floats, n: Floats) -> Floats:
    """Return the lower limits of one series by shewhart, rules included."""
    import shewhart

    found = shewhart.laney_p(pd.DataFrame({"k": k, "n": n}), defectives="k", size="n").to_frame()
    return np.asarray(found["lcl"], dtype=float)


def pyqicharts_limits(k: Floats, n: Floats) -> Floats:
    """Return the lower limits of one series by pyqicharts, rules included."""
    import pyqicharts

    frame = pd.DataFrame({"at": np.arange(len(k)), "k": k, "n": n})
    found = pyqicharts.qic_table(frame, x="at", y="k", denominator="n", chart="p", rules="nelson")
    return np.asarray(found["lcl"], dtype=float)


def against(peer: Callable[[Floats, Floats], Floats], k: Floats, n: Floats, make: Make, peers: int) -> dict[str, Any]:
    """Return the ratio of a package to ours, by series, and the largest distance of its lower limits."""
    low = np.maximum(make(k[:peers], n[:peers]).low, 0.0)
    peer(k[0], n[0])
    clock = time.process_time()
    theirs = [peer(k[i], n[i]) for i in range(peers)]
    each = (time.process_time() - clock) / peers
    mine = ours(k, n, make) / len(k)
    apart = max(float(np.abs(np.clip(t, 0, 1) - low[i]).max()) for i, t in enumerate(theirs))
    return {"ms_a_series": round(1000 * each, 3), "ratio": round(each / mine), "limits_apart": round(apart, 6)}


def main() -> None:
    """Measure, and print one line or one document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--peers", type=int, default=PEERS)
    given = parser.parse_args()
    k, n = draw()
    found: dict[str, Any] = {"series": SERIES, "periods": PERIODS, "cpu_seconds": round(ours(k, n, laney_chart), 4)}
    for name, peer, make in (
        ("shewhart", shewhart_limits, laney_chart),
        ("pyqicharts", pyqicharts_limits, p_chart),
    ):
        try:
            found[name] = against(peer, k, n, make, given.peers)
        except ModuleNotFoundError:
            found[name] = None
    print(json.dumps(found) if given.json else f"trends: {found}")


if __name__ == "__main__":
    main()
