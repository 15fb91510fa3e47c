"""``qbase render``: finished pages as PDF, Word, workbook or Markdown."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qbase.cli.reports.report_commands import near
from qbase.cli.reports.verify_command import find_targets
from qbase.cli.speaking.completing import find_reports
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import shell_of
from qbase.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qbase.lake import Workspace


def render(
    ctx: typer.Context,
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="REPORT [SUBJECT]",
            help="已发布的报告和它的对象，或 HTML 文件 | published reports with their subject, or HTML files",
            autocompletion=find_reports,
        ),
    ],
    to: Annotated[Literal["pdf", "docx", "xlsx", "md"], typer.Option("--to", help="写成什么 | which form")],
    out: Annotated[
        pathlib.Path | None,
        typer.Option(
            "--out", metavar="FILE|DIR", help="写到哪里；默认在当前文件夹 | where to; the current folder by default"
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Write finished pages that verify in another form, in one language (``--lang``, else Chinese or the locale's).

    Raises
    ------
    UsageError
        Several pages for one file (QB964).
    """
    from qbase.reports.forms.finished_forms import write_form

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    pages = find_targets(workspace, targets)
    target = (out or pathlib.Path()).expanduser().resolve()
    if len(pages) > 1 and target.suffix and not target.is_dir():
        raise _too_many(pages, to)
    written = [(page, write_form(workspace, page, to, target, lang=shell.page_lang)) for page in pages]
    told = []
    for page, path in written:
        is_waiting = _is_waiting(workspace, page)
        shell.out(shell.text("写到    ", "Written  ") + near(path))
        if is_waiting:
            shell.note(shell.text(f"尚未批准对外：{page.stem}", f"Not approved for outside yet: {page.stem}"))
        told.append(
            {"page": page.stem, "file": str(path), "to": to, "lang": shell.page_lang, "waits_for_approval": is_waiting}
        )
    shell.document({"forms": told})
    return 0


def _is_waiting(workspace: Workspace, page: pathlib.Path) -> bool:
    """Whether a page is meant for outside and nobody approved it: no other form of it may leave the house either."""
    from qbase.reports import list_releases
    from qbase.reports.asking.page_names import read_meta

    meta = read_meta(page)
    if meta.get("profile", "internal") == "internal":
        return False
    releases = [r for r in list_releases(workspace) if r.asked.run_id == meta.get("run_id")]
    return all(release.state != "approved" for release in releases)


def _too_many(pages: Sequence[pathlib.Path], to: str) -> UsageError:
    return UsageError(
        "QB964",
        count=len(pages),
        found=" · ".join(page.stem for page in pages[:8]),
        expected="REPORT SUBJECT --out FILE / --out DIR",
        fix=f"qbase render {pages[0].stem} --to {to}",
    )
