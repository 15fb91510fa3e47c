"""The proof of completeness: a run counts only when every cell ran in order and the letter's own sentinel is there."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.errors import RunError
from qbase.reports.executing.execution_job import thread_failure

if TYPE_CHECKING:
    from qbase.core.results.run_values import Limits
    from qbase.reports.executing.execution_job import Job

INJECTED = "injected-parameters"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
FOUR_LINES = re.compile(
    r"error\[(?P<what>QB\d{3}\] .+)\n +found +(?P<found>.*)\n +expected +(?P<expected>.*)\n +to fix +(?P<fix>.*)"
)
RESULTS = "results.json"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Place:
    """A cell as its author finds it: position from 1 in the notebook, and its first line of code."""

    index: int
    line: str

    def __str__(self) -> str:
        return f"{self.index}: {self.line}"


def place_of(cells: Sequence[Mapping[str, Any]], position: int) -> Place:
    """Return where an executed cell stands in the notebook its author wrote.

    Parameters
    ----------
    cells : sequence
        Executed cells, the injected one among them.
    position : int
        Position from 0 among them.
    """
    before = sum(INJECTED not in cell["metadata"].get("tags", ()) for cell in cells[: position + 1])
    lines = [line.strip() for line in cells[position]["source"].splitlines()]
    code = [line for line in lines if line and not line.startswith("#")]
    return Place(index=max(before, 1), line=(code or lines or [""])[0][:120])


def find_failure(job: Job, report_id: str, limits: Limits, shown_log: str) -> tuple[RunError, Place | None] | None:
    """Return why an execution does not count, or None when its cells prove it complete.

    Parameters
    ----------
    job : Job
        As the engine left it.
    report_id : str
        For the messages.
    limits : Limits
        Of the run.
    shown_log : str
        Path of the log as messages show it.

    Returns
    -------
    tuple of (RunError, Place or None) or None
        The error to raise, and the cell it happened in.
    """
    again = f"qbase run {report_id}"
    if job.executed is None or not job.started:
        found = _one_line(job.exception) if job.exception else "no kernel"
        expected = "ipykernel of this Python answers within 60 s"
        return RunError("QB820", report=report_id, found=found, expected=expected, fix="qbase doctor"), None
    cells = job.executed.cells
    here = place_of(cells, job.running) if job.running is not None else None
    if job.exceeded:
        return too_much(report_id, job.shown, limits), here
    raised = next(_errors(cells), None)
    if raised:
        position, output = raised
        place = place_of(cells, position)
        return _raised(report_id, place, output, shown_log), place
    if job.exception is not None:
        return _ended(job, report_id, limits, here, shown_log), here
    gap = _first_gap(cells)
    if gap is not None:
        place = place_of(cells, gap)
        found = f"cell {place.index} not executed: {place.line}"
        return RunError("QB814", report=report_id, found=found, expected="every code cell, in order", fix=again), place
    if job.thread_errors:
        return thread_failure(report_id, job.thread_errors, again), None
    return None


def too_much(report_id: str, size: int, limits: Limits) -> RunError:
    """Return what to say of a run that put out more bytes than it may (QB819)."""
    return RunError(
        "QB819",
        report=report_id,
        found=f"{size / 2**20:,.1f} MB",
        expected=f"at most {limits.output_mb} MB",
        fix=f"show less, or raise output_mb under [limits] of {report_id}.toml",
    )


def read_results(folder: pathlib.Path, run_id: str, report_id: str) -> dict[str, Any]:
    """Read the record a letter wrote, and hold its sentinel against the run id.

    Parameters
    ----------
    folder : Path
        Run folder.
    run_id, report_id : str
        Of the run.

    Raises
    ------
    RunError
        There is no record, or it is not of this run (QB815).
    """
    path = folder / RESULTS
    try:
        results: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        sentinel = results.get("sentinel")
        found = f"sentinel {sentinel}"
    except (OSError, ValueError, AttributeError) as error:
        results, sentinel, found = {}, None, f"{RESULTS}: {type(error).__name__}"
    if sentinel != run_id:
        raise RunError(
            "QB815",
            report=report_id,
            found=found,
            expected=f"{RESULTS} with sentinel {run_id}",
            fix="record(...) as the last code cell of the notebook",
        )
    return results


def traceback_of(cells: Sequence[Mapping[str, Any]]) -> str:
    """Return the tracebacks among the outputs as plain text, for the log of the run."""
    return "\n".join(ANSI.sub("", "\n".join(output["traceback"])) for _, output in _errors(cells))


def _errors(cells: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for position, cell in enumerate(cells):
        for output in cell.get("outputs", ()):
            if output["output_type"] == "error":
                yield position, output


def _first_gap(cells: Sequence[Mapping[str, Any]]) -> int | None:
    last = 0
    for position, cell in enumerate(cells):
        if cell["cell_type"] != "code" or not cell["source"].strip():
            continue
        number = cell["execution_count"]
        if number is None or number <= last:
            return position
        last = number
    return None


def _raised(report_id: str, place: Place, output: Mapping[str, Any], shown_log: str) -> RunError:
    name, value = output["ename"], _first_line(output["evalue"])
    if name == "SystemExit":
        found = f"SystemExit {value} · cell {place.index}: {place.line}"
        fix = f"remove the exit, then qbase run {report_id}"
        return RunError("QB814", report=report_id, found=found, expected="every code cell, in order", fix=fix)
    told = _told(output["evalue"])
    if told:
        what, found, expected, fix = told
        return RunError(
            "QB811",
            report=report_id,
            cell=place.index,
            found=f"{what.replace(']', '', 1)} · {found}",
            expected=expected,
            fix=fix,
        )
    return RunError(
        "QB811",
        report=report_id,
        cell=place.index,
        found=f"{name}: {value} · {place.line}",
        expected="every cell runs without an error",
        fix=f"correct cell {place.index}, then qbase run {report_id}        (traceback: {shown_log})",
    )


def _told(value: str) -> tuple[str, str, str, str] | None:
    """Read the four lines of an error of the house back: its advice serves better than that a cell failed."""
    match = FOUR_LINES.fullmatch(ANSI.sub("", value).strip())
    return (match["what"], match["found"], match["expected"], match["fix"]) if match else None


def _ended(job: Job, report_id: str, limits: Limits, here: Place | None, shown_log: str) -> RunError:
    where = f"cell {here.index}: {here.line}" if here else "no cell"
    kind = type(job.exception).__name__
    if kind == "CellTimeoutError":
        expected = f"at most {limits.seconds} s"
        fix = f"make it faster, or raise seconds under [limits] of {report_id}.toml"
        return RunError("QB813", report=report_id, found=where, expected=expected, fix=fix)
    if kind == "DeadKernelError":
        expected = f"a living kernel within {limits.memory_mb} MB"
        fix = f"qbase run {report_id}        (log: {shown_log})"
        return RunError("QB812", report=report_id, found=where, expected=expected, fix=fix)
    found = f"{where} · {_one_line(job.exception)}"
    fix = f"qbase run {report_id}        (log: {shown_log})"
    return RunError("QB814", report=report_id, found=found, expected="every code cell, in order", fix=fix)


def _first_line(text: str) -> str:
    lines = [line.strip() for line in ANSI.sub("", text).splitlines() if line.strip()]
    return lines[0][:200] if lines else ""


def _one_line(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {_first_line(str(error))}"
