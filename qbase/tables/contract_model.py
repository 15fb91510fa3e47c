"""What a contract is: a table, its columns, its rules. Plain values; reading them is in `qbase.tables.contracts`."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Literal

from qbase.core.errors import UsageError
from qbase.core.text import Text
from qbase.core.values import freeze

ColumnType = Literal["text", "code", "int", "number", "date", "quarter", "bool", "enum"]
Bound = int | float | str

TYPES = ("text", "code", "int", "number", "date", "quarter", "bool", "enum")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ColumnRule:
    """One column of a contract.

    Parameters
    ----------
    name, type : str
        Canonical name; one of `TYPES`.
    text : Text
        Header in both languages.
    unit, null : str
        Unit of measurement, empty when it has none; what an empty cell means, which every optional column states.
    required, is_observed : bool
        The header must be there and no cell may be empty; a date or quarter of something that happened
        (``max = "today"``): one after the day of loading is told.
    values : mapping
        Canonical value -> accepted spellings, for ``enum`` and ``bool``.
    min, max : int, float, str or None
        Inclusive bounds; ISO text for dates, ``2022Q3`` for quarters.
    aliases, counts : tuple of str
        Other headers that mean this column; the two columns a rate is made of, part and whole, or none.
    pattern, check, unstated : str
        Regular expression the whole text must match; ``uscc`` for the check digits of 统一社会信用代码; the value of
        a classification that a file does not state. Or empty.
    instead : tuple of str
        Columns that tell this one where it has no header of its own: one of them is enough.

    Examples
    --------
    >>> from qbase.tables import read_contract
    >>> read_contract("inspections").column("sample_date").headers[:3]
    ('sample_date', '抽样日期', 'Sample date')
    """

    name: str
    text: Text
    type: ColumnType
    unit: str = ""
    required: bool = True
    null: str = ""
    values: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    min: Bound | None = None
    max: Bound | None = None
    is_observed: bool = False
    aliases: tuple[str, ...] = ()
    pattern: str = ""
    check: str = ""
    counts: tuple[str, ...] = ()
    instead: tuple[str, ...] = ()
    unstated: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", freeze(self.values))

    @property
    def headers(self) -> tuple[str, ...]:
        """Every header that means this column: canonical, Chinese, English, aliases."""
        return (self.name, self.text.zh, self.text.en, *self.aliases)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule across columns: DuckDB SQL, true = good, null = good.

    Examples
    --------
    >>> from qbase.tables import read_contract
    >>> print(read_contract("inspections").rules[0].sql)
    inclusion_probability > 0
    """

    code: str
    sql: str
    text: Text


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contract:
    """What a table must look like.

    Parameters
    ----------
    name, name_text : str, Text
        Name of the table, and its name in both languages.
    version : int
        Raised with every change of the contract.
    columns : tuple of ColumnRule
        In the order they are stored.
    key, repeats : tuple of str
        Columns that together name a row; columns in which rows of one key may differ and say the same all the same: a
        batch is printed in two notices.
    rules : tuple of Rule
        Rules across columns.
    period_column : str or None
        Date or quarter by which freshness and periods are judged.
    is_numerator_only : bool
        The table lists failures without the tests behind them: no rate can be made of it.
    is_by_recipe_only : bool
        Headers alone never name this table: it looks like a fuller one with columns left out.
    is_without_rhythm : bool
        Rows come when something happens, not once or about equally often in every period.
    is_public_notice : bool
        Its rows were published by law, with the names of firms: a page for the public may name them.

    Examples
    --------
    >>> from qbase.tables import read_contract
    >>> read_contract("firms").key, read_contract("firms").column_names[:4]
    (('firm_id',), ('firm_id', 'uscc', 'firm_name', 'cluster_id'))
    """

    name: str
    version: int
    name_text: Text
    columns: tuple[ColumnRule, ...]
    key: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    period_column: str | None = None
    repeats: tuple[str, ...] = ()
    is_numerator_only: bool = False
    is_by_recipe_only: bool = False
    is_without_rhythm: bool = False
    is_public_notice: bool = False

    @property
    def is_findable(self) -> bool:
        """Whether headers alone may name this table: a list of failures is one only when somebody says so."""
        return not self.is_numerator_only and not self.is_by_recipe_only

    @property
    def column_names(self) -> tuple[str, ...]:
        """Canonical names in order."""
        return tuple(c.name for c in self.columns)

    def missing_from(self, given: Collection[str]) -> tuple[str, ...]:
        """Return the columns that must be told and that nothing given tells, whether by itself or instead."""
        lacking = [c for c in self.columns if c.required and not c.unstated and c.name not in given]
        return tuple(c.name for c in lacking if not any(name in given for name in c.instead))

    def column(self, name: str) -> ColumnRule:
        """Return a column by its canonical name.

        Raises
        ------
        UsageError
            The contract has no such column (QB152).
        """
        for rule in self.columns:
            if rule.name == name:
                return rule
        raise UsageError(
            "QB152", table=self.name, column=name, found=name,
            expected=" | ".join(self.column_names), fix="name one of these columns",
        )  # fmt: skip
