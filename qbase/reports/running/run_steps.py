"""One run on its way: its folder, its record, its steps from pinned data to a published page."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import pathlib
import secrets
import time
import traceback
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from qbase.core.errors import DataError, QbaseError, RunError
from qbase.core.results.run_values import RunRecord
from qbase.core.whole_files import write_atomic
from qbase.lake import add_run, list_runs, update_run
from qbase.lake.entity_names import TOWN_LINKS
from qbase.reports.asking.run_request import Request
from qbase.reports.executing.completeness import Place, find_failure, read_results, too_much, traceback_of
from qbase.reports.running import fingerprint
from qbase.reports.running.atomic_publish import publish_files
from qbase.reports.running.published_pages import build_redirects
from qbase.reports.running.run_states import RECENT

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from qbase.core.errors import Lang
    from qbase.lake import Workspace
    from qbase.reports.executing.execution_job import EngineName, Job

Progress = Callable[[str, int, int], None]
EVERY = "*"
STEPS = ("cells", "render", "verify", "publish")


class OneRun:
    """One run on its way: owns its folder and its record."""

    def __init__(
        self,
        workspace: Workspace,
        request: Request,
        lang: Lang,
        slot: str | None,
        on_progress: Progress,
        engine: EngineName = "kernel",
    ) -> None:
        now = datetime.datetime.now(datetime.UTC)
        self.workspace, self.request, self.lang, self.on_progress = workspace, request, lang, on_progress
        self.engine, self.began = engine, time.monotonic()
        self.place: Place | None = None
        self.outputs: tuple[str, ...] = ()
        spec = request.spec
        run_id = f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        self.folder = workspace.runs / spec.report_id / run_id
        self.site_paths = tuple(workspace.site / f"{request.page_id}.{end}" for end in ("html", "json"))
        self.record = RunRecord(
            run_id=run_id,
            report_id=spec.report_id,
            notebook=spec.notebook,
            params=request.params,
            slot=slot or f"{datetime.datetime.now().astimezone():%Y-%m-%d}",
            state="running",
            fingerprint="",
            commit=fingerprint.commit_of(workspace.root),
            versions=fingerprint.versions(),
            snapshot="",
            # two short runs may begin within one second, and the list of runs keeps their order
            started_at=now.isoformat(timespec="milliseconds"),
            outputs=(self._below(self.site_paths[0]),),
        )

    def open(self) -> None:
        """Write the record for the first time: ledger, then its copy."""
        add_run(self.workspace, self.record)
        self._copy()

    def pin(self) -> None:
        """Find the versions of the declared tables and the fingerprint; refuse when a table is missing.

        Raises
        ------
        DataError
            A declared table is not in the lake (QB810).
        """
        spec, needed = self.request.spec, self.request.spec.tables
        missing = [name for name in needed if not self.workspace.has_table(name)]
        if missing:
            raise DataError(
                "QB810",
                report=spec.report_id,
                found=f"no table {' · '.join(missing)}",
                expected=" · ".join(needed),
                fix=f"qbase load FILE…  or  qbase demo, then qbase run {spec.report_id}",
            )
        tables = [*needed, *self._may_use()]
        snapshot = self.workspace.snapshot() if tables else None
        self.versions = {name: snapshot.versions[name] for name in tables} if snapshot else {}
        mark = fingerprint.fingerprint_of(self.request.cells, self.request.params, self.versions, self.workspace.root)
        self._set(fingerprint=mark, snapshot=snapshot.id if snapshot else "")

    def _may_use(self) -> list[str]:
        """Return the tables a letter may touch that were loaded: which of them it does, its parameters decide.

        The diary of town codes goes with every table: it decides which rows are one town's.
        """
        spec = self.request.spec
        there = self.workspace.tables()
        may_use = {*spec.may_use, TOWN_LINKS} if spec.tables else set(spec.may_use)
        return [t for t in there if t not in spec.tables and (t in may_use or EVERY in may_use)]

    def carry_out(self) -> None:
        """Execute, prove, render, verify, publish; each step raises when it is not sound."""
        spec = self.request.spec
        executed = self._execute()
        results = read_results(self.folder, self.record.run_id, spec.report_id)
        self._check_sources(results)
        page = self._render(executed, results)
        self._verify(page, results)
        self._publish(executed, page, results)

    def _execute(self) -> NotebookNode:
        from qbase.reports.executing import papermill_engine

        spec, record = self.request.spec, self.record
        job = papermill_engine.Job(
            notebook=papermill_engine.as_notebook(self.request.document, shown=spec.notebook),
            params=self.request.injected,
            root=self.workspace.root,
            folder=self.folder,
            environment=self._environment(),
            seconds=spec.limits.seconds,
            output_mb=spec.limits.output_mb,
            engine=self.engine,
            on_cell=lambda done, total: self.on_progress("cells", done, total),
        )
        try:
            papermill_engine.execute(job)
        except OSError:
            # the disk, not the letter
            raise
        except Exception as broken:
            raise self._stopped("QB833", broken, f"correct {spec.notebook}", report=spec.report_id) from broken
        finally:
            self._keep(job)
        failure = find_failure(job, spec.report_id, spec.limits, self._shown("log.txt"))
        if failure:
            error, self.place = failure
            raise error
        executed = cast("NotebookNode", job.executed)
        size = len(json.dumps([cell.get("outputs", []) for cell in executed.cells], ensure_ascii=False).encode())
        if size > spec.limits.output_mb * 2**20:
            raise too_much(record.report_id, size, spec.limits)
        return executed

    def _environment(self) -> dict[str, str]:
        spec, record = self.request.spec, self.record
        return {
            "QBASE_HOME": str(self.workspace.root),
            "QBASE_RUN_DIR": str(self.folder),
            "QBASE_RUN_ID": record.run_id,
            "QBASE_LANG": self.lang,
            "QBASE_SEED": str(fingerprint.seed_of(spec.seed, spec.report_id, self.request.params)),
            "QBASE_MEMORY_MB": str(spec.limits.memory_mb),
        }

    def _keep(self, job: Job) -> None:
        from qbase.reports.executing.papermill_engine import write_notebook
        from qbase.reports.rendering.plain_fallbacks import with_fallbacks

        if job.executed is None:
            return
        write_atomic(self.folder / "run.ipynb", write_notebook(with_fallbacks(job.executed, self.lang)))
        trace = traceback_of(job.executed.cells)
        if trace:
            with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
                log.write(trace + "\n")

    def _check_sources(self, results: Mapping[str, Any]) -> None:
        spec = self.request.spec
        used = {s["path"] for s in results.get("sources", ()) if s.get("snapshot")}
        undeclared = sorted(t for t in used - {*spec.tables, *self._may_use()} if self.workspace.has_table(t))
        if undeclared:
            raise RunError(
                "QB826",
                report=spec.report_id,
                found=" · ".join(undeclared),
                expected=f"tables = {json.dumps(sorted(used | set(spec.tables)))}",
                fix=f"declare them in {spec.report_id}.toml",
            )
        seen = results.get("snapshot") or self.record.snapshot
        if self.versions and seen != self.record.snapshot:
            now = self.workspace.snapshot(seen).versions
            moved = [name for name, version in self.versions.items() if now.get(name) != version]
            if moved:
                raise RunError(
                    "QB825",
                    report=spec.report_id,
                    found=f"{seen}: {' · '.join(moved)}",
                    expected=self.record.snapshot,
                    fix=f"qbase run {spec.report_id}",
                )

    def _render(self, executed: NotebookNode, results: Mapping[str, Any]) -> bytes:
        from nbformat import ValidationError

        from qbase.reports.rendering.page_rendering import render_report

        self.on_progress("render", 0, 1)
        # papermill leaves absolute paths and clock times there
        executed.metadata.pop("papermill", None)
        for cell in executed.cells:
            cell.metadata.pop("papermill", None)
            cell.metadata.pop("execution", None)
        spec = self.request.spec
        try:
            names = self.request.names
            page = render_report(executed, spec=spec, run=self._final(), results=results, lang=self.lang, names=names)
        except RunError:
            raise
        except QbaseError as error:
            found = f"{error.code}: {error.what_en} · {error.found}"
            raise RunError(
                "QB821", report=spec.report_id, found=found, expected=error.expected, fix=error.fix
            ) from error
        except (ValidationError, UnicodeError) as error:
            # what a cell put out, not the house
            raise self._stopped("QB821", error, "correct what its cells show", report=spec.report_id) from error
        staged: bytes = page.encode("utf-8")
        write_atomic(self.folder / "report.html", staged)
        return staged

    def _verify(self, page: bytes, results: Mapping[str, Any]) -> None:
        from qbase.release import verify_report

        self.on_progress("verify", 0, 1)
        outcome = verify_report(self.folder / "report.html", record=results)
        if outcome.passed:
            return
        failed = [check for check in outcome.checks if check.passed is False]
        staged = self._shown("report.html")
        raise RunError(
            "QB816",
            report=self.record.report_id,
            found=" · ".join(f"{check.name}: {check.text.en}" for check in failed),
            expected=f"{len(outcome.checks)} checks passed",
            fix=f"qbase verify {staged}",
        )

    def _publish(self, executed: NotebookNode, page: bytes, results: Mapping[str, Any]) -> None:
        from qbase.reports.rendering.page_meta import report_meta

        self.on_progress("publish", 0, 1)
        final, request = self._final(), self.request
        named = request.names.get("subject")
        meta = {
            **report_meta(request.spec, final, results, notebook=executed, names=request.names),
            "key": request.page_key or request.page_id,
            "subject": named.payload() if named else None,
            **({"former_keys": list(request.former_keys)} if request.former_keys else {}),
            "run_id": final.run_id,
            "fingerprint": final.fingerprint,
            "html_sha256": hashlib.sha256(page).hexdigest(),
        }
        html, side = self.site_paths
        moved = build_redirects(self.workspace.site, meta, html.stem, self.lang)
        meta_text = json.dumps(meta, ensure_ascii=False, indent=1, sort_keys=True)
        publish_files({html: page, side: meta_text.encode(), **moved})
        self.outputs = (self._below(html), self._shown("run.ipynb"), self._shown("results.json"))
        self.on_progress("publish", 1, 1)

    def show_gallery(self) -> None:
        """Build the gallery anew; the report is out already, so a failure here is told apart (QB822).

        Raises
        ------
        RunError
            The gallery could not be written (QB822).
        """
        from qbase.reports.rendering.gallery import build_gallery

        try:
            build_gallery(self.workspace.site, runs=list_runs(self.workspace, limit=RECENT))
        except (OSError, QbaseError) as error:
            found = error.found if isinstance(error, QbaseError) else self._plain(error)
            raise RunError(
                "QB822",
                report=self.record.report_id,
                found=found,
                expected=self._below(self.workspace.site / "index.html"),
                fix=f"qbase run {self.record.report_id} --force",
            ) from error

    def show_failure(self) -> None:
        """Build the gallery anew so that the card says that the run failed, beside the last good report.

        What went wrong with the run is what the caller hears; a gallery that cannot be written goes into the log.
        """
        try:
            self.show_gallery()
        except RunError as error:
            with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
                log.write(f"{error}\n")

    def close(self, state: Any, outputs: tuple[Any, ...] = (), error: Mapping[str, Any] | None = None) -> RunRecord:
        """Write the record for the last time: ledger, then its copy."""
        shown = tuple(self._below(path) if isinstance(path, pathlib.Path) else path for path in outputs)
        self._set(state=state, outputs=shown, error=error, seconds=self._seconds())
        update_run(self.workspace, self.record)
        # the ledger knows the end of the run; without its copy a published report is published all the same
        with contextlib.suppress(RunError):
            self._copy()
        return self.record

    def fail(self, error: QbaseError) -> RunRecord:
        """Record the end of a run that came to no good."""
        kept = tuple(self._shown(n) for n in ("run.ipynb", "log.txt") if (self.folder / n).is_file())
        cell = str(self.place) if self.place else None
        text = f"{error.what_en}: {error.found}"
        return self.close("failed", kept, {"cell": cell, "text": text, **error.payload()})

    def fault(self, error: Exception) -> RunError:
        """Put a fault of the house into the log of the run and return what to say of it (QB999)."""
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write("".join(traceback.format_exception(error)))
        first = (str(error).strip().splitlines() or [""])[0][:200]
        fix = f"report it with its log: {self._shown('log.txt')}"
        return RunError("QB999", found=f"{type(error).__name__}: {first}", expected="no error of this kind", fix=fix)

    def _stopped(self, code: str, error: Exception, fix: str, *, report: str) -> RunError:
        """Return what to say when the content of a letter breaks one of the programs that it passes through."""
        told = self.fault(error)
        return RunError(
            code,
            report=report,
            found=told.found,
            expected="cells and outputs that other programs can read",
            fix=f"{fix}        (traceback: {self._shown('log.txt')})",
        )

    def unwritten(self, error: OSError) -> RunError:
        """Return what to say of a file that could not be written."""
        fix = f"free disk space or correct the permissions, then qbase run {self.record.report_id}"
        return RunError(
            "QB817",
            report=self.record.report_id,
            found=self._plain(error),
            expected="a writable disk with room",
            fix=fix,
        )

    def _final(self) -> RunRecord:
        return dataclasses.replace(self.record, state="ok", seconds=self._seconds())

    def _set(self, **fields: Any) -> None:
        self.record = dataclasses.replace(self.record, **fields)

    def _copy(self) -> None:
        try:
            write_atomic(self.folder / "run.json", json.dumps(self.record.payload(), ensure_ascii=False, indent=1))
        except OSError as error:
            raise self.unwritten(error) from error

    def _seconds(self) -> float:
        return round(time.monotonic() - self.began, 3)

    def _below(self, path: pathlib.Path) -> str:
        return path.relative_to(self.workspace.root).as_posix()

    def _shown(self, name: str) -> str:
        return self._below(self.folder / name)

    def _plain(self, error: OSError) -> str:
        where = pathlib.Path(str(error.filename or ""))
        below = where.is_relative_to(self.workspace.root)
        return f"{error.strerror or type(error).__name__}" + (f": {self._below(where)}" if below else "")
