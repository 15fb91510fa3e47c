"""Industry codes of GB/T 4754-2017: sections, divisions, and the classes of division 28 (化学纤维制造业)."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib import resources

from qbase.core.text import Text
from qbase.core.values import freeze

# last division of each section
LAST_DIVISIONS = freeze(
    {5: "A", 12: "B", 43: "C", 46: "D", 50: "E", 52: "F", 60: "G", 62: "H", 65: "I", 69: "J", 70: "K", 72: "L",
     75: "M", 79: "N", 82: "O", 83: "P", 85: "Q", 90: "R", 96: "S", 97: "T"}
)  # fmt: skip


def read_industries() -> Mapping[str, Text]:
    """Return class code -> name in both languages.

    Returns
    -------
    mapping of str to Text
        The classes of division 28; other divisions carry their own names in the data.

    Examples
    --------
    >>> from qbase.tables import read_industries
    >>> read_industries()["2822"]
    Text(zh='涤纶纤维制造', en='Polyester fibres')
    """
    return _read("industries.toml")


@functools.cache
def _read(name: str) -> Mapping[str, Text]:
    file = resources.files("qbase.tables").joinpath("codes", name)
    raw = tomllib.loads(file.read_text(encoding="utf-8"))
    return freeze({code: Text(entry["zh"], entry["en"]) for code, entry in raw.items()})


def name_industry(code: str) -> Text:
    """Return the name of a class, or that of its division with the code behind it.

    Parameters
    ----------
    code : str
        Class of four digits.

    References
    ----------
    GB/T 4754-2017, section C.

    Examples
    --------
    >>> from qbase.tables import name_industry
    >>> name_industry("2822").en, name_industry("2110"), name_industry("0111").en
    ('Polyester fibres', Text(zh='家具制造业（2110）', en='Furniture (2110)'), 'industry 0111')
    """
    division = _read("division_names.toml").get(code[:2])
    whole = Text(f"行业 {code}", f"industry {code}")
    if division is not None:
        whole = Text(f"{division.zh}（{code}）", f"{division.en} ({code})")
    return read_industries().get(code, whole)


def section_of(code: str) -> str:
    """Return the letter of the section a class belongs to.

    Parameters
    ----------
    code : str
        Class of four digits; the first two are its division.

    Returns
    -------
    str
        ``A`` to ``T``; empty when there is no such division.

    References
    ----------
    GB/T 4754-2017, table 1: divisions 01 to 97.

    Examples
    --------
    >>> section_of("2822"), section_of("9700"), section_of("9999")
    ('C', 'T', '')
    """
    division = int(code[:2]) if code[:2].isdigit() else 0
    return next((letter for last, letter in LAST_DIVISIONS.items() if 0 < division <= last), "")
