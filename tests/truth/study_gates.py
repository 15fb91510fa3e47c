"""Verdicts of gates against known truth: false ones, power, cannot-tell, reliability; results in docs/studies/gates.md.

Run it from the root of the project: ``python tests/truth/study_gates.py``; under a minute. test_gates_truth.py runs the
same with fewer draws.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import importlib.util
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import beta

from qbase.scorecards.gates.exact_verdicts import find_least_n, judge_rates
from qbase.scorecards.gates.gate_verdicts import judge_lead
from qbase.scorecards.gates.joint_rates import draw_rates, groups_of, lead_of
from qbase.scorecards.gates.quarter_rates import QuarterRates
from qbase.scorecards.presets.preset_files import read_preset
from qbase.stats.design.design_intervals import clopper_pearson_interval

OUT = Path("docs/studies/gates.md")
SEED, DRAWS = 20261130, 20_000
TARGET, LEVEL, LEAST_N, STEP = 0.94, 0.95, 20, 0.02
SIZES = (1, 2, 3, 5, 8, 9, 13, 17, 20, 30, 49, 60, 80, 100, 150, 200)
EVERY_N = tuple(range(1, 201))
POWER_AT, POWER_TRUE, POWER_LEAST = 200, 0.98, 0.80
ONE_SIDED = 0.99
FIRMS, LIKENESS = 60, 0.06
PROVINCES = range(7000, 7012)

Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shares:
    """How often each verdict fell."""

    met: float
    missed: float
    n: int

    @property
    def open(self) -> float:
        """Share of cannot-tell."""
        return 1 - self.met - self.missed


def upper_bound(share: float, draws: int) -> float:
    """Return the exact upper 99 % bound of a share seen in draws."""
    k = round(share * draws)
    return 1.0 if k >= draws else float(beta.ppf(ONE_SIDED, k + 1, draws - k))


def verdict_shares(n: int, truth: float, *, draws: int, rng: np.random.Generator, least_n: int = 0) -> Shares:
    """Draw k of n and judge."""
    k = rng.binomial(n, truth, size=draws)
    found = judge_rates(k / n, np.full(draws, n), TARGET, level=LEVEL, least_n=least_n)
    return Shares(met=float(found.is_met.mean()), missed=float(found.is_missed.mean()), n=n)


def weighted_rates(n: int, truth: float, *, draws: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw weighted rates of firms in three classes of unequal weight and quality, and their effective numbers.

    Batches of a firm are alike (correlation 0.06), a third of the draws falls on each class, and weights are 1 : 2 : 4.
    The rate of the whole is ``truth``; n_eff is Kish's times the design effect of the firms, as the panel has it.
    """
    weight = np.array([1.0, 2.0, 4.0])
    share = weight / weight.sum()
    rates = np.clip(truth + (1 - truth) * np.array([-0.6, -0.2, 0.25]), 0, 1)
    rates += truth - float(share @ rates)
    firm = rng.integers(0, FIRMS, size=(draws, n))
    cell = np.arange(n) % 3
    mean = rates[cell]
    scale = (1 - LIKENESS) / LIKENESS
    of_firm = rng.uniform(size=(draws, FIRMS))
    chance = beta.ppf(np.take_along_axis(of_firm, firm, axis=1), mean * scale, (1 - mean) * scale)
    passed = rng.uniform(size=(draws, n)) < chance
    w = weight[cell]
    rate = (passed * w).sum(axis=1) / w.sum()
    same = (firm[:, :, None] == firm[:, None, :]) if n <= 60 else None
    pairs = n * (n - 1) / FIRMS if same is None else same.sum(axis=(1, 2)) - n
    deff = 1 + LIKENESS * pairs / n
    return rate, np.broadcast_to(w.sum() ** 2 / (w**2).sum() / deff, rate.shape).astype(float)


def weighted_shares(n: int, truth: float, *, draws: int, rng: np.random.Generator) -> Shares:
    """Draw weighted rates and judge."""
    rate, n_eff = weighted_rates(n, truth, draws=draws, rng=rng)
    found = judge_rates(rate, n_eff, TARGET, level=LEVEL)
    return Shares(met=float(found.is_met.mean()), missed=float(found.is_missed.mean()), n=n)


def reliability(*, draws: int, rng: np.random.Generator, n: int = 60) -> list[tuple[float, float, float, int]]:
    """Draw true rates from Beta(47, 3) around the target; of those with a probability in a band, how many meet it."""
    truth = rng.beta(47, 3, size=draws)
    k = rng.binomial(n, truth)
    chance = judge_rates(k / n, np.full(draws, n), TARGET).probability
    rows = []
    for low, high in ((0, 0.05), (0.05, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 0.95), (0.95, 1.001)):
        inside = (chance >= low) & (chance < high)
        if inside.any():
            rows.append((low, float(chance[inside].mean()), float((truth[inside] >= TARGET).mean()), int(inside.sum())))
    return rows


def lead_shares(gap: float, *, n: int, draws: int, rng: np.random.Generator) -> tuple[float, float, float]:
    """Return how often a lead is met, is as probable as 0.9, is missed; own rate ``gap`` above two others."""
    truth = np.array([0.90 + gap, 0.90, 0.90])
    counts = np.zeros(3)
    gate = read_preset("policy_text").of_gate("L2")[0]
    for _ in range(draws):
        size = np.full((3, 8), float(n))
        k = rng.binomial(n, truth[:, None], size=(3, 8))
        quarters = _quarters(("a", "b", "c"), 2024, {"rate": k / n, "n": size, "n_eff": size})
        groups = groups_of(quarters.entities, dict.fromkeys("abc", "x"))
        drawn = next(draw_rates(quarters, draws=250, rng=rng))
        found = lead_of(drawn, size, size, groups)
        above = float((found.lead[:, 0] > 0).mean())
        steady = float((found.worst[:, 0] >= -gate.margin / 100).mean())
        late = float((found.windows[..., 0] < -gate.margin / 100).mean(axis=1).max())
        verdict, _ = judge_lead(above, steady, late, gate, compared=8, n=8 * n)
        counts += (verdict == "met", above >= gate.level, verdict == "not_met")
    met, led, missed = counts / draws
    return float(met), float(led), float(missed)


def province_shares(seeds: Sequence[int]) -> dict[str, tuple[int, float, float, float]]:
    """Judge every cluster and year of provinces at its own truth: n, false met, false missed, mean error in points.

    The target is the true level of the cluster, so that both verdicts are errors; naive rates beside weighted draws.
    """
    levels = load_levels()
    found: dict[str, list[pd.DataFrame]] = {"random, weighted": [], "naive": []}
    for seed in seeds:
        draws = levels.read_world(levels.draw_world(seed, levels.Scenario()), "Q")
        rates = levels.treated(draws, levels.KEYS[:2], steps=1)
        for name, parts in found.items():
            parts.append(_years(rates[name], draws.truth, is_weighted=name != "naive"))
    shares = {}
    for name, parts in found.items():
        years = pd.concat(parts)
        low, high = clopper_pearson_interval(years["rate"] * years["n_eff"], years["n_eff"], level=2 * LEVEL - 1)
        false_met, false_missed = (low > years["truth"]).mean(), (high < years["truth"]).mean()
        error = 100 * float((years["rate"] - years["truth"]).mean())
        shares[name] = (len(years), float(false_met), float(false_missed), error)
    return shares


def _years(rates: pd.DataFrame, truth: pd.Series, *, is_weighted: bool) -> pd.DataFrame:
    """Pool the quarters of every cluster and year as the gates do, and set the true mean of the quarters beside."""
    own = rates.assign(n_eff=rates["n_eff"] if is_weighted else rates["n"], truth=truth.reindex(rates.index))
    own = own.rename_axis(["entity", "period"]).reset_index()
    parts = []
    for year, rows in own.groupby(own["period"].dt.year):
        grid = rows.set_index(["entity", "period"])[["rate", "n", "n_eff", "truth"]].unstack("period")
        cube = {c: grid[c].to_numpy(dtype=float) for c in ("rate", "n", "n_eff", "truth")}
        whole = {c: np.nan_to_num(cube[c]) for c in ("rate", "n", "n_eff")}
        pooled = _quarters(tuple(grid.index), year, whole).last(4)
        real = np.nanmean(cube["truth"], axis=1)
        parts.append(pd.DataFrame({"rate": pooled.rate, "n": pooled.n, "n_eff": pooled.n_eff, "truth": real}))
    years = pd.concat(parts)
    return years[years["n"] >= LEAST_N]


def _quarters(entities: tuple[str, ...], year: int, arrays: Mapping[str, Floats]) -> QuarterRates:
    """Return rates by quarter made of arrays, without a panel behind them."""
    shape = arrays["n"].shape
    return QuarterRates(
        panel=None, outcome="D1.batch", entities=entities, total=arrays["n"], is_young=np.zeros(shape, dtype=bool),  # type: ignore[arg-type]
        quarters=pd.period_range(f"{year}Q1", periods=shape[1], freq="Q"), pairs=np.zeros(shape), **arrays,
    )  # fmt: skip


def load_levels() -> ModuleType:
    """Load the study of levels, which makes the provinces."""
    spec = importlib.util.spec_from_file_location("study_levels", Path(__file__).with_name("study_levels.py"))
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault("study_levels", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


def grid_table(draws: int, rng: np.random.Generator, every: Sequence[int] = EVERY_N) -> tuple[list[str], float, float]:
    """Return table rows, and the worst upper bounds of a false met and a false missed over every n asked for."""
    rows = []
    for n in SIZES:
        below, at, above = (verdict_shares(n, TARGET + d, draws=draws, rng=rng) for d in (-STEP, 0.0, STEP))
        floor = verdict_shares(n, TARGET, draws=draws, rng=rng, least_n=LEAST_N)
        cells = [f"{100 * x:.1f}" for x in (below.met, at.missed, floor.missed, above.missed)]
        cells += [f"{100 * x:.0f}" for x in (below.open, at.open, above.open, below.missed, above.met)]
        rows.append(f"| {n} | " + " | ".join(cells) + " |")
    just_below = TARGET - 1e-9
    false_met = max(upper_bound(verdict_shares(n, just_below, draws=draws, rng=rng).met, draws) for n in every)
    false_missed = max(upper_bound(verdict_shares(n, TARGET, draws=draws, rng=rng).missed, draws) for n in every)
    return rows, false_met, false_missed


def main() -> int:
    """Write the study."""
    started = time.time()
    rng = np.random.default_rng(SEED)
    rows, false_met, false_missed = grid_table(DRAWS, rng)
    power = verdict_shares(POWER_AT, POWER_TRUE, draws=DRAWS, rng=rng).met
    weighted = []
    for n in (20, 30, 60, 100, 200):
        at, below, above = (
            weighted_shares(n, t, draws=4000, rng=rng) for t in (TARGET, TARGET - STEP, TARGET + 2 * STEP)
        )
        cells = (at.met, at.missed, below.met, above.missed, above.met)
        weighted.append(f"| {n} | " + " | ".join(f"{100 * x:.1f}" for x in cells) + " |")
    bands = [
        f"| {low:.2f} | {mean:.3f} | {share:.3f} | {count} |"
        for low, mean, share, count in reliability(draws=200_000, rng=rng)
    ]
    leads = [
        f"| {gap:+.2f} | {n} | {100 * met:.1f} | {100 * led:.1f} | {100 * missed:.1f} |"
        for gap in (0.0, 0.03, 0.06)
        for n in (5, 10, 20)
        for met, led, missed in [lead_shares(gap, n=n, draws=1500, rng=rng)]
    ]
    provinces = [
        f"| {name} | {n} | {100 * met:.1f} | {100 * missed:.1f} | {error:+.2f} |"
        for name, (n, met, missed, error) in province_shares(PROVINCES).items()
    ]
    versions = ", ".join(f"{p} {importlib.metadata.version(p)}" for p in ("numpy", "scipy"))
    OUT.write_text(
        TEMPLATE.format(
            today=datetime.datetime.now(tz=datetime.UTC).date(),
            seconds=time.time() - started,
            versions=versions,
            seed=SEED,
            draws=f"{DRAWS:,}",
            rows="\n".join(rows),
            weighted="\n".join(weighted),
            bands="\n".join(bands),
            leads="\n".join(leads),
            provinces="\n".join(provinces),
            seeds=f"{PROVINCES[0]} to {PROVINCES[-1]}",
            false_met=100 * false_met,
            false_missed=100 * false_missed,
            power=100 * power,
            possible=find_least_n(TARGET),
            slack=100 * upper_bound(1 - LEVEL, DRAWS),
        ),
        encoding="utf-8",
    )
    print(OUT.read_text(encoding="utf-8"))
    return 0


TEMPLATE = """# Verdicts of gates against known truth

Made by `tests/truth/study_gates.py` on {today}, seed {seed}, {draws} draws a cell, {seconds:.0f} seconds,
{versions}. Target 94 %, one-sided level 95 %: each error may happen in at most 5.0 % of draws
(upper 99 % bound of a true 5 %: {slack:.1f}).

- Over every n from 1 to 200 the upper 99 % bound of a false "met" (truth just below the target) is at most
  {false_met:.1f} %, that of a false "not met" (truth at the target) at most {false_missed:.1f} %.
- Power: true 98 %, n = 200: "met" in {power:.1f} % (asked for: 80).
- "Met" becomes possible at n = {possible}.

## k of n

Shares in %. False: met though the truth is 2 points below; not met though the truth is at the target, without and with
the floor of 20 draws; not met though it is 2 points above. Open (cannot tell): truth 2 points below, at, 2 points
above. Right: not met 2 points below, met 2 points above.

| n | met, −2 | not met, at | same, floor | not met, +2 | open −2 | open at | open +2 | not met, −2 | met, +2 |
|---|---|---|---|---|---|---|---|---|---|
{rows}

## Weighted rates

Three classes with weights 1 : 2 : 4 and unequal quality, 60 firms whose batches are alike (correlation 0.06), judged on
n_eff; 4,000 draws. Shares in %.

| n | met, at the target | not met, at the target | met, −2 | not met, +4 | met, +4 |
|---|---|---|---|---|---|
{weighted}

## Draws of the province

Every cluster and year of whole provinces (seeds {seeds}) with at least 20 draws, four quarters pooled as the gates do,
judged with the true level of the cluster as the target: either verdict is an error. Naive rates beside, without the
refusal they meet in the gates. Firms drawn in several quarters thin n_eff in the gates and not here.

| treatment | cluster-years | false met % | false not met % | mean error, points |
|---|---|---|---|---|
{provinces}

## Reliability of the probability that the target is met

True rates from Beta(47, 3), mean 94 %, n = 60, 200,000 draws: of those given a probability in a band, the share that
meets the target. The probability uses Jeffreys' prior and not that distribution.

| band from | mean probability | share that meets | draws |
|---|---|---|---|
{bands}

## Lead over two clusters of the product

Eight quarters with n draws each, others at 90 %; how often the gate is met (both probabilities), how often the
probability of a lead alone reaches 0.9, how often the gate is missed; % of 1,500 draws.

| true lead | n a quarter | met | probability of a lead ≥ 0.9 | not met |
|---|---|---|---|---|
{leads}
"""

if __name__ == "__main__":
    sys.exit(main())
