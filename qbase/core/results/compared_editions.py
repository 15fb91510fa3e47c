"""A letter compares its results with those of its last edition."""

from __future__ import annotations

from collections.abc import Sequence

from qbase.core.results.compared_numbers import Compared, is_same, pair
from qbase.core.results.records import build_record
from qbase.core.results.result import Result, Scorecard
from qbase.core.results.retold import LastResults, Restated, Retold, State
from qbase.core.results.told_numbers import Told, read_told


def compare_last(last: LastResults, *results: Result | Scorecard) -> Retold:
    """Hold what the last edition of a letter said against the results of this one.

    A statement is compared with the number of the *same period* as computed now. Where this letter has none, its
    verdict is compared with that of the number spoken of today.

    Parameters
    ----------
    last : LastResults
        Of `qbase.reports.read_last_results`.
    *results : Result or Scorecard
        Of this letter: what else the last edition said is left out.

    Returns
    -------
    Retold
        To be shown and recorded; one sentence that there is no earlier edition, where there is none.

    Examples
    --------
    >>> from qbase.core import LastResults, compare_last, record
    >>> from qbase.core.results.records import build_record
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> before, now = (
    ...     estimate_level(panel, "D1.batch", entity="K003", period=period) for period in ("2024Q3", "2024Q4")
    ... )
    >>> last = LastResults(run_id="R0007", slot="2024-10-15", snapshot="S0012", document=build_record([before]))
    >>> print(compare_last(last, now).items()[0].en)
    Of 1 number spoken of in the last edition (2024-10-15, data S0012), computed again on the data of today:
        1 unchanged.
    """
    if not last.is_there:
        return Retold(name="retold", last=last)
    now = read_told(build_record(results))
    about = {told.kind for told in now}
    said = [told for told in read_told(last.document) if told.is_spoken and told.kind in about]
    rows = [_restate(pairs, now) for pairs in pair(said, now) if pairs.before is not None]
    order = {id(told): i for i, told in enumerate(said)}
    rows.sort(key=lambda row: -1 if row is None else order[id(row.before)])
    return Retold(name="retold", last=last, rows=tuple(row for row in rows if row is not None))


def _restate(pairs: Compared, now: Sequence[Told]) -> Restated | None:
    """Return one statement of before beside what it is compared with; None where there is nothing today."""
    before = pairs.told if pairs.before is None else pairs.before
    if pairs.after is not None and pairs.is_of_one_period:
        state: State = "moved" if pairs.has_moved else "revised"
        if is_same(before.estimate.value, pairs.after.estimate.value):
            state = "same"
        return Restated(before=before, now=pairs.after, state=state)
    alike = [t for t in now if t.kind == before.kind and t.estimate.term == before.estimate.term and t.is_spoken]
    if not alike:
        return None
    state = "same_verdict" if alike[0].verdict == before.verdict else "other_verdict"
    return Restated(before=before, now=alike[0], state=state)
