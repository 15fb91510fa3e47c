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
        "name: 甲",
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
