"""Primary rules by class of statistic; what is not known is not safe."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from qbase.core import UsageError
from qbase.release import judge_cells, judge_statistic, read_disclosure_preset
from qbase.release.disclosing.primary_rules import CLASSES, RULES

CN = read_disclosure_preset("cn_default")
GOOD = {"n_firms": 12, "n": 40, "k": 38, "top1": 6, "top2": 5, "freedom": 20, "tail_firms": 5}


def judge(**facts: float | None) -> str:
    return str(judge_cells(pd.DataFrame([{**GOOD, **facts}]), CN).iloc[0])


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({}, ""),
        ({"n_firms": 3}, ""),
        ({"n_firms": 2}, "firms"),
        ({"top1": 30, "top2": 5}, ""),  # 75 % exactly is not above it
        ({"top1": 31, "top2": 5}, "dominance"),
        ({"top1": 20, "top2": 18}, ""),  # the rest is 2, 10 % of the largest
        ({"top1": 20, "top2": 19}, "p_percent"),
        ({"k": 40, "n_firms": 9}, "whole"),
        ({"k": 0, "n_firms": 9}, "whole"),
        ({"k": 40, "n_firms": 10}, ""),
        ({"n": 0, "k": 0, "n_firms": 0, "top1": 0, "top2": 0}, ""),
        ({"n_firms": None}, "firms"),
        ({"top1": None}, "dominance"),
        ({"k": None}, "whole"),
    ],
)
def test_a_cell_breaks_the_rule_it_breaks(facts: dict[str, float | None], rule: str) -> None:
    assert judge(**facts) == rule


def test_two_largest_firms_and_small_counts() -> None:
    sacro, opensafely = read_disclosure_preset("sacro"), read_disclosure_preset("opensafely")
    cells = pd.DataFrame([{**GOOD, "top1": 20, "top2": 17}, {**GOOD, "k": 40}, GOOD])
    assert judge_cells(cells, sacro).tolist() == ["dominance", "whole", ""]
    few = pd.DataFrame([{**GOOD, "k": 33}, {**GOOD, "k": 32}, {**GOOD, "k": 7}])
    assert judge_cells(few, opensafely).tolist() == ["counted", "", "counted"]


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind != "extreme"])
def test_every_class_passes_with_good_facts_and_fails_without_each_it_needs(kind: str) -> None:
    assert judge_statistic(kind, CN, **GOOD) == ()
    needs = {"firms": "n_firms", "dominance": "top1", "p_percent": "top2", "whole": "k"}
    needs |= {"freedom": "freedom", "tail": "tail_firms"}
    for check in CLASSES[kind].checks:
        if check == "counted":
            continue  # this preset has no such rule
        assert check in judge_statistic(kind, CN, **{**GOOD, needs[check]: None})
    strict = dataclasses.replace(CN, fewest_counted=3)
    if "counted" in CLASSES[kind].checks:
        assert "counted" in judge_statistic(kind, strict, **GOOD)
        assert "counted" in judge_statistic(kind, strict, **{**GOOD, "n": None})


def test_every_class_has_risk_checks_and_mitigation_in_both_languages() -> None:
    wanted = {"rate", "count", "mean", "quantile", "ratio", "coefficient", "concentration", "extreme", "histogram"}
    assert set(CLASSES) == wanted
    for kind in CLASSES.values():
        assert set(kind.checks) <= set(RULES)
        assert all(text.zh and text.en for text in (kind.name, kind.risk, kind.mitigation))
    assert judge_statistic("extreme", CN, **GOOD) == ("single",)


@pytest.mark.parametrize(("kind", "facts"), [("maximum", {}), ("rate", {"firms": 3})])
def test_unknown_words_are_told(kind: str, facts: dict[str, float]) -> None:
    with pytest.raises(UsageError) as caught:
        judge_statistic(kind, CN, **facts)
    assert caught.value.code == "QB755"
