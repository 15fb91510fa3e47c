"""Words that stand for nothing, words that stand for an error, and marks that repeat the cell above."""

from __future__ import annotations

import re

from qbase.tables import ColumnRule

# signs, and words nobody is called by
_SIGNS = frozenset(
    {
        "-", "--", "---", "–", "——", "―", "_", ".", "..", "...", "…", "……", "·", "*", "**", "?", "\\", "//", "\\n",
        "(空)", "(空白)", "(无)", "[空]", "<空>",
        "n/a", "n.a.", "n.a", "n/d", "#na", "<na>", "(na)", "[na]", "<null>", "(null)", "[null]", "<none>", "(none)",
        "[none]", "(blank)", "(empty)", "<nil>", "(nil)", "nat", "<nat>", "-nan", "1.#qnan", "-1.#ind", "1.#ind",
        "undefined", "not available", "not applicable",
    }
)  # fmt: skip
# what somebody might be called all the same
_NAMES = frozenset(
    {"null", "none", "nan", "na", "nil", "无", "無", "空", "缺", "暂无", "没有", "不详", "未填", "未知", "空白", "空值"}
)
_ZEROS = re.compile(r"0+(\.0+)?", re.ASCII)
_ERROR = re.compile(
    r"#(?:N/A N/A|N/A|DIV/0!?|REF!?|VALUE!?|NAME\?|NUM!?|NULL!|SPILL!?|CALC!?|FIELD!?|GETTING_DATA|BLOCKED!?|CONNECT!?|"
    r"UNKNOWN!?|BUSY!?|PYTHON!?|EXTERNAL!?|ERROR!?|NV|BEZUG!|WERT!|ZAHL!|NOMBRE\?|NOM\?|WERT|¡REF!|¡VALOR!|¡DIV/0!|"
    r"¡NUM!|¡NULO!|#+)|Err:5\d\d|#{2,}",
    re.IGNORECASE,
)
_DITTO = frozenset(
    {
        "同上", "同前", "同上行", "同上一行", "同上述", "同前行", "上同", "仝", "仝上", "々", "〃", "〃〃", "″", "″″",
        "′′", '"', '""', "'", "''", "“", "”", "“”", "〞", "〝", "〝〞", ",,", "„", "do", "ditto", "id", "idem", "same",
        "same as above", "as above",
    }
)  # fmt: skip
_ELSEWHERE = re.compile(
    r"同[左右上下前][(（].*|同[左右下]|以上同|[见如][上前左]|同(?:第|序号|编号|行)?[A-Za-z]{0,4}[-_]?\d[\w-]*(?:行|号|项)?|"
    r"same as .*\d",
    re.IGNORECASE,
)
_DITTO_EDGE = " \t-—–―~()（）[]."


def says_nothing(plain: str, column: ColumnRule) -> bool:
    """Say whether a text means that there is nothing, as databases, statistics programs and clerks write it.

    In a required column of names NULL, NA or 无 may be somebody's name and stays; zeros stand for nothing only
    where a code is not required, since no sender numbers anything 0.

    Examples
    --------
    >>> from qbase.tables import read_contract
    >>> parent, firm = (read_contract("inspections").column(name) for name in ("parent_no", "firm_name"))
    >>> [says_nothing(text, parent) for text in ("NULL", "0", "无", "S1")]
    [True, True, True, False]
    >>> [says_nothing(text, firm) for text in ("NULL", "0", "--")]
    [False, False, True]
    """
    word = plain.casefold()
    if word in _SIGNS:
        return True
    if column.type == "code" and not column.required and _ZEROS.fullmatch(plain):
        return True
    return word in _NAMES and not (column.type == "text" and column.required)


def may_say_nothing(plain: str) -> bool:
    """Say whether a name may be a word for nothing after all: such cells are told."""
    return plain.casefold() in _NAMES


def is_error_text(plain: str) -> bool:
    """Say whether a text is what a spreadsheet writes where a formula failed.

    Examples
    --------
    >>> [is_error_text(text) for text in ("#N/A", "#DIV/0!", "#########", "#12", "N/A")]
    [True, True, True, False, False]
    """
    return plain[:1] in ("#", "E", "e") and _ERROR.fullmatch(plain) is not None


def is_ditto(text: str) -> bool:
    """Say whether a cell only repeats the one above.

    Examples
    --------
    >>> [is_ditto(text) for text in ("同上", "-〃-", "〃", "do.", "同上海", "")]
    [True, True, True, True, False, False]
    """
    plain = text.strip()
    if not plain or len(plain) > 16:
        return False
    bare = plain.strip(_DITTO_EDGE).casefold()
    return plain.casefold() in _DITTO or bare in _DITTO or "".join(bare.split()) in _DITTO


def refers_elsewhere(text: str) -> bool:
    """Say whether a cell points to another that is not simply the one above: nobody is called so either.

    Examples
    --------
    >>> [refers_elsewhere(text) for text in ("同左", "同上（乙车间）", "同第1行", "同S-1", "同仁堂", "同济大学")]
    [True, True, True, True, False, False]
    """
    plain = text.strip()
    return plain[:1] in ("同", "以", "见", "如", "s", "S") and _ELSEWHERE.fullmatch(plain) is not None
