"""``qbase list · inspect · run · runs · verify``: reports from the command line."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.errors import QbaseError, RunError, SetupError, UsageError

if TYPE_CHECKING:
    from qbase.core.results.run_values import ReportSpec, RunRecord
    from qbase.lake import Workspace
    from qbase.reports import Job, Outcome, Parameter

STATES = {"ok": "已发布", "failed": "失败", "unchanged": "未变", "running": "运行中"}
MARKS = {True: "[✓]", False: "[✗]", None: "[–]"}


def list_reports(
    ctx: typer.Context,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """List the reports of the workspace with the state of their last run."""
    from qbase.reports import list_specs

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    found = [(spec, _last_run(workspace, spec.report_id), _missing(workspace, spec)) for spec in list_specs(workspace)]
    head = shell.text("报告 标题 状态 最近运行", "REPORT TITLE STATE LAST").split()
    rows = [
        [spec.report_id, spec.title[shell.lang], _state_of(shell, last, missing), last.started_at[:16] if last else "–"]
        for spec, last, missing in found
    ]
    shell.rows(head, rows)
    shell.document({"reports": [_spec_payload(workspace, spec, last, missing) for spec, last, missing in found]})
    if found:
        name = found[0][0].report_id
        shell.note(shell.text(f"下一步  qbase inspect {name}", f"Next    qbase inspect {name}"))
    return 0


def inspect(
    ctx: typer.Context,
    report: Annotated[str, typer.Argument(metavar="REPORT", help="报告的名字 | name of the report")],
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Show what a report may be asked: its parameters, a line to copy, a JSON Schema with ``--json``."""
    from qbase.reports import read_parameters, read_spec
    from qbase.reports.asking.run_arguments import written

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    spec = read_spec(workspace, report)
    parameters = read_parameters(workspace.root / spec.notebook, shown=spec.notebook)
    shell.out(f"{spec.report_id} · {spec.title.zh} / {spec.title.en} · {spec.notebook}")
    head = shell.text("参数 类型 默认 允许 含义", "NAME TYPE DEFAULT ALLOWED MEANING").split()
    rows = []
    for p in parameters:
        value = spec.params.get(p.name, p.default)
        shown = shell.text("（必填）", "(required)") if value is ... else written(value) or "–"
        rows.append([p.name, p.type, shown, p.allowed or "–", p.help[shell.lang]])
    shell.rows(head, rows)
    shell.out("", shell.text("示例  ", "Example  ") + _example(spec, parameters))
    shell.document(_schema(spec, parameters))
    return 0


def run(
    ctx: typer.Context,
    reports: Annotated[list[str], typer.Argument(metavar="REPORT", help="报告的名字 | names of reports")],
    params: Annotated[
        list[str] | None,
        typer.Option("-p", "--param", metavar="NAME=VALUE", help="参数，可重复 | a parameter; may be repeated"),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="同时运行的报告数 | reports at once")] = 1,
    force: Annotated[bool, typer.Option("--force", help="即使没有变化也运行 | run even when nothing changed")] = False,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Run reports and publish them; one bad report never stops the rest."""
    shell = shell_of(ctx, home, as_json, quiet, lang)
    return run_and_tell(shell, shell.workspace(), reports, words=params or (), jobs=jobs, force=force)


def runs(
    ctx: typer.Context,
    report: Annotated[str | None, typer.Argument(metavar="REPORT", help="只看这份报告 | only this report")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="行数 | rows")] = 20,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Show the history of runs, newest first."""
    from qbase.lake import list_runs
    from qbase.reports import close_dead_runs, read_spec

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    if report and not list_runs(workspace, report, limit=1):
        # the name of a report that never ran is fine, a misspelt one is told
        read_spec(workspace, report)
    close_dead_runs(workspace, report)
    found = list_runs(workspace, report, limit=limit)
    head = shell.text("运行 报告 状态 开始 秒 数据 说明", "RUN REPORT STATE STARTED SECONDS DATA NOTE").split()
    rows = [_run_row(shell, record) for record in found]
    shell.rows(head, rows, right=(4,))
    shell.document({"runs": [record.payload() for record in found]})
    return 0


def verify(
    ctx: typer.Context,
    targets: Annotated[
        list[str], typer.Argument(metavar="FILE|REPORT", help="HTML 文件或已发布的报告 | HTML files or reports")
    ],
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Check finished reports; exit code 1 when one does not pass."""
    from qbase.release import verify_report

    shell = shell_of(ctx, home, as_json, quiet, lang)
    found = [_target(shell, target) for target in targets]
    passed = True
    document = []
    for path, record in found:
        outcome = verify_report(path, record=record)
        passed = passed and outcome.passed
        shell.out(str(path), *(f"  {MARKS[c.passed]} {c.name}  {c.text[shell.lang]}" for c in outcome.checks))
        good = sum(check.passed is True for check in outcome.checks)
        bad = sum(check.passed is False for check in outcome.checks)
        shell.out(shell.text(f"  {good} 项通过，{bad} 项未通过", f"  {good} passed, {bad} failed"))
        checks = [check.payload() for check in outcome.checks]
        document.append({"file": str(path), "passed": outcome.passed, "checks": checks})
    shell.document({"reports": document})
    return 0 if passed else 1


def run_and_tell(
    shell: Shell,
    workspace: Workspace,
    names: Sequence[str],
    *,
    words: Sequence[str] = (),
    jobs: int = 1,
    force: bool = False,
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
        _tell_outcome(shell, workspace, outcome)
    outcomes += _run_all(shell, workspace, ready, jobs)
    gallery = workspace.site / "index.html"
    failed = [outcome for outcome in outcomes if outcome.error]
    shell.document(
        {
            **(also or {}),
            "runs": [_outcome_payload(outcome) for outcome in outcomes],
            "gallery": str(gallery) if gallery.is_file() else None,
        }
    )
    if gallery.is_file():
        shell.out(shell.text("目录    ", "Gallery ") + _near(gallery))
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


def _run_all(shell: Shell, workspace: Workspace, ready: Sequence[Job], jobs: int) -> list[Outcome]:
    from qbase.reports import run_many
    from qbase.reports.running.run_batch import run_here

    if jobs > 1 and len(ready) > 1:
        names = " · ".join(job.report_id for job in ready)
        shell.note(
            shell.text(
                f"{len(ready)} 份报告，同时 {jobs} 份：{names}", f"{len(ready)} reports, {jobs} at once: {names}"
            )
        )
        return run_many(
            workspace, ready, jobs_at_once=jobs, on_done=lambda outcome: _tell_outcome(shell, workspace, outcome)
        )
    outcomes = []
    for job in ready:
        with shell.progress(job.report_id) as report:
            outcome = run_here(workspace, job, on_progress=report)
        _tell_outcome(shell, workspace, outcome)
        outcomes.append(outcome)
    return outcomes


def _tell_outcome(shell: Shell, workspace: Workspace, outcome: Outcome) -> None:
    if outcome.error:
        shell.complain(outcome.error.payload())
        return
    record = outcome.record
    if record is None or not record.outputs:
        return
    state = STATES[record.state] if shell.lang == "zh" else record.state
    page = _near(workspace.root / record.outputs[0])
    shell.out(f"{shell.text('报告', 'Report')}  {page}  ({state}, {record.seconds:.1f} s)")


def _outcome_payload(outcome: Outcome) -> dict[str, Any]:
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


def _target(shell: Shell, target: str) -> tuple[pathlib.Path, dict[str, Any] | None]:
    """Find the file to verify; the record of its run too, when it is a report of this workspace."""
    path = pathlib.Path(target)
    if path.is_file():
        return path, _record_beside(shell, path)
    if path.suffix or len(path.parts) > 1:
        raise UsageError("QB824", name=target, found=target, expected="FILE.html / REPORT", fix="qbase list")
    from qbase.reports import read_spec

    workspace = shell.workspace()
    read_spec(workspace, target)
    page = workspace.site / f"{target}.html"
    if not page.is_file():
        raise UsageError("QB824", name=target, found=f"{target}: –", expected=_near(page), fix=f"qbase run {target}")
    return page, _record_of(shell, workspace, target)


def _record_beside(shell: Shell, path: pathlib.Path) -> dict[str, Any] | None:
    """Find the record of a page named by its path: only a published page of this workspace has one."""
    try:
        workspace = shell.workspace()
    except SetupError:
        return None
    is_published = path.resolve().parent == workspace.site.resolve()
    return _record_of(shell, workspace, path.stem) if is_published else None


def _record_of(shell: Shell, workspace: Workspace, report_id: str) -> dict[str, Any] | None:
    from qbase.reports import read_meta
    from qbase.reports.executing.completeness import read_results

    run_id = str(read_meta(workspace, report_id).get("run_id", ""))
    try:
        return read_results(workspace.runs / report_id / run_id, run_id, report_id)
    except RunError:
        alone = (f"{report_id}：没有运行记录，只校验页面本身", f"{report_id}: no run record; the page alone is checked")
        shell.note(shell.text(*alone))
        return None


def _last_run(workspace: Workspace, report_id: str) -> RunRecord | None:
    from qbase.lake import list_runs

    return next(iter(list_runs(workspace, report_id, limit=1)), None)


def _missing(workspace: Workspace, spec: ReportSpec) -> list[str]:
    return [name for name in spec.tables if not workspace.has_table(name)]


def _state_of(shell: Shell, last: RunRecord | None, missing: Sequence[str]) -> str:
    if missing:
        return shell.text("缺数据：", "needs data: ") + ", ".join(missing)
    if last is None:
        return shell.text("未运行", "not run")
    return STATES[last.state] if shell.lang == "zh" else last.state


def _spec_payload(
    workspace: Workspace, spec: ReportSpec, last: RunRecord | None, missing: Sequence[str]
) -> dict[str, Any]:
    page = workspace.site / f"{spec.report_id}.html"
    return {
        "report_id": spec.report_id,
        "title": spec.title.payload(),
        "notebook": spec.notebook,
        "params": dict(spec.params),
        "tables": list(spec.tables),
        "missing_tables": list(missing),
        "profile": spec.profile,
        "state": last.state if last else None,
        "last_run": last.run_id if last else None,
        "page": str(page) if page.is_file() else None,
    }


def _run_row(shell: Shell, record: RunRecord) -> list[str]:
    state = STATES[record.state] if shell.lang == "zh" else record.state
    error = record.error or {}
    place = shell.text(f"单元 {error['cell']} · ", f"cell {error['cell']} · ") if error.get("cell") else ""
    note = f"{error.get('code', '')} {place}{error.get('found', '')}".strip()
    started, seconds = record.started_at[:16].replace("T", " "), f"{record.seconds:.1f}"
    return [record.run_id, record.report_id, state, started, seconds, record.snapshot or "–", note[:100]]


def _schema(spec: ReportSpec, parameters: Sequence[Parameter]) -> dict[str, Any]:
    properties = {}
    for p in parameters:
        texts = {"description": p.help.en, "x-description-zh": p.help.zh}
        default = {"default": spec.params[p.name]} if p.name in spec.params else {}
        properties[p.name] = {**p.schema(), **default, **texts}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": spec.report_id,
        "title": spec.title.en,
        "x-title-zh": spec.title.zh,
        "type": "object",
        "properties": properties,
        "required": [p.name for p in parameters if p.required and p.name not in spec.params],
        "additionalProperties": False,
    }


def _example(spec: ReportSpec, parameters: Sequence[Parameter]) -> str:
    from qbase.reports.asking.run_arguments import example

    needed = [p for p in parameters if p.required and p.name not in spec.params]
    chosen = needed or [p for p in parameters if p.default is not None][:1]
    return " ".join([f"qbase run {spec.report_id}", *(f"-p {p.name}={example(p)}" for p in chosen)])


def _near(path: pathlib.Path) -> str:
    here = pathlib.Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)
