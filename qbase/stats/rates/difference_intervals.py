"""Interval of the difference of two proportions."""

from __future__ import annotations

from statsmodels.stats.proportion import confint_proportions_2indep

from qbase.core.errors import UsageError
from qbase.core.given import read_number


def check_level(level: object) -> None:
    """Raise when a confidence level is not between one half and one.

    Raises
    ------
    UsageError
        The level is 95 instead of 0.95, or not a probability (QB503).
    """
    number = read_number(level)
    if number is None or not 0.5 <= number < 1:
        raise UsageError(
            "QB503",
            level=level,
            found=f"level={level!r}",
            expected="0.5 <= level < 1",
            fix=f"level={number / 100:g}" if number is not None and 50 <= number < 100 else "level=0.95",
        )


def newcombe_interval(passed: tuple[int, int], tested: tuple[int, int], *, level: float = 0.95) -> tuple[float, float]:
    """Return Newcombe's hybrid-score interval of ``passed[0]/tested[0] - passed[1]/tested[1]``, as a share.

    Parameters
    ----------
    passed, tested : tuple of two int
        Counts of two independent samples.
    level : float
        Confidence level.

    Returns
    -------
    low, high : float
        Limits of the difference, inside -1 and 1.

    References
    ----------
    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions: comparison of
    eleven methods. Statistics in Medicine 17, 873-890 (method 10).

    Examples
    --------
    >>> from qbase.stats import newcombe_interval
    >>> low, high = newcombe_interval((57, 46), (60, 55))  # 95.0 % of batches this year, 83.6 % a year ago
    >>> round(100 * low, 1), round(100 * high, 1)
    (-0.1, 23.7)
    """
    low, high = confint_proportions_2indep(
        passed[0], tested[0], passed[1], tested[1], method="newcomb", compare="diff", alpha=1 - level
    )
    return max(-1.0, float(low)), min(1.0, float(high))
