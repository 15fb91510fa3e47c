"""What a panel holds, in words; letters made from templates."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Policy, Spell, Text
from qbase.core.errors import UsageError
from qbase.core.periods import parse_period
from qbase.explore import add_letter, describe_panel, list_templates, new_workspace
from qbase.explore.panel_words import longest_gap
from qbase.lake import Workspace
from qbase.reports import list_specs, read_parameters

RATE = Indicator(id="D1.batch", clause="", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")


def panel_of(cells: dict[str, list[str]]) -> Panel:
    rows = [
        {"cluster_id": c, "period": p, "D1.batch": 90.0, "D1.batch__n": 10, "D1.batch__k": 9}
        for c, periods in cells.items()
        for p in periods
    ]
    return Panel.from_frame(
        pd.DataFrame(rows), entity="cluster_id", period="period", freq="Q", indicators={"D1.batch": RATE}
    )


def test_a_panel_with_gaps_is_told() -> None:
    panel = panel_of({"A": ["2022Q1", "2022Q2", "2022Q3", "2022Q4"], "B": ["2022Q1", "2022Q4"], "C": ["2022Q2"]})
    policy = Policy(
        policy_id="p",
        title=Text("创建基地", "base"),
        spells=tuple(Spell(entity=e, start=parse_period("2022Q3")) for e in ("A", "Z")),
    )
    told = describe_panel(panel, policy)
    english = [text.en for text in told.items]
    assert english[0] == (
        "The panel holds 3 entities over 4 periods (2022Q1 to 2022Q4); cells observed: 7 (58.3%); "
        "entities seen in every period: 1; not balanced."
    )
    assert english[1] == "Entities with gaps: 1, longest gap in periods: 2 (B); late entries: 1, early exits: 1."
    assert "median count per cell 10" in english[2]
    assert english[3] == (
        "Policy “base”: adopters 1 (2022Q3: 1), never treated 2; adopted by the first period 0, "
        "adopters outside the panel 1."
    )
    assert "不平衡" in told.items[0].zh
    assert len(describe_panel(panel).items) == 3


def test_where_the_values_lie_is_drawn_in_the_sentence() -> None:
    rates = [50.0, *[80.0] * 8, *[90.0] * 3, 100.0]
    rows = [{"cluster_id": f"K{i:02d}", "period": "2022Q1", "D1.batch": rate} for i, rate in enumerate(rates)]
    panel = Panel.from_frame(
        pd.DataFrame(rows), entity="cluster_id", period="period", freq="Q", indicators={"D1.batch": RATE}
    )
    told = describe_panel(panel).items[2]
    # steps of five from 50 to 100: one, eight at 80, three at 90, one at the end
    assert "middle half 80.0% to 90.0%" in told.en
    assert "10 equal steps from minimum to maximum ▁·····█·▃▁." in told.en
    assert "▁·····█·▃▁" in told.zh
    flat = describe_panel(panel_of({"A": ["2022Q1", "2022Q2"]})).items[2]
    assert "equal steps" not in flat.en, "where all are alike there is nothing to draw"


def test_a_balanced_panel_is_called_so() -> None:
    told = describe_panel(panel_of({"A": ["2022Q1", "2022Q2"], "B": ["2022Q1", "2022Q2"]}))
    assert told.items[0].zh.endswith("平衡。")
    assert "不平衡" not in told.items[0].zh
    assert told.items[1].en == "Entities with gaps: none; late entries: 0, early exits: 0."


@pytest.mark.parametrize(("row", "gap"), [("1111", 0), ("1001", 2), ("0101100", 1), ("1", 0), ("0000", 0), ("0010", 0)])
def test_the_longest_gap(row: str, gap: int) -> None:
    assert longest_gap(np.array([c == "1" for c in row])) == gap


@pytest.mark.parametrize("template", ["trends", "effects"])
def test_a_template_is_a_sound_letter(tmp_path: pathlib.Path, template: str) -> None:
    assert template in list_templates()
    folder = tmp_path / "study"
    written = new_workspace(folder, template=template)
    workspace = Workspace(folder)
    spec = list_specs(workspace)[0]
    notebook = json.loads((workspace.root / spec.notebook).read_text(encoding="utf-8"))
    declared = read_parameters(workspace.root / spec.notebook)
    assert set(spec.params) <= {p.name for p in declared}
    assert all(p.help.zh and p.help.en for p in declared)
    codes = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    tags = [t for c in notebook["cells"] for t in c["metadata"].get("tags", ())]
    assert tags.count("zh") == tags.count("en") > 0
    assert len(codes) <= 12
    assert all(len(c["source"]) <= 10 for c in codes)
    assert all(path.is_file() for path in written)
    with pytest.raises(UsageError) as caught:
        add_letter(workspace, template)
    assert caught.value.code == "QB910"
