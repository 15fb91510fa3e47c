"""A subject by code or by name, pages named by both, old names that point to new ones, records that are found."""

from __future__ import annotations

import hashlib
import json
import pathlib
from typing import Any

import pyarrow as pa
import pytest

from qbase.cli.main import run
from qbase.core.errors import UsageError
from qbase.core.text import Text, same
from qbase.lake import Delivery, Workspace, list_runs
from qbase.reports import build_gallery, find_pages
from qbase.reports.asking.page_names import key_of, name_page
from qbase.reports.asking.run_request import read_request
from qbase.reports.asking.subject_names import Subject, find_subject, list_subjects
from qbase.reports.running.published_pages import is_redirect, read_recorded

Captured = pytest.CaptureFixture[str]
CLUSTERS = [
    ("K001", "织里镇童装产业集群", "Zhili children's wear"),
    ("K002", "棹湾镇五金产业集群", "Zhaowan hardware"),
    ("K003", "棹湾镇化纤产业集群", "Zhaowan chemical fibre"),
    ("K031", "泗桥镇化纤产业集群", None),
]
PARAMETERS = """entity: str = "cluster_id"  # 比较的对象 | what is followed | cluster_id, town_code, firm_id
subject: str | None = "K001"  # 对象；编号或名称 | subject; its code or name
level: float = 0.95  # 置信度 | level | 0.5..0.999"""


def put(home: Workspace, table: str, rows: list[dict[str, Any]]) -> None:
    sha = hashlib.sha256(json.dumps([table, rows], default=str).encode()).hexdigest()
    delivery = Delivery(
        sha256=sha, file_name=f"{table}.csv", table=table, recipe="tidy", producer="p", licence="l", verdict="OK",
        rows_seen=len(rows), listed=0, accepted=len(rows), quarantined=0,
    )  # fmt: skip
    home.commit(delivery, {table: pa.Table.from_pylist(rows)})


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in ("LC_ALL", "LC_MESSAGES", "QBASE_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    made = Workspace.create(tmp_path / "home")
    put(made, "clusters", [{"cluster_id": c, "cluster_name": z, "cluster_name_en": e} for c, z, e in CLUSTERS])
    put(made, "towns", [{"town_code": "330401", "town_name": "棹湾镇"}, {"town_code": "330402", "town_name": "织里镇"}])
    put(made, "firms", [{"firm_id": "F1", "firm_name": "云泽一厂", "cluster_id": "K077", "town_code": "330401"}])
    cells = [
        {"cell_type": "code", "metadata": {"tags": tags}, "source": source, "execution_count": None, "outputs": []}
        for tags, source in ((["parameters"], PARAMETERS), ([], "entity, subject, level"))
    ]
    document = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    (made.notebooks / "trends.ipynb").write_text(json.dumps(document), encoding="utf-8")
    spec = 'notebook = "notebooks/trends.ipynb"\ntitle_zh = "质量走势"\ntitle_en = "Quality trends"\n'
    (made.specs / "trends.toml").write_text(spec, encoding="utf-8")
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stand-in "execute" letters in no time."""
    from qbase.reports.executing import papermill_engine as engine

    def execute(job: Any) -> None:
        job.executed, job.started = job.notebook, True
        for number, cell in enumerate(job.executed.cells, 1):
            cell.execution_count = number
        results = {"sentinel": job.environment["QBASE_RUN_ID"], "snapshot": "", "sources": [], "results": []}
        results |= {"schema": 1, "scorecards": [], "tables": {}, "figures": {}, "shown": {}}
        (job.folder / "results.json").write_text(json.dumps(results), encoding="utf-8")

    monkeypatch.setattr(engine, "execute", execute)


@pytest.mark.parametrize(
    "word",
    ["K003", "k003", "Ｋ００３", " K003 ", "棹湾镇化纤产业集群", "棹湾镇化纤", "Zhaowan chemical",
     "ZHAOWAN CHEMICAL FIBRE", "棹湾镇化纤产业集群 (K003)", "棹湾镇 化纤", "\u200bK003"],
)  # fmt: skip
def test_code_name_or_part_of_a_name_mean_the_same_subject(home: Workspace, word: str) -> None:
    request = read_request(home, "trends", {"subject": word})
    assert request.params["subject"] == "K003"
    assert request.page_id == "trends~K003-棹湾镇化纤产业集群"
    assert request.page_key == "trends~K003"
    assert request.spec.title == Text(
        "质量走势：棹湾镇化纤产业集群 (K003)", "Quality trends: Zhaowan chemical fibre (K003)"
    )


def test_the_subject_of_the_specification_by_its_name_is_the_page_of_the_report(home: Workspace) -> None:
    for word in ("K001", "织里镇童装", "Zhili children's wear"):
        request = read_request(home, "trends", {"subject": word})
        assert (request.page_id, request.params["subject"]) == ("trends", "K001")
    with (home.specs / "trends.toml").open("a", encoding="utf-8") as file:
        file.write('[params]\nsubject = "棹湾镇化纤"\n')
    assert read_request(home, "trends", {}).params["subject"] == "K003"
    assert read_request(home, "trends", {"subject": "K003"}).page_id == "trends"
    assert read_request(home, "trends", {"subject": "K001"}).page_id == "trends~K001-织里镇童装产业集群"


def test_other_choices_keep_a_mark_of_their_own(home: Workspace) -> None:
    pages = {
        read_request(home, "trends", given).page_id
        for given in ({}, {"level": 0.9}, {"subject": "K003"}, {"subject": "K003", "level": 0.9},
                      {"subject": "棹湾镇", "entity": "town_code"}, {"subject": None})
    }  # fmt: skip
    assert len(pages) == 6
    assert {page.rpartition("~")[0] for page in pages if "~" in page and len(page.rpartition("~")[2]) == 6} == {
        "trends", "trends~K003-棹湾镇化纤产业集群", "trends~330401-棹湾镇",
    }  # fmt: skip
    marked = read_request(home, "trends", {"subject": "K003", "level": 0.9})
    assert marked.spec.title.en == "Quality trends: Zhaowan chemical fibre (K003) (level: 0.9)"


@pytest.mark.parametrize(
    ("word", "code", "first"),
    [
        ("K03", "QB830", "K003 棹湾镇化纤产业集群"), ("棹弯镇化纤产业集群", "QB830", "K003 棹湾镇化纤产业集群"),
        ("Zhili childrens wear", "QB830", "K001 织里镇童装产业集群"), ("棹湾镇", "QB831", "K002 棹湾镇五金产业集群"),
        ("化纤产业集群", "QB831", "K003 棹湾镇化纤产业集群"),
    ],
)  # fmt: skip
def test_what_is_no_subject_or_several_is_answered_with_the_nearest_first(
    home: Workspace, word: str, code: str, first: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read_request(home, "trends", {"subject": word})
    assert (caught.value.code, caught.value.exit_code) == (code, 2)
    assert caught.value.expected.split(" · ")[0] == first
    # the line it advises is taken
    advised = caught.value.fix.partition("subject=")[2].split()[0]
    assert read_request(home, "trends", {"subject": advised}).params["subject"] == first.split()[0]
    assert list_runs(home) == []


def test_a_code_that_only_firms_know_and_a_lake_without_names_stay_as_they_were(
    home: Workspace, tmp_path: pathlib.Path
) -> None:
    assert find_subject(home, "cluster_id", "K077", report_id="r").name == same("K077")
    bare = Workspace.create(tmp_path / "bare")
    assert find_subject(bare, "cluster_id", "K9", report_id="r").code == "K9"


def test_names_of_firms_stay_inside(home: Workspace) -> None:
    given = {"entity": "firm_id", "subject": "云泽一厂"}
    assert "云泽一厂" in read_request(home, "trends", given).spec.title.zh
    with (home.specs / "trends.toml").open("a", encoding="utf-8") as file:
        file.write('profile = "external"\n')
    with pytest.raises(UsageError, match="QB717"):
        read_request(home, "trends", given)
    letter = home.notebooks / "trends.ipynb"
    knows = json.loads(letter.read_text(encoding="utf-8"))
    knows["cells"][0]["source"] += '\nprofile: str = "internal"  # 读者 | readers | internal, external'
    knows["cells"][1]["source"] += ", profile"
    letter.write_text(json.dumps(knows), encoding="utf-8")
    request = read_request(home, "trends", given)
    assert "云泽一厂" not in request.spec.title.zh + request.page_id
    assert request.params["subject"] == "F1"
    assert (request.params["profile"], request.spec.profile) == ("external", "external")
    assert read_request(home, "trends", {**given, "profile": "internal"}).spec.profile == "internal"


@pytest.mark.parametrize(
    "name", ['a/b\\c:d*e?f"g<h>i|j', "镇" * 90, "  .hidden. ", "con", "x~y-z", "\u202eabc", ""], ids=range(7)
)
@pytest.mark.parametrize(
    "code", ["K003", "K/3", "..", "K" * 90, "甲" * 90], ids=["plain", "slash", "dots", "long", "han"]
)
def test_a_page_is_a_file_that_every_system_takes(name: str, code: str) -> None:
    subject = Subject(code=code, name=same(name or code))
    stem = name_page("质" * 40, subject, {"level": 0.9})
    assert len(stem.encode()) <= 255 - len(".") - len(".json.12345678.part")
    assert not set(stem) & set('/\\:*?"<>|\n \u202e')
    assert stem == stem.strip(". ")
    assert stem.startswith(key_of("质" * 40, subject, {}))
    assert stem.endswith(key_of("", None, {"level": 0.9}))


def test_two_codes_never_share_a_page() -> None:
    codes = ["K/3", "K:3", "K_3", "K 3", "K" * 90, "K" * 91, "k3", "K-3"]
    assert len({key_of("r", Subject(code=c, name=same(c)), {}) for c in codes}) == len(codes)


def test_verify_finds_the_record_of_every_page(home: Workspace, quick: None, capsys: Captured) -> None:
    for words in (["-p", "level=0.9"], ["-p", "subject=K003"], ["-p", "subject=K003", "-p", "level=0.9"], []):
        assert run(["run", "trends", "--quiet", *words]) == 0
    pages = sorted(p for p in home.site.glob("*.html") if p.stem != "index")
    assert len(pages) == 4
    capsys.readouterr()
    for words, n in (
        ([str(p) for p in pages], 4), (["trends"], 4), (["trends", "K003"], 2), (["trends", "棹湾镇化纤"], 2),
        (["trends~K003"], 1), (["trends", "K001"], 2), ([pages[1].stem], 1), (["trends", "K003", "trends", "K001"], 4),
    ):  # fmt: skip
        assert run(["verify", *words, "--json"]) == 0, words
        assert len(json.loads(capsys.readouterr().out)["reports"]) == n, words
    assert run(["verify", "trends", "泗桥"]) == 2
    assert "qbase run trends -p subject=泗桥" in capsys.readouterr().err


def test_a_changed_page_is_no_pass_wherever_it_stands(home: Workspace, quick: None, capsys: Captured) -> None:
    run(["run", "trends", "-p", "subject=K003", "--quiet"])
    (page,) = find_pages(home, "trends", "K003")
    text = page.read_text(encoding="utf-8")
    elsewhere = home.root / "copy.html"
    elsewhere.write_text(text, encoding="utf-8")
    assert run(["verify", "copy.html"]) == 0
    for path in (page, elsewhere):
        path.write_text(text.replace("质量走势", "质量飞升"), encoding="utf-8")
        assert run(["verify", str(path)]) == 1
    page.write_text(text, encoding="utf-8")
    capsys.readouterr()
    # another page in its place has a record, but not of this page
    run(["run", "trends", "--quiet"])
    page.write_bytes((home.site / "trends.html").read_bytes())
    assert run(["verify", str(page)]) == 1
    page.write_text(text, encoding="utf-8")
    (home.runs / "trends" / read_meta_run(page) / "results.json").unlink()
    capsys.readouterr()
    assert run(["verify", str(page)]) == 1
    assert "2 without a record: no pass" in capsys.readouterr().out
    assert run(["verify", "trends"]) == 1


def read_meta_run(page: pathlib.Path) -> str:
    return str(json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))["run_id"])


def test_old_names_become_pointers(home: Workspace, quick: None, capsys: Captured, monkeypatch: Any) -> None:
    from qbase.reports.asking.subject_names import KnownSubjects

    real = KnownSubjects.find

    def renamed(name: str) -> None:
        def find(*args: Any, **words: Any) -> Subject:
            found = real(*args, **words)
            return Subject(code=found.code, name=Text(name, name)) if found.code == "K003" else found

        monkeypatch.setattr(KnownSubjects, "find", find)

    stems = []
    for name in ("棹湾镇化纤", "棹湾街道化纤", "棹湾新区化纤"):
        renamed(name)
        assert run(["run", "trends", "-p", "subject=K003", "--quiet"]) == 0
        stems.append(f"trends~K003-{name}")
    run(["run", "trends", "-p", "subject=K003", "-p", "level=0.9", "--quiet"])
    first, second, last = stems
    capsys.readouterr()
    for stem in (first, second):
        path = home.site / f"{stem}.html"
        assert read_recorded(home, path).moved_to == last
        assert is_redirect(home.site, path, last)
        assert f"url=trends~K003-{'%E6'}" in path.read_text(encoding="utf-8")
        assert run(["verify", str(path)]) == 0
        assert "[✓] redirect  points to" in capsys.readouterr().out
    # the old name finds the new page; the page with another level is another page
    assert [p.stem for p in find_pages(home, first)] == [last]
    assert [p.stem for p in find_pages(home, "trends~K003")] == [last]
    assert len(find_pages(home, "trends", "K003")) == 2
    gallery = build_gallery(home.site).read_text(encoding="utf-8")
    assert gallery.count("<li") == 2
    # a page that only says that it points elsewhere is no pass
    forged = home.site / f"{first}.html"
    forged.write_text(forged.read_text(encoding="utf-8").replace("</main>", "<p>99.9 %</p></main>"), encoding="utf-8")
    assert run(["verify", str(forged)]) == 1
    # back to the first name: it is the page again, and nothing points to itself
    renamed("棹湾镇化纤")
    assert run(["run", "trends", "-p", "subject=K003", "--quiet"]) == 0
    assert [p.stem for p in find_pages(home, "trends~K003")] == [first]
    assert run(["verify", *(str(home.site / f"{stem}.html") for stem in stems)]) == 0


def test_a_page_of_an_older_version_is_found_and_gives_way(home: Workspace, quick: None) -> None:
    old = {"report_id": "trends", "params": {"entity": "cluster_id", "subject": "K003", "level": 0.95}, "run_id": "r"}
    title = {"title": {"zh": "旧", "en": "old"}, "schema": 1}
    (home.site / "trends~694bef.html").write_text("old", encoding="utf-8")
    (home.site / "trends~694bef.json").write_text(json.dumps({**old, **title}), encoding="utf-8")
    assert [p.stem for p in find_pages(home, "trends", "K003")] == ["trends~694bef"]
    assert run(["run", "trends", "-p", "subject=K003", "--quiet"]) == 0
    assert [p.stem for p in find_pages(home, "trends", "K003")] == ["trends~K003-棹湾镇化纤产业集群"]
    assert read_recorded(home, home.site / "trends~694bef.html").moved_to == "trends~K003-棹湾镇化纤产业集群"


def test_inspect_and_runs_know_subjects(home: Workspace, quick: None, capsys: Captured) -> None:
    assert run(["inspect", "trends"]) == 0
    out = capsys.readouterr().out
    assert "K003  Zhaowan chemical fibre" in out
    assert run(["inspect", "trends", "--json"]) == 0
    choices = json.loads(capsys.readouterr().out)["properties"]["subject"]["x-choices"]
    assert [c["code"] for c in choices] == ["K001", "K002", "K003", "K031"]
    for words in (["-p", "subject=K003"], ["-p", "subject=棹湾镇五金"], []):
        run(["run", "trends", "--quiet", *words])
    capsys.readouterr()
    assert run(["inspect", "trends", "棹湾镇化纤"]) == 0
    out = capsys.readouterr().out
    assert "subject  Zhaowan chemical fibre (K003)" in out
    assert "reports/site/trends~K003-棹湾镇化纤产业集群.html" in out
    for words, n in ((["trends"], 3), (["trends", "K003"], 1), (["trends", "五金"], 1), (["trends~K003"], 1)):
        assert run(["runs", *words, "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["runs"]) == n, words
    assert run(["runs", "trends", "K003"]) == 0
    assert "K003-棹湾镇化纤产业集群" in capsys.readouterr().out


def test_nothing_of_a_gallery_is_said_after_a_failed_run(
    home: Workspace, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qbase.reports.executing import papermill_engine as engine

    monkeypatch.setattr(engine, "execute", lambda job: None)
    (home.site / "index.html").write_text("old", encoding="utf-8")
    assert run(["run", "trends"]) == 1
    assert "Gallery" not in capsys.readouterr().out


def test_the_next_step_after_list_is_one_that_can_be_taken(home: Workspace, capsys: Captured) -> None:
    spec = (home.specs / "trends.toml").read_text(encoding="utf-8")
    (home.specs / "a_case.toml").write_text(f'{spec}tables = ["inspections"]\n', encoding="utf-8")
    assert run(["list"]) == 0
    assert capsys.readouterr().err == "Next    qbase inspect trends\n"
    (home.specs / "trends.toml").unlink()
    assert run(["list"]) == 0
    assert capsys.readouterr().err == "Next    qbase load FILE…\n"


def test_a_code_made_by_rule_does_not_stand_in_a_title():
    name = Text("棹湾镇化纤产业集群", "Zhaowan chemical fibre cluster")
    assert Subject(code="K003", name=name).said.en.endswith("(K003)")
    assert Subject(code="C970000474355.28", name=name).said == name


MADE, OFFICIAL = "970000940709", "330498101"
BY_TOWN = {"entity": "town_code"}


def replace_code(home: Workspace, decision: str, number: int) -> None:
    facts = {"decided_at": "", "decided_by": "qbase", "town_name": "新镇", "county_name": "甲县"}
    pair = {"made_code": MADE, "official_code": OFFICIAL}
    put(home, "town_links", [{"decision_no": number, "decision": decision, **facts, **pair}])


def test_a_town_by_its_old_code_its_official_one_or_its_name_is_one_page(
    home: Workspace, quick: None, capsys: Captured
) -> None:
    def run_about(word: str) -> str:
        assert run(["run", "trends", "--quiet", "-p", "entity=town_code", "-p", f"subject={word}"]) == 0
        return str(list_runs(home, "trends", limit=1)[0].params["subject"])

    put(home, "towns", [{"town_code": MADE, "town_name": "新镇"}])
    assert run_about("新镇") == MADE
    (old,) = find_pages(home, "trends", MADE)
    # an official code that only divisions know has the name of the diary
    replace_code(home, "accept", 1)
    assert [s.code for s in list_subjects(home, "town_code")] == ["330401", "330402", OFFICIAL]
    put(home, "towns", [{"town_code": OFFICIAL, "town_name": "新镇"}])
    words = [MADE, OFFICIAL, "新镇", f"新镇 ({OFFICIAL})"]
    requests = [read_request(home, "trends", {**BY_TOWN, "subject": word}) for word in words]
    assert {request.params["subject"] for request in requests} == {OFFICIAL}
    (page_id,) = {request.page_id for request in requests}
    assert [run_about(word) for word in words] == [OFFICIAL] * len(words)
    assert read_recorded(home, old).moved_to == page_id
    for word in words[:3]:
        assert [page.stem for page in find_pages(home, "trends", word)] == [page_id]
        capsys.readouterr()
        assert run(["runs", "trends", word, "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["runs"]) == 5
    # a specification that names the old code means the town as well
    with (home.specs / "trends.toml").open("a", encoding="utf-8") as file:
        file.write(f'[params]\nentity = "town_code"\nsubject = "{MADE}"\n')
    assert read_request(home, "trends", {}).params["subject"] == OFFICIAL
    assert read_request(home, "trends", {"subject": "新镇"}).page_id == "trends"


def test_a_link_taken_back_gives_two_subjects_again(home: Workspace) -> None:
    put(home, "towns", [{"town_code": code, "town_name": "新镇"} for code in (MADE, OFFICIAL)])
    for number, decision in enumerate(("accept", "undone"), 1):
        replace_code(home, decision, number)
    for code in (MADE, OFFICIAL):
        assert read_request(home, "trends", {**BY_TOWN, "subject": code}).params["subject"] == code


def test_a_new_link_of_towns_makes_a_report_be_run_anew(home: Workspace, quick: None) -> None:
    with (home.specs / "trends.toml").open("a", encoding="utf-8") as file:
        file.write('tables = ["towns"]\n')

    def state() -> str:
        assert run(["run", "trends", "--quiet"]) == 0
        return list_runs(home, "trends", limit=1)[0].state

    assert [state(), state()] == ["ok", "unchanged"]
    replace_code(home, "accept", 1)
    assert [state(), state()] == ["ok", "unchanged"]
    replace_code(home, "undone", 2)
    assert [state(), state()] == ["ok", "unchanged"]
