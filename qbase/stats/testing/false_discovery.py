"""Many tests at once: the share of false alarms among those that sound."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from statsmodels.stats.multitest import multipletests

from qbase.core.errors import DataError
from qbase.core.given import check_word

Floats = NDArray[np.float64]
Discovery = Literal["bh", "by"]

METHODS = {"bh": "fdr_bh", "by": "fdr_by"}


def false_discovery_q(p_values: ArrayLike, *, method: Discovery = "bh") -> Floats:
    """Return q values: the smallest share of false alarms at which each test would still sound.

    A missing p value is no test: it stays missing and takes nothing from the others. (`multipletests` of statsmodels
    answers one missing value with nothing but missing values, or counts it as a test.)

    Parameters
    ----------
    p_values : array-like, shape (m,)
        One per test, 0 to 1, or NaN where nothing could be tested.
    method : {"bh", "by"}
        Benjamini-Hochberg holds where tests are independent or move together; Benjamini-Yekutieli however they depend,
        at the price of a factor of about log m.

    Returns
    -------
    numpy.ndarray, shape (m,)
        Among the tests with q ≤ α, at most a share α is expected to be false alarms.

    Raises
    ------
    DataError
        A p value outside 0 to 1 (QB594).
    UsageError
        The method is none (QB144).

    References
    ----------
    Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate: a practical and powerful approach to
    multiple testing. JRSS B 57, 289-300.
    Benjamini, Y. and Yekutieli, D. (2001). The control of the false discovery rate in multiple testing under
    dependency. Annals of Statistics 29, 1165-1188.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import false_discovery_q
    >>> false_discovery_q([0.001, 0.008, 0.039, np.nan, 0.2]).round(3)  # the fourth cluster was not tested
    array([0.004, 0.016, 0.052,   nan, 0.2  ])
    """
    check_word("method", method, METHODS)
    p = np.asarray(p_values, dtype=float)
    is_test = ~np.isnan(p)
    tested = p[is_test]
    if ((tested < 0) | (tested > 1)).any():
        worst = tested[(tested < 0) | (tested > 1)][0]
        raise DataError(
            "QB594",
            found=f"{worst:g}",
            expected="0 to 1, or missing where nothing could be tested",
            fix="give p values, not statistics or percentages",
        )
    q = np.full(p.shape, np.nan)
    if len(tested):
        q[is_test] = multipletests(tested, method=METHODS[method])[1]
    return q
