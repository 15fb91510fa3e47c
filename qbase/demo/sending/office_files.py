"""The other tables as offices send them: title, unit line, footnote, marks for missing cells, other units."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from qbase.demo.sending.planted_faults import Planted
from qbase.demo.sending.stable_files import write_csv, write_xlsx
from qbase.demo.sending.tidy_files import spell, tidy_name
from qbase.demo.world.scenario import Streams
from qbase.tables import read_contract

YI_YEAR = 2021
XLSX_TABLES = ("programme", "town_year", "market")
WAN_PER_YI = 10_000
N_WRONG_HEADLINES = 2


def write_office_tables(
    folder: Path, tables: Mapping[str, pd.DataFrame], streams: Streams, planted: Planted
) -> list[Path]:
    """Write every table but the inspections in the manner of the office that keeps it.

    Parameters
    ----------
    folder : Path
        Where to.
    tables : mapping of str to pandas.DataFrame
        Clean tables.
    streams : Streams
        Random streams.
    planted : Planted
        Book of the faults.

    Returns
    -------
    list of Path
        Firm reports by year (2021 in 亿元), items by year, the rest one file each, and two summaries.
    """
    paths = [
        _rates_by_town(folder, tables["inspections"], planted),
        _year_to_date(folder, tables["inspections"], planted),
    ]
    for name, frame in tables.items():
        if name == "inspections":
            continue
        if name == "firm_year":
            paths += [_firm_year(folder, int(str(y)), part, planted) for y, part in frame.groupby("year", sort=True)]
        elif name == "notices":
            paths.append(_notices(folder, frame, streams, planted))
        else:
            paths.append(_office_file(folder, name, frame))
    return paths


def _office_file(folder: Path, name: str, frame: pd.DataFrame) -> Path:
    """Write a title, the header, the rows with marks for empty cells, and who filled it in."""
    header, *rows = spell(name, frame)
    marked = [["—" if c == "" else c for c in row] for row in rows]
    title = tidy_name(name)
    cells: list[list[object]] = [[f"云泽省{title}"], header, *marked, ["填报单位：云泽省质量监督管理局（虚构）"]]
    if name in XLSX_TABLES:
        return write_xlsx(folder / f"{title}.xlsx", {"表1": cells})
    return write_csv(folder / f"{title}.csv", cells, encoding="gb18030")


def _firm_year(folder: Path, year: int, part: pd.DataFrame, planted: Planted) -> Path:
    """Write one year of firm reports with the unit in a line of its own; 2021 came in 亿元."""
    header, *rows = spell("firm_year", part)
    contract = read_contract("firm_year")
    money = [k for k, name in enumerate(part.columns) if contract.column(str(name)).unit == "wan_cny"]
    unit = "万元"
    if year == YI_YEAR:
        unit = "亿元"
        rows = [_in_yi(row, money) for row in rows]
    file = f"企业年报{year}年.csv"
    if year == YI_YEAR:
        planted.add(file, "unit_yi", column="_wan_cny", printed="亿元", true="万元")
    marked = [["/" if c == "" else c for c in row] for row in rows]
    cells: list[list[object]] = [[f"{year}年企业年报"], [f"金额单位：{unit}"], header, *marked]
    return write_csv(folder / file, cells, encoding="utf-8-sig")


def _in_yi(row: list[object], money: list[int]) -> list[object]:
    return [f"{float(str(c)) / WAN_PER_YI:.6f}" if k in money and c != "" else c for k, c in enumerate(row)]


def _notices(folder: Path, frame: pd.DataFrame, streams: Streams, planted: Planted) -> Path:
    """Write the notices; the headline of two of them does not match its rows."""
    rng = streams.rng("headlines")
    wrong = rng.choice(len(frame), N_WRONG_HEADLINES, replace=False)
    file = f"{tidy_name('notices')}.csv"
    counts = frame["batch_count"].tolist()
    for k in sorted(wrong.tolist()):
        printed = counts[k] + int(rng.integers(3, 12))
        notice = str(frame["notice_no"].iloc[k])
        planted.add(
            file, "headline_mismatch", place=notice, column="batch_count", printed=str(printed), true=str(counts[k])
        )
        counts[k] = printed
    return _office_file(folder, "notices", frame.assign(batch_count=counts))


def _first_by(inspections: pd.DataFrame, place: str, period: pd.Series) -> pd.DataFrame:
    first = ~inspections["is_recheck"]
    grouped = inspections[first].groupby([place, period[first]], sort=True)["result"]
    n, k = grouped.size(), grouped.agg(lambda r: int((r == "pass").sum()))
    where, when = (n.index.get_level_values(i) for i in (0, 1))
    return pd.DataFrame({place: where, "period": when, "n": n.to_numpy(), "k": k.to_numpy()})


def _rates_by_town(folder: Path, inspections: pd.DataFrame, planted: Planted) -> Path:
    """Write pass rates by town and year as 97.5, 0.975, 97.5％ and 97.5%, as each clerk likes."""
    table = _first_by(inspections, "town_code", inspections["sample_date"].str[:4])
    rows: list[list[object]] = [["各乡镇监督抽查合格率"], ["区划代码", "年份", "抽查批次数", "合格批次数", "合格率"]]
    file = "各乡镇合格率.xlsx"
    for i, (town, year, n, k) in enumerate(table.itertuples(index=False)):
        rate = 100 * k / n
        written = (f"{rate:.1f}", f"{rate / 100:.3f}", f"{rate:.1f}％", f"{rate:.1f}%")[i % 4]
        rows.append([town, year, n, k, float(written) if i % 4 < 2 else written])
        planted.add(
            file, "rate_spelling", place=f"{town}/{year}", column="pass_rate_pct", printed=written, true=f"{rate:.1f}"
        )
    return write_xlsx(folder / file, {"合格率": rows})


def _year_to_date(folder: Path, inspections: pd.DataFrame, planted: Planted) -> Path:
    """Write batches by quarter counted from January on: a quarter is the difference of two rows."""
    day = inspections["sample_date"]
    quarter = day.str[:4] + "Q" + ((day.str[5:7].astype(int) - 1) // 3 + 1).astype(str)
    table = _first_by(inspections.assign(all="全省"), "all", quarter)
    rows: list[list[object]] = [["全省监督抽查情况（累计数）"], ["时期", "累计抽查批次数", "累计合格批次数"]]
    total, passed = 0, 0
    for _, period, n, k in table.itertuples(index=False):
        if str(period).endswith("Q1"):
            total, passed = 0, 0
        total, passed = total + n, passed + k
        rows.append([f"{str(period)[:4]}年1—{3 * int(str(period)[-1])}月", total, passed])
        planted.add("全省累计.csv", "year_to_date", place=str(period), printed=str(total), true=str(n))
    return write_csv(folder / "全省累计.csv", rows)
