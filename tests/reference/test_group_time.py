"""Group-time effects: published figures of R's did on mpdta, one cohort and period at a time as a second route."""

from __future__ import annotations

import dataclasses
import gzip
import pathlib
import pickle

import numpy as np
import pytest

from qbase.core import Indicator, Text
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.fitting.aggregation import GroupTimePath, aggregate_effects
from qbase.effects.fitting.group_time import fit_group_time

OUTCOME = Indicator(id="X1", name=Text("结果", "outcome"), unit="log_points", better="up")
SAME_DIGITS = 5e-5
"""R prints four decimals."""


def make_grid(y: np.ndarray, start: np.ndarray, weight: np.ndarray | None = None) -> OutcomeGrid:
    return OutcomeGrid(
        indicator=OUTCOME, freq="A", entities=tuple(f"{i:05d}" for i in range(len(y))), first=2003, y=y, n=None, k=None,
        start=start, weight=np.ones(len(y)) if weight is None else weight, cluster=np.arange(len(y)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def mpdta() -> tuple[OutcomeGrid, np.ndarray]:
    """County employment of Callaway and Sant'Anna, as moderndid 0.2.0 carries it; only read, never kept."""
    package = pytest.importorskip("moderndid", reason="needs moderndid (make setup), which carries the data of R's did")
    [path] = pathlib.Path(package.__file__).parent.rglob("mpdta_long.pkl.gz")
    frame = pickle.loads(gzip.decompress(path.read_bytes())).sort_values(["countyreal", "year"])
    n = frame["countyreal"].nunique()
    first = frame["first.treat"].to_numpy(dtype=float).reshape(n, 5)[:, 0]
    grid = make_grid(frame["lemp"].to_numpy().reshape(n, 5), np.where(first > 0, first - 2003, np.nan))
    return grid, frame["lpop"].to_numpy().reshape(n, 5)[:, :1]


def errors(influence: np.ndarray) -> np.ndarray:
    return np.sqrt((influence**2).sum(axis=0))


def test_mpdta_without_covariates(mpdta):
    """did 2.x, README and vignette; the standard errors are the analytic ones, of csdid, differences and moderndid."""
    grid, _ = mpdta
    found = fit_group_time(grid, control="never", base="varying")
    assert found.att[0, 1:] == pytest.approx([-0.0105, -0.0704, -0.1373, -0.1008], abs=SAME_DIGITS)
    fit = aggregate_effects(grid, found, leads=3, lags=3)
    assert (fit.beta[0], errors(fit.influence)[0]) == pytest.approx((-0.039951, 0.012034), abs=5e-7)
    late = fit.pick("event", leads=False)
    assert fit.beta[late] == pytest.approx([-0.0199, -0.0510, -0.1373, -0.1008], abs=SAME_DIGITS)
    dynamic = fit.influence[:, late].mean(axis=1)
    assert (fit.beta[late].mean(), float(errors(dynamic))) == pytest.approx((-0.077240, 0.019965), abs=5e-7)
    cohorts = fit.pick("cohort")
    assert fit.beta[cohorts] == pytest.approx([-0.0797, -0.0229, -0.0261], abs=SAME_DIGITS)
    sizes = fit.n_treated[cohorts]
    assert sizes.tolist() == [20, 40, 131]
    assert fit.beta[cohorts] @ sizes / sizes.sum() == pytest.approx(-0.031018, abs=5e-7)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_mpdta_doubly_robust_whatever_the_unit_of_the_covariate(mpdta, scale: float):
    """csdid 0.4.3, differences 0.3.0, moderndid 0.2.0: −0.0417518 (0.0115028), dynamic −0.080354 (0.018958)."""
    grid, population = mpdta
    found = fit_group_time(grid, control="never", base="varying", covariates=scale * population)
    fit = aggregate_effects(grid, found, leads=3, lags=3)
    assert (fit.beta[0], errors(fit.influence)[0]) == pytest.approx((-0.0417518, 0.0115028), abs=5e-8)
    late = fit.pick("event", leads=False)
    dynamic = (fit.beta[late].mean(), float(errors(fit.influence[:, late].mean(axis=1))))
    assert dynamic == pytest.approx((-0.080354, 0.018958), abs=5e-7)


def simulate(seed: int, *, gaps: float = 0.0, n: int = 60) -> OutcomeGrid:
    rng = np.random.default_rng(seed)
    start = rng.choice([np.nan, np.nan, 3, 5, 6, 12], n).astype(float)
    y = rng.normal(size=(n, 9)) + rng.normal(size=(n, 1)) + (np.arange(9) >= start[:, None])
    y[rng.random(y.shape) < gaps] = np.nan
    return make_grid(y, start, rng.random(n) + 0.2)


def alone(grid: OutcomeGrid, g: int, t: int, *, control: str, base: str, skip: int) -> float:
    """One effect, entity by entity."""
    at = g - 1 - skip if base == "universal" or t >= g - skip else max(t - 1, 0)
    sums = {True: [0.0, 0.0], False: [0.0, 0.0]}
    for i, start in enumerate(grid.start):
        change = grid.y[i, t] - grid.y[i, at]
        free = not start <= (max(t, at) + skip if control == "not_yet" else grid.n_periods - 1 + skip)
        if np.isnan(change) or not (start == g or free):
            continue
        sums[bool(start == g)][0] += grid.weight[i] * change
        sums[bool(start == g)][1] += grid.weight[i]
    if not (sums[True][1] and sums[False][1]):
        return float("nan")
    return sums[True][0] / sums[True][1] - sums[False][0] / sums[False][1]


@pytest.mark.parametrize("gaps", [0.0, 0.08])
@pytest.mark.parametrize("control", ["not_yet", "never"])
@pytest.mark.parametrize("base", ["universal", "varying"])
@pytest.mark.parametrize("skip", [0, 1])
def test_every_effect_is_that_of_its_own_entities(gaps: float, control: str, base: str, skip: int):
    grid = simulate(3, gaps=gaps)
    found = fit_group_time(grid, control=control, base=base, skip=skip)
    for i, g in enumerate(found.cohorts):
        wanted = [alone(grid, g, t, control=control, base=base, skip=skip) for t in range(grid.n_periods)]
        assert found.att[i] == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize("control", ["not_yet", "never"])
def test_the_influence_is_what_leaving_out_an_entity_changes(control: str):
    """The first-order change, here of 1,000 entities: within 2 % of itself and a hundredth of the standard error."""
    grid = simulate(5, n=1000)
    path = GroupTimePath(leads=2, lags=3, control=control)
    whole = path(grid)
    for i in (0, 11, 33):
        moved = whole.beta - path(grid.keep(np.arange(1000) != i)).beta
        far = np.abs(moved - whole.influence[i])
        assert (far <= 0.02 * np.abs(moved) + 0.01 * errors(whole.influence))[np.isfinite(moved)].all()


def test_one_route_for_gaps_and_one_for_complete_panels_are_the_same():
    grid = simulate(7)
    more = make_grid(
        np.vstack([grid.y, np.full((1, 9), np.nan)]), np.append(grid.start, 3.0), np.append(grid.weight, 1e-12)
    )
    path = GroupTimePath(leads=3, lags=4)
    here, there = path(grid), path(more)
    assert here.beta == pytest.approx(there.beta, abs=1e-9, nan_ok=True)
    assert here.influence == pytest.approx(there.influence[:-1], abs=1e-9)
    assert (here.n_treated == there.n_treated).all()


def test_a_straight_line_before_the_start_shows_as_one():
    rng = np.random.default_rng(1)
    start = np.where(np.arange(20) < 6, 7.0, np.nan)
    y = rng.normal(size=(20, 1)) + rng.normal(size=12) + np.where(np.arange(20) < 6, 0.5, 0)[:, None] * np.arange(12)
    fit = GroupTimePath(leads=5, lags=4)(make_grid(y, start))
    assert np.diff(fit.beta[fit.pick("event")]) == pytest.approx(np.full(9, 0.5))


def test_many_outcomes_are_each_outcome_alone():
    grid = simulate(9, gaps=0.05)
    path = GroupTimePath(leads=2, lags=3)
    beta = path.fit_many(grid, np.array([grid.y, 3 * grid.y + 2]))
    fit = path(grid)
    assert beta[0] == pytest.approx(fit.beta, nan_ok=True)
    assert beta[1] == pytest.approx(3 * fit.beta, nan_ok=True)


def test_order_and_scale_change_nothing():
    grid = simulate(11)
    order = np.random.default_rng(2).permutation(60)
    path = GroupTimePath(leads=2, lags=3)
    mixed = make_grid(5 - 7 * grid.y[order], grid.start[order], grid.weight[order])
    assert path(mixed).beta == pytest.approx(-7 * path(grid).beta, nan_ok=True)


def test_mpdta_pre_test_as_published(mpdta):
    """R's did 2.x prints p 0.16812: all effects before the start, each from the period before, are jointly 0."""
    from scipy import stats

    grid, _ = mpdta
    found = fit_group_time(grid, control="never", base="varying")
    early = [(i, t) for i, g in enumerate(found.cohorts) for t in range(1, g)]
    shares = np.zeros((len(early), *found.att.shape))
    for row, cell in enumerate(early):
        shares[row][cell] = 1.0
    influence, att = found.spread(shares), np.array([found.att[cell] for cell in early])
    wald = att @ np.linalg.solve(influence.T @ influence, att)
    assert round(float(stats.chi2.sf(wald, len(early))), 5) == 0.16812


ONE_SUM = 1e-9
"""The same sums in another order: outcomes around 1 with hundreds of entities."""


@pytest.mark.parametrize("control", ["not_yet", "never"])
@pytest.mark.parametrize("base", ["universal", "varying"])
@pytest.mark.parametrize("adjust", ["dr", "reg", "ipw"])
@pytest.mark.parametrize("skip", [0, 1])
def test_a_panel_without_gaps_has_the_effects_that_its_entities_have_one_by_one(control, base, adjust, skip):
    """A last period that nobody is seen in makes it a panel with gaps, which is compared entity by entity."""
    grid = simulate(7, n=300)
    x = np.random.default_rng(8).normal(size=(300, 2)) + 0.3 * np.isfinite(grid.start)[:, None]
    open_end = dataclasses.replace(grid, y=np.column_stack([grid.y, np.full(300, np.nan)]))
    words = {"control": control, "base": base, "adjust": adjust, "skip": skip, "covariates": x}
    whole, alone = fit_group_time(grid, **words), fit_group_time(open_end, **words)
    assert whole.att == pytest.approx(alone.att[:, :-1], abs=ONE_SUM, nan_ok=True)
    assert (whole.n_treated == alone.n_treated[:, :-1]).all()
    assert (whole.n_control == alone.n_control[:, :-1]).all()
    shares = np.random.default_rng(9).random((3, *whole.att.shape)) * np.isfinite(whole.att)
    padded = np.concatenate([shares, np.zeros((*shares.shape[:2], 1))], axis=2)
    assert whole.spread(shares) == pytest.approx(alone.spread(padded), abs=ONE_SUM)
