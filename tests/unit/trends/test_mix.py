"""Who was inspected and by whom: words, checks and refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from qbase.core.errors import DataError, UsageError
from qbase.core.text import Text
from qbase.core.values import Indicator
from qbase.figures import plot_decomposition
from qbase.indicators import GroupCounts, Maturity, build_group_counts, build_panel, find_group_counts, read_maturity
from qbase.indicators.maturity.maturity_table import add_bounds
from qbase.release import protect
from qbase.trends import decompose_mix, estimate_change, estimate_laboratories, read_laboratories

RATE = Indicator(id="y", name=Text("合格率", "pass rate"), unit="pct", better="up")
# each size passes as often as before; more small firms were drawn
STEADY = [
    ("A", "2023Q4", "large", 200, 190),
    ("A", "2023Q4", "small", 100, 80),
    ("A", "2024Q4", "large", 100, 95),
    ("A", "2024Q4", "small", 300, 240),
]


def counts_of(rows: list[tuple[str, str, str, int, int]], *, firms: int = 0, by: str = "size") -> GroupCounts:
    frame = pd.DataFrame(rows, columns=["entity", "period", by, "n", "k"])
    if firms:
        frame["firm"] = np.arange(len(frame)) % firms
    names = {"size": Text("规模", "size"), "laboratory": Text("检验机构", "laboratory")}
    return build_group_counts(frame, indicator=RATE, by=(by,), names=names)


def checks_of(result) -> dict[str, bool | None]:
    return {check.name: check.passed for check in result.checks}


def test_a_fall_that_is_only_who_was_inspected_says_so() -> None:
    result = decompose_mix(counts_of(STEADY))
    assert result["change"].value == pytest.approx(-6.25)
    assert result["composition"].value == pytest.approx(-6.25)
    assert result["within"].value == pytest.approx(0, abs=1e-9)
    assert result.find("adjusted_change", mix="pooled").value == pytest.approx(0, abs=1e-9)
    first, kept = result.say().items
    assert first == Text(
        "2023 年第 4 季度到 2024 年第 4 季度全部对象的合格率相差 −6.2 个百分点（n = 700），"
        "其中 −6.2 个百分点（95% CI −8.7 至 −3.8）来自抽查对象的构成（按规模），"
        "0.0 个百分点（95% CI −5.5 至 5.5）来自同类之内。",
        "Of the −6.2 percentage points between 2023 Q4 and 2024 Q4 in the pass rate of all entities (n = 700), −6.2 "
        "percentage points (95% CI −8.7 to −3.8) come from who was inspected (by size), 0.0 percentage points (95% CI "
        "−5.5 to 5.5) from within groups of one kind.",
    )
    assert kept.en.startswith("With the mix of 2023 Q4 kept, between 2023 Q4 and 2024 Q4 the pass rate")
    assert "cannot tell" in kept.en
    assert checks_of(result) == {
        "small_n": True, "same_sampling": None, "common_groups": True, "group_sizes": True
    }  # fmt: skip
    plain = estimate_change(counts_of(STEADY).panel, "y", first="2023Q4", last="2024Q4")
    assert plain["change"].value == pytest.approx(result["change"].value)


def test_tables_hold_each_group_and_the_firms_behind_it() -> None:
    result = decompose_mix(counts_of(STEADY * 2, firms=8))
    groups = result.tables["groups"]
    assert groups[["factor", "group", "n_first", "k_last", "n_firms"]].to_numpy().tolist() == [
        ["size", "large", 400, 190, 2],
        ["size", "small", 200, 480, 2],
    ]
    assert groups[["composition_pp", "within_pp"]].to_numpy().sum() == pytest.approx(result["change"].value)
    assert result["change"].n_clusters == 8
    assert protect(result, profile="internal") is result
    with pytest.raises(DataError, match="QB750"):
        protect(result, profile="external")


def test_groups_of_one_period_small_ones_and_unknown_ones_are_told() -> None:
    rows = [("A", q, s, 3, 2) for q in ("2023Q4", "2024Q4") for s in ("large", "micro")]
    rows += [("A", "2023Q4", "small", 10, 9), ("A", "2024Q4", None, 10, 8)]
    checks = checks_of(decompose_mix(counts_of(rows)))
    assert checks["common_groups"] is False
    assert checks["group_sizes"] is False
    assert checks["known_groups"] is False
    apart = counts_of([("A", "2023Q4", "large", 9, 8), ("A", "2024Q4", "small", 9, 8)])
    with pytest.raises(DataError, match="QB588"):
        decompose_mix(apart, first="2023Q4", last="2024Q4")
    assert "no group was inspected in both periods" in unanswered(decompose_mix(apart))


def unanswered(result) -> str:
    assert not result.estimates
    (said,) = result.say().items
    assert said.zh
    assert "{" not in said.zh + said.en
    return said.en


def test_where_a_mix_cannot_be_told_apart_it_says_why() -> None:
    rows = [("A", "2024Q4", "large", 9, 8), ("B", "2023Q4", "large", 9, 8), ("B", "2024Q4", "large", 9, 7)]
    counts = counts_of(rows)
    assert "not told apart: not compared: nothing was tested a year ago" in unanswered(
        decompose_mix(counts, entity="A")
    )
    with pytest.raises(DataError, match="QB502"):
        decompose_mix(counts, entity="A", first="2023Q4", last="2024Q4")
    missing = dataclasses.replace(counts, cells=counts.cells[:0], missing=Text("没有", "only batches are counted"))
    assert unanswered(decompose_mix(missing)).endswith("is not told apart: only batches are counted.")
    assert unanswered(estimate_laboratories(missing, by="size")).endswith("(size): only batches are counted.")


def test_sums_of_periods_are_told_apart_like_those_periods() -> None:
    quarters = [
        ("A", f"{year}Q{q}", size, n, k)
        for year, size, n, k in ((2023, "large", 40, 38), (2023, "small", 20, 16), (2024, "large", 20, 19),
                                 (2024, "small", 60, 48))
        for q in (1, 2, 3)
    ]  # fmt: skip
    result = decompose_mix(counts_of(quarters), against="cumulative")
    whole = [(e, f"{p[:4]}Q4", s, 3 * n, 3 * k) for e, p, s, n, k in quarters if p.endswith("Q1")]
    plain = decompose_mix(counts_of(whole))
    assert result["composition"].value == pytest.approx(plain["composition"].value)
    assert result["change"].n_obs == plain["change"].n_obs == 420
    assert "between Q1–Q3 of 2023 and Q1–Q3 of 2024 in the pass rate" in result.say().items[0].en
    assert "Q1–Q3 of 2024 vs Q1–Q3 of 2023" in plot_decomposition(result).subtitle.en
    before = decompose_mix(counts_of(quarters), against="previous")
    assert before.settings["first"] == "2024Q2"
    assert before["change"].value == pytest.approx(0)
    with pytest.raises(UsageError, match="QB527"):
        decompose_mix(counts_of(quarters), against="last_week")


def test_the_mix_of_entities_is_a_factor_as_well() -> None:
    rows = [(e, q, "small", n, k) for e, q, n, k in (
        ("A", "2023Q4", 100, 95), ("B", "2023Q4", 50, 40), ("A", "2024Q4", 50, 48), ("B", "2024Q4", 100, 80)
    )]  # fmt: skip
    counts = counts_of(rows)
    result = decompose_mix(counts, by=("entity", "size"))
    assert result.find("composition_by", factor="size").value == pytest.approx(0, abs=1e-9)
    assert result.find("composition_by", factor="size").std_error is None
    assert result["composition"].value == pytest.approx(100 / 3 * (0.955 - 0.8) * -1)
    assert decompose_mix(counts, entity="B")["change"].value == pytest.approx(0)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ({"by": ("product",)}, "QB592"),
        ({"entity": "Z"}, "QB501"),
        ({"first": "2024Q4", "last": "2023Q4"}, "QB504"),
        ({"first": "2020Q1"}, "QB502"),
        ({"level": 95}, "QB503"),
    ],
)
def test_what_cannot_be_asked_is_refused(words: dict[str, object], code: str) -> None:
    with pytest.raises((UsageError, DataError), match=code):
        decompose_mix(counts_of(STEADY), **words)


def test_counts_that_are_not_the_panels_are_refused() -> None:
    counts = counts_of(STEADY)
    other = counts.cells.assign(k=counts.cells["k"] - (counts.cells.index == 1))
    with pytest.raises(DataError, match="QB593") as caught:
        dataclasses.replace(counts, cells=other)
    assert "1 cells, first A 2023Q4" in str(caught.value)
    with pytest.raises(UsageError, match="QB592"):
        build_group_counts(pd.DataFrame({"entity": ["A"]}), indicator=RATE, by=("size",))


def laboratories(lenient: int) -> GroupCounts:
    """Three laboratories on two clusters; c lets so many more of 60 pass, and cluster A sends it most."""
    rows = []
    for q in ("2023Q4", "2024Q4"):
        for e, sizes in (("A", (20, 20, 60)), ("B", (60, 60, 20))):
            for lab, n in zip("abc", sizes, strict=True):
                rows.append((e, q, lab, n, round(n * (0.75 + lenient / 60 * (lab == "c")))))
    return counts_of(rows, by="laboratory")


def test_a_lenient_laboratory_is_told_from_a_good_cluster() -> None:
    result = estimate_laboratories(laboratories(12), entity="A")
    labs, leads = result.tables["laboratories"].set_index("laboratory"), result.tables["leads"].set_index("entity")
    assert labs.loc["c", "raw_pp"] == pytest.approx(20, abs=1e-6)
    assert labs.loc["c", "ci_low"] > 0
    assert leads.loc["A", "lead_pp"] == pytest.approx(20 * (60 / 100 - 20 / 140))
    assert leads.loc["A", "left_pp"] == pytest.approx(0, abs=1e-6)
    assert leads.loc["A", "explained_share_pct"] == pytest.approx(100)
    assert checks_of(result)["laboratories_alike"] is False
    said = result.say().items[0]
    assert said.en.startswith(
        "The standard deviation of the pass rate between laboratories of all entities is estimated"
    )
    assert "Most lenient: c +" in said.en
    assert "A lies +9.1 (95% CI" in said.en
    assert "最宽：c +" in said.zh


def test_laboratories_are_not_compared_on_preliminary_quarters() -> None:
    counts = laboratories(3)
    quarters = list(counts.panel.periods)
    plain = estimate_laboratories(counts)
    late = estimate_laboratories(counts, maturity=maturity_of(counts, quarters[-1:]))
    kept = counts.cells["period"] < quarters[-1]
    assert late["spread"].n_obs == counts.cells.loc[kept, "n"].sum() < plain["spread"].n_obs
    assert (plain.settings["last"], late.settings["last"]) == ("2024Q4", "2023Q4")
    whole = estimate_laboratories(counts, maturity=maturity_of(counts, quarters))
    assert unanswered(whole).endswith("(laboratory): every period is preliminary.")


def maturity_of(counts: GroupCounts, young: list[pd.Period]) -> Maturity:
    """A quarter of the batches of some quarters is tested and not published."""
    tested = counts.panel.counts("y")[["n", "k"]].astype("int64")
    waiting = np.where(tested.index.get_level_values("period").isin(young), tested["n"] // 4 + 1, 0)
    table = pd.DataFrame(
        {"n_sampled": 0, "n_tested": waiting, "n_objection": 0, "n_final": tested["n"] - waiting,
         "k_final": np.minimum(tested["k"], tested["n"] - waiting), "unseen_count": 0}, index=tested.index,
    )  # fmt: skip
    return Maturity(table=add_bounds(table), by_age=pd.DataFrame(), as_of="2026-01-15", least_share=0.95)


def test_alike_laboratories_are_called_alike_and_no_share_is_told_of_no_lead() -> None:
    result = estimate_laboratories(laboratories(0))
    assert checks_of(result)["laboratories_alike"] is True
    assert result["spread"].p_value > 0.9
    assert result.tables["leads"]["explained_share_pct"].isna().all()


def test_laboratories_are_not_compared_where_none_shares_a_cluster_with_another() -> None:
    said = unanswered(estimate_laboratories(counts_of(STEADY, by="laboratory")))
    assert "(laboratory): fewer than three laboratories" in said
    with pytest.raises(UsageError, match="QB592"):
        estimate_laboratories(laboratories(3), by="inspector")
    assert "fewer than three" in unanswered(estimate_laboratories(laboratories(3), within=("laboratory",)))
    assert "fewer than three" in unanswered(estimate_laboratories(laboratories(3), first="2025Q1"))


def test_the_kept_comparison_of_laboratories_says_of_an_entity_what_a_new_one_says(demo_lake):
    panel = build_panel(demo_lake, "D1.batch")
    counts = find_group_counts(demo_lake, panel, "D1.batch", by=("laboratory",))
    for entity in ("K001", None):
        new = estimate_laboratories(counts, entity=entity)
        for _ in range(2):  # made, then read
            kept = read_laboratories(demo_lake, panel, "D1.batch", entity=entity)
            assert kept.say().items == new.say().items
            assert kept.checks == new.checks
            own = [e for e in new.estimates if e.key.get("entity", entity) == entity]
            assert kept.estimates == tuple(own)


def test_laboratories_of_a_weighted_panel_are_left_uncompared_with_the_reason(demo_lake):
    panel = build_panel(demo_lake, "D1.batch", sampling="random_draw")
    found = read_laboratories(demo_lake, panel, "D1.batch", entity="K001")
    assert not found.estimates
    assert "is not looked into" in found.unanswered.en


def test_a_kept_comparison_of_laboratories_is_that_of_its_window_and_its_day(demo_lake):
    outcome = "D1.batch"

    def counted(panel, maturity=None):
        kept = read_laboratories(demo_lake, panel, outcome, maturity=maturity)
        counts = find_group_counts(demo_lake, panel, outcome, by=("laboratory",))
        assert kept.say().items == estimate_laboratories(counts, maturity=maturity).say().items
        return kept.estimates[0].n_obs

    whole, short = (build_panel(demo_lake, outcome, first=first) for first in (None, "2022Q1"))
    today, before = (read_maturity(demo_lake, as_of=day) for day in (None, "2025-03-31"))
    counted(whole)
    with pytest.raises(DataError) as caught:  # and not the answer of the whole
        read_laboratories(demo_lake, short, outcome)
    assert caught.value.code == "QB593"
    assert counted(whole, before) < counted(whole, today)
