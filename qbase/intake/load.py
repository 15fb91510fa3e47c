"""Files in, rows in the lake out; what was not taken is listed or set aside, with a reason."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from qbase.core.errors import DataError, QbaseError, UsageError
from qbase.intake import account
from qbase.intake.questions import check_answers
from qbase.intake.reading import read_grids
from qbase.intake.recipe import Recipe, read_recipe
from qbase.intake.recipe_file import save_answers
from qbase.intake.reconcile import check_counts
from qbase.intake.report import LoadReport, Verdict, report_of
from qbase.intake.reshape import Flag
from qbase.intake.sheets import Part, Sheets, read_sheets
from qbase.intake.split import Split, split_rows
from qbase.lake import Delivery, Workspace

SET_ASIDE = "set_aside"
FLAGGED = "flagged_cells"
FAILURES = "failure_list"
Progress = Callable[[int, int, LoadReport], None]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Aside:
    """Rows that are not taken, verbatim."""

    verdict: str
    sheet: str
    row_no: int
    reasons: tuple[str, ...]
    raw: str


def load_files(
    workspace: Workspace,
    paths: str | pathlib.Path | Iterable[str | pathlib.Path],
    *,
    recipe: str | None = None,
    accept: Iterable[str] = (),
    reject: Iterable[str] = (),
    producer: str | None = None,
    on_progress: Progress | None = None,
) -> list[LoadReport]:
    """Load files into the lake: each becomes visible at once or not at all.

    Parameters
    ----------
    workspace : Workspace
        Where to.
    paths : path or iterable of paths
        Files; a folder stands for the files in it.
    recipe : str or None
        One of `list_recipes`, a table, or a recipe file; None finds the table by its headers.
    accept, reject : iterable of str
        Answers to questions of an earlier load (``column:HEADER=COLUMN``); a load that goes well saves them in
        ``data/recipes``, so that they hold next year.
    producer : str or None
        Who made the files, where the recipe does not say.
    on_progress : callable or None
        Called after each file with files done, files in all, and its report.

    Returns
    -------
    list of LoadReport
        One per file, in order. A bad file is REJECTED, it raises nothing.

    Raises
    ------
    UsageError
        There is no such recipe (QB302), or an answer to no question (QB361).
    DataError
        The recipe file is not sound (QB303).
    SetupError
        The workspace cannot be written.
    """
    plan = _with_answers(read_recipe(recipe, workspace.root), accept, reject)
    if producer is not None:
        plan = dataclasses.replace(plan, producer=producer)
    given = [paths] if isinstance(paths, str | pathlib.Path) else paths
    files = [file for path in given for file in _expand(pathlib.Path(path))]
    reports = []
    for done, file in enumerate(files, start=1):
        reports.append(_load_file(workspace, file, plan))
        if (accept or reject) and reports[-1].verdict != "REJECTED":
            save_answers(workspace.root, plan)
        if on_progress is not None:
            on_progress(done, len(files), reports[-1])
    return reports


def _with_answers(plan: Recipe, accept: Iterable[str], reject: Iterable[str]) -> Recipe:
    """Return the recipe with further answers; what is said last holds."""
    yes, no = check_answers(accept), check_answers(reject)
    return dataclasses.replace(plan, accept=(plan.accept - no) | yes, reject=(plan.reject - yes) | no)


def _expand(path: pathlib.Path) -> list[pathlib.Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))


def _load_file(workspace: Workspace, path: pathlib.Path, recipe: Recipe) -> LoadReport:
    try:
        sha256, stored = workspace.store_raw(path)
    except UsageError as error:
        return LoadReport(file=path.name, verdict="REJECTED", recipe=recipe.name, error=error.payload())
    known = _find_known(workspace, sha256)
    if known is not None:
        return known
    try:
        return _take(workspace, stored, path.name, sha256, recipe)
    except (DataError, UsageError) as error:
        return _reject(workspace, path.name, sha256, recipe, error)
    except (pa.ArrowException, duckdb.Error, MemoryError, UnicodeError) as error:
        found = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        odd = DataError("QB341", file=path.name, found=found, expected=".csv / .xlsx", fix="CSV UTF-8")
        return _reject(workspace, path.name, sha256, recipe, odd)


def _find_known(workspace: Workspace, sha256: str) -> LoadReport | None:
    """Return the report of the first load of the same bytes; what was rejected may be tried again."""
    seen = workspace.deliveries()
    seen = seen[(seen["sha256"] == sha256) & (seen["verdict"] != "REJECTED")]
    if seen.empty:
        return None
    row = seen.iloc[-1]
    first = Delivery(**{field.name: _plain(row[field.name]) for field in dataclasses.fields(Delivery)})
    return report_of(first, snapshot=str(row["snapshot"]), already=True)


def _plain(value: Any) -> Any:
    if isinstance(value, np.integer):
        return int(value)
    return tuple(value) if isinstance(value, list) else value


def _reject(workspace: Workspace, name: str, sha256: str, recipe: Recipe, error: QbaseError) -> LoadReport:
    seen = workspace.deliveries()
    is_same = (seen["sha256"] == sha256) & (seen["file_name"] == name) & (seen["recipe"] == recipe.name)
    already = bool((is_same & (seen["reasons"].map(lambda reasons: error.code in reasons))).any())
    if not already:
        delivery = Delivery(
            sha256=sha256,
            file_name=name,
            table="",
            recipe=recipe.name,
            producer=recipe.producer,
            licence=recipe.licence,
            verdict="REJECTED",
            reasons={error.code: 1},
        )
        workspace.commit(delivery, {})
    return LoadReport(
        file=name, sha256=sha256, verdict="REJECTED", recipe=recipe.name, error=error.payload(), already=already
    )


def _take(workspace: Workspace, stored: pathlib.Path, name: str, sha256: str, recipe: Recipe) -> LoadReport:
    """Read, judge, account for and commit one file."""
    grids = read_grids(stored, name, recipe)
    sheets = read_sheets(grids, recipe, name)
    if sheets.is_failures:
        failures = dataclasses.replace(read_recipe(FAILURES, workspace.root), producer=recipe.producer)
        return _take(workspace, stored, name, sha256, failures)
    work = sheets.work
    split = split_rows(work.table(), sheets.contract, sheets.codes, _stored_rows(workspace, sheets))
    aside = _set_aside(sheets, split)
    counts = collections.Counter(row.verdict for row in aside)
    parts = {"listed": counts["listed"], "accepted": len(split.accepted), "quarantined": counts["quarantined"]}
    seen = sum(len(grid) for grid in grids)
    account.check_rows(name, seen, parts)
    _check_sums(name, sheets, split, aside)
    reasons = collections.Counter(reason for row in aside for reason in row.reasons)
    warnings = sheets.warnings
    if recipe.reconcile is not None:
        warnings += tuple(check_counts(workspace, work, recipe.reconcile))
    if len(split.duplicates):
        warnings += (f"duplicate_rows {len(split.duplicates)}",)
    delivery = Delivery(
        sha256=sha256,
        file_name=name,
        table=sheets.contract.name,
        recipe=recipe.name,
        producer=recipe.producer,
        licence=recipe.licence,
        verdict=_verdict(counts["quarantined"], warnings),
        rows_seen=seen,
        reasons=dict(sorted(reasons.items())),
        warnings=warnings,
        listed=parts["listed"],
        accepted=parts["accepted"],
        quarantined=parts["quarantined"],
    )
    tables = {sheets.contract.name: _with_origin(sheets, split.accepted, split.accepted_rows, sha256)}
    if sheets.items is not None:
        is_kept = np.isin(sheets.items.leaders, split.accepted_rows)
        rows = sheets.items.rows.filter(pa.array(is_kept))
        tables[sheets.items.name] = _with_origin(sheets, rows, sheets.items.data_rows[is_kept], sha256)
    if sheets.work.flags:
        tables[FLAGGED] = _flag_table(sheets, split, sha256)
    tables[SET_ASIDE] = _aside_table(aside, sha256)
    snapshot = workspace.commit(delivery, {table: rows for table, rows in tables.items() if rows.num_rows})
    return report_of(delivery, snapshot=snapshot.id)


def _verdict(quarantined: int, warnings: tuple[str, ...]) -> Verdict:
    if quarantined:
        return "QUARANTINED"
    return "WARN" if warnings else "OK"


def _stored_rows(workspace: Workspace, sheets: Sheets) -> pa.Table | None:
    """Return the rows of the lake whose key is in this file as well; None when there are none."""
    contract, data = sheets.contract, sheets.data
    if not contract.key or not workspace.has_table(contract.name) or not set(contract.key) <= set(data.column_names):
        return None
    snapshot = workspace.snapshot()
    with duckdb.connect(config={"enable_external_access": "false"}) as db:
        key = ", ".join(contract.key)
        text = ", ".join(f"{column}::VARCHAR AS {column}" for column in contract.key)
        old = workspace.arrow(f"SELECT {text} FROM {contract.name}", snapshot=snapshot)  # noqa: S608
        db.register("old", old)
        db.register("new", data.select(list(contract.key)))
        shared = db.execute(f"SELECT count(*) FROM old SEMI JOIN new USING ({key})").fetchone()  # noqa: S608
    if not shared or not shared[0]:
        return None
    return workspace.arrow(f"SELECT * FROM {contract.name}", snapshot=snapshot)  # noqa: S608


def _set_aside(sheets: Sheets, split: Split) -> list[_Aside]:
    duplicates = {int(row): ("duplicate_row",) for row in split.duplicates}
    duplicates |= {row: (reason,) for row, reason in sheets.work.listed.items()}
    rows: list[_Aside] = []
    for part in sheets.parts:
        span = range(part.offset, part.offset + len(part.layout.data))
        found = _asides(part, "listed", {row: (reason,) for row, reason in part.layout.listed.items()})
        for verdict, reasons in (("listed", duplicates), ("quarantined", split.quarantined)):
            own = {row: codes for row, codes in reasons.items() if row in span}
            found += _asides(part, verdict, {int(part.layout.data[row - part.offset]): own[row] for row in own})
        rows += sorted(found, key=lambda row: row.row_no)
    for grid in sheets.unused:
        codes = ("sheet_without_table",)
        for position, raw in enumerate(grid.raw_json(range(len(grid)))):
            row_no = position + grid.row_offset
            rows.append(_Aside(verdict="listed", sheet=grid.sheet, row_no=row_no, reasons=codes, raw=raw))
    return rows


def _asides(part: Part, verdict: str, reasons: Mapping[int, tuple[str, ...]]) -> list[_Aside]:
    positions = sorted(reasons)
    return [
        _Aside(
            verdict=verdict,
            sheet=part.grid.sheet,
            row_no=position + part.grid.row_offset,
            reasons=reasons[position],
            raw=raw,
        )
        for position, raw in zip(positions, part.grid.raw_json(positions), strict=True)
    ]


def _aside_table(rows: list[_Aside], sha256: str) -> pa.Table:
    return pa.table(
        {
            "delivery_sha256": pa.array([sha256] * len(rows), pa.string()),
            "sheet": pa.array([row.sheet for row in rows], pa.string()),
            "row_no": pa.array([row.row_no for row in rows], pa.int64()),
            "verdict": pa.array([row.verdict for row in rows], pa.string()),
            "reasons": pa.array([" ".join(row.reasons) for row in rows], pa.string()),
            "raw": pa.array([row.raw for row in rows], pa.string()),
        }
    )


def _places(sheets: Sheets) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """Return sheet and row of every data row."""
    names = [part.grid.sheet for part in sheets.parts for _ in range(len(part.layout.data))]
    rows = [part.layout.data + part.grid.row_offset for part in sheets.parts]
    return pa.array(names, pa.string()), np.concatenate(rows)


def _with_origin(sheets: Sheets, rows: pa.Table, data_rows: npt.NDArray[np.int64], sha256: str) -> pa.Table:
    """Add to every row where it stands: delivery, sheet, row."""
    names, numbers = _places(sheets)
    return (
        rows.append_column("delivery_sha256", pa.array([sha256] * len(data_rows), pa.string()))
        .append_column("sheet", names.take(pa.array(data_rows)))
        .append_column("row_no", pa.array(numbers[data_rows], pa.int64()))
    )


def _flags_taken(sheets: Sheets, split: Split) -> list[Flag]:
    flags = sheets.work.flags
    is_taken = np.isin([flag.row for flag in flags], split.accepted_rows)
    return [flag for flag, is_in in zip(flags, is_taken, strict=True) if is_in]


def _flag_table(sheets: Sheets, split: Split, sha256: str) -> pa.Table:
    """Return the cells a recipe changed or remarked on, in rows that were taken."""
    flags = _flags_taken(sheets, split)
    rows = pa.table(
        {
            name: pa.array([getattr(flag, field) for flag in flags], pa.string())
            for name, field in (
                ("column_name", "column"),
                ("code", "code"),
                ("printed", "printed"),
                ("stored", "stored"),
            )
        }
    )
    return _with_origin(sheets, rows, np.array([flag.row for flag in flags], np.int64), sha256)


def _check_sums(name: str, sheets: Sheets, split: Split, aside: list[_Aside]) -> None:
    """Check for every numeric column that the sum of all rows is the sum of its parts."""
    read = {column for part in sheets.parts for column in part.columns.positions}
    flags = _flags_taken(sheets, split)
    for column in account.numeric_columns(sheets.contract, read):
        outside = Decimal(0)
        for part in sheets.parts:
            data = set((part.layout.data + part.grid.row_offset).tolist())
            rows = [row.raw for row in aside if row.sheet == part.grid.sheet and row.row_no in data]
            position = part.columns.positions.get(column)
            if position is not None:
                outside += account.sum_raw(rows, position, part.readers[column])
        # what a recipe changed in a row that was taken is the one difference, cell by cell
        own = [flag for flag in flags if flag.column == column]
        outside += account.sum_changes((flag.printed, flag.stored) for flag in own)
        raw = account.sum_text(sheets.data.column(column))
        account.check_sum(name, column, raw, account.sum_typed(split.accepted.column(column)), outside)
