"""What a published page is called, and what stands beside it: the report, the code of its subject, then its name.

``quality_trends~K003-棹湾镇化纤产业集群``: up to the hyphen it is the key of the page, which stays when a name changes.
"""

from __future__ import annotations

import json
import pathlib
import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qbase.core.shown.display import sha256_of

if TYPE_CHECKING:
    from qbase.reports.asking.subject_names import Subject

# a name of a file holds 255 bytes; staging adds a prefix and a suffix
MOST_BYTES = 200
MOST_CHARACTERS = 40
MOST_BYTES_OF_A_CODE = 60
MARK = 6
REDIRECT = "redirect"
"""Beside a page that only points to another: the stem of that one."""
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


def read_meta(page: pathlib.Path) -> dict[str, Any]:
    """Return what was written beside a page; empty where nothing there can be read."""
    try:
        meta = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return meta if isinstance(meta, dict) else {}


def _safe(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text)
    return _UNSAFE.sub("_", "".join(c for c in folded if unicodedata.category(c) != "Cf")).strip("._")


def _safe_code(code: str) -> str:
    """Return a code as part of a file name; one that had to be changed, or is long, carries a mark of its own."""
    safe = _cut(_safe(code), MOST_BYTES_OF_A_CODE)
    return safe if safe == code else f"{safe}_{sha256_of(code)[:MARK]}"


def _cut(text: str, room: int) -> str:
    return text.encode()[: max(room, 0)].decode(errors="ignore").strip("._")
