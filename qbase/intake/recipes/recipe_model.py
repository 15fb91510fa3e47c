"""How a source writes a table: which header is which column, what its words mean, what it leaves to be done."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

from qbase.core.text import Text
from qbase.intake.values.cell_values import MISSING

FOLDER = pathlib.PurePath("data", "recipes")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Clean:
    """A mark that is no part of a text: footnote signs, stand-ins for a comma."""

    columns: tuple[str, ...]
    pattern: str
    replacement: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Items:
    """One row per failed item: the batch once, its items in a table of their own.

    Parameters
    ----------
    table : str
        Contract of the items.
    key : tuple of str
        Columns of the main table that together name a batch.
    columns : mapping
        Header of the source -> column of the items.
    """

    table: str
    key: tuple[str, ...]
    columns: Mapping[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class YearToDate:
    """Numbers counted from January on: a quarter is the difference of two rows.

    Parameters
    ----------
    period : str
        Quarter column.
    columns : tuple of str
        What is counted.
    by : tuple of str
        Columns that name a series; empty for one series.
    """

    period: str
    columns: tuple[str, ...]
    by: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ratio:
    """A rate printed beside its counts: 97.5 or 0.975 is proved by them, not guessed.

    Parameters
    ----------
    column, part, whole : str
        The rate and the two counts.
    tolerance : float
        How far the printed rate may be from the counts, in the unit of the column.
    """

    column: str
    part: str
    whole: str
    tolerance: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Headline:
    """A title that states how many batches follow.

    Parameters
    ----------
    column : str
        Column that repeats the title; empty takes the rows above the header.
    pattern : str
        Regular expression; its first group is the number.
    distinct : tuple of str
        Columns that together tell two batches apart.
    """

    column: str
    pattern: str
    distinct: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconcile:
    """A stated count that must be the number of rows of another table of the lake.

    Parameters
    ----------
    column : str
        The stated count.
    table, by : str
        The other table, and the column both share.
    where : mapping
        Column of the other table -> value its rows must have.
    """

    column: str
    table: str
    by: str
    where: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to read the files of one source.

    Parameters
    ----------
    name : str
        Handle on the command line.
    title : Text
        For readers.
    table : str
        Contract the rows must keep; empty finds it by the headers.
    producer, licence : str
        Who made the data, and the terms; empty when unknown.
    encoding : str
        ``big5``, which cannot be told from GB18030 by proof; ``gb18030`` or ``utf-8`` where both can be read; empty
        finds it.
    compression : str
        ``gzip`` or empty.
    separator : str
        Of CSV; empty decides it by the header line.
    headers : tuple of str
        Names of the columns of a file without header row.
    columns : mapping
        Header of the source -> canonical column, beside the headers the contract knows.
    only_named : bool
        Headers mean only what ``columns`` and ``patterns`` say, whatever the contract knows.
    patterns : mapping
        Canonical column -> regular expression for its header, see
        `qbase.intake.finding.header_spelling.squeeze_header`.
    ignored : tuple of str
        Headers of the source that are left out on purpose; any other that means nothing is told.
    required_headers : tuple of str
        Columns whose header must be there although cells may be empty.
    values : mapping
        Column -> text of the source -> canonical value.
    constants : mapping
        Column -> value that holds for every row of the source.
    from_file, from_sheet : mapping
        Column -> regular expression; its groups in the name of the file or the sheet, joined by a hyphen, are
        the value.
    missing : frozenset of str
        What stands for nothing.
    missing_in : mapping
        Column -> what stands for nothing in this column alone.
    dates : frozenset of str
        Further forms of dates: ``serial_1900``, ``serial_1904``, ``month``, ``glued``, ``short_year``, and
        ``month_first`` or ``day_first`` for 8/1/2022.
    units : mapping
        Column -> unit its numbers are in, where the file does not say.
    clean : tuple of Clean
        Marks to remove.
    blank_faults : tuple of str
        Columns whose unreadable or unsound cells count as missing; each is flagged, its row is kept.
    expected : tuple of str
        Columns whose empty cells are flagged.
    derive : mapping
        Yes/no column -> column; yes wherever that one is filled.
    repeats : tuple of str
        A key printed again that differs only in these columns is a repetition, not a conflict.
    needs_any : tuple of str
        A row in which all of these are empty is no record.
    items, year_to_date, ratio, headline, reconcile
        See the classes; None where the source has no such thing.
    supersede_by : tuple of str
        A new file takes the place of earlier ones that agree in these: ``producer``, ``table``, ``period``; empty
        replaces nothing.
    accept, reject : frozenset of str
        Answers to questions asked before.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.intake import Recipe
    >>> recipe = Recipe(
    ...     name="our_bureau", title=Text("本局监督抽查", "our bureau's inspections"), table="inspections",
    ...     columns={"受检单位": "firm_name"}, values={"result": {"实物合格": "pass"}},
    ... )
    >>> recipe.columns["受检单位"], recipe.values["result"]
    ('firm_name', {'实物合格': 'pass'})
    """

    name: str
    title: Text
    table: str = ""
    producer: str = ""
    licence: str = ""
    encoding: str = ""
    compression: str = ""
    separator: str = ""
    headers: tuple[str, ...] = ()
    columns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    only_named: bool = False
    patterns: Mapping[str, str] = dataclasses.field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    required_headers: tuple[str, ...] = ()
    values: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    constants: Mapping[str, str] = dataclasses.field(default_factory=dict)
    from_file: Mapping[str, str] = dataclasses.field(default_factory=dict)
    from_sheet: Mapping[str, str] = dataclasses.field(default_factory=dict)
    missing: frozenset[str] = MISSING
    missing_in: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    dates: frozenset[str] = frozenset()
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    clean: tuple[Clean, ...] = ()
    blank_faults: tuple[str, ...] = ()
    expected: tuple[str, ...] = ()
    derive: Mapping[str, str] = dataclasses.field(default_factory=dict)
    repeats: tuple[str, ...] = ()
    needs_any: tuple[str, ...] = ()
    items: Items | None = None
    year_to_date: YearToDate | None = None
    ratio: Ratio | None = None
    headline: Headline | None = None
    reconcile: Reconcile | None = None
    supersede_by: tuple[str, ...] = ()
    accept: frozenset[str] = frozenset()
    reject: frozenset[str] = frozenset()


TIDY = Recipe(name="tidy", title=Text("规范表", "tidy table"))
