"""Words of a call that are plainly right are taken as they are; typer judges the rest and words the errors.

typer judges with pydantic, whose import alone costs more than all that ``qbase list`` does.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

DIGITS = 9


class PlainValues:
    """Stands before the judge of one option or argument and answers in its place where nothing is to be judged.

    Parameters
    ----------
    option : object
        Option or argument of a command that typer built.
    """

    def __init__(self, option: Any) -> None:
        self._judge = option.get_runtime_param
        self._declared = option.type_descriptor
        self._is_several = option.multiple or option.nargs == -1

    def coerce(self, value: Any, *, param: Any, ctx: Any) -> Any:
        """Return what the command receives; errors are those of typer."""
        if value is None:
            return () if self._is_several else None
        kind, info = self._declared.annotation, self._declared.parameter_info
        if self._is_several and get_origin(kind) is list:
            (each,) = get_args(kind)
            if isinstance(value, tuple | list) and all(_is_plain(item, each, info) for item in value):
                return [_made(item, each) for item in value]
        elif not self._is_several and _is_plain(value, kind, info):
            return _made(value, kind)
        return self._judge().coerce(value, param=param, ctx=ctx)

    def itself(self) -> PlainValues:
        """Return the object: what an option asks for when it wants its judge."""
        return self


def stand_before(options: Iterable[Any]) -> list[Any]:
    """Let a `PlainValues` answer for every option, and return them; one of another make of typer stays as it is."""
    found = list(options)
    for option in found:
        is_known = hasattr(option, "type_descriptor") and hasattr(type(option), "get_runtime_param")
        if is_known and "get_runtime_param" not in vars(option):
            option.get_runtime_param = PlainValues(option).itself
    return found


def _is_plain(value: Any, kind: Any, info: Any) -> bool:
    if info.parser is not None:
        return False
    if kind is int:
        return (
            (isinstance(value, int) or _is_number(value))
            and (info.min is None or int(value) >= info.min)
            and (info.max is None or int(value) <= info.max)
        )
    if not isinstance(value, str):
        return False
    if kind is pathlib.Path:
        asked = info.exists or info.writable or info.resolve_path or info.allow_dash or info.path_type is not None
        return not asked and info.file_okay and info.dir_okay and _is_readable_or_absent(value)
    return kind is str or (get_origin(kind) is Literal and value in get_args(kind))


def _made(value: Any, kind: Any) -> Any:
    return kind(value) if kind in (int, pathlib.Path) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= DIGITS


def _is_readable_or_absent(path: str) -> bool:
    return bool(path) and "\0" not in path and (os.access(path, os.R_OK) or not os.path.lexists(path))
