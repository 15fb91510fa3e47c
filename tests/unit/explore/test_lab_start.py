"""How JupyterLab is started: this machine alone, its own settings, tiles that write what runs."""

from __future__ import annotations

import json
import pathlib
import sys
import types
from importlib import metadata

import nbformat
import pytest

from qbase.cli.main import run
from qbase.core import SetupError, UsageError
from qbase.explore.jupyter import lab_start, lab_versions
from qbase.explore.jupyter.lab_settings import FOLDER, write_settings
from qbase.explore.jupyter.lab_start import check_address, lab_words
from qbase.explore.jupyter.lab_tiles import STEM, TILES, build_extension, tile_payload
from qbase.explore.jupyter.lab_versions import check_versions
from qbase.lake import Workspace
from qbase.reports import read_spec
from qbase.reports.asking.letter_parameters import parse_cells
from qbase.reports.asking.letter_reading import check_letter
from qbase.reports.asking.run_request import read_request


@pytest.fixture
def workspace(tmp_path: pathlib.Path) -> Workspace:
    return Workspace.create(tmp_path / "home")


@pytest.mark.parametrize("ip", ["0.0.0.0", "::", "192.168.1.5", "", "example.org"])  # noqa: S104
def test_an_address_that_others_reach_has_to_be_meant(ip: str) -> None:
    with pytest.raises(UsageError, match="QB974"):
        check_address(ip, is_for_others=False)
    check_address(ip, is_for_others=True)


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", "localhost", "127.0.0.9"])
def test_an_address_of_this_machine_needs_no_word(ip: str) -> None:
    check_address(ip, is_for_others=False)


def test_our_words_come_after_those_of_the_caller_and_win(workspace: Workspace) -> None:
    words = lab_words(workspace, ip="127.0.0.1", port=0, opens_browser=False, more=["--ServerApp.ip=0.0.0.0"])
    addresses = [word for word in words if word.startswith("--ServerApp.ip=")]
    assert addresses[-1] == "--ServerApp.ip=127.0.0.1"
    assert f"--ServerApp.root_dir={workspace.root}" in words
    assert "--ServerApp.open_browser=False" in words


def test_versions_below_those_without_known_weaknesses_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(check_versions()) == set(lab_versions.NEEDED)
    installed = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "2.19.9" if name == "jupyter-server" else installed(name))
    with pytest.raises(SetupError, match="QB972") as old:
        check_versions()
    assert "jupyter-server 2.19.9" in old.value.found

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    with pytest.raises(SetupError, match="QB971") as none:
        check_versions()
    assert "pip install" in none.value.fix


@pytest.mark.parametrize(
    ("words", "code", "exit_code"), [(["--ip", "10.0.0.1"], "QB974", 2), ([], "QB971", 4)], ids=["address", "extra"]
)
def test_the_verb_refuses_in_four_lines(
    words: list[str],
    code: str,
    exit_code: int,
    workspace: Workspace,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert run(["lab", *words, "--home", str(workspace.root), "--lang", "en"]) == exit_code
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 4
    assert code in told[0]
    assert not (workspace.root / FOLDER).exists()


def test_settings_are_the_workspaces_own_and_ask_nobody(workspace: Workspace) -> None:
    environment = write_settings(workspace, "zh")
    own = workspace.root / FOLDER
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_PATH", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    assert all(pathlib.Path(environment[name]).is_relative_to(own) for name in folders)
    config = pathlib.Path(environment["JUPYTER_CONFIG_DIR"])
    lab = json.loads((config / "jupyter_lab_config.json").read_text("utf-8"))["LabApp"]
    assert (lab["news_url"], lab["extension_manager"]) == (None, "readonly")
    assert lab["check_for_updates_class"].endswith("NeverCheckForUpdate")
    overrides = json.loads((config / "labconfig" / "default_setting_overrides.json").read_text("utf-8"))
    assert overrides["@jupyterlab/translation-extension:plugin"] == {"locale": "zh_CN"}
    kernel = json.loads((pathlib.Path(environment["JUPYTER_PATH"]) / "kernels/python3/kernel.json").read_text("utf-8"))
    assert kernel["argv"][0] == sys.executable
    assert (workspace.root / ".qbase" / ".gitignore").read_text("utf-8") == "*\n"
    english = write_settings(workspace, "en")
    assert english["QBASE_LANG"] == "en"
    overrides = json.loads((config / "labconfig" / "default_setting_overrides.json").read_text("utf-8"))
    assert overrides["@jupyterlab/translation-extension:plugin"] == {"locale": "en"}


def test_an_empty_token_is_not_taken_over(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def launch(argv: list[str]) -> None:
        seen.update(argv=argv, token="JUPYTER_TOKEN" in lab_start.os.environ)

    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_NO_CONFIG", "JUPYTER_PATH", "JUPYTERLAB_SETTINGS_DIR",
                 "JUPYTERLAB_WORKSPACES_DIR", "QBASE_HOME", "QBASE_LANG", "JUPYTER_PREFER_ENV_PATH"):  # fmt: skip
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("JUPYTER_TOKEN", "")
    stand_in = types.SimpleNamespace(LabApp=types.SimpleNamespace(launch_instance=launch))
    monkeypatch.setitem(sys.modules, "jupyterlab.labapp", stand_in)
    lab_start.run_lab(workspace, port=0, opens_browser=False)
    assert seen["token"] is False
    assert lab_start.os.environ["QBASE_HOME"] == str(workspace.root)


def test_the_script_of_the_tiles_holds_notebooks_that_are_sound() -> None:
    script = build_extension("zh")["static/remoteEntry.js"]
    line = next(line for line in script.splitlines() if line.strip().startswith("const data = "))
    data = json.loads(line.strip().removeprefix("const data = ").rstrip(";"))
    assert [tile["label"] for tile in data["tiles"]] == [label.zh for _, _, label in TILES]
    for tile in data["tiles"]:
        nbformat.validate(nbformat.from_dict(tile["notebook"]))
    assert "</" not in line


@pytest.mark.parametrize("name", ["trends", "effects", "scorecard"])
def test_what_a_tile_of_a_letter_writes_can_be_run(name: str, workspace: Workspace) -> None:
    payload = tile_payload(name, "", name)
    cells = payload["notebook"]["cells"]
    check_letter(cells, parse_cells(cells, shown=name), shown=name)
    (workspace.notebooks / f"{name}-2.ipynb").write_text(json.dumps(payload["notebook"]), encoding="utf-8")
    (workspace.specs / f"{name}-2.toml").write_text(payload["spec"].replace(STEM, f"{name}-2"), encoding="utf-8")
    assert read_spec(workspace, f"{name}-2").notebook == f"notebooks/{name}-2.ipynb"
    assert read_request(workspace, f"{name}-2", {}).parameters
