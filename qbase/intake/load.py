"""Files in, rows in the lake out; what was not taken is listed or set aside, with a reason."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Iterable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from qbase.core.errors import DataError, QbaseError, UsageError
from qbase.intake import account
from qbase.intake.ahead import at_once, prepare_ahead
from qbase.intake.container import is_workbook
from qbase.intake.grid import Grid
from qbase.intake.keys import StoredKeys
from qbase.intake.links import commit_numbered
from qbase.intake.outcome import Aside, build_tables, check_sums, list_aside
from qbase.intake.parsers import Parsers
from qbase.intake.questions import check_answers
from qbase.intake.reading import read_grids
from qbase.intake.recipe import Recipe, read_recipe
from qbase.intake.recipe_file import save_answers
from qbase.intake.reconcile import check_counts
from qbase.intake.release import add_links, repair_codes
from qbase.intake.report import LoadReport, Verdict, report_of
from qbase.intake.sheets import Sheets, read_sheets
from qbase.intake.split import Split, split_rows
from qbase.intake.supersede import find_delivery, find_replaced
from qbase.lake import Delivery, Workspace

FAILURES = "failure_list"
Progress = Callable[[int, int, LoadReport], None]


def load_files(
    workspace: Workspace,
    paths: str | pathlib.Path | Iterable[str | pathlib.Path],
    *,
    recipe: str | None = None,
    accept: Iterable[str] = (),
    reject: Iterable[str] = (),
    producer: str | None = None,
    supersedes: str | None = None,
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
    supersedes : str or None
        sha256 (or its first eight digits) of the delivery that the one file given takes the place of: its rows leave
        the new snapshot, older snapshots keep them.
    on_progress : callable or None
        Called after each file with files done, files in all, and its report.

    Returns
    -------
    list of LoadReport
        One per file, in order. A bad file is REJECTED, it raises nothing.

    Raises
    ------
    UsageError
        There is no such recipe (QB302); an answer to no question (QB361); no such delivery to supersede, or more
        than one file for it (QB344).
    DataError
        The recipe file is not sound (QB303).
    SetupError
        The workspace cannot be written.
    """
    accept, reject = tuple(accept), tuple(reject)
    plan, is_answered = _with_answers(read_recipe(recipe, workspace.root), accept, reject), bool(accept or reject)
    if producer is not None:
        plan = dataclasses.replace(plan, producer=producer)
    given = [paths] if isinstance(paths, str | pathlib.Path) else paths
    files = [file for path in given for file in _expand(pathlib.Path(path))]
    replaces = _replaced(workspace, files, supersedes)
    keys = StoredKeys(workspace)
    reports: dict[int, LoadReport] = {}
    with Parsers() as parsers:
        ahead = prepare_ahead(files, lambda file: _prepare(workspace, file, plan, parsers), workers=at_once())
        for position, ready in ahead:
            reports[position] = _finish(workspace, ready, plan, replaces, keys)
            if is_answered and reports[position].verdict != "REJECTED":
                save_answers(workspace.root, plan)
                is_answered = False
            if on_progress is not None:
                on_progress(len(reports), len(files), reports[position])
    return add_links(workspace, [reports[position] for position in range(len(files))], plan)


def _with_answers(plan: Recipe, accept: Iterable[str], reject: Iterable[str]) -> Recipe:
    """Return the recipe with further answers; what is said last holds."""
    yes, no = check_answers(accept), check_answers(reject)
    return dataclasses.replace(plan, accept=(plan.accept - no) | yes, reject=(plan.reject - yes) | no)


def _expand(path: pathlib.Path) -> list[pathlib.Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))


def _replaced(workspace: Workspace, files: list[pathlib.Path], supersedes: str | None) -> tuple[str, ...]:
    if supersedes is None:
        return ()
    if len(files) != 1:
        raise UsageError(
            "QB344",
            given=supersedes,
            found=f"{len(files)} files",
            expected="1 file",
            fix="qbase load FILE --supersedes …",
        )
    return (find_delivery(workspace, supersedes),)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class _Ready:
    """A file stored and, when it is a workbook, read: what can be done before its turn."""

    path: pathlib.Path
    sha256: str = ""
    stored: pathlib.Path | None = None
    grids: list[Grid] | None = None
    error: QbaseError | None = None


def _prepare(workspace: Workspace, path: pathlib.Path, recipe: Recipe, parsers: Parsers) -> _Ready:
    try:
        sha256, stored = workspace.store_raw(path)
    except UsageError as error:
        return _Ready(path=path, error=error)
    if not is_workbook(path.name) or workspace.has_delivery(sha256):
        return _Ready(path=path, sha256=sha256, stored=stored)
    try:
        grids = read_grids(stored, path.name, recipe, parsers=parsers)
    except DataError as error:
        return _Ready(path=path, sha256=sha256, stored=stored, error=error)
    return _Ready(path=path, sha256=sha256, stored=stored, grids=grids)


def _finish(
    workspace: Workspace, ready: _Ready, recipe: Recipe, replaces: tuple[str, ...], keys: StoredKeys
) -> LoadReport:
    name, error = ready.path.name, ready.error
    if ready.stored is None and error is not None:
        return LoadReport(file=name, verdict="REJECTED", recipe=recipe.name, error=error.payload())
    known = _find_known(workspace, ready.sha256)
    if known is not None:
        return known
    if error is not None:
        return _reject(workspace, name, ready.sha256, recipe, error)
    assert ready.stored is not None  # noqa: S101  (else there is an error)
    source = Received(
        name=name, sha256=ready.sha256, stored=ready.stored, grids=ready.grids, replaces=replaces, keys=keys
    )
    return take(workspace, source, recipe)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Received:
    """One file to judge.

    Parameters
    ----------
    name, sha256 : str
        As received, and the hash of its bytes.
    stored : Path
        Where the bytes lie.
    grids : list of Grid or None
        What is in it, when it was read already.
    replaces : tuple of str
        Deliveries whose rows it takes the place of.
    attempt : int
        1, or more when it is read again.
    keys : StoredKeys or None
        Keys in the lake, remembered from the files before.
    """

    name: str
    sha256: str
    stored: pathlib.Path
    grids: list[Grid] | None = None
    replaces: tuple[str, ...] = ()
    attempt: int = 1
    keys: StoredKeys | None = None


def take(workspace: Workspace, source: Received, recipe: Recipe) -> LoadReport:
    """Read, judge, account for and commit one file; a bad one is REJECTED."""
    try:
        return _take(workspace, source, recipe)
    except (DataError, UsageError) as error:
        return _reject(workspace, source.name, source.sha256, recipe, error)
    except (pa.ArrowException, duckdb.Error, MemoryError, UnicodeError) as error:
        found = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        odd = DataError("QB341", file=source.name, found=found, expected=".csv / .xlsx", fix="CSV UTF-8")
        return _reject(workspace, source.name, source.sha256, recipe, odd)


def _find_known(workspace: Workspace, sha256: str) -> LoadReport | None:
    """Return the report of the first load of the same bytes; what was rejected may be tried again."""
    if not workspace.has_delivery(sha256):
        return None
    seen = workspace.deliveries(every=True, sha256=sha256)
    seen = seen[seen["verdict"] != "REJECTED"]
    if seen.empty:
        return None
    row = seen.iloc[-1]
    first = Delivery(**{field.name: _plain(row[field.name]) for field in dataclasses.fields(Delivery)})
    report = report_of(first, snapshot=str(row["snapshot"]), already=True)
    if row["replaced_by"]:
        return dataclasses.replace(report, warnings=(*report.warnings, "superseded"))
    return report


def _plain(value: Any) -> Any:
    if isinstance(value, np.integer):
        return int(value)
    return tuple(value) if isinstance(value, list) else value


def _reject(workspace: Workspace, name: str, sha256: str, recipe: Recipe, error: QbaseError) -> LoadReport:
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
    already = not workspace.commit(delivery, {}).is_new
    return LoadReport(
        file=name, sha256=sha256, verdict="REJECTED", recipe=recipe.name, error=error.payload(), already=already
    )


def _take(workspace: Workspace, source: Received, recipe: Recipe) -> LoadReport:
    name, sha256 = source.name, source.sha256
    grids = source.grids if source.grids is not None else read_grids(source.stored, name, recipe)
    sheets = read_sheets(grids, recipe, name)
    if sheets.is_failures:
        failures = dataclasses.replace(read_recipe(FAILURES, workspace.root), producer=recipe.producer)
        return _take(workspace, source, failures)
    own = (sha256,) if source.attempt > 1 else ()
    corrected = source.replaces
    if recipe.supersede_by and source.attempt == 1:
        alone = split_rows(sheets.work.table(), sheets.contract, sheets.codes, None)
        corrected += find_replaced(workspace, recipe, sheets.contract, alone.accepted)
    replaces = tuple(dict.fromkeys((*own, *corrected)))
    links: dict[str, pa.Table] = {}
    keys = source.keys or StoredKeys(workspace)
    stored = keys.colliding_rows(sheets, replaces)
    split = split_rows(sheets.work.table(), sheets.contract, sheets.codes, stored)
    if source.attempt > 1:
        sheets, links = repair_codes(workspace, sheets, split)
        split = split_rows(sheets.work.table(), sheets.contract, sheets.codes, stored) if links else split
    aside = list_aside(sheets, split)
    delivery = _account(workspace, source, recipe, sheets, split, aside, sum(map(len, grids)))
    if corrected:
        warnings = (*delivery.warnings, f"supersedes {len(set(corrected))}")
        verdict = _verdict(delivery.quarantined, warnings)
        delivery = dataclasses.replace(delivery, warnings=warnings, verdict=verdict)
    delivery = dataclasses.replace(delivery, replaces=replaces)
    tables = build_tables(sheets, split, aside, sha256) | links
    contract, accepted = sheets.contract, tables[sheets.contract.name]
    del grids, sheets, split, stored  # the raw text is not needed any more, and writing takes memory of its own
    pa.default_memory_pool().release_unused()
    snapshot = commit_numbered(workspace, delivery, {table: rows for table, rows in tables.items() if rows.num_rows})
    if not snapshot.is_new:  # another process was faster with the same bytes
        return _find_known(workspace, sha256) or report_of(delivery, snapshot=snapshot.id, already=True)
    keys.add(contract, accepted, snapshot)
    return report_of(delivery, snapshot=snapshot.id)


def _account(
    workspace: Workspace,
    source: Received,
    recipe: Recipe,
    sheets: Sheets,
    split: Split,
    aside: list[Aside],
    seen: int,
) -> Delivery:
    """Return the entry of the ledger; rows and sums must add up, or nothing is taken."""
    counts = collections.Counter(row.verdict for row in aside)
    parts = {"listed": counts["listed"], "accepted": len(split.accepted), "quarantined": counts["quarantined"]}
    account.check_rows(source.name, seen, parts)
    check_sums(source.name, sheets, split, aside)
    reasons = collections.Counter(reason for row in aside for reason in row.reasons)
    warnings = sheets.warnings
    if recipe.reconcile is not None:
        warnings += tuple(check_counts(workspace, sheets.work, recipe.reconcile))
    if len(split.duplicates):
        warnings += (f"duplicate_rows {len(split.duplicates)}",)
    return Delivery(
        sha256=source.sha256,
        file_name=source.name,
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
        attempt=source.attempt,
    )


def _verdict(quarantined: int, warnings: tuple[str, ...]) -> Verdict:
    if quarantined:
        return "QUARANTINED"
    return "WARN" if warnings else "OK"
