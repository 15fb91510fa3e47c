"""Units of measurement: 亿元 is ten thousand 万元, exactly."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal

from qbase.core.values import freeze

MULTIPLES = freeze(
    {"十": 10, "百": 100, "千": 1000, "万": 10**4, "十万": 10**5, "百万": 10**6, "千万": 10**7, "亿": 10**8}
    | {"十亿": 10**9, "百亿": 10**10, "千亿": 10**11, "万亿": 10**12}
)
_COUNTED = (*"个家户批人件次名项份台条处起", "批次", "count", "batch")
_ENGLISH = {"thousand": 10**3, "1000": 10**3, "10thousand": 10**4, "tenthousand": 10**4, "10000": 10**4}
_ENGLISH |= {"million": 10**6, "10million": 10**7, "100million": 10**8, "hundredmillion": 10**8, "billion": 10**9}
_ENGLISH |= {f"{word}s": size for word, size in _ENGLISH.items() if word.isalpha()}
_ENGLISH |= {"mn": 10**6, "mln": 10**6, "bn": 10**9, "000": 10**3, "000s": 10**3, "k": 10**3}
_ENGLISH |= {"0000": 10**4, "10k": 10**4, "100k": 10**5}
_OF_MONEY = {"m": 10**6, "10m": 10**7, "100m": 10**8}  # of anything else these are metres


def _family(base: str, *names: str) -> dict[str, tuple[str, Decimal]]:
    sizes = {"": 1, **MULTIPLES}
    return {multiple + name: (base, Decimal(size)) for name in names for multiple, size in sizes.items()}


def _english_money() -> dict[str, tuple[str, Decimal]]:
    names = ("yuan", "rmb", "cny", "rmbyuan", "yuanrmb", "renminbi", "¥")
    plain, sizes = dict.fromkeys(names, 1), _ENGLISH | _OF_MONEY
    after = {size + name: factor for name in names for size, factor in sizes.items()}
    before = {name + size: factor for name in names for size, factor in sizes.items()}
    return {name: ("money", Decimal(factor)) for name, factor in (plain | after | before).items()}


# unit -> what it measures, and its size in the smallest unit of that
_UNITS: Mapping[str, tuple[str, Decimal]] = freeze(
    _family("money", "元", "元人民币", "元rmb")
    | {f"人民币{name}": size for name, size in _family("money", "元").items()}
    | _english_money()
    | {"cny": ("money", Decimal(1)), "wan_cny": ("money", Decimal(10**4)), "yi_cny": ("money", Decimal(10**8))}
    | _family("count", *_COUNTED)
    | _family("mass", "吨", "t")
    | {"千克": ("mass", Decimal("0.001")), "公斤": ("mass", Decimal("0.001")), "kg": ("mass", Decimal("0.001"))}
    | _family("coal", "吨标准煤", "吨标煤", "tce")
    | _family("volume", "立方米", "m3", "m³")
    | _family("area", "亩", "mu")
    | {"公顷": ("area", Decimal(15)), "ha": ("area", Decimal(15))}
    | {"%": ("rate", Decimal(1)), "pct": ("rate", Decimal(1)), "share": ("rate", Decimal(100))}
    | {"‰": ("rate", Decimal("0.1"))}
    | {name: ("days", Decimal(1)) for name in ("天", "day", "days")}
    | {name: ("hours", Decimal(1)) for name in ("小时", "h", "hour", "hours")}
    | {name: ("points", Decimal(1)) for name in ("分", "index")}
)
_BETWEEN_WORDS = re.compile(r"[\s_()\[\]【】、,;\-—.]+")
_IN_NAMES = ("money", "mass", "coal", "volume")
_COUNTED_AS = {"count": "days"}  # days of good air are counted like anything else
_TENS = re.compile(r"(10\^(?P<power>\d)|10*|0{3,})(?P<unit>[^\d].*)")
_OF_WORDS = re.compile(r"['’‘`´]|(?<=s)of(?=[a-z¥])|^in(?=[a-z¥])")
_POWER_OF_TEN = re.compile("10([⁰¹²³⁴-⁹])")
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_STATED = re.compile(
    r"(?P<of>[\u4e00-\u9fff]{0,4})单 ?位(?: ?(?:[:：;|=→]|\.\.) ?| ?均?[为是] ?| ?(?=[十百千万亿元吨]))"
    r"(?P<zh>[^\s)\]】〕。]+)"
    r"|\bunits? ?[:：;|=] ?(?P<en>[^)\]】〕。]+)",
    re.IGNORECASE,
)
_COUNTED_IN = re.compile(r"[以按] ?(?P<unit>[^\s,，、以按]{1,8}?) ?(?:计算?|为(?:计量)?单位)(?![\u4e00-\u9fff])")
# a line that gives the size of the numbers and not what they count: 数量级：亿, scale: 10^4, (×1000), 均为亿元
_SCALED = re.compile(
    r"(?:数?量级|倍[率数]|乘[数以]|换算(?:系数|倍数)?|\bscale|\bmagnitude|\bmultipl(?:ier|y by|ied by))"
    r"(?: ?[:;|=→] ?| ?[为是] ?| ?)"
    r"(?P<size>[^\s:;,，。()\[\]【】〔〕]+(?: (?:thousands?|millions?|billions?|yuan|rmb|cny))*)"
    r"|^[(\[【〔]?[x×✕*] ?(?P<times>1[^()\[\]【】〔〕]*)[)\]】〕]?$"
    r"|[均皆都][为是用按以](?P<all>[十百千万亿]+(?:元|吨|人)?)[。.)]?$",
    re.IGNORECASE,
)
_POWER = re.compile(r"10(?:\^|的|e)?\d{0,2}(?:次方|次幂)?|1e\d+|10+|[一壹]?[十百千万亿]+|\d", re.IGNORECASE)
_LABEL = re.compile(
    r"[\u4e00-\u9fff]{0,4}单 ?位 ?:?|数?量级 ?:?|倍[率数] ?:?|units? ?:?|scale ?:?|magnitude ?:?", re.IGNORECASE
)
_WITH_MONEY = re.compile(r"(?<![a-z])(?:yuan|rmb|cny|renminbi)(?![a-z])|¥|[\d十百千万亿] ?元|元$", re.IGNORECASE)
_OF_ALL = ("金额", "货币", "数量", "计量", "表中", "本表", "数据", "以上")
_BRACKETS = re.compile(r"[(\[【〔]([^()\[\]【】〔〕]+)[)\]】〕]$")
_AFTER = re.compile(r"[\s,:/_、\-]+(?P<unit>[^\s,:/_、\-]+)$")
_INSIDE = re.compile(r"[十百千万亿]+(?:元|吨|人|家|亩)|元|吨|%")
_SPLIT = re.compile(r" *[、,，;；/] *")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3})")
_FOREIGN = re.compile(
    r"(?:美|欧|港|日|韩|台|澳)[元币金]|英镑|卢布|usd|eur|hkd|jpy|gbp|dollar|euro|\byen\b|pound|[$€£]", re.IGNORECASE
)
_LOOKS_LIKE = re.compile(r"^[十百千万亿]*(?:元|吨|人|家|批|件|[a-z%‰]{1,6})$", re.IGNORECASE)
_OF_UNITS = re.compile("[0-9a-z¥$€£%‰十百千万亿元吨币]", re.IGNORECASE)
# 单位：某某公司 names an office and no unit
_OFFICE_WORD = re.compile(
    r"公司|集团|厂|局|所|院|中心|委|政府|办|镇|乡|街道|县|市|区|省|州|站|队|部|处|科|会|行|社|校|店|某|国",
    re.IGNORECASE,
)
_OFFICE = re.compile(rf"{_OFFICE_WORD.pattern}|[a-z]{{3,}} [a-z]{{3,}}|.{{9}}", re.IGNORECASE)
_IN = re.compile(r"^[(\[]?(?:all |figures |amounts |values )*in (?P<unit>[^()\[\]]{1,30}?)[)\]]?$", re.IGNORECASE)
_NO_UNIT = frozenset(
    {"-", "/", "—", "年", "年度", "年份", "月", "日", "季", "季度", "单位", "计量单位", "unit", "units"}
)


def plain_text(text: str) -> str:
    """Return a text narrow and trimmed, with single spaces; 10⁴ is 10^4 and not 104."""
    raised = _POWER_OF_TEN.sub(lambda match: f"10^{match[1].translate(_POWERS)}", text)
    return " ".join(unicodedata.normalize("NFKC", raised).split())


def plain_unit(text: str) -> str:
    """Return one spelling of a unit: narrow, without case, spaces, thousands separators, ``in`` and ``of``."""
    plain = _GROUPED.sub("", plain_text(text).replace(" ", "").casefold())
    return plain if plain in _UNITS else _OF_WORDS.sub("", plain)


def _size(text: str) -> tuple[str, Decimal] | None:
    """Return what a unit measures and its size; 1000元 and 10⁴元 are units as well."""
    plain = plain_unit(text)
    found = _UNITS.get(plain)
    tens = _TENS.fullmatch(plain) if found is None else None
    inner = _UNITS.get(tens["unit"]) if tens is not None else None
    if tens is None or inner is None:
        return found
    power = int(tens["power"]) if tens["power"] else tens[1].count("0")
    return inner[0], inner[1] * 10**power


def is_multiple(text: str) -> bool:
    """Say whether a text is a multiple of nothing named: 亿, 百万, millions, '000."""
    plain = plain_unit(text)
    return (plain in MULTIPLES and plain[-1] in "万亿") or plain in _ENGLISH or plain in ("千", "百", "十")


def is_unit(text: str) -> bool:
    """Say whether a text is a unit this module can convert."""
    return _size(text) is not None


def looks_like_unit(text: str) -> bool:
    """Say whether a text is a unit, be it one that this module cannot convert: 万美元.

    Examples
    --------
    >>> looks_like_unit("万元"), looks_like_unit("USD million"), looks_like_unit("某某公司")
    (True, True, False)
    """
    plain = plain_unit(text)
    if is_unit(text) or is_multiple(text) or _LOOKS_LIKE.match(plain):
        return True
    return len(plain) <= 16 and ":" not in plain and _FOREIGN.search(text) is not None


def find_factor(stated: str, wanted: str) -> Decimal | None:
    """Return what a number in one unit is multiplied by to be in another.

    Parameters
    ----------
    stated : str
        Unit of the file: ``亿元``.
    wanted : str
        Unit of the contract: ``wan_cny``.

    Returns
    -------
    Decimal or None
        Exact; None when the two do not measure the same, or the quotient is no finite decimal.

    Examples
    --------
    >>> find_factor("亿元", "wan_cny"), find_factor("元", "wan_cny"), find_factor("吨", "wan_cny")
    (Decimal('10000'), Decimal('0.0001'), None)
    """
    given, target = _size(stated), _size(wanted)
    if given is None or target is None or given[0] not in (target[0], _COUNTED_AS.get(target[0])):
        return None
    factor = given[1] / target[1]
    if factor * target[1] != given[1]:
        return None
    return Decimal(f"{factor.normalize():f}")


def measures(unit: str) -> str:
    """Return what a unit measures: ``money``, ``count`` …; empty when unknown."""
    return (_size(unit) or ("", Decimal(0)))[0]


def read_unit_line(cells: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Return the units that a title, a line of its own or a note states, and what looks like a unit but is unknown.

    Parameters
    ----------
    cells : sequence of str
        One row outside the data.

    Returns
    -------
    tuple of (tuple of str, tuple of str) or None
        None when the row states no unit. 填报单位 is an office, and so is 单位：某某公司.

    Examples
    --------
    >>> read_unit_line(["", "单位：万元、人"]), read_unit_line(["2021年企业年报（亿元）"])
    ((('万元', '人'), ()), (('亿元',), ()))
    >>> read_unit_line(["填报单位：某局"]) is None
    True
    """
    known: list[str] = []
    strange: list[str] = []
    for cell in _with_labels(cells):
        plain = _SPLIT.sub(lambda m: m[0].strip(), _GROUPED.sub("", cell))
        for match in _STATED.finditer(plain):
            parts = [part.partition("(")[0].strip() for part in _SPLIT.split(match["zh"] or match["en"])]
            parts = [part for part in parts if part]
            # 产值单位为亿元 is said of one column only, and which one is not for a program to say
            is_general = (match["of"] or "").endswith(_OF_ALL) or not match["of"]
            is_general &= "分" not in parts  # a score, or a hundredth of 元
            known += [part for part in parts if is_unit(part) and is_general]
            odd = [part for part in parts if not (is_unit(part) and is_general)]
            strange += [part for part in odd if looks_like_unit(part) or _says_unit(part)]
        for said in () if _STATED.search(plain) else (*_said_without_word(plain), *_sizes(plain)):
            (known if is_unit(said) else strange).append(said)
    if not known and not strange:
        return None
    return tuple(dict.fromkeys(known)), tuple(dict.fromkeys(strange))


def _says_unit(part: str) -> bool:
    """Say whether what stands behind 单位： is a unit nobody knows, and no office."""
    office = _OFFICE.search(part)
    is_long = office is not None and (len(office[0]) == 9 or office[0].isascii())
    is_money = is_long and _OFFICE_WORD.search(part) is None and _WITH_MONEY.search(part) is not None
    return _OF_UNITS.search(part) is not None and (office is None or is_money)


def _with_labels(cells: Sequence[str]) -> list[str]:
    """Return the cells of a row; 数量级： and 亿 beside it are one text."""
    plain = [text for text in map(plain_text, cells) if text]
    found: list[str] = []
    for text in plain:
        is_size = is_unit(text) or is_multiple(text) or _POWER.fullmatch(text) is not None
        if found and is_size and _LABEL.fullmatch(found[-1]):
            found[-1] = f"{found[-1].rstrip(': ')}:{text}"
        else:
            found.append(text)
    return found


def _sizes(plain: str) -> list[str]:
    """Return the sizes of numbers that a line states without a unit's name: 数量级：亿."""
    found = (match["size"] or match["times"] or match["all"] for match in _SCALED.finditer(plain))
    sizes = [size.strip().lstrip("x×✕*") for size in found]
    return [size for size in sizes if is_unit(size) or is_multiple(size) or _POWER.fullmatch(size)]


def _said_without_word(plain: str) -> list[str]:
    """Return units that stand in a title without the word unit: in brackets, at its end, or as 以万元计."""
    found = [match["unit"] for match in _COUNTED_IN.finditer(plain)]
    bracket, after = _BRACKETS.search(plain), _AFTER.search(plain)
    found += [bracket[1]] if bracket else []
    whole = _IN.match(plain) or (_IN.match(bracket[1]) if bracket else None)
    found += [whole["unit"]] if whole else []
    # (十) counts the tables of a yearbook
    said = [u for u in found if is_unit(u) or _FOREIGN.search(u) or (is_multiple(u) and u not in "十百千")]
    # one letter at the end of a title may be anything; 亿元 and 元 are no other word
    pair = " ".join(plain.split()[-2:])  # RMB million at the end of a title is one unit
    last = pair if pair.isascii() and is_unit(pair) else after["unit"] if after else plain
    said += [last] if not whole and is_unit(last) and (len(last) > 1 or last in "元吨") else []
    return [unit for unit in said if not any(unit != other and unit in other for other in said)]


def header_unit(header: str, *, is_loose: bool = False) -> str:
    """Return the unit a header states: 产值（亿元）, 产值/亿元, 产值_亿元; empty when there is none.

    Parameters
    ----------
    header : str
        As it stands.
    is_loose : bool
        The header is known only through the answer to a question: a unit anywhere in it counts.

    Returns
    -------
    str
    """
    plain = unicodedata.normalize("NFKC", header).strip()
    bracket = re.search(r"[(\[【〔](?:单位[:：]?|unit:?)?\s*([^()\[\]【】〔〕]+)[)\]】〕]$", plain, re.IGNORECASE)
    after = _AFTER.search(plain)
    for found in (bracket[1] if bracket else "", after["unit"] if after else ""):
        if found and is_unit(found):
            return found
    inside = _INSIDE.findall(plain) if is_loose else []
    return max(inside, key=len) if inside else ""


def bracket_unit(header: str) -> str:
    """Return a header with its unit in the usual brackets: 产值/亿元 and 产值【亿元】 become 产值(亿元)."""
    plain = unicodedata.normalize("NFKC", header).strip()
    bracket = _BRACKETS.search(plain)
    if bracket and looks_like_unit(bracket[1]):
        return f"{plain[: bracket.start()]}({bracket[1]})"
    after = _AFTER.search(plain)
    return f"{plain[: after.start()]}({after['unit']})" if after and is_unit(after["unit"]) else header


def is_unit_row(cells: Sequence[str]) -> bool:
    """Say whether a row below the header holds nothing but the units of the columns."""
    filled = [cell for cell in (unicodedata.normalize("NFKC", c).strip().strip("():") for c in cells) if cell]
    is_any = any(is_unit(cell) or is_multiple(cell) or _FOREIGN.search(cell) for cell in filled)
    return is_any and all(looks_like_unit(cell) or cell.casefold() in _NO_UNIT for cell in filled)


def units_in_name(name: str) -> tuple[str, ...]:
    """Return the units of money, mass and the like that a file's name states: 乡镇年报_亿元.csv.

    Two words that are a unit together count as that one: ``RMB_million``.

    Examples
    --------
    >>> units_in_name("乡镇年报_亿元.csv"), units_in_name("town_RMB_million.xlsx"), units_in_name("亿元企业.csv")
    (('亿元',), ('RMB million',), ())
    """
    parts = _BETWEEN_WORDS.split(plain_text(name).rpartition(".")[0])
    words = [word.removeprefix("单位:") for word in parts if word]
    found: list[str] = []
    while words:
        pair = " ".join(words[:2])
        size = 2 if len(words) > 1 and pair.isascii() and is_unit(pair) else 1
        word = pair if size == 2 else words[0]
        is_named = measures(word) in _IN_NAMES and word not in ("t", "¥")
        if is_named or (is_multiple(word) and word[-1] in "万亿"):
            found.append(word)
        words = words[size:]
    return tuple(dict.fromkeys(found))
