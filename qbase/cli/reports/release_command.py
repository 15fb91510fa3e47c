"""``qbase release``: what is withheld outside the house, settled before a batch of external reports."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import shell_of


def release(
    ctx: typer.Context,
    action: Annotated[
        Literal["pattern"],
        typer.Argument(help="pattern 算好并存下哪些数不显示 | pattern: settle and store what is withheld"),
    ],
    period: Annotated[
        str,
        typer.Option("--period", metavar="QUARTER", help="截至哪一季度，如 2025Q4 | last quarter, such as 2025Q4"),
    ],
    preset: Annotated[
        Literal["cn_default", "opensafely", "sacro"], typer.Option("--preset", help="规则 | the rules")
    ] = "cn_default",
    snapshot: Annotated[str | None, typer.Option("--snapshot", help="数据版本 | snapshot of the lake")] = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Settle which counts of a year to date are withheld outside the house, and store it in the lake."""
    from qbase.release import build_pattern
    from qbase.release.disclosing.disclosure_pattern import STATES

    shell = shell_of(ctx, home, as_json, quiet, lang)
    pattern = build_pattern(shell.workspace(), period, preset=preset, snapshot=snapshot)
    counts = pattern.counts()
    shell.out(f"{pattern.outcome}  {pattern.period}  {pattern.snapshot}  {pattern.preset}  {pattern.content[:12]}")
    for state, n in counts.items():
        shell.out(f"  {n:>8,}  {STATES[state][shell.lang]}")
    told = {name: getattr(pattern, name) for name in ("outcome", "period", "snapshot", "preset", "previous", "content")}
    shell.document({"pattern": {**told, "cells": counts, "action": action}})
    return 0
