"""The extras in words: who is behind a term, what is refused, what is said; and the partial quarter of group-time."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Policy, Spell, Text
from qbase.core.errors import DataError, PolicyError, QbaseError, UsageError
from qbase.effects import (
    estimate_interrupted_series,
    estimate_staggered,
    estimate_sun_abraham,
    estimate_triple_difference,
    reconcile,
)
from qbase.effects.comparison.effect_words import NAIVE, drawing_notes, subject_text
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.doubt.few_clusters import Inference, infer
from qbase.effects.extra import sun_abraham
from qbase.effects.fitting import interaction_weighted
from qbase.effects.fitting.group_time import GroupTime
from qbase.effects.fitting.interaction_weighted import fit_interaction
from qbase.stats import fit_series

RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
PLACES = "ABCDEFGH"


def panel_of(values: np.ndarray, names: list[str], *, freq: str = "A") -> Panel:
    start = pd.Period("2010", "Y") if freq == "A" else pd.Period("2010Q1")
    frame = pd.DataFrame(
        {
            "e": np.repeat(names, values.shape[1]),
            "t": np.tile([str(start + t) for t in range(values.shape[1])], len(names)),
            "rate": values.ravel(),
        }
    )
    return Panel.from_frame(frame, entity="e", period="t", freq=freq, indicators={"rate": RATE}, in_percent=True)


def policy_of(starts: dict[str, str], **parts: object) -> Policy:
    spells = tuple(Spell(entity=e, start=s) for e, s in starts.items())
    return Policy(policy_id="p", title=Text("政策", "policy"), spells=spells, **parts)


FIRMS = [p + kind for p in PLACES for kind in ("k", "o")]
OWNER = {e: e[0] for e in FIRMS}
GROUP = {e: e[1] for e in FIRMS}
NOISE = 70 + np.random.default_rng(1).normal(size=(16, 8))
KILNS = policy_of({f"{p}k": "2014" for p in "ABCD"}, group=GROUP)


def test_what_hits_a_place_as_a_whole_is_no_effect():
    shock = np.where(np.isin([e[0] for e in FIRMS], list("ABCD"))[:, None], 9.0, 0.0) * (np.arange(8) >= 4)
    plain = estimate_triple_difference(panel_of(NOISE, FIRMS), KILNS, "rate", clusters=OWNER)
    hit = estimate_triple_difference(panel_of(NOISE + shock, FIRMS), KILNS, "rate", clusters=OWNER)
    assert hit["att"].value == pytest.approx(plain["att"].value)
    assert hit["att"].std_error == pytest.approx(plain["att"].std_error)
    assert (hit["att"].n_treated, hit["att"].n_clusters) == (4, 8)
    assert "place-years" in hit.say().items[0].en
    assert "n = 64" in hit.say().items[0].en


def test_two_treated_places_have_no_interval():
    policy = policy_of({f"{p}k": "2014" for p in "AB"}, group=GROUP)
    att = estimate_triple_difference(panel_of(NOISE, FIRMS), policy, "rate", clusters=OWNER)["att"]
    assert (att.ci_low, att.uncertainty, att.n_treated) == (None, "none_too_few", 2)


@pytest.mark.parametrize(
    ("policy", "clusters", "code"),
    [
        (policy_of({"Ak": "2014"}), OWNER, "QB565"),
        (KILNS, {}, "QB565"),
        (policy_of({"Ak": "2014", "Bo": "2014"}, group=GROUP), OWNER, "QB565"),
        (dataclasses.replace(KILNS, group=dict.fromkeys(FIRMS, "k")), OWNER, "QB565"),
        (KILNS, {e: e[0] if e[0] != "B" else "A" for e in FIRMS} | {"Bk": "C"}, None),
        (policy_of({"Ak": "2014"}, group=GROUP), {**OWNER, "Bk": "A"}, "QB565"),
        (KILNS, {e: e for e in FIRMS}, "QB566"),
        (policy_of({f"{p}k": "2014" for p in PLACES}, group=GROUP), OWNER, "QB566"),
    ],
)
def test_groups_that_make_no_triple_difference_are_refused(policy: Policy, clusters: dict[str, str], code: str | None):
    panel = panel_of(NOISE, FIRMS)
    if code is None:
        assert estimate_triple_difference(panel, policy, "rate", clusters=clusters)["att"].n_treated == 3
        return
    with pytest.raises(PolicyError) as refused:
        estimate_triple_difference(panel, policy, "rate", clusters=clusters)
    assert refused.value.code == code


QUARTERS = 70 + np.random.default_rng(2).normal(size=(4, 24)) + 5.0 * (np.arange(24) % 4 == 2)


def test_seasons_are_no_jump():
    panel = panel_of(QUARTERS, list("abcd"), freq="Q")
    policy = policy_of(dict.fromkeys("abc", "2013Q3"))
    result = estimate_interrupted_series(panel, policy, "rate")
    assert result.settings["seasonal"] is True
    blind = estimate_interrupted_series(panel, policy, "rate", seasonal=False)
    assert result["level"].std_error < blind["level"].std_error / 2
    assert result.grade == "limited"
    assert "no comparison group" in result.say().items[0].en
    assert "没有比较对象" in result.say().items[0].zh
    assert len(result.tables["series"]) == 24


def test_a_series_of_one_town_is_described():
    panel = panel_of(QUARTERS, list("abcd"), freq="Q")
    result = estimate_interrupted_series(panel, policy_of({"a": "2013Q3"}), "rate")
    assert [e.uncertainty for e in result.estimates] == ["none_too_few"] * 3
    assert all(e.p_value is None and e.ci_low is None for e in result.estimates)
    assert (result.tables["regression"]["std_error"] > 0).all()


def test_a_period_without_an_outcome_of_all_treated_is_left_out_and_told():
    values = QUARTERS.copy()
    values[0, 3] = np.nan
    result = estimate_interrupted_series(
        panel_of(values, list("abcd"), freq="Q"), policy_of(dict.fromkeys("abc", "2013Q3")), "rate"
    )
    assert result["att"].n_obs == 23
    assert "23 of 24 periods used" in result.checks[0].text.en


def test_a_missing_period_counts_for_nothing():
    x = np.column_stack([np.ones(12), np.arange(12.0)])
    y = np.random.default_rng(3).normal(size=12)
    y[5] = np.nan
    seen = np.isfinite(y)
    apart = fit_series(y, x, lags=0)
    assert apart.beta == pytest.approx(np.linalg.lstsq(x[seen], y[seen], rcond=None)[0])
    assert apart.vcov == pytest.approx(fit_series(y[seen], x[seen], lags=0).vcov)


@pytest.mark.parametrize(
    ("starts", "values", "error", "code"),
    [
        ({"a": "2013Q3", "b": "2014Q1"}, QUARTERS, PolicyError, "QB567"),
        ({"a": "2010Q2"}, QUARTERS, DataError, "QB568"),
        ({"a": "2015Q4"}, QUARTERS, DataError, "QB568"),
        ({"a": "2013Q3"}, np.tile(60.0 + np.arange(24), (4, 1)), DataError, "QB515"),
    ],
)
def test_series_that_tell_nothing_are_refused(starts: dict[str, str], values: np.ndarray, error: type, code: str):
    with pytest.raises(error) as refused:
        estimate_interrupted_series(panel_of(values, list("abcd"), freq="Q"), policy_of(starts), "rate")
    assert isinstance(refused.value, QbaseError)
    assert refused.value.code == code


STARTS = {f"{p}k": str(2013 + i % 2) for i, p in enumerate("ABCDEF")}


def test_sun_and_abraham_and_group_time_are_reconciled_in_words():
    panel, policy = panel_of(NOISE, FIRMS), policy_of(STARTS)
    first, second = (
        estimate_sun_abraham(panel, policy, "rate"),
        estimate_staggered(panel, policy, "rate", control="never"),
    )
    assert first["att"].value == pytest.approx(second["att"].value)
    assert first["att"].n_effective == pytest.approx(second["att"].n_effective)
    assert "interaction-weighted" in reconcile(first, second).en


def test_a_partial_first_year_is_shown_and_counts_in_no_average():
    panel, policy = panel_of(NOISE, FIRMS), policy_of(STARTS)
    moved = NOISE.copy()
    for e, start in STARTS.items():
        moved[FIRMS.index(e), int(start) - 2010] += 20
    plain, other = (estimate_staggered(panel_of(v, FIRMS), policy, "rate", partial=1) for v in (NOISE, moved))
    assert other["att"].value == pytest.approx(plain["att"].value)
    first = [r.find("event", event_time=0).value for r in (plain, other)]
    assert first[1] - first[0] == pytest.approx(20)
    assert plain["att"].n_cells == estimate_staggered(panel, policy, "rate")["att"].n_cells - len(STARTS)
    assert any("count in no average" in note.en for note in plain.notes)
    with pytest.raises(PolicyError, match="QB531"):
        estimate_staggered(panel, policy, "rate", partial=6)


def test_cells_of_one_sample_have_one_number():
    table = estimate_staggered(panel_of(NOISE, FIRMS), policy_of(STARTS), "rate").tables["group_time"]
    early = table[table["adopted"] == "2013"]
    # from 2014 on the later cohort is no comparison any more
    assert early.groupby(early["period"] < "2014")["sample"].nunique().tolist() == [1, 1]
    assert early["sample"].nunique() == 2
    assert table.loc[table["std_error"].isna(), "value"].tolist() == [0.0, 0.0]


def test_batches_that_are_not_there_are_no_rows():
    with pytest.raises(DataError, match="QB596"):
        estimate_staggered(panel_of(NOISE, FIRMS), policy_of(STARTS), "rate", rows="batches")
    with pytest.raises(UsageError, match="QB144"):
        estimate_staggered(panel_of(NOISE, FIRMS), policy_of(STARTS), "rate", rows="firms")


def test_the_regression_of_sun_and_abraham_is_fitted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[OutcomeGrid] = []
    fitted_before: list[int] = []

    def count(grid: OutcomeGrid) -> GroupTime:
        fitted.append(grid)
        return fit_interaction(grid)

    def look(*args: Any, **options: Any) -> Inference:
        fitted_before.append(len(fitted))
        return infer(*args, **options)

    monkeypatch.setattr(interaction_weighted, "fit_interaction", count)
    monkeypatch.setattr(sun_abraham, "infer", look)
    estimate_sun_abraham(panel_of(NOISE, FIRMS), policy_of(STARTS), "rate")
    assert fitted_before == [1], "permutations and jackknives fit again, the estimate itself does not"


def test_the_treated_are_named_as_given_as_the_policy_has_them_or_by_themselves() -> None:
    panel = panel_of(NOISE, FIRMS)
    panel = dataclasses.replace(panel, labels={"Ak": Text("甲厂", "plant A")})
    plain, worded = policy_of({"Ak": "2014"}), policy_of({"Ak": "2014"}, treated=Text("示范厂", "model plants"))
    assert subject_text(panel, plain, ["Ak"], None).en == "plant A"
    assert subject_text(panel, plain, ["Ak", "Bk"], None).en == "treated entities"
    assert subject_text(panel, worded, ["Ak"], None).en == "model plants"
    assert subject_text(panel, worded, ["Ak"], Text("甲", "A")).en == "A"
    with pytest.raises(UsageError, match="QB144"):
        subject_text(panel, plain, ["Ak"], 3)  # type: ignore[arg-type]


def test_the_way_of_drawing_is_a_caveat_of_plain_rates_from_inspections() -> None:
    panel = panel_of(NOISE, FIRMS)
    drawn = dataclasses.replace(panel, cells=pd.DataFrame({"entity": ["Ak"]}))
    assert drawing_notes(panel) == ()
    assert drawing_notes(drawn) == (NAIVE,)
    assert drawing_notes(dataclasses.replace(drawn, sampling="random_draw")) == ()


@pytest.mark.parametrize("unseen", [[4], [4, 5]])
def test_an_entity_not_seen_when_it_was_treated_first_stays_in_its_cohort(unseen: list[int]) -> None:
    """findings/pyfixest_saturated_gaps.sh: its cohort is that of the policy, not of its first row since."""
    names = [f"K{i:02d}" for i in range(24)]
    start = np.where(np.arange(24) < 6, 4, np.where(np.arange(24) < 12, 6, 99))
    since = np.arange(10) - start[:, None]
    y = 50 + 0.3 * np.arange(24)[:, None] + 0.1 * np.arange(10) + np.where(since >= 0, 1.0 + since, 0.0)
    y += np.where(np.arange(24)[:, None] >= 12, np.random.default_rng(2).normal(size=(24, 10)) * 1e-3, 0.0)
    panel = panel_of(y, names)
    held = panel.data.index.get_level_values("period").year - 2010
    gone = (panel.data.index.get_level_values("entity") == "K00") & np.isin(held, unseen)
    policy = policy_of({name: str(2010 + s) for name, s in zip(names, start, strict=True) if s < 99})
    effect = estimate_sun_abraham(
        dataclasses.replace(panel, data=panel.data[~gone]), policy, "rate", leads=4, lags=3, vcov="analytic"
    )
    path = {e.key["event_time"]: e.value for e in effect.estimates if e.term == "event"}
    assert path == pytest.approx({t: max(t + 1.0, 0.0) for t in (-4, -3, -2, 0, 1, 2, 3)}, abs=0.01)
