"""``qbase demo`` and ``qbase load``: deliveries in, accounting out."""

from __future__ import annotations

import pathlib
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.reports.run_command import run_and_tell
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.errors import SetupError, UsageError

if TYPE_CHECKING:
    from qbase.intake import LoadReport
    from qbase.intake.recipes.questions import Question
    from qbase.lake import Workspace

DATA_FAILED = 3
DELIVERIES = (".csv", ".txt", ".tsv", ".xlsx", ".xlsm", ".xls", ".ods", ".bz2", ".gz")
SHOWN = 5
TOWN_LINK = "town_link_open"
COUNTED = (("读到", "seen"), ("列出", "listed"), ("接收", "accepted"), ("隔离", "quarantined"))

Accept = Annotated[
    list[str] | None,
    typer.Option("--accept", metavar="ANSWER", help="同意报错所列的说法，可重复 | agree with a question asked"),
]
Reject = Annotated[
    list[str] | None,
    typer.Option("--reject", metavar="ANSWER", help="否定报错中列出的说法，可重复 | disagree with one"),
]


def demo(
    ctx: typer.Context,
    size: Annotated[Literal["small", "province"], typer.Option("--size", help="规模 | size")] = "small",
    seed: Annotated[int | None, typer.Option("--seed", help="随机种子 | seed")] = None,
    no_run: Annotated[bool, typer.Option("--no-run", help="只建立数据，不运行报告 | data only, no reports")] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="同时运行的报告数 | reports at once")] = 1,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Write the deliveries of the fictional province, load them, run the demo reports."""
    from qbase.demo import CLOSED_ON, PRODUCER, SEED, write_deliveries
    from qbase.intake import close_series
    from qbase.explore import add_letter, list_templates
    from qbase.lake import Workspace
    from qbase.reports import find_specs

    shell = shell_of(ctx, home, as_json, quiet, lang)
    # where a folder was named, the demo makes a workspace of it
    workspace = make_folders(Workspace(shell.home.resolve()) if shell.home else shell.workspace())
    if not find_specs(workspace):
        for template in list_templates():
            add_letter(workspace, template)
    shell.note(shell.text(f"虚构的云泽省（{size}）", f"the fictional province of Yunze ({size})"))
    paths = write_deliveries(workspace.raw / "demo", size=size, seed=SEED if seed is None else seed)
    deliveries = load_and_tell(shell, workspace, paths, producer=PRODUCER, brief=True)
    close_series(workspace, PRODUCER, CLOSED_ON)
    if any(d["error"] for d in deliveries):
        shell.document({"deliveries": deliveries})
        return DATA_FAILED
    if no_run:
        shell.document({"deliveries": deliveries})
        shell.note(shell.text("下一步  qbase list", "Next    qbase list"))
        return 0
    return run_and_tell(shell, workspace, demo_reports(workspace), jobs=jobs, also={"deliveries": deliveries})


def load(
    ctx: typer.Context,
    files: Annotated[
        list[pathlib.Path] | None, typer.Argument(metavar="FILE", help="收到的文件 | files received")
    ] = None,
    recipe: Annotated[str | None, typer.Option("--recipe", help="读法的名字 | name of a recipe")] = None,
    accept: Accept = None,
    reject: Reject = None,
    producer: Annotated[str | None, typer.Option("--producer", help="来源单位 | who made the files")] = None,
    supersedes: Annotated[
        str | None,
        typer.Option(
            "--supersedes",
            metavar="SHA256",
            help="本文件更正的送达（sha256 前八位即可） | the delivery this file corrects (eight digits will do)",
        ),
    ] = None,
    case: Annotated[
        str | None, typer.Option("--case", help="随库附带的真实案例 | a real case that ships along")
    ] = None,
    propose: Annotated[
        bool,
        typer.Option(
            "--propose", help="不载入，写出一份带说明、可填空的读取方案 | load nothing, write a recipe with remarks to fill in"
        ),
    ] = False,
    output: Annotated[
        pathlib.Path | None,
        typer.Option("--output", metavar="R.toml", help="读取方案写到哪里 | where the proposed recipe goes"),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Load deliveries; print what became of every row.

    Raises
    ------
    UsageError
        Neither a file nor a case is named (QB906), or a file does not exist (QB903); a recipe is to be proposed, and
        not one file is named for it (QB931).
    """
    shell = shell_of(ctx, home, as_json, quiet, lang)
    paths = list(files or ())
    if not paths and not case:
        raise UsageError("QB906", found="qbase load", expected="FILE… / --case NAME", fix="qbase load FILE…")
    check_files(paths)
    if propose or output is not None:
        return tell_proposal(shell, paths, recipe=recipe, output=output, is_asked=propose)
    workspace = make_folders(shell.workspace())
    answers = {"accept": tuple(accept or ()), "reject": tuple(reject or ())}
    how: dict[str, Any] = {"recipe": recipe, "producer": producer, "supersedes": supersedes, "answers": answers}
    deliveries = load_and_tell(shell, workspace, paths, **how) if paths else []
    if case:
        from qbase.intake import load_case

        report = load_case(workspace, case)
        deliveries.append(tell(shell, report))
    asked = find_questions(workspace, deliveries)
    tell_questions(shell, asked)
    shell.document({"deliveries": deliveries, **({"questions": [q.payload() for q in asked]} if asked else {})})
    if any(d["error"] for d in deliveries):
        return DATA_FAILED
    step = next_step(deliveries)
    shell.note(shell.text(f"下一步  {step}", f"Next    {step}"))
    return 0


def tell_proposal(
    shell: Shell, paths: Sequence[pathlib.Path], *, recipe: str | None, output: pathlib.Path | None, is_asked: bool
) -> int:
    """Write the recipe proposed for one file, or print it; nothing is loaded.

    Raises
    ------
    UsageError
        Not one file, or --output without --propose (QB931).
    """
    from qbase.intake import build_proposal, write_proposal

    if len(paths) != 1 or paths[0].is_dir() or not is_asked:
        found = " ".join([*(path.name for path in paths), *(["--propose"] if is_asked else ["--output"])])
        raise UsageError("QB931", found=found, expected="FILE --propose", fix="qbase load FILE --propose --output R.toml")
    name = str(output) if output else f"{paths[0].stem}.toml"
    proposal = build_proposal(paths[0], root=_root(shell), recipe=recipe, output=name)
    if output is not None:
        write_proposal(proposal, output)
        shell.out(f"{shell.text('新建', 'Made')}  {output}")
    else:
        shell.out(proposal.text.rstrip("\n"))
    shell.document({"proposal": proposal.payload() | {"output": str(output) if output else None}})
    open_places = len(proposal.blank) + len(proposal.missing)
    step = f"qbase load {paths[0]} --recipe {name}"
    told = shell.text(f"{open_places} 处空白；下一步  {step}", f"{open_places} blanks. Next    {step}")
    shell.note(told)
    return 0


def _root(shell: Shell) -> pathlib.Path | None:
    """Return the workspace whose own recipes count; a proposal needs none."""
    try:
        return shell.workspace().root
    except SetupError:
        return None


def find_questions(workspace: Workspace, deliveries: Sequence[Mapping[str, Any]]) -> list[Question]:
    """Return the questions about towns that wait after a load; they hold up no file."""
    from qbase.intake import list_town_links

    if not any(TOWN_LINK in warning for d in deliveries for warning in d["warnings"]):
        return []
    return [link.question for link in list_town_links(workspace) if link.decision == "open"]


def tell_questions(shell: Shell, asked: Sequence[Question]) -> None:
    """Print questions about towns, and the command that answers the first."""
    if not asked:
        return
    shell.out("", shell.text("待确认：是否同一乡镇", "To be decided: are they one town?"))
    shell.out(*(f"  {question.id}  {question.text[shell.lang]}" for question in asked))
    step = f"qbase places --accept {asked[0].id}"
    shell.note(shell.text(f"下一步  {step}  或  --reject …", f"Next    {step}  or  --reject …"))


def next_step(deliveries: Sequence[Mapping[str, Any]]) -> str:
    """Return the command that looks at what waits for a person, or at the reports where nothing does."""
    if any(d["quarantined"] for d in deliveries):
        return "qbase quarantine list"
    if any(TOWN_LINK in warning for d in deliveries for warning in d["warnings"]):
        return "qbase places"
    if any("firm_doubtful" in warning for d in deliveries for warning in d["warnings"]):
        return "qbase links list"
    return "qbase list"


def load_and_tell(
    shell: Shell,
    workspace: Workspace,
    paths: Sequence[pathlib.Path],
    *,
    recipe: str | None = None,
    supersedes: str | None = None,
    producer: str | None = None,
    answers: Mapping[str, Sequence[str]] | None = None,
    brief: bool = False,
) -> list[dict[str, Any]]:
    """Load files and print the accounting of each (brief: of those not simply accepted, and the sum).

    Raises
    ------
    UsageError
        Every file was left aside as no delivery (QB228).
    """
    from qbase.intake import load_files

    given, left = answers or {}, list[str]()
    with shell.progress(shell.text("载入", "load")) as report:
        reports = load_files(
            workspace,
            paths,
            recipe=recipe,
            supersedes=supersedes,
            producer=producer,
            accept=given.get("accept", ()),
            reject=given.get("reject", ()),
            on_progress=lambda i, n, _: report("load", i, n),
            on_left=lambda files: left.extend(file.name for file in files),
        )
    tell_left(shell, left)
    if left and not reports:
        raise UsageError("QB228", found=", ".join(left[:SHOWN]), expected="a delivery", fix="qbase load FILE…")
    if not brief:
        return [tell(shell, report) for report in reports]
    rows = sum(report.accepted for report in reports)
    shell.out(
        shell.text(f"{len(reports)} 份文件，接收 {rows:,} 行", f"{len(reports)} deliveries, {rows:,} rows accepted")
    )
    plain = [report.verdict == "OK" and report.problem is None for report in reports]
    return [r.payload() if is_plain else tell(shell, r) for r, is_plain in zip(reports, plain, strict=True)]


def tell_left(shell: Shell, left: Sequence[str]) -> None:
    """Say in one line which files were left aside, as they are no deliveries."""
    if left:
        names = ", ".join(left[:SHOWN]) + (" …" if len(left) > SHOWN else "")
        shell.note(shell.text(f"略过 {len(left)} 个不是送达的文件：{names}", f"left aside, no deliveries: {len(left)} ({names})"))


def tell(shell: Shell, report: LoadReport) -> dict[str, Any]:
    """Print what became of one delivery: the identity of its rows, reasons, warnings, the error."""
    from qbase.intake import explain_reason
    from qbase.tables import read_contract

    is_held = report.already and report.error is None
    before = shell.text("  （先前已载入）", "  (loaded before)") if is_held else ""
    shell.out(f"{report.verdict:<12} {report.file}  ->  {', '.join(report.table_names) or '–'}{before}")
    if is_held:
        again = f"qbase quarantine retry {report.sha256[:8]}"
        shell.out(f"  {shell.text(f'要重新读取：{again} [--recipe …] [--accept …]', f'to read it again: {again} [--recipe …] [--accept …]')}")
    if report.error is not None:
        shell.complain(report.error)
        return report.payload()
    _tell_counts(shell, (report.rows_seen, report.listed, report.accepted, report.quarantined))
    for table, part in report.tables.items():
        numbers = tuple(part[name] for name in ("rows_seen", "listed", "accepted", "quarantined"))
        _tell_counts(shell, numbers, before=f"{read_contract(table).name_text[shell.lang]}  ")
        _tell_reasons(shell, part["reasons"], table)
    counted = sum((Counter(part["reasons"]) for part in report.tables.values()), Counter[str]())
    _tell_reasons(shell, dict(Counter(report.reasons) - counted), report.table)
    for warning in report.warnings:
        shell.out(f"  [!] {explain_reason(warning, report.table)[shell.lang]}")
    if report.problem is not None:
        shell.complain(report.problem)
    return report.payload()


def _tell_counts(shell: Shell, numbers: Sequence[int], *, before: str = "") -> None:
    parts = [f"{shell.text(zh, en)} {number:,}" for (zh, en), number in zip(COUNTED, numbers, strict=True)]
    shell.out(f"  {before}{parts[0]} = {' + '.join(parts[1:])}")


def _tell_reasons(shell: Shell, reasons: Mapping[str, int], table: str) -> None:
    from qbase.intake import explain_reason

    for code, number in reasons.items():
        shell.out(f"  {number:>7,}  {code}  {explain_reason(code, table)[shell.lang]}")


def check_files(paths: Sequence[pathlib.Path]) -> None:
    """Refuse the call when a file does not exist, before anything is loaded (QB903).

    Raises
    ------
    UsageError
        A file does not exist (QB903).
    """
    for path in paths:
        if path.exists():
            continue
        folder = path.parent if path.parent.is_dir() else pathlib.Path()
        names = sorted(p.name for p in folder.iterdir() if p.suffix.lower() in DELIVERIES)
        near = get_close_matches(path.name, names, n=1)
        more = " …" if len(names) > SHOWN else ""
        raise UsageError(
            "QB903",
            name=path.name,
            found=str(path),
            expected=(" · ".join(names[:SHOWN]) + more) if names else "a file or folder that exists",
            fix=f"qbase load {path.parent / near[0]}" if near else "qbase load FILE…",
        )


def make_folders(workspace: Workspace) -> Workspace:
    """Make the folders a workspace writes to, those that are missing."""
    return workspace.create(workspace.root)


def demo_reports(workspace: Workspace) -> list[str]:
    """Return the reports that the loaded data can carry; real cases in subfolders are run by name."""
    from qbase.reports import find_specs, read_spec

    here = [name for name, path in find_specs(workspace).items() if path.parent == workspace.specs]
    return [name for name in here if all(map(workspace.has_table, read_spec(workspace, name).tables))]
