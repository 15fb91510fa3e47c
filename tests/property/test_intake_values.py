"""Every parser against a slow reference that does nothing but try."""

from __future__ import annotations

import datetime
import functools
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from qbase.core.text import Text
from qbase.intake.values.cell_text import serial_date
from qbase.intake.values.cell_values import Context, build_reader
from qbase.intake.values.units import find_factor, read_unit_line
from qbase.intake.values.written_dates import read_day, read_quarter_text, read_span
from qbase.intake.values.written_numbers import plain_number, read_numeral
from qbase.tables import ColumnRule

ALL = frozenset({"month", "short_year", "glued"})
WIDE = str.maketrans("0123456789.,%-()", "０１２３４５６７８９．，％－（）")
SIZES = {"元": 1, "千元": 10**3, "万元": 10**4, "百万元": 10**6, "千万元": 10**7, "亿元": 10**8}
UNITS = {"cny": 1, "wan_cny": 10**4}


def column(kind: str, unit: str = "") -> ColumnRule:
    return ColumnRule(name="x", text=Text("甲", "x"), type=kind, unit=unit, required=False, null="-")  # type: ignore[arg-type]


# --- numbers


def slow_number(text: str, unit: str) -> Fraction | None:
    """Read a number one character at a time; fractions, so nothing can round."""
    if text.endswith("%"):
        inner = slow_plain(text[:-1].rstrip(" "), is_grouped=True)
        if inner is None or unit not in ("pct", "share", "pp"):
            return None
        return inner / 100 if unit == "share" else inner
    if text.startswith("(") and text.endswith(")") and text[1:2].isdigit():
        inner = slow_plain(text[1:-1], is_grouped=True)
        return None if inner is None or "e" in text.lower() or text[-2] == "." else -inner
    return slow_plain(text, is_grouped=True)


def slow_plain(text: str, *, is_grouped: bool) -> Fraction | None:
    sign, rest = (text[0], text[1:]) if text[:1] in ("+", "-") else ("", text)
    mantissa, exponent = rest, 0
    for letter in "eE":
        if letter in rest:
            mantissa, _, power = rest.partition(letter)
            digits = power[1:] if power[:1] in ("+", "-") else power
            if not digits or any(char not in "0123456789" for char in digits) or "," in mantissa:
                return None
            exponent = int(power)
            break
    whole, point, part = mantissa.partition(".")
    if "," in whole and is_grouped:
        groups = whole.split(",")
        if not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:]) or (point and not part):
            return None
        whole = "".join(groups)
    if any(char not in "0123456789" for char in whole + part) or not whole + part:
        return None
    value = Fraction(int(whole or "0") + Fraction(int(part or "0"), 10 ** len(part))) * Fraction(10) ** exponent
    return -value if sign == "-" else value


@given(st.text(st.sampled_from("0123456789.,%-+()eE "), max_size=9), st.sampled_from(["", "pct", "share", "wan_cny"]))
def test_any_text_is_the_number_a_slow_reader_sees(text: str, unit: str) -> None:
    text = text.strip()
    found, code = read_numeral(text, unit)
    true = slow_number(text, unit)
    if code == "!too_large":
        assert true is not None
        return
    assert (None if found is None else Fraction(found)) == true


@given(st.decimals(-(10**9), 10**9, places=4), st.sampled_from(["", ",", "wide", "(", "+"]))
def test_every_spelling_of_a_number_comes_back(value: Decimal, style: str) -> None:
    text = f"{abs(value):,.4f}" if style == "," else f"{abs(value):.4f}"
    text = f"({text})" if style == "(" and value < 0 else ("-" if value < 0 else "+" if style == "+" else "") + text
    text = text.translate(WIDE) if style == "wide" else text
    found, _ = build_reader(column("number"))(text)
    assert found is not None
    assert Decimal(found) == value


@given(
    st.decimals(0, 10**6, places=6), st.sampled_from(sorted(SIZES)), st.sampled_from(sorted(UNITS)), st.booleans()
)  # fmt: skip
def test_units_convert_without_rounding(value: Decimal, stated: str, wanted: str, is_in_cell: bool) -> None:
    true = Fraction(value) * SIZES[stated] / UNITS[wanted]
    if is_in_cell:
        found, _ = read_numeral(f"{value:f}{stated}", wanted)
    else:
        factor = find_factor(stated, wanted)
        assert factor is not None
        found, _ = read_numeral(f"{value:f}", wanted, factor)
    assert found is not None
    assert Fraction(found) == true
    assert plain_number(found) == found


@given(st.decimals(0, 100, places=3), st.sampled_from(["pct", "share"]), st.sampled_from(["%", "％", " %"]))
def test_the_sign_of_a_percentage_decides_and_else_the_contract(value: Decimal, unit: str, sign: str) -> None:
    reader = build_reader(column("number", unit))
    with_sign, bare = reader(f"{value}{sign}")[0], reader(f"{value}")[0]
    assert with_sign is not None
    assert bare is not None
    assert Fraction(with_sign) == Fraction(value) / (100 if unit == "share" else 1)
    assert Fraction(bare) == Fraction(value)


# --- dates


def spellings(day: datetime.date) -> set[str]:
    """Return every way a full date may be written."""
    y, m, d = day.year, day.month, day.day
    parts = [(a, b) for a in {str(m), f"{m:02d}"} for b in {str(d), f"{d:02d}"}]
    return (
        {f"{y}{s}{a}{s}{b}" for s in "-/." for a, b in parts}
        | {f"{y}年{a}月{b}日" for a, b in parts}
        | {f"{day:%Y%m%d}"}
    )


@functools.cache
def all_days() -> dict[str, str]:
    first = datetime.date(2019, 12, 1)
    days = [first + datetime.timedelta(days=i) for i in range(500)]
    return {text: day.isoformat() for day in days for text in spellings(day)}


DAYS = st.dates(datetime.date(2019, 12, 1), datetime.date(2021, 3, 31))


@given(DAYS, st.data())
def test_every_spelling_of_a_day_comes_back_and_a_change_of_one_sign_never_gives_a_wrong_one(
    day: datetime.date, data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from(sorted(spellings(day))))
    assert read_day(text) == (day.isoformat(), "")
    at = data.draw(st.integers(0, len(text) - 1))
    other = text[:at] + data.draw(st.sampled_from([*"0123456789-/.年月日 ", ""])) + text[at + 1 :]
    other = other.strip()
    found = read_day(other)[0]
    other = other.replace(" ", "") if "年" in other else other
    if found.startswith(("2019-12", "2020", "2021-01", "2021-02")) or other in all_days():
        assert found == all_days().get(other, "")


@given(DAYS, st.text(st.sampled_from("0123456789ABX- "), min_size=1, max_size=10), st.data())
def test_a_day_with_a_batch_number_is_read_only_where_its_end_is_proved(
    day: datetime.date, rest: str, data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from(sorted(spellings(day)))) + rest
    found, remark = read_day(text.strip(), ALL)
    if not found or remark != "glued":
        return
    text = text.strip()
    known = all_days() | {start.removesuffix("日"): day for start, day in all_days().items()}
    proved = set()
    for cut in range(1, len(text)):
        true, after = known.get(text[:cut]), text[cut:]
        if (
            true
            and after != "日"
            and (not after[0].isdigit() or text[cut - 1] == "日" or true.replace("-", "")[2:] in after)
        ):
            proved.add(true)
    if found in all_days().values():
        assert proved == {found}


def test_the_glued_dates_of_the_real_notices() -> None:
    assert read_day("2017.10.174015171017", ALL)[0] == "2017-10-17"
    assert read_day("2017年10月06日171006", ALL)[0] == "2017-10-06"
    assert read_day("17年9月2日170902", ALL)[0] == "2017-09-02"
    assert read_day("17年9月2日170902", frozenset({"glued"})) == ("", "")
    assert read_day("2018年01月21801010", ALL) == ("", "")


@given(st.integers(0, 80_000))
def test_serials_are_days_since_the_epoch(serial: int) -> None:
    true_1904 = datetime.date(1904, 1, 1) + datetime.timedelta(days=serial)
    assert read_day(str(serial), frozenset({"serial_1904"})) == (true_1904.isoformat(), "serial")
    found = read_day(str(serial), frozenset({"serial_1900"}))[0]
    if serial in (0, 60):  # a day that never was
        assert found == ""
    else:
        before = datetime.date(1899, 12, 31) if serial < 60 else datetime.date(1899, 12, 30)
        assert found == (before + datetime.timedelta(days=serial)).isoformat() == serial_date(float(serial))


@given(st.integers(1990, 2030), st.integers(1, 4), st.sampled_from(range(9)))
def test_quarters_and_spans_from_january_on(year: int, quarter: int, style: int) -> None:
    word = "一二三四"[quarter - 1]
    texts = [
        f"{year}Q{quarter}", f"{year}q{quarter}",
        f"{year}年{word}季度", f"{year}年第{word}季度", f"{year}年{quarter}季度",
        f"{year}年度第{word}季度", f"{year}-Q{quarter}", f"{year} Q{quarter}", f"{year}年第{quarter}季",
    ]  # fmt: skip
    true = f"{year}Q{quarter}"
    assert read_quarter_text(texts[style]) == (true, "")
    assert read_quarter_text(f"{word}季度") == ("", "")
    assert read_quarter_text(f"{word}季度", str(year)) == (true, "year_from_name")
    for month in range(1, 13):
        ends = f"{year}Q{month // 3}" if month % 3 == 0 else ""
        assert {read_span(f"{year}年1{dash}{month}月") for dash in "-—–至"} == {ends}


@given(st.sampled_from(["2022年8月", "2022.8", "2022-08", "202208", "22年8月", "2022年08月份"]))
def test_a_month_is_a_day_only_where_the_recipe_says_so(text: str) -> None:
    assert read_day(text) == ("", "")
    assert read_day(text, ALL) == ("2022-08-01", "month_only")
    context = Context(column=column("date"), dates=ALL)
    assert build_reader(column("date"), context=context)(text) == ("2022-08-01", "month_only")


# --- unit lines


@given(st.lists(st.sampled_from(sorted(SIZES)), min_size=1, max_size=2, unique=True), st.sampled_from("：:"))
def test_a_line_of_units_is_read_and_an_office_is_not(units: list[str], colon: str) -> None:
    assert read_unit_line(("", f"（单位{colon}{'、'.join(units)}）")) == (tuple(units), ())
    assert read_unit_line((f"填报单位{colon}{units[0]}局",)) is None
