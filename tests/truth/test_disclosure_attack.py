"""Nothing withheld is recovered from a whole site and its history; the same attacker breaks one protected by halves."""

from __future__ import annotations

import importlib.util
import math
import pathlib
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from qbase.core import DataError
from qbase.release import DisclosurePattern, DisclosurePreset, build_linked_cells, plan_pattern, read_disclosure_preset


def load(name: str):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


attacker = load("disclosure_attacker")
attack, atoms_of, Site, Found, Key = (getattr(attacker, n) for n in ("attack", "atoms_of", "Site", "Found", "Key"))
RULES = read_disclosure_preset("cn_default")
QUARTERS = ("2025Q1", "2025Q2")
KEYS = ["kind", "place", "group", "period"]


def draw_counts(seed: int, *, clusters: int = 5, strata: int = 3, towns: int = 3) -> pd.DataFrame:
    """Draw a small province: clusters in towns (one in two of them), firms outside clusters, two quarters."""
    rng = np.random.default_rng(seed)
    rows = []
    for quarter in QUARTERS:
        for cluster in range(clusters + 1):
            for _ in range(int(rng.integers(5, 14)) if cluster < clusters else 6):
                firm = int(rng.integers(0, 12))
                town = (cluster if cluster < clusters else firm) % towns
                town = (town + firm % 2) % towns if cluster == 0 else town
                n = int(rng.choice([1, 2, 3, 9], p=[0.5, 0.3, 0.15, 0.05]))
                rows.append({
                    "cluster": f"K{cluster}" if cluster < clusters else "", "town": f"T{town}", "period": quarter,
                    "group": f"s{firm % strata}", "firm": f"{cluster}-{firm}", "n": n, "k": n - rng.binomial(n, 0.15),
                })  # fmt: skip
    return pd.DataFrame(rows)


def revise(counts: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return a later snapshot: late batches, one failure overturned, one batch withdrawn."""
    rng = np.random.default_rng(seed)
    late = counts.sample(6, random_state=seed).assign(firm=[f"late{i}" for i in range(6)], n=2, k=rng.integers(1, 3, 6))
    again = pd.concat([counts.drop(index=counts.index[seed % len(counts)]), late], ignore_index=True)
    failed = again.index[again["k"] < again["n"]]
    again.loc[failed[0], "k"] += 1
    return again


def plan(counts: pd.DataFrame, *earlier: DisclosurePattern, rules: DisclosurePreset = RULES) -> DisclosurePattern:
    return plan_pattern(build_linked_cells(counts), rules, earlier=earlier)


def site_of(counts: pd.DataFrame, pattern: DisclosurePattern, opened: Callable[[str], bool] = lambda _: False) -> Site:
    """Return what a site shows under a pattern; ``opened`` says which withheld states it shows all the same."""
    shown: dict[Key, tuple[float, float]] = {}
    withheld: list[Key] = []
    for row in pattern.cells.itertuples(index=False):
        key: Key = (row.kind, row.place, row.group, row.period)
        if row.state == "shown" or (opened(row.state) and row.kind != "piece"):
            shown[key] = (row.n, row.k)
        elif row.state != "inner":
            withheld.append(key)
    shown = {key: value for key, value in shown.items() if key[0] != "piece"}
    return Site(atoms_of(counts), shown, withheld)


def is_too_narrow(found: Found, pattern: DisclosurePattern) -> bool:
    """Whether the interval of a primary cell is narrower than the preset promises."""
    cells = pattern.cells.set_index(KEYS)
    if cells.loc[found.key, "state"] != "primary":
        return False
    wide = ((found.failed, found.n - found.k), (found.passed, found.k))
    promised = [max(math.ceil(RULES.protection_percent * value / 100), RULES.protection_least) for _, value in wide]
    return any(high - low < least - 1e-6 for ((low, high), _), least in zip(wide, promised, strict=True))


@pytest.mark.parametrize("seed", [1, 3])
def test_nothing_is_recovered_from_a_protected_site(seed: int) -> None:
    counts = draw_counts(seed)
    pattern = plan(counts)
    site = site_of(counts, pattern)
    found = attack([site])
    assert len(found) > 20
    assert len(site.shown) > 15
    assert [f for f in found if f.is_pinned] == []
    assert [f for f in found if is_too_narrow(f, pattern)] == []


def test_the_same_attacker_breaks_primary_suppression_alone() -> None:
    counts = draw_counts(1)
    found = attack([site_of(counts, plan(counts), lambda state: state == "secondary")])
    pinned = [f for f in found if f.is_pinned]
    assert len(pinned) > len(found) // 10
    exact = [f for f in pinned if f.failed[1] - f.failed[0] < 1e-6 and f.passed[1] - f.passed[0] < 1e-6]
    assert exact
    assert all(round(f.passed[0]) == f.k and round(f.failed[0]) == f.n - f.k for f in exact)


@pytest.mark.parametrize("seed", [2, 5])
def test_nothing_is_recovered_from_two_snapshots(seed: int) -> None:
    counts = draw_counts(seed)
    later = revise(counts, seed)
    first = plan(counts)
    second = plan(later, first)
    found = attack([site_of(counts, first), site_of(later, second)])
    assert {f.site for f in found} == {0, 1}
    assert [f for f in found if f.is_pinned] == []


def test_without_what_was_shown_before_a_revision_gives_cells_back() -> None:
    broken = 0
    for seed in (2,):
        counts = draw_counts(seed)
        later = revise(counts, seed)
        found = attack([site_of(counts, plan(counts)), site_of(later, plan(later))])
        broken += sum(f.is_pinned for f in found)
    assert broken > 0


@pytest.mark.parametrize("is_told", [True, False])
def test_an_office_that_changes_its_preset_is_held_to_what_it_showed_before(is_told: bool) -> None:
    other = read_disclosure_preset("sacro")
    counts = draw_counts(1)
    first = plan(counts, rules=other)
    second = plan(counts, *([first] if is_told else []))
    found = attack([site_of(counts, first), site_of(counts, second)])
    assert any(f.is_pinned for f in found) is not is_told


def test_a_quarter_is_handed_to_the_next() -> None:
    counts = draw_counts(4)
    first = plan(counts[counts["period"] == "2025Q1"])
    second = plan(counts, first)
    before, after = (p.cells.set_index(KEYS)["state"] for p in (first, second))
    assert (after[before.index] == "shown").equals(before == "shown")
    quarter = counts[counts["period"] == "2025Q1"]
    found = attack([site_of(quarter, first), site_of(counts, second)])
    assert [f for f in found if f.is_pinned] == []


def test_a_revision_opens_nothing_that_was_closed_and_closes_nothing_that_was_known() -> None:
    counts = draw_counts(2)
    later = revise(counts, 2)
    first = plan(counts)
    second = plan(later, first)
    before, after = first.cells.set_index(KEYS), second.cells.set_index(KEYS)
    both = before.index.intersection(after.index)
    gone = both[before.loc[both, "state"].isin(["primary", "secondary"])]
    assert len(gone)
    assert not after.loc[gone, "state"].eq("shown").any()
    same = (before.loc[both, ["n", "k"]] == after.loc[both, ["n", "k"]]).all(axis=1)
    known = both[same & before.loc[both, "state"].eq("shown")]
    assert len(known)
    assert after.loc[known, "state"].eq("shown").all()
    assert second.previous == first.content


def test_the_same_counts_give_the_same_pattern_whatever_their_order() -> None:
    counts = draw_counts(3)
    first = plan(counts)
    for seed in (1, 2):
        assert plan(counts.sample(frac=1, random_state=seed)).content == first.content


def test_totals_stay_true() -> None:
    counts = draw_counts(1)
    cells = plan(counts).cells.set_index(KEYS)
    told = cells.loc[("province", "*", "*", "2025Q1-Q2")]
    assert (told["n"], told["k"], told["state"]) == (counts["n"].sum(), counts["k"].sum(), "shown")


def test_what_was_shown_and_cannot_be_protected_any_more_is_told() -> None:
    firms = [f"f{i:02d}" for i in range(24)]
    rows = pd.DataFrame({"cluster": ["A"] * 12 + ["B"] * 12, "town": "T", "group": "s", "period": "2025Q1"})
    rows = rows.assign(firm=firms, n=2, k=2)
    first = plan(rows)
    assert set(first.cells["state"]) == {"shown"}
    # the town is as it was, and tells that nobody failed; of one cluster two firms are left
    moved = rows.assign(cluster=["A"] * 2 + ["B"] * 22)
    with pytest.raises(DataError) as caught:
        plan(moved, first)
    assert caught.value.code == "QB757"
    assert plan(moved).counts()["secondary"] > 0
