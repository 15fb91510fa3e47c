"""The command ``qbase``: one door in, one exit code out, four lines for every error."""

from __future__ import annotations

import datetime
import errno
import itertools
import json
import os
import pathlib
import sys
import tempfile
import traceback
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from qbase.cli.data import check_and_quarantine as deliveries
from qbase.cli.data import demo_and_load as data
from qbase.cli.data import links_command as links
from qbase.cli.data import policy_command as policy
from qbase.cli.help import help_commands as house
from qbase.cli.numbers import indicators_command as indicators
from qbase.cli.numbers import panel_command as panel
from qbase.cli.reports import report_commands as reports
from qbase.cli.speaking.language import SEPARATOR, part, pick_language
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, four_lines, shell_of
from qbase.core.errors import Lang, QbaseError, RunError, SetupError, UsageError
from qbase.core.package import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

REFUSALS = (errno.ENOSPC, errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT, errno.EFBIG, errno.EMFILE)
ABOUT = "产业集群质量研究工作台 | A workbench for the quality of industrial clusters"
SECTIONS: dict[str, dict[str, tuple[Callable[..., int], str]]] = {
    "开始 | Start": {
        "demo": (
            data.demo,
            "建立虚构的云泽省数据并运行演示报告 | make the fictional province and run the demo reports",
        ),
        "new": (house.new, "从模板建立新的工作区 | make a new workspace from a template"),
    },
    "数据 | Data": {
        "load": (
            data.load,
            "把收到的文件载入数据湖，逐行核对 | load deliveries into the lake, every row accounted for",
        ),
        "check": (
            deliveries.check,
            "检查已载入的表：契约、新旧、与上期的变化 | check loaded tables: contract, age, what changed",
        ),
        "quarantine": (
            deliveries.quarantine,
            "被隔离的行：列出、导出、重读 | rows set aside: list, export, read again",
        ),
        "links": (
            links.links,
            "存疑的企业对应：列出、接受、拒绝、撤销 | doubtful links of firms: list, accept, reject, undo",
        ),
        "policy": (policy.policy, "检查或录入一项政策 | check or enter a policy"),
    },
    "指标 | Indicators": {
        "indicators": (
            indicators.indicators,
            "政策各条款的指标及数据情况 | the indicators of every clause and their data",
        ),
        "panel": (panel.panel, "建立面板并写成文件 | build a panel and write it as a file"),
    },
    "报告 | Reports": {
        "list": (reports.list_reports, "列出报告 | list the reports"),
        "inspect": (reports.inspect, "一份报告的参数 | the parameters of a report"),
        "run": (reports.run, "运行并发布报告 | run and publish reports"),
        "runs": (reports.runs, "运行历史 | the history of runs"),
        "verify": (reports.verify, "校验成品报告 | verify finished reports"),
    },
    "帮助 | Help": {
        "doctor": (house.doctor, "检查这台机器 | check this machine"),
        "explain": (house.explain, "解释一个错误代码 | explain an error code"),
    },
}


class Verbs(TyperGroup):
    """Lists the commands by subject, and answers a misspelt one with the four lines."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command or say which one was meant (QB901).

        Raises
        ------
        UsageError
            There is no such command (QB901).
        """
        if args[0] not in self.commands and not args[0].startswith("-"):
            near = get_close_matches(args[0], self.commands, n=1)
            raise UsageError(
                "QB901",
                word=args[0],
                found=f"qbase {args[0]}",
                expected=" · ".join(self.commands),
                fix=f"qbase {' '.join([near[0], *args[1:]])}" if near else "qbase --help",
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands under their subjects."""
        lang: Lang = ctx.obj.lang if isinstance(ctx.obj, Shell) else pick_language(sys.argv[1:], os.environ)
        for title, verbs in SECTIONS.items():
            with formatter.section(part(title, lang)):
                formatter.write_dl([(name, self.commands[name].help or "") for name in verbs])


def build_command(lang: Lang) -> Any:
    """Return the command with its help in one language."""
    app = typer.Typer(
        cls=Verbs, rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False, help=ABOUT
    )
    app.callback(invoke_without_command=True)(_root)
    for verbs in SECTIONS.values():
        for name, (function, summary) in verbs.items():
            app.command(name, help=summary)(function)
    command = typer.main.get_command(app)
    for each in (command, *command.commands.values()):  # type: ignore[attr-defined]
        each.help = part(each.help or "", lang)
        for option in each.params:
            if SEPARATOR in (getattr(option, "help", None) or ""):
                option.help = part(option.help, lang)
    return command


def _root(
    ctx: typer.Context,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
    version: Annotated[bool, typer.Option("--version", help="版本 | version")] = False,
) -> None:
    ctx.obj = shell_of(ctx, home, as_json, quiet, lang)
    if version:
        ctx.obj.out(f"qbase {VERSION}")
        ctx.obj.document({"qbase": VERSION})
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def run(words: Sequence[str] | None = None) -> int:
    """Run one call.

    Parameters
    ----------
    words : sequence of str, optional
        Words after ``qbase``; those of the process by default.

    Returns
    -------
    int
        0 ok, 1 a report failed, 2 usage, 3 data, 4 environment, 130 interrupted.
    """
    words = list(sys.argv[1:] if words is None else words)
    lang = pick_language(words, os.environ)
    _never_fail_on_a_character()
    try:
        code = build_command(lang).main(args=words, prog_name="qbase", standalone_mode=False)
    except QbaseError as error:
        return _tell(error, words, lang)
    except typer.TyperException as error:
        return _tell(_usage(error), words, lang)
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception as error:
        if os.environ.get("QBASE_DEBUG") == "1":
            raise
        return _tell(_outside(error) or _internal(error, words), words, lang)
    return code if isinstance(code, int) else 0


def _tell(error: QbaseError, words: list[str], lang: Lang) -> int:
    if "--json" in words:
        typer.echo(json.dumps({"error": error.payload()}, ensure_ascii=False, indent=2))
    else:
        typer.echo(four_lines(error.payload(), lang), err=True)
    return error.exit_code


def _usage(error: typer.TyperException) -> UsageError:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "qbase"
    expected = context.get_usage().removeprefix("Usage: ") if context else "qbase COMMAND"
    found = " ".join(error.format_message().split())
    return UsageError("QB902", found=found, expected=" ".join(expected.split()), fix=f"{path} --help")


def _outside(error: Exception) -> SetupError | None:
    """Return what to say when the machine refused, or None when the fault is ours."""
    if not isinstance(error, OSError) or error.errno not in REFUSALS:
        return None
    found = f"{error.strerror}: {error.filename or 'stdout'}"
    fix = "free disk space or correct the permissions, then: qbase doctor"
    return SetupError("QB907", found=found, expected="a writable disk with room", fix=fix)


def _internal(error: Exception, words: list[str]) -> RunError:
    moment = datetime.datetime.now().astimezone()
    log = _log_folder(words) / f"error-{moment:%Y%m%dT%H%M%S}-{os.getpid()}.log"
    trace = "".join(traceback.format_exception(error))
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{moment.isoformat()} qbase {VERSION} {words}\n{trace}", encoding="utf-8")
        shown = str(log)
    except OSError as unwritten:
        shown = f"{unwritten.strerror}; QBASE_DEBUG=1 qbase {' '.join(words)}"
    first = (str(error).strip().splitlines() or [""])[0][:200]
    found = f"{type(error).__name__}: {first}"
    return RunError("QB999", found=found, expected="no error of this kind", fix=f"report it with its log: {shown}")


def _log_folder(words: list[str]) -> pathlib.Path:
    given = [w.partition("=")[2] for w in words if w.startswith("--home=")]
    given += [b for a, b in itertools.pairwise(words) if a == "--home"]
    homes = [*given, os.environ.get("QBASE_HOME", ""), *map(str, (pathlib.Path.cwd(), *pathlib.Path.cwd().parents))]
    for home in filter(None, homes):
        if (pathlib.Path(home) / "reports" / "specs").is_dir():
            return pathlib.Path(home).resolve() / "reports" / "runs"
    return pathlib.Path(tempfile.gettempdir())


def _never_fail_on_a_character() -> None:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # a terminal that cannot show a character shows its code, and the command goes on
            stream.reconfigure(errors="backslashreplace")
