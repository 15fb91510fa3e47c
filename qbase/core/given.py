"""What a caller hands over, checked where a value is built: words and numbers of options, ids of entities."""

from __future__ import annotations

import datetime
import math
import numbers
import re
import unicodedata
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from qbase.core.errors import PanelError, UsageError
from qbase.core.nearest_name import suggest_names
from qbase.core.numbers import UNITS
from qbase.core.text import Text, same

if TYPE_CHECKING:
    import pandas as pd

_SAID_UNITS = {"percent": "pct", "percentage": "pct", "share of 1": "share", "rmb": "cny", "yuan": "cny"}
_SAID_UNITS |= {word.casefold(): unit for unit, text in reversed(UNITS.items()) for word in (text.zh, text.en) if word}
EXACT = {"float64": 2**53, "float32": 2**24, "float16": 2**11}
"""The largest whole number up to which a float of this kind tells every two apart."""
NOTHING = frozenset({"", "nan", "nat", "none", "null", "(null)", "<na>", "n/a", "#n/a", "\\n"})
"""What programs write where there is no id."""
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_WHOLE = re.compile(r"(\d+)\.0+")
_SCIENTIFIC = re.compile(r"\d(?:\.\d+)?[eE]\+\d+|\d\.\d+[eE]\d+")
_DRESSED = re.compile(r'="(.*)"|\'(.*)')


def check_word(option: str, word: object, known: Iterable[str]) -> None:
    """Raise when an option holds none of its words.

    Raises
    ------
    UsageError
        The word is none of those known (QB144); the nearest one is named.
    """
    names = list(known)
    if isinstance(word, str) and word in names:
        return
    nearest = suggest_names(word, names).rstrip("?").split(" | ")[0]
    raise _unknown(option, word, names, nearest)


def check_unit(option: str, unit: object) -> None:
    """Raise when a unit is none of `qbase.core.numbers.UNITS`.

    Raises
    ------
    UsageError
        Nobody knows how to write it (QB144); where people call a unit so, the unit is named.
    """
    said = _SAID_UNITS.get(str(unit).strip().casefold())
    if said is not None and unit not in UNITS:
        raise _unknown(option, unit, list(UNITS), said)
    check_word(option, unit, UNITS)


def check_margin(margin: object) -> float | None:
    """Return a margin as a number; None where none was declared.

    Raises
    ------
    UsageError
        It is no finite number above 0 (QB507).
    """
    if margin is None:
        return None
    number = read_number(margin)
    if number is None or not 0 < number < math.inf:
        raise UsageError(
            "QB507",
            margin=margin,
            found=f"margin={margin!r}",
            expected="a finite number above 0, in the unit of the result, or None",
            fix="margin=0.5, or margin=None where none was declared",
        )
    return number


def check_day(option: str, day: object) -> None:
    """Raise when a day is not written as an ISO date.

    Raises
    ------
    UsageError
        It is no day such as ``2022-08-10`` (QB148).
    """
    try:
        datetime.date.fromisoformat(str(day))
    except ValueError as error:
        raise UsageError(
            "QB148",
            option=option,
            day=day,
            found=f"{option}={day!r}",
            expected="a day as year-month-day",
            fix=f'{option}="2022-08-10"',
        ) from error


def read_whole(value: object) -> int | None:
    """Return a whole number, also one that came as 3.0; None where it is none."""
    number = read_number(value)
    return int(number) if number is not None and math.isfinite(number) and number == int(number) else None


def read_bounds(bounds: Any) -> tuple[float, float]:
    """Return the lowest and the highest value there can be.

    Raises
    ------
    UsageError
        They are not two numbers in order (QB144).
    """
    ends = [read_number(b) for b in bounds] if isinstance(bounds, tuple | list) else []
    if len(ends) == 2 and ends[0] is not None and ends[1] is not None and ends[0] < ends[1]:
        return ends[0], ends[1]
    raise UsageError(
        "QB144",
        option="bounds",
        value=bounds,
        found=f"bounds={bounds!r}",
        expected="(lowest, highest)",
        fix="bounds=(-100, math.inf)",
    )


def read_text(option: str, given: object) -> Text:
    """Return a text in both languages; plain words read alike in both.

    Raises
    ------
    UsageError
        It is neither (QB144).
    """
    if isinstance(given, Text):
        return given
    if isinstance(given, str) and given.strip():
        return same(given)
    raise UsageError(
        "QB144",
        option=option,
        value=given,
        found=f"{option}={given!r}",
        expected="Text(zh, en), or words that read alike in both languages",
        fix=f'{option}=Text("合格率", "pass rate")',
    )


def read_number(value: Any) -> float | None:
    """Return a number, one of numpy's too; None for yes and no, and for text that looks like a number."""
    if isinstance(value, bool | str | bytes) or type(value).__name__ == "bool_":
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _unknown(option: str, word: object, names: list[str], nearest: str) -> UsageError:
    more = f" | … ({len(names)})" if len(names) > 12 else ""
    return UsageError(
        "QB144",
        option=option,
        value=word,
        found=f"{option}={word!r}",
        expected=" | ".join(names[:12]) + more,
        fix=f'{option}="{nearest}"',
    )


def read_entity_id(value: object) -> str | None:
    """Return an id as text, or None where it cannot be one.

    Whole numbers are written without a decimal part, so 3, 3.0 and "3.0" are "3"; blanks and invisible characters
    around and inside are dropped; ids of Latin letters and digits are written half width.

    Parameters
    ----------
    value : object
        Text, or a whole number; "" where there is none.
    """
    if value is None or type(value).__name__ in {"NAType", "NaTType"} or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool) or type(value).__name__ in {"bool_", "bool"} or not isinstance(value, numbers.Real):
        return None
    if isinstance(value, numbers.Integral):
        return str(int(value))
    number = float(value)
    limit = EXACT.get(type(value).__name__, EXACT["float64"])
    return str(int(number)) if math.isfinite(number) and number == int(number) and abs(number) <= limit else None


def is_wider(written: object, entity: str) -> bool:
    """Say whether an id was written in full width: Ｋ００３ for K003."""
    return (
        isinstance(written, str)
        and not written.isascii()
        and written.strip() != entity
        and unicodedata.normalize("NFKC", written).strip() == entity
    )


def spelling_key(entity: str) -> str:
    """Return what two spellings of one id have in common: width, case, blanks and dashes set aside."""
    folded = _DASHES.sub("-", unicodedata.normalize("NFKC", entity)).casefold()
    return "".join(folded.split())


def match_spellings(given: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return what ids that are not known are written like among those known; only where that is one of them.

    Parameters
    ----------
    given, known : iterable of str
        Ids; among those known each stands in one spelling.

    Returns
    -------
    dict
        Id as given -> id as known, without those that are known as they are and those that are like none.

    Raises
    ------
    UsageError
        An id is like several of those known, or like one but for its leading zeros (QB155).
    """
    names = set(known)
    unknown = [written for written in dict.fromkeys(given) if written not in names]
    if not unknown:
        return {}
    by_key: dict[str, set[str]] = {}
    for name in names:
        by_key.setdefault(unpadded(spelling_key(name)), set()).add(name)
    spelling = {}
    for written in unknown:
        alike = by_key.get(unpadded(spelling_key(written)), set())
        if not alike:
            continue
        (first, *others) = sorted(alike)
        if others or spelling_key(first) != spelling_key(written):
            raise UsageError(
                "QB155",
                entity=written,
                found=written,
                expected=" | ".join([first, *others][:3]),
                fix=f"write {first} where {first} is meant, or give the two ids that differ by more than this",
            )
        spelling[written] = first
    return spelling


def unpadded(entity: str) -> str:
    """Return an id of digits without its leading zeros; other ids as they are."""
    return entity.lstrip("0") or "0" if entity.isascii() and entity.isdigit() else entity


def _text(value: str) -> str | None:
    seen = "".join(c for c in value if unicodedata.category(c) not in {"Cf", "Cc"} or c in "\t\n\r").strip()
    narrow = unicodedata.normalize("NFKC", seen)
    text = narrow if narrow.isascii() else seen
    dressed = _DRESSED.fullmatch(text)
    if dressed:
        text = (dressed[1] or dressed[2] or "").strip()
    if text.casefold() in NOTHING:
        return ""
    if _SCIENTIFIC.fullmatch(text):
        return None
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def read_ids(values: pd.Series) -> pd.Series:
    """Return the ids of a column as text, "" where a row has none.

    Raises
    ------
    PanelError
        An id cannot be told from its neighbours any more, or is none (QB139).
    """
    # floats of 32 bits hold fewer digits, and become Python's own when they are taken as objects
    exact = EXACT.get(str(values.dtype).lower(), EXACT["float64"])
    plain = values.astype(object)
    ids = plain.map(read_entity_id)
    lost = ids.isna() | plain.map(lambda v: isinstance(v, float) and not abs(v) <= exact and v == v)
    if lost.any():
        first = plain[lost].iloc[0]
        raise _refused(
            f"{int(lost.sum())} of {len(ids)} rows, first {first!r} ({type(first).__name__})",
            "text, or whole numbers that a float holds exactly",
            f'read the column as text from the start: pandas.read_csv(…, dtype={{"{values.name}": str}})',
        )
    _refuse_cut_off(ids, str(values.name))
    return ids.astype(str)


def tell_wider(values: pd.Series) -> tuple[Text, ...]:
    """Say which ids of a column stand in it both in full width and in half width."""
    written = [v for v in values.unique() if isinstance(v, str)]
    plain = {v.strip() for v in written}
    wide = {v: id_ for v in written if is_wider(v, id_ := read_entity_id(v) or "") and id_ in plain}
    return tuple(_also_written(id_, [v]) for v, id_ in sorted(wide.items()))


def _also_written(entity: str, others: list[str]) -> Text:
    quoted = ", ".join(f'"{other}"' for other in others)
    return Text(
        f"主体“{entity}”另有写法 {quoted}，按同一主体处理。",
        f'Entity "{entity}" was also written {quoted}; they are taken as one.',
    )


def settle_spellings(ids: pd.Series, periods: pd.PeriodIndex) -> tuple[dict[str, str], tuple[Text, ...]]:
    """Give every entity one spelling, and say where there were several.

    Spellings that differ by width, case, blanks or dashes are one entity, under its most frequent spelling, as long
    as no period has a row of both.

    Parameters
    ----------
    ids : pandas.Series of str
        From `read_ids`.
    periods : pandas.PeriodIndex
        Period of each row.

    Returns
    -------
    spelling : dict
        Every id -> the spelling of its entity.
    notes : tuple of Text
        One for each entity that came in several.

    Raises
    ------
    PanelError
        Two spellings stand in one period, or ids differ by leading zeros only (QB139).
    """
    import pandas as pd  # values are built where nothing heavy is wanted

    distinct = pd.Series(ids.unique(), dtype=object)
    keys = distinct.map(spelling_key)
    _refuse_padding(keys)
    spelling = {str(one): str(one) for one in distinct}
    notes = []
    several = distinct[keys.duplicated(keep=False)]
    is_several = ids.isin(several).to_numpy()
    rows = pd.DataFrame({"id": ids[is_several].to_numpy(), "period": list(periods[is_several])})
    for _, own in rows.groupby(rows["id"].map(spelling_key), sort=True):
        spellings = list(own["id"].value_counts().sort_index().sort_values(ascending=False, kind="stable").index)
        _refuse_together(own)
        notes.append(_also_written(spellings[0], spellings[1:]))
        spelling |= dict.fromkeys(spellings, str(spellings[0]))
    return spelling, tuple(notes)


def _refuse_together(rows: pd.DataFrame) -> None:
    both = rows.drop_duplicates(["id", "period"]).groupby("period")["id"].agg(list)
    both = both[both.map(len) > 1]
    if len(both):
        raise _refused(
            f"{' and '.join(map(repr, both.iloc[0]))} in {both.index[0]}",
            "one spelling for one entity",
            "write the id alike in all rows if they are one entity, else give them ids that differ by more than this",
        )


def _refuse_padding(keys: pd.Series) -> None:
    kinds = keys.drop_duplicates()
    bare = kinds.map(unpadded)
    alike = kinds[bare.duplicated(keep=False)]
    if len(alike):
        first = alike[bare[alike.index] == bare[alike.index].min()]
        shown = " and ".join(repr(key) for key in sorted(first)[:3])
        raise _refused(
            f"{shown}, which differ by leading zeros only",
            "codes of one length",
            "read the column as text from the start, or pad it: frame[…].astype(str).str.zfill(6)",
        )


def _refuse_cut_off(ids: pd.Series, name: str) -> None:
    """Refuse long numbers whose digits beyond the fifteenth are all zero: a spreadsheet keeps no more than these."""
    long = {i for i in ids if len(i) > 15 and i.isascii() and i.isdigit()}
    if len(long) > 1 and all(set(i[15:]) == {"0"} for i in long):
        raise _refused(
            f"{len(long)} ids of more than 15 digits, all ending in zeros, first {min(long)!r}",
            "ids with all their digits",
            f"the digits were lost in a spreadsheet: take the column {name} from the source, as text",
        )


def _refused(found: str, expected: str, fix: str) -> PanelError:
    return PanelError("QB139", found=found, expected=expected, fix=fix)
