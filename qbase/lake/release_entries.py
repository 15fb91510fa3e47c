"""What the ledger says of pages that leave the house: who asked, who looked, what was decided, when it was shared."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qbase.lake.workspace import Workspace

_COLUMNS = (
    "request_id", "page", "report_id", "run_id", "html_sha256", "profile", "preset", "action", "account", "at",
    "reason", "content",
)  # fmt: skip
_QUERY = f"SELECT {', '.join(_COLUMNS)} FROM release_steps ORDER BY number"  # noqa: S608


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReleaseStep:
    """One step of a request to release a page.

    Parameters
    ----------
    request_id : str
        ``A0001``, in the order they were asked.
    page, report_id, run_id, html_sha256 : str
        Key of the page, its report and run, and the bytes that were looked at.
    profile, preset : str
        Who may read it, and the rules of disclosure control (``cn_default-1``).
    action : str
        ``requested``, ``reviewed``, ``approved``, ``rejected``, ``withdrawn`` or ``shared``.
    account : str
        Of the operating system, whoever took the step.
    at : str
        ISO, UTC.
    reason, content : str
        In words; and the context records as JSON, with the request.

    Examples
    --------
    >>> from qbase.lake import ReleaseStep
    >>> known = dict.fromkeys(("page", "report_id", "run_id", "html_sha256", "profile", "preset"), "")
    >>> step = ReleaseStep(request_id="A0001", action="requested", account="li", at="", **known)
    >>> step.action, step.reason, step.content
    ('requested', '', '{}')
    """

    request_id: str
    page: str
    report_id: str
    run_id: str
    html_sha256: str
    profile: str
    preset: str
    action: str
    account: str
    at: str
    reason: str = ""
    content: str = "{}"


def add_release_step(workspace: Workspace, make: Callable[[Sequence[ReleaseStep]], ReleaseStep]) -> ReleaseStep:
    """Write one step into the ledger, made from all steps before it while nobody else writes.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.
    make : callable
        Takes the steps so far and returns the next one, or raises.

    Returns
    -------
    ReleaseStep
        As written; it is never changed.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.lake import ReleaseStep, Workspace, add_release_step, list_release_steps
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> known = dict.fromkeys(("page", "report_id", "run_id", "html_sha256", "profile", "preset", "at"), "")
    >>> step = ReleaseStep(request_id="A0001", action="requested", account="li", **known)
    >>> add_release_step(home, lambda before: step) == step, len(list_release_steps(home))
    (True, 1)
    """
    import sqlalchemy as sa

    from qbase.lake.ledger.ledger_schema import RELEASE_STEPS

    with workspace.book.writing() as connection:
        step = make([_step(row) for row in connection.execute(sa.text(_QUERY))])
        connection.execute(RELEASE_STEPS.insert().values(**dataclasses.asdict(step)))
    return step


def list_release_steps(workspace: Workspace) -> list[ReleaseStep]:
    """Return all steps in the order they were taken.

    Parameters
    ----------
    workspace : Workspace
        Whose ledger.

    Examples
    --------
    >>> from qbase.lake import list_release_steps, open_workspace
    >>> list_release_steps(open_workspace())
    []
    """
    with workspace.book.glancing() as connection:
        return [] if connection is None else [_step(row) for row in connection.execute(_QUERY, {})]


def _step(row: Any) -> ReleaseStep:
    return ReleaseStep(**dict(zip(_COLUMNS, row, strict=True)))
