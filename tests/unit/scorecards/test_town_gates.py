"""Gates of towns against sums over their clusters, and what is kept of them under all that decides it."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from qbase.core.errors import DataError, UsageError
from qbase.indicators.kept import kept_values as kept
from qbase.lake import Workspace
from qbase.scorecards import read_dose_rows, read_gates, read_preset, score_gates
from qbase.scorecards.doses import dose_rows
from qbase.scorecards.gates import gate_data
from tests.unit.indicators.sampled_lake import directed_sample, draw, firms, frame, put

TOWN, OTHER, OLD = "990021101", "990021102", "990021103"


def in_town(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    # the second cluster lies in the town under the code it had before a merger
    return [{**row, "town_code": OLD if row["cluster_id"] == "K2" else TOWN} for row in rows]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    found = Workspace.create(pathlib.Path(tmp_path_factory.mktemp("home")))
    began, ended = datetime.date(2011, 1, 1), datetime.date(2019, 12, 31)
    towns = [(TOWN, None, None), (OTHER, None, None), (OLD, ended, TOWN)]
    rows = [
        {"town_code": c, "town_name": f"{c}镇", "county_name": "甲县", "valid_from_date": began, "valid_to_date": e,
         "successor_code": s}
        for c, e, s in towns
    ]  # fmt: skip
    put(found, "towns", rows)
    clusters = [{"cluster_id": k, "industry_code": "2822", "cluster_name": f"{k}集群"} for k in ("K1", "K2")]
    put(found, "clusters", in_town(clusters))
    put(found, "firms", in_town(firms("K1", "K2")))
    put(found, "frame", frame("K1", "K2"))
    put(found, "inspections", [*directed_sample("K1"), *directed_sample("K2")])
    return found


def same(a: Any, b: Any) -> None:
    assert type(a) is type(b)
    if isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_exact=True)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, Mapping):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, pd.PeriodIndex):
        assert a.equals(b)
    else:
        assert a == b


def test_a_town_is_judged_on_the_draws_of_all_its_clusters(home: Workspace) -> None:
    towns, clusters = (read_gates(home, "base_2026", entity=e) for e in ("town_code", "cluster_id"))
    assert set(towns.names) == {TOWN, OTHER}
    of_town, of_clusters = (d.rates["D1.batch", "random_draw"].last(4) for d in (towns, clusters))
    assert of_town.n.tolist() == [of_clusters.n.sum()]
    # alike frames, alike weights: the rate of the town is the mean of its clusters
    assert of_town.rate[0] == pytest.approx(of_clusters.rate.mean(), abs=1e-9)
    card = score_gates(towns, "base_2026", clusters=[TOWN])[0]
    assert [c.gate for c in card.criteria] == ["D1"]
    assert {m.gate for m in card.missing} >= gate_data.OF_CLUSTERS
    empty = score_gates(towns, "base_2026", clusters=[OTHER])[0]
    assert not empty.criteria


def test_what_is_kept_is_what_was_read(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for entity in ("cluster_id", "town_code"):
        first = read_gates(home, ["base_2026", "policy_text"], entity=entity)
        with monkeypatch.context() as patched:
            patched.delattr(gate_data, "_read")
            same(first, read_gates(home, ["base_2026", "policy_text"], entity=entity))


def test_everything_that_decides_gates_has_a_value_of_its_own(home: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    read = gate_data._read
    made: list[int] = []
    monkeypatch.setattr(gate_data, "_read", lambda *given: made.append(1) or read(*given))
    preset = read_preset("outline_2025")
    target = preset.targets[0]
    changed = [
        dataclasses.replace(preset, targets=(dataclasses.replace(target, **{field: value}), *preset.targets[1:]))
        for field, value in (("value", 90.0), ("window", 3), ("sampling", "naive"))
    ]
    asked: list[dict[str, Any]] = [
        {"presets": preset},
        *({"presets": other} for other in changed),
        {"presets": preset, "as_of": "2024Q3"},
        {"presets": preset, "entity": "town_code"},
    ]
    for count, words in enumerate(asked, 1):
        for _ in range(2):
            read_gates(home, **words)
        assert len(made) == count, words
    # a quarter of which less is final on another day is read anew, under one and the same snapshot
    maturity = gate_data.read_maturity(home)
    for given in (
        dataclasses.replace(maturity, as_of="2024-12-01"),
        dataclasses.replace(maturity, table=maturity.table.assign(is_preliminary=True)),
    ):
        monkeypatch.setattr(gate_data, "read_maturity", lambda *_, found=given, **__: found)
        read_gates(home, preset, as_of="2024Q4")
    assert len(made) == len(asked) + 2
    monkeypatch.undo()
    monkeypatch.setattr(gate_data, "_read", lambda *given: made.append(1) or read(*given))
    before = read_gates(home, preset).rates["D1.batch", "random_draw"].n.sum()
    put(home, "inspections", [draw("K1", 3, 11, passed=True, kind="random")], part="later")
    assert read_gates(home, preset).rates["D1.batch", "random_draw"].n.sum() == before + 1
    assert len(made) == len(asked) + 3
    # and so is other code
    for room in ("scorecards", "indicators"):
        monkeypatch.setattr(kept, "_code_of", lambda given, room=room: "changed" if given == room else "as it was")
        monkeypatch.setattr(kept, "_code", lambda: repr([kept._code_of(r) for r in kept.ROOMS]))
        read_gates(home, preset)
    assert len(made) == len(asked) + 5


def test_another_kind_of_entity_and_a_lake_without_towns_are_refused(home: Workspace, workspace: Workspace) -> None:
    with pytest.raises(UsageError) as caught:
        read_gates(home, "outline_2025", entity="firm_id")
    assert caught.value.code == "QB144"
    with pytest.raises(DataError) as missing:
        read_gates(workspace, "outline_2025", entity="town_code", as_of="2025Q4")
    assert missing.value.code == "QB403"


def test_doses_are_kept_as_they_were_read(demo_lake: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_dose_rows(demo_lake)
    monkeypatch.delattr(dose_rows, "_read")
    same(first, read_dose_rows(demo_lake))
