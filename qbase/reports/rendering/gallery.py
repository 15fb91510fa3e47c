"""The gallery of published reports: one page without script, and a feed with the same content."""

from __future__ import annotations

import dataclasses
import itertools
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from qbase.core.results.run_values import UNFINISHED, RunRecord
from qbase.core.text import Text
from qbase.core.values import EMPTY
from qbase.core.whole_files import write_atomic
from qbase.lake.run_slots import read_moment
from qbase.reports.asking.page_names import FAILED, REDIRECT, moment_of, read_meta, undated
from qbase.reports.rendering.gallery_card import Card, read_text
from qbase.reports.rendering.gallery_facets import Towns, card_facts, group_cards, write_facets, write_if_changed
from qbase.reports.rendering.page_meta import META_SCHEMA, report_meta

__all__ = ["build_gallery", "report_meta"]

PAGE = "index.html"
OTHERS = frozenset({"index", "moved"})
FEED = "feed.json"
CARDS = 60
"""So many of the youngest have a card; a thousand would be three megabytes, and nobody reads so far down."""
FEED_VERSION = "https://jsonfeed.org/version/1.1"
TITLE = Text("产业集群质量报告", "Reports on the quality of industrial clusters")


def build_gallery(site: pathlib.Path, runs: Sequence[RunRecord] = (), *, towns: Towns = EMPTY) -> pathlib.Path:
    """Build the gallery of a site from the meta files beside its pages.

    Parameters
    ----------
    site : Path
        Folder of the published pages.
    runs : sequence of RunRecord
        Known runs in any order; a report whose last run failed says so on its card.
    towns : mapping
        Code of an industrial cluster -> code and name of its town, by which its reports are found too.

    Returns
    -------
    Path
        ``index.html``: the youngest and the failed as cards. Lists of all by report, cluster, town and year lie in the
        folder ``by``, and ``feed.json`` stands beside it. Each is written whole or not at all, and only where it
        changed.

    Examples
    --------
    >>> import json, pathlib, tempfile
    >>> from qbase.reports import build_gallery
    >>> index = build_gallery(pathlib.Path(tempfile.mkdtemp()))
    >>> feed = json.loads((index.parent / "feed.json").read_text("utf-8"))
    >>> index.name, feed["title"], feed["items"]
    ('index.html', '产业集群质量报告 / Reports on the quality of industrial clusters', [])
    """
    cards = _cards(site, runs)
    # how many runs wait for a signature under what moved; nothing where nothing ever did
    waiting = read_meta(site / "moved.html").get("waiting")
    facets = group_cards(cards, towns)
    shown = [*cards[:CARDS], *[card for card in cards[CARDS:] if card.failed is not None][:CARDS]]
    good = sum(bool(c.meta) for c in cards)
    ways = facets if len(cards) > 1 else []
    context = {"lang": "zh", "title": TITLE, "cards": shown, "good": good, "waiting": waiting, "every": len(cards)}
    context |= {"facets": ways}
    told = [[f.name, f.reports] for f in facets] + [good, waiting, len(cards), *map(card_facts, shown)]
    site.mkdir(parents=True, exist_ok=True)
    _write_feed(site / FEED, json.dumps(_feed(cards), ensure_ascii=False, indent=1))
    write_facets(site, ways, TITLE)
    write_if_changed(site / PAGE, "gallery.html.j2", context, TITLE, told)
    return site / PAGE


def _write_feed(path: pathlib.Path, feed: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != feed:
        write_atomic(path, feed)


def _cards(site: pathlib.Path, runs: Sequence[RunRecord]) -> list[Card]:
    """Return the cards, youngest run first."""
    found = {page.stem: _read_meta(page) for page in sorted(site.glob("*.html")) if page.stem not in OTHERS}
    # a page that got another name points to it and is no report of its own
    published = {name: meta for name, meta in found.items() if meta is None or REDIRECT not in meta}
    done = sorted((run for run in runs if run.state not in UNFINISHED), key=lambda run: run.started_at)
    last = {run.report_id: run for run in done}
    cards = _with_earlier(
        Card(
            report_id=name,
            meta=meta or {},
            damaged=meta is None,
            failed=_failed(run for run in done if _is_of(run, name, meta)),
        )
        for name, meta in published.items()
    )
    shown = {str(card.meta.get("report_id", card.report_id)) for card in cards}
    never = _never_good(site, done, published)
    cards += never
    shown |= {str(card.told["report_id"]) for card in never}
    cards += [
        Card(report_id=name, meta={}, failed=run)
        for name, run in last.items()
        if run.state == "failed" and name not in shown
    ]
    cards.sort(key=lambda c: c.report_id)
    return sorted(cards, key=lambda c: str(c.meta.get("finished_at", "")), reverse=True)


def _never_good(site: pathlib.Path, done: Iterable[RunRecord], published: Mapping[str, Any]) -> list[Card]:
    """Return the cards of pages that never came out well, each with a plain page that says so."""
    runs = {run.run_id: run for run in done}
    pages = sorted((site / FAILED).glob("*.html"))
    found = ((page.stem, read_meta(page)) for page in pages if page.stem not in published)
    return [
        Card(report_id=stem, meta={}, failed=runs[told["run_id"]], told=told)
        for stem, told in found
        if told.get("report_id") and told.get("run_id") in runs
    ]


def _with_earlier(cards: Iterable[Card]) -> list[Card]:
    """Put the pages of earlier dates on the card of their report; one whose report has no page has its own."""
    dated: dict[str, list[Card]] = {}
    own: list[Card] = []
    for card in cards:
        (dated.setdefault(undated(_key(card)), []) if _is_dated(card) else own).append(card)
    for group in dated.values():
        group.sort(key=lambda card: moment_of(card.meta), reverse=True)
    own = [dataclasses.replace(card, earlier=tuple(dated.pop(_key(card), ()))) for card in own]
    return [*own, *(card for group in dated.values() for card in group)]


def _key(card: Card) -> str:
    return str(card.meta.get("key", card.report_id))


def _is_dated(card: Card) -> bool:
    return undated(_key(card)) != _key(card) and not card.damaged


def _is_of(run: RunRecord, name: str, meta: Mapping[str, Any] | None) -> bool:
    """Whether a run was to make this page: same report, choices and date, as far as both know them."""
    if meta is None:
        return run.report_id == name
    asked: Mapping[str, Any] = meta.get("params") or {}
    is_same = run.report_id == meta.get("report_id") and all(run.params.get(n, v) == v for n, v in asked.items())
    if undated(name) != name:
        return is_same and run.slot == meta.get("slot")
    # an earlier date that is filled in was not to make the page of the newest
    return is_same and read_moment(run.slot, run.started_at) >= moment_of(meta)


def _failed(runs: Iterable[RunRecord]) -> RunRecord | None:
    """Return the last of some runs when it failed."""
    last = next(reversed(list(runs)), None)
    return last if last is not None and last.state == "failed" else None


def _read_meta(page: pathlib.Path) -> dict[str, Any] | None:
    """Return the meta of a page; None, which its card shows, when the file is missing or damaged."""
    meta = read_meta(page)
    if meta.get("schema") != META_SCHEMA:
        return None
    return meta if REDIRECT in meta or read_text(meta.get("title")) is not None else None


def _feed(cards: Sequence[Card]) -> dict[str, Any]:
    items = []
    for card in itertools.chain.from_iterable((card, *card.earlier) for card in cards):
        item: dict[str, Any] = {"id": card.report_id, "title": f"{card.title.zh} / {card.title.en}"}
        if card.meta:
            item |= {
                "id": str(card.meta["run_id"]),
                "url": f"{card.report_id}.html",
                "date_published": card.meta.get("finished_at", ""),
                "content_text": "\n".join([card.lead.zh, card.lead.en]) if card.lead else "",
                "_qbase": dict(card.meta),
            }
        if card.told:
            item["url"] = card.link
        if card.damaged:
            item |= {
                "url": f"{card.report_id}.html",
                "content_text": "说明文件缺失或损坏 / meta file missing or damaged",
            }
        if card.failed is not None:
            item["_last_run_failed"] = {"run_id": card.failed.run_id, "started_at": card.failed.started_at}
        items.append(item)
    return {"version": FEED_VERSION, "title": f"{TITLE.zh} / {TITLE.en}", "items": items}
