"""``qbase schedule tick · serve``: what is due is run and told, line by line; a signal ends it between two runs."""

from __future__ import annotations

import contextlib
import datetime
import signal
import zoneinfo
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from qbase.cli.reports.report_commands import near

if TYPE_CHECKING:
    from qbase.cli.speaking.shell import Shell
    from qbase.lake import ScheduledSlot, Workspace
    from qbase.reports import Tick
    from qbase.reports.ticking.schedule_tick import Seen

STATES = {
    "claimed": "运行中 | running",
    "done": "已完成 | done",
    "failed": "失败 | failed",
    "skipped": "未运行 | not run",
    "stale": "过期 | too old",
    "seen": "起算 | seen",
}


def tick(shell: Shell, workspace: Workspace, jobs: int) -> int:
    """Run what is due, tell it, and return the exit code."""
    from qbase.reports import run_due

    with stopping() as is_stopped:
        found = run_due(
            workspace,
            jobs_at_once=jobs,
            is_stopped=is_stopped,
            on_seen=lambda seen: tell(shell, workspace, seen),
        )
    _tell_rest(shell, found)
    shell.document(_payload(found))
    if not found.seen and not found.problems:
        shell.note(shell.text("没有到期的报告", "nothing is due"))
    if found.is_good:
        return 0
    has_failed = any(one.slot.state == "failed" for one in found.seen)
    return 1 if has_failed else found.problems[0].exit_code


def serve(shell: Shell, workspace: Workspace, jobs: int, every: float) -> int:
    """Run what is due until a signal says to stop; the run under way is finished first."""
    from qbase.reports.ticking.schedule_loop import run_schedules

    shell.note(shell.text("守候中；Ctrl-C 或 SIGTERM 结束", "serving; Ctrl-C or SIGTERM ends it"))
    with stopping() as is_stopped:
        run_schedules(
            workspace,
            is_stopped=is_stopped,
            every_seconds=every,
            jobs_at_once=jobs,
            on_seen=lambda seen: tell(shell, workspace, seen),
            on_tick=lambda found: _tell_look(shell, found),
        )
    shell.note(shell.text("已结束", "stopped"))
    return 0


@contextlib.contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Give what tells whether SIGTERM or Ctrl-C came; a second one ends the process as usual."""
    came: list[int] = []
    before = {name: signal.getsignal(name) for name in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, frame: object) -> None:
        came.append(number)
        for name, handler in before.items():
            signal.signal(name, handler)

    for name in before:
        signal.signal(name, note)
    try:
        yield lambda: bool(came)
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)


def tell(shell: Shell, workspace: Workspace, seen: Seen) -> None:
    """Tell one due time, and the error of its run."""
    slot, outcome = seen.slot, seen.outcome
    page = ""
    if outcome and outcome.record and outcome.record.outputs:
        page = f"  {near(workspace.root / outcome.record.outputs[0])}"
    note = f"  {slot.note}" if slot.note and outcome is None else ""
    words = state_words(shell, slot)
    shell.out(f"{slot.spelled}  {slot.report_id}  {seen.schedule}  {words}{page}{note}")
    if outcome and outcome.error:
        shell.complain(outcome.error.payload())


def state_words(shell: Shell, slot: ScheduledSlot) -> str:
    """Return the state of a due time in words, and whether it was late."""
    zh, _, en = STATES[slot.state].partition(" | ")
    return shell.text(zh, en) + (shell.text("（迟到）", " (late)") if slot.is_late else "")


def shown_time(moment: datetime.datetime, zone: str) -> str:
    """Return an instant as the clocks of a zone show it; those of UTC where a schedule has no zone."""
    local = moment.astimezone(zoneinfo.ZoneInfo(zone) if zone else datetime.UTC)
    return f"{local:%Y-%m-%d %H:%M}" + ("" if zone else " UTC")


def _tell_rest(shell: Shell, found: Tick) -> None:
    for slot in found.taken_back:
        shell.note(
            shell.text(
                f"{slot.spelled}  {slot.report_id}  时钟曾经走快，撤回",
                f"{slot.spelled}  {slot.report_id}  taken back: the clock was ahead",
            )
        )
    for problem in found.problems:
        shell.complain(problem.payload())


def _tell_look(shell: Shell, found: Tick) -> None:
    """Tell a look of many: a document only where there is something in it."""
    _tell_rest(shell, found)
    if found.seen or found.problems or found.taken_back:
        shell.document(_payload(found))


def _payload(found: Tick) -> dict[str, Any]:
    return {
        "seen": [
            {
                "report_id": one.slot.report_id,
                "schedule": one.schedule,
                "due_at": one.slot.spelled,
                "state": one.slot.state,
                "is_late": one.slot.is_late,
                "run_id": one.slot.run_id,
                "note": one.slot.note,
            }
            for one in found.seen
        ],
        "problems": [problem.payload() for problem in found.problems],
        "taken_back": [{"report_id": slot.report_id, "due_at": slot.spelled} for slot in found.taken_back],
    }
