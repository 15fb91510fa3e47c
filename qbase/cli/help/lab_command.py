"""``qbase lab``: JupyterLab with the workspace open, on this machine alone."""

from __future__ import annotations

from typing import Annotated

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import shell_of


def lab(
    ctx: typer.Context,
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- WORD…]", help="JupyterLab 自己的选项，写在 -- 后 | JupyterLab's own, after --"),
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="端口，0 任选 | port, 0 takes any free")] = 8888,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="不打开浏览器 | open no browser")] = False,
    ip: Annotated[str, typer.Option("--ip", metavar="ADDRESS", help="监听的地址 | address to listen on")] = "127.0.0.1",
    open_to_others: Annotated[
        bool, typer.Option("--open-to-others", help="允许其他机器连接 | other machines may connect")
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Open JupyterLab with this workspace; Ctrl-C ends it."""
    from qbase.explore import run_lab

    shell = shell_of(ctx, home, as_json, quiet, lang)
    run_lab(
        shell.workspace(),
        lang=shell.lang,
        ip=ip,
        port=port,
        opens_browser=not no_browser,
        is_for_others=open_to_others,
        more=more or (),
    )
    return 0
