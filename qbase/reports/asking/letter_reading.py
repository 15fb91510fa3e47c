"""What a letter does with its parameters, read from its code and never executed.

A parameter that a later cell binds again, or that no cell reads, would publish one run under the name of another.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import re
import symtable
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from qbase.core.errors import UsageError
from qbase.reports.asking.letter_parameters import TAG, Parameter, source_of, tags_of

# calls that hand out every name at once: what is read through them cannot be told from the code
ALL_NAMES = frozenset({"globals", "locals", "vars", "dir", "eval", "exec"})
# magics whose body or line runs as code of the letter
RUNS = frozenset({"time", "timeit", "capture", "prun"})
MAGICS = frozenset({"run_line_magic", "run_cell_magic", "system", "getoutput"})
NAMESPACES = frozenset({"user_ns", "user_global_ns", "__dict__"})
# methods that change a list or a map where it stands
CHANGES = frozenset({
    "append", "extend", "insert", "remove", "pop", "clear", "sort", "reverse", "update", "setdefault", "popitem",
})  # fmt: skip
_WORD = re.compile(r"[^\W\d]\w*")


@dataclasses.dataclass(kw_only=True)
class Use:
    """What code does with names of the letter.

    Parameters
    ----------
    bound : dict of str to int
        Name -> line that binds or deletes it first.
    read : set of str
        Names that are read.
    is_clear : bool
        Whether the code could be read, and names nothing in a roundabout way.
    """

    bound: dict[str, int] = dataclasses.field(default_factory=dict)
    read: set[str] = dataclasses.field(default_factory=set)
    is_clear: bool = True


def check_letter(cells: Sequence[Mapping[str, Any]], parameters: Sequence[Parameter], *, shown: str) -> None:
    """Refuse a letter that binds a parameter again, or never reads one.

    Parameters
    ----------
    cells : sequence of mapping
        Cells of the notebook.
    parameters : sequence of Parameter
        What its tagged cell declares.
    shown : str
        How messages name the notebook.

    Raises
    ------
    UsageError
        A cell below the parameters binds or deletes one of them (QB827), or no cell reads one (QB828).
    """
    names = {parameter.name for parameter in parameters}
    read: set[str] = set()
    is_clear = True
    for number, cell in _below_parameters(cells):
        source = source_of(dict(cell))
        use = read_use(source)
        again = sorted(names & set(use.bound), key=lambda name: use.bound[name])
        if again:
            raise _bound_again(shown, again[0], number, source.splitlines()[use.bound[again[0]] - 1].strip())
        read |= use.read
        is_clear = is_clear and use.is_clear
    unread = [parameter.name for parameter in parameters if parameter.name not in read]
    if unread and is_clear:
        raise UsageError(
            "QB828",
            notebook=shown,
            name=unread[0],
            found=f"no cell reads {' · '.join(unread)}",
            expected="every parameter of the cell tagged parameters is read below it",
            fix=f"use {unread[0]} in the letter, or delete its line from the cell tagged parameters",
        )


@functools.lru_cache(maxsize=512)
def read_use(source: str) -> Use:
    """Read what the code of one cell does with the names of its letter; code that cannot be read binds nothing.

    Kept, as a batch asks for the same cells once for every page; nobody changes what is returned.
    """
    use = Use()
    tree = _parse(source)
    if tree is None:
        use.is_clear = not source.strip()
        return use
    _read_names(tree, use)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            _read_call(node, use)
        elif isinstance(node, ast.Subscript):
            _read_subscript(node, use)
        elif isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            use.is_clear = False
    for node in _outside_functions(tree):
        _read_change(node, use)
    return use


def _below_parameters(cells: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the code cells that run after the parameters are set, with their number from 1."""
    is_below = False
    for number, cell in enumerate(cells, 1):
        if is_below and cell["cell_type"] == "code":
            yield number, cell
        is_below = is_below or (cell["cell_type"] == "code" and TAG in tags_of(dict(cell)))


def _parse(source: str) -> ast.Module | None:
    """Parse a cell, its magics written as the calls that IPython makes of them."""
    tree = _parse_plain(source)
    if tree is not None or not re.search(r"^\s*[%!?]|[%!?]", source, re.MULTILINE):
        return tree
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return _parse_plain(TransformerManager().transform_cell(source))  # type: ignore[no-untyped-call]
    except (SyntaxError, ValueError):
        return None


def _parse_plain(source: str) -> ast.Module | None:
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        tree = compile(source, "cell", "exec", flags, dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    return tree if isinstance(tree, ast.Module) else None


def _read_names(tree: ast.Module, use: Use) -> None:
    """Take what the scopes of the code say: Python's own symbol table knows walrus, imports, ``del`` and shadows."""
    lines = _lines(tree)
    # an annotation alone binds nothing, and a lone await is no matter of names
    plain = ast.unparse(_Plain().visit(tree)) if tree.body else ""
    for scope, is_letter in _scopes(symtable.symtable(plain, "cell", "exec")):
        for symbol in scope.get_symbols():
            name = symbol.get_name()
            if not (is_letter or symbol.is_global()):
                continue
            if symbol.is_referenced():
                use.read.add(name)
            if symbol.is_assigned() or symbol.is_imported():
                use.bound.setdefault(name, lines.get(name, 1))


def _scopes(top: symtable.SymbolTable) -> Iterator[tuple[symtable.SymbolTable, bool]]:
    yield top, True
    waiting = list(top.get_children())
    while waiting:
        scope = waiting.pop()
        yield scope, False
        waiting += scope.get_children()


class _Plain(ast.NodeTransformer):
    """Drop what the symbol table would count wrong."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            return self.generic_visit(node)
        return ast.copy_location(ast.Expr(self.visit(node.annotation)), node)

    def visit_Await(self, node: ast.Await) -> Any:
        return self.visit(node.value)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return self.generic_visit(ast.copy_location(ast.For(**dict(ast.iter_fields(node))), node))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return self.generic_visit(ast.copy_location(ast.With(**dict(ast.iter_fields(node))), node))


def _lines(tree: ast.Module) -> dict[str, int]:
    """Return the first line of every name that any statement binds."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        for name in _bound_by(node):
            line = getattr(node, "lineno", 1)
            found[name] = min(line, found.get(name, line))
    return found


def _bound_by(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.Name):
        return () if isinstance(node.ctx, ast.Load) else (node.id,)
    if isinstance(node, ast.alias):
        return ((node.asname or node.name).partition(".")[0],)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler):
        return (node.name,) if node.name else ()
    if isinstance(node, ast.MatchAs | ast.MatchStar):
        return (node.name,) if node.name else ()
    if isinstance(node, ast.MatchMapping):
        return (node.rest,) if node.rest else ()
    return ()


def _read_call(call: ast.Call, use: Use) -> None:
    """Take what runs from text: magics, ``exec``, and names set through ``globals()``."""
    words = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if isinstance(call.func, ast.Name) and call.func.id in ALL_NAMES:
        use.is_clear = False
        if call.func.id in {"exec", "eval"}:
            _read_inner(words[:1], use, call.lineno)
    elif isinstance(call.func, ast.Attribute) and _is_names(call.func.value):
        keys = [k.arg for k in call.keywords if k.arg] + [w for d in call.args for w in _keys(d)] + words[:1]
        if call.func.attr in {"update", "pop", "setdefault", "__setitem__", "__delitem__"}:
            use.bound.update({key: call.lineno for key in keys if key not in use.bound})
    elif isinstance(call.func, ast.Attribute) and call.func.attr in MAGICS and words:
        _read_magic(call.func.attr, words, use, call.lineno)


def _read_magic(verb: str, words: list[str], use: Use, line: int) -> None:
    is_code = verb.endswith("_magic") and words[0] in RUNS
    if is_code:
        # options come first: %timeit -n 3 f(level)
        _read_inner([re.sub(r"^(\s*-\w+(\s+\d+)?)+\s", "", words[-1])], use, line)
    if verb == "run_cell_magic" and words[0] == "capture":
        _read_inner([f"{word} = 0" for word in _WORD.findall(words[1])][:1], use, line)
    if not is_code:
        # {name} and $name are filled in by IPython; another magic may do anything with its words
        use.read |= set(_WORD.findall(" ".join(words)))
    use.is_clear = use.is_clear and (is_code or verb in {"system", "getoutput"} or words[0] in {"matplotlib", "config"})


def _read_inner(sources: Iterable[str], use: Use, line: int) -> None:
    for source in sources:
        inner = read_use(source)
        use.read |= inner.read
        use.is_clear = use.is_clear and inner.is_clear
        use.bound.update({name: line for name in inner.bound if name not in use.bound})


def _read_subscript(node: ast.Subscript, use: Use) -> None:
    """Take ``globals()["name"] = …`` and its deletion."""
    is_name = isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
    if is_name and not isinstance(node.ctx, ast.Load) and _is_names(node.value):
        use.bound.setdefault(node.slice.value, node.lineno)  # type: ignore[attr-defined]


def _outside_functions(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what runs as the letter itself; a function may have names of its own."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        inner = ast.iter_child_nodes(node)
        waiting += [n for n in inner if not isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]


def _read_change(node: ast.AST, use: Use) -> None:
    """Take a list or a map that is changed where it stands: ``times[0] = 1``, ``times.append(1)``."""
    place: ast.expr | None = None
    if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load):
        place = node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CHANGES:
        place = node.func.value
    if isinstance(place, ast.Name):
        use.bound.setdefault(place.id, place.lineno)


def _is_names(node: ast.expr) -> bool:
    """Whether an expression is the letter's own names: ``globals()``, ``locals()``, ``vars()``, ``….user_ns``."""
    if isinstance(node, ast.Attribute):
        return node.attr in NAMESPACES
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args
    return is_call and node.func.id in {"globals", "locals", "vars"}  # type: ignore[attr-defined]


def _keys(node: ast.expr) -> list[str]:
    keys = node.keys if isinstance(node, ast.Dict) else []
    return [k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]


def _bound_again(shown: str, name: str, number: int, line: str) -> UsageError:
    return UsageError(
        "QB827",
        notebook=shown,
        name=name,
        found=f"cell {number}: {line[:100]}",
        expected=f"{name} keeps the value that the run gives it",
        fix=f"delete the line, or give it another name than {name}",
    )
