"""Drawings of the design lab, of specification curves and of synthetic controls, by the rules of every drawing."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence

import pandas as pd
import pytest

from qbase.core import CheckResult, DataError, Estimate, Figure, Indicator, Result, Text
from qbase.core.numbers import MINUS
from qbase.figures import plot_design_power, plot_effect, plot_specifications, plot_synthetic
from tests.unit.figures import test_drawings as every
from tests.unit.figures.drawing_rules import RULES

RATE, SOURCE, TITLE, policy, events, twfe, texts_of = (
    getattr(every, name) for name in ("RATE", "SOURCE", "TITLE", "policy", "events", "twfe", "texts_of")
)


def lab_power(
    designs: Sequence[str] = ("imputation", "staggered"), *, axes: Sequence[str] = ("treated", "batches")
) -> Result:
    rows = []
    for axis in axes:
        for i, at in enumerate((2.0, 4.5, 18.0, 72.0)):
            for j, design in enumerate(designs):
                found = float("nan") if (i, j) == (0, 1) else 12.0 + 22 * i - 9 * j
                row = {
                    "axis": axis, "at": at, "design": design, "n_treated": 5, "n_entities": 12, "n_periods": 14,
                    "made": ("subsample", "subsample", "observed", "model")[i] if axis == "batches" else "observed",
                    "draws": 100, "size_pct": 5.0, "size_low_pct": 1.6, "size_high_pct": 11.3, "unanswered_pct": 0.0,
                    "found_pct": found, "found_low_pct": found - 8, "found_high_pct": found + 8,
                    "detectable": 11.7 - i if i else float("inf"), "detectable_low": 10.9 - i,
                    "detectable_high": 12.6 - i if i > 1 else float("inf"),
                }  # fmt: skip
                rows.append(row)
    found = Estimate(term="detectable", key={"axis": "batches", "at": 72.0, "design": "imputation"}, value=8.7,
                     ci_low=7.9, ci_high=9.6, uncertainty="randomisation")  # fmt: skip
    names = {"imputation": Text("插补估计", "imputation"), "staggered": Text("组别·时期估计", "group-time effects")}
    smallest = Indicator(
        id="D1.batch.detectable", name=Text("最小可发现效果", "smallest effect found"), unit="pp", better="down"
    )
    return Result(
        estimand="level", outcome=smallest, unit="pp", method="placebo_power", estimates=(found,), spoken=(),
        subject=TITLE, tables={"power": pd.DataFrame(rows)}, settings={"effect": 8.0, "power": 0.8}, sources=(SOURCE,),
        notes=(Text("批次更多的按模型推算。", "More batches are by a model."),),
        labels={"outcome": RATE.label, **{f"design[{d}]": names[d] for d in designs}},
    )  # fmt: skip


def specification(method: str, value: float, half: float | None, **settings: object) -> Result:
    doubt = {"uncertainty": "none_too_few"} if half is None else {
        "ci_low": value - half, "ci_high": value + half, "std_error": half / 2}  # fmt: skip
    att = Estimate(term="att", value=value, n_treated=5, n_obs=443, n_clusters=12, **doubt)
    return Result(
        estimand="effect", outcome=RATE, unit="pp", method=method, estimates=(att,), sources=(SOURCE,),
        subject=Text("采用政策的集群", "treated clusters"),
        settings={"policy": "base", "weight": "equal", "level": 0.95, "sampling": "naive", **settings},
    )  # fmt: skip


SPECIFICATIONS = (
    specification("imputation", 3.3, 5.6, base="average before"),
    specification("group_time", -1.5, 19.2, base=-1, control="not_yet"),
    specification("imputation_logit", 3.6, 5.9, base="average before"),
    specification("before_after", 4.4, 2.9),
    specification("sdid", 5.1, None),
)


QUARTERS = tuple(f"{y}Q{q}" for y in range(2016, 2023) for q in (1, 2, 3, 4))


def synthetic(n_donors: int = 8, periods: Sequence[str] = QUARTERS) -> Result:
    n = len(periods)
    gap = [0.4 * (-1) ** i if i < n - 8 else 0.9 * (i - n + 9) for i in range(n)]
    treated = [80 + 0.3 * i + g for i, g in enumerate(gap)]
    paths = {
        "period": list(periods),
        "treated": treated,
        "synthetic": [t - g for t, g in zip(treated, gap, strict=True)],
    }
    donors = [
        {"entity": f"K{d}", "period": p, "gap": (d - n_donors / 2) * (0.1 + 0.1 * (i > n - 8)), "rmspe_ratio": 1.0 + d}
        for d in range(n_donors)
        for i, p in enumerate(periods)
    ]
    att = Estimate(term="att", value=4.0, n_treated=1, p_value=1 / (n_donors + 1), p_floor=1 / (n_donors + 1),
                   uncertainty="none_too_few", std_error=1.2)  # fmt: skip
    later = tuple(dataclasses.replace(att, term="event", key={"event_time": i}, value=gap[n - 8 + i]) for i in range(8))
    check = CheckResult(name="rmspe_ratio", passed=None, text=Text(
        "政策后与政策前差距（均方根）之比为 6.2，在 9 个中排第 1 位。",
        "The gap after is 6.2 times that before."))  # fmt: skip
    return Result(
        estimand="effect", outcome=RATE, unit="pp", method="sdid", estimates=(att, *later), checks=(check,),
        subject=Text("望埭镇集群", "Wangdai cluster"), sources=(SOURCE,),
        tables={"synthetic": pd.DataFrame({**paths, "gap": gap}), "placebos": pd.DataFrame(donors)},
    )  # fmt: skip


CASES: dict[str, Callable[[], Figure]] = {
    "power": lambda: plot_design_power(lab_power()),
    "power_one": lambda: plot_design_power(lab_power(("imputation",), axes=("treated", "batches", "years"))),
    "specifications": lambda: plot_specifications(*SPECIFICATIONS),
    "synthetic": lambda: plot_synthetic(synthetic(), policy=policy("2021Q1")),
    "synthetic_gaps": lambda: plot_synthetic(synthetic(3, [*QUARTERS[::3], *[f"{y}Q4" for y in range(2024, 2027)]])),
    "synthetic_many": lambda: plot_synthetic(synthetic(60, [str(y) for y in range(1970, 2001)])),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return {name: make() for name, make in CASES.items()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removeprefix("test_"))
@pytest.mark.parametrize("name", CASES)
def test_every_drawing_keeps_the_rules(drawn: dict[str, Figure], name: str, rule: Callable[..., None]) -> None:
    rule(drawn, name)


@pytest.mark.parametrize("name", CASES)
def test_the_same_input_gives_the_same_bytes(drawn: dict[str, Figure], name: str) -> None:
    assert CASES[name]().payload() == drawn[name].payload()


def test_power_is_drawn_as_it_is_in_the_table(drawn: dict[str, Figure]) -> None:
    figure, table = drawn["power"], lab_power().tables["power"]
    assert figure.title == Text(
        "8.0 个百分点的效果，现有条件下 56% 能发现", "8.0 percentage points: found in 56% as things are"
    )
    assert [v for v in figure.table.data["found_pct"] if v is not None] == table["found_pct"].dropna().tolist()
    assert figure.table.data["found_pct"][1] is None
    assert figure.table.rows[0][-1] == Text("发现不了", "none")
    assert figure.table.rows[4][-1] == Text("9.7 (8.9–10.6)", "9.7 (8.9–10.6)")
    assert figure.table.rows[2][-1] == Text("10.7（至少 9.9）", "10.7 (9.9 or more)")
    shown = texts_of(figure.drawings["en_wide"])
    assert {"imputation", "group-time effects", "Treated", "Batches a cell", "Share found (%)", "72", "4.5"} <= set(
        shown
    )
    # squares, circles: the marks of two designs, of which one value is missing and one point a panel is by the model
    svg = figure.drawings["zh_wide"]
    assert "var(--gold)" in svg
    assert "treated 2: 12%" in figure.alt.en.replace("Treated", "treated")


def test_specifications_stand_in_order_with_what_they_assume(drawn: dict[str, Figure]) -> None:
    figure = drawn["specifications"]
    assert figure.table.data["value"] == [-1.5, 3.3, 3.6, 4.4, 5.1]
    assert figure.title.en == "Batch pass rate: 1 of 5 assumptions tell a direction"
    assert figure.table.data["parallel"][1:3] == ["Parallel in points", "Parallel in log-odds"]
    assert figure.table.data["base"][0] == f"Period {MINUS}1"
    # all of them take all batches: that tells nothing apart
    assert "draws" not in figure.table.data
    shown = texts_of(figure.drawings["en_wide"])
    assert {"Average before", "Parallel in log-odds", "Nothing else changed"} <= set(shown)
    turned = plot_specifications(*SPECIFICATIONS[::-1])
    assert turned.payload() == figure.payload()
    for one, other in (
        (SPECIFICATIONS[:1], "1 result"),
        ((SPECIFICATIONS[0], specification("group_time", 1.0, 2.0, weight="n")), "weight"),
        ((SPECIFICATIONS[0], twfe("iid", (0.1, 0.2))), "twfe"),
    ):
        with pytest.raises(DataError) as error:
            plot_specifications(*one)
        assert error.value.code == "QB712"
        assert other in error.value.found


def test_a_synthetic_control_shows_both_paths_and_every_placebo(drawn: dict[str, Figure]) -> None:
    figure, result = drawn["synthetic"], synthetic()
    for column in ("treated", "synthetic", "gap"):
        assert figure.table.data[column] == result.tables["synthetic"][column].tolist()
    svg = figure.drawings["zh_wide"]
    faint = [e for e in ET.fromstring(svg).iter("path") if "stroke:var(--line)" in e.get("style", "")]  # noqa: S314
    assert len(faint) >= 8
    assert "6.2" in figure.note.zh
    assert "政策实施 2021Q1" in texts_of(svg)
    assert "p = 0.11" in figure.alt.en
    for plot, result_of, code in ((plot_synthetic, events(), "QB713"), (plot_design_power, events(), "QB711")):
        with pytest.raises(DataError) as error:
            plot(result_of)
        assert error.value.code == code


def test_an_effect_against_a_synthetic_comparison_is_drawn_among_its_placebos() -> None:
    result = synthetic()
    assert plot_effect(result).name == plot_synthetic(result).name
    alone = dataclasses.replace(result, tables={"synthetic": result.tables["synthetic"]})
    assert plot_effect(alone).name.startswith("paths:")
