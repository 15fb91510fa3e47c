"""Trends of firms whose batches are alike, on few draws; the long version of changes is study_trend_intervals.py."""

from __future__ import annotations

import functools
import importlib.util
import pathlib
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import beta

from qbase.stats import fit_firm_likeness
from qbase.trends.rates.trend_fit import fit_count_trend, fit_firm_trend


def load(name: str):
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, pathlib.Path(__file__).with_name(f"{name}.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


study = load("study_trend_intervals")
SHAPES = ((20, 5), (6, 10), (16, 1))
LIKE = (0.0, 0.2, 0.4)

DRAWS = 80
LEAST = 0.93
CELL = 0.86
"""Of 80 draws at 95 %, fewer than 86 % are covered once in a thousand."""

PERIODS = 8
TREND_DRAWS = 25


@functools.cache
def draw_grid(history: int, is_paired: bool) -> dict[tuple, pd.DataFrame]:
    return {
        (firms, batches, icc): study.run(
            study.Design(firms=firms, batches=batches, icc=icc, is_paired=is_paired, history=history), DRAWS
        )
        for firms, batches in SHAPES
        for icc in LIKE
    }


@pytest.mark.parametrize(("history", "is_paired"), [(0, False), (0, True), (6, False)])
def test_levels_and_changes_are_covered_on_the_referees_grid(history: int, is_paired: bool) -> None:
    grid = draw_grid(history, is_paired)
    for what in ("level", "change"):
        shares = {cell: float(found[what].mean()) for cell, found in grid.items()}
        assert np.mean(list(shares.values())) >= LEAST
        assert min(shares.values()) >= CELL, shares
    assert np.mean([found["moved"].mean() for found in grid.values()]) < 0.07


def test_taken_as_independent_they_are_called_changed_far_too_often() -> None:
    # the referee found 34.9 %: new firms, six of ten batches each
    assert draw_grid(0, False)[(6, 10, 0.4)]["plain"].mean() > 0.2
    assert draw_grid(0, True)[(20, 5, 0.4)]["correlation"].mean() > 0.2, "the same firms twice are paired"


def draw_trend(rng: np.random.Generator, firms: int, batches: int, icc: float, slope: float, *, is_paired: bool):
    """Return n, k, period and firm of every row, the design, and the average marginal effect in truth."""
    years = np.arange(PERIODS) - (PERIODS - 1) / 2
    rate = expit(np.log(9) + slope * years)
    chance = np.repeat(rate[:, None], firms, axis=1)
    if icc > 0:
        total = (1 - icc) / icc
        place = rng.random((1 if is_paired else PERIODS, firms))
        chance = beta.ppf(np.broadcast_to(place, chance.shape), chance * total, (1 - chance) * total)
    k = rng.binomial(batches, chance).ravel().astype(float)
    period = np.repeat(np.arange(PERIODS), firms)
    firm = np.tile(np.arange(firms), PERIODS) if is_paired else np.arange(PERIODS * firms)
    x = np.column_stack([np.ones(PERIODS), years])
    return np.full(len(k), float(batches)), k, period, firm, x, float(slope * (rate * (1 - rate)).mean())


@pytest.mark.parametrize(("slope", "is_paired"), [(0.0, False), (0.0, True), (0.15, False), (0.1, True)])
def test_slopes_are_covered_and_no_trend_is_seldom_called_one(slope: float, is_paired: bool) -> None:
    rng = np.random.default_rng([9, int(100 * slope), is_paired])
    covered: list[bool] = []
    plain: list[bool] = []
    for firms, batches in SHAPES:
        for icc in LIKE:
            for _ in range(TREND_DRAWS):
                n, k, period, firm, x, truth = draw_trend(rng, firms, batches, icc, slope, is_paired=is_paired)
                likeness = fit_firm_likeness(n.astype(int), k.astype(int), period).mean
                fits = (
                    fit_firm_trend(n, k, period, firm, x, likeness),
                    fit_count_trend(np.bincount(period, n), np.bincount(period, k), x),
                )
                for fit, told in zip(fits, (covered, plain), strict=True):
                    if fit is not None:
                        low, high = fit.limits(0.95)
                        told.append(low <= truth <= high)
    # 225 draws: the share called a trend where there is none is one less what is covered
    assert np.mean(covered) >= LEAST
    assert np.mean(plain) >= LEAST


def test_firms_drawn_twice_are_paired_in_a_pooled_change() -> None:
    """Twelve entities of unlike rates, four firms each; long version study_pooled_trends.py."""
    pooled = load("study_pooled_trends")
    again = pooled.run_pooled(0.4, 60, is_paired=True)
    assert again["paired_width"] < 0.85 * again["independent_width"]
    assert again["paired"] >= CELL
    other = pooled.run_pooled(0.4, 60, is_paired=False)
    assert other["paired_width"] == other["independent_width"]
