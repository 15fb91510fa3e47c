"""The gallery: one card per report, failures visible, both languages, one feed with the same content."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import pathlib
import sys
from typing import Any

import pytest

from qbase.core import RunRecord, Text
from qbase.release.verifying.page_reading import Element, read_page
from qbase.release.verifying.verification import verify_html
from qbase.reports.rendering.gallery import build_gallery, report_meta


def load_case() -> Any:
    path = pathlib.Path(__file__).parents[2] / "browser" / "render_case.py"
    spec = importlib.util.spec_from_file_location("render_case", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules.setdefault("render_case", importlib.util.module_from_spec(spec))
    if not hasattr(module, "make_case"):
        spec.loader.exec_module(module)
    return module


CASE = load_case().make_case()


def publish(site: pathlib.Path, name: str, **changes: Any) -> dict[str, Any]:
    spec = dataclasses.replace(
        CASE.spec, report_id=name, title=changes.pop("title", Text(f"报告 {name}", f"Report {name}"))
    )
    meta = report_meta(
        spec, dataclasses.replace(CASE.run, report_id=name, **changes), CASE.record, notebook=CASE.notebook
    )
    site.mkdir(exist_ok=True)
    (site / f"{name}.html").write_text("<p>page</p>", encoding="utf-8")
    (site / f"{name}.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")
    return meta


def failed(name: str, at: str) -> RunRecord:
    return dataclasses.replace(CASE.run, report_id=name, run_id=f"run-{name}", state="failed", started_at=at)


def cards(site: pathlib.Path) -> dict[str, Element]:
    page = read_page((site / "index.html").read_text(encoding="utf-8"))
    return {e.attributes["data-report"]: e for e in page.body.having("data-report")}


def test_the_meta_says_what_the_card_shows() -> None:
    meta = report_meta(CASE.spec, CASE.run, CASE.record)
    assert json.loads(json.dumps(meta)) == meta
    assert meta["lead"]["en"].startswith("The batch pass rate of the pilot clusters")
    assert meta["fictional"] is True
    assert meta["failed_checks"] == 1
    assert meta["estimates"] == 3
    assert meta["finished_at"] == "2026-11-24T09:00:18+08:00"


def test_cards_link_to_their_pages_youngest_first(tmp_path: pathlib.Path) -> None:
    publish(tmp_path, "a", started_at="2026-11-20T09:00:00+08:00")
    publish(tmp_path, "b", started_at="2026-11-24T09:00:00+08:00", params={"year": 2024, "name": "甲"})
    index = build_gallery(tmp_path)
    assert index == tmp_path / "index.html"
    found = cards(tmp_path)
    assert list(found) == ["b", "a"]
    assert [a.attributes["href"] for a in found["a"].tagged("a")] == ["a.html"]
    text = found["b"].text()
    for part in (
        "报告 b",
        "Report b",
        "verified",
        "已核验",
        "S0003",
        "name：甲",
        "name: Jia",
        "24 November 2026",
        "虚构省份",
    ):
        assert part in text
    assert [c.name for c in verify_html(index.read_text(encoding="utf-8")).failed] == []


def test_a_card_has_the_line_of_its_first_indicator_and_the_first_sentence_alone(tmp_path: pathlib.Path) -> None:
    meta = publish(tmp_path, "a")
    assert meta["spark"].startswith("<svg")
    assert meta["lead"]["zh"].count("。") == 1
    build_gallery(tmp_path)
    assert "<polyline" in (tmp_path / "index.html").read_text(encoding="utf-8")
    hostile = {**meta, "spark": '<svg xmlns="http://www.w3.org/2000/svg"><script>x()</script></svg>'}
    (tmp_path / "a.json").write_text(json.dumps(hostile), encoding="utf-8")
    build_gallery(tmp_path)
    assert "x()" not in (tmp_path / "index.html").read_text(encoding="utf-8")


def test_a_failed_last_run_is_said_and_an_older_failure_is_not(tmp_path: pathlib.Path) -> None:
    publish(tmp_path, "a")
    publish(tmp_path, "b")
    runs = [
        dataclasses.replace(CASE.run, report_id="a"),
        failed("a", "2026-11-24T10:00:00+08:00"),
        failed("b", "2026-11-24T08:00:00+08:00"),
        dataclasses.replace(CASE.run, report_id="b", started_at="2026-11-24T09:00:00+08:00"),
        failed("c", "2026-11-24T10:00:00+08:00"),
    ]
    build_gallery(tmp_path, runs)
    found = cards(tmp_path)
    assert "最近一次运行失败（run-a），上一份仍有效" in found["a"].text()
    assert "失败" not in found["b"].text()
    assert "there is no valid report yet" in found["c"].text()
    assert found["c"].tagged("a") == []
    feed = json.loads((tmp_path / "feed.json").read_text(encoding="utf-8"))
    assert {i["id"]: "_last_run_failed" in i for i in feed["items"]} == {CASE.run.run_id: False, "c": True} | {
        i["id"]: "_last_run_failed" in i for i in feed["items"] if i.get("url")
    }
    assert [i["url"] for i in feed["items"] if "url" in i] == ["a.html", "b.html"]


def test_a_failed_look_at_another_choice_says_nothing_of_the_report(tmp_path: pathlib.Path) -> None:
    publish(tmp_path, "a", params={"subject": "K001"})
    other = dataclasses.replace(failed("a", "2026-11-24T10:00:00+08:00"), params={"subject": "K999"})
    build_gallery(tmp_path, [other])
    assert "失败" not in cards(tmp_path)["a"].text()
    assert list(cards(tmp_path)) == ["a"]
    build_gallery(tmp_path, [other, dataclasses.replace(other, params={"subject": "K001", "new": 1})])
    assert "上一份仍有效" in cards(tmp_path)["a"].text(), "a parameter added since makes no other report of it"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema": 2}', '{"schema": 1, "title": {"zh": "x"}}', None])
def test_a_damaged_meta_file_is_shown_and_stops_nobody(tmp_path: pathlib.Path, damage: str | None) -> None:
    publish(tmp_path, "a")
    publish(tmp_path, "b")
    if damage is None:
        (tmp_path / "b.json").unlink()
    else:
        (tmp_path / "b.json").write_text(damage, encoding="utf-8")
    build_gallery(tmp_path)
    found = cards(tmp_path)
    assert "说明文件缺失或损坏" in found["b"].text()
    assert "说明文件" not in found["a"].text()


def test_hostile_titles_and_names_stay_words(tmp_path: pathlib.Path) -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    publish(tmp_path, "x y&z", title=Text(hostile, hostile), params={hostile: hostile})
    page = build_gallery(tmp_path).read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert 'href="x%20y%26z.html"' in page
    assert not verify_html(page).failed


def test_an_empty_site_has_a_page_and_the_same_input_gives_the_same_bytes(tmp_path: pathlib.Path) -> None:
    site = tmp_path / "reports" / "site"
    first = build_gallery(site).read_bytes()
    assert "还没有报告" in first.decode()
    assert build_gallery(site).read_bytes() == first
    assert sorted(p.name for p in site.iterdir()) == ["feed.json", "index.html"]


TOWNS = {"K001": ("970001", Text("望埭镇", "Wangdai Town")), "K002": ("970001", Text("望埭镇", "Wangdai Town"))}


def about(site: pathlib.Path, code: str, name: Text, *, entity: str = "cluster_id", slot: str = "2025-12-31") -> None:
    stem = f"trends~{code}"
    params = {"entity": entity, "subject": code}
    meta = publish(site, stem, params=params, slot=slot, title=Text("走势", "Trends"))
    meta |= {"report_id": "trends", "key": stem, "subject": name.payload()}
    (site / f"{stem}.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")


def lines(site: pathlib.Path, facet: str) -> dict[str, list[str]]:
    """Heading -> reports, over all pages of a list."""
    found: dict[str, list[str]] = {}
    for number in range(1, 1 + len(list((site / "by").glob(f"{facet}-*.html")))):
        text = (site / "by" / f"{facet}-{number}.html").read_text(encoding="utf-8")
        assert [c.name for c in verify_html(text).failed] == []
        for group in (e for e in read_page(text).body.tagged("section") if "way" in e.classes):
            heading = next(iter(group.tagged("h2"))).text()
            links = [a.attributes["href"] for a in group.tagged("a")]
            assert all((site / "by" / href.replace("%7E", "~")).resolve().is_file() for href in links)
            found.setdefault(heading, []).extend(e.attributes["data-report"] for e in group.having("data-report"))
    return found


def test_reports_are_found_by_cluster_town_year_and_failure_without_script(tmp_path: pathlib.Path) -> None:
    about(tmp_path, "K001", Text("涤纶集群", "Polyester cluster"))
    about(tmp_path, "K002", Text("五金集群", "Hardware cluster"), slot="2024-12-31")
    about(tmp_path, "970001", Text("望埭镇", "Wangdai Town"), entity="town_code")
    publish(tmp_path, "other", slot="2024-06-30")
    index = build_gallery(tmp_path, [failed("other", "2027-01-01T00:00:00+00:00")], towns=TOWNS)
    by_cluster = lines(tmp_path, "cluster")
    assert [group for heading, group in by_cluster.items() if "涤纶集群" in heading] == [["trends~K001"]]
    (town,) = lines(tmp_path, "town").values()
    assert town == ["trends~970001", "trends~K001", "trends~K002"]
    assert list(lines(tmp_path, "year").values()) == [["trends~970001", "trends~K001"], ["other", "trends~K002"]]
    assert list(lines(tmp_path, "failed").values()) == [["other"]]
    assert list(lines(tmp_path, "report").values()) == [["other"], ["trends~970001", "trends~K001", "trends~K002"]]
    shown = read_page(index.read_text(encoding="utf-8")).body.text()
    for count in ("by industrial cluster (2)", "by town (3)", "by year (4)", "last run failed (1)", "按乡镇"):
        assert count in shown
    assert "<script" not in index.read_text(encoding="utf-8")


def test_a_large_gallery_is_cut_and_only_what_changed_is_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qbase.reports.rendering.gallery_facets.LINES", 3)
    monkeypatch.setattr("qbase.reports.rendering.gallery.CARDS", 2)
    for number in range(7):
        about(tmp_path, f"K00{number}", Text(f"集群{number}", f"Cluster {number}"))
    build_gallery(tmp_path, towns=TOWNS)
    stands = {path: path.stat().st_mtime_ns for path in [*tmp_path.glob("*.html"), *tmp_path.glob("by/*")]}
    assert [len(group) for group in lines(tmp_path, "year").values()] == [7]
    assert len(list((tmp_path / "by").glob("year-*.html"))) == 3
    assert len(cards(tmp_path)) == 2
    assert len(json.loads((tmp_path / "feed.json").read_text("utf-8"))["items"]) == 7
    build_gallery(tmp_path, towns=TOWNS)
    assert {path: path.stat().st_mtime_ns for path in stands} == stands, "the same is not written again"
    about(tmp_path, "K006", Text("改名集群", "Renamed cluster"))
    build_gallery(tmp_path, towns=TOWNS)
    moved = {path.name for path, moment in stands.items() if path.stat().st_mtime_ns != moment}
    assert {"cluster-3.html", "year-3.html"} <= moved
    assert not moved & {"cluster-1.html", "cluster-2.html", "year-1.html", "year-2.html", "town-1.html"}
    for number in range(1, 7):
        (tmp_path / f"trends~K00{number}.html").unlink()
    build_gallery(tmp_path)
    assert list(tmp_path.glob("by/*")) == [], "a gallery of one report has no lists"
