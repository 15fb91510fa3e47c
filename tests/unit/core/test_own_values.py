"""Values and options of a researcher's own work: what a unit cannot hold, two scales, and misspelt words."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from qbase.core import Estimate, Indicator, Panel, Policy, PolicyDate, Spell, Text
from qbase.core.errors import DataError, PanelError, QbaseError, UsageError
from qbase.effects import estimate_event_study, estimate_twfe
from qbase.indicators import find_indicator
from qbase.planning import plan_batches
from qbase.scorecards import score_targets
from qbase.trends import estimate_change, estimate_level

NAME = Text("指标", "indicator")
GOOD = [90.0, 92.0, 88.0, 95.0, 91.0, 93.0]


def read(values: object, *, unit: str = "pct", better: str = "up", **options: object) -> Panel:
    column = np.asarray(values, dtype=float)
    entities = np.repeat([f"K{i}" for i in range(len(column) // 2)], 2)
    frame = pd.DataFrame({"e": entities, "t": ["2022Q3", "2022Q4"] * (len(column) // 2), "y": column})
    for companion in ("n", "k"):
        if companion in options:
            frame[f"y__{companion}"] = options.pop(companion)
    bounds = options.pop("bounds", None)
    indicator = Indicator(id="y", name=NAME, unit=unit, better=better, bounds=bounds)  # type: ignore[arg-type]
    return Panel.from_frame(frame, entity="e", period="t", freq="Q", indicators={"y": indicator}, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("unit", "wrong"),
    [
        *[("pct", v) for v in (-99, -0.5, 100.5, 110, 9999, math.inf)],
        *[("count", v) for v in (-1, -99, -9999, 99999, -math.inf)],
        *[("share", v) for v in (1.2, 93, -0.1)],
        *[("index", v) for v in (-99999, 99999)],
        *[("wan_cny", v) for v in (-9999, 999999)],
        ("flag", 2),
        ("day", -3),
    ],
)
def test_what_a_unit_cannot_hold_is_refused(unit: str, wrong: float) -> None:
    fine = [0.1, 0.9, 0.5, 0.4, 0.8] if unit in {"share", "flag"} else GOOD[:5]
    with pytest.raises(PanelError) as caught:
        read([*fine, wrong], unit=unit)
    assert caught.value.code == "QB138"
    assert "first K2 2022Q4" in caught.value.found


def test_what_a_unit_can_hold_is_taken() -> None:
    assert read([0, 100, 50, 99, 98, 97]).data["y"].max() == 100
    assert read([-3.0, 4, 120, 0.5, 8, 9], bounds=(-100, math.inf)).data["y"].max() == 120
    assert read([999, 998, 950, 1200, 99, 1], unit="count").data["y"].max() == 1200
    assert read([-250, 99, 40, 10, 3, 8], unit="wan_cny").data["y"].min() == -250
    growth = find_indicator("L4.output").indicator
    frame = pd.DataFrame({"e": ["K1", "K1"], "t": [2022, 2023], "L4.output": [-12.0, 130.0]})
    panel = Panel.from_frame(frame, entity="e", period="t", freq="A", indicators={"L4.output": growth})
    assert panel.data["L4.output"].tolist() == [-12.0, 130.0]


@pytest.mark.parametrize("better", ["up", "down", "none"])
@pytest.mark.parametrize(
    "values",
    [
        [0.9, 0.92, 0.88, 0.95, 0.91, 0.93],
        [0.09, 0.12, 0.08, 0.15, 0.1, 0.07],
        [0.9, 0.92, 88, 95, 91, 93],
        [90, 0.92, 88, 0.95, 91, 0.93],
        [0.05, 0.2, 5, 20, 8, 12],
        [0.05, 0.2, 0.5, 40, 5, 30],
    ],
)
def test_shares_among_percent_are_refused_whole_or_in_part(better: str, values: list[float]) -> None:
    with pytest.raises(PanelError) as caught:
        read(values, better=better)
    assert caught.value.code == "QB134"
    assert read(values, better=better, in_percent=True).data["y"].tolist() == values


def test_shares_are_turned_into_percent_when_the_caller_says_so() -> None:
    assert read([0.9, 0.95], in_percent=False).data["y"].tolist() == [90.0, 95.0]
    with pytest.raises(PanelError, match="QB138"):
        read([0.9, 95], in_percent=False)


def test_percent_that_run_down_to_small_values_are_believed() -> None:
    values = [0.4, 1.2, 3.5, 0.9, 12.0, 7.5]
    assert read(values, better="down").data["y"].tolist() == values


def test_tiny_shares_are_seen_by_their_counts() -> None:
    n, k = np.full(6, 2000), np.array([3, 5, 4, 6, 2, 7])
    with pytest.raises(PanelError, match="QB134"):
        read(k / n, better="down", n=n, k=k)
    assert read(100 * k / n, better="down", n=n, k=k).data["y"].max() == 0.35
    with pytest.raises(PanelError, match="QB138"):
        read(GOOD, n=[10, 10, -1, 10, 10, 10])


@pytest.mark.parametrize(
    ("options", "fix"),
    [
        ({"better": "Up"}, 'better="up"'),
        ({"better": None}, "better="),
        ({"unit": "percent"}, 'unit="pct"'),
        ({"unit": "%"}, 'unit="pct"'),
        ({"unit": "百分点"}, "unit="),
        ({"unit": "万元"}, 'unit="wan_cny"'),
        ({"role": "outcom"}, 'role="outcome"'),
        ({"counted": "batches"}, 'counted="batch"'),
        ({"name": 3}, "name=Text("),
        ({"bounds": (100, 0)}, "bounds="),
        ({"bounds": 100}, "bounds="),
    ],
)
def test_a_misspelt_word_of_an_indicator_is_refused_with_the_nearest(options: dict[str, object], fix: str) -> None:
    with pytest.raises(UsageError) as caught:
        Indicator(**({"id": "y", "name": NAME, "unit": "pct", "better": "up"} | options))  # type: ignore[arg-type]
    assert caught.value.code == "QB144"
    assert fix in caught.value.fix


def test_misspelt_words_of_other_values_are_refused() -> None:
    spell = Spell(entity="K1", start=pd.Period("2022Q3"))
    calls = [
        lambda: read(GOOD, sampling="random"),
        lambda: read(GOOD, labels={"K1": 3}),
        lambda: PolicyDate(on="2022-08-10", source="通知", confidence="sure"),  # type: ignore[arg-type]
        lambda: Policy(policy_id="p", title=NAME, spells=(spell,), kind="Binary"),  # type: ignore[arg-type]
        lambda: Policy(policy_id="p", title=NAME, spells=(spell,), dates={"started": None}),  # type: ignore[dict-item]
        lambda: Estimate(term="att", value=1.0, ci_low=0.0, ci_high=2.0, uncertainty="bayes"),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(UsageError, match="QB144"):
            call()
    with pytest.raises(DataError, match="QB110"):
        Estimate(term="att", value=1.0, ci_low=0.0, ci_high=2.0, ci_level=95)


def _effect_case() -> tuple[Panel, Policy]:
    rng = np.random.default_rng(2)
    rows = [(f"K{e}", f"202{y}Q{q}", 50 + rng.normal()) for e in range(8) for y in (0, 1) for q in range(1, 5)]
    frame = pd.DataFrame(rows, columns=["e", "t", "y"])
    score = Indicator(id="y", name=NAME, unit="score", better="up")
    panel = Panel.from_frame(frame, entity="e", period="t", freq="Q", indicators={"y": score})
    spells = tuple(Spell(entity=f"K{e}", start=pd.Period("2021Q1")) for e in range(4))
    return panel, Policy(policy_id="p", title=NAME, spells=spells)


@pytest.mark.parametrize(
    ("option", "wrong", "code"),
    [
        *[("margin", m, "QB507") for m in (-5, 0, math.nan, math.inf, "5", True)],
        *[("level", v, "QB503") for v in (95, 1.0, 0.4, math.nan, "0.95", None)],
        *[("event_times", v, "QB519") for v in ([0.9, 1.2], "01", 0, [None], [])],
        *[("leads", v, "QB519") for v in (3.5, "4", math.nan)],
        *[("lags", v, "QB519") for v in (0.5, [1])],
        *[("seed", v, "QB519") for v in (-1, 1.5, None)],
        ("subject", 3, "QB144"),
    ],
)
def test_options_of_an_effect_are_checked(option: str, wrong: object, code: str) -> None:
    panel, policy = _effect_case()
    estimate = estimate_event_study if option in {"leads", "lags", "seed"} else estimate_twfe
    with pytest.raises(QbaseError) as caught:
        estimate(panel, policy, "y", **{option: wrong})  # type: ignore[arg-type]
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 4


def test_whole_numbers_of_other_kinds_are_taken() -> None:
    panel, policy = _effect_case()
    study = estimate_event_study(panel, policy, "y", leads=3.0, lags=np.int64(2), subject="试点镇")  # type: ignore[arg-type]
    assert (study.settings["leads"], study.settings["lags"], study.subject.en) == (3, 2, "试点镇")


def test_advice_on_event_times_does_not_lead_to_the_same_error() -> None:
    panel, policy = _effect_case()
    kept = panel.data[panel.data.index.get_level_values("period") != pd.Period("2020Q4")]
    holed = Panel(data=kept, entity="e", freq="Q", indicators=panel.indicators)
    with pytest.raises(DataError, match="QB520") as caught:
        estimate_event_study(holed, policy, "y", leads=3)
    assert "estimate_twfe" in caught.value.fix
    with pytest.raises(DataError, match="QB520") as caught:
        estimate_event_study(panel, policy, "y", leads=9, lags=9)
    advised = dict(part.split("=") for part in caught.value.fix.split(", "))
    assert estimate_event_study(panel, policy, "y", **{k: int(v) for k, v in advised.items()}).estimates


def test_trends_check_margin_period_and_entity() -> None:
    panel = read(GOOD, n=[100] * 6, k=GOOD)
    with pytest.raises(UsageError, match="QB507"):
        estimate_change(panel, "y", first="2022Q3", margin=-5)
    for wrong in ("2022", pd.Period("2022-10", freq="M"), pd.Timestamp("2022-10-01"), 2022):
        with pytest.raises(UsageError, match="QB101"):
            estimate_level(panel, "y", period=wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="QB501"):
        estimate_level(panel, "y", entity=3)  # type: ignore[arg-type]


def test_a_share_where_percent_is_planned_is_asked_about() -> None:
    for wrong in (0.93, 1, "93", math.nan, 101):
        with pytest.raises(UsageError, match="QB540"):
            plan_batches(wrong, half_width_pp=2.0)  # type: ignore[arg-type]
    assert plan_batches(0.93, half_width_pp=2.0, in_percent=True).settings["rate_pct"] == 0.93


def test_one_result_is_judged_like_a_list_of_one() -> None:
    rate = find_indicator("D1.batch").indicator
    frame = pd.DataFrame({"e": ["K1"], "t": ["2024Q4"], "D1.batch": [98.0], "D1.batch__n": [400], "D1.batch__k": [392]})
    panel = Panel.from_frame(frame, entity="e", period="t", freq="Q", indicators={"D1.batch": rate})
    result = estimate_level(panel, "D1.batch", entity="K1")
    assert score_targets(result).criteria == score_targets([result]).criteria
