"""What a notice says: report, code of the subject, state, code of the error, link, counts. Nothing else ever leaves."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from qbase.core.text import Text

if TYPE_CHECKING:
    from qbase.core.results.run_values import RunRecord

Kind = Literal["failed", "late", "moved"]
KINDS: dict[Kind, Text] = {
    "failed": Text("失败", "failed"),
    "late": Text("迟到", "late"),
    "moved": Text("有数越出上次区间", "numbers moved beyond their interval"),
}
MOST = 50
SCHEMA = 1
FIRM = "firm_id"
PAGES: dict[Kind, str] = {"failed": "index.html", "late": "index.html", "moved": "moved.html"}
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_CREDIT_CODE = re.compile(r"[0-9A-HJ-NPQRTUWXY]{18}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Notice:
    """One thing to tell; built from a run by `notice_of`, which leaves out what must stay in the house."""

    kind: Kind
    report_id: str
    subject: str = ""
    slot: str = ""
    state: str = ""
    run_id: str = ""
    code: str = ""
    moved: int = 0
    turned: int = 0

    def payload(self, link: str) -> dict[str, Any]:
        """Return plain values for JSON, with the page to look at below ``link``."""
        return {**dataclasses.asdict(self), "link": link + PAGES[self.kind]}

    def line(self, link: str) -> str:
        """Return it on one line, Chinese and English."""
        words = KINDS[self.kind]
        counts = f"{self.moved}+{self.turned}" if self.kind == "moved" else ""
        about = [self.report_id, self.subject, self.slot, self.code, counts, self.run_id, link + PAGES[self.kind]]
        return " · ".join(filter(None, [f"{words.zh} {words.en}", *about]))


def notice_of(record: RunRecord, kind: Kind, *, moved: int = 0, turned: int = 0) -> Notice:
    """Return the notice of a run.

    Parameters
    ----------
    record : RunRecord
        Of its error only the code is kept: what was found may quote a cell.
    kind : str
        A key of `KINDS`.
    moved, turned : int
        Numbers beyond their interval, and verdicts that turned.
    """
    return Notice(
        kind=kind,
        report_id=record.report_id,
        subject=_subject(record),
        slot=record.slot,
        state=record.state,
        run_id=record.run_id,
        code=str((record.error or {}).get("code", "")),
        moved=moved,
        turned=turned,
    )


def _subject(record: RunRecord) -> str:
    """Return the code of a cluster or a town; a firm is not named, not even by its code."""
    subject = record.params.get("subject")
    if not isinstance(subject, str) or record.params.get("entity") == FIRM:
        return ""
    is_code = _CODE.fullmatch(subject) is not None and _CREDIT_CODE.fullmatch(subject) is None
    return subject if is_code else ""


def body_of(notices: Sequence[Notice], link: str) -> dict[str, Any]:
    """Return what a webhook receives: counts of each kind, and the first notices."""
    return {
        "schema": SCHEMA,
        "counts": {kind: sum(n.kind == kind for n in notices) for kind in KINDS},
        "text": text_of(notices, link),
        "notices": [n.payload(link) for n in notices[:MOST]],
        "left_out": max(0, len(notices) - MOST),
    }


def text_of(notices: Sequence[Notice], link: str) -> str:
    """Return the notices as lines."""
    left = len(notices) - MOST
    lines = [notice.line(link) for notice in notices[:MOST]]
    return "\n".join([*lines, *([f"… +{left}"] if left > 0 else [])])


def title_of(notices: Sequence[Notice]) -> str:
    """Return the subject line of a message."""
    counts = [(KINDS[kind], sum(n.kind == kind for n in notices)) for kind in KINDS]
    parts = [f"{n} {words.zh} {words.en}" for words, n in counts if n]
    return "qbase: " + " · ".join(parts)
