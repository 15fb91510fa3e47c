"""The table of what the last edition said beside the same numbers of today."""

from __future__ import annotations

from typing import Any

from qbase.core.results.retold import NOTHING_SAID, STATES, Restated, Retold, write_told
from qbase.core.results.told_numbers import VERDICT_WORDS
from qbase.core.shown.display import Column, Table
from qbase.core.text import Text
from qbase.figures.surface.figure_words import capital, sentences
from qbase.figures.tabulating.estimate_columns import NONE

RULE = Text(
    "括号内是区间；“越出”指现在的数落在上次给出的区间之外；上次没有区间的（全数统计），有任何差别即算。",
    "Intervals stand in brackets. Beyond means that the number of today lies outside the interval given last time; "
    "without one (a full count), that it differs at all.",
)


def tabulate_last(retold: Retold) -> Table:
    """Tabulate what the last edition said, each number beside that of the same period as computed today.

    Parameters
    ----------
    retold : Retold
        Of `qbase.core.compare_last`.

    Returns
    -------
    Table
        One row that says why where there is nothing to compare. Data: outcome, term, period, before, before_low,
        before_high, now_period, now, now_low, now_high, state.

    Examples
    --------
    >>> from qbase.core import LastResults, compare_last
    >>> from qbase.core.results.records import build_record
    >>> from qbase.figures import tabulate_last
    >>> from qbase.indicators import build_panel
    >>> from qbase.lake import open_workspace
    >>> from qbase.trends import estimate_level
    >>> panel = build_panel(open_workspace(), "D1.batch")
    >>> before, now = (
    ...     estimate_level(panel, "D1.batch", entity="K003", period=period) for period in ("2024Q3", "2024Q4")
    ... )
    >>> last = LastResults(run_id="R0007", slot="2024-10-15", snapshot="S0012", document=build_record([before]))
    >>> tabulate_last(compare_last(last, now))
    What the last edition said (2024-10-15), and the same numbers today
    Number | Today | Said last time | Period | Changed?
    Batch pass rate | 71.4% (52.9–84.7) | 71.4% (52.9–84.7) | 2024Q3 | unchanged
    """
    last, rows = retold.last, tuple(map(_row, retold.rows))
    caption = Text(
        f"上一期说过的数（{last.slot}）与现在重算的数",
        f"What the last edition said ({last.slot}), and the same numbers today",
    )
    if not last.is_there:
        caption = Text("上一期说过的数", "What the last edition said")
        rows = ((NOTHING_SAID, *[NONE] * 4),)
    data = [_datum(row) for row in retold.rows]
    return Table(
        name="retold:table",
        caption=caption,
        columns=(
            Column(label=Text("指标", "Number")),
            Column(label=Text("现在", "Today"), numeric=True),
            Column(label=Text("上次所说", "Said last time"), numeric=True),
            Column(label=Text("时期", "Period")),
            Column(label=Text("变了没有", "Changed?")),
        ),
        rows=rows,
        note=sentences(RULE) if rows and last.is_there else None,
        data={name: [d[name] for d in data] for name in data[0]} if data else {},
        style="effects",
    )


def _row(row: Restated) -> tuple[str | Text, ...]:
    before, now = row.before, row.now
    windows = dict.fromkeys(w for w in (before.window, now.window) if w)
    # on a phone the value of today is set large, and has to fit
    values = (write_told(told, is_brief=True) for told in (now, before))
    said = STATES[row.state]
    if row.has_turned:
        said += Text("；", "; ") + row.turn
    elif row.before.verdict and row.state in {"same_verdict", "other_verdict"}:
        said += Text("：", ": ") + VERDICT_WORDS[now.verdict]
    return capital(now.about), *values, " / ".join(windows) or NONE, said


def _datum(row: Restated) -> dict[str, Any]:
    a, b = row.before.estimate, row.now.estimate
    return {
        "outcome": row.now.what.en, "term": a.term, "period": row.before.window, "before": a.value,
        "before_low": a.ci_low, "before_high": a.ci_high, "now_period": row.now.window, "now": b.value,
        "now_low": b.ci_low, "now_high": b.ci_high, "state": row.state,
    }  # fmt: skip
