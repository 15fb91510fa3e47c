"""Tables added to and taken out of a specification by its lines, so that every comment stays where it stands.

A library that keeps comments (tomlkit 0.15) gives the lines above the next table to the one before it: they vanish with
that one, and a table that is added slips between them. So the text is cut by lines, and read again before it is kept.
"""

from __future__ import annotations

import json
import pathlib
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from qbase.core.errors import SetupError
from qbase.core.whole_files import write_atomic

_HEADER = re.compile(r"\s*\[")
_COMMENT = re.compile(r"\s*(#.*)?")
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def add_table(path: pathlib.Path, parent: str, name: str, values: Mapping[str, Any]) -> None:
    """Write ``[parent.name]`` at the end of a file.

    Parameters
    ----------
    path : Path
        A TOML file without this table.
    parent, name : str
        Of the table.
    values : mapping
        Text, numbers, truth values, lists of them, and mappings of them.

    Raises
    ------
    SetupError
        The text would say something else than what is meant; nothing is written (QB860).
    """
    text = _read(path)
    raw = tomllib.loads(text)
    expected = {**raw, parent: {**raw.get(parent, {}), name: dict(values)}}
    block = [f"[{parent}.{name}]", *(f"{_key(key)} = {_value(value)}" for key, value in values.items())]
    _keep(path, [text.rstrip("\n") + "\n\n" + "\n".join(block) + "\n"], expected, f"[{parent}.{name}]")


def drop_table(path: pathlib.Path, parent: str, name: str) -> None:
    """Take ``[parent.name]`` out of a file; comments above it and below its last line stay.

    Parameters
    ----------
    path : Path
        A TOML file with this table.
    parent, name : str
        Of the table.

    Raises
    ------
    SetupError
        The table cannot be cut out by lines; nothing is written (QB860).
    """
    text = _read(path)
    raw = tomllib.loads(text)
    left = {key: value for key, value in raw[parent].items() if key != name}
    expected = {**raw, parent: left}
    if not left:
        del expected[parent]
    lines = text.splitlines(keepends=True)
    headers = [at for at, line in enumerate(lines) if _HEADER.match(line)]
    # a line of a text or of a list may look like a header: what is cut out is judged by what is left
    ends = {begin: [at for at in [*headers, len(lines)] if at > begin] for begin in headers}
    cuts = ((begin, end) for begin in headers for end in ends[begin])
    tried = ("".join(lines[:begin] + _tail(lines[begin:end]) + lines[end:]) for begin, end in cuts)
    _keep(path, tried, expected, f"[{parent}.{name}]")


def _tail(block: list[str]) -> list[str]:
    """Return the comments and blank lines that end a block."""
    end = len(block)
    while end and _COMMENT.fullmatch(block[end - 1].rstrip("\r\n")):
        end -= 1
    return block[end:]


def _keep(path: pathlib.Path, texts: Any, expected: Mapping[str, Any], table: str) -> None:
    """Write the first text that says what is meant."""
    for text in texts:
        try:
            is_meant = tomllib.loads(text) == expected
        except tomllib.TOMLDecodeError:
            continue
        if is_meant:
            write_atomic(path, text)
            return
    raise SetupError(
        "QB860",
        file=path.name,
        found=f"{table} cannot be told from its neighbours by lines",
        expected=f"a table that begins with a line {table}",
        fix=f"edit {path.name} by hand",
    )


def _read(path: pathlib.Path) -> str:
    # line ends stay as they are
    return path.read_bytes().decode("utf-8")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    # texts, numbers and truth values are written alike in JSON and TOML
    return json.dumps(value, ensure_ascii=False)
