"""``qbase release``: what is withheld outside the house, and who saw a page before it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from qbase.cli.reports.report_commands import near
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.errors import UsageError

if TYPE_CHECKING:
    from qbase.reports import Release

Action = Literal["pattern", "request", "review", "approve", "reject", "withdraw", "list", "show"]
DONE = {
    "requested": ("已申请", "requested"),
    "reviewed": ("已看过", "reviewed"),
    "approved": ("已批准", "approved"),
    "rejected": ("已拒绝", "rejected"),
    "withdrawn": ("已撤回", "withdrawn"),
    "shared": ("已发出", "shared"),
}


def release(
    ctx: typer.Context,
    action: Annotated[
        Action,
        typer.Argument(
            help="pattern 算好哪些数不显示；其余：申请、查看、批准、拒绝、撤回、列出 "
            "| pattern: settle what is withheld; the others: a request for release and its steps"
        ),
    ],
    what: Annotated[
        str | None, typer.Argument(metavar="[PAGE|ID]", help="页面，或申请的编号 | a page, or the id of a request")
    ] = None,
    period: Annotated[
        str | None,
        typer.Option("--period", metavar="QUARTER", help="截至哪一季度，如 2025Q4 | last quarter, such as 2025Q4"),
    ] = None,
    preset: Annotated[
        Literal["cn_default", "opensafely", "sacro"] | None, typer.Option("--preset", help="规则 | the rules")
    ] = None,
    snapshot: Annotated[str | None, typer.Option("--snapshot", help="数据版本 | snapshot of the lake")] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="原因 | why")] = "",
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Settle what is withheld outside the house; ask for, look at and decide what leaves it.

    Raises
    ------
    UsageError
        What an action is about is missing (QB950).
    """
    shell = shell_of(ctx, home, as_json, quiet, lang)
    if action == "list":
        return _list(shell)
    given = period if action == "pattern" else what
    if given is None:
        word = {"pattern": "--period QUARTER", "request": "PAGE"}.get(action, "ID")
        call = f"qbase release {action}"
        raise UsageError("QB950", found=call, expected=f"{call} {word}", fix="qbase release list")
    if action == "pattern":
        return _settle(shell, given, preset, snapshot)
    return _show(shell, _act(shell, action, given, reason), action)


def _act(shell: Shell, action: str, what: str, reason: str) -> Release:
    from qbase.reports import claim_review, close_release, decide_release, find_release, queue_release

    workspace = shell.workspace()
    if action == "request":
        return queue_release(workspace, what)
    if action == "review":
        return claim_review(workspace, what)
    if action == "approve":
        return decide_release(workspace, what, "approved", reason=reason)
    if action == "reject":
        return decide_release(workspace, what, "rejected", reason=reason)
    return close_release(workspace, what, reason=reason) if action == "withdraw" else find_release(workspace, what)


def _settle(shell: Shell, period: str, preset: str | None, snapshot: str | None) -> int:
    from qbase.release import build_pattern, read_office_preset
    from qbase.release.disclosing.disclosure_pattern import STATES

    workspace = shell.workspace()
    rules = preset or read_office_preset(workspace)
    pattern = build_pattern(workspace, period, preset=rules, snapshot=snapshot)
    counts = pattern.counts()
    shell.out(f"{pattern.outcome}  {pattern.period}  {pattern.snapshot}  {pattern.preset}  {pattern.content[:12]}")
    for state, n in counts.items():
        shell.out(f"  {n:>8,}  {STATES[state][shell.lang]}")
    told = {name: getattr(pattern, name) for name in ("outcome", "period", "snapshot", "preset", "previous", "content")}
    shell.document({"pattern": {**told, "cells": counts, "action": "pattern"}})
    return 0


def _list(shell: Shell) -> int:
    from qbase.reports import list_releases

    found = list_releases(shell.workspace())
    head = shell.text("编号 页面 范围 状态 申请于", "ID PAGE PROFILE STATE ASKED").split()
    rows = [
        [r.request_id, r.asked.page, r.asked.profile, shell.text(*DONE[r.state]), r.asked.at[:16]] for r in found
    ]  # fmt: skip
    if rows:
        shell.rows(head, rows)
    else:
        shell.out(shell.text("没有", "none"))
    shell.document({"releases": [r.payload() for r in found]})
    return 0


def _show(shell: Shell, found: Release, action: str) -> int:
    asked = found.asked
    state = shell.text(*DONE[found.state])
    shell.out(f"{found.request_id}  {asked.page}  {asked.profile}  {asked.preset}  {state}")
    if action in ("review", "show", "request"):
        shell.out(shell.text("页面    ", "Page     ") + near(found.file(shell.workspace())))
        for context in found.contexts:
            shell.out(f"{context['name']}  ({context['difference']})")
            for key in ("population", "filter", "n", "firms", "control"):
                shell.out(f"    {key:<11} {context[key]}")
    for step in found.steps:
        shell.out(f"  {step.at[:16]}  {shell.text(*DONE[step.action])}  {step.account}  {step.reason}".rstrip())
    following = {"requested": "review", "reviewed": "approve"}.get(found.state)
    if following:
        who = shell.text("下一步（另一个人）  ", "Next (another person)  ")
        shell.note(f"{who}qbase release {following} {found.request_id}")
    shell.document(found.payload())
    return 0
