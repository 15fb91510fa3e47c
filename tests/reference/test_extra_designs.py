"""The extras held to other software: pyfixest, statsmodels, diff-diff and moderndid, and to tables worked by hand."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Panel, Policy, Spell, Text
from qbase.effects import estimate_interrupted_series, estimate_staggered, estimate_triple_difference
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.fitting.aggregation import GroupTimePath
from qbase.effects.fitting.batch_cells import fit_batch_cells, weigh_by_batches
from qbase.effects.fitting.group_time import GroupTime
from qbase.effects.fitting.interaction_weighted import InteractionPath
from qbase.stats import fit_series

SAME = 1e-6
"""pyfixest's demeaner stops at 1e-6 to 1e-8."""

EXACT = 1e-8

RATE = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")


def make_grid(y: np.ndarray, start: np.ndarray, n: np.ndarray | None = None) -> OutcomeGrid:
    k = None if n is None else np.round(y * n / 100)
    return OutcomeGrid(
        indicator=RATE, freq="A", entities=tuple(f"{i:03d}" for i in range(len(y))), first=2010, y=y, n=n, k=k,
        start=start, weight=np.ones(len(y)), cluster=np.arange(len(y)),
    )  # fmt: skip


def draw(*, gaps: float, n: int = 40, periods: int = 8) -> OutcomeGrid:
    rng = np.random.default_rng(11)
    start = np.where(np.arange(n) < n // 2, np.array([3, 4, 6])[np.arange(n) % 3], np.nan)
    y = rng.normal(size=(n, periods)) + rng.normal(size=(n, 1)) + 2 * (np.arange(periods) >= start[:, None])
    y[rng.random(y.shape) < gaps] = np.nan
    return make_grid(y, start)


def errors(influence: np.ndarray) -> np.ndarray:
    return np.sqrt((influence**2).sum(axis=0))


def saturated(grid: OutcomeGrid):
    """Fit pyfixest's saturated event study (Sun and Abraham) on the rows of a grid."""
    import pyfixest

    count, periods = grid.y.shape
    frame = pd.DataFrame(
        {
            "entity": np.repeat(np.arange(count), periods),
            "year": np.tile(np.arange(periods), count) + 1,
            "first": np.repeat(np.nan_to_num(grid.start + 1).astype(int), periods),
            "y": grid.y.ravel(),
        }
    ).dropna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = pyfixest.event_study(
            frame, yname="y", idname="entity", tname="year", gname="first", estimator="saturated", cluster="entity"
        )
    n, clusters = len(frame), frame["entity"].nunique()
    parameters = len(model.tidy()) + frame["year"].nunique()
    return model, np.sqrt((n - 1) / (n - parameters) * clusters / (clusters - 1))


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_every_cell_of_sun_and_abraham_is_that_of_pyfixest(gaps: float):
    """pyfixest 0.60.0, SaturatedEventStudy: coefficients and clustered errors, with and without gaps."""
    grid = draw(gaps=gaps)
    model, factor = saturated(grid)
    found = InteractionPath(leads=3, lags=4).fit(grid)
    shares = np.zeros((found.att.size, *found.att.shape))
    shares.reshape(found.att.size, -1)[np.diag_indices(found.att.size)] = 1.0
    own = errors(found.spread(shares)).reshape(found.att.shape)
    table = model.tidy()
    assert len(table) == np.isfinite(found.att).sum() - len(found.cohorts)
    for name, row in table.iterrows():
        event, first = float(str(name).split("::")[1].split(":")[0]), int(str(name).rsplit("::", 1)[1])
        at = found.cohorts.index(first - 1), int(first - 1 + event)
        assert found.att[at] == pytest.approx(row["Estimate"], abs=SAME)
        assert factor * own[at] == pytest.approx(row["Std. Error"], abs=SAME)


def test_event_times_of_sun_and_abraham_are_those_of_pyfixest():
    """pyfixest takes the shares of cohorts as known; where two cohorts do not differ in size their part is small."""
    grid = draw(gaps=0.0)
    model, factor = saturated(grid)
    table = model.aggregate()
    path = InteractionPath(leads=3, lags=4)
    found = path.fit(grid)
    fit = path(grid)
    for i in fit.pick("event"):
        event = fit.terms[i][1]
        if event == -1:
            assert fit.beta[i] == 0
            continue
        there = [(g, c + event) for g, c in enumerate(found.cohorts) if 0 <= c + event < grid.n_periods]
        sizes = np.array([(grid.start == found.cohorts[g]).sum() for g, _ in there], dtype=float)
        known = np.zeros((1, *found.att.shape))
        for (g, t), size in zip(there, sizes, strict=True):
            known[0, g, t] = size / sizes.sum()
        row = table.loc[float(event)]
        assert fit.beta[i] == pytest.approx(row["Estimate"], abs=SAME)
        assert factor * errors(found.spread(known))[0] == pytest.approx(row["Std. Error"], abs=SAME)


def test_the_error_of_the_shares_is_what_leaving_out_an_entity_changes():
    grid = draw(gaps=0.05, n=400)
    path = InteractionPath(leads=2, lags=3)
    whole = path(grid)
    for i in (0, 7, 300):
        moved = whole.beta - path(grid.keep(np.arange(400) != i)).beta
        far = np.abs(moved - whole.influence[i])
        assert (far <= 0.05 * np.abs(moved) + 0.01 * errors(whole.influence))[np.isfinite(moved)].all()


def test_many_outcomes_of_sun_and_abraham_are_each_outcome_alone():
    grid = draw(gaps=0.1)
    path = InteractionPath(leads=2, lags=3)
    beta = path.fit_many(grid, np.array([grid.y, 3 * grid.y + 2]))
    fit = path(grid)
    assert beta[0] == pytest.approx(fit.beta, nan_ok=True)
    assert beta[1] == pytest.approx(3 * fit.beta, nan_ok=True)


def test_without_anybody_never_treated_the_last_are_compared_until_they_start():
    grid = draw(gaps=0.0)
    early = grid.keep(grid.is_treated)
    found = InteractionPath(leads=2, lags=2).fit(early)
    assert found.cohorts == (3, 4)
    assert np.isnan(found.att[:, 6:]).all()
    change = early.y - early.y[:, [2]]
    wanted = change[early.start == 3].mean(axis=0) - change[early.start == 6].mean(axis=0)
    assert found.att[0, :6] == pytest.approx(wanted[:6])


def batches(*, empty: float) -> OutcomeGrid:
    """36 towns with 3 to 20 batches a year, unequal between towns and years."""
    rng = np.random.default_rng(5)
    start = np.where(np.arange(36) < 18, np.array([3, 4])[np.arange(36) % 2], np.nan)
    n = rng.integers(3, 21, size=(36, 7)).astype(float)
    n[rng.random(n.shape) < empty] = 0
    rate = 0.7 + 0.1 * (np.arange(7) >= start[:, None]) + rng.normal(scale=0.05, size=(36, 1))
    k = rng.binomial(n.astype(int), np.clip(rate, 0, 1))
    return make_grid(np.where(n > 0, 100 * k / np.where(n > 0, n, 1), np.nan), start, n)


def expand(grid: OutcomeGrid) -> pd.DataFrame:
    """One row a batch, 100 where it passed."""
    rows = []
    for i, t in np.argwhere(grid.n > 0):
        first = 0 if np.isnan(grid.start[i]) else int(grid.start[i]) + 1
        passed = int(grid.k[i, t])
        rows += [(i, t + 1, first, 100.0 * (b < passed)) for b in range(int(grid.n[i, t]))]
    return pd.DataFrame(rows, columns=["town", "year", "first", "y"])


def by_rows(frame: pd.DataFrame, g: int, t: int) -> tuple[float, float]:
    """One effect and its error from the rows alone, clustered by town (without a small-sample factor)."""
    base, score, att = g - 1, np.zeros(frame["town"].max() + 1), 0.0
    later = max(t, base)
    for sign, mine, at in [(1, True, t), (-1, True, base), (-1, False, t), (1, False, base)]:
        is_side = frame["first"] == g if mine else (frame["first"] == 0) | (frame["first"] > later)
        rows = frame[is_side & (frame["year"] == at) & ((frame["first"] != g) | mine)]
        att += sign * rows["y"].mean()
        apart = (rows["y"] - rows["y"].mean()) / len(rows)
        score += sign * np.bincount(rows["town"], weights=apart, minlength=len(score))
    return att, float(np.sqrt((score**2).sum()))


@pytest.mark.parametrize("empty", [0.0, 0.15])
def test_batches_as_cells_are_batches_as_rows(empty: float):
    grid = weigh_by_batches(batches(empty=empty))
    frame = expand(grid)
    found = fit_batch_cells(grid)
    for i, g in enumerate(found.cohorts):
        for t in range(grid.n_periods):
            shares = np.zeros((1, *found.att.shape))
            shares[0, i, t] = 1.0
            att, error = by_rows(frame, g + 1, t + 1)
            assert found.att[i, t] == pytest.approx(att, abs=EXACT)
            assert errors(found.spread(shares))[0] == pytest.approx(error, abs=EXACT)


def aggregates_by_rows(frame: pd.DataFrame, found: GroupTime, grid: OutcomeGrid) -> float:
    """Mean over treated cells, a cohort by its rows in all periods, as R's did weighs repeated cross-sections."""
    size = frame[frame["first"] > 0].groupby("first").size()
    cells = [(g + 1, t + 1) for g in found.cohorts for t in range(g, grid.n_periods)]
    weights = np.array([size[g] for g, _ in cells], dtype=float)
    return float(np.array([by_rows(frame, g, t)[0] for g, t in cells]) @ weights / weights.sum())


def test_the_average_over_batches_is_that_of_the_rows():
    grid = weigh_by_batches(batches(empty=0.1))
    fit = GroupTimePath(leads=2, lags=3, rows="batches")(grid)
    assert fit.beta[0] == pytest.approx(aggregates_by_rows(expand(grid), fit_batch_cells(grid), grid), abs=EXACT)


def test_batches_as_cells_are_the_rows_of_diff_diff():
    """diff-diff 3.13.0, CallawaySantAnna(panel=False) on expanded rows, clustered by town: factor √(G/(G − 1))."""
    package = pytest.importorskip("diff_diff", reason="needs diff-diff (make setup)")
    grid = weigh_by_batches(batches(empty=0.0))
    frame = expand(grid).assign(row=lambda f: np.arange(len(f)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = package.CallawaySantAnna(
            panel=False,
            control_group="not_yet_treated",
            estimation_method="reg",
            cluster="town",
            base_period="universal",
        )
        theirs = model.fit(frame, outcome="y", unit="row", time="year", first_treat="first")
    found = fit_batch_cells(grid)
    towns, seen = 36, 0
    for (g, t), cell in theirs.group_time_effects.items():
        i = found.cohorts.index(int(g) - 1)
        if int(t) == int(g) - 1:
            continue
        shares = np.zeros((1, *found.att.shape))
        shares[0, i, int(t) - 1] = 1.0
        assert found.att[i, int(t) - 1] == pytest.approx(cell["effect"], abs=EXACT)
        own = errors(found.spread(shares))[0] * np.sqrt(towns / (towns - 1))
        assert own == pytest.approx(cell["se"], abs=EXACT)
        seen += 1
    assert seen == 2 * (grid.n_periods - 1)


def make_panel(values: np.ndarray, names: list[str], *, n: np.ndarray | None = None) -> Panel:
    frame = pd.DataFrame(
        {
            "entity": np.repeat(names, values.shape[1]),
            "year": np.tile(np.arange(2010, 2010 + values.shape[1]), len(names)),
            "rate": values.ravel(),
        }
    )
    if n is not None:
        frame = frame.assign(rate__n=n.ravel(), rate__k=np.round(values * n / 100).ravel())
    return Panel.from_frame(
        frame, entity="entity", period="year", freq="A", indicators={"rate": dataclasses.replace(RATE)}, in_percent=True
    )


def triple(values: np.ndarray, places: str, *, start: int) -> tuple[Panel, Policy, dict[str, str]]:
    """Two firms a place, of which the kilns of the first half of the places are treated."""
    names = [f"{p}{kind}" for p in places for kind in ("k", "o")]
    half = places[: len(places) // 2]
    spells = tuple(Spell(entity=f"{p}k", start=str(2010 + start)) for p in half)
    policy = Policy(policy_id="p", title=Text("政策", "policy"), spells=spells, group={e: e[1] for e in names})
    return make_panel(values, names), policy, {e: e[0] for e in names}


def test_a_triple_difference_by_hand():
    """Kilns rise by 7 and others by 2 where the policy is; by 3 and 1 elsewhere: (7 − 2) − (3 − 1) = 3."""
    rises = {"A": (8, 2), "B": (7, 2), "C": (6, 2), "D": (4, 1), "E": (3, 1), "F": (2, 1)}
    values = np.array([[60.0 + i, 60.0 + i + rise] for i, pair in enumerate(rises.values()) for rise in pair])
    panel, policy, places = triple(values, "ABCDEF", start=1)
    att = estimate_triple_difference(panel, policy, "rate", clusters=places)["att"]
    assert att.value == pytest.approx(3)
    assert (att.n_treated, att.n_cells, att.n_obs) == (3, 3, 12)


def test_a_triple_difference_is_least_squares_with_all_pairs_of_effects():
    """statsmodels 0.15, OLS on dummies of entities, place × period and group × period."""
    import statsmodels.formula.api as smf

    rng = np.random.default_rng(3)
    panel, policy, places = triple(70 + rng.normal(size=(16, 6)), "ABCDEFGH", start=3)
    rows = panel.data.reset_index()
    rows["year"] = rows["period"].astype(str)
    rows["place"], rows["kind"] = rows["entity"].map(places), rows["entity"].map(dict(policy.group))
    rows["d"] = [
        float(e in policy.first_treated and y >= "2013") for e, y in zip(rows["entity"], rows["year"], strict=True)
    ]
    with warnings.catch_warnings():
        # redundant dummies; the coefficient of d is unique
        warnings.simplefilter("ignore")
        model = smf.ols("rate ~ d + C(entity) + C(place):C(year) + C(kind):C(year)", data=rows).fit()
    found = estimate_triple_difference(panel, policy, "rate", clusters=places)
    assert found["att"].value == pytest.approx(model.params["d"], abs=EXACT)


def test_newey_and_west_on_the_nile():
    """statsmodels 0.15, Nile 1871 to 1970 on year, HAC with maxlags=4: 0.6956 (R's NeweyWest prewhitens: 0.7257)."""
    import statsmodels.api as sm

    nile = sm.datasets.nile.load_pandas().data
    x = np.column_stack([np.ones(100), nile["year"] - nile["year"].mean()])
    fit = fit_series(nile["volume"].to_numpy(dtype=float), x, lags=4, is_corrected=False)
    assert round(float(fit.std_errors[1]), 4) == 0.6956
    theirs = sm.OLS(nile["volume"], x).fit(cov_type="HAC", cov_kwds={"maxlags": 4})
    assert fit.vcov == pytest.approx(theirs.cov_params().to_numpy(), rel=1e-10)


def test_an_interrupted_series_is_least_squares_with_newey_west_errors():
    import statsmodels.api as sm

    rng = np.random.default_rng(8)
    values = 70 + rng.normal(size=(3, 16)) + 0.3 * np.arange(16) + 4 * (np.arange(16) >= 9)
    spells = tuple(Spell(entity=e, start="2019") for e in "abc")
    policy = Policy(policy_id="p", title=Text("政策", "policy"), spells=spells)
    result = estimate_interrupted_series(make_panel(values, list("abc")), policy, "rate", errors_alike=2)
    time = np.arange(16) - 9
    after = time >= 0
    x = np.column_stack([np.ones(16), time, after, time * after])
    model = sm.OLS(values.mean(axis=0), x).fit(
        cov_type="HAC", cov_kwds={"maxlags": 2, "use_correction": True}, use_t=True
    )
    low, high = model.conf_int()[2]
    jump = result["level"]
    assert (jump.value, jump.std_error) == pytest.approx((model.params[2], model.bse[2]), rel=1e-9)
    assert (jump.ci_low, jump.ci_high) == pytest.approx((low, high), rel=1e-9)
    average = model.t_test([0, 0, 1, time[after].mean()])
    assert (result["att"].value, result["att"].std_error) == pytest.approx(
        (float(average.effect[0]), float(average.sd.item())), rel=1e-9
    )


def test_estimate_staggered_takes_batches_as_rows():
    grid = batches(empty=0.0)
    spells = tuple(
        Spell(entity=e, start=str(2010 + int(s))) for e, s in zip(grid.entities, grid.start, strict=True) if s == s
    )
    policy = Policy(policy_id="p", title=Text("政策", "policy"), spells=spells)
    panel = make_panel(grid.y, list(grid.entities), n=grid.n)
    result = estimate_staggered(panel, policy, "rate", rows="batches")
    wanted = GroupTimePath(leads=3, lags=3, rows="batches")(weigh_by_batches(grid))
    assert result["att"].value == pytest.approx(wanted.beta[0], abs=EXACT)
    assert any("depends on how much is tested" in note.en for note in result.notes)
    table = result.tables["group_time"]
    late = table[table["period"] != "2012"]
    assert (late["std_error"] > 0).sum() > 8
    first = fit_batch_cells(weigh_by_batches(grid))
    cell = table[(table["adopted"] == "2013") & (table["period"] == "2014")].iloc[0]
    shares = np.zeros((1, *first.att.shape))
    shares[0, 0, 4] = 1.0
    assert cell["std_error"] == pytest.approx(errors(first.spread(shares))[0] * np.sqrt(36 / 35))
