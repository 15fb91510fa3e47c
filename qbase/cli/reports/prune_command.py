"""``qbase prune``: folders of runs that nobody needs any more."""

from __future__ import annotations

from typing import Annotated

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import shell_of

WHY = {
    "older": ("较早", "older"),
    "no run": ("账本里没有", "no run of the ledger"),
    "staged": ("未发布", "never published"),
}


def prune(
    ctx: typer.Context,
    report: Annotated[str | None, typer.Argument(metavar="REPORT", help="只清理这份报告 | only this report")] = None,
    keep: Annotated[
        int, typer.Option("--keep", min=1, help="每份报告、每组参数保留的次数 | runs kept of each report and choice")
    ] = 5,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只列出，不删除 | only say what would go")] = False,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Remove the folders of old runs; never that of a published page nor of an unfinished run."""
    from qbase.lake import list_runs
    from qbase.reports import prune_runs, read_spec

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    if report and not list_runs(workspace, report, limit=1):
        read_spec(workspace, report)
    found = prune_runs(workspace, keep=keep, report_id=report, dry_run=dry_run)
    paths = [one.path.relative_to(workspace.root).as_posix() for one in found]
    if found:
        rows = [
            [path, f"{one.size / 1024:.0f}", shell.text(*WHY[one.reason])]
            for path, one in zip(paths, found, strict=True)
        ]
        shell.rows(shell.text("文件夹 KB 原因", "FOLDER KB WHY").split(), rows, right=(1,))
    size = sum(one.size for one in found) / 2**20
    said = shell.text("将删除" if dry_run else "已删除", "would go" if dry_run else "removed")
    shell.note(shell.text(f"{said} {len(found)} 个，{size:.1f} MB", f"{len(found)} {said}, {size:.1f} MB"))
    removed = [
        {"path": path, "run_id": one.run_id, "reason": one.reason, "bytes": one.size}
        for path, one in zip(paths, found, strict=True)
    ]
    shell.document({"dry_run": dry_run, "removed": removed})
    return 0
