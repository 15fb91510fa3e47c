"""From matplotlib's SVG to the SVG of a report: our own element list, roles instead of colours, stable bytes.

The result carries no script, style block, metadata or outside link; `Figure` drawings travel in this
form only and are checked again before they are shown.
"""

from __future__ import annotations

import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import NoReturn

from qbase.core.errors import DataError
from qbase.core.shown.palette import DRAWING_ROLES, LIGHT

ELEMENTS = frozenset({
    "svg", "g", "path", "text", "tspan", "defs", "clipPath", "rect", "use", "title", "desc", "circle", "line",
    "polyline", "polygon", "ellipse",
})  # fmt: skip
ATTRIBUTES = frozenset({
    "viewBox", "x", "y", "width", "height", "d", "points", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry",
    "transform", "preserveAspectRatio", "clip-path", "style", "class", "id", "href", "role", "aria-labelledby",
    "aria-hidden",
})  # fmt: skip
STYLES = frozenset({
    "fill", "fill-opacity", "fill-rule", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray",
    "stroke-dashoffset", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit", "opacity", "font-size",
    "font-weight", "font-style", "text-anchor",
})  # fmt: skip
ROLE_OF = {LIGHT[role]: f"var(--{role})" for role in reversed(DRAWING_ROLES)}
JOINS = "stroke-linejoin:round;stroke-linecap:butt"

_NUMBER = re.compile(r"-?\d*\.\d+(?:e-?\d+)?")
_HEX = re.compile(r"#[0-9a-f]{6}\b", re.IGNORECASE)
_REF = re.compile(r"url\(#([^)]+)\)")
_IDLE_TRANSFORM = re.compile(r"rotate\(-?0(?: [^)]*)?\)")


def finish_svg(raw: str, *, name: str, title: str, desc: str) -> str:
    """Turn the SVG that matplotlib wrote into the one a report carries.

    Parameters
    ----------
    raw : str
        As written by matplotlib with ``svg.fonttype = none``.
    name : str
        Of figure and variant; enters the id prefix.
    title, desc : str
        Text alternative, read by screen readers.

    Returns
    -------
    str
        One ``<svg>`` element without namespace, ready to stand inside HTML. The same input gives the same bytes.

    Raises
    ------
    DataError
        Something outside the list is left (QB709).
    """
    source = ET.fromstring(raw[raw.index("<svg") :])  # noqa: S314 - no DTD is left, and expat reads no entity files
    body = ET.Element("g", {"style": JOINS})
    body.extend(part for child in source for part in _clean(child))
    _simplify(body)
    box = " ".join(_short(v) for v in source.attrib["viewBox"].split())
    prefix = "q" + hashlib.sha256("\0".join([name, title, desc, _write(body)]).encode()).hexdigest()[:10]
    _rename(body, prefix)
    root = ET.Element("svg", {"viewBox": box, "role": "img", "aria-labelledby": f"{prefix}t {prefix}d"})
    ET.SubElement(root, "title", {"id": f"{prefix}t"}).text = title
    ET.SubElement(root, "desc", {"id": f"{prefix}d"}).text = desc
    root.append(body)
    text = _write(root)
    _refuse_leftovers(root, text)
    return text


def _write(element: ET.Element) -> str:
    return ET.tostring(element, encoding="unicode")


def _clean(element: ET.Element) -> Iterator[ET.Element]:
    """Yield the clean form of an element: none for what we drop, several for a group without meaning."""
    tag = element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
    if tag in {"metadata", "style", ""}:
        return
    children = [part for child in element for part in _clean(child)]
    attributes = dict(_attributes(element, tag))
    if (tag == "g" and not {"style", "transform", "clip-path"} & attributes.keys()) or (tag == "defs" and not children):
        yield from children
        return
    made = ET.Element(tag, attributes)
    made.text = element.text if tag == "text" else None
    made.extend(children)
    yield made


def _attributes(element: ET.Element, tag: str) -> Iterator[tuple[str, str]]:
    for name, value in element.attrib.items():
        local = name.rpartition("}")[2]
        if local == "style":
            value = short_style(value)
        elif local == "transform":
            value = _short(_IDLE_TRANSFORM.sub("", value)).strip()
        elif local == "d":
            value = " ".join(_short(value).split())
        elif local not in {"id", "href"}:
            value = _short(value)
        if value and (local != "id" or tag in {"path", "clipPath"}):
            yield local, value


def short_style(style: str) -> str:
    """Return a style with what reports know of it: two decimals, roles instead of colours."""
    kept = []
    for part in style.split(";"):
        key, _, value = (p.strip() for p in part.partition(":"))
        if key in STYLES and not (key == "text-anchor" and value == "start"):
            kept.append(f"{key}:{_role(_short(value))}")
    return ";".join(kept)


def _role(value: str) -> str:
    return _HEX.sub(lambda m: ROLE_OF.get(m[0].lower(), m[0]), value)


def _short(value: str) -> str:
    return _NUMBER.sub(_two_decimals, value)


def _two_decimals(match: re.Match[str]) -> str:
    text = f"{float(match[0]):.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _simplify(body: ET.Element) -> None:
    """Drop ids nobody refers to."""
    used = {ref for element in body.iter() for ref in _references(element)}
    for element in body.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)


def _references(element: ET.Element) -> Iterator[str]:
    if "href" in element.attrib:
        yield element.attrib["href"].removeprefix("#")
    if "clip-path" in element.attrib:
        yield from _REF.findall(element.attrib["clip-path"])


def _rename(body: ET.Element, prefix: str) -> None:
    names: dict[str, str] = {}
    for element in body.iter():
        if "id" in element.attrib:
            names[element.attrib["id"]] = f"{prefix}-{len(names) + 1}"
    for element in body.iter():
        for reference in _references(element):
            if reference not in names:
                refuse(f"reference to {reference}")
        if "id" in element.attrib:
            element.set("id", names[element.attrib["id"]])
        if "href" in element.attrib:
            element.set("href", "#" + names[element.attrib["href"].removeprefix("#")])
        if "clip-path" in element.attrib:
            element.set("clip-path", _REF.sub(lambda m: f"url(#{names[m[1]]})", element.attrib["clip-path"]))


def _refuse_leftovers(root: ET.Element, text: str) -> None:
    for element in root.iter():
        wrong = [n for n in element.attrib if n not in ATTRIBUTES]
        if element.tag not in ELEMENTS or wrong:
            refuse(f"{element.tag} {' '.join(wrong)}".strip())
    styles = " ".join(element.get("style", "") for element in root.iter())
    if (left := _HEX.search(styles)) or (left := re.search(r"url\((?!#)", text)):
        refuse(left[0])


def refuse(what: str) -> NoReturn:
    """Refuse a drawing for something outside the list.

    Raises
    ------
    DataError
        Always (QB709).
    """
    raise DataError(
        "QB709", what=what, found=what, expected="elements, attributes and colour roles of the house", fix="report it"
    )
