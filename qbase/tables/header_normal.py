"""One spelling for headers that people write in many ways."""

from __future__ import annotations

import functools
import re
import unicodedata

_IGNORED = re.compile(r"[\s_.·\-\u2010-\u2015\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]+")
# what a form adds to a name: a star for "must be filled in", a colon, the number of a footnote
_MARKS = re.compile(
    r"^[\s*＊※★]+|(?:[\s*＊※★†‡:：]|[①-⑳¹²³⁰⁴-⁹]|[(（\[【〔]\s*(?:(?:注|note)?\s*\d{1,2}|必填|选填|required|optional)\s*[)）\]】〕])+$",
    re.IGNORECASE,
)
_UNIT = re.compile(r"^(?P<name>.*\S)\s*\(\s*(?P<unit>[^()]+?)\s*\)$", re.DOTALL)
_UNIT_WORD = re.compile(r"^(?:单位|unit)\s*[:\s]\s*", re.IGNORECASE)


@functools.lru_cache(maxsize=65_536)
def normalise_header(text: str) -> str:
    """Return one spelling of a header.

    NFKC (full-width letters, digits and brackets), no whitespace, underscores, hyphens, dots or invisible characters,
    no case, no stars, final colons and numbers of footnotes.

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
    >>> normalise_header("合格率（％）"), normalise_header("*合格率："), normalise_header("合格率①")
    ('合格率(%)', '合格率', '合格率')
    """
    while True:
        # before NFKC, which makes a digit of ①
        folded = _MARKS.sub("", text)
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", folded).casefold())
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
