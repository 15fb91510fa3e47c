"""Foreign HTML made inert: an allow-list on tags, attributes and addresses, applied by nh3."""

from __future__ import annotations

import re

import nh3

from qbase.core.lazy import read_once

TAGS = frozenset({
    "a", "abbr", "b", "blockquote", "br", "caption", "code", "col", "colgroup", "dd", "del", "div", "dl", "dt", "em",
    "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "mark", "ol",
    "p", "pre", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th",
    "thead", "tr", "u", "ul", "var",
})  # fmt: skip
# what stands inside these is not text of the report: it goes with the tag
DROPPED_WITH_CONTENT = frozenset({
    "script", "style", "template", "iframe", "object", "embed", "applet", "noscript", "svg", "math", "form", "select",
    "textarea", "title", "head", "audio", "video", "canvas", "noembed", "noframes", "xmp", "plaintext",
})  # fmt: skip
ATTRIBUTES = {
    "a": {"href", "title"},
    "abbr": {"title"},
    "col": {"span"},
    "colgroup": {"span"},
    "img": {"src", "alt"},
    "ol": {"start"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
}
SCHEMES = frozenset({"https", "mailto", "data"})
LINK = re.compile(r"(?:https://|mailto:|#)[^\s\x00-\x1f]*\Z", re.IGNORECASE)
IMAGE = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/=\s]+\Z")
_NO_SOURCE = re.compile(r"<img(?![^>]*\ssrc=)[^>]*>")
_NO_ALT = re.compile(r"<img(?![^>]*\salt=)")


def clean_html(html: str) -> str:
    """Return foreign HTML without anything that acts, loads or styles.

    Tables, headings, lists, text marks, images as ``data:image/png`` or ``jpeg`` and links to https, mailto
    and ``#`` stay. Scripts, styles, SVG, forms, ids, classes and handlers go.

    Parameters
    ----------
    html : str
        A fragment made by a foreign library or by Markdown.

    Returns
    -------
    str
        Well-formed HTML; every image has ``alt``, empty where its maker gave none.

    Examples
    --------
    >>> from qbase.release import clean_html
    >>> clean_html('<p onclick="go()">Rate <b>92 %</b></p><script>alert(1)</script>')
    '<p>Rate <b>92 %</b></p>'
    """
    cleaned = _cleaner().clean(html)
    cleaned = _NO_SOURCE.sub("", cleaned)
    return _NO_ALT.sub('<img alt=""', cleaned)


@read_once
def _cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(TAGS),
        clean_content_tags=set(DROPPED_WITH_CONTENT),
        attributes=ATTRIBUTES,
        attribute_filter=_keep,
        url_schemes=set(SCHEMES),
        link_rel="noopener noreferrer",
    )


def _keep(tag: str, attribute: str, value: str) -> str | None:
    if attribute == "href":
        return value if LINK.match(value) else None
    if attribute == "src":
        return value if IMAGE.match(value) else None
    if attribute in {"colspan", "rowspan", "span", "start"}:
        return value if value.isascii() and value.isdigit() and len(value) < 5 else None
    return value
