"""Which sign parts whole from fraction in a column of numbers: one cell that can mean only one thing decides."""

from __future__ import annotations

import re
from collections.abc import Iterable

_DIGITS = re.compile(r"[+-]?(\d[\d.,]*\d|[.,]\d+)(?!\d)", re.ASCII)
_GROUPS = r"[1-9]\d{0,2}(?:%s\d{3})"
_EITHER = re.compile(rf"{_GROUPS % '[.,]'}", re.ASCII)
_POINT = re.compile(rf"(?:\d*\.\d+|{_GROUPS % ','}{{2,}}|{_GROUPS % ','}+\.\d+)", re.ASCII)
_PADDED = re.compile(r"0\d", re.ASCII)
_COMMA = re.compile(rf"(?:(?:0|[1-9]\d*)?,\d+|{_GROUPS % '[.]'}{{2,}}|{_GROUPS % '[.]'}+,\d+)", re.ASCII)


def find_style(texts: Iterable[str]) -> str:
    """Say what the cells of a column prove: ``point``, ``comma``, ``both``, or nothing.

    1.234 and 1,234 prove nothing, since each may be a group or a fraction; 12,5, 0,125 and 1.234.567 do.

    Parameters
    ----------
    texts : iterable of str
        Cells, narrow and trimmed.

    Returns
    -------
    str

    Examples
    --------
    >>> find_style(["1.234", "12,5"]), find_style(["1,234", "12.5"]), find_style(["1,234"]), find_style(["1,5", "1.5"])
    ('comma', 'point', '', 'both')
    """
    proved = set()
    for text in texts:
        match = _DIGITS.search(text) if "," in text or "." in text else None
        if match is None or _EITHER.fullmatch(match[1]):
            continue
        if _POINT.fullmatch(match[1]):
            proved.add("point")
        elif _COMMA.fullmatch(match[1]):
            proved.add("comma")
    return "both" if len(proved) > 1 else "".join(proved)


def in_style(text: str, style: str) -> str | None:
    """Return a number with a decimal point; None where the column contradicts itself, or groups are filled up.

    Parameters
    ----------
    text : str
        Narrow and trimmed.
    style : str
        From `find_style`, of the cells it stands among.

    Returns
    -------
    str or None

    Examples
    --------
    >>> in_style("1.234,5", "comma"), in_style("1,234", "comma"), in_style("1,234", "point"), in_style("1,234", "both")
    ('1234.5', '1.234', '1,234', None)
    """
    match = _DIGITS.search(text) if style in ("comma", "both") else None
    if match is None:
        return text
    digits = match[1]
    if style == "both" or _PADDED.match(digits):
        return None if _EITHER.fullmatch(digits) or "," in digits else text
    if not _COMMA.fullmatch(digits) and not _EITHER.fullmatch(digits):
        return text
    return text[: match.start(1)] + digits.replace(".", "").replace(",", ".") + text[match.end(1) :]
