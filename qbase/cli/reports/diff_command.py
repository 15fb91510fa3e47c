"""``qbase diff``: what tells two runs apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of

if TYPE_CHECKING:
    from qbase.core.results.compared_numbers import Compared
    from qbase.core.results.told_numbers import Told
    from qbase.reports.comparing.run_difference import Change, Difference
    from qbase.reports.comparing.table_difference import TableChange

FATES = {
    "same": ("相同", "same"),
    "changed": ("变了", "changed"),
    "appeared": ("新出现", "new"),
    "gone": ("没有了", "gone"),
}
SHOWN = 40
LONGEST = 90


def diff(
    ctx: typer.Context,
    before: Annotated[str, typer.Argument(metavar="RUN", help="一次运行的编号 | id of a run")],
    after: Annotated[
        str | None,
        typer.Argument(
            metavar="[OTHER]",
            help="另一次运行；不写则取同一页面上一次发布的 | the other run; by default the last published of its page",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="每一部分最多列出的行数 | rows a part")] = SHOWN,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Tell two runs apart: what was asked, data, versions, every number and table, figures, checks, conclusions."""
    from qbase.reports import compare_runs
    from qbase.reports.comparing.difference_payload import payload_of

    shell = shell_of(ctx, home, as_json, quiet, lang)
    found = compare_runs(shell.workspace(), before, after)
    if not as_json:
        _tell(shell, found, limit)
    shell.document(payload_of(found))
    return 0


def _tell(shell: Shell, found: Difference, limit: int) -> None:
    a, b = found.before, found.after
    shell.out(f"{a.run_id}  {a.report_id}  {a.slot}  {a.snapshot or '–'}")
    shell.out(f"{b.run_id}  {b.report_id}  {b.slot}  {b.snapshot or '–'}")
    for zh, en, changes in (
        ("参数", "Parameters", found.params),
        ("数据", "Data", found.data),
        ("程序版本", "Versions", found.versions),
    ):
        _head(shell, zh, en, shell.text("相同", "the same") if not changes else "")
        _rows(shell, _pair_head(shell), map(_change_row, changes), limit)
    _tell_numbers(shell, found.numbers, limit)
    _tell_tables(shell, found.tables, limit)
    _head(shell, "图", "Figures", _counts(shell, found.figures.values()))
    drawn = ([name, shell.text(*FATES[fate])] for name, fate in found.figures.items() if fate != "same")
    _rows(shell, [], drawn, limit)
    words = {True: ("通过", "passed"), False: ("未通过", "failed"), None: ("–", "–")}
    _head(shell, "检查", "Checks", shell.text("结论相同", "the same verdicts") if not found.checks else "")
    checks = ([c.name, shell.text(*words[c.before]), shell.text(*words[c.after])] for c in found.checks)
    _rows(shell, _pair_head(shell), checks, limit)
    _head(shell, "结论", "Conclusions", shell.text("相同", "the same") if not found.conclusions else "")
    for change in found.conclusions[:limit]:
        shell.out(f"  {change.name}", f"    - {_said(shell, change.before)}", f"    + {_said(shell, change.after)}")
    _left(shell, len(found.conclusions), limit)


def _tell_numbers(shell: Shell, numbers: Sequence[Compared], limit: int) -> None:
    _head(shell, "数", "Numbers", _counts(shell, (n.fate for n in numbers)))
    head = shell.text("什么 时期 之前 之后 变化 半宽倍数 说明", "WHAT PERIOD BEFORE AFTER CHANGE HALF-WIDTHS NOTE")
    differing = sorted((n for n in numbers if n.fate != "same"), key=lambda n: not (n.has_moved or n.has_turned))
    _rows(shell, head.split(), (_number_row(shell, n) for n in differing), limit, right=(4, 5))


def _number_row(shell: Shell, number: Compared) -> list[str]:
    from qbase.core.numbers import number as written

    told = number.told
    what = f"{told.whom[shell.lang]} · {told.about[shell.lang]}"
    change = "" if number.change is None else written(number.change, 3, sign=True)
    halves = "" if number.half_widths is None else written(number.half_widths, 2, sign=True)
    sides = [_value(shell, number.before), _value(shell, number.after)]
    return [_cut(what), told.window or "–", *sides, change, halves, _note(shell, number)]


def _note(shell: Shell, number: Compared) -> str:
    if number.fate in {"appeared", "gone"}:
        return shell.text(*FATES[number.fate])
    notes = [shell.text("越出上次区间", "beyond its interval")] if number.has_moved else []
    if number.has_turned and number.before and number.after:
        notes.append(f"{_verdict(shell, number.before)} → {_verdict(shell, number.after)}")
    if not number.is_of_one_period:
        notes.append(shell.text("时期不同", "another period"))
    return ", ".join(notes)


def _verdict(shell: Shell, told: Told) -> str:
    from qbase.core.results.told_numbers import VERDICT_WORDS

    return VERDICT_WORDS[told.verdict][shell.lang] if told.verdict in VERDICT_WORDS else "–"


def _value(shell: Shell, told: Told | None) -> str:
    from qbase.core.results.retold import write_told

    return "–" if told is None else write_told(told)[shell.lang]


def _tell_tables(shell: Shell, tables: Sequence[TableChange], limit: int) -> None:
    _head(shell, "表", "Tables", _counts(shell, (t.fate for t in tables)))
    for table in tables:
        if table.fate == "same":
            continue
        rows = f"{table.rows_before} → {table.rows_after}"
        shell.out(
            "  "
            + shell.text(
                f"{_cut(table.name)}：{FATES[table.fate][0]}，行数 {rows}，{len(table.cells)} 格不同",
                f"{_cut(table.name)}: {FATES[table.fate][1]}, rows {rows}, {len(table.cells)} cells differ",
            )
        )
        largest = sorted(table.cells, key=lambda c: -abs(c.change or 0.0))
        head = shell.text("行 列 之前 之后", "ROW COLUMN BEFORE AFTER").split()
        _rows(shell, head, ([_cut(c.row), c.column, _said(shell, c.before), _said(shell, c.after)] for c in largest), 5)


def _head(shell: Shell, zh: str, en: str, more: str) -> None:
    shell.out("", f"{shell.text(zh, en)}  {more}".rstrip())


def _pair_head(shell: Shell) -> list[str]:
    return shell.text("什么 之前 之后", "WHAT BEFORE AFTER").split()


def _change_row(change: Change) -> list[str]:
    return [change.name, *("–" if v is None or v == "" else _cut(str(v)) for v in (change.before, change.after))]


def _rows(
    shell: Shell, head: Sequence[str], rows: Iterable[Sequence[str]], limit: int, *, right: Sequence[int] = ()
) -> None:
    found = list(rows)
    if found:
        shown = [[f"  {first}", *rest] for first, *rest in ([head] if head else []) + found[:limit]]
        shell.rows(shown[0], shown[1:], right=right)
        _left(shell, len(found), limit)


def _left(shell: Shell, n: int, limit: int) -> None:
    if n > limit:
        shell.out(shell.text(f"  … 共 {n} 行，--json 列出全部", f"  … {n} in all: --json"))


def _counts(shell: Shell, fates: Iterable[str]) -> str:
    from qbase.reports.comparing.difference_payload import count_fates

    return " · ".join(f"{n} {shell.text(*FATES[fate])}" for fate, n in count_fates(fates).items() if n) or "–"


def _said(shell: Shell, value: Any) -> str:
    if isinstance(value, Mapping):
        value = value[shell.lang]
    return "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
