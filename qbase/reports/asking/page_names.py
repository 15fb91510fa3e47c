"""What a published page is called, and what stands beside it: the report, the code of its subject, then its name.

``quality_trends~K003-棹湾镇化纤产业集群``: up to the hyphen it is the key of the page, which stays when a name changes.
"""

from __future__ import annotations

import datetime
import json
import pathlib
import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.shown.display import sha256_of
from qbase.lake.run_slots import read_moment

if TYPE_CHECKING:
    from qbase.reports.asking.subject_names import Subject

# a name of a file holds 255 bytes; staging adds a prefix and a suffix
MOST_BYTES = 200
MOST_CHARACTERS = 40
MOST_BYTES_OF_A_CODE = 60
MARK = 6
FAILED = "failed"
"""Folder of the site with the pages of reports that never came out well."""
REDIRECT = "redirect"
"""Beside a page that only points to another: the stem of that one."""
DATED = "@"
"""Parts the name of a page from the logical date of an older edition; neither a report nor a safe code has it."""
# what Windows, a URL or a shell would stumble over; ~ and - part the pieces
_UNSAFE = re.compile(r"[^\w.]+")


def key_of(report_id: str, subject: Subject | None, other: Mapping[str, Any]) -> str:
    """Return what stays of a page's name: report, code of the subject, mark of the other choices.

    Parameters
    ----------
    report_id : str
        Of the report.
    subject : Subject or None
        Where the caller chose one.
    other : mapping
        What else the caller chose, by name.
    """
    code = "" if subject is None else f"~{_safe_code(subject.code)}"
    return report_id + code + (f"~{sha256_of(dict(other))[:MARK]}" if other else "")


def name_page(report_id: str, subject: Subject | None, other: Mapping[str, Any]) -> str:
    """Return the stem of a page: as `key_of`, with the name of the subject behind its code."""
    key = key_of(report_id, subject, other)
    if subject is None or subject.name.zh == subject.code:
        return key
    begin = f"{report_id}~{_safe_code(subject.code)}"
    room = MOST_BYTES - len(key.encode()) - 1
    name = _cut(_safe(subject.name.zh)[:MOST_CHARACTERS], room)
    return f"{begin}-{name}{key.removeprefix(begin)}" if name else key


def name_edition(name: str, slot: str) -> str:
    """Return what a page or its key is called in the place of its own that an older logical date has.

    Parameters
    ----------
    name : str
        Stem or key of the page of the report.
    slot : str
        Logical date, as the ledger spells it.

    Examples
    --------
    >>> from qbase.reports.asking.page_names import name_edition
    >>> name_edition("trends", "2026-09-30"), name_edition("trends~K003", "2026-09-29T22:00:00Z")
    ('trends@2026-09-30', 'trends~K003@2026-09-29T220000Z')
    """
    return f"{name}{DATED}{slot.replace(':', '')}"


def undated(name: str) -> str:
    """Return the name of the page of a report, whatever edition of it a name stands for."""
    return name.partition(DATED)[0]


def read_meta(page: pathlib.Path) -> dict[str, Any]:
    """Return what was written beside a page; empty where nothing there can be read."""
    try:
        meta = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return meta if isinstance(meta, dict) else {}


def moment_of(meta: Mapping[str, Any]) -> datetime.datetime:
    """Return the moment that a published page stands for; the earliest of all where nothing is known of it.

    Parameters
    ----------
    meta : mapping
        As `read_meta` returns it.
    """
    # the run itself told it, because its day ended where it ran; of pages of before only their run's end is known
    slot = meta.get("moment") or meta.get("slot")
    return read_moment(str(slot or ""), str(meta.get("finished_at") or ""))


def _safe(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text)
    return _UNSAFE.sub("_", "".join(c for c in folded if unicodedata.category(c) != "Cf")).strip("._")


def _safe_code(code: str) -> str:
    """Return a code as part of a file name; one that had to be changed, or is long, carries a mark of its own."""
    safe = _cut(_safe(code), MOST_BYTES_OF_A_CODE)
    return safe if safe == code else f"{safe}_{sha256_of(code)[:MARK]}"


def _cut(text: str, room: int) -> str:
    return text.encode()[: max(room, 0)].decode(errors="ignore").strip("._")
