"""``qbase moved``: numbers that lie beyond their last interval, and who signed them off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qbase.cli.reports.report_commands import near
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.errors import UsageError

if TYPE_CHECKING:
    from qbase.lake import Workspace
    from qbase.reports import Moves

Action = Literal["list", "show", "sign"]


def moved(
    ctx: typer.Context,
    action: Annotated[
        Action, typer.Argument(help="list 列出，show 查看，sign 签收 | list, show one, sign it off")
    ] = "list",
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", help="运行的编号 | id of a run")] = None,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="由谁签收 | who signs")] = "",
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="怎样解释 | how it is explained")] = "",
    is_signed: Annotated[
        bool, typer.Option("--signed/--waiting", help="已签收的，或待签收的（默认） | signed, or waiting (default)")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """List, show and sign off numbers that lie beyond their last interval or turned their verdict.

    Raises
    ------
    UsageError
        The run of an action is missing (QB943).
    """
    from qbase.reports import close_moves, list_moves, read_moves

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    if action == "list":
        return _list(shell, [m for m in list_moves(workspace) if m.is_signed == is_signed], is_signed)
    if run is None:
        call = f"qbase moved {action}"
        raise UsageError("QB943", found=call, expected=f"{call} RUN", fix="qbase moved list")
    if action == "show":
        moves = read_moves(workspace, run)
        _show(shell, moves)
        shell.document(moves.payload())
        return 0
    done = close_moves(workspace, run, by=by, note=note)
    _rebuild(workspace)
    signed = done.signoffs[-1]
    shell.out(shell.text(f"{run} 已签收：{signed.signed_by}", f"{run} signed off by {signed.signed_by}"))
    shell.out(shell.text("页面    ", "Page     ") + near(workspace.site / "moved.html"))
    shell.document(done.payload())
    return 0


def _rebuild(workspace: Workspace) -> None:
    from qbase.reports.batching.run_batch import show_batch
    from qbase.reports.comparing.moved_page import show_moves

    show_moves(workspace)
    show_batch(workspace)


def _list(shell: Shell, found: list[Moves], is_signed: bool) -> int:
    head = shell.text("运行 报告 数据日期 对照 越界 变判断 签收", "RUN PAGE SLOT AGAINST BEYOND TURNED SIGNED").split()
    rows = [
        [
            m.run_id,
            m.page,
            m.slot,
            m.compared_with,
            str(m.moved),
            str(m.turned),
            ", ".join(s.signed_by for s in m.signoffs) or "–",
        ]
        for m in found
    ]
    if rows:
        shell.rows(head, rows, right=(4, 5))
    else:
        shell.out(shell.text("没有", "none"))
    shell.document({"moved": [m.payload() for m in found]})
    if found and not is_signed:
        shell.note(shell.text("下一步  ", "Next    ") + f"qbase moved show {found[0].run_id}")
    return 0


def _show(shell: Shell, moves: Moves) -> None:
    from qbase.reports.comparing.moved_page import rows_of

    shell.out(f"{moves.run_id}  {moves.title[shell.lang]}  {moves.slot}  ←  {moves.compared_with}  {moves.slot_before}")
    if moves.is_unreadable:
        shell.out(shell.text("上一次的结果读不出来，请人核对", "the run before cannot be read: compare by hand"))
    head = shell.text("什么数 现在 上次 时期 为什么列出", "NUMBER NOW LAST PERIOD WHY").split()
    rows = [[cell[shell.lang] for cell in row] for row in rows_of(moves.numbers)]
    if rows:
        shell.rows(head, rows)
    for signed in moves.signoffs:
        shell.out(shell.text("签收  ", "Signed  ") + f"{signed.signed_by}  {signed.signed_at}  {signed.note}")
    if not moves.is_signed:
        shell.note(shell.text("下一步  ", "Next    ") + f"qbase moved sign {moves.run_id} --by NAME --note TEXT")
