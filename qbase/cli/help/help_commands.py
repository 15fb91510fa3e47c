"""``qbase doctor · explain · new``: the machine, the codes, a new workspace."""

from __future__ import annotations

import pathlib
import re
from difflib import get_close_matches
from typing import Annotated

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import shell_of
from qbase.core.errors import UsageError, read_codes

NOT_WELL = 4


def doctor(
    ctx: typer.Context,
    deep: Annotated[
        bool,
        typer.Option("--deep", help="也看账本、锁、遗留和试运行 | also ledger, locks, leftovers and a trial run"),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Check this machine; exit code 4 when something needed is missing."""
    from qbase.cli.help.machine_checks import MARKS, examine

    shell = shell_of(ctx, home, as_json, quiet, lang)
    found = examine(shell.home)
    if deep:
        from qbase.cli.help.deep_checks import examine_deeply

        found += examine_deeply(shell.home)
    for finding in found:
        fix = shell.text("办法: ", "to fix: ") + finding.fix if finding.fix else ""
        shell.out(f"{MARKS[finding.state]} {finding.name[shell.lang]}  {finding.text[shell.lang]}  {fix}".rstrip())
    states = [finding.state for finding in found]
    good, bad, free = states.count("good"), states.count("bad"), states.count("free")
    shell.out(
        shell.text(f"{good} 项正常，{bad} 项要处理，{free} 项可选", f"{good} good, {bad} to fix, {free} optional")
    )
    shell.document({"checks": [finding.payload() for finding in found], "passed": not bad})
    return NOT_WELL if bad else 0


def explain(
    ctx: typer.Context,
    code: Annotated[str, typer.Argument(metavar="CODE", help="例如 QB803 | such as QB803")],
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Say what an error code means.

    Raises
    ------
    UsageError
        There is no such code (QB904).
    """
    shell = shell_of(ctx, home, as_json, quiet, lang)
    codes = read_codes()
    wanted = code.strip().strip("[]").upper()
    if wanted not in codes:
        near = get_close_matches(wanted, codes, n=1)
        raise UsageError(
            "QB904",
            word=code,
            found=code,
            expected=f"{min(codes)}–{max(codes)} ({len(codes)})",
            fix=f"qbase explain {near[0] if near else min(codes)}",
        )
    entry = codes[wanted]
    # placeholders of the template stand for what a case at hand would fill in
    what = re.sub(r"\{[^}]*\}", "…", entry[f"what_{shell.lang}"])
    shell.out(f"{wanted}  {what}", f"  {entry[f'meaning_{shell.lang}']}")
    shell.document({"code": wanted, **entry})
    return 0


def new(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="新工作区的名字 | name of the new workspace")],
    place: Annotated[
        str,
        typer.Option("--place", metavar="NAME", help="地名，写进报告标题 | the place, for the titles of the reports"),
    ] = "",
    template: Annotated[
        str | None,
        typer.Option("--template", help="只要一封信：trends、effects | one letter only: trends, effects"),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Make a new workspace folder with letters and a policy file to fill in; nothing is overwritten."""
    from qbase.explore import new_workspace

    shell = shell_of(ctx, home, as_json, quiet, lang)
    folder = (shell.home or pathlib.Path.cwd()) / name
    written = new_workspace(folder, template=template, place=place)
    shell.out(f"{shell.text('新建', 'Made')}  {folder}")
    shell.out(*(f"  {path.relative_to(folder).as_posix()}" for path in written))
    shell.document({"workspace": str(folder), "files": [path.relative_to(folder).as_posix() for path in written]})
    shell.note(f"{shell.text('下一步', 'Next')}  cd {folder} && qbase load FILE… && qbase list")
    return 0
