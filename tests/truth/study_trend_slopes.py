"""Whether the interval of a slope holds it on the referee's grid (docs/studies/trend_slopes.md).

Firms x batches {20 x 5, 6 x 10, 16 x 1} x correlation within a firm {0, .2, .4}, eight periods, 90 % in the middle.
`python tests/truth/study_trend_slopes.py` from the root of the project; some twenty minutes on one core.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import sys
import time
from pathlib import Path

import numpy as np
from scipy.special import expit
from scipy.stats import beta

from qbase.stats import fit_firm_likeness
from qbase.trends.rates.trend_fit import fit_firm_trend

OUT = Path("docs/studies/trend_slopes.md")
N_DRAWS, SEED = 2000, 20261130
SHAPES = ((20, 5), (6, 10), (16, 1))
LIKE = (0.0, 0.2, 0.4)
PERIODS, LEAST = 8, 0.93
SLOPES = ((0.0, True), (0.0, False), (0.1, True), (0.15, False), (0.15, True))
"""On the log-odds a period, and whether the same firms come in all periods."""


def run_slope(
    firms: int, batches: int, icc: float, slope: float, n_draws: int, *, is_paired: bool, seed: int = SEED
) -> dict[str, float]:
    """Return how often the interval of a slope holds it, how often a slope is found, and how often there is none."""
    rng = np.random.default_rng([seed, firms, int(100 * icc), int(100 * slope), is_paired])
    years = np.arange(PERIODS) - (PERIODS - 1) / 2
    rate = expit(np.log(9) + slope * years)
    truth = float(slope * (rate * (1 - rate)).mean())
    x = np.column_stack([np.ones(PERIODS), years])
    period = np.repeat(np.arange(PERIODS), firms)
    firm = np.tile(np.arange(firms), PERIODS) if is_paired else np.arange(PERIODS * firms)
    covered, found = [], []
    for _ in range(n_draws):
        k = draw_passes(rng, rate, firms, batches, icc, is_paired=is_paired)
        n = np.full(len(k), float(batches))
        likeness = fit_firm_likeness(n.astype(int), k.astype(int), period).mean
        fit = fit_firm_trend(n, k, period, firm, x, likeness)
        if fit is not None:
            low, high = fit.limits(0.95)
            covered.append(low <= truth <= high)
            found.append(low > 0 or high < 0)
    return {"covered": float(np.mean(covered)), "found": float(np.mean(found)), "none": 1 - len(covered) / n_draws}


def draw_passes(
    rng: np.random.Generator, rate: np.ndarray, firms: int, batches: int, icc: float, *, is_paired: bool
) -> np.ndarray:
    """Return the passes of every firm, period by period; a firm keeps its place where it comes again."""
    chance = np.repeat(rate[:, None], firms, axis=1)
    total = (1 - icc) / icc if icc > 0 else np.inf
    if icc > 0 and is_paired:
        place = np.broadcast_to(rng.random((1, firms)), chance.shape)
        chance = beta.ppf(place, chance * total, (1 - chance) * total)
    elif icc > 0:
        chance = rng.beta(chance * total, (1 - chance) * total)
    return rng.binomial(batches, chance).ravel().astype(float)


def main(n_draws: int) -> None:
    """Run the grid, and write the page after every column."""
    cells: dict[tuple[int, int, float], list[dict[str, float]]] = {(*s, i): [] for s in SHAPES for i in LIKE}
    for slope, is_paired in SLOPES:
        for (firms, batches, icc), rows in cells.items():
            rows.append(run_slope(firms, batches, icc, slope, n_draws, is_paired=is_paired))
            print(firms, batches, icc, slope, is_paired, rows[-1], round(time.process_time()), flush=True)
        OUT.write_text("\n".join([*report(cells, n_draws), ""]), encoding="utf-8")


def report(cells: dict[tuple[int, int, float], list[dict[str, float]]], n_draws: int) -> list[str]:
    """Return the lines of the page."""
    versions = ", ".join(f"{m} {importlib.metadata.version(m)}" for m in ("numpy", "scipy", "statsmodels"))
    done = SLOPES[: len(next(iter(cells.values())))]
    none = max(row["none"] for rows in cells.values() for row in rows)
    short = [
        f"{f} × {b}, icc {icc:g}, slope {slope:g}"
        for (f, b, icc), rows in cells.items()
        for (slope, _), row in zip(done, rows, strict=True)
        if row["covered"] < LEAST
    ]
    lines = [
        "# Slopes over eight periods where batches come from firms",
        "",
        f"Made by `tests/truth/study_trend_slopes.py` on {datetime.date.today().isoformat()}, seed {SEED}, {n_draws:,} "
        f"draws a cell, {time.process_time():.0f} seconds of one core, {versions}. {PERIODS} periods, 90 % in the "
        "middle; slope on the log-odds a period. Coverage of the 95 % interval of the average marginal effect, as "
        "`estimate_trend` gives it with firms (share in which a slope is found), %. "
        f"Up to {100 * none:.1f} % of the draws of a cell have no slope. Below {LEAST:.0%}: "
        f"{'; '.join(short) or 'no cell'}.",
        "",
        "| firms | icc | " + " | ".join(f"{s:g}, {'same' if p else 'new'} firms" for s, p in done) + " |",
        "|---|---|" + "---|" * len(done),
    ]
    for (firms, batches, icc), rows in cells.items():
        shown = " | ".join(f"{100 * row['covered']:.1f} ({100 * row['found']:.0f})" for row in rows)
        lines.append(f"| {firms} × {batches} | {icc:g} | {shown} |")
    return lines


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else N_DRAWS)
