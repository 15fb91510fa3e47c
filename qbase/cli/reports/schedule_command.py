"""``qbase schedule``: when reports are due, and running those that are."""

from __future__ import annotations

import datetime
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from qbase.cli.reports.report_commands import near
from qbase.cli.reports.schedule_runs import serve, shown_time, state_words, tick
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.errors import QbaseError, UsageError

if TYPE_CHECKING:
    from qbase.lake import ScheduledSlot, Workspace
    from qbase.reports import Schedule

Action = Literal["list", "next", "add", "remove", "tick", "serve", "install"]
ACTIONS = (
    "list 列出，next 接下来的时刻，add 加入，remove 删去，tick 运行到期的，serve 一直守候，install 写出定时器 | "
    "list, next times, add, remove, tick: run what is due, serve: keep doing so, install: write a timer"
)
RULE = "规则：RFC 5545 的 RRULE，或 daily、monday、month-end、quarter-end、last-working-day… | an RRULE, or a word"
Report = Annotated[str | None, typer.Argument(metavar="REPORT", help="报告的名字 | name of the report")]
Name = Annotated[str, typer.Option("--name", help="时间安排的名字 | name of the schedule")]
Rule = Annotated[str, typer.Option("--rule", metavar="RULE", help=RULE)]
At = Annotated[str, typer.Option("--at", metavar="HH:MM", help="几点，从今天算起 | at what time, from today on")]
Start = Annotated[str, typer.Option("--start", metavar="TIME", help="首次，2026-11-30T08:00 | first local time")]
Zone = Annotated[str, typer.Option("--zone", help="时区，如 Asia/Shanghai | time zone, Asia/Shanghai")]
Except = Annotated[
    list[str] | None, typer.Option("--except", metavar="DAY", help="这一天除外，可重复 | not on this day")
]
DayOff = Annotated[
    Literal["run", "skip", "next", "previous"],
    typer.Option(
        "--day-off", help="遇中国休息日（含调休）：照常、不运行、顺延、提前 | on a day off of China's calendar"
    ),
]
CatchUp = Annotated[
    Literal["once", "all", "skip"], typer.Option("--catch-up", help="错过几次之后补几次 | what of missed times is run")
]
Stale = Annotated[int, typer.Option("--stale-after", min=1, metavar="DAYS", help="过期多久不再补 | too old after")]
Short = Annotated[
    bool, typer.Option("--allow-short-months", help="没有这一天的月份跳过 | months without the day are passed over")
]
OnNew = Annotated[
    list[str] | None, typer.Option("--on-new", metavar="TABLE", help="此表有新数据时运行 | run when it has new rows")
]
Params = Annotated[
    list[str] | None, typer.Option("-p", "--param", metavar="NAME=VALUE", help="参数，可重复 | a parameter")
]
Count = Annotated[int, typer.Option("--count", min=1, help="next 列出几次 | how many times next lists")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="同时运行的报告数 | reports at once")]
Every = Annotated[
    float, typer.Option("--every", min=1, metavar="SECONDS", help="serve 隔多久看一次 | between two looks")
]
Kind = Annotated[
    Literal["systemd", "crontab"], typer.Option("--kind", help="install 写哪一种 | which kind install writes")
]
Output = Annotated[
    pathlib.Path | None, typer.Option("--output", metavar="DIR", help="install 写到这个文件夹 | folder for install")
]


def schedule(
    ctx: typer.Context,
    action: Annotated[Action, typer.Argument(help=ACTIONS)] = "list",
    report: Report = None,
    name: Name = "",
    rule: Rule = "",
    at: At = "",
    start: Start = "",
    zone: Zone = "",
    left_out: Except = None,
    day_off: DayOff = "run",
    catch_up: CatchUp = "once",
    stale_after: Stale = 31,
    allow_short_months: Short = False,
    on_new: OnNew = None,
    params: Params = None,
    count: Count = 5,
    jobs: Jobs = 1,
    every: Every = 30,
    kind: Kind = "systemd",
    output: Output = None,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Show, change and follow the schedules of reports."""
    shell = shell_of(ctx, home, as_json, quiet, lang)
    workspace = shell.workspace()
    if action == "tick":
        return tick(shell, workspace, jobs)
    if action == "serve":
        return serve(shell, workspace, jobs, every)
    if action == "install":
        return _install(shell, workspace, kind, output)
    if action == "list":
        return _list(shell, workspace, report)
    if action == "next":
        return _next(shell, workspace, report, count)
    named = _named(action, report)
    if action == "remove":
        return _remove(shell, workspace, named, name)
    told: dict[str, Any] = {"zone": zone, "start": start, "except": left_out or [], "day_off": day_off}
    told |= {"catch_up": catch_up, "stale_after_days": stale_after, "allow_short_months": allow_short_months}
    return _add(shell, workspace, named, name, (rule, at, tuple(on_new or ()), tuple(params or ())), told)


def _named(action: str, report: str | None) -> str:
    if report is None:
        call = f"qbase schedule {action} REPORT"
        raise UsageError("QB938", found=f"qbase schedule {action}", expected=call, fix="qbase list")
    return report


def _add(
    shell: Shell,
    workspace: Workspace,
    report: str,
    name: str,
    asked: tuple[str, str, tuple[str, ...], tuple[str, ...]],
    told: dict[str, Any],
) -> int:
    from qbase.reports import read_parameters, read_spec, read_words
    from qbase.reports.scheduling.rule_words import RULE_WORDS, is_weekday_guess
    from qbase.reports.ticking.schedule_edits import add_schedule

    rule, at, on_new, words = asked
    spec = read_spec(workspace, report)
    declared = read_parameters(workspace.root / spec.notebook, shown=spec.notebook)
    more = {"params": dict(read_words(declared, words, report_id=report)), "lang": shell.page_lang}
    if on_new:
        added = add_schedule(workspace, report, name or "new-rows", {"on_new": list(on_new), **more})
    else:
        if not rule or not (at or told["start"]):
            expected = "--rule RULE --zone ZONE with --at HH:MM or --start TIME, or --on-new TABLE"
            fix = f"qbase schedule add {report} --rule monday --at 08:00 --zone Asia/Shanghai"
            raise UsageError("QB938", found="qbase schedule add", expected=expected, fix=fix)
        told["start"] = told["start"] or f"{_today(told['zone'])}T{at}"
        if told["day_off"] != "run":
            told["calendar"] = "china"
        told |= RULE_WORDS.get(rule, {"rule": rule})
        added = add_schedule(workspace, report, name or (rule if rule in RULE_WORDS else "main"), told | more)
    shell.out(f"{report}  [schedule.{added.name}]")
    shell.document({"report_id": report, "name": added.name, **added.payload()})
    if is_weekday_guess(added.rule.written() if added.rule else "") and not added.calendar:
        shell.note(
            shell.text(
                "周一至周五不含调休；工作日以办公日历为准：--rule working-days 或 last-working-day",
                "Monday to Friday knows no make-up days; for those: --rule working-days or last-working-day",
            )
        )
    _tell_next(shell, [added], 3)
    return 0


def _today(zone: str) -> str:
    """Return the day it is in a zone; one that is none is told when the schedule is read."""
    import zoneinfo

    try:
        place: datetime.tzinfo = zoneinfo.ZoneInfo(zone)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        place = datetime.UTC
    return f"{datetime.datetime.now(place):%Y-%m-%d}"


def _remove(shell: Shell, workspace: Workspace, report: str, name: str) -> int:
    from qbase.reports import read_spec
    from qbase.reports.ticking.schedule_edits import remove_schedule

    known = tuple(read_spec(workspace, report).schedule)
    name = name or (known[0] if len(known) == 1 else "")
    remove_schedule(workspace, report, name)
    shell.out(shell.text(f"已删去 {report} 的 {name}", f"{name} of {report} is removed"))
    shell.document({"report_id": report, "name": name})
    return 0


def _schedules(workspace: Workspace, report: str | None) -> tuple[list[Schedule], list[QbaseError]]:
    from qbase.reports import read_schedules, read_spec
    from qbase.reports.ticking.due_slots import read_all_schedules

    return read_all_schedules(workspace) if report is None else (read_schedules(read_spec(workspace, report)), [])


def _list(shell: Shell, workspace: Workspace, report: str | None) -> int:
    from qbase.lake import list_scheduled
    from qbase.reports.scheduling.due_instants import list_next

    found, problems = _schedules(workspace, report)
    now = datetime.datetime.now(datetime.UTC)
    rows, payloads = [], []
    for one in found:
        coming = list_next(one, now, 1).instants
        known = [
            slot for slot in list_scheduled(workspace, one.report_id) if _is_of(slot, one) and slot.state != "seen"
        ]
        rule = one.rule.written() if one.rule else shell.text("有新数据：", "new rows of ") + ", ".join(one.on_new)
        rule += f" ({one.calendar}: {one.day_off})" if one.calendar else ""
        due = shown_time(coming[0], one.zone) if coming else "–"
        last = f"{shown_time(known[-1].due_at, one.zone)} {state_words(shell, known[-1])}" if known else "–"
        rows.append([one.report_id, one.name, rule, one.zone or "–", due, last])
        payloads.append({"report_id": one.report_id, "name": one.name, **one.payload(), "next": _spelled(coming)})
    head = shell.text("报告 名字 规则 时区 下一次 上一次", "REPORT NAME RULE ZONE NEXT LAST").split()
    shell.rows(head, rows)
    shell.document({"schedules": payloads, "problems": [problem.payload() for problem in problems]})
    _tell_calendar(shell, found)
    for problem in problems:
        shell.complain(problem.payload())
    if not found and not problems:
        shell.note(
            shell.text(
                "下一步  qbase schedule add 报告 --rule monday --at 08:00 --zone Asia/Shanghai",
                "Next    qbase schedule add REPORT --rule monday --at 08:00 --zone Asia/Shanghai",
            )
        )
    return problems[0].exit_code if problems else 0


def _is_of(slot: ScheduledSlot, schedule: Schedule) -> bool:
    return slot.rule_key.partition("@")[0] == schedule.key


def _spelled(moments: Sequence[datetime.datetime]) -> list[str]:
    return [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in moments]


def _next(shell: Shell, workspace: Workspace, report: str | None, count: int) -> int:
    found, problems = _schedules(workspace, report)
    if problems:
        raise problems[0]
    shell.document({"schedules": _tell_next(shell, found, count)})
    return 0


def _tell_next(shell: Shell, schedules: Sequence[Schedule], count: int) -> list[dict[str, Any]]:
    """Tell when schedules are due next, and where the office calendar ends before."""
    from qbase.reports.scheduling.due_instants import list_next, unknown_error

    now = datetime.datetime.now(datetime.UTC)
    told = []
    for one in schedules:
        dues = list_next(one, now, count)
        for due in dues.instants:
            shell.out(f"{shown_time(due, one.zone)}  {one.zone}  {one.report_id}  {one.name}")
        if dues.unknown_year is not None:
            shell.note(unknown_error(one, dues.unknown_year).render(shell.lang))
        entry = {"report_id": one.report_id, "name": one.name, "next": _spelled(dues.instants)}
        told.append({**entry, "unknown_year": dues.unknown_year})
    return told


def _tell_calendar(shell: Shell, schedules: Sequence[Schedule]) -> None:
    if any(one.calendar for one in schedules):
        from qbase.reports.scheduling.office_calendar import newest_year

        year = newest_year()
        shell.note(
            shell.text(f"办公日历已公布到 {year} 年", f"The office calendar of China is known to the end of {year}")
        )


def _install(shell: Shell, workspace: Workspace, kind: str, output: pathlib.Path | None) -> int:
    from qbase.core.whole_files import write_atomic
    from qbase.reports.scheduling.timer_text import UNIT, crontab_line, systemd_units

    words = [sys.executable, "-m", "qbase", "schedule", "tick", "--home", str(workspace.root), "--quiet"]
    if any(not word.isprintable() for word in words):
        raise UsageError("QB939", found=repr(workspace.root), expected="a path on one line", fix="move the workspace")
    about = f"qbase: reports that are due in {workspace.root}"
    files = systemd_units(words, about=about) if kind == "systemd" else {UNIT + ".cron": crontab_line(words) + "\n"}
    for name, text in files.items():
        if output is None:
            shell.out(*([f"# {name}"] if kind == "systemd" else []), text.rstrip("\n"))
            continue
        path = output / name
        if path.exists() and path.read_text("utf-8") != text:
            fix = f"remove {near(path)}, or another --output"
            raise UsageError("QB940", file=near(path), found="another text", expected="a file that is new", fix=fix)
        write_atomic(path, text)
        shell.out(near(path))
    shell.document({"kind": kind, "files": files, "folder": None if output is None else str(output)})
    units, cron = f"systemctl --user enable --now {UNIT}.timer", "crontab -e"
    place = "~/.config/systemd/user, " if kind == "systemd" else ""
    doing = place + (units if kind == "systemd" else cron)
    shell.note(shell.text(f"没有启用任何东西；启用：{doing}", f"Nothing was enabled; to do so: {doing}"))
    return 0
