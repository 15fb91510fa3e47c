"""Imputation on pyfixest's own heterogeneous panel, against diff-diff 3.13.0 and a regression on dummies.

The panel is shipped in pyfixest (``pyfixest/did/data/df_het.csv``, 1,500 units, 31 years, cohorts 2000 and 2010); it is
another draw than the one of R's didimputation, whose README figures (static 2.262952) do not hold here. The figures
below are those of ``ImputationDiD().fit(…)`` of diff-diff 3.13.0, whose standard errors carry no small-sample factor.
"""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from qbase.core import Indicator, Text
from qbase.effects.comparison.outcome_grid import OutcomeGrid
from qbase.effects.fitting.imputation import fit_imputation
from qbase.effects.fitting.path_fit import PathFit, clustered_vcov

# term: value, standard error
PUBLISHED = {
    ("att", None): (2.2304816184, 0.0183057112),
    ("event", 0): (1.3730783363, 0.0426727760),
    ("event", 5): (2.0592033293, 0.0430237630),
    ("event", 10): (2.5013383536, 0.0454759860),
    ("event", 15): (2.9097391720, 0.0657300079),
    ("event", 20): (2.9119654644, 0.0656966460),
    ("cohort", 10): (2.5034106151, 0.0225816384),
    ("cohort", 20): (1.7717999630, 0.0224482448),
}
POINTS = 1e-8
"""diff-diff projects in turns until changes fall below its tolerance: its points are some 1e-11 off the exact ones."""
N_UNITS = 1500


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return pd.read_csv(str(files("pyfixest") / "did" / "data" / "df_het.csv"))


@pytest.fixture(scope="module")
def grid(panel: pd.DataFrame) -> OutcomeGrid:
    y = panel.pivot(index="unit", columns="year", values="dep_var").to_numpy(dtype=float)
    cohort = panel.groupby("unit")["g"].first().to_numpy()
    name = Text("结果", "outcome")
    return OutcomeGrid(
        indicator=Indicator(id="X1.dep_var", name=name, unit="log_points", better="up"),
        freq="A",
        entities=tuple(f"{i:04d}" for i in range(len(y))),
        first=int(panel["year"].min()) - 1970,
        y=y,
        n=None,
        k=None,
        start=np.where(cohort == 0, np.nan, cohort - panel["year"].min()).astype(float),
        weight=np.ones(len(y)),
        cluster=np.arange(len(y)),
    )


@pytest.fixture(scope="module")
def fit(grid: OutcomeGrid) -> PathFit:
    return fit_imputation(grid, leads=10, lags=20)


@pytest.mark.parametrize("term", list(PUBLISHED))
def test_points_and_errors_are_those_of_diff_diff(fit: PathFit, term: tuple[str, int | None]) -> None:
    at = fit.terms.index(term)
    value, std_error = PUBLISHED[term]
    assert fit.beta[at] == pytest.approx(value, abs=POINTS)
    assert np.sqrt((fit.influence[:, at] ** 2).sum()) == pytest.approx(std_error, abs=POINTS)
    factor = N_UNITS / (N_UNITS - 1)
    clustered = clustered_vcov(fit, np.arange(N_UNITS))[at, at]
    assert np.sqrt(clustered / factor) == pytest.approx(std_error, abs=POINTS)


def test_points_are_those_of_a_regression_on_dummies(grid: OutcomeGrid, fit: PathFit) -> None:
    """The first 150 units: 181 dummies by least squares, without any of our shortcuts."""
    few = grid.keep(np.arange(N_UNITS) < 150)
    since = few.event_time
    row, column = np.nonzero(~(since >= 0))
    x = np.zeros((len(row), 150 + few.n_periods))
    x[np.arange(len(row)), row] = 1
    x[np.arange(len(row)), 150 + column] = 1
    beta = np.linalg.lstsq(x, few.y[row, column], rcond=None)[0]
    effects = (few.y - beta[:150, None] - beta[None, 150:])[since >= 0]
    assert fit_imputation(few, leads=4, lags=4).beta[0] == pytest.approx(effects.mean(), abs=1e-10)
    assert fit.terms[0] == ("att", None)


def test_leads_from_the_average_are_less_noisy_than_from_one_period(fit: PathFit) -> None:
    """diff-diff's leads from base −1: 0.0291 (0.0634) at −2, 0.0612 (0.0614) at −3."""
    for lead, by_last_period in ((-2, 0.0633831565), (-3, 0.0614250905)):
        at = fit.terms.index(("event", lead))
        assert np.sqrt((fit.influence[:, at] ** 2).sum()) < 0.7 * by_last_period
