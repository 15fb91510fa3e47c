"""``qbase runs``: what was run, one run as a whole, and what a runner that died left to be done."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qbase.cli.reports.report_commands import STATES, near, parted
from qbase.cli.speaking.shared_options import AsJson, Home, OnCluster, Quiet, Speech
from qbase.cli.speaking.shell import Shell, four_lines, shell_of
from qbase.core.errors import UsageError

if TYPE_CHECKING:
    from qbase.core.results.run_values import RunRecord
    from qbase.lake import Workspace

State = Literal["queued", "leased", "running", "verifying", "ok", "failed", "unchanged"]


def runs(
    ctx: typer.Context,
    report: Annotated[
        str | None,
        typer.Argument(
            metavar="REPORT|show|resume",
            help="只看这份报告；show 一次运行的全部，resume 接着做中断的 | "
            "only this report; show all of one run, resume what was interrupted",
        ),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="SUBJECT|RUN",
            help="对象的编号、名称或名称的一部分；show 的运行 | "
            "code, name or part of the name of its subject; run of show",
        ),
    ] = None,
    state: Annotated[State | None, typer.Option("--state", help="只看这种状态 | only in this state")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="行数 | rows")] = 20,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="resume 同时运行的报告数 | reports at once of resume")] = 1,
    cluster: OnCluster = "",
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Show the history of runs, newest first, or one run; go on with what was interrupted.

    Raises
    ------
    UsageError
        No run is named to be shown (QB932).
    """
    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    if report == "resume":
        return _resume(shell, workspace, jobs, cluster)
    if report == "show":
        if subject is None:
            raise UsageError("QB932", found="qbase runs show", expected="RUN", fix="qbase runs")
        return _show(shell, workspace, subject)
    return _list(shell, workspace, report, subject, state, limit)


def _list(
    shell: Shell, workspace: Workspace, report: str | None, subject: str | None, state: State | None, limit: int
) -> int:
    from qbase.lake import list_runs
    from qbase.reports import close_dead_runs, read_spec

    if report:
        report, subject = parted(report, subject)
    if report and not list_runs(workspace, report, limit=1):
        # the name of a report that never ran is fine, a misspelt one is told
        read_spec(workspace, report)
    close_dead_runs(workspace, report)
    codes = _codes(workspace, report, subject) if report and subject else [None]
    found = [run for code in codes for run in list_runs(workspace, report, subject=code, state=state, limit=limit)]
    found = sorted(found, key=lambda record: (record.started_at, record.run_id), reverse=True)[:limit]
    head = shell.text("运行 报告 状态 开始 秒 数据 说明", "RUN REPORT STATE STARTED SECONDS DATA NOTE").split()
    rows = [_run_row(shell, record) for record in found]
    shell.rows(head, rows, right=(4,))
    shell.document({"runs": [record.payload() for record in found]})
    return 0


def _show(shell: Shell, workspace: Workspace, run_id: str) -> int:
    from qbase.lake import read_run, read_steps
    from qbase.reports import close_dead_runs

    close_dead_runs(workspace)
    record, steps = read_run(workspace, run_id), read_steps(workspace, run_id)
    lines = [
        ("运行", "Run", record.run_id),
        ("报告", "Report", f"{record.report_id} · {record.notebook}"),
        ("逻辑日期", "Slot", record.slot),
        ("状态", "State", _said(shell, record.state)),
        ("开始", "Started", f"{record.started_at} · {record.seconds:.1f} s"),
        ("数据", "Data", record.snapshot or "–"),
        ("指纹", "Fingerprint", record.fingerprint or "–"),
        ("提交", "Commit", record.commit or "–"),
        ("版本", "Versions", " · ".join(f"{name} {version}" for name, version in record.versions.items())),
    ]
    width = max(len(en) for _, en, _ in lines)
    shell.out(*(f"{shell.text(zh, en.ljust(width))}  {value}" for zh, en, value in lines))
    shell.rows(
        shell.text("参数 值", "PARAMETER VALUE").split(),
        [[name, str(value)] for name, value in sorted(record.params.items())],
    )
    shell.rows(
        shell.text("时刻 状态 原因", "AT STATE REASON").split(),
        [[step.at, _said(shell, step.state), step.reason or "–"] for step in steps],
    )
    for output in record.outputs:
        path = workspace.root / output
        gone = "" if path.exists() else shell.text("（已清理）", " (gone)")
        shell.out(f"{shell.text('产出', 'Output')}  {near(path)}{gone}")
    error = record.error or {}
    if {"what_zh", "what_en", "found", "expected", "fix"} <= set(error):
        shell.out(four_lines(error, shell.lang))
    shell.document({"run": record.payload(), "steps": [dataclasses.asdict(step) for step in steps]})
    return 0


def _resume(shell: Shell, workspace: Workspace, jobs: int, cluster: str) -> int:
    from qbase.cli.reports.run_command import outcome_payload, tell_outcome
    from qbase.reports import resume_runs

    outcomes = resume_runs(
        workspace,
        jobs_at_once=jobs,
        cluster=cluster,
        on_done=lambda outcome: tell_outcome(shell, workspace, outcome),
        on_refused=lambda error: shell.complain(error.payload()),
    )
    if not outcomes:
        shell.note(shell.text("没有中断或排队的运行", "nothing was interrupted or waits"))
    shell.document({"runs": [outcome_payload(outcome) for outcome in outcomes]})
    return 1 if any(outcome.error for outcome in outcomes) else 0


def _said(shell: Shell, state: str) -> str:
    return STATES[state] if shell.lang == "zh" else state


def _run_row(shell: Shell, record: RunRecord) -> list[str]:
    error = record.error or {}
    place = shell.text(f"单元 {error['cell']} · ", f"cell {error['cell']} · ") if error.get("cell") else ""
    note = f"{error.get('code', '')} {place}{error.get('found', '')}".strip()
    page = pathlib.PurePosixPath(next(iter(record.outputs), "")).stem
    # which page it made, where that is not the report's own
    note = note or (page.partition("~")[2] if page.startswith(f"{record.report_id}~") else "")
    started, seconds = record.started_at[:16].replace("T", " "), f"{record.seconds:.1f}"
    return [
        record.run_id,
        record.report_id,
        _said(shell, record.state),
        started,
        seconds,
        record.snapshot or "–",
        note[:100],
    ]


def _codes(workspace: Workspace, report: str, word: str) -> list[str]:
    """Return the codes a word may mean; itself where the letter is gone or knows no subject."""
    from qbase.reports import find_specs, read_parameters, read_spec
    from qbase.reports.asking.subject_names import find_codes

    if report not in find_specs(workspace):
        return [word]
    spec = read_spec(workspace, report)
    return find_codes(workspace, read_parameters(workspace.root / spec.notebook, shown=spec.notebook), word)
