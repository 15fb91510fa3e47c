"""What moved in a run since the published run it follows, and who signed it off."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.errors import QbaseError, UsageError
from qbase.core.results.compared_numbers import Compared, compare_records
from qbase.core.results.run_values import RunRecord
from qbase.core.shown.display import sha256_of
from qbase.core.text import Text
from qbase.core.whole_files import write_atomic
from qbase.lake import SignOff, add_signoff, list_signoffs, read_run
from qbase.reports.comparing.difference_payload import plain_number
from qbase.reports.comparing.earlier_runs import find_before, folder_of, read_document, read_json

if TYPE_CHECKING:
    from qbase.lake import Workspace

FILE = "moved.json"
SCHEMA = 1
# what a record of another version may lack
UNREADABLE = (KeyError, TypeError, ValueError, QbaseError)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Moves:
    """The numbers of a run that lie beyond their last interval or turned their verdict.

    Parameters
    ----------
    run_id, report_id, slot, snapshot : str
        Of the run.
    compared_with, slot_before : str
        The published run it follows.
    page : str
        Stem of its page.
    title : Text
        Of the report.
    numbers : tuple of mapping
        Each with both values, its change, and why it is listed.
    is_unreadable : bool
        The run before left a record that cannot be read any more: a person has to look.
    signoffs : tuple of SignOff
        Signatures under this very list.
    is_shown : bool
        Whether its page is still the published one.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.reports import Moves
    >>> known = dict.fromkeys(("slot", "snapshot", "slot_before", "page"), "")
    >>> moves = Moves(
    ...     run_id="R2", report_id="trends", compared_with="R1", title=Text("走势", "Trends"),
    ...     numbers=({"has_moved": True, "has_turned": False},), **known,
    ... )
    >>> moves.moved, moves.turned, moves.is_signed
    (1, 0, False)
    """

    run_id: str
    report_id: str
    slot: str
    snapshot: str
    compared_with: str
    slot_before: str
    page: str
    title: Text
    numbers: tuple[Mapping[str, Any], ...]
    is_unreadable: bool = False
    signoffs: tuple[SignOff, ...] = ()
    is_shown: bool = True

    @property
    def moved(self) -> int:
        """How many lie beyond their last interval."""
        return sum(bool(number["has_moved"]) for number in self.numbers)

    @property
    def turned(self) -> int:
        """How many turned their verdict."""
        return sum(bool(number["has_turned"]) for number in self.numbers)

    @property
    def is_signed(self) -> bool:
        """Whether somebody signed this list."""
        return bool(self.signoffs)

    @property
    def content(self) -> str:
        """Hash of what is signed."""
        return sha256_of([self.run_id, self.compared_with, self.is_unreadable, list(self.numbers)])

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        counted = {"moved": self.moved, "turned": self.turned, "is_signed": self.is_signed}
        signed = [s.payload() for s in self.signoffs]
        return {
            **plain, "title": self.title.payload(), "numbers": list(self.numbers), "signoffs": signed, **counted
        }  # fmt: skip


def note_moves(
    workspace: Workspace, record: RunRecord, results: Mapping[str, Any], *, page: str, title: Text
) -> Moves | None:
    """Hold a run that is about to be published against the published run it follows, and put on file what moved.

    Parameters
    ----------
    workspace : Workspace
        Where it happens.
    record : RunRecord
        The run.
    results : mapping
        Its ``results.json``.
    page : str
        Stem of its page.
    title : Text
        Of its report.

    Returns
    -------
    Moves or None
        None, and no file, where nothing moved or nothing was published before.
    """
    before = find_before(workspace, record)
    if before is None:
        return None
    document = read_document(workspace, before)
    try:
        moved = [plain_number(pair) for pair in compare_records(document, results) if _is_listed(pair)]
        is_unreadable = not document
    except UNREADABLE:
        moved, is_unreadable = [], True
    if not moved and not is_unreadable:
        return None
    moves = Moves(
        **{name: getattr(record, name) for name in ("run_id", "report_id", "slot", "snapshot")},
        compared_with=before.run_id,
        slot_before=before.slot,
        page=page,
        title=title,
        numbers=tuple(json.loads(json.dumps(moved))),
        is_unreadable=is_unreadable,
    )
    kept = {"schema": SCHEMA, **moves.payload()}
    write_atomic(folder_of(workspace, record) / FILE, json.dumps(kept, ensure_ascii=False, indent=1))
    return moves


def read_moves(workspace: Workspace, run_id: str) -> Moves:
    """Read what moved in a published run.

    Parameters
    ----------
    workspace : Workspace
        Where it was made.
    run_id : str
        Its id.

    Raises
    ------
    UsageError
        The ledger has no such run (QB210), or nothing moved in it (QB873).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import read_moves
    >>> read_moves(open_workspace(), "R9999")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB210] the ledger has no run R9999
      found     R9999
      expected  a run of the ledger
      to fix    qbase runs
    """
    record = read_run(workspace, run_id)
    found = _read(workspace, folder_of(workspace, record) / FILE) if record.state == "ok" else None
    if found is None:
        raise UsageError(
            "QB873", run=run_id, found=f"{run_id}: {record.state}, nothing listed", expected="a run with moves",
            fix="qbase moved list",
        )  # fmt: skip
    return found


def list_moves(workspace: Workspace) -> list[Moves]:
    """Return what moved in every published run, newest first, signed or not.

    Parameters
    ----------
    workspace : Workspace
        Whose runs.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import Workspace
    >>> from qbase.reports import list_moves
    >>> list_moves(Workspace.create(tempfile.mkdtemp()))
    []
    """
    signed = list_signoffs(workspace)
    found = [_read(workspace, path, signed) for path in workspace.runs.glob(f"*/*/{FILE}")]
    return sorted(
        # what a page shows has been published; the ledger is asked for the others
        (m for m in found if m is not None and (m.is_shown or _is_published(workspace, m.run_id))),
        key=lambda m: m.run_id,
        reverse=True,
    )


def close_moves(workspace: Workspace, run_id: str, *, by: str, note: str) -> Moves:
    """Sign off what moved in a run: who, when and why it is right stand in the ledger for good.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    run_id : str
        The run.
    by, note : str
        Who signs, and how the moves are explained.

    Returns
    -------
    Moves
        With the new signature.

    Raises
    ------
    UsageError
        The ledger has no such run (QB210), nothing moved in it (QB873), or a name or a note is blank (QB874).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import close_moves
    >>> close_moves(open_workspace(), "R9999", by="Li", note=" ")
    Traceback (most recent call last):
        ...
    qbase.core.errors.UsageError: error[QB874] a sign-off needs a name and a note
      found     by = "Li", note = " "
      expected  both say something
      to fix    qbase moved sign R9999 --by NAME --note TEXT
    """
    if not by.strip() or not note.strip():
        raise UsageError(
            "QB874", found=f'by = "{by}", note = "{note}"', expected="both say something",
            fix=f"qbase moved sign {run_id} --by NAME --note TEXT",
        )  # fmt: skip
    moves = read_moves(workspace, run_id)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    add_signoff(
        workspace,
        SignOff(
            run_id=moves.run_id,
            report_id=moves.report_id,
            compared_with=moves.compared_with,
            content=moves.content,
            signed_by=by.strip(),
            signed_at=now,
            note=note.strip(),
        ),
    )
    return read_moves(workspace, run_id)


def _is_listed(pair: Compared) -> bool:
    return pair.has_moved or pair.has_turned


def _read(workspace: Workspace, path: pathlib.Path, signed: list[SignOff] | None = None) -> Moves | None:
    kept = read_json(path)
    if kept.get("schema") != SCHEMA or kept.get("run_id") != path.parent.name:
        return None
    plain = {f.name: kept[f.name] for f in dataclasses.fields(Moves) if f.name not in {"signoffs", "is_shown"}}
    moves = Moves(**{**plain, "title": Text(**kept["title"]), "numbers": tuple(kept["numbers"])})
    known = list_signoffs(workspace, moves.run_id) if signed is None else signed
    shown = read_json(workspace.site / f"{moves.page}.json").get("run_id") == moves.run_id
    mine = tuple(s for s in known if s.run_id == moves.run_id and s.content == moves.content)
    return dataclasses.replace(moves, signoffs=mine, is_shown=shown)


def _is_published(workspace: Workspace, run_id: str) -> bool:
    try:
        return read_run(workspace, run_id).state == "ok"
    except UsageError:
        return False
