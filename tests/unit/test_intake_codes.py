from __future__ import annotations

import ast
import pathlib
import re
import string
import tomllib
from importlib import resources

import qbase.export
import qbase.intake
from qbase.core.errors import read_codes

ERRORS = {"DataError", "UsageError", "SetupError"}
CATALOGUES = ("QB3.toml", "QB1_export.toml")


def calls() -> list[tuple[str, set[str]]]:
    """Return every error raised with a literal code, and the names of its fields."""
    found = []
    for package in (qbase.intake, qbase.export):
        for path in pathlib.Path(package.__path__[0]).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                name = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
                if isinstance(node, ast.Call) and name in ERRORS and isinstance(node.args[0], ast.Constant):
                    found.append((str(node.args[0].value), {str(word.arg) for word in node.keywords}))
    return found


def own_codes() -> set[str]:
    files = resources.files("qbase.core.codes")
    return {code for name in CATALOGUES for code in tomllib.loads((files / name).read_text("utf-8"))}


def test_every_error_fills_its_template() -> None:
    for code, fields in calls():
        for lang in ("zh", "en"):
            wanted = {name for _, name, _, _ in string.Formatter().parse(read_codes()[code][f"what_{lang}"]) if name}
            assert wanted <= fields, code


def test_every_code_of_the_room_is_raised_and_no_other_room_has_it() -> None:
    sources = "".join(
        path.read_text("utf-8")
        for package in (qbase.intake, qbase.export)
        for path in pathlib.Path(package.__path__[0]).glob("*.py")
    )
    assert own_codes() == set(re.findall(r'"(QB\d{3})"', sources))
    owners = [
        file.name
        for file in resources.files("qbase.core.codes").iterdir()
        if file.name.endswith(".toml") and own_codes() & set(tomllib.loads(file.read_text("utf-8")))
    ]
    assert sorted(owners) == sorted(CATALOGUES)
