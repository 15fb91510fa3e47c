"""Checks on what a finished page says: intervals, numbers against the record, glyphs, contrast, private words."""

from __future__ import annotations

import base64
import binascii
import contextlib
import functools
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from qbase.core.errors import DataError
from qbase.core.numbers import number, p_value
from qbase.core.results.sentences import digits_among
from qbase.core.shown.display import sha256_of
from qbase.core.shown.palette import contrast
from qbase.core.shown.row_intervals import place_row_intervals
from qbase.core.text import Text, split_sentences
from qbase.core.values import WITHOUT_INTERVAL, CheckResult, Estimate
from qbase.release.disclosing.private_words import scan_private
from qbase.release.verifying import shown_bundles
from qbase.release.verifying.form_checks import result
from qbase.release.verifying.page_glyphs import find_missing, name_characters
from qbase.release.verifying.page_reading import Element, Page

LOWEST_CONTRAST = 4.5
WORD_ROLES = ("ink", "mut", "link", "blue", "orange", "plum", "gold")
GROUNDS = ("bg", "panel", "card")
FILLS = ("bluef", "orangef", "greyf", "goldf")
_NUMBER = re.compile(r"[−+±]?\d[\d,]*(?:\.\d+)?")
_THEME = re.compile(r"\{[^{}]*?(--bg:[^{}]*)\}")
_ROLE = re.compile(r"--([a-z]+):\s*(#[0-9a-fA-F]{6})")
_FONT = re.compile(r"url\(data:font/woff2;base64,([A-Za-z0-9+/=]+)\)")


def check_intervals(page: Page, record: Mapping[str, Any] | None) -> CheckResult:
    """Check that every recorded estimate has its doubt and that page and record are of one run."""
    if record is None:
        return _no_record("intervals")
    found = []
    run_id = page.meta("qbase-run")
    if not run_id or record.get("sentinel") != run_id:
        found.append(f"run {run_id or '–'} in the page, {record.get('sentinel') or '–'} in the record")
    estimates = [(r["name"], e) for r in record["results"] for e in r["estimates"]]
    estimates += [(c["name"], k["estimate"]) for c in record["scorecards"] for k in c["criteria"]]
    for name, e in estimates:
        interval = e.get("ci_low") is not None and e.get("ci_high") is not None
        if not interval and e.get("uncertainty") not in WITHOUT_INTERVAL:
            found.append(f"{name} {e.get('term')} without interval")
    n = len(estimates)
    return result("intervals", found, Text(f"区间 {n}/{n}，运行 {run_id}", f"intervals {n}/{n}, run {run_id}"))


def check_numbers(page: Page, record: Mapping[str, Any] | None) -> CheckResult:
    """Check drawings, tables and sentences of the page against the record, byte by byte."""
    if record is None:
        return _no_record("numbers")
    found = [*_wrong_tables(page, record), *_wrong_figures(page, record), *_wrong_words(page, record)]
    tables, figures = len(record["tables"]), len(record["figures"])
    n = sum(len(r["sentences"]) for r in record["results"])
    foreign = len(page.body.having("data-foreign"))
    zh = f"数字与运行记录一致：{figures} 图、{tables} 表、{n} 句"
    en = f"numbers equal the record: {figures} figures, {tables} tables, {n} sentences"
    if foreign:
        zh, en = f"{zh}（另有 {foreign} 处外来输出未比对）", f"{en} ({foreign} foreign outputs not compared)"
    return result("numbers", found, Text(zh, en))


def _wrong_tables(page: Page, record: Mapping[str, Any]) -> Iterator[str]:
    seen = set()
    for root in shown_bundles.read_bundles(page, "table"):
        payload = shown_bundles.read_table(root)
        name = payload["name"]
        seen.add(name)
        if name not in record["tables"]:
            yield f"table {name} is shown but not recorded"
        elif record["tables"][name] != shown_bundles.rows_sha256(payload):
            yield f"cells of table {name}"
        elif (shown := sha256_of(payload)) != record["shown"].get(name, shown):
            yield f"caption, header, note or values of table {name}"
        # a page of an earlier build has none; one that is there shows what the row says
        drawn = [page.inner(e) for e in root.having("data-interval")]
        if drawn and drawn != [svg for svg in place_row_intervals(payload)[1] if svg]:
            yield f"drawn intervals of table {name}"
        if _csv_of(root) != shown_bundles.table_csv(payload):
            yield f"CSV of table {name}"
    yield from (f"table {name} is recorded but not shown" for name in sorted(set(record["tables"]) - seen))


def _wrong_figures(page: Page, record: Mapping[str, Any]) -> Iterator[str]:
    seen = set()
    for root in shown_bundles.read_bundles(page, "figure"):
        payload = shown_bundles.read_figure(page, root)
        name = payload["name"]
        seen.add(name)
        if name not in record["figures"]:
            yield f"figure {name} is shown but not recorded"
        elif record["figures"][name] != shown_bundles.drawings_sha256(payload):
            yield f"drawing of figure {name}"
        elif record["shown"].get(name) != sha256_of(payload):
            yield f"words of figure {name}"
    yield from (f"figure {name} is recorded but not shown" for name in sorted(set(record["figures"]) - seen))
    for root in shown_bundles.read_bundles(page, "tiles"):
        payload = shown_bundles.read_tiles(page, root)
        if record["shown"].get(payload["name"]) != sha256_of(payload):
            yield f"key indicators {payload['name']}"


def _wrong_words(page: Page, record: Mapping[str, Any]) -> Iterator[str]:
    said = [s for r in (*record["results"], *record["scorecards"]) for s in r["sentences"]]
    sentences = {(s["zh"], s["en"]) for s in said}
    # asked for once a text is not as recorded
    known = functools.cache(lambda: numbers_of(record))
    for (kind, name), parts in shown_bundles.read_parts(page).items():
        payload = shown_bundles.read_sentences(kind, name, parts)
        if record["shown"].get(name) == sha256_of(payload):
            continue
        if kind == "conclusion" and name in record["shown"]:
            yield f"words of {name}"
            continue
        for text in map(shown_bundles.read_text, parts):
            if (text["zh"], text["en"]) in sentences:
                continue
            if kind == "prose" or set(_NUMBER.findall(text["zh"] + " " + text["en"])) - known():
                yield f"“{text['en'][:50]}”"
    for element in page.body.having("data-repeat"):
        if not _is_repeated(page, element):
            yield f"“{shown_bundles.read_text(element)['en'][:50]}”"
    yield from _left_unsaid(page, record)


def _left_unsaid(page: Page, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield sentences and failed checks of results that the page keeps from its reader.

    What a table or a row of key indicators tells to the last word, and what a scorecard's table shows, needs no
    sentence: cells are compared one by one.
    """
    whole = page.body.text()
    folded = whole.casefold()
    shown = {e.attributes.get("data-name", "") for e in page.body.having("data-kind")}
    told = {result for name, results in record.get("told", {}).items() if name in shown for result in results}
    said = [s for r in record["results"] if r["name"] not in told for s in r["sentences"]]
    checks = [Text(**c["text"]) for r in record["results"] for c in r["checks"] if c["passed"] is False]
    failed = [part.payload() for text in checks for part in split_sentences(text)]
    for words, texts in (("not said", said), ("failed check not said", failed)):
        # what follows on a few words begins with a small letter
        unsaid = {t["en"] for t in texts if t["zh"] not in whole or t["en"].casefold() not in folded}
        yield from (f"{words}: “{text[:50]}”" for text in sorted(unsaid))


def _is_repeated(page: Page, element: Element) -> bool:
    """Whether a text that the page shows twice equals its marked original."""
    originals = page.body.having("data-part", element.attributes["data-repeat"])
    return any(shown_bundles.read_text(o) == shown_bundles.read_text(element) for o in originals)


def numbers_of(record: Mapping[str, Any]) -> set[str]:
    """Return every number a sentence may write: those in the recorded words, and the estimates as formatted."""
    known: set[str] = set()
    for text in _strings(record):
        known.update(_NUMBER.findall(text))
    for entry in record["results"]:
        terms: dict[str, list[Mapping[str, Any]]] = {}
        for e in entry["estimates"]:
            terms.setdefault(e["term"], []).append(e)
        # once for each term: a result of thousands of entities would take minutes
        places_of = {
            term: digits_among(_sound_estimates(alike), entry["unit"], entry["estimand"], entry["settings"])
            for term, alike in terms.items()
        }
        for e in entry["estimates"]:
            digits = places_of[e["term"]]
            for name in ("value", "std_error", "ci_low", "ci_high", "joint_low", "joint_high", "n_obs", "n_clusters"):
                if e.get(name) is None:
                    continue
                places = 0 if name.startswith("n_") else digits
                for value in (e[name], -e[name]):
                    known |= {number(value, places), number(value, places, sign=True)}
            if e.get("p_value") is not None:
                known.update(_NUMBER.findall(p_value(e["p_value"])))
    return known


def _sound_estimates(entries: Iterable[Mapping[str, Any]]) -> list[Estimate]:
    """Return what the record holds as values; `check_intervals` tells of those without a sound interval."""
    sound = []
    for entry in entries:
        with contextlib.suppress(DataError):
            sound.append(Estimate(**entry))
    return sound


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings(inner)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield f"{value:g}"


def check_glyphs(page: Page) -> CheckResult:
    """Check that the embedded font draws every character of the page that is not left to the reader's fonts."""
    from fontTools.ttLib import TTFont

    fonts = _FONT.findall(page.style)
    covered: set[int] = set()
    for data in fonts:
        try:
            with TTFont(io.BytesIO(base64.b64decode(data, validate=True)), lazy=True) as font:
                covered |= set(font.getBestCmap())
        except Exception as error:  # a torn font fails anywhere inside its readers; the check fails with it
            return result("glyphs", [f"unreadable font: {type(error).__name__}"], Text("", ""))
    missing = find_missing(page.visible, covered)
    found = [] if fonts else ["no embedded font"]
    if missing:
        found.append(name_characters(missing))
    return result("glyphs", found, Text(f"无缺字（内嵌 {len(covered)} 字）", f"none missing ({len(covered)} embedded)"))


def check_as_written(source: str, written: bytes) -> CheckResult:
    """Check that a page is, byte by byte, the one that its run wrote: titles and prose have no record of their own."""
    found = [] if source.encode() == written else ["the page was changed after its run"]
    return result("as_written", found, Text("与运行写出的页面逐字节相同", "byte by byte the page that its run wrote"))


def check_contrast_and_private(page: Page) -> CheckResult:
    """Check the contrast of both themes and that nothing of this machine is in the page."""
    themes = [dict(_ROLE.findall(block)) for block in _THEME.findall(page.style)]
    distinct = list({tuple(sorted(t.items())): t for t in themes}.values())
    found = [] if len(distinct) >= 2 else ["light and dark theme not found"]
    lowest = 21.0
    for theme in distinct:
        for words, ground in [*((w, g) for w in WORD_ROLES for g in GROUNDS), *(("ink", f) for f in FILLS)]:
            if words not in theme or ground not in theme:
                found.append(f"colour {words} on {ground} not found")
                continue
            ratio = contrast(theme[words], theme[ground])
            lowest = min(lowest, ratio)
            if ratio < LOWEST_CONTRAST:
                found.append(f"{words} on {ground} {ratio:.1f}")
    found += scan_private("\n".join((page.visible, *_comments(page))))
    return result(
        "contrast_and_private",
        found,
        Text(f"对比度 ≥ {lowest:.1f}，无本机信息", f"contrast ≥ {lowest:.1f}, nothing private"),
    )


def _comments(page: Page) -> list[str]:
    return re.findall(r"<!--(.*?)-->", page.source, re.DOTALL)


def _csv_of(root: Element) -> bytes:
    for link in root.having("download"):
        _, _, data = link.attributes.get("href", "").partition(";base64,")
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError):
            return b""
    return b""


def _no_record(name: str) -> CheckResult:
    return CheckResult(
        name=name,
        passed=None,
        text=Text("没有运行记录，无从比对，不算通过", "no record of its run, nothing to compare with, no pass"),
    )
