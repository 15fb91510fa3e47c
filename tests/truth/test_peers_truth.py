"""Funnels and ranks where the truth is known: how often they say something that is not so."""

from __future__ import annotations

import numpy as np
import pytest

from qbase.stats import funnel_limits, mean_interval, rank_intervals, square_and_add, wilson_interval

ENTITIES = 1600
"""Compared in all, in a design."""
RANKINGS = 300
MC_ERRORS = 3.0


def draw_alike(rng: np.random.Generator, n: np.ndarray, p: float, likeness: float) -> np.ndarray:
    """Entities that differ by the usual spread and none of them more: beta-binomial counts."""
    if likeness == 0:
        return rng.binomial(n, p)
    total = (1 - likeness) / likeness
    return rng.binomial(n, rng.beta(p * total, (1 - p) * total, len(n)))


def alarms(m: int, size: float, p: float, likeness: float, **options) -> tuple[float, float]:
    """Return the share of entities outside the 95 % limits, and what the funnels expected, in percent."""
    rng = np.random.default_rng(7)
    seen = expected = 0.0
    funnels = ENTITIES // m
    for _ in range(funnels):
        n = 4 + rng.poisson(size * rng.lognormal(0, 0.5, m))
        funnel = funnel_limits(draw_alike(rng, n, p, likeness), n, **options)
        seen += float((funnel.is_low[0] | funnel.is_high[0]).mean())
        expected += float(funnel.false_alarms[0]) / m
    return 100 * seen / funnels, 100 * expected / funnels


@pytest.mark.parametrize("m", [12, 40])
@pytest.mark.parametrize(("size", "p"), [(13, 0.9), (60, 0.97), (300, 0.93)])
@pytest.mark.parametrize("likeness", [0.0, 0.03, 0.1])
def test_alike_entities_are_rarely_called_outside(m, size, p, likeness):
    seen, expected = alarms(m, size, p, likeness)
    error = 100 * np.sqrt(0.05 * 0.95 / ENTITIES)
    assert seen < 5.0 + MC_ERRORS * error
    assert abs(seen - expected) < 2.5


def test_limits_that_are_not_widened_enough_raise_false_alarms():
    """As published, winsorising narrows the limits though nobody is an outsider."""
    corrected, published, plain = (
        alarms(40, 300, 0.93, 0.03, **how)[0] for how in ({}, {"is_corrected": False}, {"dispersion": "none"})
    )
    assert corrected < 5.0 < 6.5 < published
    assert plain > 35.0


def test_one_that_differs_is_found():
    rng, found = np.random.default_rng(3), 0
    for _ in range(60):
        n = rng.integers(60, 140, 30)
        p = np.full(30, 0.93)
        p[0] = 0.75
        found += bool(funnel_limits(rng.binomial(n, p), n).is_low[1, 0])
    assert found > 40


@pytest.mark.parametrize("n", [8, 16, 60])
@pytest.mark.parametrize("p", [0.9, 0.97])
@pytest.mark.parametrize("truth", ["all alike", "two groups", "all apart"])
def test_ranks_cover_all_true_ranks_at_once(n, p, truth):
    m, rng = 10, np.random.default_rng(11)
    rates = {
        "all alike": np.full(m, p),
        "two groups": np.where(np.arange(m) < 5, p, p - 0.25),
        "all apart": p - 0.05 * np.arange(m),
    }[truth]
    above = (rates[None, :] > rates[:, None]).sum(axis=1)
    below = (rates[None, :] < rates[:, None]).sum(axis=1)
    covered, told = 0, 0
    for k in rng.binomial(n, rates, (RANKINGS, m)):
        ranks = rank_intervals(k, np.full(m, n))
        # equals may hold any rank of their group, and all of these must lie inside
        covered += bool((ranks.low <= above + 1).all() and (ranks.high >= m - below).all())
        told += int(ranks.is_above.sum())
    assert covered / RANKINGS >= 0.95
    if n == 60 and truth != "all alike":
        assert told / RANKINGS > 2


def test_the_gap_to_peers_is_covered():
    rng, tries = np.random.default_rng(2), 4000
    n = np.array([16, 8, 40, 25, 60])
    p = np.array([0.9, 0.97, 0.85, 0.92, 0.95])
    truth = p[0] - float(n[1:] @ p[1:]) / n[1:].sum()
    covered = 0
    for k in rng.binomial(n, p, (tries, 5)):
        low, high = wilson_interval(k, n)
        rest = mean_interval(k[1:] / n[1:], low[1:], high[1:], weight=n[1:])
        _, a, b = square_and_add((k[0] / n[0], low[0], high[0]), rest)
        covered += bool(a <= truth <= b)
    assert covered / tries > 0.94
