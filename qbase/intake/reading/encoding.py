"""Which encoding a text file is in, decided by proof, never by likelihood."""

from __future__ import annotations

import codecs
import functools
import re
import unicodedata

import numpy as np
import pyarrow as pa

from qbase.core.errors import DataError

BLOCK = 1 << 22
BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HAN = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
_CELL_EDGE = re.compile(r"[\s,;|\"]")
_NEIGHBOURS = re.compile("(?=[^\x00-\x7f]*[\u0100-\u07ff])[\u0080-\u07ff]{2,}")
EXPECTED = "UTF-8, GB18030 (GBK), UTF-16 + BOM"
FIX = "Excel: CSV UTF-8 (*.csv)"
# what offices write most: a tenth of the characters in use, and half of those in any list of firms, products or towns
_FREQUENT = frozenset(
    "的一是不了在有人大上个国中和地为年生发会业产可下过出分多日月要成行方现种作动都公司限市县镇乡村街道区省州厂"
    "品合格结果检抽样名称号码编码企业工商信用代级别期时间域类型统社单位法定表注备说明数据来源填报总小计共第次季度"
    "批查督监质量管理局所院站部门标准执项目判实测值依据测验证书许可机构承被受委托方地址电话联系村组路街园城江河"
    "湖海山东西南北京津沪浙苏皖闽赣鲁豫鄂湘粤桂琼川黔滇陕甘青宁新蒙吉辽黑安福广平长春阳州兴华金银永丰德隆泰顺"
    "纺织化纤丝绸布服装鞋帽家具电器机械设备材料制造技术有限集团股份贸易科技实业食药塑胶纸木铁钢铜铝玻璃水泥陶瓷"
    "建筑装饰包印刷染整涤纶锦氨短油漆涂农林牧渔肥种子饲粮茶酒奶肉蛋菜果车船灯线缆阀门泵池锁刀玩童内外衣袜毛巾"
    "甲乙丙丁二三四五六七八九十百千万亿元吨米件台套只双个户家员从收入增加税利资投值产率比同去今前后本全高低好差"
    "无空未已待否是处理复原首末正常风险定向随机专项投诉举报跟踪省国网络流通环节领域销售"
)
_ASCII = bytes(range(128))
_LEAST = 0.3  # of the Han characters have to be frequent


def decode_text(data: bytes, encoding: str = "") -> tuple[bytes, str]:
    """Decode a file strictly and return it as UTF-8.

    A byte order mark decides; else zeros in every second byte make it UTF-16; else the file is UTF-8 when all of it
    is; else GB18030 when all of it is.

    Parameters
    ----------
    data : bytes
        The whole file.
    encoding : str
        Said by a recipe (``big5``); empty finds it.

    Returns
    -------
    tuple of (bytes, str)
        The text in UTF-8 without mark, and the name of the encoding found.

    Raises
    ------
    DataError
        Some bytes are in neither encoding (QB312), lines differ in encoding (QB313), the decoded text holds
        characters that are private or unassigned, as a wrong encoding gives them (QB314), both UTF-8 and GB18030 give
        sound text (QB327), or what GB18030 gives is no Chinese (QB337). Each names the line.
    """
    if encoding:
        return _decode_as(data, encoding), encoding
    for mark, marked in BOMS:
        if data.startswith(mark):
            return _decode_as(data[len(mark) :], marked), marked
    wide = _find_utf16(data)
    return (_decode_as(data, wide), wide) if wide else _decode_unmarked(data)


def _find_utf16(data: bytes) -> str:
    """Return the byte order of UTF-16 without mark: most separators and line ends have a zero beside them."""
    if len(data) % 2 or b"\0" not in data[:BLOCK]:
        return ""
    pairs = np.frombuffer(data, np.uint8).reshape(-1, 2)
    is_sign = np.isin(pairs, np.frombuffer(b",;\t|\r\n", np.uint8))
    for encoding, low in (("utf-16-le", 0), ("utf-16-be", 1)):
        paired = int((is_sign[:, low] & (pairs[:, 1 - low] == 0)).sum())
        if paired and 2 * paired > int(is_sign.sum()):
            return encoding
    return ""


def _decode_as(data: bytes, encoding: str) -> bytes:
    try:
        text = data if encoding == "utf-8" and _is_utf8(data) else data.decode(encoding).encode()
    except UnicodeError as error:
        raise _undecodable(f"{encoding}: {_reason(error)}", data, error) from None
    _check_characters(text)
    return text


def _decode_unmarked(data: bytes) -> tuple[bytes, str]:
    if _is_utf8(data):
        _check_characters(data)
        _check_one_reading(data)
        return data, "utf-8"
    try:
        text = data.decode("gb18030").encode()
    except UnicodeError as gb_error:
        utf_error = _utf8_error(data)
        found = f"line {_line_of(data, utf_error)}: not UTF-8; line {_line_of(data, gb_error)}: not GB18030"
        raise _undecodable(found, data, utf_error) from None
    _check_one_encoding(data)
    _check_characters(text)
    _check_chinese(text)
    return text, "gb18030"


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    cells = pa.Array.from_buffers(
        pa.large_binary(), 1, [None, pa.py_buffer(np.array([0, len(data)])), pa.py_buffer(data)]
    )
    try:
        cells.cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


def _utf8_error(data: bytes) -> UnicodeError:
    """Return where data that are not UTF-8 cease to be it."""
    try:
        data.decode("utf-8")
    except UnicodeError as error:
        return error
    return UnicodeError()


def _check_one_encoding(data: bytes) -> None:
    """Refuse a GB18030 file with lines of UTF-8 in it.

    Such a line is strict UTF-8, reads as everyday Chinese that way, and not as everyday Chinese in GB18030.
    """
    for number, line in enumerate(data.splitlines(), start=1):
        if line.isascii():
            continue
        try:
            text = line.decode("utf-8")
        except UnicodeError:
            continue
        if _is_everyday(text) and not _is_everyday(line.decode("gb18030", "replace")):
            other = _line_of(data, _utf8_error(data))
            found = f"line {number}: UTF-8; line {other}: GB18030"
            raise DataError("QB313", line=max(number, other), found=found, expected=EXPECTED, fix=FIX)


def _check_one_reading(data: bytes) -> None:
    """Refuse text that is sound in both encodings: 一业 in GBK is strict UTF-8 as well, as letters nobody writes.

    Chinese in UTF-8 takes three bytes a character; where no character does, and some stand side by side beyond the
    accented letters of western Europe, the same bytes may be everyday Chinese in GBK.
    """
    if data.isascii():
        return
    wide = np.frombuffer(data, np.uint8)
    if (wide >= 0xE0).any():
        return
    text = data.decode("utf-8")
    match = _NEIGHBOURS.search(text)
    if match and _is_everyday(data.decode("gb18030", "replace")):
        line = 1 + text.count("\n", 0, match.start())
        found = f"line {line}: {match[0]} (UTF-8) / {match[0].encode().decode('gb18030', 'replace')} (GB18030)"
        raise DataError("QB327", line=line, found=found, expected="UTF-8 + BOM", fix=FIX)


def _check_chinese(text: bytes) -> None:
    """Refuse what only could be GB18030: most texts in another legacy encoding are valid in it, as signs nobody writes.

    The letter ö before another gives a sign that GB 2312 does not have, inside a word (``K鰈n``); Japanese and Korean
    give signs of which hardly any is frequent.
    """
    if text.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    times = np.zeros(0x110000, np.int64)
    line, first = 1, ""
    for start in range(0, len(text), BLOCK):
        block = decoder.decode(text[start : start + BLOCK])
        counts = np.bincount(np.frombuffer(block.encode("utf-32-le"), np.uint32), minlength=len(times))
        times += counts
        rare = "".join(char for char in map(chr, np.flatnonzero(counts)) if _HAN.match(char) and not _is_everyday(char))
        inside = re.search(f"[a-z][{rare}]|[{rare}][a-z]|[A-Z][{rare}][A-Z]", block) if rare else None
        if inside:
            raise _no_chinese(line, block, inside.start())
        line += block.count("\n") or block.count("\r")
        first = first or block
    signs = {char: int(times[ord(char)]) for char in map(chr, np.flatnonzero(times)) if _HAN.match(char)}
    if sum(number for char, number in signs.items() if char in _FREQUENT) < _LEAST * sum(signs.values()):
        match = _HAN.search(first)
        raise _no_chinese(1, first, match.start() if match else 0)


def _no_chinese(line: int, block: str, at: int) -> DataError:
    line += block.count("\n", 0, at) or block.count("\r", 0, at)
    word = _CELL_EDGE.split(block[max(at - 12, 0) : at])[-1] + _CELL_EDGE.split(block[at : at + 12])[0]
    fix = f'{FIX}; encoding = "gb18030" (--recipe)'
    return DataError("QB337", line=line, found=f"line {line}: {word}", expected=EXPECTED, fix=fix)


def _is_everyday(text: str) -> bool:
    try:
        text.encode("gb2312")
    except UnicodeError:
        return False
    return True


def _check_characters(text: bytes) -> None:
    if text.isascii():
        return
    strange = _strange_codes(text)
    if not strange:
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    for start in range(0, len(text), BLOCK):
        block = decoder.decode(text[start : start + BLOCK])
        codes = np.frombuffer(block.encode("utf-32-le"), np.uint32)
        places = np.flatnonzero(np.isin(codes, strange))
        if len(places):
            at = int(places[0])
            line += block.count("\n", 0, at) or block.count("\r", 0, at)
            char = f"U+{ord(block[at]):04X}"
            found = f"line {line}: {char} ({unicodedata.category(block[at])})"
            raise DataError("QB314", char=char, line=line, found=found, expected=EXPECTED, fix=FIX)
        line += block.count("\n") or block.count("\r")


def _strange_codes(text: bytes) -> list[int]:
    """Return the code points in UTF-8 that no text should hold, ascending; those of ASCII are none of them."""
    present = np.zeros(0x110000, np.bool_)
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(text), BLOCK):
        wide = text[start : start + BLOCK].translate(None, _ASCII)
        signs = np.frombuffer(wide, np.uint8)
        if len(signs) % 3 == 0 and (signs[::3] & 0xF0 == 0xE0).all() and not decoder.getstate()[0]:
            # three bytes each, as Chinese is: faster than decoding
            first, second, third = (signs[i::3].astype(np.uint16) for i in range(3))
            present[(first & 0x0F) << 12 | (second & 0x3F) << 6 | third & 0x3F] = True
        else:
            present[np.frombuffer(decoder.decode(wide).encode("utf-32-le"), np.uint32)] = True
    return [code for code in np.flatnonzero(present).tolist() if _is_strange(code)]


@functools.cache
def _is_strange(code: int) -> bool:
    """Say whether a code point is private, unassigned or half a pair."""
    return unicodedata.category(chr(code)) in ("Co", "Cn", "Cs")


def _line_of(data: bytes, error: UnicodeError) -> int:
    at = getattr(error, "start", 0)
    return 1 + (data.count(b"\n", 0, at) or data.count(b"\r", 0, at))


def _reason(error: UnicodeError) -> str:
    return str(getattr(error, "reason", error))


def _undecodable(found: str, data: bytes, error: UnicodeError) -> DataError:
    line = _line_of(data, error)
    return DataError("QB312", line=line, found=found, expected=EXPECTED, fix=FIX)
