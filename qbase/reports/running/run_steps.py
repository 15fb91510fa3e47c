"""One run on its way: its steps from pinned data to a published page."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from qbase.core.errors import QbaseError, RunError
from qbase.core.whole_files import write_atomic
from qbase.lake import find_published, list_runs
from qbase.lake.run_changes import publish_run
from qbase.lake.run_slots import read_moment
from qbase.lake.storage.fault_points import fault
from qbase.reports.comparing.last_results import write_last
from qbase.reports.comparing.moved_numbers import note_moves
from qbase.reports.executing.completeness import find_failure, read_results, too_much, traceback_of
from qbase.reports.running import fingerprint
from qbase.reports.running.atomic_publish import stage_files
from qbase.reports.running.claimed_run import ClaimedRun
from qbase.reports.running.page_place import OvertakenError, PagePlace, choose_place, find_shown
from qbase.reports.running.pinned_data import list_usable, pin_data
from qbase.reports.running.published_pages import build_redirects
from qbase.reports.running.run_states import RECENT, keep_beside

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from qbase.core.results.retold import LastResults
    from qbase.core.results.run_values import RunRecord
    from qbase.reports.comparing.moved_numbers import Moves
    from qbase.reports.executing.execution_job import Job

STEPS = ("cells", "render", "verify", "publish")


class OneRun(ClaimedRun):
    """One run on its way, from pinned data to a published page."""

    moves: Moves | None = None
    last: LastResults | None = None

    def pin(self) -> None:
        """Find the versions of the declared tables and the fingerprint; refuse when a table is missing.

        Raises
        ------
        DataError
            A declared table is not in the lake (QB810).
        """
        pinned = pin_data(self.workspace, self.request, self.record, self.workspace.snapshot())
        self.versions, self.last = pinned.versions, pinned.last
        self._set(fingerprint=pinned.fingerprint, snapshot=pinned.snapshot)
        self.aim()

    def find_same(self, *, any_slot: bool) -> pathlib.Path | None:
        """Return the page that shows what the run would publish, byte for byte; None where there is something to do."""
        record, slot = self.record, None if any_slot else self.record.slot
        if find_published(self.workspace, record.report_id, slot=slot, fingerprint=record.fingerprint) is None:
            return None
        stem = find_shown(self.workspace, self.page, record)
        return self.workspace.site / f"{stem}.html" if stem else None

    def carry_out(self) -> None:
        """Execute, prove, render, verify, publish; each step raises when it is not sound."""
        spec = self.request.spec
        self.enter("running")
        write_last(self.folder, self.last)
        executed = self._execute()
        self.enter("verifying")
        results = read_results(self.folder, self.record.run_id, spec.report_id)
        self._check_sources(results)
        page = self._render(executed, results)
        self._verify(page, results)
        self.on_progress("publish", 0, 1)
        while not self._publish(self.aim(), executed, page, results):
            # a page of another date has appeared since: what this one is in the way of decides anew where it goes
            continue
        self.on_progress("publish", 1, 1)

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
        there = self.workspace.snapshot()
        declared = {*spec.tables, *list_usable(spec, there)}
        undeclared = sorted(t for t in used - declared if self.workspace.has_table(t, there))
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

    def _publish(self, place: PagePlace, executed: NotebookNode, page: bytes, results: Mapping[str, Any]) -> bool:
        """Publish in a place; False where it is the right one no more, and nothing was touched."""
        html, side = self.site_paths
        outputs = (self._below(html), self._shown("run.ipynb"), self._shown("results.json"))
        final = dataclasses.replace(self._final(), outputs=outputs)
        self.moves = note_moves(self.workspace, final, results, page=place.stem, title=self.request.spec.title)
        meta = self._meta(place, final, executed, page, results)
        meta_text = json.dumps(meta, ensure_ascii=False, indent=1, sort_keys=True)
        moved = build_redirects(self.workspace.site, meta, html.stem, self.lang)
        # the page first and its facts last: by them is told whether all of it went out
        contents = {html: page, **moved, side: meta_text.encode()}
        keep_beside(self.folder, contents)
        self.final = final
        with stage_files(contents) as replace:
            fault("page_staged")

            def _appear() -> None:
                if choose_place(self.workspace.site, self.request, final, self.near or ()) != place:
                    raise OvertakenError
                replace()

            try:
                if not publish_run(self.workspace, final, self.claim, _appear):
                    raise self._fenced()
            except OvertakenError:
                return False
        self.record = final
        return True

    def _meta(
        self, place: PagePlace, final: RunRecord, executed: NotebookNode, page: bytes, results: Mapping[str, Any]
    ) -> dict[str, Any]:
        from qbase.reports.rendering.page_meta import report_meta

        request = self.request
        named = request.names.get("subject")
        return {
            **report_meta(request.spec, final, results, notebook=executed, names=request.names),
            "key": place.key,
            "subject": named.payload() if named else None,
            **({"former_keys": list(place.former_keys)} if place.former_keys else {}),
            "run_id": final.run_id,
            "moment": read_moment(final.slot, final.started_at).isoformat(),
            "fingerprint": final.fingerprint,
            "html_sha256": hashlib.sha256(page).hexdigest(),
        }

    def show_gallery(self) -> None:
        """Build the gallery anew; the report is out already, so a failure here is told apart (QB822).

        Raises
        ------
        RunError
            The gallery could not be written (QB822).
        """
        from qbase.reports.asking.subject_names import find_cluster_towns
        from qbase.reports.comparing.moved_page import show_moves
        from qbase.reports.rendering.gallery import build_gallery

        try:
            show_moves(self.workspace)
            runs, towns = list_runs(self.workspace, limit=RECENT), find_cluster_towns(self.workspace)
            build_gallery(self.workspace.site, runs=runs, towns=towns)
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
