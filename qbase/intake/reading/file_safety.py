"""Whether a file is what its name says, and whether it is safe to open at all."""

from __future__ import annotations

import gzip
import io
import pathlib
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from xml.parsers import expat

from qbase.core.errors import DataError
from qbase.intake.reading.sheet_cells import Refused

MAX_ENTRIES = 2000
MAX_RATIO = 100
FREE_BYTES = 10_000_000  # below this size any ratio is harmless
MAX_BYTES = 2_000_000_000
BLOCK = 1 << 20

KINDS = {".csv": "csv", ".txt": "csv", ".tsv": "csv", ".xlsx": "xlsx", ".xlsm": "xlsx", ".xls": "xls", ".ods": "ods"}
WORKBOOKS = ("xlsx", "xls", "ods")
PAGES = {"HTML": "html", "XML 2003": "xml", "MHT": "mht"}  # what office systems export and name .xls
ZIP, OLE, GZIP = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"\x1f\x8b"
WANTED = {
    "csv": "text", "gzip": "gzip", "xlsx": "zip / xlsx", "ods": "zip / xlsx", "xls": "OLE (xls, or an encrypted xlsx)",
}  # fmt: skip
MAGIC = (
    (ZIP, "zip / xlsx"),
    (b"PK\x05\x06", "zip (empty)"),
    (OLE, "OLE (xls, or an encrypted xlsx)"),
    (GZIP, "gzip"),
    (b"BZh", "bzip2"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!", "rar"),
    (b"%PDF", "PDF"),
    (b"PAR1", "Parquet"),
    (b"\x89PNG", "PNG"),
    (b"\x09\x00\x04\x00", "BIFF2"),
    (b"\x09\x02\x06\x00", "BIFF3"),
    (b"\x09\x04\x06\x00", "BIFF4"),
    (b"\x80\x02", "pickle"),
    (b"\x80\x03", "pickle"),
    (b"\x80\x04", "pickle"),
    (b"\x80\x05", "pickle"),
)
MARKUP = (
    b"<!doctype", b"<html", b"<?xml", b"<table", b"<meta", b"<head", b"<script", b"<body", b"<style", b"<div", b"<!--",
    b"<workbook", b"<ss:workbook",
)  # fmt: skip
_MHT = re.compile(rb"(?:(?:from|date|subject|to|x-[\w-]+):[^\n]*\r?\n)*(?:mime-version|content-type: *multipart):?")


def is_workbook(name: str) -> bool:
    """Return whether a name claims to be a workbook."""
    return KINDS.get(pathlib.PurePath(name).suffix.lower()) in WORKBOOKS


def find_kind(name: str, head: bytes, *, compression: str = "") -> str:
    """Return how a file is to be read: ``csv``, ``gzip``, ``xlsx``, ``xls``, ``ods``, ``html``, ``xml`` or ``mht``.

    Parameters
    ----------
    name : str
        File name.
    head : bytes
        Its first bytes.
    compression : str
        ``gzip`` where the recipe says so.

    Returns
    -------
    str
        The kind its name claims and its bytes confirm. What is named .xls may be a web page, XML or text as well.

    Raises
    ------
    DataError
        The ending is unknown (QB310), the file is empty (QB323), or the bytes are of another kind (QB311).
    """
    suffixes = [suffix.lower() for suffix in pathlib.PurePath(name).suffixes]
    is_packed = bool(suffixes) and suffixes[-1] == ".gz"
    kind = "gzip" if is_packed else KINDS.get(suffixes[-1] if suffixes else "", "")
    if not kind or (is_packed and compression != "gzip"):
        expected = " ".join(KINDS)
        fix = '--recipe (compression = "gzip")' if is_packed else ".xlsx / .csv"
        raise DataError("QB310", file=name, found=suffixes[-1] if suffixes else name, expected=expected, fix=fix)
    if not head:
        raise DataError("QB323", file=name, found="0 bytes", expected=">= 1", fix=f"send {name} again")
    found = _content(head)
    wanted = WANTED[kind]
    if kind == "xls" and (found in PAGES or found == "text"):
        return PAGES.get(found, "csv")
    if found != wanted:
        raise DataError("QB311", file=name, found=found, expected=wanted, fix=_rename(name, found))
    return kind


def _content(head: bytes) -> str:
    for magic, kind in MAGIC:
        if head.startswith(magic):
            return kind
    # UTF-16 is seen through; what it says is decided later, by strict decoding
    plain = head[2:].replace(b"\0", b"") if head[:2] in (b"\xff\xfe", b"\xfe\xff") else head
    start = plain.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if _MHT.match(start):
        return "MHT"
    if not start.startswith(MARKUP):
        return "text"
    return "XML 2003" if b"urn:schemas-microsoft-com:office:spreadsheet" in start and b"<html" not in start else "HTML"


def _rename(name: str, found: str) -> str:
    stem = pathlib.PurePath(name).stem
    endings = {"text": ".csv", "zip / xlsx": ".xlsx"}
    return f"{stem}{endings[found]}" if found in endings else f"Excel: {stem}.xlsx"


def unpack_gzip(data: bytes, name: str) -> bytes:
    """Unpack a gzip file, refusing bombs and broken archives.

    Raises
    ------
    DataError
        The archive is broken (QB316), or unpacks to more than is reasonable (QB317).
    """
    parts: list[bytes] = []
    size = 0
    limit = min(MAX_BYTES, max(FREE_BYTES, MAX_RATIO * len(data)))
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            while part := file.read(BLOCK):
                size += len(part)
                if size > limit:
                    raise _too_large(name, f"> {size:,} bytes from {len(data):,}")
                parts.append(part)
    except (OSError, EOFError, zlib.error) as error:
        raise _broken(name, str(error)) from None
    return b"".join(parts)


def check_archive(path: pathlib.Path, name: str) -> None:
    """Check a zip archive (xlsx, ods) from its directory, before anything is unpacked.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        What errors call it.

    Raises
    ------
    DataError
        Broken or truncated (QB316), too large, too many entries or packed too densely (QB317), encrypted (QB325).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise _broken(name, str(error)) from None
    if len(entries) > MAX_ENTRIES:
        raise _too_large(name, f"{len(entries):,} entries")
    declared = sum(entry.file_size for entry in entries)
    packed = max(1, path.stat().st_size)
    if declared > MAX_BYTES or (declared > FREE_BYTES and declared / packed > MAX_RATIO):
        raise _too_large(name, f"{declared:,} bytes from {packed:,} ({declared // packed}:1)")
    if any(entry.flag_bits & 1 for entry in entries):
        raise DataError("QB325", file=name, found="zip: encrypted", expected="-", fix="Excel: remove the password")


def _broken(name: str, found: str) -> DataError:
    return DataError("QB316", file=name, found=found, expected="a whole file", fix=f"send {name} again")


def _too_large(name: str, found: str) -> DataError:
    expected = f"<= {MAX_ENTRIES:,} entries, <= {MAX_BYTES:,} bytes, <= {MAX_RATIO}:1 above {FREE_BYTES:,} bytes"
    return DataError("QB317", file=name, found=found, expected=expected, fix="CSV")


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
    parser = build_parser()
    parser.buffer_text = True
    parser.StartElementHandler = lambda tag, attributes: start(_local(tag), _plain(attributes))
    parser.EndElementHandler = (lambda tag: end(_local(tag))) if end else None
    parser.CharacterDataHandler = text
    try:
        for block in blocks:
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise Refused("broken", f"{name}: {error}") from None


def build_parser() -> expat.XMLParserType:
    """Return a parser of XML that refuses a document type; names of elements are ``namespace}name``."""
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(*_: object) -> None:
    raise Refused("doctype", "<!DOCTYPE")


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _plain(attributes: dict[str, str]) -> dict[str, str]:
    if not any("}" in name for name in attributes):
        return attributes
    # a name of its own, without prefix, goes before one of another namespace
    return {_local(name): value for name, value in sorted(attributes.items(), key=lambda item: "}" not in item[0])}
