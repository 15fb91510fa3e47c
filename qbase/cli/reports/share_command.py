"""``qbase share``: approved pages as a folder or zip that needs no server."""

from __future__ import annotations

import pathlib
from typing import Annotated, Literal

import typer

from qbase.cli.reports.report_commands import near
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import shell_of


def share(
    ctx: typer.Context,
    reports: Annotated[list[str], typer.Argument(metavar="REPORT…", help="报告或页面 | reports or pages")],
    out: Annotated[pathlib.Path, typer.Option("--out", metavar="DIR|ZIP", help="写到哪里 | where to write it")],
    profile: Annotated[
        Literal["external", "statutory_public"], typer.Option("--profile", help="读者范围 | who may read it")
    ] = "external",
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Write approved pages as files that need no server, with what was shared when."""
    from qbase.reports import export_pages
    from qbase.reports.releasing.shared_pages import STATUS

    shell = shell_of(ctx, home, as_json, quiet, lang)
    target = out.expanduser().resolve()
    pages = export_pages(shell.workspace(), reports, target, profile=profile)
    for page in pages:
        shell.out(f"{page.file}  {STATUS[page.status][shell.lang]}")
    shell.out(shell.text("写到    ", "Written  ") + near(target))
    told = [{"file": p.file, "status": p.status, "shared_at": p.shared_at, "newer": p.newer} for p in pages]
    shell.document({"out": str(target), "pages": told})
    return 0
