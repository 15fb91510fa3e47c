"""Before a policy and since it: the sums of either side, with the periods of selection in neither, and no effect."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qbase.core import DataError, Policy, PolicyDate, Spell, Text, UsageError
from qbase.figures import plot_trend, tabulate_changes
from qbase.trends import estimate_change, estimate_level, estimate_trend
from tests.unit.trends.firm_panels import ID, build, draw

QUARTERS = [f"{year}Q{q}" for year in range(2019, 2026) for q in (1, 2, 3, 4)]
ROWS = draw(7, periods=QUARTERS, firms=12, batches=3, icc=0.3, rate=0.85, entities=("K1", "K2"))
PANEL, FIRMS = build(ROWS)


def policy(**dates: str) -> Policy:
    spells = (Spell(entity="K1", start="2022Q1"), Spell(entity="K3", start="2021Q1"))
    given = {name: PolicyDate(on=day, source="文件", confidence="document") for name, day in dates.items()}
    return Policy(policy_id="kiln", title=Text("窑炉改造", "Kilns"), spells=spells, dates=given)  # type: ignore[arg-type]


def sums(entity: str, first: str, last: str) -> tuple[int, int]:
    own = [r for r in ROWS if r[0] == entity and first <= r[1] <= last]
    return sum(r[3] for r in own), sum(r[4] for r in own)


@pytest.mark.parametrize(
    ("entity", "dates", "before", "since"),
    [
        ("K1", {}, "2021Q4", "2022Q1"),
        # the first start is 2021Q1: two quarters of choosing before every start
        ("K1", {"announced": "2020-08-10"}, "2021Q2", "2022Q1"),
        ("K2", {"drafted": "2020-08-10", "announced": "2020-11-01"}, "2020Q2", "2021Q1"),
        ("K2", {"announced": "2021-05-01"}, "2020Q4", "2021Q1"),
    ],
)
def test_both_sides_are_the_added_counts_without_the_quarters_of_selection(
    entity: str, dates: dict[str, str], before: str, since: str
) -> None:
    given = policy(**dates)
    (n0, k0), (n1, k1) = sums(entity, "2019Q1", before), sums(entity, since, "2025Q4")
    level = estimate_level(PANEL, ID, entity=entity, window="since_policy", policy=given)
    spoken = level.estimates[level.spoken[0]]
    assert (spoken.n_obs, spoken.value) == (n1, pytest.approx(100 * k1 / n1))
    assert spoken.key["period"] == f"{since}–2025Q4"
    change = estimate_change(PANEL, ID, entity=entity, against="since_policy", policy=given)
    assert change["change"].value == pytest.approx(100 * (k1 / n1 - k0 / n0))
    assert change["change"].n_obs == n0 + n1
    assert change["change"].key["first"] == f"2019Q1–{before}"
    trend = estimate_trend(PANEL, ID, entity=entity, window="since_policy", policy=given)
    alone = estimate_trend(PANEL, ID, entity=entity, first=since)
    assert trend["trend"].value == alone["trend"].value


def test_firms_of_either_side_are_paired_as_in_two_periods() -> None:
    renamed = [(e, "2021Q4" if q < "2022Q1" else "2025Q4", f, n, k) for e, q, f, n, k in ROWS if e == "K1"]
    data = pd.DataFrame(renamed, columns=["e", "q", "f", "n", "k"]).groupby(["e", "q", "f"], as_index=False).sum()
    panel, firms = build(list(data.itertuples(index=False, name=None)))
    by_hand = estimate_change(panel, ID, entity="K1", first="2021Q4", last="2025Q4", firms=firms)["change"]
    found = estimate_change(PANEL, ID, entity="K1", firms=FIRMS, against="since_policy", policy=policy())["change"]
    assert (found.value, found.ci_low, found.ci_high) == (by_hand.value, by_hand.ci_low, by_hand.ci_high)


def test_it_is_before_and_after_and_says_so_in_every_estimate() -> None:
    given = policy(announced="2020-08-10")
    results = [
        estimate_level(PANEL, ID, entity="K1", window="since_policy", policy=given),
        estimate_change(PANEL, ID, entity="K1", against="since_policy", policy=given),
        estimate_trend(PANEL, ID, entity="K1", window="since_policy", policy=given),
        estimate_change(PANEL, ID, against="since_policy", policy=given),
    ]
    for result in results:
        (check,) = [c for c in result.checks if c.name == "no_comparison"]
        assert check.passed is None
        assert "没有比较对象" in check.text.zh
        assert "no comparison group" in check.text.en
        assert result.estimand != "att"
        assert not any("effect" in text.en for text in result.say().items)
    assert results[1].grade == "limited"
    assert "政策开始前" in results[1].say().items[0].zh
    assert "2 periods before the start" in results[1].checks[1].text.en
    assert "no start of its own" in next(c.text.en for c in results[3].checks if c.name == "no_comparison")
    with pytest.raises(DataError, match="QB703"):
        plot_trend(results[0])
    table = tabulate_changes(estimate_level(PANEL, ID, entity="K1"), results[1])
    assert table.rows[1][0].zh == "政策前后：2022Q1–2025Q4 比 2019Q1–2021Q2"  # type: ignore[union-attr]


def test_what_cannot_be_parted_is_refused_by_name() -> None:
    for estimate, words in (
        (estimate_level, {"window": "since_policy"}),
        (estimate_trend, {"window": "since_policy"}),
        (estimate_change, {"against": "since_policy"}),
    ):
        with pytest.raises(UsageError, match="QB532"):
            estimate(PANEL, ID, entity="K1", **words)  # type: ignore[operator]
        late = dataclasses.replace(policy(), spells=(Spell(entity="K1", start="2026Q2"),))
        with pytest.raises(DataError, match="QB533"):
            estimate(PANEL, ID, entity="K1", policy=late, **words)  # type: ignore[operator]
    data = PANEL.data.assign(**{f"{ID}__lo": PANEL.data[ID], f"{ID}__hi": PANEL.data[ID]})
    weighted = dataclasses.replace(PANEL, data=data, sampling="random_draw")
    with pytest.raises(DataError, match="QB528"):
        estimate_level(weighted, ID, entity="K1", window="since_policy", policy=policy())
