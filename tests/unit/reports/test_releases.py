"""What leaves the house: sent back by rules first, seen by two accounts, final, and shared as the same bytes twice."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import zipfile
from typing import Any

import pandas as pd
import pytest

from qbase.cli.main import run
from qbase.core import Column, Estimate, Indicator, Result, Source, Table, Text, UsageError, conclude
from qbase.core.errors import DataError
from qbase.core.results.records import build_record
from qbase.core.shown.fonts import covered
from qbase.lake import Workspace, list_release_steps
from qbase.release import find_named_firms, read_disclosure_preset
from qbase.release.verifying.content_checks import check_glyphs
from qbase.release.verifying.page_reading import read_page
from qbase.reports import (
    claim_review,
    close_release,
    decide_release,
    export_pages,
    find_release,
    list_releases,
    queue_release,
    render_report,
)
from qbase.reports.releasing import release_requests, shared_pages
from qbase.reports.releasing.automatic_checks import find_reasons
from qbase.reports.releasing.context_records import build_contexts
from qbase.reports.rendering.page_fonts import house_characters
from tests.unit.reports.test_page_rendering import CASE
from tests.unit.reports.test_subjects_and_pages import put

RATE = Indicator(id="D1.batch", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up", counted="batch")
OPEN = read_disclosure_preset("opensafely")


def make_page(n: int = 45, k: int = 35, *, edition: str = "opensafely-1") -> tuple[str, Any]:
    """Return a page of one protected level and its record; ``n`` and ``k`` are what it shows."""
    estimate = Estimate(
        term="rate", key={"period": "2025Q4"}, value=100 * k / n, ci_low=0.0, ci_high=99.0, n_obs=n
    )  # fmt: skip
    level = Result(
        estimand="level", outcome=RATE, unit="pct", method="wilson", estimates=(estimate,),
        subject=Text("甲集群", "one cluster"),
        tables={"series": pd.DataFrame({"period": ["2025Q4"], "n": [n], "k": [k]})},
        settings={"entity_kind": "cluster_id", "period": "2025Q4", "sampling": "naive"},
        sources=(Source(path=f"pattern {edition}"),) if edition else (),
    )  # fmt: skip
    labels = ("Period", "Batches n", "Of these, k")
    table = Table(
        name="level:D1.batch", caption=Text("水平", "Level"), columns=tuple(Column(label=Text(c, c)) for c in labels),
        rows=(("2025Q4", str(n), str(k)),), data={"period": ["2025Q4"], "n": [n], "k": [k]},
    )  # fmt: skip
    words = conclude(level)
    record = {**build_record([level, table, words, level.say()]), "sentinel": CASE.RUN_ID}
    letter = CASE.make_case().notebook
    letter["cells"] = [CASE.code("show()", table, words, level.say())]
    spec = dataclasses.replace(CASE.make_case().spec, profile="external")
    return render_report(letter, spec=spec, run=CASE.make_case().run, results=record), record


def publish(home: Workspace, source: str, record: Any, *, profile: str = "external", run_id: str = CASE.RUN_ID) -> None:
    """Put a page into the site as a run does, with its folder."""
    record, source = {**record, "sentinel": run_id}, source.replace(CASE.RUN_ID, run_id)
    folder = home.runs / "trends" / run_id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(record), encoding="utf-8")
    (folder / "report.html").write_bytes(source.encode())
    (home.site / "trends.html").write_bytes(source.encode())
    meta = {
        "schema": 1, "report_id": "trends", "key": "trends", "run_id": run_id, "profile": profile,
        "html_sha256": hashlib.sha256(source.encode()).hexdigest(), "title": {"zh": "甲", "en": "A"}, "params": {},
    }  # fmt: skip
    (home.site / "trends.json").write_text(json.dumps(meta), encoding="utf-8")


@pytest.fixture(scope="module")
def page() -> tuple[str, Any]:
    return make_page()


@pytest.fixture
def who(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list whose last entry is the account that acts."""
    acting = ["author"]
    for module in (release_requests, shared_pages):
        monkeypatch.setattr(module, "read_account", lambda: acting[-1])
    return acting


@pytest.fixture
def home(tmp_path: pathlib.Path, page: tuple[str, Any]) -> Workspace:
    made = Workspace.create(tmp_path / "home")
    (made.root / "release.toml").write_text('preset = "opensafely"\n', encoding="utf-8")
    publish(made, *page)
    return made


def reasons_of(source: str, record: Any, *, name: str = "trends.html") -> str:
    contexts = build_contexts(source, record, OPEN)
    return "; ".join(text.en for text in find_reasons(source, record, OPEN, contexts, name=name))


def test_a_rounded_and_redacted_page_with_context_and_data_passes(page: tuple[str, Any]) -> None:
    assert reasons_of(*page) == ""
    (context,) = build_contexts(*page, OPEN)
    assert context | {"sha256": ""} == {
        "name": "level:D1.batch", "population": "one cluster", "n": "45–45", "control": "opensafely-1",
        "filter": "entity_kind cluster_id; sampling naive; period 2025Q4", "difference": "first", "sha256": "",
        "firms": f"at least {OPEN.fewest_firms} behind every shown count",
    }  # fmt: skip
    assert build_contexts(*page, OPEN, [context])[0]["difference"] == "unchanged"


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        ({"n": 47}, "unrounded count: level:D1.batch n is 47, no multiple of 5"),
        ({"k": 5}, "unredacted count: level:D1.batch k is 5"),
        ({"edition": ""}, "missing context: level:D1.batch lacks control"),
        ({"edition": "cn_default-1"}, "is not under opensafely-1 (cn_default-1)"),
    ],
)
def test_counts_and_context_send_a_page_back(made: dict[str, Any], reason: str) -> None:
    assert reason in reasons_of(*make_page(**made))


def test_a_figure_without_data_and_a_file_of_another_kind_send_it_back(page: tuple[str, Any]) -> None:
    source, record = page
    bare = source.replace("</main>", '<figure data-kind="figure" data-name="f"></figure></main>')
    assert "no underlying data: figure f" in reasons_of(bare, record)
    assert "file type: trends.svg" in reasons_of(source, record, name="trends.svg")
    assert "file type: " in reasons_of(source.replace("</main>", "<script>1</script></main>"), record)
    assert "unrounded count: n = 17" in reasons_of(source.replace("</main>", "<p>n = 17</p></main>"), record)


def test_two_accounts_and_a_look_are_needed_and_decisions_are_final(home: Workspace, who: list[str]) -> None:
    asked = queue_release(home, "trends")
    assert (asked.request_id, asked.state, asked.author) == ("A0001", "requested", "author")
    for act in (lambda: claim_review(home, "A0001"), lambda: decide_release(home, "A0001", "approved")):
        with pytest.raises(UsageError, match="QB774"):
            act()
    who.append("Author")
    with pytest.raises(UsageError, match="QB774"):
        claim_review(home, "A0001")
    who.append("other")
    with pytest.raises(UsageError, match="QB774"):
        decide_release(home, "A0001", "approved")
    claim_review(home, "A0001")
    with pytest.raises(UsageError, match="QB779"):
        decide_release(home, "A0001", "rejected")
    assert decide_release(home, "A0001", "rejected", reason="wrong quarter").state == "rejected"
    for act in (lambda: decide_release(home, "A0001", "approved"), lambda: close_release(home, "A0001", reason="x")):
        with pytest.raises(UsageError, match="QB777"):
            act()
    assert [(s.action, s.account, s.reason) for s in list_release_steps(home)] == [
        ("requested", "author", ""), ("reviewed", "other", ""), ("rejected", "other", "wrong quarter"),
    ]  # fmt: skip
    assert queue_release(home, "trends").request_id == "A0002"
    with pytest.raises(UsageError, match="QB777"):
        queue_release(home, "trends")
    with pytest.raises(UsageError, match="QB775"):
        find_release(home, "A0009")


def test_pages_for_the_house_changed_ones_and_those_sent_back_are_refused(
    home: Workspace, page: tuple[str, Any], who: list[str]
) -> None:
    publish(home, *page, profile="internal")
    with pytest.raises(UsageError, match="QB772"):
        queue_release(home, "trends")
    publish(home, *make_page(n=47))
    with pytest.raises(DataError, match="unrounded count"):
        queue_release(home, "trends")
    publish(home, *page)
    (home.site / "trends.html").write_text(page[0] + " ", encoding="utf-8")
    with pytest.raises(DataError, match="QB778"):
        queue_release(home, "trends")
    with pytest.raises(UsageError, match="QB776"):
        queue_release(home, "other")
    assert list_releases(home) == []


@pytest.mark.parametrize(("profile", "is_named"), [("external", True), ("statutory_public", False)])
def test_firms_are_named_only_where_a_public_notice_named_them(
    home: Workspace, page: tuple[str, Any], who: list[str], profile: str, is_named: bool
) -> None:
    put(home, "notice_batches", [{"record_no": "1", "firm_name": "云泽第一阀门厂"}])
    put(home, "firms", [{"firm_id": "F2", "firm_name": "云泽第二阀门厂", "uscc": "91990000MA0000002X"}])
    source, record = page
    for words, code in (("云泽第一阀门厂", is_named), ("云泽第二阀门厂", True), ("91990000MA0000002X", True)):
        named = source.replace("</main>", f"<p>{words}</p></main>")
        assert find_named_firms(home, named, profile=profile) == ([words] if code else [])
        publish(home, named, record, profile=profile)
        if code:
            with pytest.raises(DataError, match=f"names of firms: {words}"):
                queue_release(home, "trends")


def approve(home: Workspace, who: list[str]) -> str:
    who.append("author")
    asked = queue_release(home, "trends")
    who.append("other")
    claim_review(home, asked.request_id)
    decide_release(home, asked.request_id, "approved")
    return asked.request_id


def test_a_share_holds_approved_pages_alone_and_is_the_same_twice(
    home: Workspace, who: list[str], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(UsageError, match="QB780"):
        export_pages(home, ["trends"], tmp_path / "out")
    approve(home, who)
    out, archive = tmp_path / "out", tmp_path / "out.zip"
    export_pages(home, ["trends"], out)
    first = {path.name: path.read_bytes() for path in out.iterdir()}
    assert set(first) == {"index.html", "feed.json", "trends-A0001.html"}
    assert first["trends-A0001.html"] == (home.site / "trends.html").read_bytes()
    export_pages(home, ["trends"], out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == first
    export_pages(home, ["trends"], archive)
    twice = archive.read_bytes()
    export_pages(home, ["trends"], archive)
    assert archive.read_bytes() == twice
    with zipfile.ZipFile(archive) as files:
        assert {name: files.read(name) for name in files.namelist()} == first
    for data in first.values():
        assert b"author" not in data
        assert b"other" not in data.replace(b"others", b"")
    with pytest.raises(UsageError, match="QB780"):
        export_pages(home, ["trends"], out, profile="statutory_public")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="QB781"):
        export_pages(home, ["trends"], tmp_path / "full")
    assert (tmp_path / "full" / "mine.txt").read_text(encoding="utf-8") == "x"
    assert [s.action for s in list_release_steps(home)].count("shared") == 1


def test_what_was_superseded_carries_a_banner_and_what_was_withdrawn_is_a_notice(
    home: Workspace, who: list[str], tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "out"
    approve(home, who)
    export_pages(home, ["trends"], out)
    publish(home, *make_page(50), run_id="20261201T090000-aaaaaa")
    approve(home, who)
    assert [c["difference"] for c in find_release(home, "A0002").contexts] == ["changed"]
    pages = export_pages(home, ["trends"], out)
    assert [(p.file, p.status) for p in pages] == [
        ("trends-A0001.html", "superseded"), ("trends-A0002.html", "current"),
    ]  # fmt: skip
    old = read_page((out / "trends-A0001.html").read_text(encoding="utf-8"))
    banner = old.body.find(lambda e: e.attributes.get("role") == "note")
    assert banner is not None
    assert "taken the place" in banner.text()
    assert banner.tagged("a")[0].attributes["href"] == "trends-A0002.html"
    # it is written into a page whose fonts were cut without it
    assert {c for c in banner.text() if ord(c) in covered()} <= house_characters()
    assert check_glyphs(old).passed
    close_release(home, "A0002", reason="a count was wrong")
    pages = export_pages(home, ["trends"], out)
    assert [(p.file, p.status) for p in pages] == [
        ("trends-A0001.html", "current"), ("trends-A0002.html", "withdrawn"),
    ]  # fmt: skip
    notice = (out / "trends-A0002.html").read_text(encoding="utf-8")
    assert "was withdrawn on" in notice
    assert "a count was wrong" not in notice
    assert "50" not in read_page(notice).body.text()
    feed = json.loads((out / "feed.json").read_text(encoding="utf-8"))
    assert [item["_status"] for item in feed["items"]] == ["current", "withdrawn"]
    assert all(item["date_published"] for item in feed["items"])


def test_a_kept_copy_that_changed_leaves_nothing(home: Workspace, who: list[str], tmp_path: pathlib.Path) -> None:
    release = find_release(home, approve(home, who))
    release.file(home).write_text("other", encoding="utf-8")
    with pytest.raises(DataError, match="QB778"):
        export_pages(home, ["trends"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_commands(
    home: Workspace, who: list[str], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*words: str) -> int:
        return run([*words, "--home", str(home.root), "--lang", "en"])

    assert call("release", "request", "trends") == 0
    assert "population  one cluster" in capsys.readouterr().out
    assert call("release", "review", "A0001") == 2
    who.append("other")
    assert call("release", "review", "A0001") == 0
    assert call("release", "approve", "A0001", "--reason", "rounded") == 0
    assert call("release", "list") == 0
    assert "approved" in capsys.readouterr().out
    assert call("share", "trends", "--out", str(tmp_path / "shared.zip")) == 0
    assert "trends-A0001.html  current" in capsys.readouterr().out
    assert call("release", "withdraw", "A0001") == 2
    assert call("release", "withdraw", "A0001", "--reason", "late") == 0
    assert call("release", "approve") == 2
    assert "QB950" in capsys.readouterr().err
