"""A thousand pages that are published already, asked for again: seconds and processor seconds of the whole batch.

The pages, their facts and their runs are written through the ledger's own functions, as large as real ones; nothing is
run. Prints a line, or JSON with ``--json``; a number as first word asks for so many.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import sys
import tempfile
import time

import pyarrow as pa

from qbase.lake import Delivery, Workspace
from qbase.lake.run_changes import record_runs
from qbase.reports import Job, run_many
from qbase.reports.asking.run_request import read_request
from qbase.reports.running.claimed_run import first_record
from qbase.reports.running.pinned_data import pin_data

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE_BYTES = 400_000
LETTER = "20_quality_trends"


def build(home: pathlib.Path, reports: int) -> tuple[Workspace, list[Job]]:
    """Publish so many pages of the trends letter, one of each cluster."""
    workspace = Workspace.create(home)
    source = (ROOT / "notebooks" / f"{LETTER}.ipynb").read_text(encoding="utf-8")
    (workspace.notebooks / f"{LETTER}.ipynb").write_text(source, encoding="utf-8")
    spec = f'notebook = "notebooks/{LETTER}.ipynb"\ntitle_zh = "走势"\ntitle_en = "Trends"\ntables = ["clusters"]\n'
    (workspace.specs / "trends.toml").write_text(spec, encoding="utf-8")
    rows = [{"cluster_id": f"K{n:03d}", "cluster_name": f"镇{n:04d}产业集群"} for n in range(reports)]
    delivery = Delivery(
        sha256=hashlib.sha256(b"clusters").hexdigest(), file_name="clusters.csv", table="clusters", recipe="tidy",
        producer="p", licence="l", verdict="OK", rows_seen=reports, listed=0, accepted=reports, quarantined=0,
    )  # fmt: skip
    workspace.commit(delivery, {"clusters": pa.Table.from_pylist(rows)})
    jobs = [Job(report_id="trends", params={"subject": row["cluster_id"]}) for row in rows]
    records, page, snapshot = [], b"x" * PAGE_BYTES, workspace.snapshot()
    for job in jobs:
        request = read_request(workspace, job.report_id, job.params)
        record = first_record(workspace, request, None, commit="")
        pinned = pin_data(workspace, request, record, snapshot)
        facts = {"fingerprint": pinned.fingerprint, "html_sha256": hashlib.sha256(page).hexdigest()}
        (workspace.site / f"{request.page_id}.html").write_bytes(page)
        (workspace.site / f"{request.page_id}.json").write_text(json.dumps(facts), encoding="utf-8")
        records.append(dataclasses.replace(record, state="ok", fingerprint=pinned.fingerprint))
    record_runs(workspace, records)
    return workspace, jobs


def main(words: list[str]) -> None:
    """Measure once."""
    reports = next((int(word) for word in words if word.isdigit()), 1000)
    with tempfile.TemporaryDirectory() as home:
        workspace, jobs = build(pathlib.Path(home), reports)
        began, spent = time.monotonic(), time.process_time()
        outcomes = run_many(workspace, jobs, jobs_at_once=2)
        seconds, cpu = time.monotonic() - began, time.process_time() - spent
    states = {outcome.record.state if outcome.record else "refused" for outcome in outcomes}
    if states != {"unchanged"}:
        raise SystemExit(f"not unchanged: {states}")
    found = {f"unchanged_{reports}_s": round(seconds, 2), f"unchanged_{reports}_cpu_s": round(cpu, 2)}
    print(json.dumps(found) if "--json" in words else f"{reports} unchanged: {seconds:.2f} s, {cpu:.2f} CPU s")


if __name__ == "__main__":
    main(sys.argv[1:])
