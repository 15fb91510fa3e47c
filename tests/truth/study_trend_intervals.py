"""Intervals and verdicts of trends where batches of one firm pass or fail together (docs/studies/trend_intervals.md).

The referee's grid: firms x batches {20 x 5, 6 x 10, 16 x 1} x correlation within a firm {0, .2, .4}, true rate 90 %.
Two periods alone, with firms drawn anew or the same firms twice; then with a history, as a letter has one, from which
the likeness of batches is learnt. `known` is the same test with the true variance: Wilson's intervals on the true
effective number of batches, joined with the true correlation of the two rates.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import pathlib
import sys
import time

import numpy as np
import pandas as pd
from scipy.stats import beta

from qbase.stats import compare_firm_rates, firm_rate_interval, fit_firm_likeness, square_and_add, wilson_interval

OUT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "studies" / "trend_intervals.md"
SHAPES = ((20, 5), (6, 10), (16, 1))
LIKE = (0.0, 0.2, 0.4)
RATE = 0.9
N_DRAWS = 2000
SEED = 20261129
MARGIN = 0.02
CASES = ((0, False), (0, True), (14, False))
"""Further periods, and whether the same firms come twice."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Design:
    """What is drawn: firms, batches of each, their correlation, whether the same firms come twice, earlier periods."""

    firms: int
    batches: int
    icc: float
    is_paired: bool = False
    history: int = 0
    rate: float = RATE
    change: float = 0.0


def draw_periods(rng: np.random.Generator, design: Design) -> np.ndarray:
    """Return passes by period and firm; the last two periods are compared."""
    periods = 2 + design.history
    rates = np.full(periods, design.rate)
    rates[-1] += design.change
    chance = np.repeat(rates[:, None], design.firms, axis=1)
    if design.icc > 0:
        total = (1 - design.icc) / design.icc
        # a firm keeps its place among the firms where it comes again
        place = rng.random((1 if design.is_paired else periods, design.firms))
        chance = beta.ppf(np.broadcast_to(place, chance.shape), chance * total, (1 - chance) * total)
    return rng.binomial(design.batches, chance)


def known_correlation(design: Design) -> float:
    """Return the correlation of the two rates when the same firms come twice."""
    if not design.is_paired or design.icc == 0:
        return 0.0
    return design.icc * design.batches / (1 + (design.batches - 1) * design.icc)


def compare_once(rng: np.random.Generator, design: Design) -> dict[str, float]:
    """Draw once and compare: what is covered, what is called a change, and what the known variance would call one."""
    passed = draw_periods(rng, design)
    n = np.full(design.firms, design.batches)
    cell = np.repeat(np.arange(len(passed)), design.firms)
    likeness = fit_firm_likeness(np.tile(n, len(passed)), passed.reshape(-1), cell)
    before, after = (n, passed[-2]), (n, passed[-1])
    found = compare_firm_rates(before, after, likeness)
    tost = compare_firm_rates(before, after, likeness, level=0.9)
    size = float(design.firms * design.batches)
    rate = passed[-2:].sum(axis=1) / size
    low, high = firm_rate_interval(rate, np.full(2, size), np.full(2, size * design.batches), likeness)
    n_eff = size / (1 + (design.batches - 1) * design.icc)
    known = wilson_interval(rate * n_eff, np.full(2, n_eff))
    limits = [(rate[i], known[0][i], known[1][i]) for i in (0, 1)]
    _, known_low, known_high = square_and_add(limits[1], limits[0], correlation=known_correlation(design))
    independent = wilson_interval(rate * size, np.full(2, size))
    later, earlier = ((rate[i], independent[0][i], independent[1][i]) for i in (1, 0))
    _, plain_low, plain_high = square_and_add(later, earlier)
    truth = np.array([design.rate, design.rate + design.change])
    is_steady = tost.low > -MARGIN and tost.high < MARGIN
    return {
        "level": float(((low <= truth) & (truth <= high)).mean()),
        "change": found.low <= design.change <= found.high,
        "moved": (found.low > 0 or found.high < 0) and not is_steady,
        "steady": is_steady,
        "known": bool(known_low > 0 or known_high < 0),
        "known_covers": bool(known_low <= design.change <= known_high),
        "plain": bool(plain_low > 0 or plain_high < 0),
        "likeness": likeness.mean,
        "correlation": found.correlation,
    }


def run(design: Design, n_draws: int, seed: int = SEED) -> pd.DataFrame:
    """Return what came out of every draw."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame([compare_once(rng, design) for _ in range(n_draws)])


def upper_bound(hits: int, draws: int) -> float:
    """Return the upper 99 % bound (Clopper and Pearson) of a share."""
    return float(beta.ppf(0.99, hits + 1, draws - hits)) if hits < draws else 1.0


def share_found(draws: pd.DataFrame) -> float:
    """Return in which share of the draws the known variance finds, the estimated one finds too."""
    known = draws[draws["known"].astype(bool)]
    return float(known["moved"].mean()) if len(known) else float("nan")


def grid_rows(n_draws: int) -> list[str]:
    """Return the lines of the referee's grid."""
    rows = []
    for history, is_paired in CASES:
        for firms, batches in SHAPES:
            for icc in LIKE:
                design = Design(firms=firms, batches=batches, icc=icc, is_paired=is_paired, history=history)
                found = run(design, n_draws)
                false = int(found["moved"].sum())
                gains = [run(dataclasses.replace(design, rate=0.9 - c, change=c), n_draws // 4) for c in (0.05, 0.1)]
                power = " | ".join(
                    f"{100 * g['moved'].mean():.1f} ({100 * g['known'].mean():.1f}; {100 * share_found(g):.0f})"
                    for g in gains
                )
                silent = 100 * (~(gains[1]["moved"] | gains[1]["steady"])).mean()
                rows.append(
                    f"| {history} | {'same' if is_paired else 'new'} | {firms} × {batches} | {icc:g} | "
                    f"{100 * found['level'].mean():.1f} | {100 * found['change'].mean():.1f} | "
                    f"{100 * false / n_draws:.1f} | {100 * upper_bound(false, n_draws):.1f} | "
                    f"{100 * found['plain'].mean():.1f} | {power} | {silent:.0f} | {found['likeness'].mean():.2f} |"
                )
                print(rows[-1], flush=True)
    return rows


def main(n_draws: int) -> None:
    """Run the grid and write the page."""
    start = time.monotonic()
    rows = grid_rows(n_draws)
    versions = ", ".join(f"{m} {importlib.metadata.version(m)}" for m in ("numpy", "scipy", "statsmodels"))
    lines = [
        "# Changes of a rate whose batches come from firms",
        "",
        f"Made by `tests/truth/study_trend_intervals.py` on {datetime.date.today().isoformat()}, seed {SEED}, "
        f"{n_draws:,} draws a line (a quarter of them for each true change), {time.monotonic() - start:.0f} seconds, "
        f"{versions}.",
        "",
        "True rate 90 % and no change: coverage of the 95 % interval of the level and of the change, share of draws "
        "called a change (margin ±2 points for “no change that matters”), its upper 99 % bound, and what Newcombe's "
        "interval of independent batches calls a change. Then 85 → 90 and 80 → 90 %: share found (share the same test "
        "with the true variance finds; of those, share found here too, %) and, at 10 points, draws without an answer. "
        "Mean of the estimated correlation. History: further periods the correlation is learnt from.",
        "",
        "| history | firms | drawn | icc | level % | change % | false % | bound % | Newcombe % | 5 points % | "
        "10 points % | no answer % | estimated |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        *rows,
        "",
    ]
    OUT.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else N_DRAWS)
