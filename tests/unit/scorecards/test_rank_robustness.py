"""Ranks of an index over worlds: draws, choices, who is told what, Sobol indices and the traps of SALib."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta

from qbase.core import Coverage, Source, UsageError
from qbase.scorecards import Alternatives, build_index, estimate_rank_robustness
from qbase.scorecards.composite import choice_sensitivity
from qbase.scorecards.composite.index_weights import draw_weights
from qbase.scorecards.composite.index_worlds import BANK, choose, draw_values, rank_worlds, set_up
from tests.unit.scorecards.index_cases import design_of, frame_of, panel_of

ONE = Alternatives(
    normalisation=(), weighting=(), aggregation=(), imputation=(), outliers=(), weight_spread=0, leaves_out=False
)
"""Nothing but what the design says."""
FULL = [
    "rate__n",
    "rate__k",
    "rate__lo",
    "rate__hi",
    "loss__n",
    "loss__k",
    "loss__lo",
    "loss__hi",
    "brand__lo",
    "brand__hi",
]


def check_of(result, name):
    return next(c for c in result.checks if c.name == name)


def test_rates_are_drawn_from_jeffreys_posterior_and_others_from_their_interval() -> None:
    kept = build_index(panel_of(frame_of(6)), design_of()).kept
    drawn = draw_values(np.random.default_rng(1), kept, 20_000)
    frame = frame_of(6).set_index("cluster_id").loc[list(kept.entities)]
    tails = np.array([0.025, 0.5, 0.975])
    for at, entity in enumerate(kept.entities):
        row = frame.loc[entity]
        k, n = row["rate__k"], row["rate__n"]
        assert np.allclose(np.quantile(drawn[:, 0, at], tails), 100 * beta.ppf(tails, k + 0.5, n - k + 0.5), atol=0.6)
        # brand: 4 below and 6 above at 95 %
        assert np.allclose(np.quantile(drawn[:, 2, at], tails), row["brand"] + np.array([-4, 0, 6]), atol=0.25)
        assert (drawn[:, 3, at] == row["output"]).all()


def test_a_weighted_rate_is_drawn_with_its_effective_number() -> None:
    frame = frame_of(5)
    frame["rate__n_eff"] = 4.0
    kept = build_index(panel_of(frame, sampling="random_draw"), design_of()).kept
    wide = draw_values(np.random.default_rng(1), kept, 4000)[:, 0].std(axis=0)
    naive = draw_values(np.random.default_rng(1), build_index(panel_of(frame_of(5)), design_of()).kept, 4000)
    assert (wide > 2 * naive[:, 0].std(axis=0)).all()


def test_where_nothing_can_differ_every_world_is_the_design() -> None:
    frame = frame_of(8).drop(columns=FULL)
    index = build_index(panel_of(frame), design_of())
    result = estimate_rank_robustness(index, ONE, worlds=100)
    ranks = result.tables["ranks"]
    assert (ranks[["median", "low", "high"]].to_numpy() == ranks[["rank"]].to_numpy()).all()
    assert ranks["share_first"].tolist() == [100.0] + [0.0] * 7
    assert result.tables["choices"].empty
    assert "没有任何选择会改变位次" in result.say().items[0].zh
    assert check_of(result, "doubt_carried").passed is False


def test_whoever_has_no_value_with_a_doubt_is_named() -> None:
    frame = frame_of(8)
    frame.loc[2, FULL] = np.nan
    result = estimate_rank_robustness(build_index(panel_of(frame), design_of()), worlds=100)
    told = check_of(result, "doubt_carried")
    assert told.passed is False
    assert "K002" in told.text.zh
    assert "K003" not in told.text.en
    assert not result.tables["ranks"].set_index("entity").loc["K002", "is_doubted"]
    whole = estimate_rank_robustness(build_index(panel_of(frame_of(8)), design_of()), worlds=100)
    assert check_of(whole, "doubt_carried").passed


def test_shares_of_first_places_add_up_though_twins_share_them() -> None:
    frame = frame_of(6).drop(columns=FULL)
    frame.loc[5] = frame.loc[0]
    frame.loc[5, "cluster_id"] = "K005"
    best = {"rate": 99, "loss": 2.0, "brand": 95, "output": 200}
    frame.loc[[0, 5], list(best)] = list(best.values())
    result = estimate_rank_robustness(build_index(panel_of(frame), design_of()), worlds=200)
    ranks = result.tables["ranks"].set_index("entity")
    assert ranks["share_first"].sum() == pytest.approx(100)
    assert ranks.loc["K000", "share_first"] == pytest.approx(ranks.loc["K005", "share_first"])
    assert ranks.loc[["K000", "K005"], "rank"].tolist() == [1, 1]


def test_only_choices_that_matter_are_factors() -> None:
    index = build_index(panel_of(frame_of(8)), design_of())
    assert not any(t.changes for t in index.treatments)
    setup = set_up(index, Alternatives())
    assert set(setup.factors) == {"data", "normalisation", "weighting", "weights", "aggregation", "left_out"}
    frame = frame_of(8)
    frame.loc[1, "output"] = np.nan
    frame.loc[2, "output"] = 1e6
    assert {"imputation", "outliers"} <= set(set_up(build_index(panel_of(frame), design_of()), Alternatives()).factors)


def test_a_single_choice_explains_all_and_one_that_changes_nothing_none() -> None:
    index = build_index(panel_of(frame_of(12).drop(columns=FULL)), design_of())
    spread = Alternatives(normalisation=(), weighting=(), aggregation=(), weight_spread=0.5, leaves_out=False)
    (row,) = estimate_rank_robustness(index, spread, worlds=100).tables["choices"].to_dict("records")
    assert row["factor"] == "weights"
    assert row["first"] == pytest.approx(1, abs=0.05)
    assert row["total"] == pytest.approx(1, abs=0.05)


def test_what_moves_the_ranks_most_is_named_alone_only_when_it_can_be_told() -> None:
    frame = frame_of(10)
    for name in ("rate", "loss"):
        frame[[f"{name}__n", f"{name}__k"]] = np.nan
    few = frame.assign(rate__lo=0.0, rate__hi=100.0, brand__lo=0.0, brand__hi=100.0)
    mild = Alternatives(weighting=("equal",), weight_spread=0.02, leaves_out=False, aggregation=("arithmetic",))
    result = estimate_rank_robustness(build_index(panel_of(few), design_of()), mild, worlds=100)
    assert result.tables["choices"]["factor"][0] == "data"
    assert "the ranks most is: sampling error of the data" in result.say().items[0].en


def test_weights_are_drawn_around_their_scheme_with_the_spread_declared() -> None:
    own = np.tile([0.25] * 4, (40_000, 1))
    (drawn,) = draw_weights(np.random.default_rng(1), [own], 0.25)
    assert np.allclose(drawn.sum(axis=1), 1)
    assert np.allclose(drawn.mean(axis=0), 0.25, atol=0.002)
    assert np.allclose(drawn.std(axis=0) / 0.25, 0.25, atol=0.01)
    (zero,) = draw_weights(np.random.default_rng(1), [np.array([[0.5, 0.5, 0.0]])], 0.25)
    assert zero[0, 2] == 0


def test_half_of_the_worlds_leave_out_one_indicator_each_as_often() -> None:
    setup = set_up(build_index(panel_of(frame_of(8)), design_of()), Alternatives())
    chosen = choose(setup, np.random.default_rng(3).random((40_000, len(setup.factors))))
    counts = np.bincount(chosen["left_out"] + 1, minlength=5) / 40_000
    assert np.allclose(counts, [0.5, *[0.125] * 4], atol=0.01)
    assert chosen["data"].max() == BANK - 1
    edge = choose(setup, np.full((1, len(setup.factors)), np.nextafter(1.0, 0)))
    assert edge["left_out"][0] == 3


def test_a_world_of_the_bank_is_a_function_of_its_choices() -> None:
    setup = set_up(build_index(panel_of(frame_of(8)), design_of()), Alternatives())
    uniform = np.random.default_rng(3).random((60, len(setup.factors)))
    ranks = rank_worlds(setup, choose(setup, uniform), seed=5, is_bank=True)
    order = np.random.default_rng(4).permutation(60)
    assert np.array_equal(rank_worlds(setup, choose(setup, uniform[order]), seed=5, is_bank=True), ranks[order])


def test_how_many_are_worked_on_at_a_time_does_not_move_sobol_indices(monkeypatch: pytest.MonkeyPatch) -> None:
    index = build_index(panel_of(frame_of(8)), design_of())
    setup, ranks = set_up(index, Alternatives()), np.arange(1, 9)
    whole = choice_sensitivity.estimate_sensitivity(setup, ranks, seed=7)
    monkeypatch.setattr("qbase.scorecards.composite.index_worlds.AT_ONCE", 400)
    assert choice_sensitivity.estimate_sensitivity(setup, ranks, seed=7).equals(whole)


def test_salib_called_alike_gives_the_indices_of_ishigami() -> None:
    """Both calls say the same of second order; otherwise indices are wrong without a word."""
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sampling

    problem = {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[-np.pi, np.pi]] * 3}
    x = sampling.sample(problem, 4096, calc_second_order=False, seed=1)
    y = np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])
    found = analysis.analyze(problem, y, calc_second_order=False, seed=1)
    assert np.allclose(found["S1"], [0.314, 0.442, 0], atol=0.02)
    assert np.allclose(found["ST"], [0.558, 0.442, 0.244], atol=0.02)
    # a seed of 0 is taken for none: bounds then differ from call to call, and ours is never 0
    again = [analysis.analyze(problem, y, calc_second_order=False, seed=0)["S1_conf"] for _ in range(2)]
    assert not np.array_equal(*again)


@pytest.mark.parametrize(
    "wrong",
    [{"worlds": 10}, {"worlds": 10**7}, {"worlds": 400.5}, {"level": 1.0}, {"level": 0}, {"seed": 0}, {"seed": -1}],
)
def test_numbers_that_cannot_be_are_refused(wrong: dict[str, float]) -> None:
    index = build_index(panel_of(frame_of(4)), design_of())
    with pytest.raises(UsageError) as refused:
        estimate_rank_robustness(index, **wrong)
    assert refused.value.code == "QB668"
    with pytest.raises(UsageError) as refused:
        Alternatives(weight_spread=1.2)
    assert refused.value.code == "QB668"
    with pytest.raises(UsageError, match="QB144"):
        Alternatives(normalisation=("minmax",))


def test_entropy_beside_equal_weights_is_information_and_a_failure_where_the_index_uses_it() -> None:
    frame = frame_of(8)
    frame["rate"] = frame["rate"] / 20 + 90
    frame = frame.drop(columns=FULL)
    beside = estimate_rank_robustness(build_index(panel_of(frame), design_of()), worlds=100)
    told = check_of(beside, "entropy_weights")
    assert told.passed is None
    assert "pass rate" in told.text.en
    weights = beside.tables["weights"].set_index("indicator")
    assert weights.loc["rate", "entropy"] < 0.02 < weights.loc["rate", "equal"]
    used = estimate_rank_robustness(build_index(panel_of(frame), design_of(weighting="entropy")), worlds=100)
    assert check_of(used, "entropy_weights").passed is False


def test_a_name_with_braces_stays_as_it_is() -> None:
    frame = frame_of(4).assign(cluster_id=["{a}", "{b}", "{c}", "{d}"])
    said = estimate_rank_robustness(build_index(panel_of(frame), design_of()), worlds=100).say().items[0]
    assert "} cluster is first in" in said.en


def test_the_result_says_what_it_stands_on() -> None:
    coverage = Coverage(fates={"counted": 700, "no_firm": 9})
    frame = frame_of(8)
    panel = panel_of(frame, sources=(Source(path="inspections", snapshot="S0001"),), coverage=coverage)
    result = estimate_rank_robustness(build_index(panel, design_of()), worlds=100)
    assert result.account is not None
    assert result.coverage.lost == 9
    assert result.settings["worlds"] == 100
    said = result.say().items[0]
    top = result.tables["ranks"].sort_values("share_first").iloc[-1]
    assert f"{top['name_zh']}居首的占 {top['share_first']:.0f}%" in said.zh
    assert f"the {top['name_en']} is first in {top['share_first']:.0f}%" in said.en
    assert len(result.estimates) == 8
