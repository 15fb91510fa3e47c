"""``qbase links``: which registered firm a printed one is, where a rule would only guess."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.errors import UsageError

if TYPE_CHECKING:
    from qbase.intake import LinkGroup
    from qbase.lake import Workspace

SHOWN = 40
Action = Literal["list", "accept", "reject", "undo", "export", "decide"]
WANTED = {
    "accept": "SAMPLE | ID",
    "reject": "SAMPLE | ID",
    "undo": "SAMPLE | ID",
    "export": "FILE.xlsx",
    "decide": "FILE.xlsx | FILE.csv",
}
STATES = {"accept": ("接受", "accepted"), "reject": ("拒绝", "rejected"), "doubt": ("待确认", "in doubt")}


def links(
    ctx: typer.Context,
    action: Annotated[
        Action,
        typer.Argument(
            help="list 列出，accept 接受，reject 拒绝，undo 撤销，export 导出为 Excel，decide 读回决定 | "
            "list, accept, reject, undo, export to Excel, decide from a file"
        ),
    ] = "list",
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[SAMPLE|ID|FILE]",
            help="抽样编号，或 list 所列的编号；export、decide 的文件 | "
            "sample number, or id of list; file of export and decide",
        ),
    ] = None,
    firm: Annotated[
        str | None, typer.Option("--firm", metavar="FIRM_ID", help="改为这家企业 | this firm instead")
    ] = None,
    is_decided: Annotated[
        bool, typer.Option("--decided/--queued", help="已决定的，或待确认的（默认） | decided, or in doubt (default)")
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="最多列出的行数 | rows listed at most")] = SHOWN,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="由谁决定 | who decides")] = "user",
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """List, decide and take back links of printed firms to registered ones.

    Raises
    ------
    UsageError
        The target of an action is missing (QB906).
    """
    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    if action == "list":
        return _list(shell, workspace, is_decided, limit)
    if target is None:
        call = f"qbase links {action}"
        raise UsageError("QB906", found=call, expected=WANTED[action], fix=f"{call} {WANTED[action].split(' | ')[0]}")
    if action == "export":
        return _export(shell, workspace, target)
    if action == "decide":
        return _decide(shell, workspace, target, by)
    from qbase.intake import decide_link, undo_link

    if action == "undo":
        done = undo_link(workspace, target, decided_by=by)
    else:
        done = decide_link(workspace, target, firm, action, decided_by=by)
    shell.out(_told(shell, done.samples, done.snapshot))
    shell.document({"action": action, "target": target, "samples": done.samples, "snapshot": done.snapshot})
    return 0


def _told(shell: Shell, samples: int, snapshot: str) -> str:
    if not samples:
        return shell.text("已是如此，没有改动", "that is so already; nothing changed")
    return shell.text(f"{samples:,} 个批次，快照 {snapshot}", f"{samples:,} batches, snapshot {snapshot}")


def _list(shell: Shell, workspace: Workspace, is_decided: bool, limit: int) -> int:
    from qbase.intake import list_links

    groups = list_links(workspace, "decided" if is_decided else "queued")
    shown = groups[:limit]
    if shown:
        head = [
            shell.text("编号", "Id"),
            shell.text("印制名称", "Name printed"),
            shell.text("候选企业", "Candidate"),
            shell.text("企业编号", "Firm id"),
            shell.text("相似度", "Score"),
            shell.text("依据", "Why") if is_decided else shell.text("存疑原因", "Why in doubt"),
            shell.text("批次", "Batches"),
        ]
        last = [shell.text("决定", "Decision")] if is_decided else []
        shell.rows([*head, *last], [_row(shell, group, is_decided) for group in shown], right=(4, 6))
    if len(groups) > len(shown):
        shell.out(shell.text(f"… 共 {len(groups):,} 个", f"… {len(groups):,} in all"))
    if not groups and is_decided:
        shell.note(shell.text("还没有按名称对应或人工确认的企业", "no firm was linked by name or decided yet"))
    elif not groups:
        shell.note(shell.text("没有待确认的企业", "no firm is in doubt"))
    elif not is_decided:
        first = shown[0].id
        shell.note(
            shell.text(
                f"下一步  qbase links accept {first}  或  qbase links export FILE.xlsx",
                f"Next    qbase links accept {first}  or  qbase links export FILE.xlsx",
            )
        )
    shell.document({"links": [group.payload() for group in shown], "count": len(groups)})
    return 0


def _row(shell: Shell, group: LinkGroup, is_decided: bool) -> list[str]:
    from qbase.intake import explain_method

    code = f" [{group.uscc_printed}]" if group.uscc_printed else ""
    cells = [
        group.id,
        group.name_printed + code,
        group.name_known,
        group.firm_id,
        f"{group.score:.1f}",
        explain_method(group.method)[shell.lang],
        f"{len(group.samples):,}",
    ]
    return [*cells, f"{shell.text(*STATES[group.decision])} ({group.decided_by})"] if is_decided else cells


def _export(shell: Shell, workspace: Workspace, target: str) -> int:
    from qbase.intake import export_links

    rows = export_links(workspace, pathlib.Path(target), lang=shell.lang)
    shell.out(shell.text(f"{target}  {rows:,} 行", f"{target}  {rows:,} rows"))
    shell.note(
        shell.text(
            f"在“决定”一列填接受或拒绝，然后  qbase links decide {target}",
            f'Fill the column "Decision" with accept or reject, then  qbase links decide {target}',
        )
    )
    shell.document({"file": target, "rows": rows})
    return 0


def _decide(shell: Shell, workspace: Workspace, target: str, by: str) -> int:
    from qbase.intake import decide_file

    done = decide_file(workspace, pathlib.Path(target), decided_by=by)
    shell.out(
        shell.text(
            f"接受 {done.accepted:,}，拒绝 {done.rejected:,}，留空 {done.blank:,}",
            f"{done.accepted:,} accepted, {done.rejected:,} rejected, {done.blank:,} left blank",
        ),
        _told(shell, done.samples, done.snapshot),
    )
    shell.document(
        {
            "file": target,
            "accepted": done.accepted,
            "rejected": done.rejected,
            "blank": done.blank,
            "samples": done.samples,
            "snapshot": done.snapshot,
        }
    )
    return 0
