"""A recipe to fill in: what was understood of a file and why, what was met, and blanks for the rest."""

from __future__ import annotations

import collections
import dataclasses
import difflib
import json
import pathlib
import re
from collections.abc import Mapping, Sequence

from qbase.core.errors import DataError, UsageError
from qbase.core.whole_files import write_atomic
from qbase.intake.finding.column_meaning import map_columns
from qbase.intake.finding.data_rows import Layout, find_layout
from qbase.intake.finding.file_grids import read_grids
from qbase.intake.finding.possible_cells import can_hold, sample_cells
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.recipes.recipe_book import read_recipe
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.values.cell_values import build_reader
from qbase.tables import (
    ColumnRule,
    Contract,
    HeaderMatch,
    list_contracts,
    match_headers,
    normalise_header,
    read_contract,
    split_unit,
)

SHOWN, LONGEST, MANY = 4, 24, 60
LIKE = 0.4
_PERSON = re.compile(
    "姓名|联系|电话|手机|身份证|负责人|法人|代表|地址|住址|邮箱|phone|mobile|contact|address|e-?mail", re.IGNORECASE
)
_DIGITS = re.compile(r"(?<!\d)(1\d{2})\d{6,8}(?!\d)|(?<!\d)(\d{6})\d{8}(\d{3}[\dXx])(?!\d)")
HEAD = """\
# 由 qbase load {file} --propose 写出：看懂了什么、为什么；引号里空着的请填写，留空则不用。
# What qbase understood of the file, and why. Fill in what stands ""; a blank says nothing.
# 载入 / load:  qbase load {file} --recipe {recipe}
name = {name}
zh = {title}
en = {title}
table = {table}  # {table_zh} | {table_en}
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proposal:
    """A recipe with remarks, and how much of the file it covers.

    Parameters
    ----------
    text : str
        TOML.
    table : str
        Table the rows would go to.
    understood, blank : tuple of str
        Headers that mean a column, and those that do not.
    missing : tuple of str
        Required columns without a header.

    Examples
    --------
    >>> from qbase.intake import Proposal
    >>> Proposal(text="", table="towns", understood=("区划代码",), blank=("备注",), missing=()).blank
    ('备注',)
    """

    text: str
    table: str
    understood: tuple[str, ...]
    blank: tuple[str, ...]
    missing: tuple[str, ...]

    def payload(self) -> dict[str, object]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self)


def write_proposal(proposal: Proposal, path: pathlib.Path) -> None:
    """Write a proposed recipe into a file that does not exist yet.

    Parameters
    ----------
    proposal : Proposal
        From `build_proposal`.
    path : pathlib.Path
        Ends in ``.toml``.

    Raises
    ------
    UsageError
        The file exists, or is no ``.toml`` (QB393).

    Examples
    --------
    >>> import pathlib
    >>> from qbase.intake import Proposal, write_proposal
    >>> empty = Proposal(text="# nothing", table="", understood=(), blank=(), missing=())
    >>> write_proposal(empty, pathlib.Path("empty.toml"))
    >>> pathlib.Path("empty.toml").read_text("utf-8")
    '# nothing'
    """
    if path.exists() or path.suffix != ".toml":
        raise UsageError(
            "QB393", file=path.name, found=str(path), expected="a new file that ends in .toml",
            fix=f"--output {path.stem}-2.toml",
        )  # fmt: skip
    write_atomic(path, proposal.text)


def build_proposal(
    path: pathlib.Path, *, root: pathlib.Path | None = None, recipe: str | None = None, output: str = "R.toml"
) -> Proposal:
    r"""Propose a recipe for a file; nothing is loaded.

    Parameters
    ----------
    path : pathlib.Path
        The file as received.
    root : pathlib.Path or None
        Workspace whose own recipes and answers count.
    recipe : str or None
        As for `load_files`: a recipe or a table the file is known to be.
    output : str
        Name the recipe will have, for its remarks.

    Returns
    -------
    Proposal
        Of the sheet with most rows.

    Raises
    ------
    DataError
        The file cannot be read, or holds no header that any table knows (QB394).
    UsageError
        No such recipe (QB302).

    Examples
    --------
    >>> import pathlib
    >>> from qbase.intake import build_proposal
    >>> text = "区划编号,乡镇名称,县名称,备注\n990023101,望埭镇,桐屿县,无\n"
    >>> _ = pathlib.Path("乡镇表.csv").write_text(text, "utf-8")
    >>> proposal = build_proposal(pathlib.Path("乡镇表.csv"))
    >>> proposal.table, proposal.understood, proposal.blank, proposal.missing
    ('towns', ('乡镇名称', '县名称'), ('区划编号', '备注'), ('town_code',))
    >>> print("\n".join(proposal.text.splitlines()[10:14]))
    "乡镇名称" = "town_name"  # 表头即列名 | the header is the name of the column；例 | such as 望埭镇
    "县名称" = "county_name"  # 表头即列名 | the header is the name of the column；例 | such as 桐屿县
    "区划编号" = ""  # 没看懂；可能是 | not understood, perhaps town_code；例 | such as 990023101
    "备注" = ""  # 没看懂 | not understood；例 | such as 无
    """
    plan = read_recipe(recipe, root)
    found = [(grid, layout) for grid in read_grids(path, path.name, plan) if (layout := find_layout(grid, plan))]
    if not found:
        raise _refuse(path, "no header")
    grid, layout = max(found, key=lambda pair: (_score(pair[1], plan), len(pair[1].data)))
    contract = _find_contract(layout, plan, grid, path)
    columns = _understood(layout, plan, grid, contract)
    others = [other.sheet for other, _ in found if other is not grid and other.sheet]
    return _Writer(path=path, output=output, grid=grid, layout=layout, contract=contract, plan=plan).write(
        columns, others
    )


def _matches(layout: Layout, plan: Recipe) -> list[HeaderMatch]:
    tables = [plan.table] if plan.table else [t for t in list_contracts() if not read_contract(t).is_numerator_only]
    return [match_headers(layout.headers, read_contract(table)) for table in tables]


def _score(layout: Layout, plan: Recipe) -> float:
    return max(len(match.mapping) for match in _matches(layout, plan))


def _find_contract(layout: Layout, plan: Recipe, grid: Grid, path: pathlib.Path) -> Contract:
    """Return the table of a sheet: the one it would be loaded into, else the one most headers speak for."""
    try:
        return map_columns(layout.headers, plan, layout.units, grid.sheet).contract
    except DataError:
        best = max(_matches(layout, plan), key=lambda match: (len(match.mapping), match.score - len(match.missing)))
    if not best.mapping and not plan.table:
        raise _refuse(path, ", ".join(h for h in layout.headers if h.strip())[: 4 * LONGEST])
    return read_contract(best.table)


def _refuse(path: pathlib.Path, found: str) -> DataError:
    return DataError(
        "QB394", file=path.name, found=found, expected="qbase table: " + ", ".join(list_contracts()[:6]) + " …",
        fix=f"qbase load {path.name} --propose --recipe TABLE",
    )  # fmt: skip


def _understood(layout: Layout, plan: Recipe, grid: Grid, contract: Contract) -> dict[int, tuple[str, str]]:
    """Return position -> column and why, for each header that is understood."""
    accepted = dict(a.removeprefix("column:").rpartition("=")[::2] for a in plan.accept if a.startswith("column:"))
    try:
        positions = {i: c for c, i in map_columns(layout.headers, plan, layout.units, grid.sheet).positions.items()}
    except DataError:
        mapping = match_headers(layout.headers, contract).mapping
        first = {mapping[h]: i for i, h in reversed(list(enumerate(layout.headers))) if h in mapping}
        positions = {i: column for column, i in first.items()}
    answers = {normalise_header(header) for header in accepted}
    return {i: (c, _why(layout.headers[i], contract.column(c), answers)) for i, c in sorted(positions.items())}


def _why(header: str, rule: ColumnRule, answers: set[str]) -> str:
    name, unit = split_unit(header)
    if normalise_header(header) in answers:
        return "已回答过 | answered before"
    said = f"，单位 {unit} | , in {unit}" if unit else ""
    if normalise_header(name) in map(normalise_header, (rule.text.zh, rule.text.en, rule.name)):
        return f"表头即列名 | the header is the name of the column{said}"
    if normalise_header(name) in map(normalise_header, rule.aliases):
        return f"“{rule.text.zh}”的别名 | another name of “{rule.text.en}”{said}"
    return f"按写法认作“{rule.text.zh}” | taken for “{rule.text.en}”{said}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Writer:
    """Lines of the recipe of one sheet."""

    path: pathlib.Path
    output: str
    grid: Grid
    layout: Layout
    contract: Contract
    plan: Recipe

    def write(self, columns: Mapping[int, tuple[str, str]], others: Sequence[str]) -> Proposal:
        blank = [i for i, h in enumerate(self.layout.headers) if h.strip() and i not in columns]
        given = {column for column, _ in columns.values()} | {*self.plan.constants, *self.plan.from_file}
        missing = [rule for rule in self.contract.columns if rule.required and rule.name not in given]
        lines = [*self._head(others), "", "[columns]"]
        lines += [f"{_q(self.layout.headers[i])} = {_q(c)}  # {why}{self._met(i)}" for i, (c, why) in columns.items()]
        lines += [f"{_q(self.layout.headers[i])} = {_q('')}  # {self._guess(i, missing)}{self._met(i)}" for i in blank]
        lines += self._constants(missing) + self._values(columns)
        headers = self.layout.headers
        return Proposal(
            text="\n".join([*lines, ""]),
            table=self.contract.name,
            understood=tuple(headers[i] for i in columns),
            blank=tuple(headers[i] for i in blank),
            missing=tuple(rule.name for rule in missing),
        )

    def _head(self, others: Sequence[str]) -> list[str]:
        text = self.contract.name_text
        stem = re.sub(r"[^\w-]+", "_", pathlib.Path(self.output).stem).strip("_") or "recipe"
        filled = HEAD.format(
            file=_line(self.path.name), recipe=_line(self.output), name=_q(stem), title=_q(_line(self.path.stem)),
            table=_q(self.contract.name), table_zh=text.zh, table_en=text.en,
        )  # fmt: skip
        lines = filled.rstrip("\n").splitlines()
        if others:
            lines.append(f"# 其他工作表不在此列 | other sheets are not in here: {_line(', '.join(others))}")
        kept = {"accept": sorted(self.plan.accept), "reject": sorted(self.plan.reject)}
        lines += [f"{key} = {json.dumps(given, ensure_ascii=False)}" for key, given in kept.items() if given]
        lines.append(f"# 列名 | the columns of the table: qbase table {self.contract.name}")
        return lines

    def _met(self, position: int) -> str:
        cells = list(dict.fromkeys(sample_cells(self.grid, self.layout, position)))
        if not cells:
            return "；整列为空 | an empty column"
        if _PERSON.search(self.layout.headers[position]):
            return "；内容可能涉及个人，不列出 | may be about persons, not shown"
        return f"；例 | such as {', '.join(_shown(cell) for cell in cells[:SHOWN])}"

    def _guess(self, position: int, missing: Sequence[ColumnRule]) -> str:
        header, cells = normalise_header(self.layout.headers[position]), sample_cells(self.grid, self.layout, position)
        near = [
            rule.name
            for rule in missing
            if any(_likeness(header, normalise_header(name)) >= LIKE for name in rule.headers)
            and can_hold(rule, cells, self.plan)
        ]
        return f"没看懂；可能是 | not understood, perhaps {', '.join(near[:3])}" if near else "没看懂 | not understood"

    def _constants(self, missing: Sequence[ColumnRule]) -> list[str]:
        if not missing:
            return []
        lines = [
            "",
            "# 必填而没有表头的列：在 [columns] 里指明，或在此写全表同一的值",
            "[constants]  # needed, without a header: one value for every row",
        ]
        for rule in missing:
            choices = " · ".join(f"{value} {(words or ('',))[0]}".rstrip() for value, words in rule.values.items())
            lines.append(f'{rule.name} = ""  # {rule.text.zh} | {rule.text.en}{"：" if choices else ""}{choices}')
        return lines

    def _values(self, columns: Mapping[int, tuple[str, str]]) -> list[str]:
        lines: list[str] = []
        for position, (column, _) in columns.items():
            rule = self.contract.column(column)
            if not rule.values:
                continue
            known = self.plan.values.get(column, {})
            reader = build_reader(rule, missing=self.plan.missing, values=known)
            cells = self.grid.cells_of(position, self.layout.data).to_pylist()
            counts = collections.Counter(cell.strip() for cell in cells if cell and cell.strip())
            read = {word: reader(word)[0] for word in counts}
            odd = [word for word, value in read.items() if value is not None and value not in rule.values]
            if odd or known:
                choices = " · ".join(rule.values)
                lines += ["", f"[values.{column}]  # {rule.text.zh} | {rule.text.en}：{choices}"]
                lines += [f"{_q(word)} = {_q(value)}" for word, value in known.items()]
                lines += [f'{_q(word)} = ""  # {counts[word]} 行 | rows' for word in odd[:MANY] if word not in known]
        return lines


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _q(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _shown(cell: str) -> str:
    plain = _DIGITS.sub(lambda m: f"{m[1] or m[2]}****{m[3] or ''}", " ".join(_line(cell).split()))
    return plain if len(plain) <= LONGEST else plain[: LONGEST - 1] + "…"
