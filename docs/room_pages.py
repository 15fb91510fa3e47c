"""The directive ``.. room:: trends``: every public name of a room with its signature and docstring.

Sources are parsed, never imported, so that pages cost no start of pandas and are the same on every machine.
"""

from __future__ import annotations

import ast
import pathlib
import re
from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.ext.napoleon import Config, NumpyDocstring
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = pathlib.Path(__file__).resolve().parents[1]
STYLE = Config(napoleon_use_param=False, napoleon_use_rtype=False, napoleon_use_ivar=False)


def list_public_names(room: str) -> dict[str, pathlib.Path]:
    """Return public name -> file it is written in, sorted by name."""
    tree = ast.parse((ROOT / "qbase" / room / "__init__.py").read_text(encoding="utf-8"))
    found = {
        (alias.asname or alias.name): ROOT.joinpath(*node.module.split(".")).with_suffix(".py")
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    return dict(sorted(found.items(), key=lambda item: (item[0].lower(), item[0])))


def list_rooms() -> list[str]:
    """Return the rooms that offer public names."""
    rooms = sorted(path.parent.name for path in (ROOT / "qbase").glob("*/__init__.py"))
    return [room for room in rooms if list_public_names(room)]


def write_name(room: str, name: str, path: pathlib.Path) -> list[str]:
    """Return the lines of reStructuredText of one public name."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return _function(node, room)
        if isinstance(node, ast.ClassDef) and node.name == name:
            return _class(node, room)
    return [f".. py:data:: {name}", f"   :module: qbase.{room}", ""]


def _function(node: ast.FunctionDef, room: str) -> list[str]:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    head = [f".. py:function:: {node.name}({ast.unparse(node.args)}){returns}", f"   :module: qbase.{room}", ""]
    return [*head, *_indented(_docstring(node)), ""]


def _class(node: ast.ClassDef, room: str) -> list[str]:
    lines = [f".. py:class:: {node.name}", f"   :module: qbase.{room}", "", *_indented(_docstring(node)), ""]
    for member in node.body:
        if not isinstance(member, ast.FunctionDef) or member.name.startswith("_") or not ast.get_docstring(member):
            continue
        if any(isinstance(d, ast.Name) and d.id == "property" for d in member.decorator_list):
            head = f".. py:property:: {member.name}"
        else:
            head = f".. py:method:: {member.name}({_without_self(member)})"
        lines += _indented([head, "", *_indented(_docstring(member)), ""])
    return lines


def _without_self(node: ast.FunctionDef) -> str:
    words = ast.unparse(node.args)
    return words.partition(", ")[2] if words.partition(", ")[0] in ("self", "cls") else words.removeprefix("self")


def _docstring(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    # |t| is an absolute value in these formulas, a substitution to reStructuredText
    text = re.sub(r"\|(\w)\|", r"\\|\1\\|", ast.get_docstring(node) or "")
    return str(NumpyDocstring(text, STYLE, what="function")).splitlines()


def _indented(lines: list[str]) -> list[str]:
    return [f"   {line}" if line else "" for line in lines]


class Room(SphinxDirective):
    """Write the names of a room where the directive stands."""

    required_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """Parse the lines of every name."""
        room = self.arguments[0]
        lines = [f".. py:currentmodule:: qbase.{room}", ""]
        for name, path in list_public_names(room).items():
            lines += write_name(room, name, path)
            self.env.note_dependency(str(path))
        place = nodes.container()
        self.state.nested_parse(StringList(lines, source=f"qbase/{room}"), 0, place)
        return list(place.children)


def setup(app: Sphinx) -> dict[str, bool]:
    """Tell Sphinx of the directive."""
    app.add_directive("room", Room)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
