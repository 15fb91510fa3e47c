"""``qbase run``: reports asked for, run and told one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from qbase.cli.reports.batch_plan import Asked, again, plan, read_shard, several, tell_plan
from qbase.cli.reports.report_commands import STATES, near
from qbase.cli.speaking.batch_bar import batch_bar
from qbase.cli.speaking.completing import find_reports, find_values
from qbase.cli.speaking.shared_options import AsJson, Home, OnCluster, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of

if TYPE_CHECKING:
    from qbase.core.errors import QbaseError
    from qbase.lake import Workspace
    from qbase.reports import Job, Outcome

Engine = Literal["kernel", "fork"]
Grid = Annotated[
    list[str] | None,
    typer.Option(
        "--grid",
        metavar="NAME=V1,V2",
        help="一个参数的几个值，可重复；运行全部组合 | values of a parameter, every combination is run",
    ),
]
Only = Annotated[
    str,
    typer.Option("--only", metavar="TEXT", help="只运行页面、对象或参数含有这段文字的 | only runs that hold this text"),
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="最多运行几次 | at most so many runs")]
Shard = Annotated[
    str | None, typer.Option("--shard", metavar="I/N", help="只运行 N 份中的第 I 份 | only part I of N, from 1")
]
Dry = Annotated[
    bool,
    typer.Option("--dry-run", help="只列出会运行什么、什么没有变化 | only list what would run and what is unchanged"),
]


def run(
    ctx: typer.Context,
    reports: Annotated[
        list[str], typer.Argument(metavar="REPORT", help="报告的名字 | names of reports", autocompletion=find_reports)
    ],
    params: Annotated[
        list[str] | None,
        typer.Option(
            "-p",
            "--param",
            metavar="NAME=VALUE",
            help="参数，可重复 | a parameter; may be repeated",
            autocompletion=find_values,
        ),
    ] = None,
    grid: Grid = None,
    only: Only = "",
    limit: Limit = None,
    shard: Shard = None,
    dry_run: Dry = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="同时运行的报告数 | reports at once")] = 1,
    cluster: OnCluster = "",
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
    part = read_shard(shard)
    asked = Asked(words=params or (), grid=grid or (), only=only, limit=limit, shard=part, force=force)
    workspace = shell.workspace()
    if dry_run:
        return tell_plan(shell, workspace, *plan(shell, workspace, list(dict.fromkeys(reports)), asked))
    return run_and_tell(shell, workspace, reports, asked, jobs=jobs, engine=engine, cluster=cluster)


def run_and_tell(
    shell: Shell,
    workspace: Workspace,
    names: Sequence[str],
    asked: Asked | None = None,
    *,
    jobs: int = 1,
    engine: Engine | None = None,
    cluster: str = "",
    also: Mapping[str, Any] | None = None,
) -> int:
    """Run reports by name, print each outcome as it comes, and return the exit code.

    Raises
    ------
    QbaseError
        The only report asked for failed; of several, each failure is printed instead.
    """
    ready, outcomes = plan(shell, workspace, list(dict.fromkeys(names)), asked or Asked())
    if len(names) == 1 and outcomes and outcomes[0].error:
        raise outcomes[0].error
    for outcome in outcomes:
        tell_outcome(shell, workspace, outcome)
    outcomes += _run_all(shell, workspace, ready, jobs, engine, cluster)
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
    if len(outcomes) != 1:
        shell.note(_summary(shell, outcomes))
    if not failed:
        shell.note(shell.text("下一步  qbase runs", "Next    qbase runs"))
    if len(outcomes) == 1 and failed:
        return failed[0].error.exit_code if failed[0].error else 1
    return 1 if failed else 0


def _run_all(
    shell: Shell, workspace: Workspace, ready: Sequence[Job], jobs: int, engine: Engine | None, cluster: str
) -> list[Outcome]:
    from qbase.reports import run_many, run_on_cluster
    from qbase.reports.batching.run_batch import choose_engine, run_here

    if len(ready) == 1 and not cluster:
        with shell.progress(ready[0].report_id) as report:
            outcome = run_here(workspace, ready[0], engine=engine or choose_engine(1), on_progress=report)
        tell_outcome(shell, workspace, outcome)
        return [outcome]
    if ready:
        shell.note(_plan_line(shell, ready, jobs, cluster))
    with batch_bar(shell, len(ready)) as advance:

        def tell(outcome: Outcome) -> None:
            tell_outcome(shell, workspace, outcome, is_one_of_many=True)
            advance(outcome.error is not None)

        def retry(outcome: Outcome) -> None:
            _tell_retry(shell, outcome)

        def refuse(error: QbaseError) -> None:
            shell.complain(error.payload())

        if not cluster:
            return run_many(workspace, ready, jobs_at_once=jobs, engine=engine, on_done=tell, on_retry=retry)
        return run_on_cluster(workspace, ready, cluster, engine=engine, on_done=tell, on_retry=retry, on_refused=refuse)


def _plan_line(shell: Shell, ready: Sequence[Job], jobs: int, cluster: str) -> str:
    number, names, at_once = len(ready), several(ready), min(jobs, len(ready))
    if cluster:
        return shell.text(f"{number} 份报告，交给 {cluster}：{names}", f"{number} reports at {cluster}: {names}")
    return shell.text(f"{number} 份报告，同时 {at_once} 份：{names}", f"{number} reports, {at_once} at once: {names}")


def _tell_retry(shell: Shell, outcome: Outcome) -> None:
    error = outcome.error.payload() if outcome.error else {"code": "", "found": ""}
    where = outcome.job.page_id or outcome.job.report_id
    told = shell.text(f"再试，第 {outcome.attempts + 1} 次", f"attempt {outcome.attempts + 1}")
    shell.note(f"{where}  {error['code']} {error['found']}  → {told}")


def tell_outcome(shell: Shell, workspace: Workspace, outcome: Outcome, *, is_one_of_many: bool = False) -> None:
    """Print what became of a report."""
    if outcome.error:
        if is_one_of_many and outcome.job.params and not shell.as_json:
            # the four lines name the report, of which there are many here
            typer.echo(again(outcome.job), err=True)
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
    tries = {"attempts": outcome.attempts} if outcome.attempts > 1 else {}
    if outcome.record is not None:
        return outcome.record.payload() | tries
    error = outcome.error.payload() if outcome.error else None
    params = {"params": dict(outcome.job.params)} if outcome.job.params else {}
    return {"report_id": outcome.job.report_id, **params, "state": "refused", "error": error, **tries}


def _summary(shell: Shell, outcomes: Sequence[Outcome]) -> str:
    states = [outcome.record.state if outcome.record else "refused" for outcome in outcomes]
    good, same = states.count("ok"), states.count("unchanged")
    bad = sum(outcome.error is not None for outcome in outcomes)
    return shell.text(
        f"{good} 份已发布，{same} 份未变，{bad} 份失败", f"{good} published, {same} unchanged, {bad} failed"
    )
