"""The letters of the templates run on the demo as they are and write their record."""

from __future__ import annotations

import json
import pathlib

import pytest

from qbase.core.shown.display import sha256_of
from qbase.demo import write_deliveries
from qbase.explore import add_letter, list_templates
from qbase.intake import load_files
from qbase.lake import Workspace
from qbase.reports import read_spec
from qbase.reports.asking.letter_parameters import read_notebook, source_of

# a few years and the tables of the letters are enough, and cheap
WANTED = ("乡镇", "产业集群", "企业.", "政策.", "政策时段", "2021", "2022", "2023", "2024")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace.create(tmp_path_factory.mktemp("letters") / "home")
    files = write_deliveries(made.raw / "demo", size="small")
    load_files(made, [path for path in files if any(word in path.name for word in WANTED)])
    return made


@pytest.mark.parametrize("template", list_templates())
def test_every_cell_of_a_template_runs(
    workspace: Workspace, template: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_letter(workspace, template)
    spec = read_spec(workspace, template)
    for name, value in {"QBASE_HOME": workspace.root, "QBASE_RUN_DIR": tmp_path, "QBASE_RUN_ID": "r1"}.items():
        monkeypatch.setenv(name, str(value))
    scope: dict[str, object] = {"display": lambda *shown: None}  # IPython puts it there
    for cell in read_notebook(workspace.root / spec.notebook, shown=spec.notebook)["cells"]:
        if cell["cell_type"] == "code":
            exec(source_of(cell), scope)  # noqa: S102
            if "parameters" in cell["metadata"].get("tags", ()):
                scope.update(spec.params)
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["sentinel"] == "r1"
    assert results["results"]
    assert results["figures"]
    used = {source["path"] for source in results["sources"] if source["snapshot"]}
    assert used <= {*spec.tables, *(workspace.tables() if "*" in spec.may_use else spec.may_use)}
    assert results["shown"]["conclusion"] == sha256_of(scope["conclusion"].payload())  # type: ignore[attr-defined]
