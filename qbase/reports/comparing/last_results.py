"""The results of the last edition as an input of a letter: pinned by the run, read by a cell."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.errors import UsageError
from qbase.core.markup import run_folder
from qbase.core.results.retold import LastResults
from qbase.core.shown.display import sha256_of
from qbase.core.whole_files import write_atomic
from qbase.reports.comparing.earlier_runs import find_last_edition, read_json

if TYPE_CHECKING:
    from qbase.core.results.run_values import ReportSpec, RunRecord
    from qbase.lake import Workspace

FILE = "last_results.json"
SCHEMA = 1
NAMES = ("run_id", "slot", "snapshot", "started_at")


def pin_last(
    workspace: Workspace, spec: ReportSpec, record: RunRecord, versions: Mapping[str, int]
) -> LastResults | None:
    """Find the results of the last edition, whose hash enters the fingerprint of a run.

    Parameters
    ----------
    workspace : Workspace
        Where the run happens.
    spec : ReportSpec
        Declares with ``follows_last`` that its letter reads them.
    record : RunRecord
        The run, with its snapshot.
    versions : mapping
        Version of each table it may read.

    Returns
    -------
    LastResults or None
        Empty where there is no earlier edition; None where nothing was declared.
    """
    if not spec.follows_last:
        return None
    found = find_last_edition(workspace, record, versions)
    if found is None:
        return LastResults()
    last, document = found
    kept = {name: getattr(last, name) for name in NAMES}
    return LastResults(**kept, document=document, sha256=content_hash(document))


def write_last(folder: pathlib.Path, last: LastResults | None) -> None:
    """Copy the results of the last edition, where declared, into the folder of a run before its first cell."""
    if last is None:
        return
    kept = {name: getattr(last, name) for name in (*NAMES, "sha256")}
    copied = {"schema": SCHEMA, **kept, "results": dict(last.document)}
    write_atomic(folder / FILE, json.dumps(copied, ensure_ascii=False, indent=1, sort_keys=True))


def mark_of(last: LastResults | None) -> str:
    """Return what of the last edition enters a fingerprint; empty where nothing was declared."""
    return "" if last is None else last.sha256 or "none"


def content_hash(document: Mapping[str, Any]) -> str:
    """Return the hash of what a record says, whichever run said it."""
    return sha256_of({name: value for name, value in document.items() if name != "sentinel"})


def read_last_results() -> LastResults:
    """Read what the last edition of this letter recorded: its newest published run on earlier data.

    Returns
    -------
    LastResults
        Empty where there is no earlier edition, and outside a run.

    Raises
    ------
    UsageError
        The specification does not declare it with ``follows_last = true``, so it would be missing from the fingerprint
        (QB870).

    Examples
    --------
    >>> from qbase.reports import read_last_results
    >>> read_last_results()  # in JupyterLab nothing is published, and nothing was before
    <LastResults: no earlier edition>
    """
    folder = run_folder()
    if folder is None:
        return LastResults()
    path = pathlib.Path(folder) / FILE
    if not path.is_file():
        raise UsageError(
            "QB870",
            found="follows_last is not declared",
            expected="follows_last = true",
            fix="add follows_last = true to the specification of the report",
        )
    kept = read_json(path)
    named = {name: str(kept.get(name, "")) for name in (*NAMES, "sha256")}
    return LastResults(document=kept.get("results", {}), **named)
