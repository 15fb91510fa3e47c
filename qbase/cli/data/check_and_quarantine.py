"""``qbase check`` and ``qbase quarantine``: what was loaded, and what was set aside."""

from __future__ import annotations

import json
import pathlib
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qbase.cli.data.demo_and_load import DATA_FAILED, Accept, Reject, tell
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.errors import UsageError

if TYPE_CHECKING:
    from qbase.lake import Workspace

MARKS = {True: "ok", False: "[!]", None: "–"}
SHOWN_ROWS = 40
SHOWN_TEXT = 60
Action = Literal["list", "export", "retry"]


def check(
    ctx: typer.Context,
    table: Annotated[
        str | None, typer.Argument(metavar="TABLE", help="表；省略为全部 | a table; all by default")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="对照日期，默认今天 | judged on this day, default today"),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Check the tables of the lake; exit 3 when something did not pass."""
    from qbase.intake import check_delivery
    from qbase.tables import list_contracts

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    sent = workspace.deliveries()
    loaded = {name for table, parts in zip(sent["table"], sent["by_table"], strict=True) for name in parts or [table]}
    names = [table] if table else [name for name in list_contracts() if name in loaded]
    document, failed = [], 0
    for name in names:
        result = check_delivery(workspace, name, as_of=as_of)
        shell.out(f"{name}  {result.subject[shell.lang]}")
        for each in result.checks:
            shell.out(f"  {MARKS[each.passed]:<4}{each.text[shell.lang]}")
            failed += each.passed is False
        document.append({"table": name, "checks": [each.payload() for each in result.checks]})
    shell.document({"tables": document})
    if not names:
        shell.note(shell.text("还没有载入任何表", "no table was loaded yet"))
    return DATA_FAILED if failed else 0


def quarantine(
    ctx: typer.Context,
    action: Annotated[
        Action, typer.Argument(help="list 列出，export 导出为 Excel，retry 重读 | list, export to Excel, read again")
    ] = "list",
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE|SHA256]", help="export 的文件；retry 的送达 | file of export; delivery of retry and list"
        ),
    ] = None,
    delivery: Annotated[
        str | None, typer.Option("--delivery", metavar="SHA256", help="只导出这份送达 | export this delivery only")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option("--recipe", help="重读所用的读法 | recipe to read it again with")
    ] = None,
    accept: Accept = None,
    reject: Reject = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """List, export or read again what was set aside.

    Raises
    ------
    UsageError
        Neither file nor delivery is named (QB906).
    """
    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    if action == "list":
        return _list(shell, workspace, target)
    if target is None:
        raise UsageError(
            "QB906",
            found=f"qbase quarantine {action}",
            expected="FILE.xlsx" if action == "export" else "SHA256",
            fix=f"qbase quarantine {action} " + ("FILE.xlsx" if action == "export" else "SHA256"),
        )
    if action == "export":
        from qbase.intake import export_quarantine

        rows = export_quarantine(workspace, pathlib.Path(target), delivery=delivery, lang=shell.lang)
        shell.out(shell.text(f"{target}  {rows:,} 行", f"{target}  {rows:,} rows"))
        shell.document({"file": target, "rows": rows})
        return 0
    from qbase.intake import retry_quarantine

    report = retry_quarantine(workspace, target, recipe=recipe, accept=accept or (), reject=reject or ())
    shell.document({"deliveries": [tell(shell, report)]})
    return DATA_FAILED if report.problem is not None else 0


def _list(shell: Shell, workspace: Workspace, delivery: str | None) -> int:
    from qbase.intake import explain_reason, list_quarantine

    rows = list_quarantine(workspace, delivery)
    shown = [
        (
            row["delivery_sha256"][:8],
            row["file_name"],
            str(row["row_no"]),
            "; ".join(explain_reason(code, row["table"])[shell.lang] for code in row["reasons"].split()),
            _short(", ".join(json.loads(row["raw"]))),
        )
        for row in rows.head(SHOWN_ROWS).to_dict("records")
    ]
    head = [shell.text(*words) for words in (("送达", "Delivery"), ("文件", "File"), ("行", "Row"), ("原因", "Reason"))]
    if shown:
        shell.rows([*head, shell.text("原文", "As received")], shown, right=(2,))
    if len(rows) > len(shown):
        shell.out(shell.text(f"… 共 {len(rows):,} 行", f"… {len(rows):,} rows in all"))
    if rows.empty:
        shell.note(shell.text("没有被隔离的行", "no rows are set aside"))
    shell.document({"rows": rows.assign(raw=[json.loads(raw) for raw in rows["raw"]]).to_dict("records")})
    return 0


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_TEXT else text[: SHOWN_TEXT - 1] + "…"
