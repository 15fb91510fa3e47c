"""Links to firms: right where they are made, recorded, reversible; doubts are left to a person."""

from __future__ import annotations

import pathlib

import numpy as np
import pyarrow as pa
import pytest

from qbase.core.errors import DataError, UsageError
from qbase.demo import build_province
from qbase.demo.sending.messy_files import printed_rows
from qbase.demo.sending.planted_faults import Planted, _variant, spoil_codes
from qbase.demo.world.scenario import Streams
from qbase.indicators import build_panel
from qbase.intake import decide_link, link_firms, resolve_town
from qbase.intake.linking.firm_links import read_register
from qbase.intake.linking.firm_match import KnownName, Printed, Register, is_near
from qbase.intake.linking.firm_names import name_form, plain_name
from qbase.intake.linking.link_diary import write_derived
from qbase.intake.linking.town_codes import TownCodes
from qbase.lake import Delivery, Workspace
from qbase.tables.credit_code import build_uscc

A, B, C = (build_uscc("91990021", f"MA00000{i}") for i in (1, 2, 3))
DAY = "2020-05-01"


def register(**changes: tuple[str, str, str]) -> Register:
    names = [
        KnownName(firm_id="F1", name="清沅恒源化纤有限公司", last="2019-12-31"),
        KnownName(firm_id="F1", name="清沅恒源新材料有限公司", first="2020-01-01"),
        KnownName(firm_id="F2", name="清沅恒达化纤有限公司"),
        KnownName(firm_id="F3", name="清沅恒源化纤有限公司", first="2020-01-01"),
        KnownName(firm_id="F4", name="澜渚恒达化纤有限公司"),
        KnownName(firm_id="F5", name="澜渚恒达化纤有限公司"),
    ]
    codes = {"F1": A, "F2": B, "F3": C}
    towns = {"F1": "1", "F2": "1", "F3": "1", "F4": "2", "F5": "3"}
    return Register(names, codes, towns, {"F2": ("2021-01-01", "F1")})


def find(name: str, uscc: str = "", day: str = DAY, town: str = "1") -> tuple[str, str, str]:
    match = register().find(Printed(uscc=uscc, name=name, day=day, town=town))
    return match.decision, match.firm_id, match.method


def test_a_sound_code_needs_no_link_and_a_foreign_name_is_doubted() -> None:
    assert find("随便什么名", A) == ("none", "F1", "uscc")
    assert find("清沅恒达化纤有限公司", A) == ("doubt", "F2", "name_of_another")


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("清沅恒达化纤有限公司", "name_exact"),
        ("清沅　恒达化纤有限公司", "name_exact"),
        ("清沅恒达化纤（有限公司）", "name_exact"),
        ("清沅恒达化纤有限责任公司", "name_form"),
        ("云泽省清沅恒达化纤有限公司", "name_form"),
    ],
)
@pytest.mark.parametrize("code", ["", B[:9] + ("1" if B[9] != "1" else "2") + B[10:], B[:-1], B + "0"])
def test_a_name_settles_a_missing_or_slightly_wrong_code(name: str, method: str, code: str) -> None:
    assert find(name, code) == ("accept", "F2", method)


def test_numbers_of_before_2015_are_read_for_what_they_say() -> None:
    assert find("清沅恒达化纤有限公司", "330621000012345", day="2014-05-01") == ("accept", "F2", "name_exact")
    assert find("清沅恒达化纤有限公司", B[8:17], day="2014-05-01", town="2") == ("accept", "F2", "name_exact")
    assert find("清沅恒达化纤有限公司", C[8:17], day="2014-05-01")[::2] == ("doubt", "other_code")


def test_place_and_industry_speak_against_a_name() -> None:
    def doubt(name: str, town: str, industry: str = "282") -> tuple[str, str]:
        known = Register(
            [KnownName(firm_id="F", name="清沅恒达化纤有限公司"), KnownName(firm_id="G", name="绍兴市盛源化纤厂")],
            {},
            {"F": ["990021101", "990031101"], "G": "990041101"},
            {},
            {"F": "2822"},
        )
        match = known.find(Printed(uscc="", name=name, day=DAY, town=town, industries=frozenset({industry})))
        return match.decision, match.method

    assert doubt("清沅恒达化纤有限公司", "990021103") == ("accept", "name_exact")
    assert doubt("清沅恒达化纤有限公司", "990031102") == ("accept", "name_exact"), "it was there before it moved"
    assert doubt("清沅恒达化纤有限公司", "990041101") == ("doubt", "elsewhere")
    assert doubt("清沅恒达化纤有限公司", "", "175") == ("doubt", "other_industry")
    assert doubt("云泽省清沅恒达化纤有限公司", "990021101") == ("accept", "name_form")
    assert doubt("云泽省清沅恒达化纤有限公司", "") == ("doubt", "place")
    assert doubt("绍兴盛源化纤厂", "990041102") == ("accept", "name_form")
    assert doubt("绍兴盛源化纤厂", "") == ("doubt", "place")
    assert doubt("清沅恒达化纤集团有限公司", "990021101") == ("doubt", "related")
    assert doubt("清沅恒达化纤有限公司绍兴分公司", "990021101") == ("doubt", "related")
    assert doubt("清沅恆達化纖有限公司", "990021101") == ("accept", "name_exact")


def test_a_name_means_the_firm_that_bore_it_on_that_day() -> None:
    assert find("清沅恒源化纤有限公司", day="2019-05-01") == ("accept", "F1", "name_exact")
    assert find("清沅恒源化纤有限公司", day="2020-05-01") == ("accept", "F3", "name_exact")
    assert find("清沅恒源新材料有限公司", day="2018-05-01") == ("doubt", "F1", "not_then")


def test_after_a_merger_a_name_means_the_successor() -> None:
    assert find("清沅恒达化纤有限公司", day="2021-01-01") == ("accept", "F1", "name_exact")


def test_several_firms_of_a_name_are_told_apart_by_town_or_not_at_all() -> None:
    assert find("澜渚恒达化纤有限公司", town="2") == ("accept", "F4", "name_exact")
    assert find("澜渚恒达化纤有限公司", town="")[::2] == ("doubt", "several")


def test_another_sound_code_is_never_overruled_by_a_name() -> None:
    other = build_uscc("91990021", "MA999999")
    assert find("清沅恒达化纤有限公司", other)[::2] == ("doubt", "other_code")


def test_one_other_character_may_be_another_firm_one_left_out_is_a_slip() -> None:
    assert find("清沅恒达化纤有限公", town="1") == ("accept", "F2", "name_fuzzy")
    decision, _, method = find("清沅恒选化纤有限公司", town="1")
    assert (decision, method) in {("doubt", "near"), ("none", "")}
    assert find("完全不同的企业", town="1") == ("none", "", "")


def test_spelling_helpers() -> None:
    assert plain_name(" Ａb（1） ") == "ab1"
    assert name_form("云泽省清沅甲厂") == name_form("清沅甲厂")
    assert name_form("省心电器厂") == "省心电器厂"
    assert is_near("AB", "BA")
    assert is_near("ABC", "ADC")
    assert not is_near("ABCD", "ADDD")
    assert not is_near("", "A" * 18)
    assert not is_near("A", "")
    assert is_near(A[8:17], A)
    assert is_near(f"{A[8:16]}-{A[16]}", A)
    assert not is_near(B[8:17], A)


def test_towns_are_followed_to_the_code_of_the_day() -> None:
    spans = {
        "1": ("", "2015-12-31", "2"),
        "2": ("2016-01-01", "2019-12-31", "3"),
        "3": ("2020-01-01", "9999-12-31", ""),
    }
    towns = TownCodes(spans=spans)
    assert [towns.resolve("1", day) for day in ("2015-12-31", "2016-01-01", "2020-01-01")] == ["1", "2", "3"]
    assert (towns.resolve("1"), towns.resolve("3", "2000-01-01"), towns.resolve("9")) == ("3", "3", "")
    assert TownCodes(spans={"1": ("", "2015", "2"), "2": ("", "2015", "1")}).resolve("1") in {"1", "2"}
    assert TownCodes(spans={"1": ("", "2015", "2")}).resolve("1") == ""


@pytest.mark.parametrize("harder", [False, True])
def test_links_on_the_province_are_right(harder: bool) -> None:
    """F1 above 0.98 with precision at least 0.995, against the truth of the province, codes spoilt as clerks do."""
    tables = build_province("small", 20220810).tables
    firms, events = tables["firms"], tables["firm_events"]
    names = [
        KnownName(firm_id=n.firm_id, name=n.firm_name, first=n.valid_from_date, last=n.valid_to_date or "9999-12-31")
        for n in tables["firm_names"].itertuples()
    ]
    merged = events[events["kind"] == "merged"].itertuples()
    known = Register(
        names,
        dict(zip(firms["firm_id"], firms["uscc"], strict=True)),
        dict(zip(firms["firm_id"], firms["town_code"], strict=True)),
        {e.firm_id: (e.event_date, e.other_firm_id) for e in merged},
    )
    clean = printed_rows(tables["inspections"])
    spoilt = spoil_codes(clean, "抽查.csv", Streams(seed=3), Planted())
    is_open = (spoilt["uscc"] != clean["uscc"]).to_numpy()
    if harder:
        rng = np.random.default_rng(5)
        spoilt["firm_name"] = [
            _variant(n, int(rng.integers(1, 31))) if o and rng.random() < 0.5 else n
            for n, o in zip(spoilt["firm_name"], is_open, strict=True)
        ]
    truth = clean["uscc"].map(dict(zip(firms["uscc"], firms["firm_id"], strict=True)))[is_open].tolist()
    rows = spoilt[is_open][["uscc", "firm_name", "sample_date", "town_code"]].itertuples(index=False)
    found = [known.find(Printed(uscc=u, name=n, day=d, town=t)) for u, n, d, t in rows]
    linked = [(m.firm_id, true) for m, true in zip(found, truth, strict=True) if m.decision == "accept"]
    right = sum(firm == true for firm, true in linked)
    precision, recall = right / len(linked), right / len(truth)
    assert len(truth) > 800
    assert precision >= 0.995
    assert 2 * precision * recall / (precision + recall) > 0.98


def commit(home: Workspace, table: str, rows: list[dict[str, object]]) -> None:
    count = len(rows)
    sha256 = f"{len(home.deliveries(every=True)):064d}"
    delivery = Delivery(sha256=sha256, file_name=table, table=table, verdict="OK", rows_seen=count, accepted=count)
    home.commit(delivery, {table: pa.Table.from_pylist([{**row, "delivery_sha256": sha256} for row in rows])})


FIRM = {"cluster_id": "K1", "town_code": "990021101", "industry_code": "2822"}
SAMPLE = {
    "role": None, "is_recheck": False, "parent_no": None, "firm_code": None, "town_code": None, "notice_no": None,
    "product_name": "涤纶", "lab_name": None, "std_no": None, "sample_type": "random", "appeal_result": None,
}  # fmt: skip


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Workspace:
    home = Workspace.create(tmp_path / "home")
    firms = [("F1", A, "清沅恒源化纤有限公司"), ("F2", B, "清沅恒达化纤有限公司")]
    commit(home, "firms", [{"firm_id": f, "uscc": u, "firm_name": n, **FIRM} for f, u, n in firms])
    samples = [
        ("S1", A, "清沅恒源化纤有限公司", "pass"),
        ("S2", None, "清沅恒达化纤有限责任公司", "fail"),
        ("S3", B, "清沅恒源化纤有限公司", "pass"),
        ("S4", None, "别处某厂", "pass"),
    ]
    day = pa.scalar("2020-05-01").cast(pa.date32()).as_py()
    rows = [
        {"sample_no": s, "uscc": u, "firm_name": n, "result": r, "sample_date": day, **SAMPLE} for s, u, n, r in samples
    ]
    commit(home, "inspections", rows)
    return home


def counted(home: Workspace) -> dict[str, int]:
    panel = build_panel(home, "D1.batch", entity="firm_id")
    return {str(e): int(n) for (e, _), n in panel.data["D1.batch__n"].items()}


def test_links_are_recorded_used_undone_and_kept_undone(home: Workspace) -> None:
    assert counted(home) == {"F1": 1, "F2": 1}
    report = link_firms(home)
    assert (report.looked, report.linked, report.queued) == (3, 1, 1)
    (link,) = home.query("SELECT * FROM identity_links WHERE decision = 'accept'").to_dict("records")
    assert (link["sample_no"], link["firm_id"], link["method"], link["decision"]) == ("S2", "F2", "name_form", "accept")
    assert (link["name_printed"], link["name_known"]) == ("清沅恒达化纤有限责任公司", "清沅恒达化纤有限公司")
    assert 80 < link["score"] < 100
    doubts = home.query("SELECT sample_no, method FROM identity_links WHERE decision = 'doubt'")
    assert doubts.values.tolist() == [["S3", "name_of_another"]]
    assert counted(home) == {"F1": 1, "F2": 2}
    assert link_firms(home).snapshot == report.snapshot, "nothing is decided twice"
    assert "identity_links" not in home.deliveries()["table"].tolist()
    decide_link(home, "S2", "F2", "reject", decided_by="王")
    assert counted(home) == {"F1": 1, "F2": 1}
    assert link_firms(home).linked == 0
    decide_link(home, "S2", "F1", "accept")
    assert counted(home) == {"F1": 2, "F2": 1}
    assert home.query("SELECT decision_no, decision FROM identity_links ORDER BY 1").values.tolist() == [
        [1, "accept"], [2, "doubt"], [3, "reject"], [4, "accept"],
    ]  # fmt: skip
    assert build_panel(home, "D1.batch", entity="firm_id", snapshot=report.snapshot).data["D1.batch__n"].sum() == 3


def test_a_rejected_firm_is_not_matched_by_its_name_either(home: Workspace) -> None:
    commit(home, "inspections", [home_sample("S9", "清沅恒达化纤有限公司")])
    assert counted(home)["F2"] == 2
    decide_link(home, "S9", "F2", "reject")
    assert counted(home)["F2"] == 1


def home_sample(sample_no: str, name: str) -> dict[str, object]:
    day = pa.scalar("2020-05-01").cast(pa.date32()).as_py()
    return {"sample_no": sample_no, "uscc": None, "firm_name": name, "result": "pass", "sample_date": day, **SAMPLE}


def test_decisions_name_what_exists(home: Workspace) -> None:
    for sample, firm, code in (("S0", "F1", "QB355"), ("S1", "F0", "QB343")):
        with pytest.raises(DataError, match=code):
            decide_link(home, sample, firm, "accept")
    with pytest.raises(UsageError, match="QB342"):
        resolve_town(home, "1", "last year")
    assert resolve_town(home, "1") == ""


def test_without_a_register_nothing_happens(tmp_path: pathlib.Path) -> None:
    bare = Workspace.create(tmp_path / "bare")
    assert link_firms(bare).looked == 0
    assert write_derived(bare, "x", {}).id == "S0000"
    assert bare.tables() == []


def test_the_register_reads_renames_and_mergers(home: Workspace) -> None:
    old = {"firm_id": "F1", "firm_name": "清沅老厂", "valid_from_date": None, "valid_to_date": None}
    day = pa.scalar("2010-01-01").cast(pa.date32()).as_py()
    commit(home, "firm_names", [old | {"valid_from_date": day}])
    event = {"firm_id": "F1", "event_date": day.replace(year=2020), "kind": "merged", "other_firm_id": "F2"}
    commit(home, "firm_events", [event])
    known = read_register(home)
    match = known.find(Printed(uscc="", name="清沅老厂", day="2020-02-02"))
    assert (match.decision, match.firm_id) == ("accept", "F2")
    # the register still has a name that the names over time do not know: nothing says when it was borne
    match = known.find(Printed(uscc="", name="清沅恒源化纤有限公司", day="2015-02-02"))
    assert (match.decision, match.method) == ("doubt", "not_then")


def test_a_name_of_the_register_follows_the_last_one_that_ended(home: Workspace) -> None:
    day = pa.scalar("2010-01-01").cast(pa.date32()).as_py()
    ended = {"firm_id": "F1", "firm_name": "清沅老厂", "valid_from_date": day, "valid_to_date": day.replace(year=2015)}
    commit(home, "firm_names", [ended])
    known = read_register(home)
    name = "清沅恒源化纤有限公司"
    assert known.find(Printed(uscc="", name=name, day="2015-01-02")).decision == "accept"
    assert known.find(Printed(uscc="", name=name, day="2014-12-31")).method == "not_then"


def test_a_successor_named_in_the_register_takes_the_name_after_the_exit(home: Workspace) -> None:
    gone = {"firm_id": "F3", "uscc": C, "firm_name": "清沅丙厂", "successor_id": "F1", "exit_quarter": "2020Q4", **FIRM}
    commit(home, "firms", [gone])
    known = read_register(home)
    found = [known.find(Printed(uscc="", name="清沅丙厂", day=day)).firm_id for day in ("2020-12-31", "2021-01-01")]
    assert found == ["F3", "F1"]
