"""The pages of docs/: links that lead somewhere, commands that exist, code that runs, lists that are whole."""

from __future__ import annotations

import ast
import contextlib
import importlib
import importlib.util
import pathlib
import re
from types import ModuleType

import pytest

from qbase.cli.main import SECTIONS
from qbase.cli.speaking.verb_group import Verbs
from qbase.lake import Workspace

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# the changelog tells of what was
PAGES = sorted([*DOCS.rglob("*.md"), *(ROOT / name for name in ("README.md", "README.zh.md", "CONTRIBUTING.md"))])
VERBS = {verb for verbs in SECTIONS.values() for verb in verbs}
LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
ESTIMATING = ("estimate_", "decompose_", "rank_", "plan_")


def load_script(name: str) -> ModuleType:
    """Import a script of docs/ by its path."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prose_of(page: pathlib.Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)


def anchors_of(page: pathlib.Path) -> set[str]:
    """Return the anchors that a page's headings get, as MyST and code hosts make them."""
    headings = re.findall(r"^#{1,6} (.+)$", prose_of(page), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def dead_links(page: pathlib.Path) -> list[str]:
    """Return the links of a page that lead nowhere; addresses of other hosts are not followed."""
    dead = []
    for words, target in LINK.findall(prose_of(page)):
        path, _, anchor = target.partition("#")
        if path.startswith(("http:", "https:", "mailto:")):
            continue
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors_of(file)):
            dead.append(target)
        elif words.startswith("test_") and file.stem != words:
            defined = {
                n.name for n in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(n, ast.FunctionDef)
            }
            dead += [] if words in defined else [f"{words} in {target}"]
        elif words.startswith("limits: "):
            dead += [] if words.removeprefix("limits: ") in file.read_text(encoding="utf-8") else [words]
    return dead


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: pathlib.Path) -> None:
    assert dead_links(page) == []


def test_a_dead_link_is_noticed(tmp_path: pathlib.Path) -> None:
    page, other = tmp_path / "page.md", tmp_path / "other.md"
    other.write_text("# Here it is\n", encoding="utf-8")
    (tmp_path / "test_x.py").write_text("def test_that() -> None: ...\n", encoding="utf-8")
    sound = ["other.md", "other.md#here-it-is", "https://example.org/x"]
    faults = ["gone.md", "other.md#not-here"]
    links = [f"[words]({target})" for target in (*sound, *faults)]
    tests = [
        "[test_that](test_x.py)",
        "[test_this](test_x.py)",
        "[limits: Here](other.md)",
        "[limits: there](other.md)",
    ]
    page.write_text("\n".join([*links, *tests]), encoding="utf-8")
    assert dead_links(page) == [*faults, "test_this in test_x.py", "limits: there"]


def calls_of(page: pathlib.Path) -> list[list[str]]:
    """Return the words of every call of qbase on a page, in its blocks and in its lines."""
    text = page.read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"```bash\n(.*?)```", text, flags=re.S)).splitlines()
    lines = [line.partition("#")[0] for line in blocks] + re.findall(r"`([^`\n]+)`", prose_of(page))
    found = (re.match(r"(?:\.venv/bin/)?qbase ([a-z].*)", line.strip()) for line in lines)
    return [match[1].split() for match in found if match]


def wrong_words(calls: list[list[str]]) -> list[str]:
    """Return what calls name that is no verb, and no option of its verb."""
    verbs, wrong = Verbs(SECTIONS, "en"), []
    for verb, *words in calls:
        if verb not in VERBS:
            wrong.append(verb)
            continue
        known = {option for parameter in verbs[verb].params for option in (*parameter.opts, *parameter.secondary_opts)}
        options = [word.partition("=")[0] for word in words if word.startswith("-") and word.strip("-")]
        wrong += [f"{verb} {option}" for option in options if option not in known | {"--help"}]
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_is_a_verb_with_its_options(page: pathlib.Path) -> None:
    assert wrong_words(calls_of(page)) == []


def test_a_wrong_command_is_noticed(tmp_path: pathlib.Path) -> None:
    page = tmp_path / "page.md"
    block = "```bash\nqbase share x --out y --profil z # --remark\n```"
    page.write_text(f"Say `qbase lisst` or `qbase run trends --jbos 2 -p a=1`.\n\n{block}\n", encoding="utf-8")
    assert sorted(wrong_words(calls_of(page))) == ["lisst", "run --jbos", "share --profil"]


def test_the_table_of_features_has_every_row_and_counts_itself() -> None:
    text = (DOCS / "features.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.splitlines()
        if re.match(r"\| \d", line)
    ]
    assert [row[0] for row in rows] == [str(i) for i in range(1, 66)]
    states = [row[3].strip("*") for row in rows]
    told = {state: states.count(state) for state in ("yes", "part", "no")}
    assert f"**{told['yes']} yes, {told['part']} part, {told['no']} no**" in text
    assert sum(told.values()) == len(rows)
    for row in rows:
        assert LINK.search(row[4]) or re.search(r"`(qbase|make) \w+`", row[4]), row
        assert row[3] == "**yes**" or "limits.md" in row[4] or "ahead.md#" in row[4], row


def test_both_readmes_have_the_same_commands() -> None:
    told = []
    for name in ("README.md", "README.zh.md"):
        blocks = re.findall(r"```bash\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.S)
        told.append(
            [" ".join(line.partition("#")[0].split()) for block in blocks for line in block.splitlines() if line]
        )
    assert told[0] == told[1]
    assert len(told[0]) > 20


def test_make_targets_that_pages_name_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.M))
    for page in PAGES:
        assert set(re.findall(r"`make ([a-z]+)`", page.read_text(encoding="utf-8"))) <= targets, page


def test_the_generated_pages_are_what_the_script_makes() -> None:
    script = load_script("make_indicators")
    assert (DOCS / "indicators.md").read_text(encoding="utf-8") == script.write_dictionary()
    assert (DOCS / "policy_clauses.md").read_text(encoding="utf-8") == script.write_clauses()


def method_sections() -> dict[str, str]:
    """Return estimator -> its section of docs/methods.md."""
    parts = re.split(r"^### `(\w+)`$", (DOCS / "methods.md").read_text(encoding="utf-8"), flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def docstring_of(room: str, name: str) -> str:
    """Return the docstring of a public function from source: importing every estimator costs seconds."""
    tree = ast.parse((ROOT / "qbase" / room / "__init__.py").read_text(encoding="utf-8"))
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    (home,) = (str(node.module) for node in froms if name in [alias.name for alias in node.names])
    written = ast.parse(ROOT.joinpath(*home.split(".")).with_suffix(".py").read_text(encoding="utf-8"))
    (found,) = (node for node in written.body if isinstance(node, ast.FunctionDef) and node.name == name)
    return ast.get_docstring(found) or ""


@pytest.mark.parametrize("room", ["trends", "effects", "scorecards", "planning"])
def test_every_public_estimator_has_its_method(room: str) -> None:
    sections = method_sections()
    offered = [name for name in dir(importlib.import_module(f"qbase.{room}")) if name.startswith(ESTIMATING)]
    assert offered
    assert [name for name in offered if name not in sections] == []


def test_every_method_has_its_parts_and_is_a_public_name() -> None:
    for name, section in method_sections().items():
        (room,) = re.findall(r"\(`qbase\.(\w+)`\)", section)
        assert name in dir(importlib.import_module(f"qbase.{room}")), name
        for part in ("formula", "assumes", "wrong when", "our test"):
            assert f"- **{part}** " in section, (name, part)
        doc = docstring_of(room, name)
        _, _, references = doc.partition("References\n")
        first = re.search(r"([A-Z][\w'’-]+), [A-Z]\.", references)
        assert first is None or first[1] in section, (name, first)


RUN = [ROOT / "README.md", DOCS / "tutorial.md", *sorted((DOCS / "howto").glob("*.md"))]


@pytest.mark.parametrize("page", [p for p in RUN if "```python" in p.read_text(encoding="utf-8")], ids=lambda p: p.stem)
def test_the_code_of_a_page_runs(
    page: pathlib.Path, demo_lake: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    import matplotlib

    monkeypatch.setenv("QBASE_HOME", str(demo_lake.root))
    monkeypatch.chdir(tmp_path)
    given: dict[str, object] = {}
    with matplotlib.rc_context(), contextlib.redirect_stdout(None):
        for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S):
            exec(compile(block, page.name, "exec"), given)  # noqa: S102
