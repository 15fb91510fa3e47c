"""One report in the gallery: what its card and its line in a list show."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from qbase.core.errors import QbaseError
from qbase.core.results.run_values import RunRecord
from qbase.core.text import Text, same
from qbase.release import check_svg
from qbase.reports.asking.page_names import FAILED
from qbase.reports.rendering.page_rendering import PROFILES, date_of


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """One report in the gallery.

    Parameters
    ----------
    report_id : str
        File stem of page and meta.
    meta : mapping
        As `report_meta` wrote it; empty when no good run was ever published, or when the file is damaged.
    damaged : bool
        The page is there, its meta file cannot be read.
    failed : RunRecord or None
        The last run, when it failed and is younger than the published one.
    earlier : tuple of Card
        Pages of earlier logical dates that were filled in later, newest first.
    told : mapping
        What stands beside the page that says that the report failed; empty where there is a good one.
    """

    report_id: str
    meta: Mapping[str, Any]
    damaged: bool = False
    failed: RunRecord | None = None
    earlier: tuple[Card, ...] = ()
    told: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def title(self) -> Text:
        """Title of the report, or its id."""
        return read_text(self.meta.get("title")) or read_text(self.told.get("title")) or same(self.report_id)

    @property
    def link(self) -> str:
        """The page: of the report, of its failure, or none."""
        if self.meta or self.damaged:
            return f"{self.report_id}.html"
        return f"{FAILED}/{self.report_id}.html" if self.told else ""

    @property
    def lead(self) -> Text | None:
        """First sentence, when there is one."""
        return read_text(self.meta.get("lead"))

    @property
    def said(self) -> Text | None:
        """Whom it is about, when it is about one."""
        return read_text(self.meta.get("subject"))

    @property
    def kick(self) -> Text | None:
        """Who may read it."""
        return PROFILES.get(str(self.meta.get("profile")))

    @property
    def when(self) -> Text:
        """Day of the published run."""
        return date_of(str(self.meta.get("slot") or self.meta.get("finished_at") or ""))

    @property
    def asked(self) -> list[Text]:
        """What was chosen for it, in words."""
        return [text for said in self.meta.get("asked") or () if (text := read_text(said)) is not None]

    @property
    def spark(self) -> str:
        """The small line of its first indicator; empty where there is none, or none that is clean."""
        try:
            return check_svg(str(self.meta.get("spark") or "<none/>"))
        except QbaseError:
            return ""


def read_text(value: Any) -> Text | None:
    """Return a text of a meta file, or None where it is none in both languages."""
    if not isinstance(value, dict) or not value.get("zh") or not value.get("en"):
        return None
    return Text(str(value["zh"]), str(value["en"]))
