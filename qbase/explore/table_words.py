"""A table in words: its columns, their names in files, what they take, who needs it; and as an empty workbook."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import openpyxl
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from qbase.core.errors import UsageError
from qbase.core.numbers import UNITS
from qbase.core.text import Text
from qbase.indicators import list_indicators
from qbase.reports import list_specs
from qbase.tables import ColumnRule, Contract, list_contracts, read_contract

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

    from qbase.lake import Workspace

EVERY = "*"
LAST_ROW = 10_000
LONGEST_LIST = 250
NOTES = "填写说明 Notes"
FORMATS = {"code": "@", "text": "@", "quarter": "@", "date": "yyyy-mm-dd"}
TYPES: Mapping[str, Text] = {
    "text": Text("文字", "text"),
    "code": Text("代码，按文字填写", "a code, as text"),
    "int": Text("整数", "a whole number"),
    "number": Text("数值", "a number"),
    "date": Text("日期，如 2022-08-10", "a date such as 2022-08-10"),
    "quarter": Text("季度，如 2022Q3", "a quarter such as 2022Q3"),
    "bool": Text("是或否", "yes or no"),
    "enum": Text("所列之一", "one of those listed"),
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class TableWords:
    """A table and who needs it.

    Parameters
    ----------
    contract : Contract
        Its columns.
    needed_by, may_need : tuple of str
        Reports of a workspace that cannot run without it; those that use it where it was loaded.
    indicators : tuple of str
        Indicators that are computed from it.

    Examples
    --------
    >>> from qbase.explore import describe_table
    >>> describe_table("firms").payload()["columns"][0]["headers"][:3]
    ['firm_id', '企业编号', 'Firm id']
    """

    contract: Contract
    needed_by: tuple[str, ...] = ()
    may_need: tuple[str, ...] = ()
    indicators: tuple[str, ...] = ()

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "table": self.contract.name,
            "title_zh": self.contract.name_text.zh,
            "title_en": self.contract.name_text.en,
            "key": list(self.contract.key),
            "needed_by": list(self.needed_by),
            "may_need": list(self.may_need),
            "indicators": list(self.indicators),
            "columns": [_plain(rule) for rule in self.contract.columns],
        }


def describe_table(name: str, workspace: Workspace | None = None) -> TableWords:
    """Describe a table: its columns, and the reports and indicators that rest on it.

    Parameters
    ----------
    name : str
        Of the table, also its Chinese or English name.
    workspace : Workspace or None
        Whose reports are meant; None names none.

    Returns
    -------
    TableWords

    Raises
    ------
    UsageError
        There is no such table (QB150).

    Examples
    --------
    >>> from qbase.explore import describe_table
    >>> from qbase.lake import open_workspace
    >>> words = describe_table("监督抽查", open_workspace())
    >>> words.contract.name, words.needed_by
    ('inspections', ('effects', 'trends'))
    """
    titles = {t: name for name in list_contracts() for t in dataclasses.astuple(read_contract(name).name_text)}
    contract = read_contract(titles.get(name.strip(), name.strip()))
    specs = list_specs(workspace) if workspace is not None else []
    using = [a.measured for a in list_indicators(workspace)] if workspace is not None else []
    return TableWords(
        contract=contract,
        needed_by=tuple(s.report_id for s in specs if contract.name in s.tables),
        may_need=tuple(
            s.report_id for s in specs if contract.name not in s.tables and {contract.name, EVERY} & {*s.may_use}
        ),
        indicators=tuple(m.indicator.id for m in using if contract.name in {n.split(".")[0] for n in m.needs}),
    )


def write_empty_workbook(name: str, path: pathlib.Path) -> None:
    """Write a workbook of a table to fill in: headers, lists of words to choose from, and a sheet of notes.

    Parameters
    ----------
    name : str
        Of the table, as `describe_table` takes it.
    path : pathlib.Path
        A new ``.xlsx``.

    Raises
    ------
    UsageError
        There is no such table (QB150); the file exists, or is no ``.xlsx`` (QB930).

    Examples
    --------
    >>> import pathlib
    >>> import openpyxl
    >>> from qbase.explore import write_empty_workbook
    >>> write_empty_workbook("towns", pathlib.Path("空白乡镇.xlsx"))
    >>> book = openpyxl.load_workbook("空白乡镇.xlsx")
    >>> book.sheetnames, [cell.value for cell in book.worksheets[0][1]][:3]
    (['乡镇', '填写说明 Notes'], ['区划代码', '乡镇名称', '县名称'])
    """
    contract = describe_table(name).contract
    if path.suffix.lower() != ".xlsx" or path.exists():
        raise UsageError(
            "QB930", file=path.name, found=str(path), expected="a new file that ends in .xlsx",
            fix=f"qbase table {contract.name} --xlsx {path.stem}-2.xlsx",
        )  # fmt: skip
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title = contract.name_text.zh
    for number, rule in enumerate(contract.columns, 1):
        _add_column(sheet, number, rule)
    sheet.freeze_panes = "A2"
    _add_notes(book.create_sheet(NOTES), contract)
    book.save(path)


def _add_column(sheet: Worksheet, number: int, rule: ColumnRule) -> None:
    head = sheet.cell(row=1, column=number, value=rule.text.zh)
    head.font = Font(bold=rule.required)
    letter = get_column_letter(number)
    width = sheet.column_dimensions[letter]
    width.width = max(12, 2 * len(rule.text.zh) + 4)
    if rule.type in FORMATS:
        width.number_format = FORMATS[rule.type]
    words = ",".join(word for word, _ in choices_of(rule))
    if words and len(words) <= LONGEST_LIST:
        listed = DataValidation(type="list", formula1=f'"{words}"', allow_blank=not rule.required)
        listed.error, listed.showErrorMessage = f"{rule.text.zh}：{words}", True
        sheet.add_data_validation(listed)
        listed.add(f"{letter}2:{letter}{LAST_ROW}")


def _add_notes(sheet: Worksheet, contract: Contract) -> None:
    """Say what each column takes, in rows of text that no reader takes for a table."""
    for number, rule in enumerate(contract.columns, 1):
        needed = "必填" if rule.required else f"可空（{rule.null}）"
        sheet.cell(
            row=number,
            column=1,
            value=f"{rule.text.zh}：{needed}；{takes_of(rule).zh}。{rule.text.en}: {takes_of(rule).en}",
        )
    sheet.column_dimensions["A"].width = 120


def choices_of(rule: ColumnRule) -> list[tuple[str, str]]:
    """Return word and stored value of a column that takes listed words alone: the first Chinese word of each."""
    return [((words or (value,))[0], value) for value, words in rule.values.items()]


def takes_of(rule: ColumnRule) -> Text:
    """Return what a column takes: its type, unit, words and bounds."""
    unit = UNITS.get(rule.unit, Text(rule.unit, rule.unit))
    kind = TYPES[rule.type]
    words = " · ".join("/".join((value, *spellings)) for value, spellings in rule.values.items())
    low, high = rule.min, "today" if rule.is_observed else rule.max
    bounds = f"{'' if low is None else low}…{'' if high is None else high}" if (low, high) != (None, None) else ""
    zh = [kind.zh, f"单位 {unit.zh}" if rule.unit else "", words, bounds, rule.pattern and f"格式 {rule.pattern}"]
    en = [kind.en, f"in {unit.en}" if rule.unit else "", words, bounds, rule.pattern and f"pattern {rule.pattern}"]
    return Text("；".join(filter(None, zh)), "; ".join(filter(None, en)))


def _plain(rule: ColumnRule) -> dict[str, Any]:
    return {
        "name": rule.name, "zh": rule.text.zh, "en": rule.text.en, "headers": list(dict.fromkeys(rule.headers)),
        "type": rule.type, "unit": rule.unit, "required": rule.required, "empty_means": rule.null,
        "values": {value: list(words) for value, words in rule.values.items()}, "min": rule.min, "max": rule.max,
        "pattern": rule.pattern, "until_today": rule.is_observed,
    }  # fmt: skip
