"""Ids and periods of a researcher's own frame: one entity has one spelling, and no day moves."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Policy, Spell, Text, match_policy
from qbase.core import given as core_given
from qbase.core.errors import PanelError, PolicyError
from qbase.effects import estimate_twfe
from qbase.trends import estimate_level

SCORE = Indicator(id="y", name="分数", unit="score", better="up")  # type: ignore[arg-type]


def read(ids: object, periods: object, *, freq: str = "Q", **options: object) -> Panel:
    frame = pd.DataFrame({"e": pd.Series(ids), "t": pd.Series(periods)})
    frame["y"] = np.arange(len(frame), dtype=float)
    return Panel.from_frame(frame, entity="e", period="t", freq=freq, indicators={"y": SCORE}, **options)  # type: ignore[arg-type]


TWO = ["2022Q3", "2022Q4"]


@pytest.mark.parametrize(
    ("ids", "entity"),
    [
        ([3, 3.0], "3"),
        (["3", "3.0"], "3"),
        (pd.Series([3, "3"], dtype=object), "3"),
        ([3.0, 3.0], "3"),
        (pd.array([3, 3], dtype="Int64"), "3"),
        (["K003", "Ｋ００３"], "K003"),
        (["K003", "k003"], "K003"),
        (["K003", " K003\u00a0"], "K003"),
        (["K003", "K\u200b003"], "K003"),
        (["\ufeffK003", "K003"], "K003"),
        (["K-003", "K\u2013003"], "K-003"),
        (["'010203", '="010203"'], "010203"),
        (["望埭镇（北）", "望埭镇(北)"], "望埭镇(北)"),
        (pd.Categorical(["K003", "K003"]), "K003"),
        (pd.array(["K003", "K003"], dtype="string"), "K003"),
        ([910000000000000001, 910000000000000001], "910000000000000001"),
        (["2022E00123", "2022E00123"], "2022E00123"),
    ],
)
def test_one_entity_has_one_spelling(ids: object, entity: str) -> None:
    assert read(ids, TWO).entities == [entity]


def test_several_spellings_are_told_and_labels_follow() -> None:
    panel = read(["k003", "K003", "K003"], ["2022Q2", *TWO], labels={"k003": "甲集群"})
    assert panel.notes == (
        Text(
            '主体“K003”另有写法 "k003"，按同一主体处理。',
            'Entity "K003" was also written "k003"; they are taken as one.',
        ),
    )
    assert panel.label("K003") == Text("甲集群", "甲集群")
    assert read(["K003", "K003"], TWO).notes == ()
    frame = pd.DataFrame({"e": ["K1", "k1"], "t": TWO, "r": [90.0, 80.0], "r__n": [10, 10], "r__k": [9, 8]})
    rate = Indicator(id="r", name=Text("合格率", "pass rate"), unit="pct", better="up")
    panel = Panel.from_frame(frame, entity="e", period="t", freq="Q", indicators={"r": rate})
    assert panel.notes[0] in estimate_level(panel, "r").notes


@pytest.mark.parametrize(
    ("ids", "periods", "said"),
    [
        ([9.1e17, 9.1e17 + 200], TWO, "a float holds exactly"),
        (np.array([990021101, 990021102], dtype="float32"), TWO, "a float holds exactly"),
        ([1.5, 2.5], TWO, "whole numbers"),
        ([True, False], TWO, "whole numbers"),
        (pd.to_datetime(["2020-01-01", "2020-01-02"]), TWO, "whole numbers"),
        (["9.1E+17", "9.2E+17"], TWO, "text"),
        (["910000000000001000", "910000000000002000"], TWO, "lost in a spreadsheet"),
        (["003", "3"], TWO, "leading zeros"),
        (pd.Series(["003", 3], dtype=object), TWO, "leading zeros"),
        (["K003", "k003"], ["2022Q3", "2022Q3"], "in 2022Q3"),
        (["K003", "Ｋ003 "], ["2022Q3", "2022Q3"], ""),
    ],
)
def test_ids_that_may_be_one_or_two_are_refused(ids: object, periods: object, said: str) -> None:
    with pytest.raises(PanelError) as caught:
        read(ids, periods)
    assert caught.value.code in {"QB139"} or (caught.value.code == "QB122" and not said)
    assert said in str(caught.value)


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, "", " ", "nan", "NULL", "#N/A", "\u200b"])
def test_a_word_for_nothing_is_no_id(nothing: object) -> None:
    with pytest.raises(PanelError, match="QB121"):
        read(pd.Series(["K003", nothing], dtype=object), TWO)


ZONED = pd.to_datetime(["2022-07-01", "2022-10-01"]).tz_localize("Asia/Shanghai")


@pytest.mark.parametrize(
    "periods",
    [
        ["2022年第三季度", "2022年4季度"],
        ["２０２２Ｑ３", "2022 年 Q4"],
        ["2022/8/10", "2022年10月1日"],
        pd.Series(pd.to_datetime(["2022-08-10", "2022-10-01"])).astype("timestamp[ns][pyarrow]"),
        pd.to_datetime(["2022-08-10 09:30", "2022-12-31 16:00"]),
        pd.to_datetime(["2022-09-30 23:59:59.999", "2022-12-31 23:59:59.999"]),
        [np.datetime64("2022-08-10"), np.datetime64("2022-10-01")],
    ],
)
def test_a_quarter_of_every_container_stays_where_it_stands(periods: object) -> None:
    assert [str(p) for p in read(["K", "K"], periods).periods] == TWO


@pytest.mark.parametrize(
    "periods",
    [
        ZONED,
        ZONED.tz_convert("UTC"),
        ZONED.tz_convert("UTC").tz_localize(None),
        list(ZONED),
        ["2022-06-30T16:00:00Z", "2022-09-30T16:00:00Z"],
        ["2022-07-01 00:00:00+08:00", "2022-10-01 00:00:00+08:00"],
    ],
)
def test_a_midnight_of_another_zone_is_refused(periods: object) -> None:
    with pytest.raises(PanelError) as caught:
        read(["K", "K"], periods)
    assert caught.value.code == "QB145"
    assert len(str(caught.value).splitlines()) == 4


def test_a_spell_reads_what_is_clearly_a_quarter_or_a_year() -> None:
    quarter, year = pd.Period("2021Q3", freq="Q-DEC"), pd.Period("2021", freq="Y-DEC")
    for given in ("2021Q3", "2021年3季度", quarter):
        assert Spell(entity="K003", start=given).start == quarter  # type: ignore[arg-type]
    for given in (2021, "2021", np.int64(2021), year):
        assert Spell(entity="K003", start=given).start == year  # type: ignore[arg-type]
    assert Spell(entity=3, start=quarter).entity == "3"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (pd.Timestamp("2021-08-10"), 'start="2021Q3"'),
        (pd.Timestamp("2021-08-10").date(), 'start="2021Q3"'),
        (pd.Period("2021-08", freq="M"), 'start="2021Q3"'),
        ("2021-08-10", 'start="2022Q3"'),
        (20210810, 'start="2022Q3"'),
        (None, 'start="2022Q3"'),
        (math.nan, 'start="2022Q3"'),
        (True, 'start="2022Q3"'),
    ],
)
def test_a_spell_without_a_quarter_or_year_is_refused_with_what_to_write(given: object, advice: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Spell(entity="K003", start=given)  # type: ignore[arg-type]
    assert caught.value.code == "QB146"
    assert advice in caught.value.fix


def test_spells_of_two_kinds_of_period_are_refused() -> None:
    spells = (Spell(entity="A", start="2021Q3"), Spell(entity="B", start=2021))  # type: ignore[arg-type]
    with pytest.raises(PolicyError, match="QB146"):
        Policy(policy_id="p", title=Text("政策", "policy"), spells=spells)
    with pytest.raises(PolicyError, match="QB146"):
        Spell(entity="A", start="2021Q3", end="2022")  # type: ignore[arg-type]


def test_numbers_as_ids_meet_in_policy_and_panel() -> None:
    rng = np.random.default_rng(5)
    rows = [(float(e), f"202{y}Q{q}", 50 + rng.normal()) for e in range(1, 9) for y in (0, 1) for q in range(1, 5)]
    frame = pd.DataFrame(rows, columns=["e", "t", "y"])
    panel = Panel.from_frame(frame, entity="e", period="t", freq="Q", indicators={"y": SCORE})
    policy = Policy(policy_id="p", title="政策", spells=tuple(Spell(entity=e, start="2021Q1") for e in (1, 2, 3)))  # type: ignore[arg-type]
    by_text = Policy(
        policy_id="p",
        title=Text("政策", "policy"),
        spells=tuple(Spell(entity=str(e), start=pd.Period("2021Q1")) for e in (1, 2, 3)),
    )
    assert estimate_twfe(panel, policy, "y")["att"] == estimate_twfe(panel, by_text, "y")["att"]


def test_ids_written_as_the_panel_writes_them_are_taken_without_folding_any(monkeypatch: pytest.MonkeyPatch) -> None:
    folded: list[str] = []

    def fold(entity: str) -> str:
        folded.append(entity)
        return entity.casefold()

    monkeypatch.setattr(core_given, "spelling_key", fold)
    policy = Policy(policy_id="p", title=Text("政策", "policy"), spells=(Spell(entity="K3", start="2022Q3"),))
    assert match_policy(policy, ["K1", "K2", "K3"]) is policy
    assert folded == []
    assert core_given.match_spellings(["K1", "k2"], iter(["K1", "K2"])) == {"k2": "K2"}
    assert folded, "an id that is not known is looked for among those known"


@pytest.mark.parametrize(
    ("written", "entity", "wider"),
    [("K003", "K003", False), (" K003 ", "K003", False), ("k003", "K003", False), ("Ｋ００３", "K003", True)],
)
def test_only_full_width_is_wider(written: str, entity: str, wider: bool) -> None:
    assert core_given.is_wider(written, entity) is wider
