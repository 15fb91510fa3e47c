"""The inspections of a town or a county: one series, and its batches one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core.errors import DataError
from qbase.core.panel import Panel
from qbase.core.periods import code, parse_period, to_periods
from qbase.core.text import Text
from qbase.core.values import Source
from qbase.indicators.cells.inspection_window import open_rows
from qbase.indicators.firm_counts import FirmCounts, read_firm_counts
from qbase.indicators.kept.kept_values import keep_value
from qbase.indicators.maturity.maturity_table import Maturity
from qbase.indicators.maturity.quarter_maturity import read_maturity
from qbase.indicators.panel_building import build_panel
from qbase.intake import read_towns
from qbase.scorecards.county.county_places import Kind, Place, find_place
from qbase.stats.rates.wilson import wilson_interval

if TYPE_CHECKING:
    from qbase.lake import Snapshot, Workspace

RATE = "D1.batch"
YEAR = 4
LOOK_BACK = 8
"""Quarters of batches that are read one by one: two years, as the red list looks back."""
_INDUSTRIES = """
SELECT firm_id, any_value(industry_code) AS industry FROM firms GROUP BY 1 HAVING count(DISTINCT industry_code) = 1
"""
_MORE = "m.sample_no, m.notice_no, m.sample_date, m.product_name, m.level, m.domain, m.firm_name, m.appeal_result,"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class PlaceRecords:
    """What is on record of a place.

    Parameters
    ----------
    place : Place
        Whose batches.
    quarter : pandas.Period
        The last quarter spoken of.
    panel : Panel
        ``D1.batch`` by quarter, with the place as its one entity.
    firms : FirmCounts or None
        Batches by firm behind it.
    maturity : Maturity
        Which of its quarters are preliminary.
    batches : pandas.DataFrame
        First inspections of the last eight quarters, one row each: entity (the town), period, sample_no, firm,
        firm_name, product, industry, sample_type, level, domain, sample_date, notice_no, appeal_result, is_pass.
    clusters : tuple of str
        Clusters that lie there.
    town_names : mapping
        Town -> its name.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_place
    >>> read_place(open_workspace(), "青棹镇", last="2025Q4")
    <PlaceRecords Qingzhao Town to 2025Q4: 159 batches in eight quarters, 1 cluster>
    """

    place: Place
    quarter: pd.Period
    panel: Panel
    firms: FirmCounts | None
    maturity: Maturity
    batches: pd.DataFrame
    clusters: tuple[str, ...]
    town_names: Mapping[str, Text]

    @property
    def entity(self) -> str:
        """Code of the place, under which its series stands."""
        return self.place.code

    @property
    def sources(self) -> tuple[Source, ...]:
        """What it rests on."""
        return self.panel.sources

    @property
    def year(self) -> pd.DataFrame:
        """Batches of the year up to the quarter."""
        return self.batches[self.batches["period"] > self.quarter - YEAR]

    @property
    def year_code(self) -> str:
        """The year up to the quarter: ``2025Q1–2025Q4``."""
        return f"{code(self.quarter - (YEAR - 1))}–{code(self.quarter)}"

    @property
    def two_years_code(self) -> str:
        """The two years up to the quarter: ``2024Q1–2025Q4``."""
        return f"{code(self.quarter - (LOOK_BACK - 1))}–{code(self.quarter)}"

    def __repr__(self) -> str:
        n, own = len(self.batches), len(self.clusters)
        which = "cluster" if own == 1 else "clusters"
        return (
            f"<PlaceRecords {self.place.name.en} to {code(self.quarter)}: {n} batches in eight quarters, {own} {which}>"
        )


def read_place(
    workspace: Workspace,
    word: str,
    *,
    kind: Kind = "town_code",
    last: str | pd.Period | None = None,
    snapshot: str | None = None,
) -> PlaceRecords:
    """Read the inspections of a town or a county.

    A county is the sum of its towns: batches are added up, never rates.

    Parameters
    ----------
    workspace : Workspace
        Its lake holds inspections, firms and towns.
    word : str
        Code or name of the place, as `find_place` takes it.
    kind : {"town_code", "county"}
        What it is.
    last : str, pandas.Period or None
        Last quarter; None is the last one with tests that is not preliminary, or the last one with tests.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    PlaceRecords

    Raises
    ------
    UsageError
        No such place (QB857), a period that is none (QB101).
    DataError
        Nothing was inspected there (QB858), or a table is missing (QB403).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_place
    >>> records = read_place(open_workspace(), "990021", kind="county")
    >>> records.panel.counts("D1.batch").loc["990021"].tail(1).to_dict("list")
    {'k': [68], 'n': [85]}
    """
    at = workspace.snapshot(snapshot)
    place = find_place(workspace, word, kind=kind, snapshot=at.id)
    end = None if last is None else parse_period(str(last), "Q")
    asked = {"entity": "town_code", "snapshot": at.id, "last": end}
    whole = build_panel(workspace, RATE, **asked)  # type: ignore[arg-type]
    towns = [t for t in place.towns if t in whole.entities]
    if not towns:
        raise DataError(
            "QB858", place=place.name.en, found=f"no batch of {place.name.zh} ({place.code})",
            expected="at least one first inspection", fix="another town, or qbase load FILE…",
        )  # fmt: skip
    firms = read_firm_counts(workspace, RATE, **asked)  # type: ignore[arg-type]
    maturity = _of_place(read_maturity(workspace, **asked), place, towns)  # type: ignore[arg-type]
    panel, own = _panel_of(whole.keep(towns), place), None if firms is None else _firms_of(firms, place, towns)
    quarter = _last_quarter(panel, maturity, place) if end is None else end
    return PlaceRecords(
        place=place,
        quarter=quarter,
        panel=panel,
        firms=own,
        maturity=maturity,
        batches=_read_batches(workspace, at, towns, quarter),
        clusters=_clusters(workspace, at, place),
        town_names={t: whole.label(t) for t in towns},
    )


def _panel_of(panel: Panel, place: Place) -> Panel:
    """Return the batches of all towns as one series."""
    if panel.entities == [place.code]:
        return panel
    k, n = f"{RATE}__k", f"{RATE}__n"
    sums = panel.data[[n, k, f"{RATE}__n_firms"]].groupby(level="period").sum()
    low, high = wilson_interval(sums[k], sums[n])
    sums[RATE], sums[f"{RATE}__lo"], sums[f"{RATE}__hi"] = 100 * sums[k] / sums[n], 100 * low, 100 * high
    sums.index = pd.MultiIndex.from_product([[place.code], sums.index], names=["entity", "period"])
    columns = [c for c in panel.data.columns if c in sums]
    return dataclasses.replace(panel, data=sums[columns], labels={place.code: place.name}, cells=None)


def _firms_of(firms: FirmCounts, place: Place, towns: list[str]) -> FirmCounts:
    own = firms.data[firms.data["entity"].isin(towns)]
    if towns != [place.code]:
        own = own.groupby(["period", "firm"], as_index=False, observed=True)[["n", "k"]].sum()
    own = own.assign(entity=place.code)[list(firms.data.columns)]
    own = own.sort_values(["entity", "period", "firm"], kind="stable", ignore_index=True)
    return dataclasses.replace(firms, data=own)


def _of_place(maturity: Maturity, place: Place, towns: list[str]) -> Maturity:
    held = maturity.table[maturity.table.index.get_level_values("entity").isin(towns)]
    if towns != [place.code]:
        held = dataclasses.replace(maturity, table=held).of(None)
        held.index = pd.MultiIndex.from_product([[place.code], held.index], names=["entity", "period"])
    return dataclasses.replace(maturity, table=held)


def _last_quarter(panel: Panel, maturity: Maturity, place: Place) -> pd.Period:
    tested = panel.data.index.get_level_values("period")
    young = maturity.of(place.code)["is_preliminary"].reindex(tested).eq(True).to_numpy()
    ripe = tested[~young]
    last: pd.Period = ripe.max() if len(ripe) else tested.max()
    return last


def _read_batches(workspace: Workspace, at: Snapshot, towns: list[str], quarter: pd.Period) -> pd.DataFrame:
    first = quarter - (LOOK_BACK - 1)

    def read() -> pd.DataFrame:
        rows = open_rows(workspace, entity="town_code", freq="Q", snapshot=at.id, first=first, last=quarter)
        found = rows.query("place_batches", parts={"{more}": _MORE})
        days = pd.to_datetime(found["sample_date"]).dt.strftime("%Y-%m-%d")
        return found.assign(sample_date=days, industry=_industry_of(workspace, at, found["firm"]))

    # those of all towns are read once for the pages of a batch
    whole = keep_value(workspace, "place_batches", (code(first), code(quarter)), at, read, rooms=("scorecards",))
    own = whole[whole["entity"].astype(str).isin(towns)].reset_index(drop=True)
    return own.assign(period=to_periods(own["period"], "Q"))


def _industry_of(workspace: Workspace, at: Snapshot, firms: pd.Series) -> pd.Series:
    if not workspace.has_table("firms", at):
        return pd.Series("unknown", index=firms.index)
    register = workspace.query(_INDUSTRIES, snapshot=at)
    industries = dict(zip(register["firm_id"].astype(str), register["industry"], strict=True))
    return firms.map(industries).fillna("unknown").astype(str)


def _clusters(workspace: Workspace, at: Snapshot, place: Place) -> tuple[str, ...]:
    if not workspace.has_table("clusters", at):
        return ()
    sql = "SELECT DISTINCT cluster_id, town_code FROM clusters WHERE town_code IS NOT NULL ORDER BY 1"
    found = workspace.query(sql, snapshot=at).astype(str)
    now = read_towns(workspace, at).renumbered()
    return tuple(
        c for c, t in zip(found["cluster_id"], found["town_code"], strict=True) if now.get(t, t) in place.towns
    )
