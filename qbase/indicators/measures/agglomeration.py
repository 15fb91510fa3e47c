"""Agglomeration and structure: location quotient, concentration, specialisation, variety, shares, growth.

Each is a full count of what is put in: it has a unit and no sampling interval. `estimate_structure` says so in the
value itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qbase.core.errors import DataError
from qbase.core.text import Text
from qbase.core.values import Estimate, ReadOnly, freeze

Floats = NDArray[np.float64]


def location_quotient(own: ArrayLike, own_all: ArrayLike, ref: ArrayLike, ref_all: ArrayLike) -> float:
    """Return how much larger an industry's share is at home than in the reference area.

    Parameters
    ----------
    own, own_all : float
        Staff (or output) of the industry at home, and of all industries at home.
    ref, ref_all : float
        The same in the reference area.

    Returns
    -------
    float
        1 = the same share; above 1 = concentrated at home. A ratio without unit.

    Raises
    ------
    DataError
        A negative amount, or a total that is not above 0 (QB424).

    References
    ----------
    Isserman, A. M. (1977). The location quotient approach to estimating regional economic impacts. Journal of the
    American Institute of Planners 43, 33-41.
    """
    name = "location_quotient"
    a, b, c, d = (_single(name, x) for x in (own, own_all, ref, ref_all))
    if min(b, c, d) <= 0:
        raise _refuse(name, f"totals {b:g}, {c:g}, {d:g}", "totals and the reference industry above 0")
    return (a / b) / (c / d)


def herfindahl(amounts: ArrayLike) -> float:
    """Return the Herfindahl–Hirschman index of amounts, 0 to 10,000 points.

    Parameters
    ----------
    amounts : array-like
        Output (or sales) by firm.

    Returns
    -------
    float
        Sum of squared percentage shares; 10,000 / m for m equal firms, 10,000 for one.

    Raises
    ------
    DataError
        A negative amount, or a sum that is not above 0 (QB424).

    References
    ----------
    U.S. Department of Justice and Federal Trade Commission (2010). Horizontal Merger Guidelines, section 5.3.
    """
    return float(1e4 * np.sum(_shares("herfindahl", amounts) ** 2))


def concentration(amounts: ArrayLike, *, top: int = 4) -> float:
    """Return the share of the largest firms in percent (CR4).

    Parameters
    ----------
    amounts : array-like
        Output (or sales) by firm.
    top : int
        How many of the largest.

    Raises
    ------
    DataError
        A negative amount, or a sum that is not above 0 (QB424).

    References
    ----------
    Tirole, J. (1988). The Theory of Industrial Organization. MIT Press, section 5.5.
    """
    return float(100 * np.sum(np.sort(_shares("concentration", amounts))[::-1][:top]))


def krugman(own: ArrayLike, ref: ArrayLike) -> float:
    """Return Krugman's specialisation index: how far the mix of industries is from the reference.

    Parameters
    ----------
    own, ref : array-like
        Amounts by industry at home and in the reference area, in the same order.

    Returns
    -------
    float
        0 = the same mix, 2 = nothing in common. An index without unit.

    Raises
    ------
    DataError
        Different lengths, a negative amount, or a sum that is not above 0 (QB424).

    References
    ----------
    Krugman, P. (1991). Geography and Trade. MIT Press, p. 75-76.
    """
    a, b = _shares("krugman", own), _shares("krugman", ref)
    if len(a) != len(b):
        raise _refuse("krugman", f"{len(a)} and {len(b)} industries", "the same industries in the same order")
    return float(np.sum(np.abs(a - b)))


def shannon(amounts: ArrayLike) -> float:
    """Return Shannon's entropy of shares, in nats.

    Raises
    ------
    DataError
        A negative amount, or a sum that is not above 0 (QB424).

    References
    ----------
    Shannon, C. E. (1948). A mathematical theory of communication. Bell System Technical Journal 27, 379-423.
    """
    s = _shares("shannon", amounts)
    s = s[s > 0]
    return float(-np.sum(s * np.log(s)))


def effective_number(amounts: ArrayLike) -> float:
    """Return the number of equally large parts that would be as varied: exp of `shannon`.

    Raises
    ------
    DataError
        A negative amount, or a sum that is not above 0 (QB424).

    References
    ----------
    Jost, L. (2006). Entropy and diversity. Oikos 113, 363-375.
    """
    return float(np.exp(shannon(amounts)))


def market_share(own: ArrayLike, total: ArrayLike) -> float:
    """Return own sales in percent of the market.

    Raises
    ------
    DataError
        A negative amount, a total that is not above 0, or more than the total (QB424).
    """
    return _part("market_share", own, total)


def pillar_share(own: ArrayLike, total: ArrayLike) -> float:
    """Return what an industry adds to its town, in percent of the town's total (output, value added, tax, jobs).

    Raises
    ------
    DataError
        A negative amount, a total that is not above 0, or more than the total (QB424).
    """
    return _part("pillar_share", own, total)


def growth(own: ArrayLike, before: ArrayLike) -> float:
    """Return the change in percent of the amount before.

    Raises
    ------
    DataError
        A negative amount, or nothing before (QB424).
    """
    a, b = _single("growth", own), _single("growth", before)
    if b <= 0:
        raise _refuse("growth", f"{b:g} before", "an amount above 0 before")
    return 100 * (a / b - 1)


def overlap(ranges: ArrayLike) -> float:
    """Return the mean cosine of the product ranges over pairs of firms.

    Parameters
    ----------
    ranges : array-like, shape (firms, products)
        Output by firm and product.

    Returns
    -------
    float
        0 = no product in common, 1 = the same range everywhere; nan for a single firm.

    Raises
    ------
    DataError
        A negative amount, or a firm without products (QB424).
    """
    x = np.atleast_2d(np.asarray(ranges, dtype=float))
    norms = np.linalg.norm(x, axis=1)
    if (x < 0).any() or (norms <= 0).any():
        raise _refuse("overlap", "a negative amount or a firm without products", "amounts of at least 0, some above")
    m = len(x)
    if m < 2:
        return float("nan")
    total = np.sum((x / norms[:, None]).sum(axis=0) ** 2)
    # the sum over pairs from the sum over all: each firm with itself is 1
    return float((total - m) / (m * (m - 1)))


def _part(name: str, own: ArrayLike, total: ArrayLike) -> float:
    a, b = _single(name, own), _single(name, total)
    if b <= 0 or a > b * (1 + 1e-9):
        raise _refuse(name, f"{a:g} of {b:g}", "a part of a total above 0")
    return 100 * a / b


def _single(name: str, value: ArrayLike) -> float:
    x = np.asarray(value, dtype=float).ravel()
    if x.size != 1 or not np.isfinite(x[0]) or x[0] < 0:
        raise _refuse(name, f"{value!r}", "one amount of at least 0")
    return float(x[0])


def _shares(name: str, amounts: ArrayLike) -> Floats:
    x = np.asarray(amounts, dtype=float).ravel()
    if x.size == 0 or not np.isfinite(x).all() or (x < 0).any() or x.sum() <= 0:
        raise _refuse(name, f"{x.size} amounts, sum {x.sum():g}", "amounts of at least 0 with a sum above 0")
    shares: Floats = x / x.sum()
    return shares


def _refuse(name: str, found: str, expected: str) -> DataError:
    return DataError(
        "QB424", measure=name, found=found, expected=expected, fix="correct the amounts; nan means missing"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Structural:
    """A structural measure with its unit.

    Parameters
    ----------
    function : callable
        From arrays to one number.
    unit : str
        A key of `qbase.core.numbers.UNITS`.
    name : Text
        In both languages.
    """

    function: Callable[..., float]
    unit: str
    name: Text


STRUCTURE: ReadOnly[str, Structural] = freeze(
    {
        "location_quotient": Structural(
            function=location_quotient, unit="ratio", name=Text("区位商", "location quotient")
        ),
        "herfindahl": Structural(
            function=herfindahl, unit="index", name=Text("赫芬达尔指数HHI", "Herfindahl–Hirschman index")
        ),
        "concentration": Structural(function=concentration, unit="pct", name=Text("集中度CR4", "concentration CR4")),
        "krugman": Structural(
            function=krugman, unit="index", name=Text("克鲁格曼专业化指数", "Krugman specialisation index")
        ),
        "shannon": Structural(function=shannon, unit="index", name=Text("香农熵", "Shannon entropy")),
        "effective_number": Structural(
            function=effective_number, unit="item", name=Text("等效品类数", "effective number")
        ),
        "market_share": Structural(function=market_share, unit="pct", name=Text("市场占有率", "market share")),
        "pillar_share": Structural(function=pillar_share, unit="pct", name=Text("支柱度", "pillar share")),
        "growth": Structural(function=growth, unit="pct", name=Text("增速", "growth")),
        "overlap": Structural(function=overlap, unit="share", name=Text("产品重叠度", "overlap of product ranges")),
    }
)
"""Structural measures by name."""


def estimate_structure(name: str, *amounts: ArrayLike) -> Estimate:
    """Return a structural measure as an estimate that says it is a full count.

    Parameters
    ----------
    name : str
        A key of `STRUCTURE`.
    *amounts : array-like
        As its function takes them.

    Returns
    -------
    Estimate
        ``uncertainty`` is ``none_full_count``; the key carries the unit.

    Raises
    ------
    DataError
        The input is not valid, or there is no such measure (QB424).

    Examples
    --------
    >>> from qbase.indicators import estimate_structure
    >>> found = estimate_structure("herfindahl", [420.0, 260.0, 180.0, 90.0, 50.0])  # output of five firms
    >>> round(found.value), found.uncertainty, dict(found.key)
    (2870, 'none_full_count', {'unit': 'index'})
    """
    if name not in STRUCTURE:
        raise _refuse(name, repr(name), " | ".join(STRUCTURE))
    measure = STRUCTURE[name]
    value = measure.function(*amounts)
    return Estimate(
        term=name,
        key={"unit": measure.unit},
        value=value,
        n_obs=int(np.asarray(amounts[0]).size),
        uncertainty="none_full_count",
    )
