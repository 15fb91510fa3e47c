"""What an effect would be on a page for outside: estimated on the cells that primary rules leave.

Run it from the root of the project: ``python tests/truth/study_outside_effects.py``. Some twenty seconds on one core.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from qbase.release import DisclosurePreset, judge_cells, read_disclosure_preset

SEED, DRAWS = 20261201, 200
ENTITIES, TREATED, PERIODS = 36, 12, 32
OUT = Path("docs/studies/outside_effects.md")
PRESETS = ("cn_default", "opensafely", "sacro")
BATCHES = {"about 17 batches a cell": 13.0, "about 60 batches a cell": 56.0}
RISES = {"no effect": 0.0, "0.8 on the log-odds": 0.8}
Floats = NDArray[np.float64]


def draw_cells(rng: np.random.Generator, batches: float, rise: float) -> tuple[pd.DataFrame, float]:
    """Return counts by cell with their largest firms, and the true average effect in points."""
    start = np.resize([14, 17, 20], TREATED)
    place, when = (a.ravel() for a in np.indices((ENTITIES, PERIODS)))
    treated = (place < TREATED) & (when >= np.append(start, np.full(ENTITIES - TREATED, PERIODS))[place])
    eta = rng.normal(2.4, 0.5, ENTITIES)[place] + rng.normal(0, 0.3, len(place))
    n = 4 + rng.poisson(batches, len(place))
    share = rng.dirichlet(np.full(12, 0.6), ENTITIES)[place]
    by_firm = rng.multinomial(n, share)
    k = rng.binomial(n, expit(eta + rise * treated))
    top = np.sort(by_firm, axis=1)
    cells = pd.DataFrame({
        "place": place, "when": when, "treated": treated, "n": n, "k": k,
        "n_firms": (by_firm > 0).sum(axis=1), "top1": top[:, -1], "top2": top[:, -2],
    })  # fmt: skip
    return cells, float(100 * (expit(eta + rise) - expit(eta))[treated].mean())


def impute(cells: pd.DataFrame) -> float:
    """Return the mean of treated outcomes less what untreated cells of their entity and period say; else left out."""
    y = 100 * cells["k"].to_numpy() / cells["n"].to_numpy()
    design = np.zeros((len(cells), ENTITIES + PERIODS))
    rows = np.arange(len(cells))
    design[rows, cells["place"]] = 1
    design[rows, ENTITIES + cells["when"]] = 1
    free = ~cells["treated"].to_numpy()
    known = design[~free] @ (design[free].sum(axis=0) == 0) == 0
    if not known.any():
        return np.nan
    fitted = np.linalg.lstsq(design[free], y[free], rcond=None)[0]
    return float((y[~free] - design[~free] @ fitted)[known].mean())


def study(name: str, rise_name: str, rules: list[DisclosurePreset]) -> list[str]:
    """Return lines of one size of cells and one effect."""
    rng = np.random.default_rng(SEED)
    truths, found = [], {r.preset_id: [] for r in rules} | {"all cells": []}
    hidden: dict[str, list[float]] = {r.preset_id: [] for r in rules}
    for _ in range(DRAWS):
        cells, truth = draw_cells(rng, BATCHES[name], RISES[rise_name])
        truths.append(truth)
        found["all cells"].append(impute(cells))
        for preset in rules:
            left = judge_cells(cells, preset) == ""
            hidden[preset.preset_id].append(100 * (~left).mean())
            found[preset.preset_id].append(impute(cells[left]) if left.sum() > ENTITIES + PERIODS else np.nan)
    lines = []
    for preset_id, values in found.items():
        gone = np.mean(hidden[preset_id]) if preset_id in hidden else 0.0
        off = np.array(values) - truths
        told = np.isfinite(off)
        error = 1.96 * off[told].std() / np.sqrt(told.sum()) if told.any() else np.nan
        bias = f"{off[told].mean():+.2f} ± {error:.2f}" if told.any() else "none left"
        row = (name, rise_name, f"{np.mean(truths):.2f}", preset_id, f"{gone:.0f}", bias, str(told.sum()))
        lines.append(f"| {' | '.join(row)} |")
    return lines


def main() -> None:
    rules = [read_disclosure_preset(name) for name in PRESETS]
    lines = [line for name in BATCHES for rise in RISES for line in study(name, rise, rules)]
    head = f"""# Effects outside the house: what the cells that may be shown would say

{DRAWS} draws of {ENTITIES} clusters, {TREATED} of them treated from three dates on, {PERIODS} quarters; pass
rates around 92 %, twelve firms a cluster of unequal size. The effect is imputed (equal weights of treated
cells) once on all cells, once on those that the primary rules of a preset leave; cells withheld for another
cell come on top in practice. Bias is the mean of estimate less truth, in points, ± its Monte Carlo error.

| cells | effect | truth | cells used | withheld, % | bias, pp | draws answered |
|---|---|---:|---|---:|---:|---:|
"""
    foot = """
Which cells are withheld depends on the outcome: 0 % and 100 % tell of every firm, and small counts of failures
are withheld under OpenSAFELY's rules. What raises a rate also hides it, so an effect on what is left is pulled
towards zero, and no interval knows. Effects of all cells, shown beside the cells that are left, add equations
over withheld counts that no pattern has looked at. Therefore policy effects and the design lab have no page for
outside (QB913); trends and the brief have one. In the demo (2026-12-01, `cn_default`) 164 of 443 cluster-
quarters are withheld, of mean rate 89.1 % against 82.2 % of those shown; 31 % of the withheld ones are at 100
%, none of the shown.
"""
    OUT.write_text(head + "\n".join(lines) + "\n" + foot, encoding="utf-8")


if __name__ == "__main__":
    main()
