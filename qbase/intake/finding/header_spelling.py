"""What stays the same in a header when a source prints it again next year."""

from __future__ import annotations

import re
import unicodedata

_FOOTNOTE = re.compile(r"(\((note)?\d{1,2}\)|\[[^\[\]]{1,8}\]|[*†‡①-⑳¹²³⁰⁴-⁹])+$", re.IGNORECASE)
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_YEAR = re.compile(
    rf"(?:(?:as)?(?:at|on|of)?(?:\d{{1,2}}(?:{_MONTHS})))?(?<!\d)(?:19|20)\d{{2}}(?:[-/–—](?:19|20)?\d{{2}})?(?!\d)"
)


def squeeze_header(text: str) -> str:
    """Return the letters and digits of a header alone: what stays the same when a source drifts.

    Case, spaces, punctuation and footnote marks go; ``&`` reads ``and``, per cent ``%``.

    Examples
    --------
    >>> squeeze_header("Total % of Broadly-Compliant establishments | A (1)")
    'total%ofbroadlycompliantestablishmentsa'
    """
    plain = _FOOTNOTE.sub("", re.sub(r"\s+", "", text))  # before NFKC, which makes a digit of ¹
    plain = unicodedata.normalize("NFKC", plain).casefold()
    plain = re.sub(r"percentage|percent", "%", plain.replace("&", "and"))
    return "".join(char for char in plain if char.isalnum() or char == "%")


def without_year(text: str) -> str:
    """Return a header without the year or day it is printed for.

    Examples
    --------
    >>> squeeze_header(without_year("Establishments (2019/20)")), without_year("Staff as at 31 March 2020")
    ('establishments', 'staff')
    """
    return _YEAR.sub("", re.sub(r"\s+", "", text).casefold())
