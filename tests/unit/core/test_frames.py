"""A researcher's own frame: what it becomes, and every way it can be wrong."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Text
from qbase.core.errors import PanelError

ID = "D1.batch"
RATE = Indicator(id=ID, name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
Change = Callable[[pd.DataFrame], object]


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "town": ["A", "A", "B", "B"],
            "quarter": ["2020Q1", "2020Q2", "2020Q1", "2020Q2"],
            ID: [90.0, 80.0, 70.0, 100.0],
            f"{ID}__n": [10, 10, 10, 4],
            f"{ID}__k": [9, 8, 7, 4],
        }
    )


def put(column: str, values: object) -> Change:
    return lambda d: d.assign(**{column: values})


def read(given: object, **options: object) -> Panel:
    call = {"entity": "town", "period": "quarter", "freq": "Q", "indicators": {ID: RATE}} | options
    return Panel.from_frame(given, **call)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "quarters",
    [
        ["2020Q1", "2020Q2", "2020Q1", "2020Q2"],
        ["2020-Q1", "2020 q2", " 2020Q1 ", "2020q2"],
        ["2020-02-29", "2020-04-01", "2020-1-1", "2020-06-30"],
        pd.to_datetime(["2020-02-29", "2020-04-01", "2020-01-01", "2020-06-30"]),
        pd.PeriodIndex(["2020Q1", "2020Q2", "2020Q1", "2020Q2"], freq="Q"),
        list(pd.PeriodIndex(["2020Q1", "2020Q2", "2020Q1", "2020Q2"], freq="Q")),
    ],
)
def test_a_quarter_is_read_in_every_clear_spelling(quarters: object) -> None:
    panel = read(frame().assign(quarter=quarters).iloc[::-1])
    assert [str(p) for p in panel.periods] == ["2020Q1", "2020Q2"]
    assert panel.data[ID].tolist() == [90.0, 80.0, 70.0, 100.0]


@pytest.mark.parametrize("years", [[2020, 2021, 2020, 2021], [2020.0, 2021.0] * 2, ["2020", "2021"] * 2])
def test_a_year_is_read_from_numbers_and_text(years: object) -> None:
    assert [str(p) for p in read(frame().assign(quarter=years), freq="A").periods] == ["2020", "2021"]


def test_rates_rounded_to_whole_percent_agree_with_their_counts() -> None:
    given = frame().assign(**{ID: [33.0, 80.0, 70.0, 100.0], f"{ID}__n": [3, 10, 10, 4], f"{ID}__k": [1, 8, 7, 4]})
    assert read(given).data[ID].iloc[0] == 33.0
    nothing = frame().assign(**{ID: [np.nan, 80.0, 70.0, 100.0], f"{ID}__n": [0, 10, 10, 4], f"{ID}__k": [0, 8, 7, 4]})
    assert np.isnan(read(nothing).data[ID].iloc[0])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda d: pd.concat([d, d.head(1)]), "QB122"),
        (put("quarter", ["2020", "2020Q2", "2020Q1", "2020Q2"]), "QB102"),
        (put("quarter", [2020, 2021, 2020, 2021]), "QB102"),
        (put("quarter", [44000, 44100, 44000, 44100]), "QB102"),
        (put("quarter", ["2020Q5", "2020Q2", "2020Q1", "2020Q2"]), "QB102"),
        (put("quarter", "2020-02-30"), "QB102"),
        (put("quarter", pd.PeriodIndex(["2020-01", "2020-04"] * 2, freq="M")), "QB102"),
        (put("quarter", pd.PeriodIndex(["2020Q1", "2020Q2"] * 2, freq="Q-MAR")), "QB102"),
        (put("quarter", [None, "2020Q2", "2020Q1", "2020Q2"]), "QB121"),
        (put("town", [None, "A", "B", "B"]), "QB121"),
        (put("town", [" ", "A", "B", "B"]), "QB121"),
        (put(ID, ["90%", "80%", "70%", "100%"]), "QB129"),
        (put(ID, [True, False, True, True]), "QB129"),
        (put(f"{ID}__n", ["10", "10", "10", "4"]), "QB129"),
        (put(ID, [0.9, 0.8, 0.7, 1.0]), "QB133"),
        (put(ID, [np.nan, 80.0, 70.0, 100.0]), "QB133"),
        (lambda d: d.assign(**{ID: [0.9, 0.8, 0.7, 1.0]}).drop(columns=[f"{ID}__n", f"{ID}__k"]), "QB134"),
        (put(f"{ID}__k", [11, 8, 7, 4]), "QB128"),
        (put(f"{ID}__k", [-1, 8, 7, 4]), "QB128"),
        (put(f"{ID}__k", [np.nan, 8, 7, 4]), "QB128"),
        (put(f"{ID}__n", [np.nan, 10, 10, 4]), "QB128"),
        (lambda d: d.assign(**{f"{ID}__k": [9.04, 8, 7, 4]}), "QB128"),
        (lambda d: d.assign(**{f"{ID}__lo": 95.0, f"{ID}__hi": 90.0}), "QB135"),
        (lambda d: pd.concat([d, d[["town"]]], axis=1), "QB136"),
        (lambda d: pd.concat([d, d[[ID]]], axis=1), "QB136"),
        (lambda d: d.set_index(["town", "quarter"]), "QB120"),
        (lambda d: d.to_dict("list"), "QB120"),
        (lambda d: d.head(0), "QB127"),
    ],
)
def test_a_broken_frame_is_refused_in_four_lines(change: Change, code: str) -> None:
    with pytest.raises(PanelError) as caught:
        read(change(frame()))
    assert caught.value.code == code
    assert len(str(caught.value).splitlines()) == 4


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"freq": "M"}, "QB102"),
        ({"freq": "A"}, "QB102"),
        ({"indicators": [ID]}, "QB137"),
        ({"indicators": {}}, "QB137"),
        ({"entity": "quarter"}, "QB136"),
        ({"period": "month"}, "QB120"),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused(options: dict[str, object], code: str) -> None:
    with pytest.raises(PanelError) as caught:
        read(frame(), **options)
    assert caught.value.code == code


def test_small_shares_in_percent_are_believed() -> None:
    loss = Indicator(id="D3b.loss", name=Text("质量损失率", "quality-loss rate"), unit="pct", better="down")
    given = frame().rename(columns={ID: "D3b.loss"}).assign(**{"D3b.loss": [0.9, 0.8, 0.7, 0.6]})
    assert read(given, indicators={"D3b.loss": loss}, in_percent=True).data["D3b.loss"].max() == 0.9
    assert read(given, indicators={"D3b.loss": loss}, in_percent=False).data["D3b.loss"].max() == 90
    with pytest.raises(PanelError, match="QB134"):
        read(given, indicators={"D3b.loss": loss})
