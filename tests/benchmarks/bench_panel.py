"""The panel of a nation (more than ten million inspections) against bare DuckDB over the same files, in one run.

Prints one line, or JSON with ``--json``. Every measurement is a process of its own: seconds, CPU seconds, peak memory.

- ``bare_rate``: one GROUP BY for batches and passes by cluster and quarter, firms joined by credit code.
- ``bare_counts``: one GROUP BY for what the panel holds: the same by way of drawing, with firms and their largest two.
- ``naive_first``: `build_panel` of the batch rate with intervals, cells, names and sources, everything counted.
- ``naive_again``: the same in the next process, which finds the counted cells kept beside the lake.
- ``post_stratified_first``, ``post_stratified_again``: the same, weighted to the frame.
- ``naive_delivered``, ``post_stratified_delivered``: once more, after a delivery of 5,000 rows of its last quarter.
- ``dask``: both, on two workers of one core (needs the extra ``cluster``): balance of their CPU, bytes moved.

The bare queries count anew every time; a ratio of ``again`` to them says what a report pays, not what counting costs.

``--home DIR`` keeps the nation for the next run; without it, it is made in a temporary folder (about four minutes).
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import Any

ROUNDS = 3
TREATMENTS = ("naive", "post_stratified")
PANELS = tuple(f"{treatment}_{time}" for treatment in TREATMENTS for time in ("first", "again"))
DELIVERED = tuple(f"{treatment}_delivered" for treatment in TREATMENTS)
DELIVERY_ROWS = 5000
BARE = {
    "bare_rate": """
        SELECT f.cluster_id, date_trunc('quarter', i.sample_date) AS quarter,
               count(*) AS n, count(*) FILTER (i.result = 'pass') AS k
        FROM inspections AS i JOIN firms AS f USING (uscc)
        WHERE NOT i.is_recheck AND i.sample_type NOT IN ('complaint', 'followup') GROUP BY ALL""",
    "bare_counts": """
        SELECT cluster_id, quarter, sample_type, sum(n) AS n, sum(k) AS k, count(*) AS n_firms, max(n, 2) AS top
        FROM (SELECT f.cluster_id, date_trunc('quarter', i.sample_date) AS quarter, i.sample_type, f.firm_id,
                     count(*) AS n, count(*) FILTER (i.result = 'pass') AS k
              FROM inspections AS i JOIN firms AS f USING (uscc)
              WHERE NOT i.is_recheck AND i.sample_type NOT IN ('complaint', 'followup') GROUP BY ALL)
        GROUP BY ALL""",
}


def make_nation(home: pathlib.Path) -> None:
    """Write the fictional nation and load it, one delivery a province."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from qbase.demo.nation import write_nation
    from qbase.lake import Delivery, Workspace

    workspace = Workspace.create(home)
    with tempfile.TemporaryDirectory(prefix="qbase-nation-") as folder:
        source = pathlib.Path(folder)
        parts = list(write_nation(source))
        for part, _, _ in parts:
            files = sorted(source.glob(f"*/part-{part:02d}.parquet"))
            tables = {f.parent.name: pq.read_table(f) for f in files}
            rows = tables["inspections"]
            tables["inspections"] = rows.append_column("firm_code", pa.nulls(len(rows), pa.string()))
            size = sum(t.num_rows for t in tables.values())
            sha = hashlib.sha256(f"part {part}".encode()).hexdigest()
            delivery = Delivery(
                sha256=sha, file_name=f"{part}", table="inspections", verdict="OK", rows_seen=size, accepted=size
            )
            workspace.commit(delivery, tables)


def deliver(home: pathlib.Path, copy: pathlib.Path) -> None:
    """Make a copy of the nation, its files linked, and load five thousand more rows of its last quarter into it."""
    import pyarrow as pa

    from qbase.lake import Delivery, Workspace

    def link(source: str, target: str) -> None:
        (os.link if source.endswith(".parquet") else shutil.copy2)(source, target)

    workspace = Workspace(shutil.copytree(home, copy, copy_function=link))
    recent = "sample_date >= (SELECT max(sample_date) FROM inspections) - INTERVAL 80 DAY"
    rows = workspace.arrow(f"SELECT * FROM inspections WHERE {recent} LIMIT ?", params=(DELIVERY_ROWS,))  # noqa: S608
    rows = rows.set_column(
        rows.column_names.index("sample_no"), "sample_no", pa.array([f"late{i}" for i in range(len(rows))])
    )
    given = {name: rows[name] for name in rows.column_names if name != "delivery_sha256"}
    sha = hashlib.sha256(b"late").hexdigest()
    told = Delivery(
        sha256=sha, file_name="late", table="inspections", verdict="OK", rows_seen=len(rows), accepted=len(rows)
    )
    workspace.commit(told, {"inspections": pa.table(given)})


def run_bare(home: pathlib.Path, name: str) -> int:
    """Run one bare query over the files of the lake; return its rows."""
    import duckdb

    from qbase.indicators.cells.snapshot_files import table_files
    from qbase.lake import Workspace

    workspace = Workspace(home)
    at = workspace.snapshot()
    with duckdb.connect() as connection:
        for table in ("inspections", "firms"):
            paths = ", ".join(f"'{u}'" for u in table_files(workspace, table, at).urls)
            files = f"read_parquet([{paths}], union_by_name = true)"
            connection.execute(f"CREATE VIEW {table} AS SELECT * FROM {files}")  # noqa: S608  (our own files)
        return int(connection.sql(BARE[name]).to_arrow_table().num_rows)


def measure(home: pathlib.Path, name: str) -> dict[str, Any]:
    """Measure one way in this process."""
    import duckdb  # noqa: F401  (importing is not what is measured)
    import scipy.stats  # noqa: F401
    import statsmodels.stats.proportion  # noqa: F401

    import qbase.indicators.measures.derived_measures  # noqa: F401
    from qbase.indicators import build_panel
    from qbase.indicators.kept import kept_counts, kept_values
    from qbase.lake import Workspace

    workspace = Workspace(home)
    # what is measured is counting and building, not reading a finished panel back
    shutil.rmtree(workspace.lake / kept_values.FOLDER, ignore_errors=True)
    if name.endswith("_first"):
        shutil.rmtree(workspace.lake / kept_counts.FOLDER, ignore_errors=True)
    start, cpu = time.perf_counter(), time.process_time()
    if name in BARE:
        rows = run_bare(home, name)
    else:
        rows = len(build_panel(workspace, "D1.batch", sampling=name.rpartition("_")[0]).data)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
    return {
        "seconds": time.perf_counter() - start,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": round(peak),
        "rows": rows,
    }


def ask(home: pathlib.Path, name: str) -> dict[str, Any]:
    """Measure one way in a process of its own."""
    words = [sys.executable, __file__, "--home", str(home), "--measure", name]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@contextlib.contextmanager
def machines(folder: pathlib.Path) -> Iterator[str]:
    """Run a scheduler and two workers of one core, each a process of its own; give the address."""
    note = folder / "scheduler.json"
    common = ["--scheduler-file", str(note), "--no-dashboard"]
    calls = [("scheduler", "--host", "127.0.0.1", "--port", "0", *common)]
    calls += [("worker", *common, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder))] * 2
    env = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).resolve().parents[2])}
    started = []
    try:
        for kind, *words in calls:
            code = f"from distributed.cli import dask_{kind} as m; m.main()"
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            started.append(subprocess.Popen([sys.executable, "-c", code, *words], env=env, cwd=folder, **quiet))
            while not note.exists() or not note.read_text():
                time.sleep(0.05)
        yield str(json.loads(note.read_text())["address"])
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def moved(dask_worker: Any) -> dict[str, float]:
    """Return what a worker has done so far; runs on the worker."""
    return {
        "cpu_s": time.process_time(),
        "sent": dask_worker.transfer_outgoing_bytes_total,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def measure_dask(home: pathlib.Path) -> dict[str, Any]:
    """Build both panels on two workers."""
    from qbase.compute import Cluster, open_client
    from qbase.lake import Workspace

    workspace = Workspace(home)
    with tempfile.TemporaryDirectory(prefix="qbase-dask-") as folder, machines(pathlib.Path(folder)) as address:
        with open_client(address) as client:
            client.wait_for_workers(2, timeout=60)
        found = {name: share_out(workspace, Cluster(address=address), name) for name in TREATMENTS}
    files = (home / "data/lake/inspections").glob("*.parquet")
    return {**found, "mb_read": round(sum(p.stat().st_size for p in files) / 2**20, 1)}


def share_out(workspace: Any, cluster: Any, treatment: Any) -> dict[str, Any]:
    """Build one panel on the workers; look at what each of them did, and compare it with the one built here."""
    from qbase.compute import open_client
    from qbase.indicators import build_panel

    with open_client(cluster.address) as client:
        before = client.run(moved)
    start = time.perf_counter()
    there = build_panel(workspace, "D1.batch", sampling=treatment, cluster=cluster)
    seconds = time.perf_counter() - start
    with open_client(cluster.address) as client:
        after = client.run(moved)
    here = build_panel(workspace, "D1.batch", sampling=treatment)
    cpu = [after[w]["cpu_s"] - before[w]["cpu_s"] for w in after]
    return {
        "seconds": round(seconds, 2),
        "worker_cpu_s": [round(c, 2) for c in cpu],
        "balance": round(min(cpu) / max(cpu), 3),
        "mb_out_of_workers": round(sum(after[w]["sent"] - before[w]["sent"] for w in after) / 2**20, 1),
        "worker_peak_mb": [round(after[w]["peak_mb"]) for w in after],
        "is_equal": bool(here.data.equals(there.data) and here.cells.equals(there.cells)),
    }


def compare(home: pathlib.Path, rounds: int) -> dict[str, Any]:
    """Measure all ways in turn, several rounds; figures and ratios are medians of the rounds."""
    names = [*BARE, *PANELS]
    found = [{name: ask(home, name) for name in names} for _ in range(rounds)]
    figures: dict[str, Any] = {"rows": found[0][PANELS[0]]["rows"], "rounds": rounds}
    for name in names:
        figures[name] = {k: middle(r[name][k] for r in found) for k in ("seconds", "cpu_s", "peak_mb")}
        for bare in BARE if name not in BARE else ():
            for unit, word in (("seconds", "wall"), ("cpu_s", "cpu")):
                figures[name][f"{word}_ratio_to_{bare}"] = middle(r[name][unit] / r[bare][unit] for r in found)
    with tempfile.TemporaryDirectory(prefix="qbase-late-", dir=home.parent) as folder:
        # the last first asking of another treatment took away what was kept
        for name in PANELS[1::2]:
            ask(home, name)
        deliver(home, pathlib.Path(folder) / "home")
        figures |= {name: ask(pathlib.Path(folder) / "home", name) for name in DELIVERED}
    if importlib.util.find_spec("distributed"):
        figures["dask"] = measure_dask(home)
    return figures


def middle(values: Iterable[float]) -> float:
    """Return the median, rounded."""
    return round(statistics.median(values), 2)


def main() -> int:
    """Measure, or answer one measurement of a parent process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--home", type=pathlib.Path)
    parser.add_argument("--measure", choices=[*BARE, *PANELS, *DELIVERED, "dask"])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="qbase-bench-") as folder:
        home = given.home or pathlib.Path(folder)
        if given.measure:
            figures = measure_dask(home) if given.measure == "dask" else measure(home, given.measure)
        else:
            if not (home / "data" / "ledger.sqlite").exists():
                make_nation(home)
            figures = compare(home, given.rounds)
    is_plain = given.json or given.measure
    sys.stdout.write((json.dumps(figures) if is_plain else f"panel: {figures}") + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
