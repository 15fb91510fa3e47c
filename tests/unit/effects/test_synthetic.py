from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from qbase.core import DataError, Indicator, Panel, Policy, PolicyError, Result, Spell, Text, UsageError
from qbase.effects import estimate_synthetic

RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
MARGIN = Indicator(id="margin", name=Text("利润率", "profit margin"), unit="pct", better="up")
START = 8


def frame_of(n: int = 10, periods: int = 12, *, effect: float = 0.0, treated: int = 1, seed: int = 1) -> pd.DataFrame:
    """Two common factors; the first entities get an effect from the ninth period on."""
    rng = np.random.default_rng(seed)
    load, level = rng.uniform(0, 1, size=(n, 2)), rng.uniform(70, 80, size=n)
    factors = rng.normal(size=(2, periods)).cumsum(axis=1)
    y = level[:, None] + load @ factors + 0.3 * rng.normal(size=(n, periods))
    y[:treated, START:] += effect
    other = 5 + load @ factors / 3 + 0.1 * rng.normal(size=(n, periods))
    rows = [
        (f"K{i:02d}", f"{2018 + t // 4}Q{t % 4 + 1}", y[i, t], other[i, t]) for i in range(n) for t in range(periods)
    ]
    return pd.DataFrame(rows, columns=["cluster_id", "period", "rate", "margin"])


def panel_of(frame: pd.DataFrame) -> Panel:
    return Panel.from_frame(
        frame, entity="cluster_id", period="period", freq="Q", indicators={"rate": RATE, "margin": MARGIN},
        in_percent=True,
    )  # fmt: skip


def policy_of(*entities: str, start: str = "2020Q1") -> Policy:
    spells = tuple(Spell(entity=e, start=start) for e in entities or ("K00",))
    return Policy(policy_id="pilot", title=Text("试点", "Pilot"), spells=spells)


def check(result: Result, name: str):
    return next(c for c in result.checks if c.name == name)


@pytest.mark.parametrize("method", ["sdid", "sc", "augmented"])
def test_one_treated_has_a_rank_and_no_interval(method: str) -> None:
    result = estimate_synthetic(panel_of(frame_of(effect=6.0)), policy_of(), "rate", method=method, solver="published")
    att = result["att"]
    assert att.value == pytest.approx(6.0, abs=1.5)
    assert (att.ci_low, att.uncertainty, att.n_treated, att.n_cells) == (None, "none_too_few", 1, 4)
    assert att.p_value == att.p_floor == 0.1
    assert result.unit == "pp"
    assert result.grade == "limited"
    assert [e.key["event_time"] for e in result.estimates[1:]] == [0, 1, 2, 3]
    assert att.value == pytest.approx(np.mean([e.value for e in result.estimates[1:]]))
    assert "0.10" in check(result, "placebo_rank").text.en
    assert "cannot be tested at the 95% level" in check(result, "placebo_rank").text.en
    assert "无法检验" in check(result, "placebo_rank").text.zh
    assert "cannot tell" in result.say().items[0].en


def test_tables_hold_the_paths_every_placebo_and_every_donor() -> None:
    result = estimate_synthetic(panel_of(frame_of(effect=6.0)), policy_of(), "rate")
    path = result.tables["synthetic"]
    assert path.columns.tolist() == ["period", "treated", "synthetic", "gap"]
    assert path["gap"].to_numpy() == pytest.approx((path["treated"] - path["synthetic"]).to_numpy())
    assert result["att"].value == pytest.approx(path["gap"].iloc[START:].mean())
    placebos, donors = result.tables["placebos"], result.tables["donors"]
    assert placebos["entity"].nunique() == len(donors) == 9
    assert len(placebos) == 9 * 12
    assert donors["weight"].sum() == pytest.approx(1)
    assert result.tables["time_weights"]["weight"].sum() == pytest.approx(1)
    assert donors["att_without"].notna().any()


def test_a_placebo_is_what_the_same_call_says_of_that_donor() -> None:
    frame = frame_of()
    result = estimate_synthetic(panel_of(frame), policy_of(), "rate")
    alone = frame[frame["cluster_id"] != "K00"]
    of_donor = estimate_synthetic(panel_of(alone), policy_of("K04"), "rate")
    gaps = result.tables["placebos"].query("entity == 'K04'")["gap"].to_numpy()
    assert of_donor.tables["synthetic"]["gap"].to_numpy() == pytest.approx(gaps, abs=1e-9)


def test_without_a_donor_is_what_the_call_without_it_says() -> None:
    panel = panel_of(frame_of())
    result = estimate_synthetic(panel, policy_of(), "rate", method="sc")
    row = result.tables["donors"].sort_values("weight").iloc[-1]
    others = [e for e in result.settings["donors"] if e != row["entity"]]
    again = estimate_synthetic(panel, policy_of(), "rate", method="sc", donors=others)
    assert again["att"].value == pytest.approx(row["att_without"], abs=1e-9)


def test_both_solvers_agree_where_the_published_one_ends_in_time() -> None:
    panel = panel_of(frame_of(effect=4.0))
    published, exact = (estimate_synthetic(panel, policy_of(), "rate", solver=s) for s in ("published", "exact"))
    assert published["att"].value == pytest.approx(exact["att"].value, abs=0.01)
    assert check(published, "near_optimum").passed
    assert not any(c.name == "near_optimum" for c in exact.checks)


def test_several_outcomes_share_their_weights_whichever_leads() -> None:
    panel = panel_of(frame_of())
    first = estimate_synthetic(panel, policy_of(), "rate", method="sc", outcomes=["margin"])
    second = estimate_synthetic(panel, policy_of(), "margin", method="sc", outcomes=["rate", "margin"])
    alone = estimate_synthetic(panel, policy_of(), "rate", method="sc")
    weights = [r.tables["donors"]["weight"].to_numpy() for r in (first, second, alone)]
    assert weights[0] == pytest.approx(weights[1], abs=1e-9)
    assert np.abs(weights[0] - weights[2]).max() > 0.01
    assert first.settings["outcomes"] == ["margin", "rate"]


def test_common_weights_do_not_depend_on_the_unit_of_an_outcome() -> None:
    frame = frame_of()
    plain = estimate_synthetic(panel_of(frame), policy_of(), "rate", outcomes=["margin"])
    frame["margin"] *= 3
    scaled = estimate_synthetic(panel_of(frame), policy_of(), "rate", outcomes=["margin"])
    assert scaled["att"].value == pytest.approx(plain["att"].value, abs=1e-8)


def test_predictors_are_told_with_their_importance_and_the_losses_of_the_search() -> None:
    result = estimate_synthetic(
        panel_of(frame_of(effect=3.0)), policy_of(), "rate", method="sc",
        predictors=["margin", ("rate", "2018Q1", "2018Q4")], starts=3,
    )  # fmt: skip
    table, search = result.tables["predictors"], result.tables["search"]
    assert table["predictor"].tolist() == ["margin", "rate 2018Q1–2018Q4"]
    assert table["importance"].sum() == pytest.approx(1)
    assert len(search) == 3
    assert result.settings["loss"] == search["loss"].min()
    gap = result.tables["synthetic"]["gap"].iloc[:START]
    assert (gap**2).mean() == pytest.approx(search["loss"].min())


def test_several_treated_of_one_date_are_averaged_and_may_have_an_interval() -> None:
    panel = panel_of(frame_of(12, effect=5.0, treated=3))
    result = estimate_synthetic(panel, policy_of("K00", "K01", "K02"), "rate")
    att = result["att"]
    assert result.settings["placebos"] == 84
    assert att.p_floor == pytest.approx(1 / 85)
    assert att.uncertainty == "randomisation"
    assert att.ci_low is not None
    assert att.ci_low < 5.0 < att.ci_high
    assert (att.n_treated, att.n_cells, att.n_effective) == (3, 12, pytest.approx(3))
    weighted = estimate_synthetic(
        panel,
        policy_of("K00", "K01", "K02"),
        "rate",
        solver="exact",
        weight={f"K{i:02d}": 1 + 9 * (i == 0) for i in range(12)},
    )
    assert weighted["att"].n_effective == pytest.approx(144 / 102)


def test_many_sets_of_placebos_are_drawn_by_seed_and_never_counted_twice() -> None:
    panel = panel_of(frame_of(26, treated=3))
    calls = [
        estimate_synthetic(panel, policy_of("K00", "K01", "K02"), "rate", method="sc", seed=seed) for seed in (1, 1, 2)
    ]
    assert calls[0].settings["placebos"] == 999
    assert calls[0].tables["placebos"]["entity"].nunique() == 999
    assert calls[0]["att"] == calls[1]["att"]
    assert calls[0]["att"].std_error != calls[2]["att"].std_error


def test_missing_cells_are_told_and_never_filled() -> None:
    frame = frame_of()
    gap = (frame["cluster_id"] == "K03") & (frame["period"] == "2018Q2")
    late = (frame["cluster_id"] == "K00") & (frame["period"] == "2020Q3")
    sparse = (frame["cluster_id"] == "K06") & (frame["period"] > "2019Q1")
    result = estimate_synthetic(panel_of(frame[~gap & ~late & ~sparse]), policy_of(), "rate", method="sc")
    # one quarter costs less than one donor; a donor without seven quarters costs more than these
    assert result.settings["donors"] == ["K01", "K02", "K03", "K04", "K05", "K07", "K08", "K09"]
    assert "2018Q2" not in result.tables["synthetic"]["period"].tolist()
    assert [e.key["event_time"] for e in result.estimates[1:]] == [0, 1, 3]
    said = check(result, "rows_used")
    assert said.passed is None
    assert "1 donors with missing cells (K06); 2 periods with missing cells (2018Q2, 2020Q3)" in said.text.en
    assert "2020Q3" in said.text.zh
    frame.loc[gap, "rate"] = np.nan
    again = estimate_synthetic(panel_of(frame[~late & ~sparse]), policy_of(), "rate", method="sc")
    assert again["att"] == result["att"]


def test_no_period_is_left_out_that_the_comparison_cannot_do_without() -> None:
    frame = frame_of(8, 9)
    lost = (frame["period"] == "2020Q1") & (frame["cluster_id"] > "K03")
    result = estimate_synthetic(panel_of(frame[~lost]), policy_of(), "rate", method="sc")
    assert result.settings["donors"] == ["K01", "K02", "K03"]
    assert result["att"].n_cells == 1


def test_one_donor_that_is_the_comparison_fails_the_check() -> None:
    frame = frame_of()
    twin = frame["cluster_id"] == "K00"
    frame.loc[frame["cluster_id"] == "K05", "rate"] = frame.loc[twin, "rate"].to_numpy()
    result = estimate_synthetic(panel_of(frame), policy_of(), "rate", method="sc")
    assert check(result, "donor_weights").passed is False
    assert "100% (K05)" in check(result, "donor_weights").text.en
    assert result["att"].value == pytest.approx(0, abs=1e-8)


def test_a_treated_entity_unlike_all_others_fails_its_fit() -> None:
    frame = frame_of()
    frame.loc[frame["cluster_id"] == "K00", "rate"] -= 30
    assert check(estimate_synthetic(panel_of(frame), policy_of(), "rate", method="sc"), "fit_before").passed is False


def refused(code: str, error: type[Exception], frame: pd.DataFrame, policy: Policy, **options: object) -> str:
    with pytest.raises(error, match=code) as caught:
        estimate_synthetic(panel_of(frame), policy, "rate", **options)
    return str(caught.value)


def test_refusals_say_what_to_do() -> None:
    frame = frame_of()
    two = Policy(
        policy_id="two", title=Text("试点", "Pilot"),
        spells=(Spell(entity="K00", start="2020Q1"), Spell(entity="K01", start="2020Q2")),
    )  # fmt: skip
    assert "estimate_staggered" in refused("QB580", PolicyError, frame, two)
    assert "estimate_before_after" in refused("QB581", DataError, frame[frame["cluster_id"] < "K02"], policy_of())
    half = frame[frame["cluster_id"] < "K04"]
    assert "2 donors for 2 treated" in refused("QB581", DataError, half, policy_of("K00", "K01"))
    refused("QB582", DataError, frame, policy_of(start="2018Q2"))
    assert "K99" in refused("QB583", UsageError, frame, policy_of(), donors=["K01", "K99"])
    refused("QB583", UsageError, frame, policy_of(), donors=["K00", "K01", "K02"])
    late = [("rate", "2019Q1", "2020Q1")]
    assert "reaches the start" in refused("QB584", UsageError, frame, policy_of(), method="sc", predictors=late)
    refused("QB519", UsageError, frame, policy_of(), predictors=["margin"])
    refused("QB519", UsageError, frame, policy_of(), method="augmented", ridge=-1.0)
    refused("QB144", UsageError, frame, policy_of(), method="synth")
    refused("QB503", UsageError, frame, policy_of(), level=95)


def test_hundreds_of_donors_are_refused_before_anything_runs() -> None:
    assert "402 donors" in refused("QB585", DataError, frame_of(403, 10), policy_of())


def test_settings_repeat_the_result() -> None:
    panel = panel_of(frame_of(effect=2.0))
    first = estimate_synthetic(panel, policy_of(), "rate", method="augmented")
    again = estimate_synthetic(panel, policy_of(), "rate", method="augmented", ridge=first.settings["ridge"])
    assert again["att"].value == pytest.approx(first["att"].value, abs=1e-9)
    assert first.subject.en == "K00"
    assert first.labels["n"].en == "cluster-quarters"
