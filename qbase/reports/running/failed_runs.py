"""What a failed run leaves: for operators how far it came, for readers a plain page where there is no report at all.

Both stand apart from what is published: the first in the folder of the run, the second below ``failed`` in the site.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
from typing import TYPE_CHECKING

from qbase.core.whole_files import write_atomic
from qbase.reports.asking.page_names import FAILED, REDIRECT, read_meta, undated

if TYPE_CHECKING:
    from collections.abc import Collection

    from qbase.core.errors import Lang
    from qbase.core.results.run_values import RunRecord
    from qbase.reports.asking.run_request import Request

PARTIAL = "partial.html"


def keep_partial(folder: pathlib.Path, request: Request, record: RunRecord, lang: Lang) -> None:
    """Write how far a failed run came into its folder; nothing where none of its cells ran.

    Parameters
    ----------
    folder : Path
        Of the run.
    request : Request
        What was asked.
    record : RunRecord
        With ``error``.
    lang : {"zh", "en"}
        Which language shows first.
    """
    from nbformat import read

    from qbase.reports.rendering.failed_letters import render_partial

    if not (folder / "run.ipynb").is_file():
        return
    notebook = read(folder / "run.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    page = render_partial(notebook, spec=request.spec, run=record, lang=lang, names=request.names)
    write_atomic(folder / PARTIAL, page)


def show_failed(site: pathlib.Path, stem: str, request: Request, record: RunRecord, near: Collection[str]) -> None:
    """Write the page that says that a report failed, where no good one is published under its name or a former one.

    Parameters
    ----------
    site : Path
        Folder of the published pages.
    stem : str
        Where the run would have published.
    request : Request
        What was asked.
    record : RunRecord
        With ``error``.
    near : collection of str
        Other names under which its page may stand.
    """
    from qbase.reports.rendering.failed_letters import render_failure

    stem = undated(stem)
    if any(_is_report(site, name) for name in (stem, *near)):
        drop_failed(site, stem)
        return
    meta = {
        "schema": 1,
        "report_id": record.report_id,
        "title": request.spec.title.payload(),
        "run_id": record.run_id,
        "profile": request.spec.profile,
    }
    write_atomic(site / FAILED / f"{stem}.html", render_failure(spec=request.spec, run=record, lang=record.lang))
    write_atomic(site / FAILED / f"{stem}.json", json.dumps(meta, ensure_ascii=False, sort_keys=True))


def drop_failed(site: pathlib.Path, stem: str) -> None:
    """Remove the page that says that a report failed: there is a good one."""
    for end in ("html", "json"):
        (site / FAILED / f"{undated(stem)}.{end}").unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (site / FAILED).rmdir()


def _is_report(site: pathlib.Path, name: str) -> bool:
    page = site / f"{name}.html"
    return page.is_file() and REDIRECT not in read_meta(page)
