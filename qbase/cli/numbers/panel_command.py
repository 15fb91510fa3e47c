"""``qbase panel``: indicators by entity and period, as a file for whatever program comes next."""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from qbase.cli.speaking.completing import find_indicators
from qbase.cli.speaking.shared_options import AsJson, Home, Quiet, Speech
from qbase.cli.speaking.shell import Shell, shell_of
from qbase.core.coverage import MOST_LOST
from qbase.core.errors import DataError, UsageError
from qbase.core.periods import Freq

if TYPE_CHECKING:
    from qbase.core.panel import Panel

SUFFIXES = (".csv", ".parquet", ".xlsx")

Weight = Annotated[
    Literal["firms", "output"],
    typer.Option("--weight", help="加权时按企业数或产值 | weighted draws count firms or their output"),
]
BaseYear = Annotated[
    int | None,
    typer.Option(
        "--base-year",
        metavar="YEAR",
        help="重新判定所用限值的年份，默认各项目最近一年 | year of the limits to judge by (default: the last)",
    ),
]


Ids = Annotated[
    list[str], typer.Argument(metavar="INDICATOR", help="指标编号 | ids of indicators", autocompletion=find_indicators)
]


def panel(
    ctx: typer.Context,
    indicators: Ids,
    out: Annotated[
        pathlib.Path, typer.Option("--out", metavar="FILE", help="csv、parquet 或 xlsx | csv, parquet or xlsx")
    ],
    entity: Annotated[
        Literal["cluster_id", "firm_id", "town_code"], typer.Option("--entity", help="主体 | what is followed")
    ] = "cluster_id",
    freq: Annotated[Freq, typer.Option("--freq", help="季度、半年或年度 | quarters, half-years or years")] = "Q",
    first: Annotated[str | None, typer.Option("--first", metavar="PERIOD", help="起始 | first period")] = None,
    last: Annotated[str | None, typer.Option("--last", metavar="PERIOD", help="截止 | last period")] = None,
    sampling: Annotated[
        Literal["naive", "random_draw", "post_stratified", "prediction_powered"],
        typer.Option("--sampling", help="抽样处理 | treatment of the draws"),
    ] = "naive",
    weight: Weight = "firms",
    base_year: BaseYear = None,
    snapshot: Annotated[str | None, typer.Option("--snapshot", help="数据版本 | snapshot of the lake")] = None,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="ADDRESS", help="Dask 调度器，如 tcp://主机:8786 | Dask scheduler"),
    ] = None,
    storage: Annotated[
        str, typer.Option("--storage", metavar="URL", help="工作机看到的 data/lake | data/lake as the workers see it")
    ] = "",
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help="应计入的批次缺失较多也写出 | write it though many batches are lost"),
    ] = False,
    home: Home = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    lang: Speech = None,
) -> int:
    """Build a panel and write it, one row an entity and period."""
    from qbase.compute import Cluster
    from qbase.indicators import Design, build_panel

    shell = shell_of(ctx, home, as_json, quiet, lang)
    check_form(out)
    found = build_panel(
        shell.workspace(),
        indicators,
        entity=entity,
        freq=freq,
        first=first,
        last=last,
        snapshot=snapshot,
        sampling=sampling,
        design=Design(weight=weight),
        base_year=base_year,
        cluster=Cluster(address=cluster, storage=storage) if cluster else None,
    )
    if not accept_loss:
        check_loss(found)
    size = write_panel(found, out)
    summary = summarise(found) | {"file": str(out), "bytes": size}
    shell.document({"panel": summary})
    _tell(shell, found, summary)
    return 0


def check_form(out: pathlib.Path) -> None:
    """Refuse a file that cannot be written, before anything is computed.

    Raises
    ------
    UsageError
        It is of no known form (QB920).
    """
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(
            "QB920",
            suffix=out.suffix or out.name,
            found=f"--out {out}",
            expected=" | ".join(SUFFIXES),
            fix=f"--out {out.with_suffix('.csv')}",
        )


def check_loss(found: Panel) -> None:
    """Refuse a panel that stands on too few of the records that should count.

    Raises
    ------
    DataError
        More is lost than the declared limit (QB921).
    """
    from qbase.export.flat_frames import weakest_account

    coverage = weakest_account(found)
    if coverage is not None and coverage.is_lossy:
        raise DataError(
            "QB921",
            found=coverage.say().en,
            expected=f"at most {MOST_LOST:.0%} lost of those that should count",
            fix="qbase links list, qbase quarantine list, qbase load FIRMS…        (or take it so: --accept-loss)",
        )


def write_panel(found: Panel, out: pathlib.Path) -> int:
    """Write a panel as its suffix says, whole or not at all; text stays text. Return its bytes."""
    from qbase.export import write_csv, write_xlsx
    from qbase.export.flat_frames import flatten_panel

    table = flatten_panel(found)

    if out.suffix.lower() == ".csv":
        return len(write_csv(table, out))
    if out.suffix.lower() == ".xlsx":
        return len(write_xlsx({"panel": table}, out))
    import io

    from qbase.core.whole_files import write_atomic

    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    write_atomic(out, buffer.getvalue())
    return buffer.tell()


def summarise(found: Panel) -> dict[str, Any]:
    """Return what a panel is, as plain values."""
    from qbase.core.periods import code
    from qbase.export.flat_frames import weakest_account

    return {
        "indicators": [
            {"id": i, "name_zh": x.name.zh, "name_en": x.name.en, "unit": x.unit} for i, x in found.indicators.items()
        ],
        "entity": found.entity,
        "freq": found.freq,
        "sampling": found.sampling,
        "entities": len(found.entities),
        "first": code(found.periods[0]),
        "last": code(found.periods[-1]),
        "rows": len(found.data),
        "snapshot": found.snapshot,
        "tables": found.tables,
        "coverage": None if (coverage := weakest_account(found)) is None else coverage.payload(),
    }


def _tell(shell: Shell, found: Panel, summary: dict[str, Any]) -> None:
    entities, rows, span = summary["entities"], summary["rows"], f"{summary['first']}–{summary['last']}"
    shell.out(
        shell.text(
            f"{summary['file']}  {rows:,} 行：{entities:,} 个主体，{span}，{summary['snapshot']}",
            f"{summary['file']}  {rows:,} rows: {entities:,} entities, {span}, {summary['snapshot']}",
        )
    )
    for i, indicator in found.indicators.items():
        shell.out(f"  {i}  {indicator.name[shell.lang]}")
    accounts = [coverage.say() for coverage in map(found.coverage_of, found.indicators) if coverage is not None]
    for said in dict.fromkeys(accounts):
        shell.out(f"  {said[shell.lang]}")
