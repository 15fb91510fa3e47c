"""``qbase places``: the names and codes of towns that deliveries are looked up by, and which codes are one town."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from qbase.cli.data.demo_and_load import DATA_FAILED, Accept, Reject, check_files, load_and_tell, make_folders, tell_questions
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of

if TYPE_CHECKING:
    from qbase.intake import TownLink

DIVISIONS = "divisions"
OPEN = "open"
STATES = {"accept": ("同一乡镇", "one town"), "undone": ("不是同一乡镇", "two towns")}


def places(
    ctx: typer.Context,
    files: Annotated[
        list[pathlib.Path] | None,
        typer.Argument(metavar="FILE", help="区划表：代码、名称，可有级别和上级 | divisions: code, name; level, parent"),
    ] = None,
    accept: Accept = None,
    reject: Reject = None,
    undo: Annotated[
        str | None,
        typer.Option(
            "--undo", metavar="CODE", help="撤销自编代码与正式代码的对应 | take the link of a code made by rule back"
        ),
    ] = None,
    by: Annotated[str, typer.Option("--by", metavar="NAME", help="由谁决定 | who decides")] = "user",
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """List the towns that are known and which codes are one town; with files, import the divisions in them first."""
    from qbase.intake import decide_town_links, list_town_links, read_places, undo_town_links

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace, deliveries = shell.workspace(), []
    if files:
        check_files(files)
        answers = {"accept": tuple(accept or ()), "reject": tuple(reject or ())}
        deliveries = load_and_tell(shell, make_folders(workspace), files, recipe=DIVISIONS, answers=answers)
    else:
        decide_town_links(workspace, accept or (), "accept", decided_by=by)
        decide_town_links(workspace, reject or (), "reject", decided_by=by)
    if undo is not None:
        undo_town_links(workspace, undo, decided_by=by)
    known = read_places(workspace).all
    for place in known:
        shell.out(f"{place.code:<12}  {place.name}  {place.county}" + (f"  → {place.official}" if place.official else ""))
    if not known:
        shell.note(
            shell.text(
                "还没有乡镇：载入乡镇表，或 qbase places 区划表.csv（列：区划代码、名称、级别、上级代码）",
                "no towns yet: load a table of towns, or qbase places FILE (columns: code, name, level, parent)",
            )
        )
    links = list_town_links(workspace)
    asked = [link for link in links if link.decision == OPEN]
    tell_links(shell, [link for link in links if link.decision != OPEN])
    tell_questions(shell, [link.question for link in asked])
    rows = [{"code": p.code, "name": p.name, "county": p.county, "official": p.official} for p in known]
    shell.document(
        {
            "deliveries": deliveries,
            "places": rows,
            "links": [link.payload() for link in links if link.decision != OPEN],
            "questions": [link.question.payload() for link in asked],
        }
    )
    return DATA_FAILED if any(d["error"] for d in deliveries) else 0


def tell_links(shell: Shell, links: Sequence[TownLink]) -> None:
    """Print which codes are one town or were kept apart, since when and by whom."""
    if links:
        head = shell.text("自编代码 正式代码 乡镇 县 决定 由 时间", "MADE OFFICIAL TOWN COUNTY DECISION BY WHEN").split()
        rows = [
            [
                link.made_code,
                link.official_code,
                link.town_name,
                link.county_name,
                shell.text(*STATES[link.decision]),
                link.decided_by,
                link.decided_at,
            ]
            for link in links
        ]
        shell.out("")
        shell.rows(head, rows)
