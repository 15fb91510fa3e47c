"""Numbers and sentences are written as user-experience.md section 4 says."""

from __future__ import annotations

import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qbase.core import (
    CheckResult,
    Criterion,
    Estimate,
    Figure,
    Indicator,
    Prose,
    Result,
    Scorecard,
    Table,
    Text,
    conclude,
    record,
)
from qbase.core import numbers as nb
from qbase.core.results.sentences import direction_of, grade_of
from qbase.core.shown.display import MIME, Column, sha256_of
from qbase.core.shown.fonts import covered, missing_glyphs, subset_woff2
from qbase.core.shown.glossary import read_glossary
from qbase.core.shown.palette import DARK, LIGHT, contrast

RATE = Indicator(id="D1.batch", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
SCRAP = Indicator(id="X1.log_scrap", name=Text("废品率对数", "log scrap rate"), unit="log_points", better="down")
GOOD = CheckResult(name="leads", passed=True, text=Text("好", "fine"))
BAD = CheckResult(name="clusters", passed=False, text=Text("处理集群太少", "too few treated clusters"))


def effect(value: float, low: float, high: float, *checks: CheckResult, **fields: object) -> Result:
    estimate = Estimate(term="att", value=value, ci_low=low, ci_high=high, std_error=(high - low) / 4)
    plain = {"outcome": RATE, "unit": "pp", "method": "twfe", "subject": Text("采用政策的集群", "treated clusters")}
    return Result(estimand="effect", estimates=(estimate,), checks=checks, **{**plain, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [(-0.04, 1, "0.0"), (-1.25, 1, "−1.2"), (46726, 0, "46,726"), (1234.5, 1, "1,234.5"), (-0.252, 3, "−0.252")],
)
def test_numbers_carry_a_true_minus_and_no_negative_zero(value: float, digits: int, written: str) -> None:
    assert nb.number(value, digits) == written


@given(st.floats(-1e6, 1e6), st.integers(0, 4))
def test_a_written_number_reads_back(value: float, digits: int) -> None:
    text = nb.number(value, digits)
    assert "-" not in text
    back = float(text.replace(",", "").replace(nb.MINUS, "-"))
    assert abs(back - value) <= 0.5 * 10**-digits * 1.0001 + abs(value) * 1e-12
    assert not text.startswith(nb.MINUS + "0" * len(text.lstrip(nb.MINUS).replace(".", "0"))) or back != 0


@pytest.mark.parametrize(
    ("p", "written"), [(0.0004, "< 0.001"), (0.0171, "0.017"), (0.0996, "0.10"), (0.471, "0.47"), (0.9999, "> 0.99")]
)
def test_p_values(p: float, written: str) -> None:
    assert nb.p_value(p) == written


def test_ranges() -> None:
    assert nb.interval(0.8, 3.9) == Text("0.8～3.9", "0.8–3.9")
    assert nb.interval(-0.5, 0.7) == Text("−0.5 至 0.7", "−0.5 to 0.7")
    assert nb.interval(-0.04, 0.7) == Text("0.0～0.7", "0.0–0.7")


@pytest.mark.parametrize(
    ("unit", "error", "digits"), [("pp", 0.123, 1), ("log_points", 0.151, 3), ("log_points", 12.3, 1)]
)
def test_digits_follow_the_doubt(unit: str, error: float, digits: int) -> None:
    assert nb.digits_for(unit, error) == digits


def test_a_clear_effect_is_said_with_direction_size_unit_interval_and_grade() -> None:
    said = effect(2.31, 0.76, 3.86, GOOD).say()
    assert said.items[0].zh == "采用政策的集群的批次合格率估计提高 2.3 个百分点（95% CI 0.8～3.9；证据较强）。"
    assert said.items[0].en == (
        "The batch pass rate of treated clusters rose by an estimated 2.3 percentage points "
        "(95% CI 0.8–3.9; strong evidence)."
    )


def test_a_fall_is_said_as_a_fall_with_its_interval_turned() -> None:
    said = effect(-0.422, -0.838, -0.006, outcome=SCRAP, unit="log_points").say().items[0]
    assert "估计降低 0.422 对数点（95% CI 0.006～0.838" in said.zh
    assert "fell by an estimated 0.422 log points (95% CI 0.006–0.838" in said.en


def test_an_interval_over_zero_is_cannot_tell_and_never_no_effect() -> None:
    said = effect(1.2, -0.5, 2.9, GOOD).say()
    assert "尚无法判断" in said.items[0].zh
    assert "cannot tell" in said.items[0].en
    assert said.grades == ("limited",)
    for forbidden in ("没有影响", "显著", "证明", "no effect", "significant"):
        assert forbidden not in said.plain()


def test_a_narrow_interval_inside_the_declared_margin_is_a_little_effect() -> None:
    result = effect(0.1, -0.2, 0.4, GOOD, settings={"margin": 0.5})
    assert direction_of(result["att"], 0.5) == "little"
    assert "不超过 ±0.5 个百分点" in result.say().items[0].zh


def test_grades_fall_with_failed_checks_and_the_methods_cap() -> None:
    assert grade_of(effect(2, 1, 3, GOOD), effect(2, 1, 3)["att"]) == "strong"
    assert grade_of(effect(2, 1, 3, GOOD, BAD), effect(2, 1, 3)["att"]) == "moderate"
    assert grade_of(effect(2, 1, 3, BAD, BAD), effect(2, 1, 3)["att"]) == "limited"
    assert grade_of(effect(2, 1, 3, GOOD, grade="limited"), effect(2, 1, 3)["att"]) == "limited"
    assert "可能提高" in effect(2, 1, 3, BAD).say().items[0].zh


def test_a_verdict_names_its_preset() -> None:
    estimate = Estimate(term="rate", value=92.0, ci_low=89.0, ci_high=95.0)
    criterion = Criterion(
        indicator=RATE,
        estimate=estimate,
        target=94.0,
        source=Text("质量强国建设纲要", "the outline"),
        verdict="cannot_tell",
    )
    title, subject = Text("纲要 2025", "Outline 2025"), Text("甲集群", "cluster A")
    card = Scorecard(entity="C1", subject=subject, preset="outline", preset_title=title, criteria=(criterion,))
    assert "预设：纲要 2025" in card.say().items[0].zh
    assert "尚无法判断是否达到目标 94.0%" in card.say().items[0].zh


def test_conclusion_leads_with_the_first_result_and_hides_no_failed_check() -> None:
    end = conclude(effect(2, 1, 3, BAD), effect(0.1, -1, 1.2, GOOD))
    assert end.lead == end.findings[0][0]
    assert [c.name for c in end.failed_checks] == ["clusters"]
    assert "too few treated clusters" in end.plain()


def figure() -> Figure:
    text = Text("图", "figure")
    table = Table(name="t", caption=text, columns=(Column(label=text),), rows=(("1.0",),))
    return Figure(
        name="f", title=text, subtitle=text, how_to_read=text, note=text, alt=text, table=table,
        drawings={k: f"<svg id='{k}'/>" for k in ("zh_wide", "zh_narrow", "en_wide", "en_narrow")}, preview=b"png",
    )  # fmt: skip


def test_bundles_travel_typed_in_a_run_and_plain_outside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    shown = figure()
    assert repr(shown) == "<Figure f>"
    data, words = shown._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png"}
    assert words == {"image/png": {"alt": shown.alt.zh}}
    monkeypatch.setenv("QBASE_RUN_DIR", str(tmp_path))
    assert set(shown._repr_mimebundle_()[0]) == {"text/plain", MIME}
    assert shown._repr_mimebundle_()[1] == {}
    assert json.loads(json.dumps(shown._repr_mimebundle_()[0][MIME]))["kind"] == "figure"


def test_record_is_written_in_a_run_only(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    result = effect(2, 1, 3, BAD)
    assert "preview" in record(result).plain()
    assert not list(tmp_path.iterdir())
    monkeypatch.setenv("QBASE_RUN_DIR", str(tmp_path))
    monkeypatch.setenv("QBASE_RUN_ID", "20260101-abc")
    record(result, figure(), Prose(name="p", items=(Text("一", "one"),)))
    document = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert document["schema"] == 1
    assert document["sentinel"] == "20260101-abc"
    assert document["results"][0]["estimates"][0]["ci_high"] == 3
    assert document["results"][0]["sentences"] == [t.payload() for t in result.say().items]
    assert document["figures"]["f"]["zh_wide"] == sha256_of("<svg id='zh_wide'/>")
    assert document["tables"]["t"] == sha256_of([[{"zh": "1.0", "en": "1.0"}]])
    assert [p.name for p in tmp_path.iterdir()] == ["results.json"]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_every_text_colour_reads_on_every_surface(theme: dict[str, str]) -> None:
    for role in ("ink", "mut", "blue", "orange", "plum", "teal", "gold", "link"):
        for surface in ("bg", "panel", "card"):
            assert contrast(theme[role], theme[surface]) >= 4.5, (role, surface)
    for fill in ("bluef", "orangef", "plumf", "tealf", "goldf", "greyf"):
        assert contrast(theme["ink"], theme[fill]) >= 4.5


def test_the_font_draws_the_words_of_the_house(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "".join(t[lang] for pair in read_glossary().values() for t in pair for lang in ("zh", "en"))
    assert missing_glyphs(words + "◆●▽▼✓−～") == []
    assert missing_glyphs("好😀") == ["😀"]
    assert len(covered()) > 20_000
    monkeypatch.setenv("QBASE_CACHE", str(tmp_path))
    first = subset_woff2("质量")
    assert first[:4] == b"wOF2"
    assert subset_woff2("量质") == first
    assert len(list((tmp_path / "qbase-fonts").iterdir())) == 1
