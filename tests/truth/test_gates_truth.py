"""Gates on known truth: the short version of study_gates.py."""

from __future__ import annotations

import importlib.util
import pathlib
import sys

import numpy as np
import pytest

PATH = pathlib.Path(__file__).with_name("study_gates.py")
SPEC = importlib.util.spec_from_file_location("study_gates", PATH)
study = sys.modules.setdefault("study_gates", importlib.util.module_from_spec(SPEC))
SPEC.loader.exec_module(study)

DRAWS = 3000


@pytest.fixture(scope="module")
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_neither_error_is_more_frequent_than_declared(rng):
    _, false_met, false_missed = study.grid_table(DRAWS, rng, range(1, 201, 9))
    # the largest of many bounds: what a share of exactly 5 % shows at most in one of them
    most = study.upper_bound(1 - study.LEVEL, DRAWS) + 3 * np.sqrt(0.05 * 0.95 / DRAWS)
    assert false_met <= most
    assert false_missed <= most


def test_met_is_found_where_it_is_true(rng):
    assert study.verdict_shares(study.POWER_AT, study.POWER_TRUE, draws=DRAWS, rng=rng).met >= study.POWER_LEAST


def test_one_batch_of_one_never_misses(rng):
    assert study.verdict_shares(1, 0.5, draws=DRAWS, rng=rng).missed == 0


def test_weighted_rates_keep_their_level(rng):
    for n in (30, 60):
        at = study.weighted_shares(n, study.TARGET, draws=1500, rng=rng)
        assert study.upper_bound(at.met, 1500) < 0.08
        assert study.upper_bound(at.missed, 1500) < 0.08


def test_the_probability_is_reliable_where_truths_scatter_around_the_target(rng):
    for low, mean, share, count in study.reliability(draws=40_000, rng=rng):
        if count > 500:
            assert abs(mean - share) < 0.15, low


def test_no_lead_is_shown_as_often_as_declared(rng):
    met, led, _ = study.lead_shares(0.0, n=10, draws=400, rng=rng)
    assert met < 0.1
    assert led < 0.17
