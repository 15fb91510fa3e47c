"""``qbase table``: which tables there are, and what the columns of one take."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.errors import SetupError, UsageError

if TYPE_CHECKING:
    from qbase.explore import TableWords
    from qbase.lake import Workspace


def table(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="表名，如 inspections 或 监督抽查 | a table, such as inspections")
    ] = None,
    xlsx: Annotated[
        pathlib.Path | None,
        typer.Option(
            "--xlsx", metavar="FILE.xlsx", help="写出空白表格：表头、可选的词、填写说明 | write an empty workbook to fill in"
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """List the tables; of one, its columns, their names in files, words, units, and the reports that need it.

    Raises
    ------
    UsageError
        No such table (QB150); a workbook of no table, or one that exists (QB930).
    """
    from qbase.explore import describe_table, write_empty_workbook

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = _workspace(shell)
    if name is None:
        if xlsx is not None:
            raise UsageError(
                "QB930", file=xlsx.name, found=str(xlsx), expected="NAME --xlsx FILE.xlsx",
                fix=f"qbase table inspections --xlsx {xlsx}",
            )  # fmt: skip
        return _list(shell, workspace)
    words = describe_table(name, workspace)
    if xlsx is not None:
        write_empty_workbook(name, xlsx)
        shell.out(f"{shell.text('新建', 'Made')}  {xlsx}")
    else:
        _tell(shell, words)
    shell.document(words.payload() | ({"xlsx": str(xlsx)} if xlsx else {}))
    contract = words.contract
    step = f"qbase load {xlsx}" if xlsx else f"qbase table {contract.name} --xlsx {contract.name}.xlsx"
    shell.note(shell.text(f"下一步  {step}", f"Next    {step}"))
    return 0


def _workspace(shell: Shell) -> Workspace | None:
    """Return the workspace, whose reports are named; tables can be read about without one."""
    try:
        return shell.workspace()
    except SetupError:
        return None


def _list(shell: Shell, workspace: Workspace | None) -> int:
    from qbase.tables import list_contracts, read_contract

    loaded = set(workspace.tables()) if workspace is not None else set()
    contracts = [read_contract(name) for name in list_contracts()]
    head = shell.text("表 名称 列数 必填 已载入", "TABLE NAME COLUMNS REQUIRED LOADED").split()
    rows = [
        [
            contract.name,
            contract.name_text[shell.lang],
            str(len(contract.columns)),
            str(sum(rule.required for rule in contract.columns)),
            shell.text("是", "yes") if contract.name in loaded else "–",
        ]
        for contract in contracts
    ]
    shell.rows(head, rows, right=(2, 3))
    plain = [
        {"table": c.name, "title_zh": c.name_text.zh, "title_en": c.name_text.en, "loaded": c.name in loaded}
        for c in contracts
    ]
    shell.document({"tables": plain})
    shell.note(shell.text("下一步  qbase table inspections", "Next    qbase table inspections"))
    return 0


def _tell(shell: Shell, words: TableWords) -> None:
    from qbase.explore.table_words import takes_of

    contract = words.contract
    shell.out(f"{contract.name}  {contract.name_text.zh} / {contract.name_text.en}")
    head = shell.text("列 表头（均可） 必填 填什么", "COLUMN HEADERS(ANY) REQUIRED TAKES").split()
    rows = [
        [
            rule.name,
            " · ".join(dict.fromkeys(rule.headers[1:])),
            shell.text("必填", "yes") if rule.required else "–",
            takes_of(rule)[shell.lang],
        ]
        for rule in contract.columns
    ]
    shell.rows(head, rows)
    for zh, en, names in (
        ("主键", "Key", contract.key),
        ("需要它的报告", "Reports that need it", words.needed_by),
        ("有则使用的报告", "Reports that use it where it is loaded", words.may_need),
        ("用到它的指标", "Indicators computed from it", words.indicators),
    ):
        if names:
            shell.out(f"{shell.text(zh, en)}  {', '.join(names)}")
