"""Pooled changes of entities whose firms come twice (docs/studies/pooled_trends.md).

Run it from the root of the project: ``python tests/truth/study_pooled_trends.py``. Slopes: `study_trend_slopes.py`.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import beta

from qbase.stats import firm_rate_interval, fit_firm_likeness, shared_correlation, square_and_add

OUT = Path("docs/studies/pooled_trends.md")
N_DRAWS, SEED = 2000, 20261129
LIKE = (0.0, 0.2, 0.4)
PERIODS = 8
ENTITIES, FIRMS, BATCHES = 12, 4, 3
POOLED = tuple((icc, is_paired) for icc in LIKE for is_paired in (False, True))


def compare_pooled(rng: np.random.Generator, icc: float, *, is_paired: bool) -> dict[str, float]:
    """Draw twelve entities of unlike rates, four firms and three batches each, eight periods; compare the last two.

    Nothing changes. Coverage of 0 with firms paired within entities, with both rates taken as independent, and with
    what entities differ by taken for likeness of firms.
    """
    rate = np.repeat(rng.uniform(0.75, 0.98, ENTITIES), FIRMS)
    size = len(rate)
    chance = np.repeat(rate[None, :], PERIODS, axis=0)
    if icc > 0:
        total = (1 - icc) / icc
        place = rng.random((1 if is_paired else PERIODS, size))
        chance = beta.ppf(np.broadcast_to(place, chance.shape), chance * total, (1 - chance) * total)
    k = rng.binomial(BATCHES, chance)
    n = np.full(size, BATCHES)
    entity = np.repeat(np.arange(ENTITIES), FIRMS)
    cell = (np.arange(PERIODS)[:, None] * ENTITIES + entity).ravel()
    likeness = fit_firm_likeness(np.tile(n, PERIODS), k.ravel(), cell)
    # firms drawn anew are others, though they stand in the same column
    before, after = (n, k[-2]), (n, k[-1])
    if not is_paired:
        nothing = np.zeros(size, dtype=np.int64)
        before = (np.r_[n, nothing], np.r_[k[-2], nothing])
        after = (np.r_[nothing, n], np.r_[nothing, k[-1]])
    of = entity if is_paired else np.tile(entity, 2)
    totals = np.full(2, float(size * BATCHES))
    shares = k[-2:].sum(axis=1) / totals
    low, high = firm_rate_interval(shares, totals, totals * BATCHES, likeness)
    earlier, later = ((shares[i], low[i], high[i]) for i in (0, 1))
    found = {}
    for name, correlation in (
        ("paired", shared_correlation(before, after, likeness, cell=of)),
        ("independent", 0.0),
        ("careless", shared_correlation(before, after, likeness)),
    ):
        _, lower, upper = square_and_add(later, earlier, correlation=correlation)
        found[name] = float(lower <= 0 <= upper)
        found[f"{name}_width"] = float(100 * (upper - lower))
    return found


def run_pooled(icc: float, n_draws: int, *, is_paired: bool, seed: int = SEED) -> dict[str, float]:
    """Return means over draws."""
    rng = np.random.default_rng([seed, int(100 * icc), is_paired])
    rows = [compare_pooled(rng, icc, is_paired=is_paired) for _ in range(n_draws)]
    return {name: float(np.mean([r[name] for r in rows])) for name in rows[0]}


def main(n_draws: int) -> None:
    """Run everything and write the page."""
    start = time.monotonic()
    pooled = [(icc, is_paired, run_pooled(icc, n_draws, is_paired=is_paired)) for icc, is_paired in POOLED]
    print("pooled", round(time.monotonic() - start), pooled, flush=True)
    lines = [
        f"{n_draws:,} draws a line. {ENTITIES} entities whose rates lie between 75 and 98 %, {FIRMS} firms with "
        f"{BATCHES} batches each, {PERIODS} periods to learn likeness from; the last two are compared and nothing "
        "changed. Coverage of the 95 % interval and its mean width in points: firms paired within entities (built), "
        "both rates as independent (before), and paired across all, which takes what entities differ by for chance.",
        "",
        "| icc | firms | paired % | width | independent % | width | paired across all % | width |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for icc, is_paired, row in pooled:
        shown = " | ".join(
            f"{100 * row[m]:.1f} | {row[f'{m}_width']:.1f}" for m in ("paired", "independent", "careless")
        )
        lines.append(f"| {icc:g} | {'same' if is_paired else 'new'} | {shown} |")
    versions = ", ".join(f"{m} {importlib.metadata.version(m)}" for m in ("numpy", "scipy", "statsmodels"))
    head = [
        "# Pooled changes of firms that come twice",
        "",
        f"Made by `tests/truth/study_pooled_trends.py` on {datetime.date.today().isoformat()}, seed {SEED}, "
        f"{time.monotonic() - start:.0f} seconds, {versions}.",
        "",
    ]
    OUT.write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else N_DRAWS)
