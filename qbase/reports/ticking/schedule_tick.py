"""One look at the clock: what is due is claimed, run, and written down, each due time once."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from qbase.core.errors import QbaseError, RunError
from qbase.lake import (
    ScheduledSlot,
    claim_scheduled,
    close_scheduled,
    find_slot,
    list_scheduled,
    read_run,
    slot_key,
    undo_scheduled,
)
from qbase.lake.schedule_entries import LEASE_SECONDS
from qbase.reports.asking.run_request import read_request
from qbase.reports.batching.batch_jobs import Job, Outcome
from qbase.reports.batching.run_batch import choose_engine, run_many
from qbase.reports.batching.run_planning import plan_jobs
from qbase.reports.running.run_states import close_dead_runs
from qbase.reports.scheduling.schedule_reading import Schedule
from qbase.reports.telling.notices import notice_of
from qbase.reports.telling.sent_notices import tell
from qbase.reports.ticking.due_slots import Duty, list_duties, orphans_of, read_all_schedules
from qbase.reports.ticking.slot_holder import Clock, beating, is_living, new_holder, read_clock

if TYPE_CHECKING:
    from qbase.core.results.run_values import RunRecord
    from qbase.lake import Workspace
    from qbase.reports.executing.execution_job import EngineName

HELD = "QB835"
"""Another runner has the slot of a run."""

MOST_ATTEMPTS = 3
"""A report that takes its scheduler down with it is not begun without end."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of one due time.

    Parameters
    ----------
    schedule : str
        Name of the schedule.
    slot : ScheduledSlot
        As the ledger has it.
    outcome : Outcome or None
        Of the run; None where nothing was run.

    Examples
    --------
    >>> import datetime
    >>> from qbase.lake import ScheduledSlot
    >>> from qbase.reports.ticking.schedule_tick import Seen
    >>> due = datetime.datetime(2026, 11, 30, tzinfo=datetime.UTC)
    >>> Seen(schedule="w", slot=ScheduledSlot(report_id="trends", rule_key="w:1", due_at=due, state="stale")).outcome
    """

    schedule: str
    slot: ScheduledSlot
    outcome: Outcome | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tick:
    """What one look at the clock found.

    Parameters
    ----------
    seen : tuple of Seen
        Every due time that was run, or passed over for a reason.
    problems : tuple of QbaseError
        Schedules that could not be followed.
    taken_back : tuple of ScheduledSlot
        Decided before by a clock that was ahead.

    Examples
    --------
    >>> from qbase.reports import Tick
    >>> Tick().is_good
    True
    """

    seen: tuple[Seen, ...] = ()
    problems: tuple[QbaseError, ...] = ()
    taken_back: tuple[ScheduledSlot, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether every schedule could be followed and every run ended well."""
        return not self.problems and all(one.slot.state != "failed" for one in self.seen)


def run_due(
    workspace: Workspace,
    *,
    clock: Clock = read_clock,
    jobs_at_once: int = 1,
    engine: EngineName | None = None,
    is_stopped: Callable[[], bool] = lambda: False,
    on_seen: Callable[[Seen], None] = lambda seen: None,
    lease_seconds: float = LEASE_SECONDS,
) -> Tick:
    r"""Run every report that is due now, each due time once, however many schedulers there are.

    Parameters
    ----------
    workspace : Workspace
        Its specifications say what is due, its ledger what was seen to.
    clock : callable, optional
        Gives the time with zone.
    jobs_at_once : int
        Reports at once.
    engine : {"kernel", "fork"}, optional
        As `run_many` takes it; forks where more than one report is due.
    is_stopped : callable, optional
        Asked between runs; what is not begun then is left for the next look.
    on_seen : callable, optional
        Called with each due time as it is seen to.
    lease_seconds : float
        A scheduler of another machine without a sign of life for so long has died.

    Returns
    -------
    Tick

    Examples
    --------
    >>> import datetime, tempfile
    >>> from qbase.lake import Workspace
    >>> from qbase.reports import run_due
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> spec = 'notebook = "notebooks/trends.ipynb"\ntitle_zh = "质量走势"\ntitle_en = "Quality trends"\n'
    >>> spec += '[schedule.weekly]\nrule = "FREQ=WEEKLY;BYDAY=MO"\nstart = "2026-11-30T08:00"\nzone = "Asia/Shanghai"'
    >>> _ = (home.specs / "trends.toml").write_text(spec, "utf-8")
    >>> sunday = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)
    >>> run_due(home, clock=lambda: sunday).seen  # seen for the first time: it counts from now on
    ()
    >>> (monday,) = run_due(home, clock=lambda: sunday + datetime.timedelta(days=1, hours=3)).seen
    >>> monday.slot.spelled, monday.slot.is_late, monday.slot.state, monday.outcome.error.code  # there is no notebook
    ('2026-11-30T00:00:00Z', True, 'failed', 'QB809')
    """
    tick = _OneTick(workspace, clock, on_seen, lease_seconds, jobs_at_once)
    for group in tick.groups():
        if is_stopped():
            break
        tick.run(group, engine)
    return Tick(seen=tuple(tick.seen), problems=tuple(tick.problems), taken_back=tuple(tick.taken_back))


class _OneTick:
    """The state of one look: what it found, and in whose name it claims."""

    def __init__(
        self,
        workspace: Workspace,
        clock: Clock,
        on_seen: Callable[[Seen], None],
        lease_seconds: float,
        jobs_at_once: int,
    ) -> None:
        self.workspace, self.clock, self.on_seen, self.lease_seconds = workspace, clock, on_seen, lease_seconds
        self.holder, self.seen, self.jobs_at_once = new_holder(), list[Seen](), jobs_at_once
        now = clock().replace(microsecond=0)
        self.taken_back = undo_scheduled(workspace, now)
        schedules, self.problems = read_all_schedules(workspace)
        if not self.problems:
            self._close_orphans(schedules)
        self.duties: list[Duty] = []
        for schedule in schedules:
            duties, passed_over, unknown = list_duties(workspace, schedule, now)
            self.duties += duties
            self.problems += unknown
            for slot in passed_over:
                self._tell(schedule.name, slot)

    def groups(self) -> Iterator[list[Duty]]:
        """Yield what is to be run, oldest first, so many at a time; never two times of one schedule side by side."""
        group: list[Duty] = []
        keys: set[tuple[str, str]] = set()
        for duty in sorted(self.duties, key=lambda duty: (duty.slot.due_at, duty.slot.report_id, duty.slot.rule_key)):
            key = (duty.slot.report_id, duty.slot.rule_key)
            if len(group) == self.jobs_at_once or key in keys:
                # of one page the newest is to be published last
                yield group
                group, keys = [], set()
            group.append(duty)
            keys.add(key)
        if group:
            yield group

    def run(self, group: Sequence[Duty], engine: EngineName | None) -> None:
        """Claim the due times of a group, run those that are ours, and write down how they ended."""
        ours = [Duty(schedule=duty.schedule, slot=slot) for duty in group if (slot := self._claim(duty.slot))]
        planned = [(duty, *self._plan(duty)) for duty in ours]
        jobs = [job for _, mine, refused in planned if refused is None for job in mine]
        with beating(self.workspace, [duty.slot for duty in ours], self.clock, self.lease_seconds):
            # one after the other or side by side: the libraries are loaded once for all that is due
            chosen = engine or choose_engine(max(len(self.duties), len(jobs)))
            at_once = max(1, min(self.jobs_at_once, len(jobs)))
            ended = iter(run_many(self.workspace, jobs, jobs_at_once=at_once, engine=chosen) if jobs else ())
        for duty, mine, outcome in planned:
            outcomes = [outcome] if outcome is not None else [next(ended) for _ in mine]
            if duty.slot.is_late:
                tell(self.workspace, [notice_of(one.record, "late") for one in outcomes if one.record])
            # of many pages the first that failed speaks for all
            said = next((one for one in outcomes if one.error), outcomes[-1])
            is_held = said.error is not None and said.error.code == HELD
            # somebody else is at it: the claim runs out, and the next look finds what became of it
            self._tell(duty.schedule.name, duty.slot if is_held else self._close(duty.slot, said), said)

    def _plan(self, duty: Duty) -> tuple[list[Job], Outcome | None]:
        """Return the runs of a due time, or how it ended where that can be told without one."""
        schedule, slot = duty.schedule, duty.slot.spelled
        job = Job(report_id=schedule.report_id, params=dict(schedule.params), lang=schedule.lang, slot=slot)
        if duty.slot.attempts > MOST_ATTEMPTS:
            found, expected = f"{duty.slot.attempts - 1} schedulers ended while it ran", "a report that can be run"
            fix = f"qbase run {job.report_id}"
            told = {"report": job.report_id, "found": found, "expected": expected, "fix": fix}
            return [], Outcome(job=job, error=RunError("QB849", **told))
        try:
            jobs = plan_jobs(self.workspace, job.report_id, job.params, lang=job.lang, slot=slot)
        except QbaseError as error:
            return [], Outcome(job=job, error=error)
        if duty.slot.attempts > 1:
            # what went out before the scheduler died is not made anew, even where the data have moved on
            close_dead_runs(self.workspace, job.report_id)
            jobs, last = self._left(jobs)
            if not jobs and last is not None:
                return [], Outcome(job=job, record=last)
        return jobs, None

    def _left(self, jobs: Sequence[Job]) -> tuple[list[Job], RunRecord | None]:
        """Return the jobs whose slot holds no published page, and the last run that published for one of the others."""
        left, last = [], None
        for job in jobs:
            params = read_request(self.workspace, job.report_id, job.params).params
            slot = find_slot(self.workspace, slot_key(job.report_id, params, job.slot or ""))
            if slot is None or not slot.published:
                left.append(job)
            else:
                last = read_run(self.workspace, slot.published)
        return left, last

    def _claim(self, slot: ScheduledSlot) -> ScheduledSlot | None:
        there = claim_scheduled(
            self.workspace,
            slot,
            holder=self.holder,
            now=self.clock(),
            lease_seconds=self.lease_seconds,
            is_alive=is_living,
        )
        return there if (there.claimed_by, there.state) == (self.holder, "claimed") else None

    def _close(self, slot: ScheduledSlot, outcome: Outcome) -> ScheduledSlot:
        state: Literal["done", "failed"] = "failed" if outcome.error else "done"
        run_id = outcome.record.run_id if outcome.record else ""
        note = f"{outcome.error.code} {outcome.error.found}"[:200] if outcome.error else ""
        if close_scheduled(self.workspace, slot, state=state, run_id=run_id, note=note):
            return dataclasses.replace(slot, state=state, run_id=run_id, note=note)
        return dataclasses.replace(slot, note="taken over by another scheduler")

    def _close_orphans(self, schedules: Sequence[Schedule]) -> None:
        for slot in orphans_of(schedules, list_scheduled(self.workspace, state="claimed")):
            note = "its schedule has gone"
            held = self._claim(slot)
            if held is not None and close_scheduled(self.workspace, held, state="failed", note=note):
                self._tell(slot.rule_key.partition(":")[0], dataclasses.replace(held, state="failed", note=note))

    def _tell(self, schedule: str, slot: ScheduledSlot, outcome: Outcome | None = None) -> None:
        self.seen.append(Seen(schedule=schedule, slot=slot, outcome=outcome))
        self.on_seen(self.seen[-1])
