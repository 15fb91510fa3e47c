"""What gates are judged by: read once for all clusters and presets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from qbase.core import periods
from qbase.core.coverage import Coverage
from qbase.core.errors import DataError, UsageError
from qbase.core.panel import Panel, Sampling
from qbase.core.text import Text, same
from qbase.core.values import Source
from qbase.indicators.availability import list_indicators
from qbase.indicators.firm_counts import read_firm_counts
from qbase.indicators.maturity.quarter_maturity import read_maturity
from qbase.indicators.panel_building import build_panel
from qbase.lake.entity_names import read_names
from qbase.scorecards.gates.firm_lists import count_register, count_verified, read_listed
from qbase.scorecards.gates.quarter_rates import QuarterRates, read_quarters
from qbase.scorecards.presets.preset_files import read_preset
from qbase.scorecards.presets.preset_values import Preset, Target

if TYPE_CHECKING:
    from qbase.lake import Workspace

QUARTERS = 4
RATE = "D1.batch"
"""Whose draws the lead is made of."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GateData:
    """What gates are judged by.

    Parameters
    ----------
    as_of : str
        Last quarter, ``2025Q4``.
    year : str
        Last whole year up to it: full counts and lists are of its end.
    rates : mapping
        (indicator, sampling) -> rates by quarter.
    values : mapping
        Indicator -> frame of full counts, entities x years.
    lists : mapping
        (indicator, list) -> frame with index entity: listed, verified, failed.
    products : mapping
        Entity -> product.
    names : mapping
        Entity -> name; its keys are the clusters there are.
    lacking : mapping
        Indicator -> what is missing.
    sources : tuple of Source
        What it rests on.
    coverage : Coverage or None
        Of the rates.

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_gates
    >>> data = read_gates(open_workspace(), "policy_text")
    >>> data.lists["N3", "firms"].loc["K003"].to_dict()
    {'listed': 56, 'verified': 49, 'failed': 28}
    """

    as_of: str
    year: str
    rates: Mapping[tuple[str, str], QuarterRates]
    values: Mapping[str, pd.DataFrame]
    lists: Mapping[tuple[str, str], pd.DataFrame]
    products: Mapping[str, str]
    names: Mapping[str, Text]
    lacking: Mapping[str, Text]
    sources: tuple[Source, ...] = ()
    coverage: Coverage | None = None

    def __repr__(self) -> str:
        return (
            f"<GateData {len(self.names)} clusters as of {self.as_of}: {len(self.rates)} rates, "
            f"{len(self.lists)} lists, {len(self.values)} full counts, {len(self.lacking)} lacking>"
        )


def read_gates(
    workspace: Workspace,
    presets: str | Preset | Sequence[str | Preset],
    *,
    as_of: str | pd.Period | None = None,
    snapshot: str | None = None,
) -> GateData:
    """Read everything the gates of some presets are judged by, for all clusters.

    Parameters
    ----------
    workspace : Workspace
        What a gate needs and the lake does not hold makes the gate an open one; it is no error.
    presets : str, Preset or sequence of these
        Their targets say what is read.
    as_of : str, pandas.Period or None
        Last quarter; None is the last one that is not preliminary.
    snapshot : str or None
        Snapshot of the lake; None is the latest.

    Returns
    -------
    GateData

    Raises
    ------
    UsageError
        No such preset (QB601), a period that is none (QB101), or none named where there are no inspections (QB611).
    DataError
        The lake has no clusters (QB610).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_gates
    >>> read_gates(open_workspace(), "outline_2025")
    <GateData 12 clusters as of 2025Q4: 1 rates, 7 lists, 0 full counts, 0 lacking>
    """
    at = workspace.snapshot(snapshot).id  # a load under way must not come between two panels
    targets = _targets(presets, workspace)
    clusters, named = _clusters(workspace, at), read_names(workspace, "cluster_id", workspace.snapshot(at))
    lacking = _lacking(workspace, targets, at)
    quarter, young = _last_quarter(workspace, as_of, at)
    year = str(quarter.year if quarter.quarter == QUARTERS else quarter.year - 1)
    ready = [t for t in targets if t.indicator_id not in lacking]
    reader = _Reader(workspace=workspace, at=at, quarter=quarter, year=year, young=young, lacking=lacking, panels=[])
    rates = reader.rates(t for t in ready if t.kind in {"rate", "lead"})
    values = reader.values(sorted({t.indicator_id for t in ready if t.kind == "value"}), _years(ready))
    lists = reader.lists(sorted({(t.indicator_id, t.listed) for t in ready if t.kind == "everybody"}))
    whose = [p for p in reader.panels if p.coverage is not None]
    return GateData(
        as_of=periods.code(quarter),
        year=year,
        rates=rates,
        values=values,
        lists=lists,
        products=dict(zip(clusters["entity"], clusters["product"], strict=True)),
        names={e: named.get(e, same(e)) for e in map(str, clusters["entity"])},
        lacking=reader.lacking,
        sources=tuple(dict.fromkeys(s for p in reader.panels for s in p.sources)),
        coverage=max((c for p in whose if (c := p.coverage)), key=lambda c: c.lost, default=None),
    )


def _targets(presets: str | Preset | Sequence[str | Preset], workspace: Workspace) -> list[Target]:
    given = [presets] if isinstance(presets, str | Preset) else list(presets)
    chosen = [read_preset(p, workspace) if isinstance(p, str) else p for p in given]
    return [t for p in chosen for t in p.targets]


def _clusters(workspace: Workspace, at: str | None) -> pd.DataFrame:
    if not workspace.has_table("clusters", at):
        raise DataError(
            "QB610", found="no table clusters", expected="table clusters: cluster_id, industry_code, cluster_name",
            fix="qbase load the list of clusters",
        )  # fmt: skip
    sql = "SELECT cluster_id AS entity, any_value(industry_code) AS product FROM clusters GROUP BY 1 ORDER BY 1"
    return workspace.query(sql, snapshot=workspace.snapshot(at))


def _lacking(workspace: Workspace, targets: Iterable[Target], at: str | None) -> dict[str, Text]:
    found = {}
    known = {a.measured.indicator.id: a for a in list_indicators(workspace, snapshot=at)}
    for target in targets:
        state = known[target.indicator_id]
        if state.state != "ready" and target.kind != "lead":
            found[target.indicator_id] = state.status
    return found


def _last_quarter(
    workspace: Workspace, as_of: str | pd.Period | None, at: str | None
) -> tuple[pd.Period, pd.Series | None]:
    """Return the quarter judged, and which cluster-quarters are preliminary; no inspections, no such series."""
    if as_of is not None:
        asked = as_of if isinstance(as_of, pd.Period) else periods.parse_period(str(as_of), "Q")
    if not workspace.has_table("inspections", at):
        if as_of is None:
            raise UsageError(
                "QB611",
                found="no inspections and no as_of",
                expected='as_of="2025Q4"',
                fix='read_gates(…, as_of="2025Q4")',
            )
        return asked, None
    maturity = read_maturity(workspace, snapshot=at)
    young = maturity.table["is_preliminary"]
    whole = maturity.of(None)["is_preliminary"].astype(bool)
    if as_of is None:
        ripe = whole.index[~whole]
        asked = ripe.max() if len(ripe) else whole.index.max()
    return asked, young


def _years(targets: Iterable[Target]) -> int:
    return max((-(-t.window // 4) for t in targets if t.kind == "value"), default=1)


@dataclasses.dataclass(kw_only=True)
class _Reader:
    """Builds panels, and notes which indicator has nothing in the window."""

    workspace: Workspace
    at: str | None
    quarter: pd.Period
    year: str
    young: pd.Series | None
    lacking: dict[str, Text]
    panels: list[Panel]

    def build(self, indicators: Sequence[str], **window: object) -> Panel | None:
        """Build a panel; indicators without a value in the window are left out and noted."""
        try:
            panel = build_panel(self.workspace, indicators, snapshot=self.at, **window)  # type: ignore[arg-type]
        except DataError as problem:
            if len(indicators) == 1:
                self.lacking[indicators[0]] = Text(problem.what_zh, problem.what_en)
                return None
            parts = [p for i in indicators if (p := self.build([i], **window)) is not None]
            return _join(parts)
        self.panels.append(panel)
        return panel

    def rates(self, targets: Iterable[Target]) -> dict[tuple[str, str], QuarterRates]:
        needed: dict[tuple[str, Sampling], int] = {}
        for t in targets:
            key = (RATE if t.kind == "lead" else t.indicator_id, t.sampling)
            needed[key] = max(needed.get(key, 0), t.window)
        found: dict[tuple[str, str], QuarterRates] = {}
        for (indicator, sampling), window in needed.items():
            # over all quarters: how alike batches of one firm or product are cannot be learnt from a few
            panel = self.build([indicator], sampling=sampling, last=self.quarter)
            if panel is not None:
                firms = read_firm_counts(
                    self.workspace, indicator, last=self.quarter, sampling=sampling, snapshot=self.at
                )
                found[indicator, sampling] = read_quarters(
                    panel, indicator, last=self.quarter, quarters=window, young=self.young,
                    firms=None if firms is None else firms.data,
                )  # fmt: skip
        return found

    def values(self, indicators: Sequence[str], years: int) -> dict[str, pd.DataFrame]:
        first = str(int(self.year) - years + 1)
        panel = self.build(indicators, freq="A", first=first, last=self.year) if indicators else None
        if panel is None:
            return {}
        return {i: panel.data[i].unstack("period") for i in panel.indicators}

    def lists(self, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], pd.DataFrame]:
        window = {"freq": "A", "first": self.year, "last": self.year}
        found: dict[tuple[str, str], pd.DataFrame] = {}
        own = [i for i, listed in asked if listed == "register"]
        panel = self.build(own, **window) if own else None
        for i in own if panel is not None else ():
            if panel is not None and i in panel.indicators:
                found[i, "register"] = count_register(panel, i, self.year)
        for listed in sorted({kind for _, kind in asked} - {"register"}):
            wanted = [i for i, kind in asked if kind == listed]
            by_firm = self.build(wanted, entity="firm_id", **window)
            if by_firm is None:
                continue
            on_list = read_listed(self.workspace, listed=listed, quarter=f"{self.year}Q4", snapshot=self.at)  # type: ignore[arg-type]
            counted = count_verified(on_list, by_firm, [i for i in wanted if i in by_firm.indicators], self.year)
            found |= {(i, listed): frame for i, frame in counted.items()}
        return found


def _join(parts: Sequence[Panel]) -> Panel | None:
    if not parts:
        return None
    first = parts[0]
    data = pd.concat([p.data for p in parts], axis=1).sort_index()
    indicators = {i: x for p in parts for i, x in p.indicators.items()}
    return dataclasses.replace(first, data=data, indicators=indicators)
