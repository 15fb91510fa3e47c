"""``make lab`` in a workspace without data: JupyterLab starts, and a letter opened in a browser runs all its cells."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LETTER = "20_quality_trends.ipynb"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
# a loaded machine with two processors took a third of these
START_SECONDS = 300
STOP_SECONDS = 20
RUN_MILLISECONDS = 300_000
MENU = re.compile("Run|运行")
RUN_ALL = '.lm-Menu-item[data-command="runmenu:run-all"]'
# asked of the page: the notebook as it stands, and whether a cell still waits for the kernel
NOTEBOOK = "() => window.jupyterapp.shell.currentWidget.content.model.toJSON()"
READY = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
DONE = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  const code = panel.content.model.toJSON().cells.filter(cell => cell.cell_type === 'code');
  const failed = code.some(cell => cell.outputs.some(output => output.output_type === 'error'));
  const all = code.every(cell => cell.execution_count !== null);
  return (failed || all) && panel.sessionContext.session.kernel.status === 'idle';
}"""


@pytest.fixture(scope="module")
def workspace(project_root: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A workspace as a fresh clone has it: letters and specifications, no data."""
    home = tmp_path_factory.mktemp("lab") / "clone"
    for part in ("notebooks", "reports/specs"):
        shutil.copytree(project_root / part, home / part)
    return home


@pytest.fixture(scope="module")
def lab(project_root: pathlib.Path, workspace: pathlib.Path) -> Iterator[dict[str, Any]]:
    """What the running server says of itself: address, token, process."""
    if importlib.util.find_spec("jupyterlab") is None:
        pytest.skip("needs JupyterLab (make lab)")
    own = workspace.parent
    env = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "QBASE", "MAKE"))}
    env["JUPYTER_RUNTIME_DIR"] = str(own / "runtime")
    options = "--no-browser --port 0 --lang zh -- --expose-app-in-browser"
    words = ["make", "lab", f"WORKSPACE={workspace}", f"LAB_OPTIONS={options}"]
    told = own / "lab.log"
    with told.open("wb") as log:
        started = subprocess.Popen(words, cwd=project_root, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            yield wait_for_server(started, own / "runtime", told)
        finally:
            stop(started)


def stop(started: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, as it then ends its kernels; end it where it does not."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(STOP_SECONDS)
            return


def wait_for_server(started: subprocess.Popen[bytes], runtime: pathlib.Path, told: pathlib.Path) -> dict[str, Any]:
    """Return what the server wrote about itself once it listens; what it printed when it ends before."""
    end = time.monotonic() + START_SECONDS
    while started.poll() is None and time.monotonic() < end:
        for file in runtime.glob("jpserver-*.json"):
            try:
                return json.loads(file.read_text(encoding="utf-8"))
            except json.JSONDecodeError:  # being written
                continue
        time.sleep(0.2)
    raise AssertionError(told.read_text(encoding="utf-8", errors="replace"))


@pytest.fixture(scope="module")
def page(chromium: str, lab: dict[str, Any]) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.set_default_timeout(RUN_MILLISECONDS)
        opened.asked = []
        opened.on("request", lambda request: opened.asked.append(request.url))
        opened.goto(f"{lab['url']}lab/tree/notebooks/{LETTER}?token={lab['token']}")
        opened.wait_for_function(READY)
        yield opened
        browser.close()


def conclusion(notebook: dict[str, Any]) -> list[str]:
    """Return the words of the cell that concludes, without those of drawings."""
    (cell,) = (cell for cell in notebook["cells"] if "conclude(" in "".join(cell["source"]))
    return ["".join(output["data"]["text/plain"]) for output in cell["outputs"]]


def texts(notebook: dict[str, Any]) -> str:
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    return json.dumps([output.get("data", output.get("text")) for output in outputs], ensure_ascii=False)


def test_a_letter_opened_in_lab_runs_all_its_cells(page: Any, workspace: pathlib.Path) -> None:
    stored = json.loads((workspace / "notebooks" / LETTER).read_text(encoding="utf-8"))
    assert '"image/png"' not in texts(stored)
    page.locator(".lm-MenuBar-item").filter(has_text=MENU).click()
    page.locator(RUN_ALL).click()
    page.wait_for_function(DONE)
    notebook = page.evaluate(NOTEBOOK)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    kinds = {output["output_type"] for cell in code for output in cell["outputs"]}
    assert "error" not in kinds, texts(notebook)
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert '"image/png"' in texts(notebook)
    assert conclusion(notebook) == conclusion(stored) != []


def test_lab_listens_on_this_machine_alone_and_the_page_asks_nobody_for_news(page: Any, lab: dict[str, Any]) -> None:
    assert lab["hostname"] == "127.0.0.1"
    assert lab["token"]
    schemes = ("http", "https", "ws", "wss")
    parts = [urlsplit(url) for url in page.asked if url.startswith(schemes)]
    assert {part.hostname for part in parts} == {"127.0.0.1"}
    assert [part.path for part in parts if part.path.startswith(("/lab/api/news", "/lab/api/update"))] == []
    assert page.locator("text=Jupyter news").count() == 0


def test_the_check_passes_right_after_the_demo_was_loaded(lab: dict[str, Any], workspace: pathlib.Path) -> None:
    words = [sys.executable, "-m", "qbase", "check", "--home", str(workspace), "--lang", "en"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, [line for line in done.stdout.splitlines() if "[!]" in line]


def test_the_notebook_of_a_run_shows_its_figures_and_tables_to_whoever_opens_it(
    page: Any, lab: dict[str, Any], workspace: pathlib.Path
) -> None:
    """Nobody on this server has run it, so that JupyterLab trusts none of its outputs."""
    from nbformat.v4 import new_code_cell, new_notebook, new_output, writes

    from qbase.core import Column, Figure, Table, Text
    from qbase.core.shown.display import MIME
    from qbase.reports.rendering.plain_fallbacks import with_fallbacks

    words = Text("合格率", "pass rate")
    table = Table(name="t", caption=words, columns=(Column(label=words),), rows=(("K003",),))
    drawing = '<svg viewBox="0 0 90 90"><path style="stroke:var(--blue)" d="M 0 0 L 90 90" /><text>合格率</text></svg>'
    texts = dict.fromkeys(("title", "subtitle", "how_to_read", "note", "alt"), words)
    drawings = dict.fromkeys(("zh_wide", "zh_narrow", "en_wide", "en_narrow"), drawing)
    figure = Figure(name="f", drawings=drawings, table=table, **texts)
    outputs = [new_output("display_data", data={"text/plain": "–", MIME: one.payload()}) for one in (figure, table)]
    notebook = with_fallbacks(new_notebook(cells=[new_code_cell("x", outputs=outputs)]), "zh")
    (workspace / "notebooks" / "run.ipynb").write_text(writes(notebook), encoding="utf-8")
    opened = page.context.browser.new_context().new_page()
    opened.goto(f"{lab['url']}lab/tree/notebooks/run.ipynb?token={lab['token']}&reset")
    shown = opened.locator(".jp-OutputArea-output img")
    shown.wait_for()
    assert opened.evaluate("() => window.jupyterapp.shell.currentWidget.content.model.cells.get(0).trusted") is False
    assert shown.evaluate("image => image.naturalWidth > 0 && image.alt === '合格率'")
    assert opened.locator(".jp-OutputArea-output td", has_text="K003").count() == 1
    opened.context.close()
