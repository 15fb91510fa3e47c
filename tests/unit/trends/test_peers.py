"""Entities beside each other: who is named, what chance would do, and when there is no answer."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qbase.core import DataError, Indicator, Panel, PanelError, Text, UsageError, conclude
from qbase.core.results.records import record
from qbase.figures import plot_funnel, tabulate_estimates
from qbase.stats import newcombe_interval, wilson_interval
from qbase.trends import compare_peers, estimate_gap, rank_entities
from qbase.trends.peers.peer_words import say_expected

RATE = Indicator(id="y", name=Text("合格率", "pass rate"), unit="pct", better="up")
Rows = list[tuple[str, str, int, int]]
NAMES = {"A": Text("甲镇集群", "Alpha cluster"), "B": Text("乙镇集群", "Beta cluster")}


def panel_of(rows: Rows, *, freq: str = "Q", cells: pd.DataFrame | None = None, **how: object) -> Panel:
    frame = pd.DataFrame(rows, columns=["cluster_id", "when", "y__n", "y__k"])
    frame["y"] = 100 * frame["y__k"] / frame["y__n"]
    if how.get("sampling"):
        low, high = wilson_interval(frame["y__k"], frame["y__n"])
        frame["y__lo"], frame["y__hi"], frame["y__n_eff"] = 100 * low, 100 * high, 0.9 * frame["y__n"]
    panel = Panel.from_frame(
        frame, entity="cluster_id", period="when", freq=freq, indicators={"y": RATE}, labels=NAMES, **how
    )
    return dataclasses.replace(panel, cells=cells)


def year(passed: dict[str, int], n: int = 100, when: str = "2024") -> Rows:
    return [(entity, when, n, k) for entity, k in passed.items()]


EVEN = dict(zip("ABCDEFGHIJKL", [93, 92, 94, 91, 95, 93, 92, 94, 91, 95, 93, 92], strict=True))
LOW = {**EVEN, "B": 70}


def checks_of(result) -> dict[str, bool | None]:
    return {check.name: check.passed for check in result.checks}


def test_a_funnel_names_who_lies_outside_and_says_what_chance_would_do() -> None:
    result = compare_peers(panel_of(year(LOW), freq="A"), "y")
    rows = result.tables["peers"].set_index("entity")
    assert rows.loc[rows["outside"] != "", "outside"].to_dict() == {"B": "low_998"}
    # rows stand by id, whatever the rates
    assert list(rows.index) == sorted(rows.index)
    expected = result.settings["expected_95"]
    assert 0.2 < expected < 0.6
    assert result.say().items[0] == Text(
        "2024 年 12 个产业集群中 11 个的合格率与平均 91.1%（n = 1,200 批）的差别属正常波动。低于 99.8% 下限：乙镇集群"
        "（70.0%，n = 100）。界限已按各对象本来的差别放宽；"
        "仅凭偶然，12 个中不到 1 个在 95% 界限之外，几乎没有在 99.8% 界限之外。",
        "In 2024 the pass rate of 11 of 12 clusters differs from their mean of 91.1% (n = 1,200 batches) by no more "
        "than routine variation. Below the 99.8% limit: Beta cluster (70.0%, n = 100). Limits are widened by "
        "how far all lie apart anyway. By chance alone fewer than one of 12 would lie outside the 95% limits and "
        "hardly any outside the 99.8% limits.",
    )
    for row in rows.itertuples():
        assert row.low_998_pct <= row.low_95_pct <= result["mean"].value <= row.high_95_pct <= row.high_998_pct


def test_how_many_lie_outside_by_chance_is_said_as_a_reader_counts() -> None:
    said = [say_expected(value).en for value in (0.01, 0.46, 0.96, 2.6, 52.3)]
    assert said == ["hardly any", "fewer than one", "about 1", "about 3", "about 52"]
    # how much limits were widened stands among the limits of the method
    notes = compare_peers(panel_of(year(LOW), freq="A"), "y").notes
    assert any("φ = " in note.zh for note in notes)


def test_where_nobody_lies_outside_nobody_is_named() -> None:
    result = compare_peers(panel_of(year(EVEN), freq="A"), "y")
    said = result.say().items[0]
    assert "all 12 clusters" in said.en
    assert "Alpha" not in said.en
    assert "均属正常波动" in said.zh
    assert "widened" not in said.en
    assert conclude(result).lead == said


def test_a_window_adds_up_counts_and_says_who_is_missing() -> None:
    rows = [(e, f"2024Q{q}", 25, k // 4) for e, k in LOW.items() for q in (1, 2, 3, 4) if (e, q) != ("F", 4)]
    panel = panel_of([*rows, ("Z", "2022Q1", 30, 30)])
    result = compare_peers(panel, "y")
    assert result.tables["peers"].set_index("entity").loc["F", "n"] == 75
    assert checks_of(result)["all_entities"] is None
    assert result.settings["first"] == "2024Q1"
    by_year = compare_peers(panel, "y", period="2024")
    pd.testing.assert_frame_equal(by_year.tables["peers"], result.tables["peers"])
    two = compare_peers(panel, "y", period=("2024Q2", "2024Q3"))
    assert two.tables["peers"]["n"].tolist() == [50] * 12
    assert "2024 Q2 to 2024 Q3" in two.say().items[0].en
    assert "2024 年第 2 季度至 2024 年第 3 季度" in two.say().items[0].zh


def test_batches_as_drawn_are_moderate_evidence_at_most() -> None:
    naive, drawn = (panel_of(year(LOW), freq="A", **how) for how in ({}, {"sampling": "random_draw"}))
    assert compare_peers(naive, "y").grade == "moderate"
    assert compare_peers(drawn, "y").grade == "strong"
    assumed = panel_of(year(LOW), freq="A", sampling="post_stratified")
    assert (compare_peers(assumed, "y").grade, estimate_gap(assumed, "y", entity="B").grade) == ("moderate", "moderate")
    assert estimate_gap(naive, "y", entity="B").say().grades == ("moderate",)
    assert estimate_gap(drawn, "y", entity="B").say().grades == ("strong",)
    shares = {**dict.fromkeys(EVEN, 50), "A": 90, "B": 10}
    cells = pd.DataFrame(
        [
            (e, pd.Period("2024", "Y-DEC"), s, n)
            for e, k in shares.items()
            for s, n in (("random", k), ("directed", 100 - k))
        ],
        columns=["entity", "period", "sampling", "n"],
    )
    apart = compare_peers(panel_of(year(LOW), freq="A", cells=cells), "y")
    assert checks_of(apart)["same_drawing"] is False
    assert apart.grade == "limited"
    assert "10% to 90%" in next(c.text.en for c in apart.checks if c.name == "same_drawing")
    alike = compare_peers(panel_of(year(LOW), freq="A", cells=cells.assign(n=50)), "y")
    assert checks_of(alike)["same_drawing"] is True


def test_few_peers_leave_the_spread_unknown_and_nobody_else_leaves_no_lead() -> None:
    few = compare_peers(panel_of(year({"A": 93, "B": 70}), freq="A"), "y")
    assert checks_of(few)["enough_peers"] is False
    assert (few.grade, few.settings["dispersion"]) == ("limited", "none")
    alone = panel_of([*year({"A": 93}), *year(EVEN, when="2023")], freq="A")
    for result in (
        compare_peers(alone, "y"),
        estimate_gap(alone, "y", entity="A"),
        rank_entities(panel_of(year({"A": 93}), freq="A", sampling="random_draw"), "y"),
    ):
        assert result.estimates == ()
        assert "nobody but Alpha cluster was tested" in result.say().items[0].en
        assert "领先还是落后无从谈起" in result.say().items[0].zh
        assert "Not compared: no peer was tested" in tabulate_estimates(result).plain()


def test_a_gap_is_the_rate_less_the_pooled_rate_of_the_others() -> None:
    panel = panel_of(year(LOW), freq="A")
    rest = sum(k for e, k in LOW.items() if e != "B")
    gap = estimate_gap(panel, "y", entity="B")["gap"]
    assert gap.value == pytest.approx(70 - rest / 11)
    low, high = newcombe_interval((70, rest), (100, 1100))
    assert (gap.ci_low, gap.ci_high) == pytest.approx((100 * low, 100 * high), abs=0.6)
    one = estimate_gap(panel, "y", entity="B", peers=["A", "A", "B"])
    assert (one["gap"].ci_low, one["gap"].ci_high) == pytest.approx(
        tuple(100 * x for x in newcombe_interval((70, 93), (100, 100)))
    )
    assert one["gap"].key["peers"] == 1
    assert "its one peer" in one.say().items[0].en
    said = estimate_gap(panel, "y", entity="B").say().items[0]
    ends = f"{-gap.ci_high:.1f}", f"{-gap.ci_low:.1f}"
    assert said == Text(
        f"2024 年乙镇集群的合格率比其余 11 个产业集群的平均可能低，估计低 23.0 个百分点（95% CI {ends[0]}～{ends[1]}；"
        "n = 1,200 批；证据中等）。",
        "In 2024 the pass rate of the Beta cluster probably lies an estimated 23.0 percentage points below the mean of "
        f"its 11 peers (95% CI {ends[0]}–{ends[1]}; n = 1,200 batches; moderate evidence).",
    )
    even = estimate_gap(panel_of(year(EVEN), freq="A"), "y", entity="A")
    assert "cannot be told" in even.say().items[0].en
    assert "高于还是低于" in even.say().items[0].zh
    assert "Cannot tell: could be below or above its peers" in tabulate_estimates(even).plain()
    assert (
        "Probably 23.0 percentage points below its peers"
        in tabulate_estimates(estimate_gap(panel, "y", entity="B")).plain()
    )


def test_ranks_are_given_only_where_draws_are_weighted() -> None:
    rows = year({"A": 392, "B": 200, "C": 380, "D": 384}, n=400)
    naive = rank_entities(panel_of(rows, freq="A"), "y")
    assert naive.estimates == ()
    assert "不排位次" in naive.say().items[0].zh
    ranks = rank_entities(panel_of(rows, freq="A", sampling="random_draw"), "y")
    table = ranks.tables["ranks"].set_index("entity")
    assert table["rank"].to_dict() == {"A": 1, "D": 2, "C": 3, "B": 4}
    assert (table.loc["B", "rank_low"], table.loc["B", "rank_high"]) == (4, 4)
    assert table.loc["A", "rank_high"] == 3
    said = ranks.say()
    assert len(said.items) == 1
    assert said.items[0] == Text(
        "按 2024 年的合格率，4 个产业集群的 6 对中只有 3 对分得出先后（95%，同时成立）：3 个可能居首，1 个可能居末。"
        "确在下半的有：乙镇集群。",
        "By pass rate in 2024, 3 of 6 pairs of 4 clusters can be put in order (95%, all at once): 3 may be first and 1 "
        "may be last. Surely in the lower half: Beta cluster.",
    )
    shown = tabulate_estimates(ranks).plain()
    assert "Alpha cluster | 1 | 1–3 | 400" in shown


def test_where_lower_is_better_the_lowest_is_first_and_thin_samples_order_nobody() -> None:
    rows = year({"A": 40, "B": 200, "C": 180, "D": 44}, n=400)
    fails = dataclasses.replace(RATE, better="down")
    panel = panel_of(rows, freq="A", sampling="random_draw")
    panel = dataclasses.replace(panel, indicators={"y": fails})
    table = rank_entities(panel, "y").tables["ranks"].set_index("entity")
    assert table["rank"].to_dict() == {"A": 1, "D": 2, "C": 3, "B": 4}
    assert table.loc["A", "rank_high"] == 2
    thin = rank_entities(panel_of(year(dict.fromkeys("ABCDEF", 8), n=9), freq="A", sampling="random_draw"), "y")
    assert checks_of(thin)["order_seen"] is False
    assert "no two of 6 clusters" in thin.say().items[0].en


def test_what_cannot_be_compared_is_refused() -> None:
    quarters = [(e, f"2024Q{q}", 25, 20) for e in "ABC" for q in (1, 2)]
    drawn, naive = panel_of(quarters, sampling="random_draw"), panel_of(quarters)
    for call, kind, code in (
        (lambda: compare_peers(drawn, "y", period=("2024Q1", "2024Q2")), DataError, "QB537"),
        (lambda: rank_entities(drawn, "y", period="2024"), DataError, "QB537"),
        (lambda: compare_peers(drawn, "y", level=0.9), DataError, "QB505"),
        (lambda: compare_peers(naive, "y", period="2020Q1"), DataError, "QB502"),
        (lambda: compare_peers(naive, "y", period="soon"), UsageError, "QB101"),
        (lambda: compare_peers(naive, "y", level=95), UsageError, "QB503"),
        (lambda: compare_peers(naive, "y", dispersion="some"), UsageError, "QB144"),
        (lambda: compare_peers(naive, "z"), PanelError, "QB123"),
        (lambda: estimate_gap(naive, "y", entity="Z"), UsageError, "QB501"),
        (lambda: estimate_gap(naive, "y", entity="A", peers=["Z"]), UsageError, "QB501"),
        (lambda: estimate_gap(naive, "y", entity="A", peers=["A"]), DataError, "QB538"),
        (
            lambda: estimate_gap(panel_of([*quarters, ("D", "2023Q1", 9, 9)]), "y", entity="D", period="2024Q1"),
            DataError,
            "QB502",
        ),
    ):
        with pytest.raises(kind) as error:
            call()
        assert error.value.code == code


def test_results_can_be_recorded_and_leave_the_panel_as_it_was() -> None:
    panel = panel_of(year(LOW), freq="A", sampling="random_draw")
    before = panel.data.copy()
    results = compare_peers(panel, "y"), estimate_gap(panel, "y", entity="A"), rank_entities(panel, "y")
    assert record(*results) is not None
    assert len({r.name for r in results}) == 3
    pd.testing.assert_frame_equal(panel.data, before)


def test_who_was_not_tested_of_late_is_not_compared_and_says_so() -> None:
    rows = [*year(EVEN, when="2024"), ("Z", "2020", 50, 40)]
    panel = panel_of(rows, freq="A")
    gap = estimate_gap(panel, "y", entity="Z")
    assert not gap.estimates
    assert "has no figure for 2024 and is not compared with its peers" in gap.say().items[0].en
    assert "没有抽查数字" in gap.say().items[0].zh
    with pytest.raises(DataError, match="QB502"):
        estimate_gap(panel, "y", entity="Z", period="2024")
    alone = estimate_gap(panel_of(year({"A": 90}), freq="A"), "y", entity="A")
    assert not alone.estimates
    assert "nobody but Alpha cluster was tested" in alone.say().items[0].en


def test_a_funnel_names_whom_the_reader_asks_for() -> None:
    result = compare_peers(panel_of(year(EVEN), freq="A"), "y")
    plain, asked = plot_funnel(result), plot_funnel(result, entity="A")
    assert all("Alpha cluster" not in svg for name, svg in plain.drawings.items() if "en" in name)
    drawn = [svg for name, svg in asked.drawings.items() if "en" in name]
    assert drawn
    assert all("Alpha" in svg for svg in drawn)
