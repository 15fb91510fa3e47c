"""Control charts of a panel: which chart, phases at dated events alone, verdicts in words, what a reader must know."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from qbase.core import DatedEvent, Indicator, Panel, PanelError, Policy, Result, Spell, Text, UsageError
from qbase.figures import plot_control
from qbase.stats import find_signals, laney_chart, memory_chart, p_chart
from qbase.trends import estimate_breaks, estimate_control

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
QUARTERS = [f"{y}Q{q}" for y in range(2014, 2024) for q in range(1, 5)]


def make(
    k: Sequence[float],
    n: Sequence[float],
    *,
    entity: str = "K1",
    indicator: Indicator = RATE,
    more: pd.DataFrame | None = None,
) -> Panel:
    frame = pd.DataFrame({"cluster_id": entity, "quarter": QUARTERS[: len(n)], f"{ID}__k": k, f"{ID}__n": n})
    frame = frame if more is None else pd.concat([frame, more])
    frame = frame[frame[f"{ID}__n"] > 0].assign(**{ID: lambda f: 100 * f[f"{ID}__k"] / f[f"{ID}__n"]})
    return Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={ID: indicator})


def draw(
    seed: int, p: Sequence[float] | float = 0.9, periods: int = 40, rho: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = rng.integers(8, 31, periods)
    share = np.broadcast_to(p, periods)
    if rho:
        share = rng.beta(share * (1 - rho) / rho, (1 - share) * (1 - rho) / rho)
    return rng.binomial(n, share).astype(float), n.astype(float)


QUIET = draw(1)
RISE = draw(2, np.where(np.arange(40) < 20, 0.75, 0.93))
EVENT = DatedEvent(period="2019Q1", title=Text("标准修订", "revised standard"), kind="standard")


def last(result: Result) -> dict[str, object]:
    return result.tables["phases"].iloc[-1].to_dict()


def test_limits_and_rules_are_those_of_the_charts_and_follow_n() -> None:
    k, n = QUIET
    result = estimate_control(make(k, n), ID, chart="laney")
    series, plain = result.tables["series"], laney_chart(k[None, :], n[None, :])
    for column, wanted in (("lower_limit", plain.low), ("upper_limit", plain.high), ("centre", plain.centre)):
        assert series[column].to_numpy() == pytest.approx(100 * wanted[0])
    for rule, fired in find_signals(plain.z, plain.value).items():
        assert series[rule].tolist() == fired[0].tolist()
    widths = (series["upper_limit"] - series["lower_limit"]).to_numpy()
    assert widths[n.argmin()] > widths[n.argmax()]
    assert result.estimates[0].value == pytest.approx(100 * k.sum() / n.sum())


def test_the_chart_is_chosen_by_the_dispersion_and_can_be_asked_for() -> None:
    k, n = draw(3, rho=0.25)
    wide, quiet = estimate_control(make(k, n), ID), estimate_control(make(*QUIET), ID)
    assert (wide.method, quiet.method) == ("laney_chart", "p_chart")
    check = next(c for c in wide.checks if c.name == "dispersion")
    assert "Laney p′ chart used" in check.text.en
    asked = estimate_control(make(k, n), ID, chart="p").tables["series"]
    assert asked["lower_limit"].to_numpy() == pytest.approx(100 * p_chart(k[None, :], n[None, :]).low[0])
    # the mean of over-dispersed quarters is known less well
    a, b = wide.estimates[0], estimate_control(make(k, n), ID, chart="xmr").estimates[0]
    width = b.ci_high - b.ci_low
    assert 0.6 * width < a.ci_high - a.ci_low < 1.6 * width
    with pytest.raises(UsageError, match="QB556"):
        estimate_control(make(k, n), ID, chart="c")


def test_the_verdict_has_a_sign_a_word_and_a_date_and_follows_what_is_better() -> None:
    rise = estimate_control(make(*RISE), ID)
    assert last(rise)["variation"] == "improving"
    assert abs(pd.Period(str(last(rise)["changed_at"])).ordinal - pd.Period("2019Q1").ordinal) <= 2
    (said,) = rise.say().items
    assert "▲ special cause: improving, from 7" in said.en
    assert "▲ 特殊原因：改善" in said.zh
    k, n = RISE
    worse = dataclasses.replace(RATE, better="down")
    assert last(estimate_control(make(k, n, indicator=worse), ID))["variation"] == "worsening"
    neutral = dataclasses.replace(RATE, better="none")
    assert last(estimate_control(make(k, n, indicator=neutral), ID))["variation"] == "higher"
    assert last(estimate_control(make(n - k, n), ID))["variation"] == "worsening"
    quiet = estimate_control(make(*QUIET), ID).say().items[0]
    assert "● common cause: routine variation" in quiet.en
    assert "属正常波动" in quiet.zh


def test_rules_are_leads_and_say_how_often_they_fire_for_nothing() -> None:
    k, n = QUIET[0].copy(), QUIET[1]
    k[10] = 0
    result = estimate_control(make(k, n), ID)
    assert result.tables["series"]["beyond"].sum() == 1
    (said,) = result.say().items
    assert "Points to look at: one point beyond the limits (2016 Q3, 1 point)" in said.en
    share = result.settings["quiet_share"]
    assert 0.05 < share <= 1
    assert last(result)["variation"] == "common_cause", "one point is no lasting change"


@pytest.mark.parametrize("phases", [None, EVENT], ids=["one phase", "two phases"])
def test_how_often_rules_fire_for_nothing_is_what_charts_drawn_one_by_one_show(phases: object) -> None:
    k, n = QUIET[0].copy(), QUIET[1]
    k[10] = 0
    result = estimate_control(make(k, n), ID, entity="K1", phases=phases, chart="p")
    series = result.tables["series"]
    of, centre = series["phase"].to_numpy() - 1, series["centre"].to_numpy() / 100
    rng, draws, fired = np.random.default_rng(12), 800, 0
    for _ in range(draws):
        drawn = p_chart(rng.binomial(n.astype(int), centre)[None].astype(float), n[None].astype(float), phases=of[None])
        found = find_signals(drawn.z, 100 * drawn.value, phases=of[None])
        fired += any(found[rule].any() for rule in ("beyond", "two_of_three", "shift", "trend"))
    share = result.settings["quiet_share"]
    # four standard errors of both counts
    assert abs(share - fired / draws) < 4 * np.sqrt(0.25 * (1 / 400 + 1 / draws))
    assert share < 0.8, "the point that stands out is no part of a chart without any change"
    assert f"{100 * share:.0f}%" in result.say().items[0].en


@pytest.mark.parametrize(
    "phases",
    [EVENT, [EVENT], Policy(policy_id="p", title=Text("试点", "pilot"), spells=(Spell(entity="K1", start="2019Q1"),))],
)
def test_phases_begin_at_dated_events_and_each_has_its_verdict(phases: object) -> None:
    result = estimate_control(make(*RISE), ID, entity="K1", phases=phases)
    table = result.tables["phases"]
    assert table[["first", "last"]].values.tolist() == [["2014Q1", "2018Q4"], ["2019Q1", "2023Q4"]]
    assert table["variation"].tolist() == ["common_cause"] * 2
    k, n = RISE
    assert [e.value for e in result.estimates] == pytest.approx(
        [100 * k[s].sum() / n[s].sum() for s in (slice(20), slice(20, 40))]
    )
    assert result.settings["alpha_phase"] == pytest.approx(1 - 0.95**0.5)
    assert table["began_en"].iloc[1] in ("revised standard", "pilot")
    # an event of somebody else, or outside the series, begins nothing
    other = dataclasses.replace(EVENT, entities=("K9",))
    early = dataclasses.replace(EVENT, period=pd.Period("2014Q1"))
    assert len(estimate_control(make(*RISE), ID, entity="K1", phases=[other, early]).tables["phases"]) == 1


def test_phases_can_begin_at_a_break_that_was_found() -> None:
    breaks = estimate_breaks(make(*RISE), ID)
    result = estimate_control(make(*RISE), ID, phases=breaks)
    assert result.tables["phases"]["first"].iloc[1] == breaks.tables["breaks"]["period"].iloc[0]
    assert result.tables["events"]["kind"].tolist() == ["break"]


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(UsageError, match="QB555"):
        estimate_control(make(*RISE), ID, phases=["2019Q1"])
    spells = (Spell(entity="K1", start="2019Q1"), Spell(entity="K2", start="2020Q1"))
    two = Policy(policy_id="p", title=Text("试点", "pilot"), spells=spells)
    with pytest.raises(UsageError, match="QB555"):
        estimate_control(make(*RISE), ID, phases=two)


def test_all_passed_is_no_perfection() -> None:
    n = np.full(20, 9.0)
    result = estimate_control(make(n, n), ID, target=95.0)
    assert last(result)["variation"] == "all_alike"
    assert last(result)["assurance"] == "cannot_tell"
    assert result.tables["series"][["lower_limit", "upper_limit"]].isna().all(axis=None)
    check = next(c for c in result.checks if c.name == "all_alike")
    assert check.passed is False
    assert "All 180 tested in 20 periods passed" in check.text.en
    assert result.estimates[0].ci_low < 98.5
    assert "全部合格" in check.text.zh


def test_short_phases_and_few_failures_are_warned_of() -> None:
    short = estimate_control(make(*draw(4, periods=6)), ID)
    assert last(short)["variation"] == "too_short"
    assert next(c for c in short.checks if c.name == "phase_length").passed is False
    assert "no verdict" in short.say().items[0].en
    trial = estimate_control(make(*draw(4, periods=10)), ID)
    assert last(trial)["variation"] == "common_cause"
    assert next(c for c in trial.checks if c.name == "phase_length").passed is False
    few = estimate_control(make(*draw(5, 0.98)), ID)
    assert next(c for c in few.checks if c.name == "small_n_limits").passed is False
    assert (
        next(c for c in estimate_control(make(*draw(4, 0.5)), ID).checks if c.name == "small_n_limits").passed is True
    )


@pytest.mark.parametrize(("target", "wanted"), [(40.0, "always"), (90.0, "sometimes"), (99.9, "never")])
def test_a_target_is_met_always_sometimes_or_never(target: float, wanted: str) -> None:
    rng = np.random.default_rng(3)
    n = np.full(30, 400.0)
    panel = make(rng.binomial(400, 0.9, 30).astype(float), n)
    result = estimate_control(panel, ID, target=target)
    assert last(result)["assurance"] == wanted
    assert f"Target {target:.1f}%" in result.say().items[0].en
    k = n - panel.data[f"{ID}__k"].to_numpy()
    mirrored = make(k, n, indicator=dataclasses.replace(RATE, better="down"))
    assert last(estimate_control(mirrored, ID, target=100 - target))["assurance"] == wanted


def test_values_without_counts_have_the_chart_of_single_values() -> None:
    margin = Indicator(id="m", name=Text("余量", "margin"), unit="index", better="up")
    y = np.random.default_rng(1).normal(2, 0.3, 30)
    frame = pd.DataFrame({"cluster_id": "K1", "quarter": QUARTERS[:30], "m": y})
    panel = Panel.from_frame(frame, entity="cluster_id", period="quarter", freq="Q", indicators={"m": margin})
    result = estimate_control(panel, "m", entity="K1")
    step = np.abs(np.diff(y)).mean() / 1.128
    series = result.tables["series"]
    assert series["upper_limit"].iloc[0] == pytest.approx(y.mean() + 3 * step)
    assert result.method == "xmr_chart"
    with pytest.raises(UsageError, match="QB556"):
        estimate_control(panel, "m", entity="K1", chart="p")
    flat = Panel.from_frame(
        frame.assign(m=2.0), entity="cluster_id", period="quarter", freq="Q", indicators={"m": margin}
    )
    alike = estimate_control(flat, "m", entity="K1")
    assert not alike.estimates
    assert "one and the same value in every period" in alike.say().items[0].en
    assert alike.tables["phases"]["variation"].tolist() == ["all_alike"]
    assert plot_control(alike).title.en == "Margin of K1: all values alike, no verdict"
    two = pd.concat([frame, frame.assign(cluster_id="K2")])
    both = Panel.from_frame(two, entity="cluster_id", period="quarter", freq="Q", indicators={"m": margin})
    with pytest.raises(PanelError, match="QB124"):
        estimate_control(both, "m")


def test_order_of_rows_names_and_other_entities_change_nothing() -> None:
    k, n = RISE
    here = estimate_control(make(k, n), ID, entity="K1")
    frame = make(k, n).data.reset_index().sample(frac=1, random_state=1)
    frame["period"] = frame["period"].astype(str)
    other = frame.assign(entity="A0", **{f"{ID}__k": 1, f"{ID}__n": 2, ID: 50.0})
    both = pd.concat([frame.assign(entity="Z9"), other])
    there = estimate_control(
        Panel.from_frame(both, entity="entity", period="period", freq="Q", indicators={ID: RATE}), ID, entity="Z9"
    )
    pd.testing.assert_frame_equal(here.tables["series"], there.tables["series"])
    pd.testing.assert_frame_equal(here.tables["phases"], there.tables["phases"])


def test_neighbours_that_move_together_are_told() -> None:
    wave = 0.8 + 0.15 * np.sin(np.arange(40) / 2.0)
    n = np.full(40, 200.0)
    k = np.random.default_rng(2).binomial(200, wave).astype(float)
    check = next(c for c in estimate_control(make(k, n), ID).checks if c.name == "independence")
    assert check.passed is False


@pytest.mark.parametrize("memory", ["ewma", "cusum"])
def test_a_path_is_judged_together_with_the_test_and_begins_anew_in_every_phase(memory: str) -> None:
    k, n = RISE
    result = estimate_control(make(k, n), ID, memory=memory)
    assert last(result)["variation"] == "improving"
    assert last(result)["changed_at"] == "2019Q1"
    series, wanted = result.tables["series"], memory_chart(100 * k[None, :] / n, n[None, :], kind=memory)
    assert series["memory_upper"].to_numpy() == pytest.approx(wanted.upper[0])
    assert series["memory_lower"].to_numpy() == pytest.approx(wanted.lower[0])
    check = next(c for c in result.checks if c.name == "memory")
    assert "judged together with the test" in check.text.en
    parted = estimate_control(make(k, n), ID, memory=memory, phases=EVENT)
    assert parted.tables["phases"]["variation"].tolist() == ["common_cause"] * 2
    own = memory_chart(100 * k[None, 20:] / n[20:], n[None, 20:], kind=memory)
    assert parted.tables["series"]["memory_upper"].to_numpy()[20:] == pytest.approx(own.upper[0])
    assert parted.tables["series"].groupby("phase")["memory_limit"].nunique().tolist() == [1, 1]


def test_a_change_of_the_last_two_periods_is_dated_where_the_path_sets_out() -> None:
    k, n = draw(1)
    k[-2:] = np.floor(0.2 * n[-2:])
    plain, path = estimate_control(make(k, n), ID), estimate_control(make(k, n), ID, memory="cusum")
    assert last(path)["variation"] == "worsening"
    assert last(path)["p_value"] <= 0.05
    assert last(path)["changed_at"] >= last(plain)["changed_at"]
    assert last(path)["after"] < last(path)["before"]


def test_no_such_memory_and_a_phase_too_short_for_one() -> None:
    with pytest.raises(UsageError, match="QB144"):
        estimate_control(make(*QUIET), ID, memory="lasting")  # type: ignore[arg-type]
    k, n = QUIET
    short = estimate_control(make(k[:6], n[:6]), ID, memory="ewma")
    assert last(short)["variation"] == "too_short"
    assert short.tables["series"]["memory_limit"].isna().all()
    assert not [c for c in short.checks if c.name == "memory"]


def test_a_chart_without_a_verdict_says_what_it_would_have_found() -> None:
    check = next(c for c in estimate_control(make(*QUIET), ID).checks if c.name == "power")
    assert check.passed is None
    assert "none found is not none there" in check.text.en
    assert "没有发现不等于没有变化" in check.text.zh
    assert not [c for c in estimate_control(make(*RISE), ID).checks if c.name == "power"]


def panel_of(entities: int, *, rho: float = 0.1, share: Sequence[float] | float = 0.9) -> Panel:
    """K1 with a rate of its own, and others like it but for that."""
    others = [
        pd.DataFrame({"cluster_id": f"M{i}", "quarter": QUARTERS, f"{ID}__k": k, f"{ID}__n": n})
        for i, (k, n) in enumerate(draw(100 + i, 0.85, rho=rho) for i in range(entities - 1))
    ]
    return make(*draw(7, share, rho=rho), more=pd.concat(others) if others else None)


def test_over_dispersion_is_learnt_from_the_panel_and_said() -> None:
    panel = panel_of(16)
    pooled, own = (estimate_control(panel, ID, entity="K1", dispersion=d) for d in ("panel", "own"))
    alone = estimate_control(panel_of(1), ID, entity="K1", dispersion="own")
    pd.testing.assert_frame_equal(own.tables["series"], alone.tables["series"])
    pd.testing.assert_frame_equal(own.tables["phases"], alone.tables["phases"])
    assert (pooled.settings["dispersion"], own.settings["dispersion"]) == ("panel", "own")
    assert pooled.settings["dispersion_entities"] == 15
    assert 0.05 < pooled.settings["likeness"] < 0.15
    assert 0 < pooled.settings["likeness_own_share"] < 0.5
    n = panel.counts(ID).loc["K1", "n"]
    wide = np.sqrt(1 + (n.mean() - 1) * pooled.settings["likeness"])
    assert pooled.tables["series"]["sigma_z"].to_numpy() == pytest.approx(wide, rel=1e-3)
    said = pooled.say().items[0]
    assert f"learnt from 15 other entities of the panel and from itself (sigma_Z {wide:.2f}" in said.en
    assert "另外 15 个对象" in said.zh
    assert "learnt from" not in own.say().items[0].en


def test_a_small_panel_falls_back_to_its_own_series_and_says_so() -> None:
    for entities in (1, 8):
        result = estimate_control(panel_of(entities), ID, entity="K1")
        assert (result.settings["dispersion"], result.settings["dispersion_asked"]) == ("own", "panel")
        assert "this series alone, which finds fewer changes" in result.say().items[0].en
        assert "能力较低" in result.say().items[0].zh
    assert estimate_control(panel_of(9), ID, entity="K1").settings["dispersion"] == "panel"
    everybody = estimate_control(panel_of(9), ID)
    assert everybody.settings["dispersion"] == "own"
    assert "learnt from" not in everybody.say().items[0].en


def test_an_entity_that_varies_more_than_its_panel_does_not_borrow() -> None:
    wild = estimate_control(panel_of(16), ID, entity="K1").settings["dispersion"]
    k, n = draw(7, 0.8, rho=0.6)
    more = panel_of(16, rho=0.0).data.drop("K1", level="entity").reset_index()
    more = more.rename(columns={"entity": "cluster_id", "period": "quarter"}).astype({"quarter": str}).drop(columns=ID)
    result = estimate_control(make(k, n, more=more), ID, entity="K1")
    assert (wild, result.settings["dispersion"]) == ("panel", "own")
    assert "vary more than those of the other entities" in result.say().items[0].en
    with pytest.raises(UsageError, match="QB144"):
        estimate_control(make(k, n), ID, dispersion="theirs")  # type: ignore[arg-type]


@pytest.mark.parametrize("memory", ["ewma", "cusum"])
def test_a_path_of_a_pooled_chart_is_drawn_in_the_variance_of_the_panel(memory: str) -> None:
    panel = panel_of(16, share=np.where(np.arange(40) < 20, 0.95, 0.6))
    pooled, own = (estimate_control(panel, ID, entity="K1", memory=memory, dispersion=d) for d in ("panel", "own"))
    assert last(pooled)["variation"] == "worsening"
    assert last(pooled)["p_value"] <= last(own)["p_value"] + 0.01
    # its own spread holds the change, the panel's does not
    for column in ("memory_upper", "memory_lower"):
        assert pooled.tables["series"][column].abs().max() >= own.tables["series"][column].abs().max()
