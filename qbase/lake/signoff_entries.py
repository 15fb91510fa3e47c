"""What the ledger says of sign-offs: who looked at what moved in a run, when, and how it is explained."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.lake.workspace import Workspace

_COLUMNS = ("run_id", "report_id", "compared_with", "content", "signed_by", "signed_at", "note")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SignOff:
    """One person's signature under what moved in a run.

    Parameters
    ----------
    run_id, report_id : str
        Of the run.
    compared_with : str
        Id of the run it was held against.
    content : str
        Hash of the list that was signed: another list needs another signature.
    signed_by, signed_at, note : str
        Who, when (ISO, UTC), and how the moves are explained.

    Examples
    --------
    >>> from qbase.lake import SignOff
    >>> signed = SignOff(
    ...     run_id="R0002", report_id="trends", compared_with="R0001", content="c1", signed_by="Li", note="late rows",
    ...     signed_at="2026-10-02T01:00:00+00:00",
    ... )
    >>> signed.signed_by, signed.payload()["note"]
    ('Li', 'late rows')
    """

    run_id: str
    report_id: str
    compared_with: str
    content: str
    signed_by: str
    signed_at: str
    note: str

    def payload(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return dataclasses.asdict(self)


def add_signoff(workspace: Workspace, signed: SignOff) -> None:
    """Write a sign-off into the ledger; it is never changed or taken back, only followed by another.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    signed : SignOff
        What was signed.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import SignOff, Workspace, add_signoff, list_signoffs
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> add_signoff(home, SignOff(
    ...     run_id="R0002", report_id="trends", compared_with="R0001", content="c1", signed_by="Li", note="late rows",
    ...     signed_at="2026-10-02T01:00:00+00:00",
    ... ))
    >>> [(signed.run_id, signed.signed_by) for signed in list_signoffs(home)]
    [('R0002', 'Li')]
    """
    from qbase.lake.ledger.ledger_schema import SIGNOFFS

    with workspace.book.writing() as connection:
        connection.execute(SIGNOFFS.insert().values(**signed.payload()))


def list_signoffs(workspace: Workspace, run_id: str | None = None) -> list[SignOff]:
    """Return sign-offs in the order they were made.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    run_id : str, optional
        Of this run only.

    Examples
    --------
    >>> from qbase.lake import list_signoffs, open_workspace
    >>> list_signoffs(open_workspace())
    []
    """
    # columns are named above, values are bound
    where = "TRUE" if run_id is None else "run_id = :run"
    query = f"SELECT {', '.join(_COLUMNS)} FROM signoffs WHERE {where} ORDER BY number"  # noqa: S608
    with workspace.book.glancing() as connection:
        found = () if connection is None else connection.execute(query, {} if run_id is None else {"run": run_id})
        return [SignOff(**dict(zip(_COLUMNS, row, strict=True))) for row in found]
