"""The words of the field, each defined once, in both languages."""

from __future__ import annotations

import tomllib
from importlib import resources

from qbase.core.lazy import read_once
from qbase.core.text import Text


@read_once
def read_glossary() -> dict[str, tuple[Text, Text]]:
    """Return term id -> (name, definition)."""
    raw = tomllib.loads(resources.files("qbase.core.shown").joinpath("glossary.toml").read_text(encoding="utf-8"))
    return {
        term: (Text(entry["zh"], entry["en"]), Text(entry["definition_zh"], entry["definition_en"]))
        for term, entry in raw.items()
    }
