"""统一社会信用代码: the check character of GB 32100 and the check digit of GB 11714 inside it.

Letters in the first two places are valid: agriculture, the armed forces and others register with A, N and Y.
"""

from __future__ import annotations

import re
from typing import Literal

from qbase.core.errors import UsageError

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
LENGTH = 18
ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
WEIGHTS = tuple(pow(3, i, 31) for i in range(LENGTH - 1))

Fault = Literal["", "length", "alphabet", "organisation", "check"]

_SHAPE = re.compile(rf"[{ALPHABET}]{{2}}[0-9]{{6}}[{ALPHABET}]{{10}}", re.ASCII)
_ORG_VALUES = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def org_check_digit(org8: str) -> str:
    """Return the ninth character of an organisation code (GB 11714): 0 to 9 or X."""
    rest = 11 - sum(w * _ORG_VALUES.index(c) for w, c in zip(ORG_WEIGHTS, org8, strict=True)) % 11
    return {10: "X", 11: "0"}.get(rest, str(rest))


def uscc_check_char(code17: str) -> str:
    """Return the last character of a code (GB 32100)."""
    total = sum(w * ALPHABET.index(c) for w, c in zip(WEIGHTS, code17, strict=True))
    return ALPHABET[(31 - total % 31) % 31]


def find_uscc_fault(code: str) -> Fault:
    """Say what is wrong with a code.

    Parameters
    ----------
    code : str
        Eighteen characters, upper case, nothing around them.

    Returns
    -------
    str
        Empty when it is sound, else ``length``, ``alphabet``, ``organisation`` (inner digit) or ``check``.

    References
    ----------
    GB 32100-2015 and GB 11714-1997.

    Examples
    --------
    >>> find_uscc_fault("91110000600037341L")
    ''
    >>> find_uscc_fault("91110000600037341M")
    'check'
    """
    if len(code) != LENGTH:
        return "length"
    if not _SHAPE.fullmatch(code):
        return "alphabet"
    if org_check_digit(code[8:16]) != code[16]:
        return "organisation"
    return "" if uscc_check_char(code[:17]) == code[17] else "check"


def is_uscc(code: str) -> bool:
    """Return whether both check digits of a code are right.

    Examples
    --------
    >>> from qbase.tables import is_uscc
    >>> [code for code in ("91110000600037341L", "91110000600037341M") if is_uscc(code)]
    ['91110000600037341L']
    """
    return find_uscc_fault(code) == ""


def build_uscc(prefix8: str, org8: str) -> str:
    """Build a code whose two check digits are right.

    Parameters
    ----------
    prefix8 : str
        Registrar, type and six digits of the division, ``91990102``.
    org8 : str
        Eight characters of the organisation.

    Returns
    -------
    str
        Eighteen characters.

    Raises
    ------
    UsageError
        The parts have another length, or characters outside the alphabet (QB154).

    Examples
    --------
    >>> from qbase.tables import build_uscc
    >>> build_uscc("91990102", "MA000001")
    '91990102MA0000015T'
    """
    if not re.fullmatch(rf"[{ALPHABET}]{{2}}[0-9]{{6}}", prefix8) or not re.fullmatch(rf"[{ALPHABET}]{{8}}", org8):
        raise UsageError(
            "QB154",
            found=f"{prefix8!r} and {org8!r}",
            expected=f"2 characters and 6 digits, then 8 characters of {ALPHABET}",
            fix="91990102 and MA000001, for example",
        )
    code17 = prefix8 + org8 + org_check_digit(org8)
    return code17 + uscc_check_char(code17)


def uscc_sql(text: str) -> str:
    """Return DuckDB SQL that is true when a text is a sound code (null for null).

    Parameters
    ----------
    text : str
        SQL expression of the text.

    Returns
    -------
    str

    Examples
    --------
    >>> import duckdb
    >>> from qbase.tables import uscc_sql
    >>> codes = "VALUES ('91110000600037341L'), ('91110000600037341M'), (NULL)"
    >>> duckdb.sql(f"SELECT code, {uscc_sql('code')} AS is_sound FROM ({codes}) AS given(code)").fetchall()
    [('91110000600037341L', True), ('91110000600037341M', False), (None, None)]
    """
    inner = _weighted(text, _ORG_VALUES, ORG_WEIGHTS, start=9)
    outer = _weighted(text, ALPHABET, WEIGHTS, start=1)
    shape = f"regexp_full_match({text}, '{_SHAPE.pattern}')"
    org = f"substr('0X987654321', 1 + ({inner}) % 11, 1) = substr({text}, 17, 1)"
    last = f"substr('{ALPHABET}', 1 + (31 - ({outer}) % 31) % 31, 1) = substr({text}, 18, 1)"
    return f"(CASE WHEN {text} IS NULL THEN NULL WHEN NOT {shape} THEN false ELSE {org} AND {last} END)"


def _weighted(text: str, alphabet: str, weights: tuple[int, ...], *, start: int) -> str:
    terms = (f"{w} * (strpos('{alphabet}', substr({text}, {start + i}, 1)) - 1)" for i, w in enumerate(weights))
    return " + ".join(terms)
