"""A result goes into the tables of maketables as it stands: every estimate, its interval, and no command in a name."""

from __future__ import annotations

import maketables

from qbase.core import Estimate, Indicator, Result, Text
from qbase.core.results.shown_cards import clean_cell

RATE = Indicator(id="D1.batch", name=Text("合格率", "pass_rate & more"), unit="pct", better="up")
NAMES = {"entity[K001]": Text("甲", "A_1 & 50 %")}


def rates(*values: float, periods: tuple[str, ...] = ("2025Q1", "2025Q2")) -> Result:
    found = tuple(
        Estimate(
            term="rate",
            value=v,
            ci_low=v - 3,
            ci_high=v + 2,
            p_value=0.001,
            n_obs=40,
            key={"entity": "K001", "period": p},
        )
        for v, p in zip(values, periods, strict=True)
    )
    return Result(
        estimand="level", outcome=RATE, unit="pct", method="wilson", estimates=found, subject=RATE.name, labels=NAMES
    )


def test_every_estimate_stands_with_its_interval_in_every_form() -> None:
    table = maketables.ETable(
        [rates(93.3, 94.5), rates(80.0, 70.25)], coef_fmt="b:.1f \n [ci95l:.1f, ci95u:.1f]", model_stats=["N"]
    )
    for kind in ("tex", "typst"):
        text = str(table.make(type=kind)).replace("\\[", "[").replace("\\]", "]")
        assert "*" not in text.split("Significance")[0]
        assert all(told in text for told in ("93.3", "[90.3, 95.3]", "94.5", "70.2", "[67.2, 72.2]", "40")), text


def test_no_name_is_a_command() -> None:
    text = maketables.ETable([rates(93.3, 94.5)], coef_fmt="b:.1f").make(type="tex")
    assert "A_1" not in text
    assert "甲" in text or "A＿1 ＆ 50 ％" in text
    assert clean_cell("a_b & {c} //") == "a＿b ＆ ｛c｝ ／／"


def test_estimates_of_one_name_stay_apart() -> None:
    table = rates(93.3, 94.5, periods=("2025Q1", "2025Q1")).__maketables_coef_table__
    assert table["b"].tolist() == [93.3, 94.5]
    assert table.index.is_unique
