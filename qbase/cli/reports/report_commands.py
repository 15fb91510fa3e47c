"""``qbase list · inspect``: what there is, and what it may be asked."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qbase.cli.speaking.completing import find_reports
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.errors import UsageError

if TYPE_CHECKING:
    from qbase.core.results.run_values import ReportSpec, RunRecord
    from qbase.lake import Workspace
    from qbase.reports import Parameter
    from qbase.reports.asking.subject_names import Subject

About = Annotated[
    str | None,
    typer.Argument(
        metavar="SUBJECT", help="对象的编号、名称或名称的一部分 | code, name or part of the name of its subject"
    ),
]
STATES = {
    "queued": "排队",
    "leased": "已领取",
    "running": "运行中",
    "verifying": "核验中",
    "ok": "已发布",
    "failed": "失败",
    "unchanged": "未变",
}
# so many choices of a subject are listed
SUBJECTS = 24
FANNED = 8


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
        step = _next_step(found)
        shell.note(shell.text(f"下一步  {step}", f"Next    {step}"))
    return 0


def _next_step(found: Sequence[tuple[ReportSpec, RunRecord | None, list[str]]]) -> str:
    """Return what is worth doing: run what never ran, look at what may be asked, or load what is lacking."""
    ready = [(spec, last) for spec, last, missing in found if not missing]
    fresh = [spec.report_id for spec, last in ready if last is None]
    if fresh:
        return f"qbase inspect {fresh[0]}"
    return f"qbase inspect {ready[0][0].report_id}" if ready else "qbase load FILE…"


def inspect(
    ctx: typer.Context,
    report: Annotated[
        str, typer.Argument(metavar="REPORT", help="报告的名字 | name of the report", autocompletion=find_reports)
    ],
    subject: About = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Show what a report may be asked: its parameters and subjects, a line to copy, a JSON Schema with ``--json``."""
    from qbase.reports import read_parameters, read_spec
    from qbase.reports.asking.run_arguments import written
    from qbase.reports.asking.subject_names import entity_of, list_subjects

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    report, subject = parted(report, subject)
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
    choices = _tell_fan_out(shell, workspace, spec, parameters) if spec.fan_out else []
    entity = entity_of(parameters, spec.params)
    known = list_subjects(workspace, entity) if entity else []
    if subject is None:
        _tell_subjects(shell, known)
        shell.out("", shell.text("示例  ", "Example  ") + _example(spec, parameters))
    else:
        _tell_pages(shell, workspace, spec, parameters, subject)
    shell.document(_schema(spec, parameters, known) | ({"x-fan-out": choices} if spec.fan_out else {}))
    return 0


def _tell_fan_out(
    shell: Shell, workspace: Workspace, spec: ReportSpec, parameters: Sequence[Parameter]
) -> list[dict[str, Any]]:
    """Tell how many runs the specification makes of one call, and the first of them."""
    from qbase.reports.asking.fan_out import list_choices
    from qbase.reports.asking.run_arguments import written

    choices = list_choices(workspace, spec, parameters)
    kind, value = next(iter(spec.fan_out.items()))
    words = " ".join(value.split()) if isinstance(value, str) else ", ".join(choices[0])
    amount = shell.text(f"展开成 {len(choices)} 次运行", f"fans out into {len(choices)} runs")
    shell.out("", f"{amount}  {kind}: {words}")
    shell.out(*(f"  {' '.join(f'{n}={written(v)}' for n, v in choice.items())}" for choice in choices[:FANNED]))
    if len(choices) > FANNED:
        whole = f"qbase run {spec.report_id} --dry-run"
        shell.out(shell.text(f"  … 全部：{whole}", f"  … all of them: {whole}"))
    return [dict(choice) for choice in choices]


def _tell_subjects(shell: Shell, known: Sequence[Subject]) -> None:
    if not known:
        return
    shown = [f"  {subject.code}  {subject.name[shell.lang]}" for subject in known[:SUBJECTS]]
    if len(known) > SUBJECTS:
        shown.append(shell.text(f"  … 共 {len(known)} 个，--json 列出全部", f"  … {len(known)} in all: --json"))
    shell.out("", shell.text("subject 可写编号、名称或名称的一部分", "subject is a code, a name or a part of one"))
    shell.out(*shown)


def _tell_pages(
    shell: Shell, workspace: Workspace, spec: ReportSpec, parameters: Sequence[Parameter], word: str
) -> None:
    """Tell whom a word means, where the page about them is, and how it is made."""
    from qbase.reports import find_pages
    from qbase.reports.asking.subject_names import entity_of, find_subject

    entity = entity_of(parameters, spec.params)
    if entity is None:
        fix = f"qbase inspect {spec.report_id}"
        raise UsageError(
            "QB803", report=spec.report_id, name="subject", found=word, expected=f"{spec.report_id}: –", fix=fix
        )
    subject = find_subject(workspace, entity, word, report_id=spec.report_id)
    shell.out("", f"subject  {subject.said[shell.lang]}")
    for page in find_pages(workspace, spec.report_id, subject.code):
        shell.out(shell.text("页面    ", "Page     ") + near(page))
    shell.out(shell.text("运行    ", "Run      ") + f"qbase run {spec.report_id} -p subject={subject.code}")


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


def _schema(spec: ReportSpec, parameters: Sequence[Parameter], known: Sequence[Subject] = ()) -> dict[str, Any]:
    properties = {}
    for p in parameters:
        texts = {"description": p.help.en, "x-description-zh": p.help.zh}
        default = {"default": spec.params[p.name]} if p.name in spec.params else {}
        properties[p.name] = {**p.schema(), **default, **texts}
        if p.name == "subject" and known:
            properties[p.name]["x-choices"] = [{"code": s.code, **s.name.payload()} for s in known]
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


def parted(report: str, subject: str | None) -> tuple[str, str | None]:
    """Read ``trends~K003-…`` as the page it is: a report and the code of its subject."""
    whole, _, rest = report.partition("~")
    return (whole, rest.partition("~")[0].partition("-")[0]) if rest and subject is None else (report, subject)


def near(path: pathlib.Path) -> str:
    """Return a path as one types it from here."""
    here = pathlib.Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)
