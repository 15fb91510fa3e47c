from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from qbase.core import DataError, Indicator, Panel, PanelError, Policy, PolicyError, Spell, Text, UsageError
from qbase.effects import estimate_before_after

RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
SEASON = np.array([0.0, -5.0, 3.0, 8.0])


def panel_of(values: dict[str, list[float]], first: str = "2019Q1") -> Panel:
    rows = []
    for entity, path in values.items():
        for period, y in zip(pd.period_range(first, periods=len(path), freq="Q"), path, strict=True):
            rows.append((entity, str(period), y))
    frame = pd.DataFrame(rows, columns=["cluster_id", "period", "rate"])
    return Panel.from_frame(
        frame, entity="cluster_id", period="period", freq="Q", indicators={"rate": RATE}, in_percent=True
    )


def policy_of(**starts: str) -> Policy:
    spells = tuple(Spell(entity=e, start=s) for e, s in starts.items())
    return Policy(policy_id="pilot", title=Text("试点", "Pilot"), spells=spells)


def seasonal(n: int, *, level: float = 80.0, since: int, gain: float) -> list[float]:
    return [level + SEASON[t % 4] + gain * (t >= since) for t in range(n)]


def test_only_like_seasons_are_compared() -> None:
    # 6 quarters before, 5 after: plain means would differ by the seasons alone
    values = {k: seasonal(11, since=6, gain=g) for k, g in (("A", 1.0), ("B", 3.0), ("C", 8.0))}
    result = estimate_before_after(panel_of(values), policy_of(A="2020Q3", B="2020Q3", C="2020Q3"), "rate")
    assert result.tables["changes"]["change"].tolist() == pytest.approx([1.0, 3.0, 8.0])
    att = result["att"]
    assert att.value == pytest.approx(4.0)
    error = np.std([1.0, 3.0, 8.0], ddof=1) / np.sqrt(3)
    assert att.std_error == pytest.approx(error)
    assert att.ci_high == pytest.approx(4.0 + stats.t.ppf(0.975, 2) * error)
    assert att.p_value == pytest.approx(stats.ttest_1samp([1.0, 3.0, 8.0], 0).pvalue)


def test_it_is_a_change_without_a_cause_and_limited() -> None:
    values = {k: seasonal(16, since=8, gain=5.0 + g) for k, g in (("A", 0.0), ("B", 0.1), ("C", 0.2), ("D", 0.1))}
    policy = policy_of(A="2021Q1", B="2021Q1", C="2021Q1", D="2021Q1")
    # all treated at once and nobody else: what the comparing designs refuse
    result = estimate_before_after(panel_of(values), policy, "rate", margin=1.0)
    assert (result.estimand, result.grade, result.unit) == ("change", "limited", "pp")
    said = result.say().items[0]
    assert "no comparison group" in said.en
    assert "limited evidence" in said.en
    assert "没有比较对象" in said.zh
    assert any("must not be put down to the policy" in note.en for note in result.notes)
    assert result.settings["margin"] == 1.0


@pytest.mark.parametrize("n", [1, 2])
def test_below_three_treated_there_is_no_interval(n: int) -> None:
    values = {k: seasonal(16, since=8, gain=5.0) for k in ("A", "B")[:n]}
    result = estimate_before_after(panel_of(values), policy_of(**dict.fromkeys(("A", "B")[:n], "2021Q1")), "rate")
    assert (result["att"].uncertainty, result["att"].ci_low, result["att"].p_value) == ("none_too_few", None, None)
    assert result["att"].value == pytest.approx(5.0)
    assert result.subject.en == ("A" if n == 1 else "treated clusters")


def test_each_has_its_own_start_and_its_share() -> None:
    values = {
        "A": seasonal(16, since=8, gain=2.0),
        "B": seasonal(16, since=4, gain=6.0),
        "C": seasonal(16, since=8, gain=4.0),
    }
    policy = policy_of(A="2021Q1", B="2020Q1", C="2021Q1")
    equal = estimate_before_after(panel_of(values), policy, "rate")
    given = estimate_before_after(panel_of(values), policy, "rate", weight={"A": 1, "B": 2, "C": 1})
    assert equal["att"].value == pytest.approx(4.0)
    assert given["att"].value == pytest.approx((2 + 12 + 4) / 4)
    assert given["att"].n_effective == pytest.approx(16 / 6)
    short = estimate_before_after(panel_of(values), policy, "rate", window=4)
    assert short.tables["changes"]["periods_before"].tolist() == [4, 4, 4]


def test_who_lacks_a_like_season_is_named() -> None:
    values = {k: seasonal(16, since=8, gain=2.0) for k in ("A", "B", "C")}
    panel = panel_of({**values, "D": [81.0]}, first="2019Q1")
    result = estimate_before_after(panel, policy_of(A="2021Q1", B="2021Q1", C="2021Q1", D="2021Q1"), "rate")
    assert "1 left out without a like season on both sides (D)" in result.checks[0].text.en
    assert result["att"].n_treated == 3


def test_refusals() -> None:
    panel = panel_of({"A": seasonal(8, since=4, gain=1.0)})
    for start, options in (("2019Q1", {}), ("2022Q1", {}), ("2020Q1", {"window": 3})):
        if options:
            assert estimate_before_after(panel, policy_of(A=start), "rate", window=4)["att"].value == pytest.approx(1)
        with pytest.raises(DataError, match="QB587"):
            estimate_before_after(panel_of({"A": [1.0, 2.0, 9.0]}), policy_of(A=start), "rate", **options)
    with pytest.raises(PolicyError, match="QB510"):
        estimate_before_after(panel, policy_of(Z="2020Q1"), "rate")
    with pytest.raises(PanelError, match="QB124"):
        estimate_before_after(panel, policy_of(A="2020Q1"), "rate", weight="n")
    for options in ({"weight": "size"}, {"weight": {"B": 1.0}}, {"window": 0}):
        with pytest.raises(UsageError, match="QB519"):
            estimate_before_after(panel, policy_of(A="2020Q1"), "rate", **options)
