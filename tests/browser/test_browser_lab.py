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

LETTER, TOUR = "20_quality_trends.ipynb", "00_start_here.ipynb"
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

FETCHED = "async address => { const said = await fetch(address); return [said.status, await said.text()]; }"


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


@pytest.fixture
def opened(page: Any, lab: dict[str, Any]) -> Iterator[Any]:
    """Open a page of JupyterLab beside the first one, its requests noted with the others."""
    context = page.context.browser.new_context(viewport={"width": 1280, "height": 1400})

    def go(path: str) -> Any:
        beside = context.new_page()
        beside.set_default_timeout(RUN_MILLISECONDS // 2)
        beside.on("request", lambda request: page.asked.append(request.url))
        beside.goto(f"{lab['url']}lab{path}?token={lab['token']}&reset")
        return beside

    yield go
    context.close()


def run_all(beside: Any) -> dict[str, Any]:
    """Run every cell of the notebook that is open and return it; none may fail."""
    beside.wait_for_function(READY)
    beside.evaluate("() => window.jupyterapp.commands.execute('runmenu:run-all')")
    beside.wait_for_function(DONE)
    notebook = beside.evaluate(NOTEBOOK)
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    assert [output for output in outputs if output["output_type"] == "error"] == []
    return dict(notebook)


def write_notebook(workspace: pathlib.Path, name: str, *sources: str) -> None:
    from nbformat.v4 import new_code_cell, new_notebook, writes

    cells = [
        new_code_cell(source, metadata={"tags": ["parameters"]} if ": int" in source else {}) for source in sources
    ]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    text = writes(new_notebook(cells=cells, metadata=kernel))
    (workspace / "notebooks" / f"{name}.ipynb").write_text(text, encoding="utf-8")


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


def test_the_launcher_offers_letters_in_chinese_and_a_tile_writes_one_with_its_report(
    opened: Any, workspace: pathlib.Path
) -> None:
    beside = opened("")
    tile = beside.locator(".jp-LauncherCard", has_text="新建评分卡")
    tile.wait_for()
    shown = {card.inner_text().split()[-1] for card in beside.locator(".jp-LauncherCard").all()}
    assert {"新建走势信", "新建效果信", "新建评分卡", "看数工具", "载入收到的文件", "qbase"} <= shown
    tile.click()
    beside.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.context?.path === 'notebooks/scorecard.ipynb'"
    )
    assert (workspace / "reports" / "specs" / "scorecard.toml").is_file()


def test_the_tour_runs_from_the_first_cell_to_the_last(opened: Any) -> None:
    beside = opened(f"/tree/notebooks/{TOUR}")
    run_all(beside)
    form = beside.locator(".jupyter-widgets", has_text="云泽省产业集群质量走势").first
    form.wait_for()
    assert beside.locator(".widget-dropdown", has_text="sampling").count() == 1


def test_a_control_of_the_explorer_changes_the_figure_and_the_code_gives_its_number(
    opened: Any, workspace: pathlib.Path
) -> None:
    view = "View(subject='K003', first='2021Q1', last='2025Q4')"
    source = f"from qbase.explore import View, open_explorer\nexplorer = open_explorer(view={view})\nexplorer"
    write_notebook(workspace, "look", source)
    beside = opened("/tree/notebooks/look.ipynb")
    run_all(beside)
    figure = beside.locator(".qb-art")
    figure.locator("svg").wait_for()
    assert figure.get_attribute("data-figure") == "trend:D1.batch:K003"
    assert figure.bounding_box()["width"] > 500
    beside.locator(".widget-dropdown", has_text="对象").locator("select").select_option(label="青棹镇涤纶产业集群")
    beside.locator('.qb-art[data-figure="trend:D1.batch:K001"] svg').wait_for()
    told = beside.locator(".widget-html p", has_text="估计为").first.inner_text()
    code = beside.locator(".qb-code").text_content()
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QBASE_HOME", str(workspace))
        exec(code, names)  # noqa: S102  (what the reader copies)
    assert names["result"].say().items[0].zh == told
    beside.locator("button", has_text=re.compile("^存成报告$")).click()
    words = beside.locator(".widget-html p", has_text="已写好").inner_text()
    report = words.rpartition("qbase run ")[2]
    assert report == "view_D1_batch_K001"
    asked = [sys.executable, "-m", "qbase", "inspect", report, "--json", "--home", str(workspace)]
    taken = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)
    assert {"K001", "2021Q1", "2025Q4"} <= set(re.findall(r"[\w.]+", json.dumps(taken)))


def test_a_form_runs_a_report_and_the_menu_exports_its_page(
    opened: Any, lab: dict[str, Any], workspace: pathlib.Path
) -> None:
    write_notebook(
        workspace, "trial", "year: int = 2025  # 年份 | Year", "from qbase.core import record\nyear\nrecord()"
    )
    spec = 'notebook = "notebooks/trial.ipynb"\ntitle_zh = "试运行"\ntitle_en = "Trial"\n'
    (workspace / "reports" / "specs" / "trial.toml").write_text(spec, encoding="utf-8")
    write_notebook(workspace, "ask", "from qbase.explore import open_form\nopen_form('trial')")
    beside = opened("/tree/notebooks/ask.ipynb")
    run_all(beside)
    beside.locator("button", has_text=re.compile("^运行$")).click()
    link = beside.locator(".widget-html a", has_text="打开页面")
    link.wait_for()
    page = workspace / link.get_attribute("href").removeprefix("/files/")
    verified = [sys.executable, "-m", "qbase", "verify", str(page), "--home", str(workspace), "--quiet"]
    assert subprocess.run(verified, capture_output=True).returncode == 0
    menu = beside.evaluate("() => window.jupyterapp.serviceManager.nbconvert.getExportFormats()")
    assert menu["qbase"] == {"output_mimetype": "text/html"}
    # asked from the page, as the menu does: the server refuses an address that was typed elsewhere
    address = f"{lab['url']}nbconvert/qbase/notebooks"
    assert beside.evaluate(FETCHED, f"{address}/trial.ipynb") == [200, page.read_text(encoding="utf-8")]
    status, refused = beside.evaluate(FETCHED, f"{address}/ask.ipynb")
    assert status == 500
    assert "QB887" in refused


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


def test_lab_listens_on_this_machine_alone_and_none_of_these_pages_asked_anybody_else(
    page: Any, lab: dict[str, Any]
) -> None:
    assert lab["hostname"] == "127.0.0.1"
    assert lab["token"]
    schemes = ("http", "https", "ws", "wss")
    parts = [urlsplit(url) for url in page.asked if url.startswith(schemes)]
    assert {part.hostname for part in parts} == {"127.0.0.1"}
    assert [part.path for part in parts if part.path.startswith(("/lab/api/news", "/lab/api/update"))] == []
    assert page.locator("text=Jupyter news").count() == 0
