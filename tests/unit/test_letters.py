"""Every letter keeps the rules of the house: thin, in pairs of languages, clean outputs, a record at the end."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pathlib
import re
import types
from typing import Any

import nbformat
import pytest

from qbase.explore import list_templates
from qbase.explore.workspace_making import build_notebook, read_template
from qbase.reports.asking.letter_parameters import parse_cells, read_notebook, read_parameters
from qbase.reports.asking.letter_reading import check_letter

ROOT = pathlib.Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TOURS = [path for path in NOTEBOOKS if path.name.startswith("0")]
"""00 to 09 show a newcomer round: no parameters, no record, no page."""
LETTERS = [path for path in NOTEBOOKS if path not in TOURS]
IDS = [path.stem for path in LETTERS]
SHORT, IN_DEPTH = 12, 20
"""Code cells of a letter at most, and of one that goes into all of its subject."""
PARAMETERS = 12
"""So many lines of parameters the latter may have, one each."""
DEPTH = ("20_quality_trends", "30_policy_effects", "31_design_lab")


def cleaner() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("clean_letters", ROOT / "tests" / "notebooks" / "clean_letters.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cells(path: pathlib.Path, kind: str) -> list[Any]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", []))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])
def test_markdown_comes_in_pairs_and_each_language_has_one_title(path: pathlib.Path) -> None:
    order = [tags(cell) for cell in cells(path, "markdown")]
    assert [own[0] for own in order] == ["zh", "en"] * (len(order) // 2)
    assert {tuple(own[1:]) for own in order} <= {(), ("annex",), ("inside",), ("annex", "inside")}
    assert all(zh[1:] == en[1:] for zh, en in zip(order[::2], order[1::2], strict=True))
    for lang in ("zh", "en"):
        text = [cell.source for cell in cells(path, "markdown") if lang in tags(cell)]
        assert sum(len(re.findall(r"^# ", source, flags=re.M)) for source in text) == 1
        assert not any(re.search(r"\d+\.\d|\d+ ?%", source) for source in text), "a number typed by hand"
    pairs = [cell.source for cell in cells(path, "markdown")]
    for zh, en in zip(pairs[::2], pairs[1::2], strict=True):
        assert re.findall(r"^#+ ", zh, flags=re.M) == re.findall(r"^#+ ", en, flags=re.M)


@pytest.mark.parametrize("path", LETTERS, ids=IDS)
def test_code_is_thin(path: pathlib.Path) -> None:
    code = cells(path, "code")
    assert len(code) <= (IN_DEPTH if path.stem in DEPTH else SHORT)
    for cell in code:
        most = PARAMETERS if path.stem in DEPTH and "parameters" in tags(cell) else 10
        assert sum(bool(line.strip()) for line in cell.source.splitlines()) <= most
        tree = ast.parse(cell.source)
        assert set(tags(cell)) <= {"parameters", "annex", "brief", "inside", "nbval-ignore-output"}
        banned = (ast.FunctionDef, ast.ClassDef, ast.Try, ast.Lambda, ast.For, ast.While)
        assert not any(isinstance(node, banned) for node in ast.walk(tree))
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        assert not any("/" in text or "\\" in text for text in texts), "a path"


@pytest.mark.parametrize("path", TOURS, ids=[path.stem for path in TOURS])
def test_a_tour_is_thin_ran_without_error_and_stores_nothing_live(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert nbformat.writes(cleaner().clean(nbformat.reads(text, as_version=4))) + "\n" == text
    code = cells(path, "code")
    assert len(code) <= SHORT
    for cell in code:
        assert sum(bool(line.strip()) for line in cell.source.splitlines()) <= 10
        banned = (ast.FunctionDef, ast.ClassDef, ast.Try, ast.Lambda)
        assert not any(isinstance(node, banned) for node in ast.walk(ast.parse(cell.source)))
        assert cell.execution_count
        assert set(tags(cell)) <= {"nbval-ignore-output"}
        assert not any(output.output_type == "error" for output in cell.outputs)
        # what opens widgets is not compared: it is drawn anew by every kernel
        assert ("open_" not in cell.source.replace("open_workspace", "")) or "nbval-ignore-output" in tags(cell)
    assert sum(bool(cell.outputs) for cell in code) >= 3
    assert len(text) < 40_000


@pytest.mark.parametrize("path", LETTERS, ids=IDS)
def test_a_letter_has_parameters_protects_before_showing_and_ends_with_its_record(path: pathlib.Path) -> None:
    code = [cell.source for cell in cells(path, "code")]
    assert read_parameters(path)
    guarded = next(i for i, source in enumerate(code) if "protect(" in source)
    shown = next(
        i for i, source in enumerate(code) if re.search(r"plot_\w+\(|tabulate_\w+\(|tiles_of\(|\.say\(", source)
    )
    assert guarded < shown
    last = cells(path, "code")[-1]
    assert last.source.startswith("record(")
    assert "nbval-ignore-output" in tags(last)


@pytest.mark.parametrize("path", LETTERS, ids=IDS)
def test_stored_outputs_are_clean_and_there(path: pathlib.Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert nbformat.writes(cleaner().clean(nbformat.reads(text, as_version=4))) + "\n" == text
    assert sum(bool(cell.outputs) for cell in cells(path, "code")) >= 6
    assert not any(output.output_type == "error" for cell in cells(path, "code") for output in cell.outputs)


@pytest.mark.parametrize("path", LETTERS, ids=IDS)
def test_every_parameter_of_a_letter_is_read_and_none_is_bound_again(path: pathlib.Path) -> None:
    check_letter(read_notebook(path, shown=path.name)["cells"], read_parameters(path), shown=path.name)


@pytest.mark.parametrize("path", LETTERS, ids=IDS)
def test_every_letter_checks_what_it_was_given_before_it_opens_the_workspace(path: pathlib.Path) -> None:
    lines = "\n".join(cell.source for cell in cells(path, "code")).splitlines()
    opened = next(i for i, line in enumerate(lines) if "open_workspace()" in line)
    assert lines.index("check_given()") < opened


@pytest.mark.parametrize("template", list_templates())
def test_every_parameter_of_a_template_is_read_wherever_it_matters(template: str) -> None:
    letter_cells = build_notebook(read_template(template))["cells"]
    check_letter(letter_cells, parse_cells(letter_cells, shown=template), shown=template)
    code = "\n".join("".join(cell["source"]) for cell in letter_cells if cell["cell_type"] == "code")
    assert code.index("check_given()") < code.index("open_workspace()")
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    estimates = [
        c for c in calls if isinstance(c.func, ast.Name) and c.func.id in {"estimate_level", "estimate_change"}
    ]
    if any(p.name == "level" for p in parse_cells(letter_cells, shown=template)):
        # one confidence level everywhere
        assert all(any(word.arg == "level" for word in call.keywords) for call in estimates)


def imported_names(path: pathlib.Path) -> list[tuple[str, str]]:
    """Return (room, name) of everything the cells of a letter import from the house."""
    trees = [ast.parse(cell.source) for cell in cells(path, "code")]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return [(str(n.module), a.name) for n in nodes if str(n.module).split(".")[0] == "qbase" for a in n.names]


@pytest.mark.parametrize("path", LETTERS, ids=IDS)
def test_one_import_of_the_house_suffices_for_a_whole_letter(path: pathlib.Path) -> None:
    import qbase as qb

    wanted = imported_names(path)
    strange = [
        name for room, name in wanted if getattr(qb, name, None) is not getattr(importlib.import_module(room), name)
    ]
    assert strange == []
    assert {name for _, name in wanted} <= set(dir(qb))
    assert wanted or re.search(r"^import qbase as qb$", "\n".join(c.source for c in cells(path, "code")), flags=re.M)
