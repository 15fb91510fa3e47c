"""What gates are judged by: read once for all clusters and presets, and kept for the pages of a batch."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import pandas as pd

from qbase.core import periods
from qbase.core.coverage import Coverage
from qbase.core.errors import DataError, UsageError
from qbase.core.given import check_word
from qbase.core.panel import Panel, Sampling
from qbase.core.text import Text, same
from qbase.core.values import Source, freeze
from qbase.indicators.availability import list_indicators
from qbase.indicators.cells.inspection_window import require_table
from qbase.indicators.firm_counts import read_firm_counts
from qbase.indicators.kept.kept_values import keep_value
from qbase.indicators.kept.value_bytes import learn
from qbase.indicators.maturity.quarter_maturity import read_maturity
from qbase.indicators.panel_building import build_panel
from qbase.intake import read_towns
from qbase.lake.entity_names import read_names
from qbase.scorecards.gates.firm_lists import count_register, count_verified, read_listed
from qbase.scorecards.gates.quarter_rates import QuarterRates, read_quarters
from qbase.scorecards.presets.preset_files import read_preset
from qbase.scorecards.presets.preset_values import Preset, Target

if TYPE_CHECKING:
    from qbase.indicators.maturity.maturity_table import Maturity
    from qbase.lake import Snapshot, Workspace

Judged = Literal["cluster_id", "town_code"]
KINDS = ("cluster_id", "town_code")
QUARTERS = 4
RATE = "D1.batch"
"""Whose draws the lead is made of."""
OF_CLUSTERS = frozenset({"D4", "D5", "D6", "L2", "L3", "L4", "L6", "N5"})
"""Gates whose quantity is one product's or one cluster's: a town that holds several, or firms in none, has no such."""


@learn
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
    entity : {"cluster_id", "town_code"}
        What is judged.

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
    entity: Judged = "cluster_id"

    def __post_init__(self) -> None:
        for name in ("rates", "values", "lists", "products", "names", "lacking"):
            object.__setattr__(self, name, freeze(getattr(self, name)))

    def judges(self, gate: str) -> bool:
        """Say whether a gate can be judged of such entities at all."""
        return self.entity == "cluster_id" or gate not in OF_CLUSTERS

    def __repr__(self) -> str:
        whom = "clusters" if self.entity == "cluster_id" else "towns"
        return (
            f"<GateData {len(self.names)} {whom} as of {self.as_of}: {len(self.rates)} rates, "
            f"{len(self.lists)} lists, {len(self.values)} full counts, {len(self.lacking)} lacking>"
        )


def read_gates(
    workspace: Workspace,
    presets: str | Preset | Sequence[str | Preset],
    *,
    entity: Judged = "cluster_id",
    as_of: str | pd.Period | None = None,
    snapshot: str | None = None,
) -> GateData:
    """Read everything the gates of some presets are judged by, for all clusters or all towns.

    What is read is kept beside the lake under all that decides it: the state of the data, the code, the thresholds, the
    quarter, the day and what is preliminary on it.

    Parameters
    ----------
    workspace : Workspace
        What a gate needs and the lake does not hold makes the gate an open one; it is no error.
    presets : str, Preset or sequence of these
        Their targets say what is read.
    entity : {"cluster_id", "town_code"}
        Whose gates. Those of one product or cluster (D4, D5, D6, L2, L3, L4, L6, N5) stay open for a town.
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
        No such preset (QB601), another kind of entity (QB144), a period that is none (QB101), or none named where there
        are no inspections (QB611).
    DataError
        The lake has no clusters (QB610), or no list of towns (QB403).

    Examples
    --------
    >>> from qbase.lake import open_workspace
    >>> from qbase.scorecards import read_gates
    >>> read_gates(open_workspace(), "outline_2025")
    <GateData 12 clusters as of 2025Q4: 1 rates, 7 lists, 0 full counts, 0 lacking>
    >>> read_gates(open_workspace(), "outline_2025", entity="town_code")
    <GateData 13 towns as of 2025Q4: 1 rates, 7 lists, 0 full counts, 0 lacking>
    """
    check_word("entity", entity, KINDS)
    at = workspace.snapshot(snapshot)  # a load under way must not come between two panels
    targets = tuple(_targets(presets, workspace))
    _require_entities(workspace, at, entity)
    quarter, maturity = _last_quarter(workspace, as_of, at.id, entity)
    young = None if maturity is None else maturity.table["is_preliminary"]
    # what is preliminary is a matter of a day, which need not be the snapshot's
    day = ("", "") if maturity is None else (maturity.as_of, _print_of(maturity.table["is_preliminary"]))
    asked = (entity, periods.code(quarter), targets, *day)

    def read() -> GateData:
        return _read(workspace, targets, entity, quarter, young, at)

    return keep_value(workspace, "gates", asked, at, read, rooms=("scorecards",))


def _read(
    workspace: Workspace, targets: Sequence[Target], entity: Judged, quarter: pd.Period, young: pd.Series | None,
    at: Snapshot,
) -> GateData:  # fmt: skip
    names, products = _entities(workspace, at, entity)
    own = [t for t in targets if entity == "cluster_id" or t.gate_id not in OF_CLUSTERS]
    lacking = _lacking(workspace, own, at.id)
    year = str(quarter.year if quarter.quarter == QUARTERS else quarter.year - 1)
    ready = [t for t in own if t.indicator_id not in lacking]
    reader = _Reader(
        workspace=workspace,
        at=at.id,
        entity=entity,
        quarter=quarter,
        year=year,
        young=young,
        lacking=lacking,
        panels=[],
    )
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
        products=products,
        names=names,
        lacking=reader.lacking,
        sources=tuple(dict.fromkeys(s for p in reader.panels for s in p.sources)),
        coverage=max((c for p in whose if (c := p.coverage)), key=lambda c: c.lost, default=None),
        entity=entity,
    )


def _print_of(young: pd.Series) -> str:
    return hashlib.sha256(pd.util.hash_pandas_object(young).to_numpy().tobytes()).hexdigest()


def _targets(presets: str | Preset | Sequence[str | Preset], workspace: Workspace) -> list[Target]:
    given = [presets] if isinstance(presets, str | Preset) else list(presets)
    chosen = [read_preset(p, workspace) if isinstance(p, str) else p for p in given]
    return [t for p in chosen for t in p.targets]


def _require_entities(workspace: Workspace, at: Snapshot, entity: Judged) -> None:
    if entity == "town_code":
        require_table(workspace, "towns", at)
    elif not workspace.has_table("clusters", at):
        raise DataError(
            "QB610", found="no table clusters", expected="table clusters: cluster_id, industry_code, cluster_name",
            fix="qbase load the list of clusters",
        )  # fmt: skip


def _entities(workspace: Workspace, at: Snapshot, entity: Judged) -> tuple[dict[str, Text], dict[str, str]]:
    """Return the name of every entity there is, and the product of every cluster."""
    named = read_names(workspace, entity, at)
    if entity == "town_code":
        now = read_towns(workspace, at).renumbered()
        found = workspace.query("SELECT DISTINCT town_code AS entity FROM towns ORDER BY 1", snapshot=at)
        towns = sorted({now.get(code, code) for code in map(str, found["entity"])})
        return {code: named.get(code, same(code)) for code in towns}, {}
    sql = "SELECT cluster_id AS entity, any_value(industry_code) AS product FROM clusters GROUP BY 1 ORDER BY 1"
    clusters = workspace.query(sql, snapshot=at)
    names = {e: named.get(e, same(e)) for e in map(str, clusters["entity"])}
    return names, dict(zip(names, clusters["product"], strict=True))


def _lacking(workspace: Workspace, targets: Iterable[Target], at: str | None) -> dict[str, Text]:
    found = {}
    known = {a.measured.indicator.id: a for a in list_indicators(workspace, snapshot=at)}
    for target in targets:
        state = known[target.indicator_id]
        if state.state != "ready" and target.kind != "lead":
            found[target.indicator_id] = state.status
    return found


def _last_quarter(
    workspace: Workspace, as_of: str | pd.Period | None, at: str, entity: Judged
) -> tuple[pd.Period, Maturity | None]:
    """Return the quarter judged, and which entities' quarters are preliminary; none where there are no inspections."""
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
    maturity = read_maturity(workspace, entity=entity, snapshot=at)
    whole = maturity.of(None)["is_preliminary"].astype(bool)
    if as_of is None:
        ripe = whole.index[~whole]
        asked = ripe.max() if len(ripe) else whole.index.max()
    return asked, maturity


def _years(targets: Iterable[Target]) -> int:
    return max((-(-t.window // 4) for t in targets if t.kind == "value"), default=1)


@dataclasses.dataclass(kw_only=True)
class _Reader:
    """Builds panels, and notes which indicator has nothing in the window."""

    workspace: Workspace
    at: str
    entity: Judged
    quarter: pd.Period
    year: str
    young: pd.Series | None
    lacking: dict[str, Text]
    panels: list[Panel]

    def build(self, indicators: Sequence[str], **window: object) -> Panel | None:
        """Build a panel; indicators without a value in the window are left out and noted."""
        try:
            asked = {"entity": self.entity, "snapshot": self.at, **window}
            panel = build_panel(self.workspace, indicators, **asked)  # type: ignore[arg-type]
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
                    self.workspace, indicator, entity=self.entity, last=self.quarter, sampling=sampling,
                    snapshot=self.at,
                )  # fmt: skip
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
        return {i: panel.data[i].unstack("period").rename(columns=periods.code) for i in panel.indicators}

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
            on_list = read_listed(
                self.workspace, listed=listed, quarter=f"{self.year}Q4", entity=self.entity, snapshot=self.at  # type: ignore[arg-type]
            )  # fmt: skip
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
