"""The province's change of standard, dated by the same batches judged twice (docs/studies/standard_change.md).

Run it from the root of the project: ``python tests/truth/study_standard_change.py``. Some fifteen minutes on one core;
test_signals_truth.py runs the same on few draws.
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

from qbase.core import DatedEvent, Indicator, Panel, Text
from qbase.demo import Scenario
from qbase.demo.clean.core_tables import (
    build_firms_table,
    build_inspections,
    cluster_ids,
    first_inspections,
    quarter_codes,
    rechecks,
)
from qbase.demo.clean.sample_tables import build_items
from qbase.demo.world.draws import expit, logit
from qbase.demo.world.outcome_model import is_changed
from qbase.demo.world.quarters import World, build_world
from qbase.demo.world.scenario import STANDARD_LOGIT, STANDARD_QUARTER, Streams, read_dimensions
from qbase.stats import date_quiet_end
from qbase.trends import estimate_standard_change

FIRST_SEED, N_SEEDS = 7000, 200
N_DRAWS, T = 4000, 40
ALPHA, BAR = 0.05, 0.07
TRUE = pd.Period("2021Q1", freq="Q-DEC")
CHANGE = DatedEvent(period=TRUE, title=Text("标准修订", "revised standards"), kind="standard")
RATES = ("D1.batch", "D1.tightened", "D1.loosened")
OUT = Path("docs/studies/standard_change.md")
SCENARIOS: dict[str, Scenario] = {
    "default": Scenario(),
    "no policy": Scenario(effect="none"),
    "no standard change": Scenario(has_standard_change=False),
}
QUIET = ((0.01, 0.0, 0), (0.03, 0.0, 0), (0.03, 0.1, 0), (0.1, 0.0, 0), (0.1, 0.1, 0), (0.03, 0.0, -1), (0.03, 0.1, 1))
"""Share of batches under limits of their own, correlation within a quarter, and whether quarters shrink or grow."""


def judge_twice(world: World) -> Panel:
    """Judge every batch of a province by the limits of its day and by those of its last year; a second way to count.

    test_signals_truth.py holds it against what the lake counts.
    """
    firms = build_firms_table(world)
    first = first_inspections(world)
    rows = build_inspections(world, first, rechecks(world, first), firms)
    items = build_items(world, rows)
    is_counted = ~rows["is_recheck"].astype(bool) & (rows["sample_type"] != "complaint") & (rows["role"] == "producer")
    used = rows[is_counted].set_index("sample_no")
    items = items.join(used[["product_name", "sample_date"]], on="sample_no", how="inner")
    newest = items[items["sample_date"] >= "2025"].groupby(["product_name", "item_name"])[
        ["lower_limit", "upper_limit"]
    ]
    limits = newest.agg("last").set_axis(["low_now", "high_now"], axis=1)
    items = items.join(limits, on=["product_name", "item_name"])
    is_within = ~((items["value"] < items["low_now"]) | (items["value"] > items["high_now"]))
    overturned = used["appeal_result"] == "overturned"
    now = is_within.groupby(items["sample_no"]).all().reindex(used.index) | overturned
    then = (used["result"] == "pass") | overturned
    frame = pd.DataFrame(
        {
            "cluster_id": cluster_ids(world)[used["_cluster"]], "quarter": quarter_codes(used["_quarter"].to_numpy()),
            "D1.batch__k": then, "D1.tightened__k": then & ~now, "D1.loosened__k": now & ~then,
        }
    )  # fmt: skip
    counts = frame.groupby(["cluster_id", "quarter"]).sum().astype(int)
    size = frame.groupby(["cluster_id", "quarter"]).size()
    for i in RATES:
        counts[f"{i}__n"], counts[i] = size, 100 * counts[f"{i}__k"] / size
    return Panel.from_frame(
        counts.reset_index(), entity="cluster_id", period="quarter", freq="Q",
        indicators={i: Indicator(id=i, name=Text(i, i), unit="pct", better="none") for i in RATES},
    )  # fmt: skip


def planted_effect(world: World) -> float:
    """Return what the newer limits are expected to do to the rate of the batches before, in points."""
    if not world.scenario.has_standard_change:
        return 0.0
    used = np.isin(world.kind, (0, 1, 3)) & ~world.is_lost & (world.quarter < STANDARD_QUARTER)
    chance = world.chance[used]
    lost = chance - expit(logit(chance) + STANDARD_LOGIT)
    return float(-100 * (lost * is_changed(world.geo, world.firms)[world.firm[used]]).mean())


def dated(world: World) -> dict[str, float]:
    """Return what is found on one province: all together, and in each cluster whose standard changed."""
    panel = judge_twice(world)
    blind = estimate_standard_change(panel)
    named = estimate_standard_change(panel, known=CHANGE)
    said = named.say().items[0].en if named.estimates else ""
    found = told(blind) | {"labelled": CHANGE.title.en in said, "sold": said and "nothing about quality" not in said}
    found["sold"] = bool(found["sold"])
    truth = planted_effect(world)
    found["covered"] = bool(blind.estimates) and blind.estimates[0].ci_low <= truth <= blind.estimates[0].ci_high
    firms = is_changed(world.geo, world.firms) & world.scenario.has_standard_change
    touched = sorted(set(cluster_ids(world)[world.firms.cluster[firms]]) & set(panel.entities))
    return found | in_clusters(panel, touched[:5])


def told(result: object) -> dict[str, bool]:
    """Return whether a change was found, how near its date is, and whether its interval holds the true one."""
    if not result.estimates:
        return {"found": False, "within": False, "holds": False}
    row = result.tables["breaks"].iloc[0]
    distance = pd.Period(row["period"], freq="Q-DEC").ordinal - TRUE.ordinal
    return {"found": True, "within": abs(distance) <= 1, "holds": row["low"] <= str(TRUE) <= row["high"]}


def in_clusters(panel: Panel, touched: list[str]) -> dict[str, float]:
    """Return the shares of clusters by what was found in them without a document; NaN where none was touched."""
    rows = [told(estimate_standard_change(panel, entity=e)) for e in touched]
    names = ("found", "within", "holds")
    if not rows:
        return {f"cluster_{n}": np.nan for n in names}
    return {f"cluster_{n}": float(np.mean([r[n] for r in rows])) for n in names}


def provinces(name: str, n_seeds: int, first: int = FIRST_SEED) -> pd.DataFrame:
    """Return `dated` over seeds of one scenario."""
    dimensions = read_dimensions("province")
    seeds = range(first, first + n_seeds)
    return pd.DataFrame([dated(build_world(dimensions, SCENARIOS[name], Streams(seed=seed))) for seed in seeds])


def false_alarms(p: float, rho: float, growth: int, size: int, seed: int) -> dict[str, float]:
    """Return how often a date is found where some batches have limits of their own throughout."""
    rng = np.random.default_rng(seed)
    grown = np.linspace(1, 3, T)[:: growth or 1] if growth else np.ones(T)
    hits = 0
    for _ in range(size):
        n = np.maximum(1, np.rint(grown * rng.integers(4, 31, T))).astype(int)
        share = rng.beta(p * (1 - rho) / rho, (1 - p) * (1 - rho) / rho, T) if rho else np.full(T, p)
        found = date_quiet_end(rng.binomial(n, share).astype(float), n.astype(float))
        hits += found is not None and found.p_value <= ALPHA
    return {"share": hits / size, "upper": float(beta.ppf(0.99, hits + 1, size - hits))}


def main(n_seeds: int, n_draws: int) -> None:
    """Run everything and write the page."""
    start = time.monotonic()
    quiet = [(case, false_alarms(*case, n_draws, 40 + i)) for i, case in enumerate(QUIET)]
    print("false alarms", round(time.monotonic() - start), flush=True)
    found = {}
    for name in SCENARIOS:
        found[name] = provinces(name, n_seeds if name == "default" else n_seeds // 4)
        print(name, found[name].mean().round(3).to_dict(), round(time.monotonic() - start), flush=True)
    versions = ", ".join(f"{m} {importlib.metadata.version(m)}" for m in ("numpy", "pandas", "scipy", "duckdb"))
    lines = [
        "# When the yardstick moved, by the same batches judged twice",
        "",
        f"Made by `tests/truth/study_standard_change.py` on {datetime.date.today().isoformat()}, "
        f"{time.monotonic() - start:.0f} seconds, {versions}.",
        "",
        "## The standard change of the province",
        "",
        f"{n_seeds} seeds of size `province` from {FIRST_SEED}, a quarter of them beside the default. Two standards "
        "are tightened in 2021Q1: their limits move inwards, which fails some 3.5 of 100 batches of their products "
        "that passed before, one in a hundred of all. `estimate_standard_change` of all clusters, and of the first "
        "five that make these products. % of seeds (clusters):",
        "",
        "| | " + " | ".join(found) + " |",
        "|---|" + "---|" * len(found),
    ]
    names = {
        "found": "without a document: a change is found", "within": "… dated within one quarter",
        "holds": "… its 95 % interval of the date holds 2021Q1",
        "covered": "… the 95 % interval of its effect holds what was planted",
        "labelled": "with the editions on the batches: found and labelled by them",
        "sold": "… and yet spoken of without the warning",
        "cluster_found": "one cluster alone, without a document: found", "cluster_within": "… dated within one quarter",
        "cluster_holds": "… its interval holds 2021Q1",
    }  # fmt: skip
    for column, words in names.items():
        shown = ["–" if t[column].isna().all() else f"{100 * t[column].mean():.0f}" for t in found.values()]
        lines.append(f"| {words} | " + " | ".join(shown) + " |")
    lines += [
        "",
        "## How often a date is found for nothing",
        "",
        f"{n_draws:,} series of {T} quarters with 4 to 30 batches (three times as many at one end where they grow or "
        "shrink), a constant share of which has limits of its own, such as another grade. Goal: upper 99 % bound below "
        f"{BAR:.0%}. Where every batch is judged as in its day, no date can be found at all.",
        "",
        "| share | correlation | quarters | found % | upper 99 % bound | |",
        "|---|---|---|---|---|---|",
    ]
    for (p, rho, growth), row in quiet:
        size = {0: "alike", 1: "grow", -1: "shrink"}[growth]
        verdict = "ok" if row["upper"] < BAR else "GOAL MISSED"
        lines.append(f"| {p} | {rho} | {size} | {100 * row['share']:.1f} | {100 * row['upper']:.1f} | {verdict} |")
    OUT.write_text("\n".join([*lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else N_SEEDS,
        int(sys.argv[2]) if len(sys.argv) > 2 else N_DRAWS,
    )
