"""Changes of weighted rates of which firms are drawn twice (docs/studies/weighted_pairs.md).

The interval of a change joins the intervals of two weighted rates as if they were independent. Firms that are drawn in
both periods make the two rates move together, so the interval should be too wide, never too narrow: by how much?
Provinces of twelve clusters, forty firms each in two risk classes, eight quarters; nothing changes. Run it from the
root of the project: ``python tests/truth/study_weighted_pairs.py``. Some four minutes on one core.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import beta

from qbase.indicators.cells.stratum_weights import add_weights, weighted_rates
from qbase.stats import design_interval, square_and_add

OUT = Path("docs/studies/weighted_pairs.md")
N_DRAWS, SEED = 2400, 20261130
CLUSTERS, PERIODS, FIRMS = 12, 8, 20
"""Firms of each of two classes in every cluster."""
CHANCE, RATE = np.array([0.2, 0.5]), np.array([0.95, 0.85])
"""Share of the firms of a class drawn in a quarter, and their rate."""
SECOND = 0.4
"""Chance of a second batch of a firm drawn."""
LIKE = (0.0, 0.2, 0.4, 0.6)
AGAIN = {"same": "the same", "lot": "by lot", "turn": "in turns"}
"""How firms are chosen every quarter; in turns passes those over that were drawn last."""
SAMPLING = ("random_draw", "post_stratified")


def draw_province(rng: np.random.Generator, icc: float, again: str) -> tuple[np.ndarray, np.ndarray]:
    """Return batches and passes, shape (clusters, periods, classes, firms); firms keep their own chance to pass."""
    shape = (CLUSTERS, PERIODS, 2, FIRMS)
    chance = np.broadcast_to(RATE[None, None, :, None], shape)
    if icc > 0:
        total, rank = (1 - icc) / icc, rng.random((CLUSTERS, 1, 2, FIRMS))
        chance = np.broadcast_to(beta.ppf(rank, chance[:, :1] * total, (1 - chance[:, :1]) * total), shape)
    # as many firms of a class as the programme says, whoever they are
    size = (CHANCE * FIRMS).astype(int)[None, None, :, None]
    place = rng.random((CLUSTERS, PERIODS if again == "lot" else 1, 2, FIRMS)).argsort(axis=-1)
    turn = size * np.arange(PERIODS)[None, :, None, None] if again == "turn" else 0
    is_drawn = np.broadcast_to((place - turn) % FIRMS < size, shape)
    n = is_drawn * (1 + (rng.random(shape) < SECOND))
    return n, rng.binomial(n, chance)


def count_strata(n: np.ndarray, k: np.ndarray) -> pd.DataFrame:
    """Return the sums over firms that `qbase.indicators.cells.strata.read_strata` reads from a lake."""
    sums = {
        "n": n.sum(-1), "k": k.sum(-1), "n_firms": (n > 0).sum(-1), "n_clean": ((n > 0) & (n == k)).sum(-1),
        "sum_nn": (n * n).sum(-1), "sum_kk": (k * k / np.maximum(n, 1)).sum(-1),
    }  # fmt: skip
    keys = pd.MultiIndex.from_product(
        [[f"K{c:02d}" for c in range(CLUSTERS)], pd.period_range("2022Q1", periods=PERIODS, freq="Q"), ["A", "D"]],
        names=["cluster_id", "period", "risk_class"],
    )
    strata = pd.DataFrame({name: values.ravel() for name, values in sums.items()}, index=keys).reset_index()
    return strata.assign(
        entity=strata["cluster_id"], size_class="small", inclusion_probability=np.nan, random_n=strata["n"], risk_n=0
    )


def compare_last(rng: np.random.Generator, icc: float, again: str, sampling: str) -> pd.DataFrame:
    """Return rates and their limits in the last two quarters of every cluster of a province."""
    strata = count_strata(*draw_province(rng, icc, again))
    frame = strata[["cluster_id", "period", "risk_class", "size_class"]].assign(firms=float(FIRMS))
    weighed, _ = add_weights(strata, frame, sampling, 1, "post_stratify")  # type: ignore[arg-type]
    rates = weighted_rates(weighed, ["entity", "period"])
    low, high = design_interval(rates["rate"].to_numpy(), rates["n_eff"].to_numpy())
    wide = rates.assign(low=low, high=high)[["rate", "low", "high"]].unstack("period")
    return pd.concat({side: wide.xs(wide.columns[i][1], axis=1, level=1) for side, i in (("a", -2), ("b", -1))}, axis=1)


def run_cell(icc: float, again: str, sampling: str, n_draws: int, seed: int = SEED) -> dict[str, float]:
    """Return coverage of no change and mean widths: as built, and with the correlation that the draws show."""
    rng = np.random.default_rng([seed, int(100 * icc), list(AGAIN).index(again), SAMPLING.index(sampling)])
    found = pd.concat([compare_last(rng, icc, again, sampling) for _ in range(n_draws // CLUSTERS)])
    earlier, later = (tuple(found[side][c].to_numpy() for c in ("rate", "low", "high")) for side in "ab")
    correlation = float(np.corrcoef(earlier[0], later[0])[0, 1])
    row = {"correlation": correlation}
    for name, used in (("built", 0.0), ("known", max(correlation, 0.0))):
        _, low, high = square_and_add(later, earlier, correlation=used)
        row[name] = float(((low <= 0) & (high >= 0)).mean())
        row[f"{name}_width"] = float(100 * (high - low).mean())
    return row


def main(n_draws: int) -> None:
    """Run everything and write the page."""
    lines = []
    for sampling in SAMPLING:
        for again, words in AGAIN.items():
            for icc in LIKE:
                row = run_cell(icc, again, sampling, n_draws)
                shown = " | ".join(f"{100 * row[m]:.1f} | {row[f'{m}_width']:.1f}" for m in ("built", "known"))
                lines.append(f"| {sampling} | {words} | {icc:g} | {row['correlation']:.2f} | {shown} |")
                print(lines[-1], round(time.process_time()), flush=True)
    versions = ", ".join(f"{m} {importlib.metadata.version(m)}" for m in ("numpy", "scipy", "pandas"))
    head = [
        "# Changes of weighted rates whose firms are drawn twice",
        "",
        f"Made by `tests/truth/study_weighted_pairs.py` on {datetime.date.today().isoformat()}, seed {SEED}, "
        f"{n_draws:,} changes a line, {time.process_time():.0f} seconds of one core, {versions}. Provinces of "
        f"{CLUSTERS} clusters with {FIRMS} firms in each of two risk classes, {100 * CHANCE[0]:.0f} and "
        f"{100 * CHANCE[1]:.0f} % of them drawn in a quarter with one or two batches, rates {100 * RATE[0]:.0f} and "
        f"{100 * RATE[1]:.0f} %, {PERIODS} quarters to learn from; the last two are compared and nothing changed. "
        "Coverage of the 95 % interval of the change and its mean width in points: as built, which takes both weighted "
        "rates as independent, and with the correlation the draws show, which nobody knows. In turns: firms drawn last "
        "quarter are passed over.",
        "",
        "| weights | firms | icc | correlation | as built % | width | known % | width |",
        "|---|---|---|---|---|---|---|---|",
    ]
    OUT.write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else N_DRAWS)
