"""Files in, rows in the lake out; what was not taken is listed or set aside, with a reason."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
from collections.abc import Callable, Iterable

import pyarrow as pa

from qbase.core.errors import DataError, QbaseError, UsageError
from qbase.intake import account
from qbase.intake.ahead import at_once, prepare_ahead
from qbase.intake.container import is_workbook
from qbase.intake.grid import Grid
from qbase.intake.group import FAULTS, MOST_ROWS, Group, Judged, find_known, reject
from qbase.intake.outcome import Aside, build_tables, check_sums, list_aside
from qbase.intake.parsers import Parsers
from qbase.intake.questions import check_answers
from qbase.intake.reading import read_grids
from qbase.intake.recipe import Recipe, read_recipe
from qbase.intake.recipe_file import save_answers
from qbase.intake.reconcile import check_counts
from qbase.intake.release import add_links, repair_codes
from qbase.intake.report import LoadReport, Verdict
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

    Small files are committed a few at a time, and those share a snapshot.

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
    reports: dict[int, LoadReport] = {}
    group = Group(workspace, plan)

    def tell() -> None:
        nonlocal is_answered
        for position, report in group.finished():
            reports[position] = report
            if is_answered and report.verdict != "REJECTED":
                save_answers(workspace.root, plan)
                is_answered = False
            if on_progress is not None:
                on_progress(len(reports), len(files), report)

    def flush() -> None:
        group.flush()
        tell()

    with Parsers() as parsers:
        ahead = prepare_ahead(
            files, lambda file: _prepare(workspace, file, plan, parsers), workers=at_once(), on_wait=flush
        )
        for position, ready in ahead:
            group.add(position, _finish(workspace, ready, plan, replaces, group))
            tell()
        flush()
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
    workspace: Workspace, ready: _Ready, recipe: Recipe, replaces: tuple[str, ...], group: Group
) -> Judged | LoadReport:
    name, error = ready.path.name, ready.error
    if ready.stored is None and error is not None:
        return LoadReport(file=name, verdict="REJECTED", recipe=recipe.name, error=error.payload())
    if group.holds(ready.sha256):
        group.flush()
    known = find_known(workspace, ready.sha256)
    if known is not None:
        return known
    if error is not None:
        return reject(name, ready.sha256, recipe, error)
    assert ready.stored is not None  # noqa: S101  (else there is an error)
    source = Received(name=name, sha256=ready.sha256, stored=ready.stored, grids=ready.grids, replaces=replaces)
    return _judge(workspace, source, recipe, group)


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
    """

    name: str
    sha256: str
    stored: pathlib.Path
    grids: list[Grid] | None = None
    replaces: tuple[str, ...] = ()
    attempt: int = 1


def take(workspace: Workspace, source: Received, recipe: Recipe) -> LoadReport:
    """Read, judge, account for and commit one file; a bad one is REJECTED."""
    group = Group(workspace, recipe)
    group.add(0, _judge(workspace, source, recipe, group))
    group.flush()
    ((_, report),) = group.finished()
    return report


def _judge(workspace: Workspace, source: Received, recipe: Recipe, group: Group) -> Judged:
    try:
        return _take(workspace, source, recipe, group)
    except FAULTS as fault:
        return reject(source.name, source.sha256, recipe, fault)


def _take(workspace: Workspace, source: Received, recipe: Recipe, group: Group) -> Judged:
    name, sha256 = source.name, source.sha256
    grids = source.grids if source.grids is not None else read_grids(source.stored, name, recipe)
    sheets = read_sheets(grids, recipe, name)
    if sheets.is_failures:
        failures = dataclasses.replace(read_recipe(FAILURES, workspace.root), producer=recipe.producer)
        return _take(workspace, source, failures, group)
    asks_lake = bool(source.replaces or recipe.supersede_by or recipe.reconcile)
    if asks_lake or sum(map(len, grids)) > MOST_ROWS or group.keys.expects(sheets):
        group.flush()
    own = (sha256,) if source.attempt > 1 else ()
    corrected = source.replaces
    if recipe.supersede_by and source.attempt == 1:
        alone = split_rows(sheets.work.table(), sheets.contract, sheets.codes, None)
        corrected += find_replaced(workspace, recipe, sheets.contract, alone.accepted)
    replaces = tuple(dict.fromkeys((*own, *corrected)))
    links: dict[str, pa.Table] = {}
    stored = group.keys.colliding_rows(sheets, replaces)
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
    return Judged(
        delivery=delivery,
        tables=tables,
        contracts=(sheets.contract,),
        seen=group.keys.seen,
        again=lambda: _judge(workspace, source, recipe, group),
    )


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
