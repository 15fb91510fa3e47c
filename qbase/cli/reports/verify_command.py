"""``qbase verify``: finished pages against the record of their run."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qbase.cli.reports.report_commands import near
from qbase.cli.speaking.completing import find_reports
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.errors import SetupError, UsageError
from qbase.core.text import Text

if TYPE_CHECKING:
    from qbase.lake import Workspace
    from qbase.release import Verification
    from qbase.reports.running.published_pages import Recorded

KINDS = {"missing": Text("缺少", "missing"), "extra": Text("多出", "extra  "), "changed": Text("不同", "changed")}
MARKS = {True: "[✓]", False: "[✗]", None: "[–]"}


def verify(
    ctx: typer.Context,
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FILE|REPORT [SUBJECT]",
            help="HTML 文件，或已发布的报告和它的对象 | HTML files, or published reports with their subject",
            autocompletion=find_reports,
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="逐一核对账与文件 | hold ledger and files against each other, both ways"),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Check finished reports against their records; exit code 1 when one does not pass.

    Raises
    ------
    UsageError
        Neither a report nor ``--all``, or both (QB947).
    """
    shell = shell_of(ctx, home, as_json, quiet, lang)
    if every == bool(targets):
        found = " ".join(["--all", *(targets or ())] if every else ["–"])
        raise UsageError("QB947", found=found, expected="FILE|REPORT … / --all", fix="qbase verify --all")
    if every:
        return _verify_all(shell)
    workspace, lacking = _workspace(shell)
    document = [_check(shell, workspace, path) for path in find_targets(workspace, targets or (), lacking)]
    shell.document({"reports": document})
    return 0 if all(entry["passed"] for entry in document) else 1


def _verify_all(shell: Shell) -> int:
    """Tell one line for each place where ledger and files disagree."""
    from qbase.reports import close_dead_runs, reconcile_runs

    workspace = shell.workspace()
    # a runner that died is no disagreement, once its row says so
    close_dead_runs(workspace)
    found, counts = reconcile_runs(workspace)
    for one in found:
        shell.out(f"{MARKS[False]} {KINDS[one.kind][shell.lang]}  {one.path}  {one.text[shell.lang]}")
    zh = f"{counts['pages']} 个页面，{counts['rows']} 次运行，{counts['folders']} 个运行文件夹："
    en = f"{counts['pages']} pages, {counts['rows']} runs, {counts['folders']} run folders: "
    shell.out(
        shell.text(zh, en) + shell.text(f"{len(found)} 处不符", f"{len(found)} disagree")
        if found
        else shell.text(zh + "账实相符", en + "ledger and files agree")
    )
    shell.document({"passed": not found, "counts": dict(counts), "found": [one.payload() for one in found]})
    return 1 if found else 0


def _workspace(shell: Shell) -> tuple[Workspace | None, SetupError | None]:
    try:
        return shell.workspace(), None
    except SetupError as error:
        # a file can be looked at anywhere, though it has no record then
        return None, error


def find_targets(
    workspace: Workspace | None, targets: Sequence[str], lacking: SetupError | None = None
) -> list[pathlib.Path]:
    """Find the files that are meant; a word behind a report that is neither file nor report is a subject of it.

    Parameters
    ----------
    workspace : Workspace or None
        Without one only files are found.
    targets : sequence of str
        Files, or reports with their subjects.
    lacking : SetupError, optional
        Why there is no workspace.

    Raises
    ------
    UsageError
        There is no such file, report or subject (QB824).
    SetupError
        A report is meant and there is no workspace.
    """
    from qbase.reports import find_pages, find_specs

    found: list[pathlib.Path] = []
    report, own = "", 0
    for target in targets:
        path = pathlib.Path(target)
        if path.is_file():
            found.append(path)
            report = ""
            continue
        if path.suffix == ".html" or len(path.parts) > 1:
            raise UsageError("QB824", name=target, found=target, expected="FILE.html / REPORT", fix="qbase list")
        if workspace is None:
            raise lacking or UsageError("QB824", name=target, found=target, expected="FILE.html", fix="qbase doctor")
        pages = find_pages(workspace, target)
        if pages or target in find_specs(workspace) or not report:
            report, own = target, len(found)
            found += pages or _none(workspace, target)
            continue
        # the pages of the report were taken as a whole before its subject was read
        del found[own:]
        found += find_pages(workspace, report, target) or _none(workspace, report, target)
        own = len(found)
    return list(dict.fromkeys(found))


def _none(workspace: Workspace, report: str, subject: str = "") -> list[pathlib.Path]:
    from qbase.reports import find_pages, read_spec
    from qbase.reports.asking.page_names import undated

    own = undated(report).partition("~")[0]
    read_spec(workspace, own)
    known = " · ".join(page.stem for page in find_pages(workspace, own)[:8])
    again = f"qbase run {own}" + (f" -p subject={subject}" if subject else "")
    expected = known or near(workspace.site / f"{report}.html")
    name = f"{report} {subject}".strip()
    raise UsageError("QB824", name=name, found=f"{name}: –", expected=expected, fix=again)


def _check(shell: Shell, workspace: Workspace | None, path: pathlib.Path) -> dict[str, Any]:
    from qbase.release import verify_report
    from qbase.reports.running.published_pages import read_recorded

    found = read_recorded(workspace, path)
    if found.moved_to:
        return _check_pointer(shell, workspace, found)
    also = {} if found.written is None else {"written": found.written}
    outcome = verify_report(path, record=found.record, **also)
    shell.out(str(path), *(f"  {MARKS[c.passed]} {c.name}  {c.text[shell.lang]}" for c in outcome.checks))
    shell.out(_verdict(shell, outcome))
    checks = [check.payload() for check in outcome.checks]
    return {"file": str(path), "passed": outcome.passed, "checks": checks}


def _verdict(shell: Shell, outcome: Verification) -> str:
    good, bad = sum(check.passed is True for check in outcome.checks), len(outcome.failed)
    words = shell.text(f"  {good} 项通过，{bad} 项未通过", f"  {good} passed, {bad} failed")
    if not outcome.unproven:
        return words
    n = len(outcome.unproven)
    return words + shell.text(f"，{n} 项无从比对：不算通过", f", {n} without a record: no pass")


def _check_pointer(shell: Shell, workspace: Workspace | None, found: Recorded) -> dict[str, Any]:
    """Check that a page under an old name is nothing but the pointer to the new one."""
    from qbase.reports.running.published_pages import is_redirect

    passed = workspace is not None and is_redirect(workspace.site, found.path, found.moved_to)
    words = shell.text(f"只指向 {found.moved_to}", f"points to {found.moved_to} and holds nothing else")
    if not passed:
        words = shell.text(f"不是指向 {found.moved_to} 的页面", f"is not the pointer to {found.moved_to}")
    shell.out(str(found.path), f"  {MARKS[passed]} redirect  {words}")
    return {"file": str(found.path), "passed": passed, "moved_to": found.moved_to, "checks": []}
