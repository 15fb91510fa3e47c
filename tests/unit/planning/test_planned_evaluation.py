"""What an evaluation will find: the letters' own inference, checked against a formula where one holds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Policy, Spell, Text
from qbase.core.errors import QbaseError
from qbase.effects.comparison.outcome_grid import build_grid
from qbase.effects.doubt.few_clusters import infer
from qbase.effects.fitting.aggregation import GroupTimePath
from qbase.effects.fitting.imputation import ImputationEstimator
from qbase.effects.fitting.imputed_terms import Window
from qbase.effects.lab.design_answers import PathInference
from qbase.planning import plan_evaluation
from qbase.planning.evaluating.detectable_search import Point, judge_effects
from qbase.planning.evaluating.evaluation_designs import plan_starts
from qbase.planning.evaluating.future_rates import carry_out, draw_futures, read_past_rates
from qbase.planning.evaluating.planned_evaluation import bare_history
from qbase.stats import minimum_detectable_effect

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass rate"), unit="pct", better="up")
INFERENCE = PathInference(level=0.95, permutations=99, seed=3)
ESTIMATORS = {
    "did": ImputationEstimator(window=Window(leads=1, lags=0), terms=(("att", None),)),
    "staggered": GroupTimePath(leads=1, lags=0),
    "phase_in": ImputationEstimator(window=Window(leads=1, lags=0), terms=(("att", None),)),
}


def made(n_entities: int = 10, n_periods: int = 16, *, each: int = 20, wobble: float = 0.0) -> tuple[Panel, Policy]:
    rng = np.random.default_rng(5)
    rows = []
    for i in range(n_entities):
        p = 0.9 + wobble * rng.standard_normal(n_periods)
        for t in range(n_periods):
            k = int(rng.binomial(each, min(max(p[t], 0), 1)))
            rows.append((f"K{i:02d}", pd.Period("2020Q1") + t, 100 * k / each, each, k))
    columns = ["cluster_id", "quarter", "D1.batch", "D1.batch__n", "D1.batch__k"]
    panel = Panel.from_frame(
        pd.DataFrame(rows, columns=columns),
        entity="cluster_id",
        period="quarter",
        freq="Q",
        indicators={"D1.batch": RATE},
    )
    spell = Spell(entity="K00", start=pd.Period("2023Q1"))
    return panel, Policy(policy_id="p", title=Text("政策", "policy"), spells=(spell,))


def plan(**changes: object):
    asked = {"clusters": [(4, 6)], "batches": [10, 40], "years": [1, 2], "designs": ["did"], "draws": 30,
             "permutations": 39, "before": 8}  # fmt: skip
    return plan_evaluation(*made(), "D1.batch", **(asked | changes))


@pytest.mark.parametrize("design", ["did", "staggered", "phase_in"])
def test_each_draw_is_judged_as_a_letter_would(design):
    grid = build_grid(*made(wobble=0.04), "D1.batch")
    past = read_past_rates(grid, 12)
    futures = draw_futures(past, n_entities=9, quarters=8, draws=3, seed=4)
    start = plan_starts(design, treated=4, entities=9, before=12, n_periods=20, per_year=4)
    point = Point(design=design, each=25, n_periods=20, start=start)
    history, effects = bare_history(grid, 9, 20), np.array([0.0, 6.0])
    judged = judge_effects(history, futures, point, INFERENCE, effects)
    carried = carry_out(futures, start, effects, n_periods=20, each=25)
    for a in range(3):
        for m in range(2):
            own = dataclasses.replace(
                history.grid, y=carried.y[a, m], n=carried.n[a], start=start,
                k=np.where(carried.n[a] > 0, np.round(carried.y[a, m] * carried.n[a] / 100), 0.0),
            )  # fmt: skip
            fit = ESTIMATORS[design](own)
            letter = infer(own, ESTIMATORS[design], fit, seed=3, draws=99)
            says = letter.ci_low[0] > 0 or letter.ci_high[0] < 0
            assert judged.changed[a, m] == says, (a, m)
            assert judged.improved[a, m] == (letter.ci_low[0] > 0)


def test_without_shocks_it_finds_what_the_formula_says():
    grid = build_grid(*made(n_entities=30, n_periods=24, each=40), "D1.batch")
    past = read_past_rates(grid, 20)
    quiet = dataclasses.replace(past, white=past.white * 0, lasting=past.lasting * 0)
    futures = draw_futures(quiet, n_entities=30, quarters=8, draws=120, seed=4)
    start = plan_starts("did", treated=15, entities=30, before=20, n_periods=28, per_year=4)
    point = Point(design="did", each=40, n_periods=28, start=start)
    error = 100 * np.sqrt(0.9 * 0.1 / 40 * (1 / 8 + 1 / 20) * (2 / 15))
    effect = minimum_detectable_effect(error, df=28)
    judged = judge_effects(bare_history(grid, 30, 28), futures, point, INFERENCE, np.array([0.0, effect]))
    found = judged.improved[:, 1].mean()
    assert found == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / 120) + 0.03)
    assert judged.changed[:, 0].mean() < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 120)


def test_more_batches_and_more_years_find_less_and_the_same_seed_the_same():
    one, other = plan(), plan()
    pd.testing.assert_frame_equal(one.tables["evaluation"], other.tables["evaluation"])
    found = one.tables["evaluation"].set_index(["batches", "years"])["detectable"]
    assert found[40, 1] < found[10, 1]
    assert found[40, 2] < found[40, 1]
    assert plan(seed=8, batches=[40], years=[2]).tables["evaluation"]["detectable"].iloc[0] != found[40, 2]


def test_the_error_of_the_draws_shrinks_and_is_told():
    wide, narrow = (plan(batches=[80], years=[2], draws=d) for d in (30, 120))
    spans = [(e.ci_low, e.ci_high) for e in (wide.estimates[0], narrow.estimates[0])]
    assert spans[1][1] - spans[1][0] < spans[0][1] - spans[0][0]
    assert "Monte-Carlo error of 120 draws" in " ".join(n.en for n in narrow.notes)


def test_the_sentence_tells_years_and_what_more_batches_bring():
    said = plan(batches=[30, 60, 90], years=[2]).say().items[0]
    assert "60 batches in each and quarter" in said.en
    assert "with 90 batches" in said.en
    assert "第 2 年" in said.zh


def test_past_noise_is_carried_on():
    still, moving = (read_past_rates(build_grid(*made(wobble=w, n_entities=20), "D1.batch"), 12) for w in (0.0, 0.08))
    spread = [np.median(np.hypot(p.white, p.lasting) * p.level * (1 - p.level)) for p in (still, moving)]
    assert spread[0] < 0.03
    assert spread[1] == pytest.approx(0.08, rel=0.3)


def test_starts_of_designs():
    how = {"treated": 3, "entities": 5, "before": 8, "per_year": 4}
    assert plan_starts("did", n_periods=12, **how)[:3].tolist() == [8, 8, 8]
    late = plan_starts("phase_in", n_periods=12, **how)
    assert late[0] == 8
    assert np.isnan(late[2:]).all()
    assert plan_starts("phase_in", n_periods=16, **how)[:3].tolist() == [8, 12, 15]


def test_two_treated_are_told_to_be_too_few_for_an_interval_but_have_a_p_value():
    row = plan(clusters=[(2, 8)], batches=[60], years=[1], draws=20).tables["evaluation"].iloc[0]
    assert row["unanswered_pct"] == 0


@pytest.mark.parametrize(
    ("changes", "code", "named"),
    [
        ({"clusters": [(0, 5)]}, "QB635", "treated, comparison"),
        ({"clusters": [4]}, "QB635", "treated, comparison"),
        ({"batches": [0]}, "QB635", "1 to 500"),
        ({"years": []}, "QB635", "1 to 10"),
        ({"designs": []}, "QB635", "phase_in"),
        ({"designs": ["rd"]}, "QB144", "staggered"),
        ({"power": 1.5}, "QB635", "0.99"),
        ({"draws": 3}, "QB519", "20 or more"),
    ],
)
def test_refusals_are_four_lines(changes, code, named):
    with pytest.raises(QbaseError) as caught:
        plan(**changes)
    assert caught.value.code == code
    assert named in str(caught.value)
    assert len(str(caught.value).splitlines()) == 4


def test_an_outcome_without_batches_or_without_a_past_is_refused():
    panel, policy = made()
    bare = panel.data.drop(columns=["D1.batch__n", "D1.batch__k"]).reset_index()
    uncounted = Panel.from_frame(bare, entity="entity", period="period", freq="Q", indicators={"D1.batch": RATE})
    with pytest.raises(QbaseError, match="QB633"):
        plan_evaluation(uncounted, policy, "D1.batch", draws=20)
    few = made(n_entities=3)
    with pytest.raises(QbaseError, match="QB634"):
        plan_evaluation(*few, "D1.batch", draws=20)
