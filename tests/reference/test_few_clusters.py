"""Few clusters against published and foreign numbers: clubSandwich 0.5.8, plm 2.6.2, pyfixest, on Grunfeld's firms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from qbase.effects.doubt.wild_enumeration import sign_vectors
from qbase.effects.fitting.pyfixest_guard import run_feols
from qbase.stats.regression.clustered_covariance import fit_clustered
from qbase.stats.testing.adoption_permutations import permutation_p

PRINTED = 5e-8
"""clubSandwich prints seven decimals, degrees of freedom five."""

# clubSandwich 0.5.8, plm within, Grunfeld: standard error, degrees of freedom and p of the firm's value
CLUB = {
    "CR1": (0.0151179, 2.65559, 0.0079565),
    "CR2": (0.0206311, 1.81257, 0.0410218),
    "CR3": (0.0359376, 1.34280, 0.1470969),
}


@pytest.fixture(scope="module")
def firms() -> pd.DataFrame:
    """Return the ten firms and twenty years plm ships; statsmodels has an eleventh, American Steel."""
    data = sm.datasets.grunfeld.load_pandas().data
    ten = data[data["firm"] != "American Steel"].copy()
    assert ten.shape == (200, 5)
    ten["firm"] = ten["firm"].astype(str)
    return ten


def within(data: pd.DataFrame, *columns: str) -> np.ndarray:
    net = data[list(columns)] - data.groupby("firm")[list(columns)].transform("mean")
    return net.to_numpy(dtype=float)


def fitted(data: pd.DataFrame, kind: str):
    codes = np.unique(data["firm"], return_inverse=True)[1]
    return fit_clustered(within(data, "invest")[:, 0], within(data, "value", "capital"), codes, kind=kind)


@pytest.mark.parametrize("kind", CLUB)
def test_clubsandwich_to_the_printed_digits(firms: pd.DataFrame, kind: str) -> None:
    fit = fitted(firms, kind)
    error, df, p = CLUB[kind]
    assert fit.beta[0] == pytest.approx(0.1101238, abs=PRINTED)
    assert fit.std_errors[0] == pytest.approx(error, abs=PRINTED)
    assert fit.df[0] == pytest.approx(df, abs=5e-6)
    assert 2 * stats.t.sf(fit.beta[0] / fit.std_errors[0], fit.df[0]) == pytest.approx(p, abs=PRINTED)


def test_clubsandwich_of_the_second_regressor(firms: pd.DataFrame) -> None:
    fit = fitted(firms, "CR2")
    assert fit.std_errors[1] == pytest.approx(0.0826753, abs=PRINTED)
    assert fit.df[1] == pytest.approx(1.79953, abs=5e-6)
    assert 2 * stats.t.sf(fit.beta[1] / fit.std_errors[1], fit.df[1]) == pytest.approx(0.0755287, abs=PRINTED)


def test_plm_and_pyfixest_are_the_same_sandwich_with_other_factors(firms: pd.DataFrame) -> None:
    plain = fitted(firms, "CR0").std_errors[0]
    assert plain == pytest.approx(0.0143421, abs=PRINTED)  # plm, arellano HC0
    assert plain * np.sqrt(10 / 9 * 199 / 198) == pytest.approx(0.0151561, abs=PRINTED)  # plm sss, linearmodels
    foreign = run_feols("invest ~ value + capital | firm", firms, vcov={"CRV1": "firm"}, weights=None, plain=False)
    assert plain * np.sqrt(10 / 9 * 199 / 197) == pytest.approx(0.0151945, abs=PRINTED)
    assert np.sqrt(foreign._vcov[0, 0]) == pytest.approx(0.0151945, abs=PRINTED)


def test_jackknife_by_hand_is_cr3_with_its_factor(firms: pd.DataFrame) -> None:
    fit = fitted(firms, "CR3")
    again = []
    for firm in firms["firm"].unique():
        left = firms[firms["firm"] != firm]
        x = within(left, "value", "capital")
        again.append(np.linalg.lstsq(x, within(left, "invest")[:, 0], rcond=None)[0][0])
    by_hand = np.sqrt(0.9 * ((np.array(again) - fit.beta[0]) ** 2).sum())
    assert by_hand == pytest.approx(0.03409, abs=5e-6)
    assert fit.std_errors[0] * np.sqrt(0.9) == pytest.approx(by_hand, rel=1e-9)


def test_enumerated_signs_of_four_clusters_cannot_go_below_one_eighth() -> None:
    # surprises.md: diff-diff prints p = 0.0 here, pyfixest and wildboottest 0.125 = 2/16
    effects = np.array([1.37, 1.40, 1.41, 1.43])
    signs = sign_vectors(4)
    assert len(signs) == 15
    assert permutation_p(effects.mean(), np.abs(signs @ effects / 4)) == 0.125
