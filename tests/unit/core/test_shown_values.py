"""Values as they are looked at: escaped, captioned, with names; nothing of it inside a run."""

from __future__ import annotations

import dataclasses
import html.parser

import pandas as pd
import pytest

from qbase.core import (
    CheckResult,
    Criterion,
    Estimate,
    Indicator,
    Panel,
    Policy,
    PolicyDate,
    Result,
    Scorecard,
    Spell,
    Text,
    Withheld,
)
from qbase.core.errors import PanelError

RATE = Indicator(id="rate", name=Text("合格率<b>", "pass rate & <b>"), unit="pct", better="up")
EVIL = Text("<script>甲</script>", '<img src=x onerror="a()">')


@pytest.fixture(autouse=True)
def exploring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QBASE_RUN_DIR", raising=False)
    monkeypatch.setenv("QBASE_LANG", "en")


class Tags(html.parser.HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def make_panel(**changes: object) -> Panel:
    own = pd.DataFrame(
        {
            "entity": ["K1", "K1", "K2"],
            "period": ["2022Q3", "2022Q4", "2022Q3"],
            "rate": [90.0, 95.0, 50.0],
            "rate__k": [18, 38, 5],
            "rate__n": [20, 40, 10],
        }
    )
    given = {"entity": "entity", "period": "period", "freq": "Q", "indicators": {"rate": RATE}} | changes
    return Panel.from_frame(own, labels={"K1": EVIL, "K2": Text("乙集群", "Second")}, **given)  # type: ignore[arg-type]


def make_result() -> Result:
    found = (
        Estimate(term="change", key={"entity": "K1"}, value=4.0, std_error=1.0, ci_low=2.0, ci_high=6.0, n_obs=9),
        Estimate(term="change", key={"entity": "K2"}, value=-4.0, ci_low=-9.0, ci_high=1.0, ci_level=0.9),
    )
    return Result(
        estimand="change", outcome=RATE, unit="pp", method="newcombe", estimates=found, subject=EVIL,
        labels={"entity[K1]": EVIL, "entity[K2]": Text("乙集群", "Second")},
        checks=(CheckResult(name="small_n", passed=False, text=EVIL),),
    )  # fmt: skip


def make_card() -> Scorecard:
    value = Estimate(term="rate", value=93.3, ci_low=88.2, ci_high=96.3)
    goal = Criterion(indicator=RATE, estimate=value, target=90.0, source=EVIL, verdict="cannot_tell")
    return Scorecard(entity="K1", subject=EVIL, preset="own", preset_title=EVIL, criteria=(goal,))


def make_policy() -> Policy:
    date = PolicyDate(on="2022-08-10", source="<script>", confidence="document")
    spells = (Spell(entity="K1", start="2022Q3"), Spell(entity="K2", start="2022Q4"))  # type: ignore[arg-type]
    return Policy(policy_id="p", title=EVIL, spells=spells, dates={"announced": date})


VALUES = [make_panel, make_result, make_card, make_policy]


@pytest.mark.parametrize("make", VALUES)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_card_is_one_captioned_table_with_scopes_and_nothing_that_runs(
    make, lang: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QBASE_LANG", lang)
    text = make()._repr_html_()
    tags = Tags(text)
    names = [tag for tag, _ in tags.seen]
    assert tags.open == []
    assert set(names) <= {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p", "ul", "li"}
    assert names.count("table") == names.count("caption") == 1
    assert all(a.get("scope") in {"row", "col"} for tag, a in tags.seen if tag == "th")
    assert all(set(a) <= {"scope", "lang"} for _, a in tags.seen)
    assert tags.seen[0] == ("div", {"lang": {"zh": "zh-Hans", "en": "en"}[lang]})


@pytest.mark.parametrize("make", VALUES)
def test_inside_a_run_a_value_hands_nothing_to_the_page(make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QBASE_RUN_DIR", "run")
    assert make()._repr_html_() is None


def test_a_panel_shows_names_the_latest_value_and_what_stands_behind_it() -> None:
    text = make_panel()._repr_html_()
    assert '<th scope="row">Second</th><td>1</td><td>2022Q3</td><td>50.0%</td><td>5 / 10</td>' in text
    assert "K2" not in text


def test_a_period_withheld_is_shown_as_withheld_not_as_the_one_before() -> None:
    withheld = Withheld(edition="cn_default-1", cells=frozenset({("K2", "2022Q4")}))
    text = dataclasses.replace(make_panel(), withheld=withheld)._repr_html_()
    assert '<th scope="row">Second</th><td>1</td><td>2022Q4</td><td>…</td><td>…</td>' in text


def test_firms_are_not_listed() -> None:
    text = dataclasses.replace(make_panel(), entity="firm_id")._repr_html_()
    assert make_panel()._repr_html_().count('scope="row"') == 2
    assert text.count('scope="row"') == 0
    assert "Firms are not listed" in text


def test_a_panel_is_read_by_indicator_and_by_entity_code_or_name() -> None:
    panel = make_panel()
    assert panel["rate"].tolist() == [90.0, 95.0, 50.0]
    for word in ("K2", "Second", "乙集群"):
        assert panel["rate", word].to_dict() == {pd.Period("2022Q3"): 50.0}
    assert len(panel) == 3
    assert "rate" in panel
    assert "other" not in panel
    with pytest.raises(PanelError, match="QB123"):
        panel["other"]
    with pytest.raises(PanelError, match="QB192") as caught:
        panel["rate", "Secon"]
    assert "Second" in str(caught.value)


def test_frames_hold_the_values_of_the_panel_long_and_wide() -> None:
    panel = make_panel()
    long, wide = panel.to_frame(lang="zh"), panel.to_frame(wide=True)
    assert list(long) == ["entity", "name", "period", "start", "indicator", "value", "n", "k"]
    assert long["value"].tolist() == wide["rate"].tolist() == panel.data["rate"].tolist()
    assert long["n"].tolist() == panel.data["rate__n"].tolist()
    assert long["name"].tolist() == [EVIL.zh, EVIL.zh, "乙集群"]
    assert panel.head(2).equals(panel.to_frame().head(2))


def test_keys_are_completed_in_ipython(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    from IPython.core.completer import provisionalcompleter
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell(user_ns={"panel": make_panel(), "result": make_result()})

    def complete(text: str) -> set[str]:
        with provisionalcompleter():
            return {c.text.strip("'\"") for c in shell.Completer.completions(text, len(text))}

    assert "rate" in complete('panel["ra')
    assert {"Second", "乙集群", "K2"} <= complete('panel["rate", "')
    assert "change" in complete('result["')


def test_a_tidy_result_keeps_every_number_and_names_its_entities() -> None:
    result = make_result()
    tidy = result.tidy()
    assert list(tidy.columns[:3]) == ["term", "entity", "name"]
    for row, e in zip(tidy.to_dict("records"), result.estimates, strict=True):
        assert (row["estimate"], row["conf_low"], row["conf_high"], row["level"]) == (
            e.value, e.ci_low, e.ci_high, e.ci_level,
        )  # fmt: skip
        assert row["unit"] == "pp"
    assert tidy["n"].iloc[0] == 9
    assert len(result) == 2


def test_a_summary_aligns_its_columns_and_says_sentence_and_checks() -> None:
    lines = make_result().summary("zh").splitlines()
    assert lines[1].split()[:3] == ["项目", "估计值", "标准误"]
    assert "乙集群" in lines[3]
    assert "90%" in lines[3]
    assert lines[-1].startswith("- 未通过：")
    wide = [sum(2 if ord(c) > 0x2E80 else 1 for c in line.split("个百分点")[0]) for line in lines[2:4]]
    assert wide[0] == wide[1]


def test_a_result_without_an_estimate_says_why_and_is_still_true() -> None:
    empty = Result(
        estimand="change", outcome=RATE, unit="pp", method="newcombe", estimates=(), subject=Text("甲", "A"),
        unanswered=Text("没有上年同期。", "There is no quarter a year ago."),
    )  # fmt: skip
    assert len(empty) == 0
    assert empty
    assert "There is no quarter a year ago." in empty.summary("en")
    assert "There is no quarter a year ago." in empty._repr_html_()
    assert empty.tidy().empty


def test_of_many_estimates_the_spoken_ones_are_among_those_listed() -> None:
    many = tuple(
        Estimate(term="rate", key={"period": f"{year}Q1"}, value=50.0, ci_low=40.0, ci_high=60.0)
        for year in range(2000, 2020)
    )
    result = Result(
        estimand="level",
        outcome=RATE,
        unit="pct",
        method="wilson",
        estimates=many,
        subject=Text("甲", "A"),
        spoken=(0,),
    )
    text = result.summary("en")
    assert "2000 Q1" in text
    assert "2019 Q1" in text
    assert "2001 Q1" not in text
    assert "Rows not listed: 8." in text
