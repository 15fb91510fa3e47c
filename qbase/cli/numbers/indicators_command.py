"""``qbase indicators``: what the policy text asks for, and which of it the loaded data can measure."""

from __future__ import annotations

from typing import Annotated

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import shell_of


def indicators(
    ctx: typer.Context,
    clause: Annotated[
        str | None,
        typer.Option(
            "--clause",
            metavar="ID",
            help="政策条款（3.near.2、5.2）或指标行（D1） | a clause of the policy text (3.near.2, 5.2) or a line (D1)",
        ),
    ] = None,
    missing: Annotated[bool, typer.Option("--missing", help="只列缺数据的指标 | only those that need data")] = False,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """List the indicators of every clause with what the loaded data can support."""
    from qbase.core.numbers import UNITS
    from qbase.indicators import list_indicators, read_clauses

    shell = shell_of(ctx, home, as_json, quiet, lang)
    listed = list_indicators(shell.workspace(), clause=clause)
    shown = [a for a in listed if a.state != "ready" or not missing]
    head = shell.text("编号 条款 指标 单位 作用 状态", "ID CLAUSE INDICATOR UNIT ROLE STATUS").split()
    roles = {"outcome": shell.text("结果", "outcome"), "instrument": shell.text("手段", "instrument")}
    rows = [
        [
            a.measured.indicator.id,
            a.measured.indicator.clause,
            a.measured.indicator.name[shell.lang],
            UNITS[a.measured.indicator.unit][shell.lang] or "–",
            roles.get(a.measured.indicator.role, shell.text("背景", "context")),
            a.status[shell.lang],
        ]
        for a in shown
    ]
    if clause is not None and clause in read_clauses():
        shell.out(f"{clause}  {read_clauses()[clause].quotation}", "")
    shell.rows(head, rows)
    shell.document({"indicators": [a.payload() for a in shown]})
    ready = sum(a.state == "ready" for a in listed)
    shell.note(shell.text(f"{len(listed)} 项指标，{ready} 项可计算", f"{len(listed)} indicators, {ready} ready"))
    return 0
