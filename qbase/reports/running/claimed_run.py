"""The side of a run that the ledger knows: its folder, its record, its claim, and how it ends."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import pathlib
import secrets
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.errors import QbaseError, RunError
from qbase.core.results.run_values import RunRecord, State
from qbase.core.whole_files import write_atomic
from qbase.lake import Claim, find_slot, name_slot
from qbase.lake.run_changes import begin_run, find_queued, key_of, move_run, publish_run
from qbase.lake.run_claims import read_lease
from qbase.lake.storage.fault_points import fault
from qbase.reports.asking.run_request import Request
from qbase.reports.executing.completeness import Place
from qbase.reports.running import fingerprint
from qbase.reports.running.failed_runs import PARTIAL, drop_failed, keep_partial, show_failed
from qbase.reports.running.page_place import PagePlace, choose_place, find_near
from qbase.reports.running.run_states import LOCK, close_dead_runs, close_fenced, drop_beside, hold, read_meta

if TYPE_CHECKING:
    from qbase.core.errors import Lang
    from qbase.lake import Workspace
    from qbase.reports.executing.execution_job import EngineName

Progress = Callable[[str, int, int], None]


def first_record(workspace: Workspace, request: Request, slot: str | None, *, commit: str) -> RunRecord:
    """Return what is known of a run before it begins; without a logical date it is for today."""
    now = datetime.datetime.now(datetime.UTC)
    page = workspace.site / f"{request.page_id}.html"
    return RunRecord(
        run_id=f"{now:%Y%m%dT%H%M%S}-{secrets.token_hex(5)}",
        report_id=request.spec.report_id,
        notebook=request.spec.notebook,
        params=request.params,
        slot=name_slot(slot or datetime.datetime.now().astimezone().date()),
        state="leased",
        fingerprint="",
        commit=commit,
        versions=fingerprint.versions(),
        snapshot="",
        # two short runs may begin within one second, and the list of runs keeps their order
        started_at=now.isoformat(timespec="milliseconds"),
        outputs=(page.relative_to(workspace.root).as_posix(),),
    )


class ClaimedRun:
    """A run that owns its folder and its record, and holds its slot while it goes on."""

    def __init__(
        self,
        workspace: Workspace,
        request: Request,
        lang: Lang,
        slot: str | None,
        on_progress: Progress,
        engine: EngineName = "kernel",
        *,
        is_forced: bool = False,
        after: int | None = None,
    ) -> None:
        self.workspace, self.request, self.lang, self.on_progress = workspace, request, lang, on_progress
        self.engine, self.after, self.began = engine, after, time.monotonic()
        self.place: Place | None = None
        self.claim: Claim
        self.final: RunRecord | None = None
        self.is_begun = False
        record = first_record(workspace, request, slot, commit=fingerprint.commit_of(workspace.root))
        # a run of this slot that was queued is taken up under its own id
        queued = find_queued(workspace, key_of(record))
        self.record = dataclasses.replace(record, run_id=queued or record.run_id, lang=lang, is_forced=is_forced)
        self.folder = workspace.runs / request.spec.report_id / self.record.run_id
        self.page = PagePlace(stem=request.page_id, key=request.page_key or request.page_id)
        # looked for once: it takes a look at every name of the site
        self.near: tuple[str, ...] | None = None

    @property
    def site_paths(self) -> tuple[pathlib.Path, pathlib.Path]:
        """Where the page of the run stands, or will stand, and the facts beside it."""
        html = self.workspace.site / f"{self.page.stem}.html"
        return html, html.with_name(f"{self.page.stem}.json")

    def aim(self) -> PagePlace:
        """Choose where to publish, by what the site shows now."""
        if self.near is None:
            self.near = find_near(self.workspace.site, self.request)
        self.page = choose_place(self.workspace.site, self.request, self.record, self.near)
        self._set(outputs=(self._below(self.site_paths[0]),))
        return self.page

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder of the run; one in which nothing was begun is gone afterwards.

        Raises
        ------
        RunError
            Another runner of this machine is taking up the same queued run (QB835).
        """
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(hold(self.folder))
            except BlockingIOError as error:
                raise self._taken() from error
            except OSError as error:
                if not self.workspace.book.is_writable:
                    # a workspace that can only be read says so in its own words
                    with self.workspace.book.writing():
                        pass
                raise self.unwritten(error) from error
            stack.callback(self._leave)
            yield

    def _leave(self) -> None:
        if not self.is_begun:
            (self.folder / LOCK).unlink(missing_ok=True)
            for folder in (self.folder, self.folder.parent):
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def open(self) -> Claim:
        """Claim the slot and write the record for the first time: ledger, then its copy.

        Raises
        ------
        RunError
            Somebody else is running the slot, or has run it since (QB835); nothing was written.
        UsageError
            The lease that is set is none (QB233).
        """
        fault("run_folder_held")
        lease = read_lease()
        claim = begin_run(self.workspace, self.record, lease_seconds=lease, after=self.after)
        if claim is None and close_dead_runs(self.workspace, self.record.report_id):
            claim = begin_run(self.workspace, self.record, lease_seconds=lease, after=self.after)
        if claim is None:
            raise self._taken()
        self.claim, self.is_begun = claim, True
        if claim.token > 1:
            # whoever held the slot before may have died with its page out: then there is nothing to run
            close_dead_runs(self.workspace, self.record.report_id)
        self._copy()
        return claim

    def _taken(self) -> RunError:
        record = self.record
        slot = find_slot(self.workspace, key_of(record))
        return RunError(
            "QB835",
            report=record.report_id,
            found=f"{slot.run_id if slot and slot.run_id else record.run_id} · {record.slot}",
            expected="one runner at a time for one report, one choice of parameters and one logical date",
            fix=f"wait for it: qbase runs {record.report_id}",
        )

    def enter(self, state: State) -> None:
        """Let the run enter a state.

        Raises
        ------
        RunError
            Its slot was taken over (QB836).
        """
        self._set(state=state, seconds=self._seconds())
        if not move_run(self.workspace, self.record, self.claim):
            raise self._fenced()

    def _fenced(self) -> RunError:
        return RunError(
            "QB836",
            report=self.record.report_id,
            found=f"{self.record.run_id} · claim {self.claim.token}",
            expected=f"a runner that shows a sign of life every {self.claim.lease_seconds:.0f} s",
            fix=f"qbase runs {self.record.report_id}",
        )

    def close(self, state: Any, outputs: tuple[Any, ...] = (), error: Mapping[str, Any] | None = None) -> RunRecord:
        """Write the record of a run that publishes nothing for the last time: ledger, then its copy."""
        shown = tuple(self._below(path) if isinstance(path, pathlib.Path) else path for path in outputs)
        self._set(state=state, outputs=shown, error=error, seconds=self._seconds())
        if not move_run(self.workspace, self.record, self.claim):
            # whoever took the slot over has closed this run, or will find that nobody holds it
            close_fenced(self.workspace, self.record)
        self._copy_last()
        return self.record

    def _is_out(self) -> bool:
        """Whether the page is out; where the ledger could not be told in the moment of publishing, it is told now."""
        final = self.final
        if final is None or read_meta(self.workspace, self.site_paths[0].stem).get("run_id") != final.run_id:
            return False
        if self.record.state != "ok" and not publish_run(self.workspace, final, self.claim, lambda: None):
            return False
        self.record = final
        return True

    def finish(self) -> RunRecord:
        """Write the copy of the record of a published run."""
        drop_beside(self.folder)
        self._copy_last()
        fault("run_told")
        return self.record

    def fail(self, error: QbaseError) -> RunRecord:
        """Record the end of a run that came to no good; one whose page is out is published all the same."""
        if self._is_out():
            return self.finish()
        cell = str(self.place) if self.place else None
        told = {"cell": cell, "text": f"{error.what_en}: {error.found}", **error.payload()}
        with self.logged():
            keep_partial(self.folder, self.request, dataclasses.replace(self.record, error=told), self.lang)
        kept = tuple(self._shown(n) for n in ("run.ipynb", "log.txt", PARTIAL) if (self.folder / n).is_file())
        return self.close("failed", kept, told)

    def tell_readers(self) -> None:
        """Leave the page that says that the report failed where there is no good one, or take it away where there is.

        What is published is not touched; what cannot be written is in the log of the run.
        """
        site, stem = self.workspace.site, self.page.stem
        with self.logged():
            if self.record.state != "failed":
                drop_failed(site, stem)
                return
            near = find_near(site, self.request) if self.near is None else self.near
            show_failed(site, stem, self.request, self.record, near)

    @contextlib.contextmanager
    def logged(self) -> Iterator[None]:
        """Put an error of what is only a courtesy into the log: what the run itself came to stands."""
        try:
            yield
        except Exception as error:
            with contextlib.suppress(OSError), (self.folder / "log.txt").open("a", encoding="utf-8") as log:
                log.write("".join(traceback.format_exception(error)))

    def fault(self, error: Exception) -> RunError:
        """Put a fault of the house into the log of the run and return what to say of it (QB999)."""
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write("".join(traceback.format_exception(error)))
        first = (str(error).strip().splitlines() or [""])[0][:200]
        fix = f"report it with its log: {self._shown('log.txt')}"
        return RunError("QB999", found=f"{type(error).__name__}: {first}", expected="no error of this kind", fix=fix)

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

    def _copy_last(self) -> None:
        # the ledger knows the end of the run; without its copy a published report is published all the same
        with contextlib.suppress(RunError):
            self._copy()

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
