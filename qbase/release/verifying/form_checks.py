"""Checks on the form of a finished page: one file, closed to the outside, readable by everybody, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator

from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.release.verifying.page_reading import Element, Page

PAGE_LIMIT = 1_500_000
CSP = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; form-action 'none'"
)
# attributes that make a browser fetch something as soon as the page opens
FETCHING = frozenset({
    "src", "srcset", "poster", "background", "data", "ping", "action", "formaction", "manifest", "codebase",
    "classid", "longdesc", "cite", "icon", "profile", "archive", "imagesrcset",
})  # fmt: skip
FETCHING_TAGS = frozenset({
    "link", "base", "iframe", "frame", "object", "embed", "applet", "audio", "video", "source", "track", "portal",
})  # fmt: skip
_CSS_URL = re.compile(r"url\(\s*['\"]?([^)'\"]*)", re.IGNORECASE)
_FONT_DATA = re.compile(r"(url\(data:font/woff2;base64,)[A-Za-z0-9+/=]+")
_CSS_IMPORT = re.compile(r"@import|image-set\(|src\(", re.IGNORECASE)
_SCRIPT = re.compile(r"<\s*/?\s*script", re.IGNORECASE)
_BLANK = re.compile(r"[\s\x00-\x20]+")


def check_one_file(page: Page) -> CheckResult:
    """Check that the page is one file below the limit."""
    size = len(page.source.encode("utf-8", "surrogatepass"))
    return CheckResult(
        name="one_file",
        passed=size < PAGE_LIMIT,
        text=Text(
            f"单个文件，{size / 1000:,.0f} KB（上限 {PAGE_LIMIT / 1000:,.0f} KB）",
            f"one file, {size / 1000:,.0f} KB (limit {PAGE_LIMIT / 1000:,.0f} KB)",
        ),
    )


def check_no_request(page: Page) -> CheckResult:
    """Check that opening the page fetches nothing; plain links to the web are no request."""
    found = sorted(set(_requests(page)))
    return result("no_request", found, Text("不加载任何外部资源", "no outside request"))


def _requests(page: Page) -> Iterator[str]:
    for element in page.root.walk():
        if element.tag in FETCHING_TAGS:
            yield f"<{element.tag}>"
        for name, value in element.attributes.items():
            local = name.rpartition(":")[2]
            fetched = local in FETCHING and element.tag not in {"q", "blockquote", "ins", "del"}
            if fetched and not _BLANK.sub("", value).startswith(("data:image/png;", "data:image/jpeg;")):
                yield f"{name}={value[:60]} ({element.tag})"
            if local == "href" and not _BLANK.sub("", value).startswith("#") and not _is_link(element):
                yield f"{name}={value[:60]} ({element.tag})"
            if "url(" in value.lower():
                yield from _css_requests(value)
        if element.tag == "meta" and element.attributes.get("http-equiv", "").lower() == "refresh":
            yield "<meta http-equiv=refresh>"
    yield from _css_requests(page.style)


def _is_link(element: Element) -> bool:
    """Whether an element only leads somewhere when it is followed; those in a drawing are not trusted."""
    return element.tag == "a" and all(a.tag != "svg" for a in element.ancestors())


def _css_requests(css: str) -> Iterator[str]:
    # the letters of an embedded font call nothing, and are most of a page
    css = _FONT_DATA.sub(r"\1", css)
    for target in _CSS_URL.findall(css):
        if not target.strip().startswith(("#", "data:font/woff2;base64,")):
            yield f"url({target.strip()[:60]})"
    yield from (m.group() for m in _CSS_IMPORT.finditer(css))


def check_no_script(page: Page) -> CheckResult:
    """Check that the content security policy stands first and that nothing in the page can act."""
    found = []
    first = next(iter(page.head.elements), Element("", {}))
    policy = first.tag == "meta" and first.attributes.get("http-equiv", "").lower() == "content-security-policy"
    if not policy or first.attributes.get("content") != CSP:
        found.append("content security policy is not the first tag of head")
    if _SCRIPT.search(page.source):
        found.append("<script>")
    for element in page.root.walk():
        for name, value in element.attributes.items():
            if name.startswith("on"):
                found.append(f"{name} ({element.tag})")
            if ":" not in value:
                continue
            address = _BLANK.sub("", value).lower()
            if address.startswith(("javascript:", "vbscript:", "data:text/html", "data:image/svg", "data:application")):
                found.append(f"{name}={value[:40]} ({element.tag})")
    return result("no_script", found, Text("安全策略在首位，没有脚本", "security policy first, no script"))


def check_alt_text(page: Page) -> CheckResult:
    """Check that every image says in words what it shows."""
    found, count = [], 0
    ids = {e.attributes["id"] for e in page.root.having("id")}
    for element in page.body.tagged("svg", "img"):
        hidden = any(e.attributes.get("aria-hidden") == "true" for e in (element, *element.ancestors()))
        if element.tag == "img":
            count += 1
            if "alt" not in element.attributes:
                found.append("img without alt")
        elif element.attributes.get("role") == "img":
            count += 1
            words = {e.tag: e.text().strip() for e in element.elements if e.tag in {"title", "desc"}}
            labels = element.attributes.get("aria-labelledby", "").split()
            if not (words.get("title") and words.get("desc")):
                found.append("svg without title and desc")
            elif any(label not in ids for label in labels):
                found.append("svg whose label is missing")
        elif not hidden:
            found.append("svg neither described nor hidden")
    return result("alt_text", found, Text(f"文字说明 {count}/{count}", f"alt text {count}/{count}"))


def check_captions(page: Page) -> CheckResult:
    """Check that every table has a caption and every header cell its scope."""
    tables = page.body.tagged("table")
    found = []
    for table in tables:
        captions = [e for e in table.elements if e.tag == "caption"]
        if len(captions) != 1 or not captions[0].text().strip():
            found.append("table without caption")
        if any(e.attributes.get("scope") not in {"col", "row", "colgroup", "rowgroup"} for e in table.tagged("th")):
            found.append("header cell without scope")
        if not table.tagged("th"):
            found.append("table without header cell")
    n = len(tables)
    return result("captions", found, Text(f"表题与表头 {n}/{n}", f"captions and headers {n}/{n}"))


def check_both_languages(page: Page) -> CheckResult:
    """Check that every Chinese text has its English twin beside it, and none is empty."""
    found = []
    zh = [e for e in page.body.walk() if "zh" in e.classes]
    en = [e for e in page.body.walk() if "en" in e.classes]
    if len(zh) != len(en):
        found.append(f"{len(zh)} zh, {len(en)} en")
    for element in zh:
        twin = _next(element)
        if twin is None or "en" not in twin.classes or twin.tag != element.tag:
            found.append(f"no English beside “{element.text().strip()[:30]}”")
    for element in zh + en:
        if element.attributes.get("lang") != ("zh-CN" if "zh" in element.classes else "en"):
            found.append(f"no lang at “{element.text().strip()[:30]}”")
        if not element.text().strip() and "data-blank" not in element.attributes:
            found.append(f"empty {'/'.join(element.classes)}")
    return result("both_languages", found, Text(f"中英文齐全，{len(zh)} 对", f"zh and en complete, {len(zh)} pairs"))


def _next(element: Element) -> Element | None:
    siblings = element.parent.elements if element.parent else []
    place = siblings.index(element)
    return siblings[place + 1] if place + 1 < len(siblings) else None


def result(name: str, found: list[str], good: Text, most: int = 3) -> CheckResult:
    """Return a check that passed when nothing was found, else one that says what was."""
    if not found:
        return CheckResult(name=name, passed=True, text=good)
    distinct = list(dict.fromkeys(found))
    shown = "; ".join(distinct[:most]) + (f" (+{len(distinct) - most})" if len(distinct) > most else "")
    titles = TITLES[name]
    return CheckResult(name=name, passed=False, text=Text(f"{titles.zh}：{shown}", f"{titles.en}: {shown}"))


TITLES = {
    "no_request": Text("有外部请求", "outside requests"),
    "no_script": Text("有脚本或缺少安全策略", "script, or no security policy"),
    "alt_text": Text("图缺少文字说明", "images without words"),
    "captions": Text("表缺少表题或表头", "tables without caption or headers"),
    "both_languages": Text("中英文不齐", "a language is missing"),
    "intervals": Text("估计值缺少区间，或运行编号不符", "an estimate without interval, or another run"),
    "numbers": Text("数字与运行记录不符", "numbers differ from the record of the run"),
    "glyphs": Text("缺字", "missing glyphs"),
    "as_written": Text("与运行写出的页面不同", "not the page that its run wrote"),
    "contrast_and_private": Text("对比度不足，或有不应外传的内容", "low contrast, or something private"),
}
