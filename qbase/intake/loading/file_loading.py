"""Files in, rows in the lake out; what was not taken is listed or set aside, with a reason."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Sequence

from qbase.core.errors import DataError, QbaseError, UsageError
from qbase.intake.accounting.load_report import LoadReport
from qbase.intake.accounting.loading_day import day_of_loading
from qbase.intake.finding.file_grids import read_grids
from qbase.intake.linking.after_load import add_links
from qbase.intake.linking.settled_places import has_places
from qbase.intake.loading.commit_groups import (
    MOST_ROWS,
    Group,
    Judged,
    error_of,
    find_known,
    raise_if_of_workspace,
    reject,
)
from qbase.intake.loading.file_verdict import account_for, judge_rows, settle_words
from qbase.intake.loading.folder_files import find_files
from qbase.intake.loading.named_bytes import find_identity
from qbase.intake.loading.prefetch import at_once, prepare_ahead
from qbase.intake.loading.received_file import Received
from qbase.intake.loading.replaced_files import count_leaning, find_corrected, find_delivery
from qbase.intake.loading.stored_contracts import contracts_beside, contracts_of
from qbase.intake.loading.stored_rows import JudgedTable, build_tables, list_unused
from qbase.intake.reading.file_safety import is_workbook
from qbase.intake.reading.raw_grid import Grid
from qbase.intake.reading.workbook_child import Parsers
from qbase.intake.recipes.question_ids import UndecidedError, answer_by_id, check_no_open_ids, read_answered
from qbase.intake.recipes.questions import part_answers, with_answers
from qbase.intake.recipes.recipe_book import read_recipe
from qbase.intake.recipes.recipe_model import Recipe
from qbase.intake.recipes.recipe_toml import save_answers
from qbase.intake.shaping.file_tables import Book, read_tables
from qbase.intake.shaping.stated_counts import find_own_rules, find_rules, recheck_counts
from qbase.lake import Snapshot, Workspace

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
    as_of: str | None = None,
    on_progress: Progress | None = None,
    on_left: Callable[[Sequence[pathlib.Path]], None] | None = None,
) -> list[LoadReport]:
    """Load files into the lake: each becomes visible at once or not at all.

    Small files are committed a few at a time, and those share a snapshot.

    Parameters
    ----------
    workspace : Workspace
        Where to.
    paths : path or iterable of paths
        Files; a folder stands for the files in it and in its folders. Those of ``data/raw`` come in the order they
        were received.
    recipe : str or None
        One of `list_recipes`, a table, or a recipe file; None finds the table by its headers.
    accept, reject : iterable of str
        Answers to questions of an earlier load (``column:HEADER=COLUMN``); a load that goes well saves them in
        ``data/recipes``, so that they hold next year. Those about towns (``town_links:…``) go into the diary of links.
    producer : str or None
        Who made the files, where the recipe does not say.
    supersedes : str or None
        sha256 (or its first eight digits) of the delivery that the one file given takes the place of: its rows leave
        the new snapshot, older snapshots keep them. A file that was replaced itself comes back as a new version.
    as_of : str or None
        ISO date of the day of loading, after which nothing was observed yet; None is today.
    on_progress : callable or None
        Called after each file with files done, files in all, and its report.
    on_left : callable or None
        Called with the files that are no deliveries and are left aside: ``~$…``, ``Thumbs.db``, pipes in a folder.

    Returns
    -------
    list of LoadReport
        One per file, in order. A bad file is REJECTED, it raises nothing.

    Raises
    ------
    UsageError
        There is no such recipe (QB302); an answer to no question (QB361, QB395, QB396); no such delivery to
        supersede, or more than one file for it (QB344); ``as_of`` is no day (QB342).
    DataError
        The recipe file is not sound (QB303).
    SetupError
        The workspace cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from qbase.intake import load_files
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> towns = {"区划代码": ["990023101", "9900"], "乡镇名称": ["望埭镇", "枫浦镇"], "县名称": "桐屿县"}
    >>> pd.DataFrame(towns).to_csv("乡镇2025.csv", index=False)
    >>> report = load_files(home, "乡镇2025.csv")[0]
    >>> report.table, report.verdict, report.accepted
    ('towns', 'QUARANTINED', 1)
    >>> report.reasons
    {'header': 1, 'town_code:pattern': 1}
    """
    (accept, of_towns), (reject, apart) = part_answers(accept), part_answers(reject)
    plan, is_answered = with_answers(read_recipe(recipe, workspace.root), accept, reject), bool(accept or reject)
    if producer is not None:
        plan = dataclasses.replace(plan, producer=producer)
    given = [paths] if isinstance(paths, str | pathlib.Path) else paths
    files, left = find_files(map(pathlib.Path, given), workspace.raw)
    if left and on_left is not None:
        on_left(left)
    replaces = _replaced(workspace, files, supersedes)
    reports: dict[int, LoadReport] = {}
    rules = find_rules(workspace)
    group = Group(workspace, plan, today=day_of_loading(as_of), is_alone=len(files) == 1)

    def tell() -> None:
        nonlocal is_answered
        for position, report in group.finished():
            if report.already and report.verdict != "REJECTED" and (accept or reject):
                report = report.with_warnings(["answers_unused"])
            reports[position] = report
            if is_answered and report.verdict != "REJECTED" and not report.already:
                save_answers(workspace.root, group.recipe, recipe)
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
            group.add(position, _finish(workspace, ready, group.recipe, replaces, group))
            tell()
        flush()
    told = [reports[position] for position in range(len(files))]
    linked = add_links(workspace, told, accept=of_towns, reject=apart)
    return recheck_counts(workspace, linked, [*rules, *find_own_rules(plan, linked)])


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
    except Exception as fault:
        raise_if_of_workspace(fault)
        return _Ready(path=path, sha256=sha256, stored=stored, error=error_of(path.name, fault))
    return _Ready(path=path, sha256=sha256, stored=stored, grids=grids)


def _finish(
    workspace: Workspace, ready: _Ready, recipe: Recipe, replaces: tuple[str, ...], group: Group
) -> Judged | LoadReport:
    name, error = ready.path.name, ready.error
    if ready.stored is None and error is not None:
        return LoadReport(file=name, verdict="REJECTED", recipe=recipe.name, error=error.payload())
    ready, known = _identify(workspace, ready, recipe, group)
    attempt = 1
    if known is not None:
        if not set(replaces) - {ready.sha256}:
            return known
        attempt = _last_attempt(workspace, ready.sha256) + 1  # it was right after all, and somebody says so
    if error is not None:
        return reject(name, ready.sha256, recipe, error)
    assert ready.stored is not None  # noqa: S101  (else there is an error)
    source = Received(
        name=name,
        sha256=ready.sha256,
        stored=ready.stored,
        grids=ready.grids,
        replaces=replaces,
        attempt=attempt,
        today=group.today,
    )
    return _judge(workspace, source, recipe, group)


def _identify(workspace: Workspace, ready: _Ready, recipe: Recipe, group: Group) -> tuple[_Ready, LoadReport | None]:
    """Return a file under the identity it has, and the report of its first load, where it was loaded before."""
    known = _known(workspace, ready.sha256, group)
    if known is None or known.file == ready.path.name or ready.stored is None:
        return ready, known
    sha256, stored = find_identity(workspace, ready.stored, ready.sha256, (known.file, ready.path.name), recipe)
    if sha256 == ready.sha256:
        return ready, known
    return dataclasses.replace(ready, sha256=sha256, stored=stored), _known(workspace, sha256, group)


def _known(workspace: Workspace, sha256: str, group: Group) -> LoadReport | None:
    if group.holds(sha256):
        group.flush()
    return find_known(workspace, sha256)


def _last_attempt(workspace: Workspace, sha256: str) -> int:
    return int(workspace.deliveries(every=True, sha256=sha256)["attempt"].max())


def take(workspace: Workspace, source: Received, recipe: Recipe) -> tuple[LoadReport, Recipe]:
    """Read, judge, account for and commit one file; a bad one is REJECTED. The recipe holds all answers in full."""
    group = Group(workspace, recipe)
    group.add(0, _judge(workspace, source, recipe, group))
    group.flush()
    ((_, report),) = group.finished()
    return report, group.recipe


def _judge(workspace: Workspace, source: Received, recipe: Recipe, group: Group) -> Judged:
    try:
        book, is_due = _read(workspace, source, recipe, group)
    except Exception as fault:
        raise_if_of_workspace(fault)
        return reject(source.name, source.sha256, recipe, fault)
    if is_due:  # what fails here is no fault of this file
        group.flush()
    try:
        return _take(workspace, source, book, group)
    except UndecidedError as asked:
        answered = answer_by_id(group.recipe, asked.questions)
        if answered == group.recipe:
            return reject(source.name, source.sha256, recipe, _unanswered(asked, source, group))
    except Exception as fault:
        raise_if_of_workspace(fault)
        return reject(source.name, source.sha256, recipe, fault)
    # what the lake had to be asked about first is read once more, with the answer in full
    return _judge(workspace, source, answered, group)


def _unanswered(asked: UndecidedError, source: Received, group: Group) -> QbaseError:
    """Return the error to tell: that of ids which fit no question, where a file is alone in its call."""
    try:
        if group.is_alone:
            check_no_open_ids(group.recipe, source.name, asked.questions)
    except DataError as strange:
        return strange
    return asked


def _read(workspace: Workspace, source: Received, recipe: Recipe, group: Group) -> tuple[Book, bool]:
    """Return the tables of a file, and whether the files that wait have to be stored before they are judged."""
    grids = source.grids if source.grids is not None else read_grids(source.stored, source.name, recipe)
    try:
        book, answered = read_answered(lambda r: read_tables(grids, r, source.name, workspace.root), recipe)
    except UndecidedError as asked:
        raise _unanswered(asked, source, group) from asked
    group.recipe = answered
    asks_lake = bool(
        source.replaces or book.recipe.supersede_by or book.recipe.reconcile or any(map(has_places, book.tables))
    )
    return book, asks_lake or sum(map(len, grids)) > MOST_ROWS or any(map(group.keys.expects, book.tables))


def _tell_corrected(workspace: Workspace, book: Book, corrected: tuple[str, ...]) -> list[str]:
    told = [f"supersedes {len(set(corrected))}"] if corrected else []
    leaning = count_leaning(workspace, book, corrected) if corrected else 0
    return [*told, f"repeats_of_replaced {leaning}"] if leaning else told


def _take(workspace: Workspace, source: Received, book: Book, group: Group) -> Judged:
    sha256 = source.sha256
    changes = group.stored.check(book)
    own = (sha256,) if source.attempt > 1 else ()
    corrected = source.replaces
    if source.attempt == 1:
        corrected += find_corrected(workspace, book)
    replaces = tuple(dict.fromkeys((*own, *corrected)))
    judged: list[JudgedTable] = []
    seen = Snapshot()
    for printed in book.tables:
        sheets, new = settle_words(workspace, printed, book.recipe, source)
        stored = group.keys.colliding_rows(sheets, replaces)
        seen = seen if judged else group.keys.seen  # what another process stores from here on is found at the commit
        judged.append(judge_rows(workspace, sheets, stored, is_again=source.attempt > 1, new=new))
    if group.is_alone:
        check_no_open_ids(group.recipe, source.name)
    unused = list_unused(book.unused)
    told = (*changes, *_tell_corrected(workspace, book, corrected))
    delivery = account_for(workspace, source, book, judged, unused, told)
    return Judged(
        delivery=dataclasses.replace(delivery, replaces=replaces),
        tables=build_tables(judged, unused, sha256),
        contracts=tuple(sheets.contract for sheets in book.tables),
        judged_by={**contracts_beside(judged), **contracts_of(book)},
        seen=seen,
        again=lambda: _judge(workspace, source, group.recipe, group),
    )
