"""Several logical dates of one report: its page shows the newest, whatever the order in which they are run."""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import random
import signal
import sys

import pytest

from qbase.cli.main import run as qbase
from qbase.core.results.run_values import RunRecord
from qbase.lake import RUN_FAULT_POINTS, read_run
from qbase.lake.storage.fault_points import EXIT
from qbase.release.verifying.page_reading import read_page
from qbase.reports import close_dead_runs, compare_runs, find_pages, prune_runs, reconcile_runs, run_many, run_report
from qbase.reports.batching.batch_jobs import Job
from qbase.reports.running import run_steps
from tests.faults import quick_schedule
from tests.faults.fault_letters import House

DAYS = [f"2026-0{month}-{day:02d}" for month in (5, 6) for day in (3, 12, 28)]
NEWEST = DAYS[-1]


@pytest.fixture
def quick(house: House, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A house whose letter takes no time; what is tried here is what happens to its pages."""
    monkeypatch.setenv("QUICK_COUNT", str(tmp_path / "count"))
    monkeypatch.setattr("qbase.reports.executing.papermill_engine.execute", quick_schedule.execute)
    house.letter("plain")
    for path in house.workspace.site.iterdir():
        if path.is_file():
            path.unlink()
    return house


def slots(house: House) -> dict[str, str]:
    """Return the logical date of every page by its stem; each is what its run wrote, and has its row."""
    found = {}
    for page in house.workspace.site.glob("plain*.html"):
        meta = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
        written = house.folder(read_run(house.workspace, meta["run_id"])) / "report.html"
        assert page.read_bytes() == written.read_bytes()
        found[page.stem] = meta["slot"]
    assert reconcile_runs(house.workspace)[0] == []
    return found


def as_filled_in(order: list[str]) -> dict[str, str]:
    """Return what the site is to show after dates were run in an order."""
    shown, newest = {}, ""
    for slot in order:
        newest = max(newest, slot)
        shown["plain" if slot == newest else f"plain@{slot}"] = slot
    return shown


def run(house: House, slot: str | None, **how: object) -> RunRecord:
    return run_report(house.workspace, "plain", slot=slot, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
def test_dates_run_in_any_order_leave_the_newest_on_the_page(quick: House, seed: int) -> None:
    order = random.Random(seed).sample(DAYS, len(DAYS))
    for slot in order:
        record = run(quick, slot)
        assert record.state == "ok"
        assert read_run(quick.workspace, record.run_id).outputs[0].startswith("reports/site/plain")
    assert slots(quick) == as_filled_in(order)
    # asked once more, each is what it was, whether its page is its own or that of a later date that says the same
    before = quick.published()
    assert {run(quick, slot).state for slot in order} == {"unchanged"}
    outcomes = run_many(quick.workspace, [Job(report_id="plain", slot=slot) for slot in order])
    assert {o.record.state for o in outcomes if o.record} == {"unchanged"}
    assert quick.published() == before


def test_an_older_date_by_force_replaces_its_own_page_alone(quick: House) -> None:
    run(quick, NEWEST)
    first = run(quick, DAYS[0])
    newest = (quick.workspace.site / "plain.html").read_bytes()
    again = run(quick, DAYS[0], force=True)
    assert first.outputs[0] == again.outputs[0] == f"reports/site/plain@{DAYS[0]}.html"
    assert (quick.workspace.site / "plain.html").read_bytes() == newest
    assert slots(quick) == {"plain": NEWEST, f"plain@{DAYS[0]}": DAYS[0]}
    # the run of today, on request, is the newest of all
    assert run(quick, None, force=True).outputs[0] == "reports/site/plain.html"


def test_an_instant_and_a_day_are_put_in_order_by_when_they_were(quick: House) -> None:
    run(quick, "2026-06-12T08:00+08:00")
    run(quick, "2026-06-12T06:00+08:00")
    # a day that is over holds all of its instants
    run(quick, "2026-06-12")
    run(quick, "2026-06-11")
    assert slots(quick) == {
        "plain": "2026-06-12", "plain@2026-06-11T220000Z": "2026-06-11T22:00:00Z", "plain@2026-06-11": "2026-06-11",
    }  # fmt: skip


def test_gallery_feed_and_commands_agree_about_the_dates(quick: House, capsys: pytest.CaptureFixture[str]) -> None:
    records = {slot: run(quick, slot, force=True) for slot in (NEWEST, DAYS[0], DAYS[2], NEWEST)}
    home, site = ["--home", str(quick.workspace.root), "--lang", "en"], quick.workspace.site
    gallery = read_page((site / "index.html").read_text(encoding="utf-8"))
    (card,) = gallery.body.having("data-report")
    links = [e.attributes["href"] for e in card.walk() if e.tag == "a"]
    assert links == ["plain.html", f"plain%40{DAYS[2]}.html", f"plain%40{DAYS[0]}.html"]
    feed = json.loads((site / "feed.json").read_text(encoding="utf-8"))
    assert [item["url"] for item in feed["items"]] == ["plain.html", f"plain@{DAYS[2]}.html", f"plain@{DAYS[0]}.html"]
    pages = [page.stem for page in find_pages(quick.workspace, "plain")]
    assert pages == ["plain", f"plain@{DAYS[0]}", f"plain@{DAYS[2]}"]
    assert [page.stem for page in find_pages(quick.workspace, f"plain@{DAYS[0]}")] == [f"plain@{DAYS[0]}"]
    assert qbase(["verify", f"plain@{DAYS[0]}", *home]) == 0
    assert qbase(["verify", "plain", *home]) == 0
    assert qbase(["verify", f"plain@{DAYS[1]}", *home]) == 2
    capsys.readouterr()
    # a run is held against the edition of the date before it, not against the one that was run before it
    assert compare_runs(quick.workspace, run(quick, "2026-06-30", force=True).run_id).before.slot == NEWEST
    last = records[DAYS[2]]
    # pages keep their runs, whatever else goes
    assert {p.run_id for p in prune_runs(quick.workspace, keep=1)}.isdisjoint({last.run_id, records[DAYS[0]].run_id})
    assert qbase(["verify", "--all", *home]) == 0


def test_an_older_date_that_fails_says_nothing_of_the_page_of_the_newest(
    quick: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(quick, NEWEST)
    run(quick, DAYS[0])

    def broken(job: object) -> None:
        raise RuntimeError("no kernel")

    monkeypatch.setattr("qbase.reports.executing.papermill_engine.execute", broken)
    for slot, failed in ((DAYS[0], [f"plain@{DAYS[0]}.html"]), (NEWEST, ["plain.html", f"plain@{DAYS[0]}.html"])):
        outcome = run_many(quick.workspace, [Job(report_id="plain", slot=slot, force=True)])[0]
        assert outcome.error
        feed = json.loads((quick.workspace.site / "feed.json").read_text(encoding="utf-8"))
        assert [item["url"] for item in feed["items"] if "_last_run_failed" in item] == failed


def test_a_newer_date_under_an_earlier_name_of_the_page_is_not_replaced(quick: House) -> None:
    run(quick, NEWEST)
    site = quick.workspace.site
    for end in ("html", "json"):
        (site / f"plain.{end}").rename(site / f"plain-旧名.{end}")
    newest = (site / "plain-旧名.html").read_bytes()
    assert run(quick, DAYS[0]).outputs[0] == f"reports/site/plain@{DAYS[0]}.html"
    assert (site / "plain-旧名.html").read_bytes() == newest
    # a later date takes the name of today, and the old one points to it
    assert run(quick, "2026-06-30").outputs[0] == "reports/site/plain.html"
    assert json.loads((site / "plain-旧名.json").read_text(encoding="utf-8"))["redirect"] == "plain"


def test_a_newer_date_that_appears_while_an_older_one_is_about_to_is_not_replaced(
    quick: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The older run has chosen and staged the page of the report; the newer one appears before it may publish."""
    real, between = run_steps.publish_run, [NEWEST]

    def publish(*args: object) -> bool:
        if between:
            run(quick, between.pop())
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(run_steps, "publish_run", publish)
    older = run(quick, DAYS[0])
    assert older.outputs[0] == f"reports/site/plain@{DAYS[0]}.html"
    assert slots(quick) == {"plain": NEWEST, f"plain@{DAYS[0]}": DAYS[0]}
    assert not list(quick.workspace.site.glob(".*.part"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks")
@pytest.mark.parametrize("seed", range(3))
def test_dates_run_at_once_leave_the_newest_on_the_page(quick: House, seed: int) -> None:
    order = random.Random(seed).sample(DAYS * 2, len(DAYS) * 2)

    def attempt(slot: str) -> None:
        outcome = run_many(quick.workspace, [Job(report_id="plain", slot=slot, force=True)])[0]
        assert outcome.error is None or outcome.error.code == "QB835", outcome.error

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(attempt, order))
    shown = slots(quick)
    assert shown["plain"] == NEWEST
    assert {stem: slot for stem, slot in shown.items() if stem != "plain"}.items() <= {
        (f"plain@{slot}", slot) for slot in DAYS[:-1]
    }


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("point", ["one_file_replaced", "files_replaced", "publish_written"])
def test_a_runner_killed_while_an_older_date_appears_is_closed_as_published(
    quick: House, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    run(quick, NEWEST)
    newest = (quick.workspace.site / "plain.html").read_bytes()
    assert point in RUN_FAULT_POINTS
    child = os.fork()
    if child == 0:
        monkeypatch.setenv("QBASE_FAULT", point)
        run(quick, DAYS[0])
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {EXIT, -signal.SIGKILL}
    close_dead_runs(quick.workspace)
    assert quick.last("plain").state == "ok"
    assert quick.last("plain").outputs[0] == f"reports/site/plain@{DAYS[0]}.html"
    assert (quick.workspace.site / "plain.html").read_bytes() == newest
    assert slots(quick) == {"plain": NEWEST, f"plain@{DAYS[0]}": DAYS[0]}
