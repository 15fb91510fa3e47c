"""A workspace of one's own: folders, a letter that runs as it is, its specification, a README."""

from __future__ import annotations

import json
import pathlib
import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import resources
from typing import Any

from qbase.core.errors import UsageError
from qbase.core.whole_files import write_atomic
from qbase.indicators import write_policy_template
from qbase.lake import Workspace

POLICY = "my-policy"
LONGEST = 40
NAME = re.compile(r"[^\W_][\w-]{0,79}")
IGNORED = (
    "data/raw/\ndata/lake/\ndata/ledger.sqlite*\ndata/ledger.toml\ndata/.lock\n"
    "reports/runs/\nreports/site/\n.ipynb_checkpoints/\n"
)
README = """# {name}

qbase 工作区 / qbase workspace

    qbase table                     表和列，空白表格（--xlsx） / tables, columns, empty workbooks
    qbase load FILE…                载入收到的文件 / load deliveries
    qbase load FILE --propose       看懂了什么，没看懂的填空 / what was understood, blanks for the rest
    qbase list                      报告 / reports
    qbase inspect {report}           一份报告的参数 / the parameters of a report
    qbase run {report}               运行并发布 / run and publish
    qbase policy check {policy}      填好政策文件后检查 / once the policy is filled in
    qbase policy add {policy}        再载入 / then load it

| 文件夹 / folder | 内容 / holds |
|---|---|
| data/policies/ | 政策文件，填空即可 / policies, blanks to fill |
| data/ | 收到的文件、数据湖、台账 / deliveries, lake, ledger |
| notebooks/ | 信（笔记本） / letters |
| reports/specs/ | 报告规格 / specifications |
| reports/site/ | 发布的报告 / published reports |
"""


def list_templates() -> list[str]:
    """Return the names of the templates.

    Examples
    --------
    >>> from qbase.explore import list_templates
    >>> list_templates()
    ['effects', 'trends']
    """
    folder = resources.files("qbase.explore.templates")
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def new_workspace(folder: pathlib.Path, *, template: str | None = None, place: str = "") -> list[pathlib.Path]:
    """Make a new workspace with letters and an empty policy file to fill in.

    Parameters
    ----------
    folder : Path
        Must not exist; its name is the workspace's.
    template : str or None
        One of `list_templates`, or all of them.
    place : str
        Name of the place, for the titles of the reports.

    Returns
    -------
    list of Path
        Files written.

    Raises
    ------
    UsageError
        The folder exists (QB910), no such template (QB911), the name holds a path or odd
        characters, as the place does (QB912).

    Examples
    --------
    >>> import pathlib
    >>> from qbase.explore import new_workspace
    >>> folder = pathlib.Path("my_bases").resolve()
    >>> written = new_workspace(folder, template="trends", place="澜溪县")
    >>> sorted(path.relative_to(folder).as_posix() for path in written)
    ['.gitignore', 'README.md', 'data/policies/my-policy.toml', 'notebooks/trends.ipynb', 'reports/specs/trends.toml']
    >>> (folder / "reports/specs/trends.toml").read_text("utf-8").splitlines()[1]
    'title_zh = "澜溪县产业集群：批次合格率的变化"'
    """
    if not NAME.fullmatch(folder.name):
        found = folder.name or str(folder)
        raise UsageError(
            "QB912", name=found, found=found, expected="letters, digits, _ and -", fix="qbase new my-study"
        )
    if not is_place(place):
        raise UsageError("QB912", name=place, found=place, expected="one line of text", fix='--place "澜溪县"')
    templates = list_templates() if template is None else [template]
    letters = [read_template(name) for name in templates]
    if folder.exists():
        fix = f"qbase new {folder.name}-2"
        raise UsageError("QB910", name=folder.name, found=str(folder), expected="a folder that does not exist", fix=fix)
    workspace = Workspace.create(folder)
    readme, ignored = folder / "README.md", folder / ".gitignore"
    policy = write_policy_template(workspace, POLICY)
    report = letters[-1]["report"]
    write_atomic(readme, README.format(name=folder.name, report=report, policy=workspace.relative(policy)))
    write_atomic(ignored, IGNORED)
    written = [path for name in templates for path in add_letter(workspace, name, place=place, policy_id=POLICY)]
    return [readme, ignored, policy, *written]


def is_place(name: str) -> bool:
    """Say whether a place can stand in a title: one line, of signs that are seen."""
    return name.isprintable() and len(name) <= LONGEST


def add_letter(workspace: Workspace, template: str, *, place: str = "", policy_id: str = "base") -> list[pathlib.Path]:
    """Write the letter and the specification of a template into a workspace; files that exist are refused.

    Parameters
    ----------
    workspace : Workspace
        Where to.
    template : str
        One of `list_templates`.
    place, policy_id : str
        Name of the place for the title, and the policy a letter about effects speaks of.

    Returns
    -------
    list of Path
        The notebook and the specification.

    Raises
    ------
    UsageError
        No such template (QB911), or a file of that name is there (QB910).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.explore import add_letter
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> [path.relative_to(home.root).as_posix() for path in add_letter(home, "effects")]
    ['notebooks/effects.ipynb', 'reports/specs/effects.toml']
    """
    letter = read_template(template)
    notebook = workspace.notebooks / letter["notebook"]
    spec = workspace.specs / f"{letter['report']}.toml"
    for path in (notebook, spec):
        if path.exists():
            shown = workspace.relative(path)
            raise UsageError("QB910", name=shown, found=shown, expected="no file of this name", fix=f"rename {shown}")
    write_atomic(notebook, json.dumps(build_notebook(letter), ensure_ascii=False, indent=1) + "\n")
    write_atomic(spec, fill_spec(letter, place.strip(), policy_id))
    return [notebook, spec]


def fill_spec(letter: Mapping[str, Any], place: str, policy_id: str) -> str:
    """Return the specification of a template with its blanks filled in."""
    titles = {name: letter[f"{'placed' if place else 'title'}_{name}"].format(place=place) for name in ("zh", "en")}
    given = {"title_zh": titles["zh"], "title_en": titles["en"], "policy_id": policy_id}
    return str(letter["spec"].format(**{name: json.dumps(text, ensure_ascii=False) for name, text in given.items()}))


def read_template(template: str) -> dict[str, Any]:
    """Read a template (QB911 when there is none of the name).

    Raises
    ------
    UsageError
        There is no such template (QB911).
    """
    names = list_templates()
    if template not in names:
        near = get_close_matches(template, names, n=1)
        fix = f"qbase new NAME --template {near[0] if near else names[0]}"
        raise UsageError("QB911", template=template, found=template, expected=" · ".join(names), fix=fix)
    text = resources.files("qbase.explore.templates").joinpath(f"{template}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def build_notebook(letter: Mapping[str, Any]) -> dict[str, Any]:
    """Build the notebook document of a template."""
    cells = []
    for number, cell in enumerate(letter["cell"], 1):
        source = cell["source"].strip("\n").splitlines(keepends=True)
        metadata = {"tags": cell["tags"]} if cell.get("tags") else {}
        common = {"id": f"cell-{number:02d}", "metadata": metadata, "source": source}
        if cell["kind"] == "code":
            common |= {"execution_count": None, "outputs": []}
        cells.append({"cell_type": cell["kind"], **common})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
