"""By one yardstick: a tightened standard moves the raw rate and leaves the re-judged one."""

from __future__ import annotations

import datetime
import hashlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from qbase.core.errors import DataError, UsageError
from qbase.core.periods import parse_period
from qbase.demo import Scenario, build_province
from qbase.demo.sending.stable_files import to_arrow
from qbase.indicators import build_panel
from qbase.indicators.measures.yardstick import kept_information, mean_margins
from qbase.lake import Delivery, Workspace

TIGHTENED = "2023-01-01"
FORMALDEHYDE = "甲醛含量"


def commit(workspace: Workspace, tables: dict[str, pa.Table], name: str = "x") -> None:
    rows = sum(t.num_rows for t in tables.values())
    sha = hashlib.sha256(name.encode()).hexdigest()
    delivery = Delivery(
        sha256=sha, file_name=name, table=next(iter(tables)), verdict="OK", rows_seen=rows, accepted=rows
    )
    workspace.commit(delivery, tables)


def load(workspace: Workspace, inspections: pd.DataFrame, items: pd.DataFrame, others: dict[str, pd.DataFrame]):
    rows = to_arrow(inspections)
    tables = {
        "inspections": rows.append_column("firm_code", pa.nulls(len(rows), pa.string())),
        "items": to_arrow(items),
    }
    commit(workspace, {**tables, **{name: to_arrow(frame) for name, frame in others.items()}})
    return workspace


@pytest.fixture(scope="module")
def province():
    return build_province("small", seed=7, scenario=Scenario(has_standard_change=False))


@pytest.fixture(scope="module")
def tightened(province, tmp_path_factory) -> Workspace:
    """The province, with the limit of one item lowered from 2023 on: values are the same, verdicts are not."""
    inspections, items = province.tables["inspections"].copy(), province.tables["items"].copy()
    day = items["sample_no"].map(inspections.set_index("sample_no")["sample_date"])
    new = (items["item_name"] == FORMALDEHYDE) & (day >= TIGHTENED)
    items.loc[new, "upper_limit"] = 50.0
    items.loc[new, "is_ok"] = items.loc[new, "value"] <= 50.0
    failed = items.groupby("sample_no")["is_ok"].all()
    hit = inspections["sample_no"].isin(failed[~failed].index)
    inspections["result"] = np.where(hit, "fail", inspections["result"])
    workspace = Workspace.create(tmp_path_factory.mktemp("tight"))
    return load(workspace, inspections, items, {"firms": province.tables["firms"]})


def pooled(panel, indicator: str) -> pd.Series:
    sums = panel.data[[f"{indicator}__k", f"{indicator}__n"]].groupby(level="period").sum()
    return 100 * sums[f"{indicator}__k"] / sums[f"{indicator}__n"]


def test_a_tightened_standard_lowers_the_raw_rate_and_not_the_rejudged_one(tightened):
    panel = build_panel(tightened, ["D1.batch", "D1.rejudged", "D1.core"], freq="A")
    raw, same = pooled(panel, "D1.batch"), pooled(panel, "D1.rejudged")
    before, after = parse_period("2022", "A"), parse_period("2023", "A")
    assert raw[after] - raw[before] < -3, "the standard is felt"
    n = panel.data["D1.rejudged__n"].groupby(level="period").sum()
    noise = 100 * np.sqrt(0.25 / n[before] + 0.25 / n[after])
    assert abs(same[after] - same[before]) < 2 * noise, "quality is what it was"
    assert same[before] < raw[before] - 3, "earlier batches are held to the limits of today"
    pd.testing.assert_series_equal(same[after:], raw[after:], check_names=False)


def test_a_base_year_holds_every_batch_to_the_limits_of_that_year(tightened):
    panel = build_panel(tightened, ["D1.batch", "D1.rejudged", "D1.core", "D1.severe"], freq="A", base_year=2022)
    raw, old = pooled(panel, "D1.batch"), pooled(panel, "D1.rejudged")
    before, after = parse_period("2022", "A"), parse_period("2023", "A")
    pd.testing.assert_series_equal(old[:before], raw[:before], check_names=False)
    assert old[after] > raw[after] + 3, "later batches are held to the limits of then"
    assert "限值和项目取自 2022 年" in panel.indicators["D1.rejudged"].name.zh
    assert "limits and items of 2022" in panel.indicators["D1.core"].name.en
    assert "2022" not in panel.indicators["D1.severe"].name.en, "a verdict of its day has no base year"
    today = build_panel(tightened, "D1.rejudged", freq="A").data
    last = build_panel(tightened, "D1.rejudged", freq="A", base_year=2025).data
    pd.testing.assert_frame_equal(last, today)


def test_a_base_year_judges_only_what_was_tested_then(tmp_path):
    ph, label = ("pH值", 7.0, 4.0, 9.0, True), ("标识完整项数", 8.0, 8.0, None, True)
    new, bad_new = ("甲醛含量", 50.0, None, 75.0, True), ("甲醛含量", 99.0, None, 75.0, False)
    strict = ("pH值", 8.0, 6.5, 7.5, False)
    early = {"sample_date": datetime.date(2022, 3, 1)}
    workspace = small(
        tmp_path,
        [
            batch(1, "pass", ph, label, **early),
            batch(2, "pass", ph, label, new),
            batch(3, "fail", ph, label, bad_new),
            batch(4, "fail", strict, label, new),
            batch(5, "pass", ("含水率", 5.0, None, 8.0, True), product_name="纸"),
        ],
    )
    ids = ["D1.rejudged", "D1.core"]
    data = build_panel(workspace, ids, entity="town_code", freq="A", base_year=2022).data
    now = data.xs("2024", level="period").iloc[0]
    assert [now[f"{i}__n"] for i in ids] == [3, 3], "the paper has no limits of 2022"
    assert [now[f"{i}__k"] for i in ids] == [3, 3], "neither the new item nor the stricter limit counts"
    plain = build_panel(workspace, ids, entity="town_code", freq="A").data.xs("2024", level="period").iloc[0]
    assert [plain["D1.rejudged__n"], plain["D1.rejudged__k"]] == [4, 3], "only the new item tells the two apart"


def test_a_base_year_without_items_or_without_use_is_refused(tightened):
    with pytest.raises(DataError, match="QB425") as caught:
        build_panel(tightened, "D1.rejudged", freq="A", base_year=1999)
    assert "2023" in caught.value.found
    with pytest.raises(UsageError, match="QB426") as useless:
        build_panel(tightened, "D1.batch", freq="A", base_year=2022)
    with pytest.raises(UsageError, match="QB426"):
        build_panel(tightened, "D1.batch", freq="A", sampling="random_draw", base_year=2022)
    for error in (caught.value, useless.value):
        assert len(str(error).splitlines()) == 4


def test_without_a_change_both_rates_are_equal(province, tmp_path):
    names = ("inspections", "items")
    workspace = load(
        Workspace.create(tmp_path), *(province.tables[n] for n in names), {"firms": province.tables["firms"]}
    )
    data = build_panel(workspace, ["D1.batch", "D1.rejudged", "D1.severe", "D1.label_only"], freq="A").data
    assert (data["D1.batch__k"] == data["D1.rejudged__k"]).all()
    assert (data["D1.batch__n"] - data["D1.batch__k"] == data["D1.severe__k"] + data["D1.label_only__k"]).all()


def test_the_standards_tightened_in_2021_stand_on_the_items_and_move_no_rejudged_rate(tmp_path):
    """The world fails more batches from 2021Q1 on; judged twice they differ before that quarter and never after."""
    tables = build_province("small", seed=7).tables
    workspace = load(
        Workspace.create(tmp_path), *(tables[n] for n in ("inspections", "items")), {"firms": tables["firms"]}
    )
    ids = ["D1.batch", "D1.rejudged", "D1.tightened", "D1.loosened"]
    counts = build_panel(workspace, ids).data[[f"{i}__k" for i in ids]].groupby(level="period").sum()
    counts.columns = ids
    assert (counts["D1.batch"] - counts["D1.tightened"] + counts["D1.loosened"] == counts["D1.rejudged"]).all()
    before, after = counts[: parse_period("2020Q4", "Q")], counts[parse_period("2021Q1", "Q") :]
    assert before["D1.tightened"].sum() > 20
    assert not before["D1.loosened"].any()
    assert not after[["D1.tightened", "D1.loosened"]].any(axis=None)
    held = build_panel(workspace, ids, base_year=2019).data[[f"{i}__k" for i in ids[2:]]].groupby(level="period").sum()
    assert held[: parse_period("2020Q4", "Q")].sum().sum() == 0
    assert held["D1.loosened__k"].sum() > 20, "by the limits of 2019 some of those that fail today would pass"


def batch(number: int, result: str, *items: tuple[str, float, float | None, float | None, bool], **more: object):
    head = {
        "sample_no": f"S{number}", "sample_date": datetime.date(2024, 1, 15), "sample_type": "random", "uscc": "U1",
        "firm_code": None, "firm_name": "甲厂", "town_code": "T1", "product_name": "面料", "result": result,
        "is_recheck": False, "appeal_result": None, "role": "producer", "parent_no": None, **more,
    }  # fmt: skip
    rows = [
        {
            "sample_no": f"S{number}", "item_no": i + 1, "item_name": name, "unit_code": None, "value": value,
            "lower_limit": low, "upper_limit": high, "is_ok": ok,
        }
        for i, (name, value, low, high, ok) in enumerate(items)
    ]  # fmt: skip
    return head, rows


def small(tmp_path, batches) -> Workspace:
    heads = pd.DataFrame([head for head, _ in batches])
    items = pd.DataFrame([row for _, rows in batches for row in rows])
    texts = {c: pa.string() for c in heads if c not in ("sample_date", "is_recheck")}
    schema = pa.schema([pa.field(c, texts.get(c, pa.date32() if c == "sample_date" else pa.bool_())) for c in heads])
    kinds = {"item_no": pa.int64(), "is_ok": pa.bool_(), "value": pa.float64()}
    kinds |= {"lower_limit": pa.float64(), "upper_limit": pa.float64()}
    of_items = pa.schema([pa.field(c, kinds.get(c, pa.string())) for c in items])
    workspace = Workspace.create(tmp_path)
    plain = [[{k: None if v != v else v for k, v in r.items()} for r in f.to_dict("records")] for f in (heads, items)]
    commit(
        workspace,
        {
            "inspections": pa.Table.from_pylist(plain[0], schema=schema),
            "items": pa.Table.from_pylist(plain[1], schema=of_items),
        },
    )
    return workspace


def test_severity_core_and_what_no_item_shows(tmp_path):
    ph, label = ("pH值", 7.0, 4.0, 9.0, True), ("标识完整项数", 8.0, 8.0, None, True)
    bad_ph, bad_label = ("pH值", 9.5, 4.0, 9.0, False), ("标识完整项数", 7.0, 8.0, None, False)
    extra = ("甲醛含量", 99.0, None, 75.0, False)
    workspace = small(
        tmp_path,
        [
            batch(1, "pass", ph, label),
            batch(2, "fail", bad_ph, bad_label),
            batch(3, "fail", ph, bad_label),
            batch(4, "fail", ph, label, extra),
            batch(5, "fail", ph, label),
            batch(6, "fail", bad_ph, label, appeal_result="overturned"),
            batch(7, "fail", bad_ph, label, is_recheck=True),
        ],
    )
    names = ["D1.batch", "D1.rejudged", "D1.core", "D1.severe", "D1.label_only"]
    row = build_panel(workspace, names, entity="town_code").data.iloc[0]
    assert [row[f"{n}__n"] for n in names] == [6] * 5
    assert row["D1.batch__k"] == 2
    assert row["D1.rejudged__k"] == 2, "a failure that no item shows stays one"
    assert row["D1.core__k"] == 4, "the extra item of batch 4 and the unexplained failure do not count"
    assert (row["D1.severe__k"], row["D1.label_only__k"]) == (2, 1)


def test_items_are_needed(tmp_path):
    workspace = Workspace.create(tmp_path)
    head, _ = batch(1, "pass")
    rows = pa.Table.from_pylist([head])
    commit(workspace, {"inspections": rows})
    with pytest.raises(DataError) as caught:
        build_panel(workspace, "D1.rejudged", entity="town_code")
    assert caught.value.code == "QB403"
    assert len(str(caught.value).splitlines()) == 4


def sums(*rows: tuple[str, list[float]]) -> pd.DataFrame:
    table = [
        {"entity": "K", "period": p, "firm": f"{p}{i}", "n": len(v), "total": sum(v), "squares": sum(x * x for x in v)}
        for i, (p, v) in enumerate(rows)
    ]
    return pd.DataFrame(table)


def test_margins_take_firms_as_sampling_units():
    found = mean_margins(sums(("a", [1.0]), ("a", [2.0]), ("a", [4.0]))).iloc[0]
    values = np.array([1.0, 2.0, 4.0])
    half = 4.302652729911275 * values.std(ddof=1) / np.sqrt(3)
    assert found["value"] == pytest.approx(values.mean())
    assert (found["lo"], found["hi"]) == pytest.approx((values.mean() - half, values.mean() + half))


def test_one_firm_or_equal_margins_never_give_zero_width():
    found = mean_margins(sums(("a", [1.0, 2.0, 4.0]), ("b", [1.0]), ("b", [1.0]))).set_index("period")
    assert (found["hi"] - found["lo"] > 1).all()
    assert mean_margins(sums(("a", [1.0]), ("a", [1.0]))).empty, "no spread anywhere, no interval, no row"


def test_margins_follow_the_values(tightened, province):
    data = build_panel(tightened, "D1.margin", freq="A").data
    assert ((data["D1.margin__lo"] < data["D1.margin"]) & (data["D1.margin"] < data["D1.margin__hi"])).all()
    by_year = data.groupby(level="period")["D1.margin"].mean()
    assert by_year.max() - by_year.min() < 0.25, "the limit moved, the margin to the fixed limit did not"


def test_pass_and_fail_keep_little_of_the_information():
    assert [round(100 * kept_information(p)) for p in (0.90, 0.95, 0.97)] == [34, 22, 16]
