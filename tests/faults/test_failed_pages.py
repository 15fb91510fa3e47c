"""What a failed run leaves: how far it came for operators, a plain page for readers where there is no report."""

from __future__ import annotations

import html
import json
import pathlib
from typing import Any

import pytest

from qbase.core.errors import RunError
from qbase.lake import list_runs
from qbase.release import verify_report
from qbase.reports import find_pages, reconcile_runs, run_report
from qbase.reports.rendering.gallery import build_gallery
from qbase.reports.running.run_states import RECENT
from tests.faults.fault_letters import House

SHOW = (
    "from qbase.core import Column, Table, Text\n"
    "columns = (Column(label=Text('集群', 'cluster')), Column(label=Text('率', 'rate'), numeric=True))\n"
    "words, rows = Text('各集群合格率', 'Pass rates'), (('K003', '80.0%'),)\n"
    "Table(name='rates', caption=words, columns=columns, rows=rows)"
)
BREAK = "firms = {'甲厂': 1}\nfirms['/root/secret/乙厂.csv']"
AFTER = "print('never shown')"


@pytest.fixture(params=["kernel", "fork"])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.param


def fail(house: House, name: str, engine: Any) -> RunError:
    with pytest.raises(RunError) as caught:
        run_report(house.workspace, name, engine=engine)
    return caught.value


def bare(house: House, name: str, *sources: str, profile: str = "internal") -> str:
    """Write a letter of which no report was ever published."""
    house.letter(name, *sources)
    spec = house.workspace.specs / f"{name}.toml"
    spec.write_text(spec.read_text(encoding="utf-8") + f'profile = "{profile}"\n', encoding="utf-8")
    notebook = house.workspace.notebooks / f"{name}.ipynb"
    letter = json.loads(notebook.read_text(encoding="utf-8"))
    letter["cells"][0]["source"] += "\nprofile: str = 'internal'  # 读者 | Readers | internal, external"
    letter["cells"][-1]["source"] = "profile\n" + letter["cells"][-1]["source"]
    notebook.write_text(json.dumps(letter), encoding="utf-8")
    for end in ("html", "json"):
        (house.workspace.site / f"{name}.{end}").unlink()
    return name


def failed_page(house: House, name: str) -> pathlib.Path:
    return house.workspace.site / "failed" / f"{name}.html"


def test_operators_see_how_far_it_came_and_readers_that_there_is_no_report(house: House, engine: Any) -> None:
    name = bare(house, "breaks", SHOW, BREAK, AFTER)
    error = fail(house, name, engine)
    record = house.last(name)
    partial = house.folder(record) / "partial.html"
    assert record.outputs[-1] == partial.relative_to(house.workspace.root).as_posix()
    told = partial.read_text(encoding="utf-8")
    assert all(words in told for words in ("For operators only", "Pass rates", "80.0%", error.code, "KeyError"))
    assert "never shown" not in told
    assert "Traceback" not in told
    page = failed_page(house, name)
    shown = html.unescape(page.read_text(encoding="utf-8"))
    assert record.run_id in shown
    assert error.what_zh in shown
    assert error.what_en in shown
    assert not any(words in shown for words in ("Traceback", "/root/secret", "reports/runs", "80.0%"))
    assert not [c for c in verify_report(page).failed if c.name != "numbers"]
    gallery = (house.workspace.site / "index.html").read_text(encoding="utf-8")
    assert f'href="failed/{name}.html"' in gallery
    assert record.run_id in gallery
    # it is no report: nothing counts, finds or hands on such a page
    assert find_pages(house.workspace, name) == []
    assert reconcile_runs(house.workspace)[0] == []


def test_a_good_report_stays_and_takes_the_place_of_the_page_that_said_it_failed(house: House, engine: Any) -> None:
    name = bare(house, "late", "import os\nassert os.path.exists('ready'), 'not ready'")
    fail(house, name, engine)
    assert failed_page(house, name).is_file()
    notebook = house.workspace.notebooks / f"{name}.ipynb"
    broken = notebook.read_text(encoding="utf-8")
    good = json.loads(broken)
    good["cells"][1]["source"] = "1"
    notebook.write_text(json.dumps(good), encoding="utf-8")
    record = run_report(house.workspace, name, engine=engine)
    assert record.state == "ok"
    assert not failed_page(house, name).parent.exists()
    published = house.published()
    notebook.write_text(broken, encoding="utf-8")
    fail(house, name, engine)
    assert house.published() == published
    assert (house.folder(house.last(name)) / "partial.html").is_file()
    gallery = (house.workspace.site / "index.html").read_text(encoding="utf-8")
    assert f'href="{name}.html"' in gallery
    assert house.last(name).run_id in gallery


def test_outside_the_house_the_page_says_no_word_of_a_cell(house: House) -> None:
    name = bare(house, "outside", "firms = {'甲厂': 1}\nfirms['乙厂']", profile="external")
    error = fail(house, name, "fork")
    shown = failed_page(house, name).read_text(encoding="utf-8")
    assert error.code in shown
    assert "乙厂" not in shown
    assert "乙厂" in (house.folder(house.last(name)) / "partial.html").read_text(encoding="utf-8")


def test_an_outcome_that_makes_no_page_still_says_what_happened(house: House) -> None:
    broken = (
        "from IPython.display import display\ndisplay({'application/vnd.qbase.figure+json': {'kind': 'x'}}, raw=True)"
    )
    name = bare(house, "unclean", broken)
    error = fail(house, name, "fork")
    assert error.code == "QB851"
    partial = (house.folder(house.last(name)) / "partial.html").read_text(encoding="utf-8")
    assert error.what_en in partial


def test_the_gallery_passes_over_a_page_whose_run_is_not_known(house: House) -> None:
    site = house.workspace.site
    (site / "failed").mkdir()
    (site / "failed" / "gone.html").write_text("<p>", encoding="utf-8")
    (site / "failed" / "gone.json").write_text('{"report_id": "gone", "run_id": "R0"}', encoding="utf-8")
    build_gallery(site, runs=list_runs(house.workspace, limit=RECENT))
    assert "gone" not in (site / "index.html").read_text(encoding="utf-8")
