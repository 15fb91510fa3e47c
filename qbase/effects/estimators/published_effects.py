"""A real case estimated as its publication did, and held to the printed digits."""

from __future__ import annotations

from qbase.core.panel import Panel
from qbase.core.policy import Policy
from qbase.core.results.result import Result, add_checks
from qbase.effects.estimators.synthetic import estimate_synthetic
from qbase.effects.extra.twfe import estimate_twfe
from qbase.effects.judging.published_numbers import check_published
from qbase.intake import read_case


def estimate_published(panel: Panel, policy: Policy, case: str) -> Result:
    """Estimate a real case by the method its first published number was estimated by.

    Parameters
    ----------
    panel : Panel
        From `qbase.indicators.build_case`.
    policy : Policy
        The same.
    case : str
        Name of the case.

    Returns
    -------
    Result
        Two-way fixed effects with the published event times, independent errors where standard errors were printed
        with them; or synthetic difference-in-differences by the published steps. Check ``published`` compares every
        printed digit.

    Raises
    ------
    UsageError
        There is no such case (QB301).
    PanelError, PolicyError, DataError
        As the estimator.

    Examples
    --------
    >>> import tempfile
    >>> from qbase.effects import estimate_published
    >>> from qbase.indicators import build_case
    >>> from qbase.intake import load_case
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> _ = load_case(home, "us_scrap_grants")
    >>> effect = estimate_published(*build_case(home, "us_scrap_grants"), "us_scrap_grants")
    >>> effect.checks[-1].passed
    True
    """
    known = read_case(case)
    outcome, first = known.outcome.id, known.published[0]
    if first.method == "sdid":
        found = estimate_synthetic(panel, policy, outcome, solver="published")
    else:
        times = [n.event_time for n in known.published if n.method == first.method and n.event_time is not None]
        has_errors = first.std_error is not None
        found = estimate_twfe(panel, policy, outcome, event_times=times or None, vcov="iid" if has_errors else None)
    return add_checks(found, check_published(found, case))
