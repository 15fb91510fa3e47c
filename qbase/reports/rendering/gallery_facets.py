"""The gallery by report, industrial cluster, town and year, and what failed: lists of links without script.

A list is cut into pages by the order of its names, not by age: a report that is run again changes its own line and
leaves the other pages as they are. What would come out the same is neither drawn nor written again.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from qbase.core.lazy import PACKAGE, read_once
from qbase.core.shown.display import sha256_of
from qbase.core.text import Text, same
from qbase.core.whole_files import write_atomic
from qbase.reports.rendering.gallery_card import Card
from qbase.reports.rendering.page_rendering import TEMPLATES, fill, with_font

FOLDER = "by"
LINES = 200
"""On one page: with both languages and the font about 0.4 MB."""
STAMP = re.compile(r'<meta name="qbase-gallery" content="([0-9a-f]{64})">')
CODE = (
    "rendering/gallery.py",
    "rendering/gallery_card.py",
    "rendering/gallery_facets.py",
    "rendering/page_rendering.py",
)
UNDATED, NOWHERE = Text("没有日期", "no date"), Text("不属于某个乡镇", "of no one town")

Value = tuple[str, Text]
Towns = Mapping[str, Value]
Part = tuple[Text, int, tuple[Card, ...]]
"""Heading of a group, how many it has in all, and those on one page."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Facet:
    """One way through the gallery.

    Parameters
    ----------
    name : str
        Begins the names of its files: ``by/cluster-1.html``.
    label : Text
        Of the list.
    groups : tuple of (Text, tuple of Card)
        In order of their names; those of one group too.
    """

    name: str
    label: Text
    groups: tuple[tuple[Text, tuple[Card, ...]], ...]

    @property
    def reports(self) -> int:
        """How many it leads to."""
        return sum(len(cards) for _, cards in self.groups)

    @property
    def link(self) -> str:
        """Its first page, from the folder of the site."""
        return f"{FOLDER}/{self.name}-1.html"

    def pages(self) -> list[list[Part]]:
        """Return the groups page by page; one that does not fit goes on on the next."""
        pages: list[list[Part]] = [[]]
        room = LINES
        for label, cards in self.groups:
            # a short group is not torn apart for the sake of a few lines
            if room < len(cards) <= LINES:
                room = 0
            left = cards
            while left:
                if not room:
                    pages.append([])
                    room = LINES
                pages[-1].append((label, len(cards), left[:room]))
                left, room = left[room:], max(0, room - len(left))
        return pages


def group_cards(cards: Sequence[Card], towns: Towns) -> list[Facet]:
    """Return the ways through the gallery that lead to more than one report, with what they lead to.

    Parameters
    ----------
    cards : sequence of Card
        Of all reports; an earlier date has a line of its own.
    towns : mapping
        Code of a cluster -> code and name of its town.
    """
    every = [one for card in cards for one in (card, *card.earlier)]
    ways: tuple[tuple[str, Text, Callable[[Card], Value | None]], ...] = (
        ("report", Text("按报告", "by report"), _report),
        ("cluster", Text("按产业集群", "by industrial cluster"), lambda card: _subject(card, "cluster_id")),
        ("town", Text("按乡镇", "by town"), lambda card: _town(card, towns)),
        ("year", Text("按年份", "by year"), _year),
        ("failed", Text("最近一次运行失败", "last run failed"), lambda card: _report(card) if card.failed else None),
    )
    facets = []
    for name, label, read in ways:
        groups: dict[str, tuple[Text, list[Card]]] = {}
        for card in every:
            value = read(card)
            if value is not None:
                groups.setdefault(value[0], (value[1], []))[1].append(card)
        ordered = sorted(groups.items(), reverse=name == "year")
        told = tuple((shown, tuple(sorted(own, key=lambda c: c.report_id))) for _, (shown, own) in ordered)
        if told:
            facets.append(Facet(name=name, label=label, groups=told))
    return facets


def write_facets(site: pathlib.Path, facets: Sequence[Facet], title: Text) -> None:
    """Write the pages that would come out otherwise than they stand there, and remove those of no facet.

    Parameters
    ----------
    site : Path
        Folder of the published pages.
    facets : sequence of Facet
        From `group_cards`.
    title : Text
        Of the gallery.
    """
    folder, kept = site / FOLDER, set()
    for facet in facets:
        pages = facet.pages()
        names = [f"{facet.name}-{number}.html" for number in range(1, len(pages) + 1)]
        kept |= set(names)
        for name, groups in zip(names, pages, strict=True):
            # counts stand on every page: they are what a reader chooses by
            told = [(f.name, f.label, f.reports, f"{f.name}-1.html") for f in facets]
            context = {"lang": "zh", "title": title, "facet": facet, "groups": groups, "facets": told}
            context |= {"name": name, "names": names}
            write_if_changed(folder / name, "gallery_facet.html.j2", context, title, _told(context, groups))
    for path in folder.glob("*.html"):
        if path.name not in kept:
            path.unlink(missing_ok=True)


def write_if_changed(path: pathlib.Path, template: str, context: dict[str, Any], title: Text, told: Any) -> None:
    """Draw and write a page of the gallery, unless the one that stands there was made of the same.

    Parameters
    ----------
    path : Path
        The page.
    template : str
        What fills it.
    context : dict
        With what.
    title : Text
        Of the page, for messages.
    told : object
        All that the page shows, as JSON values.
    """
    stamp = sha256_of([_code(), template, told])
    if path.is_file() and (found := STAMP.search(_head(path))) and found[1] == stamp:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, with_font(fill(template, {**context, "stamp": stamp}), title))


def card_facts(card: Card) -> list[Any]:
    """Return all that a card shows, as JSON values."""
    failed = None if card.failed is None else [card.failed.run_id, card.failed.started_at]
    earlier = [[one.report_id, one.when.zh, one.failed is not None] for one in card.earlier]
    return [card.report_id, dict(card.meta), card.damaged, failed, dict(card.told), earlier]


def _told(context: Mapping[str, Any], groups: Iterable[Part]) -> list[Any]:
    shown = [[label.zh, label.en, number, [_line_facts(card) for card in cards]] for label, number, cards in groups]
    counts = [[name, number] for name, _, number, _ in context["facets"]]
    return [context["name"], context["names"], counts, shown]


def _line_facts(card: Card) -> list[Any]:
    return [card.report_id, card.link, card.title.payload(), card.when.zh, card.damaged, card.failed is not None,
            card.meta.get("snapshot"), card.meta.get("lead"), card.meta.get("subject")]  # fmt: skip


def _head(path: pathlib.Path) -> str:
    with path.open("rb") as file:
        # the stamp stands before the fonts
        return file.read(4096).decode("utf-8", errors="replace")


@read_once
def _code() -> str:
    """Return the hash of what draws the pages."""
    paths = [PACKAGE / "reports" / name for name in CODE] + sorted(TEMPLATES.glob("*"))
    return sha256_of([path.read_text(encoding="utf-8") for path in paths if path.is_file()])


def _report(card: Card) -> Value:
    report_id = str(card.meta.get("report_id") or card.told.get("report_id") or card.report_id)
    return report_id, card.title


def _subject(card: Card, entity: str) -> Value | None:
    params = card.meta.get("params") or {}
    code, said = params.get("subject"), card.said
    if not isinstance(code, str) or params.get("entity", "cluster_id") != entity:
        return None
    return code, said if said is not None else same(code)


def _town(card: Card, towns: Towns) -> Value | None:
    cluster = _subject(card, "cluster_id")
    return _subject(card, "town_code") if cluster is None else towns.get(cluster[0], ("~", NOWHERE))


def _year(card: Card) -> Value:
    moment = str(
        card.meta.get("slot") or card.meta.get("finished_at") or (card.failed and card.failed.started_at) or ""
    )
    year = moment[:4]
    return (year, Text(f"{year} 年", year)) if year.isdigit() else ("", UNDATED)
