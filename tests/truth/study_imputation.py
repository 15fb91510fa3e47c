"""What a base costs, and a scale: imputation against group-time effects, on points and on the log-odds.

Run it from the root of the project: ``python tests/truth/study_imputation.py``. Some three minutes on one core.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
from pathlib import Path

import numpy as np
from scipy import stats
from scipy.special import expit

from qbase.core import Indicator, Text
from qbase.effects.comparison.outcome_grid import Floats, OutcomeGrid
from qbase.effects.fitting.imputation import fit_imputation, impute_outcomes
from qbase.effects.fitting.imputed_terms import Window
from qbase.effects.fitting.logit_paths import fit_logit_imputation

SEED = 20261129
N_BASE, N_SCALE, N_SIZE = 300, 600, 300
TREATED = 8
ENTITIES, PERIODS, LEADS, LAGS = 36, 40, 4, 6
OUT = Path("docs/studies/imputation.md")
RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
DESIGNS = {"steady rates": (0.0, 0.0), "steady, treated lower": (0.0, 0.5), "rising, treated lower": (0.5, 0.5)}
"""Rise of the log-odds, and by how much those of the treated are lower."""
PATHS = {"independent quarters": 0.0, "AR(1) 0.5": 0.5, "AR(1) 0.9": 0.9}


def grid_of(y: Floats, start: Floats, k: Floats | None = None, n: Floats | None = None) -> OutcomeGrid:
    """Return a grid of equal weights."""
    return OutcomeGrid(
        indicator=RATE,
        freq="Q",
        entities=tuple(f"K{i:03d}" for i in range(len(y))),
        first=184,
        y=y,
        n=n,
        k=k,
        start=start,
        weight=np.ones(len(y)),
        cluster=np.arange(len(y)),
    )


def starts(treated: int) -> Floats:
    """Return three dates of adoption in turn, and nobody else."""
    start = np.full(ENTITIES, np.nan)
    start[:treated] = np.resize([20, 24, 28], treated)
    return start


def draw_rates(rng: np.random.Generator, rho: float, treated: int) -> OutcomeGrid:
    """Return pass rates of cells around 92 % whose log-odds follow an AR(1) of spread 0.3."""
    shocks = rng.normal(size=(ENTITIES, PERIODS))
    path = shocks.copy()
    for t in range(1, PERIODS):
        path[:, t] = rho * path[:, t - 1] + np.sqrt(1 - rho**2) * shocks[:, t]
    eta = rng.normal(2.6, 0.45, (ENTITIES, 1)) + 0.3 * path
    n = 4.0 + rng.poisson(13, path.shape)
    k = rng.binomial(n.astype(int), expit(eta)).astype(float)
    return grid_of(100 * k / n, starts(treated), k, n)


def from_last_period(grid: OutcomeGrid) -> tuple[float, float, float]:
    """Return the average effect, event times 0 and −2 from base −1, cohort by cohort against those not yet treated."""
    total, cells = 0.0, 0
    at: dict[int, list[float]] = {0: [], -2: []}
    for g in grid.cohorts:
        rows = grid.start == g
        for t in [*range(g, grid.n_periods), g - 2]:
            controls = ~(grid.start <= max(t, g - 1)) & ~rows
            change = grid.y[:, t] - grid.y[:, g - 1]
            effect = change[rows].mean() - change[controls].mean()
            if t >= g:
                total, cells = total + rows.sum() * effect, cells + int(rows.sum())
            if t - g in at:
                at[t - g].extend([effect] * int(rows.sum()))
    return total / cells, float(np.mean(at[0])), float(np.mean(at[-2]))


def study_base(treated: int) -> list[str]:
    """Return lines: root mean squared error of both, no effect being true."""
    lines = []
    for name, rho in PATHS.items():
        rng = np.random.default_rng(SEED)
        ours, last = [], []
        for _ in range(N_BASE):
            grid = draw_rates(rng, rho, treated)
            fit = fit_imputation(grid, leads=LEADS, lags=LAGS)
            ours.append([fit.beta[fit.terms.index(term)] for term in (("att", None), ("event", 0), ("event", -2))])
            last.append(from_last_period(grid))
        errors = [np.sqrt((np.array(found) ** 2).mean(axis=0)) for found in (ours, last)]
        cells = [f"{a:.2f} | {b:.2f} | {b / a:.1f}" for a, b in zip(*errors, strict=True)]
        lines.append(f"| {treated} | {name} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    return lines


def draw_odds(rng: np.random.Generator, rise: float, gap: float) -> tuple[OutcomeGrid, Floats]:
    """Return cells, and their true rates in percent, of clusters whose log-odds move alike."""
    trend = rise * (np.sin(np.arange(PERIODS) / 6) + np.linspace(0, 1.2, PERIODS))
    eta = rng.normal(2.5 - 0.6 * rise, 0.45, (ENTITIES, 1)) + trend
    eta[:TREATED] -= gap
    p = expit(eta)
    n = 4.0 + rng.poisson(13, p.shape)
    k = rng.binomial(n.astype(int), p).astype(float)
    return grid_of(100 * k / n, starts(TREATED), k, n), 100 * p


def study_scale(name: str, rise: float, gap: float) -> list[str]:
    """Return lines: bias of three ways to impute where trends are parallel on the log-odds, no effect being true.

    Imputation in points of the noise alone has mean 0 whatever the trend; taken from each draw, it takes most of the
    Monte-Carlo error with it.
    """
    rng = np.random.default_rng(SEED)
    found, full = [], []
    for _ in range(N_SCALE):
        grid, truth = draw_odds(rng, rise, gap)
        assert grid.k is not None
        assert grid.n is not None
        noise = fit_imputation(dataclasses.replace(grid, y=grid.y - truth), leads=0, lags=0).beta[0]
        odds, points = (fit(grid, leads=0, lags=0).beta[0] for fit in (fit_logit_imputation, fit_imputation))
        logits = dataclasses.replace(grid, y=np.log((grid.k + 0.5) / (grid.n - grid.k + 0.5)))
        imputed = 100 * expit(impute_outcomes(logits, Window(leads=0, lags=0)))
        empirical = (grid.y - imputed)[grid.event_time >= 0].mean()
        found.append([odds - noise, points - noise, empirical - noise])
        full.append((grid.k == grid.n).mean())
    bias, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(N_SCALE)
    cells = [f"{b:+.2f} ({e:.2f})".replace("-", "−") for b, e in zip(bias, error, strict=True)]
    return [f"| {name} | {100 * np.mean(full):.0f} | " + " | ".join(cells) + " |"]


def study_size() -> str:
    """Return a line: how often the effect on the log-odds is called one though there is none."""
    rng = np.random.default_rng(SEED)
    rejected = []
    for _ in range(N_SIZE):
        grid = draw_odds(rng, 0.5, 0.5)[0]
        value = fit_logit_imputation(grid, leads=0, lags=0).beta[0]
        rest = [grid.keep(np.arange(ENTITIES) != i) for i in range(ENTITIES)]
        without = np.array([fit_logit_imputation(one, leads=0, lags=0).beta[0] for one in rest])
        spread = np.sqrt((ENTITIES - 1) / ENTITIES * ((without - value) ** 2).sum())
        rejected.append(abs(value / spread) > stats.t.ppf(0.975, TREATED - 1))
    share = np.mean(rejected)
    error = np.sqrt(share * (1 - share) / N_SIZE)
    return (
        f"Size of the effect on the log-odds, rising rates, jackknife over clusters with t({TREATED - 1}) at 5 %, "
        f"{N_SIZE} draws: {100 * share:.1f} % ({100 * error:.1f})."
    )


def main() -> None:
    begun = time.monotonic()
    base = [line for treated in (3, 8) for line in study_base(treated)]
    scale = [line for name, (rise, gap) in DESIGNS.items() for line in study_scale(name, rise, gap)]
    size = study_size()
    head = "| treated | noise | " + " | ".join(
        f"{term}: average base | base −1 | ratio" for term in ("overall", "event 0", "event −2")
    )
    made = f"on {datetime.date.today().isoformat()}, seed {SEED}, {time.monotonic() - begun:.0f} seconds"
    OUT.write_text(
        "\n".join(
            [
                "# What a base costs, and a scale",
                "",
                f"Made by `tests/truth/study_imputation.py` {made}.",
                f"{ENTITIES} clusters, {PERIODS} quarters, n = 4 + Poisson(13) batches a cell, three dates.",
                "",
                f"## Root mean squared error in points, no effect being true, {N_BASE} draws",
                "",
                "Imputation measures from all quarters before the start, group-time effects from the last one.",
                "",
                head + " |",
                "|" + "---|" * 11,
                *base,
                "",
                f"## Bias in points where trends are parallel on the log-odds, {N_SCALE} draws (Monte-Carlo error)",
                "",
                "| log-odds | all-pass cells, % | Firth, corrected | points | empirical logits |",
                "|---|---|---|---|---|",
                *scale,
                "",
                size,
                "",
            ]
        ),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
