"""One spelling for headers that people write in many ways."""

from __future__ import annotations

import functools
import re
import unicodedata

_IGNORED = re.compile(r"[\s_\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")
_UNIT = re.compile(r"^(?P<name>.*\S)\s*\(\s*(?P<unit>[^()]+?)\s*\)$", re.DOTALL)
_UNIT_WORD = re.compile(r"^(?:单位|unit)\s*[:\s]\s*", re.IGNORECASE)


@functools.lru_cache(maxsize=65_536)
def normalise_header(text: str) -> str:
    """Return one spelling of a header.

    NFKC (full-width letters, digits and brackets), no whitespace, underscores or invisible characters, no case.

    Parameters
    ----------
    text : str
        Header as it stands in the file.

    Returns
    -------
    str

    Examples
    --------
    >>> normalise_header("　Sample_Number ")
    'samplenumber'
    >>> normalise_header("合格率（％）")
    '合格率(%)'
    """
    while True:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        folded = _IGNORED.sub("", folded)
        if folded == text:
            return folded
        text = folded


def split_unit(header: str) -> tuple[str, str]:
    """Split a unit in brackets off the end of a header.

    Parameters
    ----------
    header : str
        Header as it stands in the file.

    Returns
    -------
    tuple of (str, str)
        Header without the bracket, and the unit; the unit is empty when there is none.

    Examples
    --------
    >>> split_unit("合格率（%）")
    ('合格率', '%')
    >>> split_unit("主营收入(单位：万元)")
    ('主营收入', '万元')
    """
    plain = unicodedata.normalize("NFKC", header).strip()
    match = _UNIT.match(plain)
    if match is None:
        return header.strip(), ""
    return match["name"].strip(), _UNIT_WORD.sub("", match["unit"]).strip()
