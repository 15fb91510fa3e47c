"""A small lake of firms, a frame and draws, of which the tests of sampling weights take what they need."""

from __future__ import annotations

import datetime
import hashlib

import pyarrow as pa

from qbase.lake import Delivery, Workspace

ID = "D1.batch"
QUARTERS = ("2024Q1", "2024Q2", "2024Q3", "2024Q4")
TYPES = {
    "sample_date": pa.date32(), "is_recheck": pa.bool_(), "is_lead": pa.bool_(), "n_firms": pa.int64(),
    "inclusion_probability": pa.float64(), "year": pa.int64(), "revenue_wan_cny": pa.float64(),
    "output_wan_cny": pa.float64(), "decision_no": pa.int64(), "dose_w1": pa.float64(), "dose_w3": pa.float64(),
    "valid_from_date": pa.date32(), "valid_to_date": pa.date32(),
}  # fmt: skip


def put(workspace: Workspace, table: str, rows: list[dict[str, object]], *, part: str = "") -> None:
    schema = pa.schema([pa.field(c, TYPES.get(c, pa.string())) for c in rows[0]])
    delivery = Delivery(
        sha256=hashlib.sha256((table + part).encode()).hexdigest(), file_name=f"{table}.csv", table=table, recipe="",
        producer="测试", licence="", retrieved_on="2025-01-01", verdict="OK", rows_seen=len(rows), listed=0,
        accepted=len(rows), quarantined=0, reasons={}, warnings=(),
    )  # fmt: skip
    workspace.commit(delivery, {table: pa.Table.from_pylist(rows, schema=schema)})


def firms(*clusters: str) -> list[dict[str, object]]:
    """Twenty firms a cluster: F00 to F09 are of class A, F10 to F19 of class D."""
    return [
        {
            "firm_id": f"{c}F{i:02d}", "uscc": f"{c}U{i:02d}", "firm_name": f"{c}厂{i}", "cluster_id": c,
            "town_code": f"T{c}", "size_class": "small", "industry_code": "2822", "is_lead": False,
        }
        for c in clusters
        for i in range(20)
    ]  # fmt: skip


def frame(*clusters: str, quarters: tuple[str, ...] = QUARTERS) -> list[dict[str, object]]:
    return [
        {"cluster_id": c, "quarter": q, "risk_class": r, "size_class": "small", "n_firms": 10}
        for c in clusters
        for q in quarters
        for r in "AD"
    ]


def draw(cluster: str, firm: int, month: int, *, passed: bool, kind: str, **more: object) -> dict[str, object]:
    draw.count += 1
    return {
        "sample_no": f"S{draw.count}", "sample_date": datetime.date(2024, month, 5), "sample_type": kind,
        "uscc": f"{cluster}U{firm:02d}", "firm_code": None, "firm_name": f"{cluster}厂{firm}", "town_code": None,
        "result": "pass" if passed else "fail", "is_recheck": False, "appeal_result": None,
        "role": "producer", "parent_no": None, "std_no": None,
        "risk_class": "A" if firm < 10 else "D", "size_class": None, **more,
    }  # fmt: skip


draw.count = 0


def directed_sample(cluster: str) -> list[dict[str, object]]:
    """Every quarter: random draws 2 of A (pass) and 2 of D (fail); directed ones 8 of D, which fail."""
    rows = []
    for month in (1, 4, 7, 10):
        rows += [draw(cluster, i + month % 3, month, passed=True, kind="random") for i in (0, 4)]
        rows += [draw(cluster, i + month % 3, month, passed=False, kind="random") for i in (10, 14)]
        rows += [draw(cluster, 10 + (i + month) % 10, month, passed=False, kind="risk") for i in range(8)]
    return rows


def fill(workspace: Workspace, *clusters: str) -> Workspace:
    put(workspace, "firms", firms(*clusters))
    put(workspace, "frame", frame(*clusters))
    put(workspace, "inspections", [row for c in clusters for row in directed_sample(c)])
    return workspace
