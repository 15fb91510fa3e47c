"""The house is as its plan says: one street, three walls, a map that matches, codes that are used."""

from __future__ import annotations

import ast
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import pytest

from qbase.core.errors import read_codes

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "qbase").rglob("*.py"))
LOCKS = sorted((ROOT / "locks").glob("*.lock"))


def test_imports_run_one_way_and_the_three_walls_stand() -> None:
    words = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run([*words, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_code_raised_is_explained_and_every_explanation_is_raised() -> None:
    raised = set()
    for module in MODULES:
        raised |= set(re.findall(r"\"(QB\d{3})\"", module.read_text(encoding="utf-8")))
    assert raised - set(read_codes()) == set()
    assert set(read_codes()) - raised == set()


def test_every_error_fills_its_template() -> None:
    catalogue = read_codes()
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
                continue
            code = node.args[0].value
            if not (isinstance(code, str) and code in catalogue):
                continue
            given = {k.arg for k in node.keywords}
            if None in given:
                continue
            for lang in ("what_zh", "what_en"):
                wanted = set(re.findall(r"{(\w+)", catalogue[code][lang]))
                assert wanted <= given, f"{module}:{node.lineno} {code} lacks {wanted - given}"


def test_the_map_of_the_readme_names_folders_that_exist() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    places = re.findall(r"^\| [^|]+ \| ([^|]+) \|", readme, flags=re.M)
    named = [p for cell in places for p in re.findall(r"`([\w./]+/)`", cell)]
    assert len(named) >= 8
    for place in named:
        assert (ROOT / place).is_dir() or (ROOT / "qbase" / place).is_dir(), place


def test_modules_and_functions_stay_small() -> None:
    for module in MODULES:
        text = module.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, module
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                doc = ast.get_docstring(node) or ""
                length = (node.end_lineno or node.lineno) - node.lineno - doc.count("\n")
                assert length <= 60, f"{module}:{node.lineno} {node.name} has {length} lines"


def test_unit_tests_lie_in_the_room_they_test() -> None:
    unit = ROOT / "tests" / "unit"
    rooms = {module.relative_to(ROOT / "qbase").parts[0] for module in MODULES if module.name != "__init__.py"}
    rooms.discard("__main__.py")
    assert {path.parent.relative_to(unit).parts[0] for path in unit.glob("*/**/test_*.py")} == rooms
    assert {path.name for path in unit.glob("*.py")} == {"test_house.py", "test_letters.py", "test_walls.py"}


def test_test_files_stay_small() -> None:
    for path in (ROOT / "tests").rglob("*.py"):
        assert path.read_text(encoding="utf-8").count("\n") <= 500, path


def test_public_functions_that_raise_say_so() -> None:
    silent = []
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
                continue
            raises = any(isinstance(x, ast.Raise) and x.exc is not None for x in ast.walk(node))
            if raises and "Raises" not in (ast.get_docstring(node) or ""):
                silent.append(f"{module.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert silent == []


@pytest.mark.parametrize(
    "pattern",
    [r"/opt/", r"/root/", r"/work/", r"https?://(?!creativecommons|doi|www\.w3\.org)\S*(?:simple|registry|mirror)"],
)
def test_nothing_names_this_machine_or_a_registry(pattern: str) -> None:
    kinds = {".py", ".toml", ".md", ".cfg", ".sh", ".ipynb", ".yaml", ".lock", ".txt", ""}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in kinds and path.is_file() and path.name != "test_house.py":
            found = re.search(pattern, path.read_text(encoding="utf-8"))
            assert found is None or "tests/" in name, f"{name}: {found}"


def locked(path: pathlib.Path) -> dict[str, set[str]]:
    """Return package -> versions a lock pins (more than one where Pythons differ)."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text(encoding="utf-8"), flags=re.M):
        found.setdefault(name, set()).add(version)
    return found


def test_every_lock_is_installed_as_the_makefile_installs_it_and_ci_installs_all() -> None:
    # a make that runs this test hands its own flags down
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    told = subprocess.run(["make", "-n", "-B", "setup"], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    installed = [line for line in told.stdout.splitlines() if ".lock" in line]
    assert len(installed) == len(LOCKS)
    for lock in LOCKS:
        (line,) = (line for line in installed if line.endswith(f"--require-hashes --requirement locks/{lock.name}"))
        assert "--override locks/overrides.txt" in line
    assert "uv pip check" in told.stdout
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert commands.index("make setup") < commands.index("QBASE_STRICT=1 make test")


def test_every_lock_is_resolved_by_make_locks_and_agrees_with_the_others() -> None:
    names = {lock.stem for lock in LOCKS}
    recipe = re.search(r"for extra in ([a-z ]+);", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert recipe is not None
    assert set(recipe[1].split()) == names
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        pins = locked(lock)
        assert pins, lock
        assert pins.keys() >= locked(ROOT / "locks" / "run.lock").keys(), lock
        for name, pinned in pins.items():
            assert versions.setdefault(name, pinned) == pinned, f"{lock.name} pins another {name}"


def test_the_package_says_the_version_of_its_metadata() -> None:
    import qbase

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == qbase.__version__
