"""Verdicts: only a whole interval decides."""

from __future__ import annotations

import dataclasses

import pytest

from qbase.core.errors import DataError, UsageError
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import Estimate, Indicator, Source
from qbase.scorecards import list_presets, read_preset, score_targets
from qbase.scorecards.presets.preset_files import parse_preset
from qbase.scorecards.target_verdicts import verdict_of

RATE = Indicator(id="D1.batch", name=Text("批次合格率", "batch pass rate"), unit="pct", better="up")
SOURCE = Source(path="inspections", snapshot="S0003")


def make_level(value: float, low: float, high: float, *, entity: str | None = "K1", **changes: object) -> Result:
    estimate = Estimate(term="rate", value=value, ci_low=low, ci_high=high, n_obs=100)
    fields = {"estimand": "level", "outcome": RATE, "settings": {"entity": entity}, "sources": (SOURCE,), **changes}
    return Result(unit="pct", method="wilson", estimates=(estimate,), subject=Text("甲集群", "Jia"), **fields)


@pytest.mark.parametrize(
    ("low", "value", "high", "better", "verdict"),
    [
        (94.0, 96.0, 98.0, "up", "met"),
        (93.9, 96.0, 98.0, "up", "cannot_tell"),
        (90.0, 92.0, 94.0, "up", "cannot_tell"),
        (90.0, 92.0, 93.9, "up", "not_met"),
        (90.0, 92.0, 94.0, "down", "met"),
        (90.0, 92.0, 94.1, "down", "cannot_tell"),
        (94.1, 96.0, 98.0, "down", "not_met"),
    ],
)
def test_only_the_whole_interval_decides(low, value, high, better, verdict):
    estimate = Estimate(term="rate", value=value, ci_low=low, ci_high=high)
    assert verdict_of(estimate, 94.0, better) == verdict


def test_a_full_count_stands_for_itself():
    assert verdict_of(Estimate(term="rate", value=94.0, uncertainty="none_full_count"), 94.0, "up") == "met"
    assert verdict_of(Estimate(term="rate", value=93.9, uncertainty="none_full_count"), 94.0, "up") == "not_met"


def test_a_verdict_names_preset_and_source():
    card = score_targets([make_level(92, 88, 95)])
    assert card.preset == "outline_2025"
    assert card.criteria[0].target == 94.0
    sentence = card.say().items[0]
    assert "尚无法判断是否达到目标 94.0%" in sentence.zh
    assert "质量强国建设纲要" in sentence.zh
    assert "2025 targets of the national quality outline" in sentence.en
    assert card.sources == (SOURCE,)


def test_the_estimate_spoken_of_is_judged():
    two = make_level(92, 88, 95)
    early = Estimate(term="rate", value=99.0, ci_low=98.0, ci_high=99.5)
    both = dataclasses.replace(two, estimates=(early, *two.estimates), spoken=(1,))
    assert score_targets([both]).criteria[0].verdict == "cannot_tell"


def test_an_entity_is_picked_from_many():
    results = [make_level(97, 95, 99), make_level(80, 75, 85, entity="K2"), make_level(90, 89, 91, entity=None)]
    assert score_targets(results, entity="K2", naive=True).criteria[0].verdict == "not_met"
    assert score_targets(results[2:]).entity == "all"


CHANGE = make_level(2, 1, 3, estimand="change")
OTHER = make_level(92, 88, 95, outcome=dataclasses.replace(RATE, id="D1.firm"))


@pytest.mark.parametrize(
    ("call", "error", "code", "said"),
    [
        (lambda: score_targets([CHANGE], "outline_2052"), UsageError, "QB601", "outline_2025?"),
        (lambda: score_targets([make_level(1, 0, 2), make_level(1, 0, 2, entity="K2")]), UsageError, "QB604", "K1"),
        (lambda: score_targets([OTHER]), DataError, "QB603", "D1.firm (K1)"),
        (lambda: score_targets([], entity="K1"), DataError, "QB603", "no result"),
        (lambda: score_targets([make_level(92, 88, 95)], entity="K9"), DataError, "QB603", "K9"),
        (lambda: score_targets([CHANGE]), DataError, "QB605", "estimate_level"),
        (lambda: score_targets([make_level(92, 88, 95)] * 2), DataError, "QB606", "2 results"),
    ],
)
def test_refusals_are_four_lines(call, error, code, said):
    with pytest.raises(error) as caught:
        call()
    assert caught.value.code == code
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 4


RAW = {"id": "p", "version": 1, "dated_on": "2025-01-01", "zh": "甲", "en": "a"}
ROW = {"indicator": "D1.batch", "target": 94, "zh": "出处", "en": "source"}


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ({**RAW, "target": [{**ROW, "kind": "rates"}]}, "QB607"),
        ({**RAW, "target": [{**ROW, "gaet": "N5"}]}, "QB607"),
        ({**RAW, "target": [{**ROW, "kind": "everybody"}]}, "QB612"),
        ({**RAW, "target": [{**ROW, "indicator": "D2.firms"}]}, "QB612"),
        ({**RAW, "target": [{**ROW, "level": 1.0}]}, "QB602"),
        ({**RAW, "target": [], "required": ["D1", "N55"]}, "QB609"),
        ({**RAW, "target": [], "dated_on": "last year"}, "QB602"),
        ({**RAW, "target": [{**ROW, "indicator": "D1.bacth"}]}, "QB401"),
        ({**RAW, "target": [{**ROW, "target": "many"}]}, "QB602"),
        ({**RAW, "target": [{k: v for k, v in ROW.items() if k != "zh"}]}, "QB602"),
        (RAW, "QB602"),
    ],
)
def test_a_broken_preset_is_refused(raw, code):
    with pytest.raises((UsageError, DataError)) as caught:
        parse_preset(raw, name="p")
    assert caught.value.code == code


def test_batches_as_drawn_are_judged_on_request_only():
    naive = make_level(80, 75, 85)
    card = score_targets([naive])
    assert card.criteria[0].verdict == "cannot_tell"
    assert "双随机加权" in card.criteria[0].why.zh
    asked = score_targets([naive], naive=True).criteria[0]
    assert asked.verdict == "not_met"
    assert "unweighted" in asked.judged.en
    assert asked.estimate.ci_level == 0.9
    assert asked.estimate.ci_high < asked.target


def test_one_batch_of_one_has_no_verdict():
    estimate = Estimate(term="rate", value=0.0, ci_low=0.0, ci_high=79.0, n_obs=1)
    one = dataclasses.replace(make_level(50, 40, 60), estimates=(estimate,))
    found = score_targets([one], naive=True).criteria[0]
    assert found.verdict == "cannot_tell"
    assert "20" in found.why.en


def test_presets_that_ship_are_whole():
    for name in list_presets():
        preset = read_preset(name)
        assert preset.preset_id == name
        assert preset.dated_on[:2] == "20"
        assert all(t.source.zh and t.source.en for t in preset.targets)
