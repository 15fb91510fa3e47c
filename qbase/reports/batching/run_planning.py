"""A report asked for becomes jobs: fanned out, every one checked and named, before the first is started."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from qbase.core.errors import UsageError
from qbase.reports.asking.fan_out import Choice, check_count, combine, list_choices
from qbase.reports.asking.run_request import Letter, Request, ask_letter, read_letter
from qbase.reports.asking.subject_names import SUBJECT, KnownSubjects
from qbase.reports.batching.batch_jobs import Job
from qbase.reports.running.fingerprint import content_params

if TYPE_CHECKING:
    from qbase.core.errors import Lang
    from qbase.lake import Workspace


def plan_jobs(
    workspace: Workspace,
    report_id: str,
    params: Mapping[str, Any] | None = None,
    *,
    grid: Mapping[str, Sequence[Any]] | None = None,
    only: str = "",
    limit: int | None = None,
    shard: tuple[int, int] | None = None,
    lang: Lang = "zh",
    slot: str | None = None,
    force: bool = False,
) -> list[Job]:
    """Plan the runs of a report: those its specification fans out, or every combination of a grid.

    Everything is checked here; nothing is started or recorded.

    Parameters
    ----------
    workspace : Workspace
        Where specification, notebook and data live.
    report_id : str
        File stem of the specification.
    params : mapping, optional
        Values for every run. They and the grid win over the fan-out, and runs that become the same are one.
    grid : mapping, optional
        Name -> values; every combination is run.
    only : str
        Only runs that hold this text: in the name of the page, the subject's names, or a value.
    limit : int, optional
        At most so many of those that are left.
    shard : tuple of (int, int), optional
        Part and parts, from 1: only the runs of this part. Report and parameters decide which part a run belongs to.
    lang, slot, force
        As `run_report` takes them.

    Returns
    -------
    list of Job
        In the order of the fan-out, a subject by its code. Empty where a shard has no run.

    Raises
    ------
    UsageError
        Report, notebook or parameters of one run do not hold (QB801-QB809, QB827-QB831), or the fan-out does not
        (QB840, QB841, QB844); no run holds the text (QB842); a name is in the grid and among the parameters (QB843).
    DataError
        A table of the fan-out's query is not loaded (QB810).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import plan_jobs
    >>> jobs = plan_jobs(open_workspace(), "trends", grid={"subject": ["K001", "K003"], "level": [0.9, 0.95]})
    >>> [(job.params["subject"], job.params["level"]) for job in jobs]
    [('K001', 0.9), ('K001', 0.95), ('K003', 0.9), ('K003', 0.95)]
    """
    given, lists = dict(params or {}), dict(grid or {})
    twice = sorted(given.keys() & lists.keys())
    if twice:
        word = f"{twice[0]}={','.join(map(str, lists[twice[0]]))}"
        expected = f"-p {twice[0]} or --grid {twice[0]}"
        raise UsageError(
            "QB843", word=word, found=f"--grid {word} -p {twice[0]}=…", expected=expected, fix="leave out one of them"
        )
    letter, known = read_letter(workspace, report_id), KnownSubjects(workspace)
    choices = list_choices(workspace, letter.spec, letter.parameters)
    cells = math.prod(map(len, lists.values()))
    check_count(cells * len(choices), report_id)
    planned: dict[str, tuple[Job, Request]] = {}
    for choice in _distinct([{**choice, **given, **cell} for choice in choices for cell in combine(lists)]):
        request = ask_letter(workspace, letter, choice, known=known)
        key = key_of_run(report_id, request.params)
        if key not in planned:
            chosen = {**choice, **({SUBJECT: request.params[SUBJECT]} if choice.get(SUBJECT) else {})}
            named = {"key": key, "page_id": request.page_id}
            job = Job(report_id=report_id, params=chosen, lang=lang, slot=slot, force=force, **named)
            planned[key] = job, request
    kept = [job for job, request in planned.values() if _holds(request, only)]
    if not kept:
        raise _nothing_holds(letter, only, [job.page_id for job, _ in planned.values()])
    return [job for job in kept if shard is None or is_in_shard(job.key, *shard)][:limit]


def key_of_run(report_id: str, params: Mapping[str, Any]) -> str:
    """Return the hash of a report and its checked parameters: what a run is about, on whatever day and machine."""
    told = [report_id, content_params(params)]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def is_in_shard(key: str, part: int, parts: int) -> bool:
    """Whether a run belongs to a part, counted from 1; whatever else is in the list."""
    return int(key[:16], 16) % parts == part - 1


def _distinct(choices: Sequence[Choice]) -> list[Choice]:
    """Return each choice once: a parameter given for every run makes one of many."""
    return list({json.dumps(choice, sort_keys=True, default=repr): choice for choice in choices}.values())


def _holds(request: Request, only: str) -> bool:
    wanted = only.casefold()
    said = request.names.get(SUBJECT)
    texts = [request.page_id, *map(str, request.params.values()), *(() if said is None else (said.zh, said.en))]
    return any(wanted in text.casefold() for text in texts)


def _nothing_holds(letter: Letter, only: str, pages: Sequence[str]) -> UsageError:
    report_id = letter.spec.report_id
    shown = " · ".join(pages[:4]) + (f" · … ({len(pages)})" if len(pages) > 4 else "")
    return UsageError(
        "QB842",
        report=report_id,
        word=only,
        found=f"--only {only}",
        expected=shown,
        fix=f"qbase run {report_id} --dry-run",
    )
