"""Published results and whether ours print the same digits."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.numbers import count, number
from qbase.core.results.result import Result
from qbase.core.text import Text
from qbase.core.values import CheckResult
from qbase.effects.judging.result_parts import ATT, EVENT
from qbase.intake import PublishedNumber, read_case

TIE = 1e-9
"""Half a unit of the last digit may round either way; beyond it by more than this is another number."""


def check_published(
    result: Result, published: str | Sequence[PublishedNumber], *, n_obs: int | None = None
) -> CheckResult:
    """Check that effects, by event time or on average, round to the digits printed elsewhere.

    Parameters
    ----------
    result : Result
        With terms ``event``, as `qbase.effects.estimate_twfe` gives them for ``event_times``, or ``att``.
    published : str or sequence of PublishedNumber
        Name of a case, or the printed numbers themselves; of those for several methods, the result's own count.
    n_obs : int or None
        Observations printed beside them; taken from the case when it is named.

    Returns
    -------
    CheckResult
        ``published``; True when every printed digit and the number of observations agree. Its table holds
        what was printed beside what was computed.

    Raises
    ------
    UsageError
        There is no such case (QB301).
    DataError
        The result lacks an event time that was published (QB141), or nothing was published (QB523).

    Examples
    --------
    >>> import tempfile
    >>> from qbase.effects import check_published, estimate_twfe
    >>> from qbase.indicators import build_case
    >>> from qbase.intake import load_case
    >>> from qbase.lake import Workspace
    >>> home = Workspace.create(tempfile.mkdtemp())
    >>> _ = load_case(home, "us_scrap_grants")
    >>> panel, policy = build_case(home, "us_scrap_grants")
    >>> effect = estimate_twfe(panel, policy, "X1.log_scrap", event_times=[0, 1], vcov="iid")
    >>> found = check_published(effect, "us_scrap_grants")
    >>> found.passed, found.text.en
    (True, 'Agrees with the published result to every printed digit (−0.252, 0.151, −0.422, 0.210, n = 162;
    Wooldridge, Introductory Econometrics, Example 14.1).')
    """
    if isinstance(published, str):
        case = read_case(published)
        numbers: Sequence[PublishedNumber] = case.published
        n_obs = case.n_obs if n_obs is None else n_obs
    else:
        numbers = published
    own = {"", result.method, str(result.settings.get("method", ""))}
    numbers = [printed for printed in numbers if printed.method in own]
    if not numbers:
        raise DataError("QB523", found="0 numbers", expected="at least one", fix="name a case, such as us_scrap_grants")
    rows = [row for printed in numbers for row in _compare(result, printed)]
    if n_obs is not None:
        ours = {e.n_obs or 0 for e in result.estimates}
        rows.append(("n", count(n_obs), ", ".join(count(n) for n in sorted(ours)), ours == {n_obs}))
    table = pd.DataFrame(rows, columns=["what", "printed", "computed", "agrees"])
    passed = bool(table["agrees"].all())
    sources = "; ".join(dict.fromkeys(n.source for n in numbers))
    return CheckResult(name="published", passed=passed, text=_text(sources, table, passed), table=table)


def _compare(result: Result, printed: PublishedNumber) -> list[tuple[str, str, str, bool]]:
    at = printed.event_time
    estimate = result.find(ATT) if at is None else result.find(EVENT, event_time=at)
    rows = [(printed.term, *_digits(printed.value, estimate.value, printed.digits))]
    if estimate.std_error is not None and printed.std_error is not None:
        rows.append((f"{printed.term} (se)", *_digits(printed.std_error, estimate.std_error, printed.digits)))
    return rows


def _digits(printed: float, computed: float, digits: int) -> tuple[str, str, bool]:
    agrees = abs(computed - printed) <= 0.5 * 10**-digits + TIE
    return number(printed, digits), number(computed, digits), agrees


def _text(source: str, table: pd.DataFrame, passed: bool) -> Text:
    rows = [(str(w), str(p), str(c), bool(a)) for w, p, c, a in table.itertuples(index=False)]
    if passed:
        shown = ", ".join(f"n = {printed}" if what == "n" else printed for what, printed, _, _ in rows)
        return Text(
            f"与已发表结果逐位一致（{shown}；{source}）。",
            f"Agrees with the published result to every printed digit ({shown}; {source}).",
        )
    off = "; ".join(f"{what}: {computed} ≠ {printed}" for what, printed, computed, agrees in rows if not agrees)
    return Text(f"与已发表结果不一致（{off}；{source}）。", f"Differs from the published result ({off}; {source}).")
