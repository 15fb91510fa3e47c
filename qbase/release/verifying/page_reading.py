"""A finished report read back: elements with their place in the source, so that drawings come out byte by byte."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

VOID = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
})  # fmt: skip
TEXT_ATTRIBUTES = frozenset({"alt", "title", "aria-label", "data-zh", "data-en", "content", "download", "data-values"})
_PLAIN_TAG = re.compile(
    r"""<([a-z][a-z0-9]*)((?:[ \t\r\n\f]+[A-Za-z][\w:.-]*="[^"<>&]*")*)[ \t\r\n\f]*(/?)>""", re.ASCII
)
_ATTRIBUTE = re.compile(r"""([A-Za-z][\w:.-]*)="([^"]*)\"""", re.ASCII)
_READ_OTHERWISE = frozenset({
    "iframe", "noembed", "noframes", "noscript", "plaintext", "script", "style", "textarea", "title", "xmp",
})  # fmt: skip
"""What is inside of these is read in another way, which the standard library knows."""


class Order:
    """The elements of a page in document order; what is inside of one follows it without a gap."""

    def __init__(self) -> None:
        self.elements: list[Element] = []
        self.places: dict[str, list[int]] = {}

    def add(self, element: Element) -> None:
        """Put an element behind all others."""
        for name in element.attributes:
            self.places.setdefault(name, []).append(len(self.elements))
        self.elements.append(element)
        element.order, element.first, element.last = self, len(self.elements), len(self.elements)

    def having(self, attribute: str, first: int, last: int) -> list[Element]:
        """Return the elements of a stretch that carry an attribute."""
        places = self.places.get(attribute, [])
        inside = places[bisect.bisect_left(places, first) : bisect.bisect_left(places, last)]
        return [self.elements[place] for place in inside]


@dataclasses.dataclass(eq=False)
class Element:
    """One element: name, attributes, children, and where its inside begins and ends in the source and in its page."""

    tag: str
    attributes: dict[str, str]
    parent: Element | None = None
    children: list[Element | str] = dataclasses.field(default_factory=list)
    begin: int = 0
    end: int = 0
    order: Order = dataclasses.field(default_factory=Order)
    first: int = 0
    last: int = 0

    @property
    def classes(self) -> list[str]:
        """Class names."""
        return self.attributes.get("class", "").split()

    @property
    def elements(self) -> list[Element]:
        """Child elements, without text."""
        return [c for c in self.children if isinstance(c, Element)]

    def walk(self) -> Iterator[Element]:
        """Return all elements inside, in document order."""
        return iter(self.order.elements[self.first : self.last])

    def find(self, test: Callable[[Element], bool]) -> Element | None:
        """Return the first element inside that passes a test."""
        return next((e for e in self.walk() if test(e)), None)

    def tagged(self, *tags: str) -> list[Element]:
        """Return all elements inside with one of these names."""
        return [e for e in self.walk() if e.tag in tags]

    def having(self, attribute: str, value: str | None = None) -> list[Element]:
        """Return all elements inside that carry an attribute (with a value)."""
        wanted = self.order.having(attribute, self.first, self.last)
        return wanted if value is None else [e for e in wanted if e.attributes[attribute] == value]

    def text(self) -> str:
        """Return the text inside, styles and scripts left out."""
        return "".join(self.texts())

    def texts(self) -> list[str]:
        """Return the pieces of text inside, styles and scripts left out."""
        found: list[str] = []
        for child in self.children:
            if isinstance(child, Element):
                found += child.texts()
            elif self.tag not in {"style", "script"}:
                found.append(child)
        return found

    def ancestors(self) -> Iterator[Element]:
        """Yield parents, nearest first."""
        above = self.parent
        while above is not None:
            yield above
            above = above.parent


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Page:
    """A page: its source, its tree and its style sheet."""

    source: str
    root: Element

    def inner(self, element: Element) -> str:
        """Return the source inside an element, unchanged."""
        return self.source[element.begin : element.end]

    @functools.cached_property
    def style(self) -> str:
        """Text of all style elements."""
        return "".join(c for e in self.root.tagged("style") for c in e.children if isinstance(c, str))

    @functools.cached_property
    def body(self) -> Element:
        """The body, or an empty element when there is none."""
        return self.root.find(lambda e: e.tag == "body") or Element("body", {})

    @functools.cached_property
    def head(self) -> Element:
        """The head, or an empty element when there is none."""
        return self.root.find(lambda e: e.tag == "head") or Element("head", {})

    @functools.cached_property
    def visible(self) -> str:
        """Everything a reader can meet as text: words, alternatives, labels, file names."""
        pieces = self.body.texts()
        for element in self.root.walk():
            for name, value in element.attributes.items():
                if name in TEXT_ATTRIBUTES or (name == "href" and not value.startswith("data:")):
                    pieces.append(value)
        return "\n".join((*pieces, *(e.text() for e in self.head.tagged("title"))))

    def meta(self, name: str) -> str:
        """Return the content of a meta element by name; empty when there is none."""
        found = [e for e in self.head.tagged("meta") if e.attributes.get("name") == name]
        return found[0].attributes.get("content", "") if found else ""


def read_page(source: str) -> Page:
    """Read a page.

    Parameters
    ----------
    source : str
        HTML as written by our template: explicit end tags, quoted attributes.

    Returns
    -------
    Page
    """
    reader = _Reader(source)
    reader.feed(source)
    reader.close()
    for element in reader.open:  # what nobody closed reaches to the end
        element.last = len(reader.order.elements)
    return Page(source=source, root=reader.root)


class _Reader(HTMLParser):
    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {}, end=len(source))
        self.order = self.root.order
        self.open = [self.root]
        self.at = 0

    def updatepos(self, i: int, j: int) -> int:
        """Count characters; the parser would count lines."""
        self.at += max(j - i, 0)
        return j

    def parse_starttag(self, i: int) -> int:
        """Read a tag at once that leaves nothing to decide; all others are read by the standard library."""
        found = _PLAIN_TAG.match(self.rawdata, i)
        if found is None or found[1] in _READ_OTHERWISE:
            return super().parse_starttag(i)
        attributes: list[tuple[str, str | None]] = [(k.lower(), v) for k, v in _ATTRIBUTE.findall(found[2])]
        element = self._add(found[1], attributes, found.end() - i)
        if not found[3] and found[1] not in VOID:
            self.open.append(element)
        return found.end()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = self._add(tag, attrs, len(self.get_starttag_text() or ""))
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._add(tag, attrs, len(self.get_starttag_text() or ""))

    def handle_endtag(self, tag: str) -> None:
        for i in range(len(self.open) - 1, 0, -1):
            if self.open[i].tag == tag:
                for element in self.open[i:]:
                    element.end, element.last = self.at, len(self.order.elements)
                del self.open[i:]
                return

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)

    def _add(self, tag: str, attrs: list[tuple[str, str | None]], length: int) -> Element:
        begin = self.at + length
        # of a doubled attribute browsers keep the first
        attributes = {name: value or "" for name, value in reversed(attrs)}
        element = Element(tag, attributes, self.open[-1], [], begin, begin, self.order)
        self.open[-1].children.append(element)
        self.order.add(element)
        return element
