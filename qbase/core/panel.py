"""The panel: entity x period, a rate never without its counts."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Mapping
from typing import Any, Literal, get_args

import pandas as pd

from qbase.core import frames
from qbase.core.coverage import Coverage, Withheld
from qbase.core.errors import PanelError
from qbase.core.given import check_word, read_entity_id, read_text
from qbase.core.markup import build_frame, build_panel_card, find_entity, list_keys
from qbase.core.periods import Freq, code
from qbase.core.text import Text, same
from qbase.core.values import EMPTY, Indicator, Source, freeze

Sampling = Literal["naive", "random_draw", "post_stratified", "prediction_powered"]
COMPANIONS = ("n", "k", "n_firms", "n_eff", "lo", "hi", "num", "den")
FREQ_NAMES = {"Q": "quarterly", "H": "half-yearly", "A": "annual"}


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """Measured qualities of entities over periods.

    Parameters
    ----------
    data : pandas.DataFrame
        Sorted unique MultiIndex (entity, period); one column per indicator id and companions
        ``<id>__n``, ``__k``, ``__n_firms``, ``__n_eff``, ``__lo``, ``__hi``,
        ``__num``, ``__den`` where they apply.
        Rates are in percent, counts are counts.
    entity : str
        Name of the first level: ``cluster_id``, ``firm_id`` or ``town_code``.
    freq : {"Q", "H", "A"}
        One frequency.
    sampling : {"naive", "random_draw", "post_stratified", "prediction_powered"}
        How draws were treated.
    indicators : mapping
        id -> Indicator, one for each main column.
    labels : mapping
        Entity -> its name in both languages.
    cells : pandas.DataFrame or None
        Long frame (entity, period, stratum, sampling, n, k, n_firms, top1, top2).
    sources : tuple of Source
        What it rests on.
    shrunk : tuple of str
        Indicators whose values are shrunk; estimators refuse them.
    coverage : Coverage or None
        How many of the records on record it stands on; None where nothing was counted from records, or where a frame
        was handed over.
    notes : tuple of Text
        What was settled when it was built, such as two spellings of one entity; results tell it.
    withheld : Withheld or None
        Which rows were taken out to protect firms; None where nothing was done for it.

    Examples
    --------
    >>> import pandas as pd
    >>> from qbase.core import Indicator, Panel, Text
    >>> rate = Indicator(id="rate", name=Text("合格率", "pass rate"), unit="pct", better="up")
    >>> columns = {"cluster": "K003", "quarter": ["2022Q3", "2022Q4"], "rate": [90.0, 95.0]}
    >>> own = pd.DataFrame({**columns, "rate__k": [18, 38], "rate__n": [20, 40]})
    >>> panel = Panel.from_frame(own, entity="cluster", period="quarter", freq="Q", indicators={"rate": rate})
    >>> panel
    <Panel rate: 1 x 2 quarterly periods 2022Q3 to 2022Q4, 2 rows, naive>
    >>> panel.counts("rate")
                    k   n
    entity period
    K003   2022Q3  18  20
           2022Q4  38  40
    >>> panel["rate", "K003"].tolist(), len(panel)
    ([90.0, 95.0], 2)
    >>> panel.to_frame()[["name", "period", "indicator", "value", "n"]]
       name  period indicator  value   n
    0  K003  2022Q3      rate   90.0  20
    1  K003  2022Q4      rate   95.0  40
    """

    data: pd.DataFrame
    entity: str
    freq: Freq
    indicators: Mapping[str, Indicator]
    sampling: Sampling = "naive"
    labels: Mapping[str, Text] = dataclasses.field(default_factory=dict)
    cells: pd.DataFrame | None = None
    sources: tuple[Source, ...] = ()
    shrunk: tuple[str, ...] = ()
    coverage: Coverage | None = None
    notes: tuple[Text, ...] = ()
    withheld: Withheld | None = None

    def __post_init__(self) -> None:
        check_word("sampling", self.sampling, get_args(Sampling))
        check_word("freq", self.freq, FREQ_NAMES)
        labels = {read_entity_id(e) or str(e): read_text("labels", name) for e, name in self.labels.items()}
        object.__setattr__(self, "data", self.data.copy())
        object.__setattr__(self, "indicators", freeze(self.indicators))
        object.__setattr__(self, "labels", freeze(labels))
        _check(self)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        entity: str,
        period: str,
        freq: Freq,
        indicators: Mapping[str, Indicator],
        sampling: Sampling = "naive",
        labels: Mapping[str, Text] = EMPTY,
        sources: tuple[Source, ...] = (),
        coverage: Coverage | None = None,
        in_percent: bool | None = None,
    ) -> Panel:
        """Build a panel from a researcher's own long frame.

        Parameters
        ----------
        frame : pandas.DataFrame
            One row per entity and period.
        entity, period : str
            Columns of the entity and the period (dates, ``2022Q3``, or years).
        freq : {"Q", "H", "A"}
            Frequency of the period.
        indicators : mapping
            id -> Indicator; the frame has a column named id (companions are taken along).
        in_percent : bool or None
            For values in percent without counts: True says that they are percent, however small; False that they are
            shares, which are multiplied by 100; None refuses what reads like shares, as a whole or in part.
        sampling, labels, sources, coverage
            As in `Panel`; a frame made from another panel takes the ``coverage`` of that one along.

        Returns
        -------
        Panel

        Raises
        ------
        PanelError
            A column is missing (QB120) or named twice (QB136), there is no definition (QB137); a key is missing
            (QB121), doubled (QB122), no period of this frequency (QB102), in another time zone (QB145) or an id that
            cannot be told from others (QB139); a value is no number (QB129), none that its unit can hold (QB138),
            contradicts its counts (QB133) or interval (QB135), or is a share where percent is meant (QB134); counts
            that cannot be (QB128).
        UsageError
            A way of sampling that is none, or a label that is no text (QB144).
        """
        frames.check_call(frame, entity=entity, period=period, freq=freq, indicators=indicators)
        companions = [f"{i}__{c}" for i in indicators for c in COMPANIONS if f"{i}__{c}" in frame.columns]
        index, spelling, notes = frames.read_index(frame, entity, period, freq)
        data = frames.read_numbers(frame[[*indicators, *companions]]).set_index(index).sort_index()
        data = frames.check_values(data, indicators, is_naive=sampling == "naive", in_percent=in_percent)
        named = {read_entity_id(e) or str(e): name for e, name in labels.items()}
        return cls(
            data=data,
            entity=entity,
            freq=freq,
            indicators=indicators,
            sampling=sampling,
            labels={spelling.get(e, e): name for e, name in named.items()},
            sources=sources,
            coverage=coverage,
            notes=notes,
        )

    @property
    def entities(self) -> list[str]:
        """Entities in the panel, sorted."""
        return list(self._entities)

    @functools.cached_property
    def _entities(self) -> tuple[str, ...]:
        return tuple(sorted(self.data.index.get_level_values("entity").unique()))

    @property
    def periods(self) -> pd.PeriodIndex:
        """All periods between the first and the last, gaps included."""
        observed = pd.PeriodIndex(self.data.index.get_level_values("period"))
        return pd.period_range(observed.min(), observed.max(), freq=observed.freqstr)

    @property
    def tables(self) -> list[str]:
        """Tables (or files) the panel rests on, each once."""
        return list(dict.fromkeys(source.path for source in self.sources))

    @property
    def snapshot(self) -> str:
        """Snapshot of the lake the panel was read from, or empty."""
        return next((s.snapshot for s in self.sources if s.snapshot), "")

    def label(self, entity: str) -> Text:
        """Return the name of an entity, or its code where it has none."""
        return self.labels.get(entity, same(entity))

    def indicator(self, outcome: str) -> Indicator:
        """Return the definition of an indicator of this panel.

        Raises
        ------
        PanelError
            The panel has no such indicator (QB123).
        """
        if outcome not in self.indicators:
            raise PanelError(
                "QB123",
                outcome=outcome,
                found=outcome,
                expected=" | ".join(self.indicators),
                fix="name one of these, or build the panel with it",
            )
        return self.indicators[outcome]

    def counts(self, outcome: str) -> pd.DataFrame:
        """Return passes ``k`` and inspected ``n`` of a rate, index as in `data`.

        Raises
        ------
        PanelError
            The indicator is not a rate with counts (QB124) or is shrunk (QB125).
        """
        self.refuse_shrunk(outcome)
        names = {f"{outcome}__k": "k", f"{outcome}__n": "n"}
        if not set(names) <= set(self.data.columns):
            raise PanelError(
                "QB124",
                outcome=outcome,
                found=", ".join(self.data.columns),
                expected=f"{outcome}__k and {outcome}__n",
                fix="build the panel from inspections, or add the counts to the frame",
            )
        return self.data[list(names)].rename(columns=names)

    def keep(self, entities: Collection[str]) -> Panel:
        """Return the panel of some entities only, with their cells.

        Parameters
        ----------
        entities : collection of str
            As the panel writes them; those it does not hold are passed over.

        Returns
        -------
        Panel
            The same object where all are kept.

        Raises
        ------
        PanelError
            The panel holds none of them (QB127).
        """
        ids, wanted = self.data.index.get_level_values("entity").astype(str), [str(e) for e in entities]
        inside = ids.isin(wanted)
        if inside.all():
            return self
        cells = self.cells
        if cells is not None:
            cells = cells[cells["entity"].astype(str).isin(wanted)].reset_index(drop=True)
        return dataclasses.replace(self, data=self.data[inside], cells=cells)

    def coverage_of(self, outcome: str) -> Coverage | None:
        """Return how many of the records on record the values of one indicator stand on."""
        if self.coverage is None:
            return None
        n = self.data.get(f"{outcome}__n")
        return self.coverage.narrow(outcome, None if n is None else int(n.sum()))

    def refuse_shrunk(self, outcome: str) -> None:
        """Raise when the values of an indicator are shrunk: estimators take raw values and counts.

        Raises
        ------
        PanelError
            The indicator is unknown (QB123) or shrunk (QB125).
        """
        self.indicator(outcome)
        if outcome in self.shrunk:
            raise PanelError(
                "QB125",
                outcome=outcome,
                found="values pulled towards the mean",
                expected="raw values with their counts",
                fix="build the panel without shrinkage; shrunk values are for display and ranking",
            )

    def to_frame(self, *, wide: bool = False, lang: str | None = None) -> pd.DataFrame:
        """Return a plain frame for seaborn, statsmodels or a file: entity, name, period, its first day, then values.

        Parameters
        ----------
        wide : bool
            False gives a row per indicator (``indicator``, ``value`` and what stands behind it: ``n``, ``k``, ``lo``
            …); True one per entity and period with the columns of `data`.
        lang : {"zh", "en"} or None
            Of the names; None takes the language JupyterLab shows.
        """
        return build_frame(self.data, self.indicators, self.labels, wide=wide, lang=lang)

    def head(self, n: int = 5) -> pd.DataFrame:
        """Return the first rows of `to_frame`."""
        return self.to_frame().head(n)

    def __getitem__(self, key: str | tuple[str, str]) -> pd.Series[Any]:
        """Return the values of an indicator, or of one entity of it by code or name: ``panel["D1.batch", "K003"]``.

        Raises
        ------
        PanelError
            The panel has no such indicator (QB123) or entity (QB192).
        """
        outcome, *entity = key if isinstance(key, tuple) else (key,)
        self.indicator(outcome)
        values = self.data[outcome]
        return values.xs(find_entity(entity[0], self.entities, self.labels), level="entity") if entity else values

    def __contains__(self, outcome: object) -> bool:
        return outcome in self.indicators

    def __len__(self) -> int:
        return len(self.data)

    def _ipython_key_completions_(self) -> list[object]:
        return list_keys(self.indicators, self.entities, self.labels)

    def _repr_html_(self) -> str | None:
        told = [] if self.coverage is None else [self.coverage.say()]
        return build_panel_card(
            self.data, entity=self.entity, freq=self.freq, sampling=self.sampling, indicators=self.indicators,
            labels=self.labels, hidden=() if self.withheld is None else self.withheld.cells,
            sentences=[*self.notes, *told],
        )  # fmt: skip

    def __repr__(self) -> str:
        first, last = self.periods[0], self.periods[-1]
        names = ", ".join(self.indicators)
        return (
            f"<Panel {names}: {len(self.entities)} x {len(self.periods)} {FREQ_NAMES[self.freq]} periods "
            f"{code(first)} to {code(last)}, {len(self.data)} rows, {self.sampling}>"
        )


def _check(panel: Panel) -> None:
    index = panel.data.index
    if index.names != ["entity", "period"] or not isinstance(index.get_level_values(1), pd.PeriodIndex):
        raise PanelError(
            "QB126", found=f"index {list(index.names)}", expected="index (entity, period)", fix="use Panel.from_frame"
        )
    if len(index) == 0:
        raise PanelError("QB127", found="0 rows", expected="at least one row", fix="check period, entity and filters")
    if index.has_duplicates:
        example = index[index.duplicated()][0]
        raise PanelError(
            "QB122",
            found=f"{int(index.duplicated().sum())} doubled keys, first {example[0]} {example[1]}",
            expected="one row per entity and period",
            fix="aggregate or remove the doubled rows; they are never averaged in silence",
        )
    if not index.is_monotonic_increasing:
        object.__setattr__(panel, "data", panel.data.sort_index())
    for outcome in panel.indicators:
        _check_counts(panel.data, outcome)


def _check_counts(data: pd.DataFrame, outcome: str) -> None:
    n, k = f"{outcome}__n", f"{outcome}__k"
    if outcome not in data.columns:
        raise PanelError(
            "QB120",
            columns=outcome,
            found=", ".join(data.columns),
            expected=outcome,
            fix="add the column of the indicator",
        )
    if {n, k} <= set(data.columns):
        known = data[n].notna() | data[k].notna()
        fits = (data[k] >= 0) & (data[k] <= data[n]) & (data[n] % 1 == 0) & (data[k] % 1 == 0)
        wrong = data[known & ~fits]
        if len(wrong):
            (entity, period), first = wrong.index[0], wrong.iloc[0]
            raise PanelError(
                "QB128",
                outcome=outcome,
                found=f"{len(wrong)} rows, first {entity} {code(period)}: k {first[k]:g}, n {first[n]:g}",
                expected="whole numbers, 0 <= k <= n",
                fix="check which column counts passes and which counts inspections",
            )
