"""Writes a small old workbook (BIFF8 in a compound file), so that tests state every byte that matters to them."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
STRUCK = 0x0008


def _record(code: int, data: bytes = b"") -> bytes:
    return struct.pack("<HH", code, len(data)) + data


def _text(value: str, *, wide: bool) -> bytes:
    length = struct.pack("<H" if wide else "<B", len(value))
    return length + b"\x01" + value.encode("utf-16-le")


def _font(flags: int = 0, escapement: int = 0) -> bytes:
    return _record(
        0x31, struct.pack("<HHHHHBBBB", 200, flags, 0x7FFF, 400, escapement, 0, 0, 0, 0) + _text("A", wide=False)
    )


def _cell(row: int, column: int, value: Any, xf: int) -> bytes:
    place = struct.pack("<HHH", row, column, xf)
    if isinstance(value, bool):
        return _record(0x205, place + bytes([value, 0]))
    if isinstance(value, bytes):  # an error, by its number
        return _record(0x205, place + value + b"\x01")
    if isinstance(value, str):
        return _record(0x204, place + _text(value, wide=True))
    if isinstance(value, tuple):  # a text and its runs: where each begins, and its font
        text, runs = value
        marks = b"".join(struct.pack("<HH", *run) for run in runs)
        return _record(0xD6, place + _text(text, wide=True) + struct.pack("<H", len(runs)) + marks)
    return _record(0x203, place + struct.pack("<d", value))


def biff(
    sheets: Mapping[str, Sequence[Sequence[Any]]],
    *,
    formats: Sequence[str] = (),
    styled: Mapping[tuple[int, int], int] | None = None,
    is_1904: bool = False,
    merges: Sequence[tuple[int, int, int, int]] = (),
    hidden: Sequence[str] = (),
) -> bytes:
    """Return the stream of a workbook; style n has the n-th format, style -1 a struck font.

    Fonts: 0 to 3 plain, 5 raised, 6 struck (4 is left out by the format).
    """
    starts = _record(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 0)) + _record(0x22, struct.pack("<H", is_1904))
    starts += b"".join(_font() for _ in range(4)) + _font(escapement=1) + _font(STRUCK)
    for number, code in enumerate(formats):
        starts += _record(0x41E, struct.pack("<H", 164 + number) + _text(code, wide=True))
    for font, number in ((0, 0), (6, 0), *((0, 164 + n) for n in range(len(formats)))):
        starts += _record(0xE0, struct.pack("<HHH", font, number, 0) + bytes(14))
    bodies = []
    for rows in sheets.values():
        body = _record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 0))
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                if value is not None:
                    style = (styled or {}).get((i, j))
                    body += _cell(i, j, value, 0 if style is None else 2 + style)
        if merges:
            body += _record(0xE5, struct.pack("<H", len(merges)) + b"".join(struct.pack("<HHHH", *m) for m in merges))
        bodies.append(body + _record(0x0A))
    names = [name.encode("utf-16-le") for name in sheets]
    at = len(starts) + sum(4 + 8 + len(name) for name in names) + 4
    for (title, name), body in zip(zip(sheets, names, strict=True), bodies, strict=True):
        starts += _record(0x85, struct.pack("<IBBBB", at, title in hidden, 0, len(title), 1) + name)
        at += len(body)
    return starts + _record(0x0A) + b"".join(bodies)


def compound(stream: bytes, name: str = "Workbook") -> bytes:
    """Return a compound file with one stream."""
    stream += bytes(max(4096, -(-len(stream) // 512) * 512) - len(stream))
    sectors = len(stream) // 512
    chain = [FAT, END, *range(3, sectors + 2), END]
    table = struct.pack("<128I", *chain, *[FREE] * (128 - len(chain)))
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + struct.pack("<HHHHH", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    header += struct.pack("<IIIIIIIII", 0, 1, 1, 0, 4096, END, 0, END, 0) + struct.pack("<109I", 0, *[FREE] * 108)

    def entry(title: str, kind: int, child: int, start: int, size: int) -> bytes:
        raw = title.encode("utf-16-le") + b"\0\0"
        head = raw.ljust(64, b"\0") + struct.pack("<HBB", len(raw), kind, 1) + struct.pack("<III", FREE, FREE, child)
        return head + bytes(36) + struct.pack("<IQ", start, size)

    folder = entry("Root Entry", 5, 1, END, 0) + entry(name, 2, FREE, 2, len(stream)) + bytes(256)
    return header + table + folder + stream


def old_workbook(rows: Sequence[Sequence[Any]], **options: Any) -> bytes:
    """Return an .xls with one sheet S."""
    return compound(biff({"S": rows}, **options))
