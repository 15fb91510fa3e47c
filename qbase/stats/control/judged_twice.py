"""The same batches judged by two yardsticks: since when the two never differ, which dates a change of limits."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.special import gammaln

from qbase.core.errors import UsageError
from qbase.stats.control.control_limits import Floats


@dataclasses.dataclass(frozen=True, kw_only=True)
class QuietEnd:
    """The end of a series at which two yardsticks never differ.

    Parameters
    ----------
    first : int
        Position of the first period of the newer state.
    low, high : int
        Ends of the confidence interval of ``first``.
    p_value : float
        How often so long an end without a difference comes by chance.
    is_newer : bool
        Whether the yardsticks agree after the change; before it where False.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import QuietEnd, date_quiet_end
    >>> isinstance(date_quiet_end(np.array([3.0, 2, 4, 0, 0, 0]), np.full(6, 40.0)), QuietEnd)
    True
    """

    first: int
    low: int
    high: int
    p_value: float
    is_newer: bool


def date_quiet_end(differing: Floats, judged: Floats, *, level: float = 0.95) -> QuietEnd | None:
    """Date the change of a yardstick by the batches that it judges otherwise than the yardstick of their day.

    After the limits of today came into force no batch can differ from them, so the change lies after the last one that
    does. How much later it may lie follows from how closely the differences follow on one another before. Both the
    chance of so long a quiet end and the interval are the larger of two: every order of the periods as likely as any
    other, which holds for over-dispersed shares, and every batch as likely to differ as any other, which holds for
    periods of unequal size.

    Parameters
    ----------
    differing, judged : numpy.ndarray, shape (T,)
        Batches judged otherwise, and batches judged; every ``judged`` is above 0.
    level : float
        Of the interval of the date; its near end is certain, so all that is left out lies at the far one.

    Returns
    -------
    QuietEnd or None
        The quieter end of the two; None where no batch differs, or where both ends hold one that does.

    Raises
    ------
    UsageError
        More batches differ than were judged, or none was judged in a period (QB557).

    References
    ----------
    Lehmann, E. L. and Casella, G. (1998). Theory of Point Estimation, chapter 2 (the end of a uniform distribution);
    here for draws without replacement.

    Examples
    --------
    >>> import numpy as np
    >>> from qbase.stats import date_quiet_end
    >>> found = date_quiet_end(np.array([3.0, 2, 4, 1, 3, 2, 5, 3, 0, 0, 0, 0]), np.full(12, 90.0))
    >>> found.first, found.low, found.high, round(found.p_value, 4)
    (8, 8, 9, 0.004)
    """
    k, n = np.asarray(differing, dtype=float), np.asarray(judged, dtype=float)
    if ((k < 0) | (k > n) | (n <= 0)).any():
        raise UsageError(
            "QB557", periods=int(((k < 0) | (k > n) | (n <= 0)).sum()), found=f"{k.tolist()} of {n.tolist()}"[:80],
            expected="0 or more of at least 1 batch in every period", fix="leave out periods in which none was judged",
        )  # fmt: skip
    if not k.any() or (k[0] > 0 and k[-1] > 0):
        return None
    size = len(k)
    found = []
    for is_newer in (True, False):
        counts, tested = (k, n) if is_newer else (k[::-1], n[::-1])
        last = int(np.flatnonzero(counts)[-1])
        chance = _chances(counts, tested, last)
        far = last + 1 + int(np.flatnonzero(chance >= 1 - level)[-1])
        ends = sorted((last + 1, far)) if is_newer else sorted((size - last - 1, size - far))
        found.append(
            QuietEnd(
                first=last + 1 if is_newer else size - last - 1, low=ends[0], high=ends[1],
                p_value=min(1.0, 2 * float(chance[-1])), is_newer=is_newer,
            )
        )  # fmt: skip
    return min(found, key=lambda f: f.p_value)


def _chances(k: Floats, n: Floats, last: int) -> Floats:
    """Return how likely nothing differs from period ``last`` + 1 on, were periods up to d - 1 alike; d from there on.

    The first is 1: no period is quiet. The last looks at the whole series.
    """
    until = np.arange(last + 1, len(k) + 1, dtype=float)
    mass = np.cumsum(n)[last:]
    by_period = _all_inside(float(np.count_nonzero(k)), until[0], until)
    by_batch = _all_inside(float(k.sum()), mass[0], mass)
    return np.maximum(by_period, by_batch)


def _all_inside(marked: float, inside: float, whole: Floats) -> Floats:
    """Return how likely all that are marked lie in the part of that size, drawn from the whole."""

    def ways(of: Floats | float) -> Floats:
        return np.asarray(gammaln(np.asarray(of) + 1) - gammaln(np.asarray(of) - marked + 1))

    return np.asarray(np.exp(ways(inside) - ways(whole)))
