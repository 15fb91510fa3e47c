"""``qbase policy``: a town enters its own policy from a TOML file."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of

if TYPE_CHECKING:
    from qbase.indicators import PolicyFile
    from qbase.lake import Workspace


def policy(
    ctx: typer.Context,
    action: Annotated[
        Literal["check", "add", "new", "lock"],
        typer.Argument(
            help="new 写一份带说明的空白文件；check 只检查；add 检查后载入；lock 锁定评价方案 | "
            "new writes an empty one with remarks; check only, or check and load; lock its plan"
        ),
    ],
    file: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="FILE.toml|ID", help="政策文件；new、lock 时写编号 | the policy; its id for new and lock"
        ),
    ],
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Check a policy file word by word.

    With add load it as a delivery, with new write an empty one to fill in, with lock lock its plan.
    """
    from qbase.indicators import add_policy, read_policy_file

    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    if action == "new":
        return _write_new(shell, workspace, file)
    if action == "lock":
        return _lock(shell, workspace, file)
    if action == "check":
        found, snapshot = read_policy_file(workspace, file), ""
    else:
        found, made = add_policy(workspace, file)
        snapshot = made.id
    shell.document({"policy": describe(found) | {"action": action, "file": file.name, "snapshot": snapshot}})
    _tell(shell, found, file, snapshot)
    return 0


def _write_new(shell: Shell, workspace: Workspace, file: pathlib.Path) -> int:
    from qbase.indicators import write_policy_template

    is_path = file.suffix == ".toml" or len(file.parts) > 1
    written = write_policy_template(workspace, file.stem if is_path else str(file), file if is_path else None)
    shown = written.relative_to(workspace.root).as_posix() if file != written else str(file)
    shell.out(f"{shell.text('新建', 'Made')}  {shown}")
    shell.document({"policy": {"id": written.stem, "action": "new", "file": str(written)}})
    shell.note(
        shell.text(
            f"下一步  填好空白处，再 qbase policy check {shown}", f"Next    fill it in, then qbase policy check {shown}"
        )
    )
    return 0


def _lock(shell: Shell, workspace: Workspace, file: pathlib.Path) -> int:
    from qbase.indicators import lock_plan

    is_path = file.suffix == ".toml" or len(file.parts) > 1
    plan = lock_plan(workspace, file.stem if is_path else str(file), file if is_path else None)
    days = " ".join(plan.decision_dates)
    shell.out(
        f"{shell.text('锁定', 'Locked')}  {plan.outcome}  {plan.locked_on}  sha256 {plan.sha256[:12]}  {days}".rstrip()
    )
    shell.document({"policy": {"id": file.stem, "action": "lock", "sha256": plan.sha256, "locked_on": plan.locked_on}})
    return 0


def describe(found: PolicyFile) -> dict[str, Any]:
    """Return what a policy file says, as plain values."""
    from qbase.core.periods import code

    return {
        "id": found.policy.policy_id,
        "title_zh": found.policy.title.zh,
        "title_en": found.policy.title.en,
        "dates": {
            name: {"on": date.on, "source": date.source, "confidence": date.confidence}
            for name, date in found.policy.dates.items()
        },
        "spells": [
            {
                "cluster": spell.entity,
                "name": found.names[spell.entity],
                "start": code(spell.start),
                "end": None if spell.end is None else code(spell.end),
            }
            for spell in found.policy.spells
        ],
        "rows": {table: rows.num_rows for table, rows in found.tables.items()},
        "already": found.is_loaded,
        "warnings": [{"zh": w.zh, "en": w.en} for w in found.warnings],
    }


def _tell(shell: Shell, found: PolicyFile, file: pathlib.Path, snapshot: str) -> None:
    what = describe(found)
    shell.out(f"{what['id']}  {found.policy.title[shell.lang]}")
    for name, date in what["dates"].items():
        shell.out(f"  {name:<10} {date['on']}  {date['confidence']}: {date['source']}")
    for spell in what["spells"]:
        shell.out(f"  {spell['cluster']}  {spell['start']}–{spell['end'] or ''}  {spell['name']}")
    for warning in found.warnings:
        shell.note(shell.text(f"注意  {warning.zh}", f"Note    {warning.en}"))
    rows = " · ".join(f"{table} {n}" for table, n in what["rows"].items())
    if not snapshot:
        shell.out(shell.text(f"检查通过，没有载入：{rows}", f"sound; nothing was loaded: {rows}"))
        shell.note(shell.text(f"下一步  qbase policy add {file}", f"Next    qbase policy add {file}"))
    elif found.is_loaded:
        shell.out(
            shell.text(
                f"先前已载入（{snapshot}）；改动过的政策换一个 id 再载入",
                f"loaded before ({snapshot}); a policy that was changed is added under a new id",
            )
        )
    else:
        shell.out(shell.text(f"已载入 {snapshot}：{rows}", f"loaded as {snapshot}: {rows}"))
