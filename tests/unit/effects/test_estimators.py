"""Effects: who is compared with whom, what is refused, what is said."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from qbase.core.errors import DataError, PanelError, PolicyError, QbaseError, UsageError
from qbase.core.panel import Panel
from qbase.core.periods import parse_period
from qbase.core.policy import Policy, Spell
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.effects import check_published, estimate_event_study, estimate_twfe
from qbase.effects.fitting.joint_bands import sup_t_value
from qbase.effects.judging.design_checks import wald_test
from qbase.intake import PublishedNumber

ID = "D1.batch"
RATE = Indicator(
    id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up", bounds=(-math.inf, math.inf)
)
FIRST = parse_period("2018Q1")


def make_panel(values: np.ndarray, *, first: pd.Period = FIRST) -> Panel:
    """One row per entity, one column per quarter; NaN is an outcome that is missing."""
    entities, periods = values.shape
    frame = pd.DataFrame(
        {
            "cluster_id": np.repeat([f"K{i:02d}" for i in range(entities)], periods),
            "quarter": np.tile([str(first + t) for t in range(periods)], entities),
            ID: values.ravel(),
            f"{ID}__n": np.arange(values.size) % 7 + 10,
        }
    )
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE})


def make_policy(starts: dict[int, int] | tuple[Spell, ...]) -> Policy:
    """From Spells, or from the number of an entity -> its first treated quarter."""
    if isinstance(starts, dict):
        starts = tuple(Spell(entity=f"K{i:02d}", start=FIRST + t) for i, t in starts.items())
    return Policy(policy_id="base", title=Text("政策", "policy"), spells=starts)


def noise(entities: int, periods: int, *, seed: int = 1) -> np.ndarray:
    return 90 + np.random.default_rng(seed).normal(size=(entities, periods))


PANEL = make_panel(noise(24, 12))
ONE_DATE = make_policy(dict.fromkeys(range(12), 6))
STAGGERED = make_policy({i: 4 + i % 3 for i in range(12)})


def checks_of(result) -> dict[str, bool | None]:
    return {c.name: c.passed for c in result.checks}


def test_twfe_has_one_effect_in_points_with_all_its_doubt():
    result = estimate_twfe(PANEL, ONE_DATE, ID)
    att = result["att"]
    assert result.unit == "pp"
    assert (att.n_obs, att.n_clusters, att.ci_level) == (288, 24, 0.95)
    assert att.ci_low < att.value < att.ci_high
    assert 0 < att.p_value < 1
    assert result.vcov.loc["att", "att"] == pytest.approx(att.std_error**2)
    assert checks_of(result) == {
        "enough_clusters": True, "errors_allow_correlation": True, "staggered_timing": True, "rows_used": True,
    }  # fmt: skip
    assert result.grade is None
    assert result.settings["vcov"] == {"CRV1": "cluster_id"}
    json.dumps(dict(result.settings))


def test_one_date_without_weights_is_the_difference_of_differences():
    values = noise(24, 12)
    after, before = values[:, 6:].mean(axis=1), values[:, :6].mean(axis=1)
    by_hand = (after - before)[:12].mean() - (after - before)[12:].mean()
    assert estimate_twfe(PANEL, ONE_DATE, ID)["att"].value == pytest.approx(by_hand, rel=1e-9)


def test_staggered_timing_caps_the_evidence_and_says_why():
    result = estimate_twfe(PANEL, STAGGERED, ID)
    assert result.grade == "moderate"
    assert any("Goodman-Bacon" in n.en and "Goodman-Bacon" in n.zh for n in result.notes)
    weights = result.tables["weights"]
    assert weights["weight"].sum() == pytest.approx(1)
    assert set(weights["adopted"]) == {"2019Q1", "2019Q2", "2019Q3"}


def test_few_treated_limit_the_evidence():
    result = estimate_twfe(PANEL, make_policy(dict.fromkeys(range(4), 6)), ID)
    assert result.grade == "limited"
    assert checks_of(result)["enough_clusters"] is False


def test_independent_errors_are_marked():
    result = estimate_twfe(PANEL, ONE_DATE, ID, vcov="iid")
    assert checks_of(result)["errors_allow_correlation"] is False
    assert result["att"].n_clusters is None
    assert result.settings["vcov"] == "iid"


def test_weights_change_the_estimate_and_the_note():
    plain, weighted = estimate_twfe(PANEL, ONE_DATE, ID), estimate_twfe(PANEL, ONE_DATE, ID, weights="n")
    assert weighted["att"].value != pytest.approx(plain["att"].value, rel=1e-6)
    assert any("受抽查量影响" in n.zh for n in weighted.notes)
    assert weighted.tables["weights"]["weight"].sum() == pytest.approx(1)


def test_the_subject_speaks_in_both_languages():
    values = noise(24, 12)
    values[:12, 6:] += 5
    result = estimate_twfe(make_panel(values), ONE_DATE, ID, subject=Text("示范集群", "model clusters"))
    sentence = result.say().items[0]
    assert sentence.zh.startswith("与同期未采用者相比，示范集群的批次合格率估计提高")
    assert sentence.en.startswith("Compared with those not treated at the time, the batch pass rate of model clusters")
    assert result.say().grades == ("strong",)
    assert estimate_twfe(PANEL, ONE_DATE, ID).subject.zh == "采用政策的集群"
    firms = dataclasses.replace(PANEL, entity="firm_id")
    assert estimate_event_study(firms, ONE_DATE, ID).subject.en == "treated firms"


def test_event_times_have_their_own_words():
    words = {0: Text("获补助当季", "in the quarter of the grant"), 1: Text("次季", "one quarter later")}
    result = estimate_twfe(PANEL, dataclasses.replace(ONE_DATE, moments=words), ID, event_times=[0, 1])
    assert [e.key["event_time"] for e in result.estimates] == [0, 1]
    said = result.say().items
    assert said[0].zh.startswith("获补助当季，与其他时期和未采用者相比，")
    assert said[1].en.startswith("One quarter later, relative to all other periods")
    plain = estimate_twfe(PANEL, ONE_DATE, ID, event_times=[0, 1]).say().items
    assert plain[1].zh.startswith("政策开始后第 1 个季度，")
    assert "weights" not in result.tables


def test_what_is_left_out_is_counted():
    values = noise(25, 12)
    values[3, 2] = np.nan
    values[20, 1:] = np.nan
    policy = make_policy({**dict.fromkeys(range(12), 6), 24: 0})
    result = estimate_twfe(make_panel(values), policy, ID)
    check = next(c for c in result.checks if c.name == "rows_used")
    assert check.passed is None
    assert result["att"].n_obs == 24 * 12 - 1 - 12
    for part in ("12 rows without an outcome", "1 rows alone", "1 entities already treated"):
        assert part in check.text.en
    assert result["att"].n_clusters == 23


def make_cells(shift: int, *, jitter: bool = True) -> pd.DataFrame:
    """20 batches a quarter, 6 to 8 of them random; in treated entities ``shift`` more from quarter 6 on."""
    rows, extra = [], np.random.default_rng(5).integers(-1, 2, (24, 12)) * jitter
    for i in range(24):
        for t in range(12):
            random = 7 + extra[i, t] + shift * (i < 12 and t >= 6)
            rows += [(f"K{i:02d}", FIRST + t, s, s, n) for s, n in (("random", random), ("directed", 20 - random))]
    return pd.DataFrame(rows, columns=["entity", "period", "stratum", "sampling", "n"])


@pytest.mark.parametrize("estimate", [estimate_twfe, estimate_event_study])
@pytest.mark.parametrize(("shift", "passed", "said"), [(7, False, "而不是质量"), (0, True, "未见"), (1, True, "未见")])
def test_a_way_of_drawing_that_comes_with_the_policy_fails(estimate, shift, passed, said):
    result = estimate(dataclasses.replace(PANEL, cells=make_cells(shift)), ONE_DATE, ID)
    check = next(c for c in result.checks if c.name == "same_sampling")
    assert check.passed is passed
    assert said in check.text.zh
    assert any("风险定向" in n.zh for n in result.notes)
    assert "same_sampling" not in checks_of(estimate(PANEL, ONE_DATE, ID)), "no inspections, no way of drawing"


def test_a_way_of_drawing_that_cannot_be_tested_says_so():
    alike = estimate_twfe(dataclasses.replace(PANEL, cells=make_cells(0, jitter=False)), ONE_DATE, ID)
    assert checks_of(alike)["same_sampling"] is True
    exact = estimate_twfe(dataclasses.replace(PANEL, cells=make_cells(7, jitter=False)), ONE_DATE, ID)
    assert checks_of(exact)["same_sampling"] is False, "in step with the policy is the worst case"
    assert (alike.grade, exact.grade) == (None, "limited"), "who was drawn changed with the policy: little is shown"
    unknown = make_cells(0).assign(sampling="unknown")
    assert checks_of(estimate_twfe(dataclasses.replace(PANEL, cells=unknown), ONE_DATE, ID))["same_sampling"] is None


def test_paths_are_the_plain_means():
    paths = estimate_twfe(PANEL, ONE_DATE, ID).tables["paths"]
    values = noise(24, 12)
    assert paths["treated_mean"].to_numpy() == pytest.approx(values[:12].mean(axis=0))
    assert paths["comparison_mean"].to_numpy() == pytest.approx(values[12:].mean(axis=0))
    assert list(paths["period"])[:2] == ["2018Q1", "2018Q2"]


def test_an_event_study_leaves_the_base_out_and_bins_its_ends():
    result = estimate_event_study(PANEL, ONE_DATE, ID, leads=3, lags=4)
    events = [e for e in result.estimates if e.term == "event"]
    assert [e.key["event_time"] for e in events] == [-3, -2, 0, 1, 2, 3, 4]
    assert result.settings["binned"] == [-3, 4]
    assert "及以前" in result.notes[-1].zh
    for e in events:
        assert e.joint_low < e.ci_low < e.value < e.ci_high < e.joint_high
    assert list(result.vcov.columns)[-1] == "att"
    assert set(checks_of(result)) >= {"parallel_leads", "no_anticipation", "enough_clusters"}


def test_the_average_is_the_mean_of_what_came_after():
    result = estimate_event_study(PANEL, ONE_DATE, ID, leads=3, lags=4)
    after = [e.value for e in result.estimates if e.term == "event" and e.key["event_time"] >= 0]
    att = result["att"]
    assert att.value == pytest.approx(np.mean(after))
    late = [f"event[{t}]" for t in range(5)]
    assert att.std_error**2 == pytest.approx(result.vcov.loc[late, late].to_numpy().mean())
    assert result.estimates[result.spoken[0]] is att
    assert result.say().items[0].zh.startswith("政策开始以来平均，与同期未采用者相比，")


def test_a_window_that_fits_needs_no_bins():
    result = estimate_event_study(PANEL, make_policy(dict.fromkeys(range(12), 2)), ID)
    assert (result.settings["leads"], result.settings["lags"]) == (2, 6)
    assert result.settings["binned"] == [6]


def test_two_groups_that_drift_apart_are_told_but_not_judged_by_the_usual_f():
    values = noise(24, 12)
    values[:12] += 1.5 * np.arange(12)
    result = estimate_event_study(make_panel(values), ONE_DATE, ID, leads=4, lags=4)
    check = next(c for c in result.checks if c.name == "parallel_leads")
    assert check.passed is None
    assert "F(3, 23)" in check.text.en
    assert "alone does not show" in check.text.en
    assert "F(3, 23)" in check.text.zh
    assert "不能认定" in check.text.zh
    assert checks_of(result)["no_anticipation"] is False


@pytest.mark.parametrize("drift", [0.0, 3.0])
def test_with_few_clusters_the_f_test_lowers_no_grade_whatever_it_says(drift):
    values = noise(12, 12)
    values[:5] += drift * np.arange(12)
    result = estimate_event_study(make_panel(values), make_policy(dict.fromkeys(range(5), 6)), ID, leads=4, lags=4)
    check = next(c for c in result.checks if c.name == "parallel_leads")
    assert check.passed is None
    assert "rejects far too often with this few clusters" in check.text.en
    assert "过于频繁地拒绝" in check.text.zh


def test_a_term_seen_in_fewer_than_three_treated_has_no_interval_and_no_verdict():
    early = make_policy({0: 2, 1: 4, 2: 6, 3: 6, 4: 6})
    result = estimate_twfe(PANEL, early, ID, event_times=[0, 6, 8])
    behind = [(e.n_treated, e.n_cells, e.n_effective) for e in result.estimates]
    assert behind == [(5, 5, 5.0), (2, 2, 2.0), (1, 1, 1.0)]
    assert result.estimates[0].ci_low is not None
    for e in result.estimates[1:]:
        assert (e.uncertainty, e.ci_low, e.std_error, e.p_value) == ("none_too_few", None, None, None)
    assert "only 1 treated: no interval can be given" in result.say().items[2].en
    assert list(result.tidy()["n_treated"]) == [5, 2, 1]
    study = estimate_event_study(PANEL, early, ID, leads=3, lags=6)
    assert [e.joint_low is None for e in study.estimates] == [e.n_treated < 3 for e in study.estimates[:-1]] + [True]
    assert study["att"].n_treated == 5
    assert study["att"].n_cells == 10 + 8 + 3 * 6


def test_an_n_is_said_with_what_it_counts():
    said = estimate_twfe(PANEL, ONE_DATE, ID).say().items[0]
    assert "n = 288 集群·季度" in said.zh
    assert "n = 288 cluster-quarters" in said.en


def test_no_sign_before_is_information_not_a_pass():
    result = estimate_event_study(PANEL, ONE_DATE, ID, leads=4, lags=4)
    check = next(c for c in result.checks if c.name == "parallel_leads")
    assert check.passed is None
    assert "能力有限" in check.text.zh
    assert "limited power" in check.text.en


def test_too_few_clusters_cannot_test_the_leads_jointly():
    assert wald_test(np.ones(3), np.ones((3, 3)), 10) is None
    assert wald_test(np.ones(3), np.eye(3), 2) is None
    few = estimate_event_study(make_panel(noise(4, 16)), make_policy({0: 8, 1: 8}), ID, leads=7, lags=2)
    check = next(c for c in few.checks if c.name == "parallel_leads")
    assert check.passed is None
    assert "聚类太少" in check.text.zh


def test_the_simultaneous_value_is_repeatable_and_between_known_bounds():
    one = sup_t_value(np.eye(1), 1e6, level=0.95, seed=1)
    assert one == pytest.approx(1.96, abs=0.02)
    five = sup_t_value(np.eye(5), 1e6, level=0.95, seed=1)
    assert five == pytest.approx(2.5688, abs=0.02), "(1 + 0.95 ** (1/5)) / 2 quantile of the normal"
    assert five == sup_t_value(np.eye(5), 1e6, level=0.95, seed=1)
    assert sup_t_value(np.ones((5, 5)), 1e6, level=0.95, seed=1) == pytest.approx(1.96, abs=0.02)
    assert sup_t_value(np.eye(5), 8, level=0.95, seed=1) > five


SAME = np.full((24, 12), 93.0)
ADDITIVE = np.add.outer(np.arange(24.0), np.arange(12.0))
EXACT = ADDITIVE + np.outer(np.arange(24) < 12, np.arange(12) >= 6)
ALL_AT_ONCE = make_policy(dict.fromkeys(range(24), 6))
ALL_IN_TURN = make_policy({i: 4 + i % 3 for i in range(24)})
LOST = make_policy({0: 6, 99: 6})
BY_YEAR = make_policy((Spell(entity="K01", start=parse_period("2019", "A")),))
CLOSED = make_policy((Spell(entity="K01", start=FIRST + 4, end=FIRST + 6),))
WILD = dataclasses.replace(PANEL, data=PANEL.data.assign(**{ID: np.where(np.arange(288) == 5, np.inf, 90.0)}))
SHRUNK = dataclasses.replace(PANEL, shrunk=(ID,))


@pytest.mark.parametrize("estimate", [estimate_twfe, estimate_event_study])
@pytest.mark.parametrize(
    ("panel", "policy", "error", "code", "said"),
    [
        (SHRUNK, ONE_DATE, PanelError, "QB125", "counts"),
        (PANEL, CLOSED, PolicyError, "QB132", "K01"),
        (PANEL, BY_YEAR, PolicyError, "QB511", 'build_policy(…, freq="Q")'),
        (PANEL, LOST, PolicyError, "QB510", "K99"),
        (PANEL, ALL_AT_ONCE, PolicyError, "QB513", "2019Q3"),
        (PANEL, ALL_IN_TURN, PolicyError, "QB512", 'last="2019Q2"'),
        (PANEL, make_policy({0: 40, 1: 44}), PolicyError, "QB514", "2028Q1"),
        (PANEL, make_policy({0: -3, 1: 0}), PolicyError, "QB514", "2 treated throughout"),
        (make_panel(noise(24, 1)), make_policy({0: 0}), DataError, "QB516", "1 periods"),
        (make_panel(noise(1, 12)), make_policy({0: 6}), DataError, "QB516", "1 entities"),
        (make_panel(np.full((24, 12), np.nan)), ONE_DATE, DataError, "QB516", "0 entities"),
        (WILD, ONE_DATE, DataError, "QB516", "1 infinite"),
        (make_panel(SAME), ONE_DATE, DataError, "QB515", "93"),
        (make_panel(ADDITIVE), ONE_DATE, DataError, "QB515", "one number per entity"),
        (make_panel(EXACT), ONE_DATE, DataError, "QB518", "variance"),
        (PANEL, make_policy({3: 6}), DataError, "QB522", "K03"),
    ],
)
def test_never_a_number_without_meaning(estimate, panel, policy, error, code, said):
    with pytest.raises(error) as caught:
        estimate(panel, policy, ID)
    assert caught.value.code == code
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 4
    assert len(caught.value.render("zh").splitlines()) == 4


def test_a_misspelt_entity_is_named_with_its_nearest():
    policy = make_policy((Spell(entity="K001", start=FIRST + 4), Spell(entity="K02", start=FIRST + 4)))
    with pytest.raises(PolicyError, match=r"K01 \| K00|K00 \| K01"):
        estimate_twfe(PANEL, policy, ID)


@pytest.mark.parametrize(
    ("call", "error", "code"),
    [
        (lambda: estimate_twfe(PANEL, ONE_DATE, ID, vcov={"CRV1": "town_code"}), UsageError, "QB519"),
        (lambda: estimate_twfe(PANEL, ONE_DATE, ID, vcov="hetero"), UsageError, "QB519"),
        (lambda: estimate_twfe(PANEL, ONE_DATE, ID, weights="output"), UsageError, "QB519"),
        (lambda: estimate_twfe(PANEL, ONE_DATE, ID, small_sample="stata"), UsageError, "QB519"),
        (lambda: estimate_twfe(PANEL, ONE_DATE, ID, event_times=[]), UsageError, "QB519"),
        (lambda: estimate_twfe(PANEL, ONE_DATE, ID, event_times=[0, 40]), DataError, "QB520"),
        (lambda: estimate_twfe(PANEL, ONE_DATE, ID, level=95), UsageError, "QB503"),
        (lambda: estimate_event_study(PANEL, ONE_DATE, ID, leads=1), UsageError, "QB521"),
        (lambda: estimate_event_study(PANEL, ONE_DATE, ID, lags=-1), UsageError, "QB521"),
        (lambda: estimate_event_study(PANEL, ONE_DATE, ID, lags=9), DataError, "QB520"),
        (lambda: estimate_event_study(PANEL, ONE_DATE, "D9"), PanelError, "QB123"),
        (lambda: estimate_twfe(PANEL, ONE_DATE, ID, event_times=list(range(-6, 6))), DataError, "QB517"),
    ],
)
def test_wrong_words_end_in_four_lines(call, error, code):
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, QbaseError)
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 4


def make_rows(rows: list[tuple[str, int, float]]) -> Panel:
    frame = pd.DataFrame(rows, columns=["cluster_id", "t", ID])
    frame["quarter"] = [str(FIRST + t) for t in frame["t"]]
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: RATE})


def test_rows_that_keep_no_company_are_refused_not_fitted():
    lone = make_rows([("K00", 0, 1.0), ("K00", 1, 2.0), ("K01", 0, 3.0), ("K02", 1, 4.0)])
    with pytest.raises(DataError, match="QB516"):
        estimate_twfe(lone, make_policy({0: 1}), ID, vcov="iid")


def test_an_effect_that_is_a_fixed_effect_is_refused():
    # quarters 0-1 and 2-3 share no entity, so adoption in quarter 1 is told apart by nobody observed in both
    blocks = [
        ("K00", 0),
        ("K00", 1),
        ("K01", 0),
        ("K02", 1),
        ("K02", 2),
        ("K03", 2),
        ("K03", 3),
        ("K04", 2),
        ("K04", 3),
    ]
    panel = make_rows([(e, t, float(i**2 % 11)) for i, (e, t) in enumerate(blocks)])
    with pytest.raises(DataError, match=r"QB51[67]"):
        estimate_twfe(panel, make_policy({0: 1}), ID, vcov="iid")


def test_an_indicator_without_counts_has_no_batch_weights():
    bare = dataclasses.replace(PANEL, data=PANEL.data[[ID]])
    with pytest.raises(UsageError, match="QB524"):
        estimate_twfe(bare, ONE_DATE, ID, weights="n")


def make_printed(value: float, std_error: float, *, digits: int = 2) -> PublishedNumber:
    return PublishedNumber(
        term="x", event_time=0, value=value, std_error=std_error, digits=digits, source="Someone 1999"
    )


def test_published_digits_agree_or_the_check_says_which_do_not():
    result = estimate_twfe(PANEL, ONE_DATE, ID, event_times=[0])
    ours = result.estimates[0]
    right = make_printed(round(ours.value, 2), round(ours.std_error, 2))
    assert check_published(result, [right], n_obs=288).passed is True
    wrong = check_published(result, [make_printed(round(ours.value, 2) + 0.01, round(ours.std_error, 2))])
    assert wrong.passed is False
    assert "≠" in wrong.text.zh
    assert "Someone 1999" in wrong.text.en
    assert check_published(result, [right], n_obs=287).passed is False
    with pytest.raises(DataError, match="QB523"):
        check_published(result, [])
    with pytest.raises(DataError, match="QB141"):
        check_published(estimate_twfe(PANEL, ONE_DATE, ID), [right])


def test_inputs_are_not_mutated():
    before, spells = PANEL.data.copy(), STAGGERED.spells
    estimate_event_study(PANEL, STAGGERED, ID)
    pd.testing.assert_frame_equal(PANEL.data, before)
    assert STAGGERED.spells is spells


GUARD = """
import logging, os
from qbase.effects.fitting.pyfixest_guard import load_pyfixest
load_pyfixest()
root = logging.getLogger()
print(len(root.handlers), root.level, "KMP_INIT_AT_FORK" in os.environ)
"""


def test_importing_pyfixest_leaves_the_process_as_it_was():
    # joblib, which others import, sets the same variable
    clean = {k: v for k, v in os.environ.items() if k != "KMP_INIT_AT_FORK"}
    run = subprocess.run([sys.executable, "-c", GUARD], capture_output=True, text=True, check=True, env=clean)
    assert run.stdout.split() == ["0", "30", "False"], run.stderr
