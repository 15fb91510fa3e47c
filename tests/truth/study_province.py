"""The long version of test_demo_truth.py: many provinces per scenario, results in docs/studies/province.md.

Run it from the root of the project: ``python tests/truth/study_province.py``. Some five minutes on one core.
"""

from __future__ import annotations

import dataclasses
import datetime
import time
from pathlib import Path

import numpy as np
import pandas as pd

from qbase.demo import Scenario, build_province
from qbase.demo.replication import replicate

FIRST_SEED = 1000
N_DEFAULT, N_SWITCH = 200, 60
OUT = Path("docs/studies/province.md")
QUIET = {"spillover_logit": 0.0, "displacement_logit": 0.0, "selection_logit": 0.0, "anticipation_logit": 0.0}
SCENARIOS: dict[str, tuple[str, Scenario, int]] = {
    "default": ("the province as described", Scenario(), N_DEFAULT),
    "null": ("no effect, nothing spills over", Scenario(effect="none", **QUIET), N_SWITCH),
    "homogeneous": ("the same effect for every firm", Scenario(effect="homogeneous"), N_SWITCH),
    "no shift": ("the sampling mix does not change", Scenario(has_sampling_shift=False), N_SWITCH),
    "hidden risk": ("directed draws on risk the frame does not show", Scenario(has_hidden_risk=True), N_SWITCH),
    "class fractions": ("random draws by class-dependent fractions", Scenario(has_class_fractions=True), N_SWITCH),
    "endogenous risk": ("risk classes rebuilt from results", Scenario(has_endogenous_risk=True), N_SWITCH),
    "pre-trend": ("treated drift by 0.02 logit per quarter", Scenario(pretrend_logit=0.02), N_SWITCH),
    "gaming": ("easy firms and laboratories before acceptance", Scenario(has_gaming=True), N_SWITCH),
    "item growth": ("more items per batch every year", Scenario(has_item_growth=True), N_SWITCH),
    "alliance": ("treated clusters tighten their own standard", Scenario(has_alliance_standard=True), N_SWITCH),
    "over-dispersion": ("correlation 0.2 within a batch family", Scenario(rho=0.2), N_SWITCH),
}
COLUMNS = {
    "level_pct": "true level",
    "naive_bias_pp": "naive bias",
    "random_bias_pp": "random-draw bias",
    "poststrat_bias_pp": "post-stratified bias",
    "att_pp": "true ATT",
    "did_naive_pp": "DiD naive",
    "did_weighted_pp": "DiD random draws, weighted",
    "pseudo_pp": "its pseudo-true value",
}


def study(scenario: Scenario, n: int) -> pd.DataFrame:
    """Return one row per seed."""
    return pd.DataFrame([dataclasses.asdict(replicate(FIRST_SEED + k, scenario)) for k in range(n)])


def shown(values: pd.Series) -> str:
    """Return mean (standard error)."""
    return f"{signed(values.mean())} ({values.sem():.2f})"


def signed(value: float, digits: int = 2) -> str:
    """Return a number with a true minus."""
    return f"{value:.{digits}f}".replace("-", "−")


def pseudo_by_class(n: int) -> pd.DataFrame:
    """Return pseudo-true values minus the ATT by class and sample, mean over seeds."""
    parts = []
    for k in range(n):
        truth = build_province("province", FIRST_SEED + k).truth
        gap = truth.pseudo.assign(gap_pp=truth.pseudo["value_pp"] - truth.att_pp("cells"))
        parts.append(gap)
    grouped = pd.concat(parts).groupby(["estimator", "sample"])["gap_pp"]
    return grouped.agg(["mean", "sem"]).reset_index()


def main() -> None:
    start = time.monotonic()
    lines, checks = [], []
    for name, (words, scenario, n) in SCENARIOS.items():
        draws = study(scenario, n)
        lines.append(f"| {name} | {words} | {n} | " + " | ".join(shown(draws[c]) for c in COLUMNS) + " |")
        for label, gap in (
            ("weighted random-draw DiD minus its pseudo-true value", draws["did_weighted_pp"] - draws["pseudo_pp"]),
            ("naive DiD minus its pseudo-true value", draws["did_naive_pp"] - draws["pseudo_naive_pp"]),
        ):
            checks.append(f"| {name} | {label} | {shown(gap)} | {signed(gap.mean() / gap.sem(), 1)} |")
        print(name, round(time.monotonic() - start), flush=True)
    pseudo = pseudo_by_class(40)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(report(lines, checks, pseudo, time.monotonic() - start), encoding="utf-8")


def report(lines: list[str], checks: list[str], pseudo: pd.DataFrame, seconds: float) -> str:
    """Return the page."""
    head = "| scenario | what is switched | seeds | " + " | ".join(COLUMNS.values()) + " |"
    rows = [
        f"| {name} | {sample} | {signed(mean)} ({sem:.2f}) |"
        for name, sample, mean, sem in pseudo.itertuples(index=False, name=None)
    ]
    largest = max(abs(float(c.split("|")[4].replace("−", "-"))) for c in checks)
    versions = f"numpy {np.__version__}, pandas {pd.__version__}"
    made = f"on {datetime.date.today().isoformat()}, seeds {FIRST_SEED} and on, {seconds:.0f} seconds, {versions}"
    return "\n".join(
        [
            "# The province measured against its own truth",
            "",
            f"Made by `tests/truth/study_province.py` {made}. Size `province`: 36 clusters, 40 quarters.",
            "Mean over seeds (Monte-Carlo standard error); percent and percentage points.",
            "ATT: cluster-quarters weighed alike. Naive: all first inspections pooled.",
            "DiD: imputation of untreated outcomes from cluster and quarter effects.",
            "",
            head,
            "|" + "---|" * (3 + len(COLUMNS)),
            *lines,
            "",
            "## Do the estimates agree with the truth module?",
            "",
            "Estimate minus the value the truth module gives without noise, same cells. "
            f"Largest |z| of {len(checks)}: {largest:.1f}.",
            "The scenarios share their seeds, so their deviations go together.",
            "",
            "| scenario | difference | mean (s.e.), pp | z |",
            "|---|---|---|---|",
            *checks,
            "",
            "## What each class of estimator aims at",
            "",
            "Noise-free value minus the ATT, pp, mean over 40 seeds (s.e.), by class and sample.",
            "It is not 0 for the firms' own level either: trends are parallel in log odds and not in points,",
            "weak firms leave the treated towns, untreated neighbours receive some of them, and clusters were chosen",
            "in a good moment.",
            "",
            "| estimator class | cells of | difference |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
