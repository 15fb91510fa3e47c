"""Industry codes of GB/T 4754-2017, division 28 (化学纤维制造业)."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources

from qbase.core.text import Text
from qbase.core.values import freeze


@functools.cache
def read_industries() -> Mapping[str, Text]:
    """Return class code -> name in both languages.

    Returns
    -------
    mapping of str to Text
        The classes of division 28; other divisions carry their own names in the data.
    """
    file = resources.files("qbase.tables").joinpath("codes", "industries.toml")
    raw = tomllib.loads(file.read_text(encoding="utf-8"))
    return freeze({code: Text(entry["zh"], entry["en"]) for code, entry in raw.items()})
