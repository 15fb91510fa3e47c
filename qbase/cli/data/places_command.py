"""``qbase places``: the names and codes of towns that deliveries are looked up by."""

from __future__ import annotations

import pathlib
from typing import Annotated

import typer

from qbase.cli.data.demo_and_load import DATA_FAILED, check_files, load_and_tell, make_folders
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import shell_of

DIVISIONS = "divisions"


def places(
    ctx: typer.Context,
    files: Annotated[
        list[pathlib.Path] | None,
        typer.Argument(metavar="FILE", help="区划表：代码、名称，可有级别和上级 | divisions: code, name; level, parent"),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """List the towns that are known; with files, import the divisions in them first."""
    from qbase.intake import read_places

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace, deliveries = shell.workspace(), []
    if files:
        check_files(files)
        deliveries = load_and_tell(shell, make_folders(workspace), files, recipe=DIVISIONS)
    known = read_places(workspace).all
    for place in known:
        shell.out(f"{place.code:<12}  {place.name}  {place.county}")
    if not known:
        shell.note(
            shell.text(
                "还没有乡镇：载入乡镇表，或 qbase places 区划表.csv（列：区划代码、名称、级别、上级代码）",
                "no towns yet: load a table of towns, or qbase places FILE (columns: code, name, level, parent)",
            )
        )
    rows = [{"code": place.code, "name": place.name, "county": place.county} for place in known]
    shell.document({"deliveries": deliveries, "places": rows})
    return DATA_FAILED if any(d["error"] for d in deliveries) else 0
