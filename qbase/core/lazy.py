"""Names of a room, loaded when first used: ``qbase --help`` pays for none of them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy_names(package: str, home: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package (PEP 562).

    Parameters
    ----------
    package : str
        ``__name__`` of the package.
    home : mapping
        Module below it -> the public names it holds.

    Returns
    -------
    callable
        Loads a name on first use and keeps it.

    Raises
    ------
    AttributeError
        By the callable, for a name the package does not hold.
    """
    module_of = {name: module for module, names in home.items() for name in names}

    def _load(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{package}.{module_of[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return _load
