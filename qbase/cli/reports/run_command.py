"""``qbase run``: reports asked for, run and told one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from qbase.cli.reports.report_commands import STATES, near
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.errors import QbaseError

if TYPE_CHECKING:
    from qbase.lake import Workspace
    from qbase.reports import Job, Outcome

Engine = Literal["kernel", "fork"]


def run(
    ctx: typer.Context,
    reports: Annotated[list[str], typer.Argument(metavar="REPORT", help="报告的名字 | names of reports")],
    params: Annotated[
        list[str] | None,
        typer.Option("-p", "--param", metavar="NAME=VALUE", help="参数，可重复 | a parameter; may be repeated"),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="同时运行的报告数 | reports at once")] = 1,
    engine: Annotated[
        Engine | None, typer.Option("--engine", help="单元在哪里运行 | where cells run: a kernel each, or forks")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="即使没有变化也运行 | run even when nothing changed")] = False,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Run reports and publish them; one bad report never stops the rest."""
    shell = shell_of(ctx, home, as_json, quiet, lang)
    return run_and_tell(shell, shell.workspace(), reports, words=params or (), jobs=jobs, force=force, engine=engine)


def run_and_tell(
    shell: Shell,
    workspace: Workspace,
    names: Sequence[str],
    *,
    words: Sequence[str] = (),
    jobs: int = 1,
    force: bool = False,
    engine: Engine | None = None,
    also: Mapping[str, Any] | None = None,
) -> int:
    """Run reports by name, print each outcome as it comes, and return the exit code.

    Raises
    ------
    QbaseError
        The only report asked for failed; of several, each failure is printed instead.
    """
    ready, outcomes = _jobs(shell, workspace, list(dict.fromkeys(names)), words, force)
    if len(names) == 1 and outcomes and outcomes[0].error:
        raise outcomes[0].error
    for outcome in outcomes:
        tell_outcome(shell, workspace, outcome)
    outcomes += _run_all(shell, workspace, ready, jobs, engine)
    gallery = workspace.site / "index.html"
    failed = [outcome for outcome in outcomes if outcome.error]
    shell.document(
        {
            **(also or {}),
            "runs": [outcome_payload(outcome) for outcome in outcomes],
            "gallery": str(gallery) if gallery.is_file() else None,
        }
    )
    if gallery.is_file() and len(failed) < len(outcomes):
        shell.out(shell.text("目录    ", "Gallery ") + near(gallery))
    if len(outcomes) > 1:
        shell.note(_summary(shell, outcomes))
    if not failed:
        shell.note(shell.text("下一步  qbase runs", "Next    qbase runs"))
    if len(outcomes) == 1 and failed:
        return failed[0].error.exit_code if failed[0].error else 1
    return 1 if failed else 0


def _jobs(
    shell: Shell, workspace: Workspace, names: Sequence[str], words: Sequence[str], force: bool
) -> tuple[list[Job], list[Outcome]]:
    """Check every name and parameter before the first kernel starts."""
    from qbase.reports import Job, Outcome, read_parameters, read_spec, read_words
    from qbase.reports.asking.run_request import read_request

    ready, refused = [], []
    for name in names:
        try:
            spec = read_spec(workspace, name)
            declared = read_parameters(workspace.root / spec.notebook, shown=spec.notebook)
            params = read_words(declared, words, report_id=name)
            read_request(workspace, name, params)
            ready.append(Job(report_id=name, params=params, lang=shell.page_lang, force=force))
        except QbaseError as error:
            refused.append(Outcome(job=Job(report_id=name), error=error))
    return ready, refused


def _run_all(
    shell: Shell, workspace: Workspace, ready: Sequence[Job], jobs: int, engine: Engine | None
) -> list[Outcome]:
    from qbase.reports import run_many
    from qbase.reports.running.run_batch import choose_engine, run_here

    chosen = engine or choose_engine(len(ready))

    if jobs > 1 and len(ready) > 1:
        names = " · ".join(job.report_id for job in ready)
        shell.note(
            shell.text(
                f"{len(ready)} 份报告，同时 {jobs} 份：{names}", f"{len(ready)} reports, {jobs} at once: {names}"
            )
        )
        return run_many(
            workspace,
            ready,
            jobs_at_once=jobs,
            engine=chosen,
            on_done=lambda outcome: tell_outcome(shell, workspace, outcome),
        )
    outcomes = []
    for job in ready:
        with shell.progress(job.report_id) as report:
            outcome = run_here(workspace, job, engine=chosen, on_progress=report)
        tell_outcome(shell, workspace, outcome)
        outcomes.append(outcome)
    return outcomes


def tell_outcome(shell: Shell, workspace: Workspace, outcome: Outcome) -> None:
    """Print what became of a report."""
    if outcome.error:
        shell.complain(outcome.error.payload())
        return
    record = outcome.record
    if record is None or not record.outputs:
        return
    state = STATES[record.state] if shell.lang == "zh" else record.state
    page = near(workspace.root / record.outputs[0])
    shell.out(f"{shell.text('报告', 'Report')}  {page}  ({state}, {record.seconds:.1f} s)")


def outcome_payload(outcome: Outcome) -> dict[str, Any]:
    """Return what became of a report as plain values."""
    if outcome.record is not None:
        return outcome.record.payload()
    error = outcome.error.payload() if outcome.error else None
    return {"report_id": outcome.job.report_id, "state": "refused", "error": error}


def _summary(shell: Shell, outcomes: Sequence[Outcome]) -> str:
    states = [outcome.record.state if outcome.record else "refused" for outcome in outcomes]
    good, same = states.count("ok"), states.count("unchanged")
    bad = sum(outcome.error is not None for outcome in outcomes)
    return shell.text(
        f"{good} 份已发布，{same} 份未变，{bad} 份失败", f"{good} published, {same} unchanged, {bad} failed"
    )
