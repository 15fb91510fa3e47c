"""Levels against the province's truth: bias, coverage, width; results in docs/studies/levels.md.

Run it from the root of the project: ``python tests/truth/study_levels.py``. Some fifteen minutes on one core;
test_levels_truth.py runs the same on few seeds.
"""

from __future__ import annotations

import dataclasses
import datetime
import importlib.metadata
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import binomtest, norm

from qbase.core.periods import to_periods
from qbase.demo import Scenario
from qbase.demo.clean.core_tables import RISKS, SIZES, cluster_ids
from qbase.demo.world.firm_population import NEVER
from qbase.demo.world.quarters import World, build_world
from qbase.demo.world.scenario import N_QUARTERS, Streams, quarter_code, read_dimensions
from qbase.indicators.cells.product_families import Families, family_correlation, same_family_share
from qbase.indicators.cells.stratum_weights import stratum_weights, weighted_rates
from qbase.indicators.sampling.predicted_rates import predicted_rates
from qbase.stats.design.design_intervals import design_interval
from qbase.stats.design.design_tests import compare_draws, compare_fractions
from qbase.stats.rates.shrinkage import shrink_rates

FIRST_SEED = 5000
N_SEEDS, N_CELL_SEEDS = 200, 60
OUT = Path("docs/studies/levels.md")
NOMINAL, FLOOR, ALPHA = 0.95, 0.93, 0.01
BIAS_PP = 0.5
SHRUNK_QUARTERS = (5, 17, 29, 39)
SIZES_OF_N = ((1, 3), (4, 7), (8, 11), (12, 20), (21, 99))
KEYS = ["cluster_id", "period", "risk_class", "size_class"]

SCENARIOS: dict[str, tuple[str, Scenario]] = {
    "default": ("the province as described", Scenario()),
    "no shift": ("the sampling mix does not change", Scenario(has_sampling_shift=False)),
    "class fractions": ("random draws by class-dependent fractions", Scenario(has_class_fractions=True)),
    "hidden risk": ("directed draws on risk the frame does not show", Scenario(has_hidden_risk=True)),
    "endogenous risk": ("risk classes rebuilt from results", Scenario(has_endogenous_risk=True)),
    "stale frame": ("the frame counts the firms of a year ago", Scenario(has_stale_frame=True)),
    "over-dispersion": ("correlation 0.2 within a batch family", Scenario(rho=0.2)),
}
BIASED = {
    "naive": set(SCENARIOS),
    "random, unweighted": {"class fractions"},
    "random, weighted": set(),
    "post-stratified": {"hidden risk"},
    "prediction-powered": set(),
}
"""Where a treatment is known to be biased; a stale frame breaks weights in principle and hardly in this province."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """Strata with draws, product families of quarters, the frame, the truth by cluster and period."""

    strata: pd.DataFrame
    families: pd.DataFrame
    frame: pd.DataFrame
    truth: pd.Series


def draw_world(seed: int, scenario: Scenario, *, size: str = "province") -> World:
    """Return one province."""
    return build_world(read_dimensions(size), scenario, Streams(seed=seed))


def read_world(world: World, freq: str) -> Draws:
    """Return the strata as ``statements/strata.sql`` makes them, without a lake."""
    step = 4 if freq == "A" else 1
    names = to_periods(pd.Index([quarter_code(t) for t in range(0, N_QUARTERS, step)]), "Q")
    names = to_periods(names.to_timestamp(), freq)
    f, t = np.nonzero(world.is_alive)
    alive = _keyed(world, f, t, names, step).assign(p=world.p1[f, t])
    truth = alive.groupby(KEYS[:2])["p"].mean()
    listed = alive if not world.scenario.has_stale_frame else _stale(world, names, step)
    frame = (listed.groupby(KEYS).size() / step).rename("firms").reset_index()
    used = np.isin(world.kind, (0, 1, 3)) & ~world.is_lost
    f, t = world.firm[used], world.quarter[used]
    rows = _keyed(world, f, t, names, step).assign(
        firm=f, passed=world.passed[used], is_random=world.kind[used] == 0, is_risk=world.kind[used] == 1
    )
    quarters = to_periods(pd.Index([quarter_code(q) for q in range(N_QUARTERS)]), "Q")
    families = _families(rows.assign(quarter=quarters[t], product=world.firms.product[f]))
    return Draws(strata=_sums(rows), families=families, frame=frame, truth=truth)


def _keyed(world: World, f: np.ndarray, t: np.ndarray, names: pd.PeriodIndex, step: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "cluster_id": cluster_ids(world)[world.firms.cluster[f]],
            "period": names[t // step],
            "risk_class": np.asarray(RISKS, dtype=object)[world.risk[f, t]],
            "size_class": np.asarray(SIZES, dtype=object)[world.firms.size[f]],
        }
    )


def _stale(world: World, names: pd.PeriodIndex, step: int) -> pd.DataFrame:
    """Return the firms of a year ago under today's date, with the classes they had."""
    parts = []
    for t in range(N_QUARTERS):
        f = np.flatnonzero(world.is_alive[:, max(t - 4, 0)])
        part = _keyed(world, f, np.full(len(f), max(t - 4, 0)), names, step)
        parts.append(part.assign(period=names[t // step]))
    return pd.concat(parts, ignore_index=True)


def _sums(rows: pd.DataFrame) -> pd.DataFrame:
    """Sum batches over firms, all and random ones."""
    n = rows.assign(n=1, k=rows["passed"], random_n=rows["is_random"], risk_n=rows["is_risk"])
    n["random_k"] = n["passed"] & n["is_random"]
    firm = n.groupby([*KEYS, "firm"])[["n", "k", "random_n", "random_k", "risk_n"]].sum().astype(float).reset_index()
    for prefix in ("", "random_"):
        own, good = firm[f"{prefix}n"], firm[f"{prefix}k"]
        firm[f"{prefix}n_firms"] = (own > 0).astype(float)
        firm[f"{prefix}n_clean"] = ((own > 0) & (good == own)).astype(float)
        firm[f"{prefix}sum_nn"] = own**2
        firm[f"{prefix}sum_kk"] = (good**2 / own.where(own > 0)).fillna(0)
    summed: pd.DataFrame = firm.drop(columns="firm").groupby(KEYS).sum().reset_index()
    return summed


def _families(rows: pd.DataFrame) -> pd.DataFrame:
    """Return product families as ``statements/families.sql`` makes them."""
    keys = ["cluster_id", "period", "quarter", "product"]
    n = rows.assign(n=1, k=rows["passed"].astype(int), random_n=rows["is_random"].astype(int))
    firm = n.groupby([*keys, "firm"])[["n", "k", "random_n"]].sum().reset_index()
    firm = firm.assign(
        nn=firm["n"] ** 2, nk=firm["n"] * firm["k"], kk=firm["k"] ** 2, random_nn=firm["random_n"] ** 2
    )  # fmt: skip
    return firm.drop(columns="firm").groupby(keys).sum().reset_index()


def _known_families(draws: Draws, by: list[str], *, is_random: bool) -> Families:
    found = draws.families
    used = found.assign(n=found["random_n"], nn=found["random_nn"]) if is_random else found
    correlation = family_correlation(found.rename(columns={"cluster_id": "entity"}))
    return Families(correlation=correlation, share=same_family_share(used, by))


def treated(draws: Draws, by: list[str], *, steps: int) -> dict[str, pd.DataFrame]:
    """Return rates by treatment: naive, random draws as they are and weighted, post-stratified."""
    sums = ["n", "k", "n_firms", "n_clean", "sum_nn", "sum_kk"]
    random = draws.strata.assign(
        all_n=draws.strata["n"], all_k=draws.strata["k"], **{c: draws.strata[f"random_{c}"] for c in sums}
    )
    random = random[random["n"] > 0]
    out = {}
    for name, strata, sampling in (
        ("naive", draws.strata, None),
        ("random, unweighted", random, None),
        ("random, weighted", random, "random_draw"),
        ("post-stratified", draws.strata, "post_stratified"),
        ("prediction-powered", random, "prediction_powered"),
    ):
        if sampling is None:
            whole = strata.assign(weight=1.0, firm_weight=1.0)
        else:
            weights = stratum_weights(strata, draws.frame, sampling=sampling, steps=steps)
            whole = strata.merge(weights, on=KEYS, how="left")
            mean = np.average(whole["weight"].dropna(), weights=whole.loc[whole["weight"].notna(), "n"])
            whole = whole.fillna({"weight": mean, "firm_weight": mean})
        rates = weighted_rates(whole, by)
        if sampling is not None:
            rates["n_eff"] = _known_families(draws, by, is_random=sampling != "post_stratified").widen(rates)
        if sampling == "prediction_powered":
            rates = _corrected(rates, whole, draws, by)
        out[name] = rates
    return out


def _corrected(rates: pd.DataFrame, whole: pd.DataFrame, draws: Draws, by: list[str]) -> pd.DataFrame:
    """Correct weighted random draws by directed ones as `predicted_rates` does, by cluster or for all of them."""
    is_whole = "cluster_id" not in by
    keyed = whole.assign(entity="all" if is_whole else whole["cluster_id"], all_n=whole["all_n"], all_k=whole["all_k"])
    frame = draws.frame.assign(cluster_id="all") if is_whole else draws.frame
    index = pd.MultiIndex.from_arrays([["all"] * len(rates), rates.index]) if is_whole else rates.index
    named = rates.set_axis(index.set_names(["entity", "period"]))
    return predicted_rates(named, keyed, frame).set_axis(rates.index)


def levels(world: World) -> pd.DataFrame:
    """Return the province-year level by treatment: rate, truth, limits, in percent."""
    draws = read_world(world, "A")
    f, t = np.nonzero(world.is_alive)
    truth = pd.Series(world.p1[f, t]).groupby(2016 + t // 4).mean()
    parts = []
    for name, rates in treated(draws, ["period"], steps=4).items():
        low, high = design_interval(rates["rate"].clip(0, 1), rates["n_eff"])
        years = [p.year for p in rates.index]
        parts.append(
            pd.DataFrame(
                {"treatment": name, "year": years, "rate": 100 * rates["rate"].to_numpy(),
                 "truth": 100 * truth.loc[years].to_numpy(), "low": 100 * low, "high": 100 * high}
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def cells(world: World) -> pd.DataFrame:
    """Return cluster-quarters by treatment and interval: n, all passed, truth inside, width."""
    draws = read_world(world, "Q")
    found = treated(draws, KEYS[:2], steps=1)
    parts = []
    for name in ("random, weighted", "post-stratified", "prediction-powered"):
        rates = found[name]
        p, n_eff = rates["rate"].clip(0, 1).to_numpy(), rates["n_eff"].to_numpy()
        truth = draws.truth.loc[rates.index].to_numpy()
        for method in ("jeffreys", "wilson", "korn_graubard"):
            parts.append(_inside(name, method, rates["n"], p, truth, design_interval(p, n_eff, method=method)))
        half = norm.ppf(0.975) * np.sqrt(p * (1 - p) / n_eff)
        parts.append(_inside(name, "Wald", rates["n"], p, truth, (p - half, p + half)))
        parts += [_shrunk(name, rates, draws.truth, quarter) for quarter in SHRUNK_QUARTERS]
    return pd.concat(parts, ignore_index=True)


def _shrunk(name: str, rates: pd.DataFrame, truth: pd.Series, quarter: int) -> pd.DataFrame:
    period = to_periods(pd.Index([quarter_code(quarter)]), "Q")[0]
    now = rates[rates.index.get_level_values("period") == period]
    shrunk = shrink_rates(now["rate"].clip(0, 1) * now["n_eff"], now["n_eff"])
    limits = (shrunk["low"].to_numpy(), shrunk["high"].to_numpy())
    return _inside(name, "shrunk", now["n"], now["rate"].to_numpy(), truth.loc[now.index].to_numpy(), limits)


def _inside(
    name: str, method: str, n: pd.Series, p: np.ndarray, truth: np.ndarray, limits: Sequence[np.ndarray]
) -> pd.DataFrame:
    low, high = limits
    return pd.DataFrame(
        {
            "treatment": name, "interval": method, "n": n.to_numpy(), "all_passed": p > 1 - 1e-9,
            "inside": (low <= truth) & (truth <= high), "width": 100 * (high - low), "is_zero": high - low <= 0,
        }
    )  # fmt: skip


def checks(world: World) -> dict[str, bool]:
    """Return which checks fire on one province."""
    draws = read_world(world, "Q")
    strata = draws.strata
    stratum = strata["risk_class"] + "-" + strata["size_class"]
    keys = pd.DataFrame({"entity": strata["cluster_id"], "period": strata["period"], "stratum": stratum})
    both = pd.concat(
        [
            keys.assign(sampling="random", n=strata["random_n"], k=strata["random_k"]),
            keys.assign(sampling="directed", n=strata["n"] - strata["random_n"], k=strata["k"] - strata["random_k"]),
        ]
    )
    difference = compare_draws(both[both["n"] > 0])
    by = ["cluster_id", "period"]
    firms = draws.frame.pivot_table(index=by, columns="risk_class", values="firms", aggfunc="sum", fill_value=0)
    drawn = strata.pivot_table(index=by, columns="risk_class", values="random_n", aggfunc="sum", fill_value=0)
    drawn = drawn.reindex(index=firms.index, columns=firms.columns, fill_value=0)
    fractions = compare_fractions(drawn.to_numpy(dtype=float), firms.to_numpy(dtype=float))
    return {
        "random against directed": difference is not None and difference.differs,
        "class fractions": fractions.p_value < 0.01,
        "sampling mix": mix_moved(world),
    }


def mix_moved(world: World) -> bool:
    """Tell whether the share of random draws moved with the policy by more than 10 points and beyond chance."""
    from qbase.core.panel import Panel
    from qbase.core.policy import Policy, Spell
    from qbase.core.text import Text
    from qbase.core.values import Indicator
    from qbase.indicators.sampling.sampling_checks import check_sampling_mix

    quarters = to_periods(pd.Index([quarter_code(t) for t in range(N_QUARTERS)]), "Q")
    names = cluster_ids(world)
    used = np.isin(world.kind, (0, 1, 3))
    rows = pd.DataFrame(
        {
            "entity": names[world.firms.cluster[world.firm[used]]],
            "period": quarters[world.quarter[used]],
            "sampling": np.where(world.kind[used] == 0, "random", "directed"),
        }
    )
    sampled = rows.value_counts().rename("n").reset_index()
    indicator = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
    data = pd.DataFrame({"D1.batch": [90.0]}, index=pd.MultiIndex.from_arrays([["K001"], quarters[:1]]))
    data.index.names = ["entity", "period"]
    panel = Panel(data=data, entity="cluster_id", freq="Q", indicators={"D1.batch": indicator}, cells=sampled)
    spells = tuple(Spell(entity=names[c], start=quarters[q]) for c, q in enumerate(world.plan.cohort) if q < NEVER)
    policy = Policy(policy_id="P", title=Text("政策", "policy"), spells=spells)
    return check_sampling_mix(panel, policy).passed is False


def coverage_table(draws: pd.DataFrame, *, least: int = 500) -> pd.DataFrame:
    """Return coverage by treatment, interval and kind of cell, with the test of coverage below 93 % (Holm)."""
    groups = [(f"n {a}–{b}", draws["n"].between(a, b)) for a, b in SIZES_OF_N]
    groups += [("all", draws["n"] > 0), ("all passed", draws["all_passed"])]
    rows = []
    for (treatment, method), part in draws.groupby(["treatment", "interval"], sort=False):
        for label, chosen in groups:
            now = part[chosen.loc[part.index]]
            if len(now) >= least:
                k = int(now["inside"].sum())
                p = binomtest(k, len(now), FLOOR, alternative="less").pvalue
                rows.append(
                    (treatment, method, label, len(now), k / len(now), p, now["width"].mean(), now["is_zero"].mean())
                )
    table = pd.DataFrame(
        rows, columns=["treatment", "interval", "cells", "draws", "coverage", "p", "width", "zero_width"]
    )
    offered = table["interval"].isin(["jeffreys", "shrunk"])
    table["rejected"] = False
    table.loc[offered, "rejected"] = holm(table.loc[offered, "p"].to_numpy())
    return table


def holm(p: np.ndarray, alpha: float = ALPHA) -> np.ndarray:
    """Return which hypotheses Holm's procedure rejects."""
    order = np.argsort(p)
    passed = np.minimum.accumulate(p[order] <= alpha / (len(p) - np.arange(len(p))))
    out = np.zeros(len(p), dtype=bool)
    out[order] = passed
    return out


def run(
    name: str, n_seeds: int, first: int = FIRST_SEED, n_cell_seeds: int = N_CELL_SEEDS
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return levels, cells (of the first seeds) and checks of one scenario over seeds."""
    found: tuple[list[pd.DataFrame], list[pd.DataFrame], list[dict[str, bool]]] = ([], [], [])
    for seed in range(first, first + n_seeds):
        world = draw_world(seed, SCENARIOS[name][1])
        found[0].append(levels(world).assign(seed=seed))
        if seed < first + n_cell_seeds:
            found[1].append(cells(world))
        found[2].append(checks(world))
    inside = pd.concat(found[1], ignore_index=True) if found[1] else pd.DataFrame()
    return pd.concat(found[0]), inside, pd.DataFrame(found[2])


def bias_row(name: str, treatment: str, part: pd.DataFrame) -> str:
    """Return one line of the table of levels."""
    gap = part["rate"] - part["truth"]
    by_seed = gap.groupby(part["seed"]).mean()
    by_year = gap.groupby(part["year"]).mean()
    worst = by_year.loc[by_year.abs().idxmax()]
    covered = ((part["low"] <= part["truth"]) & (part["truth"] <= part["high"])).mean()
    width = (part["high"] - part["low"]).mean()
    is_small = abs(by_seed.mean()) < BIAS_PP
    if treatment == "random, unweighted" and name not in BIASED[treatment]:
        verdict = "clusters weigh by batches"
    elif name in BIASED[treatment]:
        verdict = "known bias does not show" if is_small else "known bias shows"
    else:
        verdict = "< 0.5" if is_small else "GOAL MISSED"
    line = (
        f"| {name} | {treatment} | {by_seed.mean():.2f} ({by_seed.sem():.2f}) | {worst:.2f} | {gap.std():.2f} | "
        f"{100 * covered:.1f} | {width:.1f} | {verdict} |"
    )
    return line.replace("| -", "| −")


def main(n_seeds: int) -> None:
    """Run all scenarios and write the page."""
    start = time.monotonic()
    bias, fired, tables = [], [], {}
    for name in SCENARIOS:
        level, cell, check = run(name, n_seeds)
        bias += [bias_row(name, str(t), part) for t, part in level.groupby("treatment", sort=False)]
        fired.append(f"| {name} | " + " | ".join(f"{100 * check[c].mean():.1f}" for c in check.columns) + " |")
        tables[name] = coverage_table(cell)
        print(name, round(time.monotonic() - start), flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    # the reading is by hand: write it anew when the figures change
    OUT.write_text(report(bias, fired, tables, n_seeds, time.monotonic() - start), encoding="utf-8")


def report(bias: list[str], fired: list[str], tables: dict[str, pd.DataFrame], n_seeds: int, seconds: float) -> str:
    """Return the page."""
    versions = ", ".join(f"{m} {importlib.metadata.version(m)}" for m in ("numpy", "pandas", "scipy"))
    made = f"on {datetime.date.today().isoformat()}, seeds {FIRST_SEED} to {FIRST_SEED + n_seeds - 1}"
    lines = [
        "# Levels of a pass rate against the province's truth",
        "",
        f"Made by `tests/truth/study_levels.py` {made}, {seconds:.0f} seconds, {versions}. "
        "Size `province`: 36 clusters, 40 quarters, about 17 batches per cluster-quarter, 7.5 of them random.",
        "",
        "Scenarios: " + "; ".join(f"**{k}**, {words}" for k, (words, _) in SCENARIOS.items()) + ".",
        "",
        "## Province-year level",
        "",
        f"Estimate minus truth (mean chance of the firms alive), pp; mean over ten years and {n_seeds} seeds "
        "(Monte-Carlo standard error); the worst year's mean; standard deviation of one year's error; coverage and "
        "width of the 95 % interval. Goal: |mean bias| < 0.5 where the method's assumption holds.",
        "",
        "| scenario | treatment | bias (s.e.) | worst year | s.d. | coverage % | width pp | verdict |",
        "|---|---|---|---|---|---|---|---|",
        *bias,
        "",
        "## How often the checks fire, %",
        "",
        "At the 5 % level (class fractions: 1 %), all forty quarters together.",
        "",
        "| scenario | random against directed | class fractions | sampling mix moved with the policy |",
        "|---|---|---|---|",
        *fired,
        "",
        "## Intervals of cluster-quarters",
        "",
        f"First {N_CELL_SEEDS} seeds. Coverage of the 95 % interval and its mean width (pp). Test: coverage below "
        f"{FLOOR:.0%}, one-sided binomial, {ALPHA:.0%}, Holm over the offered intervals (jeffreys, shrunk) of a "
        "scenario. Jeffreys: on the effective sample size, what `build_panel` gives. Wilson, Korn–Graubard "
        "(Clopper–Pearson) and Wald on the same are shown for the choice, under the default scenario. Shrunk: across "
        "the 36 clusters of a quarter, four quarters per seed. Under hidden risk post-stratified rates are biased.",
        "",
    ]
    for name, table in tables.items():
        lines += [
            f"### {name}",
            "",
            "| treatment | interval | cells | draws | coverage % | p | width | zero width % | |",
        ]
        lines.append("|---|---|---|---|---|---|---|---|---|")
        for r in table.itertuples(index=False):
            is_offered = r.interval in ("jeffreys", "shrunk")
            if name != "default" and not is_offered:
                continue
            p = "< 0.001" if r.p < 0.001 else f"{r.p:.3f}"
            verdict = ("BELOW 93" if r.rejected else "ok") if is_offered else ""
            figures = f"{r.draws:,} | {100 * r.coverage:.1f} | {p} | {r.width:.1f} | {100 * r.zero_width:.1f}"
            lines.append(f"| {r.treatment} | {r.interval} | {r.cells} | {figures} | {verdict} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else N_SEEDS)
