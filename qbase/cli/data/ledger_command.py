"""``qbase ledger``: where the ledger is, and its move to a server that several machines share."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import shell_of

NAMES = {
    "snapshots": ("数据版本", "snapshots"),
    "snapshot_tables": ("各版本的表", "tables of snapshots"),
    "deliveries": ("送达", "deliveries"),
    "delivery_tables": ("各送达的表", "tables of deliveries"),
    "contracts": ("契约", "contracts"),
    "runs": ("运行", "runs"),
}


def ledger(
    ctx: typer.Context,
    action: Annotated[
        Literal["show", "move"],
        typer.Argument(
            help="show 账本在哪里；move 整体搬到 PostgreSQL 服务器，逐行核对 | "
            "show where it is; move it whole to a PostgreSQL server, every row compared"
        ),
    ] = "show",
    url: Annotated[
        str | None,
        typer.Argument(
            metavar="[URL]",
            help="postgresql+pg8000://USER@HOST/DATABASE，不写密码；默认用 QBASE_LEDGER | "
            "without a password; by default that of QBASE_LEDGER",
        ),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Say where the ledger is and what it holds, or move it from its file to a server.

    The file stays as it was and is not used any more; data/ledger.toml says where the ledger is.
    """
    from qbase.lake import find_ledger, move_ledger

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    place = find_ledger(workspace) if action == "show" else move_ledger(workspace, url)
    at = 0 if shell.lang == "zh" else 1
    shell.out(place.address)
    for table, count in place.rows.items():
        shell.out(f"  {NAMES.get(table, (table, table))[at]}  {count:,}")
    if action == "move":
        shell.note(
            shell.text("已逐行核对；原来的文件留作副本，不再使用", "every row compared; the old file stays, unused")
        )
    shell.document({"ledger": {"action": action, "address": place.address, "shared": place.is_shared, **place.rows}})
    return 0
