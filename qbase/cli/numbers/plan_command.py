"""``qbase plan``: publish the hash of a seed, draw the firms of a closed list, verify a signed plan later."""

from __future__ import annotations

import datetime
import os
import pathlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from qbase.planning import Commitment

PHASE_IN = ".toml"
MINE = 0o600
"""Whoever reads the secret before the list is closed can search for a list that suits."""


def plan(
    ctx: typer.Context,
    action: Annotated[
        Literal["commit", "draw", "verify"],
        typer.Argument(
            help="commit 生成密数，给出要公布的摘要；draw 抽取企业并签发计划；verify 核对已签发的计划 | "
            "commit: make a secret and the hash to publish; draw firms and sign off the plan; verify a signed plan"
        ),
    ],
    file: Annotated[
        pathlib.Path,
        typer.Argument(
            metavar="FILE",
            help="commit 写密数的文件；draw 写、verify 读的计划（.json；抽签次序为 .toml） | "
            "the secret's file for commit; the plan that is drawn or verified (.json, an order by lot .toml)",
        ),
    ],
    firms: Annotated[
        pathlib.Path | None,
        typer.Option("--list", metavar="FILE", help="封存的企业名单，csv 或 xlsx | the closed list, csv or xlsx"),
    ] = None,
    secret: Annotated[
        pathlib.Path | None, typer.Option("--secret", metavar="FILE", help="密数文件 | the file with the secret")
    ] = None,
    published: Annotated[
        str | None, typer.Option("--published", metavar="HASH", help="公布过的摘要 | the hash that was published")
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DAY", help="公布的日期，如 2026-11-30 | the day it was published")
    ] = None,
    closed: Annotated[
        str | None, typer.Option("--closed", metavar="DAY", help="名单封存的日期 | the day the list was closed")
    ] = None,
    year: Annotated[int | None, typer.Option("--year", help="检查的年份 | year of the visits")] = None,
    within_pp: Annotated[
        float | None,
        typer.Option("--within-pp", help="每个集群测准到几个百分点 | points either way"),
    ] = None,
    budget: Annotated[float | None, typer.Option("--budget", help="预算 | in the unit of the costs")] = None,
    assurance: Annotated[float, typer.Option("--assurance", help="把握 | chance that targets are met")] = 0.8,
    xlsx: Annotated[
        pathlib.Path | None,
        typer.Option("--xlsx", metavar="FILE.xlsx", help="抽样名单，只供内部使用 | firms drawn, for the office alone"),
    ] = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Publish the hash of a secret, draw the firms of the list closed after it, and verify the signed plan later.

    Raises
    ------
    UsageError
        An option that the action needs is missing (QB975) or no day (QB977).
    DataError
        A file is there already (QB976), the secret cannot be read (QB978), and as `qbase.planning` says.
    """
    shell = shell_of(ctx, home, as_json, quiet, lang)
    if action == "commit":
        return _commit(shell, file)
    if action == "verify":
        return _verify(shell, file, firms, secret)
    given = {"--list": firms, "--secret": secret, "--published": published, "--on": on, "--closed": closed}
    asked = {"within_pp": within_pp, "budget": budget, "assurance": assurance}
    _check_draw(given | {"--year": year, "--xlsx": xlsx}, asked, (file, xlsx))
    days = _day("--on", on), _day("--closed", closed)
    return _draw(shell, file, firms, secret, published, days, year, asked, xlsx)


def _check_draw(given: dict[str, Any], asked: dict[str, Any], made: tuple[pathlib.Path | None, ...]) -> None:
    _refuse_missing("draw", given)
    if asked["within_pp"] is None and asked["budget"] is None:
        _refuse_missing("draw", {"--within-pp | --budget": None})
    for file in made:
        _refuse_existing(file)


def _commit(shell: Shell, file: pathlib.Path) -> int:
    from qbase.planning import build_commitment, new_secret

    secret = new_secret()
    told = build_commitment(secret, datetime.date.today())
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MINE), "w", encoding="ascii") as out:
            out.write(f"{secret}\n")
    except FileExistsError:
        _refuse_existing(file)
    except OSError as error:
        raise _unreadable(file, error) from error
    shell.out(f"{shell.text('公布', 'Publish')}  {told.digest}  {told.day}")
    shell.document({"plan": {"action": "commit", "digest": told.digest, "day": told.day, "secret": str(file)}})
    call = f"qbase plan draw plan.json --secret {file} --published {told.digest} --on {told.day} --list … --closed …"
    shell.note(
        shell.text(
            f"密数在 {file}，抽取之前不得外传。下一步  公布之后另日封存名单，再 {call}",
            f"The secret is in {file}; nobody may see it before the draw.\n"
            f"Next    publish, close the list on a later day, then {call}",
        )
    )
    return 0


def _draw(
    shell: Shell, file: pathlib.Path, firms: Any, secret: Any, published: Any,
    days: tuple[datetime.date, datetime.date], year: Any, asked: dict[str, Any], xlsx: Any,
) -> int:  # fmt: skip
    from qbase.planning import (
        Commitment,
        build_seed,
        draw_firms,
        merge_list,
        plan_draws,
        read_closed_list,
        read_strata,
        write_plan,
        write_sampling_list,
    )

    listed = read_closed_list(firms)
    commitment = Commitment(digest=published.strip().lower(), day=days[0])
    seed = build_seed(_secret_of(secret), commitment, listed, days[1])
    strata = merge_list(read_strata(shell.workspace()), listed)
    found = plan_draws(strata, **asked)
    drawn = draw_firms(listed, found.tables["allocation"], seed=seed, year=year)
    write_sampling_list(drawn, xlsx, names=strata.labels)
    signed = datetime.date.today()
    digest = write_plan(found, file, commitment=commitment, signed_on=signed, seed=seed)
    shell.out(*(line[shell.lang] for line in found.say().items[:1]))
    shell.out(
        shell.text(
            f"签发  {file}  sha256 {digest}\n名单  {xlsx}（{len(drawn)} 家，内部）",
            f"Signed  {file}  sha256 {digest}\nList    {xlsx} ({len(drawn)} firms, internal)",
        )
    )
    shell.document({
        "plan": {"action": "draw", "file": str(file), "sha256": digest, "seed": seed, "signed_on": signed,
                 "firms": len(drawn), "list": str(xlsx)}
    })  # fmt: skip
    return 0


def _verify(shell: Shell, file: pathlib.Path, firms: pathlib.Path | None, secret: pathlib.Path | None) -> int:
    from qbase.planning import Commitment, verify_phase_in, verify_plan

    if file.suffix.lower() == PHASE_IN:
        lot = verify_phase_in(file)
        held = {"kind": "phase_in", "commitment": lot.commitment.digest, "published": lot.commitment.day,
                "closed": lot.closed, "seed": lot.seed, "starts": lot.starts, "repeated": True}  # fmt: skip
    else:
        plan = verify_plan(file)
        told = plan["commitment"]
        held = {"kind": "draws", "commitment": told["digest"], "published": told["day"],
                "signed_on": plan["signed_on"], "seed": plan["seed"], "sha256": plan["sha256"]}  # fmt: skip
        published = Commitment(digest=told["digest"], day=datetime.date.fromisoformat(told["day"]))
        held["repeated"] = _is_repeated(plan, published, firms, secret)
    shell.out(shell.text("核对无误", "Unchanged") + f"  {file}")
    for name in ("sha256", "commitment", "published", "closed", "signed_on", "seed"):
        if held.get(name):
            shell.out(f"  {name:<11} {held[name]}")
    if not held["repeated"]:
        shell.note(
            shell.text(
                "种子是否出自公布的密数，要用 --secret 和 --list 重算",
                "Whether the seed is that of the published secret: give --secret and --list",
            )
        )
    shell.document({"plan": {"action": "verify", "file": str(file), **held}})
    return 0


def _is_repeated(
    plan: dict[str, Any], published: Commitment, firms: pathlib.Path | None, secret: pathlib.Path | None
) -> bool:
    """Tell whether the seed was made again from the secret and the list; refuse a plan with another."""
    from qbase.planning import build_seed, read_closed_list

    if firms is None and secret is None:
        return False
    _refuse_missing("verify", {"--list": firms, "--secret": secret})
    if firms is None or secret is None:
        return False
    signed = datetime.date.fromisoformat(plan["signed_on"])
    seed = build_seed(_secret_of(secret), published, read_closed_list(firms), signed)
    if seed != plan["seed"]:
        raise DataError(
            "QB626", found=f"seed {str(plan['seed'])[:12]}… in the plan", expected=f"{seed[:12]}… of secret and list",
            fix=f"the list as it was closed, instead of {firms.name}",
        )  # fmt: skip
    return True


def _secret_of(file: pathlib.Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error


def _unreadable(file: pathlib.Path, error: Exception) -> DataError:
    return DataError(
        "QB978", file=file.name, found=f"{file}: {type(error).__name__}", expected="a file of 64 hexadecimal digits",
        fix="qbase plan commit secret.txt",
    )  # fmt: skip


def _refuse_missing(action: str, given: dict[str, Any]) -> None:
    missing = [name for name, value in given.items() if value is None]
    if missing:
        told = " ".join(name for name, value in given.items() if value is not None) or "—"
        raise UsageError(
            "QB975", action=action, option=missing[0], found=told, expected=" ".join(given),
            fix=f"qbase plan {action} FILE {missing[0]} …",
        )  # fmt: skip


def _refuse_existing(file: pathlib.Path | None) -> None:
    if file is not None and file.exists():
        other = file.with_name(f"{file.stem}-2{file.suffix}")
        raise DataError("QB976", file=file.name, found=str(file), expected="a new file", fix=str(other))


def _day(option: str, given: str | None) -> datetime.date:
    try:
        return datetime.date.fromisoformat(str(given))
    except ValueError as error:
        raise UsageError(
            "QB977", option=option, value=given, found=f"{option} {given}", expected="2026-11-30",
            fix=f"{option} {datetime.date.today().isoformat()}",
        ) from error  # fmt: skip
