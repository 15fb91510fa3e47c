"""What a figure shows is what its result holds, in four variants, in our own SVG, the same bytes every time."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence

import pandas as pd
import pytest

from qbase.core import (
    CheckResult,
    Coverage,
    Criterion,
    DataError,
    Estimate,
    Figure,
    Indicator,
    Policy,
    Result,
    Scorecard,
    Source,
    Spell,
    Text,
)
from qbase.core.numbers import MINUS, number
from qbase.core.shown.display import DRAWINGS
from qbase.core.shown.palette import DRAWING_ROLES, LIGHT
from qbase.core.text import same
from qbase.figures import plot_estimates, plot_event_study, plot_trend
from qbase.figures.surface.figure_svg import ATTRIBUTES, ELEMENTS, STYLES
from qbase.figures.surface.figure_words import MAX_EN, MAX_ZH, length
from qbase.release import check_svg

RATE = Indicator(id="D1.batch", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
SOURCE = Source(path="inspections", producer="云泽省市场监督管理局", snapshot="S0003")
ALL = Text("全部产业集群", "all clusters")
TITLE = Text("优质产品生产基地创建", "base programme")


def rate(
    periods: Sequence[str] = ("2021Q1", "2021Q2", "2021Q3", "2021Q4"),
    passed: Sequence[float] = (90.0, 92.5, 88.3, 93.7),
    *,
    half: float = 2.4,
    subject: Text = ALL,
    entity: str | None = None,
) -> Result:
    rows = [
        {
            "period": p, "n": 200 + i, "k": round(v * (200 + i) / 100), "rate_pct": v, "ci_low": v - half,
            "ci_high": min(100.0, v + half),
        }
        for i, (p, v) in enumerate(zip(periods, passed, strict=True))
    ]  # fmt: skip
    key: dict[str, str | int | float] = {"period": periods[-1]}
    if entity:
        key["entity"] = entity
    last = rows[-1]
    spoken = Estimate(
        term="rate", key=key, value=float(str(last["rate_pct"])), ci_low=float(str(last["ci_low"])),
        ci_high=float(str(last["ci_high"])), n_obs=int(str(last["n"])),
    )  # fmt: skip
    return Result(
        estimand="level", outcome=RATE, unit="pct", method="wilson", estimates=(spoken,), subject=subject,
        tables={"series": pd.DataFrame(rows)}, sources=(SOURCE,),
    )  # fmt: skip


def change(value: float, low: float, high: float) -> Result:
    moved = Estimate(
        term="change", key={"first": "2020Q4", "period": "2021Q4"}, value=value, ci_low=low, ci_high=high, n_obs=400
    )
    return Result(
        estimand="change", outcome=RATE, unit="pp", method="newcombe", estimates=(moved,), subject=ALL,
        labels={"change": Text("与 2020 年第 4 季度相比，", "Between 2020 Q4 and 2021 Q4 ")},
    )  # fmt: skip


def events(
    times: Sequence[int] = (-4, -3, -2, 0, 1, 2),
    *,
    att: bool = True,
    joint: bool = True,
    leads_passed: bool | None = None,
    scale: float = 1.0,
    unit: str = "pp",
    settings: dict[str, object] | None = None,
) -> Result:
    found = []
    for t in times:
        value = (2.1 + 0.1 * t if t >= 0 else 0.1 * t) * scale
        found.append(
            Estimate(
                term="event", key={"event_time": t}, value=value, std_error=0.6 * scale, ci_low=value - 1.2 * scale,
                ci_high=value + 1.2 * scale, joint_low=value - 1.7 * scale if joint else None,
                joint_high=value + 1.7 * scale if joint else None, p_value=0.04, n_obs=960, n_clusters=40,
            )
        )  # fmt: skip
    if att:
        found.append(
            Estimate(
                term="att", value=2.2 * scale, std_error=0.5 * scale, ci_low=1.2 * scale, ci_high=3.2 * scale,
                p_value=0.0004, n_obs=960, n_clusters=40,
            )
        )  # fmt: skip
    check = CheckResult(
        name="parallel_leads", passed=leads_passed, text=Text("联合检验 p = 0.47。", "Joint test p = 0.47.")
    )
    return Result(
        estimand="effect", outcome=RATE, unit=unit, method="event_study", estimates=tuple(found),
        subject=Text("采用政策的集群", "treated clusters"), checks=(check,), spoken=(len(found) - 1,),
        settings={"vcov": {"CRV1": "cluster_id"}, "freq": "Q", **(settings or {})}, sources=(SOURCE,),
    )  # fmt: skip


def twfe(vcov: object, errors: tuple[float, float]) -> Result:
    scrap = Indicator(id="lscrap", name=Text("报废率（对数）", "log scrap rate"), unit="log_points", better="down")
    found = tuple(
        Estimate(
            term="event", key={"event_time": t}, value=v, std_error=s, ci_low=v - 1.98 * s, ci_high=v + 1.98 * s,
            p_value=p, n_obs=162, n_clusters=None if vcov == "iid" else 54,
        )
        for t, v, s, p in zip((0, 1), (-0.252, -0.422), errors, (0.098, 0.047), strict=True)
    )  # fmt: skip
    return Result(
        estimand="effect", outcome=scrap, unit="log_points", method="twfe", estimates=found, spoken=(0, 1),
        subject=Text("受助企业", "firms with a grant"), settings={"vcov": vcov},
    )  # fmt: skip


def policy(*starts: str, title: Text = TITLE) -> Policy:
    spells = tuple(Spell(entity=f"C{i:02d}", start=pd.Period(s, freq="Q-DEC")) for i, s in enumerate(starts))
    return Policy(policy_id="bases", title=title, spells=spells)


def card(*targets: float, indicator: Indicator = RATE) -> Scorecard:
    value = Estimate(term="rate", value=93.7, ci_low=91.3, ci_high=96.1, n_obs=203)
    criteria = tuple(
        Criterion(indicator=indicator, estimate=value, target=t, source=Text("纲要", "outline"), verdict="cannot_tell")
        for t in targets
    )
    return Scorecard(
        entity="all", subject=ALL, preset="outline_2025", preset_title=Text("2025 年纲要", "outline 2025"),
        criteria=criteria,
    )  # fmt: skip


MANY = [f"{y}Q{q}" for y in range(2010, 2025) for q in range(1, 5)]
LONG = Text(
    "云泽省东岭市望川经济技术开发区高端装备与精密零部件产业集群", "precision parts cluster of the Wangchuan zone"
)
CASES: dict[str, Callable[[], Figure]] = {
    "trend": lambda: plot_trend(rate(), policy=policy("2021Q3"), target=card(95.5, 97.5), change=change(2.3, 0.4, 4.1)),
    "trend_gaps": lambda: plot_trend(rate(("2019Q1", "2019Q2", "2020Q1", "2020Q3"))),
    "trend_single": lambda: plot_trend(rate(("2021Q1",), (90.0,)), policy=policy("2021Q1")),
    "trend_all_pass": lambda: plot_trend(rate(passed=(100.0,) * 4), target=card(100.0)),
    "trend_many": lambda: plot_trend(rate(MANY, [90 + i % 7 for i in range(60)]), policy=policy("2012Q2", "2018Q4")),
    "trend_yearly": lambda: plot_trend(rate(("2020", "2021", "2022", "2023")), policy=policy("2022Q3")),
    "trend_long_name": lambda: plot_trend(rate(subject=LONG), policy=policy("2021Q2", title=LONG)),
    "trend_crowded": lambda: plot_trend(rate(), policy=policy("2021Q4"), target=card(93.4, 93.7, 93.9)),
    "trend_wide_interval": lambda: plot_trend(rate(half=45.0)),
    "events": lambda: plot_event_study(events(), policy=policy("2022Q1", "2022Q1")),
    "events_many": lambda: plot_event_study(events([t for t in range(-12, 14) if t != -1])),
    "events_no_leads": lambda: plot_event_study(events((0, 1), att=False, joint=False)),
    "events_log": lambda: plot_event_study(events(scale=0.01, unit="log_points"), policy=policy("2021Q1", "2022Q3")),
    "events_failed": lambda: plot_event_study(events(leads_passed=False)),
    "estimates": lambda: plot_estimates(twfe("iid", (0.151, 0.210)), twfe({"CRV1": "firm_id"}, (0.1425, 0.2807))),
    "estimates_one": lambda: plot_estimates(change(-2.3, -4.1, -0.4)),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, Figure]:
    return {name: make() for name, make in CASES.items()}


def texts_of(svg: str) -> list[str]:
    return [e.text or "" for e in ET.fromstring(svg).iter("text")]  # noqa: S314


@pytest.mark.parametrize("name", CASES)
def test_a_drawing_keeps_to_the_list(drawn: dict[str, Figure], name: str) -> None:
    assert tuple(drawn[name].drawings) == DRAWINGS
    for svg in drawn[name].drawings.values():
        check_svg(svg)
        for element in ET.fromstring(svg).iter():  # noqa: S314
            assert element.tag in ELEMENTS
            assert set(element.attrib) <= ATTRIBUTES
            styles = {part.partition(":")[0] for part in element.get("style", "").split(";") if part}
            assert styles <= STYLES
        assert not re.search(r"<!--|<\?|<!DOCTYPE|xmlns|metadata|https?:|font-family|<style", svg)


@pytest.mark.parametrize("name", CASES)
def test_colours_are_roles(drawn: dict[str, Figure], name: str) -> None:
    for svg in drawn[name].drawings.values():
        used = set(re.findall(r"var\(--(\w+)\)", svg))
        assert {"ink", "mut"} & used
        assert used <= set(DRAWING_ROLES)
        styles = " ".join(re.findall(r'style="([^"]*)"', svg))
        assert "#" not in styles
        assert not any(hexa in svg for hexa in LIGHT.values())


@pytest.mark.parametrize("name", CASES)
def test_numbers_are_short_and_nothing_lies_outside(drawn: dict[str, Figure], name: str) -> None:
    for key, svg in drawn[name].drawings.items():
        assert not re.search(r"\d\.\d{3,}[^<]*(?=[\"<])", " ".join(re.findall(r' (?:d|x|y|transform)="[^"]*"', svg)))
        width = 350 if key.endswith("narrow") else 820
        root = ET.fromstring(svg)  # noqa: S314
        assert root.attrib["viewBox"].split()[2] == str(width)
        for text in root.iter("text"):
            assert -1 <= float(text.attrib["x"]) <= width + 1


@pytest.mark.parametrize("name", CASES)
def test_labels_stay_inside_and_do_not_touch(drawn: dict[str, Figure], name: str) -> None:
    """Boxes measured with the advance widths of the font; the halo of 3 px is not counted."""
    from qbase.figures.surface.canvas import text_width

    for key, svg in drawn[name].drawings.items():
        boxes = []
        width = 350 if key.endswith("narrow") else 820
        for text in ET.fromstring(svg).iter("text"):  # noqa: S314
            style = dict(part.split(":") for part in text.attrib["style"].split(";"))
            size = float(style["font-size"].removesuffix("px"))
            wide = text_width(text.text or "") * size
            x, y = float(text.attrib["x"]), float(text.attrib["y"])
            left = x - {"end": wide, "middle": wide / 2}.get(style.get("text-anchor", ""), 0.0)
            boxes.append((left, y - 0.8 * size, left + wide, y + 0.1 * size, text.text))
        assert min(b[0] for b in boxes) > -6, key
        assert max(b[2] for b in boxes) < width + 4, key
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
                assert apart, (key, a, b)


@pytest.mark.parametrize("name", CASES)
def test_ids_are_unique_over_all_drawings(drawn: dict[str, Figure], name: str) -> None:
    ids = [i for svg in drawn[name].drawings.values() for i in re.findall(r' id="([^"]+)"', svg)]
    assert len(ids) == len(set(ids))
    for svg in drawn[name].drawings.values():
        root = ET.fromstring(svg)  # noqa: S314
        assert root.attrib["role"] == "img"
        named = root.attrib["aria-labelledby"].split()
        assert [e.attrib["id"] for e in root if e.tag in {"title", "desc"}] == named
        own = set(re.findall(r' id="([^"]+)"', svg))
        assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', svg)) <= {(i, "") for i in own} | {
            ("", i) for i in own
        }


@pytest.mark.parametrize("name", CASES)
def test_texts_exist_in_both_languages(drawn: dict[str, Figure], name: str) -> None:
    figure = drawn[name]
    for field in ("title", "subtitle", "how_to_read", "note", "alt"):
        text = getattr(figure, field)
        assert re.search(r"[\u4e00-\u9fff]", text.zh), (field, text.zh)
        assert text.en.strip(), field
        assert not re.search(r"[\u4e00-\u9fff]", text.en.replace("云泽省市场监督管理局", "")), text.en
        assert "{" not in text.zh + text.en
        assert not re.search(r"(?<=[ （(～])-\d", text.zh + text.en), "a hyphen is no minus"
    zh, en = length(figure.title)
    assert (zh <= MAX_ZH and en <= MAX_EN) or name == "trend_long_name"
    for key, svg in figure.drawings.items():
        root = ET.fromstring(svg)  # noqa: S314
        lang = key[:2]
        assert [e.text for e in root if e.tag in {"title", "desc"}] == [figure.title[lang], figure.alt[lang]]


@pytest.mark.parametrize("name", ["trend", "events", "estimates"])
def test_the_same_input_gives_the_same_bytes(drawn: dict[str, Figure], name: str) -> None:
    again = CASES[name]()
    assert dict(again.drawings) == dict(drawn[name].drawings)
    assert again.sha256() == drawn[name].sha256()
    assert again.preview == drawn[name].preview
    assert repr(again) == f"<Figure {again.name}>"


def test_what_a_user_set_outside_does_not_matter(drawn: dict[str, Figure]) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.family": "monospace", "axes.grid": False, "svg.fonttype": "path", "font.size": 30}):
        assert CASES["trend"]().drawings == drawn["trend"].drawings


def test_the_order_of_rows_does_not_matter() -> None:
    result = rate()
    frame = result.tables["series"]
    shuffled = Result(
        estimand="level", outcome=RATE, unit="pct", method="wilson", estimates=result.estimates, subject=ALL,
        tables={"series": frame.iloc[[2, 0, 3, 1]]}, sources=(SOURCE,),
    )  # fmt: skip
    assert plot_trend(shuffled).payload() == plot_trend(result).payload()
    study = events()
    turned = Result(
        estimand="effect", outcome=RATE, unit="pp", method="event_study", estimates=study.estimates[::-1],
        subject=study.subject, checks=study.checks, settings=study.settings, sources=study.sources,
    )  # fmt: skip
    assert plot_event_study(turned).payload() == plot_event_study(study).payload()


def test_numbers_shown_are_numbers_of_the_result(drawn: dict[str, Figure]) -> None:
    figure = drawn["trend"]
    for key, svg in figure.drawings.items():
        shown = " ".join(texts_of(svg))
        assert "93.7%" in shown, key
        for value in ("91.3", "96.1", "95.5%", "97.5%"):
            assert value in shown, (key, value)
    assert [row[3] for row in figure.table.rows] == ["90.0", "92.5", "88.3", "93.7"]
    assert figure.table.data["rate_pct"] == [90.0, 92.5, 88.3, 93.7]
    stands_on = Coverage(fates={"counted": 9, "no_firm": 1})
    beside = plot_trend(dataclasses.replace(rate(), coverage=stands_on)).table.data
    assert (beside["records_counted"], beside["records_lost"]) == ([9] * 4, [1] * 4)
    assert figure.title == Text(
        "2021Q4 批次合格率为 93.7%，比 2020Q4 提高 2.3 个百分点",
        "Batch pass rate 93.7%; up 2.3 percentage points on 2020 Q4",
    )


def test_heights_in_the_drawing_follow_the_values() -> None:
    svg = plot_trend(rate()).drawings["zh_wide"]
    ticks = {}
    for text in ET.fromstring(svg).iter("text"):  # noqa: S314
        if re.fullmatch(r"\d+", text.text or "") and "end" in text.attrib["style"]:
            ticks[float(text.text or "")] = float(text.attrib["y"])
    (a, ya), (b, yb) = sorted(ticks.items())[0], sorted(ticks.items())[-1]
    circles = [float(u.attrib["y"]) for u in ET.fromstring(svg).iter("use") if "--blue" in u.attrib["style"]]  # noqa: S314
    for value, pixel in zip((90.0, 92.5, 88.3, 93.7), circles, strict=True):
        # tick labels stand a constant below their line, which the difference of two points removes
        expected = (value - 90.0) / (b - a) * (yb - ya)
        assert pixel - circles[0] == pytest.approx(expected, abs=0.06)


def test_a_gap_is_not_bridged() -> None:
    svg = plot_trend(rate(("2020Q1", "2020Q2", "2020Q4", "2021Q1"))).drawings["zh_wide"]
    lines = [e.attrib["d"] for e in ET.fromstring(svg).iter("path") if "stroke:var(--blue)" in e.get("style", "")]  # noqa: S314
    assert [d.count("L") for d in lines] == [1, 1]
    figure = plot_trend(rate(("2020Q1", "2020Q2", "2020Q4", "2021Q1")))
    assert figure.table.rows[2][-1] == Text("无数据", "no data")
    assert "1 期没有数据" in figure.note.zh


def test_a_change_that_covers_zero_is_not_called_a_rise() -> None:
    title = plot_trend(rate(), change=change(0.4, -0.9, 1.7)).title
    assert "尚无法判断" in title.zh
    assert "cannot be told" in title.en


def test_policy_and_target_that_do_not_concern_it_are_said() -> None:
    note = plot_trend(rate(entity="C99"), policy=policy("2021Q2"), target=card(90.0, indicator=Indicator(
        id="other", name=same("x"), unit="pct", better="up"))).note  # fmt: skip
    assert "未覆盖" in note.zh
    assert "没有为该指标设目标" in note.zh
    note = plot_trend(rate(), policy=policy("2030Q1")).note
    assert "不在图示时段内" in note.zh


def test_staggered_starts_are_named() -> None:
    figure = plot_trend(rate(MANY, [90.0] * 60), policy=policy("2012Q2", "2018Q4", "2018Q4"))
    assert "2012Q2（1 个）、2018Q4（2 个）" in figure.note.zh
    assert any("2012Q2 起分批" in t for t in texts_of(figure.drawings["zh_wide"]))


def test_event_study_shows_base_and_both_intervals(drawn: dict[str, Figure]) -> None:
    figure = drawn["events"]
    shown = " ".join(texts_of(figure.drawings["zh_wide"]))
    for words in ("基期", "实施前：应接近 0", "平均效果", "+2.2 个百分点", "95% CI 1.2～3.2", "2022Q1 政策实施"):
        assert words in shown
    assert "联合检验 p = 0.47。" in figure.note.zh
    assert figure.title == Text(
        "实施后批次合格率提高 2.2 个百分点", "Batch pass rate up 2.2 percentage points after adoption"
    )
    assert len(figure.table.columns) == 5
    assert [row[0] for row in figure.table.rows] == [f"{MINUS}4", f"{MINUS}3", f"{MINUS}2", "0", "+1", "+2"]
    assert figure.table.data["joint_low"] == [e.joint_low for e in events().estimates[:-1]]


def test_failed_leads_change_the_title(drawn: dict[str, Figure]) -> None:
    figure = drawn["events_failed"]
    assert "不能归于政策" in figure.title.zh
    assert "moved apart before" in figure.title.en
    assert not any("政策效果" in t for t in texts_of(figure.drawings["zh_wide"]))


def test_binned_ends_say_so() -> None:
    figure = plot_event_study(events(settings={"binned": [-4, 2]}))
    shown = texts_of(figure.drawings["en_wide"])
    assert f"≤{MINUS}4" in shown
    assert "≥+2" in shown
    assert figure.table.rows[0][0] == f"≤{MINUS}4"


def test_estimates_stand_together_by_question(drawn: dict[str, Figure]) -> None:
    shown = texts_of(drawn["estimates"].drawings["en_wide"])
    rows = [t for t in shown if t.startswith("Event time")]
    assert rows == ["Event time 0", "Event time 0", "Event time +1", "Event time +1"]
    for value in (-0.252, -0.422):
        assert any(t.startswith(number(value, 3)) for t in shown)
    assert drawn["estimates"].title.en == "Log scrap rate: 1 of 4 estimates tell a direction"
    assert drawn["estimates"].table.style == "effects"


def test_an_effect_without_interval_is_refused() -> None:
    bare = Estimate(term="event", key={"event_time": 0}, value=1.0, uncertainty="none_full_count")
    study = events()
    result = Result(
        estimand="effect", outcome=RATE, unit="pp", method="event_study", estimates=(bare, *study.estimates[:2]),
        subject=ALL,
    )  # fmt: skip
    for plot in (plot_event_study, plot_estimates):
        with pytest.raises(DataError) as error:
            plot(result)
        assert error.value.code == "QB702"
    frame = rate().tables["series"].copy()
    frame.loc[1, "ci_low"] = float("nan")
    with pytest.raises(DataError) as error:
        plot_trend(_with_series(frame))
    assert error.value.code == "QB702"
    assert "2021Q2" in error.value.what_en


def test_a_full_count_says_so() -> None:
    frame = rate().tables["series"].assign(ci_low=float("nan"), ci_high=float("nan"))
    counted = Estimate(term="rate", key={"period": "2021Q4"}, value=93.7, n_obs=203, uncertainty="none_full_count")
    result = Result(
        estimand="level", outcome=RATE, unit="pct", method="count", estimates=(counted,), subject=ALL,
        tables={"series": frame},
    )  # fmt: skip
    figure = plot_trend(result)
    assert "全数统计" in figure.note.zh
    assert any("full count" in t for t in texts_of(figure.drawings["en_wide"]))


def _with_series(frame: pd.DataFrame) -> Result:
    base = rate()
    return Result(
        estimand="level", outcome=RATE, unit="pct", method="wilson", estimates=base.estimates, subject=ALL,
        tables={"series": frame},
    )  # fmt: skip


def test_what_cannot_be_drawn_is_refused() -> None:
    frame = rate().tables["series"]
    for result, code in (
        (_with_series(frame.drop(columns="ci_low")), "QB703"),
        (_with_series(frame.iloc[:0]), "QB703"),
        (_with_series(pd.concat([frame, frame.iloc[:1]])), "QB704"),
        (change(1.0, 0.0, 2.0), "QB703"),
    ):
        with pytest.raises(DataError) as error:
            plot_trend(result)
        assert error.value.code == code
    with pytest.raises(DataError) as error:
        plot_event_study(rate())
    assert error.value.code == "QB705"
    with pytest.raises(DataError) as error:
        plot_estimates(change(1.0, 0.5, 2.0), twfe("iid", (0.1, 0.2)))
    assert error.value.code == "QB706"
    with pytest.raises(DataError) as error:
        plot_estimates()
    assert error.value.code == "QB707"


def test_a_missing_glyph_fails_and_is_named() -> None:
    with pytest.raises(DataError) as error:
        plot_trend(rate(), policy=policy("2021Q2", title=Text("政策\U0001f642", "policy")))
    assert error.value.code == "QB701"
    assert "U+1F642" in error.value.what_zh


def test_names_are_escaped_and_never_read_as_formulas() -> None:
    title = Text('<b>甲</b> & $x_1$ "乙"', "<script>alert(1)</script> & $\\frac{1}{2}$")
    figure = plot_trend(rate(subject=Text("$a$", "$b$")), policy=policy("2021Q2", title=title))
    svg = figure.drawings["en_wide"]
    check_svg(svg)
    assert "<script" not in svg
    assert "$\\frac{1}{2}$" in " ".join(texts_of(svg))


def test_a_preview_exists_only_outside_a_run(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    outside = plot_trend(rate())
    assert outside.preview.startswith(b"\x89PNG")
    assert outside._repr_mimebundle_()[0]["image/png"]
    monkeypatch.setenv("QBASE_LANG", "en")
    assert plot_trend(rate()).preview != outside.preview
    monkeypatch.setenv("QBASE_RUN_DIR", str(tmp_path))
    inside = plot_trend(rate())
    assert inside.preview == b""
    assert inside.payload() == outside.payload()
