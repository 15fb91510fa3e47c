"""A thousand pages of the nation's clusters on two cores: does each say what a direct computation says, in flat memory?

The trends letter of the house runs in a batch of forks for every cluster asked for. Each record is then held, entry by
entry, against the level, the change and the trend that the public functions give here, from one panel of all clusters.
Memory is the proportional set size of the runner and all it started; its slope is told per hundred pages. Prints JSON.

    python tests/faults/study_nation_pages.py --pages 1000 --provinces 31 --home DIR
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pathlib
import shutil
import sys
import tempfile
import threading
import time
from typing import Any

import numpy as np

from qbase.lake import Workspace

PROJECT = pathlib.Path(__file__).resolve().parents[2]
OUTCOME, MARGIN_PP = "D1.batch", 2.0
# an entity of these, by name of its result in the record
HELD = ("level", "change", "trend")


def make_nation(home: pathlib.Path, provinces: int) -> Workspace:
    """Write the fictional nation and load it, one delivery a province."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from qbase.demo.nation import write_nation
    from qbase.lake import Delivery

    workspace = Workspace.create(home)
    with tempfile.TemporaryDirectory(prefix="qbase-nation-") as folder:
        source = pathlib.Path(folder)
        for part, _, _ in write_nation(source, n_provinces=provinces):
            tables = {f.parent.name: pq.read_table(f) for f in sorted(source.glob(f"*/part-{part:02d}.parquet"))}
            rows = tables["inspections"]
            tables["inspections"] = rows.append_column("firm_code", pa.nulls(len(rows), pa.string()))
            size = sum(t.num_rows for t in tables.values())
            sha = hashlib.sha256(f"part {part}".encode()).hexdigest()
            delivery = Delivery(
                sha256=sha, file_name=f"{part}", table="inspections", verdict="OK", rows_seen=size, accepted=size
            )
            workspace.commit(delivery, tables)
    for place, name in (
        (workspace.notebooks, "notebooks/20_quality_trends.ipynb"),
        (workspace.specs, "reports/specs/quality_trends.toml"),
    ):
        shutil.copy(PROJECT / name, place / pathlib.Path(name).name)
    return workspace


class Memory:
    """Looks at the memory of this process and all it started, every second."""

    def __init__(self) -> None:
        import psutil

        self._own, self._ended = psutil.Process(), threading.Event()
        self.megabytes: list[tuple[float, float]] = []
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        import psutil

        while not self._ended.wait(1):
            total = 0
            for process in [self._own, *self._own.children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.megabytes.append((time.monotonic(), total / 2**20))

    def close(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()


def direct(workspace: Workspace, subjects: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the entries of the record that the public functions give for each cluster, from one panel."""
    from qbase.core.results.records import build_record
    from qbase.indicators import build_panel, read_firm_counts, read_history, read_maturity
    from qbase.trends import estimate_change, estimate_level, estimate_trend, match_margin

    panel = build_panel(workspace, OUTCOME, entity="cluster_id")
    firms = read_firm_counts(workspace, OUTCOME, entity="cluster_id")
    maturity = read_maturity(workspace, entity="cluster_id")
    history, margin = read_history(workspace, panel), match_margin(MARGIN_PP)
    found = {}
    for subject in subjects:
        asked = {"entity": subject, "maturity": maturity}
        values = (
            estimate_level(panel, OUTCOME, history=history, firms=firms, **asked),
            estimate_change(panel, OUTCOME, margin=margin, firms=firms, against="year_ago", **asked),
            estimate_trend(panel, OUTCOME, firms=firms, **asked),
        )
        found[subject] = build_record(values)["results"]
    return found


def main() -> None:
    """Run the study."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--pages", type=int, default=1000)
    asked.add_argument("--provinces", type=int, default=31)
    asked.add_argument("--jobs", type=int, default=2)
    asked.add_argument("--home", type=pathlib.Path, help="kept for the next time; made where it is missing")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="qbase-nation-home-", ignore_cleanup_errors=True) as folder:
        home = given.home or pathlib.Path(folder) / "home"
        workspace = Workspace(home) if home.is_dir() else make_nation(home, given.provinces)
        clusters = workspace.query("SELECT DISTINCT cluster_id FROM clusters ORDER BY cluster_id")[
            "cluster_id"
        ].tolist()
        subjects = clusters[:: max(1, len(clusters) // given.pages)][: given.pages]
        told = run_pages(workspace, subjects, given.jobs)
        told |= judge(workspace, subjects)
    print(json.dumps(told))
    if told["wrong"] or told["failed"] or told["without_a_record"]:
        raise SystemExit(1)


def run_pages(workspace: Workspace, subjects: list[str], jobs: int) -> dict[str, Any]:
    """Run the letter for every cluster, without the policy that the nation does not have; tell time and memory."""
    from qbase.reports import Job, run_many

    ends: list[float] = []
    began, memory = time.monotonic(), Memory()
    asked = [
        Job(report_id="quality_trends", params={"subject": subject, "policy_id": None}, force=True)
        for subject in subjects
    ]
    outcomes = run_many(
        workspace, asked, jobs_at_once=jobs, engine="fork", on_done=lambda o: ends.append(time.monotonic())
    )
    memory.close()
    failed = [str(outcome.error) for outcome in outcomes if outcome.error]
    # the first tenth loads the libraries and builds the first panels
    warm = ends[len(ends) // 10]
    points = np.array([point for point in memory.megabytes if point[0] >= warm] or memory.megabytes)
    done = np.searchsorted(ends, points[:, 0])
    slope = float(np.polyfit(done, points[:, 1], 1)[0]) * 100 if len(set(done)) > 1 else 0.0
    return {
        "pages": len(subjects), "failed": len(failed), "first_failure": failed[:1], "seconds": round(ends[-1] - began),
        "pages_per_minute": round(60 * len(ends) / (ends[-1] - began), 1), "peak_mb": round(float(points[:, 1].max())),
        "mb_per_hundred_pages": round(slope, 1),
    }  # fmt: skip


def judge(workspace: Workspace, subjects: list[str]) -> dict[str, Any]:
    """Hold every record against the direct computation."""
    from qbase.lake import list_runs

    runs = {
        run.params["subject"]: run
        for run in list_runs(workspace, "quality_trends", limit=10**9)[::-1]
        if run.state == "ok"
    }
    right, wrong, lacking, verdicts = 0, [], 0, {}
    for subject, entries in direct(workspace, subjects).items():
        run = runs.get(subject)
        path = workspace.runs / "quality_trends" / (run.run_id if run else "-") / "results.json"
        if not path.is_file():
            lacking += 1
            continue
        recorded = {entry["name"]: entry for entry in json.loads(path.read_text(encoding="utf-8"))["results"]}
        same = all(recorded.get(entry["name"]) == json.loads(json.dumps(entry)) for entry in entries)
        right, wrong = right + same, wrong if same else [*wrong, subject]
        said = entries[1]["sentences"][0]["en"] if entries[1]["sentences"] else ""
        verdicts[subject] = said
    return {
        "right": right, "wrong": len(wrong), "wrong_ones": wrong[:5], "without_a_record": lacking,
        "different_sentences": len(set(verdicts.values())),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
