"""Tidy deliveries: one table per file, Chinese headers of the contracts, nothing to repair."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from qbase.core.text import Text
from qbase.demo.sending.stable_files import write_csv, write_xlsx
from qbase.tables import read_contract

XLSX_YEAR = "2022"
BOOLS = {True: "是", False: "否"}


def spell(table: str, frame: pd.DataFrame) -> list[list[object]]:
    """Return a clean table as rows of a Chinese file: header, then cells as an office writes them.

    Parameters
    ----------
    table : str
        Name of the contract.
    frame : pandas.DataFrame
        Clean table; its columns keep their order.

    Returns
    -------
    list of list
        First the Chinese headers; enum values by their first spelling, truth values as 是 and 否.
    """
    contract = read_contract(table)
    columns = []
    for name in frame.columns:
        rule, values = contract.column(name), frame[name].tolist()
        if rule.type == "enum":
            words = {value: spellings[0] for value, spellings in rule.values.items()}
            values = [words[v] if v != "" else "" for v in values]
        elif rule.type == "bool":
            values = [BOOLS.get(v, "") for v in values]
        elif rule.type == "number":
            values = ["" if v != v else v for v in values]
        columns.append(values)
    header: list[object] = [contract.column(name).text.zh for name in frame.columns]
    return [header, *(list(row) for row in zip(*columns, strict=True))]


def tidy_name(table: str, *, year: str = "") -> str:
    """Return the stem of a delivery: the Chinese name of the table and the year."""
    text: Text = read_contract(table).name_text
    return f"{text.zh}{year}"


def write_tidy(folder: Path, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Write one file per table, inspections and items by year; the year 2022 of inspections as xlsx.

    Parameters
    ----------
    folder : Path
        Where to; created when absent.
    tables : mapping of str to pandas.DataFrame
        Clean tables.

    Returns
    -------
    list of Path
        Files in the order they should be loaded.
    """
    paths = []
    for table, frame in tables.items():
        if table == "inspections":
            paths += _by_year(folder, frame)
        else:
            paths.append(write_csv(folder / f"{tidy_name(table)}.csv", spell(table, frame)))
    return paths


def _by_year(folder: Path, frame: pd.DataFrame) -> list[Path]:
    paths = []
    for year, part in frame.groupby(frame["sample_date"].str[:4], sort=True):
        stem, rows = tidy_name("inspections", year=str(year)), spell("inspections", part)
        if year == XLSX_YEAR:
            paths.append(write_xlsx(folder / f"{stem}.xlsx", {"抽查结果": rows}))
        else:
            paths.append(write_csv(folder / f"{stem}.csv", rows))
    return paths
