"""The province's change of standard, dated by the same batches judged twice (docs/studies/standard_change.md).

Run it from the root of the project: ``python tests/truth/study_standard_change.py``. Some fifteen minutes on one core;
test_signals_truth.py runs the same on few draws.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.stats import beta

from qbase.core import Panel
from qbase.demo import Province, Scenario, build_province
from qbase.demo.sending.stable_files import to_arrow
from qbase.demo.world.draws import expit, logit
from qbase.demo.world.outcome_model import is_changed
from qbase.demo.world.scenario import STANDARD_LOGIT, STANDARD_QUARTER
from qbase.indicators import build_panel, list_standard_changes
from qbase.lake import Delivery, Workspace
from qbase.stats import date_quiet_end
from qbase.trends import estimate_standard_change

FIRST_SEED, N_SEEDS = 7000, 200
N_DRAWS, T = 4000, 40
ALPHA, BAR = 0.05, 0.07
TRUE = pd.Period("2021Q1", freq="Q-DEC")
OUT = Path("docs/studies/standard_change.md")
SCENARIOS: dict[str, Scenario] = {
    "default": Scenario(),
    "no policy": Scenario(effect="none"),
    "no standard change": Scenario(has_standard_change=False),
}
QUIET = ((0.01, 0.0, 0), (0.03, 0.0, 0), (0.03, 0.1, 0), (0.1, 0.0, 0), (0.1, 0.1, 0), (0.03, 0.0, -1), (0.03, 0.1, 1))
"""Share of batches under limits of their own, correlation within a quarter, and whether quarters shrink or grow."""


def commit(workspace: Workspace, tables: dict[str, pa.Table]) -> None:
    """Commit tables as one delivery."""
    rows = sum(t.num_rows for t in tables.values())
    sha = hashlib.sha256(",".join(tables).encode()).hexdigest()
    workspace.commit(
        Delivery(sha256=sha, file_name="x", table=next(iter(tables)), verdict="OK", rows_seen=rows, accepted=rows),
        tables,
    )


def load_province(province: Province, folder: str) -> Workspace:
    """Return a workspace with the inspections, items and firms of a province."""
    workspace = Workspace.create(Path(folder))
    tables = {name: to_arrow(province.tables[name]) for name in ("inspections", "items", "firms")}
    rows = tables["inspections"]
    commit(workspace, tables | {"inspections": rows.append_column("firm_code", pa.nulls(len(rows), pa.string()))})
    return workspace


def planted_effect(province: Province) -> float:
    """Return what the newer limits are expected to do to the rate of the batches before, in points."""
    world = province.world
    used = np.isin(world.kind, (0, 1, 3)) & ~world.is_lost & (world.quarter < STANDARD_QUARTER)
    chance = world.chance[used]
    lost = np.where(
        is_changed(world.geo, world.firms)[world.firm[used]], chance - expit(logit(chance) + STANDARD_LOGIT), 0
    )
    return float(-100 * lost.mean())


def dated(province: Province) -> dict[str, float]:
    """Return what is found on one province: all together, and in each cluster whose standard changed."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = load_province(province, folder)
        panel = build_panel(workspace, ["D1.batch", "D1.tightened", "D1.loosened"])
        known = list_standard_changes(workspace)
    blind = estimate_standard_change(panel)
    named = estimate_standard_change(panel, known=known)
    found = told(blind) | {"labelled": bool(named.estimates) and "edition 2020" in named.say().items[0].en}
    found["sold"] = bool(named.estimates) and "nothing about quality" not in named.say().items[0].en
    truth = planted_effect(province) if province.scenario.has_standard_change else 0.0
    found["covered"] = bool(blind.estimates) and blind.estimates[0].ci_low <= truth <= blind.estimates[0].ci_high
    touched = sorted({e for event in known for e in event.entities} & set(panel.entities))
    return found | in_clusters(panel, touched)


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
    return {f"cluster_{n}": float(np.mean([r[n] for r in rows])) if rows else np.nan for n in names}


def provinces(name: str, n_seeds: int, first: int = FIRST_SEED) -> pd.DataFrame:
    """Return `dated` over seeds of one scenario."""
    seeds = range(first, first + n_seeds)
    return pd.DataFrame([dated(build_province("province", seed=s, scenario=SCENARIOS[name])) for s in seeds])


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
        "that passed before, one in a hundred of all. `estimate_standard_change` of all clusters, and of each "
        "cluster that makes these products. % of seeds (clusters):",
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
