"""Our own drawings are checked as strict XML before they go into the page unchanged.

Sanitisers drop ``use`` and style properties that a drawing needs, so nothing is repaired here: a drawing
either keeps to the list below or the run fails.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NoReturn
from xml.parsers import expat

from qbase.core.errors import RunError

NAMESPACE = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
ELEMENTS = frozenset({
    "svg", "title", "desc", "defs", "g", "path", "line", "polyline", "polygon", "rect", "circle", "ellipse", "text",
    "tspan", "use", "symbol", "marker", "clipPath", "linearGradient", "radialGradient", "stop", "pattern",
})  # fmt: skip
WORDS_ONLY = frozenset({"title", "desc"})
ATTRIBUTES = frozenset({
    "id", "class", "d", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "ry", "dx", "dy", "points", "width",
    "height", "viewBox", "preserveAspectRatio", "transform", "version", "rotate", "textLength", "lengthAdjust",
    "offset", "gradientUnits", "gradientTransform", "spreadMethod", "fx", "fy", "patternUnits", "patternContentUnits",
    "patternTransform", "markerWidth", "markerHeight", "markerUnits", "refX", "refY", "orient", "clipPathUnits",
    "overflow", "role", "lang", "xml:lang", "xml:space", "focusable", "tabindex", "style", "href", "xlink:href",
    "xmlns", "xmlns:xlink",
})  # fmt: skip
PROPERTIES = frozenset({
    "fill", "fill-opacity", "fill-rule", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray",
    "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit", "opacity", "color", "font-family",
    "font-size", "font-weight", "font-style", "font-stretch", "font-variant", "font-variant-numeric", "text-anchor",
    "text-decoration", "dominant-baseline", "alignment-baseline", "baseline-shift", "letter-spacing", "word-spacing",
    "paint-order", "vector-effect", "clip-path", "clip-rule", "marker-start", "marker-mid", "marker-end",
    "stop-color", "stop-opacity", "shape-rendering", "text-rendering", "display", "visibility", "overflow",
    "white-space", "writing-mode",
})  # fmt: skip
_URL = re.compile(r"url\(\s*(?P<target>[^)]*)\)", re.IGNORECASE)
_FRAGMENT = re.compile(r"#[\w.:-]+\Z")
_VALUE = re.compile(r"[\w\s.,#%()+/'\"–−-]*\Z")
_ARIA = re.compile(r"(?:aria|data)-[a-z-]+\Z")


def check_svg(svg: str) -> str:
    """Check a drawing and return it unchanged.

    Parameters
    ----------
    svg : str
        One ``svg`` element, without prologue, comments or processing instructions.

    Returns
    -------
    str
        The same text.

    Raises
    ------
    RunError
        It is not well-formed, or carries a document type, an entity, a comment or an instruction (QB760);
        an element, an attribute, a style property or a reference is not on the list (QB761).

    Examples
    --------
    >>> from qbase.release import check_svg
    >>> check_svg('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="4" height="4"/></svg>')
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="4" height="4"/></svg>'
    >>> check_svg('<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>')
    Traceback (most recent call last):
        ...
    qbase.core.errors.RunError: error[QB761] the drawing holds something that is not allowed
      found     element script
      expected  elements such as circle, clipPath, defs, desc, ellipse, g, line, linearGradient
      to fix    draw it with a plot_ function of qbase.figures
    """
    if not svg.startswith("<svg"):
        _not_xml(repr(svg[:40]), "text that begins with <svg")
    parser = expat.ParserCreate()
    walker = _Walker()
    parser.StartElementHandler = walker.start
    parser.EndElementHandler = walker.end
    parser.StartDoctypeDeclHandler = walker.refuse("a document type")
    parser.EntityDeclHandler = walker.refuse("an entity declaration")
    parser.ProcessingInstructionHandler = walker.refuse("a processing instruction")
    parser.CommentHandler = walker.refuse("a comment")
    parser.StartCdataSectionHandler = walker.refuse("a CDATA section")
    try:
        parser.Parse(svg.encode("utf-8"), True)
    except expat.ExpatError as error:
        _not_xml(str(error), "well-formed XML")
    except UnicodeEncodeError:
        _not_xml("half a character", "Unicode text")
    return svg


class _Walker:
    """Reads elements as they come and refuses the first that is not on the list."""

    def __init__(self) -> None:
        self.path: list[str] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag not in ELEMENTS or (not self.path and tag != "svg"):
            _not_listed(f"element {tag}", "elements such as " + ", ".join(sorted(ELEMENTS)[:8]))
        if self.path and self.path[-1] in WORDS_ONLY:
            _not_listed(f"element {tag} inside {self.path[-1]}", "words only")
        for name, value in attributes.items():
            _check_attribute(tag, name, value)
        self.path.append(tag)

    def end(self, tag: str) -> None:
        self.path.pop()

    def refuse(self, what: str) -> Callable[..., None]:
        def handler(*_: object) -> None:
            _not_xml(what, "elements and text only")

        return handler


def _check_attribute(tag: str, name: str, value: str) -> None:
    where = f"{name} of {tag}"
    if name in {"href", "xlink:href"}:
        if not _FRAGMENT.match(value):
            _not_listed(f"{where} = {value[:60]}", "#id of the same drawing")
    elif name in {"xmlns", "xmlns:xlink"}:
        if value != (NAMESPACE if name == "xmlns" else XLINK):
            _not_listed(f"{where} = {value[:60]}", NAMESPACE)
    elif name == "style":
        for declaration in filter(str.strip, value.split(";")):
            prop, _, setting = declaration.partition(":")
            if prop.strip().lower() not in PROPERTIES:
                _not_listed(f"property {prop.strip()[:40]} of {tag}", "drawing properties")
            _check_value(f"{prop.strip()} of {tag}", setting)
    elif name in PROPERTIES:
        _check_value(where, value)
    elif name not in ATTRIBUTES and not _ARIA.match(name):
        _not_listed(f"attribute {where}", "drawing attributes")


def _check_value(where: str, value: str) -> None:
    targets = [m["target"].strip("\"' ") for m in _URL.finditer(value)]
    if any(not _FRAGMENT.match(t) for t in targets) or not _VALUE.match(value):
        _not_listed(f"{where} = {value.strip()[:60]}", "numbers, colours, var(--role) and url(#id)")


def _not_xml(found: str, expected: str) -> NoReturn:
    raise RunError("QB760", found=found, expected=expected, fix="draw it with a plot_ function of qbase.figures")


def _not_listed(found: str, expected: str) -> NoReturn:
    raise RunError("QB761", found=found, expected=expected, fix="draw it with a plot_ function of qbase.figures")
