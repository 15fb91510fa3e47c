"""How long a thousand placebo policies take, against the house's own estimators called one by one on the same draws.

``--json`` prints one JSON document: for five and for three treated of twelve clusters in 40 quarters, the seconds of
1,000 placebo policies by five designs with 15 effects in two shapes, processor seconds, and the ratio of one estimate
with its inference by ``infer`` to one answer of the lab.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import pandas as pd

from qbase.core import Indicator, Panel, Policy, Spell, Text
from qbase.effects import estimate_design_quality
from qbase.effects.doubt.few_clusters import infer
from qbase.effects.fitting.imputation import ImputationEstimator
from qbase.effects.fitting.imputed_terms import Window
from qbase.effects.lab.placebo_draws import draw_placebos
from qbase.effects.lab.untreated_history import take_history

DRAWS = 1000
ONE_BY_ONE = 20
SHOWN = 2 * 15 * 2
"""Answers of a draw: two path designs, 15 effects, two shapes."""


def make(n_treated: int) -> tuple[Panel, Policy]:
    """Return 12 clusters never treated over 40 quarters with others that are."""
    rng = np.random.default_rng(5)
    rows = []
    for i in range(12 + n_treated):
        level = rng.normal(2.1, 0.45)
        for t in range(40):
            n = 4 + int(rng.poisson(13))
            rows.append((f"K{i:02d}", pd.Period("2016Q1") + t, n, int(rng.binomial(n, 1 / (1 + np.exp(-level))))))
    frame = pd.DataFrame(rows, columns=["cluster_id", "quarter", "rate__n", "rate__k"])
    frame["rate"] = 100 * frame["rate__k"] / frame["rate__n"]
    rate = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
    panel = Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={"rate": rate})
    spells = tuple(Spell(entity=f"K{12 + j:02d}", start=pd.Period("2019Q3") + 3 * j) for j in range(n_treated))
    return panel, Policy(policy_id="base", title=Text("政策", "policy"), spells=spells)


def measure(n_treated: int) -> dict[str, float]:
    """Return seconds of a thousand placebo policies, and how much slower one call after the other is."""
    panel, policy = make(n_treated)
    clock, work = time.perf_counter(), time.process_time()
    estimate_design_quality(panel, policy, "rate", history="never", n_treated=n_treated, draws=DRAWS)
    seconds, cpu = time.perf_counter() - clock, time.process_time() - work
    past = take_history(panel, policy, "rate", kind="never")
    start = draw_placebos(past, n_treated=n_treated, spread=None, draws=DRAWS, seed=1).start[:ONE_BY_ONE]
    estimator = ImputationEstimator(window=Window(leads=1, lags=0), terms=(("att", None),))
    work = time.process_time()
    for row in start:
        grid = past.grid.with_start(row)
        infer(grid, estimator, estimator(grid), draws=199)
    single = (time.process_time() - work) / ONE_BY_ONE
    return {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "ratio_one_by_one": round(single / (cpu / DRAWS / SHOWN), 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    found = {f"treated_{n}": measure(n) for n in (5, 3)}
    if as_json:
        print(json.dumps(found))
    else:
        for name, row in found.items():
            print(f"{name}: {DRAWS} placebo policies in {row['seconds']} s ({row['cpu_seconds']} s of processor), "
                  f"{row['ratio_one_by_one']} times as fast as one by one")  # fmt: skip
