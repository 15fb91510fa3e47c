"""What a call of ``qbase run`` asks for, as jobs; told before anything is started with ``--dry-run``."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qbase.cli.speaking.shell import Shell
from qbase.core.errors import QbaseError, UsageError

if TYPE_CHECKING:
    from qbase.core.results.run_values import RunRecord
    from qbase.lake import Workspace
    from qbase.reports import Job, Outcome

NO_RUN = "QB842"
STATES = {"new": "新", "changed": "有变", "unchanged": "未变"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Asked:
    """The words of a call that choose runs."""

    words: Sequence[str] = ()
    grid: Sequence[str] = ()
    only: str = ""
    limit: int | None = None
    shard: tuple[int, int] | None = None
    force: bool = False


def read_shard(word: str | None) -> tuple[int, int] | None:
    """Read ``2/5`` as the second of five parts.

    Raises
    ------
    UsageError
        It is no part of so many (QB936).
    """
    if word is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,6})/([1-9][0-9]{0,6})", word.strip(), re.ASCII)
    part, parts = (int(match[1]), int(match[2])) if match else (1, 0)
    if part > parts:
        expected, fix = "PART/PARTS, from 1/5 to 5/5", "--shard 1/5"
        raise UsageError("QB936", word=word, found=f"--shard {word}", expected=expected, fix=fix)
    return part, parts


def plan(shell: Shell, workspace: Workspace, names: Sequence[str], asked: Asked) -> tuple[list[Job], list[Outcome]]:
    """Check every run of every report before the first is started; what does not hold comes back as an outcome.

    Raises
    ------
    UsageError
        No run of any report holds the text of ``--only`` (QB842).
    """
    from qbase.reports import Job, Outcome, plan_jobs, read_grid, read_parameters, read_spec, read_words

    ready: list[Job] = []
    refused: list[Outcome] = []
    without: list[QbaseError] = []
    for name in names:
        left = None if asked.limit is None else max(asked.limit - len(ready), 0)
        try:
            spec = read_spec(workspace, name)
            declared = read_parameters(workspace.root / spec.notebook, shown=spec.notebook)
            ready += plan_jobs(
                workspace,
                name,
                read_words(declared, asked.words, report_id=name),
                grid=read_grid(declared, asked.grid, report_id=name),
                only=asked.only,
                limit=left,
                shard=asked.shard,
                lang=shell.page_lang,
                force=asked.force,
            )
        except QbaseError as error:
            if error.code == NO_RUN:
                without.append(error)
            else:
                refused.append(Outcome(job=Job(report_id=name), error=error))
    if without and len(without) == len(names):
        raise without[0]
    return ready, refused


def tell_plan(shell: Shell, workspace: Workspace, ready: Sequence[Job], refused: Sequence[Outcome]) -> int:
    """Print what would be run and what would change nothing; return the exit code.

    Raises
    ------
    QbaseError
        The only report asked for does not hold.
    """
    from qbase.reports.batching.planned_batch import find_unchanged

    if len(refused) == 1 and not ready and refused[0].error:
        raise refused[0].error
    for outcome in refused:
        shell.complain(outcome.error.payload() if outcome.error else {})
    same = find_unchanged(workspace, ready)
    states = [_state(workspace, job, same.get(place)) for place, job in enumerate(ready)]
    rows = [
        [job.page_id, STATES[s] if shell.lang == "zh" else s, chosen(job)] for job, s in zip(ready, states, strict=True)
    ]
    shell.rows(shell.text("页面 状态 参数", "PAGE STATE PARAMETERS").split(), rows)
    unchanged = states.count("unchanged")
    shell.note(
        shell.text(
            f"共 {len(ready)} 次运行，其中 {unchanged} 次未变；什么都没有启动",
            f"{len(ready)} runs, {unchanged} of them unchanged; nothing was started",
        )
    )
    told = [_payload(job, state) for job, state in zip(ready, states, strict=True)]
    shell.document({"runs": told, "count": len(ready), "unchanged": unchanged})
    return 1 if refused else 0


def chosen(job: Job) -> str:
    """Return the parameters of a job as they are typed."""
    from qbase.reports.asking.run_arguments import written

    return " ".join(f"{name}={written(value)}" for name, value in job.params.items()) or "–"


def again(job: Job) -> str:
    """Return the line that runs a job once more."""
    from qbase.reports.asking.run_arguments import written

    return " ".join([f"qbase run {job.report_id}", *(f"-p {n}={written(v)}" for n, v in job.params.items())])


def several(jobs: Sequence[Job]) -> str:
    """Return the reports of some jobs, those with more than one run with their number."""
    counts = collections.Counter(job.report_id for job in jobs)
    return " · ".join(name if count == 1 else f"{name} × {count}" for name, count in counts.items())


def _state(workspace: Workspace, job: Job, same: RunRecord | None) -> str:
    if same is not None:
        return "unchanged"
    return "changed" if (workspace.site / f"{job.page_id}.html").is_file() else "new"


def _payload(job: Job, state: str) -> dict[str, Any]:
    named = {"report_id": job.report_id, "page": job.page_id, "params": dict(job.params)}
    return {**named, "key": job.key, "state": state}
