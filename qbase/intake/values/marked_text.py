"""Text of which some pieces are raised, lowered or struck: such a piece is never joined to a number or a code.

``26`` with a raised 1 is 26 with a footnote. Raised and lowered digits become the signs Unicode has for them, so that
the reader of a column, which knows what the column holds, decides what they mean; what is struck is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

PLAIN, RAISED, LOWERED, STRUCK = "", "raised", "lowered", "struck"

_RAISE = str.maketrans("0123456789+-()（）", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾⁽⁾")
_LOWER = str.maketrans("0123456789+-()（）", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎₍₎")
_SMALL = "⁰¹²³⁴-⁾₀-₎"
_SMALL_SIGN = re.compile(f"[{_SMALL}]")
_MARK = re.compile(rf"^[{_SMALL}\s,，、]*[{_SMALL}]\s*|\s*[{_SMALL}][{_SMALL}\s,，、]*$")
_MARK_OF_WORD = re.compile(r"(?<=[\u4e00-\u9fff)）】\]”》])\s*[⁰¹²³⁴-⁾]+$")
_LOW_IN_WORD = re.compile("(?<=[A-Za-z])[₀-₉]+")
_TO_PLAIN = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_POWER = re.compile(r"(?:.*[×xX*])?\s*10")

Piece = tuple[str, str]


def join_pieces(pieces: Sequence[Piece]) -> tuple[str, str]:
    """Return the text of a cell, and ``mark_dropped`` or ``struck_text`` where a piece was left out.

    Parameters
    ----------
    pieces : sequence of (str, str)
        Text, and one of `PLAIN`, `RAISED`, `LOWERED`, `STRUCK`.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> join_pieces([("26", ""), ("1", "raised")]), join_pieces([("26", ""), ("*", "raised")])
    (('26¹', ''), ('26', 'mark_dropped'))
    >>> join_pieces([("PM", ""), ("2.5", "lowered")]), join_pieces([("25", "struck"), ("26", "")])
    (('PM2.5', ''), ('26', 'struck_text'))
    """
    if all(mark == PLAIN for _, mark in pieces):
        return "".join(text for text, _ in pieces), ""
    if not any(text.strip() for text, mark in pieces if mark == PLAIN):
        is_struck = any(text.strip() and mark == STRUCK for text, mark in pieces)
        return "".join(text for text, _ in pieces), "struck_text" if is_struck else ""
    joined, code = "", ""
    for text, mark in pieces:
        if mark == STRUCK and text.strip():
            code = "struck_text"
        elif mark in (RAISED, LOWERED) and text.strip():
            shown = _as_small(text, mark, joined)
            joined, code = joined + shown, code or ("" if shown else "mark_dropped")
        else:
            joined += text
    return joined, code


def _as_small(text: str, mark: str, before: str) -> str:
    """Return a raised or lowered piece in small signs; empty where there are none and it is no word."""
    small = text.strip().translate(_RAISE if mark == RAISED else _LOWER)
    if all(_SMALL_SIGN.match(char) for char in small):
        return small
    # PM2.5 and Vmax are words
    return text if mark == LOWERED and before[-1:].isalpha() else ""


def without_marks(text: str, kind: str) -> tuple[str, str]:
    """Return a cell without raised and lowered signs that are marks of footnotes, and whether there were any.

    Parameters
    ----------
    text : str
        Narrow and trimmed.
    kind : str
        Type of the column.

    Returns
    -------
    tuple of str
        The text and ``mark_removed``. A power of ten stays what it is: it may be a number or 10 with a footnote.

    Examples
    --------
    >>> without_marks("26¹", "int"), without_marks("10⁴", "int"), without_marks("甲厂¹", "text")
    (('26', 'mark_removed'), ('10⁴', ''), ('甲厂', 'mark_removed'))
    >>> without_marks("SO₂传感器", "text"), without_marks("地毯m²", "text")
    (('SO2传感器', ''), ('地毯m²', ''))
    """
    if text.isascii() or not _SMALL_SIGN.search(text):
        return text, ""
    if kind == "text":
        folded = _LOW_IN_WORD.sub(lambda match: match[0].translate(_TO_PLAIN), text)
        shown = _MARK_OF_WORD.sub("", folded)
        return shown, "mark_removed" if shown != folded else ""
    shown = _MARK.sub("", text)
    if shown == text or not shown or (kind in ("int", "number") and _POWER.fullmatch(shown)):
        return text, ""
    return shown, "mark_removed"
