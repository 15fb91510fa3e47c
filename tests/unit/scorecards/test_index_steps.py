"""The steps of an index: what each does, counts and refuses; entropy weights and the traps of pymcdm."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from qbase.core import DataError, Indicator, UsageError
from qbase.core.text import same
from qbase.scorecards import IndexDesign, Pillar, build_index, list_index_designs, parse_index_design, read_index_design
from qbase.scorecards.composite.data_steps import find_treatment, impute, normalise, treat
from qbase.scorecards.composite.index_weights import entropy_weights
from tests.unit.scorecards.index_cases import INDICATORS, design_of, frame_of, panel_of

UP = np.array([True, True, True])


def by_hand(values: np.ndarray) -> np.ndarray:
    """Shannon's entropy of shares, 0 log 0 being 0."""
    shares = values / values.sum(axis=0)
    logs = np.log(np.where(shares > 0, shares, 1))
    spread = 1 + (shares * logs).sum(axis=0) / np.log(len(values))
    return spread / spread.sum()


def test_entropy_nearly_deletes_a_rate_that_is_high_everywhere() -> None:
    values = np.array([[95, 40, 100], [96, 60, 200], [97, 80, 50], [94, 30, 400.0]])
    weights = entropy_weights(values, UP)
    assert np.allclose(weights, by_hand(values))
    assert weights[0] < 0.001
    assert weights[2] > 0.7


def test_a_constant_indicator_weighs_nothing_and_all_constant_ones_alike() -> None:
    values = np.array([[95, 7, 100], [96, 7, 200], [97, 7, 50.0]])
    assert entropy_weights(values, UP)[1] == 0
    assert np.allclose(entropy_weights(np.full((4, 3), 7.0), UP), 1 / 3)
    assert np.allclose(entropy_weights(values[:1], UP), 1 / 3)


def test_zeros_and_values_below_zero_are_weighed_where_pymcdm_refuses() -> None:
    from pymcdm.weights import entropy_weights as theirs

    values = np.array([[0, 3], [10, 4], [10, 8], [10, 1.0]])
    with pytest.raises(ValueError, match="positive"):
        theirs(values)
    assert np.allclose(entropy_weights(values, UP[:2]), by_hand(values), atol=1e-9)
    raised = np.array([[-5, 3], [5, 4], [5, 8], [5, 1.0]])
    assert np.allclose(entropy_weights(raised, UP[:2]), entropy_weights(values, UP[:2]))


def test_a_cost_is_weighed_by_its_mirror_because_pymcdm_knows_no_direction() -> None:
    from pymcdm.weights import entropy_weights as theirs

    values = np.array([[95, 5], [96, 4], [97, 3], [94, 30.0]])
    assert np.allclose(theirs(values, np.array([1, -1])), theirs(values))
    mirrored = np.column_stack([values[:, 0], 33 - values[:, 1]])
    assert np.allclose(entropy_weights(values, np.array([True, False])), by_hand(mirrored))
    assert not np.allclose(entropy_weights(values, np.array([True, False])), theirs(values))


def test_imputation_fills_by_the_word_and_leaves_what_nobody_has() -> None:
    nan = np.nan
    values = np.array([[[1.0, 2, nan, 6], [nan, nan, nan, nan]]])
    assert np.array_equal(impute(values, "none"), values, equal_nan=True)
    assert impute(values, "mean")[0, 0, 2] == 3
    assert impute(values, "median")[0, 0, 2] == 2
    assert impute(values, "group_mean", ["a", "a", "b", "b"])[0, 0, 2] == 6
    # one of no group takes the mean of all, not that of others without
    assert impute(values, "group_mean", ["", "a", "", "a"])[0, 0, 2] == 3
    # a group without a value takes the mean of all
    assert impute(values, "group_mean", ["a", "a", "b", "a"])[0, 0, 2] == 3
    assert np.isnan(impute(values, "mean")[0, 1]).all()


def test_outliers_are_drawn_in_one_by_one_and_else_taken_in_logarithms() -> None:
    one = np.r_[np.arange(1.0, 11), 60]
    found = find_treatment(one)
    assert (found.n_low, found.n_high, found.high, found.is_logged) == (0, 1, 10.0, False)
    assert treat(one, found).max() == 10
    assert find_treatment(-one).n_low == 1
    steep = 2.0 ** (np.arange(200) / 4)
    logged = find_treatment(steep)
    assert logged.is_logged
    assert np.allclose(treat(steep, logged), np.log(steep - 1 + 0.01 * (steep[-1] - 1)))
    # draws below the lowest value seen stay finite
    assert np.isfinite(treat(np.array([-5.0]), logged)).all()
    for flat in (np.full(9, 3.0), np.array([1.0, 2.0]), np.full(5, np.nan), np.empty(0)):
        assert not find_treatment(flat).changes


def test_directions_declared_ranges_and_flat_indicators() -> None:
    values = np.array([[[10.0, 20, 30], [10, 20, 30], [5, 5, 5]]])
    ups = np.array([True, False, True])
    scores = normalise(values, "min_max", ups, (0.0, 100.0))[0]
    assert np.array_equal(scores, [[0, 50, 100], [100, 50, 0], [np.nan] * 3], equal_nan=True)
    ranges = np.array([[0, 0, 0], [20, 40, 10.0]])
    scores = normalise(values, "min_max", ups, (0.0, 100.0), ranges)[0]
    assert np.allclose(scores, [[50, 100, 100], [75, 50, 25], [50] * 3])
    assert np.allclose(normalise(values, "z_score", ups, (1.0, 100.0))[0, 0], [40, 50, 60])
    tied = np.array([[[1.0, 1, 3, np.nan]]])
    assert np.array_equal(
        normalise(tied, "rank", ups[:1], (1.0, 100.0))[0, 0], [25.75, 25.75, 100, np.nan], equal_nan=True
    )


def test_every_step_says_what_it_did() -> None:
    frame = frame_of(10)
    frame.loc[:2, ["brand", "brand__lo", "brand__hi"]] = np.nan
    frame.loc[3, "output"] = 5000
    frame.loc[0, "output"] = np.nan
    index = build_index(panel_of(frame), design_of(imputation="mean", ranges={"rate": (80, 90)}))
    changed = {s.step: s.changed for s in index.steps}
    beyond = int(((frame.loc[1:, "rate"] < 80) | (frame.loc[1:, "rate"] > 90)).sum())
    assert changed == {
        "screening": 1, "imputation": 2, "outliers": 1, "normalisation": beyond, "weighting": 0, "aggregation": 0,
    }  # fmt: skip
    assert index.dropped_entities == {"K000": 0.5}
    assert all(s.text.zh and s.text.en for s in index.steps)


def test_an_indicator_without_data_is_screened_out_and_its_weight_goes_to_its_neighbours() -> None:
    frame = frame_of(8)
    frame.loc[:5, ["brand", "brand__lo", "brand__hi"]] = np.nan
    index = build_index(panel_of(frame), design_of())
    assert index.dropped_indicators == {"brand": 0.25}
    weights = index.weights().set_index("indicator")
    assert weights.loc["output", "equal"] == 0.5
    assert weights.loc["output", "expert"] == pytest.approx(1 / 3)
    assert np.allclose(weights.sum(), 1)


@pytest.mark.parametrize(
    ("code", "pillars"),
    [
        ("QB660", [("a", {"x": 1}), ("b", {"y": 1})]),
        ("QB660", [("a", {"b": 1}), ("b", {"a": 1})]),
        ("QB660", [("a", {"b": 1, "x": 1}), ("b", {"x": 1})]),
        ("QB660", [("a", {})]),
        ("QB660", []),
        ("QB661", [("a", {"x": 0})]),
        ("QB661", [("a", {"x": float("nan")})]),
    ],
)
def test_what_is_no_tree_of_weights_is_refused(code: str, pillars: list[tuple[str, dict[str, float]]]) -> None:
    with pytest.raises(UsageError) as refused:
        IndexDesign(
            id="i", name=same("i"), source=same("s"), declared_on="2024-01-01",
            pillars=tuple(Pillar(id=i, name=same(i), parts=parts) for i, parts in pillars),
        )  # fmt: skip
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("QB661", {"aggregation": "geometric", "scale": (0, 100)}),
        ("QB661", {"scale": (100, 0)}),
        ("QB661", {"least_entity": 1.5}),
        ("QB661", {"ranges": {"rate": (100, 0)}}),
        ("QB144", {"normalisation": "minmax"}),
        ("QB144", {"weighting": "critic"}),
        ("QB148", {"declared_on": "last year"}),
    ],
)
def test_choices_that_cannot_be_are_refused(code: str, changes: dict[str, object]) -> None:
    with pytest.raises(UsageError) as refused:
        design_of(**changes)
    assert refused.value.code == code


def test_too_little_data_no_direction_and_nothing_that_differs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = frame_of(4)
    with pytest.raises(DataError) as refused:
        build_index(panel_of(frame.iloc[:1]), design_of())
    assert refused.value.code == "QB664"
    panel = panel_of(frame)
    with pytest.raises(DataError) as refused:
        build_index(panel, design_of(), period="2023")
    assert refused.value.code == "QB663"
    alike = frame.assign(**{c: frame[c].iloc[0] for c in frame.columns[2:]})
    with pytest.raises(DataError) as refused:
        build_index(panel_of(alike), design_of())
    assert refused.value.code == "QB665"
    context = Indicator(id="output", name=same("output"), unit="yi_cny", better="none")
    monkeypatch.setitem(INDICATORS, "output", context)
    with pytest.raises(UsageError) as nowhere:
        build_index(panel_of(frame), design_of())
    assert nowhere.value.code == "QB662"


def test_designs_are_read_and_their_typos_told() -> None:
    assert read_index_design("cluster_quality").root.id == "cluster_quality.index"
    with pytest.raises(UsageError) as unknown:
        read_index_design("cluster_qualty")
    assert unknown.value.code == "QB666"
    assert "cluster_quality" in unknown.value.fix
    words = {"zh": "指", "en": "i", "source_zh": "源", "source_en": "s"}
    whole = {"id": "own", "declared_on": "2024-02-01", **words, "root": {"rate": 2, "loss": 1}}
    assert parse_index_design({**whole, "scale": [0, 10], "ranges": {"rate": [0, 100]}}, name="own").scale == (0, 10)
    for wrong in ({**whole, "wieghting": "equal"}, {k: v for k, v in whole.items() if k != "root"}):
        with pytest.raises(DataError) as refused:
            parse_index_design(wrong, name="own")
        assert refused.value.code == "QB667"
    assert list_index_designs() == ["cluster_quality"]


def test_neither_library_is_imported_with_the_room() -> None:
    names = "SALib, pymcdm, multiprocess, matplotlib"
    code = (
        "import sys, qbase.scorecards as s; [getattr(s, n) for n in dir(s)];"
        f"print([n for n in '{names}'.split(', ') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
