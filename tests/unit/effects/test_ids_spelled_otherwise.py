"""A policy that writes ids otherwise than the panel: the same numbers, and the spelling is told."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import qbase.effects
import qbase.trends
from qbase.core import Indicator, Panel, Policy, PolicyError, Result, Spell, Text, UsageError, match_policy
from qbase.effects import carry_spells, choose_controls, estimate_before_after, estimate_imputation
from qbase.effects.comparison.outcome_grid import build_grid
from qbase.effects.comparison.treated_and_controls import build_design
from qbase.indicators import check_estimable, check_sampling_mix
from qbase.trends import compare_entities, estimate_level

RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
TREATED = {"K-003": "2020Q1", "K-005": "2020Q3", "K-007": "2020Q3", "k-009x": "2021Q1"}
SPELLED = {"K-003": "Ｋ－００３", "K-005": "k-005", "K-007": " K-007 ", "k-009x": "K‑009X"}
TOLD = ("K-003", "K-005", "k-009x")  # blanks around an id are no other spelling


def panel() -> Panel:
    rng = np.random.default_rng(5)
    names = [f"K-{i:03d}" for i in range(1, 13) if i != 9] + ["k-009x"]
    rows = []
    for name in names:
        for period in pd.period_range("2018Q3", "2022Q2", freq="Q"):
            n = int(rng.integers(20, 40))
            late = name in TREATED and period >= pd.Period(TREATED[name])
            k = int(rng.binomial(n, 0.93 if late else 0.88))
            rows.append((name, str(period), 100 * k / n, n, k))
    frame = pd.DataFrame(rows, columns=["entity", "period", "rate", "rate__n", "rate__k"])
    return Panel.from_frame(frame, entity="entity", period="period", freq="Q", indicators={"rate": RATE})


def policy(spelling: dict[str, str] | None = None, only: str = "", **more: Any) -> Policy:
    written = spelling or {}
    spells = tuple(Spell(entity=written.get(e, e), start=s) for e, s in TREATED.items() if not only or e == only)
    return Policy(policy_id="pilot", title=Text("试点", "Pilot"), spells=spells, **more)


def estimators() -> list[str]:
    """Return the names of all that estimate or judge from a panel, a policy and an outcome alone."""
    names = []
    for name in dir(qbase.effects):
        given = getattr(qbase.effects, name)
        if inspect.isfunction(given) and list(inspect.signature(given).parameters)[:3] == [
            "panel",
            "policy",
            "outcome",
        ]:
            names.append(name)
    return names


def pairs() -> tuple[dict[str, str], dict[str, str]]:
    """Return the place of each entity, two in one, and their groups: that of the treated and another."""
    others = [e for e in panel().entities if e not in TREATED]
    kilns = [*TREATED, *others[-2:]]
    place = {e: f"P{i}" for group in (kilns, others[:6]) for i, e in enumerate(group)}
    return place, {e: "kiln" if e in kilns else "other" for e in place}


def options(name: str) -> dict[str, Any]:
    """Return what an estimator wants beside a panel, a policy and an outcome."""
    if name == "describe_path":
        return {"why": Text("不估计", "not estimated")}
    if name in ("estimate_design_quality", "estimate_design_power"):
        return {"draws": 20, "permutations": 19, "designs": ("imputation",)}
    if name == "estimate_instruments":
        given = [(e, start, w, 1.0) for e, start in TREATED.items() for w in ("W1", "W3")]
        return {
            "doses": pd.DataFrame(given, columns=["entity", "period", "instrument", "value"]),
            "instruments": ("W1", "W3"),
        }
    return {"clusters": pairs()[0]} if name == "estimate_triple_difference" else {}


def numbers(found: Any) -> Any:
    results = found if isinstance(found, tuple) else (found,)
    if isinstance(found, pd.DataFrame):
        return found.to_csv()
    if not isinstance(results[0], Result):
        return repr(found.table().frame.to_csv() if hasattr(found.table(), "frame") else found.say())
    return [[(e.term, e.key, e.value, e.ci_low, e.ci_high, e.p_value) for e in r.estimates] for r in results]


@pytest.mark.parametrize("name", estimators())
def test_every_estimator_takes_ids_in_another_spelling(name: str) -> None:
    only = "K-003" if name in ("estimate_synthetic", "estimate_interrupted_series") else ""
    call: Callable[..., Any] = getattr(qbase.effects, name)
    group = pairs()[1] if name == "estimate_triple_difference" else {}
    respelled = {SPELLED.get(e, e): g for e, g in group.items()}
    plain = call(panel(), policy(only=only, group=group), "rate", **options(name))
    other = call(panel(), policy(SPELLED, only=only, group=respelled), "rate", **options(name))
    assert repr(numbers(plain)) == repr(numbers(other))
    for found in other if isinstance(other, tuple) else (other,):
        if isinstance(found, Result):
            said = " ".join(note.en for note in found.notes)
            assert all(f'for the entity "{e}"' in said for e in TOLD if not only or e == only)
            assert "K-007" not in said


def test_there_are_estimators_to_try() -> None:
    assert {"advise", "estimate_advised", "estimate_imputation", "estimate_staggered", "estimate_twfe"} <= set(
        estimators()
    )


def test_others_that_read_a_policy_take_another_spelling_too() -> None:
    data, plain, other = panel(), policy(), policy(SPELLED)
    assert check_estimable(data, other).text.en == check_estimable(data, plain).text.en
    assert check_sampling_mix(data, other).text.en == check_sampling_mix(data, plain).text.en
    said = {"first": "2019Q4", "last": "2022Q2"}
    pd.testing.assert_frame_equal(
        compare_entities(data, "rate", policy=other, **said), compare_entities(data, "rate", policy=plain, **said)
    )
    links = {"K-003": "K-003", "k-005": "K-005", "K-007": "K-007", "k-009x": "k-009x"}
    assert carry_spells(data, other, links).first_treated == carry_spells(data, plain, links).first_treated


def test_blanks_and_numbers_are_no_other_spelling_and_need_no_word() -> None:
    spells = (Spell(entity=330604101, start="2022Q3"), Spell(entity=" 330604102 ", start="2022Q3"))  # type: ignore[arg-type]
    given = Policy(policy_id="p", title=Text("试点", "Pilot"), spells=spells)
    assert match_policy(given, ["330604101", "330604102"]) is given


def test_two_spellings_of_one_entity_that_overlap_are_refused() -> None:
    spells = (Spell(entity="K-003", start="2020Q1"), Spell(entity="k-003", start="2020Q3"))
    given = Policy(policy_id="p", title=Text("试点", "Pilot"), spells=spells)
    with pytest.raises(PolicyError, match="QB131"):
        match_policy(given, ["K-003"])


@pytest.mark.parametrize(("written", "known"), [("k 003", ["K003", "k003"]), ("7", ["007"]), ("007", ["7"])])
def test_an_id_like_several_or_but_for_its_zeros_is_refused(written: str, known: list[str]) -> None:
    given = Policy(policy_id="p", title=Text("试点", "Pilot"), spells=(Spell(entity=written, start="2020Q1"),))
    with pytest.raises(UsageError, match="QB155"):
        match_policy(given, known)


def test_an_id_like_none_stays_for_the_estimator_to_refuse() -> None:
    given = Policy(policy_id="p", title=Text("试点", "Pilot"), spells=(Spell(entity="T-003", start="2020Q1"),))
    assert match_policy(given, ["K-003", "K-005"]) is given


def test_controls_and_one_entity_are_found_under_another_spelling() -> None:
    entities = pd.DataFrame({"entity": ["K001", "K002", "K004"], "product": ["2822"] * 3})
    adjacent = pd.DataFrame({"entity": ["k001"], "neighbour": ["Ｋ００２"]})
    chosen = choose_controls(entities, ["k001"], adjacent=adjacent)
    assert (chosen.treated, chosen.controls, dict(chosen.spillover)) == (("K001",), ("K004",), {"K002": ("K001",)})
    for written in ("k-003", "Ｋ－００３", "K-003"):
        level = estimate_level(panel(), "rate", entity=written)
        assert level.settings["entity"] == "K-003"
        assert {e.key["entity"] for e in level.estimates} == {"K-003"}


def test_the_comparison_holds_the_starts_under_the_ids_of_the_panel() -> None:
    design = build_design(panel(), policy(SPELLED), "rate")
    assert design.first == {e: pd.Period(s) for e, s in TREATED.items()}
    assert design.starts == tuple(sorted({pd.Period(s) for s in TREATED.values()}))
    grid = build_grid(panel(), policy(SPELLED), "rate")
    found = {e: grid.code_of(int(s)) for e, s in zip(grid.entities, grid.start, strict=True) if np.isfinite(s)}
    assert found == TREATED


def test_weights_may_be_a_series() -> None:
    weights = {e: 1.0 + i for i, e in enumerate(panel().entities)}
    series = pd.Series(weights, name="firms 2019Q4")
    for estimate in (estimate_imputation, estimate_before_after):
        given, held = (estimate(panel(), policy(), "rate", weight=w) for w in (weights, series))
        assert given["att"].value == held["att"].value


def test_weights_and_clusters_under_other_ids_are_refused() -> None:
    lower = {e.lower(): 1.0 for e in panel().entities}
    with pytest.raises(UsageError, match="QB519"):
        estimate_imputation(panel(), policy(), "rate", weight=lower)
    with pytest.raises(UsageError, match="QB519"):
        estimate_imputation(panel(), policy(), "rate", clusters=dict.fromkeys(lower, "a"))


def test_groups_and_doses_go_along() -> None:
    doses = pd.DataFrame(
        {"entity": ["k-003"], "period": ["2020Q1"], "instrument": ["V1"], "value": [3.0], "unit": ["x"]}
    )
    given = policy(SPELLED, doses=doses, group={"k-005": "a"})
    matched = match_policy(given, list(TREATED))
    assert matched.doses is not None
    assert matched.doses["entity"].tolist() == ["K-003"]
    assert dict(matched.group) == {"K-005": "a"}
    assert doses["entity"].tolist() == ["k-003"]


def test_widths_within_a_panel_are_told() -> None:
    frame = pd.DataFrame({"e": ["K1", "Ｋ１", "K2", "K2"], "p": [2020, 2021, 2020, 2021], "rate": [90.0, 91, 92, 93]})
    found = Panel.from_frame(frame, entity="e", period="p", freq="A", indicators={"rate": RATE})
    assert [note.en for note in found.notes] == ['Entity "K1" was also written "Ｋ１"; they are taken as one.']
    assert list(found.entities) == ["K1", "K2"]
