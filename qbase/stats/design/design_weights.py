"""Design weights on arrays: rows are clusters in a period, columns are strata of the frame (risk class x size).

How firms came into the sample is known only in outline: the frame says how many there are in each stratum, the draws
how many were taken. A cluster-quarter of sixteen batches cannot tell the rates of twelve strata apart, so the
sampling rates are partially pooled: what the programme took from a stratum relative to the others is estimated over
all clusters of a year, and the cluster's own draws count as much as they are many (`OWN_DRAWS`).
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OWN_DRAWS = 20.0
"""A group of strata with so many draws of its own decides half of its sampling rate itself."""

PRIOR_DRAWS = 1.0
"""Weight of "every stratum alike" in the relative rates: one draw, so that no rate is ever 0."""

LEAST_FIRMS = 2
"""Strata are merged until so many firms were drawn: one firm tells nothing about the others."""

LEAST_REPEATS = 30
"""With fewer second draws of the same firm their correlation is not estimated: the firm counts once."""


def relative_rates(drawn: Floats, frame: Floats) -> Floats:
    """Return how densely each stratum was drawn relative to the others, whatever each row's size.

    Given the number of draws of a row, they fall on strata in proportion to ``rate * frame``; the rates are those
    that give each stratum its number of draws (maximum likelihood, by a minorise-maximise step as for
    Bradley-Terry models).

    Parameters
    ----------
    drawn, frame : numpy.ndarray, shape (R, H)
        Draws and firms by row and stratum.

    Returns
    -------
    numpy.ndarray, shape (H,)
        Relative rates; 1 on average over the firms of the frame. 1 where nothing was drawn at all.

    References
    ----------
    Hunter, D. R. (2004). MM algorithms for generalized Bradley-Terry models. Annals of Statistics 32, 384-406.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import relative_rates
    >>> drawn = np.array([[4.0, 8.0], [3.0, 9.0]])  # two cluster-quarters, risk classes A and C
    >>> relative_rates(drawn, np.array([[40.0, 20.0], [30.0, 20.0]])).round(2)
    array([0.5 , 1.87])
    """
    used = (drawn.sum(1) > 0) & (frame.sum(1) > 0)
    n, size = drawn[used], frame[used]
    rates = np.ones(drawn.shape[1])
    if not used.any():
        return rates
    total, wanted = n.sum(1), n.sum(0) + PRIOR_DRAWS
    for _ in range(200):
        expected = (total / np.maximum(size @ rates, 1e-12)) @ size + PRIOR_DRAWS
        new = wanted / expected
        new *= size.sum() / (new * size.sum(0)).sum()
        step, rates = np.abs(new - rates).max(), new
        if step < 1e-8:
            break
    return rates


def expected_draws(drawn: Floats, frame: Floats, pool: Ints, group: Ints) -> Floats:
    """Return the draws of one kind to be expected per firm, relative rates pooled over rows.

    Parameters
    ----------
    drawn, frame : numpy.ndarray, shape (R, H)
        Draws of this kind and firms.
    pool : numpy.ndarray, shape (R,)
        Rows with the same number share their relative rates: the year.
    group : numpy.ndarray, shape (H,)
        Strata with the same number share theirs: the risk class, where nothing else decides.

    Returns
    -------
    numpy.ndarray, shape (R, H)
        Expected draws per firm; times the frame they sum to the draws of the row.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import expected_draws
    >>> drawn, frame = np.array([[2.0, 6.0], [1.0, 5.0]]), np.array([[40.0, 20.0], [20.0, 20.0]])
    >>> expected = expected_draws(drawn, frame, pool=np.array([2024, 2024]), group=np.array([0, 1]))
    >>> expected.round(3).tolist()
    [[0.063, 0.274], [0.056, 0.244]]
    """
    _, kind = np.unique(group, return_inverse=True)
    order = np.argsort(kind, kind="stable")
    first = np.flatnonzero(np.diff(kind[order], prepend=-1))
    out = np.zeros_like(frame, dtype=float)
    for label in np.unique(pool):
        rows = np.flatnonzero(pool == label)
        own, firms = drawn[rows], frame[rows]
        by_kind = (np.add.reduceat(values[:, order], first, axis=1) for values in (own, firms))
        rates = relative_rates(*by_kind)[kind]
        base = firms @ rates
        per_unit = np.divide(own.sum(1), base, out=np.zeros(len(base)), where=base > 0)
        out[rows] = per_unit[:, None] * rates
    return out


def merge_strata(n_firms: Floats, order: Ints, *, least: int = LEAST_FIRMS) -> Ints:
    """Merge neighbouring strata until each group holds enough firms drawn; what is left joins the last group.

    Parameters
    ----------
    n_firms : numpy.ndarray, shape (R, H)
        Firms drawn.
    order : numpy.ndarray, shape (H,)
        Strata in order of likeness: sizes within a risk class, then the next class.
    least : int
        Firms per group.

    Returns
    -------
    numpy.ndarray, shape (R, H)
        Group of each stratum, 0 and on.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import merge_strata
    >>> firms_drawn = np.array([[3, 1, 1, 4, 0, 1], [0, 1, 0, 1, 0, 5]])
    >>> merge_strata(firms_drawn, order=np.arange(6))
    array([[0, 1, 1, 2, 2, 2],
           [0, 0, 0, 0, 1, 1]])
    """
    group = np.zeros(n_firms.shape, dtype=np.int64)
    current, held = np.zeros(len(n_firms), dtype=np.int64), np.zeros(len(n_firms))
    for h in order:
        group[:, h] = current
        held = held + n_firms[:, h]
        full = held >= least
        current, held = current + full, np.where(full, 0, held)
    merged: Ints = np.minimum(group, np.maximum(current - 1, 0)[:, None])
    return merged


def own_factor(drawn: Floats, expected: Floats, group: Ints, *, own_draws: float = OWN_DRAWS) -> Floats:
    """Return what a row's own draws say against the pooled rates: post-stratification, partially pooled.

    Parameters
    ----------
    drawn, expected : numpy.ndarray, shape (R, H)
        Draws, and draws expected from the pooled rates.
    group : numpy.ndarray, shape (R, H)
        From `merge_strata`.
    own_draws : float
        0 is post-stratification in the row alone; infinity leaves the pooled rates as they are.

    Returns
    -------
    numpy.ndarray, shape (R, H)
        Factor of the weights.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import own_factor
    >>> drawn, expected = np.array([[4.0, 16.0]]), np.array([[8.0, 12.0]])
    >>> own_factor(drawn, expected, np.array([[0, 1]])).round(2)
    array([[1.17, 0.89]])
    >>> own_factor(drawn, expected, np.array([[0, 1]]), own_draws=0).round(2)
    array([[2.  , 0.75]])
    """
    strata = drawn.shape[1]
    place = (np.arange(len(drawn))[:, None] * strata + group).ravel()
    took, due = (
        np.bincount(place, values.ravel(), minlength=drawn.size)[place].reshape(drawn.shape)
        for values in (drawn, expected)
    )
    if np.isinf(own_draws):
        return np.ones(drawn.shape)
    factor: Floats = np.divide(due + own_draws, took + own_draws, out=np.ones(drawn.shape), where=took + own_draws > 0)
    return factor


def rake_weights(
    weighted: Floats, row: Ints, column: Ints, row_total: Floats, column_total: Floats, *, sweeps: int = 200
) -> Floats:
    """Return factors that bring weighted counts to two margins of the frame (iterative proportional fitting).

    Parameters
    ----------
    weighted : numpy.ndarray, shape (H,)
        Weighted counts.
    row, column : numpy.ndarray, shape (H,)
        Category of each count in both margins.
    row_total, column_total : numpy.ndarray
        Known totals by category. A category without counts is left out and its total is spread over the others.
    sweeps : int
        At most so many rounds.

    Returns
    -------
    numpy.ndarray, shape (H,)
        Factors; 1 where there is no count.

    References
    ----------
    Deming, W. E. and Stephan, F. F. (1940). On a least squares adjustment of a sampled frequency table when the
    expected marginal totals are known. Annals of Mathematical Statistics 11, 427-444.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import rake_weights
    >>> weighted, risk, size = np.array([10.0, 20.0, 30.0, 40.0]), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> factor = rake_weights(weighted, risk, size, np.array([60, 40]), np.array([30, 70]))
    >>> factor.round(3), (weighted * factor).round(1)
    (array([1.593, 2.203, 0.469, 0.648]), array([15.9, 44.1, 14.1, 25.9]))
    """
    factor = np.ones(len(weighted))
    grand = float(np.sum(row_total))
    for _ in range(sweeps):
        before = factor.copy()
        for category, total in ((row, row_total), (column, column_total)):
            held = np.bincount(category, weighted * factor, minlength=len(total))
            reached = np.asarray(total, dtype=float) * (held > 0)
            reached *= grand / max(reached.sum(), 1e-12)
            factor *= np.divide(reached, held, out=np.ones(len(held)), where=held > 0)[category]
        if np.abs(factor - before).max() < 1e-10:
            break
    return np.where(weighted > 0, factor, 1.0)


def raking_factor(drawn: Floats, due: Floats, frame: Floats, row: Ints, column: Ints) -> Floats:
    """Return what a row's own draws say against the pooled rates by the two margins, partially pooled.

    Parameters
    ----------
    drawn, due, frame : numpy.ndarray, shape (R, H)
        Draws, draws expected per firm, firms.
    row, column : numpy.ndarray, shape (H,)
        Category of each stratum in both margins.

    Returns
    -------
    numpy.ndarray, shape (R, H)
        Raking factor to the power n / (n + `OWN_DRAWS`), n draws of the row: few draws move the weights little.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import raking_factor
    >>> drawn, due = np.array([[4.0, 6.0, 2.0, 8.0]]), np.full((1, 4), 0.2)
    >>> frame = np.array([[30.0, 20.0, 20.0, 30.0]])
    >>> raking_factor(drawn, due, frame, row=np.array([0, 0, 1, 1]), column=np.array([0, 1, 0, 1])).round(2)
    array([[1.25, 0.8 , 1.38, 0.88]])
    """
    factor = np.ones(drawn.shape)
    for i in range(len(drawn)):
        weighted = np.divide(drawn[i], due[i], out=np.zeros(drawn.shape[1]), where=due[i] > 0)
        total = drawn[i].sum()
        if total > 0 and weighted.sum() > 0:
            by_row, by_column = (np.bincount(c, frame[i]).astype(float) for c in (row, column))
            raked = rake_weights(weighted, row, column, by_row, by_column)
            factor[i] = raked ** (total / (total + OWN_DRAWS))
    return factor


def firm_correlation(n: Floats, n_firms: Floats, sum_nn: Floats, sum_kk: Floats, k: Floats) -> float:
    """Return the correlation of batches of the same firm within strata, from sums over firms (analysis of variance).

    Parameters
    ----------
    n, n_firms, sum_nn, sum_kk, k : numpy.ndarray, shape (m,)
        By stratum: batches, firms, sum over firms of n², sum over firms of k²/n, passes.

    Returns
    -------
    float
        Between 0 and 1; 1 when fewer than `LEAST_REPEATS` second draws were made.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import firm_correlation
    >>> n, n_firms = np.array([60.0, 60.0]), np.array([30.0, 30.0])  # two strata, each firm drawn twice
    >>> round(firm_correlation(n, n_firms, sum_nn=2 * n, sum_kk=np.array([53.0, 50.0]), k=np.array([54.0, 52.0])), 2)
    0.53
    """
    some = n > 0
    n, n_firms, sum_nn, sum_kk, k = (x[some] for x in (n, n_firms, sum_nn, sum_kk, k))
    within = float((n - n_firms).sum())
    between = float((n_firms - 1).sum())
    if within < LEAST_REPEATS or between < 1:
        return 1.0
    mean_between = float((sum_kk - k * k / n).sum()) / between
    mean_within = float((k - sum_kk).sum()) / within
    size = float((n - sum_nn / n).sum()) / between
    total = mean_between + (size - 1) * mean_within
    return float(np.clip((mean_between - mean_within) / total, 0, 1)) if total > 0 else 1.0


def effective_parts(weight: Floats, n: Floats, sum_nn: Floats, correlation: float) -> Floats:
    """Return each stratum's part of the variance of a weighted total, in units of p(1 - p).

    A firm drawn m times counts as ``m / (1 + (m - 1) * correlation)`` batches: the firm is the primary unit.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import effective_parts
    >>> weight, n, sum_nn = np.array([2.0, 0.5]), np.array([10.0, 40.0]), np.array([16.0, 100.0])
    >>> effective_parts(weight, n, sum_nn, correlation=0.3).round(2)  # ten draws of much weight leave most of the doubt
    array([47.2, 14.5])
    """
    parts: Floats = weight**2 * (n + correlation * (sum_nn - n))
    return parts


@dataclasses.dataclass(frozen=True, kw_only=True)
class Linearised:
    """A mean or total over strata with its linearised standard error.

    Parameters
    ----------
    value, std_error : float
        Of the mean or the total.

    Examples
    --------
    >>> from qbase.stats import Linearised
    >>> mean = Linearised(value=0.921, std_error=0.014)
    >>> f"{mean.value:.1%}, {mean.value - 1.96 * mean.std_error:.1%} to {mean.value + 1.96 * mean.std_error:.1%}"
    '92.1%, 89.4% to 94.8%'
    """

    value: float
    std_error: float


def poststratified_mean(
    sums: Floats, counts: Floats, weights: float | Floats, totals: Floats, *, sampled_share: float = 0.0
) -> Linearised:
    """Return a post-stratified mean and its linearised standard error between primary units.

    The textbook estimator, as R's ``survey`` computes it. A post-stratified panel gives the same mean where nothing is
    pooled (`own_factor` with ``own_draws=0``, strata not merged); the panel pools because this one has a standard
    error of 0 where all draws of a stratum passed.

    Parameters
    ----------
    sums, counts : numpy.ndarray, shape (U, H)
        Sum of the values and number of them, by primary unit (the firm) and stratum.
    weights : float or numpy.ndarray, shape (U, H)
        Design weight before post-stratification.
    totals : numpy.ndarray, shape (H,)
        Firms of the frame. Strata without a value must have been merged into others.
    sampled_share : float
        Share of the primary units that was drawn; above 0 it describes this finite list only.

    Returns
    -------
    Linearised
        Mean over the frame.

    References
    ----------
    Särndal, C.-E., Swensson, B. and Wretman, J. (1992). Model Assisted Survey Sampling. Springer, sections 5.5, 7.6.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import poststratified_mean
    >>> tested = np.array([[2, 0], [3, 0], [0, 2], [0, 1]])  # four firms in two risk classes
    >>> passed = np.array([[2, 0], [2, 0], [0, 2], [0, 1]])
    >>> mean = poststratified_mean(passed, tested, 1.0, np.array([30, 90]))
    >>> f"{mean.value:.3f}, standard error {mean.std_error:.3f}"
    '0.950, standard error 0.033'
    """
    size = (weights * counts).sum(0)
    mean = (weights * sums).sum(0) / size
    value = float((totals * mean).sum() / totals.sum())
    score = (weights * (sums - counts * mean) * (totals / size)).sum(1) / totals.sum()
    units = len(score)
    spread = units / (units - 1) * float(((score - score.mean()) ** 2).sum())
    return Linearised(value=value, std_error=float(np.sqrt((1 - sampled_share) * spread)))
