"""XML as a stream: no document type, no entities, no external parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from xml.parsers import expat

from qbase.intake.reading.sheet_cells import Refused


def parse_xml(
    blocks: Iterable[bytes],
    name: str,
    *,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Stream XML through expat; a document type declaration is refused.

    Parameters
    ----------
    blocks : iterable of bytes
        The document, a piece at a time.
    name : str
        What errors call it.
    start, end, text : callable
        What to do with elements (local name, attributes with local names) and text.

    Raises
    ------
    Refused
        It is broken, or declares a document type.
    """
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler = lambda tag, attributes: start(_local(tag), _plain(attributes))
    parser.EndElementHandler = (lambda tag: end(_local(tag))) if end else None
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        for block in blocks:
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise Refused("broken", f"{name}: {error}") from None


def _refuse_doctype(*_: object) -> None:
    raise Refused("doctype", "<!DOCTYPE")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _plain(attributes: dict[str, str]) -> dict[str, str]:
    if not any("}" in name for name in attributes):
        return attributes
    # a name of its own, without prefix, goes before one of another namespace
    return {_local(name): value for name, value in sorted(attributes.items(), key=lambda item: "}" not in item[0])}
