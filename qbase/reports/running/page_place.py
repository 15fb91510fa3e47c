"""Where a run publishes: on the page of its report, or under its date where that page shows a later logical date.

The page of a report shows the newest date. A back-fill that comes later, or a time made up for in the wrong order, gets
a place of its own and replaces nothing but an earlier run of the same date.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from qbase.lake import find_published
from qbase.lake.run_slots import read_moment
from qbase.reports.asking.page_names import REDIRECT, moment_of, name_edition, read_meta
from qbase.reports.running.published_pages import find_old_names
from qbase.reports.running.run_states import page_of, shows

if TYPE_CHECKING:
    from qbase.core.results.run_values import RunRecord
    from qbase.lake import Workspace
    from qbase.reports.asking.run_request import Request


@dataclasses.dataclass(frozen=True, kw_only=True)
class PagePlace:
    """A place of the site: its stem, the keys its page has and had, and whether it is that of an older date."""

    stem: str
    key: str
    former_keys: tuple[str, ...] = ()
    is_dated: bool = False


class OvertakenError(Exception):
    """Between staging and publishing a page of another date appeared."""


def find_near(site: pathlib.Path, request: Request) -> tuple[str, ...]:
    """Return the other names under which the page of a report may stand now; none where it stands under its own."""
    own = read_meta(site / f"{request.page_id}.html")
    if own and REDIRECT not in own:
        return ()
    key = request.page_key or request.page_id
    about = {"report_id": request.spec.report_id, "params": request.params}
    known: dict[str, Any] = {"key": key, "former_keys": request.former_keys, **about}
    return tuple(find_old_names(site, known, request.page_id))


def choose_place(site: pathlib.Path, request: Request, record: RunRecord, near: Collection[str] = ()) -> PagePlace:
    """Return the place of a run as the site is now; it is asked again in the transaction that publishes.

    Parameters
    ----------
    site : Path
        Folder of the published pages.
    request : Request
        Knows the name of the page.
    record : RunRecord
        Logical date and beginning of the run.
    near : collection of str
        As `find_near` gives it.
    """
    stem, key = request.page_id, request.page_key or request.page_id
    now = read_moment(record.slot, record.started_at)
    shown = (read_meta(site / f"{name}.html") for name in (stem, *near))
    if not any(REDIRECT not in meta and moment_of(meta) > now for meta in shown):
        return PagePlace(stem=stem, key=key, former_keys=request.former_keys)
    return PagePlace(
        stem=name_edition(stem, record.slot),
        key=name_edition(key, record.slot),
        former_keys=tuple(name_edition(former, record.slot) for former in request.former_keys),
        is_dated=True,
    )


def find_shown(workspace: Workspace, place: PagePlace, record: RunRecord) -> str:
    """Return the stem of the page that shows what was published before for the date of a run, byte for byte.

    A date that was the newest, and stands no more on the page of its report, is shown while that page says the same.

    Parameters
    ----------
    workspace : Workspace
        Whose site and ledger.
    place : PagePlace
        As `choose_place` gives it.
    record : RunRecord
        With its fingerprint, which the ledger knows as published.

    Returns
    -------
    str
        Empty where the run has something to publish.
    """
    if shows(workspace, place.stem, record.fingerprint):
        return place.stem
    before = find_published(workspace, record.report_id, slot=record.slot, fingerprint=record.fingerprint)
    stem = page_of(workspace, before).stem if place.is_dated and before else ""
    return stem if stem and shows(workspace, stem, record.fingerprint) else ""
