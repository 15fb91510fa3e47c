"""The installed package, and what of it is loaded when first used: names of a room, and what is read once.

``qbase --help`` pays for none of it.
"""

from __future__ import annotations

import functools
import importlib
import pathlib
import sys
from collections.abc import Callable
from typing import Any, TypeVar

VERSION = "0.1.0"
PACKAGE = pathlib.Path(__file__).resolve().parents[1]
"""Folder of the package; its parent is what a child process needs on its path."""

T = TypeVar("T")
_read_once: list[Callable[[], object]] = []


def read_once(function: Callable[[], T]) -> Callable[[], T]:
    """Keep what a function without arguments returns, and let `prepare` call it ahead of its first use."""
    kept = functools.cache(function)
    _read_once.append(kept)
    return kept


def prepare() -> None:
    """Call every function that is kept so, before a process forks; they read files of the package and nothing else."""
    for function in _read_once:
        function()


def lazy_room(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` of a package whose public names are imported when first used (PEP 562).

    The names are written once, in the package's ``if TYPE_CHECKING:`` block, where type checkers and editors read
    them: ``from qbase.room.module import name as name``. ``__all__`` follows from it.

    Parameters
    ----------
    package : str
        ``__name__`` of the package, being imported.

    Returns
    -------
    tuple of (callable, callable)
        The first loads a name and keeps it, the second lists exactly the public names.

    Raises
    ------
    AttributeError
        By the first callable, for a name the package does not hold.

    Examples
    --------
    >>> import qbase.export
    >>> load, names = lazy_room("qbase.export")
    >>> names()
    ['write_csv', 'write_latex', 'write_stata', 'write_table', 'write_xlsx']
    >>> load("write_csv").__module__
    'qbase.export.inert_csv'
    """

    @functools.cache
    def homes() -> dict[str, str]:
        return _read_homes(pathlib.Path(str(sys.modules[package].__file__)))

    def _load(name: str) -> Any:
        if name == "__all__":
            return sorted(homes())
        if name.startswith("__") or name not in homes():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(homes()[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return _load, lambda: sorted(homes())


def _read_homes(file: pathlib.Path) -> dict[str, str]:
    """Return public name -> module that holds it, from the typing block of an ``__init__.py``."""
    # whoever uses no name of a room does not pay for the parser
    import ast

    blocks = [
        node
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    return {
        alias.asname: str(node.module)
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
