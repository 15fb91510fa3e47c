"""What a letter may be asked: the one cell tagged ``parameters``, parsed and never executed.

A line reads ``name: type = literal  # 中文 | English | range or choices``; the third part is optional.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import io
import json
import math
import pathlib
import re
import tokenize
from types import EllipsisType
from typing import Any, Literal, cast

from qbase.core.errors import UsageError
from qbase.core.text import Text

TAG = "parameters"
BASES = ("str", "int", "float", "bool")
JSON_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
INT_LIMIT = 2**63
RANGE = re.compile(r"(?P<low>[^.\s]?[^\s]*?)\s*\.\.\s*(?P<high>\S*)")
NO_HELP = Text("", "")
Base = Literal["str", "int", "float", "bool"]
Many = Literal["", "list", "dict"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parameter:
    """One declared parameter of a letter.

    Parameters
    ----------
    name : str
        Identifier.
    base : {"str", "int", "float", "bool"}
        Type of the value, or of the items of a list, or of the values of a map with text keys.
    many : {"", "list", "dict"}
        Whether it holds one value, a list or a map.
    optional : bool
        Whether None is a value.
    default : Any
        JSON value; Ellipsis when it must be given.
    help : Text
        Meaning in both languages; empty where the letter gives none.
    low, high : int, float, str or None
        Ends of the range, both allowed values.
    choices : tuple
        Allowed values; empty when free.

    Examples
    --------
    >>> from qbase.core import Text
    >>> from qbase.reports import Parameter, check_params
    >>> level = Parameter(name="level", base="float", default=0.95, help=Text("置信度", "level"), low=0.5, high=0.99)
    >>> check_params([level], {}), check_params([level], {"level": 0.9})
    ({'level': 0.95}, {'level': 0.9})
    """

    name: str
    base: Base
    many: Many = ""
    optional: bool = False
    default: Any = ...
    help: Text = NO_HELP
    low: float | str | None = None
    high: float | str | None = None
    choices: tuple[Any, ...] = ()

    @property
    def required(self) -> bool:
        """Whether it must be given for every run."""
        return isinstance(self.default, EllipsisType)

    @property
    def type(self) -> str:
        """Declared type as it is written in the cell."""
        inner = {"": self.base, "list": f"list[{self.base}]", "dict": f"dict[str, {self.base}]"}[self.many]
        return f"{inner} | None" if self.optional else inner

    @property
    def allowed(self) -> str:
        """Range or choices as shown: ``2016–2025``, ``a | b``; empty when free."""
        if self.choices:
            return " | ".join(map(str, self.choices))
        if self.low is None and self.high is None:
            return ""
        if self.low is None:
            return f"≤ {self.high}"
        return f"≥ {self.low}" if self.high is None else f"{self.low}–{self.high}"

    def describe(self) -> str:
        """Return ``year: int, 2016–2025``."""
        return f"{self.name}: {self.type}" + (f", {self.allowed}" if self.allowed else "")

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of its values."""
        item: dict[str, Any] = {"type": JSON_TYPES[self.base]}
        if self.choices:
            item["enum"] = list(self.choices)
        if self.base in {"int", "float"}:
            item.update({k: v for k, v in (("minimum", self.low), ("maximum", self.high)) if v is not None})
        whole = {
            "": item,
            "list": {"type": "array", "items": item},
            "dict": {"type": "object", "additionalProperties": item},
        }[self.many]
        if self.optional:
            whole = {"anyOf": [whole, {"type": "null"}]}
        return whole if self.required else {**whole, "default": self.default}


def read_parameters(notebook: pathlib.Path, *, shown: str | None = None) -> tuple[Parameter, ...]:
    """Read the declared parameters of a notebook without running anything.

    Parameters
    ----------
    notebook : Path
        An ``.ipynb`` file.
    shown : str, optional
        How messages name the file; its file name by default.

    Returns
    -------
    tuple of Parameter
        In the order of the cell.

    Raises
    ------
    UsageError
        The notebook cannot be read (QB809); not exactly one cell is tagged, or a line is not a
        declaration (QB808).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.reports import read_parameters
    >>> parameters = read_parameters(open_workspace().root / "notebooks/trends.ipynb")
    >>> [(p.name, p.base, p.default) for p in parameters if p.default is not None][:3]
    [('indicator', 'str', 'D1.batch'), ('entity', 'str', 'cluster_id'), ('level', 'float', 0.95)]
    """
    shown = shown or notebook.name
    return parse_cells(read_notebook(notebook, shown=shown)["cells"], shown=shown)


def read_notebook(notebook: pathlib.Path, *, shown: str) -> dict[str, Any]:
    """Read a notebook as a plain document, without nbformat and its imports (QB809 when that fails).

    Raises
    ------
    UsageError
        The file is missing or no notebook (QB809).
    """
    try:
        document = json.loads(notebook.read_text(encoding="utf-8"))
        cells = document["cells"]
        well_formed = document["nbformat"] == 4 and all(cell["cell_type"] for cell in cells)
        # joined here, so that a source that is no text is told as what it is
        "".join(map(source_of, cells))
    except FileNotFoundError:
        raise _unreadable(shown, "no such file") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(shown, f"{type(error).__name__}: {error}") from error
    if not well_formed:
        raise _unreadable(shown, f"nbformat {document['nbformat']}")
    return cast(dict[str, Any], document)


def source_of(cell: dict[str, Any]) -> str:
    """Return the source of a cell as one text."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def tags_of(cell: dict[str, Any]) -> list[str]:
    """Return the tags of a cell."""
    tags = (cell.get("metadata") or {}).get("tags")
    return list(tags) if isinstance(tags, list) else []


def parse_cells(cells: list[dict[str, Any]], *, shown: str) -> tuple[Parameter, ...]:
    """Parse the one tagged cell among the cells of a notebook (QB808 when it does not hold).

    Raises
    ------
    UsageError
        Not exactly one cell is tagged, or it does not hold (QB808).
    """
    tagged = [i for i, cell in enumerate(cells, 1) if cell["cell_type"] == "code" and TAG in tags_of(cell)]
    if len(tagged) != 1:
        found = f"{len(tagged)} cells tagged {TAG}" + (f": {', '.join(map(str, tagged))}" if tagged else "")
        raise _bad(shown, found, "one cell tagged parameters", "tag exactly one code cell with: parameters")
    return parse_source(source_of(cells[tagged[0] - 1]), shown=shown)


@functools.lru_cache(maxsize=64)
def parse_source(source: str, *, shown: str) -> tuple[Parameter, ...]:
    """Parse the source of a parameters cell (QB808 when it does not hold).

    Raises
    ------
    UsageError
        A line is no parameter, or a name stands twice (QB808).
    """
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError) as error:
        raise _bad(shown, f"{error}") from error
    comments = _comments(source)
    found: dict[str, Parameter] = {}
    for node in body:
        # a Literal type has to be imported before the cell that uses it, hence inside it
        if isinstance(node, ast.ImportFrom) and node.module == "typing":
            continue
        parameter = _parameter(node, comments, shown)
        if parameter.name in found:
            raise _bad(shown, f"line {node.lineno}: {parameter.name} twice", fix=f"keep one {parameter.name}")
        found[parameter.name] = parameter
    return tuple(found.values())


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("#").strip() for t in tokens if t.type == tokenize.COMMENT}


def _parameter(node: ast.stmt, comments: dict[int, str], shown: str) -> Parameter:
    line = ast.unparse(node).split("\n", 1)[0]
    where = f"line {node.lineno}: {line}"
    if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name) or node.value is None:
        raise _bad(shown, where)
    kind = _kind(node.annotation)
    if kind is None:
        types = "str · int · float · bool · list[…] · dict[str, …] · Literal[…] · … | None"
        raise _bad(shown, where, types)
    base, many, optional, choices = kind
    try:
        default = ast.literal_eval(node.value)
    except ValueError:
        raise _bad(shown, where, "a literal, or ... when it must be given") from None
    parts = [p.strip() for p in comments.get(node.end_lineno or node.lineno, "").split("|")]
    parameter = Parameter(
        name=node.target.id,
        base=base,
        many=many,
        optional=optional,
        help=Text(parts[0], parts[1] if len(parts) > 1 else parts[0]),
        choices=choices,
    )
    parameter = _narrow(parameter, " | ".join(parts[2:]), where, shown)
    return dataclasses.replace(parameter, default=_default(parameter, default, where, shown))


def _default(parameter: Parameter, default: Any, where: str, shown: str) -> Any:
    if default is ...:
        return default
    wrong = fault(parameter, default)
    if wrong:
        raise _bad(shown, where, parameter.describe(), f"correct the default: {wrong}")
    return as_declared(parameter, default)


def _kind(node: ast.expr) -> tuple[Base, Many, bool, tuple[Any, ...]] | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _kind(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [node.left, node.right]
        inner = [side for side in sides if not (isinstance(side, ast.Constant) and side.value is None)]
        found = _kind(inner[0]) if len(inner) == 1 else None
        return (found[0], found[1], True, found[3]) if found else None
    if isinstance(node, ast.Name) and node.id in BASES:
        return cast(Base, node.id), "", False, ()
    if not isinstance(node, ast.Subscript) or not isinstance(node.value, ast.Name):
        return None
    items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if node.value.id == "Literal":
        return _literal(items)
    names = [item.id if isinstance(item, ast.Name) else "" for item in items]
    if node.value.id == "list" and len(names) == 1 and names[0] in BASES:
        return cast(Base, names[0]), "list", False, ()
    if node.value.id == "dict" and len(names) == 2 and names[0] == "str" and names[1] in BASES:
        return cast(Base, names[1]), "dict", False, ()
    return None


def _literal(items: list[ast.expr]) -> tuple[Base, Many, bool, tuple[Any, ...]] | None:
    try:
        values = tuple(ast.literal_eval(item) for item in items)
    except ValueError:
        return None
    bases = {type(value).__name__ for value in values}
    return (cast(Base, bases.pop()), "", False, values) if len(bases) == 1 and bases <= set(BASES) else None


def _narrow(parameter: Parameter, words: str, where: str, shown: str) -> Parameter:
    if not words:
        return parameter
    match = RANGE.fullmatch(words)
    if match:
        low, high = (read_one(parameter.base, end) if end else None for end in (match["low"], match["high"]))
        bad = any(end and value is None for end, value in zip((match["low"], match["high"]), (low, high), strict=True))
        if bad or parameter.base == "bool":
            raise _bad(shown, where, f"a range of {parameter.base}", f"correct {words}")
        return dataclasses.replace(parameter, low=low, high=high)
    choices = tuple(read_one(parameter.base, word.strip()) for word in re.split("[,，、]", words))
    if None in choices:
        raise _bad(shown, where, f"a range a..b or choices of {parameter.base}", f"correct {words}")
    return dataclasses.replace(parameter, choices=choices)


def read_one(base: Base, word: str) -> Any:
    """Read one word by its declared type alone; None when it is not of that type."""
    if base == "str":
        return word
    if base == "bool":
        return {"true": True, "false": False}.get(word)
    pattern = r"[+-]?[0-9]{1,30}" if base == "int" else r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?"
    if not re.fullmatch(pattern, word):
        return None
    return int(word) if base == "int" else float(word)


def as_declared(parameter: Parameter, value: Any) -> Any:
    """Return a sound value with whole numbers turned to float where float is declared, containers copied."""
    if isinstance(value, list):
        return [as_declared(parameter, item) for item in value]
    if isinstance(value, dict):
        return {key: as_declared(parameter, item) for key, item in value.items()}
    return float(value) if parameter.base == "float" and type(value) is int else value


def fault(parameter: Parameter, value: Any) -> str:
    """Return which rule a value breaks: ``type``, ``json`` or ``range``; empty when it is sound."""
    if not _is_json(value):
        return "json"
    if value is None:
        return "" if parameter.optional else "type"
    if parameter.many == "list":
        items = value if type(value) is list else None
    elif parameter.many == "dict":
        items = list(value.values()) if type(value) is dict else None
    else:
        items = [value]
    if items is None or not all(_is_base(parameter.base, item) for item in items):
        return "type"
    return "" if all(_is_allowed(parameter, item) for item in items) else "range"


def _is_json(value: Any) -> bool:
    # exact types: a subclass of str could write itself as anything when it is pasted into a cell
    if type(value) is str:
        return not any("\ud800" <= c <= "\udfff" for c in value)
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is int:
        return -INT_LIMIT <= value < INT_LIMIT
    if type(value) is list:
        return all(map(_is_json, value))
    if type(value) is dict:
        return all(type(key) is str and _is_json(key) and _is_json(item) for key, item in value.items())
    return value is None or type(value) is bool


def _is_base(base: Base, value: Any) -> bool:
    return type(value) in {"str": (str,), "int": (int,), "float": (float, int), "bool": (bool,)}[base]


def _is_allowed(parameter: Parameter, value: Any) -> bool:
    if parameter.choices and value not in parameter.choices:
        return False
    for end, sign in ((parameter.low, 1), (parameter.high, -1)):
        if end is None:
            continue
        # periods and codes of one width order as text; another width is another kind of value
        if isinstance(end, str) and len(value) != len(end):
            return False
        if (value < end) if sign == 1 else (value > end):
            return False
    return True


def _unreadable(shown: str, found: str) -> UsageError:
    return UsageError("QB809", notebook=shown, found=found, expected=f"{shown} (nbformat 4)", fix="qbase list")


def _bad(
    shown: str,
    found: str,
    expected: str = "name: type = literal  # 中文 | English | range or choices",
    fix: str = "correct the cell tagged parameters",
) -> UsageError:
    return UsageError("QB808", notebook=shown, found=found, expected=expected, fix=fix)
