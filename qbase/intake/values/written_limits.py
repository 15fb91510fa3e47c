"""Requirements of standards as people write them: ≥3.3, ≤0.5, 3.0~3.6, 10±0.5, 不得检出."""

from __future__ import annotations

import re
from decimal import Decimal

from qbase.intake.values.cell_values import narrow

Limits = tuple[str | None, str | None]
NONE: Limits = (None, None)

_NUMBER = r"([+-]?\d+(?:\.\d+)?)"
_UNIT = r"\s*(?:%|‰|[A-Za-zμΩ°℃·/²³]+(?:\d)?|级|倍|次|分)?"
_LOWER = re.compile(rf"(?:≥|>=|≧|>|⩾|不小于|不低于|不少于|大于等于|大于|至少|min\.?)\s*{_NUMBER}{_UNIT}")
_UPPER = re.compile(rf"(?:≤|<=|≦|<|⩽|不大于|不高于|不超过|小于等于|小于|至多|max\.?)\s*{_NUMBER}{_UNIT}")
_AFTER = re.compile(rf"{_NUMBER}{_UNIT}\s*(?:及)?(以上|以下)")
_SPAN = re.compile(rf"{_NUMBER}{_UNIT}\s*(?:~|～|—|–|-|至|到)\s*{_NUMBER}{_UNIT}")
_AROUND = re.compile(rf"(?:{_NUMBER}{_UNIT}\s*)?(?:±|\+/-|\+-)\s*{_NUMBER}{_UNIT}")
_NOTHING = re.compile(r"(?:不得|不应|不可|未|不)检?出|禁用|不得使用|不得含有|阴性")


def read_limits(text: str | None) -> Limits:
    """Read the lowest and the highest value a requirement allows.

    Parameters
    ----------
    text : str or None
        As printed.

    Returns
    -------
    tuple of (str or None, str or None)
        Lower and upper limit as plain numbers; nothing where the text states none that is understood as a whole.
    """
    plain = re.sub(r"\s+", " ", narrow(text or "")).strip()
    if not plain:
        return NONE
    if _NOTHING.fullmatch(plain):
        return None, "0"
    span, around, after = _SPAN.fullmatch(plain), _AROUND.fullmatch(plain), _AFTER.fullmatch(plain)
    if span:
        low, high = sorted((Decimal(span[1]), Decimal(span[2])))
        return _plain(low), _plain(high)
    if around:
        middle, width = Decimal(around[1] or 0), Decimal(around[2])
        return _plain(middle - width), _plain(middle + width)
    if after:
        return (after[1], None) if after[2] == "以上" else (None, after[1])
    return _read_sides(plain)


def _read_sides(plain: str) -> Limits:
    """Read one or two limits that stand side by side: ≥3.0, ≤3.6, or both."""
    low = high = None
    for part in re.split(r"\s*(?:[,;，；、]|且|并|和)\s*", plain):
        lower, upper = _LOWER.fullmatch(part), _UPPER.fullmatch(part)
        if lower and low is None:
            low = lower[1]
        elif upper and high is None:
            high = upper[1]
        else:
            return NONE
    return low, high


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
