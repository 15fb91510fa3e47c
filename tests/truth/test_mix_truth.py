"""Known truths: parts of a change are covered, and a lenient laboratory does not pass for a good cluster."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from qbase.core import Indicator, Text
from qbase.demo.world.quarters import build_world
from qbase.demo.world.scenario import DIMENSIONS, Scenario, Streams
from qbase.indicators import build_group_counts
from qbase.stats import compare_laboratories, decompose_change
from qbase.trends import estimate_laboratories

DRAWS = 200
LEAST, LEAST_ONE = 0.93, 0.91
"""Of 95 % intervals over both kinds of batches (1,500 draws of each gave 94 to 96 %), and of one with its own noise."""
RATE = Indicator(id="pass", name=Text("合格率", "pass rate"), unit="pct", better="up")
SHARE = np.array([[0.2, 0.3, 0.5], [0.1, 0.2, 0.7]])
PASS = np.array([[0.97, 0.92, 0.78], [0.98, 0.92, 0.84]])


def truth_of_parts() -> dict[str, float]:
    moved, gained = SHARE[1] - SHARE[0], PASS[1] - PASS[0]
    parts = {"composition": moved @ PASS.mean(axis=0), "within": gained @ SHARE.mean(axis=0)}
    return {**parts, "change": parts["composition"] + parts["within"], "first": SHARE[0] @ gained}


def coverage(batches: int, per_firm: int, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """Return how often each interval covers its truth, and the mean error of each number."""
    rng, truth = np.random.default_rng(seed), truth_of_parts()
    hits, errors = dict.fromkeys(truth, 0.0), dict.fromkeys(truth, 0.0)
    firms = batches // per_firm
    for _ in range(DRAWS):
        group = np.concatenate([np.repeat(rng.choice(3, firms, p=p), per_firm) for p in SHARE])
        late = np.repeat([0, 1], firms * per_firm)
        # batches of one firm pass or fail together more often than not
        same = np.repeat(rng.random(2 * firms), per_firm)
        draw = np.where(rng.random(len(late)) < 0.4 * (per_firm > 1), same, rng.random(len(late)))
        passed = (draw < PASS[late, group]).astype(int)
        firm = np.arange(len(late)) // per_firm if per_firm > 1 else None
        found = decompose_change(np.ones(len(late)), passed, late, group[:, None], firms=firm)
        rows = pd.concat([found.parts, found.adjusted])
        for name, value in truth.items():
            row = rows.loc[name]
            hits[name] += (row["low"] <= value <= row["high"]) / DRAWS
            errors[name] += (row["value"] - value) / DRAWS
    return hits, errors


def test_intervals_of_the_parts_cover_the_truth() -> None:
    single, firms = coverage(150, 1, seed=21), coverage(320, 4, seed=24)
    for name in truth_of_parts():
        both = [hits[name] for hits, _ in (single, firms)]
        assert np.mean(both) >= LEAST, (name, both)
        assert min(both) >= LEAST_ONE, (name, both)
        assert max(abs(errors[name]) for _, errors in (single, firms)) < 0.006


def simulated(seed: int, *, lenient: float, firm_spread: float = 0.0) -> pd.DataFrame:
    """Return 10 clusters alike over 8 quarters; the first sends most batches to laboratory a, which may be lenient."""
    rng = np.random.default_rng(seed)
    cluster, quarter = (x.ravel() for x in np.indices((10, 8, 14))[:2])
    draw = rng.random(len(cluster))
    lab = np.where(draw < np.where(cluster == 0, 0.7, 0.15), 0, rng.integers(1, 6, len(cluster)))
    firm = cluster * 30 + rng.integers(0, 30, len(cluster))
    own = firm_spread * rng.standard_normal(300)[firm]
    good = rng.random(len(cluster)) < np.clip(0.8 + own + lenient * (lab == 0), 0.02, 0.98)
    names = np.array(list("abcdef"))
    return pd.DataFrame({
        "entity": np.char.add("K", cluster.astype(str)), "period": 2020 + quarter, "laboratory": names[lab],
        "firm": firm, "n": 1, "k": good.astype(int),
    })  # fmt: skip


def test_a_lenient_laboratory_cannot_pass_for_a_good_cluster() -> None:
    found = {"seen": 0, "explained": [], "leads": [], "left": 0, "raw": [], "lenient": 0}
    for seed in range(30):
        frame = simulated(seed, lenient=0.15)
        counts = build_group_counts(frame, indicator=RATE, by=("laboratory",), freq="A")
        result = estimate_laboratories(counts, draws=99)
        lead = result.tables["leads"].set_index("entity").loc["K0"]
        lab = result.tables["laboratories"].set_index("laboratory").loc["a"]
        found["seen"] += lead["lead_low"] > 0
        found["left"] += lead["left_low"] <= 0 <= lead["left_high"]
        found["lenient"] += lab["ci_low"] > 0
        found["explained"].append(lead["explained_pp"])
        found["leads"].append(lead["lead_pp"])
        found["raw"].append(lab["raw_pp"])
    assert found["seen"] >= 25  # the naive comparison is taken in
    assert found["left"] >= 27  # what is left is no lead
    assert found["lenient"] >= 27
    assert abs(np.mean(found["raw"]) - 15) < 1.5
    assert abs(np.mean(found["explained"]) - 0.55 * 15) < 1.5  # 70 % against 15 % of the batches
    assert abs(np.mean(found["leads"]) - 0.55 * 15) < 1.5


def test_the_test_of_laboratories_keeps_its_size_when_firms_differ_and_finds_what_is_there() -> None:
    def share_rejected(lenient: float, runs: int) -> float:
        p = []
        for seed in range(runs):
            f = simulated(1000 + seed, lenient=lenient, firm_spread=0.12)
            at = f["entity"] + f["period"].astype(str)
            p.append(compare_laboratories(f["n"], f["k"], f["laboratory"], at, firms=f["firm"], draws=99).p_value)
        return float(np.mean(np.array(p) <= 0.05))

    assert share_rejected(0.0, 140) <= 0.09  # 5 % and two standard errors
    assert share_rejected(0.18, 20) >= 0.9


def test_pooled_effects_are_covered_on_average_and_beat_raw_ones() -> None:
    rng, hits, better = np.random.default_rng(9), [], []
    for _ in range(60):
        effect = 0.05 * rng.standard_normal(8)
        n = rng.integers(1, 4, (40, 8))
        k = rng.binomial(n, np.clip(0.8 + effect, 0.02, 0.98))
        strata, labs = np.indices(n.shape)
        found = compare_laboratories(n.ravel(), k.ravel(), labs.ravel(), strata.ravel()).table
        truth = (effect - effect.mean()) * 8 / 7
        hits.append(((found["low"] <= truth) & (truth <= found["high"])).mean())
        better.append(((found["value"] - truth) ** 2).mean() < ((found["raw"] - truth) ** 2).mean())
    assert np.mean(hits) >= LEAST
    assert np.mean(better) > 0.6


def test_laboratories_of_the_demo_province_come_out_as_they_were_made() -> None:
    world = build_world(DIMENSIONS["province"], Scenario(), Streams(seed=5))
    made, cluster = world.geo.lab_logit, world.firms.cluster[world.firm]
    stratum = cluster * 100 + world.quarter
    one = np.ones(len(stratum))
    found = compare_laboratories(one, world.passed, world.lab, stratum, firms=world.firm, draws=99)
    # what each batch's chance would be with every laboratory, and their difference in the strata they share
    base = logit(world.chance) - made[world.lab]
    _, at = np.unique(stratum, return_inverse=True)
    n = np.zeros((at.max() + 1, len(made)))
    np.add.at(n, (at, world.lab), 1.0)
    whole = n.sum(axis=1, keepdims=True)
    chance = np.column_stack([np.bincount(at, expit(base + a)) for a in made]) / whole
    others = ((n * chance).sum(axis=1, keepdims=True) - n * chance) / np.maximum(whole - n, 1)
    weight = n * (whole - n) / whole
    truth = (weight * (chance - others)).sum(axis=0) / weight.sum(axis=0)
    table = found.table
    assert found.p_value == 0.01
    assert np.corrcoef(table["value"], truth)[0, 1] > 0.95
    assert ((table["low"] <= truth) & (truth <= table["high"])).sum() >= 7
