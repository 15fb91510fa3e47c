"""The inner walls: rooms in import order, no circle, names written once and said once."""

from __future__ import annotations

import ast
import graphlib
import importlib
import inspect
import itertools
import os
import pathlib
import re
import subprocess
import sys
from collections import Counter

import grimp
import importlinter.api
import pytest
from importlinter.contracts.layers import LayersContract

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "qbase"
MODULES = sorted(PACKAGE.rglob("*.py"))
FOLDERS = sorted({path.parent for path in MODULES})
MOST_MODULES = 15
CONTRACTS = importlinter.api.read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]
LAYERS = [contract for contract in CONTRACTS if contract["type"] == "layers"]
FRONTS = sorted(
    ".".join(path.parent.relative_to(ROOT).parts)
    for path in MODULES
    if path.name == "__init__.py" and "lazy_room(__name__)" in path.read_text(encoding="utf-8")
)
PUBLIC = [(front, name) for front in FRONTS for name in dir(importlib.import_module(front))]


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Every import of the package: of functions and of typing blocks too."""
    return grimp.build_graph("qbase", cache_dir=None)


def dotted(path: pathlib.Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_module_reaches_itself_counting_lazy_and_typing_imports(graph: grimp.ImportGraph) -> None:
    assert len(graph.modules) > 300
    arrows = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert sum(map(len, arrows.values())) > 1000
    graphlib.TopologicalSorter(arrows).prepare()  # raises on a circle, and names it


def test_no_folder_reaches_itself(graph: grimp.ImportGraph) -> None:
    """A front only points at what its room holds; every other module stands for its folder."""
    fronts = {dotted(path) for path in MODULES if path.name == "__init__.py"}
    arrows: dict[str, set[str]] = {}
    for module in graph.modules - fronts:
        for other in graph.find_modules_directly_imported_by(module) - fronts:
            here, there = (name.rpartition(".")[0] for name in (module, other))
            if here != there:
                arrows.setdefault(here, set()).add(there)
    assert len(arrows) > 40
    graphlib.TopologicalSorter(arrows).prepare()


def _names(layer: object) -> list[str]:
    found = re.findall(r"[\w.]+", str(layer))
    assert found
    return found


def _plants() -> list[tuple[str, str, str]]:
    """Return (contract, importer, imported) for every two neighbouring layers, the lower one importing the upper."""
    found = []
    for contract in LAYERS:
        home = (contract.get("containers") or [""])[0]
        layers = [[f"{home}.{n}" if home else n for n in _names(layer)] for layer in contract["layers"]]
        for upper, lower in itertools.pairwise(layers):
            found.append((contract["name"], lower[0], upper[0]))
        for level in layers:
            found += [(contract["name"], level[0], other) for other in level[1:]]
    return found


@pytest.mark.parametrize(("name", "importer", "imported"), _plants())
def test_the_contracts_forbid_each_planted_back_import(
    graph: grimp.ImportGraph, name: str, importer: str, imported: str
) -> None:
    options = next(contract for contract in CONTRACTS if contract["name"] == name)
    session = {"root_packages": ["qbase"]}
    inside = sorted(m for m in graph.modules if m == importer or m.startswith(importer + "."))
    assert graph.find_shortest_chain(importer, imported) is None
    graph.add_import(importer=inside[-1], imported=imported)
    try:
        contract = LayersContract(name=name, session_options=session, contract_options=options)
        assert not contract.check(graph, verbose=False).kept
    finally:
        graph.remove_import(importer=inside[-1], imported=imported)


def test_every_room_with_inner_rooms_has_its_order_in_a_contract() -> None:
    proven = {contract["containers"][0] for contract in LAYERS if "containers" in contract}
    inner = {dotted(folder / "__init__.py").rpartition(".")[0] for folder in FOLDERS if folder != PACKAGE}
    with_modules = {
        room
        for room in inner - {"qbase"}
        if any(len(list(folder.glob("*.py"))) > 1 for folder in (ROOT / room.replace(".", "/")).glob("*/"))
    }
    assert {"qbase.intake", "qbase.indicators", "qbase.reports", "qbase.effects"} <= with_modules
    assert with_modules <= proven


def test_no_folder_holds_more_modules_than_a_reader_can_take_in() -> None:
    held = {folder: len(list(folder.glob("*.py"))) for folder in FOLDERS}
    assert {str(f): n for f, n in held.items() if n > MOST_MODULES} == {}


def test_no_two_modules_share_a_stem() -> None:
    stems = Counter(path.stem for path in MODULES if path.stem not in {"__init__", "__main__"})
    assert [stem for stem, times in stems.items() if times > 1] == []


def test_every_room_opens_with_one_line_that_says_what_it_is_for() -> None:
    for folder in FOLDERS:
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
        assert text, folder
        first = text.splitlines()[0]
        assert first.endswith("."), folder
        assert len(first) > 25, folder


def test_the_front_of_a_room_is_its_typing_block() -> None:
    assert len(FRONTS) >= 17
    for front in FRONTS:
        module = importlib.import_module(front)
        tree = ast.parse(pathlib.Path(str(module.__file__)).read_text(encoding="utf-8"))
        blocks = [n for n in tree.body if isinstance(n, ast.If)]
        written = [a.name for b in blocks for n in b.body if isinstance(n, ast.ImportFrom) for a in n.names]
        assert len(written) == len(set(written)), front
        assert dir(module) == module.__all__ == sorted(written), front


@pytest.mark.parametrize(("front", "name"), PUBLIC)
def test_every_public_name_loads(front: str, name: str) -> None:
    assert getattr(importlib.import_module(front), name) is not None


def test_public_names_stay_where_users_import_them() -> None:
    words = (
        "from qbase.indicators import build_panel, add_shrinkage, design_interval\n"
        "from qbase.core.panel import Panel\nfrom qbase.core.policy import Policy\n"
        "from qbase.core.values import Estimate, Source\nfrom qbase.core.text import Text\n"
        "from qbase.core.errors import QbaseError\nfrom qbase.core import Result, record\n"
        "from qbase.effects import estimate_twfe, estimate_event_study\nimport qbase as qb\n"
        "from qbase.effects import *\n"
        "assert qb.Panel is Panel and qb.estimate_twfe is estimate_twfe and qb.build_panel is build_panel\n"
    )
    subprocess.run([sys.executable, "-c", words], check=True, cwd=ROOT)


def test_a_name_nobody_holds_is_an_attribute_error() -> None:
    import qbase.effects

    with pytest.raises(AttributeError, match="estimate_twef"):
        qbase.effects.estimate_twef  # noqa: B018


def test_the_public_names_are_completed_in_ipython(tmp_path: pathlib.Path) -> None:
    words = (
        "import qbase as qb, qbase.effects as effects\n"
        "from IPython.core.completer import provisionalcompleter\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell(user_ns={'qb': qb, 'effects': effects})\n"
        "with provisionalcompleter():\n"
        "    for text in ('effects.', 'qb.open_'):\n"
        "        print(*sorted(c.text.lstrip('.') for c in shell.Completer.completions(text, len(text))))\n"
    )
    env = {**os.environ, "IPYTHONDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", words], cwd=tmp_path, env=env, capture_output=True, text=True)
    names = " ".join(sorted(importlib.import_module("qbase.effects").__all__))
    assert done.stdout.splitlines() == [names, "open_workspace"], done.stderr


def _example_of(front: str, name: str) -> str:
    value = getattr(importlib.import_module(front), name)
    home = getattr(value, "__module__", None)
    if callable(value) and home and str(home).startswith("qbase"):
        return value.__doc__ or ""
    block = pathlib.Path(str(importlib.import_module(front).__file__)).read_text(encoding="utf-8")
    written = re.search(rf"from (\S+) import {name} as {name}$", block, flags=re.M)
    assert written is not None
    return importlib.import_module(written[1]).__doc__ or ""


@pytest.mark.parametrize(("front", "name"), PUBLIC)
def test_every_public_name_has_an_example_that_shows_its_output(front: str, name: str) -> None:
    text = _example_of(front, name)
    shown = re.search(r">>> (?:(?!>>>).)*?\n(?:\s*\.\.\. [^\n]*\n)*\s*(?!>>>)(?!\.\.\. )\S", text + "\n", flags=re.S)
    assert ">>> " in text, name
    assert shown is not None, name
    # a type is often shown by the function that returns it
    is_a_type = inspect.isclass(getattr(importlib.import_module(front), name))
    assert is_a_type or re.search(rf"\b{name}\b", text[text.index(">>> ") :]), f"{name} is not in its own example"


def test_types_travel_with_the_package() -> None:
    assert (PACKAGE / "py.typed").is_file()
    assert "py.typed" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_first_word_of_a_public_function_is_on_the_list() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    listed = text[text.index("- **The first word of a public function") :].split("\n- ")[0]
    verbs = {word for group in re.findall(r"`([^`]+_)`", listed) for word in group.replace("_", "").split()}
    assert {"read", "load", "find", "list", "link", "explain", "estimate"} <= verbs
    what_comes_back = {"interval", "bounds", "value", "power", "sql", "type", "of", "meta", "rc", "key"}
    functions = {
        n for f, n in PUBLIC if f != "qbase.stats" and inspect.isfunction(getattr(importlib.import_module(f), n))
    }
    strange = [
        name
        for name in functions
        if name.split("_")[0] not in verbs | {"is"} and name.split("_")[-1] not in what_comes_back
    ]
    assert strange == []


def test_contributing_lists_every_inner_room_in_the_order_of_its_contract() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| ((?:`\w+/` ?)+)\| (.+) \|$", text, flags=re.M))
    listed = {
        room: re.findall(r"`(\w+)/`", inner) for rooms, inner in rows.items() for room in re.findall(r"`(\w+)/`", rooms)
    }
    assert sorted(listed) == sorted(path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file())
    orders = {c["containers"][0]: [_names(x) for x in c["layers"]] for c in LAYERS if "containers" in c}
    for room, inner in listed.items():
        folders = {path.name for path in (PACKAGE / room).iterdir() if (path / "__init__.py").is_file()}
        assert set(inner) == folders | ({"codes"} if room == "tables" else set()), room
        place = {name: -level for level, names in enumerate(orders.get(f"qbase.{room}", [])) for name in names}
        assert [place[n] for n in inner if n in place] == sorted(place[n] for n in inner if n in place), room


def test_the_readme_maps_every_room() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    drawn = text[text.index("## The map") : text.index("## I want to add")]
    rooms = [path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()]
    assert [room for room in rooms if f" {room}/" not in drawn] == []
    for place in re.findall(r"`([\w.]+\.(?:py|toml))`", text[text.index("## I want to add") :]):
        assert list(ROOT.glob(f"qbase/**/{place}")) + list(ROOT.glob(f"reports/**/{place}")), place
