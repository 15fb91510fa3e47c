"""The built site: it asks no other host for anything, and names of rooms come from source."""

from __future__ import annotations

import importlib
import importlib.util
import pathlib
import re
import shutil
import subprocess
import sys
from types import ModuleType

import pytest
from fontTools.ttLib import TTFont

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
pytest.importorskip("sphinx", reason="needs the extra qbase[docs]: make setup")


def load_builder() -> ModuleType:
    """Import docs/build_site.py by its path."""
    spec = importlib.util.spec_from_file_location("docs_build_site", DOCS / "build_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Build a room's page, a page of prose and the front page by the settings of the whole."""
    folder = tmp_path_factory.mktemp("site")
    source, out = folder / "docs", folder / "site"
    (source / "api").mkdir(parents=True)
    shutil.copytree(DOCS / "_static", source / "_static")
    # the extension reads the package beside it
    text = (DOCS / "conf.py").read_text(encoding="utf-8")
    (source / "conf.py").write_text(
        text.replace("pathlib.Path(__file__).parent", f"pathlib.Path({str(DOCS)!r})"), encoding="utf-8"
    )
    shutil.copy(DOCS / "api" / "export.rst", source / "api")
    shutil.copy(DOCS / "evidence.md", source)
    front = "# qbase\n\n```{toctree}\napi/export\nevidence\n```\n"
    (source / "index.md").write_text(front, encoding="utf-8")
    words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(source), str(out)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def test_no_page_and_no_style_loads_anything_from_another_host(site: pathlib.Path) -> None:
    pages, styles = sorted(site.rglob("*.html")), sorted(site.rglob("*.css"))
    assert len(pages) >= 5
    assert styles
    assert load_builder().check_site(site) == []


def test_what_would_be_loaded_from_another_host_is_noticed(tmp_path: pathlib.Path) -> None:
    page = '<script src="//cdn.example/x.js"></script><link rel="stylesheet" href="https://fonts.example/css">'
    page += '<a href="https://example.org">words</a><img src="_static/x.png"><link rel="canonical" href="https://x.y">'
    style = "@import url(https://a.b/c.css); x { background: url('data:image/png;') }"
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    (tmp_path / "style.css").write_text(style, encoding="utf-8")
    asked = ["page.html: //cdn.example/x.js", "page.html: https://fonts.example/css", "style.css: https://a.b/c.css"]
    assert load_builder().check_site(tmp_path) == asked


def test_chinese_is_shown_without_a_font_of_the_reader(tmp_path: pathlib.Path) -> None:
    (tmp_path / "_static").mkdir()
    (tmp_path / "page.html").write_text("<p>产业集群 quality 尚无法判断</p>", encoding="utf-8")
    font = load_builder().write_font(tmp_path)
    drawn = set(TTFont(font).getBestCmap())
    assert drawn >= set(map(ord, "产业集群尚无法判断"))
    assert font.name in (DOCS / "_static" / "qbase.css").read_text(encoding="utf-8")


def test_the_search_needs_no_server(site: pathlib.Path) -> None:
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert index.startswith("Search.setIndex(")
    assert "evidence" in index
    assert "searchindex.js" in (site / "search.html").read_text(encoding="utf-8")


def test_a_room_shows_every_public_name_with_its_example(site: pathlib.Path) -> None:
    text = (site / "api" / "export.html").read_text(encoding="utf-8")
    room = importlib.import_module("qbase.export")
    for name in room.__all__:
        assert f'id="qbase.export.{name}"' in text, name
    assert "&gt;&gt;&gt; " in text


def test_every_room_has_its_page() -> None:
    rooms = {path.parent.name for path in (ROOT / "qbase").glob("*/__init__.py")}
    offering = {room for room in rooms if getattr(importlib.import_module(f"qbase.{room}"), "__all__", [])}
    pages = {page.stem for page in (DOCS / "api").glob("*.rst")} - {"index"}
    assert pages == offering
    listed = re.findall(r"^   (\w+)$", (DOCS / "api" / "index.rst").read_text(encoding="utf-8"), flags=re.M)
    assert sorted(listed) == sorted(pages)
    for room in pages:
        assert f".. room:: {room}\n" in (DOCS / "api" / f"{room}.rst").read_text(encoding="utf-8")


def test_every_page_stands_in_the_contents() -> None:
    listed = {"index", "README"}
    for page in (*DOCS.rglob("*.md"), *DOCS.rglob("*.rst")):
        text = page.read_text(encoding="utf-8")
        blocks = re.findall(r"```{toctree}\n(.*?)```", text, flags=re.S) + re.findall(
            r"toctree::\n(.*)", text, flags=re.S
        )
        for block in blocks:
            names = [line.strip() for line in block.splitlines() if line.strip() and not line.strip().startswith(":")]
            folder = page.parent.relative_to(DOCS)
            for name in names:
                found = page.parent.glob(f"{name}.md") if "*" in name else [page.parent / name]
                listed |= {str((folder / f.name).with_suffix("")) if "*" in name else str(folder / name) for f in found}
    pages = {str(p.relative_to(DOCS).with_suffix("")) for p in (*DOCS.rglob("*.md"), *DOCS.rglob("*.rst"))}
    assert pages - listed == set()
