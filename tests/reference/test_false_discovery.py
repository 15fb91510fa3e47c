"""q values against a published example, R and statsmodels.

Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate: a practical and powerful approach to
multiple testing. JRSS B 57, 289-300, section 3.2: 15 p values of a trial of thrombolysis; the procedure rejects four
at 5 %, Bonferroni's three.
"""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from qbase.core import DataError, UsageError
from qbase.stats import false_discovery_q

NEUHAUS = [
    0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
]  # fmt: skip
# R 4.2.2: p.adjust(p, "BH"), where NA is no test
WITH_A_GAP = [0.001, 0.008, 0.039, 0.041, np.nan, 0.042, 0.06, 0.2]
BY_R = [0.007, 0.028, 0.0588, 0.0588, np.nan, 0.0588, 0.07, 0.2]


def test_the_published_example_rejects_four() -> None:
    q = false_discovery_q(NEUHAUS)
    assert (q <= 0.05).sum() == 4
    assert (np.array(NEUHAUS) <= 0.05 / 15).sum() == 3
    # by hand: 15/4 · 0.0095 and 15/3 · 0.0019
    assert q[[2, 3]] == pytest.approx([15 / 3 * 0.0019, 15 / 4 * 0.0095], abs=1e-12)


def test_a_missing_value_is_no_test_as_in_r_and_unlike_statsmodels() -> None:
    q = false_discovery_q(WITH_A_GAP)
    np.testing.assert_allclose(q, BY_R, atol=1e-12)
    assert np.isnan(multipletests(WITH_A_GAP, method="fdr_bh")[1]).all(), "the reason for our own guard"


@pytest.mark.parametrize(("method", "theirs"), [("bh", "fdr_bh"), ("by", "fdr_by")])
def test_without_gaps_the_values_are_those_of_statsmodels(method: str, theirs: str) -> None:
    p = np.random.default_rng(3).uniform(size=40) ** 3
    np.testing.assert_allclose(false_discovery_q(p, method=method), multipletests(p, method=theirs)[1])


def test_what_is_no_p_value_is_refused_and_nothing_tested_says_nothing() -> None:
    with pytest.raises(DataError, match="QB594"):
        false_discovery_q([0.2, 1.4])
    with pytest.raises(UsageError, match="QB144"):
        false_discovery_q([0.2], method="holm")
    assert np.isnan(false_discovery_q([np.nan, np.nan])).all()
    assert false_discovery_q([]).shape == (0,)
