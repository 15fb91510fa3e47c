"""What stands beside the estimate that leads: random draws, one yardstick, default controls; which of them leads."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Policy, Spell, Text
from qbase.effects import Controls, advise, estimate_advised, estimate_before_after, reconcile
from qbase.effects.judging.headroom import degrees_of
from qbase.figures import plot_effect, tabulate_estimates

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("合格率", "pass rate"), unit="pct", better="up")
REJUDGED = Indicator(id="D1.rejudged", name=Text("重判合格率", "re-judged pass rate"), unit="pct", better="up")
QUARTERS = pd.period_range("2018Q1", periods=16, freq="Q")
NAMES = [f"K{i:02d}" for i in range(14)]
STARTS = {0: 8, 1: 8, 2: 10, 3: 10, 4: 11}
POLICY = Policy(
    policy_id="base",
    title=Text("基地", "Bases"),
    spells=tuple(Spell(entity=NAMES[i], start=QUARTERS[s]) for i, s in STARTS.items()),
)
INDEX = pd.MultiIndex.from_product([NAMES, QUARTERS], names=["entity", "period"])
WINDOW = {"leads": 3, "lags": 2}


def rates(effect: float, *, seed: int = 3) -> np.ndarray:
    y = 80 + np.random.default_rng(seed).normal(size=(len(NAMES), 16)) * 2
    for i, start in STARTS.items():
        y[i, start:] += effect
    return y


def make_panel(y: np.ndarray, *, share: float = 0.5, moved: float = 0.0, rate: Indicator = RATE, **more: str) -> Panel:
    """Return a panel whose share of random draws moves with the policy by so much."""
    random = share + np.where(np.random.default_rng(8).random(y.shape) < 0.3, 0.1, 0.0)
    for i, start in STARTS.items():
        random[i, start:] += moved
    cells = pd.DataFrame(
        {
            "entity": np.tile(INDEX.get_level_values("entity"), 2),
            "period": np.tile(INDEX.get_level_values("period"), 2),
            "sampling": np.repeat(["random", "directed"], y.size),
            "n": (20 * np.concatenate([random.ravel(), 1 - random.ravel()])).round().astype(int),
        }
    )
    data = pd.DataFrame({rate.id: y.ravel()}, index=INDEX)
    return Panel(data=data, entity="cluster_id", freq="Q", indicators={rate.id: rate}, cells=cells, **more)


RANDOM = make_panel(rates(0.0, seed=5), moved=0.4, sampling="random_draw")


def test_random_draws_lead_where_the_way_of_drawing_moved() -> None:
    panel = make_panel(rates(8.0), moved=0.4)
    lead, *others = estimate_advised(panel, POLICY, ID, variants={"random": RANDOM}, **WINDOW)
    assert lead.settings["sampling"] == "random_draw"
    check = next(c for c in lead.checks if c.name == "same_sampling")
    assert check.passed is True
    assert "random draws alone leads" in check.text.en
    plain = next(r for r in others if r.method == "imputation")
    moved = next(c for c in plain.checks if c.name == "same_sampling")
    assert (moved.passed, moved.text.en.startswith("On all batches: "), "+4" in moved.text.en) == (False, True, True)
    assert "+4" not in check.text.en, "how far it moved is said once"
    assert plain.settings["sampling"] == "naive"
    said = reconcile(lead, plain)
    assert "random draws only" in said.en
    assert "outcome:" not in said.en, "one outcome drawn in two ways is a difference of samples"
    rows = [str(row[0].en) for row in tabulate_estimates(lead, *others).rows]
    assert sum("random draws only" in row for row in rows) == 2


def test_they_stand_beside_it_where_it_did_not_move() -> None:
    panel = make_panel(rates(8.0))
    lead, *others = estimate_advised(panel, POLICY, ID, variants={"random": RANDOM}, **WINDOW)
    assert lead.settings["sampling"] == "naive"
    assert [r.settings["sampling"] for r in others] == ["naive", "random_draw"]


def test_what_moved_and_cannot_be_replaced_fails() -> None:
    lead, *_ = estimate_advised(make_panel(rates(8.0), moved=0.4), POLICY, ID, **WINDOW)
    assert {c.name: c.passed for c in lead.checks}["same_sampling"] is False
    assert lead.say().grades == ("limited",)


def test_the_constant_yardstick_leads_where_the_other_moved() -> None:
    constant = make_panel(rates(1.0, seed=3), rate=REJUDGED)
    lead, *others = estimate_advised(make_panel(rates(9.0)), POLICY, ID, variants={"constant": constant}, **WINDOW)
    assert lead.outcome.id == "D1.rejudged"
    assert others[0].outcome.id == ID
    check = next(c for c in lead.checks if c.name == "same_yardstick")
    assert check.passed is True
    assert "constant yardstick leads" in check.text.en
    assert [c.name for c in lead.checks].count("same_yardstick") == 1
    assert "outcome:" in reconcile(lead, others[0]).en
    alike = make_panel(rates(9.0), rate=REJUDGED)
    held, *_ = estimate_advised(make_panel(rates(9.0)), POLICY, ID, variants={"constant": alike}, **WINDOW)
    assert held.outcome.id == ID


def test_the_yardstick_is_judged_on_the_outcome_whatever_else_the_panel_holds() -> None:
    """Another indicator, first in the panel, moved as the constant outcome did: the yardstick of the outcome moved."""
    alone = make_panel(rates(9.0))
    other = Indicator(id="D1.firm", name=Text("企业合格率", "firm pass rate"), unit="pct", better="up")
    data = alone.data.assign(**{other.id: rates(1.0).ravel()})
    several = dataclasses.replace(alone, data=data, indicators={other.id: other, ID: RATE})
    constant = make_panel(rates(1.0), rate=REJUDGED)
    found = [estimate_advised(p, POLICY, ID, variants={"constant": constant}, **WINDOW)[0] for p in (alone, several)]
    assert [lead.outcome.id for lead in found] == ["D1.rejudged"] * 2
    said = [next(c.text for c in lead.checks if c.name == "same_yardstick") for lead in found]
    assert said[0] == said[1]


def chosen(n: int, arm: tuple[str, ...] = ()) -> Controls:
    others = [e for e in NAMES[5:] if e not in arm]
    return Controls(
        treated=tuple(NAMES[:5]),
        controls=tuple(others[:n]),
        spillover=dict.fromkeys(arm, (NAMES[0],)),
        left_out={e: Text("产品不同", "another product") for e in others[n:]},
    )


def test_default_controls_make_a_further_line_where_they_are_enough() -> None:
    panel = make_panel(rates(8.0))
    lead, *others = estimate_advised(panel, POLICY, ID, controls=chosen(4), **WINDOW)
    near = others[-1]
    assert near.settings["comparator"] == "default controls"
    assert near.find("att").n_clusters == 9
    assert lead.find("att").n_clusters == 14
    assert "same product" in reconcile(lead, near).en
    few = chosen(2)
    assert not advise(panel, POLICY, ID, controls=few).can("default_controls")
    assert not advise(panel, POLICY, ID).can("default_controls")
    assert all("comparator" not in r.settings for r in estimate_advised(panel, POLICY, ID, controls=few, **WINDOW))


def test_neighbours_are_compared_with_nobody_and_looked_at_for_spillover() -> None:
    y = rates(8.0)
    y[5:8, 8:] += 12.0
    lead, *_ = estimate_advised(make_panel(y), POLICY, ID, controls=chosen(4, tuple(NAMES[5:8])), **WINDOW)
    assert lead.find("att").n_clusters == 11
    assert lead.find("att").value == pytest.approx(8.0, abs=1.5), "neighbours that rose are no controls"
    assert {c.name: c.passed for c in lead.checks}["spillover"] is False


def test_an_estimate_beside_that_cannot_be_made_takes_none_of_the_others_along(monkeypatch: pytest.MonkeyPatch) -> None:
    panel = make_panel(rates(8.0))
    n = pd.DataFrame({f"{ID}__n": 20.0, f"{ID}__k": (20 * panel.data[ID] / 100).round()}, index=panel.data.index)
    n[ID] = 100 * n[f"{ID}__k"] / n[f"{ID}__n"]
    panel = dataclasses.replace(panel, data=n)
    methods = [r.method for r in estimate_advised(panel, POLICY, ID, **WINDOW)]
    assert methods == ["imputation", "group_time", "imputation_logit"]
    monkeypatch.setattr("qbase.stats.regression.firth_logit.STEPS", 1)
    lead, *others = estimate_advised(panel, POLICY, ID, **WINDOW)
    assert [r.method for r in (lead, *others)] == methods[:2]
    told = next(check for check in lead.checks if check.name == "functional_form")
    assert told.passed is None
    assert "could not be estimated" in told.text.en


def test_every_check_is_made_once_and_what_was_not_made_is_said() -> None:
    lead, *_ = estimate_advised(make_panel(rates(8.0)), POLICY, ID, **WINDOW)
    names = [c.name for c in lead.checks]
    assert len(names) == len(set(names))
    assert {"parallel_leads", "trend_departures", "headroom", "leave_one_out", "serial_correlation"} <= set(names)
    unmade = next(c for c in lead.checks if c.name == "not_checked")
    assert all(word in unmade.text.en for word in ("rush", "spillover", "yardstick", "cannot move"))


def test_degrees_of_freedom_are_stated_and_used() -> None:
    lead, *_ = estimate_advised(make_panel(rates(8.0)), POLICY, ID, **WINDOW)
    df = lead.settings["df"]
    assert 1 < df < lead.find("att").n_clusters - 1
    assert degrees_of(lead, lead.find("att")) == df


def test_a_comparison_with_the_own_past_can_be_drawn() -> None:
    one = dataclasses.replace(POLICY, spells=POLICY.spells[:1])
    panel = make_panel(rates(8.0)).keep(NAMES[:1])
    figure = plot_effect(estimate_before_after(panel, one, ID), policy=one)
    assert figure.drawings
