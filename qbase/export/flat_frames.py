"""A panel or a result as one plain table: what every kind of file is written from."""

from __future__ import annotations

import pandas as pd

from qbase.core.coverage import HIDDEN, Coverage
from qbase.core.panel import Panel
from qbase.core.periods import code, parse_period
from qbase.core.results.result import Result

IS_WITHHELD = "is_withheld"


def flatten_panel(panel: Panel) -> pd.DataFrame:
    """Return a panel as one plain table: entity, its names, period, values with their companions, then the account.

    The last columns say the same in every row: how many records are on record, how many the panel stands on, and how
    many that should count are lost. A protected panel has a row, without values, for every cell that is withheld, and
    a column that says which they are: a reader must not take them for gaps.

    Parameters
    ----------
    panel : Panel
        Of any entity.

    Returns
    -------
    pandas.DataFrame
    """
    entities = [str(e) for e in panel.data.index.get_level_values("entity")]
    codes = [code(p) for p in panel.data.index.get_level_values("period")]
    values = panel.data.reset_index(drop=True)
    if panel.withheld is not None:
        held = set(zip(entities, codes, strict=True))
        gone = sorted(cell for cell in panel.withheld.cells if cell not in held)
        values = values.assign(**{IS_WITHHELD: False}).reindex(range(len(values) + len(gone)))
        values[IS_WITHHELD] = [False] * len(codes) + [True] * len(gone)
        entities += [entity for entity, _ in gone]
        codes += [period for _, period in gone]
    names = {e: panel.label(e) for e in set(entities)}
    head = pd.DataFrame(
        {
            panel.entity: entities,
            "name_zh": [names[e].zh for e in entities],
            "name_en": [names[e].en for e in entities],
            "period": codes,
        }
    )
    whole = pd.concat([head, values], axis=1)
    if panel.withheld is not None:
        order = pd.PeriodIndex([parse_period(c, panel.freq) for c in codes])
        whole = whole.assign(order=order.asi8).sort_values([panel.entity, "order"]).drop(columns="order")
        whole = whole.reset_index(drop=True)
    coverage = weakest_account(panel)
    return whole if coverage is None else whole.assign(**coverage.columns())


def weakest_account(panel: Panel) -> Coverage | None:
    """Return what the indicator that lost most stands on; None where nothing was counted from records."""
    accounts = [c for c in map(panel.coverage_of, panel.indicators) if c is not None]
    return max(accounts, key=lambda c: c.lost, default=None)


def mark_withheld(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table for people whose withheld values show as such: never 0, never empty."""
    if IS_WITHHELD not in table:
        return table
    first = table.columns.get_loc(IS_WITHHELD)
    values = [c for i, c in enumerate(table.columns) if 4 <= i < int(str(first))]
    gone = table[IS_WITHHELD]
    return table.assign(**{c: table[c].astype(object).mask(gone, HIDDEN) for c in values})


def flatten_result(result: Result) -> pd.DataFrame:
    """Return a result as one plain table: outcome, subject, method, then a row of `Result.tidy` for every estimate.

    Columns of which no estimate has anything are left out.

    Parameters
    ----------
    result : Result
        With estimates or without.

    Returns
    -------
    pandas.DataFrame
    """
    tidy = result.tidy().dropna(axis=1, how="all")
    same = {
        "outcome": result.outcome.id,
        "subject_zh": result.subject.zh,
        "subject_en": result.subject.en,
        "method": result.method,
    }
    head = pd.DataFrame({name: [value] * len(tidy) for name, value in same.items()}, dtype=object)
    whole = pd.concat([head, tidy], axis=1)
    return whole if result.coverage is None else whole.assign(**result.coverage.columns())
